// SHA-256 by whichever mbedTLS is there (2.28 or 3): the one place that knows their names differ.
#ifndef FORMAT_SHA256_H
#define FORMAT_SHA256_H

#include <mbedtls/sha256.h>
#include <stddef.h>
#include <stdint.h>

struct sha256 {
    mbedtls_sha256_context context;
};

void sha256_begin(struct sha256 *h);
void sha256_update(struct sha256 *h, const void *data, size_t n);
void sha256_end(struct sha256 *h, uint8_t digest[32]);
void sha256(const void *data, size_t n, uint8_t digest[32]);

#endif
