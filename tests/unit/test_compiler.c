#include <criterion/criterion.h>
#include <pthread.h>

#include "packer/compiler/compiler.h"

// Compiles text with the newest release, or `release`; the .mpy goes to out.
static enum diag_code compile(const char *text, const char *release, struct diag *d,
                              struct compiler_trace *trace, struct bytes_out *out)
{
    struct compiler_options options = {.release = release ? compiler_release_find(release) : NULL,
                                       .trace = trace};
    struct arena a;
    arena_init(&a, 0);
    diag_init(d);
    bytes_out_init(out);
    enum diag_code err = compiler_mpy(text, strlen(text), "t.py", &options, &a, d, out);
    arena_free(&a);
    return err;
}

static void expect_bytes(const char *text, const uint8_t *want, size_t size)
{
    struct diag d;
    struct bytes_out out;
    cr_assert_eq(compile(text, NULL, &d, NULL, &out), DIAG_OK, "%s", d.text);
    cr_assert_eq(out.size, size);
    cr_assert_arr_eq(out.data, want, size);
    bytes_out_free(&out);
}

Test(compiler, smallest_module)
{
    const uint8_t want[] = {'M', 6, 0,    31,   2, 0, 8, 't',  '.', 'p',
                            'y', 0, 0x0f, 0x28, 0, 2, 1, 0x51, 0x63};
    expect_bytes("", want, sizeof want);
}

static void expect_error(const char *text, const char *message, uint32_t line, uint32_t column)
{
    struct diag d;
    struct bytes_out out;
    struct compiler_trace trace;
    cr_assert_eq(compile(text, NULL, &d, &trace, &out), DIAG_MALFORMED, "%s", text);
    cr_expect_str_eq(d.text, message);
    cr_expect_eq(d.line, line, "%s: line %u", text, d.line);
    cr_expect_eq(d.column, column, "%s: column %u", text, d.column);
    bytes_out_free(&out);
}

Test(compiler, errors_have_places)
{
    expect_error("x = = 1\n", "SyntaxError: invalid syntax", 1, 5);
    expect_error("if x:\n   y\n  z\n",
                 "IndentationError: unindent doesn't match any outer indent level", 2, 5);
    expect_error("x\n  y\n", "IndentationError: unexpected indent", 2, 3);
    expect_error("def f():\n    return\nreturn 1\n", "SyntaxError: 'return' outside function", 3,
                 1);
    expect_error("x = 0b3\n", "SyntaxError: invalid syntax for integer with base 2: '3'", 1, 5);
    expect_error("x = '\\N{BULLET}'\n", "NotImplementedError: unicode name escapes", 1, 5);
}

Test(compiler, errors_name_their_block)
{
    struct diag d;
    struct bytes_out out;
    struct compiler_trace trace;
    compile("class A:\n  def f(self, self): pass\n", NULL, &d, &trace, &out);
    cr_assert(trace.placed && trace.compiling);
    cr_assert_str_eq(trace.block, "f");
    bytes_out_free(&out);
}

Test(compiler, releases_are_found)
{
    const char *const pairs[][2] = {
        {"1.19", "1.19.1"},
        {"v1.26.0", "1.26.1"},
        {"1.22.0", "1.22.1"},
        {"1.22", "1.22.2"},
        {"1.29.0-preview.7.g1", "1.29.0"},
        {"1.24.9", "1.24.1"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct compiler_release *r = compiler_release_find(pairs[i][0]);
        cr_assert_not_null(r, "%s", pairs[i][0]);
        cr_expect_str_eq(compiler_release_name(r), pairs[i][1]);
    }
    const char *const wrong[] = {"", "1", "1.", "2.0", "1.18", "1.30", "x1.20", "1.20x", "-1.20"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_null(compiler_release_find(wrong[i]), "%s", wrong[i]);
    }
}

static void repeat(struct bytes_out *out, const char *s, unsigned n)
{
    while (n--) {
        bytes_put(out, s, strlen(s));
    }
}

// Nesting of every kind ends in an error, never on the C stack: by default the compiler asks the
// system what the thread has, be that megabytes or little.
static void *compile_deep(void *result)
{
    const char *const kinds[][2] = {
        {"(", ")"},
        {"[", "]"},
        {"f(", ")"},
        {"{1:", "}"},
        {"-", ""},
        {"not ", ""},
        {"lambda:", ""},
        {"x**", ""},
        {"x if y else ", ""},
        {"(1,", ")"},
        {"[x for x in ", "]"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct bytes_out text, out;
        struct diag d;
        bytes_out_init(&text);
        repeat(&text, kinds[i][0], 100000);
        repeat(&text, "1", 1);
        repeat(&text, kinds[i][1], 100000);
        bytes_put(&text, "\n", 2);
        enum diag_code err = compile((char *)text.data, NULL, &d, NULL, &out);
        cr_expect(err == DIAG_OK || err == DIAG_MALFORMED, "%s", kinds[i][0]);
        bytes_out_free(&text);
        bytes_out_free(&out);
    }
    return result;
}

Test(compiler, deep_nesting_is_bounded)
{
    compile_deep(NULL);
}

Test(compiler, deep_nesting_is_bounded_in_threads)
{
    static const size_t sizes[] = {8 << 20, 1 << 20, 512 << 10};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pthread_attr_t attributes;
        pthread_t thread;
        pthread_attr_init(&attributes);
        cr_assert_eq(pthread_attr_setstacksize(&attributes, sizes[i]), 0);
        cr_assert_eq(pthread_create(&thread, &attributes, compile_deep, NULL), 0);
        pthread_join(thread, NULL);
        pthread_attr_destroy(&attributes);
    }
}

static enum diag_code compile_nested(unsigned depth, size_t max_stack)
{
    struct compiler_options options = {.max_stack = max_stack};
    struct bytes_out text, out;
    struct arena a;
    struct diag d;
    arena_init(&a, 0);
    diag_init(&d);
    bytes_out_init(&text);
    bytes_out_init(&out);
    repeat(&text, "[", depth);
    repeat(&text, "]", depth);
    enum diag_code err = compiler_mpy(text.data, text.size, "t.py", &options, &a, &d, &out);
    cr_expect(!err || strcmp(d.text, "RuntimeError: maximum recursion depth exceeded") == 0);
    arena_free(&a);
    bytes_out_free(&text);
    bytes_out_free(&out);
    return err;
}

Test(compiler, stack_can_be_limited)
{
    cr_expect_eq(compile_nested(10, 64 << 10), DIAG_OK);
    cr_expect_eq(compile_nested(5000, 64 << 10), DIAG_MALFORMED);
    cr_expect_eq(compile_nested(5000, 0), DIAG_OK);
}

Test(compiler, folding_is_bounded)
{
    struct diag d;
    struct bytes_out out;
    const char *const texts[] = {"x = 10**10**10\n", "x = 1 << 0x7fffffff\n",
                                 "x = 0x7fffffff ** 10**20\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_expect_eq(compile(texts[i], NULL, &d, NULL, &out), DIAG_OK);
        bytes_out_free(&out);
    }
}

Test(compiler, many_cells_are_refused)
{
    struct bytes_out text, out;
    struct diag d;
    bytes_out_init(&text);
    bytes_printf(&text, "def f():\n");
    for (int i = 0; i < 300; i++) {
        bytes_printf(&text, "  a%d = 1\n", i);
    }
    bytes_printf(&text, "  def g(): return a0");
    for (int i = 1; i < 300; i++) {
        bytes_printf(&text, "+a%d", i);
    }
    bytes_put(&text, "\n", 2);
    cr_assert_eq(compile((char *)text.data, NULL, &d, NULL, &out), DIAG_MALFORMED);
    cr_assert_not_null(strstr(d.text, "cell"));
    bytes_out_free(&text);
    bytes_out_free(&out);
}

Test(compiler, limited_memory_is_an_error)
{
    const char text[] = "def f(a, b):\n    return [a, 'a long enough string', b, 12345678901]\n";
    bool reached = false;
    for (size_t limit = 1; limit < 200000; limit += 997) {
        struct arena a;
        struct diag d;
        struct bytes_out out;
        arena_init(&a, limit);
        diag_init(&d);
        bytes_out_init(&out);
        enum diag_code err = compiler_mpy(text, sizeof text - 1, "t.py", NULL, &a, &d, &out);
        cr_expect(err == (reached ? DIAG_OK : DIAG_NOMEM) || err == DIAG_OK);
        cr_expect(a.total <= limit, "%zu > %zu", a.total, limit);
        reached |= err == DIAG_OK;
        arena_free(&a);
        bytes_out_free(&out);
    }
    cr_expect(reached);
}

// All that a compilation takes counts against the limit of the caller's arena, whatever it is for.
Test(compiler, large_scripts_stay_within_the_limit)
{
    struct bytes_out text, out;
    struct diag d;
    struct arena a;
    bytes_out_init(&text);
    for (unsigned i = 0; i < 20000; i++) {
        bytes_printf(&text, "x%u = [lambda a: a + %u, 'some string %u', {a for a in b}]\n", i, i,
                     i);
    }
    for (size_t limit = 1 << 20; limit <= 64 << 20; limit *= 8) {
        arena_init(&a, limit);
        diag_init(&d);
        bytes_out_init(&out);
        enum diag_code err = compiler_mpy(text.data, text.size, "t.py", NULL, &a, &d, &out);
        cr_expect_eq(err, limit < 64 << 20 ? DIAG_NOMEM : DIAG_OK);
        cr_expect(a.total <= limit);
        arena_free(&a);
        bytes_out_free(&out);
    }
    bytes_out_free(&text);
}

// A pass settles only the jumps near the last ones; whatever the passes, time must not explode.
Test(compiler, long_flat_code_is_quick, .timeout = 60)
{
    struct bytes_out text, out;
    struct diag d;
    bytes_out_init(&text);
    repeat(&text, "if a:b\nfor a in b:c\n", 200000);
    bytes_put(&text, "", 1);
    cr_assert_eq(compile((char *)text.data, NULL, &d, NULL, &out), DIAG_OK);
    bytes_out_free(&text);
    bytes_out_free(&out);
}

static void *compile_in_thread(void *result)
{
    struct diag d;
    struct bytes_out *out = result;
    for (int i = 0; i < 50; i++) {
        compile("def f(a, *b, c=1):\n  return [x for x in b if x > a]\n", i % 2 ? "1.20" : NULL, &d,
                NULL, out);
        if (i + 1 < 50) {
            bytes_out_free(out);
        }
    }
    return NULL;
}

Test(compiler, threads_do_not_meet)
{
    pthread_t threads[4];
    struct bytes_out outs[4];
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, compile_in_thread, &outs[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(outs[i].size, outs[0].size);
        cr_assert_arr_eq(outs[i].data, outs[0].data, outs[0].size);
    }
    for (int i = 0; i < 4; i++) {
        bytes_out_free(&outs[i]);
    }
}
