#include "format/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/task.h"

enum {
    ARENA_ALIGN = 16,
    ARENA_FIRST = 16 << 10, // small commands touch few pages
    ARENA_MOST = 4 << 20,   // chunks double up to this; larger objects get a chunk of their own
};

struct arena_chunk {
    struct arena_chunk *older;
};

struct arena_block {
    _Alignas(ARENA_ALIGN) struct arena_block *older;
    struct arena_block *newer;
    size_t size;
    size_t forgotten; // of it
};

#define ARENA_HEADER ((sizeof(struct arena_chunk) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1))

void arena_init(struct arena *a, size_t limit)
{
    memset(a, 0, sizeof *a);
    a->limit = limit;
}

void arena_init_inside(struct arena *a, struct arena *outer)
{
    arena_init(a, 0);
    a->outer = outer;
}

void arena_expect(struct arena *a, size_t size)
{
    a->shared = size / 2 > a->shared ? size / 2 : a->shared; // the next chunk is twice that
}

// Counts what the arena takes (add) or gives back (drop). False: that is more than a limit allows.
static bool arena_count(struct arena *a, size_t drop, size_t add)
{
    for (struct arena *o = a; o; o = o->outer) {
        size_t rest = o->total - drop;
        if (add > drop && o->limit && (rest > o->limit || add > o->limit - rest)) {
            return false;
        }
    }
    for (struct arena *o = a; o; o = o->outer) {
        o->total += add - drop;
        o->most = o->total > o->most ? o->total : o->most;
    }
    return true;
}

void arena_free(struct arena *a)
{
    task_end_all(a->tasks);
    while (a->chunks) {
        struct arena_chunk *older = a->chunks->older;
        free(a->chunks);
        a->chunks = older;
    }
    while (a->blocks) {
        struct arena_block *older = a->blocks->older;
        arena_block_free(a->blocks, sizeof *older + a->blocks->size);
        a->blocks = older;
    }
    struct arena *outer = a->outer;
    arena_count(a, a->total, 0);
    arena_init(a, a->limit);
    a->outer = outer;
}

static void *arena_failed(struct arena *a)
{
    a->failed = true;
    if (a->on_fail) {
        longjmp(*a->on_fail, 1);
    }
    return NULL;
}

// A chunk of at least size bytes with its header; *end is where it ends.
static char *arena_chunk(struct arena *a, size_t size, char **end)
{
    size_t counted = size;
    if (!arena_count(a, 0, size)) {
        return NULL;
    }
    struct arena_chunk *c = arena_pages(&size);
    if (!c) {
        arena_count(a, counted, 0);
        return NULL;
    }
    arena_count(a, counted, size);
    c->older = a->chunks;
    a->chunks = c;
    *end = (char *)c + size;
    return (char *)c + ARENA_HEADER;
}

// need bytes from a new chunk. One that was made for a large object has room for more only by
// chance: the free part is the larger one.
static char *arena_more(struct arena *a, size_t need)
{
    size_t size = a->shared ? a->shared * 2 : ARENA_FIRST;
    size = size > ARENA_MOST ? ARENA_MOST : size;
    if (need > SIZE_MAX / 2) {
        return NULL;
    }
    bool large = size < need + ARENA_HEADER;
    char *end, *p = arena_chunk(a, large ? need + ARENA_HEADER : size, &end);
    if (!p) {
        return NULL;
    }
    a->shared = large ? a->shared : size;
    if (end - (p + need) >= a->end - a->next) {
        a->next = p + need;
        a->end = end;
    }
    return p;
}

static size_t arena_round(size_t size)
{
    return size > SIZE_MAX - ARENA_ALIGN ? SIZE_MAX
                                         : (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t need = arena_round(size ? size : 1), gap = -(uintptr_t)a->next & (ARENA_ALIGN - 1);
    size_t left = (size_t)(a->end - a->next);
    if (left < gap || left - gap < need) {
        char *p = arena_more(a, need);
        return p ? p : arena_failed(a);
    }
    char *p = a->next + gap;
    a->next = p + need;
    return p;
}

char *arena_pack(struct arena *a, const void *p, size_t n)
{
    char *q = a->next;
    if (n > (size_t)(a->end - a->next)) {
        q = arena_more(a, n);
    } else {
        a->next += n;
    }
    if (!q) {
        return arena_failed(a);
    }
    if (n) {
        memcpy(q, p, n);
    }
    return q;
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
    size_t all;
    if (__builtin_mul_overflow(n, size, &all)) {
        return arena_failed(a);
    }
    void *p = arena_alloc(a, all);
    if (p) {
        memset(p, 0, all);
    }
    return p;
}

void *arena_grow(struct arena *a, void *p, size_t old_size, size_t new_size)
{
    size_t had = arena_round(old_size ? old_size : 1), need = arena_round(new_size ? new_size : 1);
    if (p && need <= had) {
        return p;
    }
    if (p && (char *)p + had == a->next && need - had <= (size_t)(a->end - a->next)) {
        a->next += need - had;
        return p;
    }
    void *q = arena_alloc(a, new_size);
    if (q && p) {
        memcpy(q, p, old_size);
    }
    return q;
}

void *arena_room(struct arena *a, void *items, size_t n, size_t size)
{
    return n & (n - 1) ? items : arena_grow(a, items, n * size, (n ? 2 * n : 1) * size);
}

static void arena_link(struct arena *a, struct arena_block *b)
{
    if (b->older) {
        b->older->newer = b;
    }
    if (b->newer) {
        b->newer->older = b;
    } else {
        a->blocks = b;
    }
}

void *arena_resize(struct arena *a, void *p, size_t size)
{
    struct arena_block *old = p ? (struct arena_block *)p - 1 : NULL, *b = NULL;
    size_t had = old ? old->size : 0;
    if (size <= SIZE_MAX - sizeof *b && arena_count(a, had, size)) {
        b = arena_block_resize(old, old ? sizeof *old + had : 0, sizeof *b + size);
        if (!b) {
            arena_count(a, size, had);
        }
    }
    if (!b) {
        return arena_failed(a);
    }
    if (!p) {
        b->older = a->blocks;
        b->newer = NULL;
    }
    b->size = size;
    b->forgotten = 0;
    arena_link(a, b);
    return b + 1;
}

void arena_drop(struct arena *a, void *p)
{
    if (!p) {
        return;
    }
    struct arena_block *b = (struct arena_block *)p - 1;
    if (b->older) {
        b->older->newer = b->newer;
    }
    if (b->newer) {
        b->newer->older = b->older;
    } else {
        a->blocks = b->older;
    }
    arena_count(a, b->size - b->forgotten, 0);
    arena_block_free(b, sizeof *b + b->size);
}

void arena_forget(struct arena *a, void *p, size_t from, size_t to)
{
    struct arena_block *b = (struct arena_block *)p - 1;
    arena_block_forget(b, sizeof *b + b->size, sizeof *b + from, sizeof *b + to);
    b->forgotten += to - from;
    arena_count(a, to - from, 0);
}

void *arena_dup(struct arena *a, const void *p, size_t size)
{
    void *q = arena_alloc(a, size);
    if (q && size) {
        memcpy(q, p, size);
    }
    return q;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    if (n == SIZE_MAX) {
        return arena_failed(a);
    }
    char *q = arena_alloc(a, n + 1);
    if (q) {
        memcpy(q, s, n);
        q[n] = 0;
    }
    return q;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *q = n < 0 ? arena_failed(a) : arena_alloc(a, (size_t)n + 1);
    if (q) {
        va_start(args, fmt);
        vsnprintf(q, (size_t)n + 1, fmt, args);
        va_end(args);
    }
    return q;
}
