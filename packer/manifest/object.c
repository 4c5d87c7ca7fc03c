#define _GNU_SOURCE // memmem: linear in the length of the text
#include "packer/manifest/object.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OBJECT_TEXT_MAX = 1 << 20, // of a container as text; its parts may be many times the same
    OBJECT_DEPTH = 32,         // a list may hold itself

    // Work is counted in items and bytes, which take up to 12 ns each. All of it takes less than
    // half a second: no manifest of a few bytes takes a second. The manifests of upstream's boards
    // take up to 17,000 steps and look at up to 930 files, 10,000 calls of freeze() take 600,000.
    VM_STEPS = 4000000,
    VM_STEP_WORK = 8,      // an expression or a statement
    VM_OBJECT_WORK = 4,    // memory for one
    VM_RAISE_WORK = 32,    // making an exception
    VM_LOOK_WORK = 32,     // asking the system for a file
    VM_PATH_WORK = 4,      // the system following one byte of a path
    REPR_WORK = 8,         // showing a byte, which may be an escape
    REPR_FLOAT_WORK = 600, // trying how many digits a number needs
    VM_FILES = 50000       // looked at on the disk; micropython-lib has about 1,500
};

void vm_init(struct vm *vm, struct arena *a)
{
    memset(vm, 0, sizeof *vm);
    vm->arena = a;
    vm->none = ARENA_NEW(a, struct object);
    vm->yes = ARENA_NEW(a, struct object);
    vm->no = ARENA_NEW(a, struct object);
    vm->yes->kind = vm->no->kind = V_BOOL;
    vm->yes->as.truth = true;
}

static struct object *vm_record(struct vm *vm, const char *name, const char *text, bool fatal)
{
    struct vm_error *e = ARENA_NEW(vm->arena, struct vm_error);
    vm_charge(vm, VM_RAISE_WORK);
    *e = (struct vm_error){name, text, vm->file, vm->line, vm->column, fatal};
    vm->raised = e;
    return NULL;
}

struct object *vm_raise(struct vm *vm, const char *name, const char *fmt, ...)
{
    if (!vm_charge(vm, 0) && !vm_step(vm)) {
        return NULL; // what was not found was not searched for to the end
    }
    char text[DIAG_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return vm_record(vm, name, arena_strndup(vm->arena, text, strlen(text)), false);
}

struct object *vm_unsupported(struct vm *vm, const char *fmt, ...)
{
    char text[DIAG_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return vm_record(vm, "unsupported", arena_strndup(vm->arena, text, strlen(text)), true);
}

bool vm_step(struct vm *vm)
{
    if (vm->looked > VM_FILES) {
        vm_unsupported(vm, "looking at more than %d files and folders, now at %s", VM_FILES,
                       vm->looking);
        return false;
    }
    if (vm_charge(vm, VM_STEP_WORK)) {
        return true;
    }
    vm_unsupported(vm, "the manifest does not come to an end within %d steps", VM_STEPS);
    return false;
}

bool vm_charge(struct vm *vm, uint64_t n)
{
    const uint64_t most = (uint64_t)VM_STEPS * VM_STEP_WORK;
    vm->work += n < most ? n : most;
    return vm->work < most;
}

bool vm_look(struct vm *vm, const char *path, unsigned n)
{
    vm->looked += n;
    vm->looking = path;
    return vm_charge(vm, VM_LOOK_WORK + (uint64_t)VM_PATH_WORK * strlen(path)) &&
           vm->looked <= VM_FILES;
}

unsigned vm_looks_left(const struct vm *vm)
{
    return vm->looked < VM_FILES ? VM_FILES - vm->looked : 0;
}

static struct object *object_new(struct vm *vm, enum object_kind kind)
{
    struct object *v = ARENA_NEW(vm->arena, struct object);
    vm_charge(vm, VM_OBJECT_WORK);
    v->kind = kind;
    return v;
}

struct object *object_bool(struct vm *vm, bool truth)
{
    return truth ? vm->yes : vm->no;
}

struct object *object_int(struct vm *vm, int64_t number)
{
    struct object *v = object_new(vm, V_INT);
    v->as.number = number;
    return v;
}

struct object *object_float(struct vm *vm, double real)
{
    struct object *v = object_new(vm, V_FLOAT);
    v->as.real = real;
    return v;
}

struct object *object_strn(struct vm *vm, const char *text, size_t n)
{
    struct object *v = object_new(vm, V_STR);
    vm_charge(vm, n / VM_COMPARED);
    v->as.str.data = arena_strndup(vm->arena, text, n);
    v->as.str.len = n;
    return v;
}

struct object *object_str(struct vm *vm, const char *text)
{
    return object_strn(vm, text, strlen(text));
}

struct object *object_path(struct vm *vm, const char *text)
{
    struct object *v = object_str(vm, text);
    v->kind = V_PATH;
    return v;
}

struct object *object_seq(struct vm *vm, enum object_kind kind)
{
    return object_new(vm, kind);
}

struct object *object_native(struct vm *vm, const struct native *native, struct object *self)
{
    struct object *v = object_new(vm, V_NATIVE);
    v->as.bound.native = native;
    v->as.bound.self = self;
    return v;
}

struct object *object_named(struct vm *vm, enum object_kind kind, const char *name)
{
    struct object *v = object_new(vm, kind);
    v->as.name = name;
    return v;
}

static void object_push(struct vm *vm, struct object *seq, struct object *item)
{
    if (seq->as.items.n == seq->as.items.cap) {
        size_t cap = seq->as.items.cap ? seq->as.items.cap * 2 : 4;
        seq->as.items.data =
            arena_grow(vm->arena, seq->as.items.data, seq->as.items.cap * sizeof(struct object *),
                       cap * sizeof(struct object *));
        seq->as.items.cap = cap;
    }
    seq->as.items.data[seq->as.items.n++] = item;
}

void object_append(struct vm *vm, struct object *seq, struct object *item)
{
    if (seq->kind == V_SET) {
        for (size_t i = 0; i < seq->as.items.n; i++) {
            if (object_equal(vm, seq->as.items.data[i], item)) {
                return;
            }
        }
    }
    object_push(vm, seq, item);
}

bool object_is_str(const struct object *v)
{
    return v->kind == V_STR;
}

bool object_is_int(const struct object *v, int64_t *number)
{
    if (v->kind == V_BOOL) {
        *number = v->as.truth;
    } else if (v->kind == V_INT) {
        *number = v->as.number;
    } else {
        return false;
    }
    return true;
}

static bool object_is_real(const struct object *v, double *real)
{
    int64_t n;
    if (object_is_int(v, &n)) {
        *real = (double)n;
        return true;
    }
    *real = v->as.real;
    return v->kind == V_FLOAT;
}

bool object_truth(const struct object *v)
{
    switch (v->kind) {
    case V_NONE:
        return false;
    case V_BOOL:
        return v->as.truth;
    case V_INT:
        return v->as.number != 0;
    case V_FLOAT:
        return v->as.real != 0;
    case V_STR:
        return v->as.str.len != 0;
    case V_TUPLE:
    case V_LIST:
    case V_SET:
    case V_DICT:
        return v->as.items.n != 0;
    default:
        return true;
    }
}

size_t object_count(const struct object *o)
{
    switch (o->kind) {
    case V_STR:
    case V_PATH:
        return o->as.str.len;
    case V_TUPLE:
    case V_LIST:
    case V_SET:
    case V_DICT:
        return o->as.items.n;
    default:
        return 0;
    }
}

bool vm_same(struct vm *vm, const char *x, const char *y, size_t n)
{
    vm_charge(vm, n / VM_COMPARED);
    return memcmp(x, y, n) == 0;
}

static bool object_equal_at(struct vm *vm, const struct object *x, const struct object *y,
                            unsigned depth);

static bool object_items_equal(struct vm *vm, const struct object *x, const struct object *y,
                               unsigned depth)
{
    if (x->as.items.n != y->as.items.n) {
        return false;
    }
    for (size_t i = 0; i < x->as.items.n; i++) {
        if (!object_equal_at(vm, x->as.items.data[i], y->as.items.data[i], depth)) {
            return false;
        }
    }
    return true;
}

// Sets and dicts are equal whatever their order; stride is 1 or 2.
static bool object_unordered_equal(struct vm *vm, const struct object *x, const struct object *y,
                                   size_t stride, unsigned depth)
{
    if (x->as.items.n != y->as.items.n) {
        return false;
    }
    for (size_t i = 0; i < x->as.items.n; i += stride) {
        size_t j = 0;
        while (j < y->as.items.n &&
               !object_equal_at(vm, x->as.items.data[i], y->as.items.data[j], depth)) {
            j += stride;
        }
        if (j >= y->as.items.n || !object_equal_at(vm, x->as.items.data[i + stride - 1],
                                                   y->as.items.data[j + stride - 1], depth)) {
            return false;
        }
    }
    return true;
}

// What holds one object in many places is as large as all of them: going through it is counted.
static bool object_equal_at(struct vm *vm, const struct object *x, const struct object *y,
                            unsigned depth)
{
    double a, b;
    if (!vm_charge(vm, 1) || x == y || depth > OBJECT_DEPTH) {
        return x == y;
    }
    if (object_is_real(x, &a) && object_is_real(y, &b)) {
        return a == b && (x->kind == V_FLOAT || y->kind == V_FLOAT || x->kind != V_INT ||
                          y->kind != V_INT || x->as.number == y->as.number);
    }
    if (x->kind != y->kind) {
        return false;
    }
    switch (x->kind) {
    case V_NONE:
        return true;
    case V_STR:
    case V_PATH:
        return x->as.str.len == y->as.str.len &&
               vm_same(vm, x->as.str.data, y->as.str.data, x->as.str.len);
    case V_TUPLE:
    case V_LIST:
        return object_items_equal(vm, x, y, depth + 1);
    case V_SET:
        return object_unordered_equal(vm, x, y, 1, depth + 1);
    case V_DICT:
        return object_unordered_equal(vm, x, y, 2, depth + 1);
    case V_MODULE:
    case V_CLASS:
        return strcmp(x->as.name, y->as.name) == 0;
    default:
        return false;
    }
}

bool object_equal(struct vm *vm, const struct object *x, const struct object *y)
{
    return object_equal_at(vm, x, y, 0);
}

static int object_order_text(struct vm *vm, const struct object *x, const struct object *y)
{
    size_t n = x->as.str.len < y->as.str.len ? x->as.str.len : y->as.str.len;
    vm_charge(vm, n / VM_COMPARED);
    int c = memcmp(x->as.str.data, y->as.str.data, n);
    return c ? c : (x->as.str.len > y->as.str.len) - (x->as.str.len < y->as.str.len);
}

static bool object_order_items(struct vm *vm, const struct object *x, const struct object *y,
                               int *order)
{
    size_t n = x->as.items.n < y->as.items.n ? x->as.items.n : y->as.items.n;
    for (size_t i = 0; i < n; i++) {
        if (!object_equal(vm, x->as.items.data[i], y->as.items.data[i])) {
            vm->depth++;
            bool ok = object_order(vm, x->as.items.data[i], y->as.items.data[i], order);
            vm->depth--;
            return ok;
        }
    }
    *order = (x->as.items.n > y->as.items.n) - (x->as.items.n < y->as.items.n);
    return true;
}

bool object_order(struct vm *vm, const struct object *x, const struct object *y, int *order)
{
    double a, b;
    vm_charge(vm, 1);
    if (object_is_real(x, &a) && object_is_real(y, &b)) {
        *order = (a > b) - (a < b);
        return true;
    }
    if (x->kind == y->kind && (x->kind == V_STR || x->kind == V_PATH)) {
        *order = object_order_text(vm, x, y);
        return true;
    }
    if (vm->depth < VM_DEPTH && x->kind == y->kind && (x->kind == V_TUPLE || x->kind == V_LIST)) {
        return object_order_items(vm, x, y, order);
    }
    vm_raise(vm, "TypeError", "'%s' and '%s' cannot be ordered", object_type(x), object_type(y));
    return false;
}

const char *object_type(const struct object *v)
{
    static const char *const names[] = {
        [V_NONE] = "NoneType",
        [V_BOOL] = "bool",
        [V_INT] = "int",
        [V_FLOAT] = "float",
        [V_STR] = "str",
        [V_PATH] = "Path",
        [V_TUPLE] = "tuple",
        [V_LIST] = "list",
        [V_SET] = "set",
        [V_DICT] = "dict",
        [V_NATIVE] = "function",
        [V_CLOSURE] = "function",
        [V_MODULE] = "module",
        [V_CLASS] = "type",
        [V_EXCEPTION] = "exception",
        [V_OPTIONS] = "IncludeOptions",
        [V_METADATA] = "ManifestPackageMetadata",
    };
    return names[v->kind];
}

// The bytes of the UTF-8 character at s; a stray byte counts as one.
static size_t object_char_len(const char *s, size_t left)
{
    unsigned char c = (unsigned char)*s;
    size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n <= left ? n : left;
}

struct object *object_iter(struct vm *vm, struct object *v)
{
    struct object *list;
    switch (v->kind) {
    case V_TUPLE:
    case V_LIST:
    case V_SET:
        return v;
    case V_STR:
        list = object_seq(vm, V_LIST);
        for (size_t i = 0, n; i < v->as.str.len; i += n) {
            n = object_char_len(v->as.str.data + i, v->as.str.len - i);
            object_append(vm, list, object_strn(vm, v->as.str.data + i, n));
        }
        return list;
    case V_DICT:
        list = object_seq(vm, V_LIST);
        for (size_t i = 0; i < v->as.items.n; i += 2) {
            object_append(vm, list, v->as.items.data[i]);
        }
        return list;
    default:
        return vm_raise(vm, "TypeError", "'%s' object is not iterable", object_type(v));
    }
}

struct object *object_lookup(struct vm *vm, const struct object *dict, const struct object *key)
{
    for (size_t i = 0; i < dict->as.items.n; i += 2) {
        if (object_equal(vm, dict->as.items.data[i], key)) {
            return dict->as.items.data[i + 1];
        }
    }
    return NULL;
}

void object_put(struct vm *vm, struct object *dict, struct object *key, struct object *item)
{
    for (size_t i = 0; i < dict->as.items.n; i += 2) {
        if (object_equal(vm, dict->as.items.data[i], key)) {
            dict->as.items.data[i + 1] = item;
            return;
        }
    }
    object_push(vm, dict, key);
    object_push(vm, dict, item);
}

bool object_contains(struct vm *vm, const struct object *seq, const struct object *item, bool *yes)
{
    *yes = false;
    if (seq->kind == V_STR) {
        if (!object_is_str(item)) {
            vm_raise(vm, "TypeError", "'in <string>' requires string as left operand, not %s",
                     object_type(item));
            return false;
        }
        vm_charge(vm, seq->as.str.len);
        *yes = memmem(seq->as.str.data, seq->as.str.len, item->as.str.data, item->as.str.len);
        return true;
    }
    if (seq->kind != V_TUPLE && seq->kind != V_LIST && seq->kind != V_SET && seq->kind != V_DICT) {
        vm_raise(vm, "TypeError", "argument of type '%s' is not iterable", object_type(seq));
        return false;
    }
    for (size_t i = 0; !*yes && i < seq->as.items.n; i += seq->kind == V_DICT ? 2 : 1) {
        *yes = object_equal(vm, seq->as.items.data[i], item);
    }
    return true;
}

// The shortest decimal text that reads back as the same number, written as Python writes it.
static void object_repr_float(struct bytes_out *out, double real)
{
    char text[40];
    if (isinf(real) || isnan(real)) {
        bytes_printf(out, "%s", isnan(real) ? "nan" : real < 0 ? "-inf" : "inf");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, real);
        if (strtod(text, NULL) == real) {
            int exponent = atoi(strchr(text, 'e') + 1);
            if (exponent >= -4 && exponent < 16) {
                int decimals = digits - 1 - exponent;
                snprintf(text, sizeof text, "%.*f", decimals > 1 ? decimals : 1, real);
            }
            break;
        }
    }
    bytes_printf(out, "%s", text);
}

static void object_repr_str(struct bytes_out *out, const struct object *v)
{
    bool single = memchr(v->as.str.data, '\'', v->as.str.len) != NULL;
    bool both = single && memchr(v->as.str.data, '"', v->as.str.len) != NULL;
    char quote = single && !both ? '"' : '\'';
    bytes_put_u8(out, (uint8_t)quote);
    for (size_t i = 0; i < v->as.str.len; i++) {
        unsigned char c = (unsigned char)v->as.str.data[i];
        const char *escape = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
        if (escape) {
            bytes_printf(out, "%s", escape);
        } else if (c == '\\' || c == (unsigned char)quote) {
            bytes_printf(out, "\\%c", c);
        } else if (c < 32 || c == 127) {
            bytes_printf(out, "\\x%02x", c);
        } else {
            bytes_put_u8(out, c);
        }
    }
    bytes_put_u8(out, (uint8_t)quote);
}

static void object_write(struct vm *vm, struct bytes_out *out, const struct object *v,
                         unsigned depth);

static void object_write_items(struct vm *vm, struct bytes_out *out, const struct object *v,
                               unsigned depth)
{
    static const char *const brackets[] = {
        [V_TUPLE] = "()", [V_LIST] = "[]", [V_SET] = "{}", [V_DICT] = "{}"};
    const char *b = brackets[v->kind];
    if (v->kind == V_SET && v->as.items.n == 0) {
        bytes_printf(out, "set()");
        return;
    }
    bytes_put_u8(out, (uint8_t)b[0]);
    for (size_t i = 0; i < v->as.items.n; i++) {
        if (i) {
            bytes_printf(out, "%s", v->kind == V_DICT && i % 2 ? ": " : ", ");
        }
        object_write(vm, out, v->as.items.data[i], depth + 1);
    }
    bytes_printf(out, "%s%c", v->kind == V_TUPLE && v->as.items.n == 1 ? "," : "", b[1]);
}

static void object_write(struct vm *vm, struct bytes_out *out, const struct object *v,
                         unsigned depth)
{
    bool text = v->kind == V_STR || v->kind == V_PATH;
    uint64_t work =
        v->kind == V_FLOAT ? REPR_FLOAT_WORK : REPR_WORK * (1 + (text ? v->as.str.len : 0));
    if (out->failed || out->size > OBJECT_TEXT_MAX || !vm_charge(vm, work)) {
        out->failed = true;
        return;
    }
    switch (v->kind) {
    case V_NONE:
        bytes_printf(out, "None");
        break;
    case V_BOOL:
        bytes_printf(out, "%s", v->as.truth ? "True" : "False");
        break;
    case V_INT:
        bytes_printf(out, "%" PRId64, v->as.number);
        break;
    case V_FLOAT:
        object_repr_float(out, v->as.real);
        break;
    case V_STR:
        object_repr_str(out, v);
        break;
    case V_PATH:
        bytes_printf(out, "PosixPath(");
        object_repr_str(out, v);
        bytes_printf(out, ")");
        break;
    case V_TUPLE:
    case V_LIST:
    case V_SET:
    case V_DICT:
        if (depth > OBJECT_DEPTH) {
            bytes_printf(out, "...");
        } else {
            object_write_items(vm, out, v, depth);
        }
        break;
    case V_EXCEPTION:
        bytes_printf(out, "%s('%s')", v->as.exception.name, v->as.exception.text);
        break;
    default:
        bytes_printf(out, "<%s>", object_type(v));
    }
}

static struct object *object_take(struct vm *vm, struct bytes_out *out)
{
    // The buffer is not the arena's: let go of it before an allocation can jump away.
    jmp_buf *on_fail = vm->arena->on_fail;
    vm->arena->on_fail = NULL;
    struct object *v = arena_calloc(vm->arena, 1, sizeof *v);
    char *text = out->failed ? NULL : arena_strndup(vm->arena, (char *)out->data, out->size);
    size_t n = out->size;
    bytes_out_free(out);
    vm->arena->on_fail = on_fail;
    if ((!v || !text) && !vm_step(vm)) {
        return NULL;
    }
    if (!v || !text) {
        return vm_unsupported(vm, "a text of more than %d bytes", OBJECT_TEXT_MAX);
    }
    v->kind = V_STR;
    v->as.str.data = text;
    v->as.str.len = n;
    return v;
}

struct object *object_repr(struct vm *vm, struct object *v)
{
    struct bytes_out out;
    bytes_out_init(&out);
    object_write(vm, &out, v, 0);
    return object_take(vm, &out);
}

struct object *object_to_str(struct vm *vm, struct object *v)
{
    if (v->kind == V_STR) {
        return v;
    }
    if (v->kind == V_PATH) {
        return object_strn(vm, v->as.str.data, v->as.str.len);
    }
    if (v->kind == V_EXCEPTION) {
        return object_str(vm, v->as.exception.text);
    }
    return object_repr(vm, v);
}

// One parameter of a spec: its name, whether it may be missing, whether it takes the rest.
struct param {
    char name[32];
    bool optional, rest;
};

static const char *param_next(const char *spec, struct param *p)
{
    spec += strspn(spec, " ");
    if (!*spec) {
        return NULL;
    }
    size_t n = strcspn(spec, " "), len = n;
    p->optional = spec[n - 1] == '?';
    p->rest = spec[n - 1] == '*';
    len -= p->optional || p->rest;
    snprintf(p->name, sizeof p->name, "%.*s", (int)len, spec);
    return spec + n;
}

static struct object *call_keyword(const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->n_kw; i++) {
        if (strcmp(call->kw_names[i], name) == 0) {
            return call->kw_values[i];
        }
    }
    return NULL;
}

static struct object *call_rest(struct vm *vm, const struct call *call, size_t from)
{
    struct object *rest = object_seq(vm, V_TUPLE);
    for (size_t i = from; i < call->n_pos; i++) {
        object_append(vm, rest, call->pos[i]);
    }
    return rest;
}

static bool spec_has(const char *spec, const char *name)
{
    struct param p;
    while ((spec = param_next(spec, &p))) {
        if (!p.rest && strcmp(p.name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool call_bind_kw(struct vm *vm, const struct call *call, const char *function, const char *spec,
                  struct object **out, struct object **more)
{
    struct param p;
    size_t i = 0;
    bool rest = false;
    for (const char *s = spec; (s = param_next(s, &p)); i++) {
        vm_charge(vm, VM_STEP_WORK + call->n_kw);
        struct object *keyword = p.rest ? NULL : call_keyword(call, p.name);
        rest = rest || p.rest;
        out[i] = p.rest ? call_rest(vm, call, i) : i < call->n_pos ? call->pos[i] : keyword;
        if (keyword && i < call->n_pos) {
            vm_raise(vm, "TypeError", "%s() got multiple values for argument '%s'", function,
                     p.name);
            return false;
        }
        if (!out[i] && !p.optional) {
            vm_raise(vm, "TypeError", "%s() missing 1 required positional argument: '%s'", function,
                     p.name);
            return false;
        }
    }
    if (call->n_pos > i && !rest) {
        vm_raise(vm, "TypeError", "%s() takes %zu positional arguments but %zu were given",
                 function, i, call->n_pos);
        return false;
    }
    if (more) {
        *more = object_seq(vm, V_DICT);
    }
    for (size_t k = 0; k < call->n_kw && vm_charge(vm, VM_STEP_WORK * i); k++) {
        if (spec_has(spec, call->kw_names[k])) {
            continue;
        }
        if (!more) {
            vm_raise(vm, "TypeError", "%s() got an unexpected keyword argument '%s'", function,
                     call->kw_names[k]);
            return false;
        }
        object_put(vm, *more, object_str(vm, call->kw_names[k]), call->kw_values[k]);
    }
    return true;
}

bool call_bind(struct vm *vm, const struct call *call, const char *function, const char *spec,
               struct object **out)
{
    return call_bind_kw(vm, call, function, spec, out, NULL);
}

const char *call_text(struct vm *vm, const struct object *v, const char *function)
{
    if (v->kind != V_STR && v->kind != V_PATH) {
        vm_raise(vm, "TypeError", "%s: expected str or path, not %s", function, object_type(v));
        return NULL;
    }
    if (strlen(v->as.str.data) != v->as.str.len) {
        vm_raise(vm, "ValueError", "embedded null byte");
        return NULL;
    }
    return v->as.str.data;
}
