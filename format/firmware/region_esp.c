// Free space in images of the Espressif chips.
//
// Facts: ESP-IDF's app image format and partition table; ports/esp8266/boards/*.ld, modesp.c,
// Makefile (-mforce-l32: constants lie in flash, which is read by whole words) and
// modules/flashbdev.py.
#include "format/firmware/scan.h"

enum {
    REGION_ALIGN = 16,
    SECTOR = 0x1000,
    FLASH_8266 = 0x40200000,    // where flash is mapped
    FLASH_8266_MAX = 0x100000,  // bytes of it that are
    FLASH_8266_LEAST = 0x40000, // no build is smaller
    FUNCTION_8266 = 32,         // bytes of code of esp.flash_user_start
    MD5 = 16,                   // what the port appends to the file
};

// The offset that a function of the ESP8266's module esp gives: the only literal that it loads.
static uint32_t function_value(const struct scan *s, uint64_t function)
{
    uint32_t value;
    for (uint64_t at = function; at < function + FUNCTION_8266; at++)
        if (ref_xtensa_load(&s->view, at, &value) && value >= FLASH_8266_LEAST &&
            value <= FLASH_8266_MAX && value % SECTOR == 0)
            return value;
    return 0;
}

// esp.flash_user_start() is where the file system begins: the table of the module has its name,
// followed by the function object {type, function}.
static uint32_t user_start(const struct scan *s)
{
    static const char name[] = "flash_user_start";
    const struct view *v = &s->view;
    uint32_t id = firmware_qstr(s->fw, name, sizeof name - 1), found = 0, other;
    for (unsigned i = 0; id && i < v->n && !found; i++) {
        const struct view_span *p = &v->spans[i];
        for (uint64_t at = -p->run & 3; in_range(at, 8, p->size) && !found; at += 4) {
            uint64_t object = ld32(p->data + at + 4), function;
            if (obj_is_qstr(s, ld32(p->data + at), &other) && other == id &&
                view_is_pointer(v, object + 4, &function))
                found = function_value(s, function);
        }
    }
    return found;
}

static bool esp8266_region(struct scan *s, const struct image_segment *g)
{
    uint32_t offset = user_start(s);
    uint64_t from;
    if (!offset || !ck_align(g->addr + g->size, REGION_ALIGN, &from)) {
        scan_note(s, "free space", g->addr + g->size,
                  "esp.flash_user_start, which tells where the file system begins, was not found",
                  "unknown");
        return true;
    }
    return region_add(s, from, FLASH_8266 + offset - MD5,
                      "the file system, as esp.flash_user_start tells it", true);
}

// An app on its own, or cut into blocks, does not say how large its partition is: it gets no more
// than what its last page leaves.
bool region_esp(struct scan *s)
{
    const struct image *img = s->view.image;
    struct firmware *fw = s->fw;
    const struct image_segment *g = image_at(img, fw->pools[0].addr);
    uint64_t from;
    protect_scan(s, g ? g->run + g->size : 0);
    if (g && g->addr - FLASH_8266 < FLASH_8266_MAX && fw->isa == IMAGE_ISA_XTENSA &&
        img->kind == IMAGE_ESP_APP && g->addr + g->size <= FLASH_8266 + FLASH_8266_MAX)
        return esp8266_region(s, g);
    if (!g || !ck_align(g->addr + g->size, REGION_ALIGN, &from))
        return true;
    if (!mapped_scan(s, g))
        return false;
    uint64_t room = image_room(img, from, UINT64_MAX), slack = fw->mapped_end - from;
    if (img->kind == IMAGE_ESP_FLASH && fw->mapped_grows == FW_YES)
        return region_add(s, from, from + room, "the end of the app's partition", true);
    if (img->kind != IMAGE_ESP_FLASH && fw->mapped_grows == FW_YES)
        scan_note(s, "free space", fw->mapped_end, "an app on its own does not name its partition",
                  "more with --board or --region");
    return region_add(s, from, from + (slack < room ? slack : room),
                      slack < room ? "the last flash page that is mapped for constant data"
                                   : "the end of the app's partition",
                      true);
}
