// What a fuzz target is: one file fuzz_NAME.c that defines LLVMFuzzerTestOneInput and, if it can
// make inputs to begin with, fuzz_seed.
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/bytes.h"
#include "format/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
// Appends seed i to out; false behind the last one. Optional.
bool fuzz_seed(unsigned i, struct bytes_out *out) __attribute__((weak));

// Nesting that the stack of a sanitizer build holds.
enum { FUZZ_DEPTH = 4000 };

// A property that does not hold.
#define FUZZ_MUST(x)                                                                               \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #x);                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

// image.c: reads an input as one container and does to it whatever can be done to an image.
void fuzz_image(const uint8_t *data, size_t size, enum image_kind kind);
// fix.c: makes the checksums and numbers of a container right again.
void fuzz_fix(enum image_kind kind, uint8_t *file, size_t size);
// fuzz_image with the input as it is, and once more after fuzz_fix. 0.
int fuzz_image_fixed(const uint8_t *data, size_t size, enum image_kind kind);
// The made images of a kind (IMAGE_AUTO: of all), as seeds.
bool fuzz_image_seed(enum image_kind kind, unsigned i, struct bytes_out *out);
// scripts.c: seed i is head (n bytes) and a script.
bool fuzz_script_seed(unsigned i, const char *head, size_t n, struct bytes_out *out);

#endif
