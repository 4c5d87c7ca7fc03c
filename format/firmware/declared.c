// What an image says about itself in tables that were made for tools: the binary info of the Pico
// SDK, the blocks that the boot ROM of the RP2350 reads, the flash layout table of the micro:bit
// V2, and on Nordic's chips the SoftDevice's own header and the configuration registers.
//
// Facts: pico-sdk pico/binary_info/{defs,structure}.h and boot/picobin.h; addlayouttable.py of the
// micro:bit's port; Nordic's nrf_mbr.h and nrf_sdm.h (SD_INFO_STRUCT), UICR.NRFFW of its chips.
#include "format/firmware/scan.h"

enum {
    DECLARED_TEXT_MAX = 120,
    INFO_WINDOW = 0x1000, // bytes of an image in which the SDK puts its header
    INFO_START = 0x7188ebf2,
    INFO_ENTRIES_MAX = 1024,
    INFO_COPIES_MAX = 16,
    INFO_TAG_SDK = 'R' | 'P' << 8,
    BLOCK_WINDOW = 0x1000, // where the boot ROM looks for the first block
    BLOCK_ITEMS_MAX = 64,
    TABLE_ROW = 16,
    TABLE_REGIONS_MAX = 32,
    SOFTDEVICE_AT = 0x3000, // of its header: behind the master boot record
    UICR_NRFFW = 0x10001014,
};

static const uint32_t INFO_END = 0xe71aa390, BLOCK_START = 0xffffded3;
static const uint32_t TABLE_MAGIC1 = 0x597f30fe, TABLE_MAGIC2 = 0xc1b1d79d;
static const uint32_t SOFTDEVICE_MAGIC = 0x51b1e5db;

// --- binary info of the Pico SDK

struct info {
    uint32_t from, to; // an array of pointers to entries
    uint32_t copies;   // {source, first, end} of what the start-up code copies to RAM
};

static bool info_header(const struct scan *s, uint64_t flash, struct info *out)
{
    uint32_t mark, end;
    for (uint64_t at = flash; at < flash + INFO_WINDOW; at += 4)
        if (view_u32(&s->view, at, &mark) && mark == INFO_START &&
            view_u32(&s->view, at + 16, &end) && end == INFO_END)
            return view_u32(&s->view, at + 4, &out->from) && view_u32(&s->view, at + 8, &out->to) &&
                   view_u32(&s->view, at + 12, &out->copies) && out->from % 4 == 0 &&
                   out->to >= out->from && (out->to - out->from) / 4 <= INFO_ENTRIES_MAX;
    return false;
}

// Where the bytes that the running program has at addr lie in the image.
static uint32_t info_source(const struct scan *s, const struct info *h, uint32_t addr)
{
    uint32_t copy[3];
    for (unsigned i = 0; i < INFO_COPIES_MAX; i++) {
        for (unsigned k = 0; k < 3; k++)
            if (!view_u32(&s->view, h->copies + 12 * (uint64_t)i + 4 * k, &copy[k]))
                return addr;
        if (!copy[0])
            return addr;
        if (addr >= copy[1] && addr < copy[2])
            return copy[0] + (addr - copy[1]);
    }
    return addr;
}

static const struct {
    uint32_t id;
    const char *what;
} info_texts[] = {
    {0x02031c86, "program"},     {0x11a9bc3a, "program version"}, {0x9da22254, "build date"},
    {0x5360b3ab, "SDK version"}, {0xb63cffbb, "SDK board"},       {0x4275f0d3, "build type"},
};

enum { INFO_INT = 5, INFO_TEXT = 6, INFO_DEVICE = 7 };
static const char info_why[] = "binary info of the Pico SDK";

static void info_text(struct scan *s, const struct info *h, uint64_t at, uint32_t id)
{
    uint32_t pointer, len;
    for (unsigned i = 0; i < sizeof info_texts / sizeof *info_texts; i++)
        if (info_texts[i].id == id && view_u32(&s->view, at + 8, &pointer)) {
            const char *text =
                view_text(&s->view, info_source(s, h, pointer), DECLARED_TEXT_MAX, &len);
            if (text)
                scan_note(s, info_texts[i].what, at, info_why, "%.*s", (int)len, text);
        }
}

// {core; name; first address; size; ...}: a file system behind the program bounds it.
static void info_device(struct scan *s, const struct info *h, uint64_t at, uint64_t pool,
                        struct limit *l)
{
    uint32_t name, first, size, len;
    if (!view_u32(&s->view, at + 4, &name) || !view_u32(&s->view, at + 8, &first) ||
        !view_u32(&s->view, at + 12, &size) || !size || first % 256)
        return;
    const char *text = view_text(&s->view, info_source(s, h, name), DECLARED_TEXT_MAX, &len);
    if (!text)
        return;
    scan_note(s, "block device", at, info_why, "%.*s: 0x%x, %u bytes", (int)len, text, first, size);
    if (first > pool)
        limit_lower(l, first, "the block device that the binary info names");
}

static void info_entries(struct scan *s, uint64_t flash, uint64_t pool, struct limit *l)
{
    enum { ID_IMAGE_END = 0x68f465de };
    struct info h;
    if (!info_header(s, flash, &h))
        return;
    for (uint64_t at = h.from; at < h.to; at += 4) {
        uint32_t pointer, core, id, value;
        if (!view_u32(&s->view, at, &pointer))
            return;
        uint64_t entry = info_source(s, &h, pointer);
        if (!view_u32(&s->view, entry, &core) || !view_u32(&s->view, entry + 4, &id))
            continue;
        bool sdk = core >> 16 == INFO_TAG_SDK;
        if (sdk && (core & 0xffff) == INFO_TEXT)
            info_text(s, &h, entry, id);
        else if ((core & 0xffff) == INFO_DEVICE) // tagged by whose it is
            info_device(s, &h, entry, pool, l);
        else if (sdk && (core & 0xffff) == INFO_INT && id == ID_IMAGE_END &&
                 view_u32(&s->view, entry + 8, &value))
            scan_note(s, "program end", entry, info_why, "0x%x", value);
    }
}

// --- blocks of the RP2350's boot ROM

// A block: a mark, items {type, size in words; ...}, the last of which closes it.
static void block_scan(struct scan *s, uint64_t flash)
{
    enum { TYPE_IMAGE = 0x42, TYPE_HASH = 0x4b, TYPE_SIGNATURE = 0x09, TYPE_LAST = 0x7f };
    static const char *const kinds[] = {"none", "executable", "data", "unknown kind"};
    uint32_t mark = 0, word;
    uint64_t at = flash;
    while (at < flash + BLOCK_WINDOW && (!view_u32(&s->view, at, &mark) || mark != BLOCK_START))
        at += 4;
    bool closed = at >= flash + BLOCK_WINDOW, sealed = false;
    uint32_t image = 0;
    uint64_t item = at + 4;
    for (unsigned i = 0; !closed && i < BLOCK_ITEMS_MAX && view_u32(&s->view, item, &word); i++) {
        unsigned type = word & 0x7f, size = word & 0x80 ? word >> 8 & 0xffff : word >> 8 & 0xff;
        closed = type == TYPE_LAST;
        sealed |= type == TYPE_HASH || type == TYPE_SIGNATURE;
        image = type == TYPE_IMAGE ? word >> 16 : image;
        if (!size)
            break;
        item += 4 * (uint64_t)size;
    }
    if (!closed || !image)
        return;
    scan_note(s, "image definition", at, "the block that the boot ROM reads", "%s, %s, %s%s",
              kinds[(image & 15) < 3 ? image & 15 : 3], image >> 8 & 7 ? "RISC-V" : "Arm",
              image >> 12 & 7 ? "RP2350" : "RP2040", sealed ? ", with a hash or signature" : "");
    s->sealed = sealed ? at : 0;
}

// --- the flash layout table of the micro:bit V2

// The last row of the table: {magic, version, bytes of the rows before, regions, page size as a
// power of two, magic}. It ends where a page ends.
static bool table_end(const struct scan *s, uint64_t *at, uint16_t *n, uint16_t *page)
{
    uint16_t version, size;
    uint32_t magic;
    uint8_t mark[4];
    st32(mark, TABLE_MAGIC1);
    for (*at = 0; view_find(&s->view, mark, sizeof mark, at); ++*at)
        if (view_u16(&s->view, *at + 4, &version) && version == 1 &&
            view_u16(&s->view, *at + 6, &size) && view_u16(&s->view, *at + 8, n) &&
            view_u16(&s->view, *at + 10, page) && *page >= 8 && *page <= 16 &&
            view_u32(&s->view, *at + 12, &magic) && magic == TABLE_MAGIC2 && *n &&
            *n <= TABLE_REGIONS_MAX && size == *n * TABLE_ROW && *at >= size)
            return (*at + TABLE_ROW) % (UINT64_C(1) << *page) == 0;
    return false;
}

// {u8 id, u8 kind of hash, u16 first page, u32 size; 8 bytes of hash, or the address of a text}.
static void table_row(struct scan *s, uint64_t row, uint16_t page, uint64_t pool, struct limit *l)
{
    enum { ID_FILES = 3, HASH_TEXT = 2 };
    static const char *const names[] = {"", "SoftDevice", "MicroPython", "file system"};
    static const char why[] = "the flash layout table";
    const uint8_t *p = view_at(&s->view, row, TABLE_ROW);
    if (!p)
        return;
    uint64_t first = (uint64_t)ld16(p + 2) << page;
    unsigned id = p[0];
    uint32_t len = 0;
    const char *text =
        p[1] == HASH_TEXT ? view_text(&s->view, ld32(p + 8), DECLARED_TEXT_MAX, &len) : NULL;
    scan_note(s, "flash region", row, why, "%s 0x%llx, %u bytes%s%.*s",
              id <= ID_FILES ? names[id] : "unknown", (unsigned long long)first, ld32(p + 4),
              text ? ": " : "", text ? (int)len : 0, text ? text : "");
    if (id == ID_FILES && first > pool)
        limit_lower(l, first, "the file system that the flash layout table names");
}

static void table_scan(struct scan *s, uint64_t pool, struct limit *l)
{
    uint64_t at;
    uint16_t n, page;
    if (table_end(s, &at, &n, &page))
        for (uint64_t row = at - n * (uint64_t)TABLE_ROW; row < at; row += TABLE_ROW)
            table_row(s, row, page, pool, l);
}

// --- Nordic's chips

static void nordic_scan(struct scan *s, uint64_t pool, struct limit *l)
{
    uint32_t magic, size, firmware, boot;
    if (view_u32(&s->view, SOFTDEVICE_AT + 4, &magic) && magic == SOFTDEVICE_MAGIC &&
        view_u32(&s->view, SOFTDEVICE_AT + 8, &size) &&
        view_u32(&s->view, SOFTDEVICE_AT + 12, &firmware))
        scan_note(s, "SoftDevice", SOFTDEVICE_AT, "its header", "id 0x%x, up to 0x%x",
                  firmware & 0xffff, size);
    if (view_u32(&s->view, UICR_NRFFW, &boot) && boot != UINT32_MAX && boot % 1024 == 0 &&
        boot > pool) {
        scan_note(s, "boot loader", UICR_NRFFW, "the configuration registers (UICR)", "0x%x", boot);
        limit_lower(l, boot, "the boot loader that the configuration registers name");
    }
}

bool declared_limit(struct scan *s, uint64_t pool, uint64_t window, struct limit *l)
{
    enum { RP2_FLASH = 0x10000000, NORDIC_FLASH_MAX = 0x200000 };
    if (window == RP2_FLASH) {
        info_entries(s, window, pool, l);
        block_scan(s, window);
        return l->addr != 0;
    }
    if (pool < NORDIC_FLASH_MAX) {
        table_scan(s, pool, l);
        bool named = l->addr != 0;
        nordic_scan(s, pool, l);
        return named;
    }
    return false;
}
