// Memory that runs out at any point of any job is told as that: no crash, no other answer than the
// one that memory enough would give. Allocations by the C library are made to fail elsewhere
// (tests/faults).
#include <criterion/criterion.h>

#include "firmware_fixture.h"
#include "format/mpy/check.h"
#include "format/mpy/dis.h"
#include "image_make.h"
#include "packer/compiler/compiler.h"
#include "product_fixture.h"
#include "tests/lib/synth.h"

enum { MEMORY_ROOM = 64 << 20, MEMORY_STEPS = 300, MEMORY_ALIGN = 16 };

struct job {
    const uint8_t *data;
    size_t size;
    const char *name;
    const struct image_sample *sample;
    enum diag_code (*run)(const struct job *j, struct arena *a, struct diag *d);
};

static struct arena memory; // its pages are used again and again

// Runs the job with room bytes and no more; the bytes it took.
static size_t memory_run(const struct job *j, size_t room, enum diag_code *err)
{
    struct diag d;
    struct arena a = memory; // rewound
    diag_init(&d);
    a.end = a.next + room;
    a.limit = a.total;
    *err = j->run(j, &a, &d);
    cr_expect(!*err || d.text[0], "%s: an error has words", j->name);
    return (size_t)(a.next - memory.next);
}

static void memory_sweep(const struct job *j)
{
    enum diag_code all, err;
    size_t took = memory_run(j, MEMORY_ROOM, &all);
    size_t step = took / MEMORY_STEPS / MEMORY_ALIGN * MEMORY_ALIGN + MEMORY_ALIGN;
    cr_expect_neq(all, DIAG_NOMEM, "%s takes %zu", j->name, took);
    for (size_t room = 0; room < took; room += step) {
        (void)memory_run(j, room, &err);
        cr_expect(err == DIAG_NOMEM || err == all, "%s: %d with %zu bytes of %zu, %d with all",
                  j->name, err, room, took, all);
    }
}

static void setup(void)
{
    arena_init(&memory, 0);
    void *p = arena_alloc(&memory, MEMORY_ROOM);
    memory.end = memory.next;
    memory.next = p;
}

static void teardown(void)
{
    arena_free(&memory);
}

TestSuite(memory, .init = setup, .fini = teardown, .timeout = 120);

// Everything that can be done to an image.
static enum diag_code image_job(const struct job *j, struct arena *a, struct diag *d)
{
    static const uint8_t added[512];
    const struct image_sample *s = j->sample;
    struct image *img;
    struct bytes_out undo, out, with;
    bytes_out_init(&with);
    bytes_out_init(&undo);
    bytes_out_init(&out);
    enum diag_code err = image_read(j->data, j->size, j->name, IMAGE_AUTO, a, d, &img);
    if (!err && s->base) {
        image_rebase(img, s->base);
    }
    for (enum image_kind k = IMAGE_ELF; !err && k < IMAGE_KINDS; k++) {
        const struct image_target to = {.kind = k};
        err = image_convert(img, &to, &out, d);
        err = err == DIAG_NO || err == DIAG_USAGE ? DIAG_OK : err;
    }
    err = err ? err : image_undo(img, s->add, sizeof added, &undo, d);
    err = err ? err : image_with(img, s->add, added, sizeof added, 5, &with, d);
    err = err ? err : image_add(img, s->add, added, sizeof added, 5, d);
    err = err ? err : image_write(img, &out, d);
    err = err ? err : image_remove(img, s->add, sizeof added, undo.data, undo.size, d);
    bytes_out_free(&with);
    bytes_out_free(&undo);
    bytes_out_free(&out);
    return err;
}

Test(memory, images)
{
    for (const struct image_sample *s = image_samples; s->name; s++) {
        struct bytes_out file;
        bytes_out_init(&file);
        s->make(&file);
        memory_sweep(&(struct job){file.data, file.size, s->name, s, image_job});
        bytes_out_free(&file);
    }
}

// The scan, the modules read back, checked and listed.
static enum diag_code firmware_job(const struct job *j, struct arena *a, struct diag *d)
{
    struct image *img;
    struct firmware *fw = NULL;
    enum diag_code err = image_read(j->data, j->size, j->name, IMAGE_BIN, a, d, &img);
    err = err ? err : firmware_scan(img, d, &fw);
    for (unsigned i = 0; !err && i < fw->n_modules; i++) {
        struct mpy_module *m;
        struct bytes_out out;
        bytes_out_init(&out);
        if (fw->modules[i].kind == FW_MODULE_MPY) {
            err = firmware_unfreeze(fw, &fw->modules[i], a, d, &m);
            err = err ? err : mpy_dis_text(m, j->name, a, &out, d);
        }
        bytes_out_free(&out);
    }
    return err;
}

static struct synth_spec firmware_spec(unsigned minor, enum image_machine isa)
{
    struct synth_spec spec = synth_default();
    spec.minor = minor;
    spec.isa = isa;
    return spec;
}

Test(memory, firmware)
{
    const struct synth_spec specs[] = {
        firmware_spec(19, IMAGE_ISA_THUMB), firmware_spec(22, IMAGE_ISA_RV32),
        firmware_spec(26, IMAGE_ISA_XTENSA), firmware_spec(29, IMAGE_ISA_ARM)};
    for (unsigned i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct synth s;
        synth_make(&specs[i], &s);
        memory_sweep(&(struct job){s.image.data, s.image.size, "synth.bin", NULL, firmware_job});
        bytes_out_free(&s.image);
    }
}

static enum diag_code mpy_job(const struct job *j, struct arena *a, struct diag *d)
{
    struct mpy_module *m;
    struct bytes_out out;
    struct json json;
    bytes_out_init(&out);
    json_init(&json, &out);
    enum diag_code err = mpy_read(j->data, j->size, j->name, a, d, &m);
    err = err ? err : mpy_check(m, j->name, d, NULL);
    err = err ? err : mpy_dis_text(m, j->name, a, &out, d);
    err = err ? err : mpy_dis_json(m, j->name, a, &json, d);
    bytes_out_free(&out);
    return err;
}

Test(memory, mpy)
{
    static const char script[] =
        "def f(a, b=1, *c, **d):\n    for x in c:\n        try:\n            yield x, b'y', 2.5\n"
        "        finally:\n            print(1 << 80, 'a text that is longer than others')\n";
    struct arena a;
    struct diag d;
    struct bytes_out out;
    arena_init(&a, 0);
    diag_init(&d);
    bytes_out_init(&out);
    const struct compiler_options options = {.release = compiler_release_find("1.25")};
    cr_assert_eq(compiler_mpy(script, sizeof script - 1, "t.py", &options, &a, &d, &out), DIAG_OK);
    memory_sweep(&(struct job){out.data, out.size, "t.mpy", NULL, mpy_job});
    arena_free(&a);
    bytes_out_free(&out);
}

static enum diag_code verify_job(const struct job *j, struct arena *a, struct diag *d)
{
    struct verify_key *key = product_key("p256");
    struct verify_report report;
    const struct verify_request rq = {.data = j->data,
                                      .size = j->size,
                                      .name = j->name,
                                      .n_keys = 1,
                                      .keys = &key,
                                      .allow_published = true};
    enum diag_code err = verify_image(&rq, a, d, &report);
    cr_expect(err || report.result == VERIFY_VERIFIED, "%s: %s", j->name, report.detail);
    verify_key_free(key);
    return err;
}

Test(memory, products)
{
    static const enum image_kind kinds[] = {IMAGE_BIN, IMAGE_ELF, IMAGE_UF2, IMAGE_IHEX,
                                            IMAGE_DFUSE};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct product p;
        product_init(&p, kinds[i]);
        product_make(&p, (const char *const[]){"p256", NULL});
        memory_sweep(&(struct job){p.file.data, p.file.size, "product", NULL, verify_job});
        product_free(&p);
    }
}
