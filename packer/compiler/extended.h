// Floats with 64 bits of precision and round-half-even, computed in integers: from 1.26 on upstream
// scales floats in its host's `long double`, which this is on every host.
#ifndef PACKER_COMPILER_EXTENDED_H
#define PACKER_COMPILER_EXTENDED_H

#include <stdint.h>

// mantissa * 2^exponent; the mantissa's top bit is set, or it is zero. Not negative.
struct extended {
    uint64_t mantissa;
    int exponent; // EXTENDED_INFINITE: infinity
};
enum { EXTENDED_INFINITE = 1 << 20 };

struct extended extended_from_uint(uint64_t v);
struct extended extended_from_double(double v); // finite, not negative
double extended_to_double(struct extended v);
// v + 1/2, rounded to 64 bits and cut to an integer; v below 2^63 + 2^62.
uint64_t extended_round(struct extended v);
// v * 10^power by repeated squaring, rounding as upstream's loop does.
struct extended extended_scale(struct extended v, int power);

#endif
