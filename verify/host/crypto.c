#include "verify/host/crypto.h"

#include <mbedtls/asn1.h>
#include <mbedtls/pem.h>
#include <mbedtls/x509.h>

#include "format/sha256.h"
#include "verify/host/key.h"

enum { CRYPTO_RSA_BITS = 3072 };

enum blob_algorithm crypto_algorithm(const mbedtls_pk_context *pk)
{
    enum blob_algorithm none = (enum blob_algorithm)0;
    switch (mbedtls_pk_get_type(pk)) {
    case MBEDTLS_PK_ECKEY:
    case MBEDTLS_PK_ECDSA:
        switch (mbedtls_pk_ec(*pk)->grp.id) {
        case MBEDTLS_ECP_DP_SECP256R1:
            return BLOB_ECDSA_P256;
        case MBEDTLS_ECP_DP_SECP384R1:
            return BLOB_ECDSA_P384;
        default:
            return none;
        }
    case MBEDTLS_PK_RSA:
        return mbedtls_pk_get_bitlen(pk) == CRYPTO_RSA_BITS ? BLOB_RSA_PSS_3072 : none;
    default:
        return none;
    }
}

mbedtls_md_type_t crypto_hash(enum blob_algorithm a)
{
    return a == BLOB_ECDSA_P384 ? MBEDTLS_MD_SHA384 : MBEDTLS_MD_SHA256;
}

unsigned verify_key_digest(enum blob_algorithm algorithm, const void *message, size_t size,
                           uint8_t digest[KEY_HASH_MAX])
{
    const mbedtls_md_info_t *md = mbedtls_md_info_from_type(crypto_hash(algorithm));
    if (!md || mbedtls_md(md, message, size, digest) != 0) {
        return 0;
    }
    return mbedtls_md_get_size(md);
}

bool crypto_key_id(const mbedtls_pk_context *pk, uint8_t id[BLOB_DIGEST])
{
    uint8_t spki[KEY_SPKI_MAX];
    int n = mbedtls_pk_write_pubkey_der((mbedtls_pk_context *)pk, spki, sizeof spki);
    if (n <= 0) {
        return false;
    }
    sha256(spki + sizeof spki - (size_t)n, (size_t)n, id); // it writes at the end of the buffer
    return true;
}

// An error of mbedTLS is the sum of a module's code and one of a lower layer.
enum diag_code crypto_answer(int ret)
{
    enum { LOW = 0x7f, HIGH = 0xff80 };
    if (ret == 0) {
        return DIAG_OK;
    }
    static const int high[] = {MBEDTLS_ERR_ECP_ALLOC_FAILED, MBEDTLS_ERR_MD_ALLOC_FAILED,
                               MBEDTLS_ERR_PK_ALLOC_FAILED, MBEDTLS_ERR_PEM_ALLOC_FAILED,
                               MBEDTLS_ERR_X509_ALLOC_FAILED};
    int low = -ret & LOW;
    bool no_memory = low == -MBEDTLS_ERR_MPI_ALLOC_FAILED || low == -MBEDTLS_ERR_ASN1_ALLOC_FAILED;
    for (unsigned i = 0; i < sizeof high / sizeof *high; i++) {
        no_memory = no_memory || (-ret & HIGH) == -high[i];
    }
    return no_memory ? DIAG_NOMEM : DIAG_NO;
}

bool crypto_unsupported(int ret)
{
    enum { HIGH = 0xff80 };
    static const int high[] = {
        MBEDTLS_ERR_PK_UNKNOWN_PK_ALG,       MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE,
        MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE,  MBEDTLS_ERR_PEM_UNKNOWN_ENC_ALG,
        MBEDTLS_ERR_PEM_FEATURE_UNAVAILABLE, MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE};
    bool found = false;
    for (unsigned i = 0; i < sizeof high / sizeof *high; i++) {
        found = found || (-ret & HIGH) == -high[i];
    }
    return found;
}

// r and s of 0, or not below the order, are refused by mbedTLS itself.
static enum diag_code crypto_check_ecdsa(mbedtls_ecp_keypair *ec, const uint8_t *digest,
                                         size_t digest_size, const uint8_t *signature, size_t size)
{
    mbedtls_mpi r, s;
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    int ret = mbedtls_mpi_read_binary(&r, signature, size / 2);
    if (ret == 0) {
        ret = mbedtls_mpi_read_binary(&s, signature + size / 2, size / 2);
    }
    if (ret == 0) {
        ret = mbedtls_ecdsa_verify(&ec->grp, digest, digest_size, &ec->Q, &r, &s);
    }
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    return crypto_answer(ret);
}

// The salt may have any length: hardware often allows one only. A change of the length is not a
// forgery, as it comes out of the signature itself.
static enum diag_code crypto_check_pss(mbedtls_rsa_context *rsa, const uint8_t *digest,
                                       unsigned digest_size, const uint8_t *signature)
{
    CRYPTO_SET_PADDING(rsa);
    return crypto_answer(CRYPTO_PSS_VERIFY(rsa, MBEDTLS_MD_SHA256, digest_size, digest,
                                           MBEDTLS_MD_SHA256, MBEDTLS_RSA_SALT_LEN_ANY, signature));
}

enum diag_code crypto_check(const mbedtls_pk_context *pk, enum blob_algorithm a,
                            const uint8_t *digest, const uint8_t *signature, size_t size)
{
    if (crypto_algorithm(pk) != a || size != blob_layout_signature_size((uint32_t)a)) {
        return DIAG_NO;
    }
    unsigned digest_size = a == BLOB_ECDSA_P384 ? 48 : 32;
    return a == BLOB_RSA_PSS_3072
               ? crypto_check_pss(mbedtls_pk_rsa(*pk), digest, digest_size, signature)
               : crypto_check_ecdsa(mbedtls_pk_ec(*pk), digest, digest_size, signature, size);
}
