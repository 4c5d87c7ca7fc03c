// References in RISC-V code, 32 and 64 bit: lui or auipc, and every instruction that adds a low
// part to that register. Code is read in order; the last high part of each register is remembered.
//
// Facts: RISC-V Unprivileged ISA, chapters 2 and 16 (C extension).
#include "format/firmware/scan.h"

enum {
    RV_REGISTERS = 32,
    RV_PAIR_MAX = 0x2000, // bytes from a lui or auipc to its user
};

struct high {
    uint64_t at, value; // at 0 = none
    enum fw_ref_kind kind;
};

static uint64_t sign32(uint32_t v)
{
    return (uint64_t)(int64_t)(int32_t)v;
}

static void set_high(struct high *regs, uint32_t insn, uint64_t at, uint64_t mask)
{
    unsigned rd = insn >> 7 & 31;
    if ((insn & 0x7f) == 0x37)
        regs[rd] = (struct high){at, sign32(insn & 0xfffff000) & mask, FW_REF_LUI_LO12};
    else
        regs[rd] = (struct high){at, (at + sign32(insn & 0xfffff000)) & mask, FW_REF_AUIPC_LO12};
    regs[0].at = 0;
}

// c.lui has a six-bit immediate; the linker makes it of a lui that fits.
static void set_compressed(struct high *regs, uint16_t insn, uint64_t at, uint64_t mask)
{
    unsigned rd = insn >> 7 & 31;
    uint32_t imm = (uint32_t)(insn >> 2 & 31) << 12 | ((insn & 0x1000) ? 0xfffe0000u : 0);
    if ((insn & 0xe003) == 0x6001 && rd != 0 && rd != 2)
        regs[rd] = (struct high){at, sign32(imm) & mask, FW_REF_LUI_LO12};
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
    if (!low_part(insn, &rs, &low) || !regs[rs].at || at - regs[rs].at > RV_PAIR_MAX)
        return;
    struct ref_target *t = ref_target_at(r, (regs[rs].value + low) & mask);
    if (t)
        ref_add(r, t, &(struct fw_ref){.kind = regs[rs].kind, .addr = regs[rs].at, .addr2 = at});
}

static void sweep_span(struct ref_sweep *r, const struct view_span *span)
{
    struct high regs[RV_REGISTERS] = {{0, 0, 0}};
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
            use(r, regs, insn, span->run + at, mask);
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
