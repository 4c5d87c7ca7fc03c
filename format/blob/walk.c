#include "format/blob/walk.h"

struct walk_state {
    const struct blob_walk *w;
    const uint8_t *next, *end; // patch records behind `patch`
    struct blob_patch_at patch;
    uint32_t run_size; // of the run of hashed extents so far; 0 = in none
    uint32_t wrong;    // bits that differed
};

// A run ends: its size follows its bytes, so that no two lists of runs hash the same bytes.
static void walk_end_run(struct walk_state *s)
{
    uint8_t size[4];
    for (unsigned i = 0; i < sizeof size; i++) {
        size[i] = (uint8_t)(s->run_size >> 8 * i);
    }
    if (s->run_size) {
        s->w->hash(s->w->ctx, size, sizeof size);
    }
    s->run_size = 0;
}

// p: n bytes at one place of the base, NULL = there are none.
static void walk_bytes(struct walk_state *s, const uint8_t *p, uint32_t n, uint32_t kind)
{
    static const uint8_t zero;
    const struct blob_walk *w = s->w;
    switch (kind) {
    case BLOB_EXTENT_DATA:
        if (p) {
            w->hash(w->ctx, p, n);
        }
        s->wrong |= !p;
        break;
    case BLOB_EXTENT_GAP:
        while (n--) {
            w->hash(w->ctx, &zero, 1);
        }
        break;
    default:
        if (p) {
            s->wrong |= blob_unlike(p, n, (uint8_t) - (kind - BLOB_EXTENT_FILL_00));
        }
    }
}

static void walk_extent(struct walk_state *s, uint64_t at, uint32_t size, uint32_t kind)
{
    while (size != 0 && !s->wrong) {
        struct blob_patch_at *patch = &s->patch;
        if (s->next != s->end && at >= patch->addr + patch->size) {
            s->next = blob_layout_patch(s->next, patch);
        }
        uint64_t into = at - patch->addr, left = patch->addr - at; // one of them wraps
        uint32_t n = size;
        int inside = into < patch->size;
        if (inside) {
            left = patch->size - into;
        }
        if (left - 1 < n) {
            n = (uint32_t)left;
        }
        const uint8_t *p = s->w->map(s->w->ctx, at, &n);
        if (inside) {
            s->wrong |= p ? blob_differs(p, patch->new_bytes + into, n) : 1;
            p = patch->old_bytes + into;
        }
        walk_bytes(s, p, n, kind);
        at += n;
        size -= n;
    }
}

uint32_t blob_walk(const struct blob_layout *l, int patched, const struct blob_walk *w)
{
    struct walk_state s;
    const uint8_t *p = l->bytes + l->at[BLOB_EXTENTS], *end = l->bytes + l->at[BLOB_EXTENTS + 1];
    uint64_t last = 0; // end of the previous extent
    s.w = w;
    s.wrong = 0;
    s.run_size = 0;
    s.end = l->bytes + l->at[BLOB_PATCHES + 1];
    s.next = patched ? l->bytes + l->at[BLOB_PATCHES] : s.end;
    s.patch.addr = 0; // the first byte is behind this one: it makes way for the first patch
    s.patch.size = 0;
    for (; p < end; p += BLOB_EXTENT_SIZE) {
        uint64_t addr = blob_ld64(p);
        uint32_t size = blob_ld32(p + 8), kind = blob_ld32(p + 12);
        uint32_t hashed = kind == BLOB_EXTENT_DATA || kind == BLOB_EXTENT_GAP ? size : 0;
        if (!hashed || addr != last) {
            walk_end_run(&s);
        }
        if (hashed && s.run_size == 0) {
            w->hash(w->ctx, p, 8); // a run begins with its address
        }
        last = addr + size;
        walk_extent(&s, addr, size, kind);
        s.run_size += hashed;
    }
    walk_end_run(&s);
    return s.wrong;
}
