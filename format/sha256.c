#include "format/sha256.h"

#include <nettle/version.h>

void sha256_begin(struct sha256 *h)
{
    sha256_init(&h->context);
}

void sha256_add(struct sha256 *h, const void *data, size_t n)
{
    sha256_update(&h->context, n, data);
}

void sha256_end(struct sha256 *h, uint8_t digest[32])
{
#if NETTLE_VERSION_MAJOR < 4
    sha256_digest(&h->context, SHA256_DIGEST_SIZE, digest);
#else
    sha256_digest(&h->context, digest);
#endif
}

void sha256(const void *data, size_t n, uint8_t digest[32])
{
    struct sha256 h;
    sha256_begin(&h);
    sha256_add(&h, data, n);
    sha256_end(&h, digest);
}
