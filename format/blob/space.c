// The base's address space: which bytes count (extents), and their digest. The rule is such that a
// firmware gives the same digest as ELF, raw binary, UF2, DFU or HEX; blob.md states it.
#include <stdlib.h>
#include <string.h>

#include "format/blob/blob.h"
#include "format/blob/walk.h"
#include "format/sha256.h"
#include "format/task.h"

enum {
    SPACE_FILL_MIN = 256, // shorter fills count as data; a UF2 block's payload
    SPACE_TRIM = 4,       // uniform runs taken off each end of a run of data
    SPACE_CHAIN = 2 * SPACE_TRIM,
    SPACE_RUNS_MAX = 128,    // more runs of data than this: count longer fills as data, too
    SPACE_EXTENTS_MAX = 4096 // 64 KiB of extents
};

enum space_class { SPACE_DATA, SPACE_00, SPACE_FF, SPACE_MISSING };

struct space_token { // a run of the address space
    uint64_t addr, size;
    enum space_class class;
    bool excluded;
};

struct space {
    struct arena *arena;
    struct space_token *tokens;
    size_t n, cap;
    size_t chain; // short fills at the end of tokens
    bool failed;
};

static bool space_is_fill(const struct space_token *t)
{
    return t->class == SPACE_00 || t->class == SPACE_FF;
}

static void space_append(struct space *s, uint64_t addr, uint64_t size, enum space_class class)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 256;
        struct space_token *t =
            arena_grow(s->arena, s->tokens, s->cap * sizeof *t, cap * sizeof *t);
        if (!t) {
            s->failed = true;
            return;
        }
        s->tokens = t;
        s->cap = cap;
    }
    s->tokens[s->n++] = (struct space_token){addr, size, class, false};
}

// Turns tokens[from..n) into data, together with the data in front of them.
static void space_fold(struct space *s, size_t from)
{
    if (from > 0 && s->tokens[from - 1].class == SPACE_DATA) {
        from--;
    }
    struct space_token *first = &s->tokens[from], *last = &s->tokens[s->n - 1];
    first->size = last->addr + last->size - first->addr;
    first->class = SPACE_DATA;
    s->n = from + 1;
}

// Short fills between data are data; of a long chain of them only the ends can ever be trimmed. So
// the number of tokens stays small for every input.
static void space_push(struct space *s, uint64_t addr, uint64_t size, enum space_class class)
{
    struct space_token *last = s->n ? &s->tokens[s->n - 1] : NULL;
    if (last && last->class == class && space_is_fill(last)) { // goes on in the next segment
        addr = last->addr;
        size += last->size;
        s->n--;
        s->chain -= s->chain > 0;
    }
    space_append(s, addr, size, class);
    if (s->failed) {
        return;
    }
    if (class == SPACE_DATA) {
        size_t before = s->n - 1 - s->chain;
        if (s->chain && before > 0 && s->tokens[before - 1].class == SPACE_DATA) {
            space_fold(s, before);
        } else if (!s->chain && before > 0 && s->tokens[before - 1].class == SPACE_DATA) {
            space_fold(s, s->n - 1);
        }
        s->chain = 0;
    } else if (class == SPACE_MISSING || size >= SPACE_FILL_MIN) {
        s->chain = 0;
    } else if (++s->chain > SPACE_CHAIN) {
        // The token in the middle becomes data, joined with data that such a step made before.
        struct space_token keep[SPACE_TRIM];
        size_t tail = s->n - SPACE_TRIM, middle = tail - 1;
        size_t start = middle - SPACE_TRIM;
        memcpy(keep, s->tokens + tail, sizeof keep);
        s->n = tail;
        bool joined = start > 0 && s->tokens[start - 1].class == SPACE_DATA;
        space_fold(s, joined ? start : middle);
        memcpy(s->tokens + s->n, keep, sizeof keep);
        s->n += SPACE_TRIM;
        s->chain = SPACE_TRIM;
    }
}

static bool space_byte_fills(uint8_t b)
{
    return b == 0 || b == 0xff;
}

static size_t space_run(const uint8_t *p, size_t n, uint8_t value)
{
    size_t i = 1;
    while (i < n && p[i] == value) {
        i++;
    }
    return i;
}

// The first byte from p[i] on that fills, or n: eight bytes at a time. What is taken from a byte
// above its zero may only mark bytes above that one.
static size_t space_next_fill(const uint8_t *p, size_t i, size_t n)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    for (; n - i >= sizeof ones; i += sizeof ones) {
        uint64_t w = ld64(p + i), fills = (((w - ones) & ~w) | ((~w - ones) & w)) & tops;
        if (fills) {
            return i + (size_t)__builtin_ctzll(fills) / 8;
        }
    }
    while (i < n && !space_byte_fills(p[i])) {
        i++;
    }
    return i;
}

// Data, and in it what space_push would make data of: single short fills with data behind them,
// which code is full of.
static size_t space_data(const uint8_t *p, size_t n)
{
    size_t i = 1;
    for (;;) {
        i = space_next_fill(p, i, n);
        size_t run = i < n ? space_run(p + i, n - i, p[i]) : 0;
        if (i + run == n || run >= SPACE_FILL_MIN || space_byte_fills(p[i + run])) {
            return i;
        }
        i += run;
    }
}

static void space_scan(struct space *s, uint64_t addr, const uint8_t *p, size_t n)
{
    while (n > 0 && !s->failed) {
        bool fill = space_byte_fills(*p);
        size_t run = fill ? space_run(p, n, *p) : space_data(p, n);
        space_push(s, addr, run, !fill ? SPACE_DATA : *p ? SPACE_FF : SPACE_00);
        addr += run;
        p += run;
        n -= run;
    }
}

// Tokens of the whole image.
static void space_tokens(struct space *s, const struct image *img)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *seg = &img->segments[i];
        if (seg->size == 0) {
            continue;
        }
        if (s->n > 0 && seg->addr > end) {
            space_push(s, end, seg->addr - end, SPACE_MISSING);
        }
        space_scan(s, seg->addr, seg->data, seg->size);
        end = seg->addr + seg->size;
    }
}

static bool space_matches(const struct space_token *t, enum space_class fill)
{
    return t->class == fill || t->class == SPACE_MISSING;
}

// Excludes runs of one fill (missing bytes count as any) that are long or reach an end.
static void space_exclude(struct space *s, enum space_class fill, uint64_t least)
{
    for (size_t i = 0; i < s->n;) {
        size_t from = i;
        uint64_t size = 0;
        while (i < s->n && space_matches(&s->tokens[i], fill)) {
            size += s->tokens[i++].size;
        }
        if (i == from) {
            i++;
            continue;
        }
        for (size_t j = from; j < i && (size >= least || from == 0 || i == s->n); j++) {
            s->tokens[j].excluded = true;
        }
    }
}

// Takes uniform runs off one end of tokens[from..to) (a stretch that is not excluded).
static void space_trim(struct space *s, size_t from, size_t to, bool forward)
{
    size_t i = 0, n = to - from;
    for (unsigned round = 0; round < SPACE_TRIM && i < n; round++) {
        size_t j = i;
        enum space_class fill = SPACE_MISSING;
        for (; j < n; j++) {
            const struct space_token *t = &s->tokens[forward ? from + j : to - 1 - j];
            if (fill == SPACE_MISSING && space_is_fill(t)) {
                fill = t->class;
            }
            if (!space_matches(t, fill)) {
                break;
            }
        }
        if (j == i) {
            return;
        }
        for (; i < j; i++) {
            s->tokens[forward ? from + i : to - 1 - i].excluded = true;
        }
    }
}

// One choice of which fills count; returns the number of runs of data.
static unsigned space_choose(struct space *s, uint64_t least)
{
    for (size_t i = 0; i < s->n; i++) {
        s->tokens[i].excluded =
            s->tokens[i].class == SPACE_MISSING && s->tokens[i].size >= SPACE_FILL_MIN;
    }
    space_exclude(s, SPACE_00, least);
    space_exclude(s, SPACE_FF, least);
    unsigned runs = 0;
    for (size_t i = 0; i < s->n;) {
        size_t from = i;
        while (i < s->n && !s->tokens[i].excluded) {
            i++;
        }
        if (i == from) {
            i++;
            continue;
        }
        space_trim(s, from, i, true);
        while (from < i && s->tokens[from].excluded) {
            from++;
        }
        space_trim(s, from, i, false);
        runs++;
    }
    return runs;
}

static enum blob_extent_kind space_kind(const struct space_token *t)
{
    if (!t->excluded) {
        return t->class == SPACE_MISSING ? BLOB_EXTENT_GAP : BLOB_EXTENT_DATA;
    }
    return t->class == SPACE_00 ? BLOB_EXTENT_FILL_00 : BLOB_EXTENT_FILL_FF;
}

// tokens to extents; with count only when extents is NULL.
static size_t space_extents(const struct space *s, struct blob_extent *extents)
{
    size_t n = 0;
    enum blob_extent_kind last = BLOB_EXTENT_GAP;
    uint64_t end = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct space_token *t = &s->tokens[i];
        if (t->excluded && t->class == SPACE_MISSING) {
            continue;
        }
        enum blob_extent_kind kind = space_kind(t);
        if (n > 0 && kind == last && t->addr == end) {
            if (extents) {
                extents[n - 1].size += (uint32_t)t->size;
            }
        } else {
            if (extents) {
                extents[n] = (struct blob_extent){t->addr, (uint32_t)t->size, kind};
            }
            n++;
        }
        last = kind;
        end = t->addr + t->size;
    }
    return n;
}

static enum diag_code space_of_image(const struct image *img, struct arena *a, struct diag *d,
                                     uint32_t *n, struct blob_extent **extents)
{
    struct space s = {.arena = a};
    space_tokens(&s, img);
    if (s.failed) {
        return diag_nomem(d);
    }
    for (uint64_t least = SPACE_FILL_MIN; space_choose(&s, least) > SPACE_RUNS_MAX;) {
        if (!ck_mul(least, 2, &least)) {
            break;
        }
    }
    size_t count = space_extents(&s, NULL);
    if (count > SPACE_EXTENTS_MAX) {
        return diag_set(d, DIAG_NO, img->name,
                        "the address space is too scattered: %zu extents, at most %d", count,
                        SPACE_EXTENTS_MAX);
    }
    *extents = ARENA_ARRAY(a, struct blob_extent, count);
    if (!*extents) {
        return diag_nomem(d);
    }
    *n = (uint32_t)space_extents(&s, *extents);
    return DIAG_OK;
}

struct space_reader {
    const struct image *img;
    struct sha256 hash;
};

const uint8_t *blob_image_map(const struct image *img, uint64_t addr, uint32_t *size)
{
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *s = &img->segments[i];
        if (addr < s->addr) {
            *size = s->addr - addr < *size ? (uint32_t)(s->addr - addr) : *size;
            return NULL;
        }
        if (addr - s->addr < s->size) {
            uint64_t left = s->size - (addr - s->addr);
            *size = left < *size ? (uint32_t)left : *size;
            return s->data + (addr - s->addr);
        }
    }
    return NULL;
}

// A base may be compared as another container than the one that the blob was made for: a short gap
// there is what is padded with zeros elsewhere.
static const uint8_t *space_map(void *ctx, uint64_t addr, uint32_t *size)
{
    static const uint8_t zeros[BLOB_GAP_MAX];
    const struct space_reader *r = ctx;
    const uint8_t *p = blob_image_map(r->img, addr, size);
    return !p && *size <= sizeof zeros ? zeros : p;
}

static void space_hash(void *ctx, const void *data, uint32_t size)
{
    struct space_reader *r = ctx;
    sha256_add(&r->hash, data, size);
}

// The digest over l's extents of an image that no patch was applied to; false if a fill differs.
static bool space_digest(const struct blob_layout *l, const struct image *img,
                         uint8_t digest[BLOB_DIGEST])
{
    struct space_reader r = {.img = img};
    const struct blob_walk walk = {&r, space_map, space_hash};
    sha256_begin(&r.hash);
    bool ok = blob_walk(l, 0, &walk) == 0;
    sha256_end(&r.hash, digest);
    return ok;
}

// Extents as a blob holds them; *size: bytes that are hashed.
static enum diag_code space_layout(const struct blob_extent *extents, uint32_t n, struct arena *a,
                                   struct diag *d, struct blob_layout *l, uint64_t *size)
{
    uint8_t *p = arena_alloc(a, (size_t)n * BLOB_EXTENT_SIZE);
    *size = 0;
    if (!p) {
        return diag_nomem(d);
    }
    *l = (struct blob_layout){.bytes = p};
    l->at[BLOB_EXTENTS + 1] = n * BLOB_EXTENT_SIZE;
    for (uint32_t i = 0; i < n; i++, p += BLOB_EXTENT_SIZE) {
        st64(p, extents[i].addr);
        st32(p + 8, extents[i].size);
        st32(p + 12, (uint32_t)extents[i].kind);
        bool hashed = extents[i].kind == BLOB_EXTENT_DATA || extents[i].kind == BLOB_EXTENT_GAP;
        *size += hashed ? extents[i].size : 0;
    }
    return DIAG_OK;
}

enum diag_code blob_space_digest(const struct image *img, struct arena *a, struct diag *d,
                                 uint8_t digest[BLOB_DIGEST], uint64_t *size)
{
    struct blob_extent *extents;
    uint32_t n;
    struct blob_layout l;
    enum diag_code err = space_of_image(img, a, d, &n, &extents);
    err = err ? err : space_layout(extents, n, a, d, &l, size);
    if (!err) {
        space_digest(&l, img, digest);
    }
    return err;
}

void blob_file_digest(const struct image *img, uint8_t digest[BLOB_DIGEST])
{
    sha256(img->file, img->file_size, digest);
}

struct blob_base {
    struct arena *arena;
    const uint8_t *file;
    size_t file_size;
    const struct image *image;
    struct blob_layout layout; // of the extents alone
    struct blob_extent *extents;
    uint32_t n_extents;
    uint64_t space_size;
    struct task *file_task, *space_task;
    uint8_t file_sha256[BLOB_DIGEST], space_sha256[BLOB_DIGEST];
};

static void base_hash_file(void *argument)
{
    struct blob_base *x = argument;
    sha256(x->file, x->file_size, x->file_sha256);
}

static void base_hash_space(void *argument)
{
    struct blob_base *x = argument;
    space_digest(&x->layout, x->image, x->space_sha256);
}

struct blob_base *blob_base_new(const uint8_t *file, size_t size, struct arena *a)
{
    struct blob_base *x = ARENA_NEW(a, struct blob_base);
    if (!x) {
        return NULL;
    }
    *x = (struct blob_base){.arena = a, .file = file, .file_size = size};
    x->file_task = task_start(a, base_hash_file, NULL, x);
    return x->file_task ? x : NULL;
}

enum diag_code blob_base_map(struct blob_base *x, const struct image *img, struct diag *d)
{
    enum diag_code err = space_of_image(img, x->arena, d, &x->n_extents, &x->extents);
    err =
        err ? err : space_layout(x->extents, x->n_extents, x->arena, d, &x->layout, &x->space_size);
    if (err) {
        return err;
    }
    x->image = img;
    x->space_task = task_start(x->arena, base_hash_space, NULL, x);
    return x->space_task ? DIAG_OK : diag_nomem(d);
}

void blob_base_extents(const struct blob_base *x, struct blob *b)
{
    uint32_t n = 0;
    b->extents = x->extents;
    b->n_extents = x->n_extents;
    if (!b->code.size) {
        return;
    }
    struct blob_extent *list = ARENA_ARRAY(x->arena, struct blob_extent, x->n_extents + 1);
    while (n < x->n_extents && x->extents[n].addr < b->code.addr) {
        list[n] = x->extents[n];
        n++;
    }
    list[n] = (struct blob_extent){b->code.addr, b->code.size, BLOB_EXTENT_FILL_00};
    memcpy(list + n + 1, x->extents + n, (x->n_extents - n) * sizeof *list);
    b->extents = list;
    b->n_extents++;
}

void blob_base_set(struct blob_base *x, struct blob *b)
{
    task_wait(x->file_task);
    task_wait(x->space_task);
    b->container = (uint32_t)x->image->kind;
    blob_base_extents(x, b);
    b->base_file_size = x->file_size;
    b->base_space_size = x->space_size;
    memcpy(b->base_file_sha256, x->file_sha256, BLOB_DIGEST);
    memcpy(b->base_space_sha256, x->space_sha256, BLOB_DIGEST);
}

bool blob_base_is_file(struct blob_base *x, const struct blob *b)
{
    task_wait(x->file_task);
    return x->file_size == b->base_file_size &&
           memcmp(x->file_sha256, b->base_file_sha256, BLOB_DIGEST) == 0;
}

enum diag_code blob_set_base(struct blob *b, const struct image *base, struct arena *a,
                             struct diag *d)
{
    struct blob_base *x = blob_base_new(base->file, base->file_size, a);
    enum diag_code err = x ? blob_base_map(x, base, d) : diag_nomem(d);
    if (!err) {
        blob_base_set(x, b);
    }
    return err;
}

// A piece of an image that neither base nor blob accounts for: what converters put between parts.
static bool space_is_padding(const uint8_t *p, uint64_t n)
{
    unsigned changes = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (p[i] != 0 && p[i] != 0xff) {
            return false;
        }
        changes += i > 0 && p[i] != p[i - 1];
    }
    return changes < SPACE_TRIM;
}

// Where the next accounted range at or behind addr begins and ends; UINT64_MAX = nowhere.
static void space_next(const struct blob *b, uint64_t addr, bool with_blob, uint32_t *i,
                       uint64_t *from, uint64_t *to)
{
    *from = *to = UINT64_MAX;
    while (*i < b->n_extents && (b->extents[*i].kind == BLOB_EXTENT_GAP ||
                                 b->extents[*i].addr + b->extents[*i].size <= addr)) {
        ++*i;
    }
    if (*i < b->n_extents) {
        *from = b->extents[*i].addr;
        *to = *from + b->extents[*i].size;
    }
    uint64_t blob_end = b->addr + b->layout.size;
    if (with_blob && addr < blob_end && b->addr < *from) {
        *from = b->addr;
        *to = blob_end;
    }
}

bool blob_rest_is_padding(const struct blob *b, const struct image *img, bool with_blob,
                          uint64_t *where)
{
    uint32_t next = 0;
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *s = &img->segments[i];
        uint64_t at = s->addr, end = s->addr + s->size;
        while (at < end) {
            uint64_t from, to;
            space_next(b, at, with_blob, &next, &from, &to);
            uint64_t stop = from < end ? from : end;
            if (stop > at && !space_is_padding(s->data + (at - s->addr), stop - at)) {
                *where = at;
                return false;
            }
            at = to < end ? to : end;
        }
    }
    return true;
}

bool blob_is_base(const struct blob *b, struct image *img, bool *same_file)
{
    uint8_t digest[BLOB_DIGEST];
    uint64_t where;
    *same_file = false;
    if (img->file_size == b->base_file_size) {
        blob_file_digest(img, digest);
        *same_file = memcmp(digest, b->base_file_sha256, BLOB_DIGEST) == 0;
    }
    if (!img->base_known && b->n_extents > 0) {
        image_rebase(img, b->extents[0].addr);
    }
    return *same_file || (space_digest(&b->layout, img, digest) &&
                          memcmp(digest, b->base_space_sha256, BLOB_DIGEST) == 0 &&
                          blob_rest_is_padding(b, img, false, &where));
}
