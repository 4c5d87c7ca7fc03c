#include "format/sha256.h"

#include <mbedtls/version.h>
#include <string.h>

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#define mbedtls_sha256_starts mbedtls_sha256_starts_ret
#define mbedtls_sha256_update mbedtls_sha256_update_ret
#define mbedtls_sha256_finish mbedtls_sha256_finish_ret
#endif

enum {
    SHA256_BLOCK = 64,
    SHA256_SMALL = 4096, // below this, asking the processor what it can takes longer than it saves
};

// --- x86-64 with SHA instructions (Intel SDM volume 2, SHA256RNDS2, SHA256MSG1, SHA256MSG2)

#if defined __x86_64__
#include <cpuid.h>
#include <immintrin.h>

static const uint32_t sha256_k[64] = {
    // FIPS 180-4, 4.2.2
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static bool sha256_has_instructions(void)
{
    unsigned a, b, c, d;
    bool sse41 = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) && (c & bit_SSSE3);
    return sse41 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
}

__attribute__((target("sha,sse4.1"))) static void sha256_blocks(uint32_t state[8], const uint8_t *p,
                                                                size_t n)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i t = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i s1 = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    __m128i s0 = _mm_alignr_epi8(t, s1, 8); // words A, B, E, F
    s1 = _mm_blend_epi16(s1, t, 0xf0);      // words C, D, G, H
    for (; n; n--, p += SHA256_BLOCK) {
        __m128i w[4], old0 = s0, old1 = s1;
        for (int i = 0; i < 4; i++) {
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), swap);
        }
        for (int i = 0; i < 16; i++) { // four rounds each
            __m128i k = _mm_loadu_si128((const __m128i *)(sha256_k + 4 * i));
            __m128i wk = _mm_add_epi32(w[i & 3], k);
            s1 = _mm_sha256rnds2_epu32(s1, s0, wk);
            s0 = _mm_sha256rnds2_epu32(s0, s1, _mm_shuffle_epi32(wk, 0x0e));
            __m128i last = w[(i + 3) & 3];
            __m128i next = _mm_add_epi32(_mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]),
                                         _mm_alignr_epi8(last, w[(i + 2) & 3], 4));
            w[i & 3] = _mm_sha256msg2_epu32(next, last);
        }
        s0 = _mm_add_epi32(s0, old0);
        s1 = _mm_add_epi32(s1, old1);
    }
    t = _mm_shuffle_epi32(s0, 0x1b);
    s1 = _mm_shuffle_epi32(s1, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(t, s1, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(s1, t, 8));
}
#else
static bool sha256_has_instructions(void)
{
    return false;
}

static void sha256_blocks(uint32_t state[8], const uint8_t *p, size_t n)
{
    (void)state;
    (void)p;
    (void)n;
}
#endif

static void sha256_fast_begin(struct sha256 *h)
{
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(h->state, initial, sizeof initial);
    h->total = 0;
}

static void sha256_fast_update(struct sha256 *h, const uint8_t *p, size_t n)
{
    size_t have = h->total % SHA256_BLOCK;
    h->total += n;
    if (have) {
        size_t take = n < SHA256_BLOCK - have ? n : SHA256_BLOCK - have;
        memcpy(h->block + have, p, take);
        p += take;
        n -= take;
        if (have + take < SHA256_BLOCK) {
            return;
        }
        sha256_blocks(h->state, h->block, 1);
    }
    sha256_blocks(h->state, p, n / SHA256_BLOCK);
    if (n % SHA256_BLOCK) {
        memcpy(h->block, p + n - n % SHA256_BLOCK, n % SHA256_BLOCK);
    }
}

static void sha256_fast_end(struct sha256 *h, uint8_t digest[32])
{
    uint8_t tail[2 * SHA256_BLOCK] = {0x80};
    uint64_t bits = h->total * 8;
    size_t have = h->total % SHA256_BLOCK;
    size_t n = (have < 56 ? 56 : 120) - have; // the length ends a block
    for (int i = 0; i < 8; i++) {
        tail[n + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    sha256_fast_update(h, tail, n + 8);
    for (int i = 0; i < 32; i++) {
        digest[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

// --- the interface

// The results are not looked at: the software implementation fails for bad arguments only, and a
// hardware one that failed would leave a digest that matches nothing.
static void sha256_begin_as(struct sha256 *h, bool fast)
{
    h->fast = fast;
    if (fast) {
        sha256_fast_begin(h);
        return;
    }
    mbedtls_sha256_init(&h->context);
    (void)mbedtls_sha256_starts(&h->context, 0);
}

void sha256_begin(struct sha256 *h)
{
    sha256_begin_as(h, sha256_has_instructions());
}

void sha256_update(struct sha256 *h, const void *data, size_t n)
{
    if (h->fast) {
        sha256_fast_update(h, data, n);
    } else {
        (void)mbedtls_sha256_update(&h->context, data, n);
    }
}

void sha256_end(struct sha256 *h, uint8_t digest[32])
{
    if (h->fast) {
        sha256_fast_end(h, digest);
        return;
    }
    memset(digest, 0, 32);
    (void)mbedtls_sha256_finish(&h->context, digest);
    mbedtls_sha256_free(&h->context);
}

void sha256(const void *data, size_t n, uint8_t digest[32])
{
    struct sha256 h;
    sha256_begin_as(&h, n >= SHA256_SMALL && sha256_has_instructions());
    sha256_update(&h, data, n);
    sha256_end(&h, digest);
}
