// blob.md shows one blob byte by byte; here it is made from its description and compared.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/file.h"
#include "format/sha256.h"
#include "packer/sign/sign.h"
#include "verify/host/verify.h"

// The base: 64 bytes at 0x1000, "0123...", then 300 times 0xff, then "end.".
static void example_base(uint8_t base[368])
{
    memset(base, 0xff, 368);
    for (unsigned i = 0; i < 64; i++) {
        base[i] = "0123456789abcdef"[i % 16];
    }
    memcpy(base + 364, "end.", 4);
}

// The blob, and the list of its modules.
static void example_make(struct arena *a, struct bytes_out *out, struct bytes_out *list)
{
    static uint8_t base[368];
    static const uint8_t patched[] = {0x10, 0x22, 0x00, 0x00};
    struct image *img;
    struct blob_patch patch = {0x1008, 4, base + 8, patched};
    struct blob_module module = {.name = "a.py", .kind = BLOB_MODULE_STR, .name_at = 9, .size = 8};
    struct diag d;
    diag_init(&d);
    example_base(base);
    cr_assert_eq(image_read(base, sizeof base, "base.bin", IMAGE_BIN, a, &d, &img), DIAG_OK);
    image_rebase(img, 0x1000);
    sha256("print(1)", 8, module.source_sha256);
    sha256("print(1)", 8, module.mpy_sha256);
    struct blob b = {.addr = 0x2010,
                     .segment_flags = IMAGE_R,
                     .payload = (const uint8_t *)"print(1)\0a.py",
                     .payload_size = 14,
                     .n_patches = 1,
                     .patches = &patch,
                     .n_modules = 1,
                     .modules = &module,
                     .app = "example",
                     .app_version = "1.0",
                     .counter = 7,
                     .profile_id = blob_profile(1, 26, 1, IMAGE_ISA_THUMB),
                     .signature_space = 104};
    struct sign_key *key;
    const struct sign_passphrase none = {0};
    cr_assert_eq(blob_set_base(&b, img, a, &d), DIAG_OK);
    cr_assert_eq(blob_make_list(&b, list, &d), DIAG_OK);
    cr_assert_eq(blob_write(&b, out, &d), DIAG_OK, "%s", d.text);
    cr_assert_eq(sign_key_read("samples/keys/demo-key.pem", &none, a, &d, &key), DIAG_OK);
    cr_assert_eq(sign_blob(out->data, out->size, key, &d), DIAG_OK);
    sign_key_free(key);
}

// Lines of the form "01f0  00 11 22 ... note": the bytes at that offset; up to where the next
// lines begin at 0. Returns those.
static const char *example_read(const char *text, struct bytes_out *out)
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        unsigned at, byte;
        int used;
        line += *line == '\n';
        if (strspn(line, "0123456789abcdef") != 4 || strncmp(line + 4, "  ", 2) != 0) {
            continue;
        }
        cr_assert_eq(sscanf(line, "%x", &at), 1);
        if (at == 0 && out->size) {
            return line;
        }
        cr_assert_eq(at, out->size, "offset %x in blob.md", at);
        const char *p = line + 6;
        while (strspn(p, "0123456789abcdef") == 2 && (p[2] == ' ' || p[2] == '\n') &&
               sscanf(p, "%2x%n", &byte, &used) == 1) {
            bytes_put_u8(out, (uint8_t)byte);
            p += 2;
            p += *p == ' ';
        }
    }
    return NULL;
}

static void example_compare(const struct bytes_out *told, const struct bytes_out *made)
{
    cr_assert_eq(told->size, made->size);
    cr_assert_arr_eq(told->data, made->data, made->size);
}

// Written to files of these names to renew blob.md.
static void example_dump(const char *name, const struct bytes_out *made)
{
    if (name) {
        cr_assert_eq(file_write(name, made->data, made->size, FILE_DATA, true, NULL), DIAG_OK);
    }
}

Test(blob_example, is_what_blob_md_says)
{
    struct arena a;
    struct file f;
    struct bytes_out made, list, told, told_list;
    arena_init(&a, 0);
    bytes_out_init(&made);
    bytes_out_init(&list);
    bytes_out_init(&told);
    bytes_out_init(&told_list);
    example_make(&a, &made, &list);
    example_dump(getenv("MPY_FREEZE_EXAMPLE"), &made);
    example_dump(getenv("MPY_FREEZE_EXAMPLE_LIST"), &list);
    cr_assert_eq(file_read("format/blob/blob.md", &a, NULL, &f), DIAG_OK);
    const char *second = example_read((const char *)f.data, &told);
    cr_assert_not_null(second);
    cr_assert_null(example_read(second, &told_list));
    example_compare(&told, &made);
    example_compare(&told_list, &list);
    arena_free(&a);
    bytes_out_free(&made);
    bytes_out_free(&list);
    bytes_out_free(&told);
    bytes_out_free(&told_list);
}
