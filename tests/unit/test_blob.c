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

#define TEST_CODE "payload bytes"
static const uint8_t test_payload[] = TEST_CODE "\0a/b.py";
static const uint8_t test_new[] = {1, 2, 3, 4};
static struct blob_patch test_patches[2];
static struct blob_module test_modules[1];
enum { TEST_NAME = sizeof TEST_CODE }; // its name's place

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
    test_modules[0] = (struct blob_module){
        .name = "a/b.py", .kind = BLOB_MODULE_MPY, .name_at = TEST_NAME, .size = 4};
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
    cr_assert_eq(blob_make_list(&f->blob, &f->out, &f->diag), DIAG_OK);
    f->out.size = 0;
    cr_assert_eq(blob_write(&f->blob, &f->out, &f->diag), DIAG_OK, "%s", f->diag.text);
}

static void fixture_free(struct fixture *f)
{
    arena_free(&f->arena);
    bytes_out_free(&f->out);
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

// The fault that the structure check finds, in an exact copy of the bytes.
static enum blob_fault fault_of(const struct bytes_out *out)
{
    struct blob_layout l;
    uint8_t *copy = malloc(out->size);
    memcpy(copy, out->data, out->size);
    enum blob_fault fault = blob_layout_read(copy, (uint32_t)out->size, &l);
    free(copy);
    return fault;
}

static uint32_t section_at(const struct bytes_out *out, unsigned section)
{
    struct blob_layout l;
    cr_assert_eq(blob_layout_read(out->data, (uint32_t)out->size, &l), BLOB_SOUND);
    return l.at[section];
}

static void st(uint8_t *p, unsigned size, uint64_t v)
{
    for (unsigned i = 0; i < size; i++) {
        p[i] = (uint8_t)(v >> 8 * i);
    }
}

Test(blob, hostile_headers)
{
    static const struct {
        unsigned at, size;
        uint64_t value;
        enum blob_fault fault;
    } cases[] = {
        {BLOB_AT_VERSION, 2, 1, BLOB_FAULT_VERSION},
        {BLOB_AT_HEADER_SIZE, 2, 256, BLOB_FAULT_VERSION},
        {BLOB_AT_FLAGS, 4, 32, BLOB_FAULT_FLAGS},
        {BLOB_AT_FLAGS, 4, 0x80000000, BLOB_FAULT_FLAGS},
        {BLOB_AT_ADDR, 8, BLOB_ADDR + 8, BLOB_FAULT_ADDRESS},
        {BLOB_AT_ADDR, 8, UINT64_MAX & ~(uint64_t)15, BLOB_FAULT_ADDRESS},
        {BLOB_AT_ADDR, 8, BASE_ADDR, BLOB_FAULT_EXTENTS},
        {BLOB_AT_SIZE, 4, 0, BLOB_FAULT_SIZE},
        {BLOB_AT_SIZE, 4, 511, BLOB_FAULT_SIZE},
        {BLOB_AT_SIZE, 4, 512, BLOB_FAULT_SECTIONS},
        {BLOB_AT_SIZE, 4, UINT32_MAX, BLOB_FAULT_SIZE},
        {BLOB_AT_SIGNATURE_SPACE, 4, 0, BLOB_FAULT_SIZE},
        {BLOB_AT_SIGNATURE_SPACE, 4, UINT32_MAX, BLOB_FAULT_SIZE},
        {BLOB_AT_RESERVED, 1, 1, BLOB_FAULT_ZEROS},
        {BLOB_AT_SECTIONS - 1, 1, 1, BLOB_FAULT_ZEROS},
        {BLOB_AT_SECTIONS, 4, UINT32_MAX, BLOB_FAULT_SECTIONS},
        {BLOB_AT_SECTIONS, 4, UINT32_MAX - 511, BLOB_FAULT_SECTIONS}, // 512 + size wraps
        {BLOB_AT_SECTIONS + BLOB_SECTION_ENTRY, 4, UINT32_MAX - 500, BLOB_FAULT_SECTIONS},
        {BLOB_AT_SECTIONS + 5 * BLOB_SECTION_ENTRY, 4, 1, BLOB_FAULT_SIZE},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        fixture_init(&f);
        st(f.out.data + cases[i].at, cases[i].size, cases[i].value);
        cr_expect_eq(fault_of(&f.out), cases[i].fault, "case %u: %s", i,
                     blob_fault_text(fault_of(&f.out)));
        fixture_free(&f);
    }
}

Test(blob, hostile_records)
{
    static const struct {
        enum blob_section section;
        unsigned at, size;
        uint64_t value;
        enum blob_fault fault;
    } cases[] = {
        // The second patch: before, at, and within the first; wrapping; empty; cut off; elsewhere.
        {BLOB_PATCHES, 20, 8, BASE_ADDR, BLOB_FAULT_PATCHES},
        {BLOB_PATCHES, 20, 8, BASE_ADDR + 16, BLOB_FAULT_PATCHES},
        {BLOB_PATCHES, 20, 8, BASE_ADDR + 19, BLOB_FAULT_PATCHES},
        {BLOB_PATCHES, 20, 8, UINT64_MAX - 1, BLOB_FAULT_PATCHES},
        {BLOB_PATCHES, 20, 8, BLOB_ADDR, BLOB_FAULT_PATCHES},
        {BLOB_PATCHES, 20, 8, BLOB_ADDR - 2, BLOB_FAULT_PATCHES},
        {BLOB_PATCHES, 20, 8, BASE_ADDR + BASE_SIZE, BLOB_FAULT_PATCH_PLACE},
        {BLOB_PATCHES, 20, 8, BASE_ADDR + BASE_SIZE - 2, BLOB_FAULT_PATCH_PLACE},
        {BLOB_PATCHES, 8, 4, 0, BLOB_FAULT_PATCHES},
        {BLOB_PATCHES, 28, 4, 5, BLOB_FAULT_PATCHES},
        {BLOB_PATCHES, 28, 4, UINT32_MAX, BLOB_FAULT_PATCHES},
        {BLOB_PATCHES, 28, 4, 0x80000004, BLOB_FAULT_PATCHES}, // twice the size wraps to 8
        // The list: of none, of two; the name: at the payload's end and behind it, empty.
        {BLOB_MODULES, 0, 4, 0, BLOB_FAULT_MODULES},
        {BLOB_MODULES, 0, 4, 2, BLOB_FAULT_MODULES},
        {BLOB_MODULES, 0, 4, UINT32_MAX, BLOB_FAULT_MODULES},
        {BLOB_MODULES, BLOB_LIST_REF, 4, 2 * sizeof test_payload, BLOB_FAULT_MODULES},
        {BLOB_MODULES, BLOB_LIST_REF, 4, 2 * sizeof test_payload + 2, BLOB_FAULT_MODULES},
        {BLOB_MODULES, BLOB_LIST_REF, 4, UINT32_MAX, BLOB_FAULT_MODULES},
        {BLOB_MODULES, BLOB_LIST_REF, 4, 2u * (0u - BLOB_HEADER), BLOB_FAULT_MODULES},
        {BLOB_MODULES, BLOB_LIST_REF, 4, 2 * (TEST_NAME - 1), BLOB_FAULT_MODULES},
        {BLOB_MODULES, BLOB_LIST_REF, 4, 2 * (TEST_NAME + 5) + 1, BLOB_SOUND},
        {BLOB_PAYLOAD, sizeof test_payload - 1, 1, 'x', BLOB_FAULT_MODULES}, // no NUL
        {BLOB_EXTENTS, 0, 8, BASE_ADDR + 1, BLOB_FAULT_EXTENTS},
        {BLOB_EXTENTS, 8, 4, 0, BLOB_FAULT_EXTENTS},
        {BLOB_EXTENTS, 12, 4, 4, BLOB_FAULT_EXTENTS},
        {BLOB_EXTENTS, 12, 4, BLOB_EXTENT_GAP, BLOB_FAULT_EXTENTS}, // longer than gaps may be
        {BLOB_EXTENTS, 32, 8, UINT64_MAX - 3, BLOB_FAULT_EXTENTS},
        {BLOB_EXTENTS, 40, 4, UINT32_MAX, BLOB_FAULT_EXTENTS},
        {BLOB_SECTIONS, 0, 4, 4, BLOB_FAULT_SIGNATURES}, // unknown algorithm
        {BLOB_SECTIONS, 0, 4, 1, BLOB_FAULT_SIGNATURES}, // without its size
        {BLOB_SECTIONS, 100, 1, 1, BLOB_FAULT_SIGNATURES},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        fixture_init(&f);
        uint32_t at = section_at(&f.out, (unsigned)cases[i].section) + cases[i].at;
        st(f.out.data + at, cases[i].size, cases[i].value);
        cr_expect_eq(fault_of(&f.out), cases[i].fault, "case %u: %s", i,
                     blob_fault_text(fault_of(&f.out)));
        fixture_free(&f);
    }
}

Test(blob, a_key_signs_once)
{
    struct fixture f;
    fixture_init(&f);
    uint8_t *p = f.out.data + section_at(&f.out, BLOB_SECTIONS);
    for (unsigned i = 0; i < 2; i++, p += 104) {
        st32(p, BLOB_ECDSA_P256);
        st32(p + 4, 64);
        memset(p + 8, (int)(1 + i), BLOB_DIGEST);
    }
    cr_expect_eq(fault_of(&f.out), BLOB_SOUND);
    p[8 - 208] = 2; // still less than the other
    cr_expect_eq(fault_of(&f.out), BLOB_SOUND);
    memset(p + 8 - 208, 2, BLOB_DIGEST);
    cr_expect_eq(fault_of(&f.out), BLOB_FAULT_SIGNATURES, "the same key twice");
    memset(p + 8 - 208, 3, BLOB_DIGEST);
    cr_expect_eq(fault_of(&f.out), BLOB_FAULT_SIGNATURES, "not sorted");
    fixture_free(&f);
}

Test(blob, what_cannot_be_written_is_refused)
{
    struct fixture f;
    struct bytes_out out;
    fixture_init(&f);
    bytes_out_init(&out);
    f.blob.app = "a name of exactly thirty-two byte";
    cr_expect_eq(blob_write(&f.blob, &out, NULL), DIAG_NO);
    f.blob.app = "line\nbreak";
    cr_expect_eq(blob_write(&f.blob, &out, NULL), DIAG_NO);
    f.blob.app = "app";
    test_modules[0].name = "";
    cr_expect_eq(blob_write(&f.blob, &out, NULL), DIAG_NO);
    test_modules[0].name = "b.py"; // the payload has another one there
    cr_expect_eq(blob_write(&f.blob, &out, NULL), DIAG_INTERNAL);
    test_modules[0].name = "a/b.py";
    f.blob.list.n = 2;
    cr_expect_eq(blob_write(&f.blob, &out, NULL), DIAG_INTERNAL);
    f.blob.list.n = 1;
    cr_expect_eq(blob_write(&f.blob, &out, NULL), DIAG_OK);
    test_patches[1].addr = BASE_ADDR; // unsorted
    cr_expect_eq(blob_write(&f.blob, &out, NULL), DIAG_INTERNAL);
    bytes_out_free(&out);
    fixture_free(&f);
}

// Digests of one address space that came in different pieces.
static void digest_of(struct fixture *f, struct image_segment *segments, unsigned n,
                      uint8_t digest[BLOB_DIGEST])
{
    uint64_t size;
    f->image.segments = segments;
    f->image.n_segments = n;
    cr_assert_eq(blob_space_digest(&f->image, &f->arena, &f->diag, digest, &size), DIAG_OK);
}

Test(blob, the_digest_does_not_depend_on_the_container)
{
    struct fixture f;
    uint8_t whole[BLOB_DIGEST], other[BLOB_DIGEST];
    fixture_base(&f);
    memset(f.base + 800, 0, 10);   // a short gap, as objcopy fills it
    f.base[300] = f.base[301] = 0; // zeros at the end of data, before a long gap of 0xff
    digest_of(&f, &f.segment, 1, whole);
    // As ELF: the long gap and the short one are missing, segments touch at 100.
    struct image_segment elf[] = {
        {.addr = BASE_ADDR, .size = 100, .data = f.base},
        {.addr = BASE_ADDR + 100, .size = 202, .data = f.base + 100},
        {.addr = BASE_ADDR + 700, .size = 100, .data = f.base + 700},
        {.addr = BASE_ADDR + 810, .size = BASE_SIZE - 810, .data = f.base + 810},
    };
    digest_of(&f, elf, 4, other);
    cr_expect_arr_eq(other, whole, BLOB_DIGEST, "as ELF");
    // As UF2: pages, their rest padded with zeros, a page that is all fill left out.
    static uint8_t pages[5][256];
    struct image_segment uf2[5];
    unsigned n = 0;
    for (unsigned page = 0; page < 5; page++) {
        unsigned at = page * 256, size = at + 256 <= BASE_SIZE ? 256 : BASE_SIZE % 256;
        memset(pages[page], 0, 256);
        memcpy(pages[page], f.base + at, page < 4 ? size : 0);
        if (page < 4) {
            uf2[n++] =
                (struct image_segment){.addr = BASE_ADDR + at, .size = 256, .data = pages[page]};
        }
    }
    uf2[n++] = (struct image_segment){.addr = BASE_ADDR + 1024, .size = 256, .data = pages[4]};
    digest_of(&f, uf2, n, other);
    cr_expect_arr_eq(other, whole, BLOB_DIGEST, "as UF2, with a page of padding at the end");
    f.base[10] ^= 1;
    digest_of(&f, &f.segment, 1, other);
    cr_expect(memcmp(other, whole, BLOB_DIGEST) != 0);
    arena_free(&f.arena);
}

// No input makes the extents many: alternating fills, scattered fills.
Test(blob, extents_stay_few)
{
    struct fixture f;
    static uint8_t big[1 << 18];
    struct blob b = {0};
    fixture_base(&f);
    for (unsigned i = 0; i < sizeof big; i++) {
        big[i] = i & 1 ? 0xff : 0;
    }
    f.segment.data = big;
    f.segment.size = sizeof big;
    f.image.file = big;
    f.image.file_size = sizeof big;
    cr_assert_eq(blob_set_base(&b, &f.image, &f.arena, &f.diag), DIAG_OK);
    cr_expect_leq(b.n_extents, 16);
    for (unsigned i = 0; i < sizeof big; i++) {
        big[i] = i % 512 < 256 ? 0 : 7;
    }
    cr_assert_eq(blob_set_base(&b, &f.image, &f.arena, &f.diag), DIAG_OK);
    cr_expect_leq(b.n_extents, 260);
    uint64_t total = 0;
    for (unsigned i = 0; i < b.n_extents; i++) {
        total += b.extents[i].size;
    }
    cr_expect_eq(total, sizeof big, "every byte is in one extent");
    arena_free(&f.arena);
}

// Every record is looked at once: as many patches as a firmware of 40 KB has words are nothing.
Test(blob, ten_thousand_patches)
{
    enum { N = 10000 };
    static uint8_t base[4 * N], changed[2] = {0x55, 0xaa};
    static struct blob_patch patches[N];
    struct fixture f;
    struct blob *b;
    bool same_file;
    fixture_base(&f);
    for (unsigned i = 0; i < sizeof base; i++) {
        base[i] = (uint8_t)(i * 7 % 250 + 1);
    }
    for (unsigned i = 0; i < N; i++) {
        patches[i] = (struct blob_patch){BASE_ADDR + 4 * i, 2, base + 4 * i, changed};
    }
    f.segment.data = base;
    f.segment.size = f.segment.mem_size = f.image.file_size = sizeof base;
    f.image.file = base;
    f.blob = (struct blob){.addr = BASE_ADDR + 0x10000, .n_patches = N, .patches = patches};
    cr_assert_eq(blob_set_base(&f.blob, &f.image, &f.arena, &f.diag), DIAG_OK);
    bytes_out_init(&f.out);
    cr_assert_eq(blob_write(&f.blob, &f.out, &f.diag), DIAG_OK, "%s", f.diag.text);
    cr_assert_eq(blob_read(f.out.data, f.out.size, "x", &f.arena, &f.diag, &b), DIAG_OK);
    cr_expect_eq(b->n_patches, N);
    cr_expect_eq(b->patches[N - 1].addr, BASE_ADDR + 4 * (N - 1));
    cr_expect(blob_is_base(b, &f.image, &same_file) && same_file);
    fixture_free(&f);
}
