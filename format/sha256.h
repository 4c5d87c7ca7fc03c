// SHA-256 by Nettle, which uses the processor's own instructions where there are some: hashing is
// most of what verifying costs, and mbedTLS 2.28, which does the signatures, takes five times as
// long. The one place that knows the versions of its interface apart.
#ifndef FORMAT_SHA256_H
#define FORMAT_SHA256_H

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

struct sha256 {
    struct sha256_ctx context;
};

void sha256_begin(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t n);
void sha256_end(struct sha256 *h, uint8_t digest[32]);
void sha256(const void *data, size_t n, uint8_t digest[32]);

#endif
