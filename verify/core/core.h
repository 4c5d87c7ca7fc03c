// The verifier that a boot loader links: freestanding C99, no allocation, no standard library
// beyond stdint.h, under 2 KB of Thumb-2 code together with format/blob/layout.c and walk.c, which
// it needs. Host programs use the same code. Order of checks: structure, signatures, counter,
// sections, address space; each only after the one before has passed.
#ifndef VERIFY_CORE_CORE_H
#define VERIFY_CORE_CORE_H

#include "format/blob/layout.h"
#include "format/blob/walk.h"

// Results differ in many bits, so that one flipped bit in a register makes no other result. Every
// no is even.
#define CORE_VERIFIED 0x6b93c5a7u
#define CORE_MALFORMED 0x15d62e98u
#define CORE_UNSIGNED 0x2a7911e4u
#define CORE_UNTRUSTED 0x8cc4d05au
#define CORE_BAD_SIGNATURE 0xd31e8a36u
#define CORE_ROLLED_BACK 0x47a8f60cu
#define CORE_ALTERED_PAYLOAD 0xb0657be2u // a section is not what was signed
#define CORE_ALTERED_BASE 0xf92b3470u    // base or patches are not what was signed
#define CORE_UNPROVEN 0x3ed80c1au        // good, but signed by others, too: nothing proves that

// What the signature callback answers.
#define CORE_SIGNATURE_GOOD 0x5ac3e796u
#define CORE_SIGNATURE_BAD 0xa13c4868u
#define CORE_SIGNATURE_FOREIGN 0x0e5fb1d9u // by a key that is not trusted

#define CORE_OTHERS_ALLOWED 0x71e92ac6u

struct core_env {
    struct blob_walk flash; // its ctx goes to every callback; hash is SHA-256's update
    void (*hash_begin)(void *ctx);
    void (*hash_end)(void *ctx, uint8_t digest[BLOB_DIGEST]);
    // Checks one signature over message[0..BLOB_HEADER). Must look the key up by key_id among the
    // trusted keys and take the algorithm from the key: CORE_SIGNATURE_BAD if it is another one.
    uint32_t (*check)(void *ctx, uint32_t algorithm, const uint8_t *key_id, const uint8_t *message,
                      const uint8_t *signature, uint32_t size);
    uint32_t required;    // good signatures by different trusted keys; 0 counts as 1
    uint64_t min_counter; // older blobs are refused
    // CORE_OTHERS_ALLOWED: signatures of keys that are not trusted may be there, too, as during a
    // key rotation. Nothing proves their bytes, so they are refused by default.
    uint32_t others;
};

// Everything that the blob says of itself: structure, signatures, counter, section digests. *l is
// valid unless the answer is CORE_MALFORMED; on CORE_ALTERED_PAYLOAD l->fault_at is the section.
uint32_t core_blob(const struct core_env *env, const uint8_t *blob, uint32_t available,
                   struct blob_layout *l);
// The address space around a blob that core_blob verified: patches in place, base as signed.
uint32_t core_space(const struct core_env *env, const struct blob_layout *l);
// Both. blob points to the blob in flash, address is where that is; available bytes may be read.
uint32_t core_verify(const struct core_env *env, const uint8_t *blob, uint64_t address,
                     uint32_t available);

#endif
