// SHA-256 by whichever mbedTLS is there (2.28 or 3): the one place that knows their names differ.
// On x86-64 processors with SHA instructions these do the work for all but small inputs.
#ifndef FORMAT_SHA256_H
#define FORMAT_SHA256_H

#include <mbedtls/sha256.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sha256 {
    mbedtls_sha256_context context;
    bool fast; // the fields below are in use, not context
    uint32_t state[8];
    uint8_t block[64]; // the last total % 64 bytes
    uint64_t total;    // bytes
};

void sha256_begin(struct sha256 *h);
void sha256_update(struct sha256 *h, const void *data, size_t n);
void sha256_end(struct sha256 *h, uint8_t digest[32]);
void sha256(const void *data, size_t n, uint8_t digest[32]);

#endif
