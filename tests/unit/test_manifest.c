#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/file.h"
#include "packer/manifest/manifest.h"
#include "packer/manifest/path.h"

static struct arena arena;
static struct diag diag;
static char folder[] = "/tmp/manifest-test-XXXXXX";

static void setup(void)
{
    arena_init(&arena, 0);
    diag_init(&diag);
    cr_assert(mkdtemp(folder));
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_expect_eq(system(command), 0);
    arena_free(&arena);
}

TestSuite(manifest, .init = setup, .fini = teardown);

static const char *write_file(const char *name, const char *text)
{
    const char *path = path_join(&arena, folder, name);
    cr_assert_eq(file_write(path, text, strlen(text), FILE_DATA, false, &diag), DIAG_OK);
    return path;
}

static struct manifest *run(const char *text, const struct manifest_options *options)
{
    struct manifest *m = NULL;
    manifest_run(write_file("manifest.py", text), options, &arena, &diag, &m);
    return m;
}

Test(manifest, paths_as_posixpath_has_them)
{
    static const char *const norms[][2] = {
        {"", "."},      {"a//b/./c/..", "a/b"}, {"/..", "/"},      {"//a", "//a"},
        {"///a", "/a"}, {"../../a", "../../a"}, {"a/../..", ".."}, {"/a/../../b", "/b"},
    };
    for (size_t i = 0; i < sizeof norms / sizeof *norms; i++) {
        cr_expect_str_eq(path_norm(&arena, norms[i][0]), norms[i][1], "%s", norms[i][0]);
    }
    cr_expect_str_eq(path_relative(&arena, "/x", "/x/y/z", "y/w"), "../z");
    cr_expect_str_eq(path_relative(&arena, "/x", ".", "."), ".");
    cr_expect_str_eq(path_relative(&arena, "/", "/ab/c", "/a"), "../ab/c");
    cr_expect_str_eq(path_join(&arena, "a/", "b"), "a/b");
    cr_expect_str_eq(path_join(&arena, "a", "/b"), "/b");
    cr_expect_str_eq(path_dirname(&arena, "/a"), "/");
    cr_expect_str_eq(path_extension("a/.py"), "");
    cr_expect_str_eq(path_extension("a.b/c"), "");
    cr_expect(path_has_extension("x.PY", ".py"));
}

Test(manifest, a_variable_that_exists_is_made_absolute)
{
    const struct manifest_var vars[] = {{"LIB", folder}, {"TEXT", "no/such/thing"}};
    const struct manifest_options options = {.n_vars = 2, .vars = vars};
    write_file("a.py", "");
    struct manifest *m = run("module('a.py', '$(LIB)')\nprint(convert_path('$(TEXT)'))", &options);
    cr_assert_not_null(m, "%s", diag.text);
    cr_assert_eq(m->n_files, 1);
    cr_assert_eq(m->files[0].opt, MANIFEST_OPT_NONE);
    cr_assert(strstr(m->output, "/no/such/thing\n"));
}

Test(manifest, the_version_is_appended_unless_the_file_has_one)
{
    struct manifest *m;
    const char *text;
    size_t size;
    write_file("a.py", "");
    m = run("metadata(version='1.0')\nmodule('a.py')", NULL);
    cr_assert_not_null(m, "%s", diag.text);
    cr_assert_eq(manifest_tagged(&m->files[0], "x=1", 3, &arena, &diag, &text, &size), DIAG_OK);
    cr_assert_eq(size, strlen("x=1\n\n__version__ = '1.0'\n"));
    cr_assert_eq(memcmp(text, "x=1\n\n__version__ = '1.0'\n", size), 0);
    const char *own = "__version__ = 2\n";
    manifest_tagged(&m->files[0], own, strlen(own), &arena, &diag, &text, &size);
    cr_assert_eq(text, own);
}

Test(manifest, every_truncation_of_a_manifest_ends_cleanly)
{
    static const char text[] =
        "import os\nfor i, (a, b) in enumerate([(1, 2), [3, 4]]):\n"
        "    if a < 2 and not b in {1: 2}:\n        x = f'{a!r:>3}' + \"%d\" % b\n"
        "    else:\n        try:\n            y = [k for k in 'abc'[1:]]\n"
        "        except (ValueError, KeyError) as e:\n            raise\n"
        "def f(a, *b, c=1, **d): return lambda q: (q, *b)\n";
    for (size_t n = 0; n < sizeof text; n++) {
        char copy[sizeof text];
        memcpy(copy, text, n);
        copy[n] = 0;
        diag_init(&diag);
        struct manifest *m = run(copy, NULL);
        cr_expect(m || diag.code == DIAG_MALFORMED, "at %zu", n);
    }
}

Test(manifest, a_list_that_holds_itself_is_no_trouble)
{
    struct manifest *m = run("a = []; a.append(a); b = []; b.append(b)\n"
                             "print(a == b, str(a)[:3])\n",
                             NULL);
    cr_assert_not_null(m, "%s", diag.text);
}

Test(manifest, memory_has_a_limit)
{
    cr_assert_null(run("x = 'ab'\nwhile True: x = x + x\n", NULL));
    cr_assert(diag.code == DIAG_NOMEM || diag.code == DIAG_MALFORMED);
}

// Each of n manifests ends with a message that holds why.
static void refused(const char *const *sources, size_t n, const char *why)
{
    for (size_t i = 0; i < n; i++) {
        diag_init(&diag);
        cr_expect_null(run(sources[i], NULL), "%s", sources[i]);
        cr_expect(strstr(diag.text, why), "%s: %s", sources[i], diag.text);
    }
}

// Small manifests that took seconds or never ended: whatever goes through long texts, lists, names
// or statements counts that as work.
Test(manifest, work_has_a_limit)
{
    static const char *const endless[] = {
        "while True:\n pass;pass;pass;pass;pass;pass;pass;pass\n",
        "x = list(range(100000))\nwhile True:\n for i in x: pass\n",
        "t = ('b',) * 100000\nwhile True: 'a'.startswith(t)\n",
        "x = 'a' * 1000000\nwhile True: x.count('aaab')\n",
        "x = 'a' * 16384\ny = 'b' + 'a' * 8191\nwhile True: x.rfind(y)\n",
        "x = 'a' * 500000\ny = 'b' * 500000 + 'a'\nwhile True: x.strip(y)\n",
        "a = 'a' * 1000000\nb = 'a' * 999999 + 'a'\nx = [a] * 1000\ny = [b] * 1000\n"
        "while True: x == y\n",
        "x = ['a' * 10000 + str(i) for i in range(100)]\nwhile True: min(x)\n",
        "i = 0\nwhile True:\n i += 1\n add_library(str(i), 'x', prepend=True)\n",
        "t = (ValueError,) * 100000\nwhile True:\n try: 1 / 0\n except t: pass\n except: pass\n",
        "d = {}\nfor i in range(1000): d[str(i)] = i\ndef f(a, b, c, **k): pass\n"
        "while True: f(1, 2, 3, **d)\n",
        "x = '%d' * 1000\nt = (1,) * 1000\nwhile True: x % t\n",
        "x = [1.1234567890123457] * 1000\nwhile True: str(x)\n",
        "while True: print('x' * 10000)\n",
    };
    refused(endless, sizeof endless / sizeof *endless,
            "does not come to an end within 4000000 steps");
}

Test(manifest, looking_at_files_has_a_limit)
{
    static const char *const endless[] = {
        "import os\nwhile True: os.listdir('.')\n",
        "import os\nwhile True: os.path.exists('x')\n",
        "import os\nwhile True: os.path.realpath('.')\n",
        "import glob\nwhile True: glob.glob('**/*', recursive=True)\n",
        "while True: freeze('.', 'manifest.py')\n",
        "freeze('links')\n", // two links to the folder they are in: 2 ** 40 paths
        "package('links')\n",
        "import os\nos.walk('links', followlinks=True)\n",
    };
    cr_assert_eq(mkdir(path_join(&arena, folder, "links"), 0777), 0);
    cr_assert_eq(symlink(".", path_join(&arena, folder, "links/a")), 0);
    cr_assert_eq(symlink(".", path_join(&arena, folder, "links/b")), 0);
    refused(endless, sizeof endless / sizeof *endless,
            "looking at more than 50000 files and folders, now at");
}

// Files that are too deep to search are not left out without a word.
Test(manifest, searching_has_a_depth)
{
    const char *dir = path_join(&arena, folder, "d");
    for (int i = 0; i < 102; i++, dir = path_join(&arena, dir, "d")) {
        cr_assert_eq(mkdir(dir, 0777), 0);
    }
    static const char *const deep[] = {
        "freeze('d')\n",
        "import os\nos.walk('d')\n",
        "from pathlib import Path\nPath('d').rglob('*.py')\n",
        "import glob\nglob.glob('**/' * 300000, recursive=True)\n",
        "add_library('l', 'd')\nrequire('x', library='l')\n",
    };
    refused(deep, sizeof deep / sizeof *deep, "searching more than 100 folders deep: ");
}

Test(manifest, includes_are_files, .timeout = 20)
{
    const char *pipe = path_join(&arena, folder, "pipe");
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    int writer = open(pipe, O_RDWR); // who never writes
    cr_assert_geq(writer, 0);
    cr_expect_null(run("include('pipe')", NULL));
    cr_expect(strstr(diag.text, "OSError: ") && strstr(diag.text, "pipe: is not a file"), "%s",
              diag.text);
    diag_init(&diag);
    cr_expect_null(run("include('/dev/null')", NULL));
    cr_expect(strstr(diag.text, "/dev/null: is not a file"), "%s", diag.text);
    close(writer);
}

Test(manifest, a_tuple_of_prefixes_holds_no_tuples)
{
    cr_assert_null(run("t = ('b',)\nfor i in range(90000): t = (t,)\n'a'.startswith(t)\n", NULL));
    cr_assert(strstr(diag.text, "TypeError: startswith() argument must be str"), "%s", diag.text);
    diag_init(&diag);
    cr_assert_not_null(
        run("assert 'ab'.startswith(('x', 'a')) and not 'ab'.endswith(('x', 'a'))\n", NULL));
}

Test(manifest, twenty_thousand_statements_are_not_too_many)
{
    char *text = arena_alloc(&arena, 20000 * 4 + 1);
    for (size_t i = 0; i < 20000; i++) {
        memcpy(text + i * 4, "x=1\n", 5);
    }
    cr_assert_not_null(run(text, NULL), "%s", diag.text);
}
