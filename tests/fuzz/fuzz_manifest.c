// Fuzz target: a manifest, parsed and run in a folder of its own with a few files. Slashes are
// taken out: a manifest may read all that the user may, and the rest of the disk is not what is
// tested here.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/file.h"
#include "packer/manifest/manifest.h"
#include "tests/fuzz/fuzz.h"

static const char *const seeds[] = {
    "metadata(version='1', description=\"d\")\nadd_library('l', '.')\nrequire('lib', library='l', "
    "x=1)\nmodule('a.py', opt=3)\npackage('lib', ('b.py',))\nfreeze('.', 'a.py')\n",
    "import os, sys\nfrom pathlib import Path\nfor p in sorted(Path('.').rglob('*.py')):\n"
    "    freeze(str(p.parent), p.name, opt=1 if p.stem != 'a' else None)\n",
    "def f(a, *b, c=1, **d):\n    try:\n        return [x for x in b if x % 2][::-1] + [a, c]\n"
    "    except (ValueError, KeyError) as e:\n        raise\n    finally:\n        d['k'] = {1, "
    "2}\n"
    "print(f(1, *range(9), c=f'{2:>4}'), '%05.1f %r' % (1.5, 'x'), '{0!r:^9}'.format('y'))\n",
    "options.defaults(a=True)\nif options.a and not options.b:\n    include(('lib', 'lib'), q=2)\n"
    "x = y = 0\nwhile x < 5:\n    x += 1\n    if x == 3: continue\nelse:\n    y = x << 2 | 1\n"
    "assert 'a,b'.split(',') == ['a', 'b'] and os.path.splitext('a.b') == ('a', '.b'), y\n",
};

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    if (i >= sizeof seeds / sizeof *seeds) {
        return false;
    }
    bytes_put(out, seeds[i], strlen(seeds[i]));
    return true;
}

static char folder[64];

static void put(const char *name, const void *text, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f) {
        fwrite(text, 1, size, f);
        fclose(f);
    }
}

static void leave(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (folder[0] && system(command) != 0) {
        fprintf(stderr, "cannot remove %s\n", folder);
    }
}

static void enter(void)
{
    char path[128];
    snprintf(folder, sizeof folder, "/tmp/fuzz-manifest-%d", (int)getpid());
    mkdir(folder, 0700);
    snprintf(path, sizeof path, "%s/lib", folder);
    mkdir(path, 0700);
    put("a.py", "x = 1\n", 6);
    put("lib/manifest.py", "metadata(version='1')\nmodule('b.py')\n", 37);
    put("lib/b.py", "", 0);
    atexit(leave);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct manifest_var vars[] = {{"DIR", "lib"}, {"MPY_LIB_DIR", "nowhere"}};
    const struct manifest_options options = {.n_vars = 2, .vars = vars};
    struct manifest *m;
    struct arena a;
    struct diag d;
    char path[128];
    if (!folder[0]) {
        enter();
    }
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        text[i] = (char)(data[i] == '/' ? '_' : data[i]);
    }
    put("manifest.py", text, size);
    free(text);
    arena_init(&a, 256u << 20);
    diag_init(&d);
    snprintf(path, sizeof path, "%s/manifest.py", folder);
    (void)manifest_run(path, &options, &a, &d, &m);
    arena_free(&a);
    return 0;
}
