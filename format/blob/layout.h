// The bytes of a blob, for hosts and boot loaders alike: freestanding C99, no allocation, no
// recursion. This is the only parser of the structure; blob.md is its specification.
#ifndef FORMAT_BLOB_LAYOUT_H
#define FORMAT_BLOB_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

enum {
    BLOB_DIGEST = 32,  // SHA-256
    BLOB_HEADER = 512, // the payload begins this many bytes behind the blob's address
    BLOB_ALIGN = 16,   // of the blob's address
    BLOB_VERSION = 2,
    BLOB_MAGIC = 16,     // bytes
    BLOB_TEXT = 32,      // application name and version, padded with NUL
    BLOB_NAME_MAX = 255, // module names
    BLOB_SIGNATURE_HEAD = 40,
    BLOB_SIZE_MAX = 1 << 28, // 256 MiB: no microcontroller maps more flash; keeps sums in 32 bits
    // The known flags: segment permissions R 4, W 2, X 1; mapped twice 8; machine code apart 16.
    BLOB_FLAGS = 31,
};

enum blob_section { // in this order behind the header
    BLOB_PAYLOAD,
    BLOB_PATCHES,
    BLOB_MODULES,
    BLOB_EXTENTS,
    BLOB_UNDO,
    BLOB_SBOM,
    BLOB_SECTIONS
};

enum blob_algorithm {      // of signatures
    BLOB_ECDSA_P256 = 1,   // with SHA-256; r, s: 64 bytes
    BLOB_ECDSA_P384 = 2,   // with SHA-384; r, s: 96 bytes
    BLOB_RSA_PSS_3072 = 3, // with SHA-256, MGF1-SHA-256; 384 bytes
};

enum blob_extent_kind {
    BLOB_EXTENT_DATA = 0,    // hashed
    BLOB_EXTENT_FILL_00 = 1, // not hashed; every byte is 0x00
    BLOB_EXTENT_FILL_FF = 2, // not hashed; every byte is 0xff
    BLOB_EXTENT_GAP = 3,     // hashed as 0x00; the base's container has no bytes here; below 256
};

// Offsets of header fields, little-endian.
enum blob_field {
    BLOB_AT_VERSION = 16,         // u16
    BLOB_AT_HEADER_SIZE = 18,     // u16
    BLOB_AT_FLAGS = 20,           // u32
    BLOB_AT_ADDR = 24,            // u64
    BLOB_AT_SIZE = 32,            // u32
    BLOB_AT_SIGNATURE_SPACE = 36, // u32
    BLOB_AT_COUNTER = 40,         // u64
    BLOB_AT_PROFILE = 48,         // u32
    BLOB_AT_CONTAINER = 52,       // u32
    BLOB_AT_BASE_FILE_SIZE = 56,  // u64
    BLOB_AT_BASE_SPACE_SIZE = 64, // u64
    BLOB_AT_BASE_FILE = 72,       // SHA-256
    BLOB_AT_BASE_SPACE = 104,     // SHA-256
    BLOB_AT_APP = 136,            // text
    BLOB_AT_APP_VERSION = 168,    // text
    BLOB_AT_RESERVED = 200,       // 48 bytes of zero
    BLOB_AT_SECTIONS = 248,       // 6 entries of 44 bytes
    BLOB_SECTION_ENTRY = 44,      // u32 size, u64 XXH3-64, SHA-256
    BLOB_SECTION_XXH3 = 4,        // within an entry
    BLOB_SECTION_SHA256 = 12,     // within an entry
};

enum {                    // records of the sections
    BLOB_PATCH_HEAD = 12, // u64 address, u32 size; the old bytes and the new bytes follow
    BLOB_LIST_REF = 40,   // u32 modules, u32 bytes and SHA-256 of their list; their records follow
    BLOB_MODULE_TAG = 16, // of SHA-256, its first bytes
    BLOB_MODULE_SIZE = 4 + BLOB_MODULE_TAG, // u32 2 * offset of the name in the payload + kind, tag
    BLOB_EXTENT_SIZE = 16,                  // u64 address, u32 size, u32 kind
    BLOB_GAP_MAX = 255,                     // bytes of a BLOB_EXTENT_GAP
    BLOB_COUNT_MAX = 8,                     // signatures
};

enum blob_fault { // what is wrong with a structure; blob_fault_text says it in words
    BLOB_SOUND,
    BLOB_FAULT_SHORT,
    BLOB_FAULT_MAGIC,
    BLOB_FAULT_VERSION,
    BLOB_FAULT_FLAGS,
    BLOB_FAULT_ADDRESS,
    BLOB_FAULT_SIZE,
    BLOB_FAULT_SECTIONS,
    BLOB_FAULT_ZEROS,
    BLOB_FAULT_EXTENTS,
    BLOB_FAULT_PATCHES,
    BLOB_FAULT_PATCH_PLACE,
    BLOB_FAULT_MODULES,
    BLOB_FAULT_SIGNATURES,
    BLOB_FAULTS
};

struct blob_layout { // a sound blob: everything below is in bounds and in order
    const uint8_t *bytes;
    uint64_t addr;
    uint32_t size;
    uint32_t at[BLOB_SECTIONS + 1]; // offsets of the sections, each ends where the next begins,
                                    // then of the signatures
    uint32_t n_signatures;
    uint32_t fault_at; // offset of the fault
};

struct blob_patch_at { // a patch record; points into the blob
    uint64_t addr;
    uint32_t size;
    const uint8_t *old_bytes, *new_bytes;
};

// Checks the whole structure of the blob at bytes, of which available bytes may be read. Whether
// digests and signatures are right is not looked at.
enum blob_fault blob_layout_read(const uint8_t *bytes, uint32_t available, struct blob_layout *l);
// True if the magic is there.
int blob_layout_begins(const uint8_t bytes[BLOB_MAGIC]);
// Reads the patch record at p and returns the record behind it.
const uint8_t *blob_layout_patch(const uint8_t *p, struct blob_patch_at *patch);
// The bytes that a signature of this algorithm has, 0 = unknown algorithm.
uint32_t blob_layout_signature_size(uint32_t algorithm);

// Comparisons that take the same time wherever the bytes differ: all bits that do, 0 = none.
uint32_t blob_differs(const uint8_t *p, const uint8_t *q, uint32_t n);
uint32_t blob_unlike(const uint8_t *p, uint32_t n, uint8_t value);

static inline int blob_equal(const uint8_t *p, const uint8_t *q, uint32_t n)
{
    return blob_differs(p, q, n) == 0;
}

static inline int blob_filled(const uint8_t *p, uint32_t n, uint8_t value)
{
    return blob_unlike(p, n, value) == 0;
}

// Inlined even by compilers that count calls: one instruction where words may lie anywhere.
#ifdef __GNUC__
__attribute__((always_inline))
#endif
static inline uint32_t
blob_ld32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
uint64_t blob_ld64(const uint8_t *p);

#endif
