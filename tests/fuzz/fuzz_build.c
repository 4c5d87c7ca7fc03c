// End to end over made-up firmware: a script is compiled, frozen, signed and spliced; the product
// verifies, unsplices to the base, and a mutated product must not verify. The first bytes choose
// the firmware's layout and the mutation, the rest is the script.
#include "tests/fuzz/fuzz.h"

#include "packer/compiler/compiler.h"
#include "packer/sign/sign.h"
#include "packer/splice/splice.h"
#include "tests/lib/synth.h"
#include "verify/host/verify.h"

enum { BUILD_MEMORY = 256 << 20, BUILD_HEAD = 8 };

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    const char head[BUILD_HEAD] = {(char)i, (char)(i + 16), (char)(i * 37), 0, (char)(i * 91), 8};
    return fuzz_script_seed(i, head, sizeof head, out);
}

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
    return spec;
}

struct job {
    struct arena arena;
    struct diag diag;
    struct synth base;
    struct bytes_out blob, product, back;
};

static bool is_verified(struct job *j, const uint8_t *data, size_t size)
{
    struct verify_report report;
    const struct verify_request rq = {.data = data,
                                      .size = size,
                                      .name = "product.bin",
                                      .kind = IMAGE_BIN,
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
    if (is_verified(j, j->product.data, j->product.size)) {
        abort();
    }
    j->product.data[at] ^= flip;
}

static void prove(struct job *j, const uint8_t *head)
{
    struct blob *taken;
    diag_init(&j->diag);
    if (!is_verified(j, j->product.data, j->product.size)) {
        abort(); // a product that was just built verifies
    }
    if (splice_remove(j->product.data, j->product.size, "product.bin", IMAGE_BIN, &j->arena,
                      &j->diag, &taken, &j->back) ||
        j->back.size != j->base.image.size ||
        memcmp(j->back.data, j->base.image.data, j->back.size) != 0) {
        abort(); // unsplice gives the base bit for bit
    }
    mutate(j, head);
}

static enum diag_code build(struct job *j, const struct mpy_module *mpy)
{
    struct image *image;
    struct firmware *fw;
    struct splice_plan *plan;
    struct blob *blob;
    const struct splice_module in = {
        .in = {.kind = FW_MODULE_MPY, .name = "fuzz.py", .file = "fuzz.py", .mpy = mpy}};
    enum diag_code err = image_read(j->base.image.data, j->base.image.size, "base.bin", IMAGE_BIN,
                                    &j->arena, &j->diag, &image);
    if (err || firmware_scan(image, &j->diag, &fw)) {
        abort(); // the base is right
    }
    err = splice_plan(fw, &in, 1, &(struct splice_options){0}, &j->arena, &j->diag, &plan);
    err = err ? err : blob_write(&plan->blob, &j->blob, &j->diag);
    err = err ? err : sign_blob(j->blob.data, j->blob.size, build_key, &j->diag);
    err = err ? err : blob_read(j->blob.data, j->blob.size, "blob", &j->arena, &j->diag, &blob);
    err = err ? err
              : splice_apply(j->base.image.data, j->base.image.size, "base.bin", IMAGE_BIN, blob,
                             &j->arena, &j->diag, &j->product);
    if (err == DIAG_INTERNAL) {
        abort(); // the product did not prove right
    }
    return err;
}

static void run(struct job *j, const uint8_t *data, size_t size)
{
    struct mpy_module *mpy;
    struct synth_spec spec = choose_spec(data);
    char release[16];
    snprintf(release, sizeof release, "1.%u", spec.minor);
    const struct compiler_options options = {.release = compiler_release_find(release),
                                             .opt_level = data[3] & 3,
                                             .max_depth = FUZZ_DEPTH,
                                             .small_int_bits = spec.repr == FW_REPR_B ? 30 : 31};
    if (compiler_tree(data + BUILD_HEAD, size - BUILD_HEAD, "fuzz.py", &options, &j->arena,
                      &j->diag, &mpy)) {
        return;
    }
    synth_make(&spec, &j->base);
    if (!build(j, mpy)) {
        prove(j, data);
    }
    bytes_out_free(&j->base.image);
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
    run(&j, data, size);
    arena_free(&j.arena);
    bytes_out_free(&j.blob);
    bytes_out_free(&j.product);
    bytes_out_free(&j.back);
    return 0;
}
