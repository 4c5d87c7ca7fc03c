// Fuzz target: a manifest, parsed and run in a folder of its own with a few files. A manifest may
// read all that the user may, but what an input does must not depend on the machine: for it the
// folder is /fuzz, and nothing else is on the disk. What asks for a file is wrapped by the linker.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/file.h"
#include "packer/manifest/manifest.h"
#include "packer/manifest/path.h"
#include "tests/fuzz/fuzz.h"

static const char *const seeds[] = {
    "metadata(version='1', description=\"d\")\nadd_library('l', '.')\nrequire('lib', library='l', "
    "x=1)\nmodule('a.py', opt=3)\npackage('lib', ('b.py',))\nfreeze('.', 'a.py')\n",
    "import os, sys\nfrom pathlib import Path\nfor p in sorted(Path('.').rglob('*.py')):\n    "
    "freeze(str(p.parent), p.name, opt=1 if p.stem != 'a' else None)\n",
    "def f(a, *b, c=1, **d):\n    try:\n        return [x for x in b if x % 2][::-1] + [a, c]\n    "
    "except (ValueError, KeyError) as e:\n        raise\n    finally:\n        d['k'] = {1, "
    "2}\nprint(f(1, *range(9), c=f'{2:>4}'), '%05.1f %r' % (1.5, 'x'), '{0!r:^9}'.format('y'))\n",
    "options.defaults(a=True)\nif options.a and not options.b:\n    include(('lib', 'lib'), "
    "q=2)\nx = y = 0\nwhile x < 5:\n    x += 1\n    if x == 3: continue\nelse:\n    y = x << 2 | "
    "1\nassert 'a,b'.split(',') == ['a', 'b'] and os.path.splitext('a.b') == ('a', '.b'), y\n",
    // texts
    "t = 'One two'\nprint(t.capitalize(), t.center(9, '*'), t.ljust(9), t.rjust(9), "
    "t.zfill(9))\nprint(t.count('o'), t.find('t'), t.rfind('o'), t.index('O'), t.rindex('o'), "
    "t[1:-1], t[0])\nprint(t.endswith('o'), t.startswith(('O', 'x')), t.lower(), t.upper(), "
    "t.title())\nprint(t.partition(' '), t.rpartition(' '), t.rsplit(' ', 1), t.split(), "
    "t.splitlines())\nprint(t.strip('O'), t.lstrip(), t.rstrip(), t.replace('o', '00', 1), "
    "'-'.join(list(t)))\nprint(t.removeprefix('One'), t.removesuffix('two'), 'o' in t, t * 2, t < "
    "'P', t + 'x')\n",
    "for t in ('1', 'a', 'A', ' ', '', '\\u00e9_'):\n    print(t.isalnum(), t.isalpha(), "
    "t.isdigit(), t.isidentifier(), t.islower(), t.isspace(), "
    "t.isupper())\nprint('{:>+8.2f}|{:#x}|{:08b}|{!r:^9}|{a}|{b}'.format(1.5, 1234, 5, 'x', a=[1], "
    "b=1))\n",
    "print('%s %r %d %5.1f %x %o %c %% %-5s| %(a)s' % ('a',) if 0 else '%(a)s' % {'a': "
    "1})\nprint('%s %r %d %5.1f %x %o %%' % ('a', 'b', 3, 2.5, 255, 8), f'{3:05d} "
    "{2.5!s:>6}')\nprint(f'{1e9:.1f} {0.5:6.2f} {True!r} {[1, (2,), {3: None}]} {-0.0}')\n",
    // containers and functions
    "a = [3, 1, 2]\na.append(4)\na.extend((5, 6))\na.insert(0, "
    "9)\na.remove(9)\na.sort(reverse=True)\na.reverse()\nprint(a.index(2), a.count(1), a.pop(), "
    "a.copy(), a == [1], 3 in a)\nx = [4, 5]\nx[0] = 7\nx += [1]\ndel a\nx.clear()\ns = {1, "
    "2}\ns.add(3)\ns.update([4])\ns.discard(9)\ns.remove(4)\nprint(s.union({5}), s | {6}, s & {1}, "
    "s - {1})\nd = {'a': 1}\nd['b'] = 2\nd.setdefault('c', 3)\nd.update({'d': 4}, "
    "e=5)\nprint(d.get('x', 0), d.pop('b'), list(d.keys()), list(d.values()), list(d.items()), d | "
    "{}, d == {}, 'a' in d)\nt = (1, 2)\nprint(t.index(2), t.count(1), t + t, t * 2, t < (3,))\nx, "
    "y = [1] + [2]\n",
    "print(all([1]), any([0]), bool(1), dict([('a', 1)], b=2), list(enumerate('ab', "
    "1)))\nprint(list(filter(None, [0, 1])), list(map(str, [1])), float('1.5'), int('ff', 16), "
    "len('a'))\nprint(max(1, 2), min([3, 4]), repr('x'), list(reversed([1])), "
    "set([1]))\nprint(sum([1, 2]), tuple('ab'), list(zip('ab', [1, 2])), "
    "sorted('ba'))\nprint(isinstance(1, (int, str)), getattr('a', 'upper')(), hasattr('a', 'x'), 2 "
    "** 8, -7 % 2)\nprint(7 % -3, 7 / 2, 1.5 - 0.5, ~1, -1.5, 1 << 9, 9 >> 1, 6 & 3, 6 | 1, 6 ^ "
    "3, 1 < 2 <= 3)\nprint([i * j for i in range(3) if i for j in (1, 2)], {i: 1 for i in 'a'}, {i "
    "for i in 'a'})\nprint((lambda a, *b, c=1, **d: (a, b, c, d))(1, 2, c=3, e=4), 1 if 0 else "
    "2)\n",
    // paths
    "import os\nimport glob\nfrom os.path import join, exists\nfrom pathlib import Path\np = "
    "Path('lib')\nprint(p.exists(), p.is_dir(), (p / 'b.py').is_file(), p.resolve(), "
    "p.absolute().name)\nprint(p.as_posix(), sorted(p.glob('*.py')), list(p.iterdir()), "
    "p.joinpath('b.py').relative_to('lib'))\nprint(p.parent, p.name, p.stem, p.suffix, p.parts, "
    "Path.cwd(), p == Path('lib'), p < Path('m'))\n",
    "import os, sys, glob\nprint(os.getcwd(), os.getenv('HOME', 'x'), os.listdir('.'), os.sep, "
    "os.environ.get('A'), sys.version_info, sys.platform)\nfor d, e, f in os.walk('lib'):\n    "
    "print(d, e, f)\nq = os.path\nprint(q.join('a', 'b'), q.exists('a.py'), q.isdir('lib'), "
    "q.isfile('a.py'), q.isabs('a'), q.dirname('a'), q.basename('a'), q.abspath('a'), "
    "q.realpath('lib'), q.normpath('.'), q.splitext('a.b'), q.split('a'), q.relpath('lib'), "
    "q.normcase('a'), q.expanduser('~'))\nprint(glob.glob('*.py'), glob.glob('**', "
    "recursive=True), list(glob.iglob('[a-l]?.*')))\n",
    // what manifests declare, and what goes wrong
    "metadata(version='1.0', description='d', author='a', license='MIT', pypi='p')\nm = "
    "metadata()\nprint(m.version, m.description, m.license, m.author, m.pypi, "
    "m.pypi_publish)\nc_module('lib')\nfreeze_as_str('lib')\nfreeze_as_mpy('.', 'a.py', "
    "opt=2)\nfreeze_mpy('lib')\nprint(convert_path('lib'))\n",
    "def f(n):\n    global g\n    g = n\n    raise ValueError('x', n)\ntry:\n    f(1)\nexcept "
    "(KeyError, ValueError) as e:\n    print(e, e.args)\nelse:\n    pass\nfinally:\n    del g\nfor "
    "i, (a, b, c) in enumerate([(1, 2, 3)]):\n    break\nwhile not i:\n    i += 1\nassert "
    "isinstance(b, int), 'no'\n",
};

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    if (i >= sizeof seeds / sizeof *seeds) {
        return false;
    }
    bytes_put(out, seeds[i], strlen(seeds[i]));
    return true;
}

#define ROOT "/fuzz"

extern char **environ;

static char folder[64]; // what ROOT stands for
static bool running;    // a manifest, not what fuzzes it

// Where a path of a manifest, which is absolute, really leads; NULL: nowhere.
static const char *real(const char *path, char out[PATH_MAX])
{
    struct arena a;
    if (!running || path[0] != '/') {
        return path;
    }
    arena_init(&a, 0);
    const char *norm = path_norm(&a, path);
    size_t n = strlen(ROOT);
    bool inside = strncmp(norm, ROOT, n) == 0 && (norm[n] == '/' || !norm[n]);
    int size = inside ? snprintf(out, PATH_MAX, "%s%s", folder, norm + n) : PATH_MAX;
    arena_free(&a);
    errno = inside ? ENAMETOOLONG : ENOENT;
    return size < PATH_MAX ? out : NULL;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
int __real_stat(const char *path, struct stat *st);
int __wrap_stat(const char *path, struct stat *st);
int __real_lstat(const char *path, struct stat *st);
int __wrap_lstat(const char *path, struct stat *st);
char *__real_realpath(const char *path, char *out);
char *__wrap_realpath(const char *path, char *out);

int __wrap_open(const char *path, int flags, ...)
{
    char there[PATH_MAX];
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    return (path = real(path, there)) ? __real_open(path, flags, mode) : -1;
}

DIR *__wrap_opendir(const char *path)
{
    char there[PATH_MAX];
    return (path = real(path, there)) ? __real_opendir(path) : NULL;
}

int __wrap_stat(const char *path, struct stat *st)
{
    char there[PATH_MAX];
    return (path = real(path, there)) ? __real_stat(path, st) : -1;
}

int __wrap_lstat(const char *path, struct stat *st)
{
    char there[PATH_MAX];
    return (path = real(path, there)) ? __real_lstat(path, st) : -1;
}

// There are no links.
char *__wrap_realpath(const char *path, char *out)
{
    struct stat st;
    struct arena a;
    if (!running) {
        return __real_realpath(path, out);
    }
    if (__wrap_stat(path, &st) != 0) {
        return NULL;
    }
    arena_init(&a, 0);
    char *copy = strdup(path_norm(&a, path));
    arena_free(&a);
    return copy;
}

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
    put("lib/micropython.mk", "", 0); // a C module
    atexit(leave);
}

// With an environment that is the same everywhere, too.
static void run(struct arena *a)
{
    static char *fixed[] = {"HOME=" ROOT, "A=b=c", NULL};
    const struct manifest_var vars[] = {{"DIR", "lib"}, {"MPY_LIB_DIR", "nowhere"}};
    const struct manifest_options options = {.n_vars = 2, .vars = vars};
    char **outer = environ;
    struct manifest *m;
    struct diag d;
    diag_init(&d);
    environ = fixed;
    running = true;
    (void)manifest_run(ROOT "/manifest.py", &options, a, &d, &m);
    running = false;
    environ = outer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    if (!folder[0]) {
        enter();
    }
    put("manifest.py", data, size);
    arena_init(&a, 256u << 20);
    run(&a);
    arena_free(&a);
    return 0;
}
