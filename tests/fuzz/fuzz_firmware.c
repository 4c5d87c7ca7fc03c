// Fuzz target: the scan of any image, and everything that reads what it found.
// The first byte chooses whether the input is taken as it is or as a raw image.
#include <stddef.h>
#include <stdint.h>

#include "format/firmware/firmware.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_modules(const struct firmware *fw, struct arena *a)
{
    for (unsigned i = 0; i < fw->n_modules && i < 64; i++) {
        struct mpy_module *m;
        struct diag d;
        size_t size;
        diag_init(&d);
        if (fw->modules[i].kind == FW_MODULE_STR)
            (void)firmware_str_module(fw, &fw->modules[i], &size);
        else
            (void)firmware_unfreeze(fw, &fw->modules[i], a, &d, &m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct diag d;
    struct image *img;
    struct firmware *fw;
    if (!size)
        return 0;
    arena_init(&a, 256u << 20);
    diag_init(&d);
    enum image_kind kind = data[0] & 1 ? IMAGE_BIN : IMAGE_AUTO;
    if (!image_read(data + 1, size - 1, "fuzz", kind, &a, &d, &img) && !firmware_scan(img, &d, &fw))
        read_modules(fw, &a);
    arena_free(&a);
    return 0;
}
