// A small product in any container, made with the project's own parts: a base of some hundred
// bytes, a blob with two patches, signatures by the published test keys.
#ifndef TESTS_UNIT_PRODUCT_FIXTURE_H
#define TESTS_UNIT_PRODUCT_FIXTURE_H

#include "format/blob/blob.h"
#include "verify/host/verify.h"

enum {
    PRODUCT_BASE_ADDR = 0x8000,
    PRODUCT_BASE_SIZE = 1100,
    PRODUCT_BLOB_ADDR = 0x8500,
    PRODUCT_NAME = 46, // where the payload has the module's name
};

struct product {
    struct arena arena;
    struct diag diag;
    struct bytes_out base; // file
    struct bytes_out blob; // encoded
    struct bytes_out list; // of the modules, as a file
    struct bytes_out file; // the product
    struct blob model;
    struct blob_patch patches[2];
    struct blob_module module;
};

// It ends with the module's name.
extern const uint8_t product_payload[];
extern const unsigned product_payload_size;

// Base and model in this container; change the model before product_make.
void product_init(struct product *p, enum image_kind kind);
// The same with another fill in the base than 0xff.
void product_init_fill(struct product *p, enum image_kind kind, uint8_t fill);
// Encodes and signs the blob with these keys ("p256", ...; ends with NULL) and splices it.
void product_make(struct product *p, const char *const *keys);
// Where the signatures of a product as raw binary are.
uint8_t *product_signatures(const struct product *p);
void product_free(struct product *p);
// The public test key of this name.
struct verify_key *product_key(const char *name);
// Verifies data with the public test keys of these names (allowed here).
enum verify_result product_verify(const void *data, size_t size, const char *const *keys,
                                  struct verify_report *report);
// The same with the list of its modules at hand, unless that is NULL.
enum verify_result product_verify_list(const void *data, size_t size, const char *const *keys,
                                       const struct bytes_out *list, struct verify_report *report);

#endif
