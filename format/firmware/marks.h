// The inside of the scan: which of many places have a form that few have. The test goes over a
// block of places at a time and stores a byte for each, without a branch, so that compilers make
// vector code of it; then only the places that passed are looked at.
#ifndef FORMAT_FIRMWARE_MARKS_H
#define FORMAT_FIRMWARE_MARKS_H

#include "format/bytes.h"

enum { MARKS_BLOCK = 64 }; // places

// A bit for each of MARKS_BLOCK bytes that are 0 or 1.
static inline uint64_t marks_pack(const uint8_t *hit)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < MARKS_BLOCK; i += 8) // the product's high byte has bit k of byte k
        bits |= (ld64(hit + i) * UINT64_C(0x0102040810204080) >> 56) << i;
    return bits;
}

// The place of the first bit; there is one.
static inline unsigned marks_first(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

#endif
