// What the two halves of the frozen reader share: unfreeze.c walks the code, unfreeze_obj.c reads
// the constants.
#ifndef FORMAT_FIRMWARE_UNFREEZE_H
#define FORMAT_FIRMWARE_UNFREEZE_H

#include "format/firmware/firmware.h"
#include "format/mpy/extent.h"

struct unfreeze {
    const struct firmware *fw;
    const struct fw_module *frozen;
    struct arena *arena;
    struct diag *diag;
    struct mpy_module *module;
    // Where things begin, sorted before use: a function ends before the next of them.
    uint64_t *starts;
    size_t n_starts, cap_starts;
    // What the functions use of the tables.
    uint32_t n_qstrs, n_objs;
    bool wide_ints, native;
    uint64_t budget; // functions and constants that may still be read: stops loops in the image
};

struct unfreeze_fun { // a function whose length is not final
    struct mpy_code *code;
    uint64_t addr;
    struct mpy_extent extent;
    bool sized;         // the firmware says how long it is
    uint64_t constants; // 1.18: its table of argument names, constants and children
    unsigned n_own;     // 1.18, machine code: entries between argument names and constants
    struct mpy_v5 *v5;  // 1.18: as far as it is known
};

struct unfreeze_walk {
    struct unfreeze *u;
    struct unfreeze_fun *funs;
    size_t n, cap;
};

// Records a failure at a run-time address; field says what was read there.
enum diag_code unfreeze_fail(struct unfreeze *u, uint64_t addr, const char *field, const char *fmt,
                             ...) DIAG_PRINTF(4, 5);
#ifdef DIAG_ANALYZED // see format/diag.h
#define unfreeze_fail(u, ...) ((void)unfreeze_fail(u, __VA_ARGS__), DIAG_MALFORMED)
#endif
// A pointer-sized word at a run-time address.
enum diag_code unfreeze_word(struct unfreeze *u, uint64_t addr, const char *field, uint64_t *value);
// Remembers where something begins.
enum diag_code unfreeze_start(struct unfreeze *u, uint64_t addr);
// One object of the qstr pools. Errors: DIAG_MALFORMED.
enum diag_code unfreeze_qstr(struct unfreeze *u, uint64_t id, uint64_t addr, struct mpy_qstr *q);
// The qstr that an object word stands for; 0 when it is none.
uint64_t unfreeze_qstr_of(const struct unfreeze *u, uint64_t word);
// The constant whose word is value; addr is where the word was found.
enum diag_code unfreeze_obj(struct unfreeze *u, uint64_t value, uint64_t addr, unsigned depth,
                            struct mpy_obj *o);

// Everything from a run-time address to the end of its segment; NULL when there is none.
const uint8_t *unfreeze_rest(const struct unfreeze *u, uint64_t addr, size_t *size);
enum diag_code unfreeze_push(struct unfreeze_walk *w, const struct unfreeze_fun *f);
// Reads n functions whose addresses stand at table, as children of c.
enum diag_code unfreeze_children(struct unfreeze_walk *w, struct mpy_code *c, uint64_t table,
                                 uint64_t n, unsigned depth);

// unfreeze_v5.c: a raw code of 1.18, and what is left to do when all ends are known.
enum diag_code unfreeze_v5_raw(struct unfreeze_walk *w, uint64_t addr, unsigned depth,
                               struct mpy_code *c);
enum diag_code unfreeze_v5_finish(struct unfreeze_walk *w);

// unfreeze_natmod.c: a native module, by the record in place of its raw code's children; c->at is
// set, and run is where its text is executed.
bool unfreeze_is_natmod(const struct unfreeze *u, uint64_t record);
enum diag_code unfreeze_natmod(struct unfreeze *u, uint64_t record, uint64_t run,
                               struct mpy_code *c);

#endif
