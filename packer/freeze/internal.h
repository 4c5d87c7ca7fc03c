// What the files of packer/freeze share.
#ifndef PACKER_FREEZE_INTERNAL_H
#define PACKER_FREEZE_INTERNAL_H

#include "packer/freeze/pieces.h"
#include "packer/freeze/qstrs.h"

struct code_count { // how many functions have this bytecode: 0 = empty slot, 1, 2 = several
    uint64_t hash;
    uint32_t n;
};

struct freezer {
    const struct firmware *fw;
    struct arena *arena;
    struct diag *diag;
    struct qstrs qstrs;
    struct pieces pieces;
    const struct freeze_input *input; // the module at work, for messages
    struct code_count *counts;        // by hash, open addressing
    uint32_t n_counts, n_count_slots;
    bool executable, relocated_code;
    enum freeze_pools pools;
    // Of the module at work, for machine code that points to them.
    struct place qstr_table, obj_table;
    bool has_objects;
};

// Records "FILE: ...: why" for the module at work.
enum diag_code freeze_refuse(struct freezer *f, enum diag_code code, const char *fmt, ...)
    DIAG_PRINTF(3, 4);

// objects.c: the constant table of a module; *table is its place (n_obj > 0).
enum diag_code freeze_objects(struct freezer *f, const struct mpy_module *m, struct place *table);
// A string constant this long or longer is an object of its own, a shorter one a qstr.
enum { FREEZE_INTERN_BELOW = 25 };

// code.c: a raw code or proto_fun and all below it; *at is what the module points to.
enum diag_code freeze_code(struct freezer *f, const struct mpy_code *code, struct place *at);
// Ahead of all freeze_code: each code is counted once for each module that has it.
void freeze_count_code(struct freezer *f, const struct mpy_code *code);

// natmod.c: the text and rodata of a native module, relocated. *record is what its raw code has in
// place of a list of children (format/mpy/reloc.h). Only for what freeze_is_natmod says is one.
bool freeze_is_natmod(const struct mpy_code *c);
enum diag_code freeze_natmod(struct freezer *f, const struct mpy_code *c, struct place *text,
                             struct place *record);

// check.c: whether the firmware can run the module at all.
enum diag_code freeze_check(struct freezer *f, const struct mpy_module *m);
// Whether a text would be found in the product.
enum diag_code freeze_check_text(struct freezer *f, const struct freeze_input *in);

// tables.c: true if the first stock entry is a module that the inputs hide. Its place and the
// length of its name must stay, so an empty module takes it; name (in the arena) is what it is
// called.
bool freeze_first_hidden(struct freezer *f, const struct freeze_input *inputs, unsigned n,
                         const char **name);
// The list of frozen names goes into the current run; the qstrs may use its texts.
struct freeze_tables;
enum diag_code freeze_names(struct freezer *f, const struct freeze_input *inputs, unsigned n,
                            struct freeze_tables **out);
// The contents, behind all modules; these are the inputs' mp_frozen_module_t.
enum diag_code freeze_contents(struct freeze_tables *t, const struct place *modules,
                               struct freeze *out);

#endif
