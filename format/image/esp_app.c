#include <mbedtls/md5.h>
#include <mbedtls/version.h>

#include "format/image/esp.h"
#include "format/sha256.h"

enum {
    ESP_HEADER = 24,
    ESP_HEADER_8266 = 8,
    ESP_XOR = 0xef, // start value of the checksum
    ESP_SECTOR = 4096,
    ESP_APP_MARK = 0xabcd5432, // first word of the read-only data: the application descriptor
};
// The S2's window for data ends where its buses for RAM begin.
static const struct esp_chip esp_chips[] = {
    {-1, "ESP8266", IMAGE_ISA_XTENSA, 0, 0, ESP8266_FLASH, 0x40300000, 0x40100000, 0x40110000, 0},
    {0, "ESP32", IMAGE_ISA_XTENSA, 0x3f400000, 0x3f800000, 0x400d0000, 0x40400000, 0x40080000,
     0x400c2000, 0},
    {2, "ESP32-S2", IMAGE_ISA_XTENSA, 0x3f000000, 0x3f400000, 0x40080000, 0x40800000, 0x40020000,
     0x40080000, 0},
    {9, "ESP32-S3", IMAGE_ISA_XTENSA, 0x3c000000, 0x3e000000, 0x42000000, 0x44000000, 0x40370000,
     0x403e0000, 1},
    {5, "ESP32-C3", IMAGE_ISA_RV32, 0x3c000000, 0x3c800000, 0x42000000, 0x42800000, 0x4037c000,
     0x403e0000, 1},
    {12, "ESP32-C2", IMAGE_ISA_RV32, 0x3c000000, 0x3c400000, 0x42000000, 0x42400000, 0x4037c000,
     0x403c0000, 1},
    {13, "ESP32-C6", IMAGE_ISA_RV32, 0x42000000, 0x43000000, 0x42000000, 0x43000000, 0x40800000,
     0x40880000, 0},
    {16, "ESP32-H2", IMAGE_ISA_RV32, 0x42000000, 0x43000000, 0x42000000, 0x43000000, 0x40800000,
     0x40850000, 0},
    {23, "ESP32-C5", IMAGE_ISA_RV32, 0x42000000, 0x44000000, 0x42000000, 0x44000000, 0x40800000,
     0x40860000, 0},
    {18, "ESP32-P4", IMAGE_ISA_RV32, 0x40000000, 0x4c000000, 0x40000000, 0x4c000000, 0x4ff00000,
     0x4ffc0000, 0},
};

static bool esp_is_8266(const uint8_t *p)
{
    uint32_t first = ld32(p + 8); // address of the first segment; pin settings on the other chips
    return first >= 0x3ffe8000 && first < 0x40110000;
}

static const struct esp_chip *esp_chip(const uint8_t *p, uint64_t n)
{
    int id = n < ESP_HEADER || esp_is_8266(p) ? -1 : ld16(p + 12);
    for (unsigned i = 0; i < sizeof esp_chips / sizeof esp_chips[0]; i++) {
        if (esp_chips[i].id == id) {
            return &esp_chips[i];
        }
    }
    return NULL;
}

bool esp_is_app(const uint8_t *p, uint64_t n)
{
    return n >= ESP_HEADER && p[0] == ESP_MAGIC && p[1] >= 1 && p[1] <= ESP_SEGMENTS_MAX &&
           esp_chip(p, n) && (esp_is_8266(p) || p[23] <= 1);
}

unsigned esp_header(const struct esp_app *app)
{
    return app->chip->id < 0 ? ESP_HEADER_8266 : ESP_HEADER;
}

static uint8_t esp_xor(const struct esp_app *app, const uint8_t *file)
{
    uint32_t sum = 0; // four sums side by side: sizes are multiples of 4
    for (unsigned i = 0; i < app->n; i++) {
        const uint8_t *p = file + app->segments[i].at;
        for (uint32_t k = 0; k < app->segments[i].size; k += 4) {
            sum ^= ld32(p + k);
        }
    }
    return (uint8_t)(ESP_XOR ^ sum ^ sum >> 8 ^ sum >> 16 ^ sum >> 24);
}

static void esp_sha256(const struct esp_app *app, const uint8_t *file, uint8_t hash[ESP_HASH])
{
    sha256(file + app->at, (size_t)(app->checksum + 1 - app->at), hash);
}

// Of everything but the first four bytes, which flashing tools change.
static void esp_md5(const uint8_t *file, uint64_t end, uint8_t md5[ESP_MD5])
{
#if MBEDTLS_VERSION_MAJOR < 3
    mbedtls_md5_ret(file + 4, (size_t)end - 4, md5);
#else
    mbedtls_md5(file + 4, (size_t)end - 4, md5);
#endif
}

static void esp_read_segments(struct esp_app *app, struct bytes_in *in)
{
    for (unsigned i = 0; i < app->n && !in->failed; i++) {
        struct esp_segment *s = &app->segments[i];
        s->addr = bytes_u32(in, "segment address");
        s->size = bytes_u32(in, "segment length");
        s->at = in->pos;
        if (!in->failed && (s->size & 3 || s->addr > UINT32_MAX - s->size)) {
            in->pos -= 4;
            bytes_fail(in, "segment length",
                       "is 0x%x at address 0x%x: it must be a multiple of 4 and end below 4 GiB",
                       s->size, s->addr);
        }
        bytes_take(in, s->size, "segment");
    }
}

// The part that the ESP8266 maps from flash follows the boot part at a sector boundary. MicroPython
// writes its end before it and an MD5 of the file behind it.
static void esp_find_irom(struct esp_app *app, const uint8_t *data, uint64_t size, bool sealed)
{
    uint8_t md5[ESP_MD5];
    uint64_t first = (app->end + 4 + ESP_SECTOR - 1) & ~(uint64_t)(ESP_SECTOR - 1);
    if (app->at || first >= size || size > ESP8266_FLASH / 2) {
        return;
    }
    app->irom_end = size;
    for (uint64_t at = first; at + ESP_MD5 < size; at += ESP_SECTOR) {
        if (ld32(data + at - 4) == size - ESP_MD5) {
            if (sealed) {
                esp_md5(data, size - ESP_MD5, md5);
            } else {
                memset(md5, 0, sizeof md5);
            }
            app->md5 = memcmp(md5, data + size - ESP_MD5, ESP_MD5) == 0;
            app->irom = at;
            break;
        }
    }
    if (app->md5) {
        app->irom_end -= ESP_MD5;
        return;
    }
    app->irom = first;
    while (app->irom < size && data[app->irom] == IMAGE_FILL) {
        app->irom++;
    }
    app->irom &= ~(uint64_t)(ESP_SECTOR - 1);
    if (app->irom_end - app->irom < 4) {
        app->irom = app->irom_end = 0;
    }
}

// Header, segments and the places of checksum and hash.
static enum diag_code esp_layout(const uint8_t *data, uint64_t limit, uint64_t at, const char *name,
                                 struct esp_app *app, struct diag *d)
{
    struct bytes_in in;
    bytes_in_init(&in, data, (size_t)limit, name, d);
    bytes_seek(&in, at, "app image");
    const uint8_t *p = bytes_take(&in, ESP_HEADER, "header");
    memset(app, 0, sizeof *app);
    if (!p) {
        return in.failed;
    }
    in.pos = (size_t)at;
    if (p[0] != ESP_MAGIC) {
        return bytes_fail(&in, "magic", "is 0x%02x, an app image begins with 0xe9", p[0]);
    }
    if (p[1] == 0 || p[1] > ESP_SEGMENTS_MAX) {
        return bytes_fail(&in, "number of segments", "is %u, 1 to %d are allowed", p[1],
                          ESP_SEGMENTS_MAX);
    }
    app->at = at;
    app->n = p[1];
    app->entry = ld32(p + 4);
    app->chip = esp_chip(p, limit - at);
    if (!app->chip) {
        return bytes_fail(&in, "chip id", "is %u, which is not known", ld16(p + 12));
    }
    app->hash = app->chip->id >= 0 && p[23] == 1;
    in.pos += esp_header(app);
    esp_read_segments(app, &in);
    app->checksum = at + ((in.pos - at) | 15);
    bytes_seek(&in, app->checksum, "checksum");
    bytes_u8(&in, "checksum");
    bytes_take(&in, app->hash ? ESP_HASH : 0, "SHA-256");
    app->end = in.pos;
    return in.failed;
}

static enum diag_code esp_check_sums(const struct esp_app *app, const uint8_t *data,
                                     const char *name, struct diag *d)
{
    uint8_t found = data[app->checksum], sum = esp_xor(app, data), hash[ESP_HASH];
    if (sum != found) {
        return diag_set_binary(d, DIAG_MALFORMED, name, app->checksum, "checksum",
                               "is 0x%02x, the segments give 0x%02x", found, sum);
    }
    if (app->hash) {
        esp_sha256(app, data, hash);
        if (memcmp(data + app->checksum + 1, hash, ESP_HASH) != 0) {
            return diag_set_binary(d, DIAG_MALFORMED, name, app->checksum + 1, "SHA-256",
                                   "is not that of the image");
        }
    }
    return DIAG_OK;
}

enum diag_code esp_parse(const uint8_t *data, uint64_t limit, uint64_t at, bool sealed,
                         const char *name, struct esp_app *app, struct diag *d)
{
    enum diag_code err = esp_layout(data, limit, at, name, app, d);
    err = err || !sealed ? err : esp_check_sums(app, data, name, d);
    if (!err && app->chip->id < 0) {
        esp_find_irom(app, data, limit, sealed);
    }
    return err;
}

bool esp_in_range(uint32_t addr, uint32_t from, uint32_t to)
{
    return addr >= from && addr < to;
}

bool esp_is_mapped(const struct esp_chip *c, uint32_t addr)
{
    return esp_in_range(addr, c->drom, c->drom_end) || esp_in_range(addr, c->irom, c->irom_end);
}

static void esp_classify(const struct esp_chip *c, struct image_segment *s)
{
    uint32_t addr = (uint32_t)s->addr;
    bool shared = c->drom == c->irom;
    bool data = shared ? s->size >= 4 && ld32(s->data) == ESP_APP_MARK
                       : esp_in_range(addr, c->drom, c->drom_end);
    if (data && esp_is_mapped(c, addr)) {
        s->name = "DROM";
        s->flags = IMAGE_R;
    } else if (esp_in_range(addr, c->irom, c->irom_end)) {
        s->name = "IROM";
        s->flags = IMAGE_R | IMAGE_X;
    } else if (esp_in_range(addr, c->iram, c->iram_end)) {
        s->name = "IRAM";
        s->flags = IMAGE_R | IMAGE_W | IMAGE_X;
    } else {
        s->name = "RAM";
        s->flags = IMAGE_R | IMAGE_W | (shared ? IMAGE_X : 0);
    }
}

static enum diag_code esp_segment(struct image *img, const struct esp_app *app, uint32_t addr,
                                  uint64_t size, uint64_t at, const uint8_t *file, struct diag *d)
{
    struct image_segment *s = image_segment_new(img, d);
    if (!s) {
        return DIAG_NOMEM;
    }
    s->addr = s->run = addr;
    s->size = s->mem_size = size;
    s->data = file + at;
    s->file_offset = at;
    esp_classify(app->chip, s);
    return DIAG_OK;
}

// The ESP32 and the ESP32-S2 have a table of pages for each window, the others one table: for two
// windows, or for the one that all of the flash is seen through.
static void esp_windows(struct image *img, const struct esp_chip *c)
{
    bool one = c->drom == c->drom_end || c->drom == c->irom;
    if (one || c->shared_mmu) {
        img->data_window = one ? c->irom : c->drom;
        img->code_window = c->irom;
        img->window = c->irom_end - c->irom;
    }
}

// Where the segment that is mapped for code alone ends. Words of its bytes are all that is read.
static uint64_t esp_code_end(const struct esp_app *app)
{
    const struct esp_chip *c = app->chip;
    uint64_t end = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < app->n && c->drom != c->drom_end && c->drom != c->irom; i++) {
        const struct esp_segment *s = &app->segments[i];
        if (s->size && esp_in_range(s->addr, c->irom, c->irom_end)) {
            end = (uint64_t)s->addr + s->size;
            n++;
        }
    }
    return n == 1 && !c->shared_mmu && end % 4 == 0 ? end : 0;
}

enum diag_code esp_segments(struct image *img, const struct esp_app *app, const uint8_t *file,
                            struct diag *d)
{
    enum diag_code err = DIAG_OK;
    for (unsigned i = 0; i < app->n && !err; i++) {
        const struct esp_segment *s = &app->segments[i];
        if (s->addr && s->size) { // address 0: padding
            err = esp_segment(img, app, s->addr, s->size, s->at, file, d);
        }
    }
    if (!err && app->irom) {
        err = esp_segment(img, app, ESP8266_FLASH + (uint32_t)app->irom, app->irom_end - app->irom,
                          app->irom, file, d);
    }
    esp_windows(img, app->chip);
    img->code_end = esp_code_end(app);
    img->machine = app->chip->machine;
    img->mapped = true;
    img->address_bits = 32;
    img->entry = app->entry;
    return err;
}

void esp_seal(const struct esp_app *app, uint8_t *file)
{
    file[app->checksum] = esp_xor(app, file);
    if (app->hash) {
        esp_sha256(app, file, file + app->checksum + 1);
    }
    if (app->md5) {
        esp_md5(file, app->irom_end, file + app->irom_end);
    }
}

void esp_unseal(const struct esp_app *app, uint8_t *file)
{
    memset(file + app->checksum, 0, app->hash ? 1 + ESP_HASH : 1);
    if (app->md5) {
        memset(file + app->irom_end, 0, ESP_MD5);
    }
}
