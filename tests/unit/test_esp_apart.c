// The ESP32 and the ESP32-S2 map code apart from constants: machine code of frozen modules goes
// behind the program's own, in the last page that the boot loader maps for it.
#include <criterion/criterion.h>

#include "esp_fixture.h"
#include "format/image/esp.h"
#include "packer/sign/sign.h"
#include "product_fixture.h"

enum { CODE_MAX = 0x20000, CODE_ALIGN = 16 };

static const struct synth_esp chips[] = {{.chip = 0, "v5.2.2", false, SYNTH_MAPPER},
                                         {.chip = 2, "v5.2.2", false, SYNTH_MAPPER},
                                         {.chip = 0, "v4.4.4", false, 0}};
enum { CHIPS = sizeof chips / sizeof *chips };
static const char *const keys[] = {"p256", NULL};

static const uint8_t *bytes_at(const struct image *img, uint64_t addr, uint64_t size)
{
    const uint8_t *p = image_run_bytes(img, addr, size);
    cr_assert_not_null(p, "0x%llx", (unsigned long long)addr);
    return p;
}

// The code lies where it runs, aligned; what is read of it by bytes is a copy among the constants.
static void check_raw(const struct esp_bench *b, const struct image *img, uint64_t raw,
                      const struct mpy_code *was)
{
    uint64_t run = esp_word(img, raw + 4);
    cr_assert_geq(run, b->fw->code_at);
    cr_assert_eq(run % 4, 0);
    cr_assert_arr_eq(bytes_at(img, run, was->size), was->data, was->size);
    cr_assert_str_eq(image_at(img, run)->name, "IROM");
    if (was->kind == MPY_CODE_NATIVE) {
        uint32_t at = mpy_machine(was)->prelude_offset;
        uint64_t prelude = esp_word(img, raw + 8);
        cr_assert_str_eq(image_at(img, prelude)->name, "DROM");
        cr_assert_arr_eq(bytes_at(img, prelude, was->size - at), was->data + at, was->size - at);
    }
}

struct frozen { // a body that was frozen for one of the chips, and read back
    struct esp_bench b;
    struct splice_plan *plan;
    struct bytes_out product;
    struct image *img; // the product
    const struct fw_module *module;
    struct mpy_module *mpy;
};

static void frozen_begin(struct frozen *f, unsigned chip, const struct mpy_code *body)
{
    esp_begin(&f->b, &chips[chip]);
    cr_assert_eq(f->b.fw->code_runs, FW_YES, "chip %u", chip);
    cr_assert_eq((f->b.fw->code_at + f->b.fw->code_room) % ESP_PAGE, 0, "chip %u", chip);
    cr_assert_eq(esp_plan(&f->b, body, &f->plan), DIAG_OK, "chip %u: %s", chip, f->b.diag.text);
    f->img = esp_product(&f->b, f->plan, &f->product);
    f->mpy = esp_read_back(&f->b, f->img, &f->module);
}

static void frozen_end(struct frozen *f)
{
    esp_check_base(&f->b, &f->product);
    bytes_out_free(&f->product);
    esp_end(&f->b);
}

Test(esp_apart, code_lies_behind_the_programs_own_and_what_is_read_of_it_among_the_constants)
{
    for (unsigned i = 0; i < CHIPS; i++) {
        struct frozen f;
        frozen_begin(&f, i, &esp_body);
        uint64_t table = esp_word(f.img, f.module->code + 8);
        for (unsigned k = 0; k < 2; k++) {
            const struct mpy_code *was = esp_children[k], *is = f.mpy->root->children[k];
            check_raw(&f.b, f.img, esp_word(f.img, table + 4 * k), was);
            cr_assert_eq(is->kind, was->kind);
            cr_assert_eq(is->size, was->size);
            cr_assert_arr_eq(is->data, was->data, was->size);
        }
        frozen_end(&f);
    }
}

Test(esp_apart, words_of_a_native_module_are_relocated_in_the_code)
{
    static const uint8_t text[16] = {0x13, 0, 0, 0, 8};
    static const uint8_t relocs[] = {0 << 1 | 1, 1 << 1, 6 << 1, 0xff}; // text, then qstr table
    struct mpy_machine machine = {
        .scope_flags = 0x10, .relocs = relocs, .relocs_size = sizeof relocs};
    const struct mpy_code natmod = {
        .kind = MPY_CODE_VIPER, .data = text, .size = sizeof text, .machine = &machine};
    for (unsigned i = 0; i < CHIPS; i++) {
        struct frozen f;
        frozen_begin(&f, i, &natmod);
        uint64_t run = esp_word(f.img, f.module->code + 4);
        cr_assert_str_eq(image_at(f.img, run)->name, "IROM");
        cr_assert_eq(run % CODE_ALIGN, 0);
        cr_assert_eq(esp_word(f.img, run + 4), run + 8);
        cr_assert_eq(esp_word(f.img, run + 8), f.module->qstr_table);
        cr_assert_eq(f.mpy->root->size, sizeof text);
        cr_assert_arr_eq(f.mpy->root->data, text, sizeof text);
        frozen_end(&f);
    }
}

static enum diag_code plan_viper(struct esp_bench *b, uint64_t size, struct splice_plan **plan)
{
    static uint8_t bytes[CODE_MAX] = {0x13, 0, 0, 0, 0x82, 0x80};
    struct mpy_code *viper = ARENA_NEW(&b->arena, struct mpy_code);
    struct mpy_code **children = ARENA_ARRAY(&b->arena, struct mpy_code *, 2);
    struct mpy_code body = esp_body;
    cr_assert_leq(size, CODE_MAX);
    *viper = *esp_children[1];
    viper->data = bytes;
    viper->size = (uint32_t)size;
    children[0] = esp_children[0];
    children[1] = viper;
    body.children = children;
    return esp_plan(b, &body, plan);
}

Test(esp_apart, code_fills_the_last_page_and_no_more)
{
    for (unsigned i = 0; i < CHIPS; i++) {
        struct esp_bench b;
        struct splice_plan *plan;
        struct bytes_out product;
        esp_begin(&b, &chips[i]);
        uint64_t other = (esp_children[0]->size + 3u) & ~3u;
        uint64_t room = b.fw->code_room - (-b.fw->code_at % CODE_ALIGN) - other;
        cr_assert_eq(plan_viper(&b, room, &plan), DIAG_OK, "chip %u: %s", i, b.diag.text);
        struct image *img = esp_product(&b, plan, &product);
        cr_assert_eq(img->code_end, b.fw->code_at + b.fw->code_room, "chip %u", i);
        esp_check_base(&b, &product);
        cr_assert_eq(plan_viper(&b, room + 1, &plan), DIAG_NO, "chip %u", i);
        cr_assert(strstr(b.diag.text, "4 bytes are missing"), "chip %u: %s", i, b.diag.text);
        bytes_out_free(&product);
        esp_end(&b);
    }
}

// What needs no machine code leaves the program's own alone.
Test(esp_apart, without_machine_code_nothing_is_added_to_the_code)
{
    struct esp_bench b;
    struct splice_plan *plan;
    struct bytes_out product;
    static const uint8_t bytes[] = {0x08, 0x02, 0x01, 0x51, 0x63};
    const struct mpy_code plain = {.kind = MPY_CODE_BYTECODE, .data = bytes, .size = sizeof bytes};
    esp_begin(&b, &chips[0]);
    cr_assert_eq(esp_plan(&b, &plain, &plan), DIAG_OK, "%s", b.diag.text);
    cr_assert_eq(plan->blob.code.size, 0);
    cr_assert_eq(plan->blob.segment_flags, IMAGE_R);
    struct image *img = esp_product(&b, plan, &product);
    cr_assert_eq(img->code_end, b.fw->code_at);
    bytes_out_free(&product);
    esp_end(&b);
}

// --- what a verifier sees

static void sign_product(struct esp_bench *b, const struct blob *model, struct bytes_out *product)
{
    struct bytes_out encoded;
    struct sign_key *key;
    struct blob *blob;
    const struct sign_passphrase none = {0};
    bytes_out_init(&encoded);
    bytes_out_init(product);
    cr_assert_eq(blob_write(model, &encoded, &b->diag), DIAG_OK);
    cr_assert_eq(sign_key_read("tests/keys/p256.pem", &none, &b->arena, &b->diag, &key), DIAG_OK);
    cr_assert_eq(sign_blob(encoded.data, encoded.size, key, &b->diag), DIAG_OK);
    sign_key_free(key);
    cr_assert_eq(blob_read(encoded.data, encoded.size, "b", &b->arena, &b->diag, &blob), DIAG_OK);
    cr_assert_eq(splice_apply(b->synth.image.data, b->synth.image.size, "synth", IMAGE_AUTO, blob,
                              &b->arena, &b->diag, product),
                 DIAG_OK, "%s", b->diag.text);
    bytes_out_free(&encoded);
}

// Each byte of the run, and of what surrounds it, changed with all sums made right.
static void flip_code(struct esp_bench *b, const struct bytes_out *file, uint64_t at, uint64_t end)
{
    for (; at < end; at++) {
        struct verify_report report;
        struct bytes_out changed;
        struct image *img;
        bytes_out_init(&changed);
        cr_assert_eq(image_read(file->data, file->size, "p", IMAGE_AUTO, &b->arena, NULL, &img),
                     DIAG_OK);
        uint8_t byte = *bytes_at(img, at, 1) ^ 0x40;
        cr_assert_eq(image_poke(img, at, &byte, 1, NULL), DIAG_OK);
        cr_assert_eq(image_write(img, &changed, NULL), DIAG_OK);
        cr_assert_eq(product_verify(changed.data, changed.size, keys, &report), VERIFY_ALTERED_BASE,
                     "0x%llx", (unsigned long long)at);
        bytes_out_free(&changed);
    }
}

Test(esp_apart, every_byte_of_the_code_is_proven_in_both_containers)
{
    struct esp_bench b;
    struct splice_plan *plan;
    struct bytes_out product, app;
    struct verify_report report;
    struct image *img;
    const struct image_target to = {.kind = IMAGE_ESP_APP};
    bytes_out_init(&app);
    esp_begin(&b, &chips[0]);
    cr_assert_eq(esp_plan(&b, &esp_body, &plan), DIAG_OK);
    const struct blob_code *c = &plan->blob.code;
    sign_product(&b, &plan->blob, &product);
    cr_assert_eq(product_verify(product.data, product.size, keys, &report), VERIFY_VERIFIED, "%s",
                 report.detail);
    cr_assert_eq(report.proof, VERIFY_PROVES_FILE);
    cr_assert_eq(image_read(product.data, product.size, "p", IMAGE_AUTO, &b.arena, NULL, &img),
                 DIAG_OK);
    cr_assert_eq(image_convert(img, &to, &app, &b.diag), DIAG_OK, "%s", b.diag.text);
    cr_assert_eq(product_verify(app.data, app.size, keys, &report), VERIFY_VERIFIED, "%s",
                 report.detail);
    cr_assert_eq(report.proof, VERIFY_PROVES_SPACE);
    flip_code(&b, &product, c->addr - 4, c->addr + c->size);
    flip_code(&b, &app, c->addr - 4, c->addr + c->size);
    bytes_out_free(&product);
    bytes_out_free(&app);
    esp_end(&b);
}

// --- blobs that contradict themselves

static enum diag_code write_and_read(struct esp_bench *b, const struct blob *model)
{
    struct bytes_out encoded;
    struct blob *blob;
    bytes_out_init(&encoded);
    cr_assert_eq(blob_write(model, &encoded, &b->diag), DIAG_OK, "%s", b->diag.text);
    enum diag_code err = blob_read(encoded.data, encoded.size, "b", &b->arena, &b->diag, &blob);
    bytes_out_free(&encoded);
    return err;
}

Test(esp_apart, a_blob_that_does_not_say_where_its_code_is_is_malformed)
{
    struct esp_bench b;
    struct splice_plan *plan;
    struct blob model;
    esp_begin(&b, &chips[0]);
    cr_assert_eq(esp_plan(&b, &esp_body, &plan), DIAG_OK);
    cr_assert_eq(write_and_read(&b, &plan->blob), DIAG_OK);
    for (unsigned i = 0; i < 5; i++) {
        uint8_t head[BLOB_CODE_HEAD] = {0};
        model = plan->blob;
        model.code.addr += i == 0 ? 4 : 0;
        model.code.size += i == 1 ? 4 : 0;
        if (i >= 2) { // nothing there; cut off; a record that is longer than the section
            model.code.size = 0;
            model.undo = head;
            model.undo_size = i == 2 ? 0 : i == 3 ? BLOB_CODE_HEAD - 1 : BLOB_CODE_HEAD;
            st64(head, plan->blob.code.addr);
            st32(head + 8, plan->blob.code.size);
            st32(head + 12, 1);
        }
        cr_assert_eq(write_and_read(&b, &model), DIAG_MALFORMED, "case %u", i);
        cr_assert(strstr(b.diag.text, "machine code"), "case %u: %s", i, b.diag.text);
    }
    struct blob_patch *patches =
        arena_dup(&b.arena, plan->blob.patches, plan->blob.n_patches * sizeof *patches);
    for (uint32_t i = 0; i < plan->blob.n_patches; i++) {
        if (patches[i].addr == plan->blob.code.addr) { // the base had something there
            patches[i].old_bytes = patches[i].new_bytes;
        }
    }
    model = plan->blob;
    model.patches = patches;
    cr_assert_eq(write_and_read(&b, &model), DIAG_MALFORMED);
    esp_end(&b);
}
