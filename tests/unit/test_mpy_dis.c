// Listings of what a file holds beside bytecode: constants of every kind, machine code, natmods.
#include <criterion/criterion.h>

#include "format/mpy/dis.h"

static const uint8_t body_bytes[] = {0x18, 0x03, 0x01, 0x02, 0x23, 0x01, 0x32, 0x00, 0x59, 0x63};
static const uint8_t native_bytes[] = {0x00, 0xbf, 0x70, 0x47, 0x10, 0x02, 0x01};
static const uint8_t wrong_bytes[] = {0x98, 0x80};
static const struct mpy_code native = {.kind = MPY_CODE_NATIVE,
                                       .data = native_bytes,
                                       .size = sizeof native_bytes,
                                       .machine = &(struct mpy_machine){.prelude_offset = 4}};
static const struct mpy_code natmod = {
    .kind = MPY_CODE_VIPER,
    .data = native_bytes,
    .size = 4,
    .machine = &(struct mpy_machine){.scope_flags = 0x30,
                                     .rodata_size = 3,
                                     .rodata = (const uint8_t *)"abc",
                                     .relocs = (const uint8_t *)"\x03\x04\xff",
                                     .relocs_size = 3}};
static const struct mpy_code assembler = {
    .kind = MPY_CODE_ASM,
    .data = native_bytes,
    .size = 4,
    .machine = &(struct mpy_machine){.n_pos_args = 2, .type_sig = 0x155}};
static const struct mpy_code wrong = {.data = wrong_bytes, .size = sizeof wrong_bytes};
static const struct mpy_code *const children[] = {&native, &natmod, &assembler, &wrong};
static const struct mpy_code body = {.data = body_bytes,
                                     .size = sizeof body_bytes,
                                     .n_children = 4,
                                     .children = (struct mpy_code *const *)children};
static const struct mpy_qstr qstrs[] = {{"t.py", 4, 0}, {"<module>", 8, 16}, {"a\nb", 3, 0}};
static const struct mpy_obj items[] = {{MPY_OBJ_INT, 2, {(const uint8_t *)"-1"}},
                                       {MPY_OBJ_NONE, 0, {NULL}}};
static char digits[300];
static const struct mpy_obj objs[] = {
    {MPY_OBJ_FUN_TABLE, 0, {NULL}},
    {MPY_OBJ_STR, 5, {(const uint8_t *)"a\0'\\\n"}},
    {MPY_OBJ_BYTES, 1, {(const uint8_t *)"\xff"}},
    {MPY_OBJ_COMPLEX, 2, {(const uint8_t *)"1j"}},
    {MPY_OBJ_TUPLE, 2, {.items = items}},
    {MPY_OBJ_TUPLE, 1, {.items = items}},
    {MPY_OBJ_ELLIPSIS, 0, {NULL}},
    {MPY_OBJ_INT, sizeof digits, {(const uint8_t *)digits}},
    {MPY_OBJ_STR, sizeof digits, {(const uint8_t *)digits}},
};
static const struct mpy_module sample = {.sub_version = 3,
                                         .arch = MPY_ARCH_ARMV7EM,
                                         .small_int_bits = 31,
                                         .has_arch_flags = true,
                                         .arch_flags = 0x5,
                                         .n_qstr = 3,
                                         .qstrs = qstrs,
                                         .n_obj = 9,
                                         .objs = objs,
                                         .root = &body};

static struct arena arena;
static struct bytes_out out;
static struct diag diag;

static void setup(void)
{
    arena_init(&arena, 0);
    bytes_out_init(&out);
    diag_init(&diag);
    memset(digits, '7', sizeof digits);
}

static void teardown(void)
{
    arena_free(&arena);
    bytes_out_free(&out);
}

TestSuite(mpy_dis, .init = setup, .fini = teardown);

static void listing_has(const char *line)
{
    cr_expect(strstr((const char *)out.data, line), "no '%s' in\n%s", line, out.data);
}

Test(mpy_dis, text)
{
    cr_assert_eq(mpy_dis_text(&sample, "t.mpy", &arena, &out, &diag), DIAG_OK);
    bytes_put_u8(&out, 0);
    listing_has("t.mpy: source t.py, version 6.3, architecture armv7em, small ints of 31 bits\n");
    listing_has("architecture flags 0x5\n3 qstrs, 9 constants\n");
    listing_has("'a\\x00\\'\\\\\\n'\n");
    listing_has("b'\\xff'\n");
    listing_has("(-1, None)\n");
    listing_has("(-1,)\n");
    listing_has("Ellipsis\n");
    listing_has("... (300 digits)\n");
    listing_has("'... (300 bytes)\n");
    listing_has("  cells 02\n");
    listing_has("  machine_code\n        0  00 bf 70 47\n");
    listing_has("  scope flags 0x30, arguments 0, type signature 0x0\n");
    listing_has("  rodata\n        0  61 62 63\n");
    listing_has("  relocations\n        0  03 04 ff\n");
    listing_has("  scope flags 0x0, arguments 2, type signature 0x155\n");
    listing_has("  bytes\n        0  98 80\n");
}

Test(mpy_dis, json)
{
    struct json j;
    json_init(&j, &out);
    cr_assert_eq(mpy_dis_json(&sample, "t.mpy", &arena, &j, &diag), DIAG_OK);
    bytes_put_u8(&out, 0);
    listing_has("\"arch\": \"armv7em\"");
    listing_has("\"kind\": \"asm\"");
    listing_has("\"type_sig\": 341");
    listing_has("\"machine_code\": \"00bf7047\"");
    listing_has("\"rodata\": \"616263\"");
    listing_has("\"relocations\": \"0304ff\"");
    listing_has("\"wrong_prelude\": \"the signature is cut off or too long\"");
    listing_has("\"bytes\": \"9880\"");
}

// What is listed for wrong bytes is their business; that nothing is read beyond them is ours.
Test(mpy_dis, every_byte_changed_to_every_value)
{
    for (unsigned i = 0; i < 256 * sizeof body_bytes; i++) {
        uint8_t bytes[sizeof body_bytes];
        struct mpy_code code = {.data = bytes, .size = sizeof bytes};
        struct mpy_module m = sample;
        m.root = &code;
        memcpy(bytes, body_bytes, sizeof bytes);
        bytes[i / 256] = (uint8_t)i;
        out.size = 0;
        cr_assert_eq(mpy_dis_text(&m, "t.mpy", &arena, &out, &diag), DIAG_OK);
        cr_assert_gt(out.size, 0);
    }
}

Test(mpy_dis, names_of_what_there_is)
{
    cr_expect_str_eq(mpy_obj_kind_name(MPY_OBJ_TUPLE), "tuple");
    cr_expect_str_eq(mpy_obj_kind_name((enum mpy_obj_kind)99), "unknown");
    cr_expect_str_eq(mpy_arch_name(MPY_ARCH_NONE), "none");
    cr_expect_str_eq(mpy_code_kind_name(MPY_CODE_VIPER), "viper");
}
