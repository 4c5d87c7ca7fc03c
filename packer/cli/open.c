#include "packer/cli/open.h"

#include "packer/cli/float_origin.h"

#include <string.h>

// 'M', a version and an architecture; the size of a small int is below 64 in every file made.
static bool open_is_mpy(const struct file *f)
{
    return f->size >= 4 && f->data[0] == 'M' && f->data[1] <= MPY_VERSION && f->data[3] <= 64;
}

static enum diag_code open_image(struct cli *cli, const struct file *f, const char *type,
                                 bool without_firmware, struct open_file *out)
{
    enum image_kind kind = type ? image_kind_find(type) : IMAGE_AUTO;
    if (type && kind == IMAGE_AUTO) {
        return cli_usage_error(cli, "--type %s is not known", type);
    }
    enum diag_code err =
        image_read(f->data, f->size, f->name, kind, &cli->arena, &cli->diag, &out->image);
    if (err) {
        return err;
    }
    err = firmware_scan(out->image, &cli->diag, &out->fw);
    if (err == DIAG_NO && without_firmware) {
        diag_init(&cli->diag);
        return DIAG_OK;
    }
    return err;
}

// The product that a blob and its base make, in memory.
static enum diag_code open_product(struct cli *cli, struct image *base, const struct blob *b,
                                   struct file *product)
{
    struct diag *d = &cli->diag;
    enum diag_code err = blob_make_room(b, base, d);
    for (uint32_t i = 0; i < b->n_patches && !err; i++) {
        err = image_poke(base, b->patches[i].addr, b->patches[i].new_bytes, b->patches[i].size, d);
    }
    err =
        err ? err : image_add(base, b->addr, b->layout.bytes, b->layout.size, b->segment_flags, d);
    struct bytes_out out;
    bytes_out_init(&out);
    err = err ? err : image_write(base, &out, d);
    err = err ? err : bytes_out_check(&out, d);
    product->name = base->name;
    product->size = out.size;
    product->data = arena_dup(&cli->arena, out.data, out.size);
    bytes_out_free(&out);
    return err || product->data ? err : diag_nomem(d);
}

// A blob whose modules are in their list alone: those that it adds to the frozen tables.
static enum diag_code open_spliced(struct cli *cli, const struct firmware *fw, struct blob *b)
{
    struct blob_module *modules = ARENA_ARRAY(&cli->arena, struct blob_module, fw->n_modules);
    if (!modules) {
        return diag_nomem(&cli->diag);
    }
    for (unsigned i = 0; i < fw->n_modules; i++) {
        if (fw->modules[i].spliced) {
            modules[b->n_modules++].name = fw->modules[i].name;
        }
    }
    b->modules = modules;
    return DIAG_OK;
}

// The firmware with the blob's modules in it, for their strings.
static enum diag_code open_base(struct cli *cli, const char *name, const char *type,
                                struct open_file *out)
{
    struct file base, product;
    bool same_file;
    enum diag_code err = file_read(name, &cli->arena, &cli->diag, &base);
    err = err ? err : open_image(cli, &base, type, false, out);
    if (err) {
        return err;
    }
    if (!blob_is_base(out->blob, out->image, &same_file)) {
        return diag_set(&cli->diag, DIAG_NO, name, "is not the firmware that %s is for",
                        out->file.name);
    }
    err = open_product(cli, out->image, out->blob, &product);
    err = err ? err : open_image(cli, &product, type, false, out);
    return err || !out->blob->detached ? err : open_spliced(cli, out->fw, out->blob);
}

static enum diag_code open_detached(struct cli *cli, const char *name)
{
    diag_set(&cli->diag, DIAG_NO, name, "the modules of this blob are listed in another file");
    return diag_help(&cli->diag, "give the firmware with -f FIRMWARE"), DIAG_NO;
}

enum diag_code open_file(struct cli *cli, const char *name, const char *type, const char *base,
                         bool without_firmware, struct open_file *out)
{
    *out = (struct open_file){0};
    enum diag_code err = file_read(name, &cli->arena, &cli->diag, &out->file);
    if (err) {
        return err;
    }
    const struct file *f = &out->file;
    if (!type && open_is_mpy(f)) {
        out->kind = OPEN_MPY;
        return mpy_read(f->data, f->size, f->name, &cli->arena, &cli->diag, &out->mpy);
    }
    if (f->size >= BLOB_MAGIC && blob_layout_begins(f->data)) {
        out->kind = OPEN_BLOB;
        err = blob_read(f->data, f->size, f->name, &cli->arena, &cli->diag, &out->blob);
        if (!err && !base && out->blob->detached) {
            return open_detached(cli, f->name);
        }
        return err || !base ? err : open_base(cli, base, type, out);
    }
    out->kind = OPEN_IMAGE;
    return open_image(cli, f, type, without_firmware, out);
}

unsigned open_n_modules(const struct open_file *f)
{
    if (f->kind == OPEN_MPY) {
        return 1;
    }
    return f->kind == OPEN_BLOB ? f->blob->n_modules : f->fw ? f->fw->n_modules : 0;
}

const char *open_module_name(const struct open_file *f, unsigned i)
{
    if (f->kind == OPEN_MPY) {
        return f->file.name;
    }
    return f->kind == OPEN_BLOB ? f->blob->modules[i].name : f->fw->modules[i].name;
}

// The frozen module behind entry i. A blob's are found by name among those spliced in.
static const struct fw_module *open_frozen(const struct open_file *f, unsigned i)
{
    if (f->kind == OPEN_IMAGE) {
        return &f->fw->modules[i];
    }
    for (unsigned k = 0; k < f->fw->n_modules; k++) {
        const struct fw_module *m = &f->fw->modules[k];
        if (m->spliced && strcmp(m->name, f->blob->modules[i].name) == 0) {
            return m;
        }
    }
    return NULL;
}

enum diag_code open_module(struct cli *cli, const struct open_file *f, unsigned i, struct arena *a,
                           struct open_module *out)
{
    *out = (struct open_module){.name = open_module_name(f, i), .mpy = f->mpy};
    if (f->kind == OPEN_MPY) {
        return DIAG_OK;
    }
    if (!f->fw) {
        diag_set(&cli->diag, DIAG_NO, f->file.name,
                 "the modules of a blob can only be read together with its firmware");
        return diag_help(&cli->diag, "give the firmware with -f FIRMWARE"), DIAG_NO;
    }
    const struct fw_module *m = open_frozen(f, i);
    if (!m) {
        return diag_set(&cli->diag, DIAG_MALFORMED, f->file.name,
                        "%s is not where the blob says it is", out->name);
    }
    if (m->kind == FW_MODULE_STR) {
        out->text = firmware_str_module(f->fw, m, &out->text_size);
        return out->text ? DIAG_OK
                         : diag_set(&cli->diag, DIAG_MALFORMED, f->file.name,
                                    "the text of %s is not in the image", m->name);
    }
    struct mpy_module *mpy = NULL;
    enum diag_code err = firmware_unfreeze(f->fw, m, a, &cli->diag, &mpy);
    if (!err) {
        float_origin(f->fw, mpy, a);
    }
    out->mpy = mpy;
    return err;
}

// Is item (n bytes, dots standing for slashes) the same as module's first n bytes?
static bool open_same(const char *module, const char *item, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (module[i] != item[i] && !(module[i] == '/' && item[i] == '.')) {
            return false;
        }
    }
    return true;
}

static bool open_names(const char *module, const char *item)
{
    if (strcmp(module, item) == 0) {
        return true;
    }
    size_t n = strlen(item);
    if (strlen(module) < n || !open_same(module, item, n)) {
        return false;
    }
    static const char *const ends[] = {".py", ".mpy", "/__init__.py", "/__init__.mpy"};
    for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (strcmp(module + n, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool open_selected(const char *module, const struct cli_list *names, bool *used)
{
    bool selected = names->n == 0;
    for (unsigned i = 0; i < names->n; i++) {
        if (open_names(module, names->items[i])) {
            selected = true;
            if (used) {
                used[i] = true;
            }
        }
    }
    return selected;
}

enum diag_code open_all_used(struct cli *cli, const struct cli_list *names, const bool *used)
{
    for (unsigned i = 0; i < names->n; i++) {
        if (!used[i]) {
            return diag_set(&cli->diag, DIAG_NO, NULL, "there is no module %s", names->items[i]);
        }
    }
    return DIAG_OK;
}

bool open_failure(struct cli *cli, struct open_failures *f, enum diag_code err)
{
    if (err != DIAG_MALFORMED) {
        return false;
    }
    if (f->n++ == 0) {
        f->first = cli->diag;
    }
    diag_init(&cli->diag);
    return true;
}

enum diag_code open_failures_end(struct cli *cli, const struct open_failures *f)
{
    if (f->n) {
        cli->diag = f->first;
    }
    return f->n ? f->first.code : DIAG_OK;
}
