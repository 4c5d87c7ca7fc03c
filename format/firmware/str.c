// Frozen source texts: the table of their sizes and the text itself lie in the same compilation
// unit as the names, and must agree with each other byte for byte.
//
// Facts: py/frozenmod.c, tools/makemanifest.py (generate_frozen_str_content).
#include "format/firmware/scan.h"

enum {
    STR_WINDOW = 1 << 18, // bytes on both sides of the names that are searched
    STR_SIZES_MAX = 64,   // places that look like the table of sizes
};

// n sizes and a zero at p.
static bool is_size_table(const uint8_t *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!ld32(p + 4 * i) || ld32(p + 4 * i) > FW_TEXT_MAX)
            return false;
    return !ld32(p + 4 * n);
}

// Do texts of these sizes, each with a NUL behind it and none in it, begin at p?
static bool is_content(const uint8_t *p, uint64_t left, const uint8_t *sizes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t size = ld32(sizes + 4 * i);
        if (!p || size >= left || p[size] || memchr(p, 0, size))
            return false;
        p += size + 1;
        left -= size + 1;
    }
    return true;
}

bool str_agree(const struct scan *s, uint64_t sizes, uint64_t content, uint32_t n)
{
    const uint8_t *p = view_at(&s->view, sizes, 4 * ((uint64_t)n + 1));
    const struct view_span *span = view_span_at(&s->view, content);
    uint64_t at = span ? content - span->run : 0;
    return p && span && sizes % 4 == 0 && is_size_table(p, n) &&
           is_content(span->data + at, span->size - at, p, n);
}

struct window {
    const struct scan *scan;
    const uint8_t *p;
    uint64_t addr, size;
};

// Where code has addresses as literal words, a table that no word points to is none.
static bool may_be_used(const struct window *w, uint64_t at)
{
    uint32_t i = 0;
    uint64_t user;
    return !ref_uses_literals(w->scan) || view_users(&w->scan->view, w->addr + at, &i, &user);
}

static struct window window_around(const struct scan *s, uint64_t names)
{
    const struct view_span *span = view_span_at(&s->view, names);
    uint64_t at = names - span->run, from = at > STR_WINDOW ? at - STR_WINDOW : 0;
    uint64_t end = span->size - at > STR_WINDOW ? at + STR_WINDOW : span->size;
    return (struct window){s, span->data + from, span->run + from, end - from};
}

// Texts begin where another one ends or at an aligned place.
static void add_contents(const struct window *w, uint64_t table, uint32_t n, struct str_tables *out)
{
    const uint8_t *sizes = w->p + table;
    uint64_t first = ld32(sizes);
    for (uint64_t at = 0; in_range(at, first + 1, w->size) && out->n < STR_PAIRS_MAX; at++)
        if (!w->p[at + first] && (!at || !w->p[at - 1] || (w->addr + at) % 4 == 0) &&
            is_content(w->p + at, w->size - at, sizes, n) && may_be_used(w, at)) {
            out->sizes[out->n] = w->addr + table;
            out->content[out->n++] = w->addr + at;
        }
}

// Tries the place at, if it is in the window; false: enough were tried.
static bool collect_at(const struct window *w, uint64_t at, uint32_t n, unsigned *tried,
                       struct str_tables *out)
{
    if (!in_range(at, 4 * ((uint64_t)n + 1), w->size) || !is_size_table(w->p + at, n) ||
        !may_be_used(w, at))
        return true;
    add_contents(w, at, n, out);
    return ++*tried < STR_SIZES_MAX && out->n < STR_PAIRS_MAX;
}

// Short texts may fit in several places; which are the ones, the references tell. Where few texts
// are frozen, much looks like a table of their sizes: what is near the names is tried first.
static void collect(const struct window *w, uint64_t names, uint32_t n, struct str_tables *out)
{
    uint64_t start = names - (names & 3) - w->addr;
    unsigned tried = 0;
    bool more = true;
    for (uint64_t far = 0; more && far <= w->size; far += 4) {
        more = collect_at(w, start + far, n, &tried, out);
        more = more && (!far || far > start || collect_at(w, start - far, n, &tried, out));
    }
}

void str_collect(const struct scan *s, struct str_tables *out)
{
    out->n = 0;
    if (s->fw->n_str) {
        struct window w = window_around(s, s->fw->names);
        collect(&w, s->fw->names, s->fw->n_str, out);
    }
}

static void take_texts(struct scan *s)
{
    struct firmware *fw = s->fw;
    uint64_t at = fw->str_content;
    for (uint32_t i = 0; i < fw->n_str; i++) {
        uint32_t size = 0;
        view_u32(&s->view, fw->str_sizes + 4 * i, &size);
        fw->modules[i].addr = at;
        fw->modules[i].size = size;
        at += (uint64_t)size + 1;
    }
}

void str_take(struct scan *s, uint64_t sizes, uint64_t content)
{
    s->fw->str_sizes = sizes;
    s->fw->str_content = content;
    take_texts(s);
    scan_note(s, "frozen sources", content, "sizes and texts agree, and code refers to both", "%u",
              s->fw->n_str);
}
