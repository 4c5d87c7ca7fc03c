// What a container implements; internal to format/image. A container transforms whole files: adding
// and removing give new file bytes that are then read again, so that an image in memory can never
// differ from what its file would be read as.
#ifndef FORMAT_IMAGE_CONTAINER_H
#define FORMAT_IMAGE_CONTAINER_H

#include "format/image/image.h"

enum {
    IMAGE_FILL = 0xff, // erased flash: what gaps are filled with
};

struct image_run { // what image_add adds
    uint64_t addr, size;
    const uint8_t *bytes;
    unsigned flags;
};

struct image_undo {      // an undo record that is being used
    uint64_t addr, size; // the run it belongs to
    const uint8_t *bytes;
    size_t n;
};

struct image_ops {
    enum image_kind kind;
    const char *name;      // for options
    const char *extension; // with the dot, comma-separated
    uint64_t granule;
    bool in_place; // add and remove may write over the bytes that img works on
    // True if the bytes are meant to be this container; they may still be malformed.
    bool (*probe)(const uint8_t *data, size_t size);
    // Fills in img from img->file: segments (in any order), machine, container.
    enum diag_code (*read)(struct image *img, struct diag *d);
    const char *(*describe)(const struct image *img, struct arena *a);
    // The file. Without seal, checksums that cover the content may be left 0, as add leaves them:
    // making them costs more than all the rest, and only a file that leaves needs them.
    enum diag_code (*write)(const struct image *img, bool seal, struct bytes_out *out,
                            struct diag *d);
    // Makes the checksums of an image that was read unsealed in its own file. NULL: there are none.
    void (*seal)(struct image *img, uint8_t *file);
    enum diag_code (*undo)(const struct image *img, uint64_t addr, uint64_t size,
                           struct bytes_out *out, struct diag *d);
    // The whole new file, unsealed.
    enum diag_code (*add)(const struct image *img, const struct image_run *run,
                          struct bytes_out *out, struct diag *d);
    enum diag_code (*remove)(const struct image *img, const struct image_undo *undo,
                             struct bytes_out *out, struct diag *d);
    // Where a run that is added with IMAGE_TWIN is mapped a second time, 0 = it cannot be; NULL: it
    // never can.
    uint64_t (*twin)(const struct image *img, uint64_t addr, uint64_t size);
    // See image_elsewhere; NULL: all bytes of the file that mean something are at an address.
    bool (*elsewhere)(const struct image *img, uint64_t *offset);
    uint64_t (*room)(const struct image *img, uint64_t addr, uint64_t space); // NULL: no limit
};

extern const struct image_ops image_elf_ops, image_bin_ops, image_uf2_ops, image_dfuse_ops,
    image_ihex_ops, image_esp_app_ops, image_esp_flash_ops;

// Refuses a file that begins as some other, known kind of file does.
enum diag_code image_refuse_foreign(const uint8_t *data, size_t size, const char *name,
                                    struct diag *d);

// Appends an empty segment with all flags and run unset; NULL when memory is exhausted.
struct image_segment *image_segment_new(struct image *img, struct diag *d);
// True if [addr, addr + size) has no byte in common with the image's address space and with the
// memory of its variables.
bool image_is_free(const struct image *img, uint64_t addr, uint64_t size);

#endif
