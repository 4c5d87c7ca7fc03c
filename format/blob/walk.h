// The walk over a base's address space: what is hashed, in which order, with the old bytes in place
// of the patched ones. Freestanding C99, for hosts and boot loaders alike.
#ifndef FORMAT_BLOB_WALK_H
#define FORMAT_BLOB_WALK_H

#include "format/blob/layout.h"

struct blob_walk {
    void *ctx;
    // The bytes at a device address: up to *size of them, *size is lowered to what is contiguous
    // (never to 0). NULL: *size bytes that do not exist, as happens in files, never in flash;
    // right for fills only.
    const uint8_t *(*map)(void *ctx, uint64_t addr, uint32_t *size);
    void (*hash)(void *ctx, const void *data, uint32_t size);
};

// Walks the extents. patched: the bytes at patches must be the new ones and are hashed as the old
// ones; else the patches are not applied. Returns 0 if every byte that is compared was right, the
// bits that were not else; the caller then compares the digest.
uint32_t blob_walk(const struct blob_layout *l, int patched, const struct blob_walk *w);

#endif
