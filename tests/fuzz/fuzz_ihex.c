// Fuzz target: Intel HEX files, as they are and with all record checksums made right.
#include <string.h>

#include "tests/fuzz/fuzz.h"

static int digit(uint8_t c)
{
    const char *all = "0123456789ABCDEF0123456789abcdef", *at = c ? strchr(all, c) : NULL;
    return at ? (int)(at - all) & 15 : -1;
}

// The record of n characters at p, without ':'.
static void fix_record(uint8_t *p, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i + 3 < n; i += 2) {
        if (digit(p[i]) < 0 || digit(p[i + 1]) < 0) {
            return;
        }
        sum += (unsigned)(digit(p[i]) * 16 + digit(p[i + 1]));
    }
    p[n - 2] = (uint8_t) "0123456789ABCDEF"[-sum >> 4 & 15];
    p[n - 1] = (uint8_t) "0123456789ABCDEF"[-sum & 15];
}

static void fix_checksums(uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == ':' && size - i > 3 && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
            size_t n = 10 + 2 * (size_t)(digit(text[i + 1]) * 16 + digit(text[i + 2]));
            if (n < size - i) {
                fix_record(text + i + 1, n);
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_image(data, size, IMAGE_IHEX);
    uint8_t *copy = size ? malloc(size) : NULL;
    if (copy) {
        memcpy(copy, data, size);
        fix_checksums(copy, size);
        fuzz_image(copy, size, IMAGE_IHEX);
        free(copy);
    }
    return 0;
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    return fuzz_image_seed(IMAGE_IHEX, i, out);
}
