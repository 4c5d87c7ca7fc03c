// References in Xtensa code: literal words that l32r loads. A literal lies up to 256 KiB before its
// users. Instructions have 2 or 3 bytes, so a place is taken for an instruction only when decoding
// from several places before it arrives there.
//
// Facts: Xtensa Instruction Set Architecture, L32R, code density option.
#include "format/firmware/flow.h"

enum {
    XTENSA_L32R_REACH = 0x40000,
    XTENSA_SYNC = 48,  // bytes before a place from which decoding starts
    XTENSA_STARTS = 6, // neighbouring starts that are tried
    XTENSA_ARRIVE = 4, // of them that must arrive
    XTENSA_FUNCTION_MAX = 16384,
};

static unsigned length(uint8_t first)
{
    return (first & 15) >= 8 && (first & 15) < 14 ? 2 : 3;
}

static bool arrives(const uint8_t *p, uint64_t from, uint64_t at)
{
    while (from < at)
        from += length(p[from]);
    return from == at;
}

static bool is_entry(const uint8_t *p)
{
    return p[0] == 0x36 && (p[1] & 15) == 1; // entry a1, n
}

// Decoding from the nearest "entry" of the windowed ABI arrives, or from most places nearby: short
// instructions bring decoders together. Code without short ones stays apart in three phases.
static bool is_instruction(const struct view_span *s, uint64_t at)
{
    unsigned n = 0;
    if (at < XTENSA_SYNC)
        return true;
    for (unsigned i = 0; i < XTENSA_STARTS; i++)
        n += arrives(s->data, at - XTENSA_SYNC + i, at);
    if (n >= XTENSA_ARRIVE)
        return true;
    uint64_t from = at - ((s->run + at) & 3),
             end = at > XTENSA_FUNCTION_MAX ? at - XTENSA_FUNCTION_MAX : 0;
    for (; from >= end + 4; from -= 4)
        if (is_entry(s->data + from))
            return arrives(s->data, from, at);
    return n > 1;
}

// The address that the l32r at s->data[at] loads from; 0 if it is none.
static uint64_t l32r_literal(const struct view_span *s, uint64_t at)
{
    if ((s->data[at] & 15) != 1)
        return 0;
    uint32_t pc = (uint32_t)(s->run + at);
    return (uint32_t)(((pc + 3) & ~3u) + (0xfffc0000u | (uint32_t)ld16(s->data + at + 1) << 2));
}

// The first instruction that loads the literal, and in *n how many do.
static uint64_t find_users(const struct view *v, uint64_t literal, unsigned *n)
{
    uint64_t first = 0;
    *n = 0;
    for (unsigned i = 0; i < v->n; i++) {
        const struct view_span *s = &v->spans[i];
        if (!(s->flags & IMAGE_X) || s->run + s->size <= literal ||
            s->run > literal + XTENSA_L32R_REACH)
            continue;
        uint64_t at = literal > s->run ? literal - s->run : 0;
        uint64_t end = literal + XTENSA_L32R_REACH - s->run;
        for (; at < end && in_range(at, 3, s->size); at++)
            if (l32r_literal(s, at) == literal && is_instruction(s, at) && !(*n)++)
                first = s->run + at;
    }
    return first;
}

bool ref_xtensa_user(const struct view *v, uint64_t literal, uint64_t *from, uint64_t *user)
{
    for (unsigned i = 0; i < v->n; i++) {
        const struct view_span *s = &v->spans[i];
        if (!(s->flags & IMAGE_X) || s->run + s->size <= *from ||
            s->run > literal + XTENSA_L32R_REACH)
            continue;
        uint64_t at = *from > s->run ? *from - s->run : 0;
        uint64_t end = literal + XTENSA_L32R_REACH - s->run;
        for (; at < end && in_range(at, 3, s->size); at++)
            if (l32r_literal(s, at) == literal && is_instruction(s, at)) {
                *user = *from = s->run + at;
                return true;
            }
    }
    return false;
}

bool ref_xtensa_load(const struct view *v, uint64_t addr, uint32_t *value)
{
    const struct view_span *s = view_span_at(v, addr);
    uint64_t at = s ? addr - s->run : 0, literal;
    return s && s->flags & IMAGE_X && in_range(at, 3, s->size) && (literal = l32r_literal(s, at)) &&
           view_u32(v, literal, value);
}

static uint64_t find_user(const struct view *v, uint64_t literal)
{
    unsigned n;
    return find_users(v, literal, &n);
}

// The nearest "entry a1, n" before addr; 0 in code of the call0 ABI.
static uint64_t function_of(const struct view *v, uint64_t addr)
{
    addr &= ~3ULL;
    for (uint64_t at = addr; at + XTENSA_FUNCTION_MAX > addr && at >= 4; at -= 4) {
        const uint8_t *p = view_at(v, at, 3);
        if (!p)
            return 0;
        if (is_entry(p))
            return at;
    }
    return 0;
}

static void sweep(struct ref_sweep *r)
{
    const struct view *v = &r->scan->view;
    for (unsigned i = 0; i < r->n; i++) {
        uint32_t k = 0;
        uint64_t literal;
        while (view_users(v, r->targets[i].addr, &k, &literal) && ref_spend(r, XTENSA_L32R_REACH)) {
            unsigned n;
            uint64_t user = find_users(v, literal, &n);
            if (user)
                ref_add(r, &r->targets[i],
                        &(struct fw_ref){
                            .kind = FW_REF_WORD, .addr = literal, .users = n, .user = user});
        }
    }
}

// Only what the windowed ABI shows: a function lasts until the next entry.
static bool step(const struct view *v, uint64_t at, struct flow_step *s)
{
    const struct view_span *span = view_span_at(v, at);
    if (!span || span->size - (at - span->run) < 3)
        return false;
    const uint8_t *p = span->data + (at - span->run), *behind;
    s->size = length(*p);
    s->literal = l32r_literal(span, at - span->run);
    uint64_t next = (at + s->size + 3) & ~3ULL;
    if ((*p & 0x3f) >= 0x05 && (*p & 15) == 5) { // call0, call4, call8, call12
        uint32_t offset = (uint32_t)(p[0] | p[1] << 8 | p[2] << 16) >> 6;
        s->kind = FLOW_CALL;
        s->target = (uint32_t)((at & ~3ULL) + 4 + (uint32_t)((int32_t)(offset << 14) >> 12));
    } else if ((behind = view_at(v, next, 3)) && is_entry(behind)) {
        s->kind = FLOW_END;
    }
    return true;
}

const struct ref_isa ref_xtensa = {
    .isa = IMAGE_ISA_XTENSA,
    .sweep = sweep,
    .user = find_user,
    .function = function_of,
    .step = step,
    .align = 1,
};
