// The instruction set of images whose container does not tell it, or not whether Arm code is Thumb:
// return instructions are counted. Each pattern below turns up once in 65536 places by chance, and
// in every function of its own ISA.
#include "format/firmware/scan.h"

enum { ISA_RETURNS_MIN = 40 }; // MicroPython has thousands of functions

struct counts {
    unsigned thumb, arm, riscv, xtensa;
};

// The loops below have blocks of one length and counters as narrow as what they count, so that
// compilers make vector code of them: every byte of an image comes by here.
enum { BLOCK = 64 };

static unsigned count_thumb(const uint8_t *p)
{
    uint16_t n = 0;
    for (unsigned i = 0; i < BLOCK; i++) {
        uint16_t hw = ld16(p + 2 * i);
        // bx lr; pop {r4, pc} and its like
        n = (uint16_t)(n + ((hw == 0x4770) | (hw == 0xbd10) | (hw == 0xbd38) | (hw == 0xbd70) |
                            (hw == 0xbdf0) | (hw == 0xbdf8)));
    }
    return n;
}

static unsigned count_riscv(const uint8_t *p)
{
    uint16_t n = 0;
    for (unsigned i = 0; i < BLOCK; i++)
        n = (uint16_t)(n + (ld16(p + 2 * i) == 0x8082)); // c.jr ra
    return n;
}

// Saves of the return address on the stack, as RV32 (c.swsp ra) and as RV64 (c.sdsp ra) write them.
static unsigned count_saves32(const uint8_t *p)
{
    uint16_t n = 0;
    for (unsigned i = 0; i < BLOCK; i++)
        n = (uint16_t)(n + ((ld16(p + 2 * i) & 0xe07f) == 0xc006));
    return n;
}

static unsigned count_saves64(const uint8_t *p)
{
    uint16_t n = 0;
    for (unsigned i = 0; i < BLOCK; i++)
        n = (uint16_t)(n + ((ld16(p + 2 * i) & 0xe07f) == 0xe006));
    return n;
}

static unsigned count_arm(const uint8_t *p)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < BLOCK; i++) {
        uint32_t word = ld32(p + 4 * i);
        n += (word == 0xe12fff1e) | ((word & 0xffffe000) == 0xe8bd8000); // bx lr, pop {.., pc}
    }
    return n;
}

static unsigned count_xtensa(const uint8_t *p)
{
    uint8_t n = 0;
    for (unsigned i = 0; i < BLOCK; i++)
        n = (uint8_t)(n + ((p[i + 1] == 0xf0) & ((p[i] & 0xef) == 0x0d))); // ret.n, retw.n
    return n;
}

struct pattern {
    unsigned (*count)(const uint8_t *p); // in BLOCK units
    unsigned unit, reach;                // bytes: from one place to the next, of the last one read
};

// In how many places of size bytes at p the pattern is.
static unsigned count(const struct pattern *t, const uint8_t *p, uint64_t size)
{
    uint8_t rest[4 * BLOCK + 4] = {0};
    unsigned n = 0;
    for (; in_range(BLOCK * t->unit, t->reach - t->unit, size); size -= BLOCK * t->unit) {
        n += t->count(p);
        p += BLOCK * t->unit;
    }
    memcpy(rest, p, (size_t)size);
    return n + t->count(rest);
}

static void count_span(struct counts *c, const struct view_span *s)
{
    static const struct pattern thumb = {count_thumb, 2, 2}, riscv = {count_riscv, 2, 2},
                                arm = {count_arm, 4, 4}, xtensa = {count_xtensa, 1, 2};
    uint64_t odd = s->run & 1, skip = -s->run & 3;
    if (s->size < 4)
        return;
    c->thumb += count(&thumb, s->data + odd, s->size - odd);
    c->riscv += count(&riscv, s->data + odd, s->size - odd);
    c->arm += count(&arm, s->data + skip, s->size - skip);
    c->xtensa += count(&xtensa, s->data, s->size);
}

// The registers of RISC-V code: what its functions save tells how wide they are. Where string pools
// were found, their pointers have told it.
static enum image_machine riscv_width(const struct scan *s)
{
    static const struct pattern saves32 = {count_saves32, 2, 2}, saves64 = {count_saves64, 2, 2};
    unsigned narrow = 0, wide = 0;
    for (unsigned i = 0; i < s->view.n; i++) {
        const struct view_span *p = &s->view.spans[i];
        uint64_t odd = p->run & 1;
        if (p->flags & IMAGE_X && p->size >= 4) {
            narrow += count(&saves32, p->data + odd, p->size - odd);
            wide += count(&saves64, p->data + odd, p->size - odd);
        }
    }
    return wide > narrow ? IMAGE_ISA_RV64 : IMAGE_ISA_RV32;
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
    if (isa == IMAGE_ISA_RV32 && !s->fw->n_pools)
        isa = riscv_width(s);
    s->fw->isa = isa;
    scan_note(s, "isa", 0, "return instructions: thumb, arm, risc-v, xtensa", "%s (%u, %u, %u, %u)",
              fw_isa_name(isa), c.thumb, c.arm, c.riscv, c.xtensa);
}
