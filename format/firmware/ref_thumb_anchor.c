// References that link-time optimisation makes: an object is reached from the address of another
// one nearby, which the code has as a literal, by an offset in the instruction that uses it.
//
// Only addresses to which nothing refers directly are looked for: an object close to another one
// may be where an unrelated offset happens to lead.
//
// Facts: GCC's section anchors (-fsection-anchors); Arm Architecture Reference Manual, encodings of
// LDR, LDRB, ADD and SUB with immediates.
#include "format/firmware/marks.h"
#include "format/firmware/scan.h"

enum {
    ANCHOR_REGISTERS = 16,
    ANCHOR_REACH = 4096, // largest offset of an instruction
    ANCHOR_LIVE = 128,   // bytes of code for which a register is taken to keep the anchor
    ANCHOR_PAGE = ANCHOR_REACH,
};

struct anchor {
    uint64_t at, literal; // where it was loaded, from which word; at 0 = none
    uint32_t value;
};

struct anchors {
    struct ref_sweep *r;
    const struct view_span *span;
    struct anchor reg[ANCHOR_REGISTERS];
    uint64_t at;        // of the instruction
    uint64_t last;      // where an anchor was loaded last; ANCHOR_LIVE bytes on, none is held
    struct sieve pages; // ANCHOR_PAGE units of address space that are near to a target
};

static void sift(struct anchors *a)
{
    for (unsigned i = 0; i < a->r->n; i++)
        for (uint32_t k = 0; k < 3; k++)
            sieve_put(&a->pages, (uint32_t)a->r->targets[i].addr / ANCHOR_PAGE + k - 1);
}

static bool is_near(const struct ref_sweep *r, uint32_t value)
{
    for (unsigned i = 0; i < r->n; i++)
        if (r->targets[i].addr - value + ANCHOR_REACH < 2 * ANCHOR_REACH)
            return true;
    return false;
}

static void load_literal(struct anchors *a, unsigned rt, uint64_t literal)
{
    uint32_t value;
    a->reg[rt].at = 0;
    if (view_u32(&a->r->scan->view, literal, &value) && is_near(a->r, value)) {
        a->reg[rt] = (struct anchor){a->at, literal, value};
        a->last = a->at;
    }
}

static bool holds_anchor(const struct anchors *a, unsigned rn)
{
    return a->reg[rn].at && a->at - a->reg[rn].at < ANCHOR_LIVE;
}

static void use(struct anchors *a, unsigned rn, int32_t offset)
{
    if (!offset || !holds_anchor(a, rn))
        return;
    struct ref_target *t = ref_target_at(a->r, (uint32_t)(a->reg[rn].value + (uint32_t)offset));
    if (t && (!t->refs.n || t->refs.refs[0].addend))
        ref_add(a->r, t,
                &(struct fw_ref){.kind = FW_REF_WORD,
                                 .addr = a->reg[rn].literal,
                                 .addend = offset,
                                 .users = 1,
                                 .user = a->at});
}

static void forget(struct anchors *a, unsigned rd)
{
    a->reg[rd].at = 0;
}

// A call leaves r4 to r11.
static void forget_scratch(struct anchors *a)
{
    for (unsigned i = 0; i < 4; i++)
        forget(a, i);
    forget(a, 12);
}

// The register of a sum keeps the anchor of a term: the offset of the element comes on top.
static void propagate(struct anchors *a, unsigned rd, unsigned rn, unsigned rm)
{
    unsigned from = holds_anchor(a, rn) ? rn : rm;
    if (holds_anchor(a, from))
        a->reg[rd] = a->reg[from];
    else
        forget(a, rd);
}

static void narrow(struct anchors *a, uint16_t i)
{
    unsigned rn = i >> 3 & 7;
    if ((i & 0xf800) == 0x4800)
        load_literal(a, i >> 8 & 7, ((a->at + 4) & ~3ULL) + 4 * (i & 0xff));
    else if ((i & 0xf800) == 0x6800) // ldr rt, [rn, #imm5 * 4]
        use(a, rn, (i >> 6 & 31) * 4), forget(a, i & 7);
    else if ((i & 0xf800) == 0x7800) // ldrb rt, [rn, #imm5]
        use(a, rn, i >> 6 & 31), forget(a, i & 7);
    else if ((i & 0xfe00) == 0x1c00) // adds rd, rn, #imm3
        use(a, rn, i >> 6 & 7), forget(a, i & 7);
    else if ((i & 0xfe00) == 0x1e00) // subs rd, rn, #imm3
        use(a, rn, -(i >> 6 & 7)), forget(a, i & 7);
    else if ((i & 0xf800) == 0x3000) // adds rdn, #imm8
        use(a, i >> 8 & 7, i & 0xff), forget(a, i >> 8 & 7);
    else if ((i & 0xf800) == 0x3800) // subs rdn, #imm8
        use(a, i >> 8 & 7, -(i & 0xff)), forget(a, i >> 8 & 7);
    else if ((i & 0xf800) == 0x2000) // movs rd, #imm8
        forget(a, i >> 8 & 7);
    else if ((i & 0xfe00) == 0x1800) // adds rd, rn, rm
        propagate(a, i & 7, rn, i >> 6 & 7);
    else if ((i & 0xff00) == 0x4400) // add rdn, rm
        propagate(a, (i & 7) | (i >> 4 & 8), (i & 7) | (i >> 4 & 8), i >> 3 & 15);
    else if ((i & 0xff00) == 0x4600) // mov rd, rm
        propagate(a, (i & 7) | (i >> 4 & 8), i >> 3 & 15, i >> 3 & 15);
}

// A modified immediate of the form that offsets take: 8 bits, or 8 bits shifted to an even place.
static int32_t modified(uint16_t i, uint16_t j)
{
    uint32_t imm = (uint32_t)(i >> 10 & 1) << 11 | (uint32_t)(j >> 12 & 7) << 8 | (j & 0xff);
    if (imm < 0x100)
        return (int32_t)imm;
    if (imm < 0x400)
        return 0;
    unsigned rotate = imm >> 7;
    uint32_t value = (imm & 0x7f) | 0x80;
    value = value >> rotate | value << (32 - rotate);
    return value < ANCHOR_REACH ? (int32_t)value : 0;
}

static void wide(struct anchors *a, uint16_t i, uint16_t j)
{
    unsigned rn = i & 15;
    uint64_t pc = (a->at + 4) & ~3ULL;
    int32_t imm12 =
        (int32_t)((uint32_t)(i >> 10 & 1) << 11 | (uint32_t)(j >> 12 & 7) << 8 | (j & 0xff));
    if ((i & 0xff7f) == 0xf85f)
        load_literal(a, j >> 12, i & 0x80 ? pc + (j & 0xfff) : pc - (j & 0xfff));
    else if ((i & 0xfff0) == 0xf8d0 || (i & 0xfff0) == 0xf890) // ldr.w, ldrb.w rt, [rn, #imm12]
        use(a, rn, j & 0xfff);
    else if (((i & 0xfff0) == 0xf850 || (i & 0xfff0) == 0xf810) && (j & 0x0f00) == 0x0c00)
        use(a, rn, -(j & 0xff));     // [rn, #-imm8]
    else if ((i & 0xfbf0) == 0xf200) // addw rd, rn, #imm12
        use(a, rn, imm12);
    else if ((i & 0xfbf0) == 0xf2a0) // subw
        use(a, rn, -imm12);
    else if ((i & 0xfbe0) == 0xf100) // add.w, modified immediate
        use(a, rn, modified(i, j));
    else if ((i & 0xfbe0) == 0xf1a0) // sub.w
        use(a, rn, -modified(i, j));
    else if ((i & 0xffe0) == 0xeb00) // add.w rd, rn, rm, shift
        propagate(a, j >> 8 & 15, rn, j & 15);
    else if ((i & 0xf800) == 0xf000 && (j & 0xd000) == 0xd000) // bl
        forget_scratch(a);
}

static bool is_wide(uint16_t i)
{
    return i >= 0xe800;
}

static uint64_t step(struct anchors *a, uint64_t at)
{
    uint16_t i = ld16(a->span->data + at);
    a->at = a->span->run + at;
    if (!is_wide(i))
        return narrow(a, i), at + 2;
    wide(a, i, ld16(a->span->data + at + 2));
    return at + 4;
}

// What an instruction that has the form of a load of a literal would load.
static uint64_t literal_of(uint64_t addr, uint16_t i, uint16_t j)
{
    uint64_t pc = (addr + 4) & ~3ULL;
    if (!is_wide(i))
        return pc + 4 * (i & 0xff);
    return i & 0x80 ? pc + (j & 0xfff) : pc - (j & 0xfff);
}

// May the bytes at offset at, which begin like a load of a literal, load an anchor?
static bool may_load(const struct anchors *a, uint64_t at)
{
    const struct view_span *s = a->span;
    uint16_t i = ld16(s->data + at);
    uint32_t value;
    uint64_t literal = literal_of(s->run + at, i, ld16(s->data + at + 2));
    if (in_range(literal - s->run, 4, s->size))
        value = ld32(s->data + (literal - s->run));
    else if (!view_u32(&a->r->scan->view, literal, &value))
        return false;
    return sieve_may_hold(&a->pages, value / ANCHOR_PAGE);
}

// Does an instruction begin at offset at, when one begins at *start? What stands behind a halfword
// that is no first half of a wide instruction is the begin of one; from there on wide ones
// alternate. *start moves to the begin that was found, so that no halfword is looked at twice.
static bool is_begin(const struct anchors *a, uint64_t *start, uint64_t at)
{
    uint64_t from = at;
    while (from > *start && is_wide(ld16(a->span->data + from - 2)))
        from -= 2;
    bool begins = (at - from) % 4 == 0;
    *start = begins ? at : at - 2;
    return begins;
}

// Which of MARKS_BLOCK halfwords begin like a load of a literal.
static uint64_t loads_in(const uint8_t *p)
{
    uint8_t hit[MARKS_BLOCK];
    for (unsigned i = 0; i < MARKS_BLOCK; i++) {
        uint16_t hw = ld16(p + 2 * i);
        hit[i] = ((hw & 0xf800) == 0x4800) | ((hw & 0xff7f) == 0xf85f);
    }
    return marks_pack(hit);
}

static uint64_t loads_at(const struct view_span *s, uint64_t at)
{
    uint8_t rest[2 * MARKS_BLOCK] = {0};
    if (in_range(at, sizeof rest, s->size))
        return loads_in(s->data + at);
    memcpy(rest, s->data + at, (size_t)(s->size - at));
    return loads_in(rest);
}

// Every instruction from a load of an anchor on, until the anchor is gone; where that is.
static uint64_t follow(struct anchors *a, uint64_t at)
{
    const struct view_span *s = a->span;
    a->last = s->run + at;
    while (in_range(at, 4, s->size) && s->run + at - a->last < ANCHOR_LIVE)
        at = step(a, at);
    return at;
}

// Nearly all code holds no anchor. So only loads of literals are looked at, until one loads what is
// near to a target; from there on every instruction is, until the anchor is gone.
void ref_thumb_anchors(struct ref_sweep *r, const struct view_span *span)
{
    struct anchors a = {.r = r, .span = span};
    uint64_t start = span->run & 1, next;
    uint64_t end = span->size < 4 ? 0 : span->size - 3; // of what may begin an instruction
    sift(&a);
    for (uint64_t at = start; at < end; at = next) {
        next = at + 2 * MARKS_BLOCK;
        for (uint64_t loads = loads_at(span, at); loads; loads &= loads - 1) {
            uint64_t load = at + 2 * marks_first(loads);
            if (load < end && may_load(&a, load) && is_begin(&a, &start, load)) {
                start = next = follow(&a, load);
                break;
            }
        }
    }
}
