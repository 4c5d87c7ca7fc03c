#include "tests/lib/synth_esp.h"

#include "format/sha256.h"

enum {
    ESP_TABLE = 0x8000,
    ESP_APP = 0x10000,
    ESP_PARTITION = 0x60000,
    ESP_PAGE = 0x10000,
    ESP_HEADERS = 32, // of the app and of its first segment
};

uint32_t synth_esp_data(const struct synth_esp *esp)
{
    return esp->chip ? 0x3c010020 : 0x3f400020;
}

uint32_t synth_esp_code(const struct synth_esp *esp)
{
    return esp->chip ? 0x42000020 : 0x400d0020;
}

void synth_esp_description(const struct synth_esp *esp, struct bytes_out *out)
{
    size_t start = out->size;
    bytes_put_u32(out, 0xabcd5432);
    bytes_fill(out, 0, 108);
    bytes_put(out, esp->idf, strlen(esp->idf));
    bytes_fill(out, 0, SYNTH_ESP_DESCRIPTION - (out->size - start));
    bytes_printf(out, "%s", esp->psram ? "esp_psram" : "");
    bytes_put_u8(out, 0);
    bytes_put_align(out, 4, 0);
}

static void put_segment(uint32_t addr, const uint8_t *data, size_t n, uint8_t *sum,
                        struct bytes_out *out)
{
    bytes_put_u32(out, addr);
    bytes_put_u32(out, (uint32_t)n);
    size_t at = out->size;
    if (data) {
        bytes_put(out, data, n);
    } else {
        bytes_fill(out, 0x5a, n);
    }
    for (; at < out->size; at++) {
        *sum ^= out->data[at];
    }
}

static void put_partition(uint8_t type, uint8_t subtype, uint32_t at, uint32_t size,
                          struct bytes_out *out)
{
    bytes_put_u16(out, 0x50aa);
    bytes_put_u8(out, type);
    bytes_put_u8(out, subtype);
    bytes_put_u32(out, at);
    bytes_put_u32(out, size);
    bytes_fill(out, 0, 20);
}

// The code's segment begins where its offset agrees with its address within a page; what comes
// before it is RAM.
void synth_esp_wrap(const struct synth_esp *esp, const struct bytes_out *content, uint32_t code,
                    struct bytes_out *out)
{
    uint8_t header[24] = {0xe9, 3, 2, 0x20, 0, 0, 0, 0x40, 0xee}, sum = 0xef, digest[32];
    header[12] = (uint8_t)esp->chip;
    header[23] = 1;
    bytes_fill(out, 0xff, ESP_TABLE);
    put_partition(1, 2, 0x9000, 0x6000, out);
    put_partition(0, 0, ESP_APP, ESP_PARTITION, out);
    bytes_fill(out, 0xff, ESP_APP - out->size);
    bytes_put(out, header, sizeof header);
    put_segment(synth_esp_data(esp), content->data, code, &sum, out);
    size_t before = (out->size + 8 + 8) % ESP_PAGE;
    put_segment(esp->chip ? 0x3fc90000 : 0x3ffb0000, NULL,
                (ESP_PAGE + ESP_HEADERS - before) % ESP_PAGE, &sum, out);
    put_segment(synth_esp_code(esp), content->data + code, content->size - code, &sum, out);
    bytes_fill(out, 0, (out->size | 15) - out->size);
    bytes_put_u8(out, sum);
    sha256(out->data + ESP_APP, out->size - ESP_APP, digest);
    bytes_put(out, digest, sizeof digest);
}
