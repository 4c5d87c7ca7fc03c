// Fuzz target: Intel HEX files, as they are and with all record checksums made right.
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_image_fixed(data, size, IMAGE_IHEX);
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    return fuzz_image_seed(IMAGE_IHEX, i, out);
}
