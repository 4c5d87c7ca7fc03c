// The lookup function of a build that folded the frozen tables away: recognised, replaced.
#include <criterion/criterion.h>

#include "packer/splice/veneer.h"

enum { BASE = 0x10000, SIZE = 0x400, MODULE = 0x10300, NAMES = 0x10200 };

// f: push {r0-r2, r4-r7, lr}; r7 = type; [sp] = name; [sp, 4] = data; a call; *type = 0; then for a
// match *type = 2 and *data = the module's address; the literals are the names and that address.
static const uint16_t lookup[] = {
    0xb5f7, 0x000f, 0x9000, 0x9201, 0xf7ff, 0xfffa, 0x4d05, 0x2300, 0x603b, 0x7828, 0x2800,
    0xd004, 0x4b03, 0x9a01, 0x2002, 0x6038, 0x6013, 0xbdfe, 0x0200, 0x0001, 0x0300, 0x0001,
};

struct fixture {
    struct arena arena;
    struct diag diag;
    uint8_t file[SIZE];
    struct fw_module module;
    struct fw_ref ref;
    struct firmware fw;
};

static struct fixture x;

static void setup(void)
{
    memset(&x, 0, sizeof x);
    arena_init(&x.arena, 0);
    diag_init(&x.diag);
    x.module = (struct fw_module){.kind = FW_MODULE_MPY, .name = "one.py", .addr = MODULE};
}

static void teardown(void)
{
    arena_free(&x.arena);
}

TestSuite(splice_veneer, .init = setup, .fini = teardown);

// The function at BASE + at, with one instruction replaced.
static void with_lookup(uint64_t at, unsigned index, uint16_t instruction)
{
    struct image *img;
    for (unsigned i = 0; i < sizeof lookup / 2; i++) {
        st16(x.file + at + 2 * i, i == index ? instruction : lookup[i]);
    }
    cr_assert_eq(image_read(x.file, SIZE, "t.bin", IMAGE_BIN, &x.arena, &x.diag, &img), DIAG_OK);
    image_rebase(img, BASE);
    x.ref = (struct fw_ref){.kind = FW_REF_WORD, .addr = BASE + at + 36, .function = BASE + at};
    x.fw = (struct firmware){.image = img,
                             .isa = IMAGE_ISA_THUMB,
                             .ptr = 4,
                             .n_modules = 1,
                             .modules = &x.module,
                             .names_refs = {1, &x.ref}};
}

Test(splice_veneer, finds_the_function_by_what_it_stores)
{
    uint64_t function;
    with_lookup(0x40, 1000, 0);
    cr_assert_eq(veneer_find(&x.fw, &x.diag, &function), DIAG_OK);
    cr_assert_eq(function, BASE + 0x40);
}

Test(splice_veneer, refuses_what_it_does_not_understand)
{
    const struct {
        unsigned index;
        uint16_t instruction;
    } changes[] = {
        {1, 0x0017},  // r7 is the third argument
        {3, 0x9101},  // the second argument is kept where the address goes to
        {16, 0x6053}, // the address is stored with an offset
        {12, 0x4b02}, // another literal is stored
    };
    uint64_t function;
    for (unsigned i = 0; i < sizeof changes / sizeof *changes; i++) {
        with_lookup(0x40, changes[i].index, changes[i].instruction);
        diag_init(&x.diag);
        cr_assert_eq(veneer_find(&x.fw, &x.diag, &function), DIAG_NO, "change %u", i);
    }
    with_lookup(0x40, 1000, 0);
    x.fw.isa = IMAGE_ISA_ARM;
    cr_assert_eq(veneer_find(&x.fw, &x.diag, &function), DIAG_NO);
    x.fw.isa = IMAGE_ISA_THUMB;
    x.fw.n_modules = 2;
    cr_assert_eq(veneer_find(&x.fw, &x.diag, &function), DIAG_NO);
}

Test(splice_veneer, the_jump_is_right_at_both_alignments)
{
    for (uint64_t at = 0x40; at <= 0x42; at += 2) {
        struct patches p;
        uint32_t n;
        const struct blob_patch *list;
        uint64_t function = BASE + at;
        with_lookup(at, 1000, 0);
        patches_init(&p, &x.fw, &x.arena, &x.diag);
        cr_assert_eq(veneer_patch(&p, function, 0x20000), DIAG_OK);
        cr_assert_eq(patches_finish(&p, &n, &list), DIAG_OK);
        for (uint32_t i = 0; i < n; i++) {
            memcpy(x.file + (list[i].addr - BASE), list[i].new_bytes, list[i].size);
        }
        uint16_t load = ld16(x.file + at);
        cr_assert_eq(load & 0xff00, 0x4b00); // ldr r3, [pc, #n]
        uint64_t literal = ((function + 4) & ~UINT64_C(3)) + (load & 0xff) * 4;
        cr_assert_eq(literal % 4, 0);
        cr_assert_eq(ld32(x.file + (literal - BASE)), 0x20001);
        cr_assert_eq(ld16(x.file + at + 2), 0x4718); // bx r3
    }
}

Test(splice_veneer, the_finder_loads_its_tables)
{
    uint8_t finder[VENEER_FINDER];
    veneer_write(finder, 0x11111110, 0x22222220);
    // ldr r4, names stands at 10, ldr r5, content at 64.
    cr_assert_eq(ld32(finder + 12 + (ld16(finder + 10) & 0xff) * 4), 0x11111110);
    cr_assert_eq(ld32(finder + 68 + (ld16(finder + 64) & 0xff) * 4), 0x22222220);
}
