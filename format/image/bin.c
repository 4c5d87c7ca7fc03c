// A raw image: bytes without an address. Some carry an ELF file behind a boot loader; then the ELF
// gives the address space.
#include "format/image/elf.h"

enum {
    BIN_ELF = 0x464c457f,   // the magic as a word
    BIN_TRIES = 4,          // no file holds more that only look like one
    BIN_BLOCK = 16,         // words
    BIN_GAP_MAX = 16 << 20, // most bytes of filling before an added run: larger than any flash page
};

static struct elf *bin_elf(const struct image *img)
{
    return img->container; // NULL for a plain raw image
}

// Tries the ELF at origin in a copy of img, which becomes img if it is one. It counts only if it is
// whole, for a machine we know, and takes up most of what follows. Errors: DIAG_NOMEM.
static enum diag_code bin_try_elf(struct image *img, uint64_t origin, bool *found)
{
    struct image inner = {.name = img->name,
                          .arena = img->arena,
                          .work = img->work,
                          .kind = img->kind,
                          .file = img->file,
                          .file_size = img->file_size,
                          .base_known = true};
    enum diag_code err = elf_read(&inner, origin, NULL);
    if (err || inner.machine == IMAGE_ISA_UNKNOWN) {
        return err == DIAG_NOMEM ? err : DIAG_OK;
    }
    uint64_t end = origin;
    for (unsigned i = 0; i < inner.n_segments; i++) {
        const struct image_segment *g = &inner.segments[i];
        end = g->file_offset + g->size > end ? g->file_offset + g->size : end;
    }
    *found = end - origin >= (img->file_size - origin) / 2;
    if (*found) {
        *img = inner;
    }
    return DIAG_OK;
}

static bool bin_is_elf(const uint8_t *p)
{
    return ld32(p) == BIN_ELF && p[4] - 1u < 2 && p[5] == 1 && p[6] == 1;
}

// Is there the magic in a block of words? Compilers make vector code of this.
static bool bin_has_magic(const uint8_t *p)
{
    uint32_t any = 0;
    for (unsigned i = 0; i < BIN_BLOCK; i++) {
        any |= ld32(p + 4 * i) == BIN_ELF;
    }
    return any;
}

static enum diag_code bin_find_elf(struct image *img, bool *found)
{
    enum diag_code err = DIAG_OK;
    unsigned tries = 0;
    for (uint64_t at = 4; at + ELF_HEADER_32 < img->file_size && tries < BIN_TRIES; at += 4) {
        while (in_range(at, 4 * BIN_BLOCK + ELF_HEADER_32, img->file_size) &&
               !bin_has_magic(img->file + at)) {
            at += 4 * BIN_BLOCK;
        }
        if (bin_is_elf(img->file + at)) {
            tries++;
            err = bin_try_elf(img, at, found);
            if (err || *found) {
                break;
            }
        }
    }
    return err;
}

static enum diag_code bin_read(struct image *img, struct diag *d)
{
    bool found = false;
    if (bin_find_elf(img, &found)) {
        return diag_nomem(d);
    }
    if (found) {
        return DIAG_OK;
    }
    struct image_segment *s = image_segment_new(img, d);
    if (!s) {
        return DIAG_NOMEM;
    }
    img->base_known = false;
    s->data = img->work->data;
    s->size = s->mem_size = img->file_size;
    s->file_offset = 0;
    s->name = "raw";
    return DIAG_OK;
}

static const char *bin_describe(const struct image *img, struct arena *a)
{
    const struct elf *e = bin_elf(img);
    if (e) {
        return arena_printf(a, "raw image with an ELF at offset 0x%llx",
                            (unsigned long long)e->origin);
    }
    return img->base_known
               ? arena_printf(a, "raw image at 0x%llx", (unsigned long long)img->segments[0].addr)
               : "raw image, base address unknown";
}

static enum diag_code bin_write(const struct image *img, bool seal, struct bytes_out *out,
                                struct diag *d)
{
    if (bin_elf(img)) {
        return elf_write(img, seal, out, d);
    }
    bytes_put(out, img->segments[0].data, (size_t)img->segments[0].size);
    return DIAG_OK;
}

// Only the end can grow: a gap before addr is filled like erased flash.
static enum diag_code bin_check(const struct image *img, uint64_t addr, struct diag *d)
{
    const struct image_segment *s = &img->segments[0];
    if (addr < s->addr + s->size || addr - (s->addr + s->size) > BIN_GAP_MAX) {
        return diag_set(d, DIAG_NO, img->name,
                        "a raw image can only grow at its end, 0x%llx, not at 0x%llx",
                        (unsigned long long)(s->addr + s->size), (unsigned long long)addr);
    }
    return DIAG_OK;
}

static enum diag_code bin_undo(const struct image *img, uint64_t addr, uint64_t size,
                               struct bytes_out *out, struct diag *d)
{
    if (bin_elf(img)) {
        return elf_undo(img, addr, size, out, d);
    }
    bytes_put_u64(out, img->file_size);
    return bin_check(img, addr, d);
}

static enum diag_code bin_add(const struct image *img, const struct image_run *run,
                              struct bytes_out *out, struct diag *d)
{
    if (bin_elf(img)) {
        return elf_add(img, run, out, d);
    }
    enum diag_code err = bin_check(img, run->addr, d);
    if (!err) {
        const struct image_segment *s = &img->segments[0];
        bytes_reserve(out, (size_t)(run->addr - s->addr + run->size));
        bytes_put(out, s->data, (size_t)s->size);
        bytes_fill(out, IMAGE_FILL, (size_t)(run->addr - (s->addr + s->size)));
        bytes_put(out, run->bytes, (size_t)run->size);
    }
    return err;
}

static enum diag_code bin_remove(const struct image *img, const struct image_undo *undo,
                                 struct bytes_out *out, struct diag *d)
{
    if (bin_elf(img)) {
        return elf_remove(img, undo, out, d);
    }
    const struct image_segment *s = &img->segments[0];
    struct bytes_in in;
    bytes_in_init(&in, undo->bytes, undo->n, img->name, d);
    uint64_t size = bytes_u64(&in, "undo record");
    if (!in.failed && (size == 0 || size > undo->addr - s->addr || bytes_left(&in))) {
        return bytes_fail(&in, "undo record", "does not belong to this image");
    }
    bytes_put(out, s->data, in.failed ? 0 : (size_t)size);
    return in.failed;
}

// Whoever writes a raw image into flash does not look for an ELF in it.
static bool bin_elsewhere(const struct image *img, uint64_t *offset)
{
    *offset = 0;
    return bin_elf(img) != NULL;
}

const struct image_ops image_bin_ops = {
    .kind = IMAGE_BIN,
    .name = "bin",
    .extension = ".bin",
    .granule = 1,
    .in_place = true,
    .read = bin_read,
    .describe = bin_describe,
    .elsewhere = bin_elsewhere,
    .write = bin_write,
    .undo = bin_undo,
    .add = bin_add,
    .remove = bin_remove,
};
