// The one bounded cursor for all binary input, the growable output buffer, checked arithmetic and
// little-endian loads and stores. Nothing here reads or writes past its bounds.
#ifndef FORMAT_BYTES_H
#define FORMAT_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "format/diag.h"

static inline uint16_t ld16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t ld32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t ld64(const uint8_t *p)
{
    return ld32(p) | (uint64_t)ld32(p + 4) << 32;
}
static inline void st16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}
static inline void st32(uint8_t *p, uint32_t v)
{
    st16(p, (uint16_t)v);
    st16(p + 2, (uint16_t)(v >> 16));
}
static inline void st64(uint8_t *p, uint64_t v)
{
    st32(p, (uint32_t)v);
    st32(p + 4, (uint32_t)(v >> 32));
}

// Checked arithmetic: false when the result does not fit.
static inline bool ck_add(uint64_t a, uint64_t b, uint64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}
static inline bool ck_mul(uint64_t a, uint64_t b, uint64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}
// Rounds a up to a power of two.
static inline bool ck_align(uint64_t a, uint64_t power, uint64_t *out)
{
    return ck_add(a, power - 1, out) && ((*out &= ~(power - 1)), true);
}
// True if [at, at + size) lies in [0, total).
static inline bool in_range(uint64_t at, uint64_t size, uint64_t total)
{
    return at <= total && size <= total - at;
}

// Input. The first read that does not fit records a failure that names the field and makes the
// cursor fail for good; reads of a failed cursor give 0, so a parser may check once per record.
struct bytes_in {
    const uint8_t *data;
    size_t size, pos;
    const char *file; // for messages
    uint64_t origin;  // offset of data[0] in the file, for messages
    struct diag *diag;
    enum diag_code failed;
};

void bytes_in_init(struct bytes_in *in, const void *data, size_t size, const char *file,
                   struct diag *diag);
size_t bytes_left(const struct bytes_in *in);
uint8_t bytes_u8(struct bytes_in *in, const char *field);
uint16_t bytes_u16(struct bytes_in *in, const char *field);
uint32_t bytes_u32(struct bytes_in *in, const char *field);
uint64_t bytes_u64(struct bytes_in *in, const char *field);
// MicroPython's varuint: 7 bits a byte, most significant first, bit 7 = more follow. At most max.
uint64_t bytes_varuint(struct bytes_in *in, const char *field, uint64_t max);
// The next n bytes, or NULL and a failure.
const uint8_t *bytes_take(struct bytes_in *in, uint64_t n, const char *field);
// Moves to an absolute position of this cursor.
void bytes_seek(struct bytes_in *in, uint64_t pos, const char *field);
// Records a failure at the current position.
enum diag_code bytes_fail(struct bytes_in *in, const char *field, const char *fmt, ...)
    DIAG_PRINTF(3, 4);

struct arena;

// Output. Grows by itself; after a failed allocation it swallows all writes and failed is set.
struct bytes_out {
    uint8_t *data;
    size_t size, cap;
    struct arena *arena; // where data is; NULL = from malloc
    bool lent;           // data is somebody else's
    bool failed;
};

void bytes_out_init(struct bytes_out *out);
// The same for bytes that lie in an arena and stay there: there is nothing to free.
void bytes_out_init_in(struct bytes_out *out, struct arena *a);
// The same for bytes that lie in cap bytes of somebody else's memory, as long as that is enough.
void bytes_out_init_over(struct bytes_out *out, uint8_t *memory, size_t cap);
void bytes_out_free(struct bytes_out *out);
bool bytes_reserve(struct bytes_out *out, size_t more);
// data may be the very memory that it is to be put in.
void bytes_put(struct bytes_out *out, const void *data, size_t n);
void bytes_fill(struct bytes_out *out, uint8_t value, size_t n);
void bytes_put_u8(struct bytes_out *out, uint8_t v);
void bytes_put_u16(struct bytes_out *out, uint16_t v);
void bytes_put_u32(struct bytes_out *out, uint32_t v);
void bytes_put_u64(struct bytes_out *out, uint64_t v);
void bytes_put_varuint(struct bytes_out *out, uint64_t v);
// Appends fill until size is a multiple of a power of two.
void bytes_put_align(struct bytes_out *out, size_t power, uint8_t fill);
void bytes_printf(struct bytes_out *out, const char *fmt, ...) DIAG_PRINTF(2, 3);
// DIAG_NOMEM if any write failed.
enum diag_code bytes_out_check(const struct bytes_out *out, struct diag *diag);

#endif
