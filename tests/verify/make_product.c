// make_product KIND SIZE KEY.pem|- BASE BLOB PRODUCT: writes a base of SIZE bytes (which are no
// firmware) in container KIND, a blob for it, signed with KEY, and the product of both.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/file.h"
#include "tests/lib/compose.h"

enum { BASE_ADDR = 0x20000000, ROOM = 1024, PAYLOAD = 20000, N_PATCHES = 20 };

struct made {
    struct arena arena;
    struct diag diag;
    uint8_t *bytes; // of the base
    size_t size;
    struct image *image;
    struct bytes_out base;
    struct compose_out made;
    struct blob model;
    struct blob_patch patches[N_PATCHES];
    struct blob_module module;
};

// Looks like code to nobody, and has some fills.
static bool make_bytes(struct made *m)
{
    uint32_t x = 1;
    m->bytes = arena_alloc(&m->arena, m->size);
    for (size_t i = 0; m->bytes && i < m->size; i++) {
        x = x * 1664525 + 1013904223;
        m->bytes[i] = i % 0x8000 < 0x300 ? 0xff : (uint8_t)(x >> 24);
    }
    return m->bytes != NULL;
}

static enum diag_code make_base(struct made *m, enum image_kind kind)
{
    struct image *raw;
    const struct image_target to = {.kind = kind};
    enum diag_code err =
        image_read(m->bytes, m->size, "base", IMAGE_BIN, &m->arena, &m->diag, &raw);
    if (err) {
        return err;
    }
    image_rebase(raw, BASE_ADDR);
    raw->machine = IMAGE_ISA_THUMB;
    raw->address_bits = 32;
    err = image_convert(raw, &to, &m->base, &m->diag);
    err =
        err ? err
            : image_read(m->base.data, m->base.size, "base", kind, &m->arena, &m->diag, &m->image);
    if (!err && !m->image->base_known) {
        image_rebase(m->image, BASE_ADDR);
    }
    return err;
}

static enum diag_code make_model(struct made *m)
{
    static const uint8_t new_bytes[4] = {1, 2, 3, 4};
    struct blob *b = &m->model;
    struct bytes_out list;
    uint8_t *payload = arena_calloc(&m->arena, PAYLOAD, 1);
    if (!payload) {
        return diag_nomem(&m->diag);
    }
    memcpy(payload, "m.py", 5);
    for (unsigned i = 0; i < N_PATCHES; i++) {
        size_t at = (m->size - 2048) / N_PATCHES * i + 1024;
        m->patches[i] = (struct blob_patch){BASE_ADDR + at, 4, m->bytes + at, new_bytes};
    }
    m->module = (struct blob_module){.name = "m.py", .kind = BLOB_MODULE_STR, .size = PAYLOAD};
    *b = (struct blob){.addr = (BASE_ADDR + m->size + 0xfff) & ~(uint64_t)0xfff,
                       .segment_flags = IMAGE_R | IMAGE_X,
                       .payload = payload,
                       .payload_size = PAYLOAD,
                       .n_patches = N_PATCHES,
                       .patches = m->patches,
                       .n_modules = 1,
                       .modules = &m->module,
                       .counter = 3,
                       .signature_space = ROOM};
    bytes_out_init(&list);
    enum diag_code err = blob_make_list(b, &list, &m->diag);
    bytes_out_free(&list);
    return err ? err : blob_set_base(b, m->image, &m->arena, &m->diag);
}

static enum diag_code make_file(struct made *m, const char *name, const struct bytes_out *bytes)
{
    return file_write(name, bytes->data, bytes->size, FILE_DATA, true, &m->diag);
}

int main(int argc, char **argv)
{
    struct made m = {0};
    enum image_kind kind = argc == 7 ? image_kind_find(argv[1]) : IMAGE_AUTO;
    m.size = argc == 7 ? strtoul(argv[2], NULL, 0) : 0;
    if (kind == IMAGE_AUTO || m.size < 4096) {
        fprintf(stderr, "usage: make_product KIND SIZE KEY.pem|- BASE BLOB PRODUCT\n");
        return DIAG_USAGE;
    }
    arena_init(&m.arena, 0);
    diag_init(&m.diag);
    enum diag_code err = make_bytes(&m) ? make_base(&m, kind) : DIAG_NOMEM;
    err = err ? err : make_model(&m);
    const char *const keys[] = {strcmp(argv[3], "-") == 0 ? NULL : argv[3], NULL};
    err = err ? err : compose_product(m.image, &m.model, keys, &m.arena, &m.diag, &m.made);
    err = err ? err : make_file(&m, argv[4], &m.base);
    err = err ? err : make_file(&m, argv[5], &m.made.blob);
    err = err ? err : make_file(&m, argv[6], &m.made.file);
    if (err) {
        fprintf(stderr, "make_product: %s\n", m.diag.text);
    }
    arena_free(&m.arena);
    bytes_out_free(&m.base);
    bytes_out_free(&m.made.blob);
    bytes_out_free(&m.made.file);
    return diag_exit(err);
}
