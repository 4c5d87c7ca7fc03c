// The scan and the splice over made-up firmware of every release, instruction set and layout
// option: what was put into the image is found, and a splice of it proves and comes out again.
#include <criterion/criterion.h>
#include <stdio.h>

#include "format/blob/blob.h"
#include "packer/compiler/compiler.h"
#include "packer/splice/splice.h"
#include "tests/lib/synth.h"

struct bench {
    struct arena arena;
    struct diag diag;
    struct synth synth;
    struct image *image;
    struct firmware *fw;
};

static enum diag_code scan(struct bench *b, const struct synth_spec *spec)
{
    memset(b, 0, sizeof *b);
    arena_init(&b->arena, 0);
    diag_init(&b->diag);
    synth_make(spec, &b->synth);
    enum diag_code err = image_read(b->synth.image.data, b->synth.image.size, "synth.bin",
                                    IMAGE_BIN, &b->arena, &b->diag, &b->image);
    return err ? err : firmware_scan(b->image, &b->diag, &b->fw);
}

static void end(struct bench *b)
{
    arena_free(&b->arena);
    bytes_out_free(&b->synth.image);
}

static void check_found(const struct bench *b, const struct synth_spec *spec)
{
    const struct firmware *fw = b->fw;
    cr_expect_eq(b->image->segments[0].addr, SYNTH_BASE);
    cr_expect_eq(fw->minor, spec->minor);
    cr_expect_eq(fw->isa, spec->isa);
    cr_expect_eq(fw->repr, spec->repr);
    cr_expect_eq(fw->float_kind, spec->float_kind);
    cr_expect_eq(fw->longint, spec->longint);
    cr_expect_eq(fw->immediate_objs, spec->immediates ? FW_YES : FW_NO);
    cr_expect_eq(fw->qstr_hash_bytes, spec->hash_bytes);
    cr_expect_eq(fw->qstr_len_bytes, spec->len_bytes);
    cr_expect_eq(fw->n_qstrs, b->synth.n_qstrs);
    cr_expect_eq(fw->objects[FW_TYPE_STR], b->synth.type_str);
    cr_expect_eq(fw->names, b->synth.names);
    cr_expect_eq(fw->content, b->synth.content);
    cr_expect_eq(fw->pools[fw->n_pools - 1].addr, b->synth.last_pool);
    cr_expect_eq(fw->n_modules, spec->frozen == SYNTH_NOTHING ? 0 : 2);
    cr_expect_eq(fw->n_str, spec->frozen == SYNTH_SOURCES ? 2 : 0);
    if (spec->frozen == SYNTH_MODULES) {
        cr_expect_eq(fw->modules[1].addr, b->synth.modules[1]);
    }
    cr_expect_eq(fw->names_refs.n, 2);
    cr_expect_eq(fw->content_refs.n, 1);
    cr_expect_eq(fw->pool_refs.n, 3);
    cr_expect_eq(fw->find_frozen_function, b->synth.lookup);
    cr_expect_eq(fw->str_sizes, b->synth.sizes);
    cr_expect_eq(fw->str_content, b->synth.texts);
    cr_expect_eq(fw->str_sizes_refs.n, spec->sources);
    cr_expect_eq(fw->str_content_refs.n, spec->sources);
    cr_expect_eq(fw->native, FW_YES);
    cr_expect_str_eq(fw->board, spec->board);
}

// A module that returns None and has a long string constant; small ints of 30 bits (REPR_B's).
static const uint8_t module_mpy[] = "M\x06\x00\x1e\x02\x01"
                                    "\x0cnew.py\0"
                                    "\x0f"
                                    "\x05\x10"
                                    "a constant text.\0"
                                    "\x28\x00\x02\x01\x51\x63";

// How the references to the last qstr pool are lost before the splice.
enum loss { LOSS_NONE, LOSS_ALL, LOSS_SOME, LOSS_OUT_OF_REACH };

static void lose(struct bench *b, enum loss loss)
{
    struct fw_refs *refs = &b->fw->pool_refs;
    if (loss == LOSS_OUT_OF_REACH) {
        refs->refs[0].kind = FW_REF_ADR;
        refs->refs[0].addr = b->fw->names;
    } else if (loss != LOSS_NONE) {
        refs->n = loss == LOSS_ALL ? 0 : refs->n - 1;
    }
}

// The product as a stranger reads it: the chain ends where the firmware's did, or behind it, and
// every string is there once, old ones under their old ids.
static uint64_t check_pools(struct bench *b, const struct bytes_out *product, bool in_place)
{
    struct image *img;
    struct firmware *fw;
    cr_assert_eq(
        image_read(product->data, product->size, "p.bin", IMAGE_BIN, &b->arena, &b->diag, &img),
        DIAG_OK);
    cr_assert_eq(firmware_scan(img, &b->diag, &fw), DIAG_OK, "%s", b->diag.text);
    uint64_t last = fw->pools[fw->n_pools - 1].addr;
    cr_assert_eq(last == b->synth.last_pool, in_place);
    cr_assert_eq(fw->pool_refs.n, 3);
    cr_assert_eq(fw->n_qstrs, b->fw->n_qstrs + 2);
    for (unsigned i = 1; i < b->fw->n_qstrs; i++) {
        const struct fw_qstr *q = &b->fw->qstrs[i];
        cr_assert_eq(firmware_qstr(fw, q->data, q->len), q->len ? i : 1, "%s", q->data);
    }
    cr_assert(firmware_qstr(fw, "new.py", 6) >= b->fw->n_qstrs);
    cr_assert(firmware_qstr(fw, "a constant text.", 16) >= b->fw->n_qstrs);
    return last;
}

static void make_product(struct bench *b, const struct splice_module *in, struct bytes_out *product)
{
    struct splice_plan *plan;
    struct blob *blob;
    struct bytes_out encoded;
    bytes_out_init(&encoded);
    bytes_out_init(product);
    enum diag_code err =
        splice_plan(b->fw, in, 1, &(struct splice_options){0}, &b->arena, &b->diag, &plan);
    cr_assert_eq(err, DIAG_OK, "%s", b->diag.text);
    err = blob_write(&plan->blob, &encoded, &b->diag);
    err = err ? err : blob_read(encoded.data, encoded.size, "blob", &b->arena, &b->diag, &blob);
    err = err ? err
              : splice_apply(b->synth.image.data, b->synth.image.size, "synth.bin", IMAGE_BIN, blob,
                             &b->arena, &b->diag, product);
    cr_assert_eq(err, DIAG_OK, "%s", b->diag.text);
    bytes_out_free(&encoded);
}

// The address of the product's last pool.
static uint64_t check_splice(struct bench *b, enum loss loss)
{
    struct mpy_module *mpy;
    struct blob *taken;
    struct bytes_out product, base;
    bytes_out_init(&base);
    cr_assert_eq(mpy_read(module_mpy, sizeof module_mpy - 1, "new.mpy", &b->arena, &b->diag, &mpy),
                 DIAG_OK, "%s", b->diag.text);
    struct splice_module in = {
        .in = {.kind = FW_MODULE_MPY, .name = "new.py", .file = "new.mpy", .mpy = mpy}};
    lose(b, loss);
    make_product(b, &in, &product);
    uint64_t last = check_pools(b, &product, loss != LOSS_NONE);
    enum diag_code err = splice_remove(product.data, product.size, "product.bin", IMAGE_BIN,
                                       &b->arena, &b->diag, &taken, &base);
    cr_assert_eq(err, DIAG_OK, "%s", b->diag.text);
    cr_assert_eq(base.size, b->synth.image.size);
    cr_assert_arr_eq(base.data, b->synth.image.data, base.size);
    bytes_out_free(&product);
    bytes_out_free(&base);
    return last;
}

static void round_trip_without(const struct synth_spec *spec, enum loss loss)
{
    struct bench b;
    cr_assert_eq(scan(&b, spec), DIAG_OK, "1.%u %s: %s", spec->minor, fw_isa_name(spec->isa),
                 b.diag.text);
    check_found(&b, spec);
    check_splice(&b, loss);
    end(&b);
}

static void round_trip(const struct synth_spec *spec)
{
    round_trip_without(spec, LOSS_NONE);
}

Test(synth, every_release_and_instruction_set)
{
    static const enum image_machine isas[] = {IMAGE_ISA_THUMB, IMAGE_ISA_ARM, IMAGE_ISA_RV32,
                                              IMAGE_ISA_XTENSA};
    for (unsigned minor = 19; minor <= 29; minor++) {
        for (unsigned i = 0; i < sizeof isas / sizeof *isas; i++) {
            struct synth_spec spec = synth_default();
            spec.minor = minor;
            spec.isa = isas[i];
            round_trip(&spec);
        }
    }
}

// Stock code may hold an address at which a product has its pool; that is no reference to it.
Test(synth, addresses_behind_the_stock_data)
{
    struct synth_spec spec = synth_default();
    spec.isa = IMAGE_ISA_RV32;
    spec.stray = 0x09000000;
    uint64_t last = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct bench b;
        cr_assert_eq(scan(&b, &spec), DIAG_OK, "%s", b.diag.text);
        uint64_t now = check_splice(&b, LOSS_NONE);
        cr_assert(!i || now == last);
        last = now;
        spec.stray = (uint32_t)last;
        end(&b);
    }
}

// The last qstr pool is swapped where it is when the code that refers to it is not known.
Test(synth, the_last_pool_is_swapped_in_place_when_no_reference_is_known)
{
    for (unsigned minor = 19; minor <= 29; minor++) {
        struct synth_spec spec = synth_default();
        spec.minor = minor;
        round_trip_without(&spec, LOSS_ALL);
        spec.frozen = SYNTH_NOTHING; // an empty pool is kept, with the new one before it
        round_trip_without(&spec, LOSS_ALL);
    }
    struct synth_spec spec = synth_default();
    spec.hash_bytes = 0;
    spec.len_bytes = 2;
    round_trip_without(&spec, LOSS_ALL);
    spec = synth_default();
    spec.isa = IMAGE_ISA_RV32;
    round_trip_without(&spec, LOSS_ALL);
}

Test(synth, the_last_pool_is_swapped_in_place_when_a_word_with_its_address_is_no_known_reference)
{
    struct synth_spec spec = synth_default();
    round_trip_without(&spec, LOSS_SOME);
}

Test(synth, the_last_pool_is_swapped_in_place_when_a_reference_cannot_reach)
{
    struct synth_spec spec = synth_default();
    round_trip_without(&spec, LOSS_OUT_OF_REACH);
}

// LVGL's fork: pools with a word of their own that says whether they are sorted, names of its own
// among the static ones, and a spacer at the end of the first pool.
Test(synth, the_pools_of_a_fork_with_names_of_its_own)
{
    for (unsigned i = 0; i < 3 * 3 * 2; i++) {
        struct synth_spec spec = synth_default();
        spec.minor = 19 + i % 3;
        spec.frozen = i / 3 % 3 == 1   ? SYNTH_NOTHING
                      : i / 3 % 3 == 2 ? SYNTH_SOURCES
                                       : SYNTH_MODULES;
        spec.sources = spec.frozen == SYNTH_SOURCES;
        spec.hash_bytes = 1 + i / 9;
        spec.lvgl = true;
        round_trip(&spec);
        round_trip_without(&spec, LOSS_ALL);
    }
}

// What is frozen: code, sources alone, or nothing; with the tables of sources or without.
Test(synth, every_kind_of_frozen_tables)
{
    static const enum image_machine isas[] = {IMAGE_ISA_THUMB, IMAGE_ISA_ARM, IMAGE_ISA_RV32,
                                              IMAGE_ISA_XTENSA};
    for (unsigned i = 0; i < 4 * 5; i++) {
        struct synth_spec spec = synth_default();
        spec.isa = isas[i / 5];
        spec.minor = i % 2 ? 22 : 26;
        spec.frozen = i % 5 < 2 ? SYNTH_MODULES : i % 5 < 4 ? SYNTH_NOTHING : SYNTH_SOURCES;
        spec.sources = i % 5 != 0 && i % 5 != 3;
        struct bench b;
        cr_assert_eq(scan(&b, &spec), DIAG_OK, "%u: %s", i, b.diag.text);
        check_found(&b, &spec);
        check_splice(&b, LOSS_NONE);
        end(&b);
    }
}

// c.jal at a place, to another one up to 2 KB before it.
static uint16_t c_jal(uint64_t from, uint64_t to)
{
    uint32_t d = (uint32_t)(to - from);
    return (uint16_t)(0x2001 | (d >> 11 & 1) << 12 | (d >> 4 & 1) << 11 | (d >> 8 & 3) << 9 |
                      (d >> 10 & 1) << 8 | (d >> 6 & 1) << 7 | (d >> 7 & 1) << 6 |
                      (d >> 1 & 7) << 3 | (d >> 5 & 1) << 2);
}

static struct firmware *scan_again(struct bench *b, const struct bytes_out *bytes)
{
    struct firmware *fw;
    enum diag_code err = image_read(bytes->data, bytes->size, "again.bin", IMAGE_BIN, &b->arena,
                                    &b->diag, &b->image);
    err = err ? err : firmware_scan(b->image, &b->diag, &fw);
    cr_assert_eq(err, DIAG_OK, "%s", b->diag.text);
    return fw;
}

static struct synth_spec with_sources(void)
{
    struct synth_spec spec = synth_default();
    spec.isa = IMAGE_ISA_RV32;
    spec.sources = true;
    return spec;
}

// The scan of a product into which one text is frozen.
static struct firmware *scan_with_text(struct bench *b, const uint8_t *text, uint32_t size)
{
    struct splice_module in = {.in = {.kind = FW_MODULE_STR,
                                      .name = "new.py",
                                      .file = "new.py",
                                      .text = text,
                                      .text_size = size}};
    struct bytes_out product;
    make_product(b, &in, &product);
    struct firmware *fw = scan_again(b, &product);
    cr_assert_eq(fw->n_str, 1);
    cr_assert_neq(fw->str_content, 0);
    cr_assert_eq(fw->modules[0].size, size);
    bytes_out_free(&product);
    return fw;
}

// A text that looks like a call of the middle of the lookup function.
static void check_text_with_call(struct bench *b)
{
    uint8_t text[] = "aaaaaaaa..aaaaaa"; // instructions of two bytes
    struct firmware *fw = scan_with_text(b, text, sizeof text - 1);
    uint64_t to = fw->content_refs.refs[0].addr, from = fw->str_content + 8;
    cr_assert_gt(to, fw->str_sizes_refs.refs[0].user, "the reference to the sizes is before it");
    uint16_t call = c_jal(from, to);
    text[8] = (uint8_t)call;
    text[9] = (uint8_t)(call >> 8);
    fw = scan_with_text(b, text, sizeof text - 1);
    cr_assert_eq(fw->content_refs.refs[0].function, to, "the text is taken for a call");
}

Test(synth, sources_are_found_where_one_looks_like_a_call)
{
    struct synth_spec spec = with_sources();
    struct bench b;
    cr_assert_eq(scan(&b, &spec), DIAG_OK, "%s", b.diag.text);
    check_text_with_call(&b);
    end(&b);
}

// The same, and where one text is frozen, much looks like the table of its size.
Test(synth, sources_are_found_behind_much_that_looks_like_their_sizes)
{
    struct synth_spec spec = with_sources();
    struct bench b;
    cr_assert_eq(scan(&b, &spec), DIAG_OK, "%s", b.diag.text);
    bytes_put_align(&b.synth.image, 4, 0);
    for (unsigned i = 0; i < 70; i++) {
        bytes_put_u32(&b.synth.image, 5);
        bytes_put_u32(&b.synth.image, 0);
    }
    b.fw = scan_again(&b, &b.synth.image);
    check_text_with_call(&b);
    end(&b);
}

// A script with a constant for each place that data can have within a word: four copies of n bytes.
static struct mpy_module *compile_data(struct bench *b, const uint8_t *data, size_t n)
{
    const struct compiler_options options = {.release = compiler_release_find("1.26")};
    struct bytes_out text;
    struct mpy_module *mpy;
    bytes_out_init(&text);
    for (size_t shift = 0; shift < 4; shift++) {
        bytes_put(&text, "a = b'", 6);
        bytes_fill(&text, 'x', shift);
        for (size_t i = 0; i < 4 * n; i++) {
            char byte[8];
            snprintf(byte, sizeof byte, "\\x%02x", data[i % n]);
            bytes_put(&text, byte, 4);
        }
        bytes_put(&text, "'\n", 2);
    }
    enum diag_code err =
        compiler_tree(text.data, text.size, "new.py", &options, &b->arena, &b->diag, &mpy);
    cr_assert_eq(err, DIAG_OK, "%s", b->diag.text);
    bytes_out_free(&text);
    return mpy;
}

// Data that looks like the stock lookup function refers to the stock tables; it does not decide
// which tables the product's are.
Test(synth, tables_are_found_where_data_looks_like_the_lookup_function)
{
    enum { BEFORE = 16, SIZE = 128 };
    struct synth_spec spec = synth_default();
    struct bench b;
    struct bytes_out product;
    cr_assert_eq(scan(&b, &spec), DIAG_OK, "%s", b.diag.text);
    size_t at = (size_t)((b.synth.lookup & ~(uint64_t)3) - b.synth.base) - BEFORE;
    struct splice_module in = {.in = {.kind = FW_MODULE_MPY,
                                      .name = "new.py",
                                      .file = "new.py",
                                      .mpy = compile_data(&b, b.synth.image.data + at, SIZE)}};
    make_product(&b, &in, &product);
    struct firmware *fw = scan_again(&b, &product);
    cr_assert_eq(fw->n_modules, b.fw->n_modules + 1);
    bytes_out_free(&product);
    end(&b);
}

Test(synth, every_layout_option)
{
    const unsigned releases[] = {19, 21, 22, 23, 29};
    for (unsigned i = 0; i < sizeof releases / sizeof *releases; i++) {
        for (unsigned bits = 0; bits < 32; bits++) {
            struct synth_spec spec = synth_default();
            spec.minor = releases[i];
            spec.hash_bytes = bits & 1 ? 1 : 2;
            spec.len_bytes = bits & 2 ? 2 : 1;
            spec.immediates = !(bits & 4);
            spec.save = bits & 8;
            spec.movw = bits & 16;
            round_trip(&spec);
        }
    }
}

Test(synth, every_kind_of_object)
{
    for (enum fw_repr repr = FW_REPR_A; repr <= FW_REPR_C; repr++) {
        for (enum fw_longint l = FW_LONGINT_NONE; l <= FW_LONGINT_MPZ; l++) {
            struct synth_spec spec = synth_default();
            spec.repr = repr;
            spec.longint = l;
            spec.mpz_dig_bits = repr == FW_REPR_B ? 32 : 16;
            spec.float_kind = repr == FW_REPR_A   ? FW_FLOAT_F64
                              : repr == FW_REPR_B ? FW_FLOAT_NONE
                                                  : FW_FLOAT_F32;
            round_trip(&spec);
        }
    }
}

Test(synth, functions_in_fast_memory)
{
    struct synth_spec spec = synth_default();
    spec.ram_functions = true;
    round_trip(&spec);
}

static void expect_refusal(const char *text, const char *words)
{
    struct arena a;
    struct diag d;
    struct image *img;
    struct firmware *fw;
    uint8_t bytes[4096] = {0x00, 0x00, 0x01, 0x20, 0x01, 0x01, 0x00, 0x08};
    arena_init(&a, 0);
    diag_init(&d);
    memcpy(bytes + 512, text, strlen(text) + 1);
    cr_assert_eq(image_read(bytes, sizeof bytes, "named.bin", IMAGE_BIN, &a, &d, &img), DIAG_OK);
    cr_expect_eq(firmware_scan(img, &d, &fw), DIAG_NO);
    cr_expect(strstr(d.text, words), "%s", d.text);
    arena_free(&a);
}

Test(synth, what_is_not_supported_is_named)
{
    expect_refusal("Adafruit CircuitPython 10.0.3 on 2025-10-17; RF.Guru RP2040 with rp2040",
                   "CircuitPython 10.0.3,");
    expect_refusal("MicroPython v1.12 on 2019-12-20; PYBv1.1 with STM32F405RG",
                   "MicroPython 1.12 is not supported");
    expect_refusal("MicroPython v1.26.0 on 2025-08-09; board", "string pools");
    expect_refusal("MicroPython ESP32_LoBo_v3.2.24 - 2018-09-06 on ESP32 board with ESP32",
                   "\"MicroPython ESP32_LoBo_v3.2.24\"");
    expect_refusal("|_|  |_| MicroPythonv1.9.4-1-g7541be5 on 2018-05-11",
                   "MicroPython 1.9.4-1-g7541be5 is not supported");
    expect_refusal("a task of MicroPython is running, 1.20 of it", "static names");
    expect_refusal("for MicroPython 1.18 to 1.29", "static names"); // our own help
    expect_refusal("see circuitpython.org: CircuitPython drives", "static names");
}

// How wide the registers of RISC-V code are shows in what its functions save, in images whose
// pointers nothing tells as well.
Test(synth, width_of_risc_v_code)
{
    static const uint16_t saves[] = {0xc606, 0xe406}; // c.swsp ra, 12(sp); c.sdsp ra, 8(sp)
    static const enum image_machine isas[] = {IMAGE_ISA_RV32, IMAGE_ISA_RV64};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t bytes[4096] = {0};
        struct arena a;
        struct diag d;
        struct image *img;
        struct firmware *fw;
        arena_init(&a, 0);
        diag_init(&d);
        for (unsigned k = 0; k < 400; k += 4) {
            st16(bytes + k, saves[i]);
            st16(bytes + k + 2, 0x8082);
        }
        strcpy((char *)bytes + 512, "MicroPython v1.12 on 2019-12-20; board");
        cr_assert_eq(image_read(bytes, sizeof bytes, "rv.bin", IMAGE_BIN, &a, &d, &img), DIAG_OK);
        cr_expect_eq(firmware_scan(img, &d, &fw), DIAG_NO);
        cr_expect_eq(fw->isa, isas[i], "case %u: %d", i, fw->isa);
        arena_free(&a);
    }
}

// Without sys.maxsize type int tells that there are no long integers, or nothing.
Test(synth, long_integers_by_type_int)
{
    static const enum image_machine isas[] = {IMAGE_ISA_THUMB, IMAGE_ISA_ARM, IMAGE_ISA_RV32,
                                              IMAGE_ISA_XTENSA};
    for (unsigned i = 0; i < 16; i++) {
        struct synth_spec spec = synth_default();
        struct bench b;
        spec.isa = isas[i % 4];
        spec.minor = i & 4 ? 19 : 26;
        spec.longint = i & 8 ? FW_LONGINT_MPZ : FW_LONGINT_NONE;
        spec.no_maxsize = true;
        cr_assert_eq(scan(&b, &spec), DIAG_OK, "%s", b.diag.text);
        cr_expect_eq(b.fw->longint, i & 8 ? FW_LONGINT_UNKNOWN : FW_LONGINT_NONE, "case %u", i);
        end(&b);
    }
}

Test(synth, no_stored_hashes)
{
    struct synth_spec spec = synth_default();
    spec.hash_bytes = 0;
    round_trip(&spec);
}

// Every truncation and random damage: never a crash; an answer or words.
Test(synth, damage)
{
    struct synth_spec spec = synth_default();
    struct synth s;
    synth_make(&spec, &s);
    uint32_t random = 1;
    for (unsigned i = 0; i < 600; i++) {
        struct arena a;
        struct diag d;
        struct image *img;
        struct firmware *fw;
        arena_init(&a, 0);
        diag_init(&d);
        size_t size = i < 300 ? s.image.size * i / 300 : s.image.size;
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, s.image.data, size);
        for (unsigned k = 0; i >= 300 && k < 8; k++) {
            random = random * 1664525 + 1013904223;
            copy[random % size] ^= (uint8_t)(1 << (random >> 29));
        }
        enum diag_code err = image_read(copy, size, "damaged.bin", IMAGE_BIN, &a, &d, &img);
        err = err ? err : firmware_scan(img, &d, &fw);
        cr_expect(err == DIAG_OK || d.text[0]);
        free(copy);
        arena_free(&a);
    }
    bytes_out_free(&s.image);
}

// The limit of the free space of an image, 0 = none is known.
static uint64_t free_end(const struct synth_spec *spec)
{
    struct bench b;
    cr_assert_eq(scan(&b, spec), DIAG_OK, "%s", b.diag.text);
    const struct firmware *fw = b.fw;
    cr_assert_leq(fw->n_free, 1);
    uint64_t end = b.synth.base + b.synth.image.size;
    cr_assert(!fw->n_free || (fw->free[0].addr >= end && fw->free[0].addr < end + 16));
    uint64_t to = fw->n_free ? fw->free[0].addr + fw->free[0].size : 0;
    arena_free(&b.arena);
    bytes_out_free(&b.synth.image);
    return to;
}

// Where no chip is named, the constructor of the flash object tells the file system, in either
// layout of types; a ROMFS partition before it is nobody else's.
Test(synth, free_space_ends_at_the_file_system_and_at_romfs)
{
    struct synth_spec spec = synth_default();
    cr_assert_eq(free_end(&spec), 0x08100000); // by the chip
    spec.romfs = 0x080c0000;
    cr_assert_eq(free_end(&spec), 0x080c0000);
    spec.romfs = 0;
    spec.board = "Made-up board";
    cr_assert_eq(free_end(&spec), 0);
    for (unsigned minor = 19; minor <= 29; minor++) {
        spec.minor = minor;
        spec.storage = 0x08200000;
        cr_assert_eq(free_end(&spec), 0x08200000, "1.%u", minor);
        spec.romfs = 0x081c0000;
        cr_assert_eq(free_end(&spec), 0x081c0000, "1.%u", minor);
        spec.romfs = 0;
        spec.storage = 0x08200100; // no sector begins there
        cr_assert_eq(free_end(&spec), 0, "1.%u", minor);
        spec.storage = 0;
    }
}

// Without the module math no float object need be there: the code that makes them has their size.
Test(synth, float_width_by_the_size_of_what_is_allocated)
{
    static const struct {
        uint8_t made[2];
        enum fw_float kind;
    } cases[] = {
        {{8, 0}, FW_FLOAT_F32},      {{16, 0}, FW_FLOAT_F64},     {{8, 8}, FW_FLOAT_F32},
        {{8, 16}, FW_FLOAT_UNKNOWN}, {{12, 0}, FW_FLOAT_UNKNOWN}, {{12, 16}, FW_FLOAT_F64},
        {{0, 0}, FW_FLOAT_UNKNOWN},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct synth_spec spec = synth_default();
        struct bench b;
        spec.no_math = true;
        memcpy(spec.made, cases[i].made, sizeof spec.made);
        cr_assert_eq(scan(&b, &spec), DIAG_OK, "%s", b.diag.text);
        cr_assert_eq(b.fw->float_kind, cases[i].kind, "case %u: %d", i, b.fw->float_kind);
        end(&b);
    }
}

Test(synth, free_space_ends_at_the_file_system_that_an_object_names)
{
    struct synth_spec spec = synth_default();
    spec.flash_object = 0x080a0000; // an address
    cr_assert_eq(free_end(&spec), 0x080a0000);
    spec.flash_object = 0x000b0000; // an offset in the flash
    cr_assert_eq(free_end(&spec), 0x080b0000);
    spec.flash_object = 0x000b0010; // neither
    cr_assert_eq(free_end(&spec), 0x08100000);
}

// Code that rounds the bounds up to pages has first address + page size - 1 and the end as
// constants.
Test(synth, free_space_ends_at_the_file_system_whose_start_code_rounds_up)
{
    struct synth_spec spec = synth_default();
    spec.storage = 0x080c03ff; // pages of 1 KB
    spec.storage_end = 0x080d0000;
    cr_assert_eq(free_end(&spec), 0x080c0000);
    spec.storage = 0x080c0fff; // of 4 KB
    cr_assert_eq(free_end(&spec), 0x080c0000);
    spec.board = "Made-up board"; // known without a chip
    cr_assert_eq(free_end(&spec), 0x080c0000);
    spec.board = synth_default().board;
    spec.storage_end = 0x080a0000; // an end before the start is none
    cr_assert_eq(free_end(&spec), 0x080a0000, "a constant in front of the end of the flash");
    spec.storage_end = 0x080d0010; // no page ends there
    cr_assert_eq(free_end(&spec), 0x08100000);
    spec.storage_end = 0; // a mask
    cr_assert_eq(free_end(&spec), 0x08100000);
}

// Somebody's page in front of the end of the flash: code names it.
Test(synth, free_space_ends_at_an_address_that_code_names)
{
    struct synth_spec spec = synth_default();
    spec.stray = 0x080c0000;
    cr_assert_eq(free_end(&spec), 0x080c0000);
    spec.stray = 0x080c0010; // no page begins there
    cr_assert_eq(free_end(&spec), 0x08100000);
}

Test(synth, code_of_an_unknown_processor_is_refused_as_such)
{
    struct synth_spec spec = synth_default();
    struct splice_plan *plan;
    struct bench b;
    cr_assert_eq(scan(&b, &spec), DIAG_OK, "%s", b.diag.text);
    b.fw->isa = IMAGE_ISA_UNKNOWN;
    cr_assert_eq(splice_plan(b.fw, NULL, 0, &(struct splice_options){0}, &b.arena, &b.diag, &plan),
                 DIAG_NO);
    cr_assert(strstr(b.diag.text, "processor"), "%s", b.diag.text);
    end(&b);
}

static void hex_record(struct bytes_out *out, unsigned type, uint32_t addr, const uint8_t *p,
                       unsigned n)
{
    char text[3];
    unsigned sum = n + (addr >> 8 & 255) + (addr & 255) + type;
    char head[10];
    bytes_put(out, head,
              (size_t)snprintf(head, sizeof head, ":%02X%04X%02X", n, addr & 0xffff, type));
    for (unsigned i = 0; i < n; i++) {
        sum += p[i];
        bytes_put(out, text, (size_t)snprintf(text, sizeof text, "%02X", p[i]));
    }
    bytes_put(out, text, (size_t)snprintf(text, sizeof text, "%02X", -sum & 255));
    bytes_put(out, "\n", 1);
}

static void hex_bytes(struct bytes_out *out, uint32_t addr, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i += 16, addr += 16) {
        const uint8_t high[2] = {(uint8_t)(addr >> 24), (uint8_t)(addr >> 16)};
        if (!i || !(addr & 0xffff)) {
            hex_record(out, 4, 0, high, 2);
        }
        hex_record(out, 0, addr, p + i, n - i < 16 ? (unsigned)(n - i) : 16);
    }
}

// The place that is offered is behind the program, not behind configuration words far away.
Test(synth, a_place_is_offered_behind_the_program)
{
    static const uint8_t words[16] = {0};
    struct synth_spec spec = synth_default();
    struct splice_plan *plan;
    struct mpy_module *mpy;
    struct bytes_out hex;
    struct bench b;
    char place[40];
    spec.board = "Made-up board";
    cr_assert_eq(scan(&b, &spec), DIAG_OK, "%s", b.diag.text);
    uint64_t behind = (SYNTH_BASE + b.synth.image.size + 0xfff) & ~UINT64_C(0xfff);
    bytes_out_init(&hex);
    hex_bytes(&hex, SYNTH_BASE, b.synth.image.data, b.synth.image.size);
    hex_bytes(&hex, (uint32_t)behind + 0x1000000, words, sizeof words);
    hex_record(&hex, 1, 0, NULL, 0);
    cr_assert_eq(image_read(hex.data, hex.size, "s.hex", IMAGE_IHEX, &b.arena, &b.diag, &b.image),
                 DIAG_OK, "%s", b.diag.text);
    cr_assert_eq(firmware_scan(b.image, &b.diag, &b.fw), DIAG_OK, "%s", b.diag.text);
    cr_assert_eq(mpy_read(module_mpy, sizeof module_mpy - 1, "new.mpy", &b.arena, &b.diag, &mpy),
                 DIAG_OK, "%s", b.diag.text);
    struct splice_module in = {
        .in = {.kind = FW_MODULE_MPY, .name = "new.py", .file = "new.mpy", .mpy = mpy}};
    enum diag_code err =
        splice_plan(b.fw, &in, 1, &(struct splice_options){0}, &b.arena, &b.diag, &plan);
    cr_assert_eq(err, DIAG_NO, "%s", b.diag.text);
    snprintf(place, sizeof place, "--region 0x%llx:", (unsigned long long)behind);
    cr_assert(strstr(b.diag.help, place), "%s", b.diag.help);
    bytes_out_free(&hex);
    end(&b);
}

// In flash at 0 a word of one bit may be a mask: it is an address beside the end of what begins
// there.
Test(synth, free_space_ends_at_an_address_that_is_no_mask)
{
    struct synth_spec spec = synth_default();
    spec.board = "Made-up board with RA6M2";
    spec.at_zero = true;
    cr_assert_eq(free_end(&spec), 0x100000);
    spec.stray = 0x40000;
    cr_assert_eq(free_end(&spec), 0x100000);
    spec.stray = 0xe0000;
    cr_assert_eq(free_end(&spec), 0xe0000);
    spec.stray = 0;
    spec.storage = 0x80000;
    cr_assert_eq(free_end(&spec), 0x100000);
    spec.storage_end = 0x100000;
    cr_assert_eq(free_end(&spec), 0x80000);
}

Test(synth, free_space_by_the_names_of_chips)
{
    static const struct {
        const char *board;
        uint32_t end;
    } boards[] = {
        {"B with STM32F411RE", 0x08080000},
        {"B with STM32L476RG", 0x08100000},
        {"B with STM32F413VH", 0x08180000},
        {"B with STM32H743VI", 0x08200000},
        {"B with STM32WB55RF", 0x080c0000},
        {"B with STM32L072CZ", 0x08030000},
        {"B with STM32F4x1R?", 0},
        {"B with STM32F4", 0},
        {"STM32F4DISC with STM32F407VG", 0x08100000},
        {"B with STM32F030F4", 0x08004000},
    };
    for (unsigned i = 0; i < sizeof boards / sizeof *boards; i++) {
        struct synth_spec spec = synth_default();
        spec.board = boards[i].board;
        cr_expect_eq(free_end(&spec), boards[i].end, "%s", boards[i].board);
    }
}

Test(synth, settrace_and_lengths_by_the_raw_codes)
{
    for (unsigned i = 0; i < 3 * 4; i++) {
        struct synth_spec spec = synth_default();
        struct bench b;
        spec.minor = i / 3 == 0 ? 19 : i / 3 == 1 ? 22 : i / 3 == 2 ? 23 : 29;
        spec.save = i % 3 > 0;
        spec.settrace = i % 3 == 2;
        spec.debug_names = i % 3 == 0;
        cr_assert_eq(scan(&b, &spec), DIAG_OK, "%s", b.diag.text);
        cr_expect_eq(b.fw->save, spec.save ? FW_YES : FW_NO, "case %u", i);
        cr_expect_eq(b.fw->settrace, spec.settrace ? FW_YES : FW_NO, "case %u", i);
        if (spec.minor < 23) {
            cr_expect_eq(b.fw->debug_names, FW_YES, "case %u", i);
        }
        check_found(&b, &spec);
        check_splice(&b, LOSS_NONE);
        end(&b);
    }
}

// The symbols of a file confirm what was found, or the image is refused.
Test(synth, symbols_agree_with_the_bytes)
{
    struct synth_spec spec = synth_default();
    struct bench b;
    cr_assert_eq(scan(&b, &spec), DIAG_OK, "%s", b.diag.text);
    struct image_symbol symbols[] = {{.name = "main", .value = 0x08000100},
                                     {.name = "mp_fun_table", .value = b.fw->objects[FW_FUN_TABLE]},
                                     {.name = "mp_type_int", .value = b.fw->objects[FW_TYPE_INT]},
                                     {.name = "mp_type_str", .value = b.synth.type_str}};
    b.image->symbols = symbols;
    b.image->n_symbols = sizeof symbols / sizeof *symbols;
    cr_assert_eq(firmware_scan(b.image, &b.diag, &b.fw), DIAG_OK, "%s", b.diag.text);
    bool told = false;
    for (unsigned i = 0; i < b.fw->n_evidence; i++) {
        told |= strcmp(b.fw->evidence[i].what, "symbols") == 0 &&
                strcmp(b.fw->evidence[i].value, "3 agree") == 0;
    }
    cr_expect(told);
    symbols[3].value += 4;
    cr_assert_eq(firmware_scan(b.image, &b.diag, &b.fw), DIAG_NO);
    cr_expect(strstr(b.diag.text, "mp_type_str is at 0x"), "%s", b.diag.text);
    end(&b);
}

// The name of the build is a str object; what kind of threads there are stands behind it as a qstr.
Test(synth, build_name_is_not_the_kind_of_threads)
{
    static const char *const builds[] = {"MADE_UP-VARIANT", NULL};
    for (unsigned i = 0; i < 2; i++) {
        struct synth_spec spec = synth_default();
        struct bench b;
        spec.build = builds[i];
        cr_assert_eq(scan(&b, &spec), DIAG_OK, "%s", b.diag.text);
        cr_expect_str_eq(b.fw->build_name, builds[i] ? builds[i] : "");
        end(&b);
    }
}
