// Fuzz target: Espressif full-flash images, as they are and with the sums of their apps made right.
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_image_fixed(data, size, IMAGE_ESP_FLASH);
}

// Images that hold two apps are too long for quick runs.
bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    return i == 0 && fuzz_image_seed(IMAGE_ESP_FLASH, 0, out);
}
