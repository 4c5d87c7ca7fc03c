#include "format/blob/blob.h"

#include <string.h>

#include <xxhash.h>

#include "format/blob/modules.h"
#include "format/sha256.h"

static const char blob_magic[BLOB_MAGIC + 1] = "mpy-freeze blob\n";
static const char *const blob_section_names[BLOB_SECTIONS] = {
    "payload", "patches", "modules", "extents", "undo", "sbom",
};

uint32_t blob_profile(unsigned major, unsigned minor, unsigned patch, enum image_machine isa)
{
    return (major & 0xff) << 24 | (minor & 0xff) << 16 | (patch & 0xff) << 8 |
           ((unsigned)isa & 0xff);
}

const char *blob_algorithm_name(enum blob_algorithm a)
{
    switch (a) {
    case BLOB_ECDSA_P256:
        return "ecdsa-p256";
    case BLOB_ECDSA_P384:
        return "ecdsa-p384";
    case BLOB_RSA_PSS_3072:
        return "rsa-3072";
    }
    return NULL;
}

const char *blob_section_name(enum blob_section s)
{
    return s < BLOB_SECTIONS ? blob_section_names[s] : "header";
}

// Sum of the header and the sections: where the signatures begin.
static uint64_t blob_content_size(const struct blob *b)
{
    uint64_t total = BLOB_HEADER + (uint64_t)b->payload_size + b->undo_size + b->sbom_size +
                     (uint64_t)b->n_extents * BLOB_EXTENT_SIZE;
    total += b->code.size ? BLOB_CODE_HEAD + (uint64_t)b->code.undo_size : 0;
    for (uint32_t i = 0; i < b->n_patches; i++) {
        total += BLOB_PATCH_HEAD + 2 * (uint64_t)b->patches[i].size;
    }
    // 2^32 items of 2^33 bytes each do not exist in memory: no overflow
    return total + blob_modules_size(b);
}

uint64_t blob_size(const struct blob *b)
{
    uint64_t total = blob_content_size(b);
    total += b->signature_space ? b->signature_space : BLOB_SIGNATURE_SPACE;
    if (!ck_align(total, BLOB_ALIGN, &total) || total > BLOB_SIZE_MAX) {
        return UINT64_MAX;
    }
    return total;
}

static void blob_put_text(uint8_t *field, const char *text)
{
    if (text) {
        memcpy(field, text, strlen(text)); // blob_check has bounded it
    }
}

static void blob_put_header(const struct blob *b, uint64_t size, uint8_t *h)
{
    memcpy(h, blob_magic, BLOB_MAGIC);
    st16(h + BLOB_AT_VERSION, BLOB_VERSION);
    st16(h + BLOB_AT_HEADER_SIZE, BLOB_HEADER);
    st32(h + BLOB_AT_FLAGS, b->segment_flags);
    st64(h + BLOB_AT_ADDR, b->addr);
    st32(h + BLOB_AT_SIZE, (uint32_t)size);
    st32(h + BLOB_AT_SIGNATURE_SPACE, (uint32_t)(size - blob_content_size(b)));
    st64(h + BLOB_AT_COUNTER, b->counter);
    st32(h + BLOB_AT_PROFILE, b->profile_id);
    st32(h + BLOB_AT_CONTAINER, b->container);
    st64(h + BLOB_AT_BASE_FILE_SIZE, b->base_file_size);
    st64(h + BLOB_AT_BASE_SPACE_SIZE, b->base_space_size);
    memcpy(h + BLOB_AT_BASE_FILE, b->base_file_sha256, BLOB_DIGEST);
    memcpy(h + BLOB_AT_BASE_SPACE, b->base_space_sha256, BLOB_DIGEST);
    blob_put_text(h + BLOB_AT_APP, b->app);
    blob_put_text(h + BLOB_AT_APP_VERSION, b->app_version);
}

static void blob_put_patches(const struct blob *b, struct bytes_out *out)
{
    for (uint32_t i = 0; i < b->n_patches; i++) {
        const struct blob_patch *p = &b->patches[i];
        bytes_put_u64(out, p->addr);
        bytes_put_u32(out, p->size);
        bytes_put(out, p->old_bytes, p->size);
        bytes_put(out, p->new_bytes, p->size);
    }
}

static void blob_put_extents(const struct blob_extent *e, uint32_t n, struct bytes_out *out)
{
    for (uint32_t i = 0; i < n; i++) {
        bytes_put_u64(out, e[i].addr);
        bytes_put_u32(out, e[i].size);
        bytes_put_u32(out, (uint32_t)e[i].kind);
    }
}

static void blob_put_undo(const struct blob *b, struct bytes_out *out)
{
    const struct blob_code *c = &b->code;
    if (c->size) {
        bytes_put_u64(out, c->addr);
        bytes_put_u32(out, c->size);
        bytes_put_u32(out, c->undo_size);
        bytes_put(out, c->undo, c->undo_size);
    }
    bytes_put(out, b->undo, b->undo_size);
}

static void blob_put_section(const struct blob *b, enum blob_section s, struct bytes_out *out)
{
    switch (s) {
    case BLOB_PAYLOAD:
        bytes_put(out, b->payload, b->payload_size);
        break;
    case BLOB_PATCHES:
        blob_put_patches(b, out);
        break;
    case BLOB_MODULES:
        blob_modules_put(b, out);
        break;
    case BLOB_EXTENTS:
        blob_put_extents(b->extents, b->n_extents, out);
        break;
    case BLOB_UNDO:
        blob_put_undo(b, out);
        break;
    case BLOB_SBOM:
        bytes_put(out, b->sbom, b->sbom_size);
        break;
    case BLOB_SECTIONS:
        break;
    }
}

// start: offset of the blob within out. Fills the section's entry of the header.
static void blob_write_section(const struct blob *b, enum blob_section s, size_t start,
                               struct bytes_out *out)
{
    size_t at = out->size;
    blob_put_section(b, s, out);
    if (out->failed) {
        return;
    }
    size_t size = out->size - at;
    uint8_t *entry = out->data + start + BLOB_AT_SECTIONS + (size_t)s * BLOB_SECTION_ENTRY;
    st32(entry, (uint32_t)size);
    st64(entry + BLOB_SECTION_XXH3, XXH3_64bits(out->data + at, size));
    sha256(out->data + at, size, entry + BLOB_SECTION_SHA256);
}

// Signatures sorted by key id, then zeros up to the blob's end.
static void blob_write_signatures(const struct blob *b, size_t end, struct bytes_out *out)
{
    const struct blob_signature *last = NULL;
    for (uint32_t n = 0; n < b->n_signatures; n++) {
        const struct blob_signature *best = NULL;
        for (uint32_t i = 0; i < b->n_signatures; i++) {
            const struct blob_signature *s = &b->signatures[i];
            if ((!last || memcmp(s->key_id, last->key_id, BLOB_DIGEST) > 0) &&
                (!best || memcmp(s->key_id, best->key_id, BLOB_DIGEST) < 0)) {
                best = s;
            }
        }
        if (!best) {
            return; // a key twice: too short, which the check of the result finds
        }
        bytes_put_u32(out, (uint32_t)best->algorithm);
        bytes_put_u32(out, best->size);
        bytes_put(out, best->key_id, BLOB_DIGEST);
        bytes_put(out, best->data, best->size);
        last = best;
    }
    bytes_fill(out, 0, out->size < end ? end - out->size : 0);
}

// Text that shows as it is: no control characters.
static bool blob_plain(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            return false;
        }
    }
    return true;
}

// The payload holds the name where the module says.
static bool blob_has_name(const struct blob *b, const struct blob_module *m, size_t n)
{
    return m->name_at < b->payload_size && n < b->payload_size - m->name_at &&
           memcmp(b->payload + m->name_at, m->name, n + 1) == 0;
}

static enum diag_code blob_check_modules(const struct blob *b, struct diag *d)
{
    bool counted = b->n_modules == b->list.n || (b->detached && b->n_modules == 0);
    for (uint32_t i = 0; i < b->n_modules; i++) {
        const char *name = b->modules[i].name;
        size_t n = strlen(name);
        if (n == 0 || n > BLOB_NAME_MAX || !blob_plain(name)) {
            return diag_set(d, DIAG_NO, NULL,
                            "module name '%.60s' has %zu bytes; allowed are 1 to %d without "
                            "control characters",
                            name, n, BLOB_NAME_MAX);
        }
        if (!b->detached && !blob_has_name(b, &b->modules[i], n)) {
            return diag_set(d, DIAG_INTERNAL, NULL, "the payload does not hold the name %s", name);
        }
    }
    return counted ? DIAG_OK
                   : diag_set(d, DIAG_INTERNAL, NULL, "there are %u modules and a list of %u",
                              b->n_modules, b->list.n);
}

// Limits that the caller's input can exceed; everything else is checked on the result.
static enum diag_code blob_check(const struct blob *b, struct diag *d)
{
    if ((b->app && strlen(b->app) >= BLOB_TEXT) ||
        (b->app_version && strlen(b->app_version) >= BLOB_TEXT) ||
        (b->app && !blob_plain(b->app)) || (b->app_version && !blob_plain(b->app_version))) {
        return diag_set(d, DIAG_NO, NULL,
                        "application name and version have at most %d bytes each and no control "
                        "characters",
                        BLOB_TEXT - 1);
    }
    enum diag_code err = blob_check_modules(b, d);
    if (err) {
        return err;
    }
    if (blob_size(b) == UINT64_MAX) {
        return diag_set(d, DIAG_NO, NULL, "the blob is larger than %d bytes", BLOB_SIZE_MAX);
    }
    return DIAG_OK;
}

enum diag_code blob_write(const struct blob *b, struct bytes_out *out, struct diag *d)
{
    enum diag_code err = blob_check(b, d);
    if (err) {
        return err;
    }
    size_t start = out->size;
    uint64_t size = blob_size(b);
    bytes_fill(out, 0, BLOB_HEADER);
    for (unsigned s = 0; s < BLOB_SECTIONS; s++) {
        blob_write_section(b, (enum blob_section)s, start, out);
    }
    blob_write_signatures(b, start + (size_t)size, out);
    if (out->failed) {
        return diag_nomem(d);
    }
    blob_put_header(b, size, out->data + start);
    struct blob_layout l;
    enum blob_fault fault = blob_layout_read(out->data + start, (uint32_t)(out->size - start), &l);
    if (fault || l.size != out->size - start) {
        return diag_set(d, DIAG_INTERNAL, NULL, "the blob that was made is not sound: %s at 0x%x",
                        blob_fault_text(fault), l.fault_at);
    }
    return DIAG_OK;
}
