// Long numbers in base 2^32 and base 10^8: multiplication (schoolbook for short ones, a
// number-theoretic transform modulo 2^64 - 2^32 + 1 for long ones) and conversion from one base to
// the other, both in quasi-linear time.
#ifndef PACKER_COMPILER_RADIX_H
#define PACKER_COMPILER_RADIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum radix { RADIX_BINARY, RADIX_DECIMAL }; // 2^32, 10^8

// out[nx + ny] = x[nx] * y[ny], digits least significant first; out overlaps neither. x and y may
// be the same. False if memory is short.
bool radix_mul(enum radix radix, uint32_t *out, const uint32_t *x, size_t nx, const uint32_t *y,
               size_t ny);
// acc[na] += x[nx]; the sum fits in na digits.
void radix_add(enum radix radix, uint32_t *acc, size_t na, const uint32_t *x, size_t nx);
// The n digits x of the other radix in this one: *n_out significant digits, to be freed. NULL if
// memory is short.
uint32_t *radix_convert(enum radix to, const uint32_t *x, size_t n, size_t *n_out);

#endif
