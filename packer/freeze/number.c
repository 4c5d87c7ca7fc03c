#include "packer/freeze/number.h"

#include <stdlib.h>
#include <string.h>

static void times_plus(struct big *b, uint32_t factor, uint32_t plus)
{
    uint64_t carry = plus;
    for (uint32_t i = 0; i < b->n; i++) {
        carry += (uint64_t)b->digits[i] * factor;
        b->digits[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) {
        b->digits[b->n++] = (uint32_t)carry;
    }
}

bool number_int(const uint8_t *text, uint32_t len, struct arena *a, struct big *out)
{
    uint32_t i = len && (text[0] == '-' || text[0] == '+');
    if (i == len || len > NUMBER_TEXT_MAX) {
        return false;
    }
    *out = (struct big){.negative = text[0] == '-'};
    out->digits = ARENA_ARRAY(a, uint32_t, len / 9 + 2); // nine decimal digits are below 2**32
    uint32_t chunk = 0, scale = 1;
    for (; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        chunk = chunk * 10 + (text[i] - '0');
        scale *= 10;
        if (scale == 1000000000 || i + 1 == len) {
            times_plus(out, scale, chunk);
            chunk = 0;
            scale = 1;
        }
    }
    out->negative &= out->n != 0;
    return true;
}

bool number_small(const struct big *b, unsigned bits, int64_t *out)
{
    if (b->n > 2) {
        return false;
    }
    uint64_t v = (b->n > 0 ? b->digits[0] : 0) | (b->n > 1 ? (uint64_t)b->digits[1] << 32 : 0);
    uint64_t limit = UINT64_C(1) << (bits - 1); // of the negative side
    if (v > limit || (v == limit && !b->negative)) {
        return false;
    }
    *out = (int64_t)(b->negative ? 0 - v : v);
    return true;
}

// One float at *at, at most end; strtod wants a terminated string.
static bool read_float(const uint8_t *text, uint32_t end, uint32_t *at, double *out)
{
    char buf[400];
    uint32_t n = end - *at;
    if (n == 0 || n >= sizeof buf || memchr("+-.0123456789in", text[*at], 15) == NULL) {
        return false;
    }
    memcpy(buf, text + *at, n);
    buf[n] = 0;
    if (strpbrk(buf, "xX(")) { // strtod would take more than Python writes
        return false;
    }
    char *stop;
    *out = strtod(buf, &stop);
    *at += (uint32_t)(stop - buf);
    return stop != buf;
}

bool number_float(const uint8_t *text, uint32_t len, double *out)
{
    uint32_t at = 0;
    return read_float(text, len, &at, out) && at == len;
}

bool number_complex(const uint8_t *text, uint32_t len, double *real, double *imag)
{
    uint32_t at = 0;
    if (len >= 2 && text[0] == '(' && text[len - 1] == ')') {
        text++;
        len -= 2;
    }
    if (len < 2 || text[len - 1] != 'j') {
        return false;
    }
    *real = 0;
    if (!read_float(text, len - 1, &at, imag)) {
        return false;
    }
    if (at == len - 1) {
        return true;
    }
    *real = *imag;
    return read_float(text, len - 1, &at, imag) && at == len - 1;
}
