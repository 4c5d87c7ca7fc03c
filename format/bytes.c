#include "format/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/arena.h"

void bytes_in_init(struct bytes_in *in, const void *data, size_t size, const char *file,
                   struct diag *diag)
{
    *in = (struct bytes_in){.data = data, .size = size, .file = file, .diag = diag};
}

size_t bytes_left(const struct bytes_in *in)
{
    return in->failed ? 0 : in->size - in->pos;
}

enum diag_code bytes_fail(struct bytes_in *in, const char *field, const char *fmt, ...)
{
    if (in->failed) {
        return in->failed;
    }
    char text[DIAG_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    in->failed = DIAG_MALFORMED;
    return diag_set_binary(in->diag, DIAG_MALFORMED, in->file, in->origin + in->pos, field, "%s",
                           text);
}

const uint8_t *bytes_take(struct bytes_in *in, uint64_t n, const char *field)
{
    if (in->failed) {
        return NULL;
    }
    if (n > in->size - in->pos) {
        bytes_fail(in, field, "needs %llu bytes, %zu are left", (unsigned long long)n,
                   in->size - in->pos);
        return NULL;
    }
    const uint8_t *p = in->data + in->pos;
    in->pos += (size_t)n;
    return p;
}

void bytes_seek(struct bytes_in *in, uint64_t pos, const char *field)
{
    if (in->failed) {
        return;
    }
    if (pos > in->size) {
        bytes_fail(in, field, "points to 0x%llx, the end is 0x%zx", (unsigned long long)pos,
                   in->size);
        return;
    }
    in->pos = (size_t)pos;
}

uint8_t bytes_u8(struct bytes_in *in, const char *field)
{
    const uint8_t *p = bytes_take(in, 1, field);
    return p ? *p : 0;
}

uint16_t bytes_u16(struct bytes_in *in, const char *field)
{
    const uint8_t *p = bytes_take(in, 2, field);
    return p ? ld16(p) : 0;
}

uint32_t bytes_u32(struct bytes_in *in, const char *field)
{
    const uint8_t *p = bytes_take(in, 4, field);
    return p ? ld32(p) : 0;
}

uint64_t bytes_u64(struct bytes_in *in, const char *field)
{
    const uint8_t *p = bytes_take(in, 8, field);
    return p ? ld64(p) : 0;
}

uint64_t bytes_varuint(struct bytes_in *in, const char *field, uint64_t max)
{
    uint64_t v = 0;
    for (;;) {
        uint8_t b = bytes_u8(in, field);
        if (in->failed) {
            return 0;
        }
        if (v > max >> 7) {
            bytes_fail(in, field, "is larger than %llu", (unsigned long long)max);
            return 0;
        }
        v = v << 7 | (b & 0x7f);
        if (v > max) {
            bytes_fail(in, field, "is %llu, at most %llu is allowed", (unsigned long long)v,
                       (unsigned long long)max);
            return 0;
        }
        if (!(b & 0x80)) {
            return v;
        }
    }
}

void bytes_out_init(struct bytes_out *out)
{
    memset(out, 0, sizeof *out);
}

void bytes_out_init_in(struct bytes_out *out, struct arena *a)
{
    bytes_out_init(out);
    out->arena = a;
}

void bytes_out_init_over(struct bytes_out *out, uint8_t *memory, size_t cap)
{
    bytes_out_init(out);
    out->data = memory;
    out->cap = cap;
    out->lent = true;
}

void bytes_out_free(struct bytes_out *out)
{
    if (!out->arena && !out->lent) {
        free(out->data);
    }
    bytes_out_init(out);
}

// More memory for what is there; NULL = none.
static uint8_t *bytes_grow(struct bytes_out *out, size_t *cap)
{
    if (out->arena) {
        return arena_grow(out->arena, out->data, out->cap, *cap);
    }
    if (out->data && !out->lent) {
        return realloc(out->data, *cap);
    }
    uint8_t *p = arena_pages(cap);
    if (p && out->data) {
        memcpy(p, out->data, out->size);
    }
    return p;
}

bool bytes_reserve(struct bytes_out *out, size_t more)
{
    if (out->failed || more <= out->cap - out->size) {
        return !out->failed;
    }
    size_t need, cap;
    if (__builtin_add_overflow(out->size, more, &need) ||
        __builtin_add_overflow(need, need / 2 + 64, &cap)) {
        out->failed = true;
        return false;
    }
    uint8_t *p = bytes_grow(out, &cap);
    if (!p) {
        out->failed = true;
        return false;
    }
    out->data = p;
    out->cap = cap;
    out->lent = false;
    return true;
}

void bytes_put(struct bytes_out *out, const void *data, size_t n)
{
    if (n && bytes_reserve(out, n)) {
        uint8_t *to = out->data + out->size;
        if (to != data) {
            memcpy(to, data, n);
        }
        out->size += n;
    }
}

void bytes_fill(struct bytes_out *out, uint8_t value, size_t n)
{
    if (n && bytes_reserve(out, n)) {
        memset(out->data + out->size, value, n);
        out->size += n;
    }
}

void bytes_put_u8(struct bytes_out *out, uint8_t v)
{
    if (bytes_reserve(out, 1)) {
        out->data[out->size++] = v;
    }
}

void bytes_put_u16(struct bytes_out *out, uint16_t v)
{
    uint8_t b[2];
    st16(b, v);
    bytes_put(out, b, sizeof b);
}

void bytes_put_u32(struct bytes_out *out, uint32_t v)
{
    uint8_t b[4];
    st32(b, v);
    bytes_put(out, b, sizeof b);
}

void bytes_put_u64(struct bytes_out *out, uint64_t v)
{
    uint8_t b[8];
    st64(b, v);
    bytes_put(out, b, sizeof b);
}

void bytes_put_varuint(struct bytes_out *out, uint64_t v)
{
    uint8_t b[10];
    size_t at = sizeof b;
    b[--at] = v & 0x7f;
    while (v >>= 7) {
        b[--at] = (uint8_t)(0x80 | (v & 0x7f));
    }
    bytes_put(out, b + at, sizeof b - at);
}

void bytes_put_align(struct bytes_out *out, size_t power, uint8_t fill)
{
    size_t rest = out->size & (power - 1);
    if (rest) {
        bytes_fill(out, fill, power - rest);
    }
}

void bytes_printf(struct bytes_out *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0 || !bytes_reserve(out, (size_t)n + 1)) {
        out->failed = true;
        return;
    }
    va_start(args, fmt);
    vsnprintf((char *)out->data + out->size, (size_t)n + 1, fmt, args);
    va_end(args);
    out->size += (size_t)n;
}

enum diag_code bytes_out_check(const struct bytes_out *out, struct diag *diag)
{
    return out->failed ? diag_nomem(diag) : DIAG_OK;
}
