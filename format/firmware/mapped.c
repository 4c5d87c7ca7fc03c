// The ESP32 family: may constant data take more pages of the flash MMU than it has? The boot loader
// maps as many as the segment has. At run time ESP-IDF hands out the pages that are left: up to 5.0
// by looking which entries of the MMU's table are in use, from 5.1 on (and for the RAM of an
// ESP32-S3 with 5.0) from where the linker said that constant data ends. That end is a constant in
// the code of the mapper, which must then be raised together with the segment.
//
// Facts: ESP-IDF bootloader_support/src/bootloader_utility.c and esp_image_format.c,
// esp_app_format/include/esp_app_desc.h, spi_flash/flash_mmap.c (4.x, 5.0), esp_psram/mmu.c (5.0),
// esp_mm/esp_mmu_map.c (5.1 on), esp_system/port/cpu_start.c, esp_system/ld/*/sections.ld.in.
#include "format/firmware/scan.h"

enum {
    MAPPED_PAGE = 0x10000,
    MAPPED_NEAR = 32,      // bytes of code between the loads of begin and end; real: 16 at most
    MAPPED_FUNCTION = 256, // bytes around them in which the mapper has the windows' ends
    MAPPED_LITERALS = 16,  // words that hold the end; real images have up to 8
    MAPPED_REFS_MAX = 8,   // constants of the mapper; real: 1
    IDF_TABLE = 500,       // up to this release, as major * 100 + minor, free pages are looked up
    APP_MAGIC = (int)0xabcd5432,
    APP_VERSION = 112, // offset of the 32 bytes of ESP-IDF's version in the description
    EXTERNAL_PAGES = 4,
};

struct mapped {
    struct scan *scan;
    const struct image_segment *data; // the constants
    uint64_t start, end;              // of the segment
    const char *why;                  // why it may not grow
};

// ESP-IDF's release by the description of the application: 5.2.2 is 502; 0 = unknown.
static unsigned idf_release(const struct mapped *m)
{
    const uint8_t *p = m->data->data;
    if (m->data->size < 256 || ld32(p) != (uint32_t)APP_MAGIC)
        return 0;
    p += APP_VERSION;
    p += *p == 'v';
    if (p[0] < '3' || p[0] > '9' || p[1] != '.' || p[2] < '0' || p[2] > '9')
        return 0;
    unsigned minor = p[2] - '0';
    if (p[3] >= '0' && p[3] <= '9')
        minor = minor * 10 + (p[3] - '0');
    return (p[0] - '0') * 100u + minor;
}

static bool is_shared_window(const struct mapped *m)
{
    return m->start >> 24 == 0x3c; // ESP32-S3, C3, C2: data and code share the entries
}

static bool has_text(const struct scan *s, const char *text)
{
    uint64_t at = 0;
    return view_find(&s->view, text, strlen(text) + 1, &at);
}

// Is there a mapper that counts from the linker's end?
static bool has_mapper(const struct mapped *m)
{
    unsigned idf = idf_release(m);
    return idf == 0 || idf > IDF_TABLE ||
           (idf == IDF_TABLE && is_shared_window(m) && has_text(m->scan, "esp_psram"));
}

// The compiler rounds up to pages by adding to the constant.
static bool is_end(const struct mapped *m, uint64_t value)
{
    return value == m->end || value == m->end + MAPPED_PAGE - 1;
}

// --- Xtensa: literal words

// Does an l32r within distance bytes of addr load a or b?
static bool loads_near(const struct mapped *m, uint64_t addr, uint64_t distance, uint32_t a,
                       uint32_t b)
{
    uint32_t value;
    for (uint64_t at = addr - distance; at <= addr + distance; at++)
        if (ref_xtensa_load(&m->scan->view, at, &value) && (value == a || value == b))
            return true;
    return false;
}

// Code that has both begin and end: the mapper, or start-up code that tells the cache of them.
static bool has_both(const struct mapped *m, uint64_t user)
{
    return loads_near(m, user, MAPPED_NEAR, (uint32_t)m->start, (uint32_t)m->start);
}

// On the ESP32-S3 start-up code has both, too; the mapper alone asks in which window they lie.
static bool is_mapper(const struct mapped *m, uint64_t user)
{
    return !is_shared_window(m) || loads_near(m, user, MAPPED_FUNCTION, 0x41ffffff, 0x43ffffff);
}

static bool add_ref(struct mapped *m, const struct fw_ref *ref)
{
    struct fw_refs *r = &m->scan->fw->mapped_refs;
    if (!r->refs)
        r->refs = ARENA_ARRAY(m->scan->arena, struct fw_ref, MAPPED_REFS_MAX);
    if (!r->refs)
        return false;
    if (r->n < MAPPED_REFS_MAX)
        r->refs[r->n++] = *ref;
    return true;
}

// A literal is the mapper's when one of its users is the mapper. All of them must mean the same
// end: other symbols may have this very value.
static bool take_literal(struct mapped *m, uint64_t literal, uint32_t value)
{
    struct fw_ref ref = {.kind = FW_REF_WORD, .addr = literal, .target = value};
    unsigned others = 0;
    uint64_t user;
    for (uint64_t at = literal; ref_xtensa_user(&m->scan->view, literal, &at, &user); at++) {
        bool both = has_both(m, user);
        others += !both;
        if (both && is_mapper(m, user))
            ref.user = ref.function = user;
        ref.users++;
    }
    if (ref.function && others)
        m->why = "the flash mapper shares the constant that would have to change";
    return !ref.function || others || add_ref(m, &ref);
}

static bool find_literals(struct mapped *m)
{
    const struct view *v = &m->scan->view;
    unsigned n = 0;
    for (unsigned i = 0; i < v->n; i++) {
        const struct view_span *s = &v->spans[i];
        for (uint64_t at = -s->run & 3; s->flags & IMAGE_X && in_range(at, 4, s->size); at += 4) {
            uint32_t word = ld32(s->data + at);
            if (is_end(m, word) && n++ < MAPPED_LITERALS && !take_literal(m, s->run + at, word))
                return false;
        }
    }
    return true;
}

// Memory outside the chip that the linker has already divided begins at the page behind: those
// addresses cannot change.
static bool has_external_data(const struct mapped *m)
{
    const struct view *v = &m->scan->view;
    uint64_t page = (m->end + MAPPED_PAGE - 1) & ~(uint64_t)(MAPPED_PAGE - 1);
    for (unsigned i = 0; i < v->n; i++) {
        const struct view_span *s = &v->spans[i];
        for (uint64_t at = -s->run & 3; s->flags & IMAGE_X && in_range(at, 4, s->size); at += 4) {
            uint64_t word = ld32(s->data + at);
            if (word % MAPPED_PAGE == 0 && word - page < EXTERNAL_PAGES * MAPPED_PAGE &&
                ref_user_of_literal(m->scan, s->run + at))
                return true;
        }
    }
    return false;
}

// --- RISC-V: lui with addi, found by a sweep

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a < b ? b - a : a - b;
}

static bool take_pairs(struct mapped *m, struct ref_sweep *r, uint64_t end)
{
    const struct ref_target *begin = ref_target_at(r, m->start), *t = ref_target_at(r, end);
    for (unsigned i = 0; i < t->refs.n; i++)
        for (unsigned k = 0; k < begin->refs.n; k++)
            if (distance(t->refs.refs[i].addr2, begin->refs.refs[k].addr2) <= MAPPED_NEAR &&
                t->refs.refs[i].kind == FW_REF_LUI_LO12) {
                if (!add_ref(m, &t->refs.refs[i]))
                    return false;
                break;
            }
    return true;
}

static bool find_pairs(struct mapped *m)
{
    struct ref_sweep r = {.scan = m->scan};
    struct ref_target targets[3] = {
        {.addr = m->start}, {.addr = m->end}, {.addr = m->end + MAPPED_PAGE - 1}};
    r.targets = targets;
    r.n = 3;
    ref_rv32.sweep(&r);
    return !r.nomem && take_pairs(m, &r, m->end) && take_pairs(m, &r, m->end + MAPPED_PAGE - 1);
}

// ---

static bool find_mapper(struct mapped *m)
{
    bool xtensa = m->scan->fw->isa == IMAGE_ISA_XTENSA;
    if (!(xtensa ? find_literals(m) : find_pairs(m)))
        return false;
    if (!m->scan->fw->mapped_refs.n && !m->why)
        m->why =
            "code of ESP-IDF hands out the pages behind, and where it has their begin from was "
            "not found";
    else if (xtensa && is_shared_window(m) && has_external_data(m))
        m->why = "the linker has placed data in external RAM behind";
    return true;
}

bool mapped_scan(struct scan *s, const struct image_segment *data)
{
    struct firmware *fw = s->fw;
    struct mapped m = {.scan = s, .data = data, .start = data->run, .end = data->run + data->size};
    if (!ck_align(m.end, MAPPED_PAGE, &fw->mapped_end))
        return true;
    if (has_mapper(&m) && !find_mapper(&m))
        return false;
    fw->mapped_grows = m.why ? FW_NO : FW_YES;
    if (m.why)
        fw->mapped_refs.n = 0;
    scan_note(s, "flash pages behind", fw->mapped_end,
              m.why               ? m.why
              : fw->mapped_refs.n ? "where the flash mapper has its begin from was found"
                                  : "this release of ESP-IDF looks for pages that are not in use",
              m.why ? "in use" : "free");
    return true;
}
