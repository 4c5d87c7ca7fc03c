// The modules of a blob: short records in flash, whole ones in a list of their own.
#include "format/blob/modules.h"

#include <string.h>

#include "format/sha256.h"

static const char list_magic[BLOB_LIST_MAGIC + 1] = "mpy-freeze list\n";

uint64_t blob_modules_size(const struct blob *b)
{
    if (!b->list.n) {
        return 0;
    }
    return BLOB_LIST_REF + (b->detached ? 0 : (uint64_t)b->list.n * BLOB_MODULE_SIZE);
}

void blob_modules_put(const struct blob *b, struct bytes_out *out)
{
    if (!b->list.n) {
        return;
    }
    bytes_put_u32(out, b->list.n);
    bytes_put_u32(out, b->list.size);
    bytes_put(out, b->list.sha256, BLOB_DIGEST);
    for (uint32_t i = 0; !b->detached && i < b->n_modules; i++) {
        bytes_put_u32(out, 2 * b->modules[i].name_at + (uint32_t)b->modules[i].kind);
        bytes_put(out, b->modules[i].source_sha256, BLOB_MODULE_TAG);
    }
}

static bool read_records(struct blob *b, const uint8_t *p, uint32_t n, struct arena *a)
{
    struct blob_module *modules = ARENA_ARRAY(a, struct blob_module, n);
    for (uint32_t i = 0; modules && i < n; i++, p += BLOB_MODULE_SIZE) {
        uint32_t word = ld32(p);
        modules[i].kind = (enum blob_module_kind)(word & 1);
        modules[i].name_at = word / 2;
        modules[i].name = (const char *)b->payload + word / 2;
        memcpy(modules[i].source_sha256, p + 4, BLOB_MODULE_TAG);
    }
    b->modules = modules;
    b->n_modules = n;
    return modules != NULL;
}

bool blob_modules_read(struct blob *b, struct arena *a)
{
    const struct blob_layout *l = &b->layout;
    const uint8_t *p = l->bytes + l->at[BLOB_MODULES];
    uint32_t size = l->at[BLOB_MODULES + 1] - l->at[BLOB_MODULES];
    if (size == 0) {
        return true;
    }
    b->list.n = ld32(p);
    b->list.size = ld32(p + 4);
    memcpy(b->list.sha256, p + 8, BLOB_DIGEST);
    b->detached = size == BLOB_LIST_REF;
    return b->detached || read_records(b, p + BLOB_LIST_REF, b->list.n, a);
}

// The list

static void put_list_record(const struct blob_module *m, struct bytes_out *list)
{
    size_t n = strlen(m->name);
    bytes_put_u32(list, m->offset);
    bytes_put_u32(list, m->size);
    bytes_put_u8(list, (uint8_t)m->kind);
    bytes_put_u8(list, (uint8_t)n);
    bytes_put(list, m->source_sha256, BLOB_DIGEST);
    bytes_put(list, m->mpy_sha256, BLOB_DIGEST);
    bytes_put(list, m->name, n);
}

enum diag_code blob_make_list(struct blob *b, struct bytes_out *list, struct diag *d)
{
    size_t at = list->size;
    b->list = (struct blob_list){0};
    b->listed = true;
    if (b->n_modules == 0) {
        return DIAG_OK;
    }
    bytes_put(list, list_magic, BLOB_LIST_MAGIC);
    for (uint32_t i = 0; i < b->n_modules; i++) {
        put_list_record(&b->modules[i], list);
    }
    if (list->failed) {
        return diag_nomem(d);
    }
    if (list->size - at > BLOB_SIZE_MAX) {
        return diag_set(d, DIAG_NO, NULL, "the list of the modules is larger than %d bytes",
                        BLOB_SIZE_MAX);
    }
    b->list.n = b->n_modules;
    b->list.size = (uint32_t)(list->size - at);
    sha256(list->data + at, list->size - at, b->list.sha256);
    return DIAG_OK;
}

// The size of the record at p, of which left bytes may be read; 0 when it is not sound: it is cut
// off, the module lies outside the payload, or its name would be shown shorter than it is.
static uint32_t list_record(const uint8_t *p, uint32_t left, uint32_t payload)
{
    if (left < BLOB_LIST_HEAD || p[9] > left - BLOB_LIST_HEAD) {
        return 0;
    }
    bool inside = ld32(p) <= payload && ld32(p + 4) <= payload - ld32(p);
    bool named = p[9] && !memchr(p + BLOB_LIST_HEAD, 0, p[9]);
    return inside && named && p[8] <= BLOB_MODULE_MPY ? BLOB_LIST_HEAD + (uint32_t)p[9] : 0;
}

// Reads a sound record. It must say of the module what the blob says, if that says anything.
static bool read_list_record(struct blob_module *m, const uint8_t *p, const struct blob_module *own,
                             struct arena *a)
{
    m->offset = ld32(p);
    m->size = ld32(p + 4);
    m->kind = (enum blob_module_kind)p[8];
    memcpy(m->source_sha256, p + 10, BLOB_DIGEST);
    memcpy(m->mpy_sha256, p + 10 + BLOB_DIGEST, BLOB_DIGEST);
    if (!own) {
        m->name = arena_strndup(a, (const char *)p + BLOB_LIST_HEAD, p[9]);
        return true;
    }
    m->name = own->name;
    m->name_at = own->name_at;
    return m->kind == own->kind && strlen(own->name) == p[9] &&
           memcmp(own->name, p + BLOB_LIST_HEAD, p[9]) == 0 &&
           memcmp(own->source_sha256, m->source_sha256, BLOB_MODULE_TAG) == 0;
}

static enum diag_code list_is_wrong(struct diag *d, const char *name, const char *what)
{
    enum diag_code err = diag_set(d, DIAG_MALFORMED, name, "%s", what);
    diag_help(d, "the digest is the signed one: whoever signed it made it so");
    return err;
}

// Reads the b->list.n records that fill p[0..left).
static enum diag_code read_list_records(const struct blob *b, const uint8_t *p, uint32_t left,
                                        const char *name, struct blob_module *out, struct arena *a,
                                        struct diag *d)
{
    uint32_t n = 0;
    for (uint32_t size; left && n < b->list.n; n++, p += size, left -= size) {
        size = list_record(p, left, b->payload_size);
        if (size == 0) {
            return list_is_wrong(d, name,
                                 "a module lies outside the payload, its name holds a NUL, or its "
                                 "record is cut off");
        }
        if (!read_list_record(&out[n], p, b->detached ? NULL : &b->modules[n], a)) {
            return list_is_wrong(d, name, "says of a module what the blob does not say");
        }
        if (!out[n].name) {
            return diag_nomem(d);
        }
    }
    return left || n < b->list.n ? list_is_wrong(d, name, "does not hold as many modules as signed")
                                 : DIAG_OK;
}

// The list is the one that b names.
static enum diag_code read_list(struct blob *b, const uint8_t *p, uint32_t left, const char *name,
                                struct arena *a, struct diag *d)
{
    if (b->list.n > left / BLOB_LIST_HEAD) { // no memory for what cannot be there
        return list_is_wrong(d, name, "does not hold as many modules as signed");
    }
    struct blob_module *modules = ARENA_ARRAY(a, struct blob_module, b->list.n);
    if (!modules) {
        return diag_nomem(d);
    }
    enum diag_code err = read_list_records(b, p, left, name, modules, a, d);
    if (!err) {
        b->modules = modules;
        b->n_modules = b->list.n;
        b->listed = true;
    }
    return err;
}

enum diag_code blob_attach(struct blob *b, const uint8_t *data, size_t size, const char *name,
                           struct arena *a, struct diag *d)
{
    uint8_t digest[BLOB_DIGEST];
    if (size < BLOB_LIST_MAGIC || memcmp(data, list_magic, BLOB_LIST_MAGIC) != 0) {
        return diag_set(d, DIAG_MALFORMED, name, "is no list of modules");
    }
    sha256(data, size, digest);
    if (!b->list.n || size != b->list.size || memcmp(digest, b->list.sha256, BLOB_DIGEST) != 0) {
        return diag_set(d, DIAG_NO, name, "is not the list of modules that the blob names");
    }
    return read_list(b, data + BLOB_LIST_MAGIC, (uint32_t)size - BLOB_LIST_MAGIC, name, a, d);
}
