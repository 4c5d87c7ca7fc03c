// Python's built-in functions as far as manifests use them.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "packer/manifest/object.h"

enum { RANGE_MAX = 100000 }; // a range is made as a list

static struct object *fn_len(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1], *list;
    if (!call_bind(vm, call, "len", "obj", v)) {
        return NULL;
    }
    if (v[0]->kind == V_DICT) {
        return object_int(vm, (int64_t)v[0]->as.items.n / 2);
    }
    list = object_iter(vm, v[0]);
    return list ? object_int(vm, (int64_t)list->as.items.n) : NULL;
}

static struct object *fn_range(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[3];
    int64_t n[3] = {0, 0, 1};
    if (!call_bind(vm, call, "range", "start stop? step?", v)) {
        return NULL;
    }
    for (int i = 0; i < 3; i++) {
        if (v[i] && !object_is_int(v[i], &n[i])) {
            return vm_raise(vm, "TypeError", "range() arguments must be ints");
        }
    }
    int64_t at = v[1] ? n[0] : 0, stop = v[1] ? n[1] : n[0];
    if (n[2] == 0) {
        return vm_raise(vm, "ValueError", "range() arg 3 must not be zero");
    }
    struct object *list = object_seq(vm, V_LIST);
    while (n[2] > 0 ? at < stop : at > stop) {
        if (list->as.items.n >= RANGE_MAX) {
            return vm_unsupported(vm, "a range of more than %d numbers", RANGE_MAX);
        }
        object_append(vm, list, object_int(vm, at));
        if (__builtin_add_overflow(at, n[2], &at)) {
            break;
        }
    }
    return list;
}

static struct object *fn_str(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1];
    if (!call_bind(vm, call, "str", "object?", v)) {
        return NULL;
    }
    return v[0] ? object_to_str(vm, v[0]) : object_str(vm, "");
}

static struct object *fn_repr(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1];
    return call_bind(vm, call, "repr", "object", v) ? object_repr(vm, v[0]) : NULL;
}

static struct object *fn_bool(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1];
    return call_bind(vm, call, "bool", "object?", v) ? object_bool(vm, v[0] && object_truth(v[0]))
                                                     : NULL;
}

static struct object *fn_int(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[2];
    int64_t n = 0, base = 10;
    if (!call_bind(vm, call, "int", "x? base?", v)) {
        return NULL;
    }
    if (v[1] && (!object_is_int(v[1], &base) || base < 0 || base == 1 || base > 36)) {
        return vm_raise(vm, "ValueError", "int() base must be >= 2 and <= 36, or 0");
    }
    if (!v[0] || object_is_int(v[0], &n)) {
        return object_int(vm, n);
    }
    if (v[0]->kind == V_FLOAT && fabs(v[0]->as.real) < 9e18) {
        return object_int(vm, (int64_t)v[0]->as.real);
    }
    const char *text = object_is_str(v[0]) ? v[0]->as.str.data : "";
    char *end;
    n = strtoll(text, &end, (int)base);
    end += strspn(end, " \t\n\r");
    if (end == text || *end) {
        struct object *shown = object_repr(vm, v[0]);
        return shown ? vm_raise(vm, "ValueError",
                                "invalid literal for int() with base %" PRId64 ": %s", base,
                                shown->as.str.data)
                     : NULL;
    }
    return object_int(vm, n);
}

static struct object *fn_float(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1];
    int64_t n;
    if (!call_bind(vm, call, "float", "x", v)) {
        return NULL;
    }
    if (object_is_int(v[0], &n)) {
        return object_float(vm, (double)n);
    }
    char *end = NULL;
    double real = object_is_str(v[0]) ? strtod(v[0]->as.str.data, &end) : v[0]->as.real;
    if (v[0]->kind != V_FLOAT && (!end || *end || end == v[0]->as.str.data)) {
        return vm_raise(vm, "ValueError", "could not convert to float");
    }
    return object_float(vm, real);
}

static struct object *builtin_collect(struct vm *vm, const struct call *call, const char *name,
                                      enum object_kind kind)
{
    struct object *v[1], *result = object_seq(vm, kind), *list;
    if (!call_bind(vm, call, name, "iterable?", v)) {
        return NULL;
    }
    if (!v[0]) {
        return result;
    }
    if (!(list = object_iter(vm, v[0]))) {
        return NULL;
    }
    for (size_t i = 0; i < list->as.items.n; i++) {
        object_append(vm, result, list->as.items.data[i]);
    }
    return result;
}

static struct object *fn_list(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return builtin_collect(vm, call, "list", V_LIST);
}

static struct object *fn_tuple(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return builtin_collect(vm, call, "tuple", V_TUPLE);
}

static struct object *fn_set(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return builtin_collect(vm, call, "set", V_SET);
}

static struct object *fn_dict(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1], *more, *dict = object_seq(vm, V_DICT), *list;
    if (!call_bind_kw(vm, call, "dict", "iterable?", v, &more)) {
        return NULL;
    }
    if (v[0] && v[0]->kind == V_DICT) {
        for (size_t i = 0; i < v[0]->as.items.n; i += 2) {
            object_put(vm, dict, v[0]->as.items.data[i], v[0]->as.items.data[i + 1]);
        }
    } else if (v[0]) {
        if (!(list = object_iter(vm, v[0]))) {
            return NULL;
        }
        for (size_t i = 0; i < list->as.items.n; i++) {
            struct object *pair = object_iter(vm, list->as.items.data[i]);
            if (!pair || pair->as.items.n != 2) {
                return pair ? vm_raise(vm, "ValueError",
                                       "dictionary update sequence element #%zu "
                                       "has length %zu; 2 is required",
                                       i, pair->as.items.n)
                            : NULL;
            }
            object_put(vm, dict, pair->as.items.data[0], pair->as.items.data[1]);
        }
    }
    for (size_t i = 0; i < more->as.items.n; i += 2) {
        object_put(vm, dict, more->as.items.data[i], more->as.items.data[i + 1]);
    }
    return dict;
}

static struct object *fn_print(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[5];
    if (!call_bind(vm, call, "print", "objects*", v)) {
        struct call plain = {.n_pos = call->n_pos, .pos = call->pos};
        struct vm_error *raised = vm->raised;
        for (size_t i = 0; i < call->n_kw; i++) {
            if (!strstr(" sep end file flush ", call->kw_names[i])) {
                return NULL;
            }
        }
        (void)raised;
        vm->raised = NULL;
        if (!call_bind(vm, &plain, "print", "objects*", v)) {
            return NULL;
        }
    }
    for (size_t i = 0; i < v[0]->as.items.n; i++) {
        struct object *text = object_to_str(vm, v[0]->as.items.data[i]);
        if (!text) {
            return NULL;
        }
        vm_charge(vm, text->as.str.len);
        bytes_put(vm->output, i ? " " : "", i ? 1 : 0);
        bytes_put(vm->output, text->as.str.data, text->as.str.len);
    }
    bytes_put_u8(vm->output, '\n');
    return vm->none;
}

// The values that a sort compares: the items themselves, or key(item) of each.
static struct object *sort_keys(struct vm *vm, struct object *list, struct object *key)
{
    if (!key || key->kind == V_NONE) {
        return list;
    }
    struct object *keys = object_seq(vm, V_LIST);
    for (size_t i = 0; i < list->as.items.n; i++) {
        struct call one = {.n_pos = 1, .pos = &list->as.items.data[i]};
        struct object *k = eval_call(vm, key, &one);
        if (!k) {
            return NULL;
        }
        object_append(vm, keys, k);
    }
    return keys;
}

// Merges the sorted runs [from, middle) and [middle, to) of order; false after raising.
static bool sort_merge(struct vm *vm, const struct object *keys, bool reverse, size_t *order,
                       size_t *spare, size_t from, size_t middle, size_t to)
{
    size_t i = from, j = middle;
    for (size_t k = from; k < to; k++) {
        int c = 0;
        if (i < middle && j < to &&
            !object_order(vm, keys->as.items.data[order[i]], keys->as.items.data[order[j]], &c)) {
            return false;
        }
        bool left = j == to || (i < middle && (reverse ? c >= 0 : c <= 0));
        spare[k] = left ? order[i++] : order[j++];
    }
    memcpy(order + from, spare + from, (to - from) * sizeof *order);
    return vm_step(vm);
}

static struct object *fn_sorted(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[3], *list, *keys;
    if (!call_bind(vm, call, "sorted", "iterable key? reverse?", v) ||
        !(list = object_iter(vm, v[0])) || !(keys = sort_keys(vm, list, v[1]))) {
        return NULL;
    }
    size_t n = list->as.items.n;
    size_t *order = ARENA_ARRAY(vm->arena, size_t, n), *spare = ARENA_ARRAY(vm->arena, size_t, n);
    for (size_t i = 0; i < n; i++) {
        order[i] = i;
    }
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t from = 0; from + run < n; from += 2 * run) {
            size_t to = from + 2 * run < n ? from + 2 * run : n;
            if (!sort_merge(vm, keys, v[2] && object_truth(v[2]), order, spare, from, from + run,
                            to)) {
                return NULL;
            }
        }
    }
    struct object *result = object_seq(vm, V_LIST);
    for (size_t i = 0; i < n; i++) {
        object_append(vm, result, list->as.items.data[order[i]]);
    }
    return result;
}

static struct object *fn_reversed(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1], *list, *result = object_seq(vm, V_LIST);
    if (!call_bind(vm, call, "reversed", "sequence", v) || !(list = object_iter(vm, v[0]))) {
        return NULL;
    }
    for (size_t i = list->as.items.n; i-- > 0;) {
        object_append(vm, result, list->as.items.data[i]);
    }
    return result;
}

static struct object *fn_enumerate(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[2], *list, *result = object_seq(vm, V_LIST);
    int64_t start = 0;
    if (!call_bind(vm, call, "enumerate", "iterable start?", v) ||
        !(list = object_iter(vm, v[0]))) {
        return NULL;
    }
    if (v[1] && !object_is_int(v[1], &start)) {
        return vm_raise(vm, "TypeError", "enumerate() start must be an int");
    }
    for (size_t i = 0; i < list->as.items.n; i++) {
        struct object *pair = object_seq(vm, V_TUPLE);
        object_append(vm, pair, object_int(vm, (int64_t)((uint64_t)start + i)));
        object_append(vm, pair, list->as.items.data[i]);
        object_append(vm, result, pair);
    }
    return result;
}

static struct object *fn_zip(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *result = object_seq(vm, V_LIST), *lists = object_seq(vm, V_LIST);
    size_t n = call->n_pos ? SIZE_MAX : 0;
    if (call->n_kw) {
        return vm_unsupported(vm, "zip() with keyword arguments");
    }
    for (size_t i = 0; i < call->n_pos; i++) {
        struct object *list = object_iter(vm, call->pos[i]);
        if (!list) {
            return NULL;
        }
        n = list->as.items.n < n ? list->as.items.n : n;
        object_append(vm, lists, list);
    }
    for (size_t i = 0; i < n; i++) {
        struct object *row = object_seq(vm, V_TUPLE);
        for (size_t k = 0; k < call->n_pos; k++) {
            object_append(vm, row, lists->as.items.data[k]->as.items.data[i]);
        }
        object_append(vm, result, row);
    }
    return result;
}

static struct object *builtin_any_all(struct vm *vm, const struct call *call, const char *name,
                                      bool stop)
{
    struct object *v[1], *list;
    if (!call_bind(vm, call, name, "iterable", v) || !(list = object_iter(vm, v[0]))) {
        return NULL;
    }
    for (size_t i = 0; i < list->as.items.n; i++) {
        if (object_truth(list->as.items.data[i]) == stop) {
            return object_bool(vm, stop);
        }
    }
    return object_bool(vm, !stop);
}

static struct object *fn_any(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return builtin_any_all(vm, call, "any", true);
}

static struct object *fn_all(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return builtin_any_all(vm, call, "all", false);
}

static struct object *builtin_extreme(struct vm *vm, const struct call *call, const char *name,
                                      int sign)
{
    struct object *v[1], *list, *best = NULL;
    if (!call_bind(vm, call, name, "objects*", v)) {
        return NULL;
    }
    list = v[0]->as.items.n == 1 ? object_iter(vm, v[0]->as.items.data[0]) : v[0];
    for (size_t i = 0; list && i < list->as.items.n; i++) {
        int order = 0;
        if (best && !object_order(vm, list->as.items.data[i], best, &order)) {
            return NULL;
        }
        best = !best || order * sign > 0 ? list->as.items.data[i] : best;
    }
    return best || !list ? best : vm_raise(vm, "ValueError", "%s() arg is an empty sequence", name);
}

static struct object *fn_min(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return builtin_extreme(vm, call, "min", -1);
}

static struct object *fn_max(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return builtin_extreme(vm, call, "max", 1);
}

static struct object *builtin_mapped(struct vm *vm, const struct call *call, const char *name,
                                     bool filter)
{
    struct object *v[2], *list, *result = object_seq(vm, V_LIST);
    if (!call_bind(vm, call, name, "function iterable", v) || !(list = object_iter(vm, v[1]))) {
        return NULL;
    }
    for (size_t i = 0; i < list->as.items.n; i++) {
        struct object *item = list->as.items.data[i];
        struct call one = {.n_pos = 1, .pos = &item};
        struct object *mapped = filter && v[0]->kind == V_NONE ? item : eval_call(vm, v[0], &one);
        if (!mapped) {
            return NULL;
        }
        if (!filter || object_truth(mapped)) {
            object_append(vm, result, filter ? item : mapped);
        }
    }
    return result;
}

static struct object *fn_map(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return builtin_mapped(vm, call, "map", false);
}

static struct object *fn_filter(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return builtin_mapped(vm, call, "filter", true);
}

static struct object *fn_isinstance(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[2];
    if (!call_bind(vm, call, "isinstance", "object class", v)) {
        return NULL;
    }
    struct object *classes = v[1]->kind == V_TUPLE ? v[1] : object_seq(vm, V_TUPLE);
    if (classes != v[1]) {
        object_append(vm, classes, v[1]);
    }
    for (size_t i = 0; i < classes->as.items.n; i++) {
        const struct object *c = classes->as.items.data[i];
        if (c->kind != V_NATIVE) {
            return vm_unsupported(vm, "isinstance() with a %s", object_type(c));
        }
        const char *name = c->as.bound.native->name, *type = object_type(v[0]);
        if (strcmp(name, type) == 0 || (strcmp(name, "int") == 0 && v[0]->kind == V_BOOL)) {
            return vm->yes;
        }
    }
    return vm->no;
}

static struct object *fn_getattr(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[3];
    const char *name;
    if (!call_bind(vm, call, "getattr", "object name default?", v) ||
        !(name = call_text(vm, v[1], "getattr"))) {
        return NULL;
    }
    struct object *found = eval_attribute(vm, v[0], name);
    if (!found && v[2] && !vm->raised->fatal && exception_is(vm->raised->name, "AttributeError")) {
        vm->raised = NULL;
        return v[2];
    }
    return found;
}

static struct object *fn_hasattr(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[2];
    const char *name;
    if (!call_bind(vm, call, "hasattr", "object name", v) ||
        !(name = call_text(vm, v[1], "hasattr"))) {
        return NULL;
    }
    if (eval_attribute(vm, v[0], name)) {
        return vm->yes;
    }
    if (vm->raised->fatal) {
        return NULL;
    }
    vm->raised = NULL;
    return vm->no;
}

static struct object *fn_sum(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1], *list;
    int64_t total = 0, n;
    if (!call_bind(vm, call, "sum", "iterable", v) || !(list = object_iter(vm, v[0]))) {
        return NULL;
    }
    for (size_t i = 0; i < list->as.items.n; i++) {
        if (!object_is_int(list->as.items.data[i], &n)) {
            return vm_unsupported(vm, "sum() of a %s", object_type(list->as.items.data[i]));
        }
        if (__builtin_add_overflow(total, n, &total)) {
            return vm_unsupported(vm, "an integer of more than 64 bits");
        }
    }
    return object_int(vm, total);
}

static const char *const exception_classes[][2] = {
    // class, base: the part of Python's hierarchy that manifests can meet
    {"BaseException", ""},
    {"Exception", "BaseException"},
    {"ArithmeticError", "Exception"},
    {"ZeroDivisionError", "ArithmeticError"},
    {"AssertionError", "Exception"},
    {"AttributeError", "Exception"},
    {"ImportError", "Exception"},
    {"ModuleNotFoundError", "ImportError"},
    {"LookupError", "Exception"},
    {"IndexError", "LookupError"},
    {"KeyError", "LookupError"},
    {"NameError", "Exception"},
    {"OSError", "Exception"},
    {"IOError", "Exception"},
    {"FileNotFoundError", "OSError"},
    {"NotADirectoryError", "OSError"},
    {"PermissionError", "OSError"},
    {"RuntimeError", "Exception"},
    {"NotImplementedError", "RuntimeError"},
    {"SyntaxError", "Exception"},
    {"SystemExit", "BaseException"},
    {"TypeError", "Exception"},
    {"ValueError", "Exception"},
    {"ManifestFileError", "Exception"},
};

static const char *exception_base(const char *name)
{
    for (size_t i = 0; i < sizeof exception_classes / sizeof *exception_classes; i++) {
        if (strcmp(exception_classes[i][0], name) == 0) {
            return exception_classes[i][1];
        }
    }
    return NULL;
}

bool exception_is(const char *name, const char *base)
{
    base = strcmp(base, "IOError") == 0 ? "OSError" : base; // one class under two names
    for (; name && *name; name = exception_base(name)) {
        if (strcmp(name, base) == 0) {
            return true;
        }
    }
    return false;
}

struct object *builtin_find(struct vm *vm, const char *name)
{
    static const struct native functions[] = {
        {"all", fn_all},
        {"any", fn_any},
        {"bool", fn_bool},
        {"dict", fn_dict},
        {"enumerate", fn_enumerate},
        {"filter", fn_filter},
        {"float", fn_float},
        {"getattr", fn_getattr},
        {"hasattr", fn_hasattr},
        {"int", fn_int},
        {"isinstance", fn_isinstance},
        {"len", fn_len},
        {"list", fn_list},
        {"map", fn_map},
        {"max", fn_max},
        {"min", fn_min},
        {"print", fn_print},
        {"range", fn_range},
        {"repr", fn_repr},
        {"reversed", fn_reversed},
        {"set", fn_set},
        {"sorted", fn_sorted},
        {"str", fn_str},
        {"sum", fn_sum},
        {"tuple", fn_tuple},
        {"zip", fn_zip},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(functions[i].name, name) == 0) {
            return object_native(vm, &functions[i], NULL);
        }
    }
    if (exception_base(name) && strcmp(name, "ManifestFileError") != 0) {
        return object_named(vm, V_CLASS, arena_strndup(vm->arena, name, strlen(name)));
    }
    return NULL;
}
