// Whether a firmware can run a module at all.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format/mpy/dis.h"
#include "format/mpy/prelude.h"
#include "packer/freeze/internal.h"

enum diag_code freeze_refuse(struct freezer *f, enum diag_code code, const char *fmt, ...)
{
    char why[DIAG_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    const char *file = f->input ? f->input->file : NULL;
    return diag_set(f->diag, code, file, "%s", why);
}

// py/persistentcode.h, MPY_FEATURE_ARCH_TEST: the Thumb family runs what its smaller members run.
bool freeze_arch_runs(enum mpy_arch code, enum mpy_arch fw)
{
    if (fw >= MPY_ARCH_ARMV6 && fw <= MPY_ARCH_ARMV7EMDP) {
        return fw == MPY_ARCH_ARMV6 ? code == fw : code >= MPY_ARCH_ARMV6M && code <= fw;
    }
    return code == fw && code != MPY_ARCH_NONE;
}

static bool has_machine_code(const struct mpy_code *c)
{
    if (c->kind != MPY_CODE_BYTECODE) {
        return true;
    }
    for (uint32_t i = 0; i < c->n_children; i++) {
        if (has_machine_code(c->children[i])) {
            return true;
        }
    }
    return false;
}

static enum diag_code check_native(struct freezer *f, const struct mpy_module *m)
{
    const struct firmware *fw = f->fw;
    if (!freeze_arch_runs(m->arch, fw->mpy_arch)) {
        return freeze_refuse(f, DIAG_NO, "it holds machine code for %s, the firmware runs %s",
                             mpy_arch_name(m->arch), mpy_arch_name(fw->mpy_arch));
    }
    if (m->sub_version != fw->profile->mpy_sub_version) {
        return freeze_refuse(f, DIAG_NO,
                             "its machine code is of .mpy sub-version %u, the firmware (%s) "
                             "wants %u",
                             m->sub_version, fw->version, fw->profile->mpy_sub_version);
    }
    if (m->arch_flags) {
        return freeze_refuse(f, DIAG_NO,
                             "its machine code wants the processor extensions 0x%x, which the "
                             "firmware does not show to have",
                             m->arch_flags);
    }
    // All Xtensa chips are Espressif's: in an ELF their flash windows do not show.
    bool doubt = fw->isa == IMAGE_ISA_XTENSA && fw->code_runs != FW_YES;
    if (fw->code_runs == FW_NO || doubt) {
        return freeze_refuse(f, DIAG_NO, "it holds machine code, and %s",
                             fw->code_why ? fw->code_why
                                          : "whether this chip runs code from the flash that "
                                            "frozen modules go to is not known");
    }
    return DIAG_OK;
}

static enum diag_code check_qstr_lengths(struct freezer *f, const struct mpy_module *m)
{
    uint32_t max = f->fw->qstr_len_bytes == 2 ? UINT16_MAX : UINT8_MAX;
    for (uint32_t i = 0; i < m->n_qstr; i++) {
        if (m->qstrs[i].len > max) {
            return freeze_refuse(f, DIAG_NO,
                                 "the name %.40s... has %u bytes, the firmware holds "
                                 "names of at most %u",
                                 m->qstrs[i].data, m->qstrs[i].len, max);
        }
    }
    return DIAG_OK;
}

static bool is_named(const struct mpy_qstr *q, const char *name)
{
    return q->len == strlen(name) && memcmp(q->data, name, q->len) == 0;
}

// A body is known by its name, in the product by whoever reads it: "<module>" or, merged out of
// several files, that of the file. A natmod's has none.
static enum diag_code check_body(struct freezer *f, const struct mpy_module *m)
{
    struct mpy_prelude p;
    if (m->root->kind == MPY_CODE_VIPER) {
        return DIAG_OK;
    }
    if (m->root->kind == MPY_CODE_ASM || mpy_prelude_of(m->root, &p) || p.name >= m->n_qstr) {
        return freeze_refuse(f, DIAG_MALFORMED, "its body is not that of a module");
    }
    const struct mpy_qstr *q = &m->qstrs[p.name];
    if (p.name == 0 || is_named(q, "<module>") || is_named(q, f->input->name)) {
        return DIAG_OK;
    }
    freeze_refuse(f, DIAG_MALFORMED, "its body is called '%.*s'; that of a module is '<module>'",
                  (int)(q->len < 40 ? q->len : 40), q->data);
    diag_help(f->diag, "give the script itself, or a file that mpy-cross made");
    return DIAG_MALFORMED;
}

enum diag_code freeze_check(struct freezer *f, const struct mpy_module *m)
{
    if (m->v5) {
        enum diag_code err = freeze_refuse(
            f, DIAG_NO,
            "it is a .mpy file of version %d (up to MicroPython 1.18), the firmware takes %d",
            MPY_VERSION_OLD, MPY_VERSION);
        diag_help(f->diag, "give the script itself, or a file of mpy-cross %s", f->fw->version);
        return err;
    }
    if (!m->n_qstr) {
        return freeze_refuse(f, DIAG_MALFORMED, "the module has no file name");
    }
    if (m->small_int_bits > f->fw->small_int_bits) {
        enum diag_code err = freeze_refuse(
            f, DIAG_NO, "it was compiled for small ints of %u bits, the firmware's have %u",
            m->small_int_bits, f->fw->small_int_bits);
        diag_help(f->diag, "compile it with -msmall-int-bits=%u, or give the script itself",
                  f->fw->small_int_bits);
        return err;
    }
    enum diag_code err = check_body(f, m);
    err = err || !has_machine_code(m->root) ? err : check_native(f, m);
    return err ? err : check_qstr_lengths(f, m);
}

enum diag_code freeze_check_text(struct freezer *f, const struct freeze_input *in)
{
    const uint8_t *nul = in->text_size ? memchr(in->text, 0, in->text_size) : NULL;
    enum diag_code err = DIAG_OK;
    if (nul) {
        err = freeze_refuse(f, DIAG_MALFORMED, "a NUL at offset %zu, which would end the text",
                            (size_t)(nul - in->text));
    } else if (in->text_size > FW_TEXT_MAX) {
        err = freeze_refuse(f, DIAG_NO, "a text of %u bytes, of %u at most", in->text_size,
                            FW_TEXT_MAX);
    }
    if (err) {
        diag_help(f->diag, "freeze the script as code instead");
    }
    return err;
}
