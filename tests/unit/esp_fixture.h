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

// A body that makes two functions, and these: a native one and one of viper.
extern const struct mpy_code esp_body;
extern struct mpy_code *const esp_children[2];

void esp_begin(struct esp_bench *b, const struct synth_esp *esp);
void esp_end(struct esp_bench *b);
// A module m.py with this body.
enum diag_code esp_plan(struct esp_bench *b, const struct mpy_code *root,
                        struct splice_plan **plan);
// The product of a plan.
struct image *esp_product(struct esp_bench *b, const struct splice_plan *plan,
                          struct bytes_out *product);
// Taking the blob out of it gives the base again.
void esp_check_base(struct esp_bench *b, const struct bytes_out *product);

uint64_t esp_word(const struct image *img, uint64_t addr);
// The product's own tables name m.py; read back, it is what it was.
struct mpy_module *esp_read_back(struct esp_bench *b, struct image *img,
                                 const struct fw_module **module);

#endif
