// Makes the checksums and numbers of a container right again after a mutation: no fuzzer guesses
// them, and whoever attacks a product makes them right, too.
#include <string.h>
#include <zlib.h>

#include "format/image/esp.h"
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

static void fix_ihex(uint8_t *text, size_t size)
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

static void fix_dfuse(uint8_t *file, size_t size)
{
    if (size >= 16) {
        st32(file + 6, (uint32_t)size - 16);
        st32(file + size - 4, ~(uint32_t)crc32(0, file, (uInt)size - 4));
    }
}

// Full-flash images keep their apps at whole sectors.
static void fix_esp(uint8_t *file, size_t size)
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

// Numbers the blocks anew, as if there were one family.
static void fix_uf2(uint8_t *file, size_t size)
{
    for (size_t i = 0; i < size / 512; i++) {
        st32(file + i * 512 + 20, (uint32_t)i);
        st32(file + i * 512 + 24, (uint32_t)(size / 512));
    }
}

void fuzz_fix(enum image_kind kind, uint8_t *file, size_t size)
{
    switch (kind) {
    case IMAGE_IHEX:
        fix_ihex(file, size);
        break;
    case IMAGE_DFUSE:
        fix_dfuse(file, size);
        break;
    case IMAGE_ESP_APP:
    case IMAGE_ESP_FLASH:
        fix_esp(file, size);
        break;
    case IMAGE_UF2:
        fix_uf2(file, size);
        break;
    default:
        break;
    }
}

int fuzz_image_fixed(const uint8_t *data, size_t size, enum image_kind kind)
{
    fuzz_image(data, size, kind);
    uint8_t *copy = size ? malloc(size) : NULL;
    if (copy) {
        memcpy(copy, data, size);
        fuzz_fix(kind, copy, size);
        fuzz_image(copy, size, kind);
        free(copy);
    }
    return 0;
}
