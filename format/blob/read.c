// Encoded blob to model. layout.c has checked every bound before anything here looks at a byte.
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "format/blob/modules.h"

const char *blob_fault_text(enum blob_fault f)
{
    static const char *const text[BLOB_FAULTS] = {
        [BLOB_SOUND] = "sound",
        [BLOB_FAULT_SHORT] = "ends within the header",
        [BLOB_FAULT_MAGIC] = "no blob begins here",
        [BLOB_FAULT_VERSION] = "unknown format version",
        [BLOB_FAULT_FLAGS] = "unknown flags",
        [BLOB_FAULT_ADDRESS] = "impossible address",
        [BLOB_FAULT_SIZE] = "the size does not fit its place or its parts",
        [BLOB_FAULT_SECTIONS] = "a section does not fit",
        [BLOB_FAULT_ZEROS] = "bytes that must be zero are not",
        [BLOB_FAULT_EXTENTS] = "extents overlap, are unsorted, reach into the blob, or are cut off",
        [BLOB_FAULT_PATCHES] = "patches overlap, are unsorted, reach into the blob, or are cut off",
        [BLOB_FAULT_PATCH_PLACE] = "a patch lies outside the base",
        [BLOB_FAULT_MODULES] = "modules are not as counted, or a name is not in its place",
        [BLOB_FAULT_SIGNATURES] = "broken, unknown or repeated signature",
    };
    return f < BLOB_FAULTS ? text[f] : "broken";
}

// The name of the part that a fault concerns.
static const char *read_field(enum blob_fault f)
{
    switch (f) {
    case BLOB_FAULT_EXTENTS:
        return "extents";
    case BLOB_FAULT_PATCHES:
    case BLOB_FAULT_PATCH_PLACE:
        return "patches";
    case BLOB_FAULT_MODULES:
        return "modules";
    case BLOB_FAULT_SIGNATURES:
        return "signatures";
    default:
        return "blob header";
    }
}

static bool read_patches(struct blob *b, struct arena *a)
{
    const struct blob_layout *l = &b->layout;
    const uint8_t *p = l->bytes + l->at[BLOB_PATCHES];
    for (uint32_t at = l->at[BLOB_PATCHES]; at != l->at[BLOB_PATCHES + 1]; b->n_patches++) {
        at += BLOB_PATCH_HEAD + 2 * ld32(l->bytes + at + 8);
    }
    struct blob_patch *patches = ARENA_ARRAY(a, struct blob_patch, b->n_patches);
    for (uint32_t i = 0; patches && i < b->n_patches; i++) {
        struct blob_patch_at at;
        p = blob_layout_patch(p, &at);
        patches[i] = (struct blob_patch){at.addr, at.size, at.old_bytes, at.new_bytes};
    }
    b->patches = patches;
    return patches != NULL;
}

static bool read_extents(struct blob *b, struct arena *a)
{
    const struct blob_layout *l = &b->layout;
    const uint8_t *p = l->bytes + l->at[BLOB_EXTENTS];
    b->n_extents = (l->at[BLOB_EXTENTS + 1] - l->at[BLOB_EXTENTS]) / BLOB_EXTENT_SIZE;
    struct blob_extent *extents = ARENA_ARRAY(a, struct blob_extent, b->n_extents);
    for (uint32_t i = 0; extents && i < b->n_extents; i++, p += BLOB_EXTENT_SIZE) {
        extents[i] =
            (struct blob_extent){ld64(p), ld32(p + 8), (enum blob_extent_kind)ld32(p + 12)};
    }
    b->extents = extents;
    return extents != NULL;
}

static void read_signatures(struct blob *b)
{
    const uint8_t *p = b->layout.bytes + b->layout.at[BLOB_SECTIONS];
    b->n_signatures = b->layout.n_signatures;
    for (uint32_t i = 0; i < b->n_signatures; i++) {
        struct blob_signature *s = &b->signatures[i];
        s->algorithm = (enum blob_algorithm)ld32(p);
        s->size = ld32(p + 4);
        memcpy(s->key_id, p + 8, BLOB_DIGEST);
        s->data = p + BLOB_SIGNATURE_HEAD;
        p += BLOB_SIGNATURE_HEAD + s->size;
    }
}

static const char *read_text(const uint8_t *field, struct arena *a)
{
    const uint8_t *end = memchr(field, 0, BLOB_TEXT);
    return arena_strndup(a, (const char *)field, end ? (size_t)(end - field) : BLOB_TEXT);
}

static void read_header(struct blob *b, const uint8_t *h)
{
    b->addr = b->layout.addr;
    b->segment_flags = ld32(h + BLOB_AT_FLAGS) & BLOB_FLAGS;
    b->signature_space = ld32(h + BLOB_AT_SIGNATURE_SPACE);
    b->counter = ld64(h + BLOB_AT_COUNTER);
    b->profile_id = ld32(h + BLOB_AT_PROFILE);
    b->container = ld32(h + BLOB_AT_CONTAINER);
    b->base_file_size = ld64(h + BLOB_AT_BASE_FILE_SIZE);
    b->base_space_size = ld64(h + BLOB_AT_BASE_SPACE_SIZE);
    memcpy(b->base_file_sha256, h + BLOB_AT_BASE_FILE, BLOB_DIGEST);
    memcpy(b->base_space_sha256, h + BLOB_AT_BASE_SPACE, BLOB_DIGEST);
}

static void read_plain(const struct blob_layout *l, enum blob_section s, const uint8_t **data,
                       uint32_t *size)
{
    *data = l->bytes + l->at[s];
    *size = l->at[s + 1] - l->at[s];
}

// One of the patches fills the run of machine code, of which the base knows nothing.
static bool read_code_patch(const struct blob *b)
{
    for (uint32_t i = 0; i < b->n_patches; i++) {
        const struct blob_patch *p = &b->patches[i];
        if (p->addr == b->code.addr && p->size == b->code.size) {
            return blob_filled(p->old_bytes, p->size, 0);
        }
    }
    return false;
}

// What stands before the container's own record where machine code lies apart.
static bool read_code(struct blob *b)
{
    const uint8_t *p = b->undo;
    if (!(b->segment_flags & IMAGE_APART)) {
        return true;
    }
    if (b->undo_size < BLOB_CODE_HEAD || ld32(p + 12) > b->undo_size - BLOB_CODE_HEAD) {
        return false;
    }
    b->code = (struct blob_code){ld64(p), ld32(p + 8), ld32(p + 12), p + BLOB_CODE_HEAD};
    b->undo += BLOB_CODE_HEAD + b->code.undo_size;
    b->undo_size -= BLOB_CODE_HEAD + b->code.undo_size;
    return read_code_patch(b);
}

// The layout is sound.
static enum diag_code read_model(const struct blob_layout *l, struct arena *a, struct diag *d,
                                 struct blob **out)
{
    struct blob *b = ARENA_NEW(a, struct blob);
    if (!b) {
        return diag_nomem(d);
    }
    b->layout = *l;
    read_header(b, l->bytes);
    read_plain(l, BLOB_PAYLOAD, &b->payload, &b->payload_size);
    read_plain(l, BLOB_UNDO, &b->undo, &b->undo_size);
    read_plain(l, BLOB_SBOM, &b->sbom, &b->sbom_size);
    read_signatures(b);
    b->app = read_text(l->bytes + BLOB_AT_APP, a);
    b->app_version = read_text(l->bytes + BLOB_AT_APP_VERSION, a);
    if (!b->app || !b->app_version || !read_patches(b, a) || !read_extents(b, a) ||
        !blob_modules_read(b, a)) {
        return diag_nomem(d);
    }
    if (!read_code(b)) {
        return diag_set_binary(d, DIAG_MALFORMED, NULL, l->at[BLOB_UNDO], "undo",
                               "does not name a patch that holds the machine code");
    }
    *out = b;
    return DIAG_OK;
}

// Faults of the header are told by what they are; this is where that is.
static uint32_t read_fault_at(enum blob_fault f, const struct blob_layout *l)
{
    switch (f) {
    case BLOB_FAULT_VERSION:
        return BLOB_AT_VERSION;
    case BLOB_FAULT_FLAGS:
        return BLOB_AT_FLAGS;
    case BLOB_FAULT_ADDRESS:
        return BLOB_AT_ADDR;
    case BLOB_FAULT_ZEROS:
        return BLOB_AT_RESERVED;
    case BLOB_FAULT_SIZE:
        return BLOB_AT_SIZE;
    default:
        return l->fault_at;
    }
}

// What was found and what is allowed.
static void read_help(struct diag *d, enum blob_fault f, const uint8_t *p, size_t available)
{
    switch (f) {
    case BLOB_FAULT_VERSION:
        diag_help(d, "found version %u with a header of %u bytes; this program knows version %d",
                  ld16(p + BLOB_AT_VERSION), ld16(p + BLOB_AT_HEADER_SIZE), BLOB_VERSION);
        break;
    case BLOB_FAULT_FLAGS:
        diag_help(d, "found 0x%x; this program knows 0x%x", ld32(p + BLOB_AT_FLAGS), BLOB_FLAGS);
        break;
    case BLOB_FAULT_ADDRESS:
        diag_help(d, "found 0x%" PRIx64 "; allowed are multiples of %d", ld64(p + BLOB_AT_ADDR),
                  BLOB_ALIGN);
        break;
    case BLOB_FAULT_SIZE:
        diag_help(d, "found %u bytes with %u for signatures; %zu bytes are there",
                  ld32(p + BLOB_AT_SIZE), ld32(p + BLOB_AT_SIGNATURE_SPACE), available);
        break;
    default:
        break;
    }
}

static enum diag_code read_fault(struct diag *d, const char *name, const struct blob_layout *l,
                                 enum blob_fault f, size_t available)
{
    enum diag_code err = diag_set_binary(d, DIAG_MALFORMED, name, read_fault_at(f, l),
                                         read_field(f), "%s", blob_fault_text(f));
    read_help(d, f, l->bytes, available);
    return err;
}

enum diag_code blob_read(const uint8_t *data, size_t size, const char *name, struct arena *a,
                         struct diag *d, struct blob **out)
{
    struct blob_layout l;
    *out = NULL;
    if (size > BLOB_SIZE_MAX) {
        return diag_set(d, DIAG_MALFORMED, name, "is larger than any blob");
    }
    enum blob_fault f = blob_layout_read(data, (uint32_t)size, &l);
    if (f) {
        return read_fault(d, name, &l, f, size);
    }
    if (l.size != size) {
        return diag_set_binary(d, DIAG_MALFORMED, name, l.size, "blob",
                               "%zu bytes follow the blob, none may", size - l.size);
    }
    return read_model(&l, a, d, out);
}

// Each place that begins like a blob costs a look at all of what it says is its own. No firmware
// has more of them than this; a file made to take long has.
enum { FIND_BROKEN_MAX = 64 };

struct find {
    struct image *img;
    struct blob_layout found; // size 0 = none yet
    uint64_t found_at;        // offset in its segment
    unsigned n_found, n_broken;
    // The first place where something begins like a blob but is none.
    enum blob_fault fault;
    bool moved;
    uint64_t place, fault_at, meant;
};

static void find_note(struct find *f, enum blob_fault fault, bool moved, uint64_t place,
                      const struct blob_layout *l)
{
    if (f->n_broken++ == 0) {
        f->fault = fault;
        f->moved = moved;
        f->place = place;
        f->fault_at = place + read_fault_at(fault, l);
        f->meant = l->addr;
    }
}

// Looks at a place that begins like a blob; returns how many bytes to skip.
static size_t find_at(struct find *f, const struct image_segment *s, size_t at)
{
    struct blob_layout l;
    uint64_t left = s->size - at;
    enum blob_fault fault =
        blob_layout_read(s->data + at, left > BLOB_SIZE_MAX ? BLOB_SIZE_MAX : (uint32_t)left, &l);
    bool moved = fault == BLOB_SOUND && f->img->base_known && l.addr != s->addr + at;
    // A raw image's base comes from its blob, as long as the image fits into the address space
    // then.
    moved |= fault == BLOB_SOUND && !f->img->base_known &&
             (l.addr < at || l.addr - at > UINT64_MAX - s->size);
    if (fault || moved) {
        find_note(f, fault, moved, s->addr + at, &l);
        return 1;
    }
    f->n_found++;
    if (f->n_found == 1) {
        f->found = l;
        f->found_at = at;
    }
    return l.size; // what looks like a blob within a payload is payload
}

// Magic and header size: a boot loader may hold the magic as a constant.
static bool find_begins(const struct image_segment *s, size_t at)
{
    return s->size - at >= BLOB_AT_FLAGS && blob_layout_begins(s->data + at) &&
           ld16(s->data + at + BLOB_AT_HEADER_SIZE) == BLOB_HEADER;
}

// Tries every step-th byte from offset at on.
static void find_in_segment(struct find *f, const struct image_segment *s, size_t at, size_t step)
{
    while (at < s->size && f->n_broken < FIND_BROKEN_MAX) {
        if (s->data[at] != 'm') {
            const uint8_t *m = step > 1 ? NULL : memchr(s->data + at, 'm', s->size - at);
            at = m ? (size_t)(m - s->data) : step > 1 ? at + step : (size_t)s->size;
            continue;
        }
        size_t skip = find_begins(s, at) ? find_at(f, s, at) : step;
        at += (skip + step - 1) / step * step;
    }
}

// Blobs lie at multiples of BLOB_ALIGN. A raw image may have a head of any length in front, but
// hardly ever has.
static void find_all(struct find *f)
{
    for (unsigned i = 0; i < f->img->n_segments; i++) {
        const struct image_segment *s = &f->img->segments[i];
        uint64_t addr = f->img->base_known ? s->addr : 0;
        find_in_segment(f, s, (size_t)(-addr % BLOB_ALIGN), BLOB_ALIGN);
    }
    for (unsigned i = 0; i < f->img->n_segments && !f->img->base_known && !f->n_found; i++) {
        find_in_segment(f, &f->img->segments[i], 0, 1);
    }
}

static enum diag_code find_failed(const struct find *f, struct diag *d)
{
    if (f->n_broken == FIND_BROKEN_MAX) {
        return diag_set(d, DIAG_MALFORMED, f->img->name,
                        "at %d places or more something begins like a blob and is none",
                        FIND_BROKEN_MAX);
    }
    if (f->n_found > 1) {
        return diag_set(d, DIAG_MALFORMED, f->img->name, "holds %u blobs, one is allowed",
                        f->n_found);
    }
    if (f->moved) {
        return diag_set(d, DIAG_MALFORMED, f->img->name,
                        "the blob at 0x%" PRIx64 " belongs at 0x%" PRIx64 ": it was moved",
                        f->place, f->meant);
    }
    if (f->fault) {
        return diag_set(d, DIAG_MALFORMED, f->img->name,
                        "the blob at 0x%" PRIx64 " is broken at 0x%" PRIx64 ": %s: %s", f->place,
                        f->fault_at, read_field(f->fault), blob_fault_text(f->fault));
    }
    return DIAG_OK;
}

enum diag_code blob_find(struct image *img, struct arena *a, struct diag *d, struct blob **out)
{
    struct find f = {.img = img};
    *out = NULL;
    find_all(&f);
    if (f.n_found != 1 || f.n_broken == FIND_BROKEN_MAX) {
        return find_failed(&f, d);
    }
    if (!img->base_known) {
        image_rebase(img, f.found.addr - f.found_at);
    }
    return read_model(&f.found, a, d, out);
}

const char *blob_damaged(const struct blob *b)
{
    const struct blob_layout *l = &b->layout;
    for (unsigned s = 0; s < BLOB_SECTIONS; s++) {
        const uint8_t *entry = l->bytes + BLOB_AT_SECTIONS + s * BLOB_SECTION_ENTRY;
        if (XXH3_64bits(l->bytes + l->at[s], l->at[s + 1] - l->at[s]) !=
            ld64(entry + BLOB_SECTION_XXH3)) {
            return blob_section_name((enum blob_section)s);
        }
    }
    return NULL;
}
