// Mutation of .mpy files that keeps their form: one or more instructions, arguments, preludes or
// table entries of a well-formed module are changed, and the result is written back.
#ifndef TESTS_LIB_MPY_MUTATE_H
#define TESTS_LIB_MPY_MUTATE_H

#include "format/mpy/mpy.h"

// Appends a mutated file to out. m is left as it is; random is the state of the generator.
void mpy_mutate(const struct mpy_module *m, uint64_t *random, struct arena *a,
                struct bytes_out *out);
uint32_t mpy_mutate_random(uint64_t *random, uint32_t below);

#endif
