#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/image_make.h"

enum { FUZZ_MEMORY = 256 << 20, FUZZ_RUN = 300 };

static struct image *fuzz_read(struct arena *a, const uint8_t *data, size_t size,
                               enum image_kind kind)
{
    struct diag d;
    struct image *img;
    diag_init(&d);
    enum diag_code err = image_read(data, size, "fuzz", kind, a, &d, &img);
    FUZZ_MUST(!err == (img != NULL));
    FUZZ_MUST(!err || d.text[0]);
    if (img && !img->base_known) {
        image_rebase(img, 0x8000000);
    }
    return img;
}

static bool fuzz_same(const struct image *img, const uint8_t *data, size_t size)
{
    struct bytes_out out;
    bytes_out_init(&out);
    bool ok = !image_write(img, &out, NULL) && out.size == size && !memcmp(out.data, data, size);
    bytes_out_free(&out);
    return ok;
}

static void fuzz_look(const struct image *img, uint64_t at)
{
    uint64_t v, end = 0;
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *s = &img->segments[i];
        FUZZ_MUST(!s->size || s->addr >= end);
        end = s->size ? s->addr + s->size : end;
        FUZZ_MUST(!s->size || image_bytes(img, s->addr, s->size) == s->data);
        FUZZ_MUST(!s->size || image_bytes(img, s->addr, s->size + 1) == NULL);
        (void)image_word(img, s->run + s->size - 4, 4, &v);
    }
    for (size_t i = 0; i < img->n_relocs && i < 100; i++) {
        (void)image_word(img, img->relocs[i].where, img->address_bits / 8, &v);
    }
    (void)image_run_to_addr(img, at);
    (void)image_at(img, at);
    (void)image_room(img, at, UINT64_MAX);
    (void)image_room(img, at, 1 << 20);
    (void)image_code_address(img, at, FUZZ_RUN, at + 1);
    if (image_elsewhere(img, &v)) {
        FUZZ_MUST(v < img->file_size);
    }
}

// A place for a run: behind one of the segments, or anywhere.
static uint64_t fuzz_place(const struct image *img, const uint8_t *data, size_t size)
{
    uint64_t at = size >= 8 ? ld64(data + size - 8) : 0;
    const struct image_segment *s = &img->segments[at % img->n_segments];
    uint64_t granule = image_granule(img);
    return at & 0x100 ? at : (s->run + s->mem_size + (at >> 16 & 0xfff)) / granule * granule;
}

// As a verifier does: the run is taken out, the base comes back, and adding it once more to the
// base gives the product.
static void fuzz_take(const struct bytes_out *product, const struct bytes_out *base,
                      const struct bytes_out *undo, enum image_kind kind, uint64_t at,
                      const uint8_t *run, uint64_t n)
{
    struct arena a;
    struct bytes_out taken, with;
    struct diag d;
    diag_init(&d);
    arena_init(&a, FUZZ_MEMORY);
    bytes_out_init(&taken);
    bytes_out_init(&with);
    struct image *img = fuzz_read(&a, product->data, product->size, kind);
    FUZZ_MUST(!image_take(img, at, n, undo->data, undo->size, &taken, &d));
    FUZZ_MUST(fuzz_same(img, base->data, base->size));
    FUZZ_MUST(!image_with(img, at, run, n, IMAGE_R | IMAGE_X, &with, &d));
    FUZZ_MUST(with.size == product->size && !memcmp(with.data, product->data, with.size));
    arena_free(&a);
    bytes_out_free(&taken);
    bytes_out_free(&with);
}

// Undo, add, write, read again, remove: the base must come back.
static void fuzz_add(struct image *img, uint64_t at)
{
    struct bytes_out undo, base, product;
    struct arena a;
    uint8_t run[FUZZ_RUN];
    uint64_t granule = image_granule(img),
             n = (FUZZ_RUN / granule + !(FUZZ_RUN / granule)) * granule;
    memset(run, 0x5a, sizeof run);
    bytes_out_init(&undo);
    bytes_out_init(&base);
    bytes_out_init(&product);
    arena_init(&a, FUZZ_MEMORY);
    FUZZ_MUST(!image_write(img, &base, NULL));
    enum diag_code planned = image_undo(img, at, n, &undo, NULL);
    if (!planned && image_add(img, at, run, n, IMAGE_R | IMAGE_X, NULL) == DIAG_OK) {
        FUZZ_MUST(!image_write(img, &product, NULL));
        struct image *again = fuzz_read(&a, product.data, product.size, img->kind);
        // A raw image may be taken for another thing only if it was before.
        FUZZ_MUST(again);
        FUZZ_MUST(image_bytes(again, at, n) && !memcmp(image_bytes(again, at, n), run, n));
        fuzz_take(&product, &base, &undo, img->kind, at, run, n);
        struct diag d;
        diag_init(&d);
        FUZZ_MUST(!image_remove(again, at, n, undo.data, undo.size, &d));
        FUZZ_MUST(fuzz_same(again, base.data, base.size));
    }
    arena_free(&a);
    bytes_out_free(&undo);
    bytes_out_free(&base);
    bytes_out_free(&product);
}

static void fuzz_convert(const struct image *img)
{
    for (enum image_kind k = IMAGE_ELF; k < IMAGE_KINDS; k++) {
        const struct image_target to = {.kind = k};
        struct bytes_out out;
        bytes_out_init(&out);
        (void)image_convert(img, &to, &out, NULL);
        bytes_out_free(&out);
    }
}

// Bytes that are overwritten are the image's own from then on, and nobody else's.
static void fuzz_poke(struct image *img, const uint8_t *data, size_t size)
{
    const struct image_segment *s = &img->segments[size % img->n_segments];
    uint8_t was = s->size ? *s->data : 0, now = (uint8_t)~was, first = *data;
    uint64_t addr = s->addr;
    if (s->size) {
        FUZZ_MUST(!image_poke(img, addr, &now, 1, NULL));
        FUZZ_MUST(*image_bytes(img, addr, 1) == now && *data == first);
        FUZZ_MUST(!image_poke(img, addr, &was, 1, NULL));
        FUZZ_MUST(fuzz_same(img, data, size));
    }
}

// The input as an undo record for a product that is sound.
static void fuzz_undo(const uint8_t *data, size_t size, struct image *img)
{
    const struct image_segment *s = &img->segments[0];
    uint64_t addr = s->addr + s->size / 2, n = s->size - s->size / 2;
    if (n && size > 64) {
        (void)image_remove(img, addr, n, data + size - 20, 20, NULL);
    }
}

void fuzz_image(const uint8_t *data, size_t size, enum image_kind kind)
{
    struct arena a;
    arena_init(&a, FUZZ_MEMORY);
    struct image *img = fuzz_read(&a, data, size, kind);
    if (img) {
        uint64_t at = fuzz_place(img, data, size);
        FUZZ_MUST(image_describe(img, &a)[0]);
        FUZZ_MUST(fuzz_same(img, data, size));
        fuzz_look(img, at);
        fuzz_convert(img);
        fuzz_poke(img, data, size);
        fuzz_add(img, at);
        fuzz_undo(data, size, img);
    }
    arena_free(&a);
}

bool fuzz_image_seed(enum image_kind kind, unsigned i, struct bytes_out *out)
{
    for (const struct image_sample *s = image_samples; s->name; s++) {
        if ((s->kind == kind || kind == IMAGE_AUTO) && i-- == 0) {
            s->make(out);
            return true;
        }
    }
    return false;
}
