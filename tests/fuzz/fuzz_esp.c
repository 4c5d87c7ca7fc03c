// Fuzz target: Espressif app images, as they are and with the sums made right.
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_image_fixed(data, size, IMAGE_ESP_APP);
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    return fuzz_image_seed(IMAGE_ESP_APP, i, out);
}
