#include <criterion/criterion.h>

#include "format/sha256.h"

#include <string.h>

// FIPS 180-2, appendix B.1 and B.2, hashed in one piece and in two.
Test(sha256, published_digests)
{
    static const struct {
        const char *text;
        uint8_t begins[4];
    } cases[] = {
        {"abc", {0xba, 0x78, 0x16, 0xbf}},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", {0x24, 0x8d, 0x6a, 0x61}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t whole[32], parts[32];
        size_t n = strlen(cases[i].text);
        struct sha256 h;
        sha256(cases[i].text, n, whole);
        sha256_begin(&h);
        sha256_add(&h, cases[i].text, n / 2);
        sha256_add(&h, cases[i].text + n / 2, n - n / 2);
        sha256_end(&h, parts);
        cr_assert_arr_eq(whole, cases[i].begins, 4);
        cr_assert_arr_eq(whole, parts, sizeof whole);
    }
}
