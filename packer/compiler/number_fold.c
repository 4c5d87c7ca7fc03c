// Constant folding of single operators: what upstream's runtime computes in its parser.
#include <math.h>
#include <string.h>

#include "packer/compiler/bigint.h"
#include "packer/compiler/number.h"

// One folding in progress. Everything temporary lives in its own arena; only the result is copied.
struct fold {
    const struct number_rules *rules;
    uint64_t max_bits;
    struct arena *arena, scratch;
    struct number *out;
};

static enum number_status fold_int(struct fold *f, int64_t v)
{
    if (v >= NUMBER_INT_MIN && v <= NUMBER_INT_MAX) {
        *f->out = (struct number){.kind = NUMBER_INT, .i = v};
        return NUMBER_OK;
    }
    *f->out = (struct number){.kind = NUMBER_BIG, .big = bigint_from_int(f->arena, v)};
    return f->out->big ? NUMBER_OK : NUMBER_NO_MEMORY;
}

// The result of upstream's operators on big ints.
static enum number_status fold_big(struct fold *f, const struct bigint *v)
{
    int64_t i;
    if (!v)
        return NUMBER_NO_MEMORY;
    if (f->rules->normalise && bigint_to_int(v, &i) && i >= NUMBER_INT_MIN && i <= NUMBER_INT_MAX)
        return fold_int(f, i);
    *f->out = (struct number){.kind = NUMBER_BIG, .big = bigint_copy(f->arena, v)};
    return f->out->big ? NUMBER_OK : NUMBER_NO_MEMORY;
}

static enum number_status fold_float(struct fold *f, double v)
{
    *f->out = (struct number){.kind = NUMBER_FLOAT, .f = v};
    return number_identify(&f->out->f, f->arena) ? NUMBER_OK : NUMBER_NO_MEMORY;
}

static enum number_status too_large(const struct fold *f)
{
    return f->rules->fold_floats ? NUMBER_NOT_FOLDED : NUMBER_TOO_LARGE;
}

static enum number_status overflow(const struct fold *f)
{
    return f->rules->fold_floats ? NUMBER_NOT_FOLDED : NUMBER_OVERFLOW;
}

static const struct bigint *as_big(struct fold *f, const struct number *a)
{
    if (a->kind == NUMBER_INT)
        return bigint_from_int(&f->scratch, a->i);
    return bigint_binary(&f->scratch, a->big);
}

static double as_double(struct fold *f, const struct number *a)
{
    if (a->kind == NUMBER_FLOAT)
        return a->f;
    if (a->kind == NUMBER_INT)
        return (double)a->i;
    const struct bigint *b = as_big(f, a);
    return b ? bigint_to_double(b) : NAN;
}

// ---- Floats ----

static double floor_divide(double x, double y)
{
    double mod = fmod(x, y), div = (x - mod) / y;
    if (mod != 0 && (mod < 0) != (y < 0))
        div -= 1;
    if (div == 0)
        return copysign(0, x / y);
    double floored = floor(div);
    return div - floored > 0.5 ? floored + 1 : floored;
}

static double modulo(double x, double y)
{
    double mod = fmod(x, y);
    if (mod == 0)
        return copysign(0, y);
    return (mod < 0) != (y < 0) ? mod + y : mod;
}

static enum number_status float_power(struct fold *f, double x, double y)
{
    bool divides_by_zero = x == 0 && y < 0 && !isinf(y);
    bool is_complex = x < 0 && y != floor(y) && !isnan(y);
    return divides_by_zero || is_complex ? NUMBER_NOT_FOLDED : fold_float(f, pow(x, y));
}

static enum number_status fold_floats(struct fold *f, enum number_op op, double x, double y)
{
    switch (op) {
    case NUMBER_OP_ADD:
        return fold_float(f, x + y);
    case NUMBER_OP_SUBTRACT:
        return fold_float(f, x - y);
    case NUMBER_OP_MULTIPLY:
        return fold_float(f, x * y);
    case NUMBER_OP_FLOOR_DIVIDE:
        return y == 0 ? NUMBER_NOT_FOLDED : fold_float(f, floor_divide(x, y));
    case NUMBER_OP_TRUE_DIVIDE:
        return y == 0 ? NUMBER_NOT_FOLDED : fold_float(f, x / y);
    case NUMBER_OP_MODULO:
        return y == 0 ? NUMBER_NOT_FOLDED : fold_float(f, modulo(x, y));
    case NUMBER_OP_POWER:
        return float_power(f, x, y);
    default:
        return NUMBER_NOT_FOLDED;
    }
}

// ---- Big ints ----

static enum number_status shift(struct fold *f, enum number_op op, const struct bigint *x,
                                const struct bigint *y)
{
    int64_t count;
    if (y->negative)
        return NUMBER_NOT_FOLDED;
    if (!bigint_to_int(y, &count))
        return overflow(f);
    if (op == NUMBER_OP_RSHIFT)
        return fold_big(f, bigint_shift_right(&f->scratch, x, (uint64_t)count));
    if (bigint_is_zero(x))
        return fold_big(f, x);
    if ((uint64_t)count > f->max_bits || bigint_bits(x) + (uint64_t)count > f->max_bits)
        return too_large(f);
    return fold_big(f, bigint_shift_left(&f->scratch, x, (uint64_t)count));
}

static enum number_status divide(struct fold *f, enum number_op op, const struct bigint *x,
                                 const struct bigint *y)
{
    // Long division takes this many steps: bounded to about a second.
    const uint64_t most_steps = (uint64_t)1 << 30;
    const struct bigint *quotient, *remainder;
    if (bigint_is_zero(y))
        return NUMBER_NOT_FOLDED;
    if (x->n > y->n && (uint64_t)(x->n - y->n) * y->n > most_steps)
        return too_large(f);
    if (!bigint_divide(&f->scratch, x, y, &quotient, &remainder))
        return NUMBER_NO_MEMORY;
    return fold_big(f, op == NUMBER_OP_MODULO ? remainder : quotient);
}

static enum number_status power(struct fold *f, const struct bigint *x, const struct bigint *y)
{
    static const struct bigint zero = {0};
    int64_t e = 0;
    bool small = bigint_to_int(y, &e);
    if (y->negative) {
        if (!f->rules->fold_floats)
            return NUMBER_NOT_FOLDED;
        return float_power(f, bigint_to_double(x), bigint_to_double(y));
    }
    if (bigint_is_zero(x))
        return fold_big(f, &zero); // upstream's 0 ** 0 of big ints included
    if (bigint_is_zero(y))
        return fold_big(f, bigint_from_int(&f->scratch, 1));
    if (bigint_bits(x) == 1) {
        bool odd = y->digits[0] & 1;
        return fold_big(f, bigint_from_int(&f->scratch, x->negative && odd ? -1 : 1));
    }
    // A product of e factors has at least (bits - 1) * e bits.
    if (!small || (uint64_t)e > f->max_bits || (bigint_bits(x) - 1) * (uint64_t)e >= f->max_bits)
        return too_large(f);
    return fold_big(f, bigint_power(&f->scratch, x, (uint64_t)e));
}

static enum number_status multiply(struct fold *f, const struct bigint *x, const struct bigint *y)
{
    if (bigint_bits(x) + bigint_bits(y) > f->max_bits + 1)
        return too_large(f);
    return fold_big(f, bigint_multiply(&f->scratch, x, y));
}

static enum number_status true_divide(struct fold *f, const struct bigint *x,
                                      const struct bigint *y)
{
    if (!f->rules->fold_floats || bigint_is_zero(y))
        return NUMBER_NOT_FOLDED;
    return fold_float(f, bigint_to_double(x) / bigint_to_double(y));
}

static enum number_status fold_bigs(struct fold *f, enum number_op op, const struct number *a,
                                    const struct number *b)
{
    const struct bigint *x = as_big(f, a), *y = as_big(f, b);
    if (!x || !y)
        return NUMBER_NO_MEMORY;
    switch (op) {
    case NUMBER_OP_OR:
        return fold_big(f, bigint_logic(&f->scratch, BIGINT_OR, x, y));
    case NUMBER_OP_XOR:
        return fold_big(f, bigint_logic(&f->scratch, BIGINT_XOR, x, y));
    case NUMBER_OP_AND:
        return fold_big(f, bigint_logic(&f->scratch, BIGINT_AND, x, y));
    case NUMBER_OP_LSHIFT:
    case NUMBER_OP_RSHIFT:
        return shift(f, op, x, y);
    case NUMBER_OP_ADD:
    case NUMBER_OP_SUBTRACT:
        return fold_big(f, bigint_add(&f->scratch, x, y, op == NUMBER_OP_SUBTRACT));
    case NUMBER_OP_MULTIPLY:
        return multiply(f, x, y);
    case NUMBER_OP_FLOOR_DIVIDE:
    case NUMBER_OP_MODULO:
        return divide(f, op, x, y);
    case NUMBER_OP_TRUE_DIVIDE:
        return true_divide(f, x, y);
    case NUMBER_OP_POWER:
        return power(f, x, y);
    case NUMBER_OP_MAT_MULTIPLY:
        break;
    }
    return NUMBER_NOT_FOLDED;
}

// ---- Small ints ----

static int64_t floor_divide_int(int64_t x, int64_t y)
{
    int64_t q = x / y;
    return x % y && (x < 0) != (y < 0) ? q - 1 : q;
}

static int64_t modulo_int(int64_t x, int64_t y)
{
    int64_t m = x % y;
    return m && (m < 0) != (y < 0) ? m + y : m;
}

// Upstream shifts as a small int only while the result is one.
static bool shift_left_int(int64_t x, int64_t count, int64_t *result)
{
    if (count >= 64 || x > NUMBER_INT_MAX >> count || x < NUMBER_INT_MIN >> count)
        return false;
    *result = (int64_t)((uint64_t)x << count);
    return true;
}

static bool fits(int64_t v)
{
    return v >= NUMBER_INT_MIN && v <= NUMBER_INT_MAX;
}

static bool power_int(int64_t x, int64_t e, int64_t *result)
{
    for (*result = 1; e > 0; e /= 2) {
        if ((e & 1) && (__builtin_mul_overflow(*result, x, result) || !fits(*result)))
            return false;
        if (e > 1 && (__builtin_mul_overflow(x, x, &x) || !fits(x)))
            return false;
    }
    return true;
}

// Both operands are small. NUMBER_TOO_LARGE: to be done with big ints.
static enum number_status fold_small(struct fold *f, enum number_op op, int64_t x, int64_t y)
{
    int64_t r;
    switch (op) {
    case NUMBER_OP_OR:
        return fold_int(f, x | y);
    case NUMBER_OP_XOR:
        return fold_int(f, x ^ y);
    case NUMBER_OP_AND:
        return fold_int(f, x & y);
    case NUMBER_OP_LSHIFT:
        return y < 0                      ? NUMBER_NOT_FOLDED
               : shift_left_int(x, y, &r) ? fold_int(f, r)
                                          : NUMBER_TOO_LARGE;
    case NUMBER_OP_RSHIFT:
        return y < 0 ? NUMBER_NOT_FOLDED : fold_int(f, x >> (y < 63 ? y : 63));
    case NUMBER_OP_ADD:
        return fold_int(f, x + y);
    case NUMBER_OP_SUBTRACT:
        return fold_int(f, x - y);
    case NUMBER_OP_MULTIPLY:
        return __builtin_mul_overflow(x, y, &r) ? NUMBER_TOO_LARGE : fold_int(f, r);
    case NUMBER_OP_FLOOR_DIVIDE:
        return y ? fold_int(f, floor_divide_int(x, y)) : NUMBER_NOT_FOLDED;
    case NUMBER_OP_MODULO:
        return y ? fold_int(f, modulo_int(x, y)) : NUMBER_NOT_FOLDED;
    case NUMBER_OP_POWER:
        return y >= 0 && power_int(x, y, &r) ? fold_int(f, r) : NUMBER_TOO_LARGE;
    case NUMBER_OP_TRUE_DIVIDE:
        if (!f->rules->fold_floats || !y)
            return NUMBER_NOT_FOLDED;
        return fold_float(f, (double)x / (double)y);
    case NUMBER_OP_MAT_MULTIPLY:
        break;
    }
    return NUMBER_NOT_FOLDED;
}

// ---- Entry ----

static enum number_status fold_binary(struct fold *f, enum number_op op, const struct number *a,
                                      const struct number *b)
{
    if (a->kind == NUMBER_COMPLEX || b->kind == NUMBER_COMPLEX)
        return NUMBER_NOT_FOLDED;
    if (a->kind == NUMBER_FLOAT || b->kind == NUMBER_FLOAT) {
        if (!f->rules->fold_floats)
            return NUMBER_NOT_FOLDED;
        return fold_floats(f, op, as_double(f, a), as_double(f, b));
    }
    if (a->kind == NUMBER_INT && b->kind == NUMBER_INT) {
        enum number_status status = fold_small(f, op, a->i, b->i);
        if (status != NUMBER_TOO_LARGE)
            return status;
    }
    return fold_bigs(f, op, a, b);
}

// A failed allocation must not jump out of a folding, or its scratch arena would leak.
static jmp_buf *fold_begin(struct fold *f)
{
    jmp_buf *on_fail = f->arena->on_fail;
    f->arena->on_fail = NULL;
    arena_init_inside(&f->scratch, f->arena);
    return on_fail;
}

static enum number_status fold_end(struct fold *f, enum number_status status, jmp_buf *on_fail,
                                   struct number *out)
{
    arena_free(&f->scratch);
    f->arena->on_fail = on_fail;
    if (status == NUMBER_OK)
        *out = *f->out;
    return status;
}

enum number_status number_binary(const struct number_rules *rules, enum number_op op,
                                 const struct number *a, const struct number *b, uint64_t max_bits,
                                 struct arena *arena, struct number *out)
{
    struct number result;
    struct fold f = {.rules = rules, .arena = arena, .out = &result};
    f.max_bits = max_bits ? max_bits : NUMBER_MAX_BITS;
    jmp_buf *on_fail = fold_begin(&f);
    return fold_end(&f, fold_binary(&f, op, a, b), on_fail, out);
}

static enum number_status fold_unary(struct fold *f, enum number_unary op, const struct number *a)
{
    if (op == NUMBER_POSITIVE)
        return NUMBER_OK;
    if (a->kind == NUMBER_INT)
        return fold_int(f, op == NUMBER_INVERT ? ~a->i : -a->i);
    if (a->kind == NUMBER_FLOAT)
        return op == NUMBER_INVERT ? NUMBER_NOT_FOLDED : fold_float(f, -a->f);
    // Upstream keeps these results big, whatever their size: -(1 << 62) fits.
    static const struct number_rules keep = {.normalise = false};
    f->rules = &keep;
    const struct bigint *x = as_big(f, a), *one = bigint_from_int(&f->scratch, 1);
    const struct bigint *negative = x ? bigint_negate(&f->scratch, x) : NULL;
    if (op == NUMBER_INVERT && negative && one)
        negative = bigint_add(&f->scratch, negative, one, true);
    return one ? fold_big(f, negative) : NUMBER_NO_MEMORY;
}

enum number_status number_unary_op(const struct number_rules *rules, enum number_unary op,
                                   const struct number *a, struct arena *arena, struct number *out)
{
    if (a->kind == NUMBER_COMPLEX || (a->kind == NUMBER_FLOAT && !rules->fold_floats))
        return NUMBER_NOT_FOLDED;
    struct number result = *a;
    struct fold f = {.rules = rules, .arena = arena, .out = &result};
    jmp_buf *on_fail = fold_begin(&f);
    return fold_end(&f, fold_unary(&f, op, a), on_fail, out);
}
