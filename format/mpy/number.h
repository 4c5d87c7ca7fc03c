// Numbers of frozen constants as the text that .mpy files hold.
#ifndef FORMAT_MPY_NUMBER_H
#define FORMAT_MPY_NUMBER_H

#include <stdbool.h>

#include "format/bytes.h"

enum mpy_float { // what of a float the firmware keeps
    MPY_FLOAT_64,
    MPY_FLOAT_32,
    MPY_FLOAT_30, // a 32-bit float without its two low bits: object representation C
};

enum { MPY_FLOAT_TEXT = 40, MPY_COMPLEX_TEXT = 2 * MPY_FLOAT_TEXT + 8 };

// A text that gives the same bits again, written as MicroPython's repr does: "0.1", "1e-07", "3.0",
// "inf", "nan": 16 digits or, where these do not do, 17 for a double; the shortest for the others.
// For MPY_FLOAT_30 the two low bits are free.
void mpy_float_text(char text[MPY_FLOAT_TEXT], double value, enum mpy_float kind);
// Real and imaginary part as MicroPython's repr of a complex: "1j", "(1+2j)".
void mpy_complex_text(char text[MPY_COMPLEX_TEXT], double real, double imag, enum mpy_float kind);
// Whether a text of a file is one: optional sign and digits; what the text of a float or complex is
// made of.
bool mpy_text_is_int(const uint8_t *s, size_t n);
bool mpy_text_is_number(const uint8_t *s, size_t n);
// Appends a decimal integer from its magnitude: n 32-bit digits, least significant first, which are
// overwritten. The time is quadratic: the caller bounds n.
void mpy_int_text(struct bytes_out *out, bool negative, uint32_t *digits, size_t n);

#endif
