// References in A32 code: literal words that an LDR loads, and movw/movt pairs; and the forms of
// position-independent code of both instruction sets: a literal that counts from the pc where it is
// added, or from the GOT base.
//
// Facts: Arm Architecture Reference Manual, LDR (literal) A1, MOVW A2, MOVT A1; ELF for the Arm
// Architecture (GOT-relative relocations).
#include "format/firmware/flow.h"
#include "format/firmware/ref_pair.h"

enum {
    ARM_LITERAL_REACH = 4096,
    ARM_PAIR_MAX = 256, // bytes between ldr and add pc
};

static bool loads_literal(uint32_t insn, uint64_t at, uint64_t literal)
{
    if ((insn & 0x0f7f0000) != 0x051f0000 || insn >> 28 == 15)
        return false;
    uint64_t offset = insn & 0xfff, pc = at + 8;
    return (insn & 0x00800000 ? pc + offset : pc - offset) == literal;
}

static uint64_t find_user(const struct view *v, uint64_t literal)
{
    uint64_t at = literal > ARM_LITERAL_REACH + 8 ? literal - ARM_LITERAL_REACH - 8 : 0;
    const struct view_span *s = view_span_at(v, literal); // hardly anything is outside of it
    for (; at < literal + ARM_LITERAL_REACH; at += 4) {
        uint32_t insn;
        bool inside = s && in_range(at - s->run, 4, s->size);
        if (inside)
            insn = ld32(s->data + (at - s->run));
        if ((inside || view_u32(v, at, &insn)) && loads_literal(insn, at, literal))
            return at;
    }
    return 0;
}

static void literals_of(struct ref_sweep *r, struct ref_target *t)
{
    const struct view *v = &r->scan->view;
    uint32_t i = 0;
    uint64_t at;
    while (view_users(v, t->addr, &i, &at) && ref_spend(r, 2 * ARM_LITERAL_REACH)) {
        uint64_t user = find_user(v, at);
        if (user)
            ref_add(r, t, &(struct fw_ref){.kind = FW_REF_WORD, .addr = at, .user = user});
    }
}

static bool is_move(const uint8_t *p, uint32_t op, unsigned *rd, uint16_t *half)
{
    uint32_t insn = ld32(p);
    *rd = insn >> 12 & 15;
    *half = (uint16_t)((insn >> 4 & 0xf000) | (insn & 0xfff));
    return (insn & 0x0ff00000) == op && insn >> 28 != 15;
}

static bool is_movw(const uint8_t *p, unsigned *rd, uint16_t *half)
{
    return is_move(p, 0x03000000, rd, half);
}

static bool is_movt(const uint8_t *p, unsigned *rd, uint16_t *half)
{
    return is_move(p, 0x03400000, rd, half);
}

static uint64_t movws_in(const uint8_t *p)
{
    uint8_t hit[MARKS_BLOCK];
    for (unsigned i = 0; i < MARKS_BLOCK; i++)
        hit[i] = (ld32(p + 4 * i) & 0x0ff00000) == 0x03000000;
    return marks_pack(hit);
}

static const struct ref_pair moves = {4, movws_in, is_movw, is_movt};

// --- position-independent code

// A literal word at addr whose use adds base to it.
static void pic_literal(struct ref_sweep *r, uint64_t addr, uint64_t base, uint64_t user)
{
    uint32_t word;
    if (addr & 3 || !view_u32(&r->scan->view, addr, &word))
        return;
    struct ref_target *t = ref_target_at(r, (uint32_t)(word + base));
    struct fw_ref ref = {.kind = FW_REF_PCREL_WORD, .addr = addr, .next = base, .user = user};
    if (t)
        ref_add(r, t, &ref);
}

// Thumb "ldr rt, [pc, #n]" at s->data[at]: the register and the literal's address.
static bool thumb_load(const struct view_span *s, uint64_t at, unsigned *rt, uint64_t *literal)
{
    uint16_t a = ld16(s->data + at), b = ld16(s->data + at + 2);
    uint64_t pc = (s->run + at + 4) & ~3ULL;
    *rt = a >> 8 & 7;
    *literal = pc + 4 * (a & 0xff);
    if ((a & 0xf800) == 0x4800)
        return true;
    *rt = b >> 12;
    *literal = a & 0x80 ? pc + (b & 0xfff) : pc - (b & 0xfff);
    return (a & 0xff7f) == 0xf85f;
}

// The "add rt, pc" that follows a load of rt.
static void thumb_add_pc(struct ref_sweep *r, const struct view_span *s, uint64_t at, unsigned rt,
                         uint64_t literal)
{
    for (uint64_t k = at + 2; k < at + ARM_PAIR_MAX && in_range(k, 4, s->size); k += 2) {
        uint16_t insn = ld16(s->data + k);
        if ((insn & 0xff78) == 0x4478 && ((insn & 7) | (insn >> 4 & 8)) == rt)
            pic_literal(r, literal, s->run + k + 4, s->run + at);
    }
}

static bool a32_load(const struct view_span *s, uint64_t at, unsigned *rt, uint64_t *literal)
{
    uint32_t insn = ld32(s->data + at);
    uint64_t pc = s->run + at + 8, offset = insn & 0xfff;
    *rt = insn >> 12 & 15;
    *literal = insn & 0x00800000 ? pc + offset : pc - offset;
    return !((s->run + at) & 3) && (insn & 0x0f7f0000) == 0x051f0000;
}

// The "add rd, pc, rt" that follows a load of rt.
static void a32_add_pc(struct ref_sweep *r, const struct view_span *s, uint64_t at, unsigned rt,
                       uint64_t literal)
{
    for (uint64_t k = at + 4; k < at + ARM_PAIR_MAX && in_range(k, 4, s->size); k += 4) {
        uint32_t add = ld32(s->data + k);
        if ((add & 0x0fff0ff0) == 0x008f0000 && (add & 15) == rt)
            pic_literal(r, literal, s->run + k + 8, s->run + at);
    }
}

static void sweep_pic(struct ref_sweep *r)
{
    const struct view *v = &r->scan->view;
    uint64_t got, literal;
    bool has_got = view_dynamic(v, VIEW_DT_PLTGOT, &got);
    struct view_span span, *s = &span;
    for (unsigned i = 0; ref_next_code(r, &i, s);) {
        for (uint64_t at = s->run & 1; in_range(at, 4, s->size); at += 2) {
            unsigned rt;
            bool a32 = a32_load(s, at, &rt, &literal);
            if (a32)
                a32_add_pc(r, s, at, rt, literal);
            if (a32 && has_got)
                pic_literal(r, literal, got, s->run + at);
            if (!thumb_load(s, at, &rt, &literal))
                continue;
            thumb_add_pc(r, s, at, rt, literal);
            if (has_got)
                pic_literal(r, literal, got, s->run + at);
        }
    }
}

// --- flow

static void always(uint32_t insn, struct flow_step *s, enum flow_kind kind)
{
    if (insn >> 28 == 14)
        s->kind = kind;
}

static bool step(const struct view *v, uint64_t at, struct flow_step *s)
{
    uint32_t insn;
    if (at & 3 || !view_u32(v, at, &insn))
        return false;
    s->size = 4;
    uint64_t offset = insn & 0xfff;
    if ((insn & 0x0f7f0000) == 0x051f0000)
        s->literal = insn & 0x00800000 ? at + 8 + offset : at + 8 - offset;
    if ((insn & 0x0e000000) == 0x0a000000 && insn >> 28 != 15) { // b, bl
        s->target = at + 8 + (uint64_t)((int64_t)(int32_t)(insn << 8) >> 6);
        s->kind = insn & 0x01000000 ? FLOW_CALL : insn >> 28 == 14 ? FLOW_JUMP : FLOW_BRANCH;
    } else if ((insn & 0x0ffffff0) == 0x012fff30 || insn >> 25 == 0x7d) { // blx
        s->kind = FLOW_CALL;
    } else if ((insn & 0x0ffffff0) == 0x012fff10 || (insn & 0x0e108000) == 0x08108000 ||
               (insn & 0x0c10f000) == 0x0410f000 || (insn & 0x0feff000) == 0x01a0f000) {
        always(insn, s, FLOW_END); // bx, ldm with pc, ldr pc, mov pc
    } else if ((insn & 0x0fff0000) == 0x008f0000 && (insn >> 12 & 15) == 15) {
        always(insn, s, FLOW_END); // add pc, pc, n
    }
    return true;
}

static uint64_t next_call(const uint8_t *p, uint64_t at, uint64_t n)
{
    for (; in_range(at, 4, n); at += 4)
        if ((p[at + 3] & 15) == 11)
            return at;
    return n;
}

static void sweep(struct ref_sweep *r)
{
    struct view_span span;
    for (unsigned i = 0; !r->collect && i < r->n; i++)
        literals_of(r, &r->targets[i]);
    for (unsigned i = 0; ref_next_code(r, &i, &span);)
        ref_pairs(r, &span, &moves);
    if (r->scan->view.image->pic)
        sweep_pic(r);
}

const struct ref_isa ref_arm = {
    .isa = IMAGE_ISA_ARM,
    .sweep = sweep,
    .user = find_user,
    .step = step,
    .next_call = next_call,
    .align = 4,
};
