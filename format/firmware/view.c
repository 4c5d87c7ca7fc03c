// The address space as the running firmware sees it, and the index of its pointers.
#include "format/firmware/marks.h"
#include "format/firmware/scan.h"

enum {
    VIEW_BUCKET = 16,         // bytes of address space that share an index bucket
    VIEW_TOTAL_MAX = 1 << 29, // positions are 32 bits; no firmware is near half a gigabyte
};

static bool segment_has_reloc(const struct image *img, const struct image_segment *seg)
{
    size_t lo = 0, hi = img->n_relocs;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (img->relocs[mid].where < seg->run)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < img->n_relocs && img->relocs[lo].where - seg->run < seg->size;
}

static int span_compare(const void *a, const void *b)
{
    const struct view_span *x = a, *y = b;
    return x->run < y->run ? -1 : x->run > y->run;
}

static void sort_spans(struct view *v)
{
    for (unsigned i = 1; i < v->n; i++) // nearly sorted already
        for (unsigned k = i; k && span_compare(&v->spans[k - 1], &v->spans[k]) > 0; k--) {
            struct view_span t = v->spans[k];
            v->spans[k] = v->spans[k - 1];
            v->spans[k - 1] = t;
        }
}

static enum diag_code add_span(struct view *v, const struct image_segment *seg, struct arena *a,
                               struct diag *d)
{
    if (seg->size > VIEW_TOTAL_MAX - v->total || seg->run + seg->size < seg->run)
        return diag_set(d, DIAG_NO, v->image->name, "an image of more than %d bytes is not scanned",
                        VIEW_TOTAL_MAX);
    struct view_span *s = &v->spans[v->n++];
    *s = (struct view_span){seg->run, seg->size, seg->data, 0, seg->flags};
    v->total += (uint32_t)seg->size;
    if (!segment_has_reloc(v->image, seg))
        return DIAG_OK;
    uint8_t *copy = arena_dup(a, seg->data, seg->size);
    s->data = copy;
    return copy ? DIAG_OK : diag_nomem(d);
}

static void apply_relocs(struct view *v)
{
    for (size_t i = 0; i < v->image->n_relocs; i++) {
        const struct image_reloc *r = &v->image->relocs[i];
        uint8_t *p = !r->known ? NULL : (uint8_t *)view_at(v, r->where, v->ptr);
        if (p && v->ptr == 8)
            st64(p, r->addend);
        else if (p)
            st32(p, (uint32_t)r->addend);
    }
}

enum diag_code view_init(struct view *v, const struct image *img, struct arena *a, struct diag *d)
{
    *v = (struct view){.image = img, .ptr = img->address_bits == 64 ? 8 : 4};
    v->spans = ARENA_ARRAY(a, struct view_span, img->n_segments);
    if (!v->spans)
        return diag_nomem(d);
    for (unsigned i = 0; i < img->n_segments; i++)
        if (img->segments[i].size) {
            enum diag_code c = add_span(v, &img->segments[i], a, d);
            if (c)
                return c;
        }
    if (!v->n)
        return diag_set(d, DIAG_NO, img->name, "the image holds no bytes");
    sort_spans(v);
    uint32_t pos = 0;
    for (unsigned i = 0; i < v->n; i++) {
        v->spans[i].pos = pos;
        pos += (uint32_t)v->spans[i].size;
    }
    v->low = v->spans[0].run;
    v->high = v->spans[v->n - 1].run + v->spans[v->n - 1].size;
    apply_relocs(v);
    return DIAG_OK;
}

const struct view_span *view_span_at(const struct view *v, uint64_t addr)
{
    if (addr < v->low || addr >= v->high)
        return NULL;
    unsigned lo = 0, hi = v->n;
    while (hi - lo > 1) {
        unsigned mid = (lo + hi) / 2;
        if (v->spans[mid].run <= addr)
            lo = mid;
        else
            hi = mid;
    }
    const struct view_span *s = &v->spans[lo];
    return addr - s->run < s->size ? s : NULL;
}

const uint8_t *view_at(const struct view *v, uint64_t addr, uint64_t size)
{
    const struct view_span *s = view_span_at(v, addr);
    return s && in_range(addr - s->run, size, s->size) ? s->data + (addr - s->run) : NULL;
}

bool view_u16(const struct view *v, uint64_t addr, uint16_t *out)
{
    const uint8_t *p = view_at(v, addr, 2);
    return p && (*out = ld16(p), true);
}

bool view_u32(const struct view *v, uint64_t addr, uint32_t *out)
{
    const uint8_t *p = view_at(v, addr, 4);
    return p && (*out = ld32(p), true);
}

bool view_word(const struct view *v, uint64_t addr, uint64_t *out)
{
    const uint8_t *p = view_at(v, addr, v->ptr);
    return p && (*out = v->ptr == 8 ? ld64(p) : ld32(p), true);
}

static bool has_reloc(const struct image *img, uint64_t where)
{
    size_t lo = 0, hi = img->n_relocs;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (img->relocs[mid].where < where)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < img->n_relocs && img->relocs[lo].where == where && img->relocs[lo].known;
}

bool view_is_pointer(const struct view *v, uint64_t addr, uint64_t *out)
{
    return addr % v->ptr == 0 && view_word(v, addr, out) && view_span_at(v, *out) &&
           (!v->image->pic || has_reloc(v->image, addr));
}

bool view_is_code(const struct view *v, uint64_t addr, uint64_t *out)
{
    uint64_t code;
    if (view_is_pointer(v, addr, out))
        return true;
    if (addr % v->ptr || !view_word(v, addr, &code))
        return false;
    *out = image_code_data(v->image, code);
    return *out != code;
}

uint64_t view_addr(const struct view *v, uint32_t pos)
{
    unsigned i = v->n - 1;
    while (i && v->spans[i].pos > pos)
        i--;
    return v->spans[i].run + (pos - v->spans[i].pos);
}

const char *view_text(const struct view *v, uint64_t addr, uint32_t max, uint32_t *len)
{
    const struct view_span *s = view_span_at(v, addr);
    if (!s)
        return NULL;
    uint64_t left = s->size - (addr - s->run);
    const uint8_t *p = s->data + (addr - s->run);
    const uint8_t *end = memchr(p, 0, left < (uint64_t)max + 1 ? left : (uint64_t)max + 1);
    if (!end)
        return NULL;
    *len = (uint32_t)(end - p);
    return (const char *)p;
}

bool view_is_text(const struct view *v, uint64_t addr, const char *text)
{
    size_t n = strlen(text) + 1;
    const uint8_t *p = view_at(v, addr, n);
    return p && memcmp(p, text, n) == 0;
}

// --- the index

// Calls use for each pointer word with its position and the position it points to. In a
// position-independent image only relocated words can be pointers.
struct index_pass {
    struct view *v;
    bool fill;
};

static void index_word(struct index_pass *p, uint32_t pos, uint64_t value)
{
    const struct view_span *to = view_span_at(p->v, value);
    if (!to)
        return;
    uint32_t bucket = (to->pos + (uint32_t)(value - to->run)) / VIEW_BUCKET;
    if (p->fill)
        p->v->where[p->v->buckets[bucket]++] = pos;
    else
        p->v->buckets[bucket + 2]++;
}

static void index_relocs(struct index_pass *p)
{
    const struct image *img = p->v->image;
    for (size_t i = 0; i < img->n_relocs; i++) {
        const struct image_reloc *r = &img->relocs[i];
        const struct view_span *s = !r->known ? NULL : view_span_at(p->v, r->where);
        if (s && r->where % p->v->ptr == 0 && in_range(r->where - s->run, p->v->ptr, s->size))
            index_word(p, s->pos + (uint32_t)(r->where - s->run), r->addend);
    }
}

// Which of MARKS_BLOCK words may hold an address: low, or one of the last bytes behind it.
static uint64_t pointers_in(const uint8_t *p, uint32_t low, uint32_t last)
{
    uint8_t hit[MARKS_BLOCK];
    for (unsigned i = 0; i < MARKS_BLOCK; i++)
        hit[i] = ld32(p + 4 * i) - low <= last;
    return marks_pack(hit);
}

static void index_span(struct index_pass *p, const struct view_span *s)
{
    unsigned ptr = p->v->ptr;
    uint64_t at = (ptr - s->run % ptr) % ptr, low = p->v->low, width = p->v->high - low;
    uint32_t last = width - 1 < UINT32_MAX ? (uint32_t)(width - 1) : UINT32_MAX;
    const uint8_t *data = s->data;
    for (; ptr == 4 && in_range(at, 4 * MARKS_BLOCK, s->size); at += 4 * MARKS_BLOCK) {
        uint64_t found = pointers_in(data + at, (uint32_t)low, last);
        for (; found; found &= found - 1) {
            uint64_t word = at + 4 * marks_first(found);
            index_word(p, s->pos + (uint32_t)word, ld32(data + word));
        }
    }
    for (; in_range(at, ptr, s->size); at += ptr) {
        uint64_t value = ptr == 4 ? ld32(data + at) : ld64(data + at);
        if (value - low < width)
            index_word(p, s->pos + (uint32_t)at, value);
    }
}

static void index_all(struct index_pass *p)
{
    if (p->v->image->pic) {
        index_relocs(p);
        return;
    }
    for (unsigned i = 0; i < p->v->n; i++)
        index_span(p, &p->v->spans[i]);
}

// Two passes: count the pointers of each bucket, then place them. Counts are kept two slots ahead,
// so that after placing buckets[b] is where bucket b starts.
enum diag_code view_index(struct view *v, struct arena *a, struct diag *d)
{
    uint32_t n = v->total / VIEW_BUCKET + 3;
    v->buckets = ARENA_ARRAY(a, uint32_t, n + 1);
    if (!v->buckets)
        return diag_nomem(d);
    struct index_pass pass = {v, false};
    index_all(&pass);
    for (uint32_t b = 2; b <= n; b++)
        v->buckets[b] += v->buckets[b - 1];
    v->n_where = v->buckets[n];
    v->where = ARENA_ARRAY(a, uint32_t, v->n_where);
    if (!v->where)
        return diag_nomem(d);
    v->buckets++;
    pass.fill = true;
    index_all(&pass);
    v->buckets--;
    return DIAG_OK;
}

bool view_users(const struct view *v, uint64_t value, uint32_t *i, uint64_t *at)
{
    const struct view_span *to = view_span_at(v, value);
    if (!to)
        return false;
    uint32_t bucket = (to->pos + (uint32_t)(value - to->run)) / VIEW_BUCKET;
    uint32_t from = v->buckets[bucket], end = v->buckets[bucket + 1];
    for (uint32_t k = from + *i; k < end; k++) {
        uint64_t addr = view_addr(v, v->where[k]), held;
        if (view_word(v, addr, &held) && held == value) {
            *at = addr;
            *i = k - from + 1;
            return true;
        }
    }
    return false;
}

// Looks for the first byte of the needle that is not 0: images are full of zeros.
const uint8_t *bytes_find(const uint8_t *p, size_t size, const void *needle, size_t n)
{
    const uint8_t *bytes = needle, *end = p + size;
    size_t k = 0;
    while (k + 1 < n && !bytes[k])
        k++;
    while ((size_t)(end - p) >= n) {
        p = memchr(p + k, bytes[k], (size_t)(end - p) - n + 1);
        if (!p)
            return NULL;
        p -= k;
        if (memcmp(p, needle, n) == 0)
            return p;
        p++;
    }
    return NULL;
}

bool view_find(const struct view *v, const void *needle, size_t n, uint64_t *at)
{
    for (unsigned i = 0; i < v->n; i++) {
        const struct view_span *s = &v->spans[i];
        if (*at >= s->run + s->size)
            continue;
        uint64_t from = *at > s->run ? *at - s->run : 0;
        const uint8_t *hit = bytes_find(s->data + from, s->size - from, needle, n);
        if (hit) {
            *at = s->run + (uint64_t)(hit - s->data);
            return true;
        }
    }
    return false;
}

// --- the dynamic section of an ELF

static uint64_t load(const uint8_t *p, bool is64)
{
    return is64 ? ld64(p) : ld32(p);
}

// Facts: System V gABI, Elf32_Ehdr, Elf64_Ehdr, Elf32_Phdr, Elf64_Phdr, Elf32_Dyn, Elf64_Dyn.
bool view_dynamic(const struct view *v, uint64_t tag, uint64_t *value)
{
    enum { PT_DYNAMIC_TYPE = 2 };
    const uint8_t *f = v->image->file;
    size_t size = v->image->file_size;
    bool is64 = v->ptr == 8;
    unsigned word = v->ptr, entry = is64 ? 56 : 32;
    if (v->image->kind != IMAGE_ELF || size < 64)
        return false;
    uint64_t at = load(f + (is64 ? 32 : 28), is64);
    unsigned n = ld16(f + (is64 ? 56 : 44));
    for (unsigned i = 0; i < n && in_range(at, entry, size); i++, at += entry) {
        if (ld32(f + at) != PT_DYNAMIC_TYPE)
            continue;
        uint64_t dyn = load(f + at + 2 * word, is64), t;
        for (; view_word(v, dyn, &t) && t; dyn += 2 * word)
            if (t == tag)
                return view_word(v, dyn + word, value);
    }
    return false;
}
