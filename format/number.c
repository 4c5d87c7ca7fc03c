#include "format/number.h"

#include "format/bytes.h"

static unsigned number_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    c |= 'a' ^ 'A';
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

bool number_read(const char **text, uint64_t *v)
{
    const char *p = *text;
    unsigned base = p[0] == '0' && (p[1] | ('x' ^ 'X')) == 'x' ? 16 : 10;
    p += base == 16 ? 2 : 0;
    if (number_digit(*p) >= base) {
        return false;
    }
    *v = 0;
    for (; number_digit(*p) < base; p++) {
        if (!ck_mul(*v, base, v) || !ck_add(*v, number_digit(*p), v)) {
            return false;
        }
    }
    *text = p;
    return true;
}

bool number_whole(const char *text, uint64_t *v)
{
    return number_read(&text, v) && !*text;
}

bool number_size(const char **text, uint64_t *v)
{
    if (!number_read(text, v)) {
        return false;
    }
    unsigned shift = **text == 'K' || **text == 'k' ? 10 : **text == 'M' ? 20 : 0;
    *text += shift != 0;
    return ck_mul(*v, (uint64_t)1 << shift, v);
}
