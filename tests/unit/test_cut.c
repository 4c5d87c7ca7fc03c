// Damaged files of firmware, in every container: cut at every length, and with one byte of the
// headers changed. What the scan says then is the truth about the whole image, or less of it with a
// reason; never another address.
#include <criterion/criterion.h>

#include "tests/lib/synth.h"

enum { HEADERS = 512 }; // bytes in which the headers of all containers end

struct whole {
    struct bytes_out file;
    struct arena arena;
    struct firmware *fw;
};

// The scan of a file; DIAG_OK with *fw, or a reason in d.
static enum diag_code scan(const uint8_t *data, size_t size, struct arena *a, struct diag *d,
                           struct firmware **fw)
{
    struct image *img;
    arena_init(a, 0);
    diag_init(d);
    *fw = NULL;
    enum diag_code err = image_read(data, size, "cut", IMAGE_AUTO, a, d, &img);
    return err ? err : firmware_scan(img, d, fw);
}

static void open_whole(struct whole *w, enum image_kind kind, const struct synth_esp *esp)
{
    struct synth_spec spec = synth_default();
    struct synth s;
    struct arena a;
    struct diag d;
    struct firmware *fw;
    spec.esp = esp;
    spec.isa = esp ? IMAGE_ISA_RV32 : spec.isa;
    synth_make(&spec, &s);
    bytes_out_init(&w->file);
    cr_assert_eq(scan(s.image.data, s.image.size, &a, &d, &fw), DIAG_OK, "%s", d.text);
    struct image_target to = {.kind = kind};
    fw->image->machine = spec.isa; // what an ELF file has to say
    cr_assert_eq(image_convert(fw->image, &to, &w->file, &d), DIAG_OK, "%s", d.text);
    arena_free(&a);
    bytes_out_free(&s.image);
    cr_assert_eq(scan(w->file.data, w->file.size, &w->arena, &d, &w->fw), DIAG_OK, "%s", d.text);
    cr_assert_eq(w->fw->n_modules, 2);
}

static bool is_or_none(uint64_t found, uint64_t truth)
{
    return found == 0 || found == truth;
}

static bool is_module(const struct firmware *whole, const struct fw_module *m)
{
    for (unsigned i = 0; i < whole->n_modules; i++)
        if (whole->modules[i].addr == m->addr && whole->modules[i].code == m->code)
            return strcmp(whole->modules[i].name, m->name) == 0;
    return false;
}

static bool is_true(const struct firmware *whole, const struct firmware *fw)
{
    bool same = fw->n_pools <= whole->n_pools && fw->minor == whole->minor &&
                fw->objects[FW_TYPE_STR] == whole->objects[FW_TYPE_STR] &&
                is_or_none(fw->names, whole->names) && is_or_none(fw->content, whole->content) &&
                is_or_none(fw->find_frozen_function, whole->find_frozen_function);
    for (unsigned i = 0; same && i < fw->n_pools; i++)
        same = fw->pools[i].addr == whole->pools[i].addr && fw->pools[i].len == whole->pools[i].len;
    for (unsigned i = 0; same && i < fw->n_modules; i++)
        same = is_module(whole, &fw->modules[i]);
    return same;
}

// Returns whether MicroPython was found.
static bool check(const struct whole *w, const uint8_t *data, size_t size, const char *what,
                  size_t at)
{
    struct arena a;
    struct diag d;
    struct firmware *fw;
    uint8_t *copy = malloc(size + 1); // the end is where a sanitizer sees it
    memcpy(copy, data, size);
    enum diag_code err = scan(copy, size, &a, &d, &fw);
    cr_expect(err ? d.text[0] != 0 : is_true(w->fw, fw), "%s %zu", what, at);
    arena_free(&a);
    free(copy);
    return !err;
}

// sealed: the container has a sum of its headers.
static void damage(enum image_kind kind, const struct synth_esp *esp, bool sealed)
{
    struct whole w;
    unsigned found = 0;
    open_whole(&w, kind, esp);
    for (size_t n = 0; n < w.file.size; n++)
        check(&w, w.file.data, n, "cut at", n);
    for (size_t i = 0; i < HEADERS && i < w.file.size; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            w.file.data[i] ^= (uint8_t)(1 << bit);
            found += check(&w, w.file.data, w.file.size, "changed byte", i);
            w.file.data[i] ^= (uint8_t)(1 << bit);
        }
    cr_expect_eq(found == 0, sealed);
    arena_free(&w.arena);
    bytes_out_free(&w.file);
}

Test(cut, bin)
{
    damage(IMAGE_BIN, NULL, false);
}

Test(cut, elf)
{
    damage(IMAGE_ELF, NULL, false);
}

Test(cut, uf2)
{
    damage(IMAGE_UF2, NULL, false);
}

Test(cut, dfuse)
{
    damage(IMAGE_DFUSE, NULL, true);
}

Test(cut, ihex)
{
    damage(IMAGE_IHEX, NULL, false);
}

Test(cut, esp_flash)
{
    static const struct synth_esp c3 = {.chip = 5, "v5.2.2", false, SYNTH_MAPPER};
    damage(IMAGE_ESP_FLASH, &c3, false);
}
