// An app with a run of bytes added or taken away: a mapped segment grows, and what follows it in
// the file moves so that every mapped segment stays congruent to its address within a flash page.
#include "format/image/esp.h"

enum {
    ESP_IROM = 0xff,    // as a segment: the ESP8266's flash part
    ESP_PADDING = 0xfe, // in an order: a segment of filling for address 0, which boot loaders skip
    ESP_SEGMENT_HEADER = 8,
    ESP_SEGMENT_MAX = 0xfffffc,
    ESP_BETWEEN_MAX = 12, // segments before the next mapped one that are considered for moving
};

struct esp_edit {
    unsigned segment;            // index of the one that grows or shrinks, or ESP_IROM
    uint32_t size;               // its new size
    const struct image_run *run; // what is added; NULL when something is taken away
    unsigned n;                  // what is written, in order: indices of segments, ESP_PADDING
    uint8_t order[ESP_SEGMENTS_MAX + 1];
    uint32_t padding;      // bytes of the padding segment with its header
    struct bytes_in *tail; // gives the bytes before the checksum; NULL: zeros
};

// The mapped segment that a run at addr extends; -1 if none ends near before it.
static int esp_target(const struct esp_app *app, uint64_t addr)
{
    for (unsigned i = 0; i < app->n; i++) {
        const struct esp_segment *s = &app->segments[i];
        uint64_t end = (uint64_t)s->addr + s->size;
        if (s->size && esp_is_mapped(app->chip, s->addr) && end <= addr && addr - end < ESP_PAGE) {
            return (int)i;
        }
    }
    uint64_t end = ESP8266_FLASH + app->irom_end;
    return app->irom && addr >= end && addr - end < ESP_PAGE ? ESP_IROM : -1;
}

static struct esp_segment esp_target_segment(const struct esp_app *app, unsigned i)
{
    if (i == ESP_IROM) {
        return (struct esp_segment){ESP8266_FLASH + (uint32_t)app->irom,
                                    (uint32_t)(app->irom_end - app->irom), app->irom};
    }
    return i < app->n ? app->segments[i] : (struct esp_segment){0};
}

// The place of a mapped address in the flash MMU's table: where code and data share its entries,
// both windows count from 0.
static uint64_t esp_linear(const struct esp_chip *c, uint32_t addr)
{
    if (!c->shared_mmu) {
        return addr;
    }
    return addr - (esp_in_range(addr, c->drom, c->drom_end) ? c->drom : c->irom);
}

// The first address that the target cannot grow to: the end of its window, or the page in which
// another mapped segment begins. Boot loaders take no segment of 16 MiB and more.
static uint64_t esp_growth_end(const struct esp_app *app, unsigned target)
{
    const struct esp_chip *c = app->chip;
    uint32_t addr = app->segments[target].addr;
    uint64_t page = esp_linear(c, addr) & ~(uint64_t)(ESP_PAGE - 1);
    uint64_t first = addr & ~(uint64_t)(ESP_PAGE - 1);
    uint64_t end = esp_in_range(addr, c->drom, c->drom_end) ? c->drom_end : c->irom_end;
    end = end - addr < ESP_SEGMENT_MAX ? end : (uint64_t)addr + ESP_SEGMENT_MAX;
    for (unsigned i = 0; i < app->n; i++) {
        const struct esp_segment *s = &app->segments[i];
        if (i == target || !s->size || !esp_is_mapped(c, s->addr)) {
            continue;
        }
        uint64_t other = esp_linear(c, s->addr), begin = other & ~(uint64_t)(ESP_PAGE - 1);
        if (page < other + s->size && first + (begin - page) < end) {
            end = begin > page ? first + (begin - page) : 0;
        }
    }
    return end;
}

// Index of the first mapped segment behind target; the number of segments if there is none.
static unsigned esp_next_mapped(const struct esp_app *app, unsigned target)
{
    unsigned i = target + 1;
    while (i < app->n &&
           !(app->segments[i].size && esp_is_mapped(app->chip, app->segments[i].addr))) {
        i++;
    }
    return i;
}

static uint64_t esp_moved_size(const struct esp_app *app, unsigned first, unsigned set)
{
    uint64_t size = 0;
    for (unsigned i = 0; set >> i; i++) {
        size += set >> i & 1 ? app->segments[first + i].size + (uint64_t)ESP_SEGMENT_HEADER : 0;
    }
    return size;
}

// Number of the segments between target and the next mapped one that may go to the end of the file.
static unsigned esp_movable(const struct esp_app *app, unsigned target)
{
    unsigned n = esp_next_mapped(app, target) - target - 1;
    return n <= ESP_BETWEEN_MAX ? n : 0;
}

// The mapped segment behind a target that has grown must stay congruent to its address. What has
// grown, less what moves from between the two to the end of the file, is filled up to whole pages.
// This chooses what moves, as a set of bits, so that the file grows least; *cost are the bytes it
// grows by.
static unsigned esp_choose_moved(const struct esp_app *app, unsigned target, uint32_t growth,
                                 uint64_t *cost)
{
    unsigned n = esp_movable(app, target), chosen = 0;
    *cost = UINT64_MAX;
    for (unsigned set = 0; set < 1u << n; set++) {
        uint64_t fill = (esp_moved_size(app, target + 1, set) - growth) % ESP_PAGE;
        if (growth + fill < *cost) {
            *cost = growth + fill;
            chosen = set;
        }
    }
    return chosen;
}

// Decides the order of the segments and the padding, which is a segment of its own where it is
// large enough for one.
static void esp_arrange(const struct esp_app *app, struct esp_edit *edit)
{
    unsigned target = edit->segment, next = esp_next_mapped(app, target), moved = 0;
    uint32_t growth = edit->size - app->segments[target].size;
    if (next < app->n) {
        uint64_t cost;
        moved = esp_choose_moved(app, target, growth, &cost);
        edit->padding = (uint32_t)(cost - growth);
    }
    if (edit->padding < ESP_SEGMENT_HEADER) {
        edit->size += edit->padding;
        edit->padding = 0;
    }
    for (unsigned pass = 0; pass < 2; pass++) { // those that stay, then those that move
        for (unsigned i = 0; i < app->n; i++) {
            bool moves = i > target && i < next && (moved >> (i - target - 1) & 1);
            if (moves == (pass == 1)) {
                edit->order[edit->n++] = (uint8_t)i;
            }
            if (i == target && pass == 0 && edit->padding) {
                edit->order[edit->n++] = ESP_PADDING;
            }
        }
    }
}

static void esp_put_data(const struct esp_segment *s, const uint8_t *file,
                         const struct esp_edit *edit, struct bytes_out *out)
{
    uint32_t keep = edit->size < s->size ? edit->size : s->size;
    size_t end = out->size + edit->size;
    bytes_put(out, file + s->at, keep);
    if (edit->run) {
        bytes_fill(out, IMAGE_FILL, (size_t)(edit->run->addr - s->addr - s->size));
        bytes_put(out, edit->run->bytes, (size_t)edit->run->size);
        bytes_fill(out, IMAGE_FILL, out->failed ? 0 : end - out->size);
    }
}

static void esp_put_segment(const struct esp_app *app, unsigned i, const uint8_t *file,
                            const struct esp_edit *edit, struct bytes_out *out)
{
    if (i == ESP_PADDING) {
        bytes_put_u32(out, 0);
        bytes_put_u32(out, edit->padding - 8);
        bytes_fill(out, 0, edit->padding - 8);
        return;
    }
    const struct esp_segment *s = &app->segments[i];
    bytes_put_u32(out, s->addr);
    bytes_put_u32(out, i == edit->segment ? edit->size : s->size);
    if (i == edit->segment) {
        esp_put_data(s, file, edit, out);
    } else {
        bytes_put(out, file + s->at, s->size);
    }
}

// The ESP8266's flash part with the boot part and padding before it.
static void esp_put_irom(const struct esp_app *app, const uint8_t *file,
                         const struct esp_edit *edit, struct bytes_out *out)
{
    const struct esp_segment s = esp_target_segment(app, ESP_IROM);
    bytes_put(out, file, (size_t)app->irom);
    if (!out->failed) {
        out->data[app->checksum] = 0;
    }
    esp_put_data(&s, file, edit, out);
    if (app->md5 && !out->failed) {
        st32(out->data + app->irom - 4, (uint32_t)out->size);
        bytes_fill(out, 0, ESP_MD5);
    }
}

static void esp_put_app(const struct esp_app *app, const uint8_t *file, const struct esp_edit *edit,
                        struct bytes_out *out)
{
    size_t start = out->size;
    bytes_put(out, file + app->at, esp_header(app));
    for (unsigned i = 0; i < edit->n; i++) {
        esp_put_segment(app, edit->order[i], file, edit, out);
    }
    if (out->failed) { // sizes say nothing then
        return;
    }
    size_t used = out->size - start, tail = (used | 15) - used;
    const uint8_t *p = edit->tail ? bytes_take(edit->tail, tail, "undo record") : NULL;
    if (p) {
        bytes_put(out, p, tail);
    } else {
        bytes_fill(out, 0, tail);
    }
    bytes_fill(out, 0, app->hash ? 1 + ESP_HASH : 1);
    if (!out->failed) {
        out->data[start + 1] = (uint8_t)edit->n;
    }
}

static void esp_emit(const struct esp_app *app, const uint8_t *file, const struct esp_edit *edit,
                     struct bytes_out *out)
{
    if (edit->segment == ESP_IROM) {
        esp_put_irom(app, file, edit, out);
    } else {
        esp_put_app(app, file, edit, out);
    }
}

// Everything that can be refused about a run, and the edit that adds it.
static enum diag_code esp_plan(const struct image *img, const struct esp_app *app,
                               const struct image_run *run, struct esp_edit *edit, struct diag *d)
{
    int target = esp_target(app, run->addr);
    if (target < 0) {
        return diag_set(d, DIAG_NO, img->name,
                        "0x%llx does not follow a segment that is mapped from flash",
                        (unsigned long long)run->addr);
    }
    struct esp_segment s = esp_target_segment(app, (unsigned)target);
    uint64_t end = run->addr + run->size;
    bool free = target == ESP_IROM ? end < app->chip->irom_end
                                   : end <= esp_growth_end(app, (unsigned)target);
    if (!free || end > UINT32_MAX - 3) {
        return diag_set(d, DIAG_NO, img->name,
                        "the flash pages up to 0x%llx are not free for the segment at 0x%x",
                        (unsigned long long)end, s.addr);
    }
    *edit = (struct esp_edit){.segment = (unsigned)target, .run = run};
    edit->size = (uint32_t)((end - s.addr + 3) & ~(uint64_t)3);
    if (target != ESP_IROM) {
        esp_arrange(app, edit);
    }
    return edit->n <= ESP_SEGMENTS_MAX
               ? DIAG_OK
               : diag_set(d, DIAG_NO, img->name, "has %u segments already, one more is needed",
                          app->n);
}

// The most that a segment can grow by when the file may grow by limit bytes: the file grows by what
// moves, and by whole pages.
static uint64_t esp_most_growth(const struct esp_app *app, unsigned target, uint64_t limit)
{
    uint64_t most = 0;
    if (esp_next_mapped(app, target) == app->n) {
        return limit;
    }
    unsigned n = esp_movable(app, target);
    for (unsigned set = 0; set < 1u << n; set++) {
        uint64_t rest = esp_moved_size(app, target + 1, set) % ESP_PAGE;
        uint64_t growth = limit < rest ? 0 : limit - (limit - rest) % ESP_PAGE;
        most = growth > most ? growth : most;
    }
    return most;
}

uint64_t esp_room(const struct esp_app *app, uint64_t space, uint64_t addr)
{
    int target = esp_target(app, addr);
    if (target < 0 || target == ESP_IROM) {
        return target < 0 ? 0 : app->chip->irom_end - addr;
    }
    const struct esp_segment *s = &app->segments[target], *last = &app->segments[app->n - 1];
    uint64_t used = last->at + last->size - app->at, tail = app->hash ? ESP_HASH : 0;
    uint64_t room = space < tail ? 0 : (space - tail) & ~(uint64_t)15,
             gap = addr - s->addr - s->size;
    if (room <= used) {
        return 0;
    }
    uint64_t growth = esp_most_growth(app, (unsigned)target, (room - used - 1) & ~(uint64_t)3);
    uint64_t end = esp_growth_end(app, (unsigned)target), start = (uint64_t)s->addr + s->size;
    uint64_t most = end < start ? 0 : end - start;
    most = growth < most ? growth : most;
    return most < gap ? 0 : most - gap;
}

enum diag_code esp_grow(const struct image *img, const struct esp_app *app, const uint8_t *file,
                        const struct image_run *run, struct bytes_out *out, struct diag *d)
{
    struct esp_edit edit = {0};
    enum diag_code err = esp_plan(img, app, run, &edit, d);
    if (!err) {
        esp_emit(app, file, &edit, out);
    }
    return err;
}

// The undo record: the segment that grows, its old size; for each segment of the base, where it is
// in the product; the bytes between the last segment and the checksum, which need not be zeros.
enum diag_code esp_undo_record(const struct image *img, const struct esp_app *app,
                               const uint8_t *file, uint64_t addr, uint64_t size,
                               struct bytes_out *out, struct diag *d)
{
    const struct image_run run = {.addr = addr, .size = size};
    struct esp_edit edit = {0};
    enum diag_code err = esp_plan(img, app, &run, &edit, d);
    if (err) {
        return err;
    }
    uint8_t place[ESP_SEGMENTS_MAX] = {0};
    for (unsigned i = 0; i < edit.n; i++) {
        if (edit.order[i] != ESP_PADDING) {
            place[edit.order[i]] = (uint8_t)i;
        }
    }
    bytes_put_u32(out, edit.segment);
    bytes_put_u32(out, esp_target_segment(app, edit.segment).size);
    if (edit.segment != ESP_IROM) {
        const struct esp_segment *last = &app->segments[app->n - 1];
        uint64_t used = last->at + last->size;
        bytes_put_u8(out, (uint8_t)app->n);
        bytes_put(out, place, app->n);
        bytes_put(out, file + used, (size_t)(app->checksum - used));
    }
    return DIAG_OK;
}

// The order of an undo record: each segment once, and nothing left out but padding.
static bool esp_read_order(const struct esp_app *app, struct bytes_in *undo, struct esp_edit *edit)
{
    unsigned seen = 0;
    edit->n = bytes_u8(undo, "undo record");
    if (edit->n > app->n || edit->n + 1 < app->n) {
        return false;
    }
    for (unsigned i = 0; i < edit->n; i++) {
        unsigned at = edit->order[i] = bytes_u8(undo, "undo record");
        if (at >= app->n || seen >> at & 1) {
            return false;
        }
        seen |= 1u << at;
    }
    for (unsigned i = 0; i < app->n; i++) {
        if (!(seen >> i & 1) && app->segments[i].addr) {
            return false;
        }
    }
    return seen >> edit->segment & 1;
}

enum diag_code esp_shrink(const struct esp_app *app, const uint8_t *file, struct bytes_in *undo,
                          struct bytes_out *out)
{
    struct esp_edit edit = {0};
    edit.segment = bytes_u32(undo, "undo record");
    edit.size = bytes_u32(undo, "undo record");
    if (undo->failed) {
        return undo->failed;
    }
    struct esp_segment s = esp_target_segment(app, edit.segment);
    bool irom = edit.segment == ESP_IROM;
    if (!s.size || edit.size > s.size || (edit.size & 3 && !irom) ||
        (!irom && !esp_read_order(app, undo, &edit))) {
        return bytes_fail(undo, "undo record", "does not belong to this image");
    }
    edit.tail = undo;
    esp_emit(app, file, &edit, out);
    enum diag_code err = bytes_out_check(out, undo->diag);
    return err ? err : undo->failed;
}
