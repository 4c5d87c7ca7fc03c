// What stands in front of the instructions of every bytecode function (and, in native functions,
// behind the machine code): signature, name and argument names, line table, cells. The bytes are
// the same in all releases from 1.19 to 1.29; up to 1.18 the name and that of the source file take
// two bytes each, and the argument names stand elsewhere. Facts: py/bc.h, py/bc.c, py/emitbc.c.
#ifndef FORMAT_MPY_PRELUDE_H
#define FORMAT_MPY_PRELUDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/mpy/mpy.h"

enum mpy_scope_flags { // of the signature
    MPY_SCOPE_GENERATOR = 1,
    MPY_SCOPE_VARKEYWORDS = 2,
    MPY_SCOPE_VARARGS = 4,
    MPY_SCOPE_DEFKWARGS = 8,
};

enum { // scope flags of viper code that say what of a natmod follows it
    MPY_SCOPE_VIPER_RELOC = 0x10,
    MPY_SCOPE_VIPER_RODATA = 0x20,
    MPY_SCOPE_VIPER_BSS = 0x40,
};

struct mpy_prelude {
    uint32_t n_state;     // entries for locals and value stack together; the other five are below
                          // 65536, for signatures that would say more are refused
    uint32_t n_exc_stack; // entries of the exception stack
    uint32_t scope_flags; // enum mpy_scope_flags
    uint32_t n_pos_args, n_kwonly_args, n_def_pos_args;
    uint32_t name;   // index into the module's qstr table
    uint32_t source; // version 5: of the source file
    // Offsets within the function's data:
    uint32_t names; // of the name, which the argument names follow
    uint32_t lines; // of the line table
    uint32_t cells; // of the cells, one byte each; end of the line table
    uint32_t code;  // of the first instruction; end of the cells
};

// Decodes the prelude at data[at], of version 5 or 6. NULL when everything of it lies within size,
// else what is wrong with it (static text). Indices are not checked against any table.
const char *mpy_prelude_decode(const uint8_t *data, size_t size, size_t at, bool v5,
                               struct mpy_prelude *out);
// The prelude of a function that has one.
const char *mpy_prelude_of(const struct mpy_code *c, struct mpy_prelude *out);
// Argument names, positional ones first: *pos starts at 0 and advances; false behind the last.
bool mpy_prelude_arg(const struct mpy_code *c, const struct mpy_prelude *p, uint32_t *pos,
                     uint32_t *qstr);
// Local variables the arguments take: positional, keyword-only, *args, **kwargs.
uint32_t mpy_prelude_arg_slots(const struct mpy_prelude *p);

// The line table, entry by entry: from code offset *offset on (from p->code) the line is *line.
// Both start at 0 and *pos at 0; false at the end. Entries that cover no bytecode are passed over.
struct mpy_lines {
    uint32_t pos, offset, line;
};
bool mpy_lines_next(const uint8_t *data, const struct mpy_prelude *p, struct mpy_lines *l);
// The lines of instructions whose offsets (from p->code) never go down; begins with zeros. 0 where
// there is no line table.
struct mpy_line_cursor {
    struct mpy_lines next;
    uint32_t line;
    bool begun, ended;
};
uint32_t mpy_line_at(const uint8_t *data, const struct mpy_prelude *p, struct mpy_line_cursor *c,
                     uint32_t offset);
// The line of an instruction, offset counted from p->code; 0 when there is no line table.
uint32_t mpy_prelude_line(const uint8_t *data, const struct mpy_prelude *p, uint32_t offset);

#endif
