// Numbers of the compiler. The expected texts are what mpy-cross of the release wrote.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "packer/compiler/number.h"

enum row { R119, R120, R124, R125, R126, ROWS };
static const struct number_rules rows[ROWS] = {
    {NUMBER_READ_PLAIN, NUMBER_WRITE_PLAIN, false, false, false},
    {NUMBER_READ_ZEROS, NUMBER_WRITE_DIVIDED, false, false, false},
    {NUMBER_READ_ZEROS, NUMBER_WRITE_DIVIDED, false, true, false},
    {NUMBER_READ_MANTISSA, NUMBER_WRITE_DIVIDED, true, true, false},
    {NUMBER_READ_EXTENDED, NUMBER_WRITE_EXACT, true, true, true},
};

static struct arena arena;

static const char *text_of(enum row row, const struct number *n)
{
    static char text[4096];
    struct bytes_out out;
    bytes_out_init(&out);
    number_write(&rows[row], n, &out);
    cr_assert(!out.failed);
    snprintf(text, sizeof text, "%.*s", (int)out.size, (const char *)out.data);
    bytes_out_free(&out);
    return text;
}

static struct number read_one(enum row row, const char *text)
{
    struct number n = {0};
    bool negative = *text == '-';
    size_t size = strlen(text += negative);
    bool integer = !strpbrk(text, ".jJ") && (!strpbrk(text, "eE") || !strncmp(text, "0x", 2));
    const char *error = integer ? number_read_int(&rows[row], text, size, &arena, &n)
                                : number_read_float(&rows[row], text, size, &arena, &n);
    cr_assert_null(error, "%s: %s", text, error);
    if (negative)
        cr_assert_eq(number_unary_op(&rows[row], NUMBER_NEGATIVE, &n, &arena, &n), NUMBER_OK);
    return n;
}

static void expect_text(enum row row, const char *literal, const char *expected)
{
    struct number n = read_one(row, literal);
    cr_assert_str_eq(text_of(row, &n), expected, "%s: got %s, not %s", literal, text_of(row, &n),
                     expected);
}

static enum number_status fold(enum row row, const char *a, enum number_op op, const char *b,
                               struct number *out)
{
    struct number x = read_one(row, a), y = read_one(row, b);
    return number_binary(&rows[row], op, &x, &y, 0, &arena, out);
}

static void expect_fold(enum row row, const char *a, enum number_op op, const char *b,
                        const char *expected)
{
    struct number n;
    cr_assert_eq(fold(row, a, op, b, &n), NUMBER_OK, "%s op %d %s", a, op, b);
    cr_assert_str_eq(text_of(row, &n), expected, "%s op %d %s: got %s", a, op, b, text_of(row, &n));
}

static void begin(void)
{
    arena_init(&arena, 0);
}

static void end(void)
{
    arena_free(&arena);
}

TestSuite(number, .init = begin, .fini = end);

Test(number, integers)
{
    expect_text(R126, "0", "0");
    expect_text(R126, "00000", "0");
    expect_text(R126, "1_000", "1000");
    expect_text(R126, "0XfF", "255");
    expect_text(R126, "0b1_01", "5");
    expect_text(R126, "4611686018427387903", "4611686018427387903");
    expect_text(R126, "4611686018427387904", "4611686018427387904");
    expect_text(R126, "0xffffffffffffffffffffffff", "79228162514264337593543950335");
    expect_text(R126, "0o7777777777777777777777777", "37778931862957161709567");
    expect_text(R120, "0000000000000000000000000000000000000012", "12");
}

Test(number, integer_errors)
{
    struct number n;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"0x", "invalid syntax for integer with base 16: ''"},
        {"0b2", "invalid syntax for integer with base 2: '2'"},
        {"12ab", "invalid syntax for integer with base 10: '12ab'"},
        {"01", "invalid syntax for integer with base 0: '01'"},
        {"1\xc3\xa9", "invalid syntax for integer with base 10: '1\\xc3\\xa9'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text;
        const char *error = number_read_int(&rows[R126], text, strlen(text), &arena, &n);
        cr_assert_not_null(error, "%s", text);
        cr_assert_str_eq(error, cases[i].error);
    }
    cr_assert_null(number_read_int(&rows[R124], "01", 2, &arena, &n));
    static const char *const floats[] = {"1e", "1e+", "1.2.3", "1ee2", "1j2", "1.5x"};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        cr_assert_not_null(number_read_float(&rows[R126], floats[i], strlen(floats[i]), &arena, &n),
                           "%s", floats[i]);
}

Test(number, floats_of_every_release)
{
    for (enum row row = R119; row < ROWS; row++) {
        expect_text(row, "1.5", "1.5");
        expect_text(row, "0.0", "0.0");
        expect_text(row, "100.", "100.0");
        expect_text(row, "1e22", "1e+22");
        expect_text(row, "1e-5", "1e-05");
        expect_text(row, "0.0001", "0.0001");
        expect_text(row, "1e999", "inf");
        expect_text(row, "1e-999", "0.0");
        expect_text(row, "2.5j", "2.5j");
        expect_text(row, "3j", "3j");
        expect_text(row, "123456789.125", "123456789.125");
        expect_text(row, "1e99999999999999999999", "inf");
    }
    expect_text(R126, "5e-324", "4.940656458412465e-324");
    expect_text(R126, "-0.0", "-0.0");
    expect_text(R126, "1.7976931348623157e308", "1.7976931348623157e+308");
}

Test(number, folding_follows_python)
{
    expect_fold(R126, "-7", NUMBER_OP_FLOOR_DIVIDE, "2", "-4");
    expect_fold(R126, "-7", NUMBER_OP_MODULO, "2", "1");
    expect_fold(R126, "7", NUMBER_OP_MODULO, "-2", "-1");
    expect_fold(R126, "1", NUMBER_OP_LSHIFT, "100", "1267650600228229401496703205376");
    expect_fold(R126, "-1267650600228229401496703205377", NUMBER_OP_RSHIFT, "100", "-2");
    expect_fold(R126, "-1267650600228229401496703205376", NUMBER_OP_AND, "-2",
                "-1267650600228229401496703205376");
    expect_fold(R126, "-1", NUMBER_OP_XOR, "1267650600228229401496703205376",
                "-1267650600228229401496703205377");
    expect_fold(R126, "3", NUMBER_OP_POWER, "50", "717897987691852588770249");
    expect_fold(R126, "-100000000000000000000000", NUMBER_OP_FLOOR_DIVIDE, "7777777777777",
                "-12857142858");
    expect_fold(R126, "1", NUMBER_OP_TRUE_DIVIDE, "4", "0.25");
    expect_fold(R126, "2", NUMBER_OP_POWER, "-2", "0.25");
    expect_fold(R126, "7.5", NUMBER_OP_MODULO, "-2", "-0.5");
    expect_fold(R126, "7.5", NUMBER_OP_FLOOR_DIVIDE, "-2", "-4.0");
}

Test(number, what_is_not_folded)
{
    struct number n;
    cr_assert_eq(fold(R126, "1", NUMBER_OP_FLOOR_DIVIDE, "0", &n), NUMBER_NOT_FOLDED);
    cr_assert_eq(fold(R126, "1.0", NUMBER_OP_TRUE_DIVIDE, "0", &n), NUMBER_NOT_FOLDED);
    cr_assert_eq(fold(R126, "1", NUMBER_OP_LSHIFT, "-1", &n), NUMBER_NOT_FOLDED);
    cr_assert_eq(fold(R126, "-8.0", NUMBER_OP_POWER, "0.5", &n), NUMBER_NOT_FOLDED);
    cr_assert_eq(fold(R126, "1.5", NUMBER_OP_OR, "1", &n), NUMBER_NOT_FOLDED);
    cr_assert_eq(fold(R126, "1j", NUMBER_OP_ADD, "1", &n), NUMBER_NOT_FOLDED);
    cr_assert_eq(fold(R125, "1", NUMBER_OP_TRUE_DIVIDE, "2", &n), NUMBER_NOT_FOLDED);
    cr_assert_eq(fold(R125, "1.5", NUMBER_OP_ADD, "2", &n), NUMBER_NOT_FOLDED);
    cr_assert_eq(fold(R126, "2", NUMBER_OP_POWER, "99999999999999999999999", &n),
                 NUMBER_NOT_FOLDED);
    cr_assert_eq(fold(R125, "2", NUMBER_OP_POWER, "99999999999999999999999", &n), NUMBER_TOO_LARGE);
    cr_assert_eq(fold(R125, "1", NUMBER_OP_RSHIFT, "99999999999999999999999", &n), NUMBER_OVERFLOW);
}

Test(number, results_are_big_where_upstream_keeps_them_so)
{
    struct number n;
    cr_assert_eq(fold(R120, "0", NUMBER_OP_LSHIFT, "64", &n), NUMBER_OK);
    cr_assert_eq(n.kind, NUMBER_BIG);
    cr_assert_eq(fold(R124, "0", NUMBER_OP_LSHIFT, "64", &n), NUMBER_OK);
    cr_assert_eq(n.kind, NUMBER_INT);
    n = read_one(R126, "-4611686018427387904");
    cr_assert_eq(n.kind, NUMBER_BIG);
    struct number small = read_one(R126, "-4611686018427387903");
    cr_assert_eq(small.kind, NUMBER_INT);
}

Test(number, long_ones_convert_back_and_forth)
{
    // (10^k + 1) * (10^k - 1) = 10^2k - 1, over the limit of schoolbook multiplication.
    enum { K = 1500 };
    static char x[K + 2], y[K + 2], expected[2 * K + 1];
    memset(x, '0', K + 1);
    x[0] = x[K] = '1';
    memset(y, '9', K);
    memset(expected, '9', 2 * K);
    expect_fold(R126, x, NUMBER_OP_MULTIPLY, y, expected);
    struct number a = read_one(R126, x), b;
    struct number one = {.kind = NUMBER_INT, .i = 1};
    cr_assert_eq(number_binary(&rows[R126], NUMBER_OP_MULTIPLY, &a, &one, 0, &arena, &b),
                 NUMBER_OK);
    cr_assert(number_same(&a, &b));
    cr_assert_eq(number_hash(&a), number_hash(&b));
}

Test(number, sameness_is_that_of_the_constant_table)
{
    struct number plus = read_one(R126, "0.0"), minus = read_one(R126, "-0.0");
    cr_assert(!number_same(&plus, &minus));
    struct number one = read_one(R126, "1"), one_float = read_one(R126, "1.0");
    cr_assert(!number_same(&one, &one_float));
    struct number nan, computed, other, infinity;
    cr_assert(number_math_constant("nan", 3, &nan) && number_math_constant("inf", 3, &infinity));
    cr_assert(number_same(&nan, &nan));
    enum number_op op = NUMBER_OP_SUBTRACT;
    number_binary(&rows[R126], op, &infinity, &infinity, 0, &arena, &computed);
    number_binary(&rows[R126], op, &infinity, &infinity, 0, &arena, &other);
    cr_assert(number_same(&computed, &computed) && !number_same(&computed, &other));
    cr_assert(!number_math_constant("pie", 3, &nan));
    static const char *const literals[] = {"0e999", "0e999j"}; // 0 times infinity
    for (size_t i = 0; i < 2; i++) {
        computed = read_one(R125, literals[i]), other = read_one(R125, literals[i]);
        cr_assert(number_same(&computed, &computed) && !number_same(&computed, &other));
    }
}

Test(number, small_int_bits)
{
    struct number n = {.kind = NUMBER_INT, .i = 0x3fffffff};
    cr_assert(number_fits(&n, 31));
    n.i++;
    cr_assert(!number_fits(&n, 31));
    cr_assert(number_fits(&n, 0) && number_fits(&n, 64) && number_fits(&n, 63));
    n.i = -0x40000000;
    cr_assert(number_fits(&n, 31));
    n.i--;
    cr_assert(!number_fits(&n, 31));
}
