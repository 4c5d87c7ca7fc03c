// The product of a base and a blob, and the way back.
#include "format/task.h"
#include "packer/splice/splice.h"

// Modules of a product that are read back; of more than that, an even spread. Reading one takes
// time that grows with the number of all.
enum { DEEP_CHECKS = 32 };

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
    return !bytes || blob_read(bytes, b->layout.size, "blob", a, NULL, &copy) ? NULL : copy;
}

// Takes the blob out of an image that holds it.
static enum diag_code take_out(struct image *img, const struct blob *b, struct diag *d,
                               struct bytes_out *base)
{
    enum diag_code err = poke(img, b, true, d);
    err = err ? err : image_remove(img, b->addr, b->layout.size, b->undo, b->undo_size, d);
    if (!err && b->code.size) {
        const struct blob_code *c = &b->code;
        err = image_remove(img, c->addr, c->size, c->undo, c->undo_size, d);
    }
    err = err ? err : image_write(img, base, d);
    return err ? err : bytes_out_check(base, d);
}

enum diag_code splice_check_base(const struct blob *b, struct blob_base *digests, const char *name,
                                 struct diag *d)
{
    return blob_base_is_file(digests, b)
               ? DIAG_OK
               : diag_set(d, DIAG_NO, name,
                          "taking the splice out does not give the firmware that the blob names");
}

enum diag_code splice_open(const uint8_t *product, size_t size, const char *name,
                           enum image_kind kind, struct arena *a, struct diag *d,
                           struct image **img, struct blob **blob, struct bytes_out *base)
{
    struct blob *found = NULL;
    *blob = NULL;
    enum diag_code err = image_read(product, size, name, kind, a, d, img);
    err = err ? err : blob_find(*img, a, d, &found);
    if (err || !found) {
        return err;
    }
    found = keep_blob(found, a);
    if (!found) {
        return diag_nomem(d);
    }
    err = take_out(*img, found, d, base);
    *blob = err ? NULL : found;
    return err;
}

enum diag_code splice_remove(const uint8_t *product, size_t size, const char *name,
                             enum image_kind kind, struct arena *a, struct diag *d,
                             struct blob **blob, struct bytes_out *base)
{
    struct image *img;
    enum diag_code err = splice_open(product, size, name, kind, a, d, &img, blob, base);
    if (err || !*blob) {
        return err;
    }
    struct blob_base *digests = blob_base_new(base->data, base->size, a);
    err = digests ? splice_check_base(*blob, digests, name, d) : diag_nomem(d);
    *blob = err ? NULL : *blob;
    return err;
}

static enum diag_code compare_base(struct image *img, const struct blob *b, struct diag *d)
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

static enum diag_code check_base(const struct splice_parts *p, struct arena *a, struct diag *d)
{
    struct image *img;
    if (p->planned || (p->digests && blob_base_is_file(p->digests, p->blob))) {
        return DIAG_OK;
    }
    enum diag_code err = image_read(p->base, p->base_size, p->name, p->kind, a, d, &img);
    return err ? err : compare_base(img, p->blob, d);
}

static enum diag_code put_blob(struct image *img, const struct blob *b, struct bytes_out *file,
                               struct diag *d)
{
    enum diag_code err = blob_make_room(b, img, d);
    err = err ? err : poke(img, b, false, d);
    return err ? err
               : image_with(img, b->addr, b->layout.bytes, b->layout.size, b->segment_flags, file,
                            d);
}

// The same where the bytes of the base stay in place: they are changed in the product's memory.
static enum diag_code put_in_place(const struct splice_parts *p, struct image *img,
                                   struct bytes_out *product, struct diag *d)
{
    struct bytes_out file;
    bytes_reserve(product, p->base_size + p->blob->layout.size);
    bytes_put(product, p->base, p->base_size);
    if (product->failed) {
        return diag_nomem(d);
    }
    bytes_out_init_over(&file, product->data, product->cap);
    image_lend(img, product->data);
    enum diag_code err = put_blob(img, p->blob, &file, d);
    if (!file.lent) { // that memory was too small
        bytes_out_free(product);
        *product = file;
    } else {
        product->size = file.size;
    }
    return err;
}

static enum diag_code put_in(const struct splice_parts *p, struct arena *a, struct diag *d,
                             struct bytes_out *product)
{
    const struct blob *b = p->blob;
    struct image *img;
    enum diag_code err = image_read(p->base, p->base_size, p->name, p->kind, a, d, &img);
    if (err) {
        return err;
    }
    if (!img->base_known && b->n_extents) {
        image_rebase(img, b->extents[0].addr);
    }
    return image_in_place(img) ? put_in_place(p, img, product, d) : put_blob(img, b, product, d);
}

enum diag_code splice_make(const struct splice_parts *p, struct arena *a, struct diag *d,
                           struct bytes_out *product)
{
    enum diag_code err = p->digests ? DIAG_OK : check_base(p, a, d);
    if (err) {
        return err;
    }
    err = put_in(p, a, d, product);
    if (err && p->digests) { // see splice_prove; that it is another base explains the failure
        struct diag why;
        diag_init(&why);
        enum diag_code other = check_base(p, a, &why);
        if (other) {
            err = other;
            *d = why;
        }
    }
    return err;
}

static enum diag_code wrong(struct diag *d, const char *name, const char *why)
{
    enum diag_code err = diag_set(d, DIAG_INTERNAL, name, "the product failed its check: %s", why);
    diag_help(d, "nothing was written; please report this with the firmware's name and version");
    return err;
}

// Both have the modules in the same order, so the search begins at *next, behind the last one
// found.
static const struct fw_module *find_module(const struct firmware *fw, const struct blob_module *m,
                                           unsigned *next)
{
    enum fw_module_kind kind = m->kind == BLOB_MODULE_STR ? FW_MODULE_STR : FW_MODULE_MPY;
    for (unsigned i = 0; i < fw->n_modules; i++) {
        unsigned at = (*next + i) % fw->n_modules;
        if (fw->modules[at].kind == kind && !strcmp(fw->modules[at].name, m->name)) {
            *next = at + 1;
            return &fw->modules[at];
        }
    }
    return NULL;
}

// Finds a module of the blob in the product and, deep, reads its code, constants and names back.
static enum diag_code check_module(const struct firmware *fw, const struct blob_module *m,
                                   bool deep, unsigned *next, struct arena *a, struct diag *d)
{
    struct diag inner;
    struct mpy_module *tree;
    diag_init(&inner);
    const struct fw_module *found = find_module(fw, m, next);
    if (!found) {
        return wrong(d, fw->image->name, arena_printf(a, "it does not show %s", m->name));
    }
    if (!deep || m->kind != BLOB_MODULE_MPY) {
        return DIAG_OK;
    }
    struct arena scratch;
    arena_init(&scratch, 0);
    scratch.on_fail = a->on_fail;
    enum diag_code err = firmware_unfreeze(fw, found, &scratch, &inner, &tree);
    arena_free(&scratch);
    return err ? wrong(d, fw->image->name, arena_printf(a, "%s reads as: %s", m->name, inner.text))
               : DIAG_OK;
}

// A blob whose modules are in their list alone tells how many they are.
static enum diag_code check_count(const struct firmware *fw, const struct blob *b, struct diag *d)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < fw->n_modules; i++) {
        n += fw->modules[i].spliced;
    }
    return n >= b->list.n ? DIAG_OK : wrong(d, fw->image->name, "it does not show all modules");
}

// The product as a stranger sees it: its frozen tables must hold every module of the blob.
static enum diag_code check_tables(struct image *img, const struct blob *b, struct arena *a,
                                   struct diag *d)
{
    struct firmware *fw = NULL;
    struct diag inner;
    diag_init(&inner);
    enum diag_code err = firmware_scan(img, &inner, &fw);
    if (err || !fw) {
        return wrong(d, img->name, err ? inner.text : "it does not read as a firmware");
    }
    err = check_count(fw, b, d);
    uint32_t step = b->n_modules / DEEP_CHECKS + 1;
    unsigned next = 0;
    for (uint32_t i = 0; i < b->n_modules && !err; i++) {
        err = check_module(fw, &b->modules[i], i % step == 0, &next, a, d);
    }
    return err;
}

// Taking the splice out of the product, as a stranger would, and putting it in again, beside the
// look at the product's tables.
struct undo {
    const struct splice_parts *parts;
    const struct bytes_out *product;
    struct arena arena; // its own: tasks share none
    struct bytes_out work;
    struct diag diag;
    enum diag_code err;
};

static bool same_bytes(const struct bytes_out *x, const uint8_t *data, size_t size)
{
    return x->size == size && memcmp(x->data, data, size) == 0;
}

// Both over a copy of the product, as far as the container can.
static enum diag_code undo_and_redo(struct undo *u, struct image *img, const struct blob *b)
{
    const struct splice_parts *p = u->parts;
    struct bytes_out base, again;
    bytes_out_init(&base);
    bytes_out_init_over(&again, u->work.data, u->work.cap);
    if (image_in_place(img)) {
        base = again;
    }
    image_lend(img, u->work.data);
    enum diag_code err = poke(img, b, true, &u->diag);
    err = err ? err : blob_take(b, img, &base, &u->diag);
    if (!err && !same_bytes(&base, p->base, p->base_size)) {
        err = diag_set(&u->diag, DIAG_NO, p->name, "the base does not come back");
    }
    err = err ? err : blob_make_room(b, img, &u->diag);
    err = err ? err : poke(img, b, false, &u->diag);
    err = err ? err
              : image_with(img, b->addr, b->layout.bytes, b->layout.size, b->segment_flags, &again,
                           &u->diag);
    if (!err && !same_bytes(&again, u->product->data, u->product->size)) {
        err = diag_set(&u->diag, DIAG_NO, p->name, "the base and the blob give something else");
    }
    bytes_out_free(&again);
    bytes_out_free(&base);
    return err;
}

static enum diag_code undo(struct undo *u)
{
    const struct splice_parts *p = u->parts;
    struct image *img;
    struct blob *blob;
    enum diag_code err =
        image_read(u->product->data, u->product->size, p->name, p->kind, &u->arena, &u->diag, &img);
    err = err ? err : blob_find(img, &u->arena, &u->diag, &blob);
    if (!err && !blob) {
        err = diag_set(&u->diag, DIAG_NO, p->name, "the blob is not found in it");
    }
    if (err) {
        return err;
    }
    blob = keep_blob(blob, &u->arena);
    bytes_put(&u->work, u->product->data, u->product->size);
    return !blob || u->work.failed ? diag_nomem(&u->diag) : undo_and_redo(u, img, blob);
}

static void undo_run(void *argument)
{
    struct undo *u = argument;
    u->err = undo(u);
}

static void undo_end(void *argument)
{
    struct undo *u = argument;
    bytes_out_free(&u->work);
    arena_free(&u->arena);
}

static enum diag_code check_product(const struct splice_parts *p, const struct bytes_out *product,
                                    struct arena *a, struct diag *d)
{
    const struct blob *b = p->blob;
    struct image *img;
    struct blob *found = NULL;
    struct diag inner;
    diag_init(&inner);
    enum diag_code err =
        image_read(product->data, product->size, p->name, p->kind, a, &inner, &img);
    err = err ? err : blob_find(img, a, &inner, &found);
    if (err || !found || found->layout.size != b->layout.size ||
        memcmp(found->layout.bytes, b->layout.bytes, b->layout.size) != 0) {
        return wrong(d, p->name, err ? inner.text : "the blob is not found in it");
    }
    return check_tables(img, b, a, d);
}

static enum diag_code prove(const struct splice_parts *p, const struct bytes_out *product,
                            struct arena *a, struct diag *d)
{
    struct undo *u = ARENA_NEW(a, struct undo);
    if (!u) {
        return diag_nomem(d);
    }
    *u = (struct undo){.parts = p, .product = product};
    arena_init(&u->arena, 0);
    diag_init(&u->diag);
    bytes_out_init(&u->work);
    struct task *task = task_start(a, undo_run, undo_end, u);
    if (!task) {
        return diag_nomem(d);
    }
    jmp_buf *on_fail = a->on_fail; // nothing may jump away from what the task still uses
    a->on_fail = NULL;
    enum diag_code err = check_product(p, product, a, d);
    a->on_fail = on_fail;
    task_wait(task);
    if (!err && u->err) {
        err = u->err == DIAG_NOMEM ? diag_nomem(d) : wrong(d, p->name, u->diag.text);
    }
    undo_end(u);
    return err;
}

// The base's digest is waited for last: it is made while the proof goes on. But another firmware is
// the cause of whatever else is wrong.
enum diag_code splice_prove(const struct splice_parts *p, const struct bytes_out *product,
                            struct arena *a, struct diag *d)
{
    enum diag_code err = prove(p, product, a, d);
    enum diag_code other = p->digests ? check_base(p, a, d) : DIAG_OK;
    return other ? other : err;
}

enum diag_code splice_apply(const uint8_t *base, size_t base_size, const char *name,
                            enum image_kind kind, const struct blob *blob, struct arena *a,
                            struct diag *d, struct bytes_out *product)
{
    const struct splice_parts p = {
        .base = base, .base_size = base_size, .name = name, .kind = kind, .blob = blob};
    enum diag_code err = splice_make(&p, a, d, product);
    return err ? err : splice_prove(&p, product, a, d);
}
