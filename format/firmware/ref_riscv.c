// References in RISC-V code, 32 and 64 bit: lui or auipc, and every instruction that adds a low
// part to that register. Code is read in order; the last high part of each register is remembered.
//
// Facts: RISC-V Unprivileged ISA, chapters 2 and 16 (C extension).
#include "format/firmware/scan.h"

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

static void spoil(struct high *regs, unsigned rd)
{
    regs[rd].stale = true;
}

// A call may change ra, t0 to t6 and a0 to a7.
static void spoil_scratch(struct high *regs)
{
    for (unsigned i = 1; i < RV_REGISTERS; i++)
        if (i == 1 || (i >= 5 && i <= 7) || (i >= 10 && i <= 17) || i >= 28)
            spoil(regs, i);
}

static uint64_t sign32(uint32_t v)
{
    return (uint64_t)(int64_t)(int32_t)v;
}

static void set_high(struct high *regs, uint32_t insn, uint64_t at, uint64_t mask)
{
    unsigned rd = insn >> 7 & 31;
    if ((insn & 0x7f) == 0x37)
        regs[rd] = (struct high){at, sign32(insn & 0xfffff000) & mask, FW_REF_LUI_LO12, false};
    else
        regs[rd] =
            (struct high){at, (at + sign32(insn & 0xfffff000)) & mask, FW_REF_AUIPC_LO12, false};
    regs[0].at = 0;
}

// The register that a 16-bit instruction writes.
static void spoil_compressed(struct high *regs, uint16_t insn)
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
static void spoil_written(struct high *regs, uint32_t insn)
{
    unsigned op = insn & 0x7f, rd = insn >> 7 & 31;
    if ((op == 0x6f || op == 0x67) && rd == 1)
        spoil_scratch(regs);
    else if (op != 0x23 && op != 0x27 && op != 0x63) // not stores and branches
        spoil(regs, rd);
}

// c.lui has a six-bit immediate; the linker makes it of a lui that fits.
static void set_compressed(struct high *regs, uint16_t insn, uint64_t at, uint64_t mask)
{
    unsigned rd = insn >> 7 & 31;
    uint32_t imm = (uint32_t)(insn >> 2 & 31) << 12 | ((insn & 0x1000) ? 0xfffe0000u : 0);
    if ((insn & 0xe003) == 0x6001 && rd != 0 && rd != 2)
        regs[rd] = (struct high){at, sign32(imm) & mask, FW_REF_LUI_LO12, false};
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

static void use(struct ref_sweep *r, const struct high *regs, uint32_t insn, uint64_t at,
                uint64_t mask)
{
    unsigned rs;
    uint64_t low;
    if (!low_part(insn, &rs, &low) || !regs[rs].at ||
        at - regs[rs].at > (regs[rs].stale ? RV_STALE_MAX : RV_PAIR_MAX))
        return;
    struct ref_target *t = ref_target_at(r, (regs[rs].value + low) & mask);
    if (t)
        ref_add(r, t, &(struct fw_ref){.kind = regs[rs].kind, .addr = regs[rs].at, .addr2 = at});
}

static void sweep_span(struct ref_sweep *r, const struct view_span *span)
{
    struct high regs[RV_REGISTERS] = {{0, 0, FW_REF_LUI_LO12, false}};
    uint64_t mask = r->scan->view.ptr == 8 ? UINT64_MAX : UINT32_MAX;
    for (uint64_t at = span->run & 1; in_range(at, 4, span->size);) {
        uint32_t insn = ld32(span->data + at);
        if ((insn & 3) != 3) {
            set_compressed(regs, (uint16_t)insn, span->run + at, mask);
            at += 2;
            continue;
        }
        if ((insn & 0x7f) == 0x37 || (insn & 0x7f) == 0x17)
            set_high(regs, insn, span->run + at, mask);
        else
            use(r, regs, insn, span->run + at, mask), spoil_written(regs, insn);
        at += 4;
    }
}

static void sweep(struct ref_sweep *r)
{
    const struct view *v = &r->scan->view;
    for (unsigned i = 0; i < v->n; i++)
        if (v->spans[i].flags & IMAGE_X)
            sweep_span(r, &v->spans[i]);
}

const struct ref_isa ref_rv32 = {IMAGE_ISA_RV32, sweep, NULL, NULL, NULL};
const struct ref_isa ref_rv64 = {IMAGE_ISA_RV64, sweep, NULL, NULL, NULL};
