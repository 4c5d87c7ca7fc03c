#include "format/diag.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void diag_init(struct diag *d)
{
    memset(d, 0, sizeof *d);
}

// True if d takes a new failure; the first failure is the cause, later ones are its consequences.
static bool diag_open(struct diag *d, enum diag_code code, enum diag_where where, const char *file)
{
    if (!d || d->code != DIAG_OK) {
        return false;
    }
    d->code = code;
    d->where = where;
    snprintf(d->file, sizeof d->file, "%s", file ? file : "");
    return true;
}

#define DIAG_FORMAT_TEXT(d, fmt)                                                                   \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, fmt);                                                                       \
        vsnprintf((d)->text, sizeof(d)->text, fmt, args);                                          \
        va_end(args);                                                                              \
    } while (0)

enum diag_code diag_set(struct diag *d, enum diag_code code, const char *file, const char *fmt, ...)
{
    if (diag_open(d, code, DIAG_NOWHERE, file)) {
        DIAG_FORMAT_TEXT(d, fmt);
    }
    return code;
}

enum diag_code diag_set_text(struct diag *d, enum diag_code code, const char *file, uint32_t line,
                             uint32_t column, const char *fmt, ...)
{
    if (diag_open(d, code, DIAG_TEXT, file)) {
        d->line = line;
        d->column = column;
        DIAG_FORMAT_TEXT(d, fmt);
    }
    return code;
}

enum diag_code diag_set_binary(struct diag *d, enum diag_code code, const char *file,
                               uint64_t offset, const char *field, const char *fmt, ...)
{
    if (diag_open(d, code, DIAG_BINARY, file)) {
        d->offset = offset;
        d->field = field;
        DIAG_FORMAT_TEXT(d, fmt);
    }
    return code;
}

enum diag_code diag_nomem(struct diag *d)
{
    return diag_set(d, DIAG_NOMEM, NULL, "out of memory");
}

void diag_help(struct diag *d, const char *fmt, ...)
{
    if (!d || d->code == DIAG_OK) {
        return;
    }
    size_t used = strlen(d->help);
    if (used && used + 1 < sizeof d->help) {
        d->help[used++] = '\n';
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(d->help + used, sizeof d->help - used, fmt, args);
    va_end(args);
}

void diag_source(struct diag *d, const char *source, uint64_t size, uint64_t at)
{
    if (!d || d->code == DIAG_OK || at > size) {
        return;
    }
    uint64_t start = at, end = at;
    while (start > 0 && source[start - 1] != '\n' && source[start - 1] != '\r') {
        start--;
    }
    while (end < size && source[end] != '\n' && source[end] != '\r') {
        end++;
    }
    uint64_t n = end - start;
    if (n >= sizeof d->source) {
        n = sizeof d->source - 1;
    }
    memcpy(d->source, source + start, n);
    d->source[n] = 0;
}

int diag_exit(enum diag_code c)
{
    return c >= DIAG_NOMEM ? DIAG_IO : (int)c;
}

struct diag_text {
    char *buf;
    unsigned size, used; // used counts what was wanted, also past size
};

static void DIAG_PRINTF(2, 3) diag_add(struct diag_text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    unsigned left = t->used < t->size ? t->size - t->used : 0;
    int n = vsnprintf(left ? t->buf + t->used : NULL, left, fmt, args);
    va_end(args);
    t->used += n > 0 ? (unsigned)n : 0;
}

// The source line and a caret under the column; tabs are kept so that the caret stays below.
static void diag_add_caret(struct diag_text *t, const struct diag *d)
{
    diag_add(t, "\n  %s", d->source);
    if (!d->column) {
        return;
    }
    diag_add(t, "\n  ");
    for (uint32_t i = 1; i < d->column && d->source[i - 1]; i++) {
        diag_add(t, "%c", d->source[i - 1] == '\t' ? '\t' : ' ');
    }
    diag_add(t, "^");
}

static void diag_add_help(struct diag_text *t, const char *help)
{
    while (*help) {
        size_t n = strcspn(help, "\n");
        diag_add(t, "\n  %.*s", (int)n, help);
        help += n + (help[n] == '\n');
    }
}

void diag_tame(char *text, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i],
                      next = i + 1 < size ? (unsigned char)text[i + 1] : 0;
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
            text[i] = '?';
        } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) { // U+0080 to U+009F
            text[i] = text[i + 1] = '?';
        }
    }
}

unsigned diag_format(const struct diag *d, const char *program, char *buf, unsigned size)
{
    struct diag_text t = {buf, size, 0};
    if (size) {
        buf[0] = 0;
    }
    diag_add(&t, "%s: ", program);
    if (d->file[0]) {
        diag_add(&t, "%s:%s", d->file, d->where == DIAG_TEXT ? "" : " ");
    }
    if (d->where == DIAG_TEXT) {
        diag_add(&t, "%" PRIu32 ":", d->line);
        if (d->column) {
            diag_add(&t, "%" PRIu32 ":", d->column);
        }
        diag_add(&t, " error: %s", d->text);
    } else if (d->where == DIAG_BINARY) {
        diag_add(&t, "offset 0x%" PRIx64 ": %s: %s", d->offset, d->field, d->text);
    } else {
        diag_add(&t, "%s", d->text);
    }
    if (d->source[0]) {
        diag_add_caret(&t, d);
    }
    diag_add_help(&t, d->help);
    diag_tame(buf, size ? strlen(buf) : 0);
    return t.used;
}
