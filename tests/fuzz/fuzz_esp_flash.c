// Fuzz target: Espressif full-flash images, with the sums of their apps made right.
#include <string.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = size ? malloc(size) : NULL;
    if (copy) {
        memcpy(copy, data, size);
        fuzz_fix_esp(copy, size);
        fuzz_image(copy, size, IMAGE_ESP_FLASH);
        free(copy);
    }
    return 0;
}

// Images that hold two apps are too long for quick runs.
bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    return i == 0 && fuzz_image_seed(IMAGE_ESP_FLASH, 0, out);
}
