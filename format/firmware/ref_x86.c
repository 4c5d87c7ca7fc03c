// References in 32-bit x86 code: displacements from the GOT base in position-independent code,
// absolute operands elsewhere. x86 code cannot be decoded without a start; a displacement counts
// when the bytes before it form an operand with a 32-bit displacement.
//
// Facts: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2; System
// V ABI, Intel386 supplement (GOT base).
#include "format/firmware/scan.h"

static bool has_disp32(const uint8_t *p, uint64_t at)
{
    uint8_t modrm = at >= 2 ? p[at - 1] : 0, sib = at >= 3 ? p[at - 2] : 0;
    return ((modrm & 0xc0) == 0x80 && (modrm & 7) != 4) || (sib & 0xc7) == 0x84;
}

static void gotoff(struct ref_sweep *r, const struct view_span *s, uint64_t at, uint64_t got)
{
    struct ref_target *t = ref_target_at(r, (uint32_t)(ld32(s->data + at) + got));
    if (t && has_disp32(s->data, at))
        ref_add(r, t, &(struct fw_ref){.kind = FW_REF_GOTOFF32, .addr = s->run + at, .next = got});
}

static void absolute(struct ref_sweep *r, const struct view_span *s, uint64_t at)
{
    struct ref_target *t = ref_target_at(r, ld32(s->data + at));
    if (t)
        ref_add(r, t, &(struct fw_ref){.kind = FW_REF_ABS32, .addr = s->run + at});
}

static void sweep(struct ref_sweep *r)
{
    const struct view *v = &r->scan->view;
    uint64_t got = 0, low = r->n ? r->targets[0].addr : 0;
    bool pic = v->image->pic && view_dynamic(v, VIEW_DT_PLTGOT, &got);
    uint64_t width = r->n ? r->targets[r->n - 1].addr - low : 0;
    for (unsigned i = 0; r->n && i < v->n; i++) {
        const struct view_span *s = &v->spans[i];
        if (!(s->flags & IMAGE_X))
            continue;
        for (uint64_t at = 1; in_range(at, 4, s->size); at++) {
            if ((uint32_t)(ld32(s->data + at) + got - low) > width)
                continue;
            if (pic)
                gotoff(r, s, at, got);
            else
                absolute(r, s, at);
        }
    }
}

const struct ref_isa ref_x86 = {IMAGE_ISA_X86, sweep, NULL, NULL, NULL};
