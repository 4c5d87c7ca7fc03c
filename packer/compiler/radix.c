#include "packer/compiler/radix.h"

#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;

enum {
    // Shorter operands are multiplied digit by digit: below this the transform costs more.
    SCHOOLBOOK_DIGITS = 48,
};

#define BINARY_BASE ((uint64_t)1 << 32)
#define DECIMAL_BASE ((uint64_t)100000000)

static const uint64_t P = 0xffffffff00000001; // 2^64 - 2^32 + 1
static const uint64_t GENERATOR = 7;          // of the multiplicative group modulo P

// The transform works on half digits, so that sums of products stay below P for any length that
// fits in memory.
static uint32_t half_of(enum radix radix)
{
    return radix == RADIX_BINARY ? 1 << 16 : 10000;
}

static uint64_t add_mod(uint64_t a, uint64_t b)
{
    uint64_t s = a + b;
    return s < a || s >= P ? s - P : s;
}

static uint64_t sub_mod(uint64_t a, uint64_t b)
{
    return a >= b ? a - b : a - b + P;
}

static uint64_t mul_mod(uint64_t a, uint64_t b)
{
    u128 product = (u128)a * b;
    uint64_t low = (uint64_t)product, high = (uint64_t)(product >> 64);
    // 2^64 = 2^32 - 1 and 2^96 = -1 modulo P.
    uint64_t r = low - (high >> 32);
    if (r > low)
        r += P;
    uint64_t middle = (high & 0xffffffff) * 0xffffffff;
    uint64_t sum = r + middle;
    if (sum < r || sum >= P)
        sum -= P;
    return sum;
}

static uint64_t pow_mod(uint64_t b, uint64_t e)
{
    uint64_t r = 1;
    for (; e; e >>= 1, b = mul_mod(b, b))
        if (e & 1)
            r = mul_mod(r, b);
    return r;
}

// roots[i] = w^i for the n-th root of unity w, i < n/2.
static void make_roots(uint64_t *roots, size_t n, bool inverse)
{
    uint64_t w = pow_mod(GENERATOR, (P - 1) / n);
    if (inverse)
        w = pow_mod(w, P - 2);
    roots[0] = 1;
    for (size_t i = 1; i < n / 2; i++)
        roots[i] = mul_mod(roots[i - 1], w);
}

// Natural order in, bit-reversed order out.
static void transform(uint64_t *v, size_t n, const uint64_t *roots)
{
    for (size_t half = n / 2, step = 1; half; half /= 2, step *= 2)
        for (size_t block = 0; block < n; block += 2 * half)
            for (size_t i = 0; i < half; i++) {
                uint64_t a = v[block + i], b = v[block + i + half];
                v[block + i] = add_mod(a, b);
                v[block + i + half] = mul_mod(sub_mod(a, b), roots[i * step]);
            }
}

// Bit-reversed order in, natural order out; not yet divided by n.
static void transform_back(uint64_t *v, size_t n, const uint64_t *roots)
{
    for (size_t half = 1, step = n / 2; half < n; half *= 2, step /= 2)
        for (size_t block = 0; block < n; block += 2 * half)
            for (size_t i = 0; i < half; i++) {
                uint64_t a = v[block + i], b = mul_mod(v[block + i + half], roots[i * step]);
                v[block + i] = add_mod(a, b);
                v[block + i + half] = sub_mod(a, b);
            }
}

static void split(uint64_t *v, size_t n, const uint32_t *x, size_t nx, uint32_t half)
{
    for (size_t i = 0; i < nx; i++) {
        v[2 * i] = x[i] % half;
        v[2 * i + 1] = x[i] / half;
    }
    memset(v + 2 * nx, 0, (n - 2 * nx) * sizeof *v);
}

static void join(uint32_t *out, size_t n_out, const uint64_t *v, size_t n, uint32_t half)
{
    uint64_t scale = pow_mod(n, P - 2), carry = 0;
    for (size_t i = 0; i < n_out; i++) {
        uint64_t digit = 0;
        for (unsigned part = 0; part < 2; part++) {
            size_t at = 2 * i + part;
            carry += at < n ? mul_mod(v[at], scale) : 0;
            digit += carry % half * (part ? half : 1);
            carry /= half;
        }
        out[i] = (uint32_t)digit;
    }
}

static bool mul_transform(enum radix radix, uint32_t *out, const uint32_t *x, size_t nx,
                          const uint32_t *y, size_t ny)
{
    size_t n = 2;
    while (n < 2 * (nx + ny))
        n *= 2;
    bool square = x == y && nx == ny;
    uint64_t *memory = malloc((2 * n + n / 2) * sizeof *memory);
    if (!memory)
        return false;
    uint64_t *vx = memory, *vy = square ? vx : memory + n, *roots = memory + 2 * n;
    make_roots(roots, n, false);
    split(vx, n, x, nx, half_of(radix));
    transform(vx, n, roots);
    if (!square) {
        split(vy, n, y, ny, half_of(radix));
        transform(vy, n, roots);
    }
    for (size_t i = 0; i < n; i++)
        vx[i] = mul_mod(vx[i], vy[i]);
    make_roots(roots, n, true);
    transform_back(vx, n, roots);
    join(out, nx + ny, vx, n, half_of(radix));
    free(memory);
    return true;
}

// Called with constant bases only, so that the divisions are cheap.
static inline void mul_schoolbook(uint64_t base, uint32_t *out, const uint32_t *x, size_t nx,
                                  const uint32_t *y, size_t ny)
{
    memset(out, 0, (nx + ny) * sizeof *out);
    for (size_t i = 0; i < nx; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < ny; j++) {
            carry += (uint64_t)x[i] * y[j] + out[i + j];
            out[i + j] = (uint32_t)(carry % base);
            carry /= base;
        }
        out[i + ny] = (uint32_t)carry;
    }
}

bool radix_mul(enum radix radix, uint32_t *out, const uint32_t *x, size_t nx, const uint32_t *y,
               size_t ny)
{
    if (nx >= SCHOOLBOOK_DIGITS && ny >= SCHOOLBOOK_DIGITS)
        return mul_transform(radix, out, x, nx, y, ny);
    if (radix == RADIX_BINARY)
        mul_schoolbook(BINARY_BASE, out, x, nx, y, ny);
    else
        mul_schoolbook(DECIMAL_BASE, out, x, nx, y, ny);
    return true;
}

void radix_add(enum radix radix, uint32_t *acc, size_t na, const uint32_t *x, size_t nx)
{
    uint64_t base = radix == RADIX_BINARY ? BINARY_BASE : DECIMAL_BASE, carry = 0;
    for (size_t i = 0; i < na && (i < nx || carry); i++) {
        carry += (uint64_t)acc[i] + (i < nx ? x[i] : 0);
        uint64_t over = carry >= base;
        acc[i] = (uint32_t)(over ? carry - base : carry);
        carry = over;
    }
}

static size_t significant(const uint32_t *x, size_t n)
{
    while (n && x[n - 1] == 0)
        n--;
    return n;
}

// One digit of the source radix in the other radix.
static void put_digit(enum radix to, uint32_t *out, uint32_t digit)
{
    if (to == RADIX_BINARY) {
        out[0] = digit;
    } else {
        out[0] = (uint32_t)(digit % DECIMAL_BASE);
        out[1] = (uint32_t)(digit / DECIMAL_BASE);
    }
}

// pair[2 * cap] = its upper half * power + its lower half. spare holds 4 * cap digits.
static bool join_pair(enum radix to, uint32_t *pair, size_t cap, const uint32_t *power,
                      size_t n_power, uint32_t *spare)
{
    size_t n_high = significant(pair + cap, cap);
    if (!radix_mul(to, spare, pair + cap, n_high, power, n_power))
        return false;
    memset(pair + cap, 0, cap * sizeof *pair);
    radix_add(to, pair, 2 * cap, spare, significant(spare, n_high + n_power));
    return true;
}

// Joins neighbours until one block is left: at every level a block of cap digits holds a number
// below power, and power is squared on the way up.
static bool join_all(enum radix to, uint32_t *blocks, size_t n_blocks, size_t cap, uint32_t *power,
                     uint32_t *spare)
{
    size_t n_power = to == RADIX_BINARY ? 1 : 2;
    put_digit(to, power, to == RADIX_BINARY ? DECIMAL_BASE : UINT32_MAX);
    if (to == RADIX_DECIMAL)
        power[0]++; // 2^32 = 42 94967296
    for (; n_blocks > 1; n_blocks /= 2, cap *= 2) {
        for (size_t i = 0; i < n_blocks; i += 2)
            if (!join_pair(to, blocks + i * cap, cap, power, n_power, spare))
                return false;
        if (n_blocks == 2)
            break; // the last power is not needed
        if (!radix_mul(to, spare, power, n_power, power, n_power))
            return false;
        n_power = significant(spare, 2 * n_power);
        memcpy(power, spare, n_power * sizeof *power);
    }
    return true;
}

uint32_t *radix_convert(enum radix to, const uint32_t *x, size_t n, size_t *n_out)
{
    size_t cap = to == RADIX_BINARY ? 1 : 2, n_blocks = 1;
    while (n_blocks < n)
        n_blocks *= 2;
    size_t total = n_blocks * cap;
    uint32_t *memory = calloc(total * 4 + 8, sizeof *memory);
    if (!memory)
        return NULL;
    for (size_t i = 0; i < n; i++)
        put_digit(to, memory + i * cap, x[i]);
    // A power needs at most one digit more than half of all; its square fits in the spare part.
    if (!join_all(to, memory, n_blocks, cap, memory + total, memory + 2 * total + 4)) {
        free(memory);
        return NULL;
    }
    *n_out = significant(memory, total);
    return memory;
}
