// Free space for a payload, each region with what proves that it is free. Nothing is taken from a
// list of boards here: the name of the chip, file-system objects, linker constants in code and the
// container itself are in the image.
//
// Facts: py/../ports/rp2/rp2_flash.c, ports/samd/samd_flash.c, ports/nrf/modules/nrf/flashbdev.c,
// ports/stm32/flashbdev.c, ports/mimxrt/mimxrt_flash.c, the linker scripts of
// ports/renesas-ra/boards; the ROMFS partitions of
// ports/*/vfs_rom_ioctl.c and ports/samd/samd_flash.c; ST's part numbering.
#include "format/firmware/scan.h"

enum {
    REGION_MAX = 8,
    REGION_WORDS_MAX = 4096, // words that may be constants; real images have some dozens
    REGION_ALIGN = 16,
    FLASH_SECTOR = 0x1000,
    FLASH_WINDOW_SIZE = 0x8000000,
    PAGE_SMALL = 0x400, // Nordic's flash pages: nRF51, nRF52
    PAGE_LARGE = 0x1000,
    PAIR_NEAR = 64,         // bytes between two constants of a function that are used together
    CONSTRUCTOR_SIZE = 256, // bytes of the constructor of a Flash object with its constants
    TYPE_MAKE_NEW_OLD = 12, // offsets in mp_obj_type_t: up to 1.19, and from 1.20 on
    TYPE_MAKE_NEW_INDEX = 8,
    TYPE_SLOTS = 20,
    REGION_ELF_PAGE = 0x10000, // largest page of the hosts
    REGION_ELF_SIZE = 1 << 26, // more than any payload; within reach of all references
};

bool region_add(struct scan *s, uint64_t from, uint64_t to, const char *why, bool contiguous)
{
    struct firmware *fw = s->fw;
    if (!fw->free)
        fw->free = ARENA_ARRAY(s->arena, struct fw_region, REGION_MAX);
    if (!fw->free)
        return false;
    if (to > from && fw->n_free < REGION_MAX)
        fw->free[fw->n_free++] = (struct fw_region){from, to - from, why, contiguous};
    return true;
}

// --- programs of an operating system

static bool is_hosted(const struct image *img)
{
    return img->kind == IMAGE_ELF && img->machine != IMAGE_ISA_UNKNOWN &&
           (img->pic || img->address_bits == 64);
}

static bool hosted_region(struct scan *s)
{
    const struct image *img = s->view.image;
    uint64_t end = 0;
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *g = &img->segments[i];
        uint64_t size = g->mem_size > g->size ? g->mem_size : g->size;
        end = g->run + size > end ? g->run + size : end;
    }
    if (!ck_align(end, REGION_ELF_PAGE, &end))
        return true;
    return region_add(s, end, end + REGION_ELF_SIZE,
                      "a new segment behind all others of the program", false);
}

// --- flash of microcontrollers

void limit_lower(struct limit *l, uint64_t addr, const char *why)
{
    if (!l->addr || addr < l->addr)
        *l = (struct limit){addr, why};
}

// Bytes of flash by the size letter of ST's part numbers.
static uint32_t st_flash_size(char code)
{
    static const struct {
        char code;
        uint16_t kib;
    } sizes[] = {{'4', 16},  {'6', 32},  {'8', 64},  {'B', 128},  {'Z', 192},  {'C', 256},
                 {'D', 384}, {'E', 512}, {'F', 768}, {'G', 1024}, {'H', 1536}, {'I', 2048}};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].code == code)
            return (uint32_t)sizes[i].kib << 10;
    return 0;
}

// "... with STM32F405RG": family, line (three characters), pins, size. The names of boards may hold
// "STM32" as well.
static void st_limit(const struct scan *s, struct limit *l)
{
    enum { STM32_FLASH = 0x08000000, PINS_AT = 9, SIZE_AT = 10, NAME_MIN = 11 };
    static const char with[] = " with STM32";
    const char *p = strstr(s->fw->board, with);
    p = p ? p + 6 : s->fw->board; // " with "
    if (strncmp(p, "STM32", 5) != 0 || strlen(p) < NAME_MIN || p[PINS_AT] < 'A' || p[PINS_AT] > 'Z')
        return;
    uint32_t size = st_flash_size(p[SIZE_AT]);
    if (size)
        limit_lower(l, STM32_FLASH + size, "end of flash, by the chip's name");
}

static const struct {
    const char *chip;
    uint64_t end;
} chips[] = {
    {"NRF51822", 0x40000},   {"NRF52832", 0x80000},      {"NRF52833", 0x80000},
    {"NRF52840", 0x100000},  {"NRF9160", 0x100000},      {"SAMD21G18", 0x40000},
    {"SAMD21E18", 0x40000},  {"SAMD21J18", 0x40000},     {"SAMD51G19", 0x80000},
    {"SAMD51J19", 0x80000},  {"SAMD51J20", 0x100000},    {"SAMD51P19", 0x80000},
    {"SAMD51P20", 0x100000}, {"SAME51J19", 0x80000},     {"SAME51J20", 0x100000},
    {"SAME54P20", 0x100000}, {"AT91SAM7S256", 0x140000}, {"RA4M1", 0x40000},
    {"RA4W1", 0x80000},      {"RA6M1", 0x80000},         {"RA6M2", 0x100000},
    {"RA6M5", 0x200000},
};

static void chip_limit(const struct scan *s, struct limit *l)
{
    char name[80] = "";
    for (unsigned i = 0; i + 1 < sizeof name && s->fw->board[i]; i++) {
        char c = s->fw->board[i];
        name[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    for (unsigned i = 0; i < sizeof chips / sizeof *chips; i++)
        if (strstr(name, chips[i].chip))
            limit_lower(l, chips[i].end, "end of flash, by the chip's name");
}

// File systems: objects {type named "Flash", first address or offset, size}.
static void flash_object(const struct scan *s, uint64_t type, uint64_t window, struct limit *l)
{
    uint32_t i = 0, base, size;
    uint64_t at;
    while (view_users(&s->view, type, &i, &at)) {
        if (!view_u32(&s->view, at + 4, &base) || !view_u32(&s->view, at + 8, &size) || !size ||
            base % 256 || base < 0x4000)
            continue;
        uint64_t start = base < window ? window + base : base;
        if (start - window < 0x8000000)
            limit_lower(l, start, "the file system that the Flash object names");
    }
}

// The start of the flash window that the image lies in: STM32, RP2, i.MX RT1170, other i.MX RT.
static uint64_t flash_window(uint64_t addr)
{
    static const uint32_t windows[] = {0x08000000, 0x10000000, 0x30000000, 0x60000000};
    for (unsigned i = 0; i < sizeof windows / sizeof *windows; i++)
        if (addr >> 24 == windows[i] >> 24)
            return windows[i];
    return 0;
}

// Where the object gets its addresses when it is made: the constructor has the first address of the
// file system as a constant.
static void constructor_limit(const struct scan *s, uint64_t type, uint64_t end, struct limit *l)
{
    const struct view *v = &s->view;
    uint64_t slot = type + TYPE_MAKE_NEW_OLD, make_new;
    const uint8_t *index = view_at(v, type + TYPE_MAKE_NEW_INDEX, 1);
    if (type_has_slots(s))
        slot = index && *index ? type + TYPE_SLOTS + 4 * (uint64_t)(*index - 1) : 0;
    if (!slot || !view_word(v, slot, &make_new))
        return;
    make_new &= ~(uint64_t)3;
    for (uint64_t at = make_new; at < make_new + CONSTRUCTOR_SIZE; at += 4) {
        uint32_t word;
        if (view_u32(v, at, &word) && word % FLASH_SECTOR == 0 && word > end &&
            word - flash_window(end) < FLASH_WINDOW_SIZE && ref_user_of_literal(s, at))
            limit_lower(l, word, "the file system that the Flash constructor names");
    }
}

// A type of this name; *i is where the search goes on.
static bool next_type(const struct scan *s, const char *name, uint32_t *i, uint64_t *type)
{
    while (view_users(&s->view, s->fw->objects[FW_TYPE_TYPE], i, type)) {
        uint16_t id;
        if (view_u16(&s->view, *type + s->view.ptr + 2, &id) && id < s->fw->n_qstrs &&
            s->fw->qstrs[id].len == strlen(name) &&
            memcmp(s->fw->qstrs[id].data, name, strlen(name)) == 0)
            return true;
    }
    return false;
}

// A word at addr that code loads, and that lies in the flash behind the image: 0 if there is none.
static uint32_t loaded_word(const struct scan *s, uint64_t addr, uint64_t end)
{
    uint32_t word;
    return view_u32(&s->view, addr, &word) && word > end &&
                   word - flash_window(end) < FLASH_WINDOW_SIZE && ref_user_of_literal(s, addr)
               ? word
               : 0;
}

// Flash objects whose bounds are computed when the board starts, in whole pages: beside the end of
// the file system its code has first address + page size - 1 as a constant.
static void rounded_limit(const struct scan *s, uint64_t addr, uint32_t word, uint64_t end,
                          struct limit *l)
{
    uint32_t page = word % PAGE_LARGE == PAGE_LARGE - 1 ? PAGE_LARGE : PAGE_SMALL;
    uint64_t first = addr > PAIR_NEAR ? addr - PAIR_NEAR : addr & 3;
    if (word % page != page - 1 || word + 1 - page <= end || loaded_word(s, addr, end) != word)
        return;
    for (uint64_t at = first; at <= addr + PAIR_NEAR; at += 4) {
        uint32_t last = at == addr ? 0 : loaded_word(s, at, end);
        if (last > word && last % page == 0)
            limit_lower(l, word + 1 - page,
                        "the file system that the code of the Flash type names");
    }
}

static bool rounded_limits(const struct scan *s, uint64_t end, struct limit *l)
{
    struct limit found = {0, NULL};
    uint64_t type;
    uint32_t t = 0, word;
    if (!next_type(s, "Flash", &t, &type))
        return false;
    for (unsigned i = 0; i < s->view.n; i++) {
        const struct view_span *span = &s->view.spans[i];
        for (uint64_t at = -span->run & 3; in_range(at, 4, span->size); at += 4)
            if ((word = ld32(span->data + at)) > end && word % PAGE_SMALL == PAGE_SMALL - 1)
                rounded_limit(s, span->run + at, word, end, &found);
    }
    if (found.addr)
        limit_lower(l, found.addr, found.why);
    return found.addr != 0;
}

static void flash_limit(const struct scan *s, uint64_t window, struct limit *l)
{
    static const char *const names[] = {"Flash", "rp2_flash"};
    uint64_t type;
    for (unsigned k = 0; k < sizeof names / sizeof *names; k++)
        for (uint32_t i = 0; next_type(s, names[k], &i, &type);)
            flash_object(s, type, window, l);
}

static void constructors_limit(const struct scan *s, uint64_t end, struct limit *l)
{
    uint64_t type;
    for (uint32_t i = 0; next_type(s, "Flash", &i, &type);)
        constructor_limit(s, type, end, l);
}

// ROMFS partitions are memoryview objects {type, typecode and offset, length, address}.
static void romfs_limit(const struct scan *s, uint64_t end, struct limit *l)
{
    uint64_t type, at;
    for (uint32_t i = 0; next_type(s, "memoryview", &i, &type);)
        for (uint32_t k = 0; view_users(&s->view, type, &k, &at);) {
            uint32_t kind, size, addr;
            if (view_u32(&s->view, at + 4, &kind) && kind == 'B' &&
                view_u32(&s->view, at + 8, &size) && size && size < FLASH_WINDOW_SIZE &&
                view_u32(&s->view, at + 12, &addr) && addr >= end && addr % 256 == 0 &&
                addr - flash_window(end) < FLASH_WINDOW_SIZE)
                limit_lower(l, addr, "the ROMFS partition that an object names");
        }
}

// Where the image ends below the limit. Data that the boot code copies to RAM counts where it is
// stored.
static uint64_t image_end(const struct image *img, uint64_t window, uint64_t limit)
{
    uint64_t end = window;
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *g = &img->segments[i];
        if (g->addr >= window && g->addr < limit && g->addr + g->size > end)
            end = g->addr + g->size;
    }
    return end;
}

// In the flash that begins at 0, a word of one bit may as well be a mask or a size: it is an
// address where code has a second one beside it, the end of what begins there.
static bool is_address(const struct scan *s, uint64_t at, uint32_t word, uint64_t end,
                       uint64_t flash_end)
{
    if (word & (word - 1))
        return true;
    for (unsigned k = 0; k < 2; k++) {
        uint32_t other = loaded_word(s, k ? at - 4 : at + 4, end);
        if (other > word && other <= flash_end && other % 256 == 0)
            return true;
    }
    return false;
}

// Addresses behind the image that code has as constants are somebody's: a file system, a settings
// page. One past the end of the image is not.
static void constant_limit(const struct scan *s, uint64_t end, struct limit *l)
{
    uint64_t best = l->addr;
    unsigned tried = 0;
    for (unsigned i = 0; i < s->view.n; i++) {
        const struct view_span *span = &s->view.spans[i];
        for (uint64_t at = -span->run & 3; in_range(at, 4, span->size); at += 4) {
            uint32_t word = ld32(span->data + at);
            if (word > end + REGION_ALIGN && word < best && word % 256 == 0 &&
                tried++ < REGION_WORDS_MAX && ref_user_of_literal(s, span->run + at) &&
                is_address(s, span->run + at, word, end, l->addr))
                best = word;
        }
    }
    if (best < l->addr)
        *l = (struct limit){best, "an address that code has as a constant"};
}

// Who names where the flash that is not the image's begins. *named: the file system itself.
static void find_limit(struct scan *s, uint64_t addr, uint64_t window, struct limit *l, bool *named)
{
    flash_limit(s, window, l);
    *named = l->addr != 0;
    *named |= declared_limit(s, addr, window, l);
    if (!*named)
        *named = rounded_limits(s, image_end(s->view.image, window, window + FLASH_WINDOW_SIZE), l);
    st_limit(s, l);
    chip_limit(s, l);
    if (!l->addr && window)
        constructors_limit(s, image_end(s->view.image, window, window + FLASH_WINDOW_SIZE), l);
    if (l->addr > addr)
        romfs_limit(s, image_end(s->view.image, window, l->addr), l);
}

static bool flash_region(struct scan *s)
{
    const struct image *img = s->view.image;
    struct limit l = {0, NULL};
    uint64_t addr = image_run_to_addr(img, s->fw->pools[0].addr), from;
    bool named;
    if (addr == UINT64_MAX || s->view.ptr != 4)
        return true;
    uint64_t window = flash_window(addr);
    find_limit(s, addr, window, &l, &named);
    if (!l.addr || addr >= l.addr) {
        scan_note(s, "free space", 0, "neither a file system nor a known chip is named", "unknown");
        return true;
    }
    if (s->sealed) {
        scan_note(s, "free space", s->sealed, "the boot ROM refuses an image that was changed",
                  "none: the image definition has a hash or a signature");
        return true;
    }
    uint64_t end = image_end(img, window, l.addr);
    if (end >= l.addr)
        scan_note(s, "free space", l.addr, l.why, "none: the image reaches to 0x%llx",
                  (unsigned long long)end);
    else if (!named)
        constant_limit(s, end, &l);
    if (!ck_align(end, img->kind == IMAGE_UF2 ? 256 : REGION_ALIGN, &from))
        return true;
    return region_add(s, from, l.addr, l.why, true);
}

static void note_regions(struct scan *s)
{
    for (unsigned i = 0; i < s->fw->n_free; i++)
        scan_note(s, "free space", s->fw->free[i].addr, s->fw->free[i].why, "%llu bytes",
                  (unsigned long long)s->fw->free[i].size);
}

enum diag_code region_scan(struct scan *s)
{
    const struct image *img = s->view.image;
    bool ok = is_hosted(img) ? hosted_region(s) : img->mapped ? region_esp(s) : flash_region(s);
    note_regions(s);
    return ok ? DIAG_OK : diag_nomem(s->diag);
}
