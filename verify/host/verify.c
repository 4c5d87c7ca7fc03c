#include "verify/host/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format/sha256.h"
#include "verify/core/core.h"

struct verify { // one run
    const struct verify_request *rq;
    struct verify_report *report;
    struct arena *arena;
    struct image *image; // NULL for a blob alone
    struct blob *blob;   // a copy: the image is taken apart
    struct sha256 hash;
    unsigned next_signature;
    bool no_memory; // a signature could not be checked
};

static enum verify_result verify_say(struct verify *v, enum verify_result r, const char *fmt, ...)
    DIAG_PRINTF(3, 4);
static enum verify_result verify_say(struct verify *v, enum verify_result r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(v->report->detail, sizeof v->report->detail, fmt, args);
    va_end(args);
    return r;
}

static void verify_hash_begin(void *ctx)
{
    sha256_begin(&((struct verify *)ctx)->hash);
}

static void verify_hash(void *ctx, const void *data, uint32_t size)
{
    sha256_add(&((struct verify *)ctx)->hash, data, size);
}

static void verify_hash_end(void *ctx, uint8_t digest[BLOB_DIGEST])
{
    sha256_end(&((struct verify *)ctx)->hash, digest);
}

// What a container does not have is erased flash on the device: nothing but a fill of 0xff may be
// missing.
static const uint8_t *verify_map(void *ctx, uint64_t addr, uint32_t *size)
{
    static const uint8_t erased[] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    };
    const uint8_t *p = blob_image_map(((struct verify *)ctx)->image, addr, size);
    if (!p && *size > sizeof erased) {
        *size = sizeof erased;
    }
    return p ? p : erased;
}

// The trusted key with this id. Keys that everybody has are not to be trusted.
static const struct verify_key *verify_find_key(const struct verify_request *rq, const uint8_t *id)
{
    for (unsigned i = 0; i < rq->n_keys; i++) {
        if (memcmp(verify_key_id(rq->keys[i]), id, BLOB_DIGEST) == 0) {
            return rq->keys[i];
        }
    }
    return NULL;
}

// The core's signature callback. The key decides about the algorithm.
static uint32_t verify_check(void *ctx, uint32_t algorithm, const uint8_t *key_id,
                             const uint8_t *message, const uint8_t *signature, uint32_t size)
{
    struct verify *v = ctx;
    unsigned i = v->next_signature++; // the core calls in order, and there are at most 8
    const struct verify_key *key = verify_find_key(v->rq, key_id);
    v->report->signer_keys[i] = key;
    if (!key || (verify_key_published(key) && !v->rq->allow_published)) {
        v->report->unproven += BLOB_SIGNATURE_HEAD + size;
        return CORE_SIGNATURE_FOREIGN;
    }
    enum diag_code answer = (uint32_t)verify_key_algorithm(key) == algorithm
                                ? verify_key_check(key, message, BLOB_HEADER, signature, size)
                                : DIAG_NO;
    bool good = answer == DIAG_OK;
    v->no_memory = v->no_memory || answer == DIAG_NOMEM;
    v->report->signers[i] = good ? VERIFY_SIGNER_GOOD : VERIFY_SIGNER_BAD;
    return good ? CORE_SIGNATURE_GOOD : CORE_SIGNATURE_BAD;
}

static enum verify_result verify_untrusted(struct verify *v)
{
    unsigned good = 0;
    for (unsigned i = 0; i < v->blob->n_signatures; i++) {
        const struct verify_key *key = v->report->signer_keys[i];
        if (key && verify_key_published(key) && !v->rq->allow_published) {
            return verify_say(v, VERIFY_UNTRUSTED_KEY,
                              "signed by a key that everybody has: its private part is %s",
                              verify_key_published(key));
        }
        good += v->report->signers[i] == VERIFY_SIGNER_GOOD;
    }
    if (good == 0) {
        return verify_say(v, VERIFY_UNTRUSTED_KEY, "signed, but by none of the given keys");
    }
    return verify_say(v, VERIFY_UNTRUSTED_KEY, "%u of the given keys signed it, %u must", good,
                      v->rq->required);
}

// What the core said about the blob, in words.
static enum verify_result verify_blob_result(struct verify *v, uint32_t answer,
                                             const struct blob_layout *l)
{
    switch (answer) {
    case CORE_VERIFIED:
        return VERIFY_VERIFIED;
    case CORE_UNSIGNED:
        return verify_say(v, VERIFY_UNSIGNED, "the blob has no signature");
    case CORE_UNTRUSTED:
        return verify_untrusted(v);
    case CORE_BAD_SIGNATURE:
        return verify_say(v, VERIFY_BAD_SIGNATURE, "the signature of a trusted key is wrong");
    case CORE_UNPROVEN:
        return verify_say(v, VERIFY_UNPROVEN_SIGNATURE,
                          "%" PRIu32 " bytes are signatures by keys that were not given",
                          v->report->unproven);
    case CORE_ROLLED_BACK:
        return verify_say(v, VERIFY_ROLLED_BACK,
                          "its counter is %" PRIu64 ", at least %" PRIu64 " is demanded",
                          v->blob->counter, v->rq->min_counter);
    case CORE_ALTERED_PAYLOAD:
        return verify_say(v, VERIFY_ALTERED_PAYLOAD, "the %s are not what was signed",
                          blob_section_name((enum blob_section)l->fault_at));
    default:
        return verify_say(v, VERIFY_MALFORMED, "the blob is not sound");
    }
}

static void verify_env(struct verify *v, struct core_env *env)
{
    *env = (struct core_env){.flash = {v, verify_map, verify_hash},
                             .hash_begin = verify_hash_begin,
                             .hash_end = verify_hash_end,
                             .check = verify_check,
                             .required = v->rq->required,
                             .min_counter = v->rq->min_counter,
                             .others = v->rq->allow_others ? CORE_OTHERS_ALLOWED : 0};
}

// The base that the caller demands against the base that was signed.
static enum diag_code verify_pins(struct verify *v, struct diag *d, enum verify_result *r)
{
    const struct verify_request *rq = v->rq;
    const struct blob *b = v->blob;
    if (rq->base_digest && memcmp(rq->base_digest, b->base_file_sha256, BLOB_DIGEST) != 0 &&
        memcmp(rq->base_digest, b->base_space_sha256, BLOB_DIGEST) != 0) {
        *r = verify_say(v, VERIFY_WRONG_BASE, "it was made for a base with another digest");
        return DIAG_OK;
    }
    if (!rq->base) {
        return DIAG_OK;
    }
    struct image *base;
    bool same_file;
    enum diag_code err =
        image_read(rq->base, rq->base_size, rq->base_name, IMAGE_AUTO, v->arena, d, &base);
    if (!err && !blob_is_base(b, base, &same_file)) {
        *r = verify_say(v, VERIFY_WRONG_BASE, "it was not made for %s", rq->base_name);
    }
    return err;
}

static enum verify_result verify_altered(struct verify *v, const struct diag *d)
{
    if (d->where == DIAG_BINARY) {
        return verify_say(v, VERIFY_ALTERED_BASE, "file offset 0x%" PRIx64 ": %s: %s", d->offset,
                          d->field, d->text);
    }
    return verify_say(v, VERIFY_ALTERED_BASE, "%s", d->text);
}

// The first patch whose new bytes are not in place, or NULL.
static const struct blob_patch *verify_bad_patch(const struct verify *v)
{
    for (uint32_t i = 0; i < v->blob->n_patches; i++) {
        const struct blob_patch *p = &v->blob->patches[i];
        const uint8_t *bytes = image_bytes(v->image, p->addr, p->size);
        if (!bytes || memcmp(bytes, p->new_bytes, p->size) != 0) {
            return p;
        }
    }
    return NULL;
}

static enum diag_code verify_poke(struct verify *v, bool old, struct diag *d)
{
    enum diag_code err = DIAG_OK;
    for (uint32_t i = 0; i < v->blob->n_patches && !err; i++) {
        const struct blob_patch *p = &v->blob->patches[i];
        err = image_poke(v->image, p->addr, old ? p->old_bytes : p->new_bytes, p->size, d);
    }
    return err;
}

// Makes the product again from the base, in again, and compares it with the file: only then is
// every byte of the file accounted for, checksums and padding of the container included.
static enum diag_code verify_again(struct verify *v, struct bytes_out *again, struct diag *d)
{
    const struct blob_layout *l = &v->blob->layout;
    enum diag_code err = blob_make_room(v->blob, v->image, d);
    err = err ? err : verify_poke(v, false, d);
    err = err ? err
              : image_with(v->image, v->blob->addr, l->bytes, l->size, v->blob->segment_flags,
                           again, d);
    if (!err &&
        (again->size != v->rq->size || memcmp(again->data, v->rq->data, again->size) != 0)) {
        size_t n = again->size < v->rq->size ? again->size : v->rq->size, at = 0;
        while (at < n && again->data[at] == v->rq->data[at]) {
            at++;
        }
        err = diag_set_binary(d, DIAG_NO, v->rq->name, at, "container",
                              "belongs neither to the base nor to the blob");
    }
    return err;
}

// The base's file out of the product: file gets its bytes, the image is the base from then on.
static enum diag_code verify_take(struct verify *v, struct bytes_out *file, struct diag *d)
{
    const struct blob *b = v->blob;
    uint8_t digest[BLOB_DIGEST];
    enum diag_code err = verify_poke(v, true, d);
    err = err ? err : blob_take(b, v->image, file, d);
    if (err) {
        return err;
    }
    sha256(file->data, file->size, digest);
    if (file->size != b->base_file_size || memcmp(digest, b->base_file_sha256, BLOB_DIGEST) != 0) {
        return diag_set(d, DIAG_NO, v->rq->name,
                        "without the blob it is not the firmware that was signed");
    }
    return DIAG_OK;
}

// work is a copy of the product. The base's file is made over it where the container keeps the
// bytes of the base in place, and so is the product that is made again: touching memory for the
// first time costs more than copying.
static enum diag_code verify_both_ways(struct verify *v, const struct bytes_out *work,
                                       struct diag *d)
{
    struct bytes_out file, again;
    bytes_out_init(&file);
    bytes_out_init_over(&again, work->data, work->cap);
    if (image_in_place(v->image)) {
        file = again;
    }
    image_lend(v->image, work->data);
    enum diag_code err = verify_take(v, &file, d);
    err = err ? err : verify_again(v, &again, d);
    bytes_out_free(&again);
    bytes_out_free(&file);
    v->image = NULL; // what it works on is gone
    return err;
}

// A product in the container of its base: put the base's file back in memory and hash it.
static enum verify_result verify_whole_file(struct verify *v, enum diag_code *fatal)
{
    struct diag d;
    struct bytes_out work;
    diag_init(&d);
    const struct blob_patch *bad = verify_bad_patch(v);
    if (bad) {
        return verify_say(v, VERIFY_ALTERED_BASE,
                          "the %u bytes at 0x%" PRIx64 " are not the patch that was signed",
                          (unsigned)bad->size, bad->addr);
    }
    bytes_out_init(&work);
    bytes_put(&work, v->rq->data, v->rq->size);
    enum diag_code err = bytes_out_check(&work, &d);
    err = err ? err : verify_both_ways(v, &work, &d);
    bytes_out_free(&work);
    *fatal = err == DIAG_NOMEM ? err : DIAG_OK;
    return err ? verify_altered(v, &d) : VERIFY_VERIFIED;
}

// A product in another container than its base: what a device can check.
static enum verify_result verify_space(struct verify *v, const struct core_env *env)
{
    uint64_t where;
    if (core_space(env, &v->blob->layout) != CORE_VERIFIED) {
        return verify_say(v, VERIFY_ALTERED_BASE,
                          "the address space is not that of the firmware that was signed");
    }
    if (!blob_rest_is_padding(v->blob, v->image, true, &where)) {
        return verify_say(v, VERIFY_ALTERED_BASE,
                          "the bytes from 0x%" PRIx64 " on belong neither to the base nor to the "
                          "blob",
                          where);
    }
    if (image_elsewhere(v->image, &where)) {
        return verify_say(v, VERIFY_ALTERED_BASE,
                          "file offset 0x%" PRIx64 ": for another place or another device than the "
                          "firmware that was signed",
                          where);
    }
    return VERIFY_VERIFIED;
}

// A blob alone with -f BASE: verify_pins has compared the base; the patches must fit it, too.
static bool verify_patches_fit(const struct verify *v, struct diag *d)
{
    struct image *base;
    if (image_read(v->rq->base, v->rq->base_size, v->rq->base_name, IMAGE_AUTO, v->arena, d,
                   &base)) {
        return false;
    }
    if (!base->base_known && v->blob->n_extents > 0) {
        image_rebase(base, v->blob->extents[0].addr);
    }
    if (blob_make_room(v->blob, base, d)) {
        return false;
    }
    for (uint32_t i = 0; i < v->blob->n_patches; i++) {
        const struct blob_patch *p = &v->blob->patches[i];
        const uint8_t *bytes = image_bytes(base, p->addr, p->size);
        if (!bytes || memcmp(bytes, p->old_bytes, p->size) != 0) {
            return false;
        }
    }
    return true;
}

static enum diag_code verify_base(struct verify *v, const struct core_env *env, struct diag *d,
                                  enum verify_result *r)
{
    enum diag_code err = DIAG_OK;
    if (!v->image) {
        v->report->proof = VERIFY_PROVES_BLOB;
        if (v->rq->base && !verify_patches_fit(v, d)) {
            *r = verify_say(v, VERIFY_WRONG_BASE, "its patches do not fit %s", v->rq->base_name);
        }
        return DIAG_OK;
    }
    if ((uint32_t)v->image->kind == v->blob->container) {
        *r = verify_whole_file(v, &err);
        v->report->proof = VERIFY_PROVES_FILE;
    } else {
        *r = verify_space(v, env);
        v->report->proof = VERIFY_PROVES_SPACE;
    }
    return err ? diag_nomem(d) : DIAG_OK;
}

// The blob has its modules from then on.
static enum diag_code verify_list(struct verify *v, struct diag *d, enum verify_result *r)
{
    const struct verify_request *rq = v->rq;
    struct diag reading;
    diag_init(&reading);
    if (!rq->list) {
        return DIAG_OK;
    }
    enum diag_code err =
        blob_attach(v->blob, rq->list, rq->list_size, rq->list_name, v->arena, &reading);
    if (err == DIAG_NOMEM) {
        return diag_nomem(d);
    }
    if (err) {
        *r = verify_say(v, VERIFY_WRONG_MODULES, "%s %s", rq->list_name, reading.text);
    }
    return DIAG_OK;
}

static enum diag_code verify_found(struct verify *v, struct diag *d, enum verify_result *r)
{
    struct core_env env;
    struct blob_layout l;
    verify_env(v, &env);
    *r =
        verify_blob_result(v, core_blob(&env, v->blob->layout.bytes, v->blob->layout.size, &l), &l);
    enum diag_code err = DIAG_OK;
    if (*r == VERIFY_VERIFIED) {
        err = verify_pins(v, d, r);
    }
    if (!err && *r == VERIFY_VERIFIED) {
        err = verify_base(v, &env, d, r);
    }
    if (!err && *r == VERIFY_VERIFIED) {
        err = verify_list(v, d, r);
    }
    if (*r != VERIFY_VERIFIED) {
        v->report->proof = VERIFY_PROVES_NOTHING;
    }
    return err;
}

// Finds the blob; NULL and DIAG_OK when there is none.
static enum diag_code verify_open(struct verify *v, struct diag *d, struct blob **blob)
{
    const struct verify_request *rq = v->rq;
    *blob = NULL;
    if (rq->size == 0) {
        return diag_set(d, DIAG_MALFORMED, rq->name, "is empty");
    }
    if (rq->size >= BLOB_MAGIC && blob_layout_begins(rq->data) && rq->kind == IMAGE_AUTO) {
        return blob_read(rq->data, rq->size, rq->name, v->arena, d, blob);
    }
    enum diag_code err = image_read(rq->data, rq->size, rq->name, rq->kind, v->arena, d, &v->image);
    if (err) {
        return err;
    }
    v->report->kind = v->image->kind;
    err = blob_find(v->image, v->arena, d, blob);
    if (err || !*blob) {
        return err;
    }
    // Taking the image apart moves its bytes: work on a copy of the blob.
    size_t size = (*blob)->layout.size;
    uint8_t *copy = arena_dup(v->arena, (*blob)->layout.bytes, size);
    return copy ? blob_read(copy, size, rq->name, v->arena, d, blob) : diag_nomem(d);
}

enum diag_code verify_image(const struct verify_request *rq, struct arena *a, struct diag *d,
                            struct verify_report *out)
{
    struct verify v = {.rq = rq, .report = out, .arena = a};
    struct diag reading;
    *out = (struct verify_report){.result = VERIFY_MALFORMED};
    diag_init(&reading);
    enum diag_code err = verify_open(&v, &reading, &v.blob);
    if (err == DIAG_NOMEM) {
        return diag_nomem(d);
    }
    if (err) {
        out->result = reading.where == DIAG_BINARY
                          ? verify_say(&v, VERIFY_MALFORMED, "offset 0x%" PRIx64 ": %s: %s",
                                       reading.offset, reading.field, reading.text)
                          : verify_say(&v, VERIFY_MALFORMED, "%s", reading.text);
        return DIAG_OK;
    }
    out->blob = v.blob;
    if (!v.blob) {
        out->result = verify_say(&v, VERIFY_UNSIGNED, "holds no blob");
        return DIAG_OK;
    }
    enum verify_result r = VERIFY_MALFORMED;
    err = verify_found(&v, d, &r);
    if (!err && v.no_memory) {
        err = diag_nomem(d);
    }
    out->result = err ? VERIFY_MALFORMED : r;
    return err;
}

const char *verify_result_name(enum verify_result r)
{
    switch (r) {
    case VERIFY_VERIFIED:
        return "verified";
    case VERIFY_UNSIGNED:
        return "unsigned";
    case VERIFY_UNTRUSTED_KEY:
        return "untrusted-key";
    case VERIFY_BAD_SIGNATURE:
        return "bad-signature";
    case VERIFY_UNPROVEN_SIGNATURE:
        return "unproven-signature";
    case VERIFY_ROLLED_BACK:
        return "rolled-back";
    case VERIFY_ALTERED_PAYLOAD:
        return "altered-payload";
    case VERIFY_WRONG_BASE:
        return "wrong-base";
    case VERIFY_ALTERED_BASE:
        return "altered-base";
    case VERIFY_WRONG_MODULES:
        return "wrong-modules";
    case VERIFY_MALFORMED:
        break;
    }
    return "malformed";
}

const char *verify_result_text(enum verify_result r)
{
    switch (r) {
    case VERIFY_UNTRUSTED_KEY:
        return "untrusted key";
    case VERIFY_BAD_SIGNATURE:
        return "bad signature";
    case VERIFY_UNPROVEN_SIGNATURE:
        return "unproven signature";
    case VERIFY_ROLLED_BACK:
        return "rolled back";
    case VERIFY_ALTERED_PAYLOAD:
        return "altered payload";
    case VERIFY_WRONG_BASE:
        return "wrong base";
    case VERIFY_ALTERED_BASE:
        return "altered base";
    case VERIFY_WRONG_MODULES:
        return "wrong modules";
    default:
        return verify_result_name(r);
    }
}

enum diag_code verify_result_code(enum verify_result r)
{
    switch (r) {
    case VERIFY_VERIFIED:
        return DIAG_OK;
    case VERIFY_UNSIGNED:
        return DIAG_UNSIGNED;
    case VERIFY_MALFORMED:
        return DIAG_MALFORMED;
    default:
        return DIAG_NO;
    }
}

const char *verify_proof_name(enum verify_proof p)
{
    switch (p) {
    case VERIFY_PROVES_FILE:
        return "file";
    case VERIFY_PROVES_SPACE:
        return "address-space";
    case VERIFY_PROVES_BLOB:
        return "blob";
    case VERIFY_PROVES_NOTHING:
        break;
    }
    return "nothing";
}
