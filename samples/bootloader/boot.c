#include "samples/bootloader/boot.h"

#include "verify/core/core.h"

struct boot {
    uint32_t sha256[BOARD_SHA256_STATE / 4]; // aligned for whatever is kept in it
};

// Flash is mapped: a device address is a pointer, and nothing is missing.
static const uint8_t *boot_map(void *ctx, uint64_t addr, uint32_t *size)
{
    (void)ctx;
    (void)size;
    return (const uint8_t *)(uintptr_t)addr;
}

static void boot_hash_begin(void *ctx)
{
    board_sha256_begin(((struct boot *)ctx)->sha256);
}

static void boot_hash(void *ctx, const void *data, uint32_t size)
{
    board_sha256_update(((struct boot *)ctx)->sha256, data, size);
}

static void boot_hash_end(void *ctx, uint8_t digest[BLOB_DIGEST])
{
    board_sha256_end(((struct boot *)ctx)->sha256, digest);
}

// One trusted key, of one algorithm: the blob's word about the algorithm must agree with it.
static uint32_t boot_check(void *ctx, uint32_t algorithm, const uint8_t *key_id,
                           const uint8_t *message, const uint8_t *signature, uint32_t size)
{
    uint8_t digest[BLOB_DIGEST];
    if (!blob_equal(key_id, boot_key_id, BLOB_DIGEST)) {
        return CORE_SIGNATURE_FOREIGN;
    }
    if (algorithm != BLOB_ECDSA_P256 || size != 64) {
        return CORE_SIGNATURE_BAD;
    }
    boot_hash_begin(ctx);
    boot_hash(ctx, message, BLOB_HEADER);
    boot_hash_end(ctx, digest);
    return board_p256_verify(boot_key, digest, signature) == 1 ? CORE_SIGNATURE_GOOD
                                                               : CORE_SIGNATURE_BAD;
}

uint32_t boot_verify(const uint8_t *flash, uint32_t size, uint64_t min_counter)
{
    struct boot boot;
    // 0: no signatures by other keys. A device that is to outlive its key allows them, or knows the
    // key's successor.
    const struct core_env env = {{&boot, boot_map, boot_hash},
                                 boot_hash_begin,
                                 boot_hash_end,
                                 boot_check,
                                 1,
                                 min_counter,
                                 0};
    for (uint32_t at = 0; at + BLOB_HEADER <= size; at += BLOB_ALIGN) {
        const uint8_t *p = flash + at;
        // The magic alone may be data of the firmware; a blob also knows its own address.
        if (blob_layout_begins(p) && blob_ld64(p + BLOB_AT_ADDR) == (uintptr_t)p) {
            return core_verify(&env, p, (uintptr_t)p, size - at);
        }
    }
    return CORE_UNSIGNED;
}

// Verified twice: one fault, be it a skipped instruction or a flipped bit, is not enough to start
// anything else. Where glitches are no concern, once takes half the time.
void boot_start(const uint8_t *flash, uint32_t size, uint64_t min_counter)
{
    volatile uint32_t answers = boot_verify(flash, size, min_counter);
    if (answers != CORE_VERIFIED) {
        return;
    }
    answers += boot_verify(flash, size, min_counter);
    if (answers == 2 * CORE_VERIFIED) {
        board_jump(flash);
    }
}
