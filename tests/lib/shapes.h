// Kinds of source, each nothing but one construct again and again: what a compiler takes for a byte
// of source differs most between them.
#ifndef TESTS_LIB_SHAPES_H
#define TESTS_LIB_SHAPES_H

#include "format/bytes.h"

struct shape {
    const char *name;
    const char *head, *item, *tail; // a $ in an item is a number, another each time
};

extern const struct shape shapes[]; // the last has no name

// Appends a script of this shape, of at least size bytes.
void shape_make(const struct shape *s, size_t size, struct bytes_out *out);

#endif
