// Blobs made by hand to be wrong: signed by a trusted key all the same, with fields at their
// limits, or put together from right parts. What a verifier must not do is say yes, read out of
// bounds, or take long.
#include "verify/host/crypto.h" // first: it opens the private members of mbedTLS 3

#include <criterion/criterion.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <stdlib.h>
#include <time.h>

#include "format/file.h"
#include "format/sha256.h"
#include "packer/sign/sign.h"
#include "tests/unit/product_fixture.h"
#include "verify/core/core.h"

enum { AT = PRODUCT_BLOB_ADDR - PRODUCT_BASE_ADDR }; // of the blob in a raw product

static const char *const p256[] = {"p256", NULL};
static const char *const p384[] = {"p384", NULL};
static const char *const rsa[] = {"rsa3072", NULL};
static const char *const both[] = {"p256", "p384", NULL};

static void put(uint8_t *p, unsigned size, uint64_t v)
{
    for (unsigned i = 0; i < size; i++) {
        p[i] = (uint8_t)(v >> 8 * i);
    }
}

static enum verify_result check(const struct product *p, const char *const *keys)
{
    struct verify_report report;
    return product_verify(p->file.data, p->file.size, keys, &report);
}

static void make(struct product *p, enum image_kind kind, const char *const *keys)
{
    product_init(p, kind);
    p->model.signature_space = 1024;
    product_make(p, keys);
}

// r and s by tests/keys/p256.pem of any 512 bytes, which sign_blob would not sign.
static void sign_anything(const uint8_t *header, uint8_t signature[64])
{
    struct arena a;
    struct file f;
    uint8_t digest[BLOB_DIGEST];
    mbedtls_pk_context pk;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg;
    mbedtls_mpi r, s;
    arena_init(&a, 0);
    mbedtls_pk_init(&pk);
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    cr_assert_eq(mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0), 0);
    cr_assert_eq(file_read("tests/keys/p256.pem", &a, NULL, &f), DIAG_OK);
    cr_assert_eq(CRYPTO_PARSE_KEY(&pk, f.data, f.size + 1, NULL, 0, mbedtls_ctr_drbg_random, &drbg),
                 0);
    sha256(header, BLOB_HEADER, digest);
    mbedtls_ecp_keypair *ec = mbedtls_pk_ec(pk);
    cr_assert_eq(mbedtls_ecdsa_sign_det_ext(&ec->grp, &r, &s, &ec->d, digest, sizeof digest,
                                            MBEDTLS_MD_SHA256, mbedtls_ctr_drbg_random, &drbg),
                 0);
    cr_assert_eq(mbedtls_mpi_write_binary(&r, signature, 32), 0);
    cr_assert_eq(mbedtls_mpi_write_binary(&s, signature + 32, 32), 0);
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    mbedtls_ctr_drbg_free(&drbg);
    mbedtls_entropy_free(&entropy);
    mbedtls_pk_free(&pk);
    arena_free(&a);
}

// Makes digests and signature right again, as far as the header says where things are.
static void resign(struct product *p)
{
    uint8_t *blob = p->file.data + AT;
    uint64_t at = BLOB_HEADER, size = p->file.size - AT;
    struct verify_key *key = product_key("p256");
    for (unsigned i = 0; i < BLOB_SECTIONS; i++) {
        uint8_t *entry = blob + BLOB_AT_SECTIONS + i * BLOB_SECTION_ENTRY;
        if (at + ld32(entry) <= size) {
            sha256(blob + at, ld32(entry), entry + BLOB_SECTION_SHA256);
        }
        at += ld32(entry);
    }
    if (at + BLOB_SIGNATURE_HEAD + 64 <= size) {
        put(blob + at, 4, BLOB_ECDSA_P256);
        put(blob + at + 4, 4, 64);
        memcpy(blob + at + 8, verify_key_id(key), BLOB_DIGEST);
        sign_anything(blob, blob + at + BLOB_SIGNATURE_HEAD);
    }
    verify_key_free(key);
}

static uint32_t section(const struct product *p, unsigned s)
{
    struct blob_layout l;
    cr_assert_eq(blob_layout_read(p->blob.data, (uint32_t)p->blob.size, &l), BLOB_SOUND);
    return l.at[s];
}

Test(hostile, resigning_works)
{
    struct product p;
    make(&p, IMAGE_BIN, p256);
    p.file.data[AT + BLOB_AT_COUNTER] ^= 1;
    cr_expect_eq(check(&p, p256), VERIFY_BAD_SIGNATURE);
    resign(&p);
    cr_expect_eq(check(&p, p256), VERIFY_VERIFIED, "%s", verify_result_text(check(&p, p256)));
    product_free(&p);
}

// A trusted signature makes nothing right: the structure is checked before, completely.
Test(hostile, signed_but_not_sound)
{
    static const struct {
        int section; // -1 = header
        unsigned at, size;
        uint64_t value;
        enum verify_result result;
    } cases[] = {
        {-1, BLOB_AT_VERSION, 2, 0, VERIFY_MALFORMED},
        {-1, BLOB_AT_VERSION, 2, 1, VERIFY_MALFORMED},
        {-1, BLOB_AT_VERSION, 2, 3, VERIFY_MALFORMED},
        {-1, BLOB_AT_VERSION, 2, 0x102, VERIFY_MALFORMED},
        {-1, BLOB_AT_FLAGS, 4, BLOB_FLAGS + 1, VERIFY_MALFORMED},
        {-1, BLOB_AT_FLAGS, 4, 0x80000000 | BLOB_FLAGS, VERIFY_MALFORMED},
        {-1, BLOB_AT_RESERVED, 1, 1, VERIFY_MALFORMED},
        {-1, BLOB_AT_SECTIONS - 1, 1, 0x80, VERIFY_MALFORMED},
        // A blob in its base, or so high that its end wraps.
        {-1, BLOB_AT_ADDR, 8, PRODUCT_BASE_ADDR, VERIFY_MALFORMED},
        {-1, BLOB_AT_ADDR, 8, UINT64_MAX - 15, VERIFY_MALFORMED},
        // Sizes whose sums wrap, that hide bytes, or that give one section another one's bytes.
        {-1, BLOB_AT_SECTIONS, 4, UINT32_MAX, VERIFY_MALFORMED},
        {-1, BLOB_AT_SECTIONS, 4, 0u - BLOB_HEADER, VERIFY_MALFORMED},
        {-1, BLOB_AT_SECTIONS + 5 * BLOB_SECTION_ENTRY, 4, 16, VERIFY_MALFORMED},
        {-1, BLOB_AT_SIGNATURE_SPACE, 4, 104, VERIFY_MALFORMED},
        {-1, BLOB_AT_SIZE, 4, 512, VERIFY_MALFORMED},
        // Patches: unsorted, overlapping, at one place, wrapping, in the blob, in the payload,
        // behind the base, half behind it, empty, and longer than their section.
        {BLOB_PATCHES, 0, 8, PRODUCT_BASE_ADDR + 700, VERIFY_MALFORMED},
        {BLOB_PATCHES, 20, 8, PRODUCT_BASE_ADDR + 18, VERIFY_MALFORMED},
        {BLOB_PATCHES, 20, 8, PRODUCT_BASE_ADDR + 16, VERIFY_MALFORMED},
        {BLOB_PATCHES, 20, 8, UINT64_MAX - 2, VERIFY_MALFORMED},
        {BLOB_PATCHES, 20, 8, PRODUCT_BLOB_ADDR, VERIFY_MALFORMED},
        {BLOB_PATCHES, 20, 8, PRODUCT_BLOB_ADDR + BLOB_HEADER, VERIFY_MALFORMED},
        {BLOB_PATCHES, 20, 8, PRODUCT_BLOB_ADDR - 2, VERIFY_MALFORMED},
        {BLOB_PATCHES, 20, 8, PRODUCT_BASE_ADDR + PRODUCT_BASE_SIZE, VERIFY_MALFORMED},
        {BLOB_PATCHES, 20, 8, PRODUCT_BASE_ADDR + PRODUCT_BASE_SIZE - 2, VERIFY_MALFORMED},
        {BLOB_PATCHES, 20, 8, PRODUCT_BASE_ADDR - 4, VERIFY_MALFORMED},
        {BLOB_PATCHES, 28, 4, 0, VERIFY_MALFORMED},
        {BLOB_PATCHES, 28, 4, 5, VERIFY_MALFORMED},
        {BLOB_PATCHES, 28, 4, 0x80000004, VERIFY_MALFORMED},
        {BLOB_PATCHES, 8, 4, UINT32_MAX, VERIFY_MALFORMED},
        // Modules: none in a list of some, another number of records, a name out of the payload,
        // an empty one; another kind is sound.
        {BLOB_MODULES, 0, 4, 0, VERIFY_MALFORMED},
        {BLOB_MODULES, 0, 4, 2, VERIFY_MALFORMED},
        {BLOB_MODULES, 0, 4, UINT32_MAX, VERIFY_MALFORMED},
        {BLOB_MODULES, BLOB_LIST_REF + 2, 1, 0x10, VERIFY_MALFORMED},
        {BLOB_MODULES, BLOB_LIST_REF, 4, 0xfffffff8, VERIFY_MALFORMED},
        {BLOB_MODULES, BLOB_LIST_REF, 4, 2u * (0u - BLOB_HEADER), VERIFY_MALFORMED},
        {BLOB_MODULES, BLOB_LIST_REF, 4, 2 * (PRODUCT_NAME - 1), VERIFY_MALFORMED},
        {BLOB_MODULES, BLOB_LIST_REF, 4, 2 * PRODUCT_NAME, VERIFY_VERIFIED},
        // Extents: reaching into the blob, overlapping, of an unknown kind, wrapping.
        {BLOB_EXTENTS, 32 + 8, 4, 0x10000, VERIFY_MALFORMED},
        {BLOB_EXTENTS, 16, 8, PRODUCT_BASE_ADDR + 299, VERIFY_MALFORMED},
        {BLOB_EXTENTS, 12, 4, 4, VERIFY_MALFORMED},
        {BLOB_EXTENTS, 12, 4, 0x80000000, VERIFY_MALFORMED},
        {BLOB_EXTENTS, 32, 8, UINT64_MAX, VERIFY_MALFORMED},
        // Sound, but not what is there: the old bytes, the new bytes, a digest of another base.
        {BLOB_PATCHES, 12, 1, 0x99, VERIFY_ALTERED_BASE},
        {BLOB_PATCHES, 16, 1, 0x99, VERIFY_ALTERED_BASE},
        {-1, BLOB_AT_BASE_FILE, 1, 0x99, VERIFY_ALTERED_BASE},
        {-1, BLOB_AT_BASE_FILE_SIZE, 8, UINT64_MAX, VERIFY_ALTERED_BASE},
        // Another container than the file's: then the address space is what counts.
        {-1, BLOB_AT_CONTAINER, 4, UINT32_MAX, VERIFY_VERIFIED},
        {-1, BLOB_AT_COUNTER, 8, UINT64_MAX, VERIFY_VERIFIED},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct product p;
        make(&p, IMAGE_BIN, p256);
        uint32_t from = cases[i].section < 0 ? 0 : section(&p, (unsigned)cases[i].section);
        put(p.file.data + AT + from + cases[i].at, cases[i].size, cases[i].value);
        resign(&p);
        enum verify_result r = check(&p, p256);
        cr_expect_eq(r, cases[i].result, "case %u: %s", i, verify_result_text(r));
        product_free(&p);
    }
}

static void make_listed(struct product *p, bool detached)
{
    product_init(p, IMAGE_BIN);
    p->model.detached = detached;
    p->model.signature_space = 1024;
    product_make(p, p256);
}

static enum verify_result check_list(const struct product *p)
{
    struct verify_report report;
    return product_verify_list(p->file.data, p->file.size, p256, &p->list, &report);
}

// A list is what its signed digest says, whether the blob has records of the modules or not.
Test(hostile, lists)
{
    static const struct {
        unsigned at, size;
        uint64_t value;
        bool detached; // only
        enum verify_result alone, with_list;
    } cases[] = {
        {0, 4, 1, false, VERIFY_VERIFIED, VERIFY_VERIFIED},
        {0, 4, 0, false, VERIFY_MALFORMED, VERIFY_MALFORMED},   // a list of nothing
        {0, 4, 2, true, VERIFY_VERIFIED, VERIFY_WRONG_MODULES}, // of more than it holds
        {0, 4, UINT32_MAX, true, VERIFY_VERIFIED, VERIFY_WRONG_MODULES},
        {4, 4, 17, false, VERIFY_VERIFIED, VERIFY_WRONG_MODULES},   // of another size
        {8, 1, 0x99, false, VERIFY_VERIFIED, VERIFY_WRONG_MODULES}, // another one
    };
    for (unsigned i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const unsigned c = i / 2;
        struct product p;
        if (cases[c].detached && i % 2 == 0) {
            continue;
        }
        make_listed(&p, i % 2);
        put(p.file.data + AT + section(&p, BLOB_MODULES) + cases[c].at, cases[c].size,
            cases[c].value);
        resign(&p);
        cr_expect_eq(check(&p, p256), cases[c].alone, "case %u", i);
        cr_expect_eq(check_list(&p), cases[c].with_list, "case %u", i);
        product_free(&p);
    }
}

// The record says something else than the list does, which is the very one.
Test(hostile, records_that_contradict_the_list)
{
    static const struct {
        unsigned at;
        uint8_t value;
    } cases[] = {
        {BLOB_LIST_REF, 2 * PRODUCT_NAME},           // another kind
        {BLOB_LIST_REF, 2 * (PRODUCT_NAME + 1) + 1}, // another name
        {BLOB_LIST_REF + 4, 0x99},                   // another source
        {BLOB_LIST_REF + BLOB_MODULE_SIZE - 1, 0x99},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct product p;
        make_listed(&p, false);
        cr_expect_eq(check_list(&p), VERIFY_VERIFIED);
        p.file.data[AT + section(&p, BLOB_MODULES) + cases[i].at] = cases[i].value;
        resign(&p);
        cr_expect_eq(check(&p, p256), VERIFY_VERIFIED, "case %u", i);
        cr_expect_eq(check_list(&p), VERIFY_WRONG_MODULES, "case %u", i);
        product_free(&p);
    }
}

// The section takes more bytes of the room for signatures: a record like the one before.
static enum verify_result with_more_modules(struct product *p, uint32_t more, uint8_t name_at)
{
    uint8_t *entry = p->file.data + AT + BLOB_AT_SECTIONS + BLOB_MODULES * BLOB_SECTION_ENTRY;
    uint8_t *end = p->file.data + AT + section(p, BLOB_EXTENTS);
    put(entry, 4, ld32(entry) + more);
    entry = p->file.data + AT + BLOB_AT_SIGNATURE_SPACE;
    put(entry, 4, ld32(entry) - more);
    memmove(end + more, end, p->file.size - (size_t)(end + more - p->file.data));
    memset(end, 0, more);
    end[0] = (uint8_t)(2 * name_at);
    resign(p);
    return check(p, p256);
}

Test(hostile, bytes_behind_the_modules)
{
    static const struct {
        bool detached;
        uint8_t more, n, name_at; // bytes, what the list counts
        enum verify_result result;
    } cases[] = {
        // A list alone: any byte more, and records that are not as many as it counts.
        {true, 1, 1, PRODUCT_NAME, VERIFY_MALFORMED},
        {true, BLOB_MODULE_SIZE - 1, 1, PRODUCT_NAME, VERIFY_MALFORMED},
        {true, BLOB_MODULE_SIZE, 1, PRODUCT_NAME, VERIFY_VERIFIED},
        {true, BLOB_MODULE_SIZE, 2, PRODUCT_NAME, VERIFY_MALFORMED},
        {true, BLOB_MODULE_SIZE + 1, 1, PRODUCT_NAME, VERIFY_MALFORMED},
        {true, BLOB_LIST_REF, 1, PRODUCT_NAME, VERIFY_MALFORMED},
        // A second record: uncounted, with the same name, with one within that, with one before.
        {false, BLOB_MODULE_SIZE, 1, PRODUCT_NAME, VERIFY_MALFORMED},
        {false, BLOB_MODULE_SIZE, 2, PRODUCT_NAME, VERIFY_MALFORMED},
        {false, BLOB_MODULE_SIZE, 2, PRODUCT_NAME + 3, VERIFY_MALFORMED},
        {false, BLOB_MODULE_SIZE, 2, PRODUCT_NAME - 5, VERIFY_MALFORMED},
        {false, BLOB_MODULE_SIZE - 1, 2, PRODUCT_NAME, VERIFY_MALFORMED},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct product p;
        make_listed(&p, cases[i].detached);
        put(p.file.data + AT + section(&p, BLOB_MODULES), 4, cases[i].n);
        cr_expect_eq(with_more_modules(&p, cases[i].more, cases[i].name_at), cases[i].result,
                     "case %u", i);
        product_free(&p);
    }
}

// The address space's digest and its extents, where the file's digest is not to be had.
Test(hostile, signed_but_another_address_space)
{
    static const struct {
        int section;
        unsigned at, size;
        uint64_t value;
    } cases[] = {
        {-1, BLOB_AT_BASE_SPACE, 1, 0x99},
        {BLOB_EXTENTS, 0, 8, PRODUCT_BASE_ADDR - 1}, // begins before the base
        {BLOB_EXTENTS, 8, 4, 299},                   // a byte in no extent
        {BLOB_EXTENTS, 12, 4, BLOB_EXTENT_FILL_00},
        {BLOB_EXTENTS, 16 + 12, 4, BLOB_EXTENT_FILL_00},
        {BLOB_EXTENTS, 16 + 12, 4, BLOB_EXTENT_DATA},
        {BLOB_PATCHES, 12, 1, 0x99},
        {BLOB_PATCHES, 16, 1, 0x99},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct product p;
        make(&p, IMAGE_BIN, p256);
        put(p.file.data + AT + BLOB_AT_CONTAINER, 4, IMAGE_IHEX);
        uint32_t from = cases[i].section < 0 ? 0 : section(&p, (unsigned)cases[i].section);
        put(p.file.data + AT + from + cases[i].at, cases[i].size, cases[i].value);
        resign(&p);
        enum verify_result r = check(&p, p256);
        cr_expect(r == VERIFY_ALTERED_BASE || r == VERIFY_MALFORMED, "case %u: %s", i,
                  verify_result_text(r));
        product_free(&p);
    }
}

// Every number of the structure at its limits, with a right signature and with the old one. What
// comes out may be any answer but, with the old signature, yes.
Test(hostile, numbers_at_their_limits)
{
    static const uint32_t values[] = {
        0,   1,          2,          15,         16,         255,        256,        511,       512,
        513, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffe00, 0xfffffff0, 0xfffffffe, 0xffffffff};
    struct product p;
    make(&p, IMAGE_BIN, p256);
    size_t size = p.file.size;
    bool all = getenv("MPY_FREEZE_ALL_FLIPS"); // else a sample: checking signatures takes time
    uint8_t *keep = malloc(size);
    memcpy(keep, p.file.data, size);
    for (uint32_t at = BLOB_MAGIC; at + 4 <= section(&p, BLOB_SECTIONS) + 12; at += 4) {
        // Digests and texts have no limits.
        if ((at >= BLOB_AT_BASE_FILE && at < BLOB_AT_RESERVED) ||
            (at >= BLOB_HEADER && at < section(&p, BLOB_PATCHES))) {
            continue;
        }
        for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
            memcpy(p.file.data, keep, size);
            put(p.file.data + AT + at, 4, values[i]);
            if (memcmp(p.file.data, keep, size) == 0 || (!all && i % 9 != at / 4 % 9)) {
                continue;
            }
            cr_expect_neq(check(&p, p256), VERIFY_VERIFIED, "0x%x at %u", values[i], at);
            if (all || i % 2 == at / 4 % 2) {
                resign(&p);
                (void)check(&p, p256);
            }
        }
    }
    free(keep);
    product_free(&p);
}

// Nobody signed it: no room, room for less than a record, room for a record, full of zeros.
Test(hostile, no_signature_in_any_room)
{
    static const uint32_t rooms[] = {0, 1, 39, 40, 41, 103, 104};
    for (unsigned i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        struct product p;
        make(&p, IMAGE_BIN, p256);
        uint32_t at = section(&p, BLOB_SECTIONS);
        uint8_t *blob = p.file.data + AT;
        p.file.size = AT + at + rooms[i];
        memset(blob + at, 0, rooms[i]);
        put(blob + BLOB_AT_SIZE, 4, at + rooms[i]);
        put(blob + BLOB_AT_SIGNATURE_SPACE, 4, rooms[i]);
        cr_expect_eq(check(&p, p256), VERIFY_UNSIGNED, "room %u", rooms[i]);
        if (rooms[i]) {
            blob[at + rooms[i] - 1] = 1;
            cr_expect_eq(check(&p, p256), VERIFY_MALFORMED, "room %u", rooms[i]);
        }
        product_free(&p);
    }
}

// A record with the trusted key's id, and the algorithm, or the signature, of another key.
Test(hostile, algorithms_are_not_confused)
{
    static const char *const *const keys[] = {p256, p384, rsa};
    for (unsigned signer = 0; signer < 3; signer++) {
        for (unsigned trusted = 0; trusted < 3; trusted++) {
            struct product p;
            make(&p, IMAGE_BIN, keys[signer]);
            struct verify_key *key = product_key(keys[trusted][0]);
            memcpy(product_signatures(&p) + 8, verify_key_id(key), BLOB_DIGEST);
            verify_key_free(key);
            cr_expect_eq(check(&p, keys[trusted]),
                         signer == trusted ? VERIFY_VERIFIED : VERIFY_BAD_SIGNATURE, "%s for %s",
                         keys[signer][0], keys[trusted][0]);
            // The other's size under the own name, and the other way round.
            put(product_signatures(&p), 4, trusted + 1);
            cr_expect_eq(check(&p, keys[trusted]),
                         signer == trusted ? VERIFY_VERIFIED : VERIFY_MALFORMED);
            product_free(&p);
        }
    }
}

// A right signature, of another blob.
Test(hostile, a_signature_of_another_blob)
{
    struct product p, q;
    make(&p, IMAGE_BIN, p256);
    product_init(&q, IMAGE_BIN);
    q.model.signature_space = 1024;
    q.model.counter = 6;
    product_make(&q, p256);
    memcpy(product_signatures(&p), product_signatures(&q), 104);
    cr_expect_eq(check(&p, p256), VERIFY_BAD_SIGNATURE);
    product_free(&p);
    product_free(&q);
}

// One wrong signature of a trusted key is fatal, wherever it stands; with another key trusted, too.
Test(hostile, good_ones_do_not_outweigh_a_bad_one)
{
    struct product p;
    make(&p, IMAGE_BIN, both);
    uint8_t *first = product_signatures(&p);
    uint8_t *second = first + BLOB_SIGNATURE_HEAD + ld32(first + 4);
    uint8_t *const records[] = {first, second};
    cr_assert_eq(check(&p, both), VERIFY_VERIFIED);
    for (unsigned i = 0; i < 2; i++) {
        const char *const *good = ld32(records[1 - i]) == BLOB_ECDSA_P256 ? p256 : p384;
        records[i][BLOB_SIGNATURE_HEAD + 9] ^= 1;
        cr_expect_eq(check(&p, both), VERIFY_BAD_SIGNATURE);
        cr_expect_eq(check(&p, good), VERIFY_UNPROVEN_SIGNATURE);
        records[i][BLOB_SIGNATURE_HEAD + 9] ^= 1;
    }
    // Unsorted, and the first one twice: no key counts as two.
    uint8_t keep[2 * 176];
    memcpy(keep, first, sizeof keep);
    uint32_t n = (uint32_t)(second - first);
    memmove(second, first, n);
    memset(second + n, 0, sizeof keep - 2 * n);
    cr_expect_eq(check(&p, both), VERIFY_MALFORMED);
    product_free(&p);
}

Test(hostile, counters)
{
    static const struct {
        uint64_t counter, least;
        bool good;
    } cases[] = {
        {0, 0, true},
        {0, 1, false},
        {1, 1, true},
        {UINT32_MAX, (uint64_t)UINT32_MAX + 1, false},
        {(uint64_t)UINT32_MAX + 1, UINT32_MAX, true},
        {1, (uint64_t)1 << 32, false},
        {(uint64_t)1 << 63, INT64_MAX, true},
        {INT64_MAX, (uint64_t)1 << 63, false},
        {UINT64_MAX - 1, UINT64_MAX, false},
        {UINT64_MAX, UINT64_MAX, true},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct product p;
        struct arena a;
        struct verify_report report;
        struct verify_key *key = product_key("p256");
        product_init(&p, IMAGE_BIN);
        p.model.counter = cases[i].counter;
        product_make(&p, p256);
        struct verify_request rq = {.data = p.file.data,
                                    .size = p.file.size,
                                    .name = "p",
                                    .n_keys = 1,
                                    .keys = &key,
                                    .allow_published = true,
                                    .min_counter = cases[i].least};
        arena_init(&a, 0);
        cr_assert_eq(verify_image(&rq, &a, NULL, &report), DIAG_OK);
        cr_expect_eq(report.result, cases[i].good ? VERIFY_VERIFIED : VERIFY_ROLLED_BACK, "%u", i);
        arena_free(&a);
        verify_key_free(key);
        product_free(&p);
    }
}

// Nothing is a size, too: no modules, no patches, no payload.
Test(hostile, empty_sections)
{
    for (unsigned i = 0; i < 8; i++) {
        struct product p;
        product_init(&p, IMAGE_BIN);
        p.model.n_modules = i & 1;
        p.model.detached = !(i & 4); // without a payload there are no names
        p.model.n_patches = i & 2;
        p.module.size = 0;
        p.model.payload_size = i & 4 ? product_payload_size : 0;
        product_make(&p, p256);
        cr_expect_eq(check(&p, p256), VERIFY_VERIFIED, "%u: %s", i,
                     verify_result_text(check(&p, p256)));
        product_free(&p);
    }
}

// The blob's bytes one place further, with what is in front of it filled up.
Test(hostile, moved_in_a_raw_image)
{
    static const unsigned by[] = {1, 4, 16, 256};
    for (unsigned i = 0; i < sizeof by / sizeof *by; i++) {
        struct product p, q;
        make(&p, IMAGE_BIN, p256);
        product_init(&q, IMAGE_BIN);
        for (unsigned from = 0; from < 2; from++) { // in front of the base, and behind it
            q.file.size = 0;
            bytes_put(&q.file, p.file.data, from ? AT : 0);
            bytes_fill(&q.file, 0xff, by[i]);
            bytes_put(&q.file, p.file.data + (from ? AT : 0), p.file.size - (from ? AT : 0));
            cr_expect_neq(check(&q, p256), VERIFY_VERIFIED, "%u bytes", by[i]);
        }
        product_free(&p);
        product_free(&q);
    }
}

// A product as the base of another one: whoever looks finds two blobs.
Test(hostile, product_of_a_product)
{
    struct product p, outer;
    make(&p, IMAGE_BIN, p256);
    product_init(&outer, IMAGE_BIN);
    uint64_t addr = (PRODUCT_BASE_ADDR + p.file.size + 15) & ~(uint64_t)15;
    struct image *img;
    cr_assert_eq(
        image_read(p.file.data, p.file.size, "p", IMAGE_BIN, &outer.arena, &outer.diag, &img),
        DIAG_OK);
    image_rebase(img, PRODUCT_BASE_ADDR);
    outer.model.addr = addr;
    outer.model.n_patches = 0;
    cr_assert_eq(blob_set_base(&outer.model, img, &outer.arena, &outer.diag), DIAG_OK);
    bytes_put(&outer.base, "", 0);
    outer.base.size = 0;
    bytes_put(&outer.base, p.file.data, p.file.size);
    product_make(&outer, p256);
    cr_expect_eq(check(&outer, p256), VERIFY_MALFORMED);
    // Without the first one's magic there is one blob, but not around the base that it names.
    outer.file.data[AT] ^= 1;
    cr_expect_neq(check(&outer, p256), VERIFY_VERIFIED);
    outer.file.data[AT] ^= 1;
    outer.file.data[addr - PRODUCT_BASE_ADDR] ^= 1;
    cr_expect_neq(check(&outer, p256), VERIFY_VERIFIED);
    product_free(&p);
    product_free(&outer);
}

// A right blob within a payload, at its address, comes to light when the outer one is broken.
Test(hostile, the_blob_in_a_payload_is_no_way_out)
{
    struct product inner, outer;
    product_init(&inner, IMAGE_BIN);
    inner.model.addr = PRODUCT_BLOB_ADDR + BLOB_HEADER;
    product_make(&inner, p256);
    product_init(&outer, IMAGE_BIN);
    outer.model.payload = inner.blob.data;
    outer.model.payload_size = (uint32_t)inner.blob.size;
    outer.module.name_at += BLOB_HEADER; // its name is the inner one's
    product_make(&outer, p384);
    cr_assert_eq(check(&outer, p384), VERIFY_VERIFIED);
    for (unsigned i = 0; i < BLOB_HEADER; i += 5) { // what is there belongs to no base
        outer.file.data[AT + i] ^= 0x10;
        cr_expect_neq(check(&outer, p256), VERIFY_VERIFIED, "byte %u", i);
        cr_expect_neq(check(&outer, p384), VERIFY_VERIFIED, "byte %u", i);
        outer.file.data[AT + i] ^= 0x10;
    }
    memset(outer.file.data + AT, 0xff, BLOB_HEADER); // as erased flash: then the rest is too much
    cr_expect_neq(check(&outer, p256), VERIFY_VERIFIED);
    product_free(&inner);
    product_free(&outer);
}

static void insert(const struct product *p, size_t at, const void *bytes, size_t n,
                   struct bytes_out *out)
{
    bytes_out_init(out);
    bytes_put(out, p->file.data, at);
    bytes_put(out, bytes, n);
    bytes_put(out, p->file.data + at, p->file.size - at);
}

static void expect_no(const struct product *p, size_t at, const void *bytes, size_t n,
                      const char *what)
{
    struct bytes_out changed;
    struct verify_report report;
    insert(p, at, bytes, n, &changed);
    cr_expect_neq(product_verify(changed.data, changed.size, p256, &report), VERIFY_VERIFIED,
                  "%s at %zu", what, at);
    bytes_out_free(&changed);
}

// Between the records of a HEX file there is room for everything: none of it may be there.
Test(hostile, between_hex_records)
{
    static const char *const lines[] = {"\r\n",
                                        "\n",
                                        ";comment\n",
                                        " ",
                                        ":00000001FF\n",
                                        ":020000040000FA\n",
                                        ":0400000300000000F9\n",
                                        ":00800000\n",
                                        "mpy-freeze blob\n"};
    struct product p;
    make(&p, IMAGE_IHEX, p256);
    unsigned n = 0;
    for (size_t i = 0; i <= p.file.size; i++) {
        if (i != 0 && i != p.file.size && (p.file.data[i] != ':' || n++ % 7)) {
            continue;
        }
        for (unsigned k = 0; k < sizeof lines / sizeof *lines; k++) {
            expect_no(&p, i, lines[k], strlen(lines[k]), lines[k]);
        }
        if (i != p.file.size) { // blobs may hide there as they are
            expect_no(&p, i, p.blob.data, p.blob.size, "a blob");
        }
    }
    product_free(&p);
}

// Between the blocks of a UF2 file: a block that is there twice, one that is not for main flash,
// one for another address, bytes; and in what a block does not use of its payload.
Test(hostile, between_uf2_blocks)
{
    struct product p;
    make(&p, IMAGE_UF2, p256);
    for (size_t i = 0; i <= p.file.size; i += 512) {
        uint8_t block[512];
        memcpy(block, p.file.data + (i < p.file.size ? i : i - 512), 512);
        expect_no(&p, i, block, 512, "a block again");
        put(block + 8, 4, ld32(block + 8) | 1);
        memcpy(block + 32, p.blob.data, 256);
        expect_no(&p, i, block, 512, "a block that is not for flash");
        put(block + 8, 4, ld32(block + 8) & ~1u);
        put(block + 12, 4, 0x20000000);
        expect_no(&p, i, block, 512, "a block for elsewhere");
        expect_no(&p, i, p.blob.data, p.blob.size & ~(size_t)511, "a blob");
        if (i < p.file.size) {
            p.file.data[i + 32 + 300] ^= 0x41;
            cr_expect_neq(check(&p, p256), VERIFY_VERIFIED);
            p.file.data[i + 32 + 300] ^= 0x41;
        }
    }
    cr_expect_eq(check(&p, p256), VERIFY_VERIFIED);
    product_free(&p);
}

// Ten thousand places that begin like a blob, each with a long list of its own to check: finding
// out that none is right must not take a square of the size.
Test(hostile, many_beginnings)
{
    enum { N = 4000, LIST = 1 << 20 };
    struct product p;
    make(&p, IMAGE_BIN, p256);
    struct bytes_out big;
    bytes_out_init(&big);
    bytes_fill(&big, 0x11, 64);
    size_t from = big.size;
    for (unsigned i = 0; i < N; i++) {
        bytes_put(&big, p.blob.data, BLOB_HEADER);
    }
    size_t list = big.size;
    for (unsigned i = 0; i < LIST / 16; i++) { // extents that are in order
        bytes_put_u64(&big, 0x100000000u + i);
        bytes_put_u32(&big, 1);
        bytes_put_u32(&big, 0);
    }
    bytes_fill(&big, 0x22, 16); // no signatures
    for (unsigned i = 0; i < N; i++) {
        uint8_t *h = big.data + from + i * BLOB_HEADER;
        uint32_t at = (uint32_t)(list - from) - i * BLOB_HEADER;
        put(h + BLOB_AT_ADDR, 8, PRODUCT_BASE_ADDR + from + i * BLOB_HEADER);
        put(h + BLOB_AT_SIZE, 4, at + LIST + 16);
        put(h + BLOB_AT_SIGNATURE_SPACE, 4, 16);
        for (unsigned s = 0; s < BLOB_SECTIONS; s++) {
            uint32_t size = s == BLOB_PAYLOAD ? at - BLOB_HEADER : s == BLOB_EXTENTS ? LIST : 0;
            put(h + BLOB_AT_SECTIONS + s * BLOB_SECTION_ENTRY, 4, size);
        }
    }
    struct verify_report report;
    clock_t begun = clock();
    cr_expect_eq(product_verify(big.data, big.size, p256, &report), VERIFY_MALFORMED);
    cr_expect_lt((clock() - begun) / CLOCKS_PER_SEC, 2);
    bytes_out_free(&big);
    product_free(&p);
}

// A product of one container as another one.
static void convert(const struct product *p, enum image_kind kind, struct bytes_out *out)
{
    struct arena a;
    struct diag d;
    struct image *img;
    const struct image_target to = {.kind = kind, .has_family = true, .family = 0xe48bff59};
    arena_init(&a, 0);
    diag_init(&d);
    bytes_out_init(out);
    cr_assert_eq(image_read(p->file.data, p->file.size, "p", (enum image_kind)p->model.container,
                            &a, &d, &img),
                 DIAG_OK);
    if (!img->base_known) {
        image_rebase(img, PRODUCT_BASE_ADDR);
    }
    img->machine = IMAGE_ISA_THUMB;
    img->address_bits = 32;
    cr_assert_eq(image_convert(img, &to, out, &d), DIAG_OK, "%s", d.text);
    arena_free(&a);
}

static void expect_result(const struct bytes_out *file, enum verify_result expected,
                          const char *what)
{
    struct verify_report report;
    enum verify_result r = product_verify(file->data, file->size, p256, &report);
    cr_expect_eq(r, expected, "%s: %s: %s", what, verify_result_text(r), report.detail);
}

// A UF2 file has blocks for several chips: each takes its own. All addresses of the one may be
// right, while the other gets something else.
Test(hostile, uf2_blocks_for_another_chip)
{
    static const struct {
        uint32_t flags, family;
        uint8_t byte;
        enum verify_result result;
        const char *what;
    } cases[] = {
        {0x2000, 0xe48bff56, 0x41, VERIFY_ALTERED_BASE, "another family"},
        {0, 0, 0x41, VERIFY_ALTERED_BASE, "no family"},
        {0x3000, 0xe48bff59, 0x41, VERIFY_ALTERED_BASE, "a file"},
        {0x2001, 0xe48bff59, 0x41, VERIFY_ALTERED_BASE, "not for flash"},
        {0x2000, 0xe48bff57, 0x41, VERIFY_ALTERED_BASE, "any chip"},
        {0x2000, 0xe48bff57, 0xef, VERIFY_VERIFIED, "erratum E10"},
    };
    struct product p;
    make(&p, IMAGE_BIN, p256);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes_out uf2;
        uint8_t block[512];
        convert(&p, IMAGE_UF2, &uf2);
        expect_result(&uf2, VERIFY_VERIFIED, "as it is");
        memcpy(block, uf2.data, sizeof block);
        put(block + 8, 4, cases[i].flags);
        put(block + 28, 4, cases[i].family);
        memset(block + 32, cases[i].byte, 256);
        bytes_put(&uf2, block, sizeof block);
        expect_result(&uf2, cases[i].result, cases[i].what);
        bytes_out_free(&uf2);
    }
    product_free(&p);
}

// The records of a universal hex are for the board that the last block start names.
Test(hostile, hex_records_for_another_board)
{
    static const char first[] = ":0400000A9903C0DEB8\n", second[] = ":0400000A9900C0DEBB\n",
                      evil[] = ":048000004556494C4C\n", end[] = ":00000001FF\n";
    struct product p;
    make(&p, IMAGE_BIN, p256);
    for (unsigned others = 0; others < 2; others++) {
        struct bytes_out hex, universal;
        convert(&p, IMAGE_IHEX, &hex);
        bytes_out_init(&universal);
        bytes_put(&universal, first, strlen(first));
        while (hex.data[--hex.size] != ':') { // the end record
        }
        bytes_put(&universal, hex.data, hex.size);
        bytes_put(&universal, second, strlen(second));
        bytes_put(&universal, evil, others ? strlen(evil) : 0);
        bytes_put(&universal, end, strlen(end));
        expect_result(&universal, others ? VERIFY_ALTERED_BASE : VERIFY_VERIFIED, "universal hex");
        bytes_out_free(&universal);
        bytes_out_free(&hex);
    }
    product_free(&p);
}

// A raw image goes into flash from its first byte on, whatever it says in it about addresses.
Test(hostile, an_elf_in_a_raw_image)
{
    struct product p;
    struct bytes_out elf, raw;
    make(&p, IMAGE_IHEX, p256);
    convert(&p, IMAGE_ELF, &elf);
    expect_result(&elf, VERIFY_VERIFIED, "as it is");
    bytes_out_init(&raw);
    bytes_fill(&raw, 0x41, 64);
    bytes_put(&raw, elf.data, elf.size);
    expect_result(&raw, VERIFY_ALTERED_BASE, "behind other bytes");
    bytes_out_free(&raw);
    bytes_out_free(&elf);
    product_free(&p);
}
