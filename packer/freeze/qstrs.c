#include "packer/freeze/qstrs.h"

#include <stdlib.h>

enum {
    QSTR_IDS = 65536,    // tables of qstr ids are u16
    POOL_ALLOC_MAX = 10, // MICROPY_ALLOC_QSTR_ENTRIES_INIT: the first pool in RAM is twice that
};

static uint32_t hash32(const void *s, size_t n)
{
    const uint8_t *bytes = s;
    uint32_t h = 5381;
    for (size_t i = 0; i < n; i++) {
        h = h * 33 ^ bytes[i];
    }
    return h;
}

static uint32_t mask_hash(uint32_t h, unsigned hash_bytes)
{
    h &= hash_bytes == 1 ? 0xff : 0xffff; // objects keep 16 bits where pools keep none
    return h ? h : 1;
}

uint32_t qstrs_hash(const struct firmware *fw, const void *s, size_t n)
{
    return mask_hash(hash32(s, n), fw->qstr_hash_bytes);
}

static uint32_t find_slot(const struct qstrs *q, const char *s, size_t n, uint32_t h)
{
    for (uint32_t i = h & (q->n_slots - 1);; i = (i + 1) & (q->n_slots - 1)) {
        if (!q->slots[i]) {
            return i;
        }
        const struct qstr_entry *e = &q->entries[q->slots[i] - 1];
        if (e->hash == h && e->len == n && !memcmp(e->data, s, n)) {
            return i;
        }
    }
}

static void rehash(struct qstrs *q)
{
    q->n_slots = q->n_slots ? q->n_slots * 2 : 4096;
    q->slots = ARENA_ARRAY(q->arena, uint32_t, q->n_slots);
    for (uint32_t i = 0; i < q->n; i++) {
        const struct qstr_entry *e = &q->entries[i];
        q->slots[find_slot(q, e->data, e->len, e->hash)] = i + 1;
    }
}

static uint32_t insert(struct qstrs *q, const char *s, size_t n, uint32_t id)
{
    if (q->n * 2 >= q->n_slots) {
        rehash(q);
    }
    uint32_t h = hash32(s, n), slot = find_slot(q, s, n, h);
    if (q->slots[slot]) {
        return q->slots[slot] - 1;
    }
    if (q->n == q->cap) {
        uint32_t cap = q->cap ? q->cap * 2 : 2048;
        q->entries =
            arena_grow(q->arena, q->entries, q->cap * sizeof *q->entries, cap * sizeof *q->entries);
        q->cap = cap;
    }
    q->entries[q->n] = (struct qstr_entry){s, (uint32_t)n, h, id, q->n};
    q->slots[slot] = ++q->n;
    return q->n - 1;
}

void qstrs_init(struct qstrs *q, const struct firmware *fw, struct arena *a)
{
    *q = (struct qstrs){.fw = fw, .arena = a};
    q->stock_end = fw->n_pools ? &fw->pools[fw->n_pools - 1] : NULL;
    for (unsigned i = fw->n_pools; i-- > 0;) { // the VM looks in the last pool first
        const struct fw_qstr_pool *pool = &fw->pools[i];
        for (uint32_t id = pool->total_prev; id - pool->total_prev < pool->len; id++) {
            const struct fw_qstr *s = &fw->qstrs[id];
            // A stock string with a NUL in a sorted pool is lost to the VM's search.
            if (id && !(pool->sorted && memchr(s->data, 0, s->len))) {
                insert(q, s->data, s->len, id);
            }
        }
    }
    q->n_stock = q->n;
}

void qstrs_have_text(struct qstrs *q, const char *s, size_t n, struct place at)
{
    if (q->n_written == q->cap_written) {
        uint32_t cap = q->cap_written ? q->cap_written * 2 : 256;
        q->written = arena_grow(q->arena, q->written, q->cap_written * sizeof *q->written,
                                cap * sizeof *q->written);
        q->cap_written = cap;
    }
    q->written[q->n_written++] = (struct qstrs_text){s, (uint32_t)n, at};
}

uint32_t qstrs_find(const struct qstrs *q, const char *s, size_t n)
{
    if (!q->n_slots) {
        return UINT32_MAX;
    }
    uint32_t entry = q->slots[find_slot(q, s, n, hash32(s, n))];
    return entry ? entry - 1 : UINT32_MAX;
}

uint32_t qstrs_add(struct qstrs *q, const char *s, size_t n)
{
    return insert(q, s, n, 0);
}

struct sort_item { // what qsort needs to see of an entry
    uint64_t key;
    const struct qstr_entry *e;
    uint32_t index;
};

// Eight characters as a number: nearly all texts differ in them. Where there are fewer, zeros stand
// for the rest, as no text ends with less than that.
static uint64_t sort_key(const char *s, uint32_t n, bool from_end)
{
    uint64_t key = 0;
    for (uint32_t i = 0; i < sizeof key; i++) {
        key = key << 8 | (i < n ? (uint8_t)s[from_end ? n - 1 - i : i] : 0);
    }
    return key;
}

static int by_text(const void *a, const void *b)
{
    const struct sort_item *v = a, *w = b;
    const struct qstr_entry *x = v->e, *y = w->e;
    if (v->key != w->key) {
        return v->key < w->key ? -1 : 1;
    }
    int c = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

static bool has_nul(const struct qstr_entry *e)
{
    return memchr(e->data, 0, e->len) != NULL;
}

// The VM searches a sorted pool with strncmp, which stops at a NUL: such strings go into an
// unsorted pool of their own. Without sorted pools one pool in order of use is enough.
static void order_pools(struct qstrs *q, bool sorted)
{
    uint32_t n_new = q->n - q->n_stock, n = 0;
    struct sort_item *items = ARENA_ARRAY(q->arena, struct sort_item, n_new);
    for (int nul = sorted ? 1 : 0; nul >= 0; nul--) {
        for (uint32_t i = q->n_stock; i < q->n; i++) {
            if (!sorted || has_nul(&q->entries[i]) == (nul == 1)) {
                const struct qstr_entry *e = &q->entries[i];
                items[n++] = (struct sort_item){sort_key(e->data, e->len, false), e, i};
            }
        }
        q->n_nul = nul ? n : q->n_nul;
    }
    if (sorted) {
        qsort(items + q->n_nul, n_new - q->n_nul, sizeof *items, by_text);
    }
    q->sorted = ARENA_ARRAY(q->arena, uint32_t, n_new);
    for (uint32_t i = 0; i < n_new; i++) {
        q->sorted[i] = items[i].index;
    }
}

static uint32_t stock_total(const struct firmware *fw)
{
    const struct fw_qstr_pool *last = &fw->pools[fw->n_pools - 1];
    return last->total_prev + last->len;
}

enum diag_code qstrs_number(struct qstrs *q, struct diag *d)
{
    uint32_t n_new = q->n - q->n_stock, total = stock_total(q->fw);
    if (n_new > QSTR_IDS - total) {
        diag_set(d, DIAG_NO, NULL, "too many names: the firmware has %u, the modules bring %u more",
                 total, n_new);
        diag_help(d, "allowed are %u in all; freeze fewer modules", (unsigned)QSTR_IDS);
        return DIAG_NO;
    }
    order_pools(q, q->fw->profile->pool_sorted_flag);
    for (uint32_t i = 0; i < n_new; i++) {
        q->entries[q->sorted[i]].id = total + i;
    }
    return DIAG_OK;
}

static struct place write_hashes(const struct qstrs *q, struct pieces *p, uint32_t from, uint32_t n)
{
    unsigned size = q->fw->qstr_hash_bytes;
    enum part part = size == 2 ? PART_HALVES : PART_BYTES;
    struct place at = pieces_at(p, part);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t h[2];
        st16(h, (uint16_t)mask_hash(q->entries[q->sorted[from + i]].hash, size));
        bytes_put(&p->part[part], h, size);
    }
    return at;
}

static struct place write_lengths(const struct qstrs *q, struct pieces *p, uint32_t from,
                                  uint32_t n)
{
    unsigned size = q->fw->qstr_len_bytes;
    enum part part = size == 2 ? PART_HALVES : PART_BYTES;
    struct place at = pieces_at(p, part);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t len[2];
        st16(len, (uint16_t)q->entries[q->sorted[from + i]].len);
        bytes_put(&p->part[part], len, size);
    }
    return at;
}

struct text { // of a new qstr, or one that the payload has already
    uint64_t key;
    const char *data;
    uint32_t len, index;
    const struct place *at; // of the latter, else NULL
};

// By the last characters; of two equal texts the one that the payload has comes behind.
static int by_end(const void *a, const void *b)
{
    const struct text *x = a, *y = b;
    uint32_t n = x->len < y->len ? x->len : y->len;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    for (uint32_t i = 1; i <= n; i++) {
        int c = (uint8_t)x->data[x->len - i] - (uint8_t)y->data[y->len - i];
        if (c) {
            return c;
        }
    }
    return x->len != y->len ? (x->len > y->len ? 1 : -1) : (x->at != NULL) - (y->at != NULL);
}

static bool is_tail(const struct text *tail, const struct text *of)
{
    return tail->len <= of->len && !memcmp(of->data + of->len - tail->len, tail->data, tail->len);
}

static struct text *list_texts(const struct qstrs *q, uint32_t from, uint32_t n)
{
    struct text *texts = ARENA_ARRAY(q->arena, struct text, n + q->n_written);
    for (uint32_t i = 0; i < n; i++) {
        const struct qstr_entry *e = &q->entries[q->sorted[from + i]];
        texts[i] = (struct text){sort_key(e->data, e->len, true), e->data, e->len, i, NULL};
    }
    for (uint32_t i = 0; i < q->n_written; i++) {
        const struct qstrs_text *w = &q->written[i];
        texts[n + i] = (struct text){sort_key(w->data, w->len, true), w->data, w->len, 0, &w->at};
    }
    qsort(texts, n + q->n_written, sizeof *texts, by_end);
    return texts;
}

// Where the text of each string of the pool stands. A string that another one ends with, or the
// name of a module, needs no text of its own (linkers merge strings the same way): sorted by their
// ends, it is the one before.
static struct place *place_texts(const struct qstrs *q, struct pieces *p, uint32_t from, uint32_t n)
{
    struct place *places = ARENA_ARRAY(q->arena, struct place, n), at = {0};
    const struct text *texts = list_texts(q, from, n), *last = NULL;
    for (uint32_t i = n + q->n_written; i-- > 0;) {
        const struct text *t = &texts[i];
        if (t->at) {
            at = *t->at;
            last = t;
            continue;
        }
        if (!last || !is_tail(t, last)) {
            at = pieces_bytes(p, t->data, t->len);
            bytes_put_u8(&p->part[PART_BYTES], 0);
            last = t;
        }
        places[t->index] = at;
        places[t->index].offset += last->len - t->len;
    }
    return places;
}

static void write_text(const struct qstrs *q, struct pieces *p, uint32_t from, uint32_t n)
{
    const struct place *places = place_texts(q, p, from, n);
    for (uint32_t i = 0; i < n; i++) {
        pieces_pointer(p, places[i]);
    }
}

static uint64_t total_word(const struct qstrs *q, uint32_t from, bool sorted)
{
    uint64_t flag = sorted ? UINT64_C(1) << (8 * q->fw->ptr - 1) : 0;
    return (stock_total(q->fw) + from) | flag;
}

// py/qstr.h: {prev, total_prev_len (top bit: is_sorted), alloc, len, hashes?, lengths, qstrs[]}; a
// fork has a word is_sorted before qstrs[], and gets unsorted pools, which every search finds. len
// >= alloc must hold, or the VM would write into the pool.
static struct place write_pool(const struct qstrs *q, struct pieces *p, const struct place *prev,
                               uint32_t from, uint32_t n, bool sorted)
{
    const struct firmware *fw = q->fw;
    struct place hashes = fw->qstr_hash_bytes ? write_hashes(q, p, from, n) : (struct place){0};
    struct place lengths = write_lengths(q, p, from, n);
    struct place at = pieces_at(p, PART_WORDS);
    if (prev) {
        pieces_pointer(p, *prev);
    } else {
        pieces_pointer_out(p, q->stock_end->addr);
    }
    pieces_word(p, total_word(q, from, sorted));
    pieces_word(p, n < POOL_ALLOC_MAX ? n : POOL_ALLOC_MAX);
    pieces_word(p, n);
    if (fw->qstr_hash_bytes) {
        pieces_pointer(p, hashes);
    }
    pieces_pointer(p, lengths);
    if (fw->qstr_sorted_word) {
        pieces_word(p, 0);
    }
    write_text(q, p, from, n);
    return at;
}

// The new qstrs [0, n) as pools behind *last, which is NULL for the firmware's last one.
static void write_pools(const struct qstrs *q, struct pieces *p, uint32_t n,
                        const struct place *last, struct place *at)
{
    uint32_t n_nul = q->n_nul < n ? q->n_nul : n;
    if (n_nul) {
        *at = write_pool(q, p, last, 0, n_nul, false);
    }
    if (n > n_nul) {
        struct place nul = *at;
        *at = write_pool(q, p, n_nul ? &nul : last, n_nul, n - n_nul,
                         q->fw->profile->pool_sorted_flag);
    }
}

void qstrs_write(const struct qstrs *q, struct pieces *p, struct place *last)
{
    write_pools(q, p, q->n - q->n_stock, NULL, last);
}

// A copy of the firmware's last pool; its tables stay where they are.
static bool copy_last(const struct qstrs *q, struct pieces *p, struct place *at)
{
    const struct firmware *fw = q->fw;
    const struct fw_qstr_pool *pool = &fw->pools[fw->n_pools - 1];
    uint64_t plain = 4, words = (pool->qstrs - pool->addr) / fw->ptr + pool->len;
    uint64_t sorted_at = fw->qstr_sorted_word ? (pool->qstrs - pool->addr) / fw->ptr - 1 : 0;
    *at = pieces_at(p, PART_WORDS);
    for (uint64_t i = 0; i < words; i++) {
        uint64_t word;
        if (!fw->image || !image_word(fw->image, pool->addr + i * fw->ptr, fw->ptr, &word)) {
            return false;
        }
        if ((i && (i < plain || i == sorted_at)) ||
            !word) { // prev is NULL where the last pool is the first
            pieces_word(p, word);
        } else {
            pieces_pointer_out(p, word);
        }
    }
    return true;
}

// An empty pool, as builds have it that freeze nothing, stays the last one, behind all new ones: it
// has no entry that another could replace.
static void keep_empty(struct qstrs *q, struct pieces *p, struct qstrs_head *head)
{
    const struct fw_qstr_pool *last = q->stock_end;
    uint32_t n = q->n - q->n_stock;
    q->stock_end--;
    write_pools(q, p, n, NULL, &head->prev);
    q->stock_end++;
    head->empty = true;
    head->total = total_word(q, n, last->sorted && !q->fw->qstr_sorted_word);
}

bool qstrs_write_in_place(struct qstrs *q, struct pieces *p, struct qstrs_head *head)
{
    uint32_t last = q->n - q->n_stock - 1;
    struct place old;
    *head = (struct qstrs_head){.empty = false};
    if (!q->stock_end->len) {
        keep_empty(q, p, head);
        return true;
    }
    if (!copy_last(q, p, &old)) {
        return false;
    }
    head->prev = old;
    write_pools(q, p, last, &old, &head->prev);
    bool sorted = q->fw->profile->pool_sorted_flag && last >= q->n_nul;
    head->total = total_word(q, last, sorted);
    head->hashes = q->fw->qstr_hash_bytes ? write_hashes(q, p, last, 1) : (struct place){0};
    head->lengths = write_lengths(q, p, last, 1);
    head->text = *place_texts(q, p, last, 1);
    return true;
}
