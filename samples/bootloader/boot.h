// An example of what a boot loader adds to verify/core. What it needs of the board is at the
// bottom.
#ifndef SAMPLES_BOOTLOADER_BOOT_H
#define SAMPLES_BOOTLOADER_BOOT_H

#include <stddef.h>
#include <stdint.h>

// Looks for the blob in flash and verifies everything. flash and size: where firmware may be.
// min_counter: the counter of the newest firmware that has run (keep it in one-time memory or a
// protected page). Returns CORE_VERIFIED or another code of verify/core/core.h; CORE_UNSIGNED also
// when there is no blob.
uint32_t boot_verify(const uint8_t *flash, uint32_t size, uint64_t min_counter);

// Jumps to the firmware if it is verified; returns only if it is not.
void boot_start(const uint8_t *flash, uint32_t size, uint64_t min_counter);

// The board, or a crypto library such as micro-ecc, tinycrypt or mbedTLS, provides these.
enum { BOARD_SHA256_STATE = 128 };
void board_sha256_begin(void *state);
void board_sha256_update(void *state, const void *data, size_t size);
void board_sha256_end(void *state, uint8_t digest[32]);
// 1 if (r, s) is the signature of digest by the public key (x, y); 32 bytes each, big-endian. Must
// refuse r and s that are 0 or not below the order of the curve.
int board_p256_verify(const uint8_t key[64], const uint8_t digest[32], const uint8_t signature[64]);
// Sets the stack pointer and the vector table, and jumps.
void board_jump(const uint8_t *vectors);

// The trusted key: its id (SHA-256 of the SubjectPublicKeyInfo, as verify --json shows it) and
// point.
extern const uint8_t boot_key_id[32];
extern const uint8_t boot_key[64];

#endif
