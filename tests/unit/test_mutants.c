// Inputs that are almost right: .mpy files with changed instructions, firmware and containers with
// changed bytes. Whatever the answer is, it is an answer: an error has words, what is accepted can
// be listed and written back.
#include <criterion/criterion.h>

#include "format/mpy/check.h"
#include "format/mpy/dis.h"
#include "image_make.h"
#include "packer/compiler/compiler.h"
#include "tests/lib/mpy_mutate.h"
#include "tests/lib/synth.h"

enum { MUTANTS_A_SCRIPT = 400, MUTANTS_A_FIRMWARE = 500, MUTANTS_AN_IMAGE = 150 };

static const char *const scripts[] = {
    "def f(a, b=1, *c, d=2, **e):\n  global g\n  x = [a, (b, c), {d: e}, {1}]\n  del x[0], g, b\n"
    "  x[1:2:3] = a.b\n  del a.b\n  return a if b and c or d else -a + ~b\n",
    "def f():\n  for i in range(3):\n    try:\n      if i: continue\n      break\n    finally:\n"
    "      print(i)\n  else:\n    return 1\n",
    "def f():\n  with a as b, c:\n    for x in b:\n      return x\n",
    "def f(x):\n  n = 0\n  def g(y=x, *, z=1):\n    nonlocal n\n    n += x\n    del n\n"
    "    return lambda: n\n  return g\n",
    "class A(B, metaclass=C):\n  x = 1\n  def m(self):\n    return super().m(*self.a, **self.b)\n",
    "async def f():\n  async with a as b:\n    async for c in b:\n      await c\n  return 1\n",
    "def f():\n  try:\n    yield from g()\n  except (A, B) as e:\n    raise e from None\n"
    "  except:\n    raise\n  a, *b = 1, 2, 3\n  return {k: v for k, v in b}\n",
    "import a.b as c\nfrom d import e\nfrom f import *\nx = [i for i in c if i]\n"
    "y = (3.5, 'te\\nxt\\xff', b'bytes\\0', 1 << 80, 2j, ..., None, (True, False), '\\u1234')\n"
    "x[1:2, ::3] = y[0]\nassert x, 'y'\nx += 1 if x is not y else x in y\n",
};

static void list(const struct mpy_module *m, struct arena *a)
{
    struct bytes_out out;
    struct json j;
    struct diag d;
    diag_init(&d);
    bytes_out_init(&out);
    json_init(&j, &out);
    cr_expect_eq(mpy_dis_text(m, "mutant", a, &out, &d), DIAG_OK);
    cr_expect_eq(mpy_dis_json(m, "mutant", a, &j, &d), DIAG_OK);
    bytes_out_free(&out);
}

static void try_mpy(const struct bytes_out *file, unsigned *accepted)
{
    struct arena a;
    struct diag d;
    struct mpy_module *m;
    arena_init(&a, 0);
    diag_init(&d);
    enum diag_code err = mpy_read(file->data, file->size, "mutant.mpy", &a, &d, &m);
    if (!err) {
        list(m, &a);
        err = mpy_check(m, "mutant.mpy", &d, NULL);
    }
    cr_expect(!err || (err == DIAG_MALFORMED && d.text[0]), "%d %s", err, d.text);
    *accepted += !err;
    arena_free(&a);
}

Test(mutants, mpy, .timeout = 120)
{
    uint64_t random = 1;
    unsigned accepted = 0, all = 0;
    for (unsigned r = 0; compiler_release_at(r); r += 2) {
        for (unsigned i = 0; i < sizeof scripts / sizeof *scripts; i++) {
            const struct compiler_options options = {.release = compiler_release_at(r)};
            struct arena a;
            struct diag d;
            struct mpy_module *m;
            arena_init(&a, 0);
            diag_init(&d);
            cr_assert_eq(
                compiler_tree(scripts[i], strlen(scripts[i]), "t.py", &options, &a, &d, &m),
                DIAG_OK, "%s", d.text);
            for (unsigned k = 0; k < MUTANTS_A_SCRIPT; k++, all++) {
                struct bytes_out file;
                bytes_out_init(&file);
                mpy_mutate(m, &random, &a, &file);
                try_mpy(&file, &accepted);
                bytes_out_free(&file);
            }
            arena_free(&a);
        }
    }
    cr_expect(accepted > all / 50 && accepted < all, "%u of %u are accepted", accepted, all);
}

// A changed byte or word.
static void change(uint8_t *data, size_t size, uint64_t *random)
{
    size_t at = mpy_mutate_random(random, (uint32_t)size);
    uint32_t how = mpy_mutate_random(random, 4);
    if (how == 0 || at + 4 > size) {
        data[at] ^= (uint8_t)(1u << mpy_mutate_random(random, 8));
    } else if (how == 1) {
        data[at] = (uint8_t)(data[at] + (mpy_mutate_random(random, 2) ? 1 : -1));
    } else {
        at &= ~(size_t)3;
        st32(data + at, how == 2 ? 0xffffffff : ld32(data + at) + 4);
    }
}

static void try_firmware(const uint8_t *data, size_t size)
{
    struct arena a;
    struct diag d;
    struct image *img;
    struct firmware *fw;
    arena_init(&a, 0);
    diag_init(&d);
    enum diag_code err = image_read(data, size, "synth.bin", IMAGE_BIN, &a, &d, &img);
    err = err ? err : firmware_scan(img, &d, &fw);
    cr_expect(!err || d.text[0], "an error has words");
    for (unsigned i = 0; !err && i < fw->n_modules; i++) {
        struct mpy_module *m;
        size_t n;
        if (fw->modules[i].kind == FW_MODULE_STR) {
            (void)firmware_str_module(fw, &fw->modules[i], &n); // NULL: no text lies there
        } else if (!firmware_unfreeze(fw, &fw->modules[i], &a, &d, &m)) {
            list(m, &a);
        }
    }
    arena_free(&a);
}

Test(mutants, firmware, .timeout = 120)
{
    static const enum image_machine isas[] = {IMAGE_ISA_THUMB, IMAGE_ISA_ARM, IMAGE_ISA_RV32,
                                              IMAGE_ISA_XTENSA};
    uint64_t random = 1;
    for (unsigned i = 0; i < 11; i++) {
        struct synth_spec spec = synth_default();
        struct synth s;
        spec.minor = 19 + i;
        spec.isa = isas[i % 4];
        spec.hash_bytes = i & 1 ? 1 : 2;
        spec.repr = FW_REPR_A + i % 3;
        spec.longint = FW_LONGINT_NONE + i % 3;
        spec.float_kind = spec.repr == FW_REPR_C ? FW_FLOAT_F32 : FW_FLOAT_NONE + i % 3;
        spec.immediates = i & 2;
        synth_make(&spec, &s);
        uint8_t *copy = malloc(s.image.size);
        for (unsigned k = 0; k < MUTANTS_A_FIRMWARE; k++) {
            memcpy(copy, s.image.data, s.image.size);
            for (unsigned n = k % 3; n < 3; n++) {
                change(copy, s.image.size, &random);
            }
            try_firmware(copy, s.image.size);
        }
        free(copy);
        bytes_out_free(&s.image);
    }
}

static void try_image(const uint8_t *data, size_t size, const struct image_sample *s)
{
    struct arena a;
    struct diag d;
    struct image *img;
    struct bytes_out out;
    arena_init(&a, 0);
    diag_init(&d);
    bytes_out_init(&out);
    enum diag_code err = image_read(data, size, s->name, s->kind, &a, &d, &img);
    cr_expect(!err || (err == DIAG_MALFORMED && d.text[0]), "%s: %d", s->name, err);
    if (!err) {
        cr_expect(*image_describe(img, &a), "%s", s->name);
        cr_expect_eq(image_write(img, &out, &d), DIAG_OK, "%s: %s", s->name, d.text);
        cr_expect(out.size == size && memcmp(out.data, data, size) == 0, "%s", s->name);
    }
    arena_free(&a);
    bytes_out_free(&out);
}

Test(mutants, messages_are_tame)
{
    char text[] = "a\033[31m\r\n\tb\177\302\233c\303\274";
    diag_tame(text, sizeof text - 1);
    cr_expect_str_eq(text, "a?[31m?\n\tb???c\303\274");
}

Test(mutants, images, .timeout = 120)
{
    uint64_t random = 1;
    for (const struct image_sample *s = image_samples; s->name; s++) {
        struct bytes_out file;
        bytes_out_init(&file);
        s->make(&file);
        uint8_t *copy = malloc(file.size);
        for (unsigned k = 0; k < MUTANTS_AN_IMAGE; k++) {
            size_t near = k % 2 && file.size > 1024 ? 1024 : file.size; // headers, often
            memcpy(copy, file.data, file.size);
            change(copy, near, &random);
            try_image(copy, file.size, s);
            try_image(file.data, mpy_mutate_random(&random, (uint32_t)near) + 1, s);
        }
        free(copy);
        bytes_out_free(&file);
    }
}
