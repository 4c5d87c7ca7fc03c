// mbedTLS 2.28 and 3 under one set of names, for the few calls whose arguments changed. Members
// that version 3 calls private have no accessors for what is needed here (curve points, for one).
#ifndef VERIFY_HOST_CRYPTO_H
#define VERIFY_HOST_CRYPTO_H

#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/version.h>

#include "format/blob/blob.h"

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#define CRYPTO_PSS_VERIFY(rsa, md, n, hash, mgf, salt, sig)                                        \
    mbedtls_rsa_rsassa_pss_verify_ext(rsa, NULL, NULL, MBEDTLS_RSA_PUBLIC, md, n, hash, mgf, salt, \
                                      sig)
#define CRYPTO_PARSE_KEY(pk, key, n, pwd, pwd_n, rng, ctx)                                         \
    mbedtls_pk_parse_key(pk, key, n, pwd, pwd_n)
#define CRYPTO_SET_PADDING(rsa)                                                                    \
    mbedtls_rsa_set_padding(rsa, MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256)
#define CRYPTO_CHECK_PAIR(public, private, rng, ctx) mbedtls_pk_check_pair(public, private)
#else
#define CRYPTO_CHECK_PAIR(public, private, rng, ctx)                                               \
    mbedtls_pk_check_pair(public, private, rng, ctx)
#define CRYPTO_PSS_VERIFY(rsa, md, n, hash, mgf, salt, sig)                                        \
    mbedtls_rsa_rsassa_pss_verify_ext(rsa, md, n, hash, mgf, salt, sig)
#define CRYPTO_PARSE_KEY(pk, key, n, pwd, pwd_n, rng, ctx)                                         \
    mbedtls_pk_parse_key(pk, key, n, pwd, pwd_n, rng, ctx)
#define CRYPTO_SET_PADDING(rsa)                                                                    \
    (void)mbedtls_rsa_set_padding(rsa, MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256)
#endif

// The algorithm that a key of this kind is used with, 0 if none.
enum blob_algorithm crypto_algorithm(const mbedtls_pk_context *pk);
mbedtls_md_type_t crypto_hash(enum blob_algorithm a);
// SHA-256 of the SubjectPublicKeyInfo of pk (its public part); false when it cannot be written.
bool crypto_key_id(const mbedtls_pk_context *pk, uint8_t id[BLOB_DIGEST]);
// What a return value of mbedTLS means: DIAG_OK, DIAG_NOMEM, or DIAG_NO.
enum diag_code crypto_answer(int ret);
// True if it means a well-formed key of a kind, on a curve, or encrypted in a way that is not
// known.
bool crypto_unsupported(int ret);
// Checks a signature in a blob's form over a digest: DIAG_OK, DIAG_NO, or DIAG_NOMEM when mbedTLS
// had no memory to find out.
enum diag_code crypto_check(const mbedtls_pk_context *pk, enum blob_algorithm a,
                            const uint8_t *digest, const uint8_t *signature, size_t size);

#endif
