#include "packer/cli/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "format/file.h"
#include "format/sha256.h"

enum {
    CACHE_SLOTS_FIRST = 256,
    CACHE_SIZE_MAX = 64 << 20,  // bytes of a file; what was not used lately goes first
    CACHE_RESULT_MAX = 8 << 20, // bytes of one result
    CACHE_DIGEST = 32,
    CACHE_KEY = 16,
};

static const char cache_magic[8] = "MPYFRZC1";

enum slot_state { SLOT_FREE, SLOT_MAKING, SLOT_READY };

struct slot {
    enum slot_state state;
    bool used;                     // in this run
    uint8_t key[CACHE_KEY];        // XXH3 of the ingredients
    uint8_t made_of[CACHE_DIGEST]; // their SHA-256
    uint8_t data_sha256[CACHE_DIGEST];
    bool checked; // data agrees with data_sha256
    uint8_t *data;
    size_t size;
    bool owned; // data is a block of its own, not part of the file
};

struct cache {
    const char *path;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct arena arena; // of the file
    struct slot *slots; // open addressing, a power of two of them
    size_t n_slots, n_used;
    bool dirty;
    struct cache_stats stats;
};

static struct slot *cache_probe(struct slot *slots, size_t n, const uint8_t *key)
{
    size_t i = (size_t)ld64(key) & (n - 1);
    while (slots[i].state != SLOT_FREE && memcmp(slots[i].key, key, CACHE_KEY) != 0) {
        i = (i + 1) & (n - 1);
    }
    return &slots[i];
}

static bool cache_grow(struct cache *c)
{
    size_t n = c->n_slots * 2;
    struct slot *slots = calloc(n, sizeof *slots);
    if (!slots) {
        return false;
    }
    for (size_t i = 0; i < c->n_slots; i++) {
        if (c->slots[i].state != SLOT_FREE) {
            *cache_probe(slots, n, c->slots[i].key) = c->slots[i];
        }
    }
    free(c->slots);
    c->slots = slots;
    c->n_slots = n;
    return true;
}

// The slot of a key, a new one if there is none; NULL without memory.
static struct slot *cache_slot(struct cache *c, const uint8_t *key)
{
    struct slot *s = cache_probe(c->slots, c->n_slots, key);
    if (s->state != SLOT_FREE) {
        return s;
    }
    if (c->n_used * 2 >= c->n_slots) {
        if (!cache_grow(c)) {
            return NULL;
        }
        s = cache_probe(c->slots, c->n_slots, key);
    }
    c->n_used++;
    *s = (struct slot){.state = SLOT_MAKING};
    memcpy(s->key, key, CACHE_KEY);
    return s;
}

static void cache_key(const void *ingredients, size_t size, uint8_t *key)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(ingredients, size));
    memcpy(key, canonical.digest, CACHE_KEY);
}

// Takes over the records of a file up to the first that does not fit.
static void cache_load(struct cache *c, const struct file *f)
{
    struct bytes_in in;
    bytes_in_init(&in, f->data, f->size, f->name, NULL);
    const uint8_t *magic = bytes_take(&in, sizeof cache_magic, "magic");
    if (!magic || memcmp(magic, cache_magic, sizeof cache_magic) != 0) {
        return;
    }
    while (bytes_left(&in)) {
        const uint8_t *key = bytes_take(&in, CACHE_KEY, "key");
        const uint8_t *made_of = bytes_take(&in, CACHE_DIGEST, "ingredients");
        const uint8_t *digest = bytes_take(&in, CACHE_DIGEST, "digest");
        uint32_t size = bytes_u32(&in, "size");
        const uint8_t *data = bytes_take(&in, size, "data");
        struct slot *s = in.failed || size > CACHE_RESULT_MAX ? NULL : cache_slot(c, key);
        if (!s) {
            return;
        }
        s->state = SLOT_READY;
        memcpy(s->made_of, made_of, CACHE_DIGEST);
        memcpy(s->data_sha256, digest, CACHE_DIGEST);
        s->data = f->data + (data - f->data);
        s->size = size;
    }
}

struct cache *cache_open(const char *path)
{
    struct cache *c = calloc(1, sizeof *c);
    struct diag ignored;
    struct file f;
    diag_init(&ignored);
    if (!c || !(c->slots = calloc(CACHE_SLOTS_FIRST, sizeof *c->slots))) {
        free(c);
        return NULL;
    }
    c->path = path;
    c->n_slots = CACHE_SLOTS_FIRST;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    arena_init(&c->arena, 0);
    if (path && file_read(path, &c->arena, &ignored, &f) == DIAG_OK) {
        cache_load(c, &f);
    }
    return c;
}

static void slot_drop(struct slot *s)
{
    if (s->owned) {
        free(s->data);
    }
    s->data = NULL;
    s->size = 0;
    s->owned = s->checked = false;
}

// True if the slot holds the result of ingredients with this digest, unharmed.
static bool slot_is_good(struct slot *s, const uint8_t *made_of)
{
    uint8_t digest[CACHE_DIGEST];
    if (memcmp(s->made_of, made_of, CACHE_DIGEST) != 0) {
        return false;
    }
    if (!s->checked) {
        sha256(s->data, s->size, digest);
        s->checked = memcmp(digest, s->data_sha256, CACHE_DIGEST) == 0;
    }
    return s->checked;
}

bool cache_get(struct cache *c, const void *ingredients, size_t size, struct cache_result *out)
{
    uint8_t key[CACHE_KEY], made_of[CACHE_DIGEST];
    bool found = false;
    cache_key(ingredients, size, key);
    sha256(ingredients, size, made_of);
    pthread_mutex_lock(&c->lock);
    struct slot *s = cache_probe(c->slots, c->n_slots, key);
    while (s->state == SLOT_MAKING) {
        pthread_cond_wait(&c->changed, &c->lock);
        s = cache_probe(c->slots, c->n_slots, key);
    }
    if (s->state == SLOT_READY && slot_is_good(s, made_of)) {
        *out = (struct cache_result){s->data, s->size};
        s->used = found = true;
    } else if ((s = cache_slot(c, key))) {
        s->state = SLOT_MAKING;
        memcpy(s->made_of, made_of, CACHE_DIGEST);
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

void cache_put(struct cache *c, enum cache_kind kind, const void *ingredients, size_t size,
               const void *data, size_t n)
{
    uint8_t key[CACHE_KEY];
    cache_key(ingredients, size, key);
    uint8_t *copy = n <= CACHE_RESULT_MAX ? malloc(n ? n : 1) : NULL;
    if (!copy) {
        cache_abandon(c, ingredients, size);
        return;
    }
    memcpy(copy, data, n);
    pthread_mutex_lock(&c->lock);
    struct slot *s = cache_probe(c->slots, c->n_slots, key);
    if (s->state == SLOT_MAKING) {
        // What a reader of the old, broken data holds stays: only this run's blocks are freed, at
        // the end.
        s->data = copy;
        s->size = n;
        s->owned = s->used = s->checked = true;
        sha256(data, n, s->data_sha256);
        s->state = SLOT_READY;
        c->dirty = true;
        c->stats.made[kind]++;
    } else {
        free(copy);
    }
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void cache_abandon(struct cache *c, const void *ingredients, size_t size)
{
    uint8_t key[CACHE_KEY];
    cache_key(ingredients, size, key);
    pthread_mutex_lock(&c->lock);
    struct slot *s = cache_probe(c->slots, c->n_slots, key);
    if (s->state == SLOT_MAKING) {
        // The slot keeps its place in the table; the ingredients' digest no longer matches
        // anything.
        memset(s->made_of, 0, CACHE_DIGEST);
        s->state = SLOT_READY;
    }
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

struct cache_stats cache_stats(struct cache *c)
{
    pthread_mutex_lock(&c->lock);
    struct cache_stats stats = c->stats;
    pthread_mutex_unlock(&c->lock);
    return stats;
}

// Writes the results of this run, then older ones as long as there is room.
static void cache_encode(const struct cache *c, struct bytes_out *out)
{
    bytes_put(out, cache_magic, sizeof cache_magic);
    for (int used = 1; used >= 0; used--) {
        for (size_t i = 0; i < c->n_slots; i++) {
            const struct slot *s = &c->slots[i];
            bool fits = out->size + s->size < CACHE_SIZE_MAX;
            if (s->state != SLOT_READY || s->used != used || !s->data || !fits) {
                continue;
            }
            bytes_put(out, s->key, CACHE_KEY);
            bytes_put(out, s->made_of, CACHE_DIGEST);
            bytes_put(out, s->data_sha256, CACHE_DIGEST);
            bytes_put_u32(out, (uint32_t)s->size);
            bytes_put(out, s->data, s->size);
        }
    }
}

enum diag_code cache_close(struct cache *c, struct diag *d)
{
    enum diag_code err = DIAG_OK;
    if (c->path && c->dirty) {
        struct bytes_out out;
        bytes_out_init(&out);
        cache_encode(c, &out);
        err = bytes_out_check(&out, d);
        err = err ? err : file_write(c->path, out.data, out.size, FILE_DATA, true, d);
        bytes_out_free(&out);
    }
    for (size_t i = 0; i < c->n_slots; i++) {
        slot_drop(&c->slots[i]);
    }
    free(c->slots);
    arena_free(&c->arena);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return err;
}
