// Fuzz target: detection, then whatever was detected.
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_image(data, size, IMAGE_AUTO);
    return 0;
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    bool more = fuzz_image_seed(IMAGE_AUTO, i, out);
    out->size = out->size > 16384 ? 16384 : out->size;
    return more;
}
