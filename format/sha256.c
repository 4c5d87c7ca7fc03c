#include "format/sha256.h"

#include <mbedtls/version.h>

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#define mbedtls_sha256_starts mbedtls_sha256_starts_ret
#define mbedtls_sha256_update mbedtls_sha256_update_ret
#define mbedtls_sha256_finish mbedtls_sha256_finish_ret
#endif

// The results are not looked at: the software implementation fails for bad arguments only, and a
// hardware one that failed would leave a digest that matches nothing.
void sha256_begin(struct sha256 *h)
{
    mbedtls_sha256_init(&h->context);
    (void)mbedtls_sha256_starts(&h->context, 0);
}

void sha256_update(struct sha256 *h, const void *data, size_t n)
{
    (void)mbedtls_sha256_update(&h->context, data, n);
}

void sha256_end(struct sha256 *h, uint8_t digest[32])
{
    for (unsigned i = 0; i < 32; i++) {
        digest[i] = 0;
    }
    (void)mbedtls_sha256_finish(&h->context, digest);
    mbedtls_sha256_free(&h->context);
}

void sha256(const void *data, size_t n, uint8_t digest[32])
{
    struct sha256 h;
    sha256_begin(&h);
    sha256_update(&h, data, n);
    sha256_end(&h, digest);
}
