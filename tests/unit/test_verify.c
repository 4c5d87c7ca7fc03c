#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>

#include "format/sha256.h"
#include "packer/sign/sign.h"
#include "tests/unit/product_fixture.h"

static const char *const p256[] = {"p256", NULL};
static const char *const p384[] = {"p384", NULL};
static const char *const rsa[] = {"rsa3072", NULL};
static const char *const both[] = {"p256", "p384", NULL};
static const char *const none[] = {NULL};

// Containers that a few hundred bytes can be in. ESP32 images are tested where there are some.
static const enum image_kind kinds[] = {IMAGE_BIN, IMAGE_ELF, IMAGE_UF2, IMAGE_IHEX, IMAGE_DFUSE};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static enum verify_result check(const struct bytes_out *file, const char *const *keys)
{
    struct verify_report report;
    return product_verify(file->data, file->size, keys, &report);
}

Test(verify, every_container_and_algorithm)
{
    const char *const *const keys[] = {p256, p384, rsa};
    for (unsigned k = 0; k < N_KINDS; k++) {
        for (unsigned i = 0; i < 3; i++) {
            struct product p;
            struct verify_report report;
            product_init(&p, kinds[k]);
            p.model.signature_space = 1024;
            product_make(&p, keys[i]);
            enum verify_result r = product_verify(p.file.data, p.file.size, keys[i], &report);
            cr_assert_eq(r, VERIFY_VERIFIED, "%s: %s: %s", image_kind_name(kinds[k]),
                         verify_result_text(r), report.detail);
            cr_assert_eq(report.proof, VERIFY_PROVES_FILE);
            product_free(&p);
        }
    }
}

// Every byte of a product is proven, or its change makes verify say no. That is some ten thousand
// signature checks: a sample by default, all with MPY_FREEZE_ALL_FLIPS set.
static void flip_bytes(enum image_kind kind, uint8_t with)
{
    struct product p;
    size_t step = getenv("MPY_FREEZE_ALL_FLIPS") ? 1 : 23;
    product_init(&p, kind);
    product_make(&p, p256);
    for (size_t i = 0; i < p.file.size; i += step) {
        p.file.data[i] ^= with;
        cr_expect_neq(check(&p.file, p256), VERIFY_VERIFIED, "%s: byte %zu of %zu ^ 0x%02x",
                      image_kind_name(kind), i, p.file.size, with);
        p.file.data[i] ^= with;
    }
    cr_assert_eq(check(&p.file, p256), VERIFY_VERIFIED);
    product_free(&p);
}

Test(verify, flips_in_bin)
{
    flip_bytes(IMAGE_BIN, 0x01);
}

Test(verify, flips_in_elf)
{
    flip_bytes(IMAGE_ELF, 0x01);
}

Test(verify, flips_in_uf2)
{
    flip_bytes(IMAGE_UF2, 0x80);
}

Test(verify, flips_in_ihex)
{
    flip_bytes(IMAGE_IHEX, 0x20); // turns digits and upper case into other digits and case
}

Test(verify, flips_in_dfuse)
{
    flip_bytes(IMAGE_DFUSE, 0x10);
}

Test(verify, every_truncation_and_what_follows)
{
    for (unsigned k = 0; k < N_KINDS; k++) {
        struct product p;
        product_init(&p, kinds[k]);
        product_make(&p, p256);
        for (size_t n = 0; n < p.file.size; n++) {
            struct bytes_out cut = {.data = malloc(n + 1), .size = n};
            memcpy(cut.data, p.file.data, n);
            cr_expect_neq(check(&cut, p256), VERIFY_VERIFIED, "%s cut to %zu",
                          image_kind_name(kinds[k]), n);
            free(cut.data);
        }
        for (unsigned i = 0; i < 3; i++) {
            bytes_put_u8(&p.file, i ? 0xff : 0);
            cr_expect_neq(check(&p.file, p256), VERIFY_VERIFIED, "%s and %u bytes",
                          image_kind_name(kinds[k]), i + 1);
        }
        product_free(&p);
    }
}

Test(verify, other_containers_prove_the_address_space)
{
    for (unsigned from = 0; from < N_KINDS; from++) {
        for (unsigned to = 0; to < N_KINDS; to++) {
            struct product p;
            struct image *img;
            struct bytes_out other;
            struct verify_report report;
            const struct image_target target = {.kind = kinds[to]};
            product_init(&p, kinds[from]);
            product_make(&p, p256);
            cr_assert_eq(
                image_read(p.file.data, p.file.size, "p", kinds[from], &p.arena, &p.diag, &img),
                DIAG_OK);
            if (!img->base_known) {
                image_rebase(img, PRODUCT_BASE_ADDR);
            }
            img->machine = IMAGE_ISA_THUMB;
            img->address_bits = 32;
            bytes_out_init(&other);
            cr_assert_eq(image_convert(img, &target, &other, &p.diag), DIAG_OK, "%s", p.diag.text);
            enum verify_result r = product_verify(other.data, other.size, p256, &report);
            cr_expect_eq(r, VERIFY_VERIFIED, "%s to %s: %s: %s", image_kind_name(kinds[from]),
                         image_kind_name(kinds[to]), verify_result_text(r), report.detail);
            cr_expect_eq(report.proof, from == to ? VERIFY_PROVES_FILE : VERIFY_PROVES_SPACE);
            bytes_out_free(&other);
            product_free(&p);
        }
    }
}

// One firmware, one digest, whatever it comes in.
Test(verify, one_digest_for_all_containers)
{
    struct product bin;
    product_init(&bin, IMAGE_BIN);
    for (unsigned k = 1; k < N_KINDS; k++) {
        struct product p;
        product_init(&p, kinds[k]);
        cr_expect_arr_eq(p.model.base_space_sha256, bin.model.base_space_sha256, BLOB_DIGEST, "%s",
                         image_kind_name(kinds[k]));
        cr_expect_eq(p.model.base_space_size, bin.model.base_space_size);
        product_free(&p);
    }
    product_free(&bin);
}

Test(verify, results_are_distinct)
{
    struct product p;
    product_init(&p, IMAGE_BIN);
    product_make(&p, p256);
    size_t blob = PRODUCT_BLOB_ADDR - PRODUCT_BASE_ADDR;
    size_t signatures = (size_t)(product_signatures(&p) - p.file.data);
    cr_expect_eq(check(&p.file, p384), VERIFY_UNTRUSTED_KEY);
    cr_expect_eq(check(&p.base, p256), VERIFY_UNSIGNED);
    const struct {
        size_t at;
        enum verify_result result;
    } flips[] = {
        {4, VERIFY_ALTERED_BASE},                       // base
        {16, VERIFY_ALTERED_BASE},                      // patched bytes
        {1200, VERIFY_ALTERED_BASE},                    // padding between base and blob
        {blob + BLOB_AT_VERSION, VERIFY_MALFORMED},     // header
        {blob + BLOB_AT_COUNTER, VERIFY_BAD_SIGNATURE}, // header, well formed
        {blob + BLOB_HEADER, VERIFY_ALTERED_PAYLOAD},   // payload
        {signatures + 50, VERIFY_BAD_SIGNATURE},        // signature
        {signatures + 10, VERIFY_UNTRUSTED_KEY},        // key id
        {signatures, VERIFY_MALFORMED},                 // algorithm: other size
        {p.file.size - 1, VERIFY_MALFORMED},            // room for signatures
    };
    for (unsigned i = 0; i < sizeof flips / sizeof *flips; i++) {
        p.file.data[flips[i].at] ^= 0x40;
        cr_expect_eq(check(&p.file, p256), flips[i].result, "byte %zu: %s", flips[i].at,
                     verify_result_text(check(&p.file, p256)));
        p.file.data[flips[i].at] ^= 0x40;
    }
    product_free(&p);
}

static enum verify_result check_request(struct verify_request *rq, const struct bytes_out *file)
{
    struct arena arena;
    struct verify_report report;
    struct verify_key *keys[2] = {product_key("p256"), product_key("p384")};
    rq->data = file->data;
    rq->size = file->size;
    rq->name = "product";
    rq->n_keys = 2;
    rq->keys = keys;
    arena_init(&arena, 0);
    cr_assert_eq(verify_image(rq, &arena, NULL, &report), DIAG_OK);
    arena_free(&arena);
    verify_key_free(keys[0]);
    verify_key_free(keys[1]);
    return report.result;
}

Test(verify, policy)
{
    struct product p, other;
    product_init(&p, IMAGE_BIN);
    product_make(&p, p256);
    product_init(&other, IMAGE_UF2);
    struct verify_request rq = {0};
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_UNTRUSTED_KEY, "a published key");
    rq.allow_published = true;
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_VERIFIED);
    rq.min_counter = 5;
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_VERIFIED);
    rq.min_counter = 6;
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_ROLLED_BACK);
    rq.min_counter = 0;
    rq.required = 2;
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_UNTRUSTED_KEY, "one of two signatures");
    rq.required = 1;
    rq.base_digest = p.model.base_space_sha256;
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_VERIFIED);
    rq.base_digest = p.model.base_file_sha256;
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_VERIFIED);
    rq.base_digest = other.model.base_file_sha256;
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_WRONG_BASE);
    rq.base_digest = NULL;
    rq.base = p.base.data;
    rq.base_size = p.base.size;
    rq.base_name = "base";
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_VERIFIED);
    cr_expect_eq(check_request(&rq, &p.blob), VERIFY_VERIFIED);
    rq.base = other.base.data;
    rq.base_size = other.base.size;
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_VERIFIED, "the same base as UF2");
    p.base.data[0] ^= 1;
    rq.base = p.base.data;
    rq.base_size = p.base.size;
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_WRONG_BASE);
    cr_expect_eq(check_request(&rq, &p.blob), VERIFY_WRONG_BASE);
    product_free(&p);
    product_free(&other);
}

Test(verify, several_signatures)
{
    struct product p;
    struct verify_request rq = {.allow_published = true, .required = 2};
    product_init(&p, IMAGE_BIN);
    p.model.signature_space = 1024;
    product_make(&p, both);
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_VERIFIED);
    cr_expect_eq(check(&p.file, p256), VERIFY_UNPROVEN_SIGNATURE);
    cr_expect_eq(check(&p.file, p384), VERIFY_UNPROVEN_SIGNATURE);
    cr_expect_eq(check(&p.file, rsa), VERIFY_UNTRUSTED_KEY);
    rq.required = 1;
    cr_expect_eq(check_request(&rq, &p.file), VERIFY_VERIFIED);
    // All bytes of both signatures count when both keys are given; those of a key that is not
    // trusted do not, and are refused for it.
    uint8_t *signatures = product_signatures(&p);
    for (unsigned i = 0; i < 240; i += 7) {
        signatures[i] ^= 4;
        cr_expect_neq(check_request(&rq, &p.file), VERIFY_VERIFIED, "byte %u", i);
        cr_expect_neq(check(&p.file, p256), VERIFY_VERIFIED, "byte %u", i);
        signatures[i] ^= 4;
    }
    // A signature again: replaced, so that the order of signing leaves no trace.
    struct product q;
    const char *const again[] = {"p384", "p256", "p384", NULL};
    product_init(&q, IMAGE_BIN);
    q.model.signature_space = 1024;
    product_make(&q, again);
    cr_expect_eq(q.blob.size, p.blob.size);
    cr_expect_arr_eq(q.blob.data, p.blob.data, p.blob.size);
    product_free(&p);
    product_free(&q);
}

// r or s of 0, or of the order: mathematically empty signatures must not pass.
Test(verify, degenerate_signatures)
{
    struct product p;
    product_init(&p, IMAGE_BIN);
    product_make(&p, p256);
    uint8_t *record = product_signatures(&p), *r = record + 40, *s = r + 32;
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                      0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    uint8_t keep[64];
    memcpy(keep, r, 64);
    memset(r, 0, 32);
    cr_expect_eq(check(&p.file, p256), VERIFY_BAD_SIGNATURE);
    memset(s, 0, 32);
    cr_expect_eq(check(&p.file, p256), VERIFY_BAD_SIGNATURE);
    memcpy(r, keep, 32);
    cr_expect_eq(check(&p.file, p256), VERIFY_BAD_SIGNATURE);
    memcpy(s, order, 32);
    cr_expect_eq(check(&p.file, p256), VERIFY_BAD_SIGNATURE);
    memcpy(r, order, 32);
    cr_expect_eq(check(&p.file, p256), VERIFY_BAD_SIGNATURE);
    product_free(&p);
}

// The key decides about the algorithm: the record of a P-256 key that claims to be of another one.
Test(verify, algorithm_of_another_key)
{
    struct product p;
    product_init(&p, IMAGE_BIN);
    p.model.signature_space = 1024;
    product_make(&p, p384);
    uint8_t *record = product_signatures(&p);
    struct verify_key *key = product_key("p256");
    memcpy(record + 8, verify_key_id(key), BLOB_DIGEST);
    verify_key_free(key);
    cr_expect_eq(check(&p.file, p256), VERIFY_BAD_SIGNATURE);
    product_free(&p);
}

Test(verify, blob_at_another_place)
{
    struct product p;
    product_init(&p, IMAGE_IHEX);
    product_make(&p, p256);
    struct product q; // the same base with a valid blob of another address
    product_init(&q, IMAGE_IHEX);
    struct image *img;
    cr_assert_eq(image_read(q.base.data, q.base.size, "b", IMAGE_IHEX, &q.arena, &q.diag, &img),
                 DIAG_OK);
    cr_assert_eq(image_add(img, PRODUCT_BLOB_ADDR + 256, p.blob.data, p.blob.size, 5, &q.diag),
                 DIAG_OK);
    cr_assert_eq(image_write(img, &q.file, &q.diag), DIAG_OK);
    cr_expect_eq(check(&q.file, p256), VERIFY_MALFORMED);
    product_free(&p);
    product_free(&q);
}

Test(verify, two_blobs)
{
    struct product p;
    product_init(&p, IMAGE_BIN);
    product_make(&p, p256);
    // Behind the blob the same one again, whole; and in front of it as padding would be.
    bytes_put(&p.file, p.blob.data, p.blob.size);
    cr_expect_eq(check(&p.file, p256), VERIFY_MALFORMED);
    product_free(&p);
}

// A blob in a payload is payload: it is neither found nor does it disturb.
Test(verify, blob_in_a_payload)
{
    struct product inner, outer;
    struct verify_report report;
    product_init(&inner, IMAGE_BIN);
    inner.model.addr = PRODUCT_BLOB_ADDR + BLOB_HEADER; // even one that is right where it lies
    product_make(&inner, p256);
    product_init(&outer, IMAGE_BIN);
    outer.model.payload = inner.blob.data;
    outer.model.payload_size = (uint32_t)inner.blob.size;
    outer.module.name_at += BLOB_HEADER; // its name is the inner one's
    product_make(&outer, p384);
    cr_expect_eq(product_verify(outer.file.data, outer.file.size, p384, &report), VERIFY_VERIFIED);
    cr_expect_eq(check(&outer.file, p256), VERIFY_UNTRUSTED_KEY);
    product_free(&inner);
    product_free(&outer);
}

Test(verify, another_base_around_the_blob)
{
    struct product p;
    product_init(&p, IMAGE_BIN);
    product_make(&p, p256);
    for (unsigned i = 100; i < 200; i++) {
        p.file.data[i] = (uint8_t)i;
    }
    cr_expect_eq(check(&p.file, p256), VERIFY_ALTERED_BASE);
    product_free(&p);
}

Test(verify, unsigned_blob)
{
    struct product p;
    product_init(&p, IMAGE_BIN);
    product_make(&p, none);
    cr_expect_eq(check(&p.file, p256), VERIFY_UNSIGNED);
    cr_expect_eq(check(&p.blob, p256), VERIFY_UNSIGNED);
    product_free(&p);
}

Test(verify, same_inputs_same_bytes)
{
    const char *const *const keys[] = {p256, p384, rsa};
    for (unsigned i = 0; i < 3; i++) {
        struct product p, q;
        product_init(&p, IMAGE_BIN);
        product_init(&q, IMAGE_BIN);
        p.model.signature_space = q.model.signature_space = 1024;
        product_make(&p, keys[i]);
        product_make(&q, keys[i]);
        cr_expect_eq(p.file.size, q.file.size);
        cr_expect_arr_eq(p.file.data, q.file.data, p.file.size);
        product_free(&p);
        product_free(&q);
    }
}

// A converted product that lacks a fill of zeros would leave old flash in its place.
Test(verify, missing_fills)
{
    for (unsigned value = 0; value <= 0xff; value += 0xff) {
        struct product p;
        struct image *img;
        struct bytes_out hex;
        product_init_fill(&p, IMAGE_BIN, (uint8_t)value);
        product_make(&p, p256);
        cr_assert_eq(image_read(p.file.data, p.file.size, "p", IMAGE_BIN, &p.arena, &p.diag, &img),
                     DIAG_OK);
        image_rebase(img, PRODUCT_BASE_ADDR);
        struct image_segment parts[2] = {img->segments[0], img->segments[0]};
        parts[0].size = 300; // without the fill, from 300 to 698
        parts[1].addr = parts[1].run = PRODUCT_BASE_ADDR + 698;
        parts[1].data += 698;
        parts[1].size -= 698;
        img->segments = parts;
        img->n_segments = 2;
        const struct image_target to = {.kind = IMAGE_IHEX};
        bytes_out_init(&hex);
        cr_assert_eq(image_convert(img, &to, &hex, &p.diag), DIAG_OK, "%s", p.diag.text);
        cr_expect_eq(check(&hex, p256), value ? VERIFY_VERIFIED : VERIFY_ALTERED_BASE);
        bytes_out_free(&hex);
        product_free(&p);
    }
}
