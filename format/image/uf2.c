// UF2: 512-byte blocks, each with its own target address. A file may hold blocks of several
// families (chips) and blocks that do not go to flash. The address space is that of the family with
// the most bytes; everything else is carried along unchanged. Facts: the UF2 specification; the
// RP2040 boot ROM takes only blocks of 256 bytes whose address is a multiple of 256.
#include "format/image/uf2.h"

#include <ctype.h>
#include <inttypes.h>

#include "format/image/gather.h"
#include "format/number.h"

enum {

    UF2_DATA = 32, // offset of the data in a block
    UF2_DATA_MAX = 476,
    UF2_NOT_FLASH = 0x1, // flags
    UF2_CONTAINER = 0x1000,
    UF2_FAMILY = 0x2000,
    UF2_MD5 = 0x4000,
    UF2_FAMILIES_MAX = 16, // in one file
    UF2_WORKAROUND = 0xef, // all bytes of the block for erratum E10
};
#define UF2_RP2_ABSOLUTE 0xe48bff57u
#define UF2_MAGIC_0 0x0a324655u
#define UF2_MAGIC_1 0x9e5d5157u
#define UF2_MAGIC_END 0x0ab16f30u

struct uf2_block {
    uint32_t flags, addr, size, number, count, family;
    bool flash; // goes to flash
};

struct uf2_family {
    uint32_t id; // UF2_NO_FAMILY: blocks without one
    bool named;
    uint64_t bytes;
};

struct uf2 {
    struct image_pieces pieces;
    struct uf2_family families[UF2_FAMILIES_MAX];
    unsigned n_families, main;
    bool shared_count; // one numbering over all blocks of the file
    bool has_md5;
    uint32_t count;      // number of blocks that the main family's blocks state
    size_t last;         // file offset behind the last block of the main family
    struct uf2_app *app; // NULL: the blocks are the address space
};

static const struct {
    uint32_t id;
    const char *name;
    enum image_machine machine;
} uf2_names[] = {
    {0xe48bff56, "RP2040", IMAGE_ISA_THUMB},
    {UF2_RP2_ABSOLUTE, "RP2 absolute", IMAGE_ISA_UNKNOWN},
    {0xe48bff58, "RP2 data", IMAGE_ISA_UNKNOWN},
    {0xe48bff59, "RP2350 Arm secure", IMAGE_ISA_THUMB},
    {0xe48bff5a, "RP2350 RISC-V", IMAGE_ISA_RV32},
    {0xe48bff5b, "RP2350 Arm non-secure", IMAGE_ISA_THUMB},
    {0x68ed2b88, "SAMD21", IMAGE_ISA_THUMB},
    {0x55114460, "SAMD51", IMAGE_ISA_THUMB},
    {0x1851780a, "SAML21", IMAGE_ISA_THUMB},
    {0x1b57745f, "nRF52", IMAGE_ISA_THUMB},
    {0x621e937a, "nRF52833", IMAGE_ISA_THUMB},
    {0xada52840, "nRF52840", IMAGE_ISA_THUMB},
    {0x647824b6, "STM32F0", IMAGE_ISA_THUMB},
    {0x57755a57, "STM32F4", IMAGE_ISA_THUMB},
    {0x6d0922fa, "STM32F407", IMAGE_ISA_THUMB},
    {0x8fb060fe, "STM32F407VG", IMAGE_ISA_THUMB},
    {0x53b80f00, "STM32F7", IMAGE_ISA_THUMB},
    {0x300f5633, "STM32G0", IMAGE_ISA_THUMB},
    {0x4c71240a, "STM32G4", IMAGE_ISA_THUMB},
    {0x6db66082, "STM32H7", IMAGE_ISA_THUMB},
    {0x202e3a91, "STM32L0", IMAGE_ISA_THUMB},
    {0x00ff6919, "STM32L4", IMAGE_ISA_THUMB},
    {0x04240bdf, "STM32L5", IMAGE_ISA_THUMB},
    {0x70d16653, "STM32WB", IMAGE_ISA_THUMB},
    {0x21460ff0, "STM32WL", IMAGE_ISA_THUMB},
    {0x4fb2d5bd, "i.MX RT10xx", IMAGE_ISA_THUMB},
    {0x7eab61ed, "ESP8266", IMAGE_ISA_XTENSA},
    {0x1c5f21b0, "ESP32", IMAGE_ISA_XTENSA},
    {0xbfdd4eee, "ESP32-S2", IMAGE_ISA_XTENSA},
    {0xc47e5767, "ESP32-S3", IMAGE_ISA_XTENSA},
    {0xd42ba06c, "ESP32-C3", IMAGE_ISA_RV32},
    {0x540ddf62, "ESP32-C6", IMAGE_ISA_RV32},
};

static int uf2_name(const struct uf2_family *f)
{
    for (unsigned i = 0; f->named && i < sizeof uf2_names / sizeof uf2_names[0]; i++) {
        if (uf2_names[i].id == f->id) {
            return (int)i;
        }
    }
    return -1;
}

static void uf2_load(const uint8_t *p, struct uf2_block *b)
{
    b->flags = ld32(p + 8);
    b->addr = ld32(p + 12);
    b->size = ld32(p + 16);
    b->number = ld32(p + 20);
    b->count = ld32(p + 24);
    b->family = b->flags & UF2_FAMILY ? ld32(p + 28) : 0;
    b->flash = !(b->flags & (UF2_NOT_FLASH | UF2_CONTAINER)) && b->size;
}

static enum diag_code uf2_bad(const struct image *img, size_t at, const char *field, uint32_t found,
                              const char *text, struct diag *d)
{
    return diag_set_binary(d, DIAG_MALFORMED, img->name, at, field, "is 0x%x, %s", found, text);
}

static enum diag_code uf2_check(const struct image *img, size_t at, struct diag *d)
{
    const uint8_t *p = img->file + at;
    if (ld32(p) != UF2_MAGIC_0) {
        return uf2_bad(img, at, "magicStart0", ld32(p), "a UF2 block must begin with 0x0a324655",
                       d);
    }
    if (ld32(p + 4) != UF2_MAGIC_1) {
        return uf2_bad(img, at + 4, "magicStart1", ld32(p + 4), "it must be 0x9e5d5157", d);
    }
    if (ld32(p + 508) != UF2_MAGIC_END) {
        return uf2_bad(img, at + 508, "magicEnd", ld32(p + 508), "it must be 0x0ab16f30", d);
    }
    struct uf2_block b;
    uf2_load(p, &b);
    if (b.size > UF2_DATA_MAX) {
        return uf2_bad(img, at + 16, "payloadSize", b.size, "at most 476 bytes fit", d);
    }
    if (b.number >= b.count && b.flash) {
        return uf2_bad(img, at + 20, "blockNo", b.number, "it must be less than numBlocks", d);
    }
    return b.addr > UINT32_MAX - b.size
               ? uf2_bad(img, at + 12, "targetAddr", b.addr, "the block ends past 4 GiB", d)
               : DIAG_OK;
}

static bool uf2_is(const struct uf2_family *f, const struct uf2_block *b)
{
    return f->named == !!(b->flags & UF2_FAMILY) && f->id == b->family;
}

static enum diag_code uf2_count(struct uf2 *u, const struct image *img, size_t at,
                                const struct uf2_block *b, struct diag *d)
{
    for (unsigned i = 0; i < u->n_families; i++) {
        if (uf2_is(&u->families[i], b)) {
            u->families[i].bytes += b->size;
            return DIAG_OK;
        }
    }
    if (u->n_families == UF2_FAMILIES_MAX) {
        return uf2_bad(img, at + 28, "familyID", b->family, "too many families in one file", d);
    }
    u->families[u->n_families++] =
        (struct uf2_family){.id = b->family, .named = b->flags & UF2_FAMILY, .bytes = b->size};
    return DIAG_OK;
}

// First pass: all blocks are sound; which families there are.
static enum diag_code uf2_scan(struct uf2 *u, const struct image *img, struct diag *d)
{
    for (size_t at = 0; at < img->file_size; at += UF2_BLOCK) {
        enum diag_code err = uf2_check(img, at, d);
        if (err) {
            return err;
        }
        struct uf2_block b;
        uf2_load(img->file + at, &b);
        err = b.flash ? uf2_count(u, img, at, &b, d) : DIAG_OK;
        if (err) {
            return err;
        }
    }
    for (unsigned i = 1; i < u->n_families; i++) {
        u->main = u->families[i].bytes > u->families[u->main].bytes ? i : u->main;
    }
    return u->n_families ? DIAG_OK
                         : diag_set_binary(d, DIAG_MALFORMED, img->name, 0, "flags",
                                           "no block goes to flash");
}

static bool uf2_is_main(const struct uf2 *u, const struct uf2_block *b)
{
    return b->flash && uf2_is(&u->families[u->main], b);
}

// Boot loaders of Espressif chips take the file of an app, block by block.
static enum diag_code uf2_find_app(struct image *img, struct uf2 *u, struct diag *d)
{
    const struct image_segment *s = &img->segments[0];
    const struct uf2_family *f = &u->families[u->main];
    if (img->n_segments != 1 || !esp_is_app(s->data, s->size)) {
        return DIAG_OK;
    }
    if (!(u->app = ARENA_NEW(img->arena, struct uf2_app))) {
        return diag_nomem(d);
    }
    *u->app = (struct uf2_app){.flat = s->data, .size = s->size, .base = (uint32_t)s->addr};
    u->app->family = f->id;
    u->app->named = f->named;
    // Offsets in messages count from the start of the app.
    enum diag_code err = esp_parse(s->data, s->size, 0, !img->unsealed, img->name, &u->app->app, d);
    img->n_segments = 0;
    img->segments = NULL;
    err = err ? err : esp_segments(img, &u->app->app, u->app->flat, d);
    for (unsigned i = 0; i < img->n_segments; i++) {
        img->segments[i].file_offset = UINT64_MAX; // scattered
    }
    return err;
}

// A boot loader waits for as many blocks as the blocks state: fewer are a file that was cut off.
static enum diag_code uf2_check_count(const struct uf2 *u, const struct image *img, struct diag *d)
{
    size_t found = 0;
    for (size_t at = 0; at < img->file_size; at += UF2_BLOCK) {
        struct uf2_block b;
        uf2_load(img->file + at, &b);
        found += b.count == u->count;
    }
    if (found >= u->count) {
        return DIAG_OK;
    }
    diag_set_binary(d, DIAG_MALFORMED, img->name, img->file_size, "numBlocks",
                    "the file is cut off: its blocks state that they are %" PRIu32 ", found %zu",
                    u->count, found);
    diag_help(d, "get the file once more");
    return DIAG_MALFORMED;
}

static enum diag_code uf2_read(struct image *img, struct diag *d)
{
    struct uf2 *u = ARENA_NEW(img->arena, struct uf2);
    if (!u) {
        return diag_nomem(d);
    }
    if (img->file_size % UF2_BLOCK) {
        return diag_set_binary(d, DIAG_MALFORMED, img->name, img->file_size, "block",
                               "the file ends within a block of 512 bytes");
    }
    enum diag_code err = uf2_scan(u, img, d);
    for (size_t at = 0; at < img->file_size && !err; at += UF2_BLOCK) {
        struct uf2_block b;
        uf2_load(img->file + at, &b);
        u->has_md5 |= (b.flags & UF2_MD5) != 0;
        if (uf2_is_main(u, &b)) {
            u->count = u->pieces.n ? u->count : b.count;
            u->last = at + UF2_BLOCK;
            err = image_piece_add(img->arena, &u->pieces, b.addr, b.size, at + UF2_DATA)
                      ? DIAG_OK
                      : diag_nomem(d);
        }
    }
    err = err ? err : uf2_check_count(u, img, d);
    err = err ? err : image_gather(img, &u->pieces, "targetAddr", "flash", d);
    if (err) {
        return err;
    }
    for (size_t i = 0; i < u->pieces.n; i++) {
        const struct image_piece *p = &u->pieces.items[i];
        memcpy(p->data, img->file + p->at, p->size);
    }
    u->shared_count = u->n_families > 1 && u->count == img->file_size / UF2_BLOCK;
    int name = uf2_name(&u->families[u->main]);
    img->machine = name < 0 ? IMAGE_ISA_UNKNOWN : uf2_names[name].machine;
    img->address_bits = 32;
    img->container = u;
    return uf2_find_app(img, u, d);
}

// For the RP2350 a block is put in front of all others whose only purpose is to be written: erratum
// E10 of the chip.
static bool uf2_is_workaround(const struct uf2_block *b, const uint8_t *data)
{
    bool same = b->family == UF2_RP2_ABSOLUTE;
    for (uint32_t i = 0; i < b->size; i++) {
        same = same && data[i] == UF2_WORKAROUND;
    }
    return same;
}

static bool uf2_elsewhere(const struct image *img, uint64_t *offset)
{
    const struct uf2 *u = img->container;
    for (*offset = 0; *offset < img->file_size; *offset += UF2_BLOCK) {
        struct uf2_block b;
        const uint8_t *p = img->file + *offset;
        uf2_load(p, &b);
        if (!uf2_is_main(u, &b) && !uf2_is_workaround(&b, p + UF2_DATA)) {
            return true;
        }
    }
    return false;
}

static bool uf2_probe(const uint8_t *data, size_t size)
{
    return size >= 8 && ld32(data) == UF2_MAGIC_0 && ld32(data + 4) == UF2_MAGIC_1;
}

static const char *uf2_family_name(const struct uf2_family *f, struct arena *a)
{
    int name = uf2_name(f);
    if (name >= 0) {
        return uf2_names[name].name;
    }
    return f->named ? arena_printf(a, "0x%08x", f->id) : "none";
}

static const char *uf2_describe(const struct image *img, struct arena *a)
{
    const struct uf2 *u = img->container;
    const char *text = uf2_family_name(&u->families[u->main], a);
    text =
        text ? arena_printf(a, "UF2%s, family %s", u->app ? " of an app image" : "", text) : NULL;
    for (unsigned i = 0; i < u->n_families && text; i++) {
        if (i != u->main) {
            const char *other = uf2_family_name(&u->families[i], a);
            text = other ? arena_printf(a, "%s (also holds %s, %llu bytes)", text, other,
                                        (unsigned long long)u->families[i].bytes)
                         : NULL;
        }
    }
    return text;
}

const struct uf2_app *uf2_app_of(const struct image *img)
{
    return img->kind == IMAGE_UF2 ? ((const struct uf2 *)img->container)->app : NULL;
}

static void uf2_scatter(const struct uf2 *u, const uint8_t *flat, uint8_t *file)
{
    for (size_t i = 0; i < u->pieces.n; i++) {
        const struct image_piece *p = &u->pieces.items[i];
        memcpy(file + p->at, flat ? flat + (p->data - u->app->flat) : p->data, p->size);
    }
}

// Puts the sums of an app right, or to 0, in the file that its bytes were scattered over.
static void uf2_write_app(const struct image *img, bool seal, uint8_t *file, struct bytes_out *flat)
{
    const struct uf2 *u = img->container;
    bytes_put(flat, u->app->flat, (size_t)u->app->size);
    if (flat->failed || (seal && !img->unsealed && !memcmp(file, img->file, img->file_size))) {
        return;
    }
    if (seal) {
        esp_seal(&u->app->app, flat->data);
    } else {
        esp_unseal(&u->app->app, flat->data);
    }
    uf2_scatter(u, flat->data, file);
}

static enum diag_code uf2_write(const struct image *img, bool seal, struct bytes_out *out,
                                struct diag *d)
{
    const struct uf2 *u = img->container;
    size_t start = out->size;
    (void)d;
    bytes_put(out, img->file, img->file_size);
    if (!out->failed) {
        uf2_scatter(u, NULL, out->data + start);
    }
    if (!out->failed && u->app) {
        struct bytes_out flat;
        bytes_out_init(&flat);
        uf2_write_app(img, seal, out->data + start, &flat);
        out->failed |= flat.failed;
        bytes_out_free(&flat);
    }
    return DIAG_OK;
}

static void uf2_seal(struct image *img, uint8_t *file)
{
    const struct uf2 *u = img->container;
    if (u->app) {
        esp_seal(&u->app->app, img->work->own); // gathered: flat is in it
        uf2_scatter(u, NULL, file);
    }
}

// Changes the stated number of blocks from one value to another wherever it belongs to the main
// family's numbering.
static void uf2_renumber(const struct uf2 *u, uint8_t *file, size_t size, uint32_t from,
                         uint32_t to)
{
    for (size_t at = 0; at < size; at += UF2_BLOCK) {
        struct uf2_block b;
        uf2_load(file + at, &b);
        if (b.count == from && (u->shared_count || uf2_is_main(u, &b))) {
            st32(file + at + 24, to);
        }
    }
}

// Blocks for [addr, addr + size), widened to whole payloads.
static void uf2_range(uint64_t addr, uint64_t size, uint64_t *from, uint64_t *n)
{
    *from = addr & ~(uint64_t)(UF2_PAYLOAD - 1);
    *n = (addr + size - *from + UF2_PAYLOAD - 1) / UF2_PAYLOAD;
}

// An app can be restored only if its blocks are the file.
static enum diag_code uf2_check_app(const struct image *img, struct diag *d)
{
    const struct uf2 *u = img->container;
    struct bytes_out now;
    bytes_out_init(&now);
    bytes_put(&now, img->file, img->file_size);
    enum diag_code err = bytes_out_check(&now, d);
    if (!err) {
        uf2_scatter(u, NULL, now.data);
        err = uf2_app_check(u->app, img, now.data, d);
    }
    bytes_out_free(&now);
    return err;
}

static enum diag_code uf2_check_add(const struct image *img, uint64_t addr, uint64_t size,
                                    struct diag *d)
{
    const struct uf2 *u = img->container;
    uint64_t from, n;
    uf2_range(addr, size, &from, &n);
    if (u->app) {
        return uf2_check_app(img, d);
    }
    if (u->has_md5) {
        return diag_set(d, DIAG_NO, img->name,
                        "holds MD5 sums of flash regions, which would go stale");
    }
    if (from + n * UF2_PAYLOAD > UINT32_MAX || !image_is_free(img, from, n * UF2_PAYLOAD)) {
        return diag_set(d, DIAG_NO, img->name, "the 256-byte block at 0x%llx is partly in use",
                        (unsigned long long)from);
    }
    for (size_t at = 0; at < img->file_size; at += UF2_BLOCK) {
        struct uf2_block b;
        uf2_load(img->file + at, &b);
        if (b.count == u->count + n && b.count != u->count &&
            (u->shared_count || uf2_is_main(u, &b))) {
            return diag_set(d, DIAG_NO, img->name, "its blocks are numbered irregularly");
        }
    }
    return DIAG_OK;
}

static enum diag_code uf2_undo(const struct image *img, uint64_t addr, uint64_t size,
                               struct bytes_out *out, struct diag *d)
{
    const struct uf2 *u = img->container;
    enum diag_code err = uf2_check_add(img, addr, size, d);
    if (!err && u->app) {
        return uf2_app_undo(u->app, img, addr, size, out, d);
    }
    bytes_put_u64(out, img->file_size);
    return err;
}

void uf2_put_block(bool named, uint32_t family, uint32_t addr, const uint8_t data[UF2_PAYLOAD],
                   uint32_t number, uint32_t count, struct bytes_out *out)
{
    uint8_t block[UF2_BLOCK] = {0};
    st32(block, UF2_MAGIC_0);
    st32(block + 4, UF2_MAGIC_1);
    st32(block + 8, named ? UF2_FAMILY : 0);
    st32(block + 12, addr);
    st32(block + 16, UF2_PAYLOAD);
    st32(block + 20, number);
    st32(block + 24, count);
    st32(block + 28, named ? family : 0);
    memcpy(block + UF2_DATA, data, UF2_PAYLOAD);
    st32(block + 508, UF2_MAGIC_END);
    bytes_put(out, block, sizeof block);
}

// The block of a run at addr; what the run does not cover is 0.
static void uf2_put_run(const struct uf2 *u, const struct image_run *run, uint64_t addr,
                        uint32_t number, uint32_t count, struct bytes_out *out)
{
    const struct uf2_family *f = &u->families[u->main];
    uint8_t data[UF2_PAYLOAD];
    for (unsigned i = 0; i < UF2_PAYLOAD; i++) {
        uint64_t at = addr + i - run->addr; // wraps below the run
        data[i] = at < run->size ? run->bytes[at] : 0;
    }
    uf2_put_block(f->named, f->id, (uint32_t)addr, data, number, count, out);
}

// Letters and digits only, so that "stm32-f4" and "STM32F4" are one.
static bool uf2_same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, " -._");
        b += strspn(b, " -._");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) {
            return false;
        }
        if (!*a) {
            return true;
        }
    }
}

bool image_uf2_family(const char *name, uint32_t *family)
{
    uint64_t v;
    if (number_whole(name, &v) && v <= UINT32_MAX) {
        *family = (uint32_t)v;
        return true;
    }
    for (unsigned i = 0; i < sizeof uf2_names / sizeof uf2_names[0]; i++) {
        if (uf2_same_name(uf2_names[i].name, name)) {
            *family = uf2_names[i].id;
            return true;
        }
    }
    return false;
}

static enum diag_code uf2_add(const struct image *img, const struct image_run *run,
                              struct bytes_out *out, struct diag *d)
{
    const struct uf2 *u = img->container;
    uint64_t from, n;
    uf2_range(run->addr, run->size, &from, &n);
    enum diag_code err = uf2_check_add(img, run->addr, run->size, d);
    if (!err && u->app) {
        return uf2_app_add(u->app, img, run, out, d);
    }
    err = err ? err : uf2_write(img, false, out, d);
    if (err || out->failed) {
        return err;
    }
    struct bytes_out tail; // what follows the main family's last block
    bytes_out_init(&tail);
    bytes_put(&tail, out->data + u->last, out->size - u->last);
    uint32_t count = u->count + (uint32_t)n;
    out->size = u->last;
    for (uint64_t i = 0; i < n; i++) {
        uf2_put_run(u, run, from + i * UF2_PAYLOAD, u->count + (uint32_t)i, count, out);
    }
    bytes_put(out, tail.data, tail.size);
    out->failed |= tail.failed;
    bytes_out_free(&tail);
    if (!out->failed) {
        uf2_renumber(u, out->data, out->size, u->count, count);
    }
    return DIAG_OK;
}

static enum diag_code uf2_remove(const struct image *img, const struct image_undo *undo,
                                 struct bytes_out *out, struct diag *d)
{
    struct uf2 u = *(const struct uf2 *)img->container;
    uint64_t from, n;
    if (u.app) {
        return uf2_app_remove(u.app, img, undo, out, d);
    }
    uf2_range(undo->addr, undo->size, &from, &n);
    struct bytes_in in;
    bytes_in_init(&in, undo->bytes, undo->n, img->name, d);
    uint64_t size = bytes_u64(&in, "undo record");
    if (!in.failed && (n >= u.count || u.last < n * UF2_BLOCK || bytes_left(&in) ||
                       size + n * UF2_BLOCK != img->file_size)) {
        return bytes_fail(&in, "undo record", "does not belong to this image");
    }
    enum diag_code err = in.failed ? in.failed : uf2_write(img, false, out, d);
    if (err || out->failed) {
        return err;
    }
    size_t cut = u.last - (size_t)n * UF2_BLOCK;
    memmove(out->data + cut, out->data + u.last, out->size - u.last);
    out->size -= (size_t)n * UF2_BLOCK;
    uf2_renumber(&u, out->data, out->size, u.count, u.count - (uint32_t)n);
    return DIAG_OK;
}

static uint64_t uf2_room(const struct image *img, uint64_t addr, uint64_t space)
{
    const struct uf2_app *app = uf2_app_of(img);
    return app ? esp_room(&app->app, space, addr) : UINT64_MAX;
}

const struct image_ops image_uf2_ops = {
    .kind = IMAGE_UF2,
    .name = "uf2",
    .extension = ".uf2",
    .granule = UF2_PAYLOAD,
    .probe = uf2_probe,
    .elsewhere = uf2_elsewhere,
    .read = uf2_read,
    .describe = uf2_describe,
    .write = uf2_write,
    .seal = uf2_seal,
    .undo = uf2_undo,
    .add = uf2_add,
    .remove = uf2_remove,
    .room = uf2_room,
};
