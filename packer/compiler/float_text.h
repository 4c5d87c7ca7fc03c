// Floats from and to text, bit for bit as upstream of each release.
#ifndef PACKER_COMPILER_FLOAT_TEXT_H
#define PACKER_COMPILER_FLOAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "packer/compiler/number.h"

// Reads digits, a point, an exponent and underscores from the start of text; *used tells how much
// was understood. False if an exponent ends the text before its first digit.
bool float_text_read(enum number_float_read rule, const char *text, size_t size, double *value,
                     size_t *used);

enum { FLOAT_TEXT_MAX = 40 };
// Writes v as upstream's %g with the precision of its repr, at most FLOAT_TEXT_MAX bytes, no NUL.
// Returns the length.
size_t float_text_write(enum number_float_write rule, double v, char *out);

#endif
