#include "format/image/uf2.h"

enum { UF2_REST_MAX = 256 }; // bytes behind the app that an undo record may hold

// Blocks for a flat file; the last one is padded with 0.
static void uf2_app_put(const struct uf2_app *u, const uint8_t *flat, uint64_t size,
                        struct bytes_out *out)
{
    uint32_t count = (uint32_t)((size + UF2_PAYLOAD - 1) / UF2_PAYLOAD);
    for (uint32_t i = 0; i < count && !out->failed; i++) {
        uint8_t data[UF2_PAYLOAD] = {0};
        uint64_t at = (uint64_t)i * UF2_PAYLOAD, n = size - at;
        memcpy(data, flat + at, n < UF2_PAYLOAD ? (size_t)n : UF2_PAYLOAD);
        uf2_put_block(u->named, u->family, u->base + (uint32_t)at, data, i, count, out);
    }
}

enum diag_code uf2_app_check(const struct uf2_app *u, const struct image *img, const uint8_t *file,
                             struct diag *d)
{
    struct bytes_out again;
    bytes_out_init(&again);
    uf2_app_put(u, u->flat, u->size, &again);
    enum diag_code err = bytes_out_check(&again, d);
    if (!err && (again.size != img->file_size || memcmp(again.data, file, again.size) != 0 ||
                 u->size - u->app.end > UF2_REST_MAX)) {
        err =
            diag_set(d, DIAG_NO, img->name, "holds more than the blocks of one app in their order");
    }
    bytes_out_free(&again);
    return err;
}

// The undo record: size of the flat file, what follows the app in it, then the app's own record.
enum diag_code uf2_app_undo(const struct uf2_app *u, const struct image *img, uint64_t addr,
                            uint64_t size, struct bytes_out *out, struct diag *d)
{
    uint64_t rest = u->size - u->app.end;
    bytes_put_u32(out, (uint32_t)u->size);
    bytes_put_u32(out, (uint32_t)rest);
    bytes_put(out, u->flat + u->app.end, rest > UF2_REST_MAX ? 0 : (size_t)rest);
    return esp_undo_record(img, &u->app, u->flat, addr, size, out, d);
}

enum diag_code uf2_app_add(const struct uf2_app *u, const struct image *img,
                           const struct image_run *run, struct bytes_out *out, struct diag *d)
{
    struct bytes_out flat;
    bytes_out_init(&flat);
    enum diag_code err = esp_grow(img, &u->app, u->flat, run, &flat, d);
    err = err ? err : bytes_out_check(&flat, d);
    if (!err) {
        uf2_app_put(u, flat.data, flat.size, out);
    }
    bytes_out_free(&flat);
    return err;
}

enum diag_code uf2_app_remove(const struct uf2_app *u, const struct image *img,
                              const struct image_undo *undo, struct bytes_out *out, struct diag *d)
{
    struct bytes_in in;
    struct bytes_out flat;
    bytes_out_init(&flat);
    bytes_in_init(&in, undo->bytes, undo->n, img->name, d);
    uint32_t size = bytes_u32(&in, "undo record");
    uint32_t n = bytes_u32(&in, "undo record");
    const uint8_t *rest = bytes_take(&in, n, "undo record");
    enum diag_code err = in.failed ? in.failed : esp_shrink(&u->app, u->flat, &in, &flat);
    bytes_put(&flat, rest, err ? 0 : n);
    err = err ? err : bytes_out_check(&flat, d);
    if (!err && (flat.size != size || bytes_left(&in))) {
        err = bytes_fail(&in, "undo record", "does not belong to this image");
    }
    if (!err) {
        uf2_app_put(u, flat.data, flat.size, out);
    }
    bytes_out_free(&flat);
    return err;
}
