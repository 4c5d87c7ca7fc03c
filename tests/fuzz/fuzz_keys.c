// Fuzz target: keys and signatures as files. The first byte chooses: a public key, a private key
// (the passphrase is "seed"), or a signature for a blob.
#include <mbedtls/pem.h>
#include <string.h>

#include "packer/sign/sign.h"
#include "tests/fuzz/fuzz.h"

enum { KEYS_MEMORY = 64 << 20, KEYS_SIGNATURE = 1024 };

static void try_public(const uint8_t *data, size_t size)
{
    struct verify_key *key;
    uint8_t spki[KEY_SPKI_MAX];
    if (!verify_key_parse(data, size, "fuzz", NULL, &key)) {
        FUZZ_MUST(blob_algorithm_name(verify_key_algorithm(key)));
        FUZZ_MUST(verify_key_spki(key, spki) > 0);
        verify_key_free(key);
    }
}

// A key that was read signs, or says why not; its public part is the same key.
static void try_signing(const struct sign_key *key)
{
    struct bytes_out blob, pem;
    struct verify_key *public;
    struct diag d;
    const struct blob b = {.addr = 0x2000, .signature_space = KEYS_SIGNATURE};
    diag_init(&d);
    bytes_out_init(&blob);
    bytes_out_init(&pem);
    FUZZ_MUST(!blob_write(&b, &blob, NULL));
    FUZZ_MUST(!sign_blob(blob.data, blob.size, key, &d) || d.text[0]);
    if (!sign_public_pem(key, &pem, &d)) {
        bytes_put_u8(&pem, 0);
        FUZZ_MUST(!verify_key_parse(pem.data, pem.size - 1, "public", &d, &public));
        FUZZ_MUST(memcmp(verify_key_id(public), sign_key_id(key), BLOB_DIGEST) == 0);
        FUZZ_MUST(verify_key_algorithm(public) == sign_key_algorithm(key));
        (void)verify_key_published(public);
        verify_key_free(public);
    }
    bytes_out_free(&blob);
    bytes_out_free(&pem);
}

// What was read can be written, and is read again as the same key.
static void try_private(const uint8_t *data, size_t size, struct arena *a)
{
    struct sign_key *key, *again;
    struct bytes_out pem;
    const struct sign_passphrase none = {0};
    if (sign_key_parse(data, size, "fuzz", &none, a, NULL, &key)) {
        return;
    }
    bytes_out_init(&pem);
    FUZZ_MUST(!sign_key_pem(key, NULL, &pem, NULL));
    bytes_put_u8(&pem, 0);
    FUZZ_MUST(!sign_key_parse(pem.data, pem.size - 1, "again", &none, a, NULL, &again));
    FUZZ_MUST(memcmp(sign_key_id(key), sign_key_id(again), BLOB_DIGEST) == 0);
    sign_key_free(again);
    try_signing(key);
    sign_key_free(key);
    bytes_out_free(&pem);
}

static void try_signature(const uint8_t *data, size_t size)
{
    // The generator of P-256 as a public key: its private key is 1.
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n"
                              "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
                              "-----END PUBLIC KEY-----\n";
    struct verify_key *key;
    struct bytes_out blob;
    const struct blob b = {.addr = 0x2000};
    bytes_out_init(&blob);
    if (!blob_write(&b, &blob, NULL) &&
        !verify_key_parse((const uint8_t *)pem, sizeof pem - 1, "pem", NULL, &key)) {
        (void)sign_put(blob.data, blob.size, key, data, size, "fuzz", NULL);
        verify_key_free(key);
    }
    bytes_out_free(&blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    uint8_t *copy = malloc(size + 1); // the parsers want a NUL behind the file
    if (!copy || size == 0) {
        free(copy);
        return 0;
    }
    memcpy(copy, data, size);
    copy[size] = 0;
    setenv("MPY_FREEZE_PASSPHRASE", "seed", 1);
    arena_init(&a, KEYS_MEMORY);
    switch (copy[0] % 3) {
    case 0:
        try_public(copy + 1, size - 1);
        break;
    case 1:
        try_private(copy + 1, size - 1, &a);
        break;
    default:
        try_signature(copy + 1, size - 1);
    }
    arena_free(&a);
    free(copy);
    return 0;
}

// A file of the keys that tests have, public or private by its name, as PEM or as the DER within.
static void seed_file(const char *name, bool der, struct bytes_out *out)
{
    bool public = strstr(name, "pub");
    char path[64];
    uint8_t text[4096];
    mbedtls_pem_context pem;
    size_t used;
    snprintf(path, sizeof path, "tests/keys/%s", name);
    FILE *f = fopen(path, "rb");
    FUZZ_MUST(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    mbedtls_pem_init(&pem);
    FUZZ_MUST(!mbedtls_pem_read_buffer(
        &pem, public ? "-----BEGIN PUBLIC KEY-----" : "-----BEGIN PRIVATE KEY-----",
        public ? "-----END PUBLIC KEY-----" : "-----END PRIVATE KEY-----", text, NULL, 0, &used));
    bytes_put_u8(out, !public);
    bytes_put(out, der ? pem.buf : text, der ? pem.buflen : n);
    mbedtls_pem_free(&pem);
}

// A key that the passphrase opens.
static void seed_encrypted(struct bytes_out *out)
{
    struct arena a;
    struct sign_key *key;
    arena_init(&a, KEYS_MEMORY);
    FUZZ_MUST(!sign_key_generate(BLOB_ECDSA_P256, &a, NULL, &key));
    bytes_put_u8(out, 1);
    (void)sign_key_pem(key, "seed", out, NULL);
    sign_key_free(key);
    arena_free(&a);
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    static const char *const files[] = {"p256.pem",     "p384.pem",     "rsa3072.pem",
                                        "p256.pub.pem", "p384.pub.pem", "rsa3072.pub.pem"};
    static const uint8_t signature[] = {2, 0x30, 6, 2, 1, 1, 2, 1, 1};
    enum { FILES = sizeof files / sizeof *files };
    if (i < 2 * FILES) {
        seed_file(files[i / 2], i % 2, out);
    } else if (i == 2 * FILES) {
        bytes_put(out, signature, sizeof signature);
    } else if (i == 2 * FILES + 1) {
        seed_encrypted(out);
    }
    return i < 2 * FILES + 2;
}
