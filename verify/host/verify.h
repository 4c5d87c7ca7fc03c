// Verification of a product image or of a blob alone: policy around verify/core, which decides
// about everything that a boot loader decides about.
#ifndef VERIFY_HOST_VERIFY_H
#define VERIFY_HOST_VERIFY_H

#include "format/blob/blob.h"
#include "verify/host/key.h"

enum verify_result { // ordered as the checks are
    VERIFY_MALFORMED,
    VERIFY_UNSIGNED, // no blob, or nobody signed it
    VERIFY_UNTRUSTED_KEY,
    VERIFY_BAD_SIGNATURE,
    VERIFY_UNPROVEN_SIGNATURE, // besides good ones there are some by keys that were not given
    VERIFY_ROLLED_BACK,
    VERIFY_ALTERED_PAYLOAD,
    VERIFY_WRONG_BASE,
    VERIFY_ALTERED_BASE,
    VERIFY_WRONG_MODULES, // the list of modules is not the one that was signed
    VERIFY_VERIFIED,
};

enum verify_proof { // how far the proof reaches
    VERIFY_PROVES_NOTHING,
    VERIFY_PROVES_BLOB,  // a blob alone: modules and patches, for a base that is named by digest
    VERIFY_PROVES_SPACE, // every byte at an address; the container is not the base's
    VERIFY_PROVES_FILE,  // every byte of the file
};

enum verify_signer { VERIFY_SIGNER_FOREIGN, VERIFY_SIGNER_GOOD, VERIFY_SIGNER_BAD };

struct verify_request {
    const uint8_t *data; // the file
    size_t size;
    const char *name;
    enum image_kind kind; // IMAGE_AUTO = recognise
    unsigned n_keys;
    struct verify_key *const *keys;
    bool allow_published; // accept keys whose private part is published
    bool allow_others;    // accept signatures of other keys beside the good ones, unproven
    unsigned required;    // signatures by different keys; 0 counts as 1
    uint64_t min_counter;
    const uint8_t *base; // the base that it must be; NULL = any
    size_t base_size;
    const char *base_name;
    const uint8_t
        *base_digest;    // BLOB_DIGEST bytes, of the base's file or address space; NULL = any
    const uint8_t *list; // the file that lists the modules; NULL = not at hand
    size_t list_size;
    const char *list_name;
};

struct verify_report {
    enum verify_result result;
    enum verify_proof proof;
    char detail[DIAG_TEXT_MAX]; // what made it say no; "" if verified
    struct blob *blob;          // NULL if there is none that could be read
    enum image_kind kind;       // container, IMAGE_AUTO for a blob alone
    enum verify_signer signers[BLOB_SIGNATURES_MAX];
    const struct verify_key *signer_keys[BLOB_SIGNATURES_MAX]; // NULL = none of the given keys
    uint32_t unproven; // bytes of signatures whose keys were not given
};

// Never fails for what is in the file: that is a result. Errors: DIAG_NOMEM, and what reading the
// base of the request fails with.
enum diag_code verify_image(const struct verify_request *rq, struct arena *a, struct diag *d,
                            struct verify_report *out);

const char *verify_result_name(enum verify_result r); // "bad-signature", for JSON
const char *verify_result_text(enum verify_result r); // "bad signature"
enum diag_code verify_result_code(enum verify_result r);
const char *verify_proof_name(enum verify_proof p); // "file", "address-space", "blob", "nothing"

#endif
