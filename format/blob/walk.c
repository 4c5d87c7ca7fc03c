#include "format/blob/walk.h"

struct walk_state {
    const struct blob_walk *w;
    const struct blob_layout *l;
    const uint8_t *next_patch; // record behind `patch`
    struct blob_patch_at patch;
    uint64_t run_size; // of the run of hashed extents so far; 0 = in none
};

static void walk_next_patch(struct walk_state *s)
{
    s->patch.addr = UINT64_MAX; // nothing lies there
    s->patch.size = 0;
    if (s->next_patch < s->l->bytes + s->l->end[BLOB_PATCHES]) {
        s->next_patch = blob_layout_patch(s->next_patch, &s->patch);
    }
}

static void walk_hash_zeros(const struct blob_walk *w, uint32_t n)
{
    static const uint8_t zeros[16];
    while (n) {
        uint32_t m = n < sizeof zeros ? n : (uint32_t)sizeof zeros;
        w->hash(w->ctx, zeros, m);
        n -= m;
    }
}

static int walk_is(const uint8_t *p, uint32_t n, uint8_t value)
{
    uint8_t differs = 0;
    while (n--) {
        differs |= *p++ ^ value;
    }
    return differs == 0;
}

static int walk_equal(const uint8_t *p, const uint8_t *q, uint32_t n)
{
    uint8_t differs = 0;
    while (n--) {
        differs |= *p++ ^ *q++;
    }
    return differs == 0;
}

// A run ends: its size follows its bytes, so that no two lists of runs hash the same bytes.
static void walk_end_run(struct walk_state *s)
{
    uint8_t size[8];
    for (unsigned i = 0; i < 8; i++) {
        size[i] = (uint8_t)(s->run_size >> 8 * i);
    }
    if (s->run_size) {
        s->w->hash(s->w->ctx, size, sizeof size);
    }
    s->run_size = 0;
}

static int walk_bytes(const struct walk_state *s, const uint8_t *p, uint32_t n, uint32_t kind)
{
    switch (kind) {
    case BLOB_EXTENT_FILL_00:
        return !p || walk_is(p, n, 0);
    case BLOB_EXTENT_FILL_FF:
        return !p || walk_is(p, n, 0xff);
    case BLOB_EXTENT_GAP:
        walk_hash_zeros(s->w, n);
        return !p || walk_is(p, n, 0) || walk_is(p, n, 0xff);
    default:
        if (p) {
            s->w->hash(s->w->ctx, p, n);
        } else {
            walk_hash_zeros(s->w, n);
        }
        return 1;
    }
}

static int walk_extent(struct walk_state *s, uint64_t at, uint64_t end, uint32_t kind)
{
    while (at < end) {
        while (s->patch.size && s->patch.addr + s->patch.size <= at) {
            walk_next_patch(s);
        }
        uint64_t stop = end;
        uint32_t into = 0;
        int inside = s->patch.addr <= at;
        if (inside) {
            into = (uint32_t)(at - s->patch.addr);
            stop = s->patch.addr + s->patch.size;
        } else if (s->patch.addr < end) {
            stop = s->patch.addr;
        }
        uint32_t n = (uint32_t)((stop < end ? stop : end) - at);
        const uint8_t *p = s->w->map(s->w->ctx, at, &n);
        if (inside) {
            if (!p || !walk_equal(p, s->patch.new_bytes + into, n)) {
                return 0;
            }
            p = s->patch.old_bytes + into;
        }
        if (n == 0 || !walk_bytes(s, p, n, kind)) {
            return 0;
        }
        at += n;
    }
    return 1;
}

int blob_walk(const struct blob_layout *l, int patched, const struct blob_walk *w)
{
    struct walk_state s;
    const uint8_t *p = l->bytes + l->at[BLOB_EXTENTS], *end = l->bytes + l->end[BLOB_EXTENTS];
    uint64_t last = 0; // end of the previous extent
    s.w = w;
    s.l = l;
    s.run_size = 0;
    s.next_patch = l->bytes + (patched ? l->at[BLOB_PATCHES] : l->end[BLOB_PATCHES]);
    walk_next_patch(&s);
    for (; p < end; p += BLOB_EXTENT_SIZE) {
        uint64_t addr = blob_ld64(p);
        uint32_t size = blob_ld32(p + 8), kind = blob_ld32(p + 12);
        int hashed = kind == BLOB_EXTENT_DATA || kind == BLOB_EXTENT_GAP;
        if (!hashed || addr != last) {
            walk_end_run(&s);
        }
        if (hashed && s.run_size == 0) {
            w->hash(w->ctx, p, 8); // a run begins with its address
        }
        if (!walk_extent(&s, addr, addr + size, kind)) {
            return 0;
        }
        s.run_size += hashed ? size : 0;
        last = addr + size;
    }
    walk_end_run(&s);
    return 1;
}
