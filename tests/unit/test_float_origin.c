// The texts of floats of extracted modules. The expected ones are what mpy-cross of the release
// writes for the literals named.
#include <criterion/criterion.h>

#include "packer/cli/float_origin.h"

static const struct {
    unsigned minor;
    enum fw_float kind;
    const char *canonical, *text;
} cases[] = {
    {19, FW_FLOAT_F64, "67.09999999999999", "67.1"},              // 67.1
    {19, FW_FLOAT_F64, "96.331", "96.33100000000001"},            // 96.331
    {19, FW_FLOAT_F64, "90.88179999999998", "90.88179999999999"}, // 90.8818
    {25, FW_FLOAT_F64, "9.979999999999999e-06", "9.98e-06"},      // 9.98e-06
    {25, FW_FLOAT_F64, "7e-11", "7.000000000000001e-11"},         // 7e-11
    {28, FW_FLOAT_F64, "9.999999999999999e+22", "1e+23"},         // 1e23
    {28, FW_FLOAT_F64, "3.141592653589793", "3.141592653589793"}, // math.pi
    {25, FW_FLOAT_F32, "67.1", "67.09999999999999"},              // 67.1
    {25, FW_FLOAT_F64, "nan", "nan"},                             // no literal
    {18, FW_FLOAT_F64, "67.09999999999999", "67.09999999999999"}, // a release not known
};

Test(float_origin, literals_as_the_release_writes_them)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        struct mpy_obj obj = {.kind = MPY_OBJ_FLOAT,
                              .len = (uint32_t)strlen(cases[i].canonical),
                              .data = (const uint8_t *)cases[i].canonical};
        struct mpy_module m = {.n_obj = 1, .objs = &obj};
        struct firmware fw = {
            .major = 1, .minor = cases[i].minor, .repr = FW_REPR_A, .float_kind = cases[i].kind};
        arena_init(&a, 0);
        float_origin(&fw, &m, &a);
        cr_expect(m.objs->len == strlen(cases[i].text) &&
                      !memcmp(m.objs->data, cases[i].text, m.objs->len),
                  "%s: %.*s, not %s", cases[i].canonical, (int)m.objs->len,
                  (const char *)m.objs->data, cases[i].text);
        arena_free(&a);
    }
}
