// What was compiled and built before, by content: one file that holds the results of a project's
// last builds. A result is found by the XXH3 of everything that it was made from, and used only if
// the SHA-256 of that and of itself agree with what is recorded; anything else is made again. So a
// cache that is broken, old or foreign costs time and nothing more.
//
// One cache may be used by several threads: a result that one of them is making is waited for by
// the others, so that everything is made once.
#ifndef PACKER_CLI_CACHE_H
#define PACKER_CLI_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/bytes.h"
#include "format/diag.h"

struct cache;

struct cache_result { // lives as long as the cache
    const uint8_t *data;
    size_t size;
};

enum cache_kind { CACHE_SCRIPT, CACHE_PRODUCT, CACHE_KINDS };

struct cache_stats {
    unsigned made[CACHE_KINDS]; // in this run
};

// Reads the file; one that is missing or broken gives an empty cache. path NULL: in memory only.
// NULL without memory.
struct cache *cache_open(const char *path);
// Writes the file if something new is in it, and lets go of everything. Errors: DIAG_IO.
enum diag_code cache_close(struct cache *c, struct diag *d);

// True: *out is the result of these ingredients. False: the caller makes it and must end with
// cache_put or cache_abandon for the same ingredients.
bool cache_get(struct cache *c, const void *ingredients, size_t size, struct cache_result *out);
void cache_put(struct cache *c, enum cache_kind kind, const void *ingredients, size_t size,
               const void *data, size_t n);
void cache_abandon(struct cache *c, const void *ingredients, size_t size);

struct cache_stats cache_stats(struct cache *c);

#endif
