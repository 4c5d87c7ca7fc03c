// Fuzz target: the scan of any image, and everything that reads what it found. The first byte
// chooses: bit 0, whether the input is recognised or taken as a raw image; bits 4 to 7, the
// processor that an ELF file would name. Mutations copy words of the image to other places: what
// holds a firmware together are pointers.
#include <string.h>

#include "format/firmware/firmware.h"
#include "format/mpy/check.h"
#include "format/mpy/dis.h"
#include "packer/boards/board.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/mpy_mutate.h"
#include "tests/lib/synth.h"
#include "tests/unit/firmware_fixture.h"

enum { FIRMWARE_MEMORY = 256 << 20, FIRMWARE_MODULES = 64, FIRMWARE_MACHINES = 9 };

// A module that is read back is one that can be written, listed and judged.
static void read_module(const struct firmware *fw, const struct fw_module *module, struct arena *a)
{
    struct mpy_module *m;
    struct mpy_check report;
    struct bytes_out out;
    struct diag d;
    diag_init(&d);
    if (firmware_unfreeze(fw, module, a, &d, &m)) {
        FUZZ_MUST(d.text[0]);
        return;
    }
    bytes_out_init(&out);
    mpy_write(m, &out);
    (void)mpy_dis_text(m, "fuzz", a, &out, &d);
    (void)mpy_check(m, "fuzz", &d, &report);
    bytes_out_free(&out);
}

static void read_modules(const struct firmware *fw, struct arena *a)
{
    for (unsigned i = 0; i < fw->n_modules && i < FIRMWARE_MODULES; i++) {
        size_t size;
        if (fw->modules[i].kind == FW_MODULE_STR) {
            (void)firmware_str_module(fw, &fw->modules[i], &size);
        } else {
            read_module(fw, &fw->modules[i], a);
        }
    }
}

// The board that the firmware names, and another that it may not contradict.
static void ask_boards(const struct firmware *fw, struct arena *a)
{
    static struct boards *boards;
    static struct arena kept; // lives as long as the process
    if (!boards) {
        arena_init(&kept, 0);
        FUZZ_MUST(!boards_load(&kept, NULL, &boards));
    }
    const struct board *other = &boards->at[fw->n_qstrs % boards->n];
    const struct board *ask[] = {board_match(boards, fw->board), other};
    for (unsigned i = 0; i < 2; i++) {
        struct fw_region *regions;
        unsigned n;
        struct diag d;
        diag_init(&d);
        if (ask[i] && !board_check(ask[i], fw, &d)) {
            (void)board_free(ask[i], fw->image, a, &d, &regions, &n);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct diag d;
    struct image *img;
    struct firmware *fw = NULL;
    if (!size) {
        return 0;
    }
    arena_init(&a, FIRMWARE_MEMORY);
    diag_init(&d);
    enum image_kind kind = data[0] & 1 ? IMAGE_BIN : IMAGE_AUTO;
    if (!image_read(data + 1, size - 1, "fuzz", kind, &a, &d, &img)) {
        if (kind == IMAGE_BIN && data[0] >> 4) {
            img->machine = (enum image_machine)((data[0] >> 4) % FIRMWARE_MACHINES);
        }
        enum diag_code err = firmware_scan(img, &d, &fw);
        FUZZ_MUST(!err || d.text[0]);
        if (!err) {
            (void)firmware_qstr(fw, "append", 6);
            (void)firmware_qstr_hash(fw, "append", 6);
            read_modules(fw, &a);
            ask_boards(fw, &a);
        }
    }
    arena_free(&a);
    return 0;
}

// A word of the image over another one, or a word that is a little off.
static void mutate_words(uint8_t *image, size_t size, uint64_t *random)
{
    uint32_t n = (uint32_t)(size / 4);
    for (uint32_t i = 1 + mpy_mutate_random(random, 4); i; i--) {
        uint8_t *to = image + 4 * (size_t)mpy_mutate_random(random, n);
        uint8_t *from = image + 4 * (size_t)mpy_mutate_random(random, n);
        uint32_t off = mpy_mutate_random(random, 3) * (mpy_mutate_random(random, 64) - 32);
        st32(to, ld32(mpy_mutate_random(random, 2) ? from : to) + off);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    uint64_t random = seed * 0x9e3779b97f4a7c15u + 1;
    if (size < 64 || (LLVMFuzzerMutate && mpy_mutate_random(&random, 2))) {
        return LLVMFuzzerMutate ? LLVMFuzzerMutate(data, size, max) : size;
    }
    mutate_words(data + 1, size - 1, &random);
    return size;
}

static struct synth_spec seed_spec(unsigned i)
{
    static const enum image_machine isas[] = {IMAGE_ISA_THUMB, IMAGE_ISA_ARM, IMAGE_ISA_RV32,
                                              IMAGE_ISA_XTENSA};
    struct synth_spec spec = synth_default();
    spec.isa = isas[i % 4];
    spec.minor = 19 + i * 7 % 11;
    spec.hash_bytes = i % 3;
    spec.len_bytes = 1 + i / 2 % 2;
    spec.repr = FW_REPR_A + i / 4 % 3;
    spec.longint = FW_LONGINT_NONE + i / 3 % 3;
    spec.float_kind = spec.repr == FW_REPR_C ? FW_FLOAT_F32 : FW_FLOAT_NONE + i / 5 % 3;
    spec.immediates = i & 2;
    spec.save = i & 4;
    spec.settrace = spec.save && i & 8;
    spec.debug_names = i & 16;
    spec.movw = spec.isa == IMAGE_ISA_THUMB && i & 4;
    spec.frozen = i % 7 == 3 ? SYNTH_SOURCES : i % 7 == 5 ? SYNTH_NOTHING : SYNTH_MODULES;
    spec.sources = spec.frozen == SYNTH_SOURCES || i & 8;
    spec.no_maxsize = i % 5 == 1;
    spec.no_math = i % 5 == 2;
    spec.ram_functions = i % 5 == 3;
    spec.board = i % 5 == 4 ? "PYBv1.1 with STM32F405RG" : "Raspberry Pi Pico with RP2040";
    spec.build = i & 1 ? "RPI_PICO" : NULL;
    spec.storage = i % 6 == 1 ? 0x08200000 : 0;
    spec.flash_object = i % 6 == 2 ? 0x080a0000 : 0;
    spec.romfs = i % 6 == 3 ? 0x080c0000 : 0;
    return spec;
}

// Full-flash images, whose second half says where the app's constants are mapped.
static struct synth_esp seed_esp(unsigned i)
{
    static const int chips[] = {0, 5, 9, 13, 2, SYNTH_ESP8266};
    return (struct synth_esp){.chip = chips[i % 6],
                              .idf = i & 1 ? "v5.2.2" : "v4.4.4",
                              .psram = i & 2,
                              .code = 1u << i % 5,
                              .protect = (enum synth_esp_protect)(i / 2 % 6),
                              .user_start = i & 8 ? 0x90000 : 0,
                              .no_sum = i & 16};
}

// A product that holds a module with machine code, or with every kind of constant.
static void seed_product(unsigned i, struct bytes_out *out)
{
    static const enum image_machine isas[] = {IMAGE_ISA_THUMB, IMAGE_ISA_ARM, IMAGE_ISA_RV32};
    static const uint8_t minors[] = {19, 20, 22, 23};
    enum { NATIVE = 24, LAST_SCRIPT = 40 + 7 };
    struct synth_spec spec = synth_default();
    struct synth s;
    struct fuzz_base base;
    struct mpy_module *m;
    struct bytes_out mpy, product;
    struct arena a;
    struct diag d;
    arena_init(&a, FIRMWARE_MEMORY);
    diag_init(&d);
    bytes_out_init(&mpy);
    bytes_out_init(&product);
    spec.isa = isas[i / 8 % 3];
    spec.minor = minors[i / 2 % 4];
    spec.arch = fuzz_arch(spec.isa);
    spec.save = i & 1;
    spec.repr = i < NATIVE ? FW_REPR_A : FW_REPR_A + i % 3;
    spec.longint = i < NATIVE || i & 4 ? FW_LONGINT_MPZ : FW_LONGINT_LONGLONG;
    synth_make(&spec, &s);
    (void)fuzz_mpy_seed(i < NATIVE ? i : LAST_SCRIPT, &mpy);
    FUZZ_MUST(fuzz_load_mpy(mpy.data, mpy.size, "pkg/seed.py", &a, &m));
    const struct freeze_input in = {
        .kind = FW_MODULE_MPY, .name = "pkg/seed.py", .file = "seed", .mpy = m};
    if (fuzz_base(&s.image, IMAGE_BIN, spec.isa, &a, &base)) {
        (void)fuzz_splice(&base, &in, NULL, &a, &d, &product);
    }
    bytes_put(out, product.data, product.size);
    bytes_out_free(&product);
    bytes_out_free(&base.file);
    bytes_out_free(&s.image);
    bytes_out_free(&mpy);
    arena_free(&a);
}

// Releases with frozen modules in the form of 1.18 and before.
static void seed_old(unsigned i, struct bytes_out *out)
{
    struct firmware_made *made = malloc(sizeof *made);
    const struct firmware_layout layout = {18 + i / 4, FW_REPR_A + i % 3, 1 + i % 2, 1};
    FUZZ_MUST(made);
    firmware_make(&layout, made);
    bytes_put(out, made->data, made->size);
    free(made);
}

static void seed_made(unsigned i, bool flash, struct bytes_out *out)
{
    enum { APP = 0x10000 };
    struct synth_spec spec = flash ? synth_default() : seed_spec(i);
    struct synth_esp esp = seed_esp(i);
    struct synth s;
    if (flash) { // the app alone
        spec.esp = &esp;
        spec.isa = esp.chip == 5 || esp.chip == 13 ? IMAGE_ISA_RV32 : IMAGE_ISA_XTENSA;
    }
    synth_make(&spec, &s);
    size_t from = flash && esp.chip != SYNTH_ESP8266 ? APP : 0;
    bytes_put(out, s.image.data + from, s.image.size - from);
    bytes_out_free(&s.image);
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    enum { RAW = 48, FLASH = 24, PRODUCTS = 32, OLD = 8 };
    bytes_put_u8(out, i < RAW || i >= RAW + FLASH);
    if (i < RAW + FLASH) {
        seed_made(i, i >= RAW, out);
    } else if (i < RAW + FLASH + PRODUCTS) {
        seed_product(i - RAW - FLASH, out);
    } else {
        seed_old(i - RAW - FLASH - PRODUCTS, out);
    }
    return i < RAW + FLASH + PRODUCTS + OLD;
}
