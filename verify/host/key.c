#include "verify/host/key.h"

#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <string.h>

#include "format/file.h"
#include "verify/host/crypto.h"
#include "verify/host/published.h"

struct verify_key {
    mbedtls_pk_context pk;
    enum blob_algorithm algorithm;
    uint8_t id[BLOB_DIGEST];
    char *name;
};

static bool key_has(const uint8_t *data, size_t size, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= size; i++) {
        if (memcmp(data + i, word, n) == 0) {
            return true;
        }
    }
    return false;
}

// A certificate's key, by way of DER: the parsed certificate owns its own.
static int key_from_certificate(mbedtls_pk_context *pk, const uint8_t *data, size_t size)
{
    mbedtls_x509_crt crt;
    uint8_t spki[KEY_SPKI_MAX];
    mbedtls_x509_crt_init(&crt);
    int err = mbedtls_x509_crt_parse(&crt, data, size);
    if (err == 0) {
        err = mbedtls_pk_write_pubkey_der(&crt.pk, spki, sizeof spki);
    }
    if (err > 0) {
        size_t n = (size_t)err;
        err = mbedtls_pk_parse_public_key(pk, spki + sizeof spki - n, n);
    }
    mbedtls_x509_crt_free(&crt);
    return err;
}

// DER has no label: a certificate is what does not parse as a key.
static int key_load(mbedtls_pk_context *pk, const uint8_t *data, size_t size)
{
    bool pem = key_has(data, size, "-----BEGIN ");
    size_t n = pem ? size + 1 : size; // mbedTLS wants the NUL of PEM counted
    if (key_has(data, size, "-----BEGIN CERTIFICATE-----")) {
        return key_from_certificate(pk, data, n);
    }
    int err = mbedtls_pk_parse_public_key(pk, data, n);
    if (err && !pem) {
        mbedtls_pk_free(pk);
        mbedtls_pk_init(pk);
        err = key_from_certificate(pk, data, n);
    }
    return err;
}

static enum diag_code key_fill(struct verify_key *key, const uint8_t *data, size_t size,
                               const char *name, struct diag *d)
{
    if (key_has(data, size, "PRIVATE KEY-----")) {
        enum diag_code err =
            diag_set(d, DIAG_MALFORMED, name, "is a private key, a public one is needed");
        diag_help(d, "make the public key with: mpy-freeze pubkey -k %s -o PUB.pem", name);
        return err;
    }
    int loaded = size ? key_load(&key->pk, data, size) : MBEDTLS_ERR_PK_KEY_INVALID_FORMAT;
    enum diag_code answer = crypto_answer(loaded);
    if (answer == DIAG_NOMEM) {
        return diag_nomem(d);
    }
    if (answer) {
        enum diag_code err = crypto_unsupported(loaded)
                                 ? diag_set(d, DIAG_NO, name,
                                            "is a key of a kind, or in a form, "
                                            "that is not supported")
                                 : diag_set(d, DIAG_MALFORMED, name, "is not a public key");
        diag_help(d, "allowed are a public key or an X.509 certificate, PEM or DER, of the types "
                     "ecdsa-p256, ecdsa-p384 and rsa-3072");
        return err;
    }
    key->algorithm = crypto_algorithm(&key->pk);
    if (!key->algorithm) {
        enum diag_code err =
            diag_set(d, DIAG_NO, name, "is a %s key of %zu bits", mbedtls_pk_get_name(&key->pk),
                     mbedtls_pk_get_bitlen(&key->pk));
        diag_help(d, "allowed are ecdsa-p256, ecdsa-p384 and rsa-3072");
        return err;
    }
    if (!crypto_key_id(&key->pk, key->id)) {
        return diag_set(d, DIAG_MALFORMED, name, "the key cannot be written as DER");
    }
    return DIAG_OK;
}

enum diag_code verify_key_parse(const uint8_t *data, size_t size, const char *name, struct diag *d,
                                struct verify_key **out)
{
    *out = NULL;
    struct verify_key *key = calloc(1, sizeof *key);
    if (!key || !(key->name = malloc(strlen(name) + 1))) {
        free(key);
        return diag_nomem(d);
    }
    strcpy(key->name, name);
    mbedtls_pk_init(&key->pk);
    enum diag_code err = key_fill(key, data, size, name, d);
    if (err) {
        verify_key_free(key);
        return err;
    }
    *out = key;
    return DIAG_OK;
}

enum diag_code verify_key_read(const char *file, struct diag *d, struct verify_key **out)
{
    struct arena a;
    struct file f;
    *out = NULL;
    arena_init(&a, 0);
    enum diag_code err = file_read(file, &a, d, &f);
    err = err ? err : verify_key_parse(f.data, f.size, f.name, d, out);
    arena_free(&a);
    return err;
}

void verify_key_free(struct verify_key *key)
{
    if (key) {
        mbedtls_pk_free(&key->pk);
        free(key->name);
        free(key);
    }
}

enum blob_algorithm verify_key_algorithm(const struct verify_key *key)
{
    return key->algorithm;
}

const uint8_t *verify_key_id(const struct verify_key *key)
{
    return key->id;
}

const char *verify_key_name(const struct verify_key *key)
{
    return key->name;
}

const char *verify_key_published(const struct verify_key *key)
{
    return published_key(key->id);
}

size_t verify_key_spki(const struct verify_key *key, uint8_t spki[KEY_SPKI_MAX])
{
    int n = mbedtls_pk_write_pubkey_der((mbedtls_pk_context *)&key->pk, spki, KEY_SPKI_MAX);
    if (n <= 0) {
        return 0;
    }
    memmove(spki, spki + KEY_SPKI_MAX - (size_t)n, (size_t)n);
    return (size_t)n;
}

enum diag_code verify_key_check(const struct verify_key *key, const void *message,
                                size_t message_size, const uint8_t *signature,
                                size_t signature_size)
{
    uint8_t digest[KEY_HASH_MAX];
    if (verify_key_digest(key->algorithm, message, message_size, digest) == 0) {
        return DIAG_NOMEM; // the hashes of all algorithms are built in
    }
    return crypto_check(&key->pk, key->algorithm, digest, signature, signature_size);
}
