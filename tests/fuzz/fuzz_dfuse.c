// Fuzz target: DfuSe files, as they are and with the CRC made right.
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_image_fixed(data, size, IMAGE_DFUSE);
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    return fuzz_image_seed(IMAGE_DFUSE, i, out);
}
