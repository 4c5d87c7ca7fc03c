// A made-up firmware for tests of the freezer: all layouts at will, no image.
#ifndef TESTS_UNIT_FREEZE_FIXTURE_H
#define TESTS_UNIT_FREEZE_FIXTURE_H

#include <criterion/criterion.h>

#include "packer/freeze/freeze.h"

enum {
    FIX_ADDR = 0x10000, // of the payload
    FIX_POOL = 0x2000,
    FIX_TYPES = 0x3000,
    FIX_TABLE = 0xf000, // mp_fun_table, where the tests have machine code
    FIX_TABLE_SIZE = FIX_ADDR - FIX_TABLE,
};

struct fix {
    struct arena arena;
    struct diag diag;
    struct fw_profile profile;
    struct fw_qstr_pool pool;
    struct fw_ref ref;
    struct firmware fw;
    enum freeze_pools pools;
    struct freeze *out;
    bool stock; // what is read back is not known to be from a blob
};

// Release 1.23 or later, 32 bits, REPR_A, f32, MPZ with 16-bit digits, immediates, no SAVE.
void fix_begin(struct fix *x);
void fix_end(struct fix *x);
// Freezes and places at FIX_ADDR.
enum diag_code fix_freeze(struct fix *x, const struct freeze_input *inputs, unsigned n);

// Reading the payload by address.
uint64_t fix_word(const struct fix *x, uint64_t addr);
uint32_t fix_u32(const struct fix *x, uint64_t addr);
uint16_t fix_u16(const struct fix *x, uint64_t addr);
uint8_t fix_u8(const struct fix *x, uint64_t addr);
const char *fix_str(const struct fix *x, uint64_t addr);
// Address of a word's place: FIX_ADDR + offset.
uint64_t fix_at(uint32_t offset);
// mp_frozen_module_t of entry i of the new content array, and its three pointers.
uint64_t fix_module(const struct fix *x, unsigned i, unsigned member);
// The qstr id of a new or stock string as the VM of the product would find it; 0 = not found.
uint32_t fix_find(const struct fix *x, const char *s, size_t n);

// The bytes in front of the payload: words that all point to their own place. With fw.image set to
// what this returns, machine code can be frozen that refers to them.
struct image *fix_stock(struct fix *x);
// Reads the first frozen module of the product back, with an arena and messages of the caller's.
enum diag_code fix_unfreeze(struct fix *x, struct arena *a, struct diag *d,
                            struct mpy_module **out);
// Each bit of the payload flipped in turn: the module is read back or refused in words.
void fix_damage(struct fix *x);

// Inputs: a module of one bytecode function without children, with constants and names.
struct freeze_input fix_module_of(struct fix *x, const char *name, const struct mpy_obj *objs,
                                  uint32_t n_obj, const char *const *names, uint32_t n_names);
struct mpy_obj fix_obj(enum mpy_obj_kind kind, const char *text);
struct mpy_obj fix_obj_n(enum mpy_obj_kind kind, const char *text, uint32_t n);

#endif
