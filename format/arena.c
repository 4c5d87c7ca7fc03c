#include "format/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARENA_ALIGN = 16,
    ARENA_FIRST = 16 << 10, // small commands touch few pages
    ARENA_MOST = 4 << 20,   // chunks double up to this; larger objects get a chunk of their own
};

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
};

#define ARENA_HEADER ((sizeof(struct arena_chunk) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1))

void arena_init(struct arena *a, size_t limit)
{
    memset(a, 0, sizeof *a);
    a->limit = limit;
}

void arena_free(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *older = a->chunks->older;
        free(a->chunks);
        a->chunks = older;
    }
    arena_init(a, a->limit);
}

static void *arena_failed(struct arena *a)
{
    if (a->on_fail) {
        longjmp(*a->on_fail, 1);
    }
    return NULL;
}

static bool arena_more(struct arena *a, size_t need)
{
    size_t size = a->chunks ? a->chunks->size * 2 : ARENA_FIRST;
    if (size > ARENA_MOST) {
        size = ARENA_MOST;
    }
    if (need > SIZE_MAX / 2) {
        return false;
    }
    if (size < need + ARENA_HEADER) {
        size = need + ARENA_HEADER;
    }
    if (a->limit && (a->total > a->limit || size > a->limit - a->total)) {
        return false;
    }
    struct arena_chunk *c = arena_pages(&size);
    if (!c) {
        return false;
    }
    c->older = a->chunks;
    c->size = size;
    a->chunks = c;
    a->total += size;
    a->next = (char *)c + ARENA_HEADER;
    a->end = (char *)c + size;
    return true;
}

static size_t arena_round(size_t size)
{
    return size > SIZE_MAX - ARENA_ALIGN ? SIZE_MAX
                                         : (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t need = arena_round(size ? size : 1);
    if (need > (size_t)(a->end - a->next) && !arena_more(a, need)) {
        return arena_failed(a);
    }
    void *p = a->next;
    a->next += need;
    return p;
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
