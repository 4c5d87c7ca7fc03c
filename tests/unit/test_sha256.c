#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "format/sha256.h"

// The one-shot form takes the software for small inputs, the streaming form what the processor has.
Test(sha256, both_ways_agree_at_every_length_around_a_block)
{
    uint8_t data[300], one[32], other[32];
    for (unsigned i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 37 + 11);
    }
    for (size_t n = 0; n <= sizeof data; n++) {
        for (size_t cut = 0; cut <= n; cut += n / 7 + 1) {
            struct sha256 h;
            sha256(data, n, one);
            sha256_begin(&h);
            sha256_update(&h, data, cut);
            sha256_update(&h, data + cut, n - cut);
            sha256_end(&h, other);
            cr_assert_arr_eq(one, other, 32, "length %zu, cut at %zu", n, cut);
        }
    }
}

Test(sha256, the_standard_s_examples)
{
    const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                           0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                           0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    const uint8_t million[] = {0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92, 0x81, 0xa1, 0xc7,
                               0xe2, 0x84, 0xd7, 0x3e, 0x67, 0xf1, 0x80, 0x9a, 0x48, 0xa4, 0x97,
                               0x20, 0x0e, 0x04, 0x6d, 0x39, 0xcc, 0xc7, 0x11, 0x2c, 0xd0};
    uint8_t digest[32], *as = malloc(1000000);
    sha256("abc", 3, digest);
    cr_assert_arr_eq(digest, abc, 32);
    cr_assert_not_null(as);
    memset(as, 'a', 1000000);
    sha256(as, 1000000, digest);
    cr_assert_arr_eq(digest, million, 32);
    free(as);
}
