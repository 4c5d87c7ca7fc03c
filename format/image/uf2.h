// What the parts of the UF2 container and the conversion to it share.
#ifndef FORMAT_IMAGE_UF2_H
#define FORMAT_IMAGE_UF2_H

#include "format/image/esp.h"

enum { UF2_BLOCK = 512, UF2_PAYLOAD = 256 }; // data bytes of the blocks we write: what all take

// Appends block number of count.
void uf2_put_block(bool named, uint32_t family, uint32_t addr, const uint8_t data[UF2_PAYLOAD],
                   uint32_t number, uint32_t count, struct bytes_out *out);

// An Espressif app whose file is cut into blocks: the addresses of the blocks are offsets in the
// app's partition, the app's own headers give the address space (uf2_app.c).
struct uf2_app {
    struct esp_app app;
    const uint8_t *flat; // the app's file, to the end of the last block
    uint64_t size;
    uint32_t base, family; // of the blocks
    bool named;
};

// The app that a UF2 image holds, or NULL.
const struct uf2_app *uf2_app_of(const struct image *img);
// Whether blocks of the app, in order, are all of the file. Errors: DIAG_NO when file (file_size
// bytes) is not just those: then it could not be restored.
enum diag_code uf2_app_check(const struct uf2_app *u, const struct image *img, const uint8_t *file,
                             struct diag *d);
enum diag_code uf2_app_undo(const struct uf2_app *u, const struct image *img, uint64_t addr,
                            uint64_t size, struct bytes_out *out, struct diag *d);
enum diag_code uf2_app_add(const struct uf2_app *u, const struct image *img,
                           const struct image_run *run, struct bytes_out *out, struct diag *d);
enum diag_code uf2_app_remove(const struct uf2_app *u, const struct image *img,
                              const struct image_undo *undo, struct bytes_out *out, struct diag *d);

#endif
