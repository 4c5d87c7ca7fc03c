// How the compiler's cost grows with the script: `steps SIZE` compiles every shape of
// tests/lib/shapes.h at SIZE bytes and at four times as many, and prints the shapes whose steps
// grow by more than that; tables that double make some unevenness. Steps are basic blocks, which
// the compiler counts here (gcc's -fsanitize-coverage=trace-pc), and what the memory functions of
// the C library go over: the same on every machine and every day.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packer/compiler/compiler.h"
#include "tests/lib/shapes.h"

enum {
    STEPS_BYTES = 16, // in a step
    STEPS_TIMES = 4,
    STEPS_PERCENT = 500, // most that so many times the size may take
};

static unsigned long long steps;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    steps++;
}

// Linked in place of the C library's (-Wl,--wrap).
void *__real_memcpy(void *to, const void *from, size_t n);
void *__real_memmove(void *to, const void *from, size_t n);
void *__real_memset(void *p, int c, size_t n);
void *__real_memchr(const void *p, int c, size_t n);
int __real_memcmp(const void *a, const void *b, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__wrap_memset(void *p, int c, size_t n);
void *__wrap_memchr(const void *p, int c, size_t n);
int __wrap_memcmp(const void *a, const void *b, size_t n);

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
    steps += n / STEPS_BYTES;
    return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n)
{
    steps += n / STEPS_BYTES;
    return __real_memmove(to, from, n);
}

void *__wrap_memset(void *p, int c, size_t n)
{
    steps += n / STEPS_BYTES;
    return __real_memset(p, c, n);
}

void *__wrap_memchr(const void *p, int c, size_t n)
{
    const char *found = __real_memchr(p, c, n);
    steps += (found ? (size_t)(found - (const char *)p) : n) / STEPS_BYTES;
    return (void *)found;
}

int __wrap_memcmp(const void *a, const void *b, size_t n)
{
    steps += n / STEPS_BYTES;
    return __real_memcmp(a, b, n);
}

static unsigned long long count(const struct shape *s, size_t size)
{
    struct arena a;
    struct diag d;
    struct bytes_out source, out;
    // Tables of lines count from line 1 in each function: the output itself is not linear with
    // them.
    const struct compiler_options options = {.no_source_lines = true};
    arena_init(&a, 0);
    diag_init(&d);
    bytes_out_init(&source);
    bytes_out_init(&out);
    shape_make(s, size, &source);
    steps = 0;
    enum diag_code err = compiler_mpy(source.data, source.size, "shape.py", &options, &a, &d, &out);
    if (err && !strstr(d.text, "bytecode overflow")) {
        printf("%s: %s\n", s->name, d.text);
        exit(1);
    }
    bytes_out_free(&source);
    bytes_out_free(&out);
    arena_free(&a);
    return steps;
}

int main(int argc, char **argv)
{
    size_t size = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned worse = 0, n = 0;
    for (const struct shape *s = shapes; size && s->name; s++, n++) {
        unsigned long long once = count(s, size), more = count(s, STEPS_TIMES * size);
        if (more * 100 > once * STEPS_PERCENT) {
            printf("%s: %llu steps, %llu for %d times the size\n", s->name, once, more,
                   STEPS_TIMES);
            worse++;
        }
    }
    printf("%u shapes, %u of them not linear\n", n, worse);
    return !n || worse;
}
