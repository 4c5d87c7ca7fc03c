// References in x86-64 code: RIP-relative operands, and in programs at a fixed address absolute
// ones. Code is not decoded from a start; every place whose bytes before it form an instruction
// with a RIP-relative operand is a candidate, and one that gives a wanted address is a reference.
//
// Facts: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2.
#include "format/firmware/flow.h"

// Bytes of immediate operand behind the displacement of a one-byte-opcode instruction with modrm;
// -1 when the opcode takes no memory operand that could refer to data.
static int immediate_size(uint8_t op, uint8_t modrm)
{
    bool test = ((modrm >> 3) & 7) < 2;
    switch (op) {
    case 0x80:
    case 0x83:
    case 0x6b:
    case 0xc0:
    case 0xc1:
    case 0xc6:
        return 1;
    case 0x81:
    case 0x69:
    case 0xc7:
        return 4;
    case 0xf6:
        return test ? 1 : 0;
    case 0xf7:
        return test ? 4 : 0;
    case 0x8d:
    case 0x63:
    case 0xff:
    case 0xfe:
    case 0x84:
    case 0x85:
    case 0x86:
    case 0x87:
        return 0;
    default:
        if (op < 0x40 && (op & 7) < 4) // add or adc sbb and sub xor cmp
            return 0;
        return op >= 0x88 && op <= 0x8b ? 0 : -1; // mov
    }
}

// The size of the immediate of the instruction whose displacement is at p[at]; -1 = none ends
// there.
static int operand_at(const uint8_t *p, uint64_t at)
{
    if (at < 2 || (p[at - 1] & 0xc7) != 0x05)
        return -1;
    if (at >= 3 && p[at - 3] == 0x0f) // movzx, movaps, cmov, ...: no immediates that matter
        return p[at - 2] >= 0x10 && p[at - 2] != 0x38 && p[at - 2] != 0x3a ? 0 : -1;
    return immediate_size(p[at - 2], p[at - 1]);
}

static void try_place(struct ref_sweep *r, const struct view_span *span, uint64_t at)
{
    uint64_t disp = (uint64_t)(int64_t)(int32_t)ld32(span->data + at);
    uint64_t end = span->run + at + 4, value = end + disp;
    if (!r->collect && (value + 4 < r->targets[0].addr || value > r->targets[r->n - 1].addr))
        return;
    int imm = operand_at(span->data, at);
    if (imm < 0)
        return;
    struct ref_target *t = ref_target_at(r, value + (unsigned)imm);
    if (t)
        ref_add(r, t,
                &(struct fw_ref){.kind = FW_REF_RIP32,
                                 .addr = span->run + at,
                                 .next = end + (unsigned)imm,
                                 .user = span->run + at});
}

// Immediates and displacements of 32 bits; four bytes that are the address by chance turn up once
// in thousands of images.
static void try_absolute(struct ref_sweep *r, const struct view_span *span, uint64_t at)
{
    uint32_t value = ld32(span->data + at);
    bool near = r->collect || (value >= r->targets[0].addr && value <= r->targets[r->n - 1].addr);
    struct ref_target *t = near ? ref_target_at(r, value) : NULL;
    if (t)
        ref_add(
            r, t,
            &(struct fw_ref){.kind = FW_REF_ABS32, .addr = span->run + at, .user = span->run + at});
}

static uint64_t next_call(const uint8_t *p, uint64_t at, uint64_t n)
{
    const uint8_t *call = at < n ? memchr(p + at, 0xe8, n - at) : NULL;
    return call ? (uint64_t)(call - p) : n;
}

static void sweep(struct ref_sweep *r)
{
    struct view_span span;
    for (unsigned i = 0; (r->n || r->collect) && ref_next_code(r, &i, &span);)
        for (uint64_t at = 2; in_range(at, 4, span.size); at++) {
            try_place(r, &span, at);
            if (!r->scan->view.image->pic)
                try_absolute(r, &span, at);
        }
}

const struct ref_isa ref_x64 = {
    .isa = IMAGE_ISA_X64,
    .sweep = sweep,
    .step = flow_step_x64,
    .next_call = next_call,
    .align = 1,
};
