// Frozen and read back: what the freezer makes of a tree, in every layout, is the tree again.
#include "freeze_fixture.h"

#include "format/mpy/opcode.h"

static struct fix x;

static void setup(void)
{
    fix_begin(&x);
}

static void teardown(void)
{
    fix_end(&x);
}

TestSuite(unfreeze, .init = setup, .fini = teardown);

// A body that makes two functions, one of which makes another; unreachable ends included.
static const uint8_t inner_bytes[] = {0x19, 0x04, 0x03, 0x04, 0xb0, 0x23, 0x01, 0xf2, 0x63};
static const uint8_t middle_bytes[] = {0x18, 0x02, 0x02, 0x32, 0x00, 0x59, 0x42, 0x3b, 0x51, 0x63};
static const uint8_t leaf_bytes[] = {0x18, 0x02, 0x02, 0x23, 0x00, 0x63};
static const uint8_t body_bytes[] = {0x18, 0x02, 0x01, 0x32, 0x00, 0x59, 0x32,
                                     0x01, 0x59, 0x23, 0x02, 0x59, 0x51, 0x63};
static const struct mpy_code inner = {.data = inner_bytes, .size = sizeof inner_bytes};
static const struct mpy_code *const middle_children[] = {&inner};
static const struct mpy_code middle = {.data = middle_bytes,
                                       .size = sizeof middle_bytes,
                                       .n_children = 1,
                                       .children = (struct mpy_code *const *)middle_children};
static const struct mpy_code leaf = {.data = leaf_bytes, .size = sizeof leaf_bytes};
static const struct mpy_code *const body_children[] = {&middle, &leaf};
static const struct mpy_code body = {.data = body_bytes,
                                     .size = sizeof body_bytes,
                                     .n_children = 2,
                                     .children = (struct mpy_code *const *)body_children};
static const struct mpy_qstr qstrs[] = {
    {"pkg/m.py", 8, 0}, {"<module>", 8, 7}, {"middle", 6, 0}, {"inner", 5, 0}, {"arg", 3, 0}};

static struct freeze_input input(const struct mpy_obj *objs, uint32_t n_obj)
{
    static struct mpy_module m;
    m = (struct mpy_module){.small_int_bits = 31,
                            .n_qstr = 5,
                            .qstrs = qstrs,
                            .n_obj = n_obj,
                            .objs = objs,
                            .root = &body};
    return (struct freeze_input){
        .kind = FW_MODULE_MPY, .name = "pkg/m.py", .file = "m.mpy", .mpy = &m};
}

static void comes_back(const struct mpy_obj *objs, uint32_t n_obj)
{
    struct freeze_input in = input(objs, n_obj);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK, "%s", x.diag.text);
    struct mpy_module *m;
    cr_assert_eq(fix_unfreeze(&x, &x.arena, &x.diag, &m), DIAG_OK, "%s", x.diag.text);
    struct bytes_out want, is;
    bytes_out_init(&want);
    bytes_out_init(&is);
    mpy_write(in.mpy, &want);
    mpy_write(m, &is);
    cr_assert_eq(is.size, want.size);
    cr_assert_eq(memcmp(is.data, want.data, want.size), 0);
    bytes_out_free(&want);
    bytes_out_free(&is);
}

static const struct mpy_obj *plain(void)
{
    static struct mpy_obj objs[3];
    objs[0] = fix_obj(MPY_OBJ_STR, "a string that is too long for a qstr");
    objs[1] = fix_obj_n(MPY_OBJ_BYTES, "b\0c", 3);
    objs[2] = (struct mpy_obj){.kind = MPY_OBJ_ELLIPSIS};
    return objs;
}

Test(unfreeze, every_layout_of_raw_code)
{
    for (unsigned i = 0; i < 16; i++) {
        x.fw.ptr = i & 1 ? 8 : 4;
        x.fw.float_kind = i & 1 ? FW_FLOAT_F64 : FW_FLOAT_F32;
        x.profile.proto_fun = i & 2;
        x.fw.save = i & 4 ? FW_YES : FW_NO;
        x.fw.settrace = i & 4 && i & 8 ? FW_YES : FW_NO;
        comes_back(plain(), 3);
    }
}

Test(unfreeze, every_qstr_hash_size)
{
    for (x.fw.qstr_hash_bytes = 0; x.fw.qstr_hash_bytes <= 2; x.fw.qstr_hash_bytes++) {
        comes_back(plain(), 3);
    }
}

static void constants_come_back(void)
{
    const struct mpy_obj items[] = {fix_obj(MPY_OBJ_INT, "-7"),    {.kind = MPY_OBJ_TUPLE},
                                    fix_obj(MPY_OBJ_FLOAT, "1.5"), {.kind = MPY_OBJ_NONE},
                                    {.kind = MPY_OBJ_TRUE},        {.kind = MPY_OBJ_FALSE},
                                    fix_obj(MPY_OBJ_STR, "append")};
    const struct mpy_obj objs[] = {
        fix_obj(MPY_OBJ_INT, "12345678901234567"),
        {.kind = MPY_OBJ_TUPLE, .len = 7, .items = items},
        fix_obj(MPY_OBJ_FLOAT, "0.1"),
    };
    comes_back(objs, 3);
    const struct mpy_obj more[] = {
        fix_obj(MPY_OBJ_INT, "-9000000000000000001"),
        fix_obj(MPY_OBJ_COMPLEX, "2.5j"),
        fix_obj(MPY_OBJ_FLOAT, "-0.0"),
    };
    comes_back(more, 3);
    const struct mpy_obj special[] = {
        fix_obj(MPY_OBJ_FLOAT, "inf"),
        fix_obj(MPY_OBJ_FLOAT, "1e+20"),
        fix_obj(MPY_OBJ_FLOAT, "-1e-07"),
    };
    comes_back(special, 3);
}

Test(unfreeze, constants_in_every_representation)
{
    constants_come_back();
    x.fw.mpz_dig_bits = 32;
    constants_come_back();
    x.fw.longint = FW_LONGINT_LONGLONG;
    constants_come_back();
    x.fw.float_kind = FW_FLOAT_F64;
    constants_come_back();
    x.fw.immediate_objs = FW_NO;
    constants_come_back();
    x.fw.ptr = 8;
    constants_come_back();
    x.fw.repr = FW_REPR_D;
    constants_come_back();
}

Test(unfreeze, representation_c)
{
    x.fw.repr = FW_REPR_C;
    constants_come_back();
}

Test(unfreeze, big_ints_come_back)
{
    const struct mpy_obj objs[] = {
        fix_obj(MPY_OBJ_INT,
                "1234567890123456789012345678901234567890123456789012345678901234567890"),
        fix_obj(MPY_OBJ_INT, "-340282366920938463463374607431768211456"),
        fix_obj(MPY_OBJ_INT, "18446744073709551615"),
    };
    comes_back(objs, 3);
    x.fw.mpz_dig_bits = 32;
    comes_back(objs, 3);
}

Test(unfreeze, damage_is_refused_or_read_but_never_crashes)
{
    struct freeze_input in = input(plain(), 3);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
    fix_damage(&x);
}
