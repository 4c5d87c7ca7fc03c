#include <criterion/criterion.h>
#include <stdio.h>

#include "format/image/image.h"
#include "tests/unit/image_make.h"

struct work { // one image of one sample
    struct arena arena;
    struct diag diag;
    struct bytes_out file;
    struct image *image;
};

static enum diag_code open_bytes(struct work *w, const struct image_sample *s, const void *data,
                                 size_t size)
{
    arena_init(&w->arena, 64 << 20);
    diag_init(&w->diag);
    enum diag_code err =
        image_read(data, size, s->name, IMAGE_AUTO, &w->arena, &w->diag, &w->image);
    if (!err && s->base && !w->image->base_known) {
        image_rebase(w->image, s->base);
    }
    return err;
}

static void open_sample(struct work *w, const struct image_sample *s)
{
    memset(w, 0, sizeof *w);
    s->make(&w->file);
    enum diag_code err = open_bytes(w, s, w->file.data, w->file.size);
    cr_assert_eq(err, DIAG_OK, "%s: %s: %s", s->name, w->diag.field ? w->diag.field : "",
                 w->diag.text);
}

static void close_work(struct work *w)
{
    arena_free(&w->arena);
    bytes_out_free(&w->file);
}

static bool same_as(const struct image *img, const void *data, size_t size)
{
    struct bytes_out out;
    bytes_out_init(&out);
    enum diag_code err = image_write(img, &out, NULL);
    bool same = !err && out.size == size && memcmp(out.data, data, size) == 0;
    bytes_out_free(&out);
    return same;
}

#define EACH_SAMPLE(s) for (const struct image_sample *s = image_samples; s->name; s++)

Test(image, every_container_is_recognised_and_written_back_unchanged)
{
    EACH_SAMPLE(s)
    {
        struct work w;
        open_sample(&w, s);
        cr_assert_eq(w.image->kind, s->kind, "%s", s->name);
        cr_assert(same_as(w.image, w.file.data, w.file.size), "%s", s->name);
        cr_assert(image_describe(w.image, &w.arena)[0], "%s", s->name);
        close_work(&w);
    }
}

Test(image, segments_are_sorted_and_found_by_address)
{
    EACH_SAMPLE(s)
    {
        struct work w;
        open_sample(&w, s);
        for (unsigned i = 0; i < w.image->n_segments; i++) {
            const struct image_segment *g = &w.image->segments[i];
            cr_assert(i == 0 || g[-1].addr <= g->addr, "%s", s->name);
            cr_assert_eq(image_at(w.image, g->addr), g, "%s", s->name);
            cr_assert_eq(image_bytes(w.image, g->addr, g->size), g->data, "%s", s->name);
            cr_assert_eq(image_run_bytes(w.image, g->run, g->size), g->data, "%s", s->name);
            cr_assert_eq(image_run_to_addr(w.image, g->run + 1), g->addr + 1, "%s", s->name);
            cr_assert_null(image_bytes(w.image, g->addr, g->size + 1000000), "%s", s->name);
            if (g->file_offset != UINT64_MAX) {
                cr_assert_arr_eq(g->data, w.file.data + g->file_offset, g->size, "%s", s->name);
            }
        }
        close_work(&w);
    }
}

Test(image, pokes_reach_the_file_and_can_be_taken_back)
{
    EACH_SAMPLE(s)
    {
        struct work w, again;
        open_sample(&w, s);
        const struct image_segment *g = &w.image->segments[w.image->n_segments - 1];
        uint64_t at = g->addr + g->size - 3;
        uint8_t old[3], now[3];
        memcpy(old, image_bytes(w.image, at, 3), 3);
        for (unsigned i = 0; i < 3; i++) {
            now[i] = old[i] ^ 0x5a;
        }
        cr_assert_eq(image_poke(w.image, at, now, 3, NULL), DIAG_OK, "%s", s->name);
        struct bytes_out out;
        bytes_out_init(&out);
        cr_assert_eq(image_write(w.image, &out, NULL), DIAG_OK, "%s", s->name);
        cr_assert_eq(out.size, w.file.size, "%s", s->name);
        cr_assert_eq(open_bytes(&again, s, out.data, out.size), DIAG_OK, "%s: %s", s->name,
                     again.diag.text);
        cr_assert_arr_eq(image_bytes(again.image, at, 3), now, 3, "%s", s->name);
        cr_assert_eq(image_poke(again.image, at, old, 3, NULL), DIAG_OK, "%s", s->name);
        cr_assert(same_as(again.image, w.file.data, w.file.size), "%s", s->name);
        arena_free(&again.arena);
        bytes_out_free(&out);
        close_work(&w);
    }
}

Test(image, pokes_leave_what_was_read_alone)
{
    EACH_SAMPLE(s)
    {
        struct work w;
        struct bytes_out before;
        open_sample(&w, s);
        bytes_out_init(&before);
        bytes_put(&before, w.file.data, w.file.size);
        for (unsigned i = 0; i < w.image->n_segments; i++) {
            const struct image_segment *g = &w.image->segments[i];
            const uint8_t *last = image_bytes(w.image, g->addr + g->size - 1, 1);
            uint8_t other = (uint8_t)(*last ^ 1);
            cr_assert_eq(image_poke(w.image, g->addr + g->size - 1, &other, 1, NULL), DIAG_OK);
            cr_assert_eq(*image_bytes(w.image, g->addr + g->size - 1, 1), other, "%s", s->name);
        }
        cr_assert_arr_eq(w.file.data, before.data, before.size, "%s", s->name);
        bytes_out_free(&before);
        close_work(&w);
    }
}

Test(image, pokes_outside_are_refused)
{
    struct work w;
    open_sample(&w, &image_samples[0]);
    const struct image_segment *g = &w.image->segments[0];
    cr_assert_eq(image_poke(w.image, g->addr + g->size - 1, (const uint8_t *)"ab", 2, NULL),
                 g[1].addr == g->addr + g->size ? DIAG_INTERNAL : DIAG_INTERNAL);
    cr_assert_eq(image_poke(w.image, 1, (const uint8_t *)"a", 1, NULL), DIAG_INTERNAL);
    close_work(&w);
}

// A product of a sample: size bytes added, and the undo record.
struct product {
    struct bytes_out file, undo;
    uint8_t bytes[70000];
    uint64_t size;
};

static const struct image_sample *sample(const char *name)
{
    EACH_SAMPLE(s)
    {
        if (strcmp(s->name, name) == 0) {
            return s;
        }
    }
    cr_assert_fail("no sample %s", name);
    return NULL;
}

static unsigned flags_of(const struct image_sample *s)
{
    return strcmp(s->name, "elf-x64-twin") == 0 ? IMAGE_R | IMAGE_W | IMAGE_TWIN
                                                : IMAGE_R | IMAGE_X;
}

static void make_product(const struct image_sample *s, uint64_t size, struct product *p)
{
    struct work w;
    memset(p, 0, sizeof *p);
    open_sample(&w, s);
    uint64_t granule = image_granule(w.image);
    p->size = (size + granule - 1) / granule * granule;
    for (uint64_t i = 0; i < p->size; i++) {
        p->bytes[i] = (uint8_t)(i * 7 + 1);
    }
    cr_assert_eq(image_undo(w.image, s->add, p->size, &p->undo, &w.diag), DIAG_OK, "%s: %s",
                 s->name, w.diag.text);
    cr_assert_lt(p->undo.size, 1000, "%s", s->name);
    enum diag_code err = image_add(w.image, s->add, p->bytes, p->size, flags_of(s), &w.diag);
    cr_assert_eq(err, DIAG_OK, "%s: %s", s->name, w.diag.text);
    cr_assert_arr_eq(image_bytes(w.image, s->add, p->size), p->bytes, p->size, "%s", s->name);
    cr_assert_eq(image_write(w.image, &p->file, &w.diag), DIAG_OK, "%s", s->name);
    close_work(&w);
}

static void free_product(struct product *p)
{
    bytes_out_free(&p->file);
    bytes_out_free(&p->undo);
}

static void add_and_remove(const struct image_sample *s, uint64_t size)
{
    static struct product p;
    struct work base, w;
    open_sample(&base, s);
    make_product(s, size, &p);
    cr_assert_eq(open_bytes(&w, s, p.file.data, p.file.size), DIAG_OK, "%s: %s", s->name,
                 w.diag.text);
    cr_assert_eq(w.image->kind, s->kind, "%s", s->name);
    cr_assert(same_as(w.image, p.file.data, p.file.size), "%s", s->name);
    cr_assert_arr_eq(image_bytes(w.image, s->add, p.size), p.bytes, p.size, "%s", s->name);
    for (unsigned i = 0; i < base.image->n_segments; i++) { // the base's bytes are where they were
        const struct image_segment *g = &base.image->segments[i];
        const uint8_t *now = image_bytes(w.image, g->addr, g->size);
        cr_assert(now || !g->size, "%s", s->name);
        cr_assert_arr_eq(now, g->data, g->size, "%s", s->name);
    }
    enum diag_code err = image_remove(w.image, s->add, p.size, p.undo.data, p.undo.size, &w.diag);
    cr_assert_eq(err, DIAG_OK, "%s: %s", s->name, w.diag.text);
    cr_assert(same_as(w.image, base.file.data, base.file.size), "%s, %u bytes", s->name,
              (unsigned)size);
    cr_assert_eq(w.image->n_segments, base.image->n_segments, "%s", s->name);
    cr_assert_eq(w.image->file_size, base.file.size, "%s", s->name);
    cr_assert_arr_eq(w.image->file, base.file.data, base.file.size, "%s", s->name);
    arena_free(&w.arena);
    close_work(&base);
    free_product(&p);
}

// As a verifier does it: everything over one copy of the product, as far as the container can.
static void take_and_make_again(const struct image_sample *s)
{
    static struct product p;
    struct work base, w;
    struct bytes_out work, file, again;
    open_sample(&base, s);
    make_product(s, 512, &p);
    cr_assert_eq(open_bytes(&w, s, p.file.data, p.file.size), DIAG_OK, "%s", s->name);
    unsigned flags = flags_of(s);
    bytes_out_init(&work);
    bytes_put(&work, p.file.data, p.file.size);
    bytes_out_init(&file);
    bytes_out_init_over(&again, work.data, work.cap);
    if (image_in_place(w.image)) {
        file = again;
    }
    image_lend(w.image, work.data);
    enum diag_code err =
        image_take(w.image, s->add, p.size, p.undo.data, p.undo.size, &file, &w.diag);
    cr_assert_eq(err, DIAG_OK, "%s: %s", s->name, w.diag.text);
    cr_assert_eq(file.size, base.file.size, "%s", s->name);
    cr_assert_arr_eq(file.data, base.file.data, file.size, "%s", s->name);
    err = image_with(w.image, s->add, p.bytes, p.size, flags, &again, &w.diag);
    cr_assert_eq(err, DIAG_OK, "%s: %s", s->name, w.diag.text);
    cr_assert_eq(again.size, p.file.size, "%s", s->name);
    cr_assert_arr_eq(again.data, p.file.data, again.size, "%s", s->name);
    arena_free(&w.arena);
    bytes_out_free(&again);
    bytes_out_free(&file);
    bytes_out_free(&work);
    close_work(&base);
    free_product(&p);
}

Test(image, a_product_is_taken_apart_and_made_again_in_one_memory)
{
    EACH_SAMPLE(s)
    {
        take_and_make_again(s);
    }
}

Test(image, added_bytes_are_found_and_removing_them_restores_the_base)
{
    EACH_SAMPLE(s)
    {
        add_and_remove(s, 4);
        add_and_remove(s, 512);
        add_and_remove(s, 0xff2c); // leaves too little of a flash page for a padding segment
        add_and_remove(s, 0x10000);
    }
}

// x86-64 programs run machine code from pages that are not writable.
Test(image, a_run_with_a_twin_is_mapped_writable_and_again_executable)
{
    static struct product p;
    struct work w;
    const struct image_sample *s = sample("elf-x64-twin");
    make_product(s, 512, &p);
    cr_assert_eq(open_bytes(&w, s, p.file.data, p.file.size), DIAG_OK, "%s", w.diag.text);
    const struct image_segment *run = image_at(w.image, s->add);
    cr_assert_eq(run->flags, IMAGE_R | IMAGE_W);
    unsigned n = w.image->n_segments;
    const struct image_segment *twin = &w.image->segments[n - 1];
    cr_assert_eq(twin->flags, IMAGE_R | IMAGE_X);
    cr_assert_eq(twin->file_offset, run->file_offset);
    cr_assert_eq(twin->addr % 0x1000, run->addr % 0x1000);
    cr_assert_geq(twin->addr / 0x1000, (run->addr + run->size + 0xfff) / 0x1000);
    uint64_t executed = twin->addr;
    arena_free(&w.arena);
    open_sample(&w, s);
    cr_assert_eq(image_code_address(w.image, s->add, p.size, s->add + 16), executed + 16);
    close_work(&w);
    free_product(&p);
    open_sample(&w, sample("elf-x64-pie")); // one header can be replaced, two cannot
    cr_assert_eq(image_code_address(w.image, 0x10000, 512, 0x10010), 0);
    close_work(&w);
}

Test(image, adding_where_bytes_are_is_refused)
{
    EACH_SAMPLE(s)
    {
        struct work w;
        struct bytes_out undo;
        open_sample(&w, s);
        bytes_out_init(&undo);
        uint64_t used = w.image->segments[0].addr;
        cr_assert_eq(image_add(w.image, used, (const uint8_t *)"abcd", 4, 7, NULL), DIAG_NO);
        cr_assert_eq(image_add(w.image, s->add, (const uint8_t *)"abcd", 0, 7, NULL), DIAG_NO);
        cr_assert_eq(image_undo(w.image, UINT64_MAX - 2, 8, &undo, NULL), DIAG_NO);
        cr_assert(same_as(w.image, w.file.data, w.file.size), "%s", s->name);
        bytes_out_free(&undo);
        close_work(&w);
    }
}

// Reading must end, and what is read must be written back as it is.
static void read_any(const struct image_sample *s, const uint8_t *data, size_t size)
{
    struct work w;
    if (open_bytes(&w, s, data, size) == DIAG_OK) {
        cr_assert(same_as(w.image, data, size), "%s", s->name);
    } else {
        cr_assert(w.diag.text[0], "%s", s->name);
    }
    arena_free(&w.arena);
}

Test(image, every_truncation_is_survived)
{
    EACH_SAMPLE(s)
    {
        struct work w;
        open_sample(&w, s);
        size_t step = w.file.size > 100000 ? 97 : 1; // a copy of each size takes quadratic time
        for (size_t n = 0; n < w.file.size; n += step) {
            uint8_t *copy = malloc(n + 1); // the end is where a sanitizer sees it
            memcpy(copy, w.file.data, n);
            read_any(s, copy, n);
            free(copy);
        }
        close_work(&w);
    }
}

Test(image, every_changed_byte_is_survived)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    EACH_SAMPLE(s)
    {
        struct work w;
        open_sample(&w, s);
        size_t step = w.file.size > 8192 ? 61 : 1;
        for (size_t i = 0; i < w.file.size; i += i < 512 ? 1 : step) {
            for (unsigned k = 0; k < sizeof changes; k++) {
                w.file.data[i] ^= changes[k];
                read_any(s, w.file.data, w.file.size);
                w.file.data[i] ^= changes[k];
            }
        }
        close_work(&w);
    }
}

// Whatever byte of a product changes: reading refuses it, or removing does, or the base or the
// added bytes come out different. Nothing of a product is out of everybody's sight.
static void check_flip(const struct image_sample *s, struct product *p, const struct work *base,
                       size_t at)
{
    struct work w;
    p->file.data[at] ^= 0x41;
    if (open_bytes(&w, s, p->file.data, p->file.size) == DIAG_OK) {
        const uint8_t *now = image_bytes(w.image, s->add, p->size);
        bool differs = !now || memcmp(now, p->bytes, p->size) != 0;
        enum diag_code err =
            image_remove(w.image, s->add, p->size, p->undo.data, p->undo.size, &w.diag);
        cr_assert(err || differs || !same_as(w.image, base->file.data, base->file.size),
                  "%s: byte 0x%zx", s->name, at);
    }
    arena_free(&w.arena);
    p->file.data[at] ^= 0x41;
}

Test(image, no_byte_of_a_product_is_unproven)
{
    static struct product p;
    EACH_SAMPLE(s)
    {
        struct work base;
        open_sample(&base, s);
        make_product(s, 48, &p);
        size_t step = p.file.size > 8192 ? 211 : 1;
        for (size_t i = 0; i < p.file.size; i += step) {
            check_flip(s, &p, &base, i);
        }
        free_product(&p);
        close_work(&base);
    }
}

Test(image, undo_records_of_any_content_are_survived)
{
    static struct product p;
    EACH_SAMPLE(s)
    {
        make_product(s, 64, &p);
        for (size_t n = 0; n <= p.undo.size; n++) {
            for (unsigned k = 0; k < 2; k++) {
                struct work w;
                open_bytes(&w, s, p.file.data, p.file.size);
                if (n < p.undo.size) {
                    p.undo.data[n] ^= k ? 0x80 : 1;
                }
                (void)image_remove(w.image, s->add, p.size, p.undo.data, p.undo.size, &w.diag);
                if (n < p.undo.size) {
                    p.undo.data[n] ^= k ? 0x80 : 1;
                }
                arena_free(&w.arena);
            }
        }
        free_product(&p);
    }
}

// Malformed headers: what is overwritten where, and the field that the message must name.
static const struct {
    const char *sample;
    size_t at;
    const char *bytes;
    unsigned n;
    const char *field;
} malformed[] = {
    {"elf-arm", 4, "\3", 1, "EI_CLASS"},
    {"elf-arm", 5, "\2", 1, "EI_DATA"},
    {"elf-arm", 16, "\1", 1, "e_type"},
    {"elf-arm", 28, "\xff\xff\xff\x7f", 4, "e_phoff"},
    {"elf-arm", 32, "\xff\xff\xff\x7f", 4, "e_shoff"},
    {"elf-arm", 42, "\x1f", 1, "e_phentsize"},
    {"elf-arm", 44, "\0\0", 2, "e_phnum"},
    {"elf-arm", 44, "\xff\xff", 2, "e_phnum"},
    {"elf-arm", 46, "\x27", 1, "e_shentsize"},
    {"elf-arm", 48, "\xff\xff", 2, "section headers"},
    {"elf-arm", 52 + 4, "\xff\xff\xff\xff", 4, "p_offset"},
    {"elf-arm", 52 + 16, "\xff\xff\xff\xff", 4, "p_offset"},
    {"elf-arm", 52 + 20, "\0\0\0\0", 4, "p_memsz"},
    {"elf-arm", 52 + 32 + 4, "\x80\0\0\0", 4, "p_offset"},      // shares bytes with the first one
    {"elf-arm", 52 + 32 + 8, "\xf0\xff\xff\xff", 4, "p_memsz"}, // wraps around
    {"elf-arm", 52 + 32 + 12, "\x80\0\0\x08", 4, "LOAD"},       // overlaps the first one in memory
    {"elf-x64-pie", 64 + 56 * 2 + 32, "\xff\xff\xff\xff", 4, "PT_DYNAMIC"},
    {"uf2", 512, "\0", 1, "magicStart0"},
    {"uf2", 516, "\0", 1, "magicStart1"},
    {"uf2", 1020, "\0", 1, "magicEnd"},
    {"uf2", 512 + 16, "\xff\xff\xff\xff", 4, "payloadSize"},
    {"uf2", 512 + 20, "\x03", 1, "blockNo"},
    {"uf2", 24, "\xff\xff\xff\xff", 4, "numBlocks"},
    {"uf2", 512 + 12, "\xf0\xff\xff\xff", 4, "targetAddr"},
    {"uf2", 512 + 12, "\x80\0\0\x10", 4, "targetAddr"}, // overlaps the first block
    {"dfuse", 5, "\2", 1, "signature"},
    {"dfuse", 6, "\0", 1, "image size"},
    {"dfuse", 10, "\2", 1, "target prefix"},
    {"dfuse", 11, "t", 1, "target signature"},
    {"dfuse", 11 + 266, "\xff\xff\xff\xff", 4, "target size"},
    {"dfuse", 11 + 270, "\xff\xff\xff\xff", 4, "number of elements"},
    {"dfuse", 11 + 274 + 4, "\0\0\0\0", 4, "element size"},
    {"dfuse", 11 + 274 + 4, "\xff\xff\xff\xff", 4, "element size"},
    {"dfuse", 400, "\0\0", 2, "suffix CRC"},
    {"ihex", 2, "3", 1, "record data"},
    {"ihex", 20, "G", 1, "record data"},
    {"ihex", 17, ";", 1, "record"},
    {"ihex", 30, "0", 1, "record checksum"},
    {"esp32", 1, "\x11", 1, "number of segments"},
    {"esp32", 12, "\x63", 1, "chip id"},
    {"esp32", 28, "\xfc\xff\xff\x7f", 4, "segment"},
    {"esp32", 28, "\xc9", 1, "segment length"},
    {"esp32", 40, "\xaa", 1, "checksum"},
    {"esp32", 8, "\xaa", 1, "SHA-256"},
};

Test(image, malformed_headers_are_named)
{
    for (unsigned i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        const struct image_sample *s = sample(malformed[i].sample);
        struct work w = {0};
        struct image *img;
        s->make(&w.file);
        memcpy(w.file.data + malformed[i].at, malformed[i].bytes, malformed[i].n);
        arena_init(&w.arena, 1 << 20);
        diag_init(&w.diag);
        enum diag_code err =
            image_read(w.file.data, w.file.size, s->name, s->kind, &w.arena, &w.diag, &img);
        cr_assert_eq(err, DIAG_MALFORMED, "case %u: %s", i, w.diag.text);
        cr_assert_null(img);
        cr_assert_eq(w.diag.where, DIAG_BINARY, "case %u: %s", i, w.diag.text);
        cr_assert_str_eq(w.diag.field, malformed[i].field, "case %u: %s", i, w.diag.text);
        close_work(&w);
    }
}

Test(image, uf2_without_its_last_block_is_cut_off)
{
    struct work w = {0};
    struct image *img;
    sample("uf2")->make(&w.file);
    arena_init(&w.arena, 1 << 20);
    diag_init(&w.diag);
    cr_assert_eq(
        image_read(w.file.data, w.file.size - 512, "uf2", IMAGE_AUTO, &w.arena, &w.diag, &img),
        DIAG_MALFORMED);
    cr_assert_str_eq(w.diag.field, "numBlocks");
    cr_assert_eq(w.diag.offset, w.file.size - 512);
    close_work(&w);
}

Test(image, names_decide_only_where_content_does_not)
{
    struct arena a;
    struct image *img;
    struct diag d;
    const uint8_t noise[64] = {1, 2, 3};
    arena_init(&a, 0);
    diag_init(&d);
    cr_assert_eq(image_read(noise, 64, "x.bin", IMAGE_AUTO, &a, &d, &img), DIAG_OK);
    cr_assert_eq(img->kind, IMAGE_BIN);
    cr_assert_eq(image_read(noise, 64, "x.UF2", IMAGE_AUTO, &a, &d, &img), DIAG_MALFORMED);
    diag_init(&d);
    cr_assert_eq(image_read(noise, 64, "x.hex", IMAGE_AUTO, &a, &d, &img), DIAG_MALFORMED);
    diag_init(&d);
    cr_assert_eq(image_read(noise, 0, "x.bin", IMAGE_AUTO, &a, &d, &img), DIAG_MALFORMED);
    for (enum image_kind k = IMAGE_ELF; k < IMAGE_KINDS; k++) {
        cr_assert_eq(image_kind_find(image_kind_name(k)), k);
    }
    cr_assert_eq(image_kind_find("tar"), IMAGE_AUTO);
    arena_free(&a);
}

// Other kinds of files, and the word that names each.
static const struct {
    const char *bytes;
    unsigned n;
    const char *word;
} foreign[] = {
    {"PK\3\4", 4, "zip"},
    {"\x1f\x8b\x08", 3, "gzip"},
    {"\xfd"
     "7zXZ\0",
     6, "xz"},
    {"7z\xbc\xaf\x27\x1c", 6, "7z"},
    {"!<arch>\n", 8, "ar archive"},
    {"\0asm\1\0\0", 8, "WebAssembly"},
    {"\xce\xfa\xed\xfe", 4, "Mach-O"},
    {"\xcf\xfa\xed\xfe", 4, "Mach-O"},
    {"MZ", 2, "Windows"},
};

Test(image, files_of_other_kinds_are_named)
{
    for (unsigned i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        struct arena a;
        struct image *img;
        struct diag d;
        uint8_t file[80] = {[0x3c] = 0x40, [0x40] = 'P', 'E', 0, 0};
        memcpy(file, foreign[i].bytes, foreign[i].n);
        arena_init(&a, 0);
        diag_init(&d);
        cr_assert_eq(image_read(file, sizeof file, "x.bin", IMAGE_AUTO, &a, &d, &img),
                     DIAG_MALFORMED, "%s", foreign[i].word);
        cr_assert_not_null(strstr(d.text, foreign[i].word), "%s", d.text);
        diag_init(&d);
        cr_assert_eq(image_read(file, sizeof file, "x.bin", IMAGE_BIN, &a, &d, &img), DIAG_OK);
        arena_free(&a);
    }
}

static const struct image_symbol *find_symbol(const struct image *img, const char *name)
{
    for (unsigned i = 0; i < img->n_symbols; i++) {
        if (strcmp(img->symbols[i].name, name) == 0) {
            return &img->symbols[i];
        }
    }
    return NULL;
}

Test(image, elf_symbols_and_relocations)
{
    struct work w;
    open_sample(&w, sample("elf-x64-pie"));
    cr_assert_eq(w.image->n_symbols, 2);
    cr_assert_str_eq(w.image->symbols[0].name, "alpha"); // sorted
    cr_assert_eq(find_symbol(w.image, "alpha")->value + 4, find_symbol(w.image, "main")->value);
    cr_assert(w.image->pic);
    cr_assert_eq(w.image->machine, IMAGE_ISA_X64);
    // RELA: the addend of the entry; REL and RELR: what the word holds.
    cr_assert_eq(w.image->n_relocs, 5);
    static const uint64_t expected[] = {0x1234, 0x100, 0x200, 0x300, 0x400};
    for (unsigned i = 0; i < 5; i++) {
        uint64_t v = 0;
        cr_assert_eq(w.image->relocs[i].where, w.image->relocs[0].where + 8 * i);
        cr_assert(w.image->relocs[i].known);
        cr_assert(image_word(w.image, w.image->relocs[i].where, 8, &v));
        cr_assert_eq(v, expected[i], "%u", i);
    }
    close_work(&w);
}

// The ELF file with n more sections than it has, all empty; e_shnum cannot say that.
static void add_sections(const struct bytes_out *elf, unsigned n, struct bytes_out *out)
{
    enum { SHDR = 64, SH_SIZE = 32, E_SHOFF = 40, E_SHNUM = 60 };
    uint64_t table = ld64(elf->data + E_SHOFF);
    unsigned old = ld16(elf->data + E_SHNUM);
    bytes_out_init(out);
    bytes_put(out, elf->data, elf->size);
    bytes_put(out, elf->data + table, (size_t)old * SHDR);
    bytes_fill(out, 0, (size_t)n * SHDR);
    st64(out->data + E_SHOFF, elf->size);
    st16(out->data + E_SHNUM, 0);
    st64(out->data + elf->size + SH_SIZE, old + n);
}

Test(image, elf_with_more_sections_than_16_bits_count)
{
    const struct image_sample *s = sample("elf-x64-pie");
    struct work few, many = {0};
    open_sample(&few, s);
    add_sections(&few.file, 65600, &many.file);
    cr_assert_eq(open_bytes(&many, s, many.file.data, many.file.size), DIAG_OK, "%s",
                 many.diag.text);
    cr_expect(same_as(many.image, many.file.data, many.file.size));
    cr_expect_eq(many.image->n_symbols, few.image->n_symbols);
    cr_expect_eq(many.image->n_segments, few.image->n_segments);
    cr_expect_eq(image_read(many.file.data, many.file.size - 1, s->name, IMAGE_AUTO, &many.arena,
                            &many.diag, &many.image),
                 DIAG_MALFORMED);
    cr_expect_str_eq(many.diag.field, "section headers");
    close_work(&few);
    close_work(&many);
}

// Blocks that state to be more than any file holds are believed in nothing.
Test(image, uf2_of_4294967295_blocks_is_cut_off)
{
    struct work w = {0};
    const struct image_sample *s = sample("uf2");
    s->make(&w.file);
    for (size_t at = 0; at < w.file.size; at += 512) {
        st32(w.file.data + at + 24, UINT32_MAX);
    }
    cr_assert_eq(open_bytes(&w, s, w.file.data, w.file.size), DIAG_MALFORMED);
    cr_expect_str_eq(w.diag.field, "numBlocks");
    close_work(&w);
}

static void put_hex_record(struct bytes_out *out, unsigned type, unsigned offset,
                           const uint8_t *data, unsigned n)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t record[4 + 16 + 1] = {(uint8_t)n, (uint8_t)(offset >> 8), (uint8_t)offset,
                                  (uint8_t)type};
    char text[sizeof record * 2 + 2] = ":";
    memcpy(record + 4, data, n);
    for (unsigned i = 0; i < n + 4; i++) {
        record[n + 4] = (uint8_t)(record[n + 4] - record[i]);
    }
    for (unsigned i = 0; i < n + 5; i++) {
        text[1 + 2 * i] = digits[record[i] >> 4];
        text[2 + 2 * i] = digits[record[i] & 15];
    }
    text[1 + 2 * (n + 5)] = '\n';
    bytes_put(out, text, 2 * (n + 5) + 2);
}

// size bytes in records of 16; what a disassembler or a full flash dump comes to.
static void put_hex(struct bytes_out *out, uint32_t size)
{
    uint8_t data[16];
    for (uint32_t at = 0; at < size; at += sizeof data) {
        if (at % 0x10000 == 0) {
            put_hex_record(out, 4, 0, (uint8_t[]){(uint8_t)(at >> 24), (uint8_t)(at >> 16)}, 2);
        }
        for (unsigned i = 0; i < sizeof data; i++) {
            data[i] = (uint8_t)((at + i) * 2654435761u >> 24);
        }
        put_hex_record(out, 0, at & 0xffff, data, sizeof data);
    }
    put_hex_record(out, 1, 0, data, 0);
}

Test(image, a_large_hex_file_of_100_mb)
{
    enum { SIZE = 36 << 20 };
    struct work w = {0};
    bytes_out_init(&w.file);
    put_hex(&w.file, SIZE);
    cr_assert_gt(w.file.size, 100000000);
    arena_init(&w.arena, 512 << 20);
    diag_init(&w.diag);
    cr_assert_eq(
        image_read(w.file.data, w.file.size, "hex", IMAGE_AUTO, &w.arena, &w.diag, &w.image),
        DIAG_OK, "%s", w.diag.text);
    cr_expect_eq(w.image->kind, IMAGE_IHEX);
    cr_expect_eq(w.image->n_segments, 1);
    cr_expect_eq(w.image->segments[0].size, SIZE);
    cr_expect_eq(w.image->segments[0].data[SIZE - 1], (uint8_t)((SIZE - 1) * 2654435761u >> 24));
    close_work(&w);
}

Test(image, headers_are_not_in_the_address_space)
{
    struct work w;
    open_sample(&w, sample("elf-arm-room"));
    cr_assert_eq(w.image->segments[0].addr, 0x8000000 + 52 + 2 * 32 + 128);
    close_work(&w);
    open_sample(&w, sample("elf-arm-loaded-headers"));
    cr_assert_eq(w.image->segments[0].addr, 0x8000000 + 52 + 2 * 32);
    close_work(&w);
}

Test(image, load_and_run_addresses_differ_for_data)
{
    struct work w;
    open_sample(&w, sample("elf-arm"));
    const struct image_segment *g = &w.image->segments[1];
    cr_assert_eq(g->run, 0x20000000);
    cr_assert_eq(g->addr, w.image->segments[0].addr + 200);
    cr_assert_eq(g->mem_size, g->size + 64);
    cr_assert_eq(image_run_to_addr(w.image, 0x20000010), g->addr + 16);
    cr_assert_eq(image_run_to_addr(w.image, 0x20000000 + g->size), UINT64_MAX);
    // Behind the data are variables: nothing may be added there.
    cr_assert_eq(image_add(w.image, 0x20000000 + g->size, (const uint8_t[16]){0}, 16, 7, NULL),
                 DIAG_NO);
    close_work(&w);
}

Test(image, the_largest_family_board_and_the_booting_app_are_taken)
{
    struct work w;
    open_sample(&w, sample("uf2-families"));
    cr_assert_eq(w.image->n_segments, 2);
    cr_assert_eq(w.image->segments[0].addr, 0x10000000);
    cr_assert_eq(w.image->segments[0].size, 512);
    cr_assert(strstr(image_describe(w.image, &w.arena), "RP2350"));
    close_work(&w);
    open_sample(&w, sample("ihex-universal"));
    cr_assert_eq(w.image->n_segments, 1);
    cr_assert_eq(w.image->segments[0].size, 256);
    cr_assert(strstr(image_describe(w.image, &w.arena), "micro:bit V2"));
    close_work(&w);
    open_sample(&w, sample("esp-flash-ota"));
    cr_assert_not_null(image_at(w.image, 0x400e0000 + 600));
    cr_assert(strstr(image_describe(w.image, &w.arena), "ota_1"));
    close_work(&w);
}

Test(image, hex_offsets_wrap_within_a_segment)
{
    struct work w;
    open_sample(&w, sample("ihex-segments"));
    cr_assert_eq(w.image->n_segments, 3);
    cr_assert_eq(w.image->segments[0].addr, 0x10000);
    cr_assert_eq(w.image->segments[2].addr, 0x1fff0);
    close_work(&w);
}

// Raw images grow at their end only, and not past the end of the address space.
Test(image, raw_images_need_a_base)
{
    struct work w;
    const struct image_sample *s = sample("bin");
    open_sample(&w, s);
    cr_assert_eq(image_add(w.image, s->base - 16, (const uint8_t *)"abcd", 4, 7, NULL), DIAG_NO);
    close_work(&w);
    memset(&w, 0, sizeof w);
    s->make(&w.file);
    arena_init(&w.arena, 0);
    image_read(w.file.data, w.file.size, "x", IMAGE_AUTO, &w.arena, NULL, &w.image);
    cr_assert_not(w.image->base_known);
    cr_assert_eq(image_add(w.image, 0x1000, (const uint8_t *)"abcd", 4, 7, NULL), DIAG_NO);
    image_rebase(w.image, UINT64_MAX - 10);
    cr_assert_not(w.image->base_known);
    close_work(&w);
}

// Every address space survives the way through all other containers.
static void convert_and_compare(const struct work *w, enum image_kind kind)
{
    const struct image_target to = {.kind = kind, .has_family = true, .family = 0xe48bff56};
    const struct image_sample named = {.name = "converted", .base = w->image->segments[0].addr};
    struct bytes_out out;
    struct diag d;
    struct work other;
    bytes_out_init(&out);
    diag_init(&d);
    enum diag_code err = image_convert(w->image, &to, &out, &d);
    cr_assert(err == DIAG_OK || err == DIAG_NO, "%s", d.text);
    if (!err) {
        cr_assert_eq(open_bytes(&other, &named, out.data, out.size), DIAG_OK, "%s",
                     other.diag.text);
        for (unsigned i = 0; i < w->image->n_segments; i++) {
            const struct image_segment *g = &w->image->segments[i];
            for (uint64_t k = 0; k < g->size; k++) {
                const uint8_t *b = image_bytes(other.image, g->addr + k, 1);
                cr_assert(b && *b == g->data[k], "%s: 0x%llx", image_kind_name(kind),
                          (unsigned long long)(g->addr + k));
            }
        }
        arena_free(&other.arena);
    }
    bytes_out_free(&out);
}

Test(image, conversions_keep_every_byte)
{
    EACH_SAMPLE(s)
    {
        struct work w;
        open_sample(&w, s);
        for (enum image_kind k = IMAGE_ELF; k < IMAGE_KINDS; k++) {
            convert_and_compare(&w, k);
        }
        close_work(&w);
    }
}

Test(image, uf2_families_by_name_or_number)
{
    uint32_t f;
    cr_assert(image_uf2_family("rp2040", &f) && f == 0xe48bff56);
    cr_assert(image_uf2_family("STM32F4", &f) && f == 0x57755a57);
    cr_assert(image_uf2_family("rp2350-arm-secure", &f) && f == 0xe48bff59);
    cr_assert(image_uf2_family("0x1234", &f) && f == 0x1234);
    cr_assert_not(image_uf2_family("", &f));
    cr_assert_not(image_uf2_family("z80", &f));
    cr_assert_not(image_uf2_family("0x123456789", &f));
}

// Every mapped segment lies at an address and at a file offset that agree within a page of 64 KiB.
static void check_congruent(const struct image *img, const char *name)
{
    uint64_t start = strcmp(name, "esp-flash-1000") == 0 ? 0x1000 : 0;
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *g = &img->segments[i];
        if (strcmp(g->name, "DROM") == 0 || strcmp(g->name, "IROM") == 0) {
            cr_assert_eq((start + g->file_offset) % 0x10000, g->addr % 0x10000, "%s: %s", name,
                         g->name);
        }
    }
}

// Adds size bytes and takes them away again.
static enum diag_code grow_and_shrink(const struct image_sample *s, uint64_t size)
{
    struct work w;
    struct bytes_out undo, file, base;
    open_sample(&w, s);
    bytes_out_init(&undo);
    bytes_out_init(&file);
    bytes_out_init(&base);
    uint8_t *bytes = arena_calloc(&w.arena, size, 1);
    enum diag_code err = image_undo(w.image, s->add, size, &undo, &w.diag);
    err = err ? err : image_add(w.image, s->add, bytes, size, IMAGE_R, &w.diag);
    err = err ? err : image_write(w.image, &file, &w.diag);
    if (!err) {
        struct image *again;
        cr_assert_eq(image_read(file.data, file.size, s->name, s->kind, &w.arena, &w.diag, &again),
                     DIAG_OK, "%s: %s", s->name, w.diag.text);
        check_congruent(again, s->name);
        cr_assert_eq(image_remove(again, s->add, size, undo.data, undo.size, &w.diag), DIAG_OK,
                     "%s, %llu: %s", s->name, (unsigned long long)size, w.diag.text);
        cr_assert_eq(image_write(again, &base, &w.diag), DIAG_OK);
        cr_assert_eq(base.size, w.file.size, "%s", s->name);
        cr_assert_arr_eq(base.data, w.file.data, base.size, "%s", s->name);
    }
    bytes_out_free(&undo);
    bytes_out_free(&file);
    bytes_out_free(&base);
    close_work(&w);
    return err;
}

// An app grows by whole pages of the flash MMU, up to the end of its partition and not past it.
Test(image, esp_apps_grow_by_pages_to_the_end_of_their_partition)
{
    static const char *const names[] = {"esp32",     "esp32-s3",       "esp32-c6",
                                        "esp-flash", "esp-flash-1000", "esp-flash-ota"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        const struct image_sample *s = sample(names[i]);
        struct work w;
        open_sample(&w, s);
        bool whole = s->kind == IMAGE_ESP_FLASH;
        uint64_t room = image_room(w.image, s->add, 0x30000);
        uint64_t end = image_room(w.image, s->add, UINT64_MAX);
        cr_assert_eq(room == end, whole, "%s", s->name);
        cr_assert_geq(room, 0x20000 - 1000, "%s: %llu", s->name, (unsigned long long)room);
        cr_assert_lt(room, 0x30000, "%s", s->name);
        close_work(&w);
        for (uint64_t size = 64; size <= room; size += 0x3ffc) {
            cr_assert_eq(grow_and_shrink(s, size), DIAG_OK, "%s, %llu", s->name,
                         (unsigned long long)size);
        }
        cr_assert_eq(grow_and_shrink(s, room), DIAG_OK, "%s", s->name);
        cr_assert_eq(grow_and_shrink(s, room + 4), whole ? DIAG_NO : DIAG_OK, "%s", s->name);
    }
}

// Where code and data share the entries of the MMU, data ends where the code of the other window
// has its page.
Test(image, esp_data_does_not_grow_over_code_of_the_other_window)
{
    struct work w;
    open_sample(&w, sample("esp32-s3-above"));
    cr_assert_eq(image_room(w.image, 0x3c0001c0, UINT64_MAX), 0x120000 - 0x1c0);
    close_work(&w);
    open_sample(&w, sample("esp32-s3"));
    cr_assert_eq(image_room(w.image, 0x3c1001c0, UINT64_MAX), 0xfffffc - 0x1a0);
    close_work(&w);
    open_sample(&w, sample("esp32"));
    cr_assert_eq(image_room(w.image, 0x3f4001c0, UINT64_MAX), 0x400000 - 0x1c0);
    cr_assert_eq(image_room(w.image, 0x3f500000, UINT64_MAX), 0);
    close_work(&w);
}
