// .mpy version 5: what MicroPython 1.12 to 1.18 read. Used by mpy_read and mpy_write.
//
// Strings are not in tables: they stand where they are used, in full, as a static qstr, or as a
// place in a window of the last 32 different ones. Facts: py/persistentcode.c of 1.18.
#ifndef FORMAT_MPY_V5_H
#define FORMAT_MPY_V5_H

#include "format/mpy/mpy.h"

enum { V5_WINDOW = 32 };

// Whether the bytes begin as such a file does.
bool v5_begins(const uint8_t *data, size_t size);
// As mpy_read and mpy_write.
enum diag_code v5_read(const uint8_t *data, size_t size, const char *name, struct arena *a,
                       struct diag *d, struct mpy_module **out);
void v5_write(const struct mpy_module *m, struct bytes_out *out);

// A module's table of qstrs that grows as they are met.
struct v5_names {
    struct arena *arena;
    struct mpy_qstr *at;
    uint32_t n, cap;
    uint32_t *slots; // a hash table: index + 1, or 0
    uint32_t n_slots;
};
// The index of a string. False when memory is short, or when two bytes cannot hold the index.
bool v5_name(struct v5_names *names, const struct mpy_qstr *q, uint32_t *index);

#endif
