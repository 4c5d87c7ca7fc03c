// The verifier of boot loaders alone, over flash in memory: every answer that it can give, and that
// each check comes only after those before it have passed.
#include <criterion/criterion.h>

#include "format/sha256.h"
#include "product_fixture.h"
#include "verify/core/core.h"

struct device { // flash with a product in it, and a key store that answers as it is told
    struct product product;
    struct core_env env;
    struct sha256 sha;
    const uint8_t *blob;
    uint32_t available;
    const uint32_t *answers; // to the signatures, in order
    unsigned asked;          // signatures
    unsigned hashed;         // digests
};

static const uint8_t *device_map(void *ctx, uint64_t addr, uint32_t *size)
{
    const struct bytes_out *file = &((struct device *)ctx)->product.file;
    uint64_t at = addr - PRODUCT_BASE_ADDR;
    cr_assert(in_range(at, *size, file->size), "read beyond the flash at 0x%llx",
              (unsigned long long)addr);
    return file->data + at;
}

static void device_hash_begin(void *ctx)
{
    struct device *v = ctx;
    v->hashed++;
    sha256_begin(&v->sha);
}

static void device_hash(void *ctx, const void *data, uint32_t size)
{
    sha256_add(&((struct device *)ctx)->sha, data, size);
}

static void device_hash_end(void *ctx, uint8_t digest[BLOB_DIGEST])
{
    sha256_end(&((struct device *)ctx)->sha, digest);
}

static uint32_t device_check(void *ctx, uint32_t algorithm, const uint8_t *key_id,
                             const uint8_t *message, const uint8_t *signature, uint32_t size)
{
    struct device *v = ctx;
    (void)key_id;
    cr_expect_eq(message, v->blob);
    cr_expect_eq(blob_layout_signature_size(algorithm), size);
    cr_expect(signature > v->blob && signature + size <= v->blob + v->available);
    return v->answers[v->asked++];
}

static const uint32_t good[] = {CORE_SIGNATURE_GOOD, CORE_SIGNATURE_GOOD};
static struct device dev;

static void device_make(const char *const *keys)
{
    memset(&dev, 0, sizeof dev);
    product_init(&dev.product, IMAGE_BIN);
    dev.product.model.signature_space = 1024;
    product_make(&dev.product, keys);
    uint32_t at = PRODUCT_BLOB_ADDR - PRODUCT_BASE_ADDR;
    dev.blob = dev.product.file.data + at;
    dev.available = (uint32_t)dev.product.file.size - at;
    dev.answers = good;
    dev.env = (struct core_env){.flash = {&dev, device_map, device_hash},
                                .hash_begin = device_hash_begin,
                                .hash_end = device_hash_end,
                                .check = device_check};
}

static void setup(void)
{
    device_make((const char *const[]){"p256", "p384", NULL});
}

static void teardown(void)
{
    product_free(&dev.product);
}

TestSuite(core, .init = setup, .fini = teardown);

static uint32_t device_verify(void)
{
    dev.asked = dev.hashed = 0;
    return core_verify(&dev.env, dev.blob, PRODUCT_BLOB_ADDR, dev.available);
}

// The answer with a byte of the product changed.
static uint32_t device_flipped(size_t at)
{
    dev.product.file.data[at] ^= 0x10;
    uint32_t answer = device_verify();
    dev.product.file.data[at] ^= 0x10;
    return answer;
}

static size_t device_blob_at(size_t at)
{
    return (size_t)(dev.blob - dev.product.file.data) + at;
}

Test(core, what_is_whole_and_signed_is_verified)
{
    struct blob_layout l;
    cr_expect_eq(device_verify(), CORE_VERIFIED);
    cr_expect_eq(dev.asked, 2);
    cr_expect_eq(dev.hashed, BLOB_SECTIONS + 1);
    dev.asked = 0;
    cr_expect_eq(core_blob(&dev.env, dev.blob, dev.available, &l), CORE_VERIFIED);
    cr_expect_eq(l.addr, PRODUCT_BLOB_ADDR);
    cr_expect_eq(core_space(&dev.env, &l), CORE_VERIFIED);
}

Test(core, a_structure_that_is_not_sound_is_malformed)
{
    cr_expect_eq(device_flipped(device_blob_at(BLOB_AT_VERSION)), CORE_MALFORMED);
    cr_expect_eq(dev.asked + dev.hashed, 0);
    for (uint32_t all = dev.available, n = 0; n < all; n++) {
        dev.available = n;
        cr_assert_eq(device_verify(), CORE_MALFORMED, "%u bytes", n);
    }
    cr_expect_eq(dev.asked + dev.hashed, 0);
}

Test(core, a_blob_at_another_address_is_malformed)
{
    static const uint64_t others[] = {0, PRODUCT_BLOB_ADDR + 1, PRODUCT_BLOB_ADDR | 1ull << 63,
                                      PRODUCT_BLOB_ADDR | 1ull << 32, UINT64_MAX};
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++) {
        dev.asked = dev.hashed = 0;
        cr_expect_eq(core_verify(&dev.env, dev.blob, others[i], dev.available), CORE_MALFORMED);
        cr_expect_eq(dev.hashed, BLOB_SECTIONS, "the flash around it is not looked at");
    }
}

Test(core, no_signature_is_a_result_of_its_own)
{
    product_free(&dev.product);
    device_make((const char *const[]){NULL});
    cr_expect_eq(device_verify(), CORE_UNSIGNED);
    cr_expect_eq(dev.hashed, 0);
}

// What the key store says to two signatures, what is asked for, and what comes of it.
static const struct {
    uint32_t answers[2], required, others, result;
} policies[] = {
    {{CORE_SIGNATURE_GOOD, CORE_SIGNATURE_GOOD}, 2, 0, CORE_VERIFIED},
    {{CORE_SIGNATURE_GOOD, CORE_SIGNATURE_GOOD}, 3, 0, CORE_UNTRUSTED},
    {{CORE_SIGNATURE_FOREIGN, CORE_SIGNATURE_FOREIGN}, 0, 0, CORE_UNTRUSTED},
    {{CORE_SIGNATURE_FOREIGN, CORE_SIGNATURE_FOREIGN}, 1, CORE_OTHERS_ALLOWED, CORE_UNTRUSTED},
    {{CORE_SIGNATURE_GOOD, CORE_SIGNATURE_FOREIGN}, 2, CORE_OTHERS_ALLOWED, CORE_UNTRUSTED},
    {{CORE_SIGNATURE_GOOD, CORE_SIGNATURE_FOREIGN}, 1, 0, CORE_UNPROVEN},
    {{CORE_SIGNATURE_FOREIGN, CORE_SIGNATURE_GOOD}, 0, 1, CORE_UNPROVEN},
    {{CORE_SIGNATURE_GOOD, CORE_SIGNATURE_FOREIGN}, 1, CORE_OTHERS_ALLOWED, CORE_VERIFIED},
    {{CORE_SIGNATURE_FOREIGN, CORE_SIGNATURE_GOOD}, 0, CORE_OTHERS_ALLOWED, CORE_VERIFIED},
    // A trusted key's signature that is wrong is fatal; so is an answer that is none.
    {{CORE_SIGNATURE_GOOD, CORE_SIGNATURE_BAD}, 1, CORE_OTHERS_ALLOWED, CORE_BAD_SIGNATURE},
    {{CORE_SIGNATURE_BAD, CORE_SIGNATURE_GOOD}, 1, 0, CORE_BAD_SIGNATURE},
    {{CORE_SIGNATURE_BAD, CORE_SIGNATURE_FOREIGN}, 1, 0, CORE_BAD_SIGNATURE},
    {{0, CORE_SIGNATURE_GOOD}, 1, 0, CORE_BAD_SIGNATURE},
    {{CORE_SIGNATURE_GOOD, 1}, 1, 0, CORE_BAD_SIGNATURE},
    {{CORE_SIGNATURE_GOOD ^ 1u << 31, CORE_SIGNATURE_GOOD}, 1, 0, CORE_BAD_SIGNATURE},
};

Test(core, signatures_and_policy)
{
    for (unsigned i = 0; i < sizeof policies / sizeof *policies; i++) {
        dev.answers = policies[i].answers;
        dev.env.required = policies[i].required;
        dev.env.others = policies[i].others;
        cr_expect_eq(device_verify(), policies[i].result, "case %u", i);
        cr_expect_eq(dev.asked, 2, "case %u: every signature is looked at", i);
        cr_expect_eq(dev.hashed, policies[i].result == CORE_VERIFIED ? BLOB_SECTIONS + 1 : 0);
    }
}

Test(core, what_is_older_than_asked_for_is_rolled_back)
{
    dev.env.min_counter = dev.product.model.counter;
    cr_expect_eq(device_verify(), CORE_VERIFIED);
    dev.env.min_counter++;
    cr_expect_eq(device_verify(), CORE_ROLLED_BACK);
    dev.env.min_counter = UINT64_MAX;
    cr_expect_eq(device_verify(), CORE_ROLLED_BACK);
    cr_expect_eq(dev.hashed, 0);
}

// Each section's digest in turn, with a key store that would not mind.
Test(core, a_section_that_is_not_what_was_signed)
{
    for (unsigned i = 0; i < BLOB_SECTIONS; i++) {
        size_t digest = BLOB_AT_SECTIONS + i * BLOB_SECTION_ENTRY + BLOB_SECTION_SHA256;
        for (unsigned k = 0; k < BLOB_DIGEST; k++) {
            struct blob_layout l;
            size_t at = device_blob_at(digest + k);
            cr_expect_eq(device_flipped(at), CORE_ALTERED_PAYLOAD, "section %u", i);
            cr_expect_eq(dev.hashed, i + 1, "none behind the wrong one is looked at");
            dev.product.file.data[at] ^= 1;
            dev.asked = 0;
            cr_expect_eq(core_blob(&dev.env, dev.blob, dev.available, &l), CORE_ALTERED_PAYLOAD);
            cr_expect_eq(l.fault_at, i);
            dev.product.file.data[at] ^= 1;
        }
    }
    cr_expect_eq(device_flipped(device_blob_at(BLOB_HEADER)), CORE_ALTERED_PAYLOAD);
}

Test(core, a_base_that_is_not_what_was_signed)
{
    cr_expect_eq(device_flipped(0), CORE_ALTERED_BASE);
    cr_expect_eq(device_flipped(17), CORE_ALTERED_BASE, "a new byte of a patch");
    cr_expect_eq(device_flipped(500), CORE_ALTERED_BASE, "a fill, which is not hashed");
    cr_expect_eq(device_flipped(PRODUCT_BASE_SIZE - 1), CORE_ALTERED_BASE);
    cr_expect_eq(device_flipped(device_blob_at(BLOB_AT_BASE_SPACE)), CORE_ALTERED_BASE);
    cr_expect_eq(device_verify(), CORE_VERIFIED);
}
