// Runs the sample boot loader on a product as raw binary, mapped where the device has its flash:
// boot_host PRODUCT ADDRESS [MIN_COUNTER]. Trusts tests/keys/p256.pub.pem. Prints the answer of
// verify/core; the exit code is 0 if the firmware would have been started.
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "format/file.h"
#include "format/sha256.h"
#include "samples/bootloader/boot.h"
#include "verify/core/core.h"
#include "verify/host/crypto.h"

const uint8_t boot_key_id[32] = {0xee, 0xa7, 0x5b, 0xd0, 0xc1, 0x2e, 0x29, 0x6c, 0x31, 0xd7, 0x2b,
                                 0x03, 0x6a, 0x5e, 0x43, 0x5b, 0x37, 0xc1, 0xfb, 0xf6, 0x5d, 0x6b,
                                 0xbc, 0x8d, 0xc8, 0x71, 0xfe, 0x94, 0x29, 0xb5, 0x52, 0x50};
const uint8_t boot_key[64] = {
    0xc4, 0xb6, 0x5e, 0xbd, 0x19, 0x8d, 0x2f, 0xa3, 0xf8, 0xed, 0xb2, 0xa5, 0xda, 0xe3, 0x46, 0xad,
    0x61, 0xa4, 0xcd, 0x84, 0xd5, 0x63, 0x08, 0xb7, 0xc2, 0xf5, 0x13, 0x4e, 0x58, 0xea, 0x10, 0xcd,
    0xda, 0x4a, 0x69, 0x08, 0xd7, 0x84, 0x04, 0x9d, 0x37, 0xf9, 0xf6, 0x40, 0x12, 0x51, 0x73, 0xc7,
    0xb7, 0xe7, 0xe7, 0xb1, 0x1c, 0x64, 0x5a, 0x67, 0x1e, 0x74, 0xc7, 0x95, 0x64, 0x7e, 0xd0, 0x23};

_Static_assert(sizeof(struct sha256) <= BOARD_SHA256_STATE, "the state must fit");

void board_sha256_begin(void *state)
{
    struct sha256 h;
    sha256_begin(&h);
    memcpy(state, &h, sizeof h);
}

void board_sha256_update(void *state, const void *data, size_t size)
{
    struct sha256 h;
    memcpy(&h, state, sizeof h);
    sha256_add(&h, data, size);
    memcpy(state, &h, sizeof h);
}

void board_sha256_end(void *state, uint8_t digest[32])
{
    struct sha256 h;
    memcpy(&h, state, sizeof h);
    sha256_end(&h, digest);
}

int board_p256_verify(const uint8_t key[64], const uint8_t digest[32], const uint8_t signature[64])
{
    mbedtls_ecp_group group;
    mbedtls_ecp_point point;
    mbedtls_mpi r, s;
    uint8_t uncompressed[65] = {4};
    memcpy(uncompressed + 1, key, 64);
    mbedtls_ecp_group_init(&group);
    mbedtls_ecp_point_init(&point);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    int good = mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) == 0 &&
               mbedtls_ecp_point_read_binary(&group, &point, uncompressed, 65) == 0 &&
               mbedtls_mpi_read_binary(&r, signature, 32) == 0 &&
               mbedtls_mpi_read_binary(&s, signature + 32, 32) == 0 &&
               mbedtls_ecdsa_verify(&group, digest, 32, &point, &r, &s) == 0;
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    mbedtls_ecp_point_free(&point);
    mbedtls_ecp_group_free(&group);
    return good;
}

void board_jump(const uint8_t *vectors)
{
    printf("started at %p\n", (const void *)vectors);
    exit(0);
}

int main(int argc, char **argv)
{
    struct arena arena;
    struct diag d;
    struct file f;
    if (argc < 3) {
        return DIAG_USAGE;
    }
    arena_init(&arena, 0);
    diag_init(&d);
    if (file_read(argv[1], &arena, &d, &f)) {
        return DIAG_IO;
    }
    void *at = (void *)(uintptr_t)strtoull(argv[2], NULL, 0);
    size_t size = (f.size + 0xffff) & ~(size_t)0xffff;
    uint8_t *flash = mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (flash != at) {
        return DIAG_IO;
    }
    memset(flash, 0xff, size);
    memcpy(flash, f.data, f.size);
    uint64_t min_counter = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
    boot_start(flash, (uint32_t)size, min_counter);
    printf("0x%08x\n", (unsigned)boot_verify(flash, (uint32_t)size, min_counter));
    arena_free(&arena);
    return DIAG_NO;
}
