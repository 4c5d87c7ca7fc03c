// Fuzz target: .mpy files. What is read must be written back byte for byte; listings and the
// verifier take whatever was read. Half of the mutations keep the form of the file and change
// instructions, arguments and preludes (mpy_mutate.c).
#include "format/mpy/check.h"
#include "format/mpy/dis.h"
#include "packer/compiler/compiler.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/mpy_mutate.h"

enum { FUZZ_ARENA = 512 << 20 };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) __attribute__((weak));

static void fuzz_round_trip(const struct mpy_module *m, const uint8_t *data, size_t size)
{
    struct bytes_out out;
    bytes_out_init(&out);
    mpy_write(m, &out);
    FUZZ_MUST(out.size == size && memcmp(out.data, data, size) == 0);
    bytes_out_free(&out);
}

static void fuzz_list(const struct mpy_module *m, struct arena *a)
{
    struct bytes_out out;
    struct diag d;
    struct json j;
    diag_init(&d);
    bytes_out_init(&out);
    FUZZ_MUST(mpy_dis_text(m, "fuzz", a, &out, &d) == DIAG_OK);
    bytes_out_free(&out);
    json_init(&j, &out);
    FUZZ_MUST(mpy_dis_json(m, "fuzz", a, &j, &d) == DIAG_OK);
    bytes_out_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct diag d;
    struct mpy_module *m;
    struct mpy_check report;
    arena_init(&a, FUZZ_ARENA);
    diag_init(&d);
    enum diag_code err = mpy_read(data, size, "fuzz", &a, &d, &m);
    FUZZ_MUST(err == DIAG_OK || err == DIAG_MALFORMED);
    if (!err) {
        fuzz_round_trip(m, data, size);
        fuzz_list(m, &a);
        err = mpy_check(m, "fuzz", &d, &report);
        FUZZ_MUST(err == DIAG_OK || err == DIAG_MALFORMED);
    }
    arena_free(&a);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct arena a;
    struct mpy_module *m;
    arena_init(&a, FUZZ_ARENA);
    uint64_t random = seed * 0x9e3779b97f4a7c15u + 1;
    bool keep_form = mpy_mutate_random(&random, 2) && !mpy_read(data, size, "fuzz", &a, NULL, &m);
    if (keep_form) {
        struct bytes_out out;
        bytes_out_init(&out);
        mpy_mutate(m, &random, &a, &out);
        if (out.size <= max) {
            memcpy(data, out.data, out.size);
            size = out.size;
        }
        bytes_out_free(&out);
    }
    arena_free(&a);
    return keep_form || !LLVMFuzzerMutate ? size : LLVMFuzzerMutate(data, size, max);
}

// Scripts that between them use every instruction.
static const char *const fuzz_scripts[] = {
    "def f(a, b=1, *c, d=2, **e):\n  global g\n  x = [a, (b, c), {d: e}, {1}]\n  del x[0]\n"
    "  return a if b else -a + ~b\n",
    "def f():\n  for i in range(3):\n    try:\n      if i: continue\n      break\n    finally:\n"
    "      print(i)\n  else:\n    return 1\n",
    "def f():\n  with a as b, c:\n    for x in b:\n      return x\n",
    "def f(x):\n  n = 0\n  def g():\n    nonlocal n\n    n += x\n    return lambda: n\n  return "
    "g\n",
    "class A(B, metaclass=C):\n  x = 1\n  def m(self):\n    return super().m(*self.a, **self.b)\n",
    "async def f():\n  async with a as b:\n    async for c in b:\n      await c\n  return 1\n",
    "def f():\n  try:\n    yield from g()\n  except (A, B) as e:\n    raise e from None\n"
    "  except:\n    raise\n  a, *b = 1, 2, 3\n  return {k: v for k, v in b}\n",
    "import a.b as c\nfrom d import e\nfrom f import *\nx = [i for i in c if i]\n"
    "y = (3.5, 'text', b'bytes', 123456789012345678901234567890, 2j, ..., None, (True, False))\n"
    "x[1:2, ::3] = y[0]\nassert x, 'y'\n",
};

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    struct arena a;
    struct diag d;
    unsigned n = sizeof fuzz_scripts / sizeof *fuzz_scripts;
    const struct compiler_release *release = compiler_release_at(i / n);
    if (!release) {
        return false;
    }
    struct compiler_options options = {.release = release, .opt_level = i % 2 ? 3 : 0};
    const char *script = fuzz_scripts[i % n];
    arena_init(&a, 0);
    diag_init(&d);
    FUZZ_MUST(!compiler_mpy(script, strlen(script), "seed.py", &options, &a, &d, out));
    arena_free(&a);
    return true;
}
