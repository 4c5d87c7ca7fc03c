#include "packer/compiler/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "packer/compiler/bigint.h"
#include "packer/compiler/float_text.h"

static const char no_memory[] = "memory allocation failed";

// ---- Values ----

static void set_int(struct number *out, int64_t v)
{
    out->kind = NUMBER_INT;
    out->i = v;
}

static bool is_int(const struct number *a)
{
    return a->kind == NUMBER_INT || a->kind == NUMBER_BIG;
}

static int sign_of(const struct number *a)
{
    if (a->kind == NUMBER_BIG)
        return bigint_is_zero(a->big) ? 0 : a->big->negative ? -1 : 1;
    return (a->i > 0) - (a->i < 0);
}

bool number_math_constant(const char *name, size_t size, struct number *out)
{
    static const struct {
        const char *name;
        double value;
    } constants[] = {
        {"e", 2.7182818284590452354},
        {"pi", 3.14159265358979323846},
        {"tau", 2 * 3.14159265358979323846},
        {"inf", HUGE_VAL},
        {"nan", NAN},
    };
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (strlen(constants[i].name) == size && !memcmp(constants[i].name, name, size)) {
            out->kind = NUMBER_FLOAT;
            out->f = constants[i].value;
            return true;
        }
    return false;
}

bool number_is_true(const struct number *a)
{
    switch (a->kind) {
    case NUMBER_INT:
    case NUMBER_BIG:
        return sign_of(a) != 0;
    case NUMBER_FLOAT:
        return a->f != 0;
    case NUMBER_COMPLEX:
        break;
    }
    return a->c.re != 0 || a->c.im != 0;
}

static uint64_t float_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static bool same_int(const struct number *a, const struct number *b)
{
    if (a->kind == NUMBER_BIG && b->kind == NUMBER_BIG)
        return bigint_equal(a->big, b->big);
    if (a->kind == NUMBER_INT && b->kind == NUMBER_INT)
        return a->i == b->i;
    int64_t v;
    const struct number *big = a->kind == NUMBER_BIG ? a : b, *small = big == a ? b : a;
    return !big->big->decimal && bigint_to_int(big->big, &v) && v == small->i;
}

bool number_same(const struct number *a, const struct number *b)
{
    if (is_int(a) && is_int(b))
        return same_int(a, b);
    if (a->kind != b->kind)
        return false;
    if (a->kind == NUMBER_FLOAT)
        return float_bits(a->f) == float_bits(b->f);
    return a->c.im == b->c.im || float_bits(a->c.im) == float_bits(b->c.im);
}

static uint32_t mix(uint64_t v)
{
    v = (v ^ v >> 29) * 0x9e3779b97f4a7c15;
    return (uint32_t)(v >> 32);
}

uint32_t number_hash(const struct number *a)
{
    const uint64_t prime = ((uint64_t)1 << 61) - 1; // as in bigint_hash
    uint64_t m;
    switch (a->kind) {
    case NUMBER_INT:
        m = (a->i < 0 ? -(uint64_t)a->i : (uint64_t)a->i) % prime;
        return mix(a->i < 0 ? ~m : m);
    case NUMBER_BIG:
        return mix(bigint_hash(a->big));
    case NUMBER_FLOAT:
        return mix(float_bits(a->f));
    case NUMBER_COMPLEX:
        break;
    }
    return mix(float_bits(a->c.im + 0.0) + 1); // literals have no real part; -0.0 becomes 0.0
}

bool number_fits(const struct number *a, unsigned bits)
{
    if (a->kind != NUMBER_INT)
        return false;
    uint64_t mask = -((uint64_t)1 << ((bits - 1) & 63)), high = (uint64_t)a->i & mask;
    return high == 0 || high == mask;
}

// ---- Literals ----

struct prefix {
    unsigned base; // 1: a leading 0 in a release that takes only zeros after it
    size_t size;
};

static struct prefix read_prefix(const struct number_rules *rules, const char *text, size_t size)
{
    if (size > 1 && text[0] == '0') {
        switch (text[1] | 0x20) {
        case 'x':
            return (struct prefix){16, 2};
        case 'o':
            return (struct prefix){8, 2};
        case 'b':
            return (struct prefix){2, 2};
        }
        return (struct prefix){rules->reject_leading_zero ? 1 : 10, 0};
    }
    return (struct prefix){10, 0};
}

// The value of a digit, or 255.
static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? (unsigned)(c - 'a' + 10) : 255;
}

static void put_quoted(struct bytes_out *out, const char *s, size_t n)
{
    bool has_single = memchr(s, '\'', n), has_double = memchr(s, '"', n);
    char quote = has_single && !has_double ? '"' : '\'';
    bytes_put_u8(out, (uint8_t)quote);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == (unsigned char)quote || c == '\\')
            bytes_printf(out, "\\%c", c);
        else if (c >= 0x20 && c <= 0x7e)
            bytes_put_u8(out, c);
        else if (c == '\n' || c == '\r' || c == '\t')
            bytes_printf(out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else
            bytes_printf(out, "\\x%02x", c);
    }
    bytes_put_u8(out, (uint8_t)quote);
}

static const char *int_error(unsigned base, const char *text, size_t size, struct arena *arena)
{
    struct bytes_out out;
    bytes_out_init(&out);
    bytes_printf(&out, "invalid syntax for integer with base %u: ", base == 1 ? 0 : base);
    put_quoted(&out, text, size);
    const char *message = out.failed ? NULL : arena_strndup(arena, (char *)out.data, out.size);
    bytes_out_free(&out);
    return message ? message : no_memory;
}

// A literal past 62 bits: its digits without the underscores, as a bigint.
static const char *read_big(unsigned base, const char *text, size_t size, struct arena *arena,
                            struct number *out)
{
    char *digits = arena_alloc(arena, size);
    if (!digits)
        return no_memory;
    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        if (text[i] != '_')
            digits[n++] = text[i];
    out->kind = NUMBER_BIG;
    out->big = bigint_from_text(arena, digits, n, base);
    return out->big ? NULL : no_memory;
}

const char *number_read_int(const struct number_rules *rules, const char *text, size_t size,
                            struct arena *arena, struct number *out)
{
    struct prefix prefix = read_prefix(rules, text, size);
    text += prefix.size;
    size -= prefix.size;
    int64_t value = 0;
    bool big = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '_')
            continue;
        unsigned digit = digit_of(text[i]);
        if (digit >= prefix.base)
            return int_error(prefix.base, text, size, arena);
        big = big || value > (NUMBER_INT_MAX - (int)digit) / (int)prefix.base;
        if (!big)
            value = value * (int)prefix.base + (int)digit;
    }
    if (!size)
        return int_error(prefix.base, text, size, arena);
    if (big)
        return read_big(prefix.base, text, size, arena, out);
    set_int(out, value);
    return NULL;
}

bool number_identify(double *v, struct arena *arena)
{
    if (!isnan(*v))
        return true;
    const void *identity = arena_alloc(arena, 1);
    uint64_t bits = 0x7ff8000000000000 | ((uint64_t)(uintptr_t)identity & 0x7ffffffffffff);
    memcpy(v, &bits, sizeof bits);
    return identity != NULL;
}

const char *number_read_float(const struct number_rules *rules, const char *text, size_t size,
                              struct arena *arena, struct number *out)
{
    static const char error[] = "invalid syntax for number";
    double value;
    size_t used;
    if (!float_text_read(rules->read, text, size, &value, &used))
        return error;
    bool imaginary = used < size && (text[used] | 0x20) == 'j';
    if (used + imaginary != size || !size)
        return error;
    if (!number_identify(&value, arena))
        return no_memory;
    out->kind = imaginary ? NUMBER_COMPLEX : NUMBER_FLOAT;
    if (imaginary) {
        out->c.re = 0;
        out->c.im = value;
    } else {
        out->f = value;
    }
    return NULL;
}

// ---- Text ----

static void write_float(const struct number_rules *rules, double v, bool point,
                        struct bytes_out *out)
{
    char text[FLOAT_TEXT_MAX];
    size_t n = float_text_write(rules->write, v, text);
    bytes_put(out, text, n);
    if (point && !memchr(text, '.', n) && !memchr(text, 'e', n) && !memchr(text, 'n', n))
        bytes_put(out, ".0", 2);
}

static void write_int(int64_t v, struct bytes_out *out)
{
    char text[24], *s = text + sizeof text;
    uint64_t m = v < 0 ? -(uint64_t)v : (uint64_t)v;
    do {
        *--s = (char)('0' + m % 10);
        m /= 10;
    } while (m);
    if (v < 0)
        *--s = '-';
    bytes_put(out, s, (size_t)(text + sizeof text - s));
}

void number_write(const struct number_rules *rules, const struct number *a, struct bytes_out *out)
{
    switch (a->kind) {
    case NUMBER_INT:
        write_int(a->i, out);
        break;
    case NUMBER_BIG:
        if (!bigint_write(a->big, out))
            out->failed = true;
        break;
    case NUMBER_FLOAT:
        write_float(rules, a->f, true, out);
        break;
    case NUMBER_COMPLEX: // literals have no real part
        write_float(rules, a->c.im, false, out);
        bytes_put_u8(out, 'j');
        break;
    }
}
