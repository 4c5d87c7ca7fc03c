// Private keys: reading, generating, writing.
#include "packer/sign/internal.h" // first: it opens the private members of mbedTLS 3

#include <mbedtls/asn1write.h>
#include <mbedtls/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/file.h"

enum { KEY_DER_MAX = 4096, KEY_RSA_BITS = 3072, KEY_RSA_EXPONENT = 65537 };

enum diag_code sign_random_open(struct sign_random *r, struct diag *d)
{
    mbedtls_entropy_init(&r->entropy);
    mbedtls_ctr_drbg_init(&r->drbg);
    if (mbedtls_ctr_drbg_seed(&r->drbg, mbedtls_entropy_func, &r->entropy, NULL, 0) != 0) {
        sign_random_close(r);
        return diag_set(d, DIAG_IO, NULL, "the system gives no random numbers");
    }
    return DIAG_OK;
}

void sign_random_close(struct sign_random *r)
{
    mbedtls_ctr_drbg_free(&r->drbg);
    mbedtls_entropy_free(&r->entropy);
}

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

struct key_source {
    const uint8_t *data;
    size_t size;
    const char *name;
    const struct sign_passphrase *pass;
    struct sign_random *random;
    bool pem;
    bool sound_encryption; // what mbedTLS does not read then is not broken, but unknown to it
};

static enum diag_code key_wrong(const struct key_source *in, struct diag *d)
{
    return diag_set(d, DIAG_NO, in->name, "cannot be decrypted: the passphrase is wrong");
}

static enum diag_code key_broken(const struct key_source *in, struct diag *d)
{
    enum diag_code err = diag_set(d, DIAG_MALFORMED, in->name, "is not a private key");
    diag_help(d, "allowed are PEM or DER files as SEC1, PKCS#1 or PKCS#8, plain or encrypted, of "
                 "the types ecdsa-p256, ecdsa-p384 and rsa-3072");
    return err;
}

static enum diag_code key_unsupported(const struct key_source *in, struct diag *d)
{
    enum diag_code err = diag_set(d, DIAG_NO, in->name,
                                  "is a key of a kind, or encrypted in a way, that is not "
                                  "supported");
    diag_help(d,
              "allowed are ecdsa-p256, ecdsa-p384 and rsa-3072; encryptions: PBES2 with PBKDF2 "
              "and AES-CBC or 3DES, and PEM's own. To convert it: openssl pkcs8 -topk8 -in %s",
              in->name);
    return err;
}

static enum diag_code key_costly(const struct key_source *in, struct diag *d)
{
    return diag_set(d, DIAG_NO, in->name,
                    "its encryption asks for more than %d iterations of the key derivation",
                    SIGN_ITERATIONS_MAX);
}

static int key_try(const struct key_source *in, const char *passphrase, mbedtls_pk_context *pk)
{
    size_t n = passphrase ? strlen(passphrase) : 0;
    mbedtls_pk_free(pk);
    mbedtls_pk_init(pk);
    return CRYPTO_PARSE_KEY(pk, in->data, in->size + in->pem,
                            (const uint8_t *)(n ? passphrase : NULL), n, mbedtls_ctr_drbg_random,
                            &in->random->drbg);
}

// What mbedTLS can read by itself: plain keys, and PEM's and PKCS#8's older encryptions. It tries
// one form after the other and takes a lack of memory in one for another form: a key that is read
// the second time says so.
static enum diag_code key_parse_plain(const struct key_source *in, const char *passphrase,
                                      struct diag *d, mbedtls_pk_context *pk)
{
    int err = key_try(in, passphrase, pk);
    if (err == MBEDTLS_ERR_PK_KEY_INVALID_FORMAT && key_try(in, passphrase, pk) == 0) {
        return diag_nomem(d);
    }
    enum diag_code answer = crypto_answer(err);
    if (answer != DIAG_NO) {
        return answer ? diag_nomem(d) : DIAG_OK;
    }
    bool wrong = err == MBEDTLS_ERR_PK_PASSWORD_MISMATCH || err == MBEDTLS_ERR_PK_PASSWORD_REQUIRED;
    return wrong                                             ? key_wrong(in, d)
           : crypto_unsupported(err) || in->sound_encryption ? key_unsupported(in, d)
                                                             : key_broken(in, d);
}

// True if a SEQUENCE fills p[0..n): what a wrong passphrase gives hardly ever does.
static bool key_is_sequence(const uint8_t *p, size_t n)
{
    unsigned char *in = (unsigned char *)p;
    size_t size;
    return mbedtls_asn1_get_tag(&in, p + n, &size,
                                MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) == 0 &&
           in + size == p + n;
}

// What was decrypted. One in 256 wrong passphrases gets as far as this.
static enum diag_code key_parse_decrypted(const struct key_source *in, const uint8_t *plain,
                                          size_t n, struct diag *d, mbedtls_pk_context *pk)
{
    int err = CRYPTO_PARSE_KEY(pk, plain, n, NULL, 0, mbedtls_ctr_drbg_random, &in->random->drbg);
    enum diag_code answer = crypto_answer(err);
    if (answer != DIAG_NO) {
        return answer ? diag_nomem(d) : DIAG_OK;
    }
    return key_is_sequence(plain, n) ? key_unsupported(in, d) : key_wrong(in, d);
}

static enum diag_code key_decrypt(const struct key_source *in, const uint8_t *der, size_t size,
                                  const char *passphrase, struct diag *d, mbedtls_pk_context *pk)
{
    size_t n;
    struct key_source other = *in;
    uint8_t *plain = malloc(size + 1);
    if (!plain) {
        return diag_nomem(d);
    }
    enum diag_code err = DIAG_OK;
    switch (sign_pbes2_decrypt(der, size, passphrase, plain, &n)) {
    case SIGN_PBES2_OK:
        err = key_parse_decrypted(in, plain, n, d, pk);
        break;
    case SIGN_PBES2_OTHER:
        other.sound_encryption = true;
        err = key_parse_plain(&other, passphrase, d, pk);
        break;
    case SIGN_PBES2_BROKEN:
        err = key_broken(in, d);
        break;
    case SIGN_PBES2_WRONG:
        err = key_wrong(in, d);
        break;
    case SIGN_PBES2_COSTLY:
        err = key_costly(in, d);
        break;
    case SIGN_PBES2_NOMEM:
        err = diag_nomem(d);
        break;
    }
    mbedtls_platform_zeroize(plain, size);
    free(plain);
    return err;
}

// BEGIN ENCRYPTED PRIVATE KEY, or the same as DER.
static enum diag_code key_parse_pkcs8(const struct key_source *in, const char *passphrase,
                                      struct diag *d, mbedtls_pk_context *pk)
{
    if (!in->pem) {
        return key_decrypt(in, in->data, in->size, passphrase, d, pk);
    }
    mbedtls_pem_context pem;
    size_t used;
    mbedtls_pem_init(&pem);
    int err =
        mbedtls_pem_read_buffer(&pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----",
                                "-----END ENCRYPTED PRIVATE KEY-----", in->data, NULL, 0, &used);
    enum diag_code code = crypto_answer(err);
    code = code == DIAG_NOMEM ? diag_nomem(d)
           : code             ? key_broken(in, d)
                              : key_decrypt(in, pem.buf, pem.buflen, passphrase, d, pk);
    mbedtls_pem_free(&pem);
    return code;
}

static enum diag_code key_parse_encrypted(const struct key_source *in, bool pkcs8, struct diag *d,
                                          mbedtls_pk_context *pk)
{
    char passphrase[SIGN_PASSPHRASE_MAX];
    enum diag_code err = sign_passphrase_get(in->pass, in->name, false, d, passphrase);
    if (!err && passphrase[0] == 0) {
        err = diag_set(d, DIAG_NO, in->name, "the passphrase is empty");
    }
    if (!err) {
        err =
            pkcs8 ? key_parse_pkcs8(in, passphrase, d, pk) : key_parse_plain(in, passphrase, d, pk);
    }
    mbedtls_platform_zeroize(passphrase, sizeof passphrase);
    return err;
}

// DER says what it is by its shape: an encrypted PKCS#8 key begins with two sequences.
static bool key_der_encrypted(const uint8_t *p, size_t size)
{
    size_t head = size > 1 && p[1] >= 0x80 ? 2 + (p[1] & 0x7fu) : 2;
    return size > head && p[0] == 0x30 && p[head] == 0x30;
}

static enum diag_code key_parse(struct key_source *in, struct diag *d, mbedtls_pk_context *pk)
{
    in->pem = key_has(in->data, in->size, "-----BEGIN ");
    bool pkcs8 = in->pem ? key_has(in->data, in->size, "-----BEGIN ENCRYPTED PRIVATE KEY-----")
                         : key_der_encrypted(in->data, in->size);
    if (pkcs8 || (in->pem && key_has(in->data, in->size, "Proc-Type: 4,ENCRYPTED"))) {
        return key_parse_encrypted(in, pkcs8, d, pk);
    }
    if (in->pem && !key_has(in->data, in->size, "PRIVATE KEY-----")) {
        return diag_set(d, DIAG_MALFORMED, in->name, "is a public key, a private one is needed");
    }
    return key_parse_plain(in, NULL, d, pk);
}

// No number is longer than the modulus: a longer one is needless, makes every use take longer, and
// its key could not be written.
static bool key_is_compact(const mbedtls_pk_context *pk)
{
    if (mbedtls_pk_get_type(pk) != MBEDTLS_PK_RSA) {
        return true;
    }
    const mbedtls_rsa_context *rsa = mbedtls_pk_rsa(*pk);
    const mbedtls_mpi *numbers[] = {&rsa->E,  &rsa->D,  &rsa->P, &rsa->Q,
                                    &rsa->DP, &rsa->DQ, &rsa->QP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (mbedtls_mpi_bitlen(numbers[i]) > mbedtls_mpi_bitlen(&rsa->N)) {
            return false;
        }
    }
    return true;
}

static enum diag_code key_identify(struct sign_key *key, const char *name, struct diag *d)
{
    key->algorithm = crypto_algorithm(&key->pk);
    if (!key->algorithm) {
        enum diag_code err =
            diag_set(d, DIAG_NO, name, "is a %s key of %zu bits", mbedtls_pk_get_name(&key->pk),
                     mbedtls_pk_get_bitlen(&key->pk));
        diag_help(d, "allowed are ecdsa-p256, ecdsa-p384 and rsa-3072");
        return err;
    }
    if (!key_is_compact(&key->pk)) {
        return diag_set(d, DIAG_MALFORMED, name, "a number of the key is longer than its modulus");
    }
    return crypto_key_id(&key->pk, key->id)
               ? DIAG_OK
               : diag_set(d, DIAG_MALFORMED, name, "the public part cannot be made");
}

enum diag_code sign_key_parse(const uint8_t *data, size_t size, const char *name,
                              const struct sign_passphrase *pass, struct arena *a, struct diag *d,
                              struct sign_key **out)
{
    struct sign_key *key = ARENA_NEW(a, struct sign_key);
    struct sign_random *random = ARENA_NEW(a, struct sign_random);
    struct key_source in = {.data = data, .size = size, .name = name, .pass = pass};
    *out = NULL;
    if (!key || !random) {
        return diag_nomem(d);
    }
    enum diag_code err = sign_random_open(random, d);
    if (err) {
        return err;
    }
    in.random = key->random = random;
    mbedtls_pk_init(&key->pk);
    err = size == 0 ? key_broken(&in, d) : key_parse(&in, d, &key->pk);
    err = err ? err : key_identify(key, name, d);
    if (err) {
        sign_key_free(key);
        return err;
    }
    *out = key;
    return DIAG_OK;
}

enum diag_code sign_key_read(const char *file, const struct sign_passphrase *pass, struct arena *a,
                             struct diag *d, struct sign_key **out)
{
    struct arena own; // the file's bytes are wiped, not left in the command's arena
    struct file f;
    *out = NULL;
    arena_init(&own, 0);
    enum diag_code err = file_read(file, &own, d, &f);
    if (!err) {
        err = sign_key_parse(f.data, f.size, f.name, pass, a, d, out);
        mbedtls_platform_zeroize(f.data, f.size);
    }
    arena_free(&own);
    return err;
}

void sign_key_free(struct sign_key *key)
{
    if (key) {
        mbedtls_pk_free(&key->pk); // wipes
        mbedtls_pk_init(&key->pk);
        if (key->random) {
            sign_random_close(key->random);
            key->random = NULL;
        }
    }
}

enum blob_algorithm sign_key_algorithm(const struct sign_key *key)
{
    return key->algorithm;
}

const uint8_t *sign_key_id(const struct sign_key *key)
{
    return key->id;
}

static int key_generate(mbedtls_pk_context *pk, enum blob_algorithm type, struct sign_random *r)
{
    bool rsa = type == BLOB_RSA_PSS_3072;
    int err =
        mbedtls_pk_setup(pk, mbedtls_pk_info_from_type(rsa ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECKEY));
    if (err) {
        return err;
    }
    if (rsa) {
        return mbedtls_rsa_gen_key(mbedtls_pk_rsa(*pk), mbedtls_ctr_drbg_random, &r->drbg,
                                   KEY_RSA_BITS, KEY_RSA_EXPONENT);
    }
    return mbedtls_ecp_gen_key(type == BLOB_ECDSA_P256 ? MBEDTLS_ECP_DP_SECP256R1
                                                       : MBEDTLS_ECP_DP_SECP384R1,
                               mbedtls_pk_ec(*pk), mbedtls_ctr_drbg_random, &r->drbg);
}

enum diag_code sign_key_generate(enum blob_algorithm type, struct arena *a, struct diag *d,
                                 struct sign_key **out)
{
    struct sign_random random;
    struct sign_key *key = ARENA_NEW(a, struct sign_key);
    *out = NULL;
    if (!key) {
        return diag_nomem(d);
    }
    enum diag_code err = sign_random_open(&random, d);
    if (err) {
        return err;
    }
    mbedtls_pk_init(&key->pk);
    if (key_generate(&key->pk, type, &random) != 0) {
        err = diag_set(d, DIAG_INTERNAL, NULL, "cannot make a key");
    }
    err = err ? err : key_identify(key, "new key", d);
    sign_random_close(&random);
    if (err) {
        sign_key_free(key);
        return err;
    }
    *out = key;
    return DIAG_OK;
}

// PrivateKeyInfo around what mbedTLS writes (SEC1 or PKCS#1): version, algorithm, octet string. The
// sizes are known: RSA-3072 needs about 1800 bytes.
static size_t key_pkcs8(const struct sign_key *key, uint8_t der[KEY_DER_MAX])
{
    static const uint8_t rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                  0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    static const uint8_t p256[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                   0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static const uint8_t p384[] = {0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                   0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
    const uint8_t *id = rsa;
    size_t id_size = sizeof rsa;
    if (key->algorithm == BLOB_ECDSA_P256) {
        id = p256;
        id_size = sizeof p256;
    } else if (key->algorithm == BLOB_ECDSA_P384) {
        id = p384;
        id_size = sizeof p384;
    }
    int n = mbedtls_pk_write_key_der((mbedtls_pk_context *)&key->pk, der, KEY_DER_MAX);
    uint8_t *p = der + KEY_DER_MAX - (n > 0 ? n : 0);
    bool ok = n > 0 && mbedtls_asn1_write_len(&p, der, (size_t)n) > 0 &&
              mbedtls_asn1_write_tag(&p, der, MBEDTLS_ASN1_OCTET_STRING) > 0 &&
              mbedtls_asn1_write_raw_buffer(&p, der, id, id_size) > 0 &&
              mbedtls_asn1_write_int(&p, der, 0) > 0;
    size_t inner = (size_t)(der + KEY_DER_MAX - p);
    ok = ok && mbedtls_asn1_write_len(&p, der, inner) > 0 &&
         mbedtls_asn1_write_tag(&p, der, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) > 0;
    size_t size = ok ? (size_t)(der + KEY_DER_MAX - p) : 0;
    memmove(der, p, size);
    return size;
}

static enum diag_code key_put_pem(const char *label, const uint8_t *der, size_t size,
                                  struct bytes_out *out, struct diag *d)
{
    char begin[64], end[64];
    size_t n = 0;
    snprintf(begin, sizeof begin, "-----BEGIN %s-----\n", label);
    snprintf(end, sizeof end, "-----END %s-----\n", label);
    mbedtls_pem_write_buffer(begin, end, der, size, NULL, 0, &n);
    if (!bytes_reserve(out, n)) {
        return diag_nomem(d);
    }
    if (mbedtls_pem_write_buffer(begin, end, der, size, out->data + out->size, n, &n) != 0) {
        return diag_set(d, DIAG_INTERNAL, NULL, "cannot write PEM");
    }
    out->size += n - 1; // without the NUL
    return DIAG_OK;
}

enum diag_code sign_key_check(const struct sign_key *key, const char *name, struct diag *d)
{
    if (CRYPTO_CHECK_PAIR(&key->pk, &key->pk, mbedtls_ctr_drbg_random, &key->random->drbg) != 0) {
        diag_set(d, DIAG_MALFORMED, name, "its public part is that of another private key");
        diag_help(d, "nothing that it signs can be verified; export the key anew");
        return DIAG_MALFORMED;
    }
    return DIAG_OK;
}

enum diag_code sign_public_pem(const struct sign_key *key, struct bytes_out *out, struct diag *d)
{
    uint8_t spki[KEY_SPKI_MAX];
    int n = mbedtls_pk_write_pubkey_der((mbedtls_pk_context *)&key->pk, spki, sizeof spki);
    if (n <= 0) {
        return diag_set(d, DIAG_INTERNAL, NULL, "cannot write the public key");
    }
    return key_put_pem("PUBLIC KEY", spki + sizeof spki - (size_t)n, (size_t)n, out, d);
}

static enum diag_code key_put_encrypted(const uint8_t *der, size_t size, const char *passphrase,
                                        struct bytes_out *out, struct diag *d)
{
    struct sign_random random;
    struct bytes_out sealed;
    enum diag_code err = sign_random_open(&random, d);
    if (err) {
        return err;
    }
    bytes_out_init(&sealed);
    err = sign_pbes2_encrypt(der, size, passphrase, &random, &sealed, d);
    err = err ? err : key_put_pem("ENCRYPTED PRIVATE KEY", sealed.data, sealed.size, out, d);
    bytes_out_free(&sealed);
    sign_random_close(&random);
    return err;
}

enum diag_code sign_key_pem(const struct sign_key *key, const char *passphrase,
                            struct bytes_out *out, struct diag *d)
{
    uint8_t der[KEY_DER_MAX];
    size_t size = key_pkcs8(key, der);
    enum diag_code err =
        size ? DIAG_OK : diag_set(d, DIAG_INTERNAL, NULL, "cannot write the private key");
    if (!err) {
        err = passphrase ? key_put_encrypted(der, size, passphrase, out, d)
                         : key_put_pem("PRIVATE KEY", der, size, out, d);
    }
    mbedtls_platform_zeroize(der, sizeof der);
    return err;
}
