#define _DEFAULT_SOURCE // madvise
#include "format/arena.h"

#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
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
