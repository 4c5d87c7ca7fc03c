#include "packer/compiler/bigint.h"

#include <stdlib.h>
#include <string.h>

#include "packer/compiler/radix.h"

__extension__ typedef unsigned __int128 u128;

enum {
    DIGIT_BITS = 32,
    DECIMAL_DIGITS = 8, // of one digit in base 10^8
};

// A value under construction: digits may still have leading zeros.
struct draft {
    bool negative;
    size_t n;
    uint32_t *digits;
};

static bool draft_init(struct arena *a, struct draft *d, size_t n)
{
    d->negative = false;
    d->n = n;
    d->digits = arena_calloc(a, n ? n : 1, sizeof *d->digits);
    return d->digits != NULL;
}

static const struct bigint *draft_done(struct arena *a, const struct draft *d)
{
    struct bigint *b = ARENA_NEW(a, struct bigint);
    if (!b)
        return NULL;
    size_t n = d->n;
    while (n && d->digits[n - 1] == 0)
        n--;
    b->negative = d->negative && n;
    b->n = n;
    b->digits = d->digits;
    return b;
}

const struct bigint *bigint_from_int(struct arena *a, int64_t v)
{
    struct draft d;
    if (!draft_init(a, &d, 2))
        return NULL;
    uint64_t m = v < 0 ? -(uint64_t)v : (uint64_t)v;
    d.negative = v < 0;
    d.digits[0] = (uint32_t)m;
    d.digits[1] = (uint32_t)(m >> 32);
    return draft_done(a, &d);
}

static unsigned digit_value(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

// Bases 2, 8 and 16: the digits' bits, from the least significant end.
static const struct bigint *from_bits(struct arena *a, const char *text, size_t size,
                                      unsigned width)
{
    struct draft d;
    if (size > SIZE_MAX / 8 || !draft_init(a, &d, size * width / DIGIT_BITS + 1))
        return NULL;
    for (size_t i = 0; i < size; i++) {
        uint64_t bits = digit_value(text[size - 1 - i]);
        size_t at = i * width / DIGIT_BITS, shift = i * width % DIGIT_BITS;
        bits <<= shift;
        d.digits[at] |= (uint32_t)bits;
        if (bits >> DIGIT_BITS)
            d.digits[at + 1] |= (uint32_t)(bits >> DIGIT_BITS);
    }
    return draft_done(a, &d);
}

static const struct bigint *from_decimal(struct arena *a, const char *text, size_t size)
{
    struct bigint *b = ARENA_NEW(a, struct bigint);
    if (!b)
        return NULL;
    while (size && *text == '0')
        text++, size--;
    if (size) {
        b->decimal = arena_strndup(a, text, size);
        b->n_decimal = size;
        if (!b->decimal)
            return NULL;
    }
    return b;
}

const struct bigint *bigint_from_text(struct arena *a, const char *text, size_t size, unsigned base)
{
    switch (base) {
    case 2:
        return from_bits(a, text, size, 1);
    case 8:
        return from_bits(a, text, size, 3);
    case 16:
        return from_bits(a, text, size, 4);
    default:
        return from_decimal(a, text, size);
    }
}

// The decimal text as digits of base 10^8, to be freed.
static uint32_t *decimal_digits(const struct bigint *b, size_t *n)
{
    *n = b->n_decimal / DECIMAL_DIGITS + 1;
    uint32_t *digits = calloc(*n, sizeof *digits);
    for (size_t i = 0; digits && i < *n; i++) {
        size_t end = b->n_decimal - i * DECIMAL_DIGITS;
        size_t at = end < DECIMAL_DIGITS ? 0 : end - DECIMAL_DIGITS;
        for (; at < end; at++)
            digits[i] = digits[i] * 10 + (uint32_t)(b->decimal[at] - '0');
    }
    return digits;
}

const struct bigint *bigint_binary(struct arena *a, const struct bigint *v)
{
    if (!v->decimal)
        return v;
    size_t n_decimal, n;
    uint32_t *decimal = decimal_digits(v, &n_decimal);
    uint32_t *binary = decimal ? radix_convert(RADIX_BINARY, decimal, n_decimal, &n) : NULL;
    free(decimal);
    if (!binary)
        return NULL;
    jmp_buf *on_fail = a->on_fail; // or binary would leak
    a->on_fail = NULL;
    struct draft d;
    const struct bigint *b = NULL;
    if (draft_init(a, &d, n)) {
        memcpy(d.digits, binary, n * sizeof *binary);
        d.negative = v->negative;
        b = draft_done(a, &d);
    }
    free(binary);
    a->on_fail = on_fail;
    if (!b && on_fail)
        longjmp(*on_fail, 1);
    return b;
}

static uint64_t low64(const struct bigint *b)
{
    uint64_t low = b->n ? b->digits[0] : 0;
    return b->n > 1 ? low | (uint64_t)b->digits[1] << 32 : low;
}

bool bigint_to_int(const struct bigint *b, int64_t *v)
{
    if (b->n > 2)
        return false;
    uint64_t m = low64(b);
    if (m > (uint64_t)INT64_MAX + b->negative)
        return false;
    *v = b->negative ? (int64_t)-m : (int64_t)m;
    return true;
}

double bigint_to_double(const struct bigint *b)
{
    double v = 0;
    for (size_t i = b->n; i-- > 0;)
        v = v * 4294967296.0 + b->digits[i];
    return b->negative ? -v : v;
}

bool bigint_is_zero(const struct bigint *b)
{
    return b->n == 0 && b->n_decimal == 0;
}

uint64_t bigint_hash(const struct bigint *b)
{
    const uint64_t prime = ((uint64_t)1 << 61) - 1;
    uint64_t h = 0;
    if (b->decimal)
        for (size_t i = 0; i < b->n_decimal; i++)
            h = (uint64_t)(((u128)h * 10 + (unsigned)(b->decimal[i] - '0')) % prime);
    else
        for (size_t i = b->n; i-- > 0;)
            h = (uint64_t)((((u128)h << 32) + b->digits[i]) % prime);
    return b->negative ? ~h : h;
}

uint64_t bigint_bits(const struct bigint *b)
{
    if (b->decimal)
        return b->n_decimal * 10 / 3 + 4;
    if (!b->n)
        return 0;
    uint64_t bits = (uint64_t)b->n * DIGIT_BITS;
    return bits - (unsigned)__builtin_clz(b->digits[b->n - 1]);
}

bool bigint_equal(const struct bigint *x, const struct bigint *y)
{
    if (x->negative != y->negative)
        return false;
    if (x->decimal && y->decimal)
        return x->n_decimal == y->n_decimal && !memcmp(x->decimal, y->decimal, x->n_decimal);
    if (!x->decimal && !y->decimal)
        return x->n == y->n && (!x->n || !memcmp(x->digits, y->digits, x->n * sizeof *x->digits));
    if (bigint_hash(x) != bigint_hash(y))
        return false;
    struct arena a;
    arena_init(&a, 0);
    const struct bigint *bx = bigint_binary(&a, x), *by = bigint_binary(&a, y);
    bool equal = bx && by && bigint_equal(bx, by);
    arena_free(&a);
    return equal;
}

static int compare_magnitude(const struct bigint *x, const struct bigint *y)
{
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    for (size_t i = x->n; i-- > 0;)
        if (x->digits[i] != y->digits[i])
            return x->digits[i] < y->digits[i] ? -1 : 1;
    return 0;
}

static const struct bigint *with_sign(struct arena *a, const struct bigint *x, bool negative)
{
    struct bigint *b = ARENA_NEW(a, struct bigint);
    if (!b)
        return NULL;
    *b = *x;
    b->negative = negative && !bigint_is_zero(x);
    return b;
}

const struct bigint *bigint_negate(struct arena *a, const struct bigint *x)
{
    return with_sign(a, x, !x->negative);
}

// |x| + |y|
static const struct bigint *add_magnitude(struct arena *a, const struct bigint *x,
                                          const struct bigint *y, bool negative)
{
    struct draft d;
    if (!draft_init(a, &d, (x->n > y->n ? x->n : y->n) + 1))
        return NULL;
    if (x->n)
        memcpy(d.digits, x->digits, x->n * sizeof *d.digits);
    radix_add(RADIX_BINARY, d.digits, d.n, y->digits, y->n);
    d.negative = negative;
    return draft_done(a, &d);
}

// |x| - |y|, |x| >= |y|
static const struct bigint *subtract_magnitude(struct arena *a, const struct bigint *x,
                                               const struct bigint *y, bool negative)
{
    struct draft d;
    if (!draft_init(a, &d, x->n))
        return NULL;
    int64_t borrow = 0;
    for (size_t i = 0; i < x->n; i++) {
        borrow += (int64_t)x->digits[i] - (i < y->n ? y->digits[i] : 0);
        d.digits[i] = (uint32_t)borrow;
        borrow >>= DIGIT_BITS;
    }
    d.negative = negative;
    return draft_done(a, &d);
}

const struct bigint *bigint_add(struct arena *a, const struct bigint *x, const struct bigint *y,
                                bool subtract)
{
    bool y_negative = y->negative != subtract;
    if (x->negative == y_negative)
        return add_magnitude(a, x, y, x->negative);
    if (compare_magnitude(x, y) >= 0)
        return subtract_magnitude(a, x, y, x->negative);
    return subtract_magnitude(a, y, x, y_negative);
}

const struct bigint *bigint_multiply(struct arena *a, const struct bigint *x,
                                     const struct bigint *y)
{
    struct draft d;
    if (!draft_init(a, &d, x->n + y->n))
        return NULL;
    d.negative = x->negative != y->negative;
    if (!radix_mul(RADIX_BINARY, d.digits, x->digits, x->n, y->digits, y->n))
        return NULL;
    return draft_done(a, &d);
}

const struct bigint *bigint_power(struct arena *a, const struct bigint *x, uint64_t e)
{
    const struct bigint *result = NULL;
    for (;;) {
        if (e & 1) {
            result = result ? bigint_multiply(a, result, x) : x;
            if (!result)
                return NULL;
        }
        e >>= 1;
        if (!e)
            return result;
        x = bigint_multiply(a, x, x);
        if (!x)
            return NULL;
    }
}

const struct bigint *bigint_shift_left(struct arena *a, const struct bigint *x, uint64_t bits)
{
    size_t whole = bits / DIGIT_BITS;
    unsigned part = bits % DIGIT_BITS;
    struct draft d;
    if (!draft_init(a, &d, x->n + whole + 1))
        return NULL;
    uint64_t carry = 0;
    for (size_t i = 0; i < x->n; i++) {
        carry |= (uint64_t)x->digits[i] << part;
        d.digits[i + whole] = (uint32_t)carry;
        carry >>= DIGIT_BITS;
    }
    d.digits[x->n + whole] = (uint32_t)carry;
    d.negative = x->negative;
    return draft_done(a, &d);
}

// True if any of the lowest bits is set.
static bool any_below(const struct bigint *x, uint64_t bits)
{
    for (size_t i = 0; i < x->n && i <= bits / DIGIT_BITS; i++) {
        uint32_t mask = i < bits / DIGIT_BITS ? UINT32_MAX : ((uint32_t)1 << bits % DIGIT_BITS) - 1;
        if (x->digits[i] & mask)
            return true;
    }
    return false;
}

const struct bigint *bigint_shift_right(struct arena *a, const struct bigint *x, uint64_t bits)
{
    size_t whole = bits / DIGIT_BITS < x->n ? bits / DIGIT_BITS : x->n;
    unsigned part = bits % DIGIT_BITS;
    struct draft d;
    if (!draft_init(a, &d, x->n - whole + 1))
        return NULL;
    for (size_t i = whole; i < x->n; i++) {
        uint64_t two = x->digits[i] | (uint64_t)(i + 1 < x->n ? x->digits[i + 1] : 0) << 32;
        d.digits[i - whole] = (uint32_t)(two >> part);
    }
    if (x->negative && any_below(x, bits)) {
        uint32_t one = 1;
        radix_add(RADIX_BINARY, d.digits, d.n, &one, 1);
    }
    d.negative = x->negative;
    return draft_done(a, &d);
}

// Digit i of the two's complement of x; borrow runs along the digits and starts as 1.
static uint32_t complement_digit(const struct bigint *x, size_t i, uint32_t *borrow)
{
    uint32_t digit = i < x->n ? x->digits[i] : 0;
    if (!x->negative)
        return digit;
    uint32_t inverted = ~digit + *borrow;
    *borrow = *borrow && inverted == 0;
    return inverted;
}

static uint32_t apply(enum bigint_logic op, uint32_t x, uint32_t y)
{
    return op == BIGINT_OR ? x | y : op == BIGINT_XOR ? x ^ y : x & y;
}

const struct bigint *bigint_logic(struct arena *a, enum bigint_logic op, const struct bigint *x,
                                  const struct bigint *y)
{
    struct draft d;
    if (!draft_init(a, &d, (x->n > y->n ? x->n : y->n) + 1))
        return NULL;
    uint32_t borrow_x = 1, borrow_y = 1, carry = 1;
    for (size_t i = 0; i < d.n; i++)
        d.digits[i] =
            apply(op, complement_digit(x, i, &borrow_x), complement_digit(y, i, &borrow_y));
    d.negative = apply(op, x->negative, y->negative);
    for (size_t i = 0; d.negative && i < d.n; i++) {
        d.digits[i] = ~d.digits[i] + carry;
        carry = carry && d.digits[i] == 0;
    }
    return draft_done(a, &d);
}

// rest = rest / digit in place; returns the remainder.
static uint32_t divide_by_digit(uint32_t *rest, size_t n, uint32_t digit)
{
    uint64_t r = 0;
    for (size_t i = n; i-- > 0;) {
        r = r << 32 | rest[i];
        rest[i] = (uint32_t)(r / digit);
        r %= digit;
    }
    return (uint32_t)r;
}

// rest[0..n] -= q * y[0..n-1]; returns true if it went below zero.
static bool subtract_multiple(uint32_t *rest, const uint32_t *y, size_t n, uint64_t q)
{
    uint64_t carry = 0;
    int64_t borrow = 0;
    for (size_t i = 0; i <= n; i++) {
        carry += i < n ? q * y[i] : 0;
        borrow += (int64_t)rest[i] - (uint32_t)carry;
        rest[i] = (uint32_t)borrow;
        borrow >>= 32;
        carry >>= 32;
    }
    return borrow < 0;
}

static void add_back(uint32_t *rest, const uint32_t *y, size_t n)
{
    uint64_t carry = 0;
    for (size_t i = 0; i <= n; i++) {
        carry += (uint64_t)rest[i] + (i < n ? y[i] : 0);
        rest[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

// Long division (Knuth, volume 2, algorithm D): y has n >= 2 digits with the top bit set; rest has
// m + n + 1 digits and becomes the remainder.
static void divide_long(uint32_t *quotient, uint32_t *rest, size_t m, const uint32_t *y, size_t n)
{
    for (size_t j = m + 1; j-- > 0;) {
        uint64_t top = (uint64_t)rest[j + n] << 32 | rest[j + n - 1];
        uint64_t q = top / y[n - 1], r = top % y[n - 1];
        while (q >> 32 || q * y[n - 2] > (r << 32 | rest[j + n - 2])) {
            q--;
            r += y[n - 1];
            if (r >> 32)
                break;
        }
        if (subtract_multiple(rest + j, y, n, q)) {
            q--;
            add_back(rest + j, y, n);
        }
        quotient[j] = (uint32_t)q;
    }
}

// |x| / |y|, rounded towards zero.
static bool divide_magnitude(struct arena *a, const struct bigint *x, const struct bigint *y,
                             struct draft *quotient, const struct bigint **remainder)
{
    struct draft rest;
    unsigned shift = (unsigned)__builtin_clz(y->digits[y->n - 1]);
    const struct bigint *sx = bigint_shift_left(a, x, shift), *sy = bigint_shift_left(a, y, shift);
    if (!sx || !sy || !draft_init(a, &rest, x->n + 2) || !draft_init(a, quotient, x->n + 1))
        return false;
    if (sx->n)
        memcpy(rest.digits, sx->digits, sx->n * sizeof *rest.digits);
    if (sy->n == 1) {
        memcpy(quotient->digits, rest.digits, quotient->n * sizeof *rest.digits);
        uint32_t r = divide_by_digit(quotient->digits, quotient->n, sy->digits[0]);
        memset(rest.digits, 0, rest.n * sizeof *rest.digits);
        rest.digits[0] = r;
    } else if (x->n + 1 >= sy->n) {
        divide_long(quotient->digits, rest.digits, x->n + 1 - sy->n, sy->digits, sy->n);
    }
    const struct bigint *shifted = draft_done(a, &rest);
    *remainder = shifted ? bigint_shift_right(a, shifted, shift) : NULL;
    return *remainder != NULL;
}

bool bigint_divide(struct arena *a, const struct bigint *x, const struct bigint *y,
                   const struct bigint **quotient, const struct bigint **remainder)
{
    struct draft q;
    if (!divide_magnitude(a, x, y, &q, remainder))
        return false;
    q.negative = x->negative != y->negative;
    *remainder = with_sign(a, *remainder, x->negative);
    *quotient = draft_done(a, &q);
    if (!*quotient || !*remainder)
        return false;
    if (x->negative != y->negative && !bigint_is_zero(*remainder)) {
        const struct bigint *one = bigint_from_int(a, 1);
        *quotient = one ? bigint_add(a, *quotient, one, true) : NULL;
        *remainder = bigint_add(a, *remainder, y, false);
    }
    return *quotient && *remainder;
}

const struct bigint *bigint_copy(struct arena *a, const struct bigint *x)
{
    struct bigint *b = arena_dup(a, x, sizeof *x);
    if (b && x->decimal)
        b->decimal = arena_strndup(a, x->decimal, x->n_decimal);
    if (b && x->digits)
        b->digits = arena_dup(a, x->digits, x->n * sizeof *x->digits);
    return b && (b->decimal || !x->decimal) && (b->digits || !x->digits) ? b : NULL;
}

bool bigint_write(const struct bigint *b, struct bytes_out *out)
{
    if (b->negative)
        bytes_put_u8(out, '-');
    if (b->decimal) {
        bytes_put(out, b->decimal, b->n_decimal);
        return true;
    }
    if (!b->n) {
        bytes_put_u8(out, '0');
        return true;
    }
    size_t n;
    uint32_t *decimal = radix_convert(RADIX_DECIMAL, b->digits, b->n, &n);
    if (!decimal)
        return false;
    for (size_t i = n; i-- > 0;)
        bytes_printf(out, i + 1 == n ? "%u" : "%08u", (unsigned)decimal[i]);
    free(decimal);
    return true;
}
