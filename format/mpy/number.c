#include "format/mpy/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    NUMBER_DIGITS_64 = 17, // decimal digits that give back any double
    NUMBER_DIGITS_32 = 9,  // and any float
    NUMBER_PRECISION = 16, // digits before the point up to which upstream writes no exponent
    NUMBER_LEAST = -4,     // and the smallest exponent that it writes as zeros
    NUMBER_LOW_BITS = 3,   // what representation C drops
};

static uint32_t number_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static bool number_same(const char *text, double value, enum mpy_float kind)
{
    if (kind == MPY_FLOAT_64) {
        return strtod(text, NULL) == value;
    }
    uint32_t mask = kind == MPY_FLOAT_30 ? ~(uint32_t)NUMBER_LOW_BITS : UINT32_MAX;
    return ((number_bits(strtof(text, NULL)) ^ number_bits((float)value)) & mask) == 0;
}

// "d.ddde+XX" to what %g makes of it: no zeros at the end, positional for middling exponents. %e
// prints at least two digits of exponent, as MicroPython does.
static void number_layout(char text[MPY_FLOAT_TEXT])
{
    char digits[NUMBER_DIGITS_64 + 1], *e = strchr(text, 'e'), *to = text + (text[0] == '-');
    int n = 0, exponent = atoi(e + 1);
    for (const char *p = to; p < e && n < NUMBER_DIGITS_64; p++) {
        if (*p != '.') {
            digits[n++] = *p;
        }
    }
    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    digits[n] = 0;
    if (exponent < NUMBER_LEAST || exponent >= NUMBER_PRECISION) {
        snprintf(to, MPY_FLOAT_TEXT - 1, "%c%s%se%+03d", digits[0], n > 1 ? "." : "", digits + 1,
                 exponent);
    } else if (exponent < 0) {
        snprintf(to, MPY_FLOAT_TEXT - 1, "0.%.*s%s", -exponent - 1, "0000", digits);
    } else if (exponent + 1 >= n) {
        snprintf(to, MPY_FLOAT_TEXT - 1, "%s%.*s", digits, exponent + 1 - n, "000000000000000");
    } else {
        snprintf(to, MPY_FLOAT_TEXT - 1, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
    }
}

static void number_shortest(char text[MPY_FLOAT_TEXT], double value, enum mpy_float kind)
{
    // Upstream writes doubles with 16 digits where that is enough, the zeros at the end left out.
    int most = kind == MPY_FLOAT_64 ? NUMBER_DIGITS_64 : NUMBER_DIGITS_32;
    int digits = kind == MPY_FLOAT_64 ? NUMBER_PRECISION - 1 : 0;
    do {
        snprintf(text, MPY_FLOAT_TEXT, "%.*e", digits, value);
    } while (!number_same(text, value, kind) && ++digits < most);
    number_layout(text);
}

static void number_plain(char text[MPY_FLOAT_TEXT], double value, enum mpy_float kind)
{
    if (isnan(value)) {
        strcpy(text, "nan");
    } else if (isinf(value)) {
        strcpy(text, value < 0 ? "-inf" : "inf");
    } else {
        number_shortest(text, value, kind);
    }
}

void mpy_float_text(char text[MPY_FLOAT_TEXT], double value, enum mpy_float kind)
{
    number_plain(text, value, kind);
    if (!strpbrk(text, ".en")) {
        strcat(text, ".0");
    }
}

void mpy_complex_text(char text[MPY_COMPLEX_TEXT], double real, double imag, enum mpy_float kind)
{
    char r[MPY_FLOAT_TEXT], i[MPY_FLOAT_TEXT];
    number_plain(i, imag, kind);
    if (real == 0) {
        snprintf(text, MPY_COMPLEX_TEXT, "%sj", i);
        return;
    }
    number_plain(r, real, kind);
    snprintf(text, MPY_COMPLEX_TEXT, "(%s%s%sj)", r, imag >= 0 || isnan(imag) ? "+" : "", i);
}

void mpy_int_text(struct bytes_out *out, bool negative, uint32_t *digits, size_t n)
{
    enum { BILLION = 1000000000, PLACES = 9 };
    size_t start = out->size;
    for (;;) {
        while (n && digits[n - 1] == 0) {
            n--;
        }
        uint64_t rest = 0;
        for (size_t i = n; i-- > 0;) {
            rest = rest << 32 | digits[i];
            digits[i] = (uint32_t)(rest / BILLION);
            rest %= BILLION;
        }
        bool last = n == 0 || (n == 1 && digits[0] == 0);
        for (int i = 0; i < PLACES && (!last || rest || out->size == start); i++) {
            bytes_put_u8(out, (uint8_t)('0' + rest % 10));
            rest /= 10;
        }
        if (last) {
            break;
        }
    }
    if (negative) {
        bytes_put_u8(out, '-');
    }
    for (size_t a = start, b = out->size; !out->failed && a + 1 < b; a++, b--) {
        uint8_t c = out->data[a];
        out->data[a] = out->data[b - 1];
        out->data[b - 1] = c;
    }
}

bool mpy_text_is_int(const uint8_t *s, size_t n)
{
    size_t i = n && s[0] == '-';
    if (i == n) {
        return false;
    }
    for (; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
    }
    return true;
}

bool mpy_text_is_number(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == 0 || !strchr("0123456789+-.einfaj()", s[i])) {
            return false;
        }
    }
    return n > 0;
}
