// Fuzz target: signed products. Every made image gets a blob, signed with a test key, and is a seed
// in its own container and in each other one that can hold it. What is made of that may verify only
// if it is one of these files byte for byte, or, in another container than its base's, holds the
// bytes of one of them at all addresses and nothing but padding elsewhere. The first byte names the
// container whose sums are made right before (0: none).
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/compose.h"
#include "tests/lib/mpy_mutate.h"
#include "tests/unit/image_make.h"
#include "verify/host/verify.h"

enum {
    CODE_RUN = 64,
    PRODUCTS = 64,
    PRODUCT_MEMORY = 256 << 20,
    PRODUCT_UNIT = 512,
    PRODUCT_SEED_MAX = 49152
};

struct product {
    enum image_kind kind; // of the base
    struct compose_out made;
    struct image *image; // the product
};

static struct {
    struct arena arena; // lives as long as the process
    struct verify_key *key;
    unsigned n;
    struct product at[PRODUCTS];
} all;

// Chips that map code apart: a run of code behind the base's own, and the patch that fills it.
static void choose_code(struct blob *b, struct image *img, struct blob_patch *patch)
{
    static const uint8_t zeros[CODE_RUN], code[CODE_RUN] = {0x36, 0x41, 0, 0x1d, 0xf0};
    struct bytes_out undo;
    struct blob_extent *extents = ARENA_ARRAY(&all.arena, struct blob_extent, b->n_extents + 1);
    bytes_out_init(&undo);
    if (img->code_end && !image_undo(img, img->code_end, CODE_RUN, &undo, NULL)) {
        b->segment_flags = IMAGE_R | IMAGE_APART;
        b->code = (struct blob_code){img->code_end, CODE_RUN, (uint32_t)undo.size,
                                     arena_dup(&all.arena, undo.data, undo.size)};
        *patch = (struct blob_patch){img->code_end, CODE_RUN, zeros, code};
        b->n_patches++;
        // The code is mapped above all else.
        memcpy(extents, b->extents, b->n_extents * sizeof *extents);
        extents[b->n_extents++] =
            (struct blob_extent){img->code_end, CODE_RUN, BLOB_EXTENT_FILL_00};
        b->extents = extents;
    }
    bytes_out_free(&undo);
}

// Four bytes of the first stretch that has them.
static bool choose_patch(const struct blob *b, struct image *img, struct blob_patch *patch)
{
    static const uint8_t new_bytes[] = {0xde, 0xad, 0xbe, 0xef};
    for (unsigned i = 0; i < b->n_extents; i++) {
        const struct blob_extent *e = &b->extents[i];
        const uint8_t *old = image_bytes(img, e->addr + 4, sizeof new_bytes);
        if (e->kind == BLOB_EXTENT_DATA && e->size >= 8 && old) {
            *patch = (struct blob_patch){e->addr + 4, sizeof new_bytes,
                                         arena_dup(&all.arena, old, sizeof new_bytes), new_bytes};
            return true;
        }
    }
    return false;
}

static void make_product(const struct image_sample *s, struct product *p)
{
    static const uint8_t payload[] = "m.py\0the payload: what is frozen into the firmware";
    static const char *const keys[] = {"tests/keys/p256.pem", NULL};
    struct bytes_out base, list;
    struct image *img;
    struct blob_patch patches[2];
    struct diag d;
    struct blob_module module = {.name = "m.py", .kind = BLOB_MODULE_MPY, .size = 11};
    struct blob model = {.addr = (s->add + 15) & ~(uint64_t)15,
                         .segment_flags = IMAGE_R | IMAGE_X,
                         .payload = payload,
                         .payload_size = sizeof payload,
                         .n_modules = 1,
                         .modules = &module,
                         .app = "fuzz",
                         .signature_space = 104};
    diag_init(&d);
    bytes_out_init(&base);
    bytes_out_init(&list);
    s->make(&base);
    FUZZ_MUST(!image_read(base.data, base.size, s->name, s->kind, &all.arena, NULL, &img));
    if (!img->base_known) {
        image_rebase(img, s->base);
    }
    enum diag_code err = blob_set_base(&model, img, &all.arena, &d);
    model.patches = patches;
    model.n_patches = choose_patch(&model, img, patches);
    choose_code(&model, img, &patches[model.n_patches]);
    err = err ? err : blob_make_list(&model, &list, &d);
    err = err ? err : compose_product(img, &model, keys, &all.arena, &d, &p->made);
    // A raw image and its product have no address of their own: the blob's is what counts.
    err = err ? err
              : image_read(p->made.file.data, p->made.file.size, s->name, s->kind, &all.arena, &d,
                           &p->image);
    if (!err && !p->image->base_known) {
        image_rebase(p->image, s->base);
    }
    bytes_out_free(&list);
    p->kind = s->kind;
    if (err) {
        fprintf(stderr, "%s: %s\n", s->name, d.text);
        abort();
    }
}

static void make_all(void)
{
    arena_init(&all.arena, 0);
    FUZZ_MUST(!verify_key_read("tests/keys/p256.pub.pem", NULL, &all.key));
    for (const struct image_sample *s = image_samples; s->name; s++, all.n++) {
        FUZZ_MUST(all.n < PRODUCTS);
        make_product(s, &all.at[all.n]);
    }
}

static bool same(const struct bytes_out *made, const uint8_t *data, size_t size)
{
    return made->size == size && memcmp(made->data, data, size) == 0;
}

// The byte at an address, erased flash where there is none.
static uint8_t byte_at(const struct image *img, uint64_t addr, bool *there)
{
    const uint8_t *p = image_bytes(img, addr, 1);
    *there = p != NULL;
    return p ? *p : 0xff;
}

// Each byte that one has and the other has not is padding; what both have is the same.
static bool covers(const struct image *img, const struct image *other, bool exact)
{
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *s = &img->segments[i];
        for (uint64_t at = 0; at < s->size; at++) {
            bool there;
            uint8_t byte = byte_at(other, s->addr + at, &there);
            bool padding = s->data[at] == 0xff || (!exact && s->data[at] == 0);
            if (there ? byte != s->data[at] : !padding) {
                return false;
            }
        }
    }
    return true;
}

// A product of this container whose address space it is.
static bool is_space(const struct verify_report *r, struct image *img)
{
    if (!img->base_known) {
        image_rebase(img, r->blob->addr - (uint64_t)(r->blob->layout.bytes - img->file));
    }
    for (unsigned i = 0; i < all.n; i++) {
        const struct image *own = all.at[i].image;
        if (covers(own, img, true) && covers(img, own, false)) {
            return true;
        }
    }
    return false;
}

static void must_be_ours(const struct verify_report *r, const uint8_t *data, size_t size,
                         struct arena *a)
{
    struct image *img;
    bool ours = false;
    for (unsigned i = 0; i < all.n && !ours; i++) {
        const struct compose_out *made = &all.at[i].made;
        ours = r->proof == VERIFY_PROVES_FILE   ? same(&made->file, data, size)
               : r->proof == VERIFY_PROVES_BLOB ? same(&made->blob, data, size)
                                                : false;
    }
    if (r->proof == VERIFY_PROVES_SPACE) {
        FUZZ_MUST(!image_read(data, size, "product", IMAGE_AUTO, a, NULL, &img));
        struct blob *found;
        struct verify_report here = *r;
        FUZZ_MUST(!blob_find(img, a, NULL, &found) && found);
        here.blob = found;
        ours = is_space(&here, img);
    }
    FUZZ_MUST(ours);
}

static void try_product(const uint8_t *data, size_t size)
{
    struct arena a;
    struct verify_report report;
    const struct verify_request rq = {.data = data,
                                      .size = size,
                                      .name = "product",
                                      .n_keys = 1,
                                      .keys = &all.key,
                                      .allow_published = true};
    arena_init(&a, PRODUCT_MEMORY);
    if (!verify_image(&rq, &a, NULL, &report) && report.result == VERIFY_VERIFIED) {
        must_be_ours(&report, data, size, &a);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!all.n) {
        make_all();
    }
    uint8_t *copy = size > 1 ? malloc(size - 1) : NULL;
    if (copy) {
        memcpy(copy, data + 1, size - 1);
        fuzz_fix((enum image_kind)(data[0] % IMAGE_KINDS), copy, size - 1);
        try_product(copy, size - 1);
        free(copy);
    }
    return 0;
}

// Where unit i of a file begins: a block, or a line of text. size if there are fewer.
static size_t unit_at(const uint8_t *data, size_t size, uint32_t i)
{
    size_t at = 0;
    if (data[0] != ':') {
        return (size_t)i * PRODUCT_UNIT < size ? (size_t)i * PRODUCT_UNIT : size;
    }
    for (; at < size && i; at++) {
        i -= data[at] == '\n';
    }
    return at;
}

// Takes a unit out, doubles it, or puts it elsewhere.
static size_t mutate_units(uint8_t *data, size_t size, size_t max, uint64_t *random)
{
    uint32_t n = (uint32_t)(size / (data[0] == ':' ? 44 : PRODUCT_UNIT)) + 1;
    uint32_t i = mpy_mutate_random(random, n), k = mpy_mutate_random(random, n);
    size_t from = unit_at(data, size, i), end = unit_at(data, size, i + 1);
    size_t to = unit_at(data, size, k), unit = end - from;
    uint8_t *keep = malloc(unit + 1);
    memcpy(keep, data + from, unit);
    if (mpy_mutate_random(random, 3)) { // out with it
        memmove(data + from, data + end, size - end);
        size -= unit;
        to = to > size ? size : to;
    }
    if (mpy_mutate_random(random, 3) && size + unit <= max) {
        memmove(data + to + unit, data + to, size - to);
        memcpy(data + to, keep, unit);
        size += unit;
    }
    free(keep);
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    uint64_t random = seed * 0x9e3779b97f4a7c15u + 1;
    if (size < 2 || (LLVMFuzzerMutate && mpy_mutate_random(&random, 3))) {
        return LLVMFuzzerMutate ? LLVMFuzzerMutate(data, size, max) : size;
    }
    return 1 + mutate_units(data + 1, size - 1, max - 1, &random);
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    if (!all.n) {
        make_all();
    }
    const struct product *p = &all.at[i / IMAGE_KINDS];
    enum image_kind kind = i % IMAGE_KINDS;
    if (i / IMAGE_KINDS >= all.n) {
        return false;
    }
    bytes_put_u8(out, (uint8_t)(kind ? kind : p->kind));
    if (!kind) { // the product itself
        bytes_put(out, p->made.file.data, p->made.file.size);
    } else {
        const struct image_target to = {.kind = kind};
        (void)image_convert(p->image, &to, out, NULL);
    }
    out->size = out->size > PRODUCT_SEED_MAX ? 1 : out->size;
    return true;
}
