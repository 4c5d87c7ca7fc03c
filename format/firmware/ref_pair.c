// References that a movw and a movt make together, the same search for both Arm instruction sets.
// Constants differ in their low halves mostly: a movw is followed only if some target ends in it.
#include "format/firmware/ref_pair.h"

enum { PAIR_MAX = 256 }; // bytes between movw and movt

static void pair_from(struct ref_sweep *r, const struct view_span *span, const struct ref_pair *set,
                      uint64_t at, unsigned rd, uint16_t low)
{
    for (uint64_t k = at + 4; k < at + PAIR_MAX && in_range(k, 4, span->size); k += set->align) {
        unsigned other;
        uint16_t high;
        if (set->movw(span->data + k, &other, &high) && other == rd)
            return;
        if (!set->movt(span->data + k, &other, &high) || other != rd)
            continue;
        struct ref_target *t = ref_target_at(r, (uint32_t)high << 16 | low);
        if (t)
            ref_add(r, t,
                    &(struct fw_ref){.kind = FW_REF_MOVW_MOVT,
                                     .addr = span->run + at,
                                     .addr2 = span->run + k,
                                     .user = span->run + at});
        return;
    }
}

// At which of the places from offset at on a movw may begin.
static uint64_t movws_at(const struct view_span *span, const struct ref_pair *set, uint64_t at)
{
    uint64_t found = 0;
    if (in_range(at, MARKS_BLOCK * set->align, span->size))
        found = set->movws(span->data + at);
    else
        for (unsigned i = 0; in_range(at + (uint64_t)i * set->align, 4, span->size); i++)
            found |= UINT64_C(1) << i;
    return found;
}

void ref_pairs(struct ref_sweep *r, const struct view_span *span, const struct ref_pair *set)
{
    struct sieve lows = {{0}};
    uint64_t start = -span->run & (set->align - 1);
    for (unsigned i = 0; i < r->n; i++)
        sieve_put(&lows, r->targets[i].addr & 0xffff);
    for (uint64_t at = start; in_range(at, 4, span->size); at += MARKS_BLOCK * set->align)
        for (uint64_t movws = movws_at(span, set, at); movws; movws &= movws - 1) {
            uint64_t movw = at + marks_first(movws) * set->align;
            unsigned rd;
            uint16_t low;
            if (in_range(movw, 4, span->size) && set->movw(span->data + movw, &rd, &low) &&
                sieve_may_hold(&lows, low))
                pair_from(r, span, set, movw, rd, low);
        }
}
