#include "format/mpy/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    NUMBER_DIGITS_64 = 17, // decimal digits that give back any double
    NUMBER_DIGITS_32 = 9,  // and any float
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

// %g leaves e-notation where MicroPython does; it prints at least two digits of exponent too.
static void number_shortest(char text[MPY_FLOAT_TEXT], double value, enum mpy_float kind)
{
    int most = kind == MPY_FLOAT_64 ? NUMBER_DIGITS_64 : NUMBER_DIGITS_32;
    for (int digits = 1; digits <= most; digits++) {
        snprintf(text, MPY_FLOAT_TEXT, "%.*e", digits - 1, value);
        if (number_same(text, value, kind)) {
            const char *e = strchr(text, 'e');
            int exponent = e ? atoi(e + 1) : 0;
            // Positional up to 16 digits, as with the precision upstream prints doubles with.
            int shown = exponent >= digits && exponent < 16 ? exponent + 1 : digits;
            char trial[MPY_FLOAT_TEXT];
            snprintf(trial, sizeof trial, "%.*g", shown, value);
            if (number_same(trial, value, kind)) {
                memcpy(text, trial, sizeof trial);
            }
            return;
        }
    }
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
