// From the operations of a scope to its code. An emitter is one kind of code; bytecode is the only
// one yet. Native, viper and inline assembler are further emitters: each gets the same operations
// in the same order as bytecode does, with all scopes numbered, and may read them several times.
// The syntax tree is gone by then.
#ifndef PACKER_COMPILER_EMIT_H
#define PACKER_COMPILER_EMIT_H

#include "packer/compiler/codegen.h"

struct emit { // what emitters share while a module is emitted
    struct unit *u;
    struct codegen *c;
    struct mpy_code *codes; // one for each scope
    uint32_t forgotten;     // scopes that are not needed any more
    void *state;            // the emitter's own, kept between scopes
};

struct emitter {
    const char *name;
    // Readies e->state before the first scope.
    void (*begin)(struct emit *e);
    // Fills e->codes[scope]. Names and constants are entered into the module's tables in the order
    // of their use. Scopes before it are forgotten.
    void (*scope)(struct emit *e, uint32_t scope);
};

extern const struct emitter emitter_bytecode;

#endif
