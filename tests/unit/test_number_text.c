#include <criterion/criterion.h>

#include "format/number.h"

Test(number_text, whole)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t value;
    } cases[] = {
        {"0", true, 0},
        {"010", true, 10}, // not octal
        {"0x10", true, 16},
        {"0XfF", true, 255},
        {"18446744073709551615", true, UINT64_MAX},
        {"0xffffffffffffffff", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"0x10000000000000000", false, 0},
        {"", false, 0},
        {"0x", false, 0},
        {"0xg", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"-1", false, 0},
        {" -1", false, 0}, // would be the greatest number of all
        {"+1", false, 0},
        {"1K", false, 0},
        {"1a", false, 0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t v = 0;
        bool good = number_whole(cases[i].text, &v);
        cr_expect_eq(good, cases[i].good, "'%s'", cases[i].text);
        cr_expect(!good || v == cases[i].value, "'%s'", cases[i].text);
    }
}

Test(number_text, sizes)
{
    uint64_t v;
    const char *p = "0x10K:5M";
    cr_expect(number_size(&p, &v) && v == 16384 && *p++ == ':');
    cr_expect(number_size(&p, &v) && v == 5 << 20 && !*p);
    p = "17592186044415M";
    cr_expect(number_size(&p, &v) && v == 0xfffffffffff00000);
    p = "17592186044416M";
    cr_expect_not(number_size(&p, &v));
}
