// What a payload keeps once: equal constants, equal code, the names of modules.
#include "tests/unit/freeze_fixture.h"

static struct fix x;

static void setup(void)
{
    fix_begin(&x);
}

static void teardown(void)
{
    fix_end(&x);
}

TestSuite(freeze_share, .init = setup, .fini = teardown);

static unsigned count(const void *bytes, size_t n)
{
    unsigned found = 0;
    for (uint32_t i = 0; i + n <= x.out->size; i++) {
        found += !memcmp(x.out->data + i, bytes, n);
    }
    return found;
}

// A function without arguments that ends as told.
static struct mpy_code code_of(const uint8_t *data, uint32_t size)
{
    return (struct mpy_code){.kind = MPY_CODE_BYTECODE, .data = data, .size = size};
}

// Two modules with this code; the addresses of what their proto functions point to.
static void freeze_twice(struct mpy_code *one, struct mpy_code *other, uint64_t at[2])
{
    static const char *const name[] = {"<module>"};
    struct freeze_input in[] = {fix_module_of(&x, "a.py", NULL, 0, name, 1),
                                fix_module_of(&x, "b.py", NULL, 0, name, 1)};
    ((struct mpy_module *)in[0].mpy)->root = one;
    ((struct mpy_module *)in[1].mpy)->root = other;
    cr_assert_eq(fix_freeze(&x, in, 2), DIAG_OK, "%s", x.diag.text);
    at[0] = fix_module(&x, 0, 2);
    at[1] = fix_module(&x, 1, 2);
}

Test(freeze_share, equal_constants_of_all_modules)
{
    struct mpy_obj inner[] = {fix_obj(MPY_OBJ_FLOAT, "2.5"), fix_obj(MPY_OBJ_INT, "9999999999999")};
    struct mpy_obj objs[] = {{.kind = MPY_OBJ_TUPLE, .items = inner, .len = 2},
                             fix_obj(MPY_OBJ_BYTES, "some bytes"),
                             fix_obj(MPY_OBJ_STR, "a text of more than 24 characters")};
    struct freeze_input in[] = {fix_module_of(&x, "a.py", objs, 3, NULL, 0),
                                fix_module_of(&x, "b.py", objs + 1, 2, NULL, 0),
                                fix_module_of(&x, "c.py", objs, 3, NULL, 0)};
    cr_assert_eq(fix_freeze(&x, in, 3), DIAG_OK);
    uint64_t a = fix_module(&x, 0, 1), b = fix_module(&x, 1, 1), c = fix_module(&x, 2, 1);
    cr_expect_eq(a, c, "equal tables");
    cr_expect_eq(fix_word(&x, a + 4), fix_word(&x, b));
    cr_expect_eq(fix_word(&x, a + 8), fix_word(&x, b + 4));
    cr_expect_eq(count("some bytes", 10), 1);
    cr_expect_eq(fix_word(&x, fix_word(&x, a) + 4), 2, "the tuple");
}

// The same bytes with pointers to other places are something else.
Test(freeze_share, pointers_count)
{
    struct mpy_obj one[] = {fix_obj(MPY_OBJ_BYTES, "one")}, two[] = {fix_obj(MPY_OBJ_BYTES, "two")};
    struct mpy_obj objs[] = {{.kind = MPY_OBJ_TUPLE, .items = one, .len = 1},
                             {.kind = MPY_OBJ_TUPLE, .items = two, .len = 1},
                             {.kind = MPY_OBJ_TUPLE, .items = one, .len = 1}};
    struct freeze_input in[] = {fix_module_of(&x, "a.py", objs, 3, NULL, 0),
                                fix_module_of(&x, "b.py", objs + 1, 2, NULL, 0)};
    cr_assert_eq(fix_freeze(&x, in, 2), DIAG_OK);
    uint64_t a = fix_module(&x, 0, 1), b = fix_module(&x, 1, 1);
    cr_expect_neq(fix_word(&x, a), fix_word(&x, a + 4));
    cr_expect_eq(fix_word(&x, a), fix_word(&x, a + 8));
    cr_expect_eq(fix_word(&x, a + 4), fix_word(&x, b));
    cr_expect_eq(fix_word(&x, a), fix_word(&x, b + 4));
}

// Digits of 4-byte alignment may read as a table of objects that want 8.
Test(freeze_share, alignment_counts)
{
    x.fw.repr = FW_REPR_D;
    x.fw.small_int_bits = 47;
    x.fw.mpz_dig_bits = 32;
    struct mpy_obj big[] = {fix_obj(MPY_OBJ_INT, "100000000000000000000000"),
                            fix_obj(MPY_OBJ_INT, "281474976710663")}; // 2**48 + 7
    struct mpy_obj small[] = {fix_obj(MPY_OBJ_INT, "3")};             // (3 << 1 | 1) + 2**48
    struct freeze_input in[] = {fix_module_of(&x, "a.py", big, 2, NULL, 0),
                                fix_module_of(&x, "b.py", small, 1, NULL, 0)};
    cr_assert_eq(fix_freeze(&x, in, 2), DIAG_OK);
    uint64_t table = fix_module(&x, 1, 1);
    cr_expect_eq(table % 8, 0);
    cr_expect_eq(fix_word(&x, table), 7);
    cr_expect_eq(fix_word(&x, table + 4), 0x10000);
}

static const uint8_t plain[] = {0x08, 0x02, 0x01, 0x51, 0x63}; // return None
static const uint8_t implicit[] = {0x08, 0x02, 0x01, 0x52,
                                   0x63, 0x51, 0x63};                     // and again, unreached
static const uint8_t tail[] = {0x08, 0x02, 0x01, 0x52, 0x63, 0x52, 0x63}; // return True, unreached

Test(freeze_share, equal_code_whose_end_shows)
{
    const struct {
        const uint8_t *data;
        uint32_t size;
        bool shared;
    } cases[] = {
        {plain, sizeof plain, true}, {implicit, sizeof implicit, true}, {tail, sizeof tail, false}};
    for (unsigned i = 0; i < 3; i++) {
        struct mpy_code one = code_of(cases[i].data, cases[i].size), other = one;
        uint64_t at[2];
        freeze_twice(&one, &other, at);
        cr_expect_eq(at[0] == at[1], cases[i].shared, "case %u", i);
        cr_expect(!cases[i].shared || fix_u8(&x, at[0] + cases[i].size) == 0, "no end");
    }
}

Test(freeze_share, code_with_its_length_needs_no_end)
{
    struct mpy_code one = code_of(tail, sizeof tail), other = one;
    uint64_t at[2];
    x.fw.save = FW_YES;
    freeze_twice(&one, &other, at);
    cr_expect_eq(at[0], at[1], "the raw code");
    cr_expect_eq(count(tail, sizeof tail), 1);
}

Test(freeze_share, trees_of_functions)
{
    struct mpy_code leaf = code_of(plain, sizeof plain), odd = code_of(tail, sizeof tail);
    struct mpy_code *same[] = {&leaf, &leaf}, *differ[] = {&leaf, &odd};
    struct mpy_code one = code_of(implicit, sizeof implicit), other = one, third = one;
    uint64_t at[2];
    one.n_children = other.n_children = third.n_children = 2;
    one.children = other.children = same;
    third.children = differ;
    freeze_twice(&one, &other, at);
    cr_expect_eq(at[0], at[1]);
    uint64_t children = fix_word(&x, at[0] + 8);
    cr_expect_eq(fix_word(&x, children), fix_word(&x, children + 4));
    freeze_twice(&one, &third, at);
    cr_expect_neq(at[0], at[1]);
    cr_expect_eq(fix_word(&x, at[0] + 4), fix_word(&x, at[1] + 4), "the code of both");
}

Test(freeze_share, the_name_of_a_module_is_its_qstr)
{
    static const char name[] = "a_rather_long_name.py";
    const char *names[] = {"long_name.py"};
    struct freeze_input in = fix_module_of(&x, name, NULL, 0, names, 1);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_OK);
    cr_expect_eq(count("long_name.py", 13), 1);
    cr_expect_neq(fix_find(&x, name, strlen(name)), 0);
    cr_expect_neq(fix_find(&x, names[0], strlen(names[0])), 0);
}
