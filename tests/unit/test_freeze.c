// What the freezer makes, read back the way the VM reads it.
#include "freeze_fixture.h"

static struct fix x;

static void setup(void)
{
    fix_begin(&x);
}

static void teardown(void)
{
    fix_end(&x);
}

TestSuite(freeze, .init = setup, .fini = teardown);

// Freezes one module with these constants and gives the word of constant i.
static uint64_t constant(const struct mpy_obj *objs, uint32_t n, uint32_t i)
{
    struct freeze_input in = fix_module_of(&x, "m.py", objs, n, NULL, 0);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK, "%s", x.diag.text);
    return fix_word(&x, fix_module(&x, 0, 1) + (uint64_t)i * x.fw.ptr);
}

static void refused(const struct mpy_obj *obj, const char *word)
{
    struct freeze_input in = fix_module_of(&x, "m.py", obj, 1, NULL, 0);
    diag_init(&x.diag);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_NO);
    cr_assert(strstr(x.diag.text, word), "'%s' not in '%s'", word, x.diag.text);
}

Test(freeze, names_resolve_to_stock_qstrs_and_new_ones_are_found)
{
    const char *names[] = {"append", "stock167", "zebra", "aardvark", "__init__", "zeb"};
    struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, names, 6);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
    cr_assert_eq(x.out->n_qstrs, 4); // m.py, zebra, aardvark, zeb
    uint64_t table = fix_module(&x, 0, 0);
    cr_assert_eq(fix_u16(&x, table), fix_find(&x, "m.py", 4));
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(fix_u16(&x, table + 2 * (i + 1)), fix_find(&x, names[i], strlen(names[i])));
    }
    cr_assert_eq(fix_module(&x, 0, 1), 0); // no constants: no table
}

Test(freeze, without_new_names_there_is_no_new_pool)
{
    struct freeze_input in = fix_module_of(&x, "stock167", NULL, 0, NULL, 0);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
    cr_assert_eq(x.out->pool, FREEZE_NONE);
}

Test(freeze, strings_with_nul_have_an_unsorted_pool_of_their_own)
{
    struct mpy_obj objs[] = {fix_obj_n(MPY_OBJ_STR, "\0c", 2), fix_obj_n(MPY_OBJ_STR, "a\0b", 3),
                             fix_obj(MPY_OBJ_STR, "a"), fix_obj(MPY_OBJ_STR, "b"),
                             fix_obj_n(MPY_OBJ_STR, "a\0", 2)};
    constant(objs, 5, 0);
    for (int i = 0; i < 5; i++) {
        uint64_t word = fix_word(&x, fix_module(&x, 0, 1) + (uint64_t)i * 4);
        uint32_t id = fix_find(&x, (const char *)objs[i].data, objs[i].len);
        cr_assert(id != 0, "string %d is lost to the VM", i);
        cr_assert_eq(word, (id << 3 | 2));
    }
}

Test(freeze, many_new_names_are_all_found_in_every_layout)
{
    const char *names[300];
    for (int i = 0; i < 300; i++) {
        names[i] = arena_printf(&x.arena, "%.*s%d", i % 5, "abcde", i * 7919 % 1000);
    }
    for (int layout = 0; layout < 12; layout++) {
        x.fw.ptr = layout & 1 ? 8 : 4;
        x.fw.qstr_len_bytes = layout & 2 ? 2 : 1;
        x.fw.qstr_hash_bytes = (unsigned)layout / 4;
        struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, names, 300);
        cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
        for (int i = 0; i < 300; i++) {
            uint32_t id = fix_find(&x, names[i], strlen(names[i]));
            cr_assert(id && id == fix_u16(&x, fix_module(&x, 0, 0) + 2 * (i + 1)));
        }
    }
}

Test(freeze, before_1_22_the_pool_is_in_order_of_use)
{
    const char *names[] = {"zebra", "aardvark"};
    x.profile.pool_sorted_flag = false;
    struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, names, 2);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
    uint64_t pool = fix_at(x.out->pool);
    cr_assert_eq(fix_word(&x, pool), FIX_POOL);
    cr_assert_eq(fix_word(&x, pool + 4), x.pool.len); // no flag
    cr_assert_str_eq(fix_str(&x, fix_word(&x, pool + 24)), "m.py");
    cr_assert_str_eq(fix_str(&x, fix_word(&x, pool + 28)), "zebra");
}

Test(freeze, ids_beyond_16_bits_are_refused)
{
    x.pool.total_prev = 65534 - x.pool.len;
    const char *names[] = {"one", "two"};
    x.fw.n_pools = 1;
    struct fw_qstr *more = ARENA_ARRAY(&x.arena, struct fw_qstr, 65534);
    for (int i = 0; i < 65534; i++) {
        more[i] = (struct fw_qstr){"", 0, 0};
    }
    x.fw.qstrs = more;
    x.fw.n_qstrs = 65534;
    struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, names, 2);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_NO);
}

Test(freeze, a_name_longer_than_its_length_byte_is_refused)
{
    char *name = arena_alloc(&x.arena, 257);
    memset(name, 'n', 256);
    name[256] = 0;
    const char *names[] = {name}, *longest[] = {name + 1};
    struct freeze_input fits = fix_module_of(&x, "m.py", NULL, 0, longest, 1);
    cr_assert_eq(fix_freeze(&x, &fits, 1), DIAG_OK);
    cr_assert_neq(fix_find(&x, name + 1, 255), 0);
    struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, names, 1);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_NO);
    x.fw.qstr_len_bytes = 2;
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
}

Test(freeze, strings_below_25_characters_are_qstrs_longer_ones_objects)
{
    struct mpy_obj objs[] = {fix_obj(MPY_OBJ_STR, "123456789012345678901234"),
                             fix_obj(MPY_OBJ_STR, "1234567890123456789012345")};
    cr_assert_eq(constant(objs, 2, 0) & 7, 2);
    uint64_t o = fix_word(&x, fix_module(&x, 0, 1) + 4);
    cr_assert_eq(fix_word(&x, o), x.fw.objects[FW_TYPE_STR]);
    cr_assert_eq(fix_word(&x, o + 8), 25);
    cr_assert_str_eq(fix_str(&x, fix_word(&x, o + 12)), (const char *)objs[1].data);
}

Test(freeze, hashes_of_objects_have_16_bits_where_pools_keep_none)
{
    struct mpy_obj o = fix_obj(MPY_OBJ_BYTES, "bytes object");
    uint32_t h = 5381;
    for (const char *p = "bytes object"; *p; p++) {
        h = h * 33 ^ (uint8_t)*p;
    }
    for (unsigned bytes = 0; bytes < 3; bytes++) {
        x.fw.qstr_hash_bytes = bytes;
        cr_assert_eq(fix_word(&x, constant(&o, 1, 0) + 4), h & (bytes == 1 ? 0xff : 0xffff));
    }
}

Test(freeze, empty_constants)
{
    struct mpy_obj objs[] = {
        fix_obj(MPY_OBJ_STR, ""), fix_obj(MPY_OBJ_BYTES, ""), {.kind = MPY_OBJ_TUPLE}};
    cr_assert_eq(constant(objs, 3, 0), fix_find(&x, "", 0) << 3 | 2);
    uint64_t table = fix_module(&x, 0, 1);
    cr_assert_eq(fix_word(&x, fix_word(&x, table + 4) + 8), 0);
    cr_assert_eq(fix_word(&x, table + 8), x.fw.objects[FW_CONST_EMPTY_TUPLE]);
    x.fw.objects[FW_CONST_EMPTY_TUPLE] = 0;
    uint64_t t = constant(objs, 3, 2);
    cr_assert_eq(fix_word(&x, t), x.fw.objects[FW_TYPE_TUPLE]);
    cr_assert_eq(fix_word(&x, t + 4), 0);
}

Test(freeze, small_ints_by_representation)
{
    struct mpy_obj o = fix_obj(MPY_OBJ_INT, "-5");
    cr_assert_eq(constant(&o, 1, 0), (uint32_t)-5 << 1 | 1);
    x.fw.repr = FW_REPR_B;
    x.fw.small_int_bits = 30;
    struct freeze_input in = fix_module_of(&x, "m.py", &o, 1, NULL, 0);
    ((struct mpy_module *)in.mpy)->small_int_bits = 30;
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
    cr_assert_eq(fix_word(&x, fix_module(&x, 0, 1)), (uint32_t)-5 << 2 | 1);
}

Test(freeze, ints_at_the_edge_of_a_small_int)
{
    struct mpy_obj objs[] = {fix_obj(MPY_OBJ_INT, "1073741823"), fix_obj(MPY_OBJ_INT, "1073741824"),
                             fix_obj(MPY_OBJ_INT, "-1073741824"),
                             fix_obj(MPY_OBJ_INT, "-1073741825")};
    cr_assert_eq(constant(objs, 4, 0), 0x7fffffff);
    uint64_t table = fix_module(&x, 0, 1);
    cr_assert_eq(fix_word(&x, table + 4) & 3, 0);
    cr_assert_eq(fix_word(&x, table + 8), 0x80000001);
    uint64_t o = fix_word(&x, table + 12);
    cr_assert_eq(fix_word(&x, o + 4), 1 | 2 | 2 << 2); // negative, fixed, two digits
    cr_assert_eq(fix_u16(&x, fix_word(&x, o + 12)), 1);
    cr_assert_eq(fix_u16(&x, fix_word(&x, o + 12) + 2), 0x4000);
}

Test(freeze, long_ints_of_every_kind)
{
    struct mpy_obj o = fix_obj(MPY_OBJ_INT, "18446744073709551617"); // 2**64 + 1
    uint64_t at = constant(&o, 1, 0);
    cr_assert_eq(fix_word(&x, at), x.fw.objects[FW_TYPE_INT]);
    cr_assert_eq(fix_word(&x, at + 4), 2 | 5 << 2);
    cr_assert_eq(fix_word(&x, at + 8), 5);
    x.fw.mpz_dig_bits = 32;
    at = constant(&o, 1, 0);
    cr_assert_eq(fix_word(&x, at + 8), 3);
    cr_assert_eq(fix_u32(&x, fix_word(&x, at + 12) + 8), 1);
    x.fw.longint = FW_LONGINT_LONGLONG;
    refused(&o, "64-bit");
    struct mpy_obj fits = fix_obj(MPY_OBJ_INT, "-9223372036854775808");
    at = constant(&fits, 1, 0);
    cr_assert_eq(at % 8, 0);
    cr_assert_eq(fix_u32(&x, at + 8), 0);
    cr_assert_eq(fix_u32(&x, at + 12), 0x80000000);
    struct mpy_obj largest = fix_obj(MPY_OBJ_INT, "9223372036854775807"),
                   too_large = fix_obj(MPY_OBJ_INT, "9223372036854775808");
    at = constant(&largest, 1, 0);
    cr_assert_eq(fix_u32(&x, at + 12), 0x7fffffff);
    refused(&too_large, "64-bit");
    x.fw.longint = FW_LONGINT_NONE;
    refused(&fits, "no long ints");
    x.fw.longint = FW_LONGINT_UNKNOWN;
    refused(&fits, "could not be determined");
}

Test(freeze, floats_beyond_flt_max_are_inf)
{
    struct mpy_obj o = fix_obj(MPY_OBJ_FLOAT, "1e+39");
    cr_assert_eq(fix_u32(&x, constant(&o, 1, 0) + 4), 0x7f800000);
    struct mpy_obj negative = fix_obj(MPY_OBJ_FLOAT, "-1e+39");
    cr_assert_eq(fix_u32(&x, constant(&negative, 1, 0) + 4), 0xff800000);
    struct mpy_obj largest = fix_obj(MPY_OBJ_FLOAT, "3.4028235e+38"); // FLT_MAX
    cr_assert_eq(fix_u32(&x, constant(&largest, 1, 0) + 4), 0x7f7fffff);
    struct mpy_obj rounds = fix_obj(MPY_OBJ_FLOAT, "3.4028235677973366e+38"); // half a step above
    cr_assert_eq(fix_u32(&x, constant(&rounds, 1, 0) + 4), 0x7f800000);
    x.fw.float_kind = FW_FLOAT_F64;
    struct mpy_obj beyond = fix_obj(MPY_OBJ_FLOAT, "1e+999"); // DBL_MAX, too
    cr_assert_eq(fix_u32(&x, constant(&beyond, 1, 0) + 12), 0x7ff00000);
}

// 64-bit objects on a 32-bit machine: tables of them, and tuples, begin at multiples of 8.
Test(freeze, tables_of_64_bit_objects_are_aligned)
{
    struct mpy_obj items[] = {fix_obj(MPY_OBJ_INT, "-3"), fix_obj(MPY_OBJ_STR, "short")};
    struct mpy_obj objs[] = {fix_obj(MPY_OBJ_BYTES, "odd"),
                             {.kind = MPY_OBJ_TUPLE, .items = items, .len = 2},
                             fix_obj(MPY_OBJ_INT, "70368744177663"), // 2**46 - 1
                             fix_obj(MPY_OBJ_INT, "70368744177664")};
    x.fw.repr = FW_REPR_D;
    x.fw.small_int_bits = 47;
    for (uint32_t first = 0; first < 3; first++) { // whatever stands before
        struct freeze_input in = fix_module_of(&x, "m.py", objs + first, 4 - first, NULL, 0);
        cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK, "%s", x.diag.text);
        cr_assert_eq(fix_module(&x, 0, 1) % 8, 0);
    }
    struct freeze_input in = fix_module_of(&x, "m.py", objs, 4, NULL, 0);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
    uint64_t table = fix_module(&x, 0, 1), tuple = fix_word(&x, table + 8);
    cr_assert_eq(tuple % 8, 0);
    cr_assert_eq(fix_word(&x, tuple + 4), 2);
    cr_assert_eq(fix_u32(&x, tuple + 8), (uint32_t)-3 << 1 | 1);
    cr_assert_eq(fix_u32(&x, tuple + 12), 0x0001ffff);
    cr_assert_eq(fix_u32(&x, tuple + 20), 0x00020000);
    cr_assert_eq(fix_u32(&x, table + 16), 0xffffffff);
    cr_assert_eq(fix_u32(&x, table + 20), 0x00017fff);
    cr_assert_eq(fix_u32(&x, table + 28), 0, "an object: one more is no small int");
}

Test(freeze, floats_by_representation)
{
    struct mpy_obj o = fix_obj(MPY_OBJ_FLOAT, "2.5");
    x.fw.repr = FW_REPR_C;
    cr_assert_eq(constant(&o, 1, 0), ((0x40200000u & ~3u) | 2) + 0x80800000u);
    x.fw.repr = FW_REPR_A;
    x.fw.float_kind = FW_FLOAT_F64;
    uint64_t at = constant(&o, 1, 0);
    cr_assert_eq(at % 8, 0);
    cr_assert_eq(fix_u32(&x, at + 12), 0x40040000);
    x.fw.isa = IMAGE_ISA_X86; // doubles within structures are aligned to 4 there
    at = constant(&o, 1, 0);
    cr_assert_eq(fix_u32(&x, at + 8), 0x40040000);
    x.fw.isa = IMAGE_ISA_THUMB;
    x.fw.repr = FW_REPR_D;
    x.fw.immediate_objs = FW_NO;
    struct mpy_obj two[] = {o, {.kind = MPY_OBJ_TRUE}};
    struct freeze_input in = fix_module_of(&x, "m.py", two, 2, NULL, 0);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
    uint64_t table = fix_module(&x, 0, 1);
    cr_assert_eq(table % 8, 0);
    cr_assert_eq(fix_u32(&x, table + 4), 0x40040000 + 0x80040000u);
    cr_assert_eq(fix_u32(&x, table + 8), x.fw.objects[FW_CONST_TRUE]);
    cr_assert_eq(fix_u32(&x, table + 12), 0);
}

Test(freeze, floats_that_the_firmware_lacks_are_refused)
{
    struct mpy_obj o = fix_obj(MPY_OBJ_FLOAT, "2.5"), c = fix_obj(MPY_OBJ_COMPLEX, "2j");
    x.fw.float_kind = FW_FLOAT_NONE;
    refused(&o, "no floats");
    refused(&c, "no floats");
    x.fw.float_kind = FW_FLOAT_F32;
    x.fw.objects[FW_TYPE_COMPLEX] = 0;
    refused(&c, "complex");
}

Test(freeze, complex_numbers)
{
    const char *texts[] = {"2j", "(1.5+2j)", "(-0.5-infj)"};
    const uint32_t bits[][2] = {
        {0, 0x40000000}, {0x3fc00000, 0x40000000}, {0xbf000000, 0xff800000}};
    for (int i = 0; i < 3; i++) {
        struct mpy_obj o = fix_obj(MPY_OBJ_COMPLEX, texts[i]);
        uint64_t at = constant(&o, 1, 0);
        cr_assert_eq(fix_u32(&x, at + 4), bits[i][0]);
        cr_assert_eq(fix_u32(&x, at + 8), bits[i][1]);
    }
}

Test(freeze, numbers_that_are_not_numbers_are_malformed)
{
    const struct {
        enum mpy_obj_kind kind;
        const char *text;
    } bad[] = {{MPY_OBJ_INT, ""},      {MPY_OBJ_INT, "-"},       {MPY_OBJ_INT, "12x"},
               {MPY_OBJ_FLOAT, ""},    {MPY_OBJ_FLOAT, "0x1p3"}, {MPY_OBJ_FLOAT, "1.5 "},
               {MPY_OBJ_FLOAT, " 1"},  {MPY_OBJ_COMPLEX, "()"},  {MPY_OBJ_COMPLEX, "(1+j)"},
               {MPY_OBJ_COMPLEX, "1"}, {MPY_OBJ_COMPLEX, "j"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct mpy_obj o = fix_obj(bad[i].kind, bad[i].text);
        struct freeze_input in = fix_module_of(&x, "m.py", &o, 1, NULL, 0);
        cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_MALFORMED, "'%s'", bad[i].text);
    }
}

Test(freeze, nested_tuples)
{
    struct mpy_obj inner[] = {{.kind = MPY_OBJ_NONE}, {.kind = MPY_OBJ_ELLIPSIS}};
    struct mpy_obj outer[] = {{.kind = MPY_OBJ_TUPLE, .items = inner, .len = 2},
                              fix_obj(MPY_OBJ_INT, "1")};
    struct mpy_obj o = {.kind = MPY_OBJ_TUPLE, .items = outer, .len = 2};
    uint64_t at = constant(&o, 1, 0), in = fix_word(&x, at + 8);
    cr_assert_eq(fix_word(&x, at + 12), 3);
    cr_assert_eq(fix_word(&x, in + 8), 6);
    cr_assert_eq(fix_word(&x, in + 12), x.fw.objects[FW_CONST_ELLIPSIS]);
}

Test(freeze, a_leaf_is_bare_bytecode_unless_raw_codes_say_more)
{
    struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, NULL, 0);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
    cr_assert_eq(fix_u8(&x, fix_module(&x, 0, 2)), 0x08);
    x.fw.save = FW_YES;
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
    uint64_t rc = fix_module(&x, 0, 2);
    cr_assert_eq(fix_u32(&x, rc), 2 << 16);
    cr_assert_eq(fix_u8(&x, fix_word(&x, rc + 4)), 0x08);
    cr_assert_eq(fix_u32(&x, rc + 12), in.mpy->root->size);
}

Test(freeze, settrace_preludes)
{
    x.fw.save = x.fw.settrace = FW_YES;
    for (unsigned ptr = 4; ptr <= 8; ptr += 4) {
        x.fw.ptr = ptr;
        struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, NULL, 0);
        cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
        uint64_t rc = fix_module(&x, 0, 2), code = fix_word(&x, rc + ptr);
        uint64_t prelude = rc + (ptr == 4 ? 24 : 40);
        cr_assert_eq(fix_u32(&x, prelude), 2); // n_state
        cr_assert_eq(fix_word(&x, prelude + 24), 0);
        cr_assert_eq(fix_word(&x, prelude + 24 + ptr), code + 3);     // lines: none
        cr_assert_eq(fix_word(&x, prelude + 24 + 3 * ptr), code + 3); // opcodes
    }
}

Test(freeze, raw_codes_of_1_19_to_1_22)
{
    x.profile.proto_fun = false;
    for (int variant = 0; variant < 3; variant++) {
        x.fw.save = variant == 2 ? FW_YES : FW_NO;
        x.fw.debug_names = variant == 1 ? FW_YES : FW_NO;
        struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, NULL, 0);
        cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
        uint64_t rc = fix_module(&x, 0, 2);
        cr_assert_eq(fix_u32(&x, rc), 2);
        cr_assert_eq(fix_u8(&x, fix_word(&x, rc + 4)), 0x08);
        cr_assert_eq(fix_word(&x, rc + 8), variant ? in.mpy->root->size : 0);
    }
}

// Firmware in which nothing is frozen does not tell how its raw codes are laid out: what its code
// reads stands in every place where it may look.
Test(freeze, raw_codes_for_any_layout)
{
    struct mpy_machine machine = {.n_pos_args = 2, .type_sig = 0x155};
    struct mpy_code child = {.kind = MPY_CODE_ASM, .machine = &machine};
    const struct mpy_code *const children[] = {&child};
    struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, NULL, 0);
    struct mpy_code root = *in.mpy->root;
    struct mpy_module module = *in.mpy;
    child.data = (const uint8_t *)"\x70\x47\xc0\x46";
    child.size = 4;
    root.n_children = 1;
    root.children = (struct mpy_code *const *)children;
    module.root = &root;
    module.arch = MPY_ARCH_ARMV7M;
    module.sub_version = 1;
    in.mpy = &module;
    x.fw.mpy_arch = MPY_ARCH_ARMV7M;
    x.fw.native = FW_YES;
    x.fw.objects[FW_FUN_TABLE] = 0x08001000;
    x.fw.save = x.fw.debug_names = FW_UNKNOWN;
    for (unsigned minor = 22; minor <= 23; minor++) {
        x.profile.proto_fun = minor == 23;
        x.profile.mpy_sub_version = module.sub_version = minor == 23 ? 3 : 2;
        cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK, "%s", x.diag.text);
        uint64_t rc = fix_module(&x, 0, 2), list = fix_word(&x, rc + 8), at = fix_word(&x, list);
        if (minor == 23) {
            cr_expect_eq(fix_u32(&x, at + 12), 0x15502); // without SAVE
            cr_expect_eq(fix_u32(&x, at + 20), 0x15502);
            continue;
        }
        cr_expect_eq(fix_word(&x, rc + 12), list); // with a length in front
        cr_expect_eq(fix_u32(&x, at) >> 10, 2);
        cr_expect_eq(fix_u32(&x, at + 12), 0x155);
        cr_expect_eq(fix_u32(&x, at + 16), 0x155); // with a length
        cr_expect_eq(fix_u32(&x, at + 24), 0x155); // with SAVE
    }
}

Test(freeze, modules_for_wider_small_ints_are_refused)
{
    struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, NULL, 0);
    x.fw.small_int_bits = 30;
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_NO);
    cr_assert(strstr(x.diag.text, "small ints"));
}

static enum diag_code freeze_native(enum mpy_arch arch, unsigned sub_version, uint32_t flags)
{
    struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, NULL, 0);
    struct mpy_module *m = (struct mpy_module *)in.mpy;
    struct mpy_code *code = (struct mpy_code *)m->root;
    static const uint8_t machine[] = {0x70, 0x47, 0, 0, 0x08, 0x02, 0x00};
    struct mpy_machine more = {.prelude_offset = 4, .scope_flags = flags};
    *code =
        (struct mpy_code){.kind = MPY_CODE_NATIVE, .data = machine, .size = 7, .machine = &more};
    if (flags) {
        code->kind = MPY_CODE_VIPER;
    }
    m->arch = arch;
    m->sub_version = (uint8_t)sub_version;
    diag_init(&x.diag);
    return fix_freeze(&x, &in, 1);
}

// Frozen modules are known by the names of their bodies: one with another name would not be found
// in the product.
Test(freeze, bodies_that_bear_no_name_of_a_module_are_refused)
{
    static const char *const names[] = {"<module>", "other"};
    static const uint8_t codes[][5] = {{0x08, 0x02, 0x01, 0x51, 0x63},
                                       {0x08, 0x02, 0x02, 0x51, 0x63}};
    struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, names, 2);
    struct mpy_code *code = (struct mpy_code *)in.mpy->root;
    code->data = codes[0];
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK, "%s", x.diag.text);
    code->data = codes[1];
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_MALFORMED);
    cr_expect(strstr(x.diag.text, "'other'"), "%s", x.diag.text);
    code->kind = MPY_CODE_ASM;
    diag_init(&x.diag);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_MALFORMED);
    cr_expect(strstr(x.diag.text, "not that of a module"), "%s", x.diag.text);
}

// A jump over another one that nothing reaches, to the return or behind it: what cannot be followed
// to its end is not read back.
Test(freeze, unreachable_code_that_leads_out_of_its_function_is_refused)
{
    static const char *const names[] = {"<module>"};
    static const uint8_t codes[][9] = {{0x08, 0x02, 0x01, 0x42, 0x42, 0x42, 0x40, 0x51, 0x63},
                                       {0x08, 0x02, 0x01, 0x42, 0x42, 0x42, 0x43, 0x51, 0x63}};
    struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, names, 1);
    struct mpy_code *code = (struct mpy_code *)in.mpy->root;
    code->size = sizeof codes[0];
    code->data = codes[0];
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK, "%s", x.diag.text);
    code->data = codes[1];
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_MALFORMED);
    cr_expect(strstr(x.diag.text, "leads out of its function"), "%s", x.diag.text);
}

Test(freeze, files_of_version_5_are_refused)
{
    struct freeze_input in = fix_module_of(&x, "m.py", NULL, 0, NULL, 0);
    ((struct mpy_module *)in.mpy)->v5 = true;
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_NO);
    cr_assert(strstr(x.diag.text, "version 5"), "%s", x.diag.text);
}

Test(freeze, native_code_must_be_the_firmwares)
{
    cr_assert_eq(freeze_native(MPY_ARCH_ARMV6M, 3, 0), DIAG_OK); // runs on ARMv7-M
    cr_assert(x.out->executable);
    uint64_t rc = fix_module(&x, 0, 2);
    cr_assert_eq(fix_u32(&x, rc), 3 << 16);
    cr_assert_eq(fix_word(&x, rc + 4) % 4, 0);
    cr_assert_eq(fix_word(&x, rc + 8), fix_word(&x, rc + 4) + 4); // children: the prelude
    cr_assert_eq(freeze_native(MPY_ARCH_ARMV7EM, 3, 0), DIAG_NO);
    cr_assert_eq(freeze_native(MPY_ARCH_X64, 3, 0), DIAG_NO);
    cr_assert_eq(freeze_native(MPY_ARCH_ARMV6M, 2, 0), DIAG_NO);
    cr_assert_eq(freeze_native(MPY_ARCH_ARMV6M, 3, 0x100), DIAG_NO); // no flag that exists
    x.fw.mpy_arch = MPY_ARCH_NONE;
    cr_assert_eq(freeze_native(MPY_ARCH_ARMV6M, 3, 0), DIAG_NO);
}

// An Xtensa image that does not say which chip it is for may be of one that cannot run it.
Test(freeze, xtensa_code_is_frozen_only_where_the_image_shows_that_it_runs)
{
    x.fw.isa = IMAGE_ISA_XTENSA;
    x.fw.mpy_arch = MPY_ARCH_XTENSAWIN;
    cr_assert_eq(freeze_native(MPY_ARCH_XTENSAWIN, 3, 0), DIAG_NO);
    cr_expect(strstr(x.diag.text, "is not known"), "%s", x.diag.text);
    x.fw.code_runs = FW_YES;
    cr_assert_eq(freeze_native(MPY_ARCH_XTENSAWIN, 3, 0), DIAG_OK, "%s", x.diag.text);
    x.fw.code_runs = FW_NO;
    x.fw.code_why = "there is a reason";
    cr_assert_eq(freeze_native(MPY_ARCH_XTENSAWIN, 3, 0), DIAG_NO);
    cr_expect(strstr(x.diag.text, "there is a reason"), "%s", x.diag.text);
}

// A natmod: a jump, a word of its own, and a GOT of eight words.
static enum diag_code freeze_natmod_of(const uint8_t *relocs, uint32_t n, uint32_t bss)
{
    static uint8_t text[40];
    static const char *const names[] = {"alpha"};
    struct mpy_obj objs[] = {fix_obj(MPY_OBJ_STR, "short")};
    struct freeze_input in = fix_module_of(&x, "m.py", objs, 1, names, 1);
    struct mpy_module *m = (struct mpy_module *)in.mpy;
    for (unsigned i = 0; i < sizeof text; i++) {
        text[i] = i % 4 ? 0 : (uint8_t)i; // what is in a word is added to
    }
    struct mpy_machine machine = {
        .scope_flags = bss ? 0x50 : 0x10, .bss_size = bss, .relocs = relocs, .relocs_size = n};
    *(struct mpy_code *)m->root = (struct mpy_code){
        .kind = MPY_CODE_VIPER, .data = text, .size = sizeof text, .machine = &machine};
    m->arch = MPY_ARCH_ARMV6M;
    m->sub_version = 3;
    x.fw.objects[FW_FUN_TABLE] = 0x5000;
    diag_init(&x.diag);
    return fix_freeze(&x, &in, 1);
}

Test(freeze, native_modules_are_relocated_for_their_place)
{
    // {destination << 1 | address follows, address << 1 | in rodata}: words 2 and 3 text, 4 qstrs,
    // 5 objects, 6 mp_fun_table
    static const uint8_t relocs[] = {1 << 1 | 1, 2 << 1, 2, 6 << 1, 7 << 1, 8 << 1, 0xff};
    cr_assert_eq(freeze_natmod_of(relocs, sizeof relocs, 0), DIAG_OK, "%s", x.diag.text);
    uint64_t rc = fix_module(&x, 0, 2), text = fix_word(&x, rc + 4), record = fix_word(&x, rc + 8);
    cr_assert_eq(text % 16, 0);
    cr_assert(x.out->executable);
    cr_assert_eq(fix_word(&x, text + 4), 4, "a word that nothing relocates");
    cr_assert_eq(fix_word(&x, text + 8), text + 8);
    cr_assert_eq(fix_word(&x, text + 12), text + 12);
    cr_assert_eq(fix_word(&x, text + 16), fix_module(&x, 0, 0) + 16);
    cr_assert_eq(fix_word(&x, text + 20), fix_module(&x, 0, 1) + 20);
    cr_assert_eq(fix_word(&x, text + 24), 0x5000 + 24);
    cr_assert_eq(fix_u32(&x, record), 0x646f4d6e); // with which it can be taken out again
    cr_assert_eq(fix_u32(&x, record + 4), 40);
    cr_assert_eq(fix_u32(&x, record + 12), sizeof relocs);
    cr_assert_eq(fix_u8(&x, fix_word(&x, record + 20)), relocs[0]);
}

Test(freeze, native_modules_with_variables_are_refused)
{
    static const uint8_t relocs[] = {0 << 1 | 1, 2 << 1, 0xff};
    cr_assert_eq(freeze_natmod_of(relocs, sizeof relocs, 8), DIAG_NO);
    cr_assert(strstr(x.diag.text, "8 bytes of variables (.bss)"), "%s", x.diag.text);
}

Test(freeze, native_modules_that_contradict_themselves_are_malformed)
{
    static const struct {
        uint8_t bytes[6];
        uint32_t n;
        const char *what;
    } wrong[] = {
        {{0 << 1 | 1, 10 << 1, 0xff}, 3, "behind the text"},
        {{0 << 1 | 1, 0 << 1 | 1, 0xff}, 3, "in rodata that is not there"},
        {{1 << 1 | 1, 9 << 1, 2, 0xff}, 4, "runs out of the text"},
        {{0 << 1, 0xff}, 2, "no address"},
        {{0 << 1 | 1, 2 << 1}, 2, "no end"},
        {{0 << 1 | 1, 2 << 1, 0 << 1 | 1, 2 << 1, 0xff}, 5, "one word twice"},
        {{4 << 1 | 1, 2 << 1, 0xff}, 3, "variables that are not there"},
        {{2 << 1 | 1, 2 << 1, 0xff}, 3, "rodata that is not there"},
        {{0 << 1 | 1, 2 << 1, 0xff, 0}, 4, "bytes behind the end"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(freeze_natmod_of(wrong[i].bytes, wrong[i].n, 0), DIAG_MALFORMED, "%s",
                     wrong[i].what);
    }
    static const uint8_t entry[] = {82 << 1 | 1, 2 << 1, 0xff}; // of a firmware without an image
    cr_assert_eq(freeze_natmod_of(entry, sizeof entry, 0), DIAG_NO);
    cr_assert(strstr(x.diag.text, "entry 73"), "%s", x.diag.text);
}

Test(freeze, the_same_inputs_give_the_same_bytes)
{
    struct mpy_obj objs[] = {fix_obj(MPY_OBJ_FLOAT, "2.5"), fix_obj(MPY_OBJ_STR, "one\0two")};
    struct freeze_input in[] = {fix_module_of(&x, "a.py", objs, 2, NULL, 0),
                                fix_module_of(&x, "b.py", objs, 2, NULL, 0)};
    cr_assert_eq(fix_freeze(&x, in, 2), DIAG_OK);
    struct freeze *first = x.out;
    cr_assert_eq(fix_freeze(&x, in, 2), DIAG_OK);
    cr_assert_eq(first->size, x.out->size);
    cr_assert_arr_eq(first->data, x.out->data, first->size);
}
