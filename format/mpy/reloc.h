// The relocations of a native module (natmod): pointer words of its text and its rodata, to which
// the address of something is added when the module is loaded.
//
// Facts: mp_native_relocate in py/persistentcode.c, write_reloc in tools/mpy_ld.py; the same in all
// releases from 1.19 to 1.29.
#ifndef FORMAT_MPY_RELOC_H
#define FORMAT_MPY_RELOC_H

#include "format/mpy/mpy.h"

enum mpy_reloc_to {
    MPY_RELOC_TEXT,
    MPY_RELOC_RODATA,
    MPY_RELOC_BSS,
    MPY_RELOC_QSTRS,     // the module's qstr table
    MPY_RELOC_OBJS,      // the module's constant table
    MPY_RELOC_FUN_TABLE, // mp_fun_table itself
    MPY_RELOC_FUN,       // what an entry of mp_fun_table points to
};

struct mpy_reloc {
    bool in_rodata;  // else in the text
    uint32_t offset; // of the word, a multiple of the pointer size
    enum mpy_reloc_to to;
    unsigned entry; // FUN: of mp_fun_table
};

// A walk over the relocations of code, one word after the other.
struct mpy_relocs {
    const struct mpy_code *code;
    unsigned ptr;  // bytes in a pointer
    uint32_t at;   // in code->relocs
    uint64_t left; // words that the current destination is still added to
    uint64_t word;
    bool placed; // word is set
    struct mpy_reloc now;
};

void mpy_relocs_begin(struct mpy_relocs *r, const struct mpy_code *code, unsigned ptr);
// 1: *out is the next one, within the code's bytes. 0: that was all. -1: malformed.
int mpy_relocs_next(struct mpy_relocs *r, struct mpy_reloc *out);

// A frozen natmod stands in memory as it was after loading. So that it can be taken out again as it
// was in its file, its raw code's list of children, which it does not have, is this record:
// {magic u32, text size u32, rodata size u32, size of the relocations u32, rodata*, relocations*}.
// The layout is this project's own; the VM never looks at it.
enum {
    MPY_NATMOD_MAGIC = 0x646f4d6e, // "nMod": no firmware has code or data at this odd address
    MPY_NATMOD_HEAD = 16,
    MPY_NATMOD_MAX = 1 << 19, // bytes of text, rodata and relocations; real ones have some thousand
};

#endif
