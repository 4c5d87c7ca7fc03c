// The base address of a raw image, from the differences between its pointers: the table of static
// qstr names has the same distances between its words as the names have in the image.
#include "format/firmware/scan.h"

enum {
    BASE_AGREE = 120,     // of the 165 static names that must lie where a base puts them
    BASE_PLACES_MAX = 16, // places of one name that are tried
    BASE_ID_A = 15,       // "__getitem__"
    BASE_ID_B = 11,       // "__delitem__"
};

struct places {
    unsigned n;
    uint64_t at[BASE_PLACES_MAX];
};

static void find_places(const struct view *v, const char *name, struct places *out)
{
    out->n = 0;
    for (uint64_t at = v->low;
         out->n < BASE_PLACES_MAX && view_find(v, name, strlen(name) + 1, &at); at++)
        out->at[out->n++] = at - v->low;
}

// How many of the static names lie where the table at offset puts them, if the image is at base.
static unsigned count_agreeing(const struct view_span *s, uint64_t table, uint32_t base)
{
    unsigned n = 0;
    for (unsigned id = 2; id <= MPY_STATIC_QSTRS; id++) {
        const char *name = mpy_static_qstr(id);
        if (!in_range(table + 4 * id, 4, s->size))
            return n;
        uint32_t at = ld32(s->data + table + 4 * id) - base;
        n += in_range(at, strlen(name) + 1, s->size) && strcmp((char *)s->data + at, name) == 0;
    }
    return n;
}

// The table whose words for both names differ as the names do; its offset, or UINT64_MAX.
static uint64_t find_table(const struct view_span *s, uint64_t a, uint64_t b, uint32_t *base)
{
    uint32_t distance = (uint32_t)(b - a);
    int64_t step = 4 * (BASE_ID_B - BASE_ID_A);
    for (uint64_t x = 4 * BASE_ID_A; in_range(x, 4, s->size); x += 4) {
        uint32_t word = ld32(s->data + x);
        if (ld32(s->data + (uint64_t)((int64_t)x + step)) - word != distance)
            continue;
        *base = word - (uint32_t)a;
        if (count_agreeing(s, x - 4 * BASE_ID_A, *base) >= BASE_AGREE)
            return x - 4 * BASE_ID_A;
    }
    return UINT64_MAX;
}

// Up to 1.18 the table points to hash and length in front of the text: 2 to 4 bytes.
static uint32_t text_skip(const struct view_span *s, uint64_t text, const char *name)
{
    uint32_t n = (uint32_t)strlen(name), h = 5381;
    for (uint32_t i = 0; i < n; i++)
        h = (h * 33) ^ (unsigned char)name[i];
    if (text < 4)
        return 0;
    const uint8_t *p = s->data + text;
    if (p[-1] == n && p[-2] == (h & 0xff))
        return 2;
    if (p[-1] == n && ld16(p - 3) == (h & 0xffff))
        return 3;
    return ld16(p - 2) == n && ld16(p - 4) == (h & 0xffff) ? 4 : 0;
}

enum diag_code base_infer(struct scan *s, struct image *img)
{
    struct places a, b;
    const struct view_span *span = &s->view.spans[0];
    find_places(&s->view, mpy_static_qstr(BASE_ID_A), &a);
    find_places(&s->view, mpy_static_qstr(BASE_ID_B), &b);
    for (unsigned i = 0; s->view.n == 1 && i < a.n; i++)
        for (unsigned k = 0; k < b.n; k++) {
            uint32_t base;
            uint64_t table = find_table(span, a.at[i], b.at[k], &base);
            if (table == UINT64_MAX)
                continue;
            base += text_skip(span, a.at[i], mpy_static_qstr(BASE_ID_A));
            image_rebase(img, base);
            enum diag_code c = view_init(&s->view, img, s->arena, s->diag);
            if (!c)
                scan_note(s, "base", base + table, "distances in the table of static names",
                          "0x%08x", base);
            return c;
        }
    return diag_set(s->diag, DIAG_NO, img->name,
                    "no table of MicroPython's static names, so no base address: not MicroPython, "
                    "or a release before 1.11");
}
