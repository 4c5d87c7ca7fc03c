// Espressif app images, as files of their own and within full-flash images.
// Facts: ESP-IDF esp_app_format.h, the boot loaders' memory maps, esptool's image layouts.
#ifndef FORMAT_IMAGE_ESP_H
#define FORMAT_IMAGE_ESP_H

#include "format/image/container.h"

enum {
    ESP_MAGIC = 0xe9,
    ESP_SEGMENTS_MAX = 16,
    ESP_PAGE = 0x10000, // flash is mapped in pages of 64 KiB (smaller ones divide it)
    ESP_HASH = 32,
    ESP_MD5 = 16,
};

#define ESP8266_FLASH 0x40200000u // where flash is mapped

struct esp_chip {
    int id; // chip_id of the header; -1: ESP8266, whose header ends before it
    const char *name;
    enum image_machine machine;
    uint32_t drom, drom_end, irom, irom_end; // mapped flash; equal ranges: one space for both
    uint32_t iram, iram_end;                 // executable RAM
    bool shared_mmu; // both windows show the same pages: an entry serves either of them
};

struct esp_segment {
    uint32_t addr, size;
    uint64_t at; // file offset of the data; the 8-byte segment header precedes it
};

struct esp_app { // offsets count from the start of the file
    const struct esp_chip *chip;
    uint64_t at; // of the header
    uint32_t entry;
    unsigned n;
    struct esp_segment segments[ESP_SEGMENTS_MAX];
    uint64_t checksum; // of the checksum byte
    uint64_t end;      // behind checksum and hash
    bool hash;         // SHA-256 appended
    // ESP8266 only: the part of the program that is mapped from flash
    uint64_t irom, irom_end; // 0: none
    bool md5;                // length before, MD5 behind the mapped part
};

unsigned esp_header(const struct esp_app *app);               // bytes of the header
bool esp_in_range(uint32_t addr, uint32_t from, uint32_t to); // to is exclusive
// True if flash can be mapped at addr.
bool esp_is_mapped(const struct esp_chip *c, uint32_t addr);
// Parses the app at offset at of data, where limit is the end of its space, and checks its sums if
// sealed.
enum diag_code esp_parse(const uint8_t *data, uint64_t limit, uint64_t at, bool sealed,
                         const char *name, struct esp_app *app, struct diag *d);
// True if an app header stands at p (n bytes are there).
bool esp_is_app(const uint8_t *p, uint64_t n);
// The app's segments as image segments over file, the whole file.
enum diag_code esp_segments(struct image *img, const struct esp_app *app, const uint8_t *file,
                            struct diag *d);
// Makes checksum, hash and MD5 right in a whole file, or sets them to 0.
void esp_seal(const struct esp_app *app, uint8_t *file);
void esp_unseal(const struct esp_app *app, uint8_t *file);
// The app alone with a run added, or with what undo says taken away, unsealed; appended to out.
// Errors: DIAG_NO when the run cannot be added.
enum diag_code esp_grow(const struct image *img, const struct esp_app *app, const uint8_t *file,
                        const struct image_run *run, struct bytes_out *out, struct diag *d);
enum diag_code esp_shrink(const struct esp_app *app, const uint8_t *file, struct bytes_in *undo,
                          struct bytes_out *out);
// The most bytes that esp_grow can add at addr when the app with its sums must fit in space.
uint64_t esp_room(const struct esp_app *app, uint64_t space, uint64_t addr);
// Where in the file the app of an ESP image lies, with its sums.
void esp_app_range(const struct image *img, uint64_t *at, uint64_t *end);
// Appends what esp_shrink will need.
enum diag_code esp_undo_record(const struct image *img, const struct esp_app *app,
                               const uint8_t *file, uint64_t addr, uint64_t size,
                               struct bytes_out *out, struct diag *d);

#endif
