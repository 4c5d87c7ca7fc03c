// Fuzz target: Espressif app and full-flash images, as they are and with the sums made right.
#include <string.h>

#include "format/image/esp.h"
#include "tests/fuzz/fuzz.h"

// Full-flash images keep their apps at whole sectors.
static void fix_sums(uint8_t *file, size_t size)
{
    for (size_t at = 0; at < size; at += 0x1000) {
        struct esp_app app;
        if (esp_is_app(file + at, size - at) &&
            esp_parse(file, size, at, false, "fuzz", &app, NULL) == DIAG_OK) {
            app.md5 = false;
            esp_seal(&app, file);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_image(data, size, IMAGE_ESP_APP);
    fuzz_image(data, size, IMAGE_ESP_FLASH);
    uint8_t *copy = size ? malloc(size) : NULL;
    if (copy) {
        memcpy(copy, data, size);
        fix_sums(copy, size);
        fuzz_image(copy, size, IMAGE_ESP_APP);
        fuzz_image(copy, size, IMAGE_ESP_FLASH);
        free(copy);
    }
    return 0;
}

// The images that hold two apps are too long for quick runs.
bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    static const unsigned apps = 5;
    return i < apps ? fuzz_image_seed(IMAGE_ESP_APP, i, out)
                    : i == apps && fuzz_image_seed(IMAGE_ESP_FLASH, 0, out);
}
