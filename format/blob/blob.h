// The signed blob: payload, patches, module table and the digests of the base, under one signature.
// blob.md is the specification of the bytes; this is the model. See there for the rules.
//
// Making one: fill a struct blob (blob_set_base fills what describes the base), blob_write, sign it
// with packer/sign. Its size does not depend on the signatures: room for them is reserved.
#ifndef FORMAT_BLOB_BLOB_H
#define FORMAT_BLOB_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/arena.h"
#include "format/blob/layout.h"
#include "format/bytes.h"
#include "format/diag.h"
#include "format/image/image.h"

enum {
    BLOB_SIGNATURES_MAX = 8,
    BLOB_SIGNATURE_SPACE = 1024, // default room: two RSA-3072 or eight ECDSA P-256 signatures
    BLOB_CODE_HEAD = 16,         // u64 address, u32 size, u32 size of the undo record that follows
};

struct blob_patch { // in the base's address space; sorted, not overlapping
    uint64_t addr;
    uint32_t size;
    const uint8_t *old_bytes, *new_bytes; // size bytes each
};

enum blob_module_kind { BLOB_MODULE_STR = 0, BLOB_MODULE_MPY = 1 };

struct blob_module {
    const char *name; // "pkg/mod.py", as in mp_frozen_names; at most 255 bytes
    enum blob_module_kind kind;
    uint32_t name_at;                   // where the payload has it
    uint8_t source_sha256[BLOB_DIGEST]; // of the input file (script or .mpy)
    // In the list only:
    uint32_t offset, size;           // within the payload: what belongs to this module alone
    uint8_t mpy_sha256[BLOB_DIGEST]; // of the module as .mpy (STR: of the text)
};

// The list of a blob's modules is a file of its own, of which the blob has this.
struct blob_list {
    uint32_t n, size; // modules, bytes
    uint8_t sha256[BLOB_DIGEST];
};

struct blob_extent { // a run of the base's address space; sorted, not overlapping
    uint64_t addr;
    uint32_t size;
    enum blob_extent_kind kind;
};

// Machine code that cannot lie in the blob: a run of bytes that the base has not, and that one of
// the patches fills. The extents name it as a fill of 0x00, so the digest of the base is what it is
// without. First the run is added, of zeros, to the base; then the blob, to what that gives.
struct blob_code {
    uint64_t addr;
    uint32_t size; // 0 = there is none
    uint32_t undo_size;
    const uint8_t *undo; // of the run; the blob's own is for a base that has the run
};

struct blob_signature {
    enum blob_algorithm algorithm;
    uint8_t key_id[BLOB_DIGEST]; // SHA-256 of the public key's SPKI in DER
    uint32_t size;
    const uint8_t *data; // ECDSA: r and s, big-endian, each as long as the curve's order
};

struct blob {
    uint64_t addr; // device address; a multiple of BLOB_ALIGN. The payload is at addr + BLOB_HEADER
    unsigned segment_flags; // IMAGE_R|W|X|TWIN that image_add is called with; APART
    struct blob_code code;  // APART
    uint32_t payload_size;
    const uint8_t *payload;
    uint32_t n_patches;
    const struct blob_patch *patches;
    uint32_t n_modules;                // 0 in a blob that was read and has them in its list alone
    const struct blob_module *modules; // in the order of their names in the payload
    bool listed;           // all fields of modules are known; else of each source_sha256 16 bytes
    bool detached;         // modules are in the list alone
    struct blob_list list; // n = 0: there are no modules
    uint32_t undo_size;    // container undo record, see image_undo
    const uint8_t *undo;
    const char *app, *app_version; // at most 31 bytes each; NULL = ""
    uint64_t counter;              // anti-rollback
    uint32_t profile_id;           // release and ISA the payload is for: blob_profile
    // The base; blob_set_base fills these.
    uint32_t container;                     // enum image_kind of the base's file
    uint8_t base_space_sha256[BLOB_DIGEST]; // of the base's address space, see blob.md
    uint64_t base_space_size;               // bytes hashed
    uint8_t base_file_sha256[BLOB_DIGEST];  // of the base's file
    uint64_t base_file_size;
    uint32_t n_extents;
    const struct blob_extent *extents;
    uint32_t sbom_size; // zlib-compressed JSON provenance, 0 = none
    const uint8_t *sbom;
    uint32_t signature_space; // bytes reserved for signatures; blob_write takes 0 as the default
    uint32_t n_signatures;
    struct blob_signature signatures[BLOB_SIGNATURES_MAX];
    // Set by blob_read and blob_find only.
    struct blob_layout layout; // of the encoded blob: layout.bytes, layout.size
};

// Header field profile_id: major, minor, patch, enum image_machine, one byte each from the top.
uint32_t blob_profile(unsigned major, unsigned minor, unsigned patch, enum image_machine isa);

// The size of the encoded blob. Depends on payload_size, the sizes of the patches, list.n,
// detached, n_extents, undo_size, code, sbom_size and signature_space; UINT64_MAX when it is not
// possible.
uint64_t blob_size(const struct blob *b);
// Appends the encoded blob with the signatures that b has (none: an unsigned blob). The bytes
// depend on b alone. Errors: DIAG_INTERNAL when b breaks a rule of blob.md, DIAG_NO when it is over
// a limit.
enum diag_code blob_write(const struct blob *b, struct bytes_out *out, struct diag *d);

// Appends the list of b's modules, of which all fields are known, as a file of its own, and gives b
// what blob_write needs of it. Without modules there is nothing to append. Errors: DIAG_NO when it
// is over a limit.
enum diag_code blob_make_list(struct blob *b, struct bytes_out *list, struct diag *d);
// Gives the modules of a blob that was read what its list says of them. Errors: DIAG_NO when it is
// another list, DIAG_MALFORMED when it is none, or not sound though the very one.
enum diag_code blob_attach(struct blob *b, const uint8_t *data, size_t size, const char *name,
                           struct arena *a, struct diag *d);

// Reads a blob that fills data[0..size) exactly. Structure only: whom to trust is verify's
// business. The model points into data. Errors: DIAG_MALFORMED.
enum diag_code blob_read(const uint8_t *data, size_t size, const char *name, struct arena *a,
                         struct diag *d, struct blob **out);
// Finds the blob in an image; *out is NULL when there is none. A raw image without a base address
// gets the one that the blob's place tells. The model points into the image's segments; copy
// before changing them. Errors: DIAG_MALFORMED (broken, not at its address, or more than one).
enum diag_code blob_find(struct image *img, struct arena *a, struct diag *d, struct blob **out);
// Compares the sections' XXH3 sums: a quick report of corruption, never a proof of anything. The
// name of the first section that differs, or NULL.
const char *blob_damaged(const struct blob *b);

// Fills what b says about its base: container, digests, sizes, extents (in the arena).
enum diag_code blob_set_base(struct blob *b, const struct image *base, struct arena *a,
                             struct diag *d);
// The same in steps, so that hashing goes on beside other work (see task.h), in an arena:
// blob_base_new begins with the digest of a file, which must outlive the arena; blob_base_map, once
// the file is read and the image's base address known, with that of the address space;
// blob_base_set waits for both and fills b. Errors: NULL without memory; see blob_set_base.
struct blob_base;
struct blob_base *blob_base_new(const uint8_t *file, size_t size, struct arena *a);
enum diag_code blob_base_map(struct blob_base *x, const struct image *img, struct diag *d);
void blob_base_set(struct blob_base *x, struct blob *b);
// Waits for the digest of the file; is it that of b's base?
bool blob_base_is_file(struct blob_base *x, const struct blob *b);
// The extents that blob_base_map found, and that of b's code; blob_base_set gives them, too.
void blob_base_extents(const struct blob_base *x, struct blob *b);
// Makes room for b's code in its base: before any patch is applied.
enum diag_code blob_make_room(const struct blob *b, struct image *base, struct diag *d);
// image_take for a product whose patches were taken back: its code's room goes, too.
enum diag_code blob_take(const struct blob *b, struct image *img, struct bytes_out *file,
                         struct diag *d);
// True if an image (in any container) is b's base: every byte of the extents is as signed, and the
// rest is padding. *same_file tells whether the file is the very one.
// A raw image without an address is placed where the base was.
bool blob_is_base(const struct blob *b, struct image *img, bool *same_file);
// The digest of an image's address space, the same for every container of one firmware; see
// blob.md.
enum diag_code blob_space_digest(const struct image *img, struct arena *a, struct diag *d,
                                 uint8_t digest[BLOB_DIGEST], uint64_t *size);
// True if every byte of an image that is in no extent (nor, with_blob, in the blob) is padding;
// else *where is the address of the piece that is not.
bool blob_rest_is_padding(const struct blob *b, const struct image *img, bool with_blob,
                          uint64_t *where);
// Up to *size bytes at a device address, see struct blob_walk.
const uint8_t *blob_image_map(const struct image *img, uint64_t addr, uint32_t *size);
void blob_file_digest(const struct image *img, uint8_t digest[BLOB_DIGEST]);

const char *blob_algorithm_name(enum blob_algorithm a); // "ecdsa-p256"; NULL = unknown
const char *blob_section_name(enum blob_section s);     // "payload"
const char *blob_fault_text(enum blob_fault f);         // what is wrong, for messages

#endif
