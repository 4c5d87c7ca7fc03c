// What the files of packer/sign share.
#ifndef PACKER_SIGN_INTERNAL_H
#define PACKER_SIGN_INTERNAL_H

#include "verify/host/crypto.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/platform_util.h>

#include "packer/sign/sign.h"

struct sign_random { // the system's random source
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg;
};

struct sign_key {
    mbedtls_pk_context pk;
    enum blob_algorithm algorithm;
    uint8_t id[BLOB_DIGEST];
    struct sign_random *random; // that it was read with, still open; NULL = none
};

enum diag_code sign_random_open(struct sign_random *r, struct diag *d);
void sign_random_close(struct sign_random *r);

// Of the key derivation. What is written has as many as OWASP advises for SHA-256; the most that is
// read takes a second or two, more is an attack on the reader's time. Fuzzers stretch no
// passphrases.
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
enum { SIGN_ITERATIONS = 1000, SIGN_ITERATIONS_MAX = 2000 };
#else
enum { SIGN_ITERATIONS = 600000, SIGN_ITERATIONS_MAX = 2000000 };
#endif

enum sign_pbes2 {
    SIGN_PBES2_OK,
    SIGN_PBES2_OTHER,
    SIGN_PBES2_BROKEN,
    SIGN_PBES2_WRONG,
    SIGN_PBES2_NOMEM,
    SIGN_PBES2_COSTLY
};

// Decrypts an EncryptedPrivateKeyInfo into plain[0..size), which has room for it. OTHER: a scheme
// other than PBES2 with PBKDF2 and AES-CBC. BROKEN: not well formed. COSTLY:
// more iterations than SIGN_ITERATIONS_MAX, whatever the scheme. WRONG: the
// padding is not what the passphrase would give.
enum sign_pbes2 sign_pbes2_decrypt(const uint8_t *der, size_t size, const char *passphrase,
                                   uint8_t *plain, size_t *plain_size);
// Encrypts plain; out gets the EncryptedPrivateKeyInfo.
enum diag_code sign_pbes2_encrypt(const uint8_t *plain, size_t size, const char *passphrase,
                                  struct sign_random *random, struct bytes_out *out,
                                  struct diag *d);

#endif
