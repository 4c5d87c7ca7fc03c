#include "format/blob/layout.h"

// The magic is stored inverted so that a boot loader that holds this code does not hold the magic.
static const uint8_t layout_magic_inverted[BLOB_MAGIC] = {
    // "mpy-freeze blob\n"
    0xff ^ 'm', 0xff ^ 'p', 0xff ^ 'y', 0xff ^ '-', 0xff ^ 'f', 0xff ^ 'r', 0xff ^ 'e', 0xff ^ 'e',
    0xff ^ 'z', 0xff ^ 'e', 0xff ^ ' ', 0xff ^ 'b', 0xff ^ 'l', 0xff ^ 'o', 0xff ^ 'b', 0xff ^ '\n',
};

uint64_t blob_ld64(const uint8_t *p)
{
    return blob_ld32(p) | (uint64_t)blob_ld32(p + 4) << 32;
}

uint32_t blob_differs(const uint8_t *p, const uint8_t *q, uint32_t n)
{
    uint32_t differs = 0;
    while (n--) {
        differs |= *p++ ^ *q++;
    }
    return differs;
}

uint32_t blob_unlike(const uint8_t *p, uint32_t n, uint8_t value)
{
    uint32_t differs = 0;
    while (n--) {
        differs |= *p++ ^ value;
    }
    return differs;
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

int blob_layout_begins(const uint8_t bytes[BLOB_MAGIC])
{
    uint8_t same = 0xff;
    for (unsigned i = 0; i < BLOB_MAGIC; i++) {
        same &= bytes[i] ^ layout_magic_inverted[i];
    }
    return same == 0xff;
}

static enum blob_fault layout_header(struct blob_layout *l, uint32_t available)
{
    const uint8_t *p = l->bytes;
    if (available < BLOB_HEADER) {
        return BLOB_FAULT_SHORT;
    }
    if (!blob_layout_begins(p)) {
        return BLOB_FAULT_MAGIC;
    }
    if (blob_ld32(p + BLOB_AT_VERSION) != (BLOB_VERSION | (uint32_t)BLOB_HEADER << 16)) {
        return BLOB_FAULT_VERSION;
    }
    if (blob_ld32(p + BLOB_AT_FLAGS) > BLOB_FLAGS) {
        return BLOB_FAULT_FLAGS;
    }
    l->addr = blob_ld64(p + BLOB_AT_ADDR);
    l->size = blob_ld32(p + BLOB_AT_SIZE);
    if (l->size < BLOB_HEADER || l->size > available) {
        return BLOB_FAULT_SIZE;
    }
    if (l->addr % BLOB_ALIGN != 0 || l->addr + l->size < l->addr) {
        return BLOB_FAULT_ADDRESS;
    }
    return blob_filled(p + BLOB_AT_RESERVED, BLOB_AT_SECTIONS - BLOB_AT_RESERVED, 0)
               ? BLOB_SOUND
               : BLOB_FAULT_ZEROS;
}

// The sections follow each other; what is left is the room for signatures, exactly.
static enum blob_fault layout_sections(struct blob_layout *l)
{
    const uint8_t *entry = l->bytes + BLOB_AT_SECTIONS;
    uint32_t at = BLOB_HEADER;
    for (unsigned i = 0; i < BLOB_SECTIONS; i++, entry += BLOB_SECTION_ENTRY) {
        l->fault_at = (uint32_t)(entry - l->bytes);
        l->at[i] = at;
        if (blob_ld32(entry) > l->size - at) {
            return BLOB_FAULT_SECTIONS;
        }
        at += blob_ld32(entry);
    }
    l->at[BLOB_SECTIONS] = at;
    return blob_ld32(l->bytes + BLOB_AT_SIGNATURE_SPACE) == l->size - at ? BLOB_SOUND
                                                                         : BLOB_FAULT_SIZE;
}

// A range must begin at or behind least, not be empty, not wrap, and be apart from the blob.
// Returns its end, 0 if it breaks a rule.
static uint64_t layout_range(const struct blob_layout *l, const uint8_t *p, uint64_t least)
{
    uint64_t addr = blob_ld64(p), end = addr + blob_ld32(p + 8);
    return addr >= least && end > addr && (end <= l->addr || addr >= l->addr + l->size) ? end : 0;
}

static enum blob_fault layout_extents(struct blob_layout *l)
{
    uint64_t least = 0;
    for (uint32_t at = l->at[BLOB_EXTENTS]; at != l->at[BLOB_EXTENTS + 1]; at += BLOB_EXTENT_SIZE) {
        const uint8_t *p = l->bytes + at;
        l->fault_at = at;
        if (l->at[BLOB_EXTENTS + 1] - at < BLOB_EXTENT_SIZE) {
            return BLOB_FAULT_EXTENTS;
        }
        uint32_t kind = blob_ld32(p + 12);
        least = layout_range(l, p, least);
        if (least == 0 || kind > BLOB_EXTENT_GAP ||
            (kind == BLOB_EXTENT_GAP && blob_ld32(p + 8) > BLOB_GAP_MAX)) {
            return BLOB_FAULT_EXTENTS;
        }
    }
    return BLOB_SOUND;
}

// True if [from, to) lies in extents that the base's container has bytes for. *at is the first
// extent that may still matter: ranges come in ascending order.
static int layout_covered(const struct blob_layout *l, uint64_t from, uint64_t to, uint32_t *at)
{
    for (; *at != l->at[BLOB_EXTENTS + 1]; *at += BLOB_EXTENT_SIZE) {
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
    uint32_t at = l->at[BLOB_PATCHES], end = l->at[BLOB_PATCHES + 1], extent = l->at[BLOB_EXTENTS];
    uint64_t least = 0;
    while (at != end) {
        const uint8_t *p = l->bytes + at;
        uint32_t left = end - at;
        l->fault_at = at;
        if (left < BLOB_PATCH_HEAD || blob_ld32(p + 8) > (left - BLOB_PATCH_HEAD) / 2) {
            return BLOB_FAULT_PATCHES;
        }
        least = layout_range(l, p, least);
        if (least == 0) {
            return BLOB_FAULT_PATCHES;
        }
        if (!layout_covered(l, blob_ld64(p), least, &extent)) {
            return BLOB_FAULT_PATCH_PLACE;
        }
        at += BLOB_PATCH_HEAD + 2 * blob_ld32(p + 8);
    }
    return BLOB_SOUND;
}

// A module's name is a text in the payload that begins at or behind least, is not empty, and ends
// with a NUL. Returns what follows it, 0 if it breaks a rule. Offsets are the blob's.
static uint32_t layout_name(const struct blob_layout *l, uint32_t at, uint32_t least)
{
    uint32_t end = at;
    if (at < least) {
        return 0;
    }
    while (end < l->at[BLOB_PAYLOAD + 1]) {
        if (l->bytes[end++] == 0) {
            return end - at - 2 < BLOB_NAME_MAX ? end : 0;
        }
    }
    return 0;
}

// Nothing; or the reference to a list of some modules, and then a record for each of them, or none.
static enum blob_fault layout_modules(struct blob_layout *l)
{
    uint32_t at = l->at[BLOB_MODULES], end = l->at[BLOB_MODULES + 1], least = 0, n;
    l->fault_at = at;
    if (end - at < BLOB_LIST_REF) {
        return at == end ? BLOB_SOUND : BLOB_FAULT_MODULES;
    }
    n = blob_ld32(l->bytes + at);
    if (n == 0) {
        return BLOB_FAULT_MODULES;
    }
    for (at += BLOB_LIST_REF; at != end; at += BLOB_MODULE_SIZE, n--) {
        l->fault_at = at;
        if (end - at < BLOB_MODULE_SIZE) {
            return BLOB_FAULT_MODULES;
        }
        least = layout_name(l, BLOB_HEADER + blob_ld32(l->bytes + at) / 2, least);
        if (least == 0) {
            return BLOB_FAULT_MODULES;
        }
    }
    return n == 0 || least == 0 ? BLOB_SOUND : BLOB_FAULT_MODULES;
}

// True if key id p is greater than key id q: sorted, each key once.
static int layout_greater(const uint8_t *p, const uint8_t *q)
{
    unsigned i = 0;
    while (i < BLOB_DIGEST - 1 && p[i] == q[i]) {
        i++;
    }
    return p[i] > q[i];
}

// Signature records, then zeros up to the end.
static enum blob_fault layout_signatures(struct blob_layout *l)
{
    const uint8_t *p = l->bytes + l->at[BLOB_SECTIONS], *end = l->bytes + l->size, *last = NULL;
    while ((uint32_t)(end - p) > BLOB_SIGNATURE_HEAD && blob_ld32(p) != 0) {
        uint32_t size = blob_layout_signature_size(blob_ld32(p));
        l->fault_at = (uint32_t)(p - l->bytes);
        if (size == 0 || size != blob_ld32(p + 4) ||
            size > (uint32_t)(end - p) - BLOB_SIGNATURE_HEAD || l->n_signatures == BLOB_COUNT_MAX ||
            (last && !layout_greater(p + 8, last + 8))) {
            return BLOB_FAULT_SIGNATURES;
        }
        last = p;
        p += BLOB_SIGNATURE_HEAD + size;
        l->n_signatures++;
    }
    return blob_filled(p, (uint32_t)(end - p), 0) ? BLOB_SOUND : BLOB_FAULT_SIGNATURES;
}

enum blob_fault blob_layout_read(const uint8_t *bytes, uint32_t available, struct blob_layout *l)
{
    enum blob_fault fault;
    l->bytes = bytes;
    l->n_signatures = 0;
    l->fault_at = 0;
    fault = layout_header(l, available);
    fault = fault ? fault : layout_sections(l);
    fault = fault ? fault : layout_extents(l);
    fault = fault ? fault : layout_patches(l);
    fault = fault ? fault : layout_modules(l);
    return fault ? fault : layout_signatures(l);
}
