// Espressif chips: which images run machine code from the flash that frozen modules go to, at which
// addresses it runs there, and the free flash of the ESP8266.
#include <criterion/criterion.h>

#include "esp_fixture.h"

enum { NATMOD_TEXT = 16 };

// A native module: word 1 of its text gets the text's address, word 2 that of the qstr table.
static const uint8_t natmod_text[NATMOD_TEXT] = {0x13, 0, 0, 0, 8};
static const uint8_t natmod_relocs[] = {0 << 1 | 1, 1 << 1, 6 << 1, 0xff};

static const struct {
    struct synth_esp esp;
    uint64_t shift;  // from where a byte of the constants is read to where it is executed
    const char *why; // what the refusal says; NULL: none
} cases[] = {
    {{.chip = SYNTH_ESP8266, .idf = "", .user_start = 0x90000}, 0, NULL},
    {{.chip = 9, "v5.4.2", false, SYNTH_MAPPER}, 0x06000000, NULL},
    {{.chip = 5, "v5.2.2", false, SYNTH_MAPPER, .protect = SYNTH_PROTECT_TOR}, 0x06000000, NULL},
    {{.chip = 13, "v5.4.2", false, SYNTH_MAPPER, .protect = SYNTH_PROTECT_WINDOW}, 0, NULL},
    // Machine mode is bound by locked entries alone.
    {{.chip = 13, "v5.4.2", false, SYNTH_MAPPER, .protect = SYNTH_PROTECT_UNLOCKED}, 0, NULL},
    {{.chip = 13, "v5.4.2", false, SYNTH_MAPPER, .protect = SYNTH_PROTECT_SPLIT},
     0,
     "protects the flash"},
    {{.chip = 13, "v5.4.2", false, SYNTH_MAPPER, .protect = SYNTH_PROTECT_NONE},
     0,
     "not understood"},
    {{.chip = 5, "v5.2.2", false, SYNTH_MAPPER, .protect = SYNTH_PROTECT_RESTORE},
     0,
     "not understood"},
};

Test(esp_code, runs_only_where_the_chip_and_the_firmware_let_it)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct esp_bench b;
        struct splice_plan *plan;
        esp_begin(&b, &cases[i].esp);
        cr_assert_eq(b.fw->code_runs, cases[i].why ? FW_NO : FW_YES, "case %u: %s", i,
                     b.fw->code_why ? b.fw->code_why : "");
        enum diag_code err = esp_plan(&b, &esp_body, &plan);
        cr_assert_eq(err, cases[i].why ? DIAG_NO : DIAG_OK, "case %u: %s", i, b.diag.text);
        cr_assert(!err || strstr(b.diag.text, cases[i].why), "case %u: %s", i, b.diag.text);
        esp_end(&b);
    }
}

// A raw code: its machine code is named where it runs and lies shift below; what is read of it, the
// prelude, is named where it lies.
static void check_raw(const struct image *img, uint64_t raw, uint64_t shift,
                      const struct mpy_code *was)
{
    uint64_t run = esp_word(img, raw + 4), at = run - shift;
    const uint8_t *bytes = image_run_bytes(img, at, was->size);
    cr_assert_not_null(bytes, "0x%llx", (unsigned long long)run);
    cr_assert_arr_eq(bytes, was->data, was->size);
    cr_assert_eq(image_code_address(img, at, was->size, at), run);
    cr_assert_eq(image_code_data(img, run), at);
    if (was->kind == MPY_CODE_NATIVE) {
        cr_assert_eq(esp_word(img, raw + 8), at + mpy_machine(was)->prelude_offset);
    }
}

Test(esp_code, is_frozen_to_run_in_the_window_for_code)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct esp_bench b;
        struct splice_plan *plan;
        struct bytes_out product;
        const struct fw_module *module;
        if (cases[i].why) {
            continue;
        }
        esp_begin(&b, &cases[i].esp);
        cr_assert_eq(esp_plan(&b, &esp_body, &plan), DIAG_OK, "case %u: %s", i, b.diag.text);
        struct image *img = esp_product(&b, plan, &product);
        struct mpy_module *m = esp_read_back(&b, img, &module);
        uint64_t table = esp_word(img, module->code + 8);
        for (unsigned k = 0; k < 2; k++) {
            check_raw(img, esp_word(img, table + 4 * k), cases[i].shift, esp_children[k]);
            cr_assert_eq(m->root->children[k]->kind, esp_children[k]->kind);
            cr_assert_arr_eq(m->root->children[k]->data, esp_children[k]->data,
                             esp_children[k]->size);
        }
        esp_check_base(&b, &product);
        bytes_out_free(&product);
        esp_end(&b);
    }
}

Test(esp_code, words_of_a_native_module_name_its_text_where_it_runs)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct esp_bench b;
        struct splice_plan *plan;
        struct bytes_out product;
        const struct fw_module *module;
        struct mpy_machine machine = {
            .scope_flags = 0x10, .relocs = natmod_relocs, .relocs_size = sizeof natmod_relocs};
        const struct mpy_code natmod = {
            .kind = MPY_CODE_VIPER, .data = natmod_text, .size = NATMOD_TEXT, .machine = &machine};
        if (cases[i].why) {
            continue;
        }
        esp_begin(&b, &cases[i].esp);
        enum diag_code err = esp_plan(&b, &natmod, &plan);
        if (b.fw->isa == IMAGE_ISA_RV32 && cases[i].shift) { // constants lie among the code
            cr_assert_eq(err, DIAG_NO, "case %u", i);
            cr_assert(strstr(b.diag.text, "whole words"), "case %u: %s", i, b.diag.text);
            esp_end(&b);
            continue;
        }
        cr_assert_eq(err, DIAG_OK, "case %u: %s", i, b.diag.text);
        struct image *img = esp_product(&b, plan, &product);
        struct mpy_module *m = esp_read_back(&b, img, &module);
        uint64_t run = esp_word(img, module->code + 4), at = run - cases[i].shift;
        cr_assert_eq(esp_word(img, at + 4), run + 8, "case %u", i);
        cr_assert_eq(esp_word(img, at + 8), module->qstr_table, "case %u", i);
        cr_assert_eq(m->root->size, NATMOD_TEXT);
        cr_assert_arr_eq(m->root->data, natmod_text, NATMOD_TEXT, "case %u", i);
        esp_check_base(&b, &product);
        bytes_out_free(&product);
        esp_end(&b);
    }
}

// --- the ESP8266

static const struct {
    struct synth_esp esp;
    bool known;
} flashes[] = {
    {{.chip = SYNTH_ESP8266, .idf = "", .user_start = 0x90000}, true},
    {{.chip = SYNTH_ESP8266, .idf = "", .user_start = 0x90000, .no_sum = true}, true},
    {{.chip = SYNTH_ESP8266, .idf = "", .user_start = 0x100000}, true},
    // No function, and values that no build has.
    {{.chip = SYNTH_ESP8266, .idf = ""}, false},
    {{.chip = SYNTH_ESP8266, .idf = "", .user_start = 0x30000}, false},
    {{.chip = SYNTH_ESP8266, .idf = "", .user_start = 0x90010}, false},
    {{.chip = SYNTH_ESP8266, .idf = "", .user_start = 0x200000}, false},
};

Test(esp_code, flash_of_the_esp8266_is_free_up_to_the_file_system)
{
    for (unsigned i = 0; i < sizeof flashes / sizeof *flashes; i++) {
        struct esp_bench b;
        struct splice_plan *plan;
        esp_begin(&b, &flashes[i].esp);
        uint64_t from = (b.synth.data_end + 15) & ~(uint64_t)15;
        uint64_t to = 0x40200000 + (uint64_t)flashes[i].esp.user_start - 16; // the MD5 behind
        cr_assert_eq(b.fw->n_free, flashes[i].known, "case %u", i);
        cr_assert_eq(esp_plan(&b, &esp_body, &plan), flashes[i].known ? DIAG_OK : DIAG_NO,
                     "case %u", i);
        if (flashes[i].known) {
            cr_assert_eq(b.fw->free[0].addr, from, "case %u", i);
            cr_assert_eq(from + b.fw->free[0].size, to, "case %u", i);
            cr_assert_eq(plan->blob.addr, from);
        } else {
            cr_assert(strstr(b.diag.text, "no free space"), "case %u: %s", i, b.diag.text);
        }
        esp_end(&b);
    }
}
