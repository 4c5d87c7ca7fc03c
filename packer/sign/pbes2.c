// PKCS#8 encryption as OpenSSL 3 writes it: PBES2 (RFC 8018) with PBKDF2 and AES-CBC. mbedTLS 2.28
// has the primitives but not this combination.
#include "packer/sign/internal.h" // first: it opens the private members of mbedTLS 3

#include <mbedtls/aes.h>
#include <mbedtls/asn1.h>
#include <mbedtls/pkcs5.h>
#include <stdlib.h>

enum { PBES2_SALT_MAX = 64, PBES2_BLOCK = 16, PBES2_KEY_MAX = 32 };

// Object identifiers, without tag and length.
static const uint8_t pbes2_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d};
static const uint8_t pbkdf2_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c};
static const uint8_t hmac_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02}; // last byte: which
static const uint8_t aes_oid[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01};

struct der { // a stretch of DER
    uint8_t *p;
    const uint8_t *end;
};

// Enters the next element: *inner is its content, in goes behind it.
static bool der_next(struct der *in, int tag, struct der *inner)
{
    size_t n;
    if (mbedtls_asn1_get_tag(&in->p, in->end, &n, tag) != 0) {
        return false;
    }
    *inner = (struct der){in->p, in->p + n};
    in->p += n;
    return true;
}

static size_t der_left(const struct der *in)
{
    return (size_t)(in->end - in->p);
}

static bool der_sequence(struct der *in, struct der *inner)
{
    return der_next(in, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE, inner);
}

static bool der_is(const struct der *oid, const uint8_t *value, size_t n)
{
    return der_left(oid) == n && memcmp(oid->p, value, n) == 0;
}

// A count of 1 or more, of any length: what is above the limit is not told apart.
static bool der_iterations(struct der *in, int *n)
{
    struct der number;
    if (!der_next(in, MBEDTLS_ASN1_INTEGER, &number) || der_left(&number) == 0 ||
        *number.p & 0x80) {
        return false;
    }
    *n = 0;
    for (; der_left(&number) > 0 && *n <= SIGN_ITERATIONS_MAX; number.p++) {
        *n = *n << 8 | *number.p;
    }
    return *n > 0;
}

struct pbes2 {
    struct der salt, iv, data;
    int iterations;
    mbedtls_md_type_t prf;
    size_t key_size;
};

// The hash of hmacWithSHAn, by the last byte of its identifier.
static mbedtls_md_type_t pbes2_hash(uint8_t id)
{
    switch (id) {
    case 7:
        return MBEDTLS_MD_SHA1;
    case 8:
        return MBEDTLS_MD_SHA224;
    case 9:
        return MBEDTLS_MD_SHA256;
    case 10:
        return MBEDTLS_MD_SHA384;
    case 11:
        return MBEDTLS_MD_SHA512;
    default:
        return MBEDTLS_MD_NONE;
    }
}

// PBKDF2-params: salt, iterations, optional key length, optional hash.
static enum sign_pbes2 pbes2_kdf(struct der *in, struct pbes2 *out)
{
    struct der algorithm, oid;
    int key_size = 0;
    if (!der_next(in, MBEDTLS_ASN1_OCTET_STRING, &out->salt) ||
        !der_iterations(in, &out->iterations) || der_left(&out->salt) > PBES2_SALT_MAX) {
        return SIGN_PBES2_BROKEN;
    }
    if (out->iterations > SIGN_ITERATIONS_MAX) {
        return SIGN_PBES2_COSTLY;
    }
    if (der_left(in) > 0 && *in->p == MBEDTLS_ASN1_INTEGER &&
        mbedtls_asn1_get_int(&in->p, in->end, &key_size) != 0) {
        return SIGN_PBES2_BROKEN;
    }
    out->prf = MBEDTLS_MD_SHA1; // the default of the standard
    if (der_left(in) > 0) {
        if (!der_sequence(in, &algorithm) || !der_next(&algorithm, MBEDTLS_ASN1_OID, &oid)) {
            return SIGN_PBES2_BROKEN;
        }
        if (der_left(&oid) != sizeof hmac_oid + 1 ||
            memcmp(oid.p, hmac_oid, sizeof hmac_oid) != 0) {
            return SIGN_PBES2_OTHER;
        }
        out->prf = pbes2_hash(oid.end[-1]);
    }
    return out->prf == MBEDTLS_MD_NONE ? SIGN_PBES2_OTHER : SIGN_PBES2_OK;
}

static enum sign_pbes2 pbes2_cipher(struct der *in, struct pbes2 *out)
{
    struct der oid;
    if (!der_next(in, MBEDTLS_ASN1_OID, &oid)) {
        return SIGN_PBES2_BROKEN;
    }
    if (der_left(&oid) != sizeof aes_oid + 1 || memcmp(oid.p, aes_oid, sizeof aes_oid) != 0) {
        return SIGN_PBES2_OTHER;
    }
    switch (oid.end[-1]) { // aes128-CBC, aes192-CBC, aes256-CBC
    case 2:
        out->key_size = 16;
        break;
    case 22:
        out->key_size = 24;
        break;
    case 42:
        out->key_size = 32;
        break;
    default:
        return SIGN_PBES2_OTHER;
    }
    bool ok =
        der_next(in, MBEDTLS_ASN1_OCTET_STRING, &out->iv) && der_left(&out->iv) == PBES2_BLOCK;
    return ok ? SIGN_PBES2_OK : SIGN_PBES2_BROKEN;
}

// The older schemes of PKCS#5 and PKCS#12 are not decrypted here, but count, too: salt, iterations.
static enum sign_pbes2 pbes1_iterations(struct der *algorithm)
{
    struct der params, salt;
    int iterations;
    bool costly = der_sequence(algorithm, &params) &&
                  der_next(&params, MBEDTLS_ASN1_OCTET_STRING, &salt) &&
                  der_iterations(&params, &iterations) && iterations > SIGN_ITERATIONS_MAX;
    return costly ? SIGN_PBES2_COSTLY : SIGN_PBES2_OTHER;
}

static enum sign_pbes2 pbes2_parse(const uint8_t *der, size_t size, struct pbes2 *out)
{
    struct der in = {(uint8_t *)der, der + size};
    struct der whole, algorithm, oid, params, kdf, kdf_params, cipher;
    if (!der_sequence(&in, &whole) || !der_sequence(&whole, &algorithm) ||
        !der_next(&algorithm, MBEDTLS_ASN1_OID, &oid) ||
        !der_next(&whole, MBEDTLS_ASN1_OCTET_STRING, &out->data)) {
        return SIGN_PBES2_BROKEN;
    }
    if (!der_is(&oid, pbes2_oid, sizeof pbes2_oid)) {
        return pbes1_iterations(&algorithm);
    }
    if (!der_sequence(&algorithm, &params) || !der_sequence(&params, &kdf) ||
        !der_next(&kdf, MBEDTLS_ASN1_OID, &oid) || !der_sequence(&params, &cipher)) {
        return SIGN_PBES2_BROKEN;
    }
    if (!der_is(&oid, pbkdf2_oid, sizeof pbkdf2_oid)) {
        return SIGN_PBES2_OTHER;
    }
    if (!der_sequence(&kdf, &kdf_params)) {
        return SIGN_PBES2_BROKEN;
    }
    enum sign_pbes2 err = pbes2_kdf(&kdf_params, out);
    return err ? err : pbes2_cipher(&cipher, out);
}

static bool pbes2_derive(mbedtls_md_type_t prf, const char *passphrase, const uint8_t *salt,
                         size_t salt_size, unsigned iterations, uint8_t *key, size_t key_size)
{
    const uint8_t *secret = (const uint8_t *)passphrase;
    size_t n = strlen(passphrase);
#if MBEDTLS_VERSION_NUMBER < 0x03030000
    mbedtls_md_context_t md;
    mbedtls_md_init(&md);
    const mbedtls_md_info_t *info = mbedtls_md_info_from_type(prf);
    bool ok = info && mbedtls_md_setup(&md, info, 1) == 0 &&
              mbedtls_pkcs5_pbkdf2_hmac(&md, secret, n, salt, salt_size, iterations,
                                        (uint32_t)key_size, key) == 0;
    mbedtls_md_free(&md);
    return ok;
#else
    return mbedtls_pkcs5_pbkdf2_hmac_ext(prf, secret, n, salt, salt_size, iterations,
                                         (uint32_t)key_size, key) == 0;
#endif
}

static bool pbes2_aes(int mode, const uint8_t *key, size_t key_size, const uint8_t *iv,
                      const uint8_t *from, size_t size, uint8_t *to)
{
    uint8_t chain[PBES2_BLOCK];
    mbedtls_aes_context aes;
    memcpy(chain, iv, sizeof chain);
    mbedtls_aes_init(&aes);
    int err = mode == MBEDTLS_AES_ENCRYPT
                  ? mbedtls_aes_setkey_enc(&aes, key, (unsigned)key_size * 8)
                  : mbedtls_aes_setkey_dec(&aes, key, (unsigned)key_size * 8);
    err = err ? err : mbedtls_aes_crypt_cbc(&aes, mode, size, chain, from, to);
    mbedtls_aes_free(&aes);
    return err == 0;
}

// The size without the padding, or 0.
static size_t pbes2_unpad(const uint8_t *p, size_t size)
{
    uint8_t pad = p[size - 1];
    if (pad == 0 || pad > PBES2_BLOCK || pad >= size) {
        return 0;
    }
    return blob_filled(p + size - pad, pad, pad) ? size - pad : 0;
}

enum sign_pbes2 sign_pbes2_decrypt(const uint8_t *der, size_t size, const char *passphrase,
                                   uint8_t *plain, size_t *plain_size)
{
    struct pbes2 p = {0};
    uint8_t key[PBES2_KEY_MAX];
    enum sign_pbes2 err = pbes2_parse(der, size, &p);
    size_t n = err ? 0 : der_left(&p.data);
    if (err) {
        return err;
    }
    if (n == 0 || n % PBES2_BLOCK != 0) {
        return SIGN_PBES2_BROKEN;
    }
    bool ok = pbes2_derive(p.prf, passphrase, p.salt.p, der_left(&p.salt), (unsigned)p.iterations,
                           key, p.key_size) &&
              pbes2_aes(MBEDTLS_AES_DECRYPT, key, p.key_size, p.iv.p, p.data.p, n, plain);
    mbedtls_platform_zeroize(key, sizeof key);
    if (!ok) {
        return SIGN_PBES2_NOMEM; // nothing else can fail there
    }
    *plain_size = pbes2_unpad(plain, n);
    return *plain_size ? SIGN_PBES2_OK : SIGN_PBES2_WRONG;
}

// DER is written from the inside out: wraps what stands in out from `from` on.
static void der_wrap(struct bytes_out *out, size_t from, uint8_t tag)
{
    size_t n = out->size - from;
    uint8_t head[4];
    size_t head_size = 0;
    head[head_size++] = tag;
    if (n >= 0x100) {
        head[head_size++] = 0x82;
        head[head_size++] = (uint8_t)(n >> 8);
    } else if (n >= 0x80) {
        head[head_size++] = 0x81;
    }
    head[head_size++] = (uint8_t)n;
    bytes_fill(out, 0, head_size);
    if (!out->failed) {
        memmove(out->data + from + head_size, out->data + from, n);
        memcpy(out->data + from, head, head_size);
    }
}

static void der_put(struct bytes_out *out, uint8_t tag, const uint8_t *data, size_t n)
{
    size_t from = out->size;
    bytes_put(out, data, n);
    der_wrap(out, from, tag);
}

static void pbes2_put(struct bytes_out *out, const uint8_t *salt, const uint8_t *iv,
                      const uint8_t *data, size_t n)
{
    static const uint8_t iterations[] = {SIGN_ITERATIONS >> 16, SIGN_ITERATIONS >> 8 & 0xff,
                                         SIGN_ITERATIONS & 0xff};
    const uint8_t sequence = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
    uint8_t hmac[sizeof hmac_oid + 1], aes[sizeof aes_oid + 1];
    memcpy(hmac, hmac_oid, sizeof hmac_oid);
    hmac[sizeof hmac_oid] = 9; // hmacWithSHA256
    memcpy(aes, aes_oid, sizeof aes_oid);
    aes[sizeof aes_oid] = 42; // aes256-CBC
    size_t whole = out->size, algorithm = whole;
    der_put(out, MBEDTLS_ASN1_OID, pbes2_oid, sizeof pbes2_oid);
    size_t params = out->size, kdf = params;
    der_put(out, MBEDTLS_ASN1_OID, pbkdf2_oid, sizeof pbkdf2_oid);
    size_t kdf_params = out->size;
    der_put(out, MBEDTLS_ASN1_OCTET_STRING, salt, PBES2_BLOCK);
    der_put(out, MBEDTLS_ASN1_INTEGER, iterations, sizeof iterations);
    size_t prf = out->size;
    der_put(out, MBEDTLS_ASN1_OID, hmac, sizeof hmac);
    der_put(out, MBEDTLS_ASN1_NULL, NULL, 0);
    der_wrap(out, prf, sequence);
    der_wrap(out, kdf_params, sequence);
    der_wrap(out, kdf, sequence);
    size_t cipher = out->size;
    der_put(out, MBEDTLS_ASN1_OID, aes, sizeof aes);
    der_put(out, MBEDTLS_ASN1_OCTET_STRING, iv, PBES2_BLOCK);
    der_wrap(out, cipher, sequence);
    der_wrap(out, params, sequence);
    der_wrap(out, algorithm, sequence);
    der_put(out, MBEDTLS_ASN1_OCTET_STRING, data, n);
    der_wrap(out, whole, sequence);
}

enum diag_code sign_pbes2_encrypt(const uint8_t *plain, size_t size, const char *passphrase,
                                  struct sign_random *random, struct bytes_out *out, struct diag *d)
{
    uint8_t key[PBES2_KEY_MAX], salt[PBES2_BLOCK], iv[PBES2_BLOCK];
    size_t pad = PBES2_BLOCK - size % PBES2_BLOCK, n = size + pad;
    uint8_t *padded = malloc(n);
    if (!padded) {
        return diag_nomem(d);
    }
    memcpy(padded, plain, size);
    memset(padded + size, (int)pad, pad);
    bool ok = mbedtls_ctr_drbg_random(&random->drbg, salt, sizeof salt) == 0 &&
              mbedtls_ctr_drbg_random(&random->drbg, iv, sizeof iv) == 0 &&
              pbes2_derive(MBEDTLS_MD_SHA256, passphrase, salt, sizeof salt, SIGN_ITERATIONS, key,
                           sizeof key) &&
              pbes2_aes(MBEDTLS_AES_ENCRYPT, key, sizeof key, iv, padded, n, padded);
    mbedtls_platform_zeroize(key, sizeof key);
    if (ok) {
        pbes2_put(out, salt, iv, padded, n);
    } else {
        mbedtls_platform_zeroize(padded, n);
    }
    free(padded);
    return ok ? bytes_out_check(out, d)
              : diag_set(d, DIAG_INTERNAL, NULL, "cannot encrypt the key");
}
