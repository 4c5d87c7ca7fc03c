// A product out of the image of a base and the model of a blob, with the published test keys: what
// the tests of signing and verifying begin with.
#ifndef TESTS_LIB_COMPOSE_H
#define TESTS_LIB_COMPOSE_H

#include "format/blob/blob.h"

struct compose_out {
    struct bytes_out blob; // encoded and signed
    struct bytes_out file; // the product; img is it, too, from then on
};

// Records how the container looked (model->undo, in the arena), gives the room for signatures what
// is missing to img's granule, encodes and signs the blob, and splices it into img. keys: names of
// PEM files, ends with NULL.
enum diag_code compose_product(struct image *img, struct blob *model, const char *const *keys,
                               struct arena *a, struct diag *d, struct compose_out *out);

#endif
