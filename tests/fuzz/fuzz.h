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
#include "packer/sign/sign.h"
#include "packer/splice/splice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
// Appends seed i to out; false behind the last one. Optional.
bool fuzz_seed(unsigned i, struct bytes_out *out) __attribute__((weak));

// libFuzzer's own, which also those call who have no libFuzzer: NULL there.
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

// Nesting that the stack of a sanitizer build holds.
enum { FUZZ_DEPTH = 2000 };

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

// mpys.c: .mpy files of all releases, with machine code and without; half of the mutations keep the
// form of the file.
bool fuzz_mpy_seed(unsigned i, struct bytes_out *out);
size_t fuzz_mpy_mutate(uint8_t *data, size_t size, size_t max, unsigned seed);

// splice.c: what a product is made of.
struct fuzz_base {
    struct bytes_out file;
    enum image_kind kind;
    enum image_machine machine; // as an ELF file has to say
};
// The firmware of s in a container of its own or, for IMAGE_AUTO, as it is. false if the container
// cannot hold it.
bool fuzz_base(const struct bytes_out *s, enum image_kind kind, enum image_machine machine,
               struct arena *a, struct fuzz_base *out);
// The machine code that a made-up firmware takes.
enum mpy_arch fuzz_arch(enum image_machine machine);
// The scan of a firmware that is right.
struct firmware *fuzz_scan(const uint8_t *data, size_t size, enum image_kind kind, struct arena *a);
// A .mpy file as build takes it: checked, and with the name of the file that it becomes.
bool fuzz_load_mpy(const uint8_t *data, size_t size, const char *name, struct arena *a,
                   struct mpy_module **out);
// Freezes one module into it; without a key the product is unsigned. product is empty before. What
// is made must prove right.
enum diag_code fuzz_splice(const struct fuzz_base *base, const struct freeze_input *in,
                           const struct sign_key *key, struct arena *a, struct diag *d,
                           struct bytes_out *product);

#endif
