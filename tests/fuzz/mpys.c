// Seeds and mutations for the targets that take .mpy files.
#include <string.h>

#include "packer/compiler/compiler.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/mpy_mutate.h"

enum { MPYS_MEMORY = 512 << 20 };

size_t fuzz_mpy_mutate(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct arena a;
    struct mpy_module *m;
    arena_init(&a, MPYS_MEMORY);
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

static void make_script(const struct compiler_release *release, unsigned i, struct bytes_out *out)
{
    struct arena a;
    struct diag d;
    const struct compiler_options options = {.release = release, .opt_level = i % 2 ? 3 : 0};
    const char *script = fuzz_scripts[i];
    arena_init(&a, 0);
    diag_init(&d);
    FUZZ_MUST(!compiler_mpy(script, strlen(script), "seed.py", &options, &a, &d, out));
    arena_free(&a);
}

// A native function begins with the number of its children; its prelude is at 12. A body calls
// nothing: that it holds the functions is enough.
static const uint8_t native_bytes[] = {0,    0,    0,    0,    0,    0,    0,   0,
                                       0x70, 0x47, 0xc0, 0x46, 0x18, 0x02, 0x02};
static const uint8_t viper_bytes[] = {0x01, 0x20, 0x70, 0x47, 0x02, 0x20, 0x70, 0x47};
static const uint8_t body_bytes[] = {0x18, 0x02, 0x01, 0x32, 0x00, 0x59, 0x32,
                                     0x01, 0x59, 0x32, 0x02, 0x59, 0x51, 0x63};
// Words 2 and 3 of the text get the text's address, 4 the rodata's, 5 the qstr table's, 6 the
// objects', 7 mp_fun_table's, 8 a function's of it; word 1 of the rodata gets the text's.
static const uint8_t natmod_relocs[] = {1 << 1 | 1, 2 << 1,  2,          2 << 1,     6 << 1, 7 << 1,
                                        8 << 1,     12 << 1, 0 << 1 | 1, 1 << 1 | 1, 0xff};
static const uint8_t natmod_bytes[80];

// Machine code of each kind, or a native module, for an architecture and a release's sub-version.
static void make_machine(enum mpy_arch arch, uint8_t sub_version, bool natmod,
                         struct bytes_out *out)
{
    static const struct mpy_qstr qstrs[] = {
        {"seed.py", 7, 0}, {"<module>", 8, 7}, {"middle", 6, 0}, {"inner", 5, 0}};
    static const struct mpy_obj objs[] = {{.kind = MPY_OBJ_ELLIPSIS}, {.kind = MPY_OBJ_NONE}};
    struct mpy_machine with_prelude = {.prelude_offset = 12}, typed = {.type_sig = 0x155},
                       args = {.n_pos_args = 3, .type_sig = 0x155},
                       module = {.scope_flags = 0x30,
                                 .rodata_size = 16,
                                 .rodata = natmod_bytes,
                                 .relocs_size = sizeof natmod_relocs,
                                 .relocs = natmod_relocs};
    struct mpy_code native = {native_bytes,  0,   sizeof native_bytes, MPY_CODE_NATIVE, 0, NULL,
                              &with_prelude, NULL};
    struct mpy_code viper = {viper_bytes, 0,   sizeof viper_bytes, MPY_CODE_VIPER, 0, NULL,
                             &typed,      NULL};
    struct mpy_code code = {viper_bytes, 0, sizeof viper_bytes, MPY_CODE_ASM, 0, NULL, &args, NULL};
    struct mpy_code *const children[] = {&native, &viper, &code};
    struct mpy_code body = {body_bytes, 0,   sizeof body_bytes, MPY_CODE_BYTECODE, 3, children,
                            NULL,       NULL};
    struct mpy_code text = {natmod_bytes, 0,   sizeof natmod_bytes, MPY_CODE_VIPER, 0, NULL,
                            &module,      NULL};
    const struct mpy_module m = {.small_int_bits = 31,
                                 .arch = arch,
                                 .sub_version = sub_version,
                                 .n_qstr = 4,
                                 .qstrs = qstrs,
                                 .n_obj = 2,
                                 .objs = objs,
                                 .root = natmod ? &text : &body};
    mpy_write(&m, out);
}

bool fuzz_mpy_seed(unsigned i, struct bytes_out *out)
{
    static const enum mpy_arch archs[] = {MPY_ARCH_ARMV7M, MPY_ARCH_ARMV6, MPY_ARCH_RV32IMC,
                                          MPY_ARCH_X64, MPY_ARCH_XTENSAWIN};
    enum { SCRIPTS = sizeof fuzz_scripts / sizeof *fuzz_scripts, MACHINES = 5 * 4 * 2 };
    if (i < MACHINES) {
        make_machine(archs[i / 8], (uint8_t)(i / 2 % 4), i % 2, out);
        return true;
    }
    i -= MACHINES;
    const struct compiler_release *release = compiler_release_at(i / SCRIPTS);
    if (release) {
        make_script(release, i % SCRIPTS, out);
    }
    return release != NULL;
}
