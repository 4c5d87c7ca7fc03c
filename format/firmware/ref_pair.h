// The inside of the scan: pairs of movw and movt (ref_pair.c).
#ifndef FORMAT_FIRMWARE_REF_PAIR_H
#define FORMAT_FIRMWARE_REF_PAIR_H

#include "format/firmware/marks.h"
#include "format/firmware/scan.h"

struct ref_pair { // one instruction set's
    unsigned align;
    // At which of the MARKS_BLOCK places from p on a movw may begin.
    uint64_t (*movws)(const uint8_t *p);
    // Is the instruction at p one, which register and half does it set?
    bool (*movw)(const uint8_t *p, unsigned *rd, uint16_t *half);
    bool (*movt)(const uint8_t *p, unsigned *rd, uint16_t *half);
};

void ref_pairs(struct ref_sweep *r, const struct view_span *span, const struct ref_pair *set);

#endif
