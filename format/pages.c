#define _GNU_SOURCE // madvise, mremap
#include "format/arena.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

void *arena_pages(size_t *size)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    enum { PAGES_HUGE = 2 << 20 }; // half of a huge page and more is worth one
    void *p;
    if (*size >= PAGES_HUGE / 2 && *size <= SIZE_MAX - PAGES_HUGE) {
        size_t rounded = (*size + PAGES_HUGE - 1) & ~(size_t)(PAGES_HUGE - 1);
        if (posix_memalign(&p, PAGES_HUGE, rounded) != 0) {
            return NULL;
        }
        (void)madvise(p, rounded, MADV_HUGEPAGE); // advice only
        *size = rounded;
        return p;
    }
#endif
    return malloc(*size);
}

// The C library takes large blocks from the system, too, but soon raises what it calls large: then
// blocks move by copies and leave holes. Sanitizers see only its blocks.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define PAGES_WATCHED
#endif
#endif
#if defined(__linux__) && defined(MREMAP_MAYMOVE) && !defined(__SANITIZE_ADDRESS__) &&             \
    !defined(PAGES_WATCHED)
enum { PAGES_OWN = 1 << 20 }; // blocks from this size on are pages of their own

static void *pages_map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void *arena_block_resize(void *p, size_t had, size_t size)
{
    if (had >= PAGES_OWN && size >= PAGES_OWN) {
        void *q = mremap(p, had, size, MREMAP_MAYMOVE);
        return q == MAP_FAILED ? NULL : q;
    }
    if (had < PAGES_OWN && size < PAGES_OWN) {
        return realloc(p, size);
    }
    void *q = size < PAGES_OWN ? malloc(size) : pages_map(size);
    if (q && p) {
        memcpy(q, p, had < size ? had : size);
        arena_block_free(p, had);
    }
    return q;
}

void arena_block_free(void *p, size_t size)
{
    if (size >= PAGES_OWN) {
        (void)munmap(p, size);
    } else {
        free(p);
    }
}

void arena_block_forget(void *p, size_t size, size_t from, size_t to)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    from = (from + page - 1) & ~(page - 1);
    to &= ~(page - 1);
    if (size >= PAGES_OWN && from < to) {
        (void)madvise((char *)p + from, to - from, MADV_DONTNEED);
    }
}
#else
void *arena_block_resize(void *p, size_t had, size_t size)
{
    (void)had;
    return realloc(p, size);
}

void arena_block_free(void *p, size_t size)
{
    (void)size;
    free(p);
}

void arena_block_forget(void *p, size_t size, size_t from, size_t to)
{
    (void)p;
    (void)size;
    (void)from;
    (void)to;
}
#endif
