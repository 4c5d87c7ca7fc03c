// ESP32 family: which images take further pages of the flash MMU, and what a splice changes so that
// the firmware does not give them away.
#include <criterion/criterion.h>

#include "esp_fixture.h"

enum { PAGE = 0x10000, TEXT = 90000 };

static const struct {
    struct synth_esp esp;
    enum fw_tri grows;
    unsigned refs;
} cases[] = {
    // Free entries of the MMU are looked up: nothing to change.
    {{.chip = 0, "v4.4.4", false, 0}, FW_YES, 0},
    {{.chip = 9, "v4.4.4-dirty", true, 0}, FW_YES, 0},
    {{.chip = 5, "v5.0.4", false, 0}, FW_YES, 0},
    {{.chip = 0, "v5.0.4", true, 0}, FW_YES, 0},
    // External RAM of the S3 is mapped behind what the linker says.
    {{.chip = 9, "v5.0.4", true, 0}, FW_NO, 0},
    {{.chip = 9, "v5.0.4", true, SYNTH_MAPPER}, FW_YES, 1},
    // From 5.1 on the mapper counts from there.
    {{.chip = 0, "v5.2.2", false, SYNTH_MAPPER | SYNTH_ROUNDED}, FW_YES, 1},
    {{.chip = 0, "v5.10", false, SYNTH_MAPPER_ALONE}, FW_YES, 1},
    {{.chip = 0, "v5.2.2", false, 0}, FW_NO, 0},
    {{.chip = 0, "a1b2c3d", false, 0}, FW_NO, 0},
    {{.chip = 5, "v5.2.2", false, SYNTH_MAPPER}, FW_YES, 1},
    {{.chip = 5, "v5.2.2", false, SYNTH_MAPPER | SYNTH_ROUNDED}, FW_YES, 1},
    {{.chip = 5, "v5.4.2", false, 0}, FW_NO, 0},
    {{.chip = 9, "v5.4.2", true, SYNTH_MAPPER}, FW_YES, 1},
    // Start-up code of the S3 has the same pair; it alone is not the mapper.
    {{.chip = 9, "v5.4.2", true, SYNTH_MAPPER_ALONE}, FW_NO, 0},
    {{.chip = 9, "v5.4.2", true, SYNTH_MAPPER | SYNTH_MAPPER_ALONE}, FW_YES, 1},
    // The constant means something else for other code, or what lies behind is in use.
    {{.chip = 9, "v5.4.2", true, SYNTH_MAPPER | SYNTH_SHARED}, FW_NO, 0},
    {{.chip = 0, "v5.4.2", true, SYNTH_MAPPER | SYNTH_SHARED}, FW_NO, 0},
    {{.chip = 9, "v5.4.2", true, SYNTH_MAPPER | SYNTH_EXTERNAL}, FW_NO, 0},
};

Test(mapped, pages_behind_the_constants_are_taken_only_where_nothing_else_gets_them)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct esp_bench b;
        esp_begin(&b, &cases[i].esp);
        const struct firmware *fw = b.fw;
        uint64_t page_end = (b.synth.data_end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
        cr_assert_eq(fw->mapped_end, page_end, "case %u", i);
        cr_assert_eq(fw->mapped_grows, cases[i].grows, "case %u", i);
        cr_assert_eq(fw->mapped_refs.n, cases[i].refs, "case %u: %u", i, fw->mapped_refs.n);
        cr_assert_eq(fw->free[0].addr, b.synth.data_end, "case %u", i);
        uint64_t to = fw->free[0].addr + fw->free[0].size;
        cr_assert_eq(to > page_end + 2 * PAGE, cases[i].grows == FW_YES, "case %u", i);
        cr_assert(cases[i].grows == FW_YES || to == page_end, "case %u", i);
        esp_end(&b);
    }
}

// A text that needs more than the last page leaves.
static enum diag_code plan_text(struct esp_bench *b, const struct splice_options *o,
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
static void check_product(struct esp_bench *b, const struct splice_plan *plan)
{
    struct bytes_out product;
    struct image *img = esp_product(b, plan, &product);
    uint64_t data_end = plan->blob.addr + plan->size;
    uint32_t pages = (uint32_t)((data_end - b->fw->mapped_end + PAGE - 1) / PAGE);
    cr_assert_geq(pages, 1);
    for (unsigned i = 0; i < b->fw->mapped_refs.n; i++) {
        const struct fw_ref *r = &b->fw->mapped_refs.refs[i];
        unsigned shift = r->kind == FW_REF_WORD ? 0 : 16; // lui: bits 31..16 are of the page
        uint32_t was = word_at(b->image, r->addr), now = word_at(img, r->addr);
        cr_assert_eq((now >> shift) - (was >> shift), shift ? pages : pages * PAGE);
    }
    esp_check_base(b, &product);
    bytes_out_free(&product);
}

Test(mapped, a_payload_of_several_pages_is_spliced_and_kept_from_the_mapper)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct esp_bench b;
        struct splice_plan *plan;
        esp_begin(&b, &cases[i].esp);
        enum diag_code err = plan_text(&b, &(struct splice_options){0}, &plan);
        cr_assert_eq(err, cases[i].grows == FW_YES ? DIAG_OK : DIAG_NO, "case %u: %s", i,
                     b.diag.text);
        if (!err) {
            check_product(&b, plan);
        }
        esp_end(&b);
    }
}

// A region by hand does not overrule what the firmware does with those pages.
Test(mapped, a_region_by_hand_is_refused_where_the_mapper_would_give_it_away)
{
    struct esp_bench b;
    struct splice_plan *plan;
    esp_begin(&b, &(struct synth_esp){.chip = 0, "v5.2.2", false, 0});
    struct fw_region by_hand = {b.fw->free[0].addr, 4 * PAGE, "given by hand", true};
    cr_assert_eq(
        plan_text(&b, &(struct splice_options){.n_regions = 1, .regions = &by_hand}, &plan),
        DIAG_NO);
    cr_assert(strstr(b.diag.text, "flash page"), "%s", b.diag.text);
    esp_end(&b);
}

// Behind the code there is room as well, but bytes cannot be read one by one there.
Test(mapped, a_region_by_hand_behind_the_code_is_refused)
{
    struct esp_bench b;
    struct splice_plan *plan;
    esp_begin(&b, &(struct synth_esp){.chip = 0, .idf = "v4.4.4"});
    const struct image_segment *code = &b.image->segments[b.image->n_segments - 1];
    cr_assert(code->flags & IMAGE_X);
    struct fw_region by_hand = {code->addr + code->size + 16, 4 * PAGE, "given by hand", true};
    cr_assert_eq(
        plan_text(&b, &(struct splice_options){.n_regions = 1, .regions = &by_hand}, &plan),
        DIAG_NO);
    cr_assert(strstr(b.diag.text, "does not follow the constants"), "%s", b.diag.text);
    esp_end(&b);
}

Test(mapped, what_does_not_fit_the_partition_is_refused)
{
    struct esp_bench b;
    esp_begin(&b, &(struct synth_esp){.chip = 0, "v4.4.4", false, 0});
    const struct fw_region *r = &b.fw->free[0];
    cr_assert_eq(image_room(b.image, r->addr, UINT64_MAX), r->size);
    cr_assert_lt(r->size, 0x60000);
    esp_end(&b);
}

// Where the image has no room at all, nothing behind the program is offered as a place.
Test(mapped, a_full_partition_is_named_as_the_reason)
{
    struct esp_bench b;
    struct splice_plan *plan;
    esp_begin(&b, &(struct synth_esp){.chip = 0, "v4.4.4", false, 0});
    b.fw->n_free = 0;
    cr_assert_eq(plan_text(&b, &(struct splice_options){0}, &plan), DIAG_NO);
    cr_assert(strstr(b.diag.text, "no free space"), "%s", b.diag.text);
    cr_assert(strstr(b.diag.help, "partition"), "%s", b.diag.help);
    cr_assert_not(strstr(b.diag.help, "--region"), "%s", b.diag.help);
    esp_end(&b);
}
