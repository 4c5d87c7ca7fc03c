// DfuSe: targets (alternate settings) with elements (address, size, bytes), a prefix and a suffix
// with a CRC. The whole file is described by its fields, so it is written anew from them.
// Facts: ST UM0391 (DfuSe file format), USB DFU 1.1 appendix B (suffix).
#include <zlib.h>

#include "format/image/container.h"

enum {
    DFUSE_PREFIX = 11,
    DFUSE_TARGET = 274,
    DFUSE_ELEMENT = 8,
    DFUSE_SUFFIX = 16,
    DFUSE_GRANULE = 8,         // some chips program 64-bit words only
    DFUSE_GAP_MAX = 128 << 10, // largest erase sector: what is nearer belongs to the same element
};

struct dfuse_element {
    uint32_t addr, size;
    size_t at; // file offset of the bytes
};

struct dfuse_target {
    const uint8_t *head; // DFUSE_TARGET bytes of the file
    unsigned first, n;   // elements
};

struct dfuse {
    unsigned n_targets, n_elements;
    struct dfuse_target *targets;
    struct dfuse_element *elements;
    const uint8_t *suffix;
    const struct image_work *work; // the whole file
};

static void dfuse_read_element(struct bytes_in *in, struct dfuse_element *e)
{
    e->addr = bytes_u32(in, "element address");
    e->size = bytes_u32(in, "element size");
    if (!in->failed && (e->size == 0 || e->addr > UINT32_MAX - e->size)) {
        in->pos -= 4;
        bytes_fail(in, "element size",
                   "is %u bytes at 0x%x: 1 byte to the end of 4 GiB are allowed", e->size, e->addr);
    }
    e->at = in->pos;
    bytes_take(in, e->size, "element");
}

static enum diag_code dfuse_read_target(struct image *img, struct dfuse *u, struct bytes_in *in,
                                        struct dfuse_target *t)
{
    t->head = bytes_take(in, DFUSE_TARGET, "target prefix");
    if (!t->head) {
        return in->failed;
    }
    size_t start = in->pos;
    uint32_t size = ld32(t->head + 266);
    t->first = u->n_elements;
    t->n = ld32(t->head + 270);
    if (memcmp(t->head, "Target", 6) != 0) {
        in->pos -= DFUSE_TARGET;
        return bytes_fail(in, "target signature", "is not 'Target'");
    }
    if (t->n > bytes_left(in) / DFUSE_ELEMENT) {
        return bytes_fail(in, "number of elements", "is %u, more than the file can hold", t->n);
    }
    u->n_elements += t->n;
    u->elements = arena_grow(img->arena, u->elements, t->first * sizeof *u->elements,
                             u->n_elements * sizeof *u->elements);
    if (!u->elements) {
        return diag_nomem(in->diag);
    }
    for (unsigned i = 0; i < t->n && !in->failed; i++) {
        dfuse_read_element(in, &u->elements[t->first + i]);
    }
    if (!in->failed && in->pos - start != size) {
        in->pos = start - 8;
        bytes_fail(in, "target size", "is %u, its elements have %zu bytes", size,
                   in->pos + 8 - start);
    }
    return in->failed;
}

static enum diag_code dfuse_read_suffix(struct dfuse *u, struct bytes_in *in)
{
    u->suffix = bytes_take(in, DFUSE_SUFFIX, "suffix");
    if (!u->suffix) {
        return in->failed;
    }
    in->pos -= DFUSE_SUFFIX;
    if (memcmp(u->suffix + 8, "UFD", 3) != 0 || u->suffix[11] != DFUSE_SUFFIX) {
        return bytes_fail(in, "suffix", "has no 'UFD' mark of 16 bytes");
    }
    uint32_t crc = ~(uint32_t)crc32(0, in->data, (uInt)(in->pos + 12));
    if (crc != ld32(u->suffix + 12)) {
        return bytes_fail(in, "suffix CRC", "is 0x%08x, the file's is 0x%08x", ld32(u->suffix + 12),
                          crc);
    }
    in->pos += DFUSE_SUFFIX;
    return bytes_left(in) ? bytes_fail(in, "suffix", "%zu bytes follow it", bytes_left(in))
                          : DIAG_OK;
}

static enum diag_code dfuse_segments(struct image *img, struct dfuse *u, struct diag *d)
{
    for (unsigned i = 0; i < u->n_targets; i++) {
        for (unsigned k = 0; k < u->targets[i].n; k++) {
            struct dfuse_element *e = &u->elements[u->targets[i].first + k];
            struct image_segment *s = image_segment_new(img, d);
            if (!s) {
                return DIAG_NOMEM;
            }
            s->addr = s->run = e->addr;
            s->size = s->mem_size = e->size;
            s->data = u->work->data + e->at;
            s->file_offset = e->at;
            s->name = i < 4 ? (const char *[]){"target 0", "target 1", "target 2", "target 3"}[i]
                            : "target";
        }
    }
    return img->n_segments ? DIAG_OK
                           : diag_set_binary(d, DIAG_MALFORMED, img->name, DFUSE_PREFIX,
                                             "number of elements", "the file holds no bytes");
}

static enum diag_code dfuse_read(struct image *img, struct diag *d)
{
    struct dfuse *u = ARENA_NEW(img->arena, struct dfuse);
    struct bytes_in in;
    bytes_in_init(&in, img->file, img->file_size, img->name, d);
    const uint8_t *magic = bytes_take(&in, 6, "signature");
    uint32_t size = bytes_u32(&in, "image size");
    unsigned n = bytes_u8(&in, "number of targets");
    if (!u) {
        return diag_nomem(d);
    }
    if (magic && memcmp(magic, "DfuSe\1", 6) != 0) {
        in.pos = 0;
        return bytes_fail(&in, "signature", "is not 'DfuSe' version 1");
    }
    if (!in.failed && (img->file_size < DFUSE_SUFFIX || size != img->file_size - DFUSE_SUFFIX)) {
        in.pos = 6;
        return bytes_fail(&in, "image size", "is %u, the file has %zu bytes and a suffix of 16",
                          size, img->file_size);
    }
    u->targets = ARENA_ARRAY(img->arena, struct dfuse_target, n + 1);
    if (!u->targets) {
        return diag_nomem(d);
    }
    for (; u->n_targets < n && !in.failed; u->n_targets++) {
        enum diag_code err = dfuse_read_target(img, u, &in, &u->targets[u->n_targets]);
        if (err) {
            return err;
        }
    }
    img->container = u;
    u->work = img->work;
    img->address_bits = 32;
    enum diag_code err = in.failed ? in.failed : dfuse_read_suffix(u, &in);
    if (!err && ld16(u->suffix + 4) == 0x0483) { // ST: all of its chips have Cortex-M cores
        img->machine = IMAGE_ISA_THUMB;
    }
    return err ? err : dfuse_segments(img, u, d);
}

static bool dfuse_probe(const uint8_t *data, size_t size)
{
    return size >= 5 && memcmp(data, "DfuSe", 5) == 0;
}

static const char *dfuse_describe(const struct image *img, struct arena *a)
{
    const struct dfuse *u = img->container;
    return arena_printf(a, "DfuSe, %u target%s, %u element%s, USB %04x:%04x", u->n_targets,
                        u->n_targets == 1 ? "" : "s", u->n_elements, u->n_elements == 1 ? "" : "s",
                        ld16(u->suffix + 4), ld16(u->suffix + 2));
}

// One change to the elements while the file is written.
struct dfuse_edit {
    unsigned element;            // that grows or shrinks
    uint64_t size;               // its new size; 0: it is left out
    uint64_t fill;               // bytes of filling behind the old ones
    const struct image_run *run; // and the bytes that come then
    bool fresh;                  // a new element for run behind this one
};

static void dfuse_put_element(const struct dfuse *u, unsigned i, const struct dfuse_edit *edit,
                              struct bytes_out *out)
{
    const struct dfuse_element *e = &u->elements[i];
    bool mine = edit && edit->element == i && !edit->fresh;
    uint64_t size = mine ? edit->size : e->size, keep = size < e->size ? size : e->size;
    if (size) {
        bytes_put_u32(out, e->addr);
        bytes_put_u32(out, (uint32_t)size);
        bytes_put(out, u->work->data + e->at, (size_t)keep);
    }
    if (edit && edit->element == i && edit->fresh) {
        bytes_put_u32(out, (uint32_t)edit->run->addr);
        bytes_put_u32(out, (uint32_t)edit->size);
    }
    if (edit && edit->element == i && edit->run) {
        size_t end = out->size + (size_t)(edit->fresh ? edit->size : edit->size - keep);
        bytes_fill(out, IMAGE_FILL, (size_t)edit->fill);
        bytes_put(out, edit->run->bytes, (size_t)edit->run->size);
        bytes_fill(out, 0, out->failed ? 0 : end - out->size);
    }
}

static void dfuse_put_target(const struct dfuse *u, const struct dfuse_target *t,
                             const struct dfuse_edit *edit, struct bytes_out *out)
{
    size_t head = out->size;
    unsigned n = t->n;
    bytes_put(out, t->head, DFUSE_TARGET);
    for (unsigned i = t->first; i < t->first + t->n; i++) {
        dfuse_put_element(u, i, edit, out);
        if (edit && edit->element == i) {
            n = edit->fresh ? n + 1 : edit->size ? n : n - 1;
        }
    }
    if (!out->failed) {
        st32(out->data + head + 266, (uint32_t)(out->size - head - DFUSE_TARGET));
        st32(out->data + head + 270, n);
    }
}

static enum diag_code dfuse_emit(const struct image *img, const struct dfuse_edit *edit,
                                 struct bytes_out *out)
{
    const struct dfuse *u = img->container;
    size_t start = out->size;
    bytes_put(out, img->file, DFUSE_PREFIX);
    for (unsigned i = 0; i < u->n_targets; i++) {
        dfuse_put_target(u, &u->targets[i], edit, out);
    }
    if (!out->failed) {
        st32(out->data + start + 6, (uint32_t)(out->size - start));
    }
    bytes_put(out, u->suffix, 12);
    if (!out->failed) {
        bytes_put_u32(out, ~(uint32_t)crc32(0, out->data + start, (uInt)(out->size - start)));
    }
    return DIAG_OK;
}

static enum diag_code dfuse_write(const struct image *img, bool seal, struct bytes_out *out,
                                  struct diag *d)
{
    (void)seal;
    (void)d;
    return dfuse_emit(img, NULL, out);
}

// Where a run goes: into the element that ends before it if that is near, else into a new element
// behind the one that precedes it (or behind the first one).
static void dfuse_place(const struct dfuse *u, uint64_t addr, uint64_t size,
                        struct dfuse_edit *edit)
{
    uint64_t end = 0;
    *edit = (struct dfuse_edit){.fresh = true};
    for (unsigned i = 0; i < u->n_elements; i++) {
        uint64_t e = (uint64_t)u->elements[i].addr + u->elements[i].size;
        if (e <= addr && e > end) {
            end = e;
            edit->element = i;
        }
    }
    size = (size + DFUSE_GRANULE - 1) & ~(uint64_t)(DFUSE_GRANULE - 1);
    edit->size = size;
    if (end && addr - end < DFUSE_GAP_MAX) {
        edit->fresh = false;
        edit->fill = addr - end;
        edit->size = u->elements[edit->element].size + edit->fill + size;
    }
}

static enum diag_code dfuse_check_add(const struct image *img, uint64_t addr, uint64_t size,
                                      struct diag *d)
{
    size = (size + DFUSE_GRANULE - 1) & ~(uint64_t)(DFUSE_GRANULE - 1);
    if (size > UINT32_MAX - img->file_size || addr + size > UINT32_MAX ||
        !image_is_free(img, addr, size)) {
        return diag_set(d, DIAG_NO, img->name, "the 8-byte words up to 0x%llx are not all free",
                        (unsigned long long)(addr + size));
    }
    return DIAG_OK;
}

// The undo record: the element that changes, and its old size (0: the run got its own element,
// behind that one).
static enum diag_code dfuse_undo(const struct image *img, uint64_t addr, uint64_t size,
                                 struct bytes_out *out, struct diag *d)
{
    const struct dfuse *u = img->container;
    struct dfuse_edit edit;
    dfuse_place(u, addr, size, &edit);
    bytes_put_u32(out, edit.element);
    bytes_put_u32(out, edit.fresh ? 0 : u->elements[edit.element].size);
    return dfuse_check_add(img, addr, size, d);
}

static enum diag_code dfuse_add(const struct image *img, const struct image_run *run,
                                struct bytes_out *out, struct diag *d)
{
    struct dfuse_edit edit;
    dfuse_place(img->container, run->addr, run->size, &edit);
    edit.run = run;
    enum diag_code err = dfuse_check_add(img, run->addr, run->size, d);
    return err ? err : dfuse_emit(img, &edit, out);
}

static enum diag_code dfuse_remove(const struct image *img, const struct image_undo *undo,
                                   struct bytes_out *out, struct diag *d)
{
    const struct dfuse *u = img->container;
    struct bytes_in in;
    bytes_in_init(&in, undo->bytes, undo->n, img->name, d);
    uint32_t element = bytes_u32(&in, "undo record");
    uint32_t size = bytes_u32(&in, "undo record");
    struct dfuse_edit edit = {.element = element + (size == 0), .size = size};
    if (!in.failed && (bytes_left(&in) || element >= u->n_elements ||
                       edit.element >= u->n_elements || size > u->elements[element].size)) {
        return bytes_fail(&in, "undo record", "does not belong to this image");
    }
    return in.failed ? in.failed : dfuse_emit(img, &edit, out);
}

const struct image_ops image_dfuse_ops = {
    .kind = IMAGE_DFUSE,
    .name = "dfuse",
    .extension = ".dfu",
    .granule = DFUSE_GRANULE,
    .probe = dfuse_probe,
    .read = dfuse_read,
    .describe = dfuse_describe,
    .write = dfuse_write,
    .undo = dfuse_undo,
    .add = dfuse_add,
    .remove = dfuse_remove,
};
