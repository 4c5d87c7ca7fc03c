#include "packer/compiler/extended.h"

#include <math.h>

__extension__ typedef unsigned __int128 u128;

enum {
    PRECISION = 64,
    // Binary exponents of the leading bit within which the 80-bit format is normal. Below, values
    // only ever shrink further and end as zero, so they count as zero at once.
    TOP_MOST = 16383,
    TOP_LEAST = -16382,
};

static struct extended infinite(void)
{
    return (struct extended){(uint64_t)1 << 63, EXTENDED_INFINITE};
}

static int is_infinite(struct extended v)
{
    return v.exponent == EXTENDED_INFINITE;
}

// Rounds value * 2^exponent, value not zero; sticky tells that something was cut off below.
static struct extended rounded(u128 value, int exponent, int sticky)
{
    uint64_t high = (uint64_t)(value >> 64);
    int bits = high ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)value);
    int drop = bits - PRECISION;
    uint64_t mantissa;
    if (drop <= 0) {
        mantissa = (uint64_t)value << -drop;
    } else {
        u128 rest = value & (((u128)1 << drop) - 1), half = (u128)1 << (drop - 1);
        mantissa = (uint64_t)(value >> drop);
        if (rest > half || (rest == half && (sticky || (mantissa & 1))))
            mantissa++;
        if (!mantissa) {
            mantissa = (uint64_t)1 << 63;
            drop++;
        }
    }
    exponent += drop;
    int top = exponent + PRECISION - 1;
    if (top > TOP_MOST)
        return infinite();
    return (struct extended){top < TOP_LEAST ? 0 : mantissa, exponent};
}

struct extended extended_from_uint(uint64_t v)
{
    return v ? rounded(v, 0, 0) : (struct extended){0, 0};
}

struct extended extended_from_double(double v)
{
    int exponent;
    double fraction = frexp(v, &exponent);
    struct extended e = extended_from_uint((uint64_t)ldexp(fraction, 53));
    e.exponent += exponent - 53;
    return e;
}

double extended_to_double(struct extended v)
{
    if (is_infinite(v))
        return HUGE_VAL;
    int top = v.exponent + PRECISION - 1;
    if (!v.mantissa || top < -1076)
        return 0;
    int keep = top >= -1022 ? 53 : 53 + 1022 + top; // subnormals have fewer bits, down to -1
    int drop = PRECISION - keep;
    uint64_t kept = drop < 64 ? v.mantissa >> drop : 0;
    u128 rest = v.mantissa & (((u128)1 << drop) - 1), half = (u128)1 << (drop - 1);
    if (rest > half || (rest == half && (kept & 1)))
        kept++;
    return ldexp((double)kept, v.exponent + drop);
}

uint64_t extended_round(struct extended v)
{
    // Fixed point with 64 bits after the point. Values below 1/4 lose bits that do not matter.
    int shift = v.exponent + 64;
    if (!v.mantissa || shift <= -64)
        return 0;
    u128 fixed = shift >= 0 ? (u128)v.mantissa << shift : (u128)(v.mantissa >> -shift);
    struct extended sum = rounded(fixed + ((u128)1 << 63), -64, 0);
    return sum.exponent <= -64 ? 0 : sum.mantissa >> -sum.exponent;
}

static struct extended multiply(struct extended a, struct extended b)
{
    if (!a.mantissa || !b.mantissa)
        return (struct extended){0, 0};
    if (is_infinite(a) || is_infinite(b))
        return infinite();
    return rounded((u128)a.mantissa * b.mantissa, a.exponent + b.exponent, 0);
}

static struct extended divide(struct extended a, struct extended b)
{
    if (!a.mantissa || is_infinite(b))
        return (struct extended){0, 0};
    if (is_infinite(a))
        return infinite();
    // 64 + 1 bits of quotient at least, in two steps so that the dividend fits.
    u128 high = ((u128)a.mantissa << 63) / b.mantissa, r = ((u128)a.mantissa << 63) % b.mantissa;
    u128 low = (r << 32) / b.mantissa;
    int sticky = (r << 32) % b.mantissa != 0;
    return rounded(high << 32 | low, a.exponent - b.exponent - 95, sticky);
}

struct extended extended_scale(struct extended v, int power)
{
    // 10^(2^i), each the rounded square of the one before; the next is infinite.
    static const struct extended squares[] = {
        {0xa000000000000000, -60},   {0xc800000000000000, -57},  {0x9c40000000000000, -50},
        {0xbebc200000000000, -37},   {0x8e1bc9bf04000000, -10},  {0x9dc5ada82b70b59e, 43},
        {0xc2781f49ffcfa6d5, 149},   {0x93ba47c980e98cdf, 362},  {0xaa7eebfb9df9de8c, 787},
        {0xe319a0aea60e91c2, 1637},  {0xc976758681750c0f, 3338}, {0x9e8b3b5dc53d5dd7, 6740},
        {0xc46052028a209779, 13543},
    };
    enum { SQUARES = sizeof squares / sizeof *squares };
    unsigned left = power < 0 ? -(unsigned)power : (unsigned)power;
    for (unsigned i = 0; left && v.mantissa; i++, left >>= 1) {
        struct extended square = i < SQUARES ? squares[i] : infinite();
        if (left & 1)
            v = power < 0 ? divide(v, square) : multiply(v, square);
    }
    return v;
}
