#include "format/blob/layout.h"

// The magic is stored inverted so that a boot loader that holds this code does not hold the magic.
static const uint8_t layout_magic_inverted[BLOB_MAGIC] = {
    // "mpy-freeze blob\n"
    0xff ^ 'm', 0xff ^ 'p', 0xff ^ 'y', 0xff ^ '-', 0xff ^ 'f', 0xff ^ 'r', 0xff ^ 'e', 0xff ^ 'e',
    0xff ^ 'z', 0xff ^ 'e', 0xff ^ ' ', 0xff ^ 'b', 0xff ^ 'l', 0xff ^ 'o', 0xff ^ 'b', 0xff ^ '\n',
};

uint32_t blob_ld32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t blob_ld64(const uint8_t *p)
{
    return blob_ld32(p) | (uint64_t)blob_ld32(p + 4) << 32;
}

uint32_t blob_layout_signature_size(uint32_t algorithm)
{
    switch (algorithm) {
    case BLOB_ECDSA_P256:
        return 64;
    case BLOB_ECDSA_P384:
        return 96;
    case BLOB_RSA_PSS_3072:
        return 384;
    default:
        return 0;
    }
}

const uint8_t *blob_layout_patch(const uint8_t *p, struct blob_patch_at *patch)
{
    patch->addr = blob_ld64(p);
    patch->size = blob_ld32(p + 8);
    patch->old_bytes = p + BLOB_PATCH_HEAD;
    patch->new_bytes = patch->old_bytes + patch->size;
    return patch->new_bytes + patch->size;
}

static enum blob_fault layout_fail(struct blob_layout *l, uint32_t at, enum blob_fault fault)
{
    l->fault_at = at;
    return fault;
}

int blob_layout_begins(const uint8_t *bytes, uint32_t available)
{
    if (available < BLOB_AT_FLAGS) {
        return 0;
    }
    for (unsigned i = 0; i < BLOB_MAGIC; i++) {
        if ((bytes[i] ^ layout_magic_inverted[i]) != 0xff) {
            return 0;
        }
    }
    return bytes[BLOB_AT_HEADER_SIZE] == (BLOB_HEADER & 0xff) &&
           bytes[BLOB_AT_HEADER_SIZE + 1] == BLOB_HEADER >> 8;
}

static int layout_zeros(const uint8_t *p, uint32_t from, uint32_t to)
{
    uint8_t any = 0;
    for (; from < to; from++) {
        any |= p[from];
    }
    return any == 0;
}

// Text: no control characters, zeros up to the end of the field, at least one of them.
static int layout_text(const uint8_t *p)
{
    unsigned n = 0;
    while (n < BLOB_TEXT && p[n] >= 0x20 && p[n] != 0x7f) {
        n++;
    }
    return n < BLOB_TEXT && layout_zeros(p, n, BLOB_TEXT);
}

// [addr, addr + size) without overflow, not empty, and apart from the blob itself.
static int layout_range(const struct blob_layout *l, uint64_t addr, uint32_t size)
{
    return size != 0 && addr <= UINT64_MAX - size &&
           (addr + size <= l->addr || addr >= l->addr + l->size);
}

static enum blob_fault layout_header(struct blob_layout *l, uint32_t available)
{
    const uint8_t *p = l->bytes;
    if (available < BLOB_HEADER) {
        return layout_fail(l, available, BLOB_FAULT_SHORT);
    }
    if (!blob_layout_begins(p, available)) {
        return layout_fail(l, 0, BLOB_FAULT_MAGIC);
    }
    if (p[BLOB_AT_VERSION] != BLOB_VERSION || p[BLOB_AT_VERSION + 1] != 0) {
        return layout_fail(l, BLOB_AT_VERSION, BLOB_FAULT_VERSION);
    }
    if (blob_ld32(p + BLOB_AT_FLAGS) & ~(uint32_t)BLOB_FLAGS) {
        return layout_fail(l, BLOB_AT_FLAGS, BLOB_FAULT_FLAGS);
    }
    l->addr = blob_ld64(p + BLOB_AT_ADDR);
    l->size = blob_ld32(p + BLOB_AT_SIZE);
    if (l->size > BLOB_SIZE_MAX || l->size > available) {
        return layout_fail(l, BLOB_AT_SIZE, BLOB_FAULT_SIZE);
    }
    if (l->addr % BLOB_ALIGN != 0 || l->addr > UINT64_MAX - l->size) {
        return layout_fail(l, BLOB_AT_ADDR, BLOB_FAULT_ADDRESS);
    }
    if (!layout_text(p + BLOB_AT_APP) || !layout_text(p + BLOB_AT_APP_VERSION)) {
        return layout_fail(l, BLOB_AT_APP, BLOB_FAULT_TEXT);
    }
    if (!layout_zeros(p, BLOB_AT_RESERVED, BLOB_AT_SECTIONS)) {
        return layout_fail(l, BLOB_AT_RESERVED, BLOB_FAULT_ZEROS);
    }
    return BLOB_SOUND;
}

// The sections follow each other; what is left is the room for signatures, exactly.
static enum blob_fault layout_sections(struct blob_layout *l)
{
    uint32_t at = BLOB_HEADER;
    for (unsigned i = 0; i < BLOB_SECTIONS; i++) {
        const uint8_t *entry = l->bytes + BLOB_AT_SECTIONS + i * BLOB_SECTION_ENTRY;
        uint32_t entry_at = BLOB_AT_SECTIONS + i * BLOB_SECTION_ENTRY, size = blob_ld32(entry);
        if (size > l->size || at + size > l->size || blob_ld32(entry + 4) != 0) {
            return layout_fail(l, entry_at, BLOB_FAULT_SECTIONS);
        }
        l->at[i] = at;
        l->end[i] = at + size;
        at = (at + size + BLOB_SECTION_ALIGN - 1) & ~(uint32_t)(BLOB_SECTION_ALIGN - 1);
        if (at > l->size) {
            return layout_fail(l, entry_at, BLOB_FAULT_SECTIONS);
        }
        if (!layout_zeros(l->bytes, l->end[i], at)) {
            return layout_fail(l, l->end[i], BLOB_FAULT_ZEROS);
        }
    }
    l->at[BLOB_SECTIONS] = at;
    uint32_t space = blob_ld32(l->bytes + BLOB_AT_SIGNATURE_SPACE);
    if (space > BLOB_SPACE_MAX || space != l->size - at) {
        return layout_fail(l, BLOB_AT_SIGNATURE_SPACE, BLOB_FAULT_SIZE);
    }
    return BLOB_SOUND;
}

static enum blob_fault layout_extents(struct blob_layout *l)
{
    uint32_t at = l->at[BLOB_EXTENTS], size = l->end[BLOB_EXTENTS] - at;
    if (size % BLOB_EXTENT_SIZE != 0 ||
        size / BLOB_EXTENT_SIZE != blob_ld32(l->bytes + BLOB_AT_N_EXTENTS)) {
        return layout_fail(l, BLOB_AT_N_EXTENTS, BLOB_FAULT_EXTENTS);
    }
    uint64_t least = 0;
    for (; at < l->end[BLOB_EXTENTS]; at += BLOB_EXTENT_SIZE) {
        uint64_t addr = blob_ld64(l->bytes + at);
        uint32_t n = blob_ld32(l->bytes + at + 8);
        if (addr < least || !layout_range(l, addr, n) ||
            blob_ld32(l->bytes + at + 12) > BLOB_EXTENT_GAP) {
            return layout_fail(l, at, BLOB_FAULT_EXTENTS);
        }
        least = addr + n;
    }
    return BLOB_SOUND;
}

// True if [from, to) lies in extents that the base's container has bytes for. *at is the first
// extent that may still matter: ranges come in ascending order.
static int layout_covered(const struct blob_layout *l, uint64_t from, uint64_t to, uint32_t *at)
{
    for (; *at < l->end[BLOB_EXTENTS]; *at += BLOB_EXTENT_SIZE) {
        const uint8_t *p = l->bytes + *at;
        uint64_t addr = blob_ld64(p), end = addr + blob_ld32(p + 8);
        if (end <= from) {
            continue;
        }
        if (addr > from || blob_ld32(p + 12) == BLOB_EXTENT_GAP) {
            return 0;
        }
        if (end >= to) {
            return 1;
        }
        from = end;
    }
    return 0;
}

static enum blob_fault layout_patches(struct blob_layout *l)
{
    uint32_t at = l->at[BLOB_PATCHES], end = l->end[BLOB_PATCHES], n = 0;
    uint32_t extent = l->at[BLOB_EXTENTS];
    uint64_t least = 0;
    while (at < end) {
        struct blob_patch_at patch;
        uint32_t left = end - at;
        if (left < BLOB_PATCH_HEAD || blob_ld32(l->bytes + at + 8) > (left - BLOB_PATCH_HEAD) / 2) {
            return layout_fail(l, at, BLOB_FAULT_PATCHES);
        }
        const uint8_t *next = blob_layout_patch(l->bytes + at, &patch);
        if (patch.addr < least || !layout_range(l, patch.addr, patch.size)) {
            return layout_fail(l, at, BLOB_FAULT_PATCHES);
        }
        least = patch.addr + patch.size;
        if (!layout_covered(l, patch.addr, least, &extent)) {
            return layout_fail(l, at, BLOB_FAULT_PATCH_PLACE);
        }
        at = (uint32_t)(next - l->bytes);
        n++;
    }
    return n == blob_ld32(l->bytes + BLOB_AT_N_PATCHES)
               ? BLOB_SOUND
               : layout_fail(l, BLOB_AT_N_PATCHES, BLOB_FAULT_PATCHES);
}

static int layout_module(const struct blob_layout *l, const uint8_t *p, uint32_t left)
{
    uint32_t payload = l->end[BLOB_PAYLOAD] - l->at[BLOB_PAYLOAD];
    if (left < BLOB_MODULE_HEAD || p[9] == 0 || p[9] > left - BLOB_MODULE_HEAD) {
        return 0;
    }
    for (unsigned i = 0; i < p[9]; i++) {
        if (p[BLOB_MODULE_HEAD + i] < 0x20 || p[BLOB_MODULE_HEAD + i] == 0x7f) {
            return 0;
        }
    }
    uint32_t offset = blob_ld32(p), size = blob_ld32(p + 4);
    return offset <= payload && size <= payload - offset && p[8] <= 1 && p[10] == 0 && p[11] == 0;
}

static enum blob_fault layout_modules(struct blob_layout *l)
{
    uint32_t at = l->at[BLOB_MODULES], end = l->end[BLOB_MODULES], n = 0;
    while (at < end) {
        const uint8_t *p = l->bytes + at;
        if (!layout_module(l, p, end - at)) {
            return layout_fail(l, at, BLOB_FAULT_MODULES);
        }
        at += BLOB_MODULE_HEAD + p[9];
        n++;
    }
    return n == blob_ld32(l->bytes + BLOB_AT_N_MODULES)
               ? BLOB_SOUND
               : layout_fail(l, BLOB_AT_N_MODULES, BLOB_FAULT_MODULES);
}

// True if the key id at p is that of an earlier signature: one key counts once.
static int layout_repeated(const struct blob_layout *l, const uint8_t *p)
{
    const uint8_t *q = l->bytes + l->at[BLOB_SECTIONS];
    for (; q < p; q += BLOB_SIGNATURE_HEAD + blob_ld32(q + 4)) {
        uint8_t differs = 0;
        for (unsigned i = 8; i < BLOB_SIGNATURE_HEAD; i++) {
            differs |= p[i] ^ q[i];
        }
        if (!differs) {
            return 1;
        }
    }
    return 0;
}

// Signature records, then zeros up to the end.
static enum blob_fault layout_signatures(struct blob_layout *l)
{
    uint32_t at = l->at[BLOB_SECTIONS];
    for (l->n_signatures = 0; at < l->size && l->n_signatures < BLOB_COUNT_MAX; l->n_signatures++) {
        const uint8_t *p = l->bytes + at;
        uint32_t left = l->size - at;
        if (left < BLOB_SIGNATURE_HEAD || blob_ld32(p) == 0) {
            break;
        }
        uint32_t size = blob_layout_signature_size(blob_ld32(p));
        if (size == 0 || size != blob_ld32(p + 4) || size > left - BLOB_SIGNATURE_HEAD ||
            layout_repeated(l, p)) {
            return layout_fail(l, at, BLOB_FAULT_SIGNATURES);
        }
        at += BLOB_SIGNATURE_HEAD + size;
    }
    return layout_zeros(l->bytes, at, l->size) ? BLOB_SOUND
                                               : layout_fail(l, at, BLOB_FAULT_SIGNATURES);
}

enum blob_fault blob_layout_read(const uint8_t *bytes, uint32_t available, struct blob_layout *l)
{
    l->bytes = bytes;
    l->size = 0;
    l->n_signatures = 0;
    l->fault_at = 0;
    enum blob_fault fault = layout_header(l, available);
    if (fault == BLOB_SOUND) {
        fault = layout_sections(l);
    }
    if (fault == BLOB_SOUND) {
        fault = layout_extents(l);
    }
    if (fault == BLOB_SOUND) {
        fault = layout_patches(l);
    }
    if (fault == BLOB_SOUND) {
        fault = layout_modules(l);
    }
    if (fault == BLOB_SOUND) {
        fault = layout_signatures(l);
    }
    return fault;
}
