// Code trees and a firmware to the structures that MicroPython's own build would have made of them:
// execute-in-place code, constants, qstr pools and the frozen tables, at one address. The same
// inputs give the same bytes.
//
// The work has two steps, because where a payload can go depends on its size: freeze_make lays it
// out from 0, freeze_place gives it its address.
//
// Facts: py/qstr.c, py/obj.h, py/objstr.h, py/objint.h, py/mpz.h, py/emitglue.h, py/bc.h,
// py/frozenmod.c and the freezing part of tools/mpy-tool.py of MicroPython 1.19 to 1.29.
#ifndef PACKER_FREEZE_FREEZE_H
#define PACKER_FREEZE_FREEZE_H

#include "format/firmware/firmware.h"
#include "format/mpy/mpy.h"

enum {
    FREEZE_ALIGN = 16, // a payload begins at a multiple of this
};
#define FREEZE_NONE UINT32_MAX

struct freeze_input {
    enum fw_module_kind kind;
    const char *name;             // "pkg/mod.py": the name in the frozen tables
    const char *file;             // for messages
    const struct mpy_module *mpy; // MPY
    const uint8_t *text;          // STR
    uint32_t text_size;
};

struct freeze_pointer { // a pointer word in the payload, or in machine code apart from it
    uint32_t at;        // offset there
    bool in_code;       // in code
    bool inside;        // value is an offset in the payload; else an address in the firmware
    bool code;          // it points to machine code: code_shift is added, and value is an offset
                        // in code where that lies apart
    uint64_t value;
};

struct freeze_span { // bytes that belong to one module alone
    uint32_t offset, size;
    uint32_t code; // bytes of machine code apart from the payload
};

// How the new qstr pools join the firmware's chain.
enum freeze_pools {
    FREEZE_POOLS_BEHIND, // behind its last pool: what refers to that one must be changed
    // The last new pool, of one qstr, overwrites the firmware's last one, whose copy goes to the
    // payload: nothing that refers to it need be known. It costs the bytes of the copy.
    FREEZE_POOLS_IN_PLACE,
};

struct freeze_word { // a word of the firmware's data that must change
    uint64_t addr;
    bool inside; // value is an offset in the payload; else plain
    uint64_t value;
};

enum { FREEZE_WORDS_MAX = 8 };

struct freeze {
    uint32_t size;
    uint8_t *data;
    unsigned ptr; // bytes in a pointer
    uint32_t n_pointers;
    struct freeze_pointer *pointers; // sorted by at
    struct freeze_span *spans;       // one for each input
    uint32_t *name_at;               // its name in the list of names, an offset; for each input
    bool executable;                 // holds machine code
    bool relocated_code;             // words of it are pointers
    uint64_t code_shift;             // from where machine code lies to where it runs; 0 by default
    // Where the firmware runs code apart (firmware.code_at), what must be put there: zeros up to a
    // multiple of FREEZE_ALIGN, then the machine code, whole words. code_shift leads from the
    // payload there. Size 0: nothing.
    uint32_t code_size;
    uint8_t *code;
    uint32_t n_qstrs;    // new ones
    unsigned n_replaced; // stock modules that the inputs hide
    // What the firmware must use instead of its own tables, as offsets in the payload;
    // FREEZE_NONE where its own stays in use.
    uint32_t pool, names, content, str_sizes, str_content;
    unsigned n_words; // of IN_PLACE; 0 where no qstr is new
    struct freeze_word words[FREEZE_WORDS_MAX];
};

// DIAG_NO when the firmware can hold no frozen modules at all, or what every module needs to know
// of it was not found. The rest is asked for where a module needs it.
enum diag_code freeze_possible(const struct firmware *fw, struct diag *d);

// Lays the inputs out for fw. Their order is kept. Errors: DIAG_NO when the firmware cannot hold
// them (with the module, the constant and the reason), DIAG_MALFORMED for inputs that contradict
// themselves, DIAG_USAGE for two of one name.
enum diag_code freeze_make(const struct firmware *fw, const struct freeze_input *inputs, unsigned n,
                           enum freeze_pools pools, struct arena *a, struct diag *d,
                           struct freeze **out);
// Fills in the pointers for a payload at addr, a multiple of FREEZE_ALIGN. May be repeated.
void freeze_place(struct freeze *f, uint64_t addr);

// True if machine code of the .mpy architecture id runs on a firmware of architecture fw.
bool freeze_arch_runs(enum mpy_arch code, enum mpy_arch fw);

#endif
