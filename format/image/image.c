#include "format/image/image.h"

#include <stdlib.h>
#include <strings.h>

#include "format/image/container.h"

// In the order of detection: strong magic numbers first, a raw image matches everything.
static const struct image_ops *const image_containers[] = {
    &image_elf_ops,       &image_uf2_ops,     &image_dfuse_ops, &image_ihex_ops,
    &image_esp_flash_ops, &image_esp_app_ops, &image_bin_ops,
};
enum { IMAGE_CONTAINERS = sizeof image_containers / sizeof image_containers[0] };

static const struct image_ops *image_ops_of(enum image_kind kind)
{
    for (unsigned i = 0; i < IMAGE_CONTAINERS; i++) {
        if (image_containers[i]->kind == kind) {
            return image_containers[i];
        }
    }
    return NULL;
}

// Of an image that was read: its kind is that of a container.
static const struct image_ops *image_ops(const struct image *img)
{
    const struct image_ops *ops = image_ops_of(img->kind);
    return ops ? ops : &image_bin_ops;
}

const char *image_kind_name(enum image_kind kind)
{
    const struct image_ops *ops = image_ops_of(kind);
    return ops ? ops->name : "auto";
}

enum image_kind image_kind_find(const char *name)
{
    for (unsigned i = 0; i < IMAGE_CONTAINERS; i++) {
        if (strcmp(image_containers[i]->name, name) == 0) {
            return image_containers[i]->kind;
        }
    }
    return IMAGE_AUTO;
}

// True if name ends in one of the extensions of a list such as ".hex,.ihex".
static bool image_has_extension(const char *name, const char *list)
{
    size_t n = strlen(name);
    while (*list) {
        size_t len = strcspn(list, ",");
        if (n > len && strncasecmp(name + n - len, list, len) == 0) {
            return true;
        }
        list += len + (list[len] == ',');
    }
    return false;
}

enum image_kind image_kind_of_name(const char *file_name)
{
    for (unsigned i = 0; i < IMAGE_CONTAINERS; i++) {
        const char *list = image_containers[i]->extension;
        if (image_has_extension(file_name, list)) {
            return image_containers[i]->kind;
        }
    }
    return IMAGE_AUTO;
}

// Content first. A name decides only where the content says nothing: then a file called .uf2 is
// refused as a malformed UF2 file, not taken for a raw image.
static const struct image_ops *image_detect(const uint8_t *data, size_t size, const char *name)
{
    for (unsigned i = 0; i < IMAGE_CONTAINERS; i++) {
        const struct image_ops *ops = image_containers[i];
        if (ops->probe && ops->probe(data, size)) {
            return ops;
        }
    }
    const struct image_ops *named = image_ops_of(image_kind_of_name(name));
    return named ? named : &image_bin_ops;
}

struct image_segment *image_segment_new(struct image *img, struct diag *d)
{
    unsigned n = img->n_segments;
    if ((n & (n - 1)) == 0) { // full at every power of two
        size_t had = n * sizeof *img->segments, want = n ? 2 * had : sizeof *img->segments;
        struct image_segment *p = arena_grow(img->arena, img->segments, had, want);
        if (!p) {
            diag_nomem(d);
            return NULL;
        }
        img->segments = p;
    }
    struct image_segment *s = &img->segments[img->n_segments++];
    *s = (struct image_segment){
        .file_offset = UINT64_MAX, .flags = IMAGE_R | IMAGE_W | IMAGE_X, .name = ""};
    return s;
}

static int image_by_addr(const void *a, const void *b)
{
    const struct image_segment *x = a, *y = b;
    if (x->addr != y->addr) {
        return x->addr < y->addr ? -1 : 1;
    }
    return x->size < y->size ? -1 : x->size > y->size; // empty ones first
}

static int image_by_run(const void *a, const void *b)
{
    const struct image_segment *x = *(struct image_segment *const *)a;
    const struct image_segment *y = *(struct image_segment *const *)b;
    if (x->run != y->run) {
        return x->run < y->run ? -1 : 1;
    }
    return x->size < y->size ? -1 : x->size > y->size;
}

static enum diag_code image_bad_segment(const struct image *img, const struct image_segment *s,
                                        const char *what, struct diag *d)
{
    uint64_t at = s->file_offset == UINT64_MAX ? 0 : s->file_offset;
    return diag_set_binary(d, DIAG_MALFORMED, img->name, at, s->name,
                           "segment 0x%llx, %llu bytes, %s", (unsigned long long)s->addr,
                           (unsigned long long)s->size, what);
}

// Sorts the segments and shows that they neither overlap nor wrap around.
static enum diag_code image_finish(struct image *img, struct diag *d)
{
    unsigned n = img->n_segments;
    uint64_t last = img->address_bits == 32 ? UINT32_MAX : UINT64_MAX, used = 0;
    img->by_run = ARENA_ARRAY(img->arena, struct image_segment *, n + 1);
    if (!img->by_run) {
        return diag_nomem(d);
    }
    if (n == 0) {
        return diag_set_binary(d, DIAG_MALFORMED, img->name, 0, "segments",
                               "the image holds no bytes for any address");
    }
    if (n) {
        qsort(img->segments, n, sizeof *img->segments, image_by_addr);
    }
    for (unsigned i = 0; i < n; i++) {
        struct image_segment *s = &img->segments[i];
        if (s->size > last || s->addr > last - s->size || s->mem_size > last ||
            s->run > last - s->mem_size) {
            return image_bad_segment(img, s, "ends past the address space", d);
        }
        if (s->size && i && s->addr < used) {
            return image_bad_segment(img, s, "overlaps the segment before it", d);
        }
        used = s->size ? s->addr + s->size : used;
        img->by_run[i] = s;
    }
    if (n) {
        qsort(img->by_run, n, sizeof *img->by_run, image_by_run);
    }
    return DIAG_OK;
}

// own: img->file, if it may be changed.
static enum diag_code image_load(struct image *img, const struct image_ops *ops, uint8_t *own,
                                 struct diag *d)
{
    img->kind = ops->kind;
    img->base_known = true;
    img->work = ARENA_NEW(img->arena, struct image_work);
    if (!img->work) {
        return diag_nomem(d);
    }
    *img->work = (struct image_work){img->file, own, img->file_size};
    enum diag_code err = ops->read(img, d);
    return err ? err : image_finish(img, d);
}

enum diag_code image_read(const uint8_t *data, size_t size, const char *name, enum image_kind kind,
                          struct arena *a, struct diag *d, struct image **out)
{
    *out = NULL;
    if (size == 0) {
        return diag_set(d, DIAG_MALFORMED, name, "is empty, a firmware image is needed");
    }
    struct image *img = ARENA_NEW(a, struct image);
    if (!img) {
        return diag_nomem(d);
    }
    const struct image_ops *ops =
        kind == IMAGE_AUTO ? image_detect(data, size, name) : image_ops_of(kind);
    if (!ops) {
        return diag_set(d, DIAG_USAGE, name, "this type of image cannot be read");
    }
    if (kind == IMAGE_AUTO && ops == &image_bin_ops &&
        image_refuse_foreign(data, size, name, d) != DIAG_OK) {
        return DIAG_MALFORMED;
    }
    img->name = name;
    img->arena = a;
    img->file = data;
    img->file_size = size;
    enum diag_code err = image_load(img, ops, NULL, d);
    *out = err ? NULL : img;
    return err;
}

void image_rebase(struct image *img, uint64_t base)
{
    if (img->kind != IMAGE_BIN || img->n_segments != 1 || img->container) {
        return;
    }
    struct image_segment *s = &img->segments[0];
    if (base <= UINT64_MAX - s->size) {
        s->addr = s->run = base;
        img->base_known = true;
    }
}

const char *image_describe(const struct image *img, struct arena *a)
{
    const char *s = image_ops(img)->describe(img, a);
    return s ? s : "";
}

// Index of the last segment that begins at or before addr; -1 if there is none. Empty segments sort
// before others of the same address.
static long image_search(const struct image *img, uint64_t addr)
{
    long low = 0, high = (long)img->n_segments;
    while (low < high) {
        long mid = low + (high - low) / 2;
        if (img->segments[mid].addr <= addr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low - 1;
}

const struct image_segment *image_at(const struct image *img, uint64_t addr)
{
    for (long i = image_search(img, addr); i >= 0; i--) {
        const struct image_segment *s = &img->segments[i];
        if (s->size) {
            return addr - s->addr < s->size ? s : NULL;
        }
    }
    return NULL;
}

const uint8_t *image_bytes(const struct image *img, uint64_t addr, uint64_t size)
{
    const struct image_segment *s = image_at(img, addr);
    return s && size <= s->size - (addr - s->addr) ? s->data + (addr - s->addr) : NULL;
}

// Run-time ranges may overlap (overlays), so the nearest one that holds run counts.
static const struct image_segment *image_at_run(const struct image *img, uint64_t run)
{
    long low = 0, high = (long)img->n_segments;
    while (low < high) {
        long mid = low + (high - low) / 2;
        if (img->by_run[mid]->run <= run) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    for (long i = low - 1, tries = 0; i >= 0 && tries < 4; i--, tries++) {
        if (run - img->by_run[i]->run < img->by_run[i]->size) {
            return img->by_run[i];
        }
    }
    return NULL;
}

const uint8_t *image_run_bytes(const struct image *img, uint64_t run, uint64_t size)
{
    const struct image_segment *s = image_at_run(img, run);
    return s && size <= s->size - (run - s->run) ? s->data + (run - s->run) : NULL;
}

uint64_t image_run_to_addr(const struct image *img, uint64_t run)
{
    const struct image_segment *s = image_at_run(img, run);
    return s ? s->addr + (run - s->run) : UINT64_MAX;
}

static const struct image_reloc *image_reloc_at(const struct image *img, uint64_t where)
{
    size_t low = 0, high = img->n_relocs;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (img->relocs[mid].where < where) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < img->n_relocs && img->relocs[low].where == where ? &img->relocs[low] : NULL;
}

bool image_word(const struct image *img, uint64_t run, unsigned size, uint64_t *value)
{
    const uint8_t *p = image_run_bytes(img, run, size);
    if (!p || (size != 2 && size != 4 && size != 8)) {
        return false;
    }
    *value = size == 2 ? ld16(p) : size == 4 ? ld32(p) : ld64(p);
    const struct image_reloc *r = img->n_relocs ? image_reloc_at(img, run) : NULL;
    if (r && r->known && size * 8 == img->address_bits) {
        *value = r->addend;
    }
    return true;
}

// Moves the image to bytes of its own.
static void image_own(struct image *img, uint8_t *own)
{
    struct image_work *w = img->work;
    for (unsigned i = 0; i < img->n_segments; i++) {
        struct image_segment *s = &img->segments[i];
        s->data = s->size ? own + (s->data - w->data) : s->data;
    }
    w->data = w->own = own;
}

void image_lend(struct image *img, uint8_t *copy)
{
    if (!img->work->own) {
        image_own(img, copy);
    }
}

enum diag_code image_poke(struct image *img, uint64_t addr, const uint8_t *bytes, uint64_t size,
                          struct diag *d)
{
    const struct image_segment *s = image_at(img, addr);
    if (!s || size > s->size - (addr - s->addr)) {
        return diag_set(d, DIAG_INTERNAL, img->name,
                        "patch of %llu bytes at 0x%llx lies outside of the image",
                        (unsigned long long)size, (unsigned long long)addr);
    }
    struct image_work *w = img->work;
    uint8_t *own = w->own ? w->own : arena_dup(img->arena, w->data, w->size);
    if (!own) {
        return diag_nomem(d);
    }
    if (!w->own) {
        image_own(img, own);
    }
    memcpy(own + (s->data - w->data) + (addr - s->addr), bytes, size);
    img->unsealed |= own == img->file; // what was there is gone
    return DIAG_OK;
}

bool image_is_free(const struct image *img, uint64_t addr, uint64_t size)
{
    uint64_t end;
    if (!size || !ck_add(addr, size, &end)) {
        return false;
    }
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *s = &img->segments[i];
        if (s->size && s->addr < end && addr < s->addr + s->size) {
            return false;
        }
        // Variables that the start-up code clears, behind the bytes of a program that runs from
        // RAM.
        if (s->mem_size && s->run < end && addr < s->run + s->mem_size) {
            return false;
        }
    }
    return true;
}

bool image_in_place(const struct image *img)
{
    return image_ops(img)->in_place;
}

uint64_t image_granule(const struct image *img)
{
    return image_ops(img)->granule;
}

// What add and undo refuse for every container.
static enum diag_code image_check_add(const struct image *img, uint64_t addr, uint64_t size,
                                      struct diag *d)
{
    uint64_t last = img->address_bits == 32 ? UINT32_MAX : UINT64_MAX;
    if (!img->base_known) {
        return diag_set(d, DIAG_NO, img->name, "its base address is not known");
    }
    if (!size || size > last || addr > last - size || !image_is_free(img, addr, size)) {
        return diag_set(d, DIAG_NO, img->name,
                        "%llu bytes at 0x%llx cannot be added: the image has bytes or variables "
                        "there",
                        (unsigned long long)size, (unsigned long long)addr);
    }
    return DIAG_OK;
}

bool image_elsewhere(const struct image *img, uint64_t *offset)
{
    const struct image_ops *ops = image_ops(img);
    return ops->elsewhere && ops->elsewhere(img, offset);
}

uint64_t image_room(const struct image *img, uint64_t addr, uint64_t space)
{
    const struct image_ops *ops = image_ops(img);
    return ops->room ? ops->room(img, addr, space) : UINT64_MAX;
}

enum diag_code image_undo(const struct image *img, uint64_t addr, uint64_t size,
                          struct bytes_out *out, struct diag *d)
{
    enum diag_code err = image_check_add(img, addr, size, d);
    return err ? err : image_ops(img)->undo(img, addr, size, out, d);
}

// Reads file, which must outlive img and is its own, in place of the old one, and makes its
// checksums if seal. A raw image keeps its base.
static enum diag_code image_replace(struct image *img, const struct bytes_out *file, bool seal,
                                    struct diag *d)
{
    const struct image_ops *ops = image_ops(img);
    struct image next = {.name = img->name,
                         .arena = img->arena,
                         .file = file->data,
                         .file_size = file->size,
                         .unsealed = true};
    enum diag_code err = bytes_out_check(file, d);
    err = err ? err : image_load(&next, ops, file->data, d);
    if (!err) {
        if (seal && ops->seal) {
            ops->seal(&next, file->data);
            next.unsealed = false;
        }
        if (!next.base_known && img->n_segments) {
            image_rebase(&next, img->segments[0].addr);
        }
        next.machine = next.machine == IMAGE_ISA_UNKNOWN ? img->machine : next.machine;
        next.address_bits = next.address_bits ? next.address_bits : img->address_bits;
        *img = next;
    }
    return err;
}

enum diag_code image_add(struct image *img, uint64_t addr, const uint8_t *bytes, uint64_t size,
                         unsigned flags, struct diag *d)
{
    const struct image_run run = {addr, size, bytes, flags & ~(unsigned)IMAGE_APART};
    enum diag_code err = image_check_add(img, addr, size, d);
    if (err) {
        return err;
    }
    struct bytes_out file;
    bytes_out_init_in(&file, img->arena);
    err = image_ops(img)->add(img, &run, &file, d);
    err = err ? err : image_replace(img, &file, false, d);
    if (!err &&
        (!image_bytes(img, addr, size) || memcmp(image_bytes(img, addr, size), bytes, size))) {
        return diag_set(d, DIAG_INTERNAL, img->name, "the added bytes cannot be read back");
    }
    return err;
}

// Adds the run to the base again and compares with the image it was taken from.
static enum diag_code image_prove(const struct image *base, const struct image_run *run,
                                  const struct bytes_out *before, struct diag *d)
{
    struct bytes_out again;
    bytes_out_init(&again);
    enum diag_code err = image_check_add(base, run->addr, run->size, d);
    err = err ? err : image_ops(base)->add(base, run, &again, d);
    err = err ? err : bytes_out_check(&again, d);
    if (!err) {
        size_t n = again.size < before->size ? again.size : before->size, at = 0;
        bool same = again.size == before->size && memcmp(again.data, before->data, n) == 0;
        while (!same && at < n && again.data[at] == before->data[at]) {
            at++;
        }
        if (!same) {
            err = diag_set_binary(d, DIAG_NO, base->name, at, "container",
                                  "belongs neither to the base nor to the added bytes");
        }
    }
    bytes_out_free(&again);
    return err;
}

static enum diag_code image_take_out(struct image *img, const struct image_run *run,
                                     const struct image_undo *undo, struct bytes_out *before,
                                     struct bytes_out *after, struct diag *d)
{
    const struct image_ops *ops = image_ops(img);
    enum diag_code err = ops->write(img, false, before, d);
    err = err ? err : bytes_out_check(before, d);
    err = err ? err : ops->remove(img, undo, after, d);
    err = err ? err : image_replace(img, after, true, d);
    return err ? err : image_prove(img, run, before, d);
}

// What a segment was added with: its bytes may be mapped a second time.
static unsigned image_run_flags(const struct image *img, const struct image_segment *s)
{
    for (unsigned i = 0; i < img->n_segments && s->file_offset != UINT64_MAX; i++) {
        const struct image_segment *t = &img->segments[i];
        if (t != s && t->file_offset == s->file_offset && t->size == s->size &&
            !(s->flags & IMAGE_X) && t->flags & IMAGE_X) {
            return s->flags | IMAGE_TWIN;
        }
    }
    return s->flags;
}

uint64_t image_code_address(const struct image *img, uint64_t run, uint64_t size, uint64_t addr)
{
    const struct image_ops *ops = image_ops(img);
    uint64_t twin = ops->twin ? ops->twin(img, run, size) : 0;
    if (img->window && in_range(run - img->data_window, size, img->window)) {
        twin = img->code_window + (run - img->data_window);
    }
    return twin ? twin + (addr - run) : 0;
}

uint64_t image_code_data(const struct image *img, uint64_t addr)
{
    uint64_t at = addr - img->code_window, data = img->data_window + at;
    bool moved = at < img->window && !image_at_run(img, addr) && image_at_run(img, data);
    return moved ? data : addr;
}

enum diag_code image_remove(struct image *img, uint64_t addr, uint64_t size, const uint8_t *undo,
                            size_t undo_size, struct diag *d)
{
    const uint8_t *bytes = image_bytes(img, addr, size);
    if (!size || !bytes) {
        return diag_set(d, DIAG_NO, img->name, "has no %llu bytes at 0x%llx that could be removed",
                        (unsigned long long)size, (unsigned long long)addr);
    }
    const struct image_run run = {addr, size, bytes, image_run_flags(img, image_at(img, addr))};
    const struct image_undo record = {addr, size, undo, undo_size};
    struct bytes_out before, after;
    bytes_out_init(&before);
    bytes_out_init_in(&after, img->arena);
    enum diag_code err = image_take_out(img, &run, &record, &before, &after, d);
    bytes_out_free(&before);
    return err;
}

enum diag_code image_take(struct image *img, uint64_t addr, uint64_t size, const uint8_t *undo,
                          size_t undo_size, struct bytes_out *file, struct diag *d)
{
    const struct image_ops *ops = image_ops(img);
    const struct image_undo record = {addr, size, undo, undo_size};
    if (!size || !image_bytes(img, addr, size)) {
        return diag_set(d, DIAG_NO, img->name, "has no %llu bytes at 0x%llx that could be removed",
                        (unsigned long long)size, (unsigned long long)addr);
    }
    enum diag_code err = ops->remove(img, &record, file, d);
    return err ? err : image_replace(img, file, true, d);
}

enum diag_code image_with(const struct image *img, uint64_t addr, const uint8_t *bytes,
                          uint64_t size, unsigned flags, struct bytes_out *file, struct diag *d)
{
    const struct image_run run = {addr, size, bytes, flags & ~(unsigned)IMAGE_APART};
    const struct image_ops *ops = image_ops(img);
    enum diag_code err = image_check_add(img, addr, size, d);
    err = err ? err : ops->add(img, &run, file, d);
    err = err ? err : bytes_out_check(file, d);
    struct image sealed = *img;
    return err || !ops->seal ? err : image_replace(&sealed, file, true, d);
}

enum diag_code image_write(const struct image *img, struct bytes_out *out, struct diag *d)
{
    enum diag_code err = image_ops(img)->write(img, true, out, d);
    return err ? err : bytes_out_check(out, d);
}
