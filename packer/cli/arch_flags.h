// The value of mpy-cross's -march-flags: extensions of the RV32IMC architecture.
#ifndef PACKER_CLI_ARCH_FLAGS_H
#define PACKER_CLI_ARCH_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

struct compiler_release;

// Reads a number or names, as that release does. False if upstream refuses them.
bool arch_flags_read(const struct compiler_release *release, const char *text, uint32_t *flags);

#endif
