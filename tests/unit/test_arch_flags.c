#include <criterion/criterion.h>

#include "packer/cli/arch_flags.h"
#include "packer/compiler/compiler.h"

enum { REFUSED = -1 };

// What each text gives in 1.27, 1.28 and 1.29, measured with mpy-cross.
static const struct {
    const char *text;
    int expected[3];
} cases[] = {
    {"1", {1, 1, 1}},
    {"0", {0, 0, 0}},
    {"3", {REFUSED, 3, 3}},
    {"4", {REFUSED, REFUSED, REFUSED}},
    {"-1", {REFUSED, REFUSED, REFUSED}},
    {"-0", {0, 0, 0}},
    {"00", {0, 0, REFUSED}},
    {"01", {1, 1, REFUSED}},
    {"001", {REFUSED, REFUSED, REFUSED}},
    {"0x1", {1, 1, 1}},
    {"0X_1", {1, 1, REFUSED}},
    {"0b11", {REFUSED, 3, 3}},
    {"0o1", {REFUSED, REFUSED, 1}},
    {"0x", {REFUSED, REFUSED, REFUSED}},
    {"+1", {1, 1, REFUSED}},
    {" 1", {1, 1, 1}},
    {"1 ", {1, 1, REFUSED}},
    {"1_", {1, 1, REFUSED}},
    {"18446744073709551617", {REFUSED, REFUSED, REFUSED}},
    {"4294967297", {REFUSED, REFUSED, REFUSED}},
    {"zba", {1, 1, 1}},
    {"zcmp", {REFUSED, 2, 2}},
    {"zcmp,zba", {REFUSED, 3, 3}},
    {"zba,", {1, 1, 1}},
    {",zba", {REFUSED, REFUSED, REFUSED}},
    {"zbaa", {1, REFUSED, REFUSED}},
    {"zb", {REFUSED, REFUSED, REFUSED}},
    {"", {REFUSED, REFUSED, REFUSED}},
};

Test(arch_flags, are_read_as_each_release_does)
{
    static const char *const releases[] = {"1.27.0", "1.28.0", "1.29.0"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned r = 0; r < 3; r++) {
            uint32_t flags = 0;
            bool good = arch_flags_read(compiler_release_find(releases[r]), cases[i].text, &flags);
            cr_expect_eq(good ? (int)flags : REFUSED, cases[i].expected[r], "'%s' in %s: %d %u",
                         cases[i].text, releases[r], good, flags);
        }
    }
}
