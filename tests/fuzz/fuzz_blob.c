// Fuzz target: blobs. The first byte chooses: the input is a blob, an image that may hold one, the
// address space of a base, or a list of modules.
#include <string.h>

#include "format/blob/blob.h"
#include "format/blob/walk.h"
#include "format/sha256.h"
#include "tests/fuzz/fuzz.h"

enum { BLOB_MEMORY = 256 << 20, WALK_MAX = 1 << 22, LIST_MAX = 64 };

struct walker {
    uint64_t hashed;
    uint8_t page[256];
};

// Memory that is there or not, by address; at most a page at a time.
static const uint8_t *walk_map(void *ctx, uint64_t addr, uint32_t *size)
{
    struct walker *w = ctx;
    *size = *size < sizeof w->page ? *size : (uint32_t)sizeof w->page;
    memset(w->page, addr & 0x1000 ? 0xff : 0, sizeof w->page);
    return addr & 0x2000 ? NULL : w->page;
}

static void walk_hash(void *ctx, const void *data, uint32_t size)
{
    ((struct walker *)ctx)->hashed += size + *(const uint8_t *)data % 1;
}

// Extents of an exabyte are sound, and nobody waits for them without a good signature.
static bool walk_is_short(const struct blob *b)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < b->n_extents; i++) {
        total += b->extents[i].size;
    }
    return total < WALK_MAX;
}

static void try_model(const struct blob *b)
{
    struct walker w = {0};
    const struct blob_walk walk = {&w, walk_map, walk_hash};
    struct bytes_out again;
    (void)blob_damaged(b);
    if (walk_is_short(b)) {
        (void)blob_walk(&b->layout, 1, &walk);
        (void)blob_walk(&b->layout, 0, &walk);
    }
    bytes_out_init(&again);
    // What can be written is the same but for the sums.
    if (blob_write(b, &again, NULL) == DIAG_OK) {
        FUZZ_MUST(again.size == b->layout.size);
        FUZZ_MUST(memcmp(again.data + BLOB_HEADER, b->layout.bytes + BLOB_HEADER,
                         again.size - BLOB_HEADER) == 0);
    }
    bytes_out_free(&again);
}

static void try_image(const uint8_t *data, size_t size, struct arena *a)
{
    struct image *img;
    struct blob *b;
    bool same;
    uint64_t where;
    if (image_read(data, size, "fuzz", IMAGE_AUTO, a, NULL, &img)) {
        return;
    }
    if (!blob_find(img, a, NULL, &b) && b) {
        FUZZ_MUST(image_bytes(img, b->addr, b->layout.size) == b->layout.bytes);
        try_model(b);
        (void)blob_rest_is_padding(b, img, true, &where);
        if (walk_is_short(b)) {
            (void)blob_is_base(b, img, &same);
        }
    }
}

// Every byte of an image is in one extent, and the image is its own base.
static void try_space(const uint8_t *data, size_t size, struct arena *a)
{
    struct image *img;
    struct blob b = {.addr = (uint64_t)1 << 60}, *read;
    uint64_t where;
    uint32_t n = 0;
    struct bytes_out out;
    if (image_read(data, size, "fuzz", IMAGE_AUTO, a, NULL, &img)) {
        return;
    }
    if (!img->base_known) {
        image_rebase(img, 0x1000);
    }
    bytes_out_init(&out);
    if (!blob_set_base(&b, img, a, NULL) && !blob_write(&b, &out, NULL)) {
        bool same;
        FUZZ_MUST(!blob_read(out.data, out.size, "blob", a, NULL, &read));
        FUZZ_MUST(blob_is_base(read, img, &same) && same);
        read->base_file_size++; // so that the address space decides
        FUZZ_MUST(blob_is_base(read, img, &same) && !same);
        for (unsigned i = 0; i < img->n_segments; i++) {
            for (uint64_t at = 0; at < img->segments[i].size; n++) {
                uint32_t left = UINT32_MAX;
                FUZZ_MUST(blob_image_map(img, img->segments[i].addr + at, &left) && left);
                at += left;
            }
        }
        FUZZ_MUST(blob_rest_is_padding(read, img, false, &where));
    }
    bytes_out_free(&out);
}

// As the list of a blob that names it by its digest: the modules that come out make the same list.
static void try_list(const uint8_t *data, size_t size, struct arena *a)
{
    struct blob b = {.payload_size = 1 << 16, .detached = true, .list = {.size = (uint32_t)size}};
    struct bytes_out again;
    sha256(data, size, b.list.sha256);
    for (b.list.n = 1; b.list.n < LIST_MAX; b.list.n++) {
        if (!blob_attach(&b, data, size, "fuzz", a, NULL)) {
            break;
        }
    }
    if (b.n_modules) {
        FUZZ_MUST(b.listed && b.n_modules == b.list.n);
        bytes_out_init(&again);
        FUZZ_MUST(!blob_make_list(&b, &again, NULL));
        FUZZ_MUST(again.size == size && memcmp(again.data, data, size) == 0);
        bytes_out_free(&again);
    }
}

// A list made of what a blob's records say is one of that blob, as soon as that names it.
static void try_records(struct blob *b, struct arena *a)
{
    const struct blob_list own = b->list;
    struct bytes_out list;
    bytes_out_init(&list);
    if (b->n_modules) {
        FUZZ_MUST(!blob_make_list(b, &list, NULL));
        FUZZ_MUST(b->list.n == own.n);
        b->listed = false;
        FUZZ_MUST(!blob_attach(b, list.data, list.size, "fuzz", a, NULL) && b->listed);
        b->list = own;
        FUZZ_MUST(own.size == list.size || blob_attach(b, list.data, list.size, "fuzz", a, NULL));
    }
    bytes_out_free(&list);
}

// What no fuzzer guesses: as many records as the list counts, where the section has room for them.
static void fix_count(uint8_t *blob, size_t size)
{
    uint64_t at = BLOB_HEADER;
    for (unsigned s = 0; s < BLOB_MODULES && size >= BLOB_HEADER; s++) {
        at += ld32(blob + BLOB_AT_SECTIONS + s * BLOB_SECTION_ENTRY);
    }
    if (size >= BLOB_HEADER && at + BLOB_LIST_REF <= size) {
        uint32_t records = ld32(blob + BLOB_AT_SECTIONS + BLOB_MODULES * BLOB_SECTION_ENTRY);
        st32(blob + at, (records - BLOB_LIST_REF) / BLOB_MODULE_SIZE);
    }
}

static void try_blob(const uint8_t *data, size_t size, struct arena *a)
{
    struct blob *b;
    if (!blob_read(data, size, "fuzz", a, NULL, &b)) {
        try_model(b);
        try_records(b, a);
        return;
    }
    uint8_t *copy = size ? arena_dup(a, data, size) : NULL;
    if (copy) {
        fix_count(copy, size);
        if (!blob_read(copy, size, "fuzz", a, NULL, &b)) {
            try_model(b);
            try_records(b, a);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    if (size == 0) {
        return 0;
    }
    arena_init(&a, BLOB_MEMORY);
    switch (data[0] % 4) {
    case 0:
        try_blob(data + 1, size - 1, &a);
        break;
    case 1:
        try_image(data + 1, size - 1, &a);
        break;
    case 2:
        try_list(data + 1, size - 1, &a);
        break;
    default:
        try_space(data + 1, size - 1, &a);
    }
    arena_free(&a);
    return 0;
}

// A blob, and the list of its modules.
static void seed_both(bool detached, struct bytes_out *out, struct bytes_out *list)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t payload[] = "payload\0a.py\0b.py";
    static const struct blob_patch patches[] = {{0x1000, 4, bytes, bytes + 4},
                                                {0x1104, 2, bytes, bytes + 2}};
    static const struct blob_extent extents[] = {{0x1000, 0x104, BLOB_EXTENT_DATA},
                                                 {0x1104, 0x100, BLOB_EXTENT_FILL_FF},
                                                 {0x1204, 0x10, BLOB_EXTENT_GAP},
                                                 {0x1214, 4, BLOB_EXTENT_DATA}};
    static const struct blob_module modules[] = {
        {.name = "a.py", .name_at = 8, .size = 8},
        {.name = "b.py", .name_at = 13, .kind = BLOB_MODULE_MPY}};
    struct blob b = {.addr = 0x2000,
                     .payload = payload,
                     .payload_size = sizeof payload,
                     .n_patches = 2,
                     .patches = patches,
                     .n_extents = 4,
                     .extents = extents,
                     .n_modules = 2,
                     .modules = modules,
                     .detached = detached,
                     .undo = bytes,
                     .undo_size = 8,
                     .app = "seed",
                     .signature_space = 104};
    FUZZ_MUST(!blob_make_list(&b, list, NULL) && !blob_write(&b, out, NULL));
}

static void seed_blob(bool detached, struct bytes_out *out)
{
    struct bytes_out list;
    bytes_out_init(&list);
    seed_both(detached, out, &list);
    bytes_out_free(&list);
}

static void seed_list(struct bytes_out *out)
{
    struct bytes_out blob;
    bytes_out_init(&blob);
    seed_both(true, &blob, out);
    bytes_out_free(&blob);
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    bytes_put_u8(out, (uint8_t)i);
    switch (i) {
    case 0:
        seed_blob(false, out);
        return true;
    case 1: // as a raw image, behind 256 bytes
        bytes_fill(out, 7, 256);
        seed_blob(false, out);
        return true;
    case 2:
        seed_list(out);
        return true;
    case 4: // begins with a byte that chooses a blob
        seed_blob(true, out);
        return true;
    default:
        return fuzz_image_seed(IMAGE_AUTO, i < 4 ? 0 : i - 4, out);
    }
}
