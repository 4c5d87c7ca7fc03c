// The run of machine code beside a blob: see struct blob_code.
#include "format/blob/blob.h"

enum diag_code blob_make_room(const struct blob *b, struct image *base, struct diag *d)
{
    if (!b->code.size) {
        return DIAG_OK;
    }
    const uint8_t *zeros = arena_calloc(base->arena, b->code.size, 1);
    return zeros ? image_add(base, b->code.addr, zeros, b->code.size, IMAGE_R | IMAGE_X, d)
                 : diag_nomem(d);
}

enum diag_code blob_take(const struct blob *b, struct image *img, struct bytes_out *file,
                         struct diag *d)
{
    const struct blob_code *c = &b->code;
    struct bytes_out between;
    if (!c->size) {
        return image_take(img, b->addr, b->layout.size, b->undo, b->undo_size, file, d);
    }
    bytes_out_init_in(&between, img->arena);
    enum diag_code err =
        image_take(img, b->addr, b->layout.size, b->undo, b->undo_size, &between, d);
    return err ? err : image_take(img, c->addr, c->size, c->undo, c->undo_size, file, d);
}
