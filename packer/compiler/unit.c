#include "packer/compiler/unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    UNIT_FIRST_CAP = 256,
    UNIT_LARGE = 1 << 20, // bytes: larger blocks grow in place or move without a copy
};

noreturn void unit_fail(struct unit *u, enum diag_code code)
{
    if (code == DIAG_NOMEM) {
        diag_nomem(u->diag);
    }
    u->code = code;
    longjmp(u->fail, 1);
}

// The first character of a line that is not white space; NULL if there is no such line.
static const uint8_t *unit_find_line(const struct unit *u, uint32_t line)
{
    const uint8_t *p = u->text, *end = u->text + u->size;
    for (; p && line > 1; line--) {
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    while (p && p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }
    return p;
}

static uint32_t unit_column(const struct unit *u, const uint8_t *at)
{
    uint32_t column = 1;
    while (at > u->text && at[-1] != '\n') {
        at--;
        column++;
    }
    return column;
}

static void unit_trace(struct unit *u, uint32_t line, uint32_t block, bool placed)
{
    struct compiler_trace *trace = u->options.trace;
    if (!trace) {
        return;
    }
    trace->placed = placed;
    trace->compiling = block != 0;
    trace->line = line;
    trace->block[0] = 0;
    if (block) {
        const struct name *n = name_at(&u->names, block);
        snprintf(trace->block, sizeof trace->block, "%.*s", (int)n->len, n->data);
    }
}

// Upstream's words for a decorator that cannot be had say little.
static void unit_explain(struct unit *u)
{
    if (u->machine_code_line) {
        const struct name *n = name_at(&u->names, u->machine_code_name);
        diag_help(
            u->diag,
            "line %u: @micropython.%.*s needs machine code, which this compiler does not make",
            u->machine_code_line, (int)n->len, n->data);
    }
}

static noreturn void unit_stop(struct unit *u, const char *type, struct unit_place place,
                               const char *text)
{
    if (!place.line) {
        diag_set(u->diag, DIAG_MALFORMED, u->file, "%s: %s", type, text);
        unit_fail(u, DIAG_MALFORMED);
    }
    if (!place.at) {
        place.at = unit_find_line(u, place.line);
    }
    uint32_t column = place.at ? unit_column(u, place.at) : 0;
    diag_set_text(u->diag, DIAG_MALFORMED, u->file, place.line, column, "%s: %s", type, text);
    if (place.at) {
        diag_source(u->diag, (const char *)u->text, u->size, (uint64_t)(place.at - u->text));
    }
    unit_explain(u);
    unit_fail(u, DIAG_MALFORMED);
}

#define UNIT_FORMAT(text, fmt)                                                                     \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, fmt);                                                                       \
        vsnprintf(text, sizeof text, fmt, args);                                                   \
        va_end(args);                                                                              \
    } while (0)

noreturn void unit_error(struct unit *u, const char *type, struct unit_place place, uint32_t block,
                         const char *fmt, ...)
{
    char text[DIAG_TEXT_MAX];
    UNIT_FORMAT(text, fmt);
    unit_trace(u, place.line, block, true);
    unit_stop(u, type, place, text);
}

noreturn void unit_raise(struct unit *u, const char *type, struct unit_place place, const char *fmt,
                         ...)
{
    char text[DIAG_TEXT_MAX];
    UNIT_FORMAT(text, fmt);
    unit_trace(u, 0, 0, false);
    unit_stop(u, type, place, text);
}

noreturn void unit_too_deep(struct unit *u, struct unit_place place)
{
    unit_raise(u, "RuntimeError", place, "maximum recursion depth exceeded");
}

size_t unit_grown(size_t cap, size_t first, size_t item)
{
    return !cap ? first : cap * item < UNIT_LARGE ? cap * 2 : cap + cap / 4;
}

// The capacity that holds n more, at least doubled so that growing stays linear.
static size_t unit_capacity(struct unit *u, size_t used, size_t cap, size_t n, size_t item)
{
    size_t want = unit_grown(cap, UNIT_FIRST_CAP, item);
    if (n > SIZE_MAX / item / 4 - used) {
        unit_fail(u, DIAG_NOMEM);
    }
    return want < used + n ? used + n : want;
}

uint32_t *words_reserve(struct unit *u, struct words *w, size_t n)
{
    if (n > w->cap - w->n) {
        size_t cap = unit_capacity(u, w->n, w->cap, n, sizeof *w->at);
        w->at = arena_resize(&u->work, w->at, cap * sizeof *w->at);
        w->cap = cap;
    }
    return w->at ? w->at + w->n : NULL;
}

void words_free(struct unit *u, struct words *w)
{
    arena_drop(&u->work, w->at);
    *w = (struct words){0};
}

void text_reserve(struct unit *u, struct text *t, size_t n)
{
    if (n > t->cap - t->n) {
        size_t cap = unit_capacity(u, t->n, t->cap, n, 1);
        t->at = arena_resize(&u->work, t->at, cap);
        t->cap = cap;
    }
}

void text_put(struct unit *u, struct text *t, const void *s, size_t n)
{
    text_reserve(u, t, n);
    if (n) {
        memcpy(t->at + t->n, s, n);
        t->n += n;
    }
}

void text_insert(struct unit *u, struct text *t, size_t at, const void *s, size_t n)
{
    text_reserve(u, t, n);
    memmove(t->at + at + n, t->at + at, t->n - at);
    memcpy(t->at + at, s, n);
    t->n += n;
}

void text_free(struct unit *u, struct text *t)
{
    arena_drop(&u->work, t->at);
    *t = (struct text){0};
}
