#include <criterion/criterion.h>
#include <math.h>

#include "format/mpy/number.h"

static void is_text(double value, enum mpy_float kind, const char *want)
{
    char text[MPY_FLOAT_TEXT];
    mpy_float_text(text, value, kind);
    cr_assert_str_eq(text, want);
}

Test(mpy_number, floats_are_written_as_repr_does)
{
    is_text(0.1, MPY_FLOAT_64, "0.1");
    is_text(1, MPY_FLOAT_64, "1.0");
    is_text(-2.5, MPY_FLOAT_64, "-2.5");
    is_text(1e15, MPY_FLOAT_64, "1000000000000000.0");
    is_text(1e16, MPY_FLOAT_64, "1e+16");
    is_text(123456789012345680, MPY_FLOAT_64, "1.2345678901234568e+17");
    is_text(0.0001, MPY_FLOAT_64, "0.0001");
    is_text(0.00001234, MPY_FLOAT_64, "1.234e-05");
    is_text(1e300, MPY_FLOAT_64, "1e+300");
    is_text(0.30000000000000004, MPY_FLOAT_64, "0.30000000000000004");
    is_text(-0.0, MPY_FLOAT_64, "-0.0");
    is_text(INFINITY, MPY_FLOAT_64, "inf");
    is_text(-INFINITY, MPY_FLOAT_32, "-inf");
    is_text(NAN, MPY_FLOAT_64, "nan");
    is_text(120, MPY_FLOAT_64, "120.0");
}

Test(mpy_number, shorter_floats_need_fewer_digits)
{
    is_text((double)0.1f, MPY_FLOAT_32, "0.1");
    is_text((double)3.1415927f, MPY_FLOAT_32, "3.1415927");
    is_text((double)1e15f, MPY_FLOAT_32, "1000000000000000.0");
    is_text((double)0.8660254f, MPY_FLOAT_32, "0.8660254");
}

Test(mpy_number, representation_c_leaves_two_bits_free)
{
    const struct {
        uint32_t bits;
        const char *want;
    } cases[] = {{0x3dcccccd, "0.1"}, {0x3f800001, "1.0"}, {0, "0.0"}, {0x7f800000, "inf"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float f;
        memcpy(&f, &cases[i].bits, sizeof f);
        is_text((double)f, MPY_FLOAT_30, cases[i].want);
    }
}

Test(mpy_number, complex)
{
    char text[MPY_COMPLEX_TEXT];
    mpy_complex_text(text, 0, 1, MPY_FLOAT_64);
    cr_assert_str_eq(text, "1j");
    mpy_complex_text(text, 1.5, -2, MPY_FLOAT_64);
    cr_assert_str_eq(text, "(1.5-2j)");
    mpy_complex_text(text, 1e20, 1e-7, MPY_FLOAT_64);
    cr_assert_str_eq(text, "(1e+20+1e-07j)");
}

static void is_int(bool negative, uint32_t low, uint32_t mid, uint32_t high, const char *want)
{
    uint32_t digits[] = {low, mid, high};
    struct bytes_out out;
    bytes_out_init(&out);
    mpy_int_text(&out, negative, digits, 3);
    cr_assert_eq(out.size, strlen(want));
    cr_assert_eq(memcmp(out.data, want, out.size), 0);
    bytes_out_free(&out);
}

Test(mpy_number, ints)
{
    is_int(false, 0, 0, 0, "0");
    is_int(true, 5, 0, 0, "-5");
    is_int(false, 1000000000, 0, 0, "1000000000");
    is_int(false, 0xffffffff, 0, 0, "4294967295");
    is_int(false, 0, 1, 0, "4294967296");
    is_int(true, 0, 0, 1, "-18446744073709551616");
    is_int(false, 0xffffffff, 0xffffffff, 0xffffffff, "79228162514264337593543950335");
}
