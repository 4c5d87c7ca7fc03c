// The signed blob: payload, patches, module table and the digests of the base, under one signature.
// blob.md is the specification of the bytes; this is the model. See there for the rules.
#ifndef FORMAT_BLOB_BLOB_H
#define FORMAT_BLOB_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/arena.h"
#include "format/bytes.h"
#include "format/diag.h"

enum {
    BLOB_DIGEST = 32,        // SHA-256
    BLOB_HEADER = 512,       // the payload begins this many bytes behind the blob's address
    BLOB_SIGNATURES_MAX = 8,
};

struct blob_patch { // in the base's address space; sorted, not overlapping
    uint64_t addr;
    uint32_t size;
    const uint8_t *old_bytes, *new_bytes; // size bytes each
};

enum blob_module_kind { BLOB_MODULE_STR = 0, BLOB_MODULE_MPY = 1 };

struct blob_module {
    const char *name;          // "pkg/mod.py", as in mp_frozen_names
    enum blob_module_kind kind;
    uint32_t offset, size;     // within the payload: what belongs to this module alone
    uint8_t source_sha256[BLOB_DIGEST]; // of the input file (script or .mpy)
    uint8_t mpy_sha256[BLOB_DIGEST];    // of the module as .mpy (STR: of the text)
};

struct blob_signature {
    uint32_t algorithm;            // enum in blob.md: 1 ECDSA P-256/SHA-256, 2 P-384/SHA-384, 3 RSA-3072 PSS/SHA-256
    uint8_t key_id[BLOB_DIGEST];   // SHA-256 of the public key's SPKI in DER
    uint32_t size;
    const uint8_t *data;
};

struct blob {
    uint64_t addr;               // device address of the blob; the payload is at addr + BLOB_HEADER
    uint32_t payload_size;
    const uint8_t *payload;
    uint32_t n_patches;
    const struct blob_patch *patches;
    uint32_t n_modules;
    const struct blob_module *modules;
    uint32_t undo_size;          // container undo record, see image_undo
    const uint8_t *undo;
    const char *app, *app_version; // at most 31 bytes each
    uint64_t counter;            // anti-rollback
    uint32_t profile_id;         // release and ABI the payload is for: see blob.md
    uint8_t base_space_sha256[BLOB_DIGEST]; // of the base's address space, see blob.md
    uint64_t base_space_size;    // bytes hashed
    uint8_t base_file_sha256[BLOB_DIGEST];  // of the base's file
    uint64_t base_file_size;
    uint32_t sbom_size;          // zlib-compressed JSON provenance, 0 = none
    const uint8_t *sbom;
    uint32_t n_signatures;
    struct blob_signature signatures[BLOB_SIGNATURES_MAX];
};

#endif
