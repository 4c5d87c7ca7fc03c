#include "format/blob/walk.h"

struct walk_state {
    const struct blob_walk *w;
    const uint8_t *next, *end; // patch records behind `patch`
    struct blob_patch_at patch;
    uint32_t run_size; // of the run of hashed extents so far; 0 = in none
};

static void walk_next_patch(struct walk_state *s)
{
    s->patch.addr = UINT64_MAX; // nothing lies there
    s->patch.size = 0;
    if (s->next != s->end) {
        s->next = blob_layout_patch(s->next, &s->patch);
    }
}

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
static int walk_bytes(const struct blob_walk *w, const uint8_t *p, uint32_t n, uint32_t kind)
{
    static const uint8_t zero;
    switch (kind) {
    case BLOB_EXTENT_DATA:
        if (p) {
            w->hash(w->ctx, p, n);
        }
        return p != 0;
    case BLOB_EXTENT_GAP:
        while (n--) {
            w->hash(w->ctx, &zero, 1);
        }
        return 1;
    default:
        return !p || blob_filled(p, n, (uint8_t) - (kind - BLOB_EXTENT_FILL_00));
    }
}

static int walk_extent(struct walk_state *s, uint64_t at, uint64_t end, uint32_t kind)
{
    while (at != end) {
        const struct blob_patch_at *patch = &s->patch;
        uint64_t stop = patch->addr;
        int inside = stop <= at;
        if (inside) {
            stop += patch->size;
        }
        if (stop > end) {
            stop = end;
        }
        uint32_t n = (uint32_t)(stop - at), into = (uint32_t)(at - patch->addr);
        const uint8_t *p = s->w->map(s->w->ctx, at, &n);
        if (inside) {
            if (!p || !blob_equal(p, patch->new_bytes + into, n)) {
                return 0;
            }
            p = patch->old_bytes + into;
        }
        if (!walk_bytes(s->w, p, n, kind)) {
            return 0;
        }
        at += n;
        if (inside && into + n == patch->size) {
            walk_next_patch(s);
        }
    }
    return 1;
}

int blob_walk(const struct blob_layout *l, int patched, const struct blob_walk *w)
{
    struct walk_state s;
    const uint8_t *p = l->bytes + l->at[BLOB_EXTENTS], *end = l->bytes + l->at[BLOB_EXTENTS + 1];
    uint64_t last = 0; // end of the previous extent
    s.w = w;
    s.run_size = 0;
    s.end = l->bytes + l->at[BLOB_PATCHES + 1];
    s.next = patched ? l->bytes + l->at[BLOB_PATCHES] : s.end;
    walk_next_patch(&s);
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
        if (!walk_extent(&s, addr, last, kind)) {
            return 0;
        }
        s.run_size += hashed;
    }
    walk_end_run(&s);
    return 1;
}
