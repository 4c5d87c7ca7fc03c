// Integers of any size: what constant folding needs, in quasi-linear time where that matters.
// Values are immutable and live in the arena that the call is given; a failed allocation returns
// NULL (or leaves through the arena's jump).
#ifndef PACKER_COMPILER_BIGINT_H
#define PACKER_COMPILER_BIGINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/arena.h"
#include "format/bytes.h"

// A decimal literal keeps its text and becomes binary only when it is computed with.
struct bigint {
    bool negative;          // never with zero
    size_t n;               // binary digits of 32 bits, the last one not 0; 0 = zero
    const uint32_t *digits; // least significant first; NULL while there is only text
    const char *decimal;    // NULL or the decimal digits of the magnitude, no leading zeros
    size_t n_decimal;
};

const struct bigint *bigint_from_int(struct arena *a, int64_t v);
// Digits of base 2 to 16, all valid, no sign and no prefix.
const struct bigint *bigint_from_text(struct arena *a, const char *text, size_t size,
                                      unsigned base);
// The same value with binary digits.
const struct bigint *bigint_binary(struct arena *a, const struct bigint *v);

// True and *v if the value lies within int64_t.
bool bigint_to_int(const struct bigint *b, int64_t *v);
// Upstream's conversion: digit by digit from the top, rounding at each step.
double bigint_to_double(const struct bigint *b);
bool bigint_is_zero(const struct bigint *b);
bool bigint_equal(const struct bigint *x, const struct bigint *y);
// The value modulo a prime, the sign mixed in: the same for every form of the same value.
uint64_t bigint_hash(const struct bigint *b);
// Number of bits of the magnitude (exact with binary digits, else an upper bound).
uint64_t bigint_bits(const struct bigint *b);

// All operands below must be binary.
const struct bigint *bigint_negate(struct arena *a, const struct bigint *x);
const struct bigint *bigint_add(struct arena *a, const struct bigint *x, const struct bigint *y,
                                bool subtract);
const struct bigint *bigint_multiply(struct arena *a, const struct bigint *x,
                                     const struct bigint *y);
// Rounds towards minus infinity; y is not zero.
bool bigint_divide(struct arena *a, const struct bigint *x, const struct bigint *y,
                   const struct bigint **quotient, const struct bigint **remainder);
// x ** e, e > 0. The caller bounds bits(x) * e.
const struct bigint *bigint_power(struct arena *a, const struct bigint *x, uint64_t e);
const struct bigint *bigint_shift_left(struct arena *a, const struct bigint *x, uint64_t bits);
const struct bigint *bigint_shift_right(struct arena *a, const struct bigint *x, uint64_t bits);
enum bigint_logic { BIGINT_OR, BIGINT_XOR, BIGINT_AND };
// On the two's complement of both.
const struct bigint *bigint_logic(struct arena *a, enum bigint_logic op, const struct bigint *x,
                                  const struct bigint *y);

// A copy whose parts all live in a.
const struct bigint *bigint_copy(struct arena *a, const struct bigint *x);
// Appends the decimal text. False without memory for the conversion.
bool bigint_write(const struct bigint *b, struct bytes_out *out);

#endif
