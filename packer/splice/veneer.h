// Builds with link-time optimisation that hold exactly one frozen module: the compiler has deleted
// mp_frozen_mpy_content and gives out that module's address for every name. There is no reference
// to change, so the lookup function itself is replaced: its first bytes become a jump to a small
// equivalent in the payload. Thumb only. Internal to packer/splice.
//
// Facts: py/frozenmod.c; Arm v6-M Architecture Reference Manual (all of it runs on every Thumb
// core).
#ifndef PACKER_SPLICE_VENEER_H
#define PACKER_SPLICE_VENEER_H

#include "packer/splice/patch.h"

enum { VENEER_FINDER = 96 }; // bytes of the finder in the payload, 4-aligned

// Finds the lookup function and proves from its code that it takes (name, *type, *data): where it
// stores the module's address and the type. Errors: DIAG_NO.
enum diag_code veneer_find(const struct firmware *fw, struct diag *d, uint64_t *function);
// Writes the finder for tables at these addresses.
void veneer_write(uint8_t out[VENEER_FINDER], uint64_t names, uint64_t content);
// Makes the function jump to the finder.
enum diag_code veneer_patch(struct patches *p, uint64_t function, uint64_t finder);

#endif
