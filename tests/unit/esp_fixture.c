#include "esp_fixture.h"

#include <criterion/criterion.h>

#include "format/blob/blob.h"

// The children are a native function whose prelude is at 12, a viper function.
static const uint8_t native_bytes[] = {0,    0,    0,    0,    0x13, 0, 0, 0,
                                       0x82, 0x80, 0x01, 0x00, 0x18, 2, 2};
static const uint8_t viper_bytes[] = {0x13, 0, 0, 0, 0x82, 0x80, 0x01, 0x00};
static const uint8_t body_bytes[] = {0x10, 0x02, 0x01, 0x32, 0x00, 0x59,
                                     0x32, 0x01, 0x59, 0x51, 0x63};
static struct mpy_code native = {.kind = MPY_CODE_NATIVE,
                                 .data = native_bytes,
                                 .size = sizeof native_bytes,
                                 .machine = &(struct mpy_machine){.prelude_offset = 12}};
static struct mpy_code viper = {.kind = MPY_CODE_VIPER,
                                .data = viper_bytes,
                                .size = sizeof viper_bytes,
                                .machine = &(struct mpy_machine){0}};
struct mpy_code *const esp_children[2] = {&native, &viper};
const struct mpy_code esp_body = {
    .data = body_bytes, .size = sizeof body_bytes, .n_children = 2, .children = esp_children};

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

enum diag_code esp_plan(struct esp_bench *b, const struct mpy_code *root, struct splice_plan **plan)
{
    static const struct mpy_qstr qstrs[] = {
        {"m.py", 4, 0}, {"<module>", 8, 7}, {"middle", 6, 0}, {"inner", 5, 0}};
    struct mpy_module m = {.small_int_bits = 31,
                           .arch = b->fw->mpy_arch,
                           .sub_version = b->fw->profile->mpy_sub_version,
                           .n_qstr = 4,
                           .qstrs = qstrs,
                           .root = root};
    struct splice_module in = {
        .in = {.kind = FW_MODULE_MPY, .name = "m.py", .file = "m.mpy", .mpy = &m}};
    return splice_plan(b->fw, &in, 1, &(struct splice_options){0}, &b->arena, &b->diag, plan);
}

uint64_t esp_word(const struct image *img, uint64_t addr)
{
    uint64_t value;
    cr_assert(image_word(img, addr, 4, &value), "0x%llx", (unsigned long long)addr);
    return value;
}

static const struct fw_module *find_module(const struct firmware *fw)
{
    for (unsigned i = 0; i < fw->n_modules; i++) {
        if (strcmp(fw->modules[i].name, "m.py") == 0) {
            return &fw->modules[i];
        }
    }
    cr_assert_fail("the module is not in the product");
    return NULL;
}

// The product's own tables name the module; read back, it is what it was.
struct mpy_module *esp_read_back(struct esp_bench *b, struct image *img,
                                 const struct fw_module **module)
{
    struct firmware *fw;
    struct mpy_module *m;
    cr_assert_eq(firmware_scan(img, &b->diag, &fw), DIAG_OK, "%s", b->diag.text);
    *module = find_module(fw);
    cr_assert_eq(firmware_unfreeze(fw, *module, &b->arena, &b->diag, &m), DIAG_OK, "%s",
                 b->diag.text);
    return m;
}
