// qstr pools: found by the static names that every release from 1.11 on begins with, checked
// entry by entry (text, length, hash), and followed to the end of the chain.
//
// Facts: qstr_pool_t in py/qstr.h, the pool definitions in py/qstr.c.
#include "format/firmware/scan.h"

enum {
    POOL_QSTRS_MAX = 65536, // ids are 16 bits
    POOL_CHAIN_MAX = 64,    // a build has two or three, each splice adds at most two
    POOL_TABLES_MAX = 64,   // tables of static names that are tried as a pool's
    POOL_EXTRA_MAX = 16,    // names of a fork among the static ones
    POOL_FIRST = 2,         // the id of the first static name that is not empty
};

static uint32_t hash_mask(unsigned hash_bytes)
{
    return hash_bytes == 1 ? 0xff : 0xffff; // builds without stored hashes use 16 bits
}

static uint32_t hash_text(const uint8_t *p, size_t n, uint32_t mask)
{
    uint32_t h = 5381;
    for (size_t i = 0; i < n; i++)
        h = (h * 33) ^ p[i];
    return h & mask ? h & mask : 1;
}

uint32_t firmware_qstr_hash(const struct firmware *fw, const char *s, size_t n)
{
    return hash_text((const uint8_t *)s, n, hash_mask(fw->qstr_hash_bytes));
}

// --- one pool

struct pool_shape {
    unsigned hash_bytes, len_bytes;
    bool in_front;    // up to 1.18: hash and length lie in front of each text
    bool sorted_word; // LVGL's fork before 1.22: is_sorted is a word of its own before qstrs[]
};

static uint64_t header_words(struct pool_shape shape)
{
    return shape.in_front ? 4 : (shape.hash_bytes ? 6 : 5) + shape.sorted_word;
}

// Bytes between what the table points to and the text.
static unsigned text_skip(struct pool_shape shape)
{
    return shape.in_front ? shape.hash_bytes + shape.len_bytes : 0;
}

static uint32_t load(const uint8_t *p, unsigned bytes)
{
    return bytes == 1 ? *p : ld16(p);
}

static bool reserve_qstrs(struct scan *s, const struct fw_qstr_pool *p)
{
    uint32_t need = p->total_prev + p->len;
    if (need <= s->qstrs_cap)
        return true;
    struct fw_qstr *grown =
        arena_grow(s->arena, s->fw->qstrs, s->qstrs_cap * sizeof *grown, need * sizeof *grown);
    if (!grown)
        return false;
    s->fw->qstrs = grown;
    s->qstrs_cap = need;
    return true;
}

struct stored { // one entry as the pool has it
    uint64_t text;
    uint32_t hash, len;
};

// Entry i of pool p, whose tables lie in the image.
static bool read_stored(const struct view *v, const struct fw_qstr_pool *p, struct pool_shape shape,
                        uint32_t i, struct stored *out)
{
    uint64_t at;
    if (!view_word(v, p->qstrs + (uint64_t)i * v->ptr, &at))
        return false;
    uint64_t hash = shape.in_front ? at : p->hashes + (uint64_t)i * shape.hash_bytes;
    uint64_t len =
        shape.in_front ? at + shape.hash_bytes : p->lengths + (uint64_t)i * shape.len_bytes;
    const uint8_t *h = view_at(v, hash, shape.hash_bytes), *l = view_at(v, len, shape.len_bytes);
    if (!l || (shape.hash_bytes && !h))
        return false;
    out->text = at + text_skip(shape);
    out->hash = shape.hash_bytes ? load(h, shape.hash_bytes) : 0;
    out->len = load(l, shape.len_bytes);
    return true;
}

// In LVGL's fork the first pool ends in an empty text, which stands for the number of entries
// before it; it has no hash and no length of its own.
static bool is_spacer(const struct view *v, const struct fw_qstr_pool *p, struct pool_shape shape,
                      uint32_t i)
{
    uint64_t text;
    return shape.sorted_word && !p->total_prev && i + 1 == p->len &&
           view_word(v, p->qstrs + (uint64_t)i * v->ptr, &text) && view_is_text(v, text, "");
}

// The entries of pool p behind those of the pools before it; false when one does not check out.
static bool read_entries(struct scan *s, const struct fw_qstr_pool *p, struct pool_shape shape)
{
    const struct view *v = &s->view;
    if (!p->len) // a build that freezes nothing has such a pool at the end
        return true;
    if (!view_at(v, p->qstrs, (uint64_t)p->len * v->ptr) || !reserve_qstrs(s, p))
        return false;
    struct fw_qstr *out = s->fw->qstrs + p->total_prev;
    for (uint32_t i = 0; i < p->len; i++) {
        struct stored e;
        if (is_spacer(v, p, shape, i)) {
            out[i] = (struct fw_qstr){"", 0, 0};
            continue;
        }
        if (!read_stored(v, p, shape, i, &e))
            return false;
        const uint8_t *t = view_at(v, e.text, (uint64_t)e.len + 1);
        if (!t || t[e.len])
            return false;
        uint32_t hash = hash_text(t, e.len, hash_mask(shape.hash_bytes));
        bool null = !p->total_prev && !i; // MP_QSTRnull is stored with hash 0
        if (shape.hash_bytes && !null && e.hash != hash)
            return false;
        out[i] = (struct fw_qstr){(const char *)t, e.len, null ? 0 : hash};
    }
    return true;
}

// Reads a header at addr; only what a header says, not the entries.
static bool read_header(const struct view *v, uint64_t addr, struct pool_shape shape,
                        struct fw_qstr_pool *p, uint64_t *prev)
{
    uint64_t w[7] = {0};
    for (unsigned i = 0; i < header_words(shape); i++)
        if (!view_word(v, addr + (uint64_t)i * v->ptr, &w[i]))
            return false;
    uint64_t flag = 1ULL << (8 * v->ptr - 1), total = w[1] & ~flag;
    if (total >= POOL_QSTRS_MAX || w[2] >= POOL_QSTRS_MAX || (!w[3] && w[2]) ||
        w[3] >= POOL_QSTRS_MAX - total)
        return false;
    uint64_t last = shape.sorted_word ? w[header_words(shape) - 1] : 0;
    if (last > 1)
        return false;
    unsigned k = shape.hash_bytes ? 1 : 0;
    *prev = w[0];
    *p = (struct fw_qstr_pool){.addr = addr,
                               .total_prev = (uint32_t)total,
                               .alloc = (uint32_t)w[2],
                               .len = (uint32_t)w[3],
                               .sorted = (w[1] & flag) != 0 || last,
                               .hashes = k && !shape.in_front ? w[4] : 0,
                               .lengths = shape.in_front ? 0 : w[4 + k],
                               .qstrs = addr + header_words(shape) * v->ptr};
    return true;
}

// --- the first pool

// Does a pointer table at addr begin with the static names (ids 2..165)? A fork may have a few of
// its own among them.
static bool is_static_table(const struct view *v, uint64_t addr, unsigned skip)
{
    unsigned id = POOL_FIRST;
    for (unsigned i = id; id <= MPY_STATIC_QSTRS && i - id <= POOL_EXTRA_MAX; i++) {
        uint64_t text;
        if (!view_word(v, addr + (uint64_t)i * v->ptr, &text))
            return false;
        id += view_is_text(v, text + skip, mpy_static_qstr(id));
    }
    return id > MPY_STATIC_QSTRS;
}

// The next table of static names; *at and *user continue the search.
static bool next_static_table(const struct view *v, unsigned skip, uint64_t *at, uint32_t *user,
                              uint64_t *table)
{
    const char *name = mpy_static_qstr(POOL_FIRST);
    while (view_find(v, name, strlen(name) + 1, at)) {
        uint64_t word;
        while (view_users(v, *at - skip, user, &word)) {
            *table = word - (uint64_t)POOL_FIRST * v->ptr;
            if (is_static_table(v, *table, skip))
                return true;
        }
        *user = 0;
        ++*at;
    }
    return false;
}

static const struct pool_shape shapes[] = {
    {1, 1, false, false}, {2, 1, false, false}, {0, 1, false, false}, {1, 2, false, false},
    {2, 2, false, false}, {0, 2, false, false}, {1, 1, true, false},  {2, 1, true, false},
    {1, 2, true, false},  {2, 2, true, false},  {1, 1, false, true},  {2, 1, false, true},
};

static bool read_first(struct scan *s, uint64_t table, struct pool_shape shape,
                       struct fw_qstr_pool *p)
{
    uint64_t prev;
    return read_header(&s->view, table - header_words(shape) * s->view.ptr, shape, p, &prev) &&
           !prev && !p->total_prev && p->len > MPY_STATIC_QSTRS && read_entries(s, p, shape);
}

static bool find_first(struct scan *s, struct pool_shape *shape, struct fw_qstr_pool *p)
{
    for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        uint64_t at = 0, table;
        uint32_t user = 0, tried = 0;
        while (tried++ < POOL_TABLES_MAX &&
               next_static_table(&s->view, text_skip(shapes[i]), &at, &user, &table))
            if (read_first(s, table, shapes[i], p)) {
                *shape = shapes[i];
                s->old_pools = shapes[i].in_front;
                return true;
            }
    }
    return false;
}

// --- the chain

static bool find_next(struct scan *s, struct pool_shape shape, const struct fw_qstr_pool *last,
                      struct fw_qstr_pool *p)
{
    uint32_t user = 0, total = last->total_prev + last->len;
    uint64_t word, prev;
    while (view_users(&s->view, last->addr, &user, &word))
        if (read_header(&s->view, word, shape, p, &prev) && p->total_prev == total &&
            read_entries(s, p, shape))
            return true;
    return false;
}

// The id of a static name: 7 for "<module>", but of a fork that has names of its own before it.
static uint16_t static_id(const struct firmware *fw, const char *name)
{
    for (uint32_t id = POOL_FIRST; id < fw->pools[0].len; id++)
        if (strcmp(fw->qstrs[id].data, name) == 0)
            return (uint16_t)id;
    return 0;
}

static enum diag_code follow_chain(struct scan *s, struct pool_shape shape,
                                   struct fw_qstr_pool *pools)
{
    struct firmware *fw = s->fw;
    fw->pools = pools;
    fw->n_pools = 1;
    fw->n_qstrs = pools[0].len;
    while (fw->n_pools < POOL_CHAIN_MAX &&
           find_next(s, shape, &pools[fw->n_pools - 1], &pools[fw->n_pools]))
        fw->n_qstrs += pools[fw->n_pools++].len;
    fw->qstr_hash_bytes = shape.hash_bytes;
    fw->qstr_len_bytes = shape.len_bytes;
    fw->qstr_sorted_word = shape.sorted_word;
    s->module_id = static_id(fw, "<module>");
    for (unsigned i = 0; i < fw->n_pools; i++)
        scan_note(s, "qstr pool", pools[i].addr, "every text, length and hash agrees",
                  "%u strings from %u on%s", pools[i].len, pools[i].total_prev,
                  pools[i].sorted ? ", sorted" : "");
    scan_note(s, "qstr bytes", pools[0].addr, "the tables of the first pool", "hash %u, length %u",
              shape.hash_bytes, shape.len_bytes);
    return DIAG_OK;
}

// --- lookup by text

static void map_qstr(const struct firmware *fw, uint32_t *map, uint32_t id)
{
    const struct fw_qstr *q = &fw->qstrs[id];
    uint32_t h = hash_text((const uint8_t *)q->data, q->len, UINT32_MAX) & fw->qstr_map_mask;
    while (map[h])
        h = (h + 1) & fw->qstr_map_mask;
    map[h] = id;
}

static enum diag_code build_map(struct scan *s)
{
    struct firmware *fw = s->fw;
    uint32_t size = 64;
    while (size < fw->n_qstrs * 2)
        size *= 2;
    uint32_t *map = ARENA_ARRAY(s->arena, uint32_t, size);
    if (!map)
        return diag_nomem(s->diag);
    fw->qstr_map = map;
    fw->qstr_map_mask = size - 1;
    for (unsigned k = fw->n_pools; k-- > 0;) // the newest of equal texts wins, as in the VM
        for (uint32_t i = k ? 0 : 1; i < fw->pools[k].len; i++)
            map_qstr(fw, map, fw->pools[k].total_prev + i);
    return DIAG_OK;
}

uint32_t firmware_qstr(const struct firmware *fw, const char *s, size_t n)
{
    if (!fw->qstr_map)
        return 0;
    uint32_t h = hash_text((const uint8_t *)s, n, UINT32_MAX) & fw->qstr_map_mask;
    for (; fw->qstr_map[h]; h = (h + 1) & fw->qstr_map_mask) {
        const struct fw_qstr *q = &fw->qstrs[fw->qstr_map[h]];
        if (q->len == n && memcmp(q->data, s, n) == 0)
            return fw->qstr_map[h];
    }
    return 0;
}

enum diag_code pool_scan(struct scan *s)
{
    struct fw_qstr_pool *pools = ARENA_ARRAY(s->arena, struct fw_qstr_pool, POOL_CHAIN_MAX + 1);
    struct pool_shape shape;
    if (!pools)
        return diag_nomem(s->diag);
    if (!find_first(s, &shape, &pools[0]))
        return diag_set(s->diag, DIAG_NO, s->view.image->name,
                        "no MicroPython qstr pool was found in this image");
    enum diag_code c = follow_chain(s, shape, pools);
    return c ? c : build_map(s);
}
