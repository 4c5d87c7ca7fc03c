#include <criterion/criterion.h>
#include <stdlib.h>

#include "format/blob/blob.h"
#include "format/sha256.h"

// A small base: data, a long fill, data; and a blob for it.
enum { BASE_SIZE = 1024, BASE_ADDR = 0x8000, BLOB_ADDR = 0x9000 };

struct fixture {
    struct arena arena;
    struct diag diag;
    uint8_t base[BASE_SIZE];
    struct image_segment segment;
    struct image image;
    struct blob blob;
    struct bytes_out out;
};

static const uint8_t test_payload[] = "payload bytes";
static const uint8_t test_new[] = {1, 2, 3, 4};
static struct blob_patch test_patches[2];
static struct blob_module test_modules[1];

static void fixture_base(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    arena_init(&f->arena, 0);
    diag_init(&f->diag);
    for (unsigned i = 0; i < BASE_SIZE; i++) {
        f->base[i] = i >= 300 && i < 700 ? 0xff : (uint8_t)(i * 7 % 250 + 1);
    }
    f->segment = (struct image_segment){.addr = BASE_ADDR,
                                        .run = BASE_ADDR,
                                        .size = BASE_SIZE,
                                        .mem_size = BASE_SIZE,
                                        .data = f->base,
                                        .flags = 7,
                                        .name = "bin"};
    f->image = (struct image){.kind = IMAGE_BIN,
                              .name = "base.bin",
                              .arena = &f->arena,
                              .file = f->base,
                              .file_size = BASE_SIZE,
                              .base_known = true,
                              .n_segments = 1,
                              .segments = &f->segment};
}

static void fixture_init(struct fixture *f)
{
    fixture_base(f);
    test_patches[0] = (struct blob_patch){BASE_ADDR + 16, 4, f->base + 16, test_new};
    test_patches[1] = (struct blob_patch){BASE_ADDR + 698, 4, f->base + 698, test_new};
    test_modules[0] = (struct blob_module){.name = "a/b.py", .kind = BLOB_MODULE_MPY, .size = 4};
    f->blob = (struct blob){.addr = BLOB_ADDR,
                            .segment_flags = IMAGE_R | IMAGE_X,
                            .payload_size = sizeof test_payload,
                            .payload = test_payload,
                            .n_patches = 2,
                            .patches = test_patches,
                            .n_modules = 1,
                            .modules = test_modules,
                            .app = "app",
                            .counter = 3};
    cr_assert_eq(blob_set_base(&f->blob, &f->image, &f->arena, &f->diag), DIAG_OK);
    bytes_out_init(&f->out);
    cr_assert_eq(blob_write(&f->blob, &f->out, &f->diag), DIAG_OK, "%s", f->diag.text);
}

static void fixture_free(struct fixture *f)
{
    bytes_out_free(&f->out);
    arena_free(&f->arena);
}

Test(blob, round_trip)
{
    struct fixture f;
    struct blob *b;
    fixture_init(&f);
    cr_assert_eq(f.out.size, blob_size(&f.blob));
    cr_assert_eq(blob_read(f.out.data, f.out.size, "x", &f.arena, &f.diag, &b), DIAG_OK);
    cr_assert_eq(b->addr, BLOB_ADDR);
    cr_assert_eq(b->n_patches, 2);
    cr_assert_eq(b->patches[1].addr, BASE_ADDR + 698);
    cr_assert_arr_eq(b->patches[1].new_bytes, test_new, 4);
    cr_assert_str_eq(b->modules[0].name, "a/b.py");
    cr_assert_str_eq(b->app, "app");
    cr_assert_eq(b->counter, 3);
    cr_assert_null(blob_damaged(b));
    struct bytes_out again;
    bytes_out_init(&again);
    cr_assert_eq(blob_write(b, &again, &f.diag), DIAG_OK);
    cr_assert_eq(again.size, f.out.size);
    cr_assert_arr_eq(again.data, f.out.data, again.size);
    bool same_file;
    cr_assert(blob_is_base(b, &f.image, &same_file) && same_file);
    bytes_out_free(&again);
    fixture_free(&f);
}

Test(blob, every_truncation_is_malformed)
{
    struct fixture f;
    struct blob *b;
    fixture_init(&f);
    for (size_t n = 0; n < f.out.size; n++) {
        uint8_t *copy = malloc(n + 1); // exact allocation: a sanitizer sees every overrun
        memcpy(copy, f.out.data, n);
        cr_assert_eq(blob_read(copy, n, "x", &f.arena, NULL, &b), DIAG_MALFORMED, "length %zu", n);
        free(copy);
    }
    fixture_free(&f);
}

Test(blob, fills_are_extents_of_their_own)
{
    struct fixture f;
    fixture_init(&f);
    cr_assert_eq(f.blob.n_extents, 3);
    cr_assert_eq(f.blob.extents[1].kind, BLOB_EXTENT_FILL_FF);
    cr_assert_eq(f.blob.extents[1].addr, BASE_ADDR + 300);
    cr_assert_eq(f.blob.extents[1].size, 400);
    cr_assert_eq(f.blob.base_space_size, BASE_SIZE - 400);
    fixture_free(&f);
}
