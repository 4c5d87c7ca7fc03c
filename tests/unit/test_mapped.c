// ESP32 family: which images take further pages of the flash MMU, and what a splice changes so that
// the firmware does not give them away.
#include <criterion/criterion.h>

#include "format/blob/blob.h"
#include "packer/splice/splice.h"
#include "tests/lib/synth.h"

enum { PAGE = 0x10000, TEXT = 90000 };

struct bench {
    struct arena arena;
    struct diag diag;
    struct synth synth;
    struct image *image;
    struct firmware *fw;
};

static void scan(struct bench *b, const struct synth_esp *esp)
{
    struct synth_spec spec = synth_default();
    spec.isa = esp->chip == 5 ? IMAGE_ISA_RV32 : IMAGE_ISA_XTENSA;
    spec.board = "Made-up module with ESP32";
    spec.esp = esp;
    memset(b, 0, sizeof *b);
    arena_init(&b->arena, 0);
    diag_init(&b->diag);
    synth_make(&spec, &b->synth);
    cr_assert_eq(image_read(b->synth.image.data, b->synth.image.size, "synth", IMAGE_AUTO,
                            &b->arena, &b->diag, &b->image),
                 DIAG_OK, "%s", b->diag.text);
    cr_assert_eq(firmware_scan(b->image, &b->diag, &b->fw), DIAG_OK, "%s", b->diag.text);
    cr_assert_eq(b->image->kind, IMAGE_ESP_FLASH);
    cr_assert_eq(b->fw->content_refs.n, 1);
    cr_assert_eq(b->fw->n_free, 1);
}

static void end(struct bench *b)
{
    arena_free(&b->arena);
    bytes_out_free(&b->synth.image);
}

static const struct {
    struct synth_esp esp;
    enum fw_tri grows;
    unsigned refs;
} cases[] = {
    // Free entries of the MMU are looked up: nothing to change.
    {{0, "v4.4.4", false, 0}, FW_YES, 0},
    {{9, "v4.4.4-dirty", true, 0}, FW_YES, 0},
    {{5, "v5.0.4", false, 0}, FW_YES, 0},
    {{0, "v5.0.4", true, 0}, FW_YES, 0},
    // External RAM of the S3 is mapped behind what the linker says.
    {{9, "v5.0.4", true, 0}, FW_NO, 0},
    {{9, "v5.0.4", true, SYNTH_MAPPER}, FW_YES, 1},
    // From 5.1 on the mapper counts from there.
    {{0, "v5.2.2", false, SYNTH_MAPPER | SYNTH_ROUNDED}, FW_YES, 1},
    {{0, "v5.10", false, SYNTH_MAPPER_ALONE}, FW_YES, 1},
    {{0, "v5.2.2", false, 0}, FW_NO, 0},
    {{0, "a1b2c3d", false, 0}, FW_NO, 0},
    {{5, "v5.2.2", false, SYNTH_MAPPER}, FW_YES, 1},
    {{5, "v5.2.2", false, SYNTH_MAPPER | SYNTH_ROUNDED}, FW_YES, 1},
    {{5, "v5.4.2", false, 0}, FW_NO, 0},
    {{9, "v5.4.2", true, SYNTH_MAPPER}, FW_YES, 1},
    // Start-up code of the S3 has the same pair; it alone is not the mapper.
    {{9, "v5.4.2", true, SYNTH_MAPPER_ALONE}, FW_NO, 0},
    {{9, "v5.4.2", true, SYNTH_MAPPER | SYNTH_MAPPER_ALONE}, FW_YES, 1},
    // The constant means something else for other code, or what lies behind is in use.
    {{9, "v5.4.2", true, SYNTH_MAPPER | SYNTH_SHARED}, FW_NO, 0},
    {{0, "v5.4.2", true, SYNTH_MAPPER | SYNTH_SHARED}, FW_NO, 0},
    {{9, "v5.4.2", true, SYNTH_MAPPER | SYNTH_EXTERNAL}, FW_NO, 0},
};

Test(mapped, pages_behind_the_constants_are_taken_only_where_nothing_else_gets_them)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        scan(&b, &cases[i].esp);
        const struct firmware *fw = b.fw;
        uint64_t page_end = (b.synth.data_end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
        cr_assert_eq(fw->mapped_end, page_end, "case %u", i);
        cr_assert_eq(fw->mapped_grows, cases[i].grows, "case %u", i);
        cr_assert_eq(fw->mapped_refs.n, cases[i].refs, "case %u: %u", i, fw->mapped_refs.n);
        cr_assert_eq(fw->free[0].addr, b.synth.data_end, "case %u", i);
        uint64_t to = fw->free[0].addr + fw->free[0].size;
        cr_assert_eq(to > page_end + 2 * PAGE, cases[i].grows == FW_YES, "case %u", i);
        cr_assert(cases[i].grows == FW_YES || to == page_end, "case %u", i);
        end(&b);
    }
}

// A text that needs more than the last page leaves.
static enum diag_code plan_text(struct bench *b, const struct splice_options *o,
                                struct splice_plan **plan)
{
    uint8_t *text = arena_alloc(&b->arena, TEXT);
    memset(text, '#', TEXT);
    memcpy(text, "x=1\n", 4);
    struct splice_module in = {.in = {.kind = FW_MODULE_MPY, .name = "big.py", .file = "big.mpy"}};
    struct bytes_out mpy;
    bytes_out_init(&mpy);
    bytes_put(&mpy,
              "M\x06\x00\x1e\x02\x01\x0c"
              "big.py\0\x0f\x05",
              16);
    bytes_put_u8(&mpy, 0x80 | TEXT >> 14);
    bytes_put_u8(&mpy, 0x80 | (TEXT >> 7 & 0x7f));
    bytes_put_u8(&mpy, TEXT & 0x7f);
    bytes_put(&mpy, text, TEXT);
    bytes_put(&mpy, "\0\x28\x00\x02\x01\x51\x63", 7);
    uint8_t *bytes = arena_dup(&b->arena, mpy.data, mpy.size);
    size_t n = mpy.size;
    bytes_out_free(&mpy);
    struct mpy_module *m;
    cr_assert_eq(mpy_read(bytes, n, "big.mpy", &b->arena, &b->diag, &m), DIAG_OK, "%s",
                 b->diag.text);
    in.in.mpy = m;
    return splice_plan(b->fw, &in, 1, o, &b->arena, &b->diag, plan);
}

static uint32_t word_at(const struct image *img, uint64_t addr)
{
    const uint8_t *p = image_bytes(img, addr, 4);
    cr_assert_not_null(p);
    return ld32(p);
}

// The product maps more pages, the mapper is told of them, and the base comes back.
static void check_product(struct bench *b, const struct splice_plan *plan)
{
    struct bytes_out encoded, product, base;
    struct blob *blob, *taken;
    struct image *img;
    bytes_out_init(&encoded);
    bytes_out_init(&product);
    bytes_out_init(&base);
    cr_assert_eq(blob_write(&plan->blob, &encoded, &b->diag), DIAG_OK);
    cr_assert_eq(blob_read(encoded.data, encoded.size, "b", &b->arena, &b->diag, &blob), DIAG_OK);
    cr_assert_eq(splice_apply(b->synth.image.data, b->synth.image.size, "synth", IMAGE_AUTO, blob,
                              &b->arena, &b->diag, &product),
                 DIAG_OK, "%s", b->diag.text);
    cr_assert_eq(image_read(product.data, product.size, "p", IMAGE_AUTO, &b->arena, &b->diag, &img),
                 DIAG_OK, "%s", b->diag.text);
    uint64_t data_end = plan->blob.addr + plan->size;
    uint32_t pages = (uint32_t)((data_end - b->fw->mapped_end + PAGE - 1) / PAGE);
    cr_assert_geq(pages, 1);
    for (unsigned i = 0; i < b->fw->mapped_refs.n; i++) {
        const struct fw_ref *r = &b->fw->mapped_refs.refs[i];
        unsigned shift = r->kind == FW_REF_WORD ? 0 : 16; // lui: bits 31..16 are of the page
        uint32_t was = word_at(b->image, r->addr), now = word_at(img, r->addr);
        cr_assert_eq((now >> shift) - (was >> shift), shift ? pages : pages * PAGE);
    }
    cr_assert_eq(splice_remove(product.data, product.size, "p", IMAGE_AUTO, &b->arena, &b->diag,
                               &taken, &base),
                 DIAG_OK, "%s", b->diag.text);
    cr_assert_eq(base.size, b->synth.image.size);
    cr_assert_arr_eq(base.data, b->synth.image.data, base.size);
    bytes_out_free(&encoded);
    bytes_out_free(&product);
    bytes_out_free(&base);
}

Test(mapped, a_payload_of_several_pages_is_spliced_and_kept_from_the_mapper)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        struct splice_plan *plan;
        scan(&b, &cases[i].esp);
        enum diag_code err = plan_text(&b, &(struct splice_options){0}, &plan);
        cr_assert_eq(err, cases[i].grows == FW_YES ? DIAG_OK : DIAG_NO, "case %u: %s", i,
                     b.diag.text);
        if (!err) {
            check_product(&b, plan);
        }
        end(&b);
    }
}

// A region by hand does not overrule what the firmware does with those pages.
Test(mapped, a_region_by_hand_is_refused_where_the_mapper_would_give_it_away)
{
    struct bench b;
    struct splice_plan *plan;
    scan(&b, &(struct synth_esp){0, "v5.2.2", false, 0});
    struct fw_region by_hand = {b.fw->free[0].addr, 4 * PAGE, "given by hand", true};
    cr_assert_eq(
        plan_text(&b, &(struct splice_options){.n_regions = 1, .regions = &by_hand}, &plan),
        DIAG_NO);
    cr_assert(strstr(b.diag.text, "flash page"), "%s", b.diag.text);
    end(&b);
}

Test(mapped, what_does_not_fit_the_partition_is_refused)
{
    struct bench b;
    scan(&b, &(struct synth_esp){0, "v4.4.4", false, 0});
    const struct fw_region *r = &b.fw->free[0];
    cr_assert_eq(image_room(b.image, r->addr, UINT64_MAX), r->size);
    cr_assert_lt(r->size, 0x60000);
    end(&b);
}

// Where the image has no room at all, nothing behind the program is offered as a place.
Test(mapped, a_full_partition_is_named_as_the_reason)
{
    struct bench b;
    struct splice_plan *plan;
    scan(&b, &(struct synth_esp){0, "v4.4.4", false, 0});
    b.fw->n_free = 0;
    cr_assert_eq(plan_text(&b, &(struct splice_options){0}, &plan), DIAG_NO);
    cr_assert(strstr(b.diag.text, "no free space"), "%s", b.diag.text);
    cr_assert(strstr(b.diag.help, "partition"), "%s", b.diag.help);
    cr_assert_not(strstr(b.diag.help, "--region"), "%s", b.diag.help);
    end(&b);
}
