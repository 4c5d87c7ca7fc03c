// Constant values: what literals, folding and const() make, and what ends in the constant table.
#ifndef PACKER_COMPILER_VALUES_H
#define PACKER_COMPILER_VALUES_H

#include "format/mpy/mpy.h"
#include "packer/compiler/number.h"

struct unit;

enum {
    VALUE_EMPTY = 2, // the leaf of no name
    VALUES_MAX = 1 << 28,
};

enum value_kind {
    VALUE_NONE,
    VALUE_FALSE,
    VALUE_TRUE,
    VALUE_ELLIPSIS,
    VALUE_NAME, // an interned string
    VALUE_STR,
    VALUE_BYTES,
    VALUE_INT, // any int that fits 63 bits, unless folded by a release that does not normalise
    VALUE_BIG,
    VALUE_FLOAT,
    VALUE_COMPLEX,
    VALUE_TUPLE,
};

struct value { // 16 bytes
    uint8_t kind;
    uint16_t depth; // TUPLE: of tuples in tuples, from 1
    uint32_t len;   // STR, BYTES: bytes; TUPLE: items
    union {
        uint32_t name;
        int64_t i;
        double f;
        const struct bigint *big;
        const struct number *complex;
        const uint8_t *data;
        const uint32_t *items; // see value_item
    };
};

// All constants the code loads, each once: the constant table of the module.
struct values {
    struct value *at; // by value index: what const nodes of the tree refer to
    uint32_t n, cap;
    uint32_t *table; // the constant table: value indices in order
    uint32_t n_table, cap_table;
    uint32_t *index; // hash index of table: place + 1
    uint32_t mask;
};

// Stores a value for a const node; the result is its index.
uint32_t values_add(struct unit *u, struct value v);
// The place of value `at[i]` in the constant table; equal values share one.
uint32_t values_use(struct unit *u, uint32_t i);

// An item of a tuple: what a leaf of the syntax tree is, or VALUE_EMPTY for (), or the index of a
// value, in the place where leaves have their tag's argument.
struct value value_item(const struct unit *u, uint32_t item);

bool value_is_true(const struct unit *u, const struct value *v);
// False if v is not a number.
bool value_to_number(const struct value *v, struct number *out);
struct value value_of_number(struct unit *u, const struct number *n);
// The object for the file, in u->out.
struct mpy_obj value_to_obj(struct unit *u, const struct value *v);

#endif
