#include "esp_fixture.h"

#include <criterion/criterion.h>

#include "format/blob/blob.h"

void esp_begin(struct esp_bench *b, const struct synth_esp *esp)
{
    struct synth_spec spec = synth_default();
    spec.isa = esp->chip == 5 || esp->chip == 13 ? IMAGE_ISA_RV32 : IMAGE_ISA_XTENSA;
    spec.board = "Made-up module with ESP32";
    spec.esp = esp;
    memset(b, 0, sizeof *b);
    arena_init(&b->arena, 0);
    diag_init(&b->diag);
    synth_make(&spec, &b->synth);
    cr_assert_eq(image_read(b->synth.image.data, b->synth.image.size, "synth", IMAGE_AUTO,
                            &b->arena, &b->diag, &b->image),
                 DIAG_OK, "%s", b->diag.text);
    cr_assert_eq(firmware_scan(b->image, &b->diag, &b->fw), DIAG_OK, "%s", b->diag.text);
    cr_assert_eq(b->image->kind, esp->chip == SYNTH_ESP8266 ? IMAGE_ESP_APP : IMAGE_ESP_FLASH);
    cr_assert_eq(b->fw->content_refs.n, 1);
}

void esp_end(struct esp_bench *b)
{
    arena_free(&b->arena);
    bytes_out_free(&b->synth.image);
}

struct image *esp_product(struct esp_bench *b, const struct splice_plan *plan,
                          struct bytes_out *product)
{
    struct bytes_out encoded;
    struct blob *blob;
    struct image *img;
    bytes_out_init(&encoded);
    bytes_out_init(product);
    cr_assert_eq(blob_write(&plan->blob, &encoded, &b->diag), DIAG_OK);
    cr_assert_eq(blob_read(encoded.data, encoded.size, "b", &b->arena, &b->diag, &blob), DIAG_OK);
    cr_assert_eq(splice_apply(b->synth.image.data, b->synth.image.size, "synth", IMAGE_AUTO, blob,
                              &b->arena, &b->diag, product),
                 DIAG_OK, "%s", b->diag.text);
    cr_assert_eq(
        image_read(product->data, product->size, "p", IMAGE_AUTO, &b->arena, &b->diag, &img),
        DIAG_OK, "%s", b->diag.text);
    bytes_out_free(&encoded);
    return img;
}

void esp_check_base(struct esp_bench *b, const struct bytes_out *product)
{
    struct bytes_out base;
    struct blob *taken;
    bytes_out_init(&base);
    cr_assert_eq(splice_remove(product->data, product->size, "p", IMAGE_AUTO, &b->arena, &b->diag,
                               &taken, &base),
                 DIAG_OK, "%s", b->diag.text);
    cr_assert_eq(base.size, b->synth.image.size);
    cr_assert_arr_eq(base.data, b->synth.image.data, base.size);
    bytes_out_free(&base);
}
