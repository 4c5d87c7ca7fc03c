// End to end over made-up firmware in every container: a script, a text or a .mpy file is frozen
// and spliced; the product unsplices to the base and its module is read back. One that is signed
// verifies, and does not when it is mutated: signatures take half of the time, so the head says
// whether there is one. The first bytes choose the firmware's layout, the container, the kind of
// input and the mutation; the rest is the input.
#include "tests/fuzz/fuzz.h"

#include "packer/compiler/compiler.h"
#include "tests/lib/mpy_mutate.h"
#include "tests/lib/synth.h"
#include "verify/host/verify.h"

enum { BUILD_MEMORY = 256 << 20, BUILD_HEAD = 8 };
enum { BUILD_MPY = 0x20, BUILD_TEXT = 0x40, BUILD_SIGNED = 0x80 }; // in byte 3 of the head

// A key of this run; what it signs is thrown away.
static struct sign_key *build_key;
static struct verify_key *build_public;

static void make_keys(void)
{
    static struct arena keys; // lives as long as the process
    struct diag d;
    struct bytes_out pem;
    bytes_out_init(&pem);
    diag_init(&d);
    arena_init(&keys, 0);
    if (sign_key_generate(BLOB_ECDSA_P256, &keys, &d, &build_key) ||
        sign_public_pem(build_key, &pem, &d) ||
        verify_key_parse(pem.data, pem.size, "fuzz.pem", &d, &build_public)) {
        abort();
    }
    bytes_out_free(&pem);
}

static struct synth_spec choose_spec(const uint8_t *head)
{
    static const enum image_machine isas[] = {IMAGE_ISA_THUMB, IMAGE_ISA_ARM, IMAGE_ISA_RV32,
                                              IMAGE_ISA_XTENSA};
    struct synth_spec spec = synth_default();
    spec.minor = 19 + head[0] % 11;
    spec.isa = isas[head[1] & 3];
    spec.hash_bytes = head[1] & 4 ? 1 : 2;
    spec.len_bytes = head[1] & 8 ? 2 : 1;
    spec.repr = FW_REPR_A + head[2] % 3;
    spec.longint = FW_LONGINT_NONE + (head[2] >> 2) % 3;
    spec.mpz_dig_bits = head[2] & 0x80 ? 32 : 16;
    spec.float_kind = spec.repr == FW_REPR_C ? FW_FLOAT_F32 : FW_FLOAT_NONE + (head[2] >> 4) % 3;
    spec.immediates = head[1] & 0x10;
    spec.save = head[1] & 0x20;
    spec.movw = spec.isa == IMAGE_ISA_THUMB && head[1] & 0x40;
    spec.sources = head[1] & 0x80;
    spec.arch = fuzz_arch(spec.isa);
    return spec;
}

enum { BUILD_FLASHES = 3 };

// Containers that any machine has; what chooses another one gets the full-flash image of a family
// of ESP32.
static const enum image_kind build_kinds[] = {IMAGE_BIN, IMAGE_UF2, IMAGE_DFUSE, IMAGE_IHEX,
                                              IMAGE_ELF};
enum { BUILD_KINDS = sizeof build_kinds / sizeof *build_kinds };

static unsigned choose_kind(const uint8_t *head)
{
    return head[3] >> 2 & (BUILD_KINDS + BUILD_FLASHES - 1);
}

static struct synth_spec choose_flash(unsigned i)
{
    static const struct synth_esp flashes[BUILD_FLASHES] = {
        {.chip = 5, .idf = "v5.2.2", .code = SYNTH_MAPPER, .protect = SYNTH_PROTECT_TOR},
        {.chip = 9, .idf = "v5.2.2", .psram = true, .code = SYNTH_MAPPER},
        {.chip = 0, .idf = "v4.4.4", .code = SYNTH_MAPPER}};
    struct synth_spec spec = synth_default();
    spec.esp = &flashes[i];
    spec.isa = spec.esp->chip == 5 ? IMAGE_ISA_RV32 : IMAGE_ISA_XTENSA;
    return spec;
}

static bool make_base(const struct synth_spec *spec, unsigned kind, struct arena *a,
                      struct fuzz_base *base)
{
    struct synth s;
    synth_make(spec, &s);
    bool ok = fuzz_base(&s.image, kind < BUILD_KINDS ? build_kinds[kind] : IMAGE_AUTO, spec->isa, a,
                        base);
    bytes_out_free(&s.image);
    return ok;
}

struct job {
    struct arena arena;
    struct diag diag;
    struct fuzz_base base;
    struct bytes_out product, back;
};

static bool is_verified(struct job *j, const uint8_t *data, size_t size)
{
    struct verify_report report;
    const struct verify_request rq = {.data = data,
                                      .size = size,
                                      .name = "product",
                                      .kind = j->base.kind,
                                      .n_keys = 1,
                                      .keys = &build_public};
    return !verify_image(&rq, &j->arena, &j->diag, &report) && report.result == VERIFY_VERIFIED;
}

// Any change of one byte makes verify say no.
static void mutate(struct job *j, const uint8_t *head)
{
    size_t at = (head[4] | (size_t)head[5] << 8 | (size_t)head[6] << 16) % j->product.size;
    uint8_t flip = head[7] ? head[7] : 1;
    j->product.data[at] ^= flip;
    FUZZ_MUST(!is_verified(j, j->product.data, j->product.size));
    j->product.data[at] ^= flip;
}

// What was frozen is a module of the product.
static void read_back(struct job *j, const struct freeze_input *in)
{
    const struct firmware *fw =
        fuzz_scan(j->product.data, j->product.size, j->base.kind, &j->arena);
    struct mpy_module *m;
    bool found = false;
    for (unsigned i = 0; i < fw->n_modules; i++) {
        if (fw->modules[i].spliced && fw->modules[i].kind == in->kind) {
            found = true;
            FUZZ_MUST(in->kind == FW_MODULE_STR ||
                      !firmware_unfreeze(fw, &fw->modules[i], &j->arena, &j->diag, &m));
        }
    }
    FUZZ_MUST(found);
}

static void prove(struct job *j, const struct freeze_input *in, const uint8_t *head)
{
    struct blob *taken;
    diag_init(&j->diag);
    FUZZ_MUST(!splice_remove(j->product.data, j->product.size, "product", j->base.kind, &j->arena,
                             &j->diag, &taken, &j->back));
    FUZZ_MUST(j->back.size == j->base.file.size &&
              memcmp(j->back.data, j->base.file.data, j->back.size) == 0);
    read_back(j, in);
    if (head[3] & BUILD_SIGNED) {
        FUZZ_MUST(is_verified(j, j->product.data, j->product.size));
        mutate(j, head);
    }
}

// The input as a module, as build takes it: a .mpy file is checked before.
static bool load(struct job *j, const struct synth_spec *spec, const uint8_t *data, size_t size,
                 struct freeze_input *in)
{
    struct mpy_module *mpy = NULL;
    char release[16];
    const uint8_t *rest = data + BUILD_HEAD;
    size -= BUILD_HEAD;
    *in = (struct freeze_input){.kind = FW_MODULE_MPY, .name = "fuzz.py", .file = "fuzz"};
    if (data[3] & BUILD_TEXT) {
        in->kind = FW_MODULE_STR;
        in->text = rest;
        in->text_size = (uint32_t)size;
        return true;
    }
    snprintf(release, sizeof release, "1.%u", spec->minor);
    const struct compiler_options options = {.release = compiler_release_find(release),
                                             .opt_level = data[3] & 3,
                                             .max_depth = FUZZ_DEPTH,
                                             .small_int_bits = spec->repr == FW_REPR_B ? 30 : 31};
    bool ok = data[3] & BUILD_MPY
                  ? fuzz_load_mpy(rest, size, in->name, &j->arena, &mpy)
                  : !compiler_tree(rest, size, "fuzz.py", &options, &j->arena, &j->diag, &mpy);
    in->mpy = mpy;
    return ok;
}

static void run(struct job *j, const uint8_t *data, size_t size)
{
    struct freeze_input in;
    unsigned kind = choose_kind(data);
    const struct synth_spec spec =
        kind < BUILD_KINDS ? choose_spec(data) : choose_flash(kind - BUILD_KINDS);
    const struct sign_key *key = data[3] & BUILD_SIGNED ? build_key : NULL;
    if (load(j, &spec, data, size, &in) && make_base(&spec, kind, &j->arena, &j->base) &&
        !fuzz_splice(&j->base, &in, key, &j->arena, &j->diag, &j->product)) {
        prove(j, &in, data);
    }
    bytes_out_free(&j->base.file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct job j;
    if (size < BUILD_HEAD) {
        return 0;
    }
    if (!build_key) {
        make_keys();
    }
    memset(&j, 0, sizeof j);
    arena_init(&j.arena, BUILD_MEMORY);
    diag_init(&j.diag);
    run(&j, data, size);
    arena_free(&j.arena);
    bytes_out_free(&j.product);
    bytes_out_free(&j.back);
    return 0;
}

// Behind the head of a .mpy file as in fuzz_mpy.c.
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    if (size > BUILD_HEAD && data[3] & BUILD_MPY && seed % 4) {
        return BUILD_HEAD +
               fuzz_mpy_mutate(data + BUILD_HEAD, size - BUILD_HEAD, max - BUILD_HEAD, seed);
    }
    return LLVMFuzzerMutate ? LLVMFuzzerMutate(data, size, max) : size;
}

// Scripts and texts in all containers, then .mpy files for the release that they are of.
bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    enum { SCRIPTS = 48, TEXTS = 8, MACHINES = 40, SUBS = 4, ESP32 = BUILD_KINDS + 2 };
    static const uint8_t minors[SUBS] = {19, 20, 22, 23}; // the first of each sub-version
    char head[BUILD_HEAD] = {(char)i, (char)(i + 16), (char)(i * 37), 0, (char)(i * 91), 8};
    unsigned kind = i % (BUILD_KINDS + BUILD_FLASHES) << 2, sign = i % 5 == 1 ? BUILD_SIGNED : 0;
    if (i < SCRIPTS) {
        head[3] = (char)(kind | sign | (i >= SCRIPTS - TEXTS ? BUILD_TEXT : 0));
        return fuzz_script_seed(i % 10, head, sizeof head, out);
    }
    i -= SCRIPTS;
    if (i < MACHINES) {
        kind = 0;
        head[0] = (char)(minors[i / 2 % SUBS] - 19);
        head[1] = (char)(i / 8 | (i & 1 ? 0x20 : 0));
    }
    bool apart = i < MACHINES && i / 8 == 4; // Xtensa's, signed half of the time
    kind = apart ? ESP32 << 2 | (i & 1 ? BUILD_SIGNED : 0) : kind | sign;
    head[3] = (char)(kind | BUILD_MPY);
    bytes_put(out, head, sizeof head);
    return fuzz_mpy_seed(i, out);
}
