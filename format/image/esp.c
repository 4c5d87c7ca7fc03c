// The two Espressif containers: an app image alone, and a full-flash image with boot loader,
// partition table and apps, of which the one that boots gives the address space.
#include "format/image/esp.h"

#include <zlib.h>

enum {
    ESP_TABLE = 0x8000, // flash offset of the partition table
    ESP_TABLE_SIZE = 0xc00,
    ESP_ENTRY = 32,
    ESP_APP = 0,
    ESP_DATA = 1, // partition types
    ESP_FACTORY = 0x00,
    ESP_OTA_0 = 0x10,
    ESP_OTA_END = 0x20, // subtypes of apps
    ESP_OTADATA = 0x00, // subtype of data
    ESP_SECTOR_SIZE = 0x1000,
};

struct esp_image {
    struct esp_app app;
    uint64_t limit; // file offset that the app must not grow past
    char label[17]; // of its partition; "" in an app image
    uint64_t flash; // flash offset of the file's first byte
};

struct esp_partition {
    uint8_t type, subtype;
    uint32_t offset, size;
    const uint8_t *label;
};

static enum diag_code esp_take_app(struct image *img, uint64_t limit, uint64_t at,
                                   struct esp_image **out, struct diag *d)
{
    struct esp_image *e = *out = ARENA_NEW(img->arena, struct esp_image);
    if (!e) {
        return diag_nomem(d);
    }
    img->container = e;
    enum diag_code err = esp_parse(img->work->data, limit < img->file_size ? limit : img->file_size,
                                   at, !img->unsealed, img->name, &e->app, d);
    return err ? err : esp_segments(img, &e->app, img->work->data, d);
}

static enum diag_code esp_app_read(struct image *img, struct diag *d)
{
    struct esp_image *e;
    enum diag_code err = esp_take_app(img, img->file_size, 0, &e, d);
    if (!err) {
        e->limit = UINT64_MAX;
    }
    return err;
}

static bool esp_app_probe(const uint8_t *data, size_t size)
{
    return esp_is_app(data, size);
}

// Partition i of the table at p; false behind the last one.
static bool esp_partition(const uint8_t *p, unsigned i, struct esp_partition *part)
{
    p += i * ESP_ENTRY;
    if ((i + 1) * ESP_ENTRY > ESP_TABLE_SIZE || p[0] != 0xaa || p[1] != 0x50) {
        return false;
    }
    *part = (struct esp_partition){p[2], p[3], ld32(p + 4), ld32(p + 8), p + 12};
    return true;
}

// The partition table, if one stands where it must for a file that begins at flash offset 0 or
// 0x1000 (the boot loader's place on two of the chips). Bytes that only look like a table are told
// by what ends it and by alignment.
static const uint8_t *esp_table(const uint8_t *data, uint64_t size, uint64_t *flash)
{
    for (*flash = 0; *flash <= ESP_SECTOR_SIZE; *flash += ESP_SECTOR_SIZE) {
        uint64_t at = ESP_TABLE - *flash;
        struct esp_partition part;
        unsigned n = 0;
        bool sound = at + ESP_TABLE_SIZE <= size;
        while (sound && esp_partition(data + at, n, &part)) {
            sound = part.offset % ESP_SECTOR_SIZE == 0 && part.offset > ESP_TABLE && part.size;
            n++;
        }
        if (!sound || n == 0 || (n + 1) * ESP_ENTRY > ESP_TABLE_SIZE) {
            continue;
        }
        const uint8_t *end = data + at + n * ESP_ENTRY;
        if ((end[0] == 0xeb && end[1] == 0xeb) || (end[0] == 0xff && end[1] == 0xff)) {
            return data + at;
        }
    }
    return NULL;
}

static bool esp_flash_probe(const uint8_t *data, size_t size)
{
    uint64_t flash;
    return esp_table(data, size, &flash) != NULL;
}

// Which OTA slot the boot loader takes: that of the record with the highest sequence number; -1
// when no record is valid.
static int esp_ota_slot(const struct image *img, uint64_t at, unsigned slots)
{
    uint32_t best = 0;
    for (unsigned i = 0; i < 2; i++, at += ESP_SECTOR_SIZE) {
        if (!in_range(at, 32, img->file_size)) {
            break;
        }
        const uint8_t *p = img->file + at;
        uint32_t sequence = ld32(p), state = ld32(p + 24);
        uint32_t crc = (uint32_t)crc32(UINT32_MAX, p, 4);
        bool usable = state != 3 && state != 4; // neither invalid nor aborted
        if (sequence != UINT32_MAX && crc == ld32(p + 28) && usable && sequence > best) {
            best = sequence;
        }
    }
    return best && slots ? (int)((best - 1) % slots) : -1;
}

static bool esp_has_app(const struct image *img, const struct esp_partition *p, uint64_t flash)
{
    return p->offset >= flash && p->offset - flash < img->file_size &&
           esp_is_app(img->file + (p->offset - flash), img->file_size - (p->offset - flash));
}

// The app that boots: the selected OTA slot, else the factory app, else the first slot with an app.
static bool esp_choose(const struct image *img, const uint8_t *table, uint64_t flash,
                       struct esp_partition *out)
{
    struct esp_partition p, chosen = {0}, factory = {0}, first = {0};
    unsigned slots = 0;
    uint64_t otadata = 0;
    for (unsigned i = 0; esp_partition(table, i, &p); i++) {
        slots += p.type == ESP_APP && p.subtype >= ESP_OTA_0 && p.subtype < ESP_OTA_END;
        otadata = p.type == ESP_DATA && p.subtype == ESP_OTADATA ? p.offset - flash : otadata;
    }
    int slot = otadata ? esp_ota_slot(img, otadata, slots) : -1;
    for (unsigned i = 0; esp_partition(table, i, &p); i++) {
        if (p.type != ESP_APP || !esp_has_app(img, &p, flash)) {
            continue;
        }
        chosen = slot >= 0 && p.subtype == ESP_OTA_0 + slot ? p : chosen;
        factory = p.subtype == ESP_FACTORY ? p : factory;
        first = first.size ? first : p;
    }
    *out = chosen.size ? chosen : factory.size ? factory : first;
    return out->size != 0;
}

static enum diag_code esp_flash_read(struct image *img, struct diag *d)
{
    uint64_t flash;
    struct esp_partition part;
    const uint8_t *table = esp_table(img->file, img->file_size, &flash);
    if (!table) {
        return diag_set_binary(d, DIAG_MALFORMED, img->name, ESP_TABLE, "partition table",
                               "there is none at flash offset 0x8000");
    }
    uint64_t at = (uint64_t)(table - img->file);
    if (!esp_choose(img, table, flash, &part)) {
        return diag_set_binary(d, DIAG_MALFORMED, img->name, at, "partition table",
                               "no partition of the file holds an app");
    }
    struct esp_image *e;
    uint64_t limit = part.offset - flash + part.size;
    enum diag_code err = esp_take_app(img, limit, part.offset - flash, &e, d);
    if (!err) {
        e->limit = limit;
        e->flash = flash;
        memcpy(e->label, part.label, 16);
        for (char *c = e->label; *c; c++) {
            *c = *c < ' ' || *c > '~' ? '?' : *c;
        }
    }
    return err;
}

static const char *esp_describe(const struct image *img, struct arena *a)
{
    const struct esp_image *e = img->container;
    if (img->kind == IMAGE_ESP_APP) {
        return arena_printf(a, "%s app image, %u segments", e->app.chip->name, e->app.n);
    }
    return arena_printf(a, "%s flash image from 0x%llx, app '%s' at 0x%llx", e->app.chip->name,
                        (unsigned long long)e->flash, e->label,
                        (unsigned long long)(e->app.at + e->flash));
}

static enum diag_code esp_write(const struct image *img, bool seal, struct bytes_out *out,
                                struct diag *d)
{
    const struct esp_image *e = img->container;
    bool changed = img->unsealed || memcmp(img->work->data, img->file, img->file_size) != 0;
    size_t start = out->size;
    (void)d;
    bytes_put(out, img->work->data, img->file_size);
    if (!out->failed && !seal) {
        esp_unseal(&e->app, out->data + start);
    } else if (!out->failed && changed) {
        esp_seal(&e->app, out->data + start);
    }
    return DIAG_OK;
}

static uint64_t esp_app_end(const struct esp_app *app)
{
    return app->irom ? app->irom_end + (app->md5 ? ESP_MD5 : 0) : app->end;
}

void esp_app_range(const struct image *img, uint64_t *at, uint64_t *end)
{
    const struct esp_image *e = img->container;
    *at = e->app.at;
    *end = esp_app_end(&e->app);
}

static void esp_seal_image(struct image *img, uint8_t *file)
{
    const struct esp_image *e = img->container;
    esp_seal(&e->app, file);
}

static bool esp_is_fill(const uint8_t *p, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if (p[i] != IMAGE_FILL) {
            return false;
        }
    }
    return true;
}

// Everything around the app that is not erased flash.
static bool esp_elsewhere(const struct image *img, uint64_t *offset)
{
    const struct esp_image *e = img->container;
    uint64_t end = esp_app_end(&e->app);
    for (*offset = 0; *offset < img->file_size; ++*offset) {
        bool inside = *offset >= e->app.at && *offset < end;
        if (!inside && img->work->data[*offset] != IMAGE_FILL) {
            return true;
        }
    }
    return false;
}

// What follows an app image of its own moves along; in flash it stays where it is, and what the app
// grows over must be erased.
static enum diag_code esp_put_rest(const struct image *img, size_t grown, struct bytes_out *out,
                                   struct diag *d)
{
    const struct esp_image *e = img->container;
    uint64_t end = esp_app_end(&e->app), to = e->app.at + grown;
    if (img->kind == IMAGE_ESP_APP) {
        if (!esp_is_fill(img->work->data + end, img->file_size - end)) {
            return diag_set(d, DIAG_NO, img->name,
                            "%llu bytes follow the app: a signature would not fit the result",
                            (unsigned long long)(img->file_size - end));
        }
        bytes_fill(out, IMAGE_FILL, (size_t)(img->file_size - end));
        return DIAG_OK;
    }
    if (to > e->limit) {
        return diag_set(
            d, DIAG_NO, img->name, "the app would need %llu bytes, its partition '%s' has %llu",
            (unsigned long long)grown, e->label, (unsigned long long)(e->limit - e->app.at));
    }
    uint64_t over = to < img->file_size ? to : img->file_size;
    if (over > end && !esp_is_fill(img->work->data + end, over - end)) {
        return diag_set(d, DIAG_NO, img->name, "the flash behind the app is in use");
    }
    if (to < img->file_size) {
        bytes_put(out, img->work->data + to, (size_t)(img->file_size - to));
    }
    return DIAG_OK;
}

static enum diag_code esp_add(const struct image *img, const struct image_run *run,
                              struct bytes_out *out, struct diag *d)
{
    const struct esp_image *e = img->container;
    size_t start = out->size;
    bytes_put(out, img->work->data, (size_t)e->app.at);
    enum diag_code err = esp_grow(img, &e->app, img->work->data, run, out, d);
    return err ? err : esp_put_rest(img, out->size - start - (size_t)e->app.at, out, d);
}

// An app may grow to the end of its partition, where the flash behind it is erased.
static uint64_t esp_image_room(const struct image *img, uint64_t addr, uint64_t space)
{
    const struct esp_image *e = img->container;
    if (img->kind == IMAGE_ESP_FLASH) {
        uint64_t end = esp_app_end(&e->app), to = end;
        while (to < e->limit && (to >= img->file_size || img->work->data[to] == IMAGE_FILL)) {
            to = to >= img->file_size ? e->limit : to + 1;
        }
        space = to - e->app.at;
    }
    return esp_room(&e->app, space, addr);
}

static enum diag_code esp_undo(const struct image *img, uint64_t addr, uint64_t size,
                               struct bytes_out *out, struct diag *d)
{
    const struct esp_image *e = img->container;
    bytes_put_u64(out, img->file_size);
    return esp_undo_record(img, &e->app, img->work->data, addr, size, out, d);
}

// Where the app was longer the flash is erased again, as far as the base's file went.
static enum diag_code esp_remove(const struct image *img, const struct image_undo *undo,
                                 struct bytes_out *out, struct diag *d)
{
    const struct esp_image *e = img->container;
    struct bytes_in in;
    bytes_in_init(&in, undo->bytes, undo->n, img->name, d);
    uint64_t size = bytes_u64(&in, "undo record");
    bytes_put(out, img->work->data, (size_t)e->app.at);
    enum diag_code err = esp_shrink(&e->app, img->work->data, &in, out);
    if (err) {
        return err;
    }
    uint64_t end = esp_app_end(&e->app);
    if (bytes_left(&in) || size > img->file_size || size < out->size) {
        return bytes_fail(&in, "undo record", "does not belong to this image");
    }
    if (img->kind == IMAGE_ESP_APP) {
        bytes_fill(out, IMAGE_FILL, (size_t)(size - out->size));
        return DIAG_OK;
    }
    uint64_t fill = end < size ? end : size;
    bytes_fill(out, IMAGE_FILL, (size_t)(fill - out->size));
    bytes_put(out, img->work->data + fill, (size_t)(size - fill));
    return DIAG_OK;
}

#define ESP_OPS                                                                                    \
    .granule = 4, .describe = esp_describe, .write = esp_write, .seal = esp_seal_image,            \
    .undo = esp_undo, .add = esp_add, .remove = esp_remove, .room = esp_image_room,                \
    .elsewhere = esp_elsewhere

const struct image_ops image_esp_app_ops = {
    .kind = IMAGE_ESP_APP,
    .name = "esp",
    .extension = "",
    .probe = esp_app_probe,
    .read = esp_app_read,
    ESP_OPS,
};

const struct image_ops image_esp_flash_ops = {
    .kind = IMAGE_ESP_FLASH,
    .name = "esp-flash",
    .extension = "",
    .probe = esp_flash_probe,
    .read = esp_flash_read,
    ESP_OPS,
};
