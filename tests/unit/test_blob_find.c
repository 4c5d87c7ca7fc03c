// Where a blob is looked for in an image, and what else there may look like one.
#include <criterion/criterion.h>

#include "format/blob/blob.h"

enum { FIND_ADDR = 0x9000, FIND_IMAGE = 8192 };

struct find_fixture {
    struct arena arena;
    struct diag diag;
    struct bytes_out blob;
    uint8_t bytes[FIND_IMAGE];
    struct image *image;
};

static void find_init(struct find_fixture *f, uint64_t addr)
{
    const struct blob b = {
        .addr = addr, .payload = (const uint8_t *)"payload", .payload_size = 7, .app = "app"};
    memset(f, 0, sizeof *f);
    arena_init(&f->arena, 0);
    diag_init(&f->diag);
    bytes_out_init(&f->blob);
    memset(f->bytes, 7, sizeof f->bytes);
    cr_assert_eq(blob_write(&b, &f->blob, &f->diag), DIAG_OK, "%s", f->diag.text);
}

static void find_put(struct find_fixture *f, size_t at)
{
    cr_assert(at + f->blob.size <= sizeof f->bytes);
    memcpy(f->bytes + at, f->blob.data, f->blob.size);
}

static enum diag_code find_in(struct find_fixture *f, struct blob **out)
{
    cr_assert_eq(
        image_read(f->bytes, sizeof f->bytes, "raw.bin", IMAGE_BIN, &f->arena, &f->diag, &f->image),
        DIAG_OK);
    return blob_find(f->image, &f->arena, &f->diag, out);
}

static void find_free(struct find_fixture *f)
{
    arena_free(&f->arena);
    bytes_out_free(&f->blob);
}

static void must_fail(struct find_fixture *f, const char *why)
{
    struct blob *b;
    cr_expect_eq(find_in(f, &b), DIAG_MALFORMED);
    cr_expect(strstr(f->diag.text, why), "'%s' for '%s'", f->diag.text, why);
    cr_expect_null(b);
    find_free(f);
}

Test(blob_find, what_looks_like_a_blob_behind_it_does_not_move_it)
{
    struct find_fixture f;
    struct blob *b;
    find_init(&f, FIND_ADDR);
    find_put(&f, 512);
    find_put(&f, 4096);
    f.bytes[4096 + BLOB_AT_VERSION] ^= 0x40; // broken
    cr_assert_eq(find_in(&f, &b), DIAG_OK, "%s", f.diag.text);
    cr_expect_eq(f.image->segments[0].addr, FIND_ADDR - 512);
    cr_expect_eq(image_bytes(f.image, FIND_ADDR, b->layout.size), b->layout.bytes);
    find_free(&f);
}

Test(blob_find, none_is_no_error)
{
    struct find_fixture f;
    struct blob *b;
    find_init(&f, FIND_ADDR);
    cr_expect_eq(find_in(&f, &b), DIAG_OK);
    cr_expect_null(b);
    find_free(&f);
}

Test(blob_find, two_are_refused)
{
    struct find_fixture f;
    find_init(&f, FIND_ADDR);
    find_put(&f, 512);
    find_put(&f, 4096);
    must_fail(&f, "holds 2 blobs");
}

Test(blob_find, a_broken_one_is_told_with_its_place)
{
    struct find_fixture f;
    find_init(&f, FIND_ADDR);
    find_put(&f, 512);
    f.bytes[512 + BLOB_AT_VERSION] ^= 0x40;
    must_fail(&f, "the blob at 0x200 is broken");
}

Test(blob_find, an_image_below_zero_is_refused)
{
    struct find_fixture f;
    find_init(&f, 64);
    find_put(&f, 512);
    must_fail(&f, "it was moved");
}

Test(blob_find, an_image_past_the_end_is_refused)
{
    struct find_fixture f;
    find_init(&f, UINT64_MAX - 4095);
    find_put(&f, 512);
    must_fail(&f, "it was moved");
}

Test(blob_find, a_moved_one_is_told)
{
    struct find_fixture f;
    struct blob *b;
    find_init(&f, FIND_ADDR);
    find_put(&f, 512);
    cr_assert_eq(
        image_read(f.bytes, sizeof f.bytes, "raw.bin", IMAGE_BIN, &f.arena, &f.diag, &f.image),
        DIAG_OK);
    image_rebase(f.image, FIND_ADDR);
    cr_expect_eq(blob_find(f.image, &f.arena, &f.diag, &b), DIAG_MALFORMED);
    cr_expect(strstr(f.diag.text, "at 0x9200 belongs at 0x9000"), "%s", f.diag.text);
    find_free(&f);
}
