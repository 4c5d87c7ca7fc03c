// The texts of floats of an extracted module, as mpy-cross of the firmware's release writes them.
#ifndef PACKER_CLI_FLOAT_ORIGIN_H
#define PACKER_CLI_FLOAT_ORIGIN_H

#include "format/firmware/firmware.h"

// Replaces canonical texts of m where a literal is found that the release turns into that value.
// Tuples, and complex and negative numbers, keep theirs. New texts are in the arena.
void float_origin(const struct firmware *fw, struct mpy_module *m, struct arena *a);

#endif
