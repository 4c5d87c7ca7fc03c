// Module records, within a blob or in a list of their own.
#include "format/blob/modules.h"

#include <inttypes.h>
#include <string.h>

#include "format/sha256.h"

enum { LIST_MAGIC = 16 };
static const char list_magic[LIST_MAGIC + 1] = "mpy-freeze list\n";

static uint64_t records_size(const struct blob *b)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < b->n_modules; i++) {
        total += BLOB_MODULE_HEAD + (uint64_t)strlen(b->modules[i].name);
    }
    return total;
}

static void put_records(const struct blob *b, struct bytes_out *out)
{
    for (uint32_t i = 0; i < b->n_modules; i++) {
        const struct blob_module *m = &b->modules[i];
        size_t n = strlen(m->name);
        bytes_put_u32(out, m->offset);
        bytes_put_u32(out, m->size);
        bytes_put_u8(out, (uint8_t)m->kind);
        bytes_put_u8(out, (uint8_t)n);
        bytes_put(out, m->source_sha256, BLOB_DIGEST);
        bytes_put(out, m->mpy_sha256, BLOB_DIGEST);
        bytes_put(out, m->name, n);
    }
}

uint64_t blob_modules_size(const struct blob *b)
{
    return b->list.n ? BLOB_LIST_REF : records_size(b);
}

void blob_modules_put(const struct blob *b, struct bytes_out *out)
{
    if (!b->list.n) {
        put_records(b, out);
        return;
    }
    bytes_put_u32(out, b->list.n);
    bytes_put_u32(out, b->list.size);
    bytes_put(out, b->list.sha256, BLOB_DIGEST);
}

// The number of records in p[0..size); UINT32_MAX when they are not sound, or a name holds a NUL:
// it would be shown shorter than it is.
static uint32_t count_records(const uint8_t *p, uint32_t size, uint32_t payload)
{
    uint32_t n = 0;
    for (uint32_t at = 0, record; at != size; at += record, n++) {
        record = blob_layout_module(p + at, size - at, payload);
        if (record == 0 || memchr(p + at + BLOB_MODULE_HEAD, 0, record - BLOB_MODULE_HEAD)) {
            return UINT32_MAX;
        }
    }
    return n;
}

// n sound records.
static bool read_records(struct blob *b, const uint8_t *p, uint32_t n, struct arena *a)
{
    struct blob_module *modules = ARENA_ARRAY(a, struct blob_module, n);
    for (uint32_t i = 0; modules && i < n; i++) {
        struct blob_module *m = &modules[i];
        m->offset = ld32(p);
        m->size = ld32(p + 4);
        m->kind = (enum blob_module_kind)p[8];
        memcpy(m->source_sha256, p + 10, BLOB_DIGEST);
        memcpy(m->mpy_sha256, p + 10 + BLOB_DIGEST, BLOB_DIGEST);
        m->name = arena_strndup(a, (const char *)p + BLOB_MODULE_HEAD, p[9]);
        if (!m->name) {
            return false;
        }
        p += BLOB_MODULE_HEAD + p[9];
    }
    b->modules = modules;
    b->n_modules = n;
    return modules != NULL;
}

enum diag_code blob_modules_read(struct blob *b, const char *name, struct arena *a, struct diag *d)
{
    const struct blob_layout *l = &b->layout;
    const uint8_t *p = l->bytes + l->at[BLOB_MODULES];
    uint32_t size = l->at[BLOB_MODULES + 1] - l->at[BLOB_MODULES];
    if (size == BLOB_LIST_REF) {
        b->list.n = ld32(p);
        b->list.size = ld32(p + 4);
        memcpy(b->list.sha256, p + 8, BLOB_DIGEST);
        return DIAG_OK;
    }
    uint32_t n = count_records(p, size, b->payload_size);
    if (n == UINT32_MAX) {
        return diag_set_binary(d, DIAG_MALFORMED, name, l->at[BLOB_MODULES], "modules",
                               "a name holds a NUL");
    }
    return read_records(b, p, n, a) ? DIAG_OK : diag_nomem(d);
}

static void put_list(const struct blob *b, struct bytes_out *out)
{
    bytes_put(out, list_magic, LIST_MAGIC);
    put_records(b, out);
}

enum diag_code blob_detach(struct blob *b, struct bytes_out *list, struct diag *d)
{
    size_t at = list->size;
    if (b->n_modules == 0 || records_size(b) > BLOB_SIZE_MAX) {
        return diag_set(d, DIAG_NO, NULL,
                        b->n_modules ? "the list of the modules is too large"
                                     : "there are no modules to list");
    }
    put_list(b, list);
    if (list->failed) {
        return diag_nomem(d);
    }
    b->list.n = b->n_modules;
    b->list.size = (uint32_t)(list->size - at);
    sha256(list->data + at, list->size - at, b->list.sha256);
    return DIAG_OK;
}

static enum diag_code not_the_list(struct diag *d, const char *name)
{
    return diag_set(d, DIAG_NO, name, "is not the list of modules that the blob names");
}

// The modules stand in the blob: the list must say the same.
static enum diag_code compare_list(const struct blob *b, const uint8_t *data, size_t size,
                                   const char *name, struct diag *d)
{
    struct bytes_out list;
    bytes_out_init(&list);
    put_list(b, &list);
    enum diag_code err = bytes_out_check(&list, d);
    if (!err && (list.size != size || memcmp(list.data, data, size) != 0)) {
        err = not_the_list(d, name);
    }
    bytes_out_free(&list);
    return err;
}

enum diag_code blob_attach(struct blob *b, const uint8_t *data, size_t size, const char *name,
                           struct arena *a, struct diag *d)
{
    uint8_t digest[BLOB_DIGEST];
    if (!b->list.n) {
        return compare_list(b, data, size, name, d);
    }
    if (size < LIST_MAGIC || memcmp(data, list_magic, LIST_MAGIC) != 0) {
        return diag_set(d, DIAG_MALFORMED, name, "is no list of modules");
    }
    sha256(data, size, digest);
    if (size != b->list.size || memcmp(digest, b->list.sha256, BLOB_DIGEST) != 0) {
        return not_the_list(d, name);
    }
    uint32_t n = count_records(data + LIST_MAGIC, (uint32_t)size - LIST_MAGIC, b->payload_size);
    if (n != b->list.n) {
        enum diag_code err =
            diag_set(d, DIAG_MALFORMED, name,
                     n == UINT32_MAX ? "a module lies outside the payload, its name "
                                       "holds a NUL, or its record is cut off"
                                     : "does not hold as many modules as signed");
        diag_help(d, "the digest is the signed one: whoever signed it made it so");
        return err;
    }
    return read_records(b, data + LIST_MAGIC, n, a) ? DIAG_OK : diag_nomem(d);
}
