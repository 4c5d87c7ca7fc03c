// Fuzz target: UF2 files, as they are and with the blocks numbered anew.
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_image_fixed(data, size, IMAGE_UF2);
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    return fuzz_image_seed(IMAGE_UF2, i, out);
}
