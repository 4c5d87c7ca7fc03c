// What the files of packer/freeze share.
#ifndef PACKER_FREEZE_INTERNAL_H
#define PACKER_FREEZE_INTERNAL_H

#include "packer/freeze/pieces.h"
#include "packer/freeze/qstrs.h"

struct text_entry { // the data of a string constant in the payload
    const uint8_t *data;
    uint32_t len, hash;
    uint32_t run;       // the run (module) it was written in; 0 = empty slot
    struct place place; // within that run
};

struct freezer {
    const struct firmware *fw;
    struct arena *arena;
    struct diag *diag;
    struct qstrs qstrs;
    struct pieces pieces;
    const struct freeze_input *input; // the module at work, for messages
    struct text_entry *texts;         // by content, open addressing
    uint32_t n_texts, n_text_slots;
    uint32_t run;         // number of the current run, from 1 on
    uint32_t *bytes_base; // offset of PART_BYTES in the payload, by run
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

// texts.c: writes the data of a string constant with its NUL, or finds equal data that an earlier
// constant has; a pointer to it goes to the next word.
struct text_ref {
    bool earlier;       // offset counts in the payload, not in the run
    struct place place; // in this run
    uint32_t offset;
};
struct text_ref freeze_text(struct freezer *f, const uint8_t *data, uint32_t len);

// code.c: a raw code or proto_fun and all below it; *at is what the module points to.
enum diag_code freeze_code(struct freezer *f, const struct mpy_code *code, struct place *at);

// natmod.c: the text and rodata of a native module, relocated. *record is what its raw code has in
// place of a list of children (format/mpy/reloc.h). Only for what freeze_is_natmod says is one.
bool freeze_is_natmod(const struct mpy_code *c);
enum diag_code freeze_natmod(struct freezer *f, const struct mpy_code *c, struct place *text,
                             struct place *record);

// check.c: whether the firmware can run the module at all.
enum diag_code freeze_check(struct freezer *f, const struct mpy_module *m);

// tables.c: true if the first stock entry is a module that the inputs hide. Its place and the
// length of its name must stay, so an empty module takes it; name (in the arena) is what it is
// called.
bool freeze_first_hidden(struct freezer *f, const struct freeze_input *inputs, unsigned n,
                         const char **name);
// The lists of frozen names and contents. offsets are of the inputs' mp_frozen_module_t.
enum diag_code freeze_tables(struct freezer *f, const struct freeze_input *inputs, unsigned n,
                             const uint32_t *offsets, struct freeze *out);

#endif
