// References in RISC-V code, 32 and 64 bit: lui or auipc, and every instruction that adds a low
// part to that register. Code is read in order; the last high part of each register is remembered.
//
// Facts: RISC-V Unprivileged ISA, chapters 2 and 16 (C extension).
#include "format/firmware/flow.h"

enum {
    RV_REGISTERS = 32,
    RV_PAIR_MAX = 0x800, // bytes from a lui or auipc to its user
    // The same when the register was written in between in the order of addresses: the user may be
    // reached on another path.
    RV_STALE_MAX = 0x40,
};

struct high {
    uint64_t at, value; // at 0 = none
    enum fw_ref_kind kind;
    bool stale;
};

struct highs {
    struct high of[RV_REGISTERS];
    uint64_t fork; // the last branch or jump that was passed
};

// Without a branch between the high part and here no path leads past this instruction.
static void spoil(struct highs *regs, unsigned rd)
{
    struct high *h = &regs->of[rd];
    if (h->at > regs->fork)
        h->at = 0;
    h->stale = true;
}

// A call may change ra, t0 to t6 and a0 to a7.
static void spoil_scratch(struct highs *regs)
{
    for (unsigned i = 1; i < RV_REGISTERS; i++)
        if (i == 1 || (i >= 5 && i <= 7) || (i >= 10 && i <= 17) || i >= 28)
            spoil(regs, i);
}

static uint64_t sign32(uint32_t v)
{
    return (uint64_t)(int64_t)(int32_t)v;
}

static void set_high(struct highs *regs, uint32_t insn, uint64_t at, uint64_t mask)
{
    unsigned rd = insn >> 7 & 31;
    if ((insn & 0x7f) == 0x37)
        regs->of[rd] = (struct high){at, sign32(insn & 0xfffff000) & mask, FW_REF_LUI_LO12, false};
    else
        regs->of[rd] =
            (struct high){at, (at + sign32(insn & 0xfffff000)) & mask, FW_REF_AUIPC_LO12, false};
    regs->of[0].at = 0;
}

// The register that a 16-bit instruction writes.
static void spoil_compressed(struct highs *regs, uint16_t insn)
{
    unsigned funct = insn >> 13, rd = insn >> 7 & 31;
    switch (insn & 3) {
    case 0: // c.addi4spn, loads; the rest are stores
        if (funct < 4)
            spoil(regs, 8 + (insn >> 2 & 7));
        break;
    case 1: // c.addi, c.jal or c.addiw, c.li, c.lui; c.srli and arithmetic; jumps
        if (funct < 4)
            spoil(regs, rd);
        else if (funct == 4)
            spoil(regs, 8 + (insn >> 7 & 7));
        break;
    default: // c.slli, loads from the stack; c.mv, c.add, c.jalr
        if (funct < 4 || (funct == 4 && (insn >> 2 & 31)))
            spoil(regs, rd);
        else if (funct == 4 && (insn & 0x1000))
            spoil_scratch(regs);
        break;
    }
}

// The register that a 32-bit instruction other than lui and auipc writes.
static void spoil_written(struct highs *regs, uint32_t insn)
{
    unsigned op = insn & 0x7f, rd = insn >> 7 & 31;
    if ((op == 0x6f || op == 0x67) && rd == 1)
        spoil_scratch(regs);
    else if (op != 0x23 && op != 0x27 && op != 0x63) // not stores and branches
        spoil(regs, rd);
}

// c.lui has a six-bit immediate; the linker makes it of a lui that fits.
static void set_compressed(struct highs *regs, uint16_t insn, uint64_t at, uint64_t mask)
{
    unsigned rd = insn >> 7 & 31;
    uint32_t imm = (uint32_t)(insn >> 2 & 31) << 12 | ((insn & 0x1000) ? 0xfffe0000u : 0);
    if ((insn & 0xe003) == 0x6001 && rd != 0 && rd != 2)
        regs->of[rd] = (struct high){at, sign32(imm) & mask, FW_REF_LUI_LO12, false};
    else
        spoil_compressed(regs, insn);
}

// addi, loads (I type) and stores (S type): the register and the low part.
static bool low_part(uint32_t insn, unsigned *rs, uint64_t *low)
{
    unsigned op = insn & 0x7f;
    *rs = insn >> 15 & 31;
    if (op == 0x03 || op == 0x07 || (op == 0x13 && (insn & 0x7000) == 0)) {
        *low = (uint64_t)((int64_t)(int32_t)insn >> 20);
        return true;
    }
    if (op != 0x23)
        return false;
    *low = (uint64_t)((int64_t)(int32_t)(insn & 0xfe000000) >> 20) | (insn >> 7 & 31);
    return true;
}

static void use(struct ref_sweep *r, const struct highs *regs, uint32_t insn, uint64_t at,
                uint64_t mask)
{
    unsigned rs;
    uint64_t low;
    if (!low_part(insn, &rs, &low))
        return;
    const struct high *h = &regs->of[rs];
    if (!h->at || at - h->at > (h->stale ? RV_STALE_MAX : RV_PAIR_MAX))
        return;
    struct ref_target *t = ref_target_at(r, (h->value + low) & mask);
    if (t)
        ref_add(r, t, &(struct fw_ref){.kind = h->kind, .addr = h->at, .addr2 = at, .user = at});
}

// Branches and jumps, not calls.
static bool is_fork(uint32_t insn)
{
    unsigned op = insn & 0x7f, funct = insn >> 13 & 7, rd = insn >> 7 & 31;
    switch (insn & 3) {
    case 1: // c.j, c.beqz, c.bnez
        return funct >= 5;
    case 2: // c.jr
        return (insn & 0xf07f) == 0x8002;
    case 3:
        return op == 0x63 || ((op == 0x6f || op == 0x67) && rd == 0);
    default:
        return false;
    }
}

static void sweep_span(struct ref_sweep *r, const struct view_span *span)
{
    struct highs regs = {.fork = 0};
    uint64_t mask = r->scan->view.ptr == 8 ? UINT64_MAX : UINT32_MAX;
    for (uint64_t at = span->run & 1; in_range(at, 4, span->size);) {
        uint32_t insn = ld32(span->data + at);
        regs.fork = is_fork(insn) ? span->run + at : regs.fork;
        if ((insn & 3) != 3) {
            set_compressed(&regs, (uint16_t)insn, span->run + at, mask);
            at += 2;
            continue;
        }
        if ((insn & 0x7f) == 0x37 || (insn & 0x7f) == 0x17)
            set_high(&regs, insn, span->run + at, mask);
        else
            use(r, &regs, insn, span->run + at, mask), spoil_written(&regs, insn);
        at += 4;
    }
}

// --- flow

static uint64_t jump_offset(uint32_t i) // J type
{
    return sign32((i >> 31 ? 0xfff00000 : 0) | (i & 0xff000) | (i >> 9 & 0x800) |
                  (i >> 20 & 0x7fe));
}

static uint64_t branch_offset(uint32_t i) // B type
{
    return sign32((i >> 31 ? 0xfffff000 : 0) | (i << 4 & 0x800) | (i >> 20 & 0x7e0) |
                  (i >> 7 & 0x1e));
}

static uint64_t short_jump_offset(uint32_t i) // c.j, c.jal
{
    return sign32((i & 0x1000 ? 0xfffff800 : 0) | (i << 2 & 0x400) | (i >> 1 & 0x300) |
                  (i << 1 & 0x80) | (i >> 1 & 0x40) | (i << 3 & 0x20) | (i >> 7 & 0x10) |
                  (i >> 2 & 0xe));
}

static uint64_t short_branch_offset(uint32_t i) // c.beqz, c.bnez
{
    return sign32((i & 0x1000 ? 0xffffff00 : 0) | (i << 1 & 0xc0) | (i << 3 & 0x20) |
                  (i >> 7 & 0x18) | (i >> 2 & 6));
}

static void compressed_step(const struct view *v, uint64_t at, uint32_t i, struct flow_step *s)
{
    unsigned funct = i >> 13, rd = i >> 7 & 31, rs2 = i >> 2 & 31;
    s->size = 2;
    if (!i) {
        s->kind = FLOW_END; // no instruction
    } else if ((i & 3) == 1 && (funct == 5 || (funct == 1 && v->ptr == 4))) {
        s->kind = funct == 5 ? FLOW_JUMP : FLOW_CALL;
        s->target = at + short_jump_offset(i);
    } else if ((i & 3) == 1 && funct >= 6) {
        s->kind = FLOW_BRANCH;
        s->target = at + short_branch_offset(i);
    } else if ((i & 3) == 2 && funct == 4 && !rs2) { // c.jr, c.jalr, c.ebreak
        s->kind = i & 0x1000 && rd ? FLOW_CALL : FLOW_END;
    }
}

// auipc and jalr through the same register are one call or jump.
static void far_step(const struct view *v, uint64_t at, uint32_t i, struct flow_step *s)
{
    uint32_t j, rd = i >> 7 & 31;
    if (!view_u32(v, at + 4, &j) || (j & 0x7f) != 0x67 || (j >> 15 & 31) != rd || (j >> 7 & 31) > 1)
        return;
    s->size = 8;
    s->kind = j >> 7 & 31 ? FLOW_CALL : FLOW_JUMP;
    s->target = at + sign32(i & 0xfffff000) + (uint64_t)((int64_t)(int32_t)j >> 20);
}

static bool step(const struct view *v, uint64_t at, struct flow_step *s)
{
    uint32_t i = 0;
    uint16_t half;
    if (at & 1 || !view_u16(v, at, &half))
        return false;
    if ((half & 3) != 3) {
        compressed_step(v, at, half, s);
    } else if (view_u32(v, at, &i)) {
        unsigned op = i & 0x7f, rd = i >> 7 & 31;
        s->size = 4;
        s->kind = op == 0x63        ? FLOW_BRANCH
                  : op == 0x6f      ? (rd ? FLOW_CALL : FLOW_JUMP)
                  : op == 0x67      ? (rd ? FLOW_CALL : FLOW_END)
                  : i == 0x00100073 ? FLOW_END
                                    : FLOW_NEXT;
        s->target = op == 0x63 ? at + branch_offset(i) : op == 0x6f ? at + jump_offset(i) : 0;
        if (op == 0x17)
            far_step(v, at, i, s);
    }
    if (v->ptr == 4)
        s->target &= UINT32_MAX;
    return s->size != 0;
}

// jal ra, auipc ra or c.jal. The second half of an instruction may look like a call.
static uint64_t next_call(const uint8_t *p, uint64_t at, uint64_t n)
{
    for (; in_range(at, 4, n); at += (p[at] & 3) == 3 ? 4 : 2) {
        uint16_t half = ld16(p + at);
        if ((half & 0xfff) == 0x0ef || (half & 0xfff) == 0x097 || (half & 0xe003) == 0x2001)
            return at;
    }
    return n;
}

static void sweep(struct ref_sweep *r)
{
    struct view_span span;
    for (unsigned i = 0; ref_next_code(r, &i, &span);)
        sweep_span(r, &span);
}

const struct ref_isa ref_rv32 = {
    .isa = IMAGE_ISA_RV32,
    .sweep = sweep,
    .step = step,
    .next_call = next_call,
    .align = 2,
    .one_by_one = true,
};
const struct ref_isa ref_rv64 = {
    .isa = IMAGE_ISA_RV64,
    .sweep = sweep,
    .step = step,
    .next_call = next_call,
    .align = 2,
    .one_by_one = true,
};
