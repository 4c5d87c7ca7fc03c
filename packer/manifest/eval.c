// Runs the tree of a manifest.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "packer/manifest/fileset.h"
#include "packer/manifest/object.h"
#include "packer/manifest/tree.h"

struct variable {
    const char *name;
    struct object *value; // NULL = deleted
    struct variable *next;
};

struct scope {
    struct variable *variables;
    struct scope *outer;  // where names are looked up next; NULL for the manifest itself
    struct scope *global; // the manifest's
    struct options *options;
    const struct tree *globals; // the last `global` statement, NULL = none
};

struct closure {
    const struct tree *tree; // TREE_DEF or TREE_LAMBDA
    struct scope *scope;
    struct object **defaults; // one for each parameter, NULL = none
};

enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE, FLOW_RETURN, FLOW_RAISED };

struct frame { // one running function or manifest
    struct vm *vm;
    struct scope *scope;
    struct object *result; // of return
};

static struct object *eval(struct frame *f, const struct tree *t);
static enum flow run(struct frame *f, const struct tree *t);

// Names

static struct variable *scope_find(struct scope *scope, const char *name)
{
    for (struct variable *v = scope->variables; v; v = v->next) {
        if (strcmp(v->name, name) == 0) {
            return v;
        }
    }
    return NULL;
}

static bool scope_is_global(const struct scope *scope, const char *name)
{
    for (unsigned i = 0; scope->globals && i < scope->globals->n; i++) {
        if (strcmp(scope->globals->items[i]->text, name) == 0) {
            return true;
        }
    }
    return false;
}

static void scope_set(struct vm *vm, struct scope *scope, const char *name, struct object *value)
{
    scope = scope_is_global(scope, name) ? scope->global : scope;
    struct variable *v = scope_find(scope, name);
    if (!v) {
        v = ARENA_NEW(vm->arena, struct variable);
        v->name = name;
        v->next = scope->variables;
        scope->variables = v;
    }
    v->value = value;
}

static struct scope *scope_new(struct vm *vm, struct scope *outer)
{
    struct scope *scope = ARENA_NEW(vm->arena, struct scope);
    scope->outer = outer;
    scope->global = outer ? outer->global : scope;
    scope->options = outer ? outer->options : NULL;
    return scope;
}

// What a manifest has without defining it. os and sys need no import: up to 1.19 they did not.
static struct object *name_predefined(struct vm *vm, struct scope *scope, const char *name)
{
    if (strcmp(name, "options") == 0) {
        struct object *o = object_named(vm, V_OPTIONS, NULL);
        o->as.options = scope->options;
        return o;
    }
    const struct native *function = fileset_function(name);
    if (function) {
        return object_native(vm, function, NULL);
    }
    if (strcmp(name, "os") == 0 || strcmp(name, "sys") == 0) {
        return builtin_module(vm, name);
    }
    return builtin_find(vm, name);
}

static bool listed(const char *const *list, const char *name)
{
    while (*list && strcmp(*list, name) != 0) {
        list++;
    }
    return *list != NULL;
}

// Python has these built in, we do not: the message must not say that they are unknown.
static const char *const missing_builtins[] = {
    "__import__", "abs",          "aiter",    "anext",      "ascii",       "bin",     "breakpoint",
    "bytearray",  "bytes",        "callable", "chr",        "classmethod", "compile", "complex",
    "delattr",    "dir",          "divmod",   "eval",       "exec",        "exit",    "format",
    "frozenset",  "globals",      "hash",     "help",       "hex",         "id",      "input",
    "issubclass", "iter",         "locals",   "memoryview", "next",        "object",  "oct",
    "open",       "ord",          "pow",      "property",   "quit",        "round",   "setattr",
    "slice",      "staticmethod", "super",    "type",       "vars",        NULL};

static struct object *name_get(struct vm *vm, struct scope *scope, const char *name)
{
    for (struct scope *s = scope; s; s = s->outer) {
        struct variable *v = scope_find(s, name);
        if (v && v->value) {
            return v->value;
        }
    }
    struct object *found = name_predefined(vm, scope, name);
    if (!found && listed(missing_builtins, name)) {
        return vm_unsupported(vm, "%s()", name);
    }
    return found ? found : vm_raise(vm, "NameError", "name '%s' is not defined", name);
}

static size_t object_size(const struct object *o)
{
    switch (o->kind) {
    case V_STR:
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

// Operators

static struct object *op_overflow(struct vm *vm)
{
    return vm_unsupported(vm, "an integer of more than 64 bits");
}

// Python's // and %: rounded towards minus infinity.
static int64_t floor_divide(int64_t x, int64_t y)
{
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}

static struct object *op_power(struct vm *vm, int64_t x, int64_t y)
{
    int64_t result = 1;
    if (y < 0) {
        return object_float(vm, pow((double)x, (double)y));
    }
    for (; y > 0; y >>= 1) {
        if ((y & 1) && __builtin_mul_overflow(result, x, &result)) {
            return op_overflow(vm);
        }
        if (y > 1 && __builtin_mul_overflow(x, x, &x)) {
            return op_overflow(vm);
        }
    }
    return object_int(vm, result);
}

static struct object *op_shift(struct vm *vm, int64_t x, int64_t y, bool left)
{
    if (y < 0) {
        return vm_raise(vm, "ValueError", "negative shift count");
    }
    if (!left) {
        return object_int(vm, y > 62 ? (x < 0 ? -1 : 0) : floor_divide(x, (int64_t)1 << y));
    }
    int64_t result;
    if (x != 0 && (y > 62 || __builtin_mul_overflow(x, (int64_t)1 << y, &result))) {
        return op_overflow(vm);
    }
    return object_int(vm, x ? result : 0);
}

static struct object *op_divide(struct vm *vm, char op, int64_t x, int64_t y)
{
    if (y == 0) {
        return vm_raise(vm, "ZeroDivisionError", "division by zero");
    }
    if (op == '/') {
        return object_float(vm, (double)x / (double)y);
    }
    if (x == INT64_MIN && y == -1) {
        return op == 'F' ? op_overflow(vm) : object_int(vm, 0);
    }
    int64_t quotient = floor_divide(x, y);
    return object_int(vm, op == 'F' ? quotient : x - quotient * y);
}

static struct object *op_ints(struct vm *vm, char op, int64_t x, int64_t y)
{
    int64_t r;
    switch (op) {
    case '+':
        return __builtin_add_overflow(x, y, &r) ? op_overflow(vm) : object_int(vm, r);
    case '-':
        return __builtin_sub_overflow(x, y, &r) ? op_overflow(vm) : object_int(vm, r);
    case '*':
        return __builtin_mul_overflow(x, y, &r) ? op_overflow(vm) : object_int(vm, r);
    case '|':
        return object_int(vm, x | y);
    case '&':
        return object_int(vm, x & y);
    case '^':
        return object_int(vm, x ^ y);
    case 'P':
        return op_power(vm, x, y);
    case 'L':
    case 'R':
        return op_shift(vm, x, y, op == 'L');
    default:
        return op_divide(vm, op, x, y);
    }
}

static bool as_real(const struct object *o, double *real)
{
    int64_t n;
    bool is_int = object_is_int(o, &n);
    *real = is_int ? (double)n : o->as.real;
    return is_int || o->kind == V_FLOAT;
}

static struct object *op_reals(struct vm *vm, char op, double x, double y)
{
    if (y == 0 && (op == '/' || op == 'F' || op == '%')) {
        return vm_raise(vm, "ZeroDivisionError", "float division by zero");
    }
    double r = op == '+'   ? x + y
               : op == '-' ? x - y
               : op == '*' ? x * y
               : op == '/' ? x / y
               : op == 'F' ? floor(x / y)
               : op == '%' ? x - floor(x / y) * y
                           : pow(x, y);
    return strchr("+-*/F%P", op) ? object_float(vm, r)
                                 : vm_raise(vm, "TypeError", "unsupported operand for float");
}

static struct object *op_repeat(struct vm *vm, const struct object *seq, int64_t times)
{
    uint64_t n = seq->kind == V_STR ? seq->as.str.len : seq->as.items.n;
    if (times > 0 && n > 0 && (uint64_t)times > ((uint64_t)1 << 20) / n) {
        return vm_unsupported(vm, "a repetition as long as this");
    }
    if (seq->kind == V_STR) {
        size_t size = times > 0 ? n * (size_t)times : 0;
        char *text = arena_alloc(vm->arena, size);
        for (size_t i = 0; i < size; i += n) {
            memcpy(text + i, seq->as.str.data, n);
        }
        return object_strn(vm, text, size);
    }
    struct object *result = object_seq(vm, seq->kind);
    for (; n && times > 0; times--) {
        for (size_t i = 0; i < n; i++) {
            object_append(vm, result, seq->as.items.data[i]);
        }
    }
    return result;
}

static struct object *op_join(struct vm *vm, const struct object *x, const struct object *y)
{
    if (x->kind == V_STR) {
        size_t n = x->as.str.len + y->as.str.len;
        char *text = arena_alloc(vm->arena, n);
        memcpy(text, x->as.str.data, x->as.str.len);
        memcpy(text + x->as.str.len, y->as.str.data, y->as.str.len);
        return object_strn(vm, text, n);
    }
    struct object *result = object_seq(vm, x->kind);
    for (size_t i = 0; i < x->as.items.n; i++) {
        object_append(vm, result, x->as.items.data[i]);
    }
    for (size_t i = 0; i < y->as.items.n; i++) {
        object_append(vm, result, y->as.items.data[i]);
    }
    return result;
}

static struct object *op_sets(struct vm *vm, char op, const struct object *x,
                              const struct object *y)
{
    struct object *result = object_seq(vm, V_SET);
    for (size_t i = 0; i < x->as.items.n; i++) {
        bool in = false;
        object_contains(vm, y, x->as.items.data[i], &in);
        if (op == '|' || in == (op == '&')) {
            object_append(vm, result, x->as.items.data[i]);
        }
    }
    for (size_t i = 0; op == '|' && i < y->as.items.n; i++) {
        object_append(vm, result, y->as.items.data[i]);
    }
    return result;
}

static struct object *op_dicts(struct vm *vm, const struct object *x, const struct object *y)
{
    struct object *result = object_seq(vm, V_DICT);
    for (size_t i = 0; i < x->as.items.n; i += 2) {
        object_put(vm, result, x->as.items.data[i], x->as.items.data[i + 1]);
    }
    for (size_t i = 0; i < y->as.items.n; i += 2) {
        object_put(vm, result, y->as.items.data[i], y->as.items.data[i + 1]);
    }
    return result;
}

static bool is_sequence(const struct object *o)
{
    return o->kind == V_STR || o->kind == V_LIST || o->kind == V_TUPLE;
}

// Path / str
static struct object *op_path(struct vm *vm, struct object *x, struct object *y)
{
    struct object *join = path_member(vm, x, "joinpath");
    struct call call = {.n_pos = 1, .pos = &y};
    return eval_call(vm, join, &call);
}

static struct object *op_binary(struct vm *vm, char op, struct object *x, struct object *y)
{
    int64_t a, b;
    double c, d;
    bool xi = object_is_int(x, &a), yi = object_is_int(y, &b);
    if (xi && yi) {
        return op_ints(vm, op, a, b);
    }
    if (as_real(x, &c) && as_real(y, &d)) {
        return op_reals(vm, op, c, d);
    }
    if (op == '+' && x->kind == y->kind && is_sequence(x)) {
        return op_join(vm, x, y);
    }
    if (op == '*' && is_sequence(x) && yi) {
        return op_repeat(vm, x, b);
    }
    if (op == '*' && is_sequence(y) && xi) {
        return op_repeat(vm, y, a);
    }
    if (op == '%' && x->kind == V_STR) {
        return str_percent(vm, x, y);
    }
    if (op == '/' && x->kind == V_PATH) {
        return op_path(vm, x, y);
    }
    if (x->kind == V_SET && y->kind == V_SET && (op == '|' || op == '&' || op == '-')) {
        return op_sets(vm, op, x, y);
    }
    if (x->kind == V_DICT && y->kind == V_DICT && op == '|') {
        return op_dicts(vm, x, y);
    }
    return vm_raise(vm, "TypeError", "unsupported operand types: '%s' and '%s'", object_type(x),
                    object_type(y));
}

static struct object *op_unary(struct vm *vm, char op, struct object *x)
{
    int64_t n;
    if (object_is_int(x, &n)) {
        return op == '~'                     ? object_int(vm, ~n)
               : op == '-' && n == INT64_MIN ? op_overflow(vm)
                                             : object_int(vm, op == '-' ? -n : n);
    }
    if (x->kind == V_FLOAT && op != '~') {
        return object_float(vm, op == '-' ? -x->as.real : x->as.real);
    }
    return vm_raise(vm, "TypeError", "bad operand type for unary operator: '%s'", object_type(x));
}

static bool op_compare(struct vm *vm, enum tree_compare op, struct object *x, struct object *y,
                       bool *yes)
{
    int order = 0;
    switch (op) {
    case CMP_EQ:
    case CMP_NE:
        vm_charge(vm, object_size(x));
        *yes = object_equal(x, y) == (op == CMP_EQ);
        return true;
    case CMP_IS:
    case CMP_IS_NOT: // None, True and False are the only ones that mean anything
        *yes = (x == y || (x->kind == y->kind && object_equal(x, y))) == (op == CMP_IS);
        return true;
    case CMP_IN:
    case CMP_NOT_IN:
        if (!object_contains(vm, y, x, yes)) {
            return false;
        }
        *yes = *yes == (op == CMP_IN);
        return true;
    default:
        break;
    }
    if (!object_order(vm, x, y, &order)) {
        return false;
    }
    *yes = op == CMP_LT   ? order < 0
           : op == CMP_GT ? order > 0
           : op == CMP_LE ? order <= 0
                          : order >= 0;
    return true;
}

// Subscripts

// Clips a slice bound as Python does.
static bool slice_bound(struct frame *f, const struct tree *t, int64_t n, int64_t missing,
                        int64_t *out)
{
    *out = missing;
    if (!t) {
        return true;
    }
    struct object *v = eval(f, t);
    if (!v || v->kind == V_NONE) {
        return v != NULL;
    }
    if (!object_is_int(v, out)) {
        vm_raise(f->vm, "TypeError", "slice indices must be integers");
        return false;
    }
    *out = *out < 0 ? (*out < -n ? 0 : *out + n) : *out > n ? n : *out;
    return true;
}

static struct object *eval_slice(struct frame *f, struct object *seq, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct object *items = is_sequence(seq) ? object_iter(vm, seq) : NULL;
    int64_t start, stop, step = 1;
    if (!items) {
        return vm_raise(vm, "TypeError", "'%s' object cannot be sliced", object_type(seq));
    }
    if (t->c) {
        struct object *v = eval(f, t->c);
        if (!v || (v->kind != V_NONE && !object_is_int(v, &step))) {
            return v ? vm_raise(vm, "TypeError", "slice indices must be integers") : NULL;
        }
    }
    int64_t n = (int64_t)items->as.items.n;
    if (!slice_bound(f, t->a, n, 0, &start) || !slice_bound(f, t->b, n, n, &stop)) {
        return NULL;
    }
    if (step != 1 && !(step == -1 && !t->a && !t->b)) {
        return vm_unsupported(vm, "a slice with this step");
    }
    struct object *result = object_seq(vm, seq->kind == V_TUPLE ? V_TUPLE : V_LIST);
    for (int64_t i = start; i < stop; i++) {
        object_append(vm, result, items->as.items.data[step == 1 ? i : n - 1 - i]);
    }
    if (seq->kind != V_STR) {
        return result;
    }
    struct call call = {.n_pos = 1, .pos = &result};
    return eval_call(vm, object_native(vm, str_method("join"), object_str(vm, "")), &call);
}

static struct object *index_get(struct vm *vm, struct object *seq, struct object *key)
{
    int64_t i;
    if (seq->kind == V_DICT || is_sequence(seq)) {
        vm_charge(vm, object_size(seq));
    }
    if (seq->kind == V_DICT) {
        struct object *found = object_lookup(seq, key);
        struct object *shown = found ? NULL : object_repr(vm, key);
        return found ? found : shown ? vm_raise(vm, "KeyError", "%s", shown->as.str.data) : NULL;
    }
    if (!is_sequence(seq)) {
        return vm_raise(vm, "TypeError", "'%s' object is not subscriptable", object_type(seq));
    }
    if (!object_is_int(key, &i)) {
        return vm_raise(vm, "TypeError", "indices must be integers, not %s", object_type(key));
    }
    struct object *items = object_iter(vm, seq);
    int64_t n = (int64_t)items->as.items.n;
    i = i < 0 ? i + n : i;
    return i >= 0 && i < n ? items->as.items.data[i]
                           : vm_raise(vm, "IndexError", "%s index out of range", object_type(seq));
}

static bool index_set(struct vm *vm, struct object *seq, struct object *key, struct object *value)
{
    int64_t i;
    if (seq->kind == V_DICT) {
        object_put(vm, seq, key, value);
        return true;
    }
    if (seq->kind != V_LIST || !object_is_int(key, &i)) {
        vm_raise(vm, "TypeError", "'%s' object does not support item assignment", object_type(seq));
        return false;
    }
    i = i < 0 ? i + (int64_t)seq->as.items.n : i;
    if (i < 0 || i >= (int64_t)seq->as.items.n) {
        vm_raise(vm, "IndexError", "list assignment index out of range");
        return false;
    }
    seq->as.items.data[i] = value;
    return true;
}

// Attributes

static struct object *metadata_attribute(struct vm *vm, const struct manifest_metadata *m,
                                         const char *name)
{
    const struct {
        const char *name, *value;
    } fields[] = {{"version", m->version}, {"description", m->description},
                  {"license", m->license}, {"author", m->author},
                  {"pypi", m->pypi},       {"pypi_publish", m->pypi_publish}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return fields[i].value ? object_str(vm, fields[i].value) : vm->none;
        }
    }
    return strcmp(name, "stdlib") == 0 ? object_bool(vm, m->stdlib) : NULL;
}

static struct object *method_of(struct vm *vm, struct object *o, const struct native *method)
{
    return method ? object_native(vm, method, o) : NULL;
}

static struct object *attribute_find(struct vm *vm, struct object *o, const char *name)
{
    switch (o->kind) {
    case V_STR:
        return method_of(vm, o, str_method(name));
    case V_LIST:
    case V_TUPLE:
    case V_SET:
    case V_DICT:
        return method_of(vm, o, container_method(o->kind, name));
    case V_PATH:
        return path_member(vm, o, name);
    case V_METADATA:
        return metadata_attribute(vm, o->as.metadata, name);
    case V_EXCEPTION:
        if (strcmp(name, "args") == 0) {
            struct object *args = object_seq(vm, V_TUPLE);
            object_append(vm, args, object_str(vm, o->as.exception.text));
            return args;
        }
        return NULL;
    case V_NATIVE: // a class: str.join, Path.cwd
        return strcmp(o->as.bound.native->name, "Path") == 0 ? path_class_member(vm, name) : NULL;
    default:
        return NULL;
    }
}

// Methods that Python has and we do not.
static const char *const missing_methods[] = {
    "casefold",     "encode",      "expandtabs",  "format_map", "isascii",
    "isdecimal",    "isnumeric",   "isprintable", "istitle",    "maketrans",
    "swapcase",     "translate",   "fromkeys",    "popitem",    "difference",
    "intersection", "isdisjoint",  "issubset",    "issuperset", "symmetric_difference",
    "chmod",        "drive",       "expanduser",  "home",       "hardlink_to",
    "is_absolute",  "is_symlink",  "lstat",       "match",      "mkdir",
    "open",         "parents",     "read_bytes",  "read_text",  "rename",
    "replace",      "rmdir",       "root",        "samefile",   "stat",
    "suffixes",     "symlink_to",  "touch",       "unlink",     "with_name",
    "with_stem",    "with_suffix", "write_bytes", "write_text", NULL};

struct object *eval_attribute(struct vm *vm, struct object *o, const char *name)
{
    if (o->kind == V_OPTIONS) {
        return options_attribute(vm, o->as.options, name);
    }
    if (o->kind == V_MODULE) {
        return module_member(vm, o, name);
    }
    struct object *found = attribute_find(vm, o, name);
    if (!found && listed(missing_methods, name)) {
        return vm_unsupported(vm, "%s.%s", object_type(o), name);
    }
    return found ? found
                 : vm_raise(vm, "AttributeError", "'%s' object has no attribute '%s'",
                            object_type(o), name);
}

// Calls

// The parameters of a closure as call_bind takes them: those that may be positional, and *args.
struct signature {
    const char *spec, *rest, *more, *name;
    unsigned n; // parameters that may be positional
};

static struct signature closure_signature(struct vm *vm, const struct closure *c)
{
    struct signature s = {.spec = ""};
    bool keyword_only = false;
    s.name = c->tree->kind == TREE_LAMBDA ? "<lambda>" : c->tree->text;
    for (unsigned i = 0; i < c->tree->n; i++) {
        const struct tree *p = c->tree->items[i];
        if (p->op == '*') {
            s.rest = p->text;
            keyword_only = true;
        } else if (p->op) {
            s.more = p->text;
        } else if (!keyword_only) {
            const char *optional = c->defaults[i] ? "?" : "";
            s.spec = arena_printf(vm->arena, "%s %s%s", s.spec, p->text, optional);
            s.n++;
        }
    }
    s.spec = s.rest ? arena_printf(vm->arena, "%s %s*", s.spec, s.rest) : s.spec;
    return s;
}

// Binds the parameters behind *: their arguments are taken out of the call.
static bool closure_keywords(struct vm *vm, const struct closure *c, struct call *call,
                             struct scope *scope)
{
    bool keyword_only = false;
    for (unsigned i = 0; i < c->tree->n; i++) {
        const struct tree *p = c->tree->items[i];
        if (p->op || !keyword_only) {
            keyword_only = keyword_only || p->op == '*';
            continue;
        }
        struct object *value = c->defaults[i];
        for (size_t k = 0; k < call->n_kw; k++) {
            if (strcmp(call->kw_names[k], p->text) == 0) {
                value = call->kw_values[k];
                call->n_kw--;
                call->kw_names[k] = call->kw_names[call->n_kw];
                call->kw_values[k] = call->kw_values[call->n_kw];
                break;
            }
        }
        if (!value) {
            vm_raise(vm, "TypeError", "missing 1 required keyword-only argument: '%s'", p->text);
            return false;
        }
        scope_set(vm, scope, p->text, value);
    }
    return true;
}

static bool closure_bind(struct vm *vm, const struct closure *c, const struct call *call,
                         struct scope *scope)
{
    struct signature s = closure_signature(vm, c);
    struct object **values = ARENA_ARRAY(vm->arena, struct object *, s.n + 1), *more = NULL;
    struct call left = *call;
    if (call->n_kw) { // the caller's own arrays stay as they are
        left.kw_names = arena_dup(vm->arena, call->kw_names, call->n_kw * sizeof *call->kw_names);
        left.kw_values =
            arena_dup(vm->arena, call->kw_values, call->n_kw * sizeof *call->kw_values);
    }
    if (!closure_keywords(vm, c, &left, scope) ||
        !call_bind_kw(vm, &left, s.name, s.spec, values, s.more ? &more : NULL)) {
        return false;
    }
    for (unsigned i = 0; i < s.n; i++) {
        scope_set(vm, scope, c->tree->items[i]->text, values[i] ? values[i] : c->defaults[i]);
    }
    if (s.rest) {
        scope_set(vm, scope, s.rest, values[s.n]);
    }
    if (s.more) {
        scope_set(vm, scope, s.more, more);
    }
    return true;
}

static struct object *call_closure(struct vm *vm, const struct closure *c, const struct call *call)
{
    struct frame f = {vm, scope_new(vm, c->scope), vm->none};
    if (!closure_bind(vm, c, call, f.scope)) {
        return NULL;
    }
    if (c->tree->kind == TREE_LAMBDA) {
        return eval(&f, c->tree->a);
    }
    return run(&f, c->tree->a) == FLOW_RAISED ? NULL : f.result;
}

static struct object *call_class(struct vm *vm, const char *name, const struct call *call)
{
    struct object *o = object_named(vm, V_EXCEPTION, NULL);
    struct object *text = call->n_pos ? object_to_str(vm, call->pos[0]) : object_str(vm, "");
    if (!text) {
        return NULL;
    }
    o->as.exception.name = name;
    o->as.exception.text = text->as.str.data;
    return o;
}

struct object *eval_call(struct vm *vm, struct object *function, const struct call *call)
{
    // A method may go through its object and its arguments.
    if (function->kind == V_NATIVE && function->as.bound.self) {
        vm_charge(vm, object_size(function->as.bound.self));
    }
    for (size_t i = 0; i < call->n_pos; i++) {
        vm_charge(vm, object_size(call->pos[i]));
    }
    if (!vm_step(vm)) {
        return NULL;
    }
    switch (function->kind) {
    case V_NATIVE:
        return function->as.bound.native->fn(vm, function->as.bound.self, call);
    case V_CLOSURE:
        return call_closure(vm, function->as.closure, call);
    case V_CLASS:
        return call_class(vm, function->as.name, call);
    default:
        return vm_raise(vm, "TypeError", "'%s' object is not callable", object_type(function));
    }
}

struct arguments { // a call's arguments as they are gathered
    struct vm *vm;
    struct object *pos;  // a list
    struct object *more; // a dict by name
};

static bool argument_add(struct frame *f, struct arguments *args, const struct tree *t)
{
    struct vm *vm = f->vm;
    bool plain = t->kind != TREE_KEYWORD && t->kind != TREE_STAR && t->kind != TREE_DOUBLE;
    struct object *v = eval(f, plain ? t : t->a);
    if (!v) {
        return false;
    }
    if (plain) {
        object_append(vm, args->pos, v);
    } else if (t->kind == TREE_KEYWORD) {
        struct object *name = object_str(vm, t->text);
        if (object_lookup(args->more, name)) {
            vm_raise(vm, "SyntaxError", "keyword argument repeated: %s", t->text);
            return false;
        }
        object_put(vm, args->more, name, v);
    } else if (t->kind == TREE_STAR) {
        struct object *list = object_iter(vm, v);
        for (size_t i = 0; list && i < list->as.items.n; i++) {
            object_append(vm, args->pos, list->as.items.data[i]);
        }
        return list != NULL;
    } else {
        if (v->kind != V_DICT) {
            vm_raise(vm, "TypeError", "argument after ** must be a mapping, not %s",
                     object_type(v));
            return false;
        }
        for (size_t i = 0; i < v->as.items.n; i += 2) {
            if (v->as.items.data[i]->kind != V_STR) {
                vm_raise(vm, "TypeError", "keywords must be strings");
                return false;
            }
            object_put(vm, args->more, v->as.items.data[i], v->as.items.data[i + 1]);
        }
    }
    return true;
}

static struct object *eval_call_tree(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct arguments args = {vm, object_seq(vm, V_LIST), object_seq(vm, V_DICT)};
    struct object *function = eval(f, t->a);
    if (!function) {
        return NULL;
    }
    for (unsigned i = 0; i < t->n; i++) {
        if (!argument_add(f, &args, t->items[i])) {
            return NULL;
        }
    }
    size_t n = args.more->as.items.n / 2;
    struct call call = {.n_pos = args.pos->as.items.n, .pos = args.pos->as.items.data, .n_kw = n};
    call.kw_names = ARENA_ARRAY(vm->arena, const char *, n);
    call.kw_values = ARENA_ARRAY(vm->arena, struct object *, n);
    for (size_t i = 0; i < n; i++) {
        call.kw_names[i] = args.more->as.items.data[2 * i]->as.str.data;
        call.kw_values[i] = args.more->as.items.data[2 * i + 1];
    }
    vm->line = t->line;
    vm->column = t->column;
    return eval_call(vm, function, &call);
}

static struct object *eval_closure(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct closure *c = ARENA_NEW(vm->arena, struct closure);
    c->tree = t;
    c->scope = f->scope;
    c->defaults = ARENA_ARRAY(vm->arena, struct object *, t->n);
    for (unsigned i = 0; i < t->n; i++) {
        if (t->items[i]->a && !(c->defaults[i] = eval(f, t->items[i]->a))) {
            return NULL;
        }
    }
    struct object *o = object_named(vm, V_CLOSURE, NULL);
    o->as.closure = c;
    return o;
}

// Displays and comprehensions

static struct object *eval_display(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct object *result = object_seq(vm, t->kind == TREE_TUPLE  ? V_TUPLE
                                           : t->kind == TREE_LIST ? V_LIST
                                                                  : V_SET);
    for (unsigned i = 0; i < t->n; i++) {
        bool star = t->items[i]->kind == TREE_STAR;
        struct object *v = eval(f, star ? t->items[i]->a : t->items[i]);
        struct object *list = v && star ? object_iter(vm, v) : NULL;
        if (!v || (star && !list)) {
            return NULL;
        }
        for (size_t k = 0; list && k < list->as.items.n; k++) {
            object_append(vm, result, list->as.items.data[k]);
        }
        if (!star) {
            object_append(vm, result, v);
        }
    }
    return result;
}

static struct object *eval_dict(struct frame *f, const struct tree *t)
{
    struct object *result = object_seq(f->vm, V_DICT);
    for (unsigned i = 0; i + 1 < t->n; i += 2) {
        struct object *key = eval(f, t->items[i]);
        struct object *value = key ? eval(f, t->items[i + 1]) : NULL;
        if (!value) {
            return NULL;
        }
        object_put(f->vm, result, key, value);
    }
    return result;
}

static bool assign(struct frame *f, const struct tree *target, struct object *value);

static bool comp_element(struct frame *f, const struct tree *t, struct object *result)
{
    struct object *v = eval(f, t->a), *item = v && t->b ? eval(f, t->b) : NULL;
    if (!v || (t->b && !item)) {
        return false;
    }
    if (t->b) {
        object_put(f->vm, result, v, item);
    } else {
        object_append(f->vm, result, v);
    }
    return true;
}

// Runs the clauses of a comprehension from number i on.
static bool comp_clause(struct frame *f, const struct tree *t, unsigned i, struct object *result)
{
    if (i == t->n) {
        return comp_element(f, t, result);
    }
    const struct tree *clause = t->items[i];
    struct object *v = eval(f, clause->kind == TREE_COMP_IF ? clause->a : clause->b);
    if (!v) {
        return false;
    }
    if (clause->kind == TREE_COMP_IF) {
        return object_truth(v) ? comp_clause(f, t, i + 1, result) : true;
    }
    struct object *list = object_iter(f->vm, v);
    for (size_t k = 0; list && k < list->as.items.n; k++) {
        if (!vm_step(f->vm) || !assign(f, clause->a, list->as.items.data[k]) ||
            !comp_clause(f, t, i + 1, result)) {
            return false;
        }
    }
    return list != NULL;
}

static struct object *eval_comp(struct frame *f, const struct tree *t)
{
    struct frame inner = {f->vm, scope_new(f->vm, f->scope), NULL};
    struct object *result = object_seq(f->vm, t->op == 'd'   ? V_DICT
                                              : t->op == 's' ? V_SET
                                                             : V_LIST);
    return comp_clause(&inner, t, 0, result) ? result : NULL;
}

static struct object *eval_compare(struct frame *f, const struct tree *t)
{
    struct object *left = eval(f, t->items[0]);
    bool yes = true;
    for (unsigned i = 1; left && yes && i < t->n; i++) {
        struct object *right = eval(f, t->items[i]);
        if (!right || !op_compare(f->vm, (enum tree_compare)t->ops[i - 1], left, right, &yes)) {
            return NULL;
        }
        left = right;
    }
    return left ? object_bool(f->vm, yes) : NULL;
}

static struct object *eval_two(struct frame *f, const struct tree *t)
{
    struct object *x = eval(f, t->a), *y;
    if (!x) {
        return NULL;
    }
    if (t->kind == TREE_AND || t->kind == TREE_OR) {
        return object_truth(x) == (t->kind == TREE_OR) ? x : eval(f, t->b);
    }
    y = eval(f, t->b);
    f->vm->line = t->line;
    f->vm->column = t->column;
    return y ? op_binary(f->vm, t->op, x, y) : NULL;
}

static struct object *eval_one(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct object *x = eval(f, t->a);
    if (!x) {
        return NULL;
    }
    vm->line = t->line;
    vm->column = t->column;
    switch (t->kind) {
    case TREE_ATTR:
        return eval_attribute(vm, x, t->text);
    case TREE_UNARY:
        return op_unary(vm, t->op, x);
    case TREE_NOT:
        return object_bool(vm, !object_truth(x));
    case TREE_TERNARY:
        return eval(f, object_truth(x) ? t->b : t->c);
    case TREE_WALRUS:
        scope_set(vm, f->scope, t->text, x);
        return x;
    default: { // TREE_INDEX
        if (t->b->kind == TREE_SLICE) {
            return eval_slice(f, x, t->b);
        }
        struct object *key = eval(f, t->b);
        return key ? index_get(vm, x, key) : NULL;
    }
    }
}

static struct object *eval_kind(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    switch (t->kind) {
    case TREE_NAME:
        return name_get(vm, f->scope, t->text);
    case TREE_INT:
        return object_int(vm, t->number);
    case TREE_FLOAT:
        return object_float(vm, t->real);
    case TREE_STR:
        return object_strn(vm, t->text, t->len);
    case TREE_NONE:
        return vm->none;
    case TREE_TRUE:
    case TREE_FALSE:
        return object_bool(vm, t->kind == TREE_TRUE);
    case TREE_TUPLE:
    case TREE_LIST:
    case TREE_SET:
        return eval_display(f, t);
    case TREE_DICT:
        return eval_dict(f, t);
    case TREE_CALL:
        return eval_call_tree(f, t);
    case TREE_BINARY:
    case TREE_AND:
    case TREE_OR:
        return eval_two(f, t);
    case TREE_COMPARE:
        return eval_compare(f, t);
    case TREE_LAMBDA:
        return eval_closure(f, t);
    case TREE_COMP:
        return eval_comp(f, t);
    case TREE_ATTR:
    case TREE_INDEX:
    case TREE_UNARY:
    case TREE_NOT:
    case TREE_TERNARY:
    case TREE_WALRUS:
        return eval_one(f, t);
    default:
        return vm_unsupported(vm, "this expression");
    }
}

static struct object *eval(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    vm->line = t->line;
    vm->column = t->column;
    if (!vm_step(vm)) {
        return NULL;
    }
    if (vm->depth >= VM_DEPTH) {
        return vm_unsupported(vm, "calls and includes nested as deep as this");
    }
    vm->depth++;
    struct object *o = eval_kind(f, t);
    vm->depth--;
    return o;
}

// Statements

static bool assign_sequence(struct frame *f, const struct tree *target, struct object *value)
{
    struct object *list = object_iter(f->vm, value);
    if (!list) {
        return false;
    }
    if (list->as.items.n != target->n) {
        vm_raise(f->vm, "ValueError", "%s values to unpack (expected %u)",
                 list->as.items.n > target->n ? "too many" : "not enough", target->n);
        return false;
    }
    for (unsigned i = 0; i < target->n; i++) {
        if (!assign(f, target->items[i], list->as.items.data[i])) {
            return false;
        }
    }
    return true;
}

static bool assign(struct frame *f, const struct tree *target, struct object *value)
{
    if (target->kind == TREE_NAME) {
        scope_set(f->vm, f->scope, target->text, value);
        return true;
    }
    if (target->kind == TREE_TUPLE || target->kind == TREE_LIST) {
        return assign_sequence(f, target, value);
    }
    if (target->kind != TREE_INDEX || target->b->kind == TREE_SLICE) {
        vm_unsupported(f->vm, "this target of an assignment");
        return false;
    }
    struct object *seq = eval(f, target->a), *key = seq ? eval(f, target->b) : NULL;
    return key && index_set(f->vm, seq, key, value);
}

static enum flow flow_of(bool ok)
{
    return ok ? FLOW_NEXT : FLOW_RAISED;
}

static enum flow run_assign(struct frame *f, const struct tree *t)
{
    struct object *value = eval(f, t->a);
    for (unsigned i = 0; value && i < t->n; i++) {
        if (!assign(f, t->items[i], value)) {
            return FLOW_RAISED;
        }
    }
    return flow_of(value != NULL);
}

static enum flow run_augment(struct frame *f, const struct tree *t)
{
    struct object *old = eval(f, t->a), *more = old ? eval(f, t->b) : NULL, *value;
    if (!more) {
        return FLOW_RAISED;
    }
    if (old->kind == V_LIST && t->op == '+') { // in place, as everybody who holds it sees
        struct object *list = object_iter(f->vm, more);
        for (size_t i = 0, n = list ? list->as.items.n : 0; i < n; i++) {
            object_append(f->vm, old, list->as.items.data[i]);
        }
        return flow_of(list != NULL);
    }
    value = op_binary(f->vm, t->op, old, more);
    return flow_of(value && assign(f, t->a, value));
}

static enum flow run_loop_body(struct frame *f, const struct tree *body, bool *done)
{
    enum flow flow = run(f, body);
    *done = flow == FLOW_BREAK || flow == FLOW_RETURN || flow == FLOW_RAISED;
    return flow;
}

static enum flow run_while(struct frame *f, const struct tree *t)
{
    for (;;) {
        struct object *v = eval(f, t->a);
        bool done;
        if (!v) {
            return FLOW_RAISED;
        }
        if (!object_truth(v)) {
            return t->c ? run(f, t->c) : FLOW_NEXT;
        }
        enum flow flow = run_loop_body(f, t->b, &done);
        if (done) {
            return flow == FLOW_BREAK ? FLOW_NEXT : flow;
        }
    }
}

static enum flow run_for(struct frame *f, const struct tree *t)
{
    struct object *v = eval(f, t->b), *list = v ? object_iter(f->vm, v) : NULL;
    if (!list) {
        return FLOW_RAISED;
    }
    for (size_t i = 0; i < list->as.items.n; i++) {
        bool done;
        if (!assign(f, t->a, list->as.items.data[i])) {
            return FLOW_RAISED;
        }
        enum flow flow = run_loop_body(f, t->c, &done);
        if (done) {
            return flow == FLOW_BREAK ? FLOW_NEXT : flow;
        }
    }
    return t->n ? run(f, t->items[0]) : FLOW_NEXT;
}

static enum flow run_import(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct object *module = builtin_module(vm, t->text);
    if (!module) {
        vm_unsupported(vm, "the module '%s'", t->text);
        return FLOW_RAISED;
    }
    const char *dot = strchr(t->text, '.');
    if (!t->name && dot) { // import os.path binds os
        const char *top = arena_strndup(vm->arena, t->text, (size_t)(dot - t->text));
        scope_set(vm, f->scope, top, builtin_module(vm, top));
    } else {
        scope_set(vm, f->scope, t->name ? t->name : t->text, module);
    }
    return FLOW_NEXT;
}

static enum flow run_from(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    if (strcmp(t->text, "__future__") == 0) {
        return FLOW_NEXT;
    }
    struct object *module = builtin_module(vm, t->text);
    if (!module) {
        vm_unsupported(vm, "the module '%s'", t->text);
        return FLOW_RAISED;
    }
    for (unsigned i = 0; i < t->n; i++) {
        struct object *member = module_member(vm, module, t->items[i]->text);
        if (!member) {
            return FLOW_RAISED;
        }
        scope_set(vm, f->scope, t->items[i]->name ? t->items[i]->name : t->items[i]->text, member);
    }
    return FLOW_NEXT;
}

static enum flow run_raise(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    if (!t->a) {
        vm->raised = vm->handling;
        if (!vm->raised) {
            vm_raise(vm, "RuntimeError", "No active exception to reraise");
        }
        return FLOW_RAISED;
    }
    struct object *v = eval(f, t->a);
    if (v && v->kind == V_CLASS) {
        vm_raise(vm, v->as.name, "%s", "");
    } else if (v && v->kind == V_EXCEPTION) {
        vm_raise(vm, v->as.exception.name, "%s", v->as.exception.text);
    } else if (v) {
        vm_raise(vm, "TypeError", "exceptions must derive from BaseException");
    }
    return FLOW_RAISED;
}

static enum flow run_assert(struct frame *f, const struct tree *t)
{
    struct object *v = eval(f, t->a);
    if (v && !object_truth(v)) {
        struct object *text = t->b ? eval(f, t->b) : object_str(f->vm, "");
        text = text ? object_to_str(f->vm, text) : NULL;
        if (text) {
            vm_raise(f->vm, "AssertionError", "%s", text->as.str.data);
        }
        return FLOW_RAISED;
    }
    return flow_of(v != NULL);
}

// True if a handler's class (or one of a tuple of them) takes the exception.
static bool handler_takes(struct frame *f, const struct tree *handler, const struct vm_error *e,
                          bool *ok)
{
    struct object *c = handler->a ? eval(f, handler->a) : NULL;
    *ok = !handler->a || c;
    if (!c) {
        return !handler->a;
    }
    size_t n = c->kind == V_TUPLE ? c->as.items.n : 1;
    for (size_t i = 0; i < n; i++) {
        const struct object *one = c->kind == V_TUPLE ? c->as.items.data[i] : c;
        if (one->kind == V_CLASS && exception_is(e->name, one->as.name)) {
            return true;
        }
    }
    return false;
}

static enum flow run_handlers(struct frame *f, const struct tree *t, struct vm_error *e)
{
    struct vm *vm = f->vm;
    for (unsigned i = 0; i < t->n; i++) {
        const struct tree *handler = t->items[i];
        bool ok;
        vm->raised = NULL;
        if (handler_takes(f, handler, e, &ok)) {
            struct vm_error *outer = vm->handling;
            if (handler->text) {
                struct object *o = object_named(vm, V_EXCEPTION, NULL);
                o->as.exception.name = e->name;
                o->as.exception.text = e->text;
                scope_set(vm, f->scope, handler->text, o);
            }
            vm->handling = e;
            enum flow flow = run(f, handler->b);
            vm->handling = outer;
            return flow;
        }
        if (!ok) {
            return FLOW_RAISED;
        }
    }
    vm->raised = e;
    return FLOW_RAISED;
}

static enum flow run_try(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    enum flow flow = run(f, t->a);
    if (flow == FLOW_RAISED && vm->raised->fatal) {
        return flow;
    }
    if (flow == FLOW_RAISED && t->n) {
        vm->files->failed = NULL; // an include that failed may be caught here
        flow = run_handlers(f, t, vm->raised);
    } else if (flow == FLOW_NEXT && t->b) {
        flow = run(f, t->b);
    }
    if (!t->c || (flow == FLOW_RAISED && vm->raised->fatal)) {
        return flow;
    }
    struct vm_error *raised = vm->raised;
    vm->raised = NULL;
    enum flow last = run(f, t->c);
    if (last == FLOW_NEXT) {
        vm->raised = raised;
        return flow;
    }
    return last;
}

static enum flow run_del(struct frame *f, const struct tree *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        struct variable *v =
            t->items[i]->kind == TREE_NAME ? scope_find(f->scope, t->items[i]->text) : NULL;
        if (!v || !v->value) {
            vm_unsupported(f->vm, "del of this");
            return FLOW_RAISED;
        }
        v->value = NULL;
    }
    return FLOW_NEXT;
}

static enum flow run_block(struct frame *f, const struct tree *t)
{
    enum flow flow = FLOW_NEXT;
    for (unsigned i = 0; i < t->n && flow == FLOW_NEXT; i++) {
        flow = run(f, t->items[i]);
    }
    return flow;
}

static enum flow run_return(struct frame *f, const struct tree *t)
{
    f->result = t->a ? eval(f, t->a) : f->vm->none;
    return f->result ? FLOW_RETURN : FLOW_RAISED;
}

static enum flow run_if(struct frame *f, const struct tree *t)
{
    struct object *v = eval(f, t->a);
    const struct tree *body = v && object_truth(v) ? t->b : t->c;
    return !v ? FLOW_RAISED : body ? run(f, body) : FLOW_NEXT;
}

static enum flow run_def(struct frame *f, const struct tree *t)
{
    struct object *o = eval_closure(f, t);
    if (o) {
        scope_set(f->vm, f->scope, t->text, o);
    }
    return flow_of(o != NULL);
}

static enum flow run(struct frame *f, const struct tree *t)
{
    f->vm->line = t->line;
    f->vm->column = t->column;
    switch (t->kind) {
    case TREE_BLOCK:
        return run_block(f, t);
    case TREE_EXPR:
        return flow_of(eval(f, t->a) != NULL);
    case TREE_ASSIGN:
        return run_assign(f, t);
    case TREE_AUGMENT:
        return run_augment(f, t);
    case TREE_IF:
        return run_if(f, t);
    case TREE_WHILE:
        return run_while(f, t);
    case TREE_FOR:
        return run_for(f, t);
    case TREE_DEF:
        return run_def(f, t);
    case TREE_RETURN:
        return run_return(f, t);
    case TREE_PASS:
        return FLOW_NEXT;
    case TREE_BREAK:
        return FLOW_BREAK;
    case TREE_CONTINUE:
        return FLOW_CONTINUE;
    case TREE_IMPORT:
        return run_import(f, t);
    case TREE_FROM:
        return run_from(f, t);
    case TREE_GLOBAL:
        f->scope->globals = t;
        return FLOW_NEXT;
    case TREE_TRY:
        return run_try(f, t);
    case TREE_RAISE:
        return run_raise(f, t);
    case TREE_ASSERT:
        return run_assert(f, t);
    case TREE_DEL:
        return run_del(f, t);
    default:
        vm_unsupported(f->vm, "this statement");
        return FLOW_RAISED;
    }
}

bool eval_manifest(struct vm *vm, const char *text, size_t size, struct options *options)
{
    struct tree *tree;
    struct diag d;
    bool unsupported;
    diag_init(&d);
    enum diag_code err = tree_parse(text, size, vm->file, vm->arena, &d, &unsupported, &tree);
    if (err) {
        vm->line = d.line;
        vm->column = d.column;
        const char *colon = strstr(d.text, ": ");
        if (unsupported || err == DIAG_NOMEM || !colon) {
            vm_unsupported(vm, "%s", colon ? colon + 2 : d.text);
        } else {
            vm_raise(vm, "SyntaxError", "%s", colon + 2);
        }
        return false;
    }
    struct frame f = {vm, scope_new(vm, NULL), NULL};
    f.scope->options = options;
    return run(&f, tree) != FLOW_RAISED;
}
