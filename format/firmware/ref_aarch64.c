// References in AArch64 code: adrp with an add or a load, and adr. Code is read in order; the last
// adrp of each register is remembered.
//
// Facts: Arm Architecture Reference Manual for A-profile, C4.1 (encodings).
#include "format/firmware/flow.h"

enum {
    A64_REGISTERS = 32,
    A64_PAIR_MAX = 0x1000, // bytes from an adrp to its user
    // The same when the register was written in between in the order of addresses: the user may be
    // reached on another path.
    A64_STALE_MAX = 0x80,
};

struct adrp {
    uint64_t at, page; // at 0 = none
    bool stale;
};

struct adrps {
    struct adrp of[A64_REGISTERS];
    uint64_t fork; // the last branch or jump that was passed
};

static void set_adrp(struct adrps *regs, uint32_t insn, uint64_t at)
{
    uint64_t imm = (uint64_t)(insn >> 5 & 0x7ffff) << 2 | (insn >> 29 & 3);
    uint64_t offset = (uint64_t)((int64_t)(imm << 43) >> 43) << 12;
    regs->of[insn & 31] = (struct adrp){at, (at & ~0xfffULL) + offset, false};
}

// The offset that an add or a load or store with unsigned offset adds to register rn.
static bool lo12(uint32_t insn, unsigned *rn, uint64_t *offset)
{
    *rn = insn >> 5 & 31;
    *offset = insn >> 10 & 0xfff;
    if ((insn & 0xffc00000) == 0x91000000) // add (64-bit), no shift
        return true;
    if ((insn & 0x3b000000) != 0x39000000) // load or store, unsigned offset
        return false;
    bool vector128 = (insn & 0x04800000) == 0x04800000 && insn >> 30 == 0;
    *offset <<= vector128 ? 4 : insn >> 30;
    return true;
}

static void use(struct ref_sweep *r, const struct adrps *regs, uint32_t insn, uint64_t at)
{
    unsigned rn;
    uint64_t offset;
    if (!lo12(insn, &rn, &offset))
        return;
    const struct adrp *a = &regs->of[rn];
    if (!a->at || at - a->at > (a->stale ? A64_STALE_MAX : A64_PAIR_MAX))
        return;
    struct ref_target *t = ref_target_at(r, a->page + offset);
    if (t)
        ref_add(r, t,
                &(struct fw_ref){.kind = FW_REF_ADRP_ADD, .addr = a->at, .addr2 = at, .user = at});
}

// Without a branch between the adrp and here no path leads past this instruction.
static void spoil_one(struct adrps *regs, unsigned rd)
{
    struct adrp *a = &regs->of[rd];
    if (a->at > regs->fork)
        a->at = 0;
    a->stale = true;
}

// Marks the registers that an instruction writes; a call leaves x19 and up.
static void spoil(struct adrps *regs, uint32_t insn)
{
    bool data = (insn & 0x1c000000) == 0x10000000 || (insn & 0x0e000000) == 0x0a000000;
    bool load = (insn & 0x0a000000) == 0x08000000 && (insn & 0x00c00000);
    if (data || load)
        spoil_one(regs, insn & 31);
    if ((insn & 0xfc000000) == 0x94000000 || (insn & 0xfffffc1f) == 0xd63f0000) // bl, blr
        for (unsigned i = 0; i < 19; i++)
            spoil_one(regs, i);
}

// Branches and jumps, not calls.
static bool is_fork(uint32_t insn)
{
    return (insn & 0xfc000000) == 0x14000000 || (insn & 0xff000000) == 0x54000000 ||
           (insn & 0x7c000000) == 0x34000000 || (insn & 0xfffffc1f) == 0xd61f0000;
}

static void adr(struct ref_sweep *r, uint32_t insn, uint64_t at)
{
    uint64_t imm = (uint64_t)(insn >> 5 & 0x7ffff) << 2 | (insn >> 29 & 3);
    struct ref_target *t = ref_target_at(r, at + (uint64_t)((int64_t)(imm << 43) >> 43));
    if (t)
        ref_add(r, t, &(struct fw_ref){.kind = FW_REF_ADR, .addr = at, .user = at});
}

static void sweep_span(struct ref_sweep *r, const struct view_span *span)
{
    struct adrps regs = {.fork = 0};
    for (uint64_t at = -span->run & 3; in_range(at, 4, span->size); at += 4) {
        uint32_t insn = ld32(span->data + at);
        regs.fork = is_fork(insn) ? span->run + at : regs.fork;
        if ((insn & 0x9f000000) == 0x90000000)
            set_adrp(&regs, insn, span->run + at);
        else if ((insn & 0x9f000000) == 0x10000000)
            adr(r, insn, span->run + at);
        else
            use(r, &regs, insn, span->run + at), spoil(&regs, insn);
    }
}

// --- flow

static uint64_t relative(uint64_t at, uint32_t imm, unsigned bits)
{
    return at + ((uint64_t)((int64_t)((uint64_t)imm << (64 - bits)) >> (64 - bits)) << 2);
}

static bool step(const struct view *v, uint64_t at, struct flow_step *s)
{
    uint32_t insn;
    if (at & 3 || !view_u32(v, at, &insn))
        return false;
    s->size = 4;
    if ((insn & 0x7c000000) == 0x14000000) { // b, bl
        s->kind = insn >> 31 ? FLOW_CALL : FLOW_JUMP;
        s->target = relative(at, insn & 0x3ffffff, 26);
    } else if ((insn & 0xff000000) == 0x54000000 || (insn & 0x7e000000) == 0x34000000) {
        s->kind = FLOW_BRANCH; // b.cond, cbz, cbnz
        s->target = relative(at, insn >> 5 & 0x7ffff, 19);
    } else if ((insn & 0x7e000000) == 0x36000000) { // tbz, tbnz
        s->kind = FLOW_BRANCH;
        s->target = relative(at, insn >> 5 & 0x3fff, 14);
    } else if ((insn & 0xfffffc1f) == 0xd63f0000) {
        s->kind = FLOW_CALL;
    } else if ((insn & 0xffbffc1f) == 0xd61f0000 || (insn & 0xfffffbff) == 0xd65f0bff ||
               (insn & 0xffe0001f) == 0xd4200000 || insn >> 16 == 0) {
        s->kind = FLOW_END; // br, ret, authenticated ret, brk, udf
    }
    return true;
}

static uint64_t next_call(const uint8_t *p, uint64_t at, uint64_t n)
{
    for (; in_range(at, 4, n); at += 4)
        if ((p[at + 3] & 0xfc) == 0x94)
            return at;
    return n;
}

static void sweep(struct ref_sweep *r)
{
    struct view_span span;
    for (unsigned i = 0; ref_next_code(r, &i, &span);)
        sweep_span(r, &span);
}

const struct ref_isa ref_aarch64 = {
    .isa = IMAGE_ISA_AARCH64,
    .sweep = sweep,
    .step = step,
    .next_call = next_call,
    .align = 4,
};
