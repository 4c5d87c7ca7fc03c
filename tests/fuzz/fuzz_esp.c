// Fuzz target: Espressif app images, as they are and with the sums made right.
#include <string.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_image(data, size, IMAGE_ESP_APP);
    uint8_t *copy = size ? malloc(size) : NULL;
    if (copy) {
        memcpy(copy, data, size);
        fuzz_fix_esp(copy, size);
        fuzz_image(copy, size, IMAGE_ESP_APP);
        free(copy);
    }
    return 0;
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    return fuzz_image_seed(IMAGE_ESP_APP, i, out);
}
