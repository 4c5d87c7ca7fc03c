// References in Thumb code: literal words that an LDR loads, and movw/movt pairs.
//
// Facts: Arm Architecture Reference Manual, LDR (literal) T1 and T2, MOVW, MOVT.
#include "format/firmware/scan.h"

enum {
    THUMB_T1_REACH = 1024, // bytes from a T1 LDR to its literal, at most
    THUMB_T2_REACH = 4096, // the same for T2, in both directions
    THUMB_FUNCTION_MAX = 8192,
    THUMB_PAIR_MAX = 256, // bytes between movw and movt
};

static bool hw_at(const struct view *v, uint64_t addr, uint16_t *hw)
{
    return view_u16(v, addr, hw);
}

// Does the instruction at addr load the literal word at literal? Its register in *rt.
static bool loads_literal(const struct view *v, uint64_t addr, uint64_t literal, unsigned *rt)
{
    uint16_t a, b;
    uint64_t pc = (addr + 4) & ~3ULL;
    if (!hw_at(v, addr, &a))
        return false;
    if ((a & 0xf800) == 0x4800) {
        *rt = a >> 8 & 7;
        return pc + 4 * (a & 0xff) == literal;
    }
    if ((a & 0xff7f) != 0xf85f || !hw_at(v, addr + 2, &b))
        return false;
    *rt = b >> 12;
    return (a & 0x80 ? pc + (b & 0xfff) : pc - (b & 0xfff)) == literal;
}

// The instruction that loads the literal word, or 0.
static uint64_t find_load(const struct view *v, uint64_t literal, unsigned *rt)
{
    uint64_t from = literal > THUMB_T2_REACH ? literal - THUMB_T2_REACH : 0;
    for (uint64_t at = literal - 2; at >= from && at < literal; at -= 2)
        if (loads_literal(v, at, literal, rt))
            return at;
    for (uint64_t at = literal + 4; at < literal + THUMB_T2_REACH; at += 2)
        if (loads_literal(v, at, literal, rt))
            return at;
    return 0;
}

// The nearest push of lr before addr: where its function starts, in compiled code. 0 = none.
static uint64_t function_of(const struct view *v, uint64_t addr)
{
    uint64_t from = addr > THUMB_FUNCTION_MAX ? addr - THUMB_FUNCTION_MAX : 0;
    for (uint64_t at = addr; at >= from && at <= addr; at -= 2) {
        uint16_t a, b;
        if (!hw_at(v, at, &a))
            return 0;
        if ((a & 0xff00) == 0xb500)
            return at;
        if (a == 0xe92d && hw_at(v, at + 2, &b) && (b & 0x4000))
            return at;
    }
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
    for (uint64_t at = from; at < literal + THUMB_T2_REACH; at += 2)
        n += loads_literal(v, at, literal, &rt);
    return n;
}

// Does any bl or branch of a tail call lead to the function?
static bool is_called(const struct view *v, uint64_t function)
{
    for (unsigned i = 0; i < v->n; i++) {
        const struct view_span *s = &v->spans[i];
        for (uint64_t at = s->run & 1; in_range(at, 4, s->size); at += 2) {
            uint16_t a = ld16(s->data + at), b = ld16(s->data + at + 2);
            if ((a & 0xf800) != 0xf000 || (b & 0xd000) < 0x9000 || !(b & 0x1000))
                continue; // bl, b.w
            uint32_t sign = a >> 10 & 1, i1 = !((b >> 13 & 1) ^ sign), i2 = !((b >> 11 & 1) ^ sign);
            uint32_t offset = sign << 24 | i1 << 23 | i2 << 22 | (uint32_t)(a & 0x3ff) << 12 |
                              (uint32_t)(b & 0x7ff) << 1;
            int32_t signed_offset = (int32_t)(offset << 7) >> 7;
            if (s->run + at + 4 + (uint64_t)(int64_t)signed_offset == function)
                return true;
        }
    }
    return false;
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
            ref_add(r, t,
                    &(struct fw_ref){.kind = FW_REF_WORD,
                                     .addr = at,
                                     .users = count_users(v, at),
                                     .function = function_of(v, user)});
    }
}

// --- movw/movt

static bool is_move(const uint8_t *p, uint16_t op, unsigned *rd, uint16_t *imm)
{
    uint16_t a = ld16(p), b = ld16(p + 2);
    if ((a & 0xfbf0) != op || b & 0x8000)
        return false;
    *rd = b >> 8 & 15;
    *imm = (uint16_t)((a & 15) << 12 | (a & 0x400) << 1 | (b & 0x7000) >> 4 | (b & 0xff));
    return true;
}

static void pair_from(struct ref_sweep *r, const struct view_span *span, uint64_t at, unsigned rd,
                      uint16_t low)
{
    for (uint64_t k = at + 4; k < at + THUMB_PAIR_MAX && in_range(k, 4, span->size); k += 2) {
        unsigned rd2;
        uint16_t high;
        if (is_move(span->data + k, 0xf240, &rd2, &high) && rd2 == rd)
            return;
        if (!is_move(span->data + k, 0xf2c0, &rd2, &high) || rd2 != rd)
            continue;
        struct ref_target *t = ref_target_at(r, (uint32_t)high << 16 | low);
        if (t)
            ref_add(r, t,
                    &(struct fw_ref){.kind = FW_REF_MOVW_MOVT,
                                     .addr = span->run + at,
                                     .addr2 = span->run + k,
                                     .function = function_of(&r->scan->view, span->run + at)});
        return;
    }
}

static void sweep_moves(struct ref_sweep *r, const struct view_span *span)
{
    struct sieve lows = {{0}};
    for (unsigned i = 0; i < r->n; i++)
        sieve_put(&lows, r->targets[i].addr & 0xffff);
    for (uint64_t at = span->run & 1; in_range(at, 4, span->size); at += 2) {
        unsigned rd;
        uint16_t low;
        if ((ld16(span->data + at) & 0xfbf0) == 0xf240 &&
            is_move(span->data + at, 0xf240, &rd, &low) && sieve_may_hold(&lows, low))
            pair_from(r, span, at, rd, low);
    }
}

static void sweep(struct ref_sweep *r)
{
    const struct view *v = &r->scan->view;
    for (unsigned i = 0; i < r->n; i++)
        literals_of(r, &r->targets[i]);
    for (unsigned i = 0; r->n && i < v->n; i++)
        if (v->spans[i].flags & IMAGE_X) {
            sweep_moves(r, &v->spans[i]);
            ref_thumb_anchors(r, &v->spans[i]);
        }
}

const struct ref_isa ref_thumb = {IMAGE_ISA_THUMB, sweep, find_user, is_called, function_of};
