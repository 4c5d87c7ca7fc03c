// Seeds for the targets that take a script: one of each construct that has code of its own.
#include "tests/fuzz/fuzz.h"

static const char *const scripts[] = {
    "def f(a, *b, c=1, **d):\n    return [x for x in b if x > a]\nclass C(object):\n    x = 1\n",
    "try:\n    f()\nexcept (A, B) as e:\n    raise E from e\nelse:\n    pass\nfinally:\n    g()\n",
    "async def f():\n    async with a as b:\n        async for i in b:\n            await i\n",
    "x = 1 << 80, -2.5e10, 3j, b'\\x00\\xff', 'text' * 3, f'{a!r:>{w}} {{}}', ...\n",
    "for i in range(10, 0, -1):\n    while i:\n        if a and b or not c: break\n    else: "
    "continue\n",
    "from . import a, b as c\nimport d.e as f\nfrom g import *\nglobal z\ndel a[0], b.c\n",
    "def g():\n    x = 0\n    def h():\n        nonlocal x\n        x += yield from k(lambda: x)\n "
    "   return h\n",
    "a, (b, *c) = d = e[1:2:3], {1: 2, **f}, {1, 2}\nassert a, 'b'\nwith a as b, c: pass\n",
    "from micropython import const\n_A = const(5)\nB = const(_A * 2 ** 10)\nif __debug__: "
    "print(_A, B)\n",
    "@a.b(c)\ndef f(x: int = 1) -> str:\n    'doc'\n    if (n := len(x)) > 1: return n\n",
};

bool fuzz_script_seed(unsigned i, const char *head, size_t n, struct bytes_out *out)
{
    if (i >= sizeof scripts / sizeof *scripts) {
        return false;
    }
    bytes_put(out, head, n);
    bytes_put(out, scripts[i], strlen(scripts[i]));
    return true;
}
