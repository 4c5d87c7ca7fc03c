#include "format/image/gather.h"

#include <stdlib.h>

bool image_piece_add(struct arena *a, struct image_pieces *p, uint64_t addr, uint32_t size,
                     size_t at)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 1024, item = sizeof *p->items;
        struct image_piece *items = arena_grow(a, p->items, p->cap * item, cap * item);
        if (!items) {
            return false;
        }
        p->items = items;
        p->cap = cap;
    }
    p->items[p->n++] = (struct image_piece){.addr = addr, .size = size, .at = at};
    return true;
}

static int image_by_piece(const void *a, const void *b)
{
    const struct image_piece *x = a, *y = b;
    if (x->addr != y->addr) {
        return x->addr < y->addr ? -1 : 1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

// Most files are in order already.
static void image_sort_pieces(struct image_pieces *p)
{
    for (size_t i = 1; i < p->n; i++) {
        if (p->items[i].addr < p->items[i - 1].addr) {
            qsort(p->items, p->n, sizeof *p->items, image_by_piece);
            return;
        }
    }
}

enum diag_code image_gather(struct image *img, struct image_pieces *p, const char *field,
                            const char *segment_name, struct diag *d)
{
    uint64_t total = 0, end = 0;
    for (size_t i = 0; i < p->n; i++) {
        total += p->items[i].size;
    }
    uint8_t *to = arena_alloc(img->arena, (size_t)total);
    if (!to) {
        return diag_nomem(d);
    }
    *img->work = (struct image_work){to, to, (size_t)total};
    image_sort_pieces(p);
    struct image_segment *s = NULL;
    for (size_t i = 0; i < p->n; i++) {
        struct image_piece *piece = &p->items[i];
        if (s && piece->addr < end) {
            return diag_set_binary(d, DIAG_MALFORMED, img->name, piece->at, field,
                                   "%u bytes at 0x%llx overlap bytes that were given before",
                                   piece->size, (unsigned long long)piece->addr);
        }
        if (!s || piece->addr != end) {
            if (!(s = image_segment_new(img, d))) {
                return DIAG_NOMEM;
            }
            s->addr = s->run = piece->addr;
            s->data = to;
            s->name = segment_name;
        }
        s->size = s->mem_size = s->size + piece->size;
        end = piece->addr + piece->size;
        piece->data = to;
        to += piece->size;
    }
    return DIAG_OK;
}
