// References in Thumb code: literal words that an LDR loads, and movw/movt pairs.
//
// Facts: Arm Architecture Reference Manual, LDR (literal) T1 and T2, MOVW, MOVT, and the encodings
// of branches.
#include "format/firmware/flow.h"
#include "format/firmware/ref_pair.h"

enum {
    THUMB_T1_REACH = 1024, // bytes from a T1 LDR to its literal, at most
    THUMB_T2_REACH = 4096, // the same for T2, in both directions
};

static bool hw_at(const struct view *v, uint64_t addr, uint16_t *hw)
{
    return view_u16(v, addr, hw);
}

// Is a the first halfword of a load of a literal, in either form?
static bool is_load(uint16_t a)
{
    return (a & 0xf800) == 0x4800 || (a & 0xff7f) == 0xf85f;
}

// Does the load a, b at addr load the literal word at literal? Its register in *rt.
static bool loads(uint16_t a, uint16_t b, uint64_t addr, uint64_t literal, unsigned *rt)
{
    uint64_t pc = (addr + 4) & ~3ULL;
    bool narrow = (a & 0xf800) == 0x4800;
    *rt = narrow ? a >> 8 & 7 : b >> 12;
    return (narrow     ? pc + 4 * (a & 0xff)
            : a & 0x80 ? pc + (b & 0xfff)
                       : pc - (b & 0xfff)) == literal;
}

// The same for whatever lies at addr, which may be outside of the image.
static bool loads_literal(const struct view *v, uint64_t addr, uint64_t literal, unsigned *rt)
{
    uint16_t a, b = 0;
    return hw_at(v, addr, &a) && is_load(a) && (hw_at(v, addr + 2, &b) || (a & 0xf800) == 0x4800) &&
           loads(a, b, addr, literal, rt);
}

// Is there a load at addr, as far as the span of the literal, which hardly anything is outside of,
// shows it?
static bool may_load(const struct view_span *s, uint64_t addr)
{
    return !s || !in_range(addr - s->run, 2, s->size) || is_load(ld16(s->data + (addr - s->run)));
}

// The instruction that loads the literal word, or 0.
static uint64_t find_load(const struct view *v, uint64_t literal, unsigned *rt)
{
    uint64_t from = literal > THUMB_T2_REACH ? literal - THUMB_T2_REACH : 0;
    const struct view_span *s = view_span_at(v, literal);
    for (uint64_t at = literal - 2; at >= from && at < literal; at -= 2)
        if (may_load(s, at) && loads_literal(v, at, literal, rt))
            return at;
    for (uint64_t at = literal + 4; at < literal + THUMB_T2_REACH; at += 2)
        if (may_load(s, at) && loads_literal(v, at, literal, rt))
            return at;
    return 0;
}

static uint64_t find_user(const struct view *v, uint64_t literal)
{
    unsigned rt;
    return find_load(v, literal, &rt);
}

static unsigned count_users(const struct view *v, uint64_t literal)
{
    unsigned n = 0, rt;
    uint64_t from = literal > THUMB_T2_REACH ? literal - THUMB_T2_REACH : 0;
    const struct view_span *s = view_span_at(v, literal);
    for (uint64_t at = from; at < literal + THUMB_T2_REACH; at += 2)
        if (may_load(s, at))
            n += loads_literal(v, at, literal, &rt);
    return n;
}

static void literals_of(struct ref_sweep *r, struct ref_target *t)
{
    const struct view *v = &r->scan->view;
    uint32_t i = 0;
    uint64_t at;
    unsigned rt;
    while (view_users(v, t->addr, &i, &at) && ref_spend(r, 2 * THUMB_T2_REACH)) {
        uint64_t user = find_load(v, at, &rt);
        if (user)
            ref_add(
                r, t,
                &(struct fw_ref){
                    .kind = FW_REF_WORD, .addr = at, .users = count_users(v, at), .user = user});
    }
}

// --- movw/movt

static bool is_move(const uint8_t *p, uint16_t op, unsigned *rd, uint16_t *half)
{
    uint16_t a = ld16(p), b = ld16(p + 2);
    *rd = b >> 8 & 15;
    *half = (uint16_t)((a & 15) << 12 | (a & 0x400) << 1 | (b & 0x7000) >> 4 | (b & 0xff));
    return (a & 0xfbf0) == op && !(b & 0x8000);
}

static bool is_movw(const uint8_t *p, unsigned *rd, uint16_t *half)
{
    return is_move(p, 0xf240, rd, half);
}

static bool is_movt(const uint8_t *p, unsigned *rd, uint16_t *half)
{
    return is_move(p, 0xf2c0, rd, half);
}

static uint64_t movws_in(const uint8_t *p)
{
    uint8_t hit[MARKS_BLOCK];
    for (unsigned i = 0; i < MARKS_BLOCK; i++)
        hit[i] = (ld16(p + 2 * i) & 0xfbf0) == 0xf240;
    return marks_pack(hit);
}

static const struct ref_pair moves = {2, movws_in, is_movw, is_movt};

// --- flow

static uint64_t relative(uint64_t at, uint32_t offset, unsigned bits)
{
    return at + 4 + (uint64_t)(int64_t)((int32_t)(offset << (32 - bits)) >> (32 - bits));
}

static void narrow_step(uint64_t at, uint16_t i, struct flow_step *s)
{
    s->size = 2;
    if ((i & 0xf000) == 0xd000) {
        unsigned cond = i >> 8 & 15;
        s->kind = cond == 14 ? FLOW_END : cond == 15 ? FLOW_NEXT : FLOW_BRANCH;
        s->target = relative(at, (uint32_t)(i & 0xff) << 1, 9);
    } else if ((i & 0xf800) == 0xe000) {
        s->kind = FLOW_JUMP;
        s->target = relative(at, (uint32_t)(i & 0x7ff) << 1, 12);
    } else if ((i & 0xf500) == 0xb100) { // cbz, cbnz
        s->kind = FLOW_BRANCH;
        s->target = at + 4 + ((i >> 3 & 31) << 1) + ((i >> 9 & 1) << 6);
    } else if ((i & 0xff87) == 0x4700 || (i & 0xff00) == 0xbd00 || (i & 0xff87) == 0x4687) {
        s->kind = FLOW_END; // bx, pop {.., pc}, mov pc
    } else if ((i & 0xff87) == 0x4780) {
        s->kind = FLOW_CALL;
    } else if ((i & 0xff00) == 0xbf00 && (i & 15)) { // it
        s->shadow = i & 1 ? 4 : i & 2 ? 3 : i & 4 ? 2 : 1;
    } else if ((i & 0xf800) == 0x4800) {
        s->literal = ((at + 4) & ~3ULL) + 4 * (i & 0xff);
    }
}

static void branch_step(uint64_t at, uint16_t i, uint16_t j, struct flow_step *s)
{
    uint32_t sign = i >> 10 & 1, j1 = j >> 13 & 1, j2 = j >> 11 & 1;
    uint32_t low = (uint32_t)(j & 0x7ff) << 1;
    if (!(j & 0x5000)) { // conditional, or a system instruction
        bool cond = (i & 0x380) != 0x380;
        s->kind = cond ? FLOW_BRANCH : i == 0xf7f0 && j & 0x2000 ? FLOW_END : FLOW_NEXT;
        s->target = relative(at, sign << 20 | j2 << 19 | j1 << 18 | (i & 63u) << 12 | low, 21);
        return;
    }
    uint32_t high = sign << 24 | (uint32_t)(j1 == sign) << 23 | (uint32_t)(j2 == sign) << 22;
    s->kind = j & 0x4000 ? FLOW_CALL : FLOW_JUMP;
    s->target = relative(at, high | (i & 0x3ffu) << 12 | low, 25);
    if (!(j & 0x1000)) // blx: to A32 code
        s->target &= ~3ULL;
}

static void wide_step(uint64_t at, uint16_t i, uint16_t j, struct flow_step *s)
{
    uint64_t pc = (at + 4) & ~3ULL;
    s->size = 4;
    if ((i & 0xf800) == 0xf000 && j & 0x8000)
        branch_step(at, i, j, s);
    else if ((i & 0xffd0) == 0xe890 && j & 0x8000) // ldm with pc
        s->kind = FLOW_END;
    else if ((i & 0xff70) == 0xf850 && j >> 12 == 15) // ldr pc
        s->kind = FLOW_END;
    else if ((i & 0xfff0) == 0xe8d0 && (j & 0xffe0) == 0xf000) // tbb, tbh
        s->kind = FLOW_END;
    else if ((i & 0xff7f) == 0xf85f)
        s->literal = i & 0x80 ? pc + (j & 0xfff) : pc - (j & 0xfff);
}

static bool step(const struct view *v, uint64_t at, struct flow_step *s)
{
    uint16_t i, j;
    if (at & 1 || !hw_at(v, at, &i))
        return false;
    if ((i & 0xf800) < 0xe800)
        narrow_step(at, i, s);
    else if (hw_at(v, at + 2, &j))
        wide_step(at, i, j, s);
    return true;
}

static bool is_call(const uint8_t *p)
{
    return (ld16(p) & 0xf800) == 0xf000 && (ld16(p + 2) & 0xd000) == 0xd000;
}

static uint64_t calls_in(const uint8_t *p)
{
    uint8_t hit[MARKS_BLOCK];
    for (unsigned i = 0; i < MARKS_BLOCK; i++)
        hit[i] = (int)((ld16(p + 2 * i) & 0xf800) == 0xf000) &
                 (int)((ld16(p + 2 * i + 2) & 0xd000) == 0xd000);
    return marks_pack(hit);
}

static uint64_t next_call(const uint8_t *p, uint64_t at, uint64_t n)
{
    for (; in_range(at, 2 * MARKS_BLOCK + 2, n); at += 2 * MARKS_BLOCK) {
        uint64_t calls = calls_in(p + at);
        if (calls)
            return at + 2 * marks_first(calls);
    }
    for (; in_range(at, 4, n); at += 2)
        if (is_call(p + at))
            return at;
    return n;
}

static void sweep(struct ref_sweep *r)
{
    struct view_span span;
    for (unsigned i = 0; !r->collect && i < r->n; i++)
        literals_of(r, &r->targets[i]);
    for (unsigned i = 0; ref_next_code(r, &i, &span);) {
        ref_pairs(r, &span, &moves);
        if (!r->collect)
            ref_thumb_anchors(r, &span);
    }
}

const struct ref_isa ref_thumb = {
    .isa = IMAGE_ISA_THUMB,
    .sweep = sweep,
    .user = find_user,
    .step = step,
    .next_call = next_call,
    .align = 2,
    .odd_pointers = true,
};
