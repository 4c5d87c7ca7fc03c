#include "tests/lib/synth_esp.h"

#include "format/image/esp.h"
#include "format/sha256.h"

enum {
    SYNTH_TABLE = 0x8000,
    SYNTH_APP = 0x10000,
    SYNTH_PARTITION = 0x60000,
    SYNTH_HEADERS = 32, // of the app and of its first segment
};

static const struct {
    int chip;
    uint32_t data, code, ram;
} chips[] = {
    {SYNTH_ESP8266, 0x40201000, 0x40201000, 0x40100000}, // one segment
    {0, 0x3f400020, 0x400d0020, 0x3ffb0000},
    {2, 0x3f010020, 0x40080020, 0x3ffb0000},
    {5, 0x3c010020, 0x42000020, 0x3fc90000},
    {9, 0x3c010020, 0x42000020, 0x3fc90000},
    {13, 0x42010020, 0x42000020, 0x40810000},
};

static unsigned chip_of(const struct synth_esp *esp)
{
    unsigned i = 0;
    while (chips[i].chip != esp->chip) {
        i++;
    }
    return i;
}

uint32_t synth_esp_data(const struct synth_esp *esp)
{
    return chips[chip_of(esp)].data;
}

uint32_t synth_esp_code(const struct synth_esp *esp)
{
    return chips[chip_of(esp)].code;
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

// --- ESP8266

// A boot part for RAM, then at a sector what is mapped, with its end before it and an MD5 behind.
static void wrap_8266(const struct synth_esp *esp, const struct bytes_out *content,
                      struct bytes_out *out)
{
    enum { SECTOR = 0x1000, MD5 = 16 };
    uint8_t header[8] = {0xe9, 1, 2, 0x40, 0, 0, 0x10, 0x40}, sum = 0xef;
    bytes_put(out, header, sizeof header);
    put_segment(chips[chip_of(esp)].ram, NULL, 64, &sum, out);
    bytes_fill(out, 0, (out->size | 15) - out->size);
    bytes_put_u8(out, sum);
    bytes_fill(out, 0xff, SECTOR - 4 - out->size);
    bytes_put_u32(out, esp->no_sum ? UINT32_MAX : (uint32_t)(SECTOR + content->size));
    bytes_put(out, content->data, content->size);
    if (!esp->no_sum) {
        struct esp_app app;
        struct diag d;
        diag_init(&d);
        bytes_fill(out, 0, MD5);
        if (!esp_parse(out->data, out->size, 0, false, "synth", &app, &d)) {
            esp_seal(&app, out->data);
        }
    }
}

// --- memory protection

enum { READ = 1, EXECUTE = 4, TO = 8, POWER = 0x18, LOCK = 0x80 };

static void put_value(uint32_t value, struct bytes_out *out) // lui a5; addi a5, a5
{
    uint32_t high = (value + 0x800) & 0xfffff000;
    bytes_put_u32(out, high | 0x7b7);
    bytes_put_u32(out, (value - high) << 20 | 0x78793);
}

static void put_entry(unsigned n, uint32_t addr, uint8_t config, struct bytes_out *out)
{
    put_value(addr, out);
    bytes_put_u32(out, (0x3b0 + n) << 20 | 0x79073); // csrw pmpaddr, a5
    put_value((uint32_t)config << n % 4 * 8, out);
    bytes_put_u32(out, (0x3a0 + n / 4) << 20 | 0x7a7f3); // csrs pmpcfg, a5
}

// The end of a page, rounded up at run time.
static void put_page(unsigned n, uint32_t end, uint8_t config, struct bytes_out *out)
{
    put_value(end + ESP_PAGE - 1, out);
    bytes_put_u32(out, 0xffff0737); // lui a4
    bytes_put_u32(out, 0x00e7f7b3); // and a5, a5, a4
    bytes_put_u32(out, 0x0027d793); // srli a5, a5, 2
    bytes_put_u32(out, (0x3b0 + n) << 20 | 0x79073);
    put_value((uint32_t)config << n % 4 * 8, out);
    bytes_put_u32(out, (0x3a0 + n / 4) << 20 | 0x7a7f3);
}

static void put_restore(struct bytes_out *out)
{
    for (unsigned i = 0; i < 16; i++) {
        bytes_put_u32(out, i << 22 | 0x52783); // lw a5, (a0)
        bytes_put_u32(out, (0x3b0 + i) << 20 | 0x79073);
    }
}

static void put_split(const struct synth_esp *esp, uint32_t end, uint8_t lock,
                      struct bytes_out *out)
{
    uint32_t data = synth_esp_data(esp) & ~(uint32_t)(ESP_PAGE - 1);
    put_entry(8, synth_esp_code(esp) >> 2, lock, out);
    put_page(9, data, TO | READ | EXECUTE | lock, out);
    put_page(10, end, TO | READ | lock, out);
}

void synth_esp_protection(const struct synth_esp *esp, uint32_t end, struct bytes_out *out)
{
    bytes_put_align(out, 4, 0);
    if (esp->protect == SYNTH_PROTECT_NONE || esp->protect == SYNTH_PROTECT_RESTORE) {
        if (esp->protect) {
            put_restore(out);
        }
        bytes_put_u32(out, 0x8082);
        return;
    }
    for (unsigned i = 0; i < 4; i++) { // memory below
        put_entry(i, (0x10000000 + i * 0x1000) >> 2, TO | READ | LOCK, out);
    }
    if (esp->protect == SYNTH_PROTECT_TOR) {
        put_entry(4, 0x3fc80000 >> 2, TO | READ | LOCK, out);
        put_entry(5, 0x42800000 >> 2, TO | READ | EXECUTE | LOCK, out);
    } else if (esp->protect == SYNTH_PROTECT_WINDOW) {
        put_entry(8, (0x42000000 | 0x7fffff) >> 2, POWER | READ | EXECUTE | LOCK, out);
    } else {
        put_split(esp, end, esp->protect == SYNTH_PROTECT_SPLIT ? LOCK : 0, out);
    }
    bytes_put_u32(out, 0x8082); // ret
}

// The code's segment begins where its offset agrees with its address within a page; what comes
// before it is RAM.
void synth_esp_wrap(const struct synth_esp *esp, const struct bytes_out *content, uint32_t code,
                    struct bytes_out *out)
{
    uint8_t header[24] = {0xe9, 3, 2, 0x20, 0, 0, 0, 0x40, 0xee}, sum = 0xef, digest[32];
    if (esp->chip == SYNTH_ESP8266) {
        wrap_8266(esp, content, out);
        return;
    }
    header[12] = (uint8_t)esp->chip;
    header[23] = 1;
    bytes_fill(out, 0xff, SYNTH_TABLE);
    put_partition(1, 2, 0x9000, 0x6000, out);
    put_partition(0, 0, SYNTH_APP, SYNTH_PARTITION, out);
    bytes_fill(out, 0xff, SYNTH_APP - out->size);
    bytes_put(out, header, sizeof header);
    put_segment(synth_esp_data(esp), content->data, code, &sum, out);
    size_t before = (out->size + 8 + 8) % ESP_PAGE;
    put_segment(chips[chip_of(esp)].ram, NULL, (ESP_PAGE + SYNTH_HEADERS - before) % ESP_PAGE, &sum,
                out);
    put_segment(synth_esp_code(esp), content->data + code, content->size - code, &sum, out);
    bytes_fill(out, 0, (out->size | 15) - out->size);
    bytes_put_u8(out, sum);
    sha256(out->data + SYNTH_APP, out->size - SYNTH_APP, digest);
    bytes_put(out, digest, sizeof digest);
}
