#include "tests/lib/compose.h"

#include "packer/sign/sign.h"

enum { COMPOSE_RUN = 64 }; // granules: the record's length does not depend on them

static enum diag_code compose_undo(struct image *img, struct blob *b, struct arena *a,
                                   struct diag *d)
{
    struct bytes_out undo;
    uint64_t granule = image_granule(img);
    bytes_out_init(&undo);
    enum diag_code err = image_undo(img, b->addr, granule * COMPOSE_RUN, &undo, d);
    if (!err) {
        b->undo_size = (uint32_t)undo.size;
        b->signature_space += (uint32_t)(-blob_size(b) & (granule - 1));
        undo.size = 0;
        err = image_undo(img, b->addr, blob_size(b), &undo, d);
        b->undo = arena_dup(a, undo.data, undo.size);
    }
    bytes_out_free(&undo);
    return !err && !b->undo ? diag_nomem(d) : err;
}

static enum diag_code compose_sign(struct bytes_out *blob, const char *file, struct arena *a,
                                   struct diag *d)
{
    struct sign_key *key;
    const struct sign_passphrase none = {0};
    enum diag_code err = sign_key_read(file, &none, a, d, &key);
    if (!err) {
        err = sign_blob(blob->data, blob->size, key, d);
        sign_key_free(key);
    }
    return err;
}

enum diag_code compose_product(struct image *img, struct blob *model, const char *const *keys,
                               struct arena *a, struct diag *d, struct compose_out *out)
{
    bytes_out_init(&out->blob);
    bytes_out_init(&out->file);
    enum diag_code err = blob_make_room(model, img, d);
    err = err ? err : compose_undo(img, model, a, d);
    err = err ? err : blob_write(model, &out->blob, d);
    for (; *keys && !err; keys++) {
        err = compose_sign(&out->blob, *keys, a, d);
    }
    for (unsigned i = 0; i < model->n_patches && !err; i++) {
        const struct blob_patch *p = &model->patches[i];
        err = image_poke(img, p->addr, p->new_bytes, p->size, d);
    }
    err =
        err ? err
            : image_add(img, model->addr, out->blob.data, out->blob.size, model->segment_flags, d);
    return err ? err : image_write(img, &out->file, d);
}
