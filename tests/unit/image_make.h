// Small firmware images of every container, made by code: inputs of the unit tests and seeds of the
// fuzzers.
#ifndef TESTS_UNIT_IMAGE_MAKE_H
#define TESTS_UNIT_IMAGE_MAKE_H

#include "format/bytes.h"
#include "format/image/image.h"

struct image_sample {
    const char *name;
    enum image_kind kind;
    void (*make)(struct bytes_out *out);
    uint64_t add;  // an address where bytes can be added
    uint64_t base; // of a raw image; 0: the container knows
};

extern const struct image_sample image_samples[]; // ends with a NULL name

#endif
