// References that are changed to give another address. The instruction words are an assembler's.
#include <criterion/criterion.h>

#include "packer/splice/patch.h"

enum { BASE = 0x10000, SIZE = 64 };

struct fixture {
    struct arena arena;
    struct diag diag;
    uint8_t file[SIZE];
    struct firmware fw;
    struct patches patches;
};

static struct fixture x;

static void setup(void)
{
    memset(&x, 0, sizeof x);
    arena_init(&x.arena, 0);
    diag_init(&x.diag);
}

static void teardown(void)
{
    arena_free(&x.arena);
}

TestSuite(splice_patch, .init = setup, .fini = teardown);

static void with(enum image_machine isa, unsigned ptr, const uint32_t *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        st32(x.file + 4 * i, words[i]);
    }
    struct image *img;
    cr_assert_eq(image_read(x.file, SIZE, "t.bin", IMAGE_BIN, &x.arena, &x.diag, &img), DIAG_OK);
    image_rebase(img, BASE);
    x.fw = (struct firmware){.image = img, .isa = isa, .ptr = ptr};
    patches_init(&x.patches, &x.fw, &x.arena, &x.diag);
}

static enum diag_code refer(const struct fw_ref *ref, uint64_t target)
{
    diag_init(&x.diag);
    return patches_reference(&x.patches, ref, target, "the table");
}

// Writes the patches into the file, as a splice would.
static void apply(void)
{
    uint32_t n;
    const struct blob_patch *list;
    cr_assert_eq(patches_finish(&x.patches, &n, &list), DIAG_OK);
    for (uint32_t i = 0; i < n; i++) {
        cr_assert(!memcmp(list[i].old_bytes, x.file + (list[i].addr - BASE), list[i].size));
        cr_assert(i == 0 || list[i - 1].addr + list[i - 1].size <= list[i].addr);
        memcpy(x.file + (list[i].addr - BASE), list[i].new_bytes, list[i].size);
    }
}

static void expect(const uint32_t *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        cr_assert_eq(ld32(x.file + 4 * i), words[i], "word %u is 0x%08x, not 0x%08x", i,
                     ld32(x.file + 4 * i), words[i]);
    }
}

Test(splice_patch, words_and_anchors)
{
    const uint32_t before[] = {0x08001000, 0x08001000}, after[] = {0x08050000, 0x0804ffc0};
    with(IMAGE_ISA_THUMB, 4, before, 2);
    cr_assert_eq(refer(&(struct fw_ref){.kind = FW_REF_WORD, .addr = BASE}, 0x08050000), DIAG_OK);
    // The code adds 0x40 to what the literal gives: a section anchor.
    cr_assert_eq(
        refer(&(struct fw_ref){.kind = FW_REF_WORD, .addr = BASE + 4, .addend = 0x40}, 0x08050000),
        DIAG_OK);
    apply();
    expect(after, 2);
}

Test(splice_patch, movw_and_movt_that_are_not_adjacent)
{
    const uint32_t thumb[] = {0x2334f241, 0xbf00bf00, 0xbf00bf00, 0x0300f6c0};
    const uint32_t thumb_after[] = {0x6378f24b, 0xbf00bf00, 0xbf00bf00, 0x0304f2c2};
    const uint32_t arm[] = {0xe3013234, 0xe1a00000, 0xe3403800};
    const uint32_t arm_after[] = {0xe30b3678, 0xe1a00000, 0xe3423004};
    struct fw_ref ref = {.kind = FW_REF_MOVW_MOVT, .addr = BASE, .addr2 = BASE + 12};
    with(IMAGE_ISA_THUMB, 4, thumb, 4);
    cr_assert_eq(refer(&ref, 0x2004b678), DIAG_OK);
    apply();
    expect(thumb_after, 4);
    ref.addr2 = BASE + 8;
    with(IMAGE_ISA_ARM, 4, arm, 3);
    cr_assert_eq(refer(&ref, 0x2004b678), DIAG_OK);
    apply();
    expect(arm_after, 3);
}

Test(splice_patch, one_lui_with_several_users)
{
    const uint32_t before[] = {0x12345537, 0x67850593, 0x67854603, 0x66c52c23};
    const uint32_t after[] = {0x2004c537, 0x87750593, 0x87754603, 0x86c52ba3};
    with(IMAGE_ISA_RV32, 4, before, 4);
    for (uint64_t user = BASE + 4; user < BASE + 16; user += 4) {
        struct fw_ref ref = {.kind = FW_REF_LUI_LO12, .addr = BASE, .addr2 = user};
        cr_assert_eq(refer(&ref, 0x2004b877), DIAG_OK);
    }
    apply();
    expect(after, 4);
}

Test(splice_patch, one_lui_for_two_tables_is_refused)
{
    const uint32_t before[] = {0x12345537, 0x67850593, 0x67854603};
    uint32_t n;
    const struct blob_patch *list;
    with(IMAGE_ISA_RV32, 4, before, 3);
    struct fw_ref a = {.kind = FW_REF_LUI_LO12, .addr = BASE, .addr2 = BASE + 4};
    struct fw_ref b = {.kind = FW_REF_LUI_LO12, .addr = BASE, .addr2 = BASE + 8};
    cr_assert_eq(refer(&a, 0x20040000), DIAG_OK);
    cr_assert_eq(refer(&b, 0x20050000), DIAG_OK);
    cr_assert_eq(patches_finish(&x.patches, &n, &list), DIAG_NO);
}

Test(splice_patch, compressed_lui_reaches_less)
{
    const uint32_t before[] = {0x85936521, 0x00006785}, after[] = {0x8593757d, 0x00006785};
    struct fw_ref ref = {.kind = FW_REF_LUI_LO12, .addr = BASE, .addr2 = BASE + 2};
    with(IMAGE_ISA_RV32, 4, before, 2);
    cr_assert_eq(refer(&ref, 0xfffff678), DIAG_OK);
    apply();
    expect(after, 2);
    cr_assert_eq(refer(&ref, 0x20040000), DIAG_NO);
    cr_assert(strstr(x.diag.text, "cannot reach"));
    cr_assert_eq(refer(&ref, 0x678), DIAG_NO); // the immediate must not be zero
}

Test(splice_patch, auipc_counts_from_itself)
{
    const uint32_t before[] = {0x00012517, 0x67850593};
    with(IMAGE_ISA_RV64, 8, before, 2);
    struct fw_ref ref = {.kind = FW_REF_AUIPC_LO12, .addr = BASE, .addr2 = BASE + 4};
    cr_assert_eq(refer(&ref, BASE + 0x12000 - 0x789), DIAG_OK);
    apply();
    const uint32_t after[] = {0x00012517, 0x87750593};
    expect(after, 2);
    cr_assert_eq(refer(&ref, UINT64_C(0x100000000)), DIAG_NO);
}

Test(splice_patch, aarch64_pages)
{
    const uint32_t before[] = {0x90000000, 0x91000001, 0xf9400001, 0x39400001, 0x10000003};
    const uint32_t after[] = {0xd0000080, 0x9119c001, 0xf9433801, 0x3959c001, 0x10008003};
    with(IMAGE_ISA_AARCH64, 8, before, 5);
    for (uint64_t user = BASE + 4; user < BASE + 16; user += 4) {
        struct fw_ref ref = {.kind = FW_REF_ADRP_ADD, .addr = BASE, .addr2 = user};
        cr_assert_eq(refer(&ref, BASE + 0x12670), DIAG_OK);
    }
    struct fw_ref near = {.kind = FW_REF_ADR, .addr = BASE + 16};
    cr_assert_eq(refer(&near, BASE + 16 + 0x1000), DIAG_OK);
    apply();
    expect(after, 5);
    struct fw_ref load = {.kind = FW_REF_ADRP_ADD, .addr = BASE, .addr2 = BASE + 8};
    cr_assert_eq(refer(&load, BASE + 0x12674), DIAG_NO); // a load of 8 bytes from there
    cr_assert_eq(refer(&load, UINT64_C(0x800000000)), DIAG_NO);
    cr_assert_eq(refer(&near, BASE + 0x200000), DIAG_NO);
}

Test(splice_patch, x86_displacements)
{
    const uint32_t before[] = {0, 0, 0};
    with(IMAGE_ISA_X64, 8, before, 3);
    struct fw_ref rip = {.kind = FW_REF_RIP32, .addr = BASE + 1, .next = BASE + 6};
    cr_assert_eq(refer(&rip, 0x8000), DIAG_OK);
    apply();
    cr_assert_eq(ld32(x.file + 1), (uint32_t)(0x8000 - (BASE + 6)));
    cr_assert_eq(refer(&rip, UINT64_C(0x180000000)), DIAG_NO);
    struct fw_ref absolute = {.kind = FW_REF_ABS32, .addr = BASE + 8};
    cr_assert_eq(refer(&absolute, UINT64_C(0x100000000)), DIAG_NO);
    with(IMAGE_ISA_X86, 4, before, 3);
    struct fw_ref got = {.kind = FW_REF_GOTOFF32, .addr = BASE + 4, .next = 0xb3b48};
    cr_assert_eq(refer(&got, 0xc0200), DIAG_OK);
    apply();
    cr_assert_eq(ld32(x.file + 4), 0xc0200 - 0xb3b48);
}

Test(splice_patch, what_is_not_in_the_image_is_refused)
{
    const uint32_t before[] = {0};
    with(IMAGE_ISA_THUMB, 4, before, 1);
    struct fw_ref ref = {.kind = FW_REF_WORD, .addr = BASE + SIZE - 2};
    cr_assert_eq(refer(&ref, 0x1000), DIAG_NO);
    ref = (struct fw_ref){.kind = FW_REF_MOVW_MOVT, .addr = BASE, .addr2 = BASE + SIZE};
    cr_assert_eq(refer(&ref, 0x1000), DIAG_NO);
    ref = (struct fw_ref){.kind = FW_REF_ADRP_ADD, .addr = 0, .addr2 = BASE};
    cr_assert_eq(refer(&ref, 0x1000), DIAG_NO);
}
