#include "verify/host/crypto.h" // first: it opens the private members of mbedTLS 3

#include <criterion/criterion.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pem.h>

#include "format/file.h"
#include "packer/sign/sign.h"

static struct arena arena;
static struct diag diag;

static void setup(void)
{
    arena_init(&arena, 0);
    diag_init(&diag);
}

static void teardown(void)
{
    arena_free(&arena);
}

TestSuite(sign_key, .init = setup, .fini = teardown);

// tests/keys/rsa3072.pem as DER, with another private exponent.
static size_t with_exponent(size_t shift, uint8_t *der, size_t room)
{
    struct file f;
    mbedtls_pk_context pk;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg;
    mbedtls_pk_init(&pk);
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    cr_assert_eq(mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0), 0);
    cr_assert_eq(file_read("tests/keys/rsa3072.pem", &arena, &diag, &f), DIAG_OK);
    cr_assert_eq(CRYPTO_PARSE_KEY(&pk, f.data, f.size + 1, NULL, 0, mbedtls_ctr_drbg_random, &drbg),
                 0);
    cr_assert_eq(mbedtls_mpi_shift_l(&mbedtls_pk_rsa(pk)->D, shift), 0);
    int n = mbedtls_pk_write_key_der(&pk, der, room);
    cr_assert_gt(n, 0);
    memmove(der, der + room - (size_t)n, (size_t)n);
    der[n] = 0;
    mbedtls_pk_free(&pk);
    mbedtls_ctr_drbg_free(&drbg);
    mbedtls_entropy_free(&entropy);
    return (size_t)n;
}

// What can be read can be written.
Test(sign_key, numbers_are_no_longer_than_the_modulus)
{
    static const size_t shifts[] = {0, 8, 20000};
    static uint8_t der[8192];
    const struct sign_passphrase none = {0};
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
        struct sign_key *key;
        struct bytes_out pem;
        size_t n = with_exponent(shifts[i], der, sizeof der - 1);
        enum diag_code err = sign_key_parse(der, n, "key", &none, &arena, &diag, &key);
        bytes_out_init(&pem);
        if (shifts[i]) {
            cr_expect_eq(err, DIAG_MALFORMED);
            cr_expect(strstr(diag.text, "longer than its modulus"), "%s", diag.text);
        } else {
            cr_assert_eq(err, DIAG_OK);
            cr_expect_eq(sign_key_pem(key, NULL, &pem, &diag), DIAG_OK);
            sign_key_free(key);
        }
        bytes_out_free(&pem);
    }
}
