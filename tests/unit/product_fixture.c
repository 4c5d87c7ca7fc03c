#include "tests/unit/product_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/lib/compose.h"

#define PRODUCT_CODE "the payload: what is frozen into the firmware"
const uint8_t product_payload[] = PRODUCT_CODE "\0m.py";
_Static_assert(sizeof PRODUCT_CODE == PRODUCT_NAME, "where the name is");
const unsigned product_payload_size = sizeof product_payload;
static const uint8_t product_new[] = {0xde, 0xad, 0xbe, 0xef};

static void product_base_bytes(uint8_t *base, uint8_t fill)
{
    for (unsigned i = 0; i < PRODUCT_BASE_SIZE; i++) {
        base[i] = i >= 300 && i < 700 ? fill : (uint8_t)(i * 7 % 250 + 1);
    }
    // Word 0 of a vector table: raw images are told from text by what they hold.
    memset(base + 900, 0, 40);
}

static struct image *product_image(struct product *p, const struct bytes_out *file,
                                   enum image_kind kind)
{
    struct image *img;
    cr_assert_eq(image_read(file->data, file->size, "base", kind, &p->arena, &p->diag, &img),
                 DIAG_OK, "%s", p->diag.text);
    if (!img->base_known) {
        image_rebase(img, PRODUCT_BASE_ADDR);
        img->machine = IMAGE_ISA_THUMB; // what an ELF file has to say
        img->address_bits = 32;
    }
    return img;
}

void product_init(struct product *p, enum image_kind kind)
{
    product_init_fill(p, kind, 0xff);
}

void product_init_fill(struct product *p, enum image_kind kind, uint8_t fill)
{
    uint8_t bytes[PRODUCT_BASE_SIZE];
    memset(p, 0, sizeof *p);
    arena_init(&p->arena, 0);
    diag_init(&p->diag);
    bytes_out_init(&p->base);
    bytes_out_init(&p->blob);
    bytes_out_init(&p->list);
    bytes_out_init(&p->file);
    product_base_bytes(bytes, fill);
    struct bytes_out raw = {.data = bytes, .size = sizeof bytes};
    struct image *img = product_image(p, &raw, IMAGE_BIN);
    const struct image_target to = {.kind = kind};
    cr_assert_eq(image_convert(img, &to, &p->base, &p->diag), DIAG_OK, "%s", p->diag.text);
    for (unsigned i = 0; i < 2; i++) {
        unsigned at = i ? 698 : 16; // the second one begins in the fill
        p->patches[i] = (struct blob_patch){PRODUCT_BASE_ADDR + at, 4,
                                            arena_dup(&p->arena, bytes + at, 4), product_new};
    }
    p->module = (struct blob_module){
        .name = "m.py", .kind = BLOB_MODULE_MPY, .name_at = PRODUCT_NAME, .size = 11};
    p->model = (struct blob){.addr = PRODUCT_BLOB_ADDR,
                             .segment_flags = IMAGE_R | IMAGE_X,
                             .payload_size = product_payload_size,
                             .payload = product_payload,
                             .n_patches = 2,
                             .patches = p->patches,
                             .n_modules = 1,
                             .modules = &p->module,
                             .app = "test",
                             .app_version = "1.0",
                             .counter = 5,
                             .signature_space = 2 * 104};
    img = product_image(p, &p->base, kind);
    cr_assert_eq(blob_set_base(&p->model, img, &p->arena, &p->diag), DIAG_OK);
}

void product_make(struct product *p, const char *const *keys)
{
    struct image *img = product_image(p, &p->base, (enum image_kind)p->model.container);
    struct compose_out out;
    const char *files[BLOB_SIGNATURES_MAX + 1] = {NULL};
    for (unsigned i = 0; keys[i]; i++) {
        files[i] = arena_printf(&p->arena, "tests/keys/%s.pem", keys[i]);
    }
    p->list.size = 0;
    cr_assert_eq(blob_make_list(&p->model, &p->list, &p->diag), DIAG_OK);
    cr_assert_eq(compose_product(img, &p->model, files, &p->arena, &p->diag, &out), DIAG_OK, "%s",
                 p->diag.text);
    bytes_out_free(&p->blob);
    bytes_out_free(&p->file);
    p->blob = out.blob;
    p->file = out.file;
}

uint8_t *product_signatures(const struct product *p)
{
    struct blob_layout l;
    cr_assert_eq(blob_layout_read(p->blob.data, (uint32_t)p->blob.size, &l), BLOB_SOUND);
    return p->file.data + (PRODUCT_BLOB_ADDR - PRODUCT_BASE_ADDR) + l.at[BLOB_SECTIONS];
}

void product_free(struct product *p)
{
    arena_free(&p->arena);
    bytes_out_free(&p->base);
    bytes_out_free(&p->blob);
    bytes_out_free(&p->list);
    bytes_out_free(&p->file);
}

struct verify_key *product_key(const char *name)
{
    char file[64];
    struct verify_key *key;
    snprintf(file, sizeof file, "tests/keys/%s.pub.pem", name);
    cr_assert_eq(verify_key_read(file, NULL, &key), DIAG_OK, "%s", file);
    return key;
}

enum verify_result product_verify(const void *data, size_t size, const char *const *keys,
                                  struct verify_report *report)
{
    return product_verify_list(data, size, keys, NULL, report);
}

enum verify_result product_verify_list(const void *data, size_t size, const char *const *keys,
                                       const struct bytes_out *list, struct verify_report *report)
{
    struct verify_key *loaded[4];
    struct arena arena;
    struct verify_request rq = {
        .data = data, .size = size, .name = "product", .keys = loaded, .allow_published = true};
    if (list) {
        rq.list = list->data;
        rq.list_size = list->size;
        rq.list_name = "list";
    }
    for (; keys[rq.n_keys]; rq.n_keys++) {
        loaded[rq.n_keys] = product_key(keys[rq.n_keys]);
    }
    arena_init(&arena, 0);
    cr_assert_eq(verify_image(&rq, &arena, NULL, report), DIAG_OK);
    report->blob = NULL; // goes with the arena
    for (unsigned i = 0; i < rq.n_keys; i++) {
        verify_key_free(loaded[i]);
        report->signer_keys[i] = NULL;
    }
    arena_free(&arena);
    return report->result;
}
