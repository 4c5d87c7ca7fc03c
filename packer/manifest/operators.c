// Arithmetic and comparison.
#include <math.h>

#include "packer/manifest/frame.h"

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
    for (size_t i = 0; i < x->as.items.n && vm_charge(vm, 1); i++) {
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

bool object_is_sequence(const struct object *o)
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

struct object *op_binary(struct vm *vm, char op, struct object *x, struct object *y)
{
    int64_t a, b;
    double c, d;
    vm_charge(vm, object_count(x) + object_count(y));
    bool xi = object_is_int(x, &a), yi = object_is_int(y, &b);
    if (xi && yi) {
        return op_ints(vm, op, a, b);
    }
    if (as_real(x, &c) && as_real(y, &d)) {
        return op_reals(vm, op, c, d);
    }
    if (op == '+' && x->kind == y->kind && object_is_sequence(x)) {
        return op_join(vm, x, y);
    }
    if (op == '*' && object_is_sequence(x) && yi) {
        return op_repeat(vm, x, b);
    }
    if (op == '*' && object_is_sequence(y) && xi) {
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

struct object *op_unary(struct vm *vm, char op, struct object *x)
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

bool op_compare(struct vm *vm, enum tree_compare op, struct object *x, struct object *y, bool *yes)
{
    int order = 0;
    switch (op) {
    case CMP_EQ:
    case CMP_NE:
        *yes = object_equal(vm, x, y) == (op == CMP_EQ);
        return true;
    case CMP_IS:
    case CMP_IS_NOT: // None, True and False are the only ones that mean anything
        *yes = (x == y || (x->kind == y->kind && object_equal(vm, x, y))) == (op == CMP_IS);
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
