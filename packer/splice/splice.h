// Putting frozen modules into a firmware and taking them out again. A splice is the base image plus
// one blob: its payload at one address and the patches that make the firmware use it. Whoever holds
// the product alone can undo it.
//
// The order of work: splice_plan decides everything and changes nothing; the caller encodes and
// signs the plan's blob; splice_make makes the product in memory, and splice_prove proves, by
// taking the splice out again and by reading the product as a firmware, that it is right.
#ifndef PACKER_SPLICE_SPLICE_H
#define PACKER_SPLICE_SPLICE_H

#include "format/blob/blob.h"
#include "format/firmware/firmware.h"
#include "packer/freeze/freeze.h"

struct splice_module { // one input
    struct freeze_input in;
    uint8_t source_sha256[BLOB_DIGEST]; // of the input file
    uint8_t mpy_sha256[BLOB_DIGEST];    // of the module as .mpy; a text's own
};

struct splice_options {
    unsigned n_regions; // where the blob may go, best first; 0 = where the image shows room
    const struct fw_region *regions;
    const char *app, *app_version; // NULL = ""
    uint64_t counter;
    uint32_t signature_space; // bytes; 0 = default
    bool detach_modules;      // the modules are told in their list alone
    struct blob_base *base;   // digests of the firmware that are being made; NULL = not yet
};

struct splice_plan {
    struct blob blob; // unsigned; sbom may be set only through splice_options
    const struct freeze *frozen;
    uint64_t size;           // of the encoded blob
    struct fw_region region; // where it goes
    uint64_t left;           // bytes that stay free behind it
    unsigned n_references;   // patched references
    uint64_t *module_sizes;  // bytes of each module
    const uint8_t *list;     // of the modules, see blob_make_list
    size_t list_size;
};

// Freezes the modules and finds their place. Errors: DIAG_NO when they do not fit (how many bytes
// are missing, which modules are the largest), when a reference cannot reach or was not found; see
// freeze_make for the others.
enum diag_code splice_plan(const struct firmware *fw, const struct splice_module *modules,
                           unsigned n, const struct splice_options *options, struct arena *a,
                           struct diag *d, struct splice_plan **out);

// What a product is made of. The base's digests may be in the making (blob_base_new); for a blob
// that was planned from these very bytes they are not looked at.
struct splice_parts {
    const uint8_t *base;
    size_t base_size;
    const char *name;
    enum image_kind kind;
    const struct blob *blob;   // as blob_read gave it
    struct blob_base *digests; // NULL = to be made when they are needed
    bool planned;
};

// The product file of base and an encoded blob. Errors: DIAG_NO when the blob is for another base;
// DIAG_INTERNAL when the product does not prove right. Nobody may use a product before splice_prove
// has said yes: while digests are in the making, that is what waits for them.
enum diag_code splice_make(const struct splice_parts *p, struct arena *a, struct diag *d,
                           struct bytes_out *product);
enum diag_code splice_prove(const struct splice_parts *p, const struct bytes_out *product,
                            struct arena *a, struct diag *d);
// Both.
enum diag_code splice_apply(const uint8_t *base, size_t base_size, const char *name,
                            enum image_kind kind, const struct blob *blob, struct arena *a,
                            struct diag *d, struct bytes_out *product);

// The base file of a product. *blob (in the arena) is what was taken out; NULL with DIAG_OK and an
// empty base when there was none. Errors: DIAG_NO when the result is not the base that the blob
// names.
enum diag_code splice_remove(const uint8_t *product, size_t size, const char *name,
                             enum image_kind kind, struct arena *a, struct diag *d,
                             struct blob **blob, struct bytes_out *base);
// The same, but nothing is the base until splice_check_base has said yes. Where there was no blob,
// *img is the image as it was read.
enum diag_code splice_open(const uint8_t *product, size_t size, const char *name,
                           enum image_kind kind, struct arena *a, struct diag *d,
                           struct image **img, struct blob **blob, struct bytes_out *base);
// Waits for the digests of the base that blob was taken out of. Errors: DIAG_NO when it is not the
// one that the blob names.
enum diag_code splice_check_base(const struct blob *blob, struct blob_base *digests,
                                 const char *name, struct diag *d);

#endif
