// Making signatures and putting them into a blob.
#include "packer/sign/internal.h" // first: it opens the private members of mbedTLS 3

#include <mbedtls/asn1.h>

#include "format/sha256.h"
#include "format/task.h"

enum { SIGN_SIZE_MAX = 384, SIGN_SALT = 32 };

// ECDSA per RFC 6979: no random number decides about the signature.
static int sign_ecdsa(mbedtls_ecp_keypair *ec, enum blob_algorithm a, const uint8_t *digest,
                      size_t digest_size, struct sign_random *random, uint8_t *signature)
{
    size_t n = blob_layout_signature_size((uint32_t)a) / 2;
    mbedtls_mpi r, s;
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    int err = mbedtls_ecdsa_sign_det_ext(&ec->grp, &r, &s, &ec->d, digest, digest_size,
                                         crypto_hash(a), mbedtls_ctr_drbg_random, &random->drbg);
    err = err ? err : mbedtls_mpi_write_binary(&r, signature, n);
    err = err ? err : mbedtls_mpi_write_binary(&s, signature + n, n);
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    return err;
}

struct sign_pss { // what mbedTLS draws while it makes a PSS signature
    uint8_t salt[SIGN_SALT];
    bool salted;
    struct sign_random *random;
};

// The first draw is the salt, later ones are for blinding, which leaves no trace in the signature.
static int sign_pss_draw(void *ctx, unsigned char *to, size_t n)
{
    struct sign_pss *p = ctx;
    if (!p->salted && n == SIGN_SALT) {
        memcpy(to, p->salt, n);
        p->salted = true;
        return 0;
    }
    return mbedtls_ctr_drbg_random(&p->random->drbg, to, n);
}

// The salt is a hash of the digest: same blob, same signature. PSS stays as hard to forge as with
// no salt at all (full-domain hash); what a random salt would add is a tighter proof.
static int sign_rsa(mbedtls_rsa_context *rsa, const uint8_t *digest, size_t digest_size,
                    struct sign_random *random, uint8_t *signature)
{
    static const char domain[] = "mpy-freeze PSS salt";
    struct sign_pss p = {.random = random};
    struct sha256 h;
    sha256_begin(&h);
    sha256_add(&h, domain, sizeof domain);
    sha256_add(&h, digest, digest_size);
    sha256_end(&h, p.salt);
    CRYPTO_SET_PADDING(rsa);
    return mbedtls_rsa_rsassa_pss_sign_ext(rsa, sign_pss_draw, &p, MBEDTLS_MD_SHA256,
                                           (unsigned)digest_size, digest, SIGN_SALT, signature);
}

// Puts the record of one signature into the sorted list, in place.
static enum diag_code sign_insert(uint8_t *blob, size_t size, enum blob_algorithm a,
                                  const uint8_t *id, const uint8_t *signature, struct diag *d)
{
    struct blob_layout l;
    enum blob_fault fault = blob_layout_read(blob, (uint32_t)size, &l);
    if (fault || l.size != size) {
        return diag_set(d, DIAG_MALFORMED, NULL, "not a sound blob: %s", blob_fault_text(fault));
    }
    uint32_t n = blob_layout_signature_size((uint32_t)a), count = l.n_signatures;
    uint8_t *p = blob + l.at[BLOB_SECTIONS], *end = blob + size, *last = p, *at = NULL;
    for (uint32_t i = 0; i < l.n_signatures; i++) { // last: behind the last record
        uint32_t record = BLOB_SIGNATURE_HEAD + ld32(last + 4);
        int order = memcmp(last + 8, id, BLOB_DIGEST);
        if (order == 0) { // the same key: its old signature goes
            memmove(last, last + record, (size_t)(end - last) - record);
            memset(end - record, 0, record);
            at = at ? at : last;
            count--;
            continue;
        }
        at = at || order < 0 ? at : last;
        last += record;
    }
    at = at ? at : last;
    if ((size_t)(end - last) < BLOB_SIGNATURE_HEAD + n || count == BLOB_COUNT_MAX) {
        enum diag_code err =
            diag_set(d, DIAG_NO, NULL, "no room for another signature: %u bytes are left of %u",
                     (unsigned)(end - last), (unsigned)(end - p));
        diag_help(d,
                  "the blob holds %u signatures; pack and build make room for more, up to %d, "
                  "with --reserve-signatures N",
                  (unsigned)count, BLOB_COUNT_MAX);
        return err;
    }
    memmove(at + BLOB_SIGNATURE_HEAD + n, at, (size_t)(last - at));
    st32(at, (uint32_t)a);
    st32(at + 4, n);
    memcpy(at + 8, id, BLOB_DIGEST);
    memcpy(at + BLOB_SIGNATURE_HEAD, signature, n);
    return DIAG_OK;
}

struct sign_check {
    struct sign_check *next;
    struct sign_key *key;
    struct sign_random *random; // NULL = to be opened
    unsigned n;
    uint8_t digest[KEY_HASH_MAX], signature[SIGN_SIZE_MAX];
    enum diag_code answer;
    struct task *task;
};

static void sign_with(struct sign_check *c, struct sign_random *random)
{
    mbedtls_pk_context pk = c->key->pk;
    int failed = c->key->algorithm == BLOB_RSA_PSS_3072
                     ? sign_rsa(mbedtls_pk_rsa(pk), c->digest, c->n, random, c->signature)
                     : sign_ecdsa(mbedtls_pk_ec(pk), c->key->algorithm, c->digest, c->n, random,
                                  c->signature);
    c->answer = crypto_answer(failed);
}

static enum diag_code sign_make(struct sign_check *c, struct diag *d)
{
    struct sign_random fresh;
    if (c->random) { // opening one takes longer than some signatures
        sign_with(c, c->random);
        return DIAG_OK;
    }
    enum diag_code err = sign_random_open(&fresh, d);
    if (!err) {
        sign_with(c, &fresh);
        sign_random_close(&fresh);
    }
    return err;
}

static void sign_check(void *argument)
{
    struct sign_check *c = argument;
    c->answer = crypto_check(&c->key->pk, c->key->algorithm, c->digest, c->signature,
                             blob_layout_signature_size((uint32_t)c->key->algorithm));
}

// mbedTLS 2.28 goes on when its generator got no memory; a key that works the second time had
// nothing else wrong with it.
static enum diag_code sign_answer(struct sign_check *c, struct diag *d)
{
    c->random = NULL; // the second time with another one
    if (c->answer == DIAG_NO && sign_make(c, d) == DIAG_OK && c->answer == DIAG_OK) {
        sign_check(c);
        c->answer = c->answer ? c->answer : DIAG_NOMEM;
    }
    if (c->answer == DIAG_NOMEM) {
        return diag_nomem(d);
    }
    return c->answer ? diag_set(d, DIAG_NO, NULL,
                                "the key does not work: its parts do not belong together")
                     : DIAG_OK;
}

// Makes the signature and puts it into the blob.
static enum diag_code sign_unchecked(struct sign_check *c, uint8_t *blob, size_t size,
                                     struct diag *d)
{
    if (size < BLOB_HEADER) {
        return diag_set(d, DIAG_MALFORMED, NULL, "too short for a blob");
    }
    c->n = verify_key_digest(c->key->algorithm, blob, BLOB_HEADER, c->digest);
    enum diag_code err = sign_make(c, d);
    err = err ? err : sign_answer(c, d);
    return err ? err : sign_insert(blob, size, c->key->algorithm, c->key->id, c->signature, d);
}

static void sign_drop(void *argument)
{
    struct sign_check *c = argument;
    sign_key_free(c->key);
}

enum diag_code sign_begin(uint8_t *blob, size_t size, struct sign_key *key, struct arena *a,
                          struct diag *d, struct sign_check **list)
{
    struct sign_check *c = ARENA_NEW(a, struct sign_check);
    enum diag_code err = DIAG_NOMEM;
    if (c) {
        *c = (struct sign_check){.next = *list, .key = key, .random = key->random};
        err = sign_unchecked(c, blob, size, d);
        c->task = err ? NULL : task_start(a, sign_check, sign_drop, c);
    }
    if (!c || !c->task) {
        sign_key_free(key);
        return err && err != DIAG_NOMEM ? err : diag_nomem(d);
    }
    *list = c;
    return DIAG_OK;
}

enum diag_code sign_end(struct sign_check *list, struct diag *d)
{
    enum diag_code err = DIAG_OK;
    for (struct sign_check *c = list; c; c = c->next) {
        task_wait(c->task);
        err = err ? err : sign_answer(c, d);
        sign_key_free(c->key);
    }
    return err;
}

enum diag_code sign_blob(uint8_t *blob, size_t size, const struct sign_key *key, struct diag *d)
{
    struct sign_key copy = *key; // only looked at
    struct sign_check c = {.key = &copy};
    enum diag_code err = sign_unchecked(&c, blob, size, d);
    if (!err) {
        sign_check(&c);
        err = sign_answer(&c, d);
    }
    return err;
}

// One INTEGER of DER, to n bytes: not negative, without needless zeros, not longer than the order.
static bool sign_der_int(const uint8_t **p, const uint8_t *end, uint8_t *to, size_t n)
{
    const uint8_t *q = *p;
    if (end - q < 2 || q[0] != MBEDTLS_ASN1_INTEGER || q[1] == 0 || q[1] > end - q - 2) {
        return false;
    }
    size_t size = q[1];
    q += 2;
    *p = q + size;
    if (q[0] >= 0x80 || (size > 1 && q[0] == 0 && q[1] < 0x80)) {
        return false;
    }
    if (q[0] == 0) {
        q++;
        size--;
    }
    if (size > n) {
        return false;
    }
    memset(to, 0, n - size);
    memcpy(to + n - size, q, size);
    return true;
}

// Ecdsa-Sig-Value: SEQUENCE { r INTEGER, s INTEGER }, to r and s of n bytes each. Canonical DER and
// nothing else: the curves' signatures are so short that every length is one byte.
static bool sign_from_der(const uint8_t *der, size_t size, uint8_t *to, size_t n)
{
    const uint8_t *p = der + 2, *end = der + size;
    return size > 2 && der[0] == (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) &&
           der[1] < 0x80 && der[1] == size - 2 && sign_der_int(&p, end, to, n) &&
           sign_der_int(&p, end, to + n, n) && p == end;
}

// raw gets the signature as it is in a blob. One that could be either is DER: the chance that raw
// bytes look like it is one in 2^40.
static bool sign_raw(enum blob_algorithm a, const uint8_t *signature, size_t size, uint8_t *raw)
{
    uint32_t n = blob_layout_signature_size((uint32_t)a);
    if (a != BLOB_RSA_PSS_3072 && sign_from_der(signature, size, raw, n / 2)) {
        return true;
    }
    if (size == n) {
        memcpy(raw, signature, n);
    }
    return size == n;
}

enum diag_code sign_put(uint8_t *blob, size_t size, const struct verify_key *key,
                        const uint8_t *signature, size_t signature_size, const char *name,
                        struct diag *d)
{
    enum blob_algorithm a = verify_key_algorithm(key);
    uint32_t n = blob_layout_signature_size((uint32_t)a);
    uint8_t raw[SIGN_SIZE_MAX];
    if (size < BLOB_HEADER) {
        return diag_set(d, DIAG_MALFORMED, NULL, "too short for a blob");
    }
    if (!sign_raw(a, signature, signature_size, raw)) {
        enum diag_code err =
            diag_set(d, DIAG_MALFORMED, name, "is not a signature by %s", blob_algorithm_name(a));
        diag_help(d, "found %zu bytes; allowed are %u bytes%s", signature_size, (unsigned)n,
                  a == BLOB_RSA_PSS_3072 ? "" : ", or DER");
        return err;
    }
    enum diag_code good = verify_key_check(key, blob, BLOB_HEADER, raw, n);
    if (good == DIAG_NOMEM) {
        return diag_nomem(d);
    }
    if (good) {
        enum diag_code err = diag_set(d, DIAG_NO, name, "is not this key's signature of this blob");
        diag_help(d, "sign the output of --digest-out with the same --pub, as a digest, without "
                     "hashing it again");
        return err;
    }
    return sign_insert(blob, size, a, verify_key_id(key), raw, d);
}
