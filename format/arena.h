// One arena per command: everything allocated in it lives until the arena is freed.
#ifndef FORMAT_ARENA_H
#define FORMAT_ARENA_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_chunk;
struct arena_block;
struct task;

struct arena {
    struct arena_chunk *chunks;
    struct arena_block *blocks; // those of arena_resize
    struct arena *outer;        // the arena whose memory this is part of; NULL = none
    char *next, *end;           // free part of a chunk
    size_t shared;              // bytes of the newest chunk that was made for many objects
    size_t total;               // bytes taken from the system
    size_t most;                // the most that total has been
    struct task *tasks;         // that work in it, see task.h
    size_t limit;               // most bytes to take from the system; 0 = no limit
    bool failed;                // an allocation failed, now or before
    jmp_buf *on_fail; // if set, a failed allocation jumps here with 1 instead of returning NULL
};

void arena_init(struct arena *a, size_t limit);
// An arena that can be freed before `outer` is. What it takes counts as outer's, whose limit holds.
// Whoever frees outer frees this one first.
void arena_init_inside(struct arena *a, struct arena *outer);
// Waits for the tasks that work in it.
void arena_free(struct arena *a);

// What will be allocated takes about size bytes: taking them at once costs fewer page faults.
void arena_expect(struct arena *a, size_t size);

// size bytes aligned for any type, not cleared; NULL (or a jump) when memory or the limit is
// exhausted. A size of 0 gives a valid pointer.
void *arena_alloc(struct arena *a, size_t size);
// The same, cleared, for n items of size bytes; n * size is checked.
void *arena_calloc(struct arena *a, size_t n, size_t size);
// Like realloc; the old bytes are kept in place when p was the last allocation.
void *arena_grow(struct arena *a, void *p, size_t old_size, size_t new_size);
// Room for one more in an array of n items, which has room for up to the next power of two. Of two
// copies of such an array only one may get more items.
void *arena_room(struct arena *a, void *items, size_t n, size_t size);
// realloc and free for arrays that grow much: the arena counts such a block and frees it at its
// end, but the system may move it without a copy, and it can be given back early. p = NULL is a new
// block; new bytes are not cleared.
void *arena_resize(struct arena *a, void *p, size_t size);
void arena_drop(struct arena *a, void *p);
// Bytes from..to of such a block are not needed any more: the system takes back what it can, what
// they held is lost, and they do not count. The block can only be dropped then, not resized.
void arena_forget(struct arena *a, void *p, size_t from, size_t to);
// Copies; arena_strndup adds a NUL.
void *arena_dup(struct arena *a, const void *p, size_t size);
// The same for bytes alone, which need no alignment and waste nothing. Never NULL for n = 0 either.
char *arena_pack(struct arena *a, const void *p, size_t n);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// A static analyzer must be told that on_fail is set in the files it looks at.
#ifdef ARENA_ANALYZED
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
void *arena_calloc(struct arena *a, size_t n, size_t size) __attribute__((returns_nonnull));
void *arena_grow(struct arena *a, void *p, size_t old_size, size_t new_size)
    __attribute__((returns_nonnull));
void *arena_resize(struct arena *a, void *p, size_t size) __attribute__((returns_nonnull));
void *arena_dup(struct arena *a, const void *p, size_t size) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t n) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((returns_nonnull));
#endif

// malloc for what may be large, raises *size to what there is; free as usual. Copies of images are
// most of it, and touching pages for the first time costs more than copying: 0.2 ms a MiB. Huge
// pages, where the system has them, avoid that.
void *arena_pages(size_t *size);
// realloc and free for blocks whose size the caller knows, and the same for bytes from..to of one.
void *arena_block_resize(void *p, size_t had, size_t size);
void arena_block_free(void *p, size_t size);
void arena_block_forget(void *p, size_t size, size_t from, size_t to);

#define ARENA_NEW(a, type) ((type *)arena_calloc(a, 1, sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_calloc(a, n, sizeof(type)))

#endif
