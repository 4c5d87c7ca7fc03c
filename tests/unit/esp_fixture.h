// Made-up images of Espressif chips, scanned and spliced.
#ifndef TESTS_UNIT_ESP_FIXTURE_H
#define TESTS_UNIT_ESP_FIXTURE_H

#include "packer/splice/splice.h"
#include "tests/lib/synth.h"

struct esp_bench {
    struct arena arena;
    struct diag diag;
    struct synth synth;
    struct image *image;
    struct firmware *fw;
};

void esp_begin(struct esp_bench *b, const struct synth_esp *esp);
void esp_end(struct esp_bench *b);
// The product of a plan.
struct image *esp_product(struct esp_bench *b, const struct splice_plan *plan,
                          struct bytes_out *product);
// Taking the blob out of it gives the base again.
void esp_check_base(struct esp_bench *b, const struct bytes_out *product);

#endif
