// How long a frozen function is. Builds without MICROPY_PERSISTENT_CODE_SAVE keep neither the
// length of a function's bytecode nor that of its tables; what the instructions use tells.
#ifndef FORMAT_MPY_EXTENT_H
#define FORMAT_MPY_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/mpy/mpy.h"

struct mpy_extent {
    uint32_t code;                        // offset of the first instruction
    uint32_t end;                         // offset behind the last byte of the function
    uint32_t n_qstrs, n_objs, n_children; // entries used: the highest index and one
    uint32_t first_child;                 // the lowest index, UINT32_MAX when none is used
    bool wide_ints;                       // a small int constant does not fit 31 bits
};

// Follows the instructions of the bytecode function at data, of which at most available bytes may
// be read, to the first place that no instruction falls through to or jumps behind. Unreachable
// instructions behind that place are not counted: see mpy_extent_tail. NULL, or what is wrong. v5
// is NULL, or that of a function of version 5, in which no constants are counted yet: children are
// then counted behind the argument names, and the qstrs that are used are not told.
const char *mpy_extent_find(const uint8_t *data, size_t available, const struct mpy_v5 *v5,
                            struct mpy_extent *out);

// Compilers leave unreachable instructions at the end of some functions, if only the implicit
// "return None". Moves e->end behind those when they fill the bytes up to limit (where the next
// thing in memory begins) but for zero padding, and jump to instructions of the function only;
// without that proof only "return None" is taken.
void mpy_extent_tail(const uint8_t *data, size_t limit, const struct mpy_v5 *v5,
                     struct mpy_extent *e);

#endif
