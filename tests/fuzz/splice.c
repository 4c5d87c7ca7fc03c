// A made-up firmware in any container, and products of it.
#include <string.h>

#include "format/mpy/check.h"
#include "tests/fuzz/fuzz.h"

enum { SPLICE_ADDRESS = 0x08000000 }; // where raw images are taken to lie

bool fuzz_base(const struct bytes_out *s, enum image_kind kind, enum image_machine machine,
               struct arena *a, struct fuzz_base *out)
{
    struct image *img;
    const struct image_target to = {.kind = kind};
    *out = (struct fuzz_base){.kind = kind, .machine = machine};
    bytes_out_init(&out->file);
    FUZZ_MUST(!image_read(s->data, s->size, "base", IMAGE_AUTO, a, NULL, &img));
    img->machine = machine;
    if (!img->base_known) {
        image_rebase(img, SPLICE_ADDRESS);
    }
    if (kind == IMAGE_AUTO || kind == img->kind) {
        out->kind = img->kind;
        bytes_put(&out->file, s->data, s->size);
        return true;
    }
    return image_convert(img, &to, &out->file, NULL) == DIAG_OK;
}

enum mpy_arch fuzz_arch(enum image_machine machine)
{
    static const enum mpy_arch archs[] = {[IMAGE_ISA_THUMB] = MPY_ARCH_ARMV7M,
                                          [IMAGE_ISA_ARM] = MPY_ARCH_ARMV6,
                                          [IMAGE_ISA_RV32] = MPY_ARCH_RV32IMC,
                                          [IMAGE_ISA_XTENSA] = MPY_ARCH_XTENSAWIN};
    return archs[machine];
}

struct firmware *fuzz_scan(const uint8_t *data, size_t size, enum image_kind kind, struct arena *a)
{
    struct image *img;
    struct firmware *fw;
    struct diag d;
    diag_init(&d);
    FUZZ_MUST(!image_read(data, size, "base", kind, a, &d, &img));
    FUZZ_MUST(!firmware_scan(img, &d, &fw));
    return fw;
}

bool fuzz_load_mpy(const uint8_t *data, size_t size, const char *name, struct arena *a,
                   struct mpy_module **out)
{
    size_t n = strlen(name);
    if (mpy_read(data, size, name, a, NULL, out) || mpy_check(*out, name, NULL, NULL)) {
        return false;
    }
    if ((*out)->n_qstr) { // renamed
        struct mpy_qstr *qstrs = arena_dup(a, (*out)->qstrs, (*out)->n_qstr * sizeof *qstrs);
        qstrs[0] = (struct mpy_qstr){name, (uint32_t)n, (uint16_t)mpy_static_qstr_find(name, n)};
        (*out)->qstrs = qstrs;
    }
    return true;
}

enum diag_code fuzz_splice(const struct fuzz_base *base, const struct freeze_input *in,
                           const struct sign_key *key, struct arena *a, struct diag *d,
                           struct bytes_out *product)
{
    struct splice_plan *plan;
    struct blob *blob;
    struct bytes_out bytes;
    const struct splice_module module = {.in = *in};
    const struct firmware *fw = fuzz_scan(base->file.data, base->file.size, base->kind, a);
    bytes_out_init(&bytes);
    enum diag_code err = splice_plan(fw, &module, 1, &(struct splice_options){0}, a, d, &plan);
    err = err ? err : blob_write(&plan->blob, &bytes, d);
    err = err || !key ? err : sign_blob(bytes.data, bytes.size, key, d);
    err = err ? err : blob_read(bytes.data, bytes.size, "blob", a, d, &blob);
    err = err ? err
              : splice_apply(base->file.data, base->file.size, "base", base->kind, blob, a, d,
                             product);
    FUZZ_MUST(!err || d->text[0]);
    if (err == DIAG_INTERNAL) { // the product did not prove right
        fprintf(stderr, "%s\n", d->text);
        abort();
    }
    bytes_out_free(&bytes);
    return err;
}
