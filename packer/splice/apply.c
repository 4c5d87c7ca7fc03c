// The product of a base and a blob, and the way back.
#include "format/sha256.h"
#include "packer/splice/splice.h"

static enum diag_code poke(struct image *img, const struct blob *b, bool back, struct diag *d)
{
    for (uint32_t i = 0; i < b->n_patches; i++) {
        const struct blob_patch *p = &b->patches[i];
        const uint8_t *expected = back ? p->new_bytes : p->old_bytes;
        const uint8_t *found = image_bytes(img, p->addr, p->size);
        if (!found || memcmp(found, expected, p->size) != 0) {
            return diag_set(d, DIAG_NO, img->name,
                            "the bytes at 0x%llx are not those of the %s that the blob belongs to",
                            (unsigned long long)p->addr, back ? "product" : "base firmware");
        }
        enum diag_code err =
            image_poke(img, p->addr, back ? p->old_bytes : p->new_bytes, p->size, d);
        if (err) {
            return err;
        }
    }
    return DIAG_OK;
}

// Copies what blob_find points to within segments that are about to move.
static struct blob *keep_blob(const struct blob *b, struct arena *a)
{
    struct blob *copy = NULL;
    const uint8_t *bytes = arena_dup(a, b->layout.bytes, b->layout.size);
    return blob_read(bytes, b->layout.size, "blob", a, NULL, &copy) ? NULL : copy;
}

enum diag_code splice_remove(const uint8_t *product, size_t size, const char *name,
                             enum image_kind kind, struct arena *a, struct diag *d,
                             struct blob **blob, struct bytes_out *base)
{
    struct image *img;
    struct blob *found = NULL;
    uint8_t digest[BLOB_DIGEST];
    *blob = NULL;
    enum diag_code err = image_read(product, size, name, kind, a, d, &img);
    err = err ? err : blob_find(img, a, d, &found);
    if (err || !found) {
        return err;
    }
    found = keep_blob(found, a);
    if (!found) {
        return diag_nomem(d);
    }
    err = poke(img, found, true, d);
    err =
        err ? err
            : image_remove(img, found->addr, found->layout.size, found->undo, found->undo_size, d);
    err = err ? err : image_write(img, base, d);
    err = err ? err : bytes_out_check(base, d);
    if (err) {
        return err;
    }
    sha256(base->data, base->size, digest);
    if (base->size != found->base_file_size ||
        memcmp(digest, found->base_file_sha256, BLOB_DIGEST) != 0) {
        return diag_set(d, DIAG_NO, name,
                        "taking the splice out does not give the firmware that the blob names");
    }
    *blob = found;
    return DIAG_OK;
}

static enum diag_code check_base(struct image *img, const struct blob *b, struct diag *d)
{
    bool same_file;
    if (!blob_is_base(b, img, &same_file)) {
        enum diag_code err =
            diag_set(d, DIAG_NO, img->name, "the blob was made for another firmware");
        diag_help(d, "pack it again with this firmware");
        return err;
    }
    if (!same_file) {
        enum diag_code err = diag_set(d, DIAG_NO, img->name,
                                      "the firmware is the right one, but in another file or "
                                      "container than the blob was made for");
        diag_help(d, "use the very file that the blob was packed for, or pack it again");
        return err;
    }
    return DIAG_OK;
}

static enum diag_code make_product(const uint8_t *base, size_t base_size, const char *name,
                                   enum image_kind kind, const struct blob *b, struct arena *a,
                                   struct diag *d, struct bytes_out *product)
{
    struct image *img;
    enum diag_code err = image_read(base, base_size, name, kind, a, d, &img);
    if (err) {
        return err;
    }
    err = check_base(img, b, d);
    err = err ? err : poke(img, b, false, d);
    err = err ? err : image_add(img, b->addr, b->layout.bytes, b->layout.size, b->segment_flags, d);
    err = err ? err : image_write(img, product, d);
    return err ? err : bytes_out_check(product, d);
}

static enum diag_code wrong(struct diag *d, const char *name, const char *why)
{
    enum diag_code err = diag_set(d, DIAG_INTERNAL, name, "the product failed its check: %s", why);
    diag_help(d, "nothing was written; please report this with the firmware's name and version");
    return err;
}

static enum diag_code check_undo(const uint8_t *base, size_t base_size, const char *name,
                                 enum image_kind kind, const struct bytes_out *product,
                                 struct arena *a, struct diag *d)
{
    struct bytes_out again;
    struct blob *found;
    struct diag inner;
    diag_init(&inner);
    bytes_out_init(&again);
    enum diag_code err =
        splice_remove(product->data, product->size, name, kind, a, &inner, &found, &again);
    bool same =
        !err && found && again.size == base_size && memcmp(again.data, base, base_size) == 0;
    bytes_out_free(&again);
    return same ? DIAG_OK : wrong(d, name, err ? inner.text : "the base does not come back");
}

static bool has_module(const struct firmware *fw, const struct blob_module *m)
{
    enum fw_module_kind kind = m->kind == BLOB_MODULE_STR ? FW_MODULE_STR : FW_MODULE_MPY;
    for (unsigned i = 0; i < fw->n_modules; i++) {
        if (fw->modules[i].kind == kind && !strcmp(fw->modules[i].name, m->name)) {
            return true;
        }
    }
    return false;
}

// The product as a stranger sees it: its frozen tables must hold every module of the blob.
static enum diag_code check_scan(const char *name, enum image_kind kind, const struct blob *b,
                                 const struct bytes_out *product, struct arena *a, struct diag *d)
{
    struct image *img;
    struct firmware *fw = NULL;
    struct blob *found = NULL;
    struct diag inner;
    diag_init(&inner);
    enum diag_code err = image_read(product->data, product->size, name, kind, a, &inner, &img);
    err = err ? err : blob_find(img, a, &inner, &found);
    err = err ? err : firmware_scan(img, &inner, &fw);
    if (err || !fw || !found) {
        return wrong(d, name, err ? inner.text : "it does not read as a firmware with a blob");
    }
    for (uint32_t i = 0; i < b->n_modules; i++) {
        if (!has_module(fw, &b->modules[i])) {
            return wrong(d, name, arena_printf(a, "it does not show %s", b->modules[i].name));
        }
    }
    return DIAG_OK;
}

enum diag_code splice_apply(const uint8_t *base, size_t base_size, const char *name,
                            enum image_kind kind, const struct blob *blob, struct arena *a,
                            struct diag *d, struct bytes_out *product)
{
    enum diag_code err = make_product(base, base_size, name, kind, blob, a, d, product);
    err = err ? err : check_undo(base, base_size, name, kind, product, a, d);
    return err ? err : check_scan(name, kind, blob, product, a, d);
}
