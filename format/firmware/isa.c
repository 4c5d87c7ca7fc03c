// The instruction set of images whose container does not tell it, or not whether Arm code is Thumb:
// return instructions are counted. Each pattern below turns up once in 65536 places by chance, and
// in every function of its own ISA.
#include "format/firmware/scan.h"

enum { ISA_RETURNS_MIN = 40 }; // MicroPython has thousands of functions

struct counts {
    unsigned thumb, arm, riscv, xtensa;
};

static void count_halfword(struct counts *c, uint16_t hw)
{
    switch (hw) {
    case 0x4770: // bx lr
    case 0xbd10: // pop {r4, pc} and its like
    case 0xbd38:
    case 0xbd70:
    case 0xbdf0:
    case 0xbdf8:
        c->thumb++;
        break;
    case 0x8082: // c.jr ra
        c->riscv++;
        break;
    default:
        break;
    }
}

static void count_span(struct counts *c, const struct view_span *s)
{
    for (uint64_t at = s->run & 1; in_range(at, 4, s->size); at += 2) {
        count_halfword(c, ld16(s->data + at));
        uint32_t word = ld32(s->data + at);
        if (!((s->run + at) & 3))
            c->arm +=
                word == 0xe12fff1e || (word & 0xffffe000) == 0xe8bd8000; // bx lr, pop {.., pc}
    }
    for (uint64_t at = 0; in_range(at, 2, s->size); at++)
        c->xtensa += s->data[at + 1] == 0xf0 && (s->data[at] == 0x1d || s->data[at] == 0x0d);
}

static enum image_machine most(const struct counts *c, unsigned *n)
{
    enum image_machine isa = IMAGE_ISA_THUMB;
    *n = c->thumb;
    if (c->arm > *n)
        isa = IMAGE_ISA_ARM, *n = c->arm;
    if (c->riscv > *n)
        isa = IMAGE_ISA_RV32, *n = c->riscv;
    if (c->xtensa > *n)
        isa = IMAGE_ISA_XTENSA, *n = c->xtensa;
    return isa;
}

void isa_scan(struct scan *s)
{
    struct counts c = {0, 0, 0, 0};
    unsigned n;
    bool arm = s->fw->isa == IMAGE_ISA_ARM || s->fw->isa == IMAGE_ISA_THUMB;
    if (s->fw->isa != IMAGE_ISA_UNKNOWN && !arm)
        return;
    for (unsigned i = 0; i < s->view.n; i++)
        if (s->view.spans[i].flags & IMAGE_X)
            count_span(&c, &s->view.spans[i]);
    if (arm) // the container tells the family only
        c.riscv = c.xtensa = 0;
    enum image_machine isa = most(&c, &n);
    if (n < ISA_RETURNS_MIN)
        return;
    s->fw->isa = isa;
    scan_note(s, "isa", 0, "return instructions: thumb, arm, risc-v, xtensa", "%s (%u, %u, %u, %u)",
              fw_isa_name(isa), c.thumb, c.arm, c.riscv, c.xtensa);
}
