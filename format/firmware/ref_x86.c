// References in 32-bit x86 code: displacements from the GOT base in position-independent code,
// absolute operands elsewhere. x86 code cannot be decoded without a start; a displacement counts
// when the bytes before it form an operand with a 32-bit displacement.
//
// Facts: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2; System
// V ABI, Intel386 supplement (GOT base).
#include "format/firmware/flow.h"

static bool has_disp32(const uint8_t *p, uint64_t at)
{
    uint8_t modrm = at >= 2 ? p[at - 1] : 0, sib = at >= 3 ? p[at - 2] : 0;
    return ((modrm & 0xc0) == 0x80 && (modrm & 7) != 4) || (sib & 0xc7) == 0x84;
}

// Is the displacement at p[at] that of "mov reg, [base + n]" with the GOT base in a register?
// Offsets of words of the GOT are often those of local variables, too, and of members of large
// structures: the frame's registers do not count, and others than ebx, which calls of the PLT need,
// only with a negative offset.
static bool loads_slot(const uint8_t *p, uint64_t at)
{
    enum { EBX = 3, ESP, EBP };
    if (at < 2 || p[at - 2] != 0x8b || (p[at - 1] & 0xc0) != 0x80)
        return false;
    unsigned base = p[at - 1] & 7;
    return base == EBX || (base != ESP && base != EBP && p[at + 3] & 0x80);
}

static void gotoff(struct ref_sweep *r, const struct view_span *s, uint64_t at, uint64_t got)
{
    struct ref_target *t = ref_target_at(r, (uint32_t)(ld32(s->data + at) + got));
    struct fw_ref ref = {.kind = FW_REF_GOTOFF32, .addr = s->run + at, .next = got};
    if (!t || !has_disp32(s->data, at))
        return;
    if (!t->slot_of || loads_slot(s->data, at))
        ref.user = ref.addr;
    ref_add(r, t, &ref);
}

static void absolute(struct ref_sweep *r, const struct view_span *s, uint64_t at)
{
    struct ref_target *t = ref_target_at(r, ld32(s->data + at));
    struct fw_ref ref = {.kind = FW_REF_ABS32, .addr = s->run + at, .user = s->run + at};
    if (t)
        ref_add(r, t, &ref);
}

static uint64_t next_call(const uint8_t *p, uint64_t at, uint64_t n)
{
    const uint8_t *call = at < n ? memchr(p + at, 0xe8, n - at) : NULL;
    return call ? (uint64_t)(call - p) : n;
}

static void sweep(struct ref_sweep *r)
{
    uint64_t got = 0, low = r->n && !r->collect ? r->targets[0].addr : 0;
    bool pic = r->scan->view.image->pic && view_dynamic(&r->scan->view, VIEW_DT_PLTGOT, &got);
    uint64_t width = r->collect ? UINT32_MAX : r->n ? r->targets[r->n - 1].addr - low : 0;
    struct view_span s;
    for (unsigned i = 0; (r->n || r->collect) && ref_next_code(r, &i, &s);)
        for (uint64_t at = 1; in_range(at, 4, s.size); at++) {
            if ((uint32_t)(ld32(s.data + at) + got - low) > width)
                continue;
            if (pic)
                gotoff(r, &s, at, got);
            else
                absolute(r, &s, at);
        }
}

const struct ref_isa ref_x86 = {
    .isa = IMAGE_ISA_X86,
    .sweep = sweep,
    .step = flow_step_x86,
    .next_call = next_call,
    .align = 1,
};
