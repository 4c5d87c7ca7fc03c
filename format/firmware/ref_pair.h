// The inside of the scan: pairs of movw and movt (ref_pair.c).
#ifndef FORMAT_FIRMWARE_REF_PAIR_H
#define FORMAT_FIRMWARE_REF_PAIR_H

#include "format/firmware/scan.h"

enum { REF_PAIR_BLOCK = 64 }; // bytes

struct ref_pair { // one instruction set's
    unsigned align;
    // Where in the REF_PAIR_BLOCK bytes at p the first movw may begin; all of them if none does.
    unsigned (*first)(const uint8_t *p);
    // Is the instruction at p one, which register and half does it set?
    bool (*movw)(const uint8_t *p, unsigned *rd, uint16_t *half);
    bool (*movt)(const uint8_t *p, unsigned *rd, uint16_t *half);
};

void ref_pairs(struct ref_sweep *r, const struct view_span *span, const struct ref_pair *set);

#endif
