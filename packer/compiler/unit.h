// One compilation: what all its passes share. A pass that meets an error does not return: it
// records the error and jumps back to the entry point (compiler.c), which frees the working memory.
#ifndef PACKER_COMPILER_UNIT_H
#define PACKER_COMPILER_UNIT_H

#include <setjmp.h>
#include <stdnoreturn.h>

#include "format/arena.h"
#include "format/diag.h"
#include "packer/compiler/compiler.h"
#include "packer/compiler/names.h"
#include "packer/compiler/release.h"
#include "packer/compiler/values.h"

struct codegen;

struct unit {
    const struct compiler_release *release;
    struct compiler_options options; // with the defaults filled in
    const char *file;                // for messages
    const uint8_t *text; // the source with line ends made LF, with an LF and NULs at the end
    size_t size;         // without the NULs
    bool in_place;       // text is the caller's, which outlives the tree
    struct arena *out;   // the caller's: what the tree keeps
    struct arena work;   // inside of it, freed at the end of the compilation
    struct diag *diag;
    enum diag_code code;        // of the error that jumped
    uint32_t machine_code_line; // of a decorator that asked for machine code; 0 = none
    uint32_t machine_code_name;
    jmp_buf fail;
    struct names names;
    struct values values;
    struct codegen *codegen; // from code generation on
};

#define UNIT_NOWHERE ((struct unit_place){0, NULL})

enum {
    UNIT_TEXT_PAD =
        COMPILER_PAD, // NULs after the text, so that lookahead and word loads stay inside
};

// Where an error lies, for messages with a caret: a place in unit.text, or NULL.
struct unit_place {
    uint32_t line;
    const uint8_t *at;
};

// Ends the compilation with upstream's exception `type` and its text.
noreturn void unit_error(struct unit *u, const char *type, struct unit_place place, uint32_t block,
                         const char *fmt, ...) DIAG_PRINTF(5, 6);
// The same for RuntimeError and the like: upstream shows them without a traceback, we show the
// place if there is one.
noreturn void unit_raise(struct unit *u, const char *type, struct unit_place place, const char *fmt,
                         ...) DIAG_PRINTF(4, 5);
noreturn void unit_too_deep(struct unit *u, struct unit_place place);
noreturn void unit_fail(struct unit *u, enum diag_code code);

// True if p is a place in u->text.
static inline bool unit_in_text(const struct unit *u, const void *p)
{
    return (uintptr_t)p - (uintptr_t)u->text < u->size;
}

// Growing arrays are blocks of their own in u->work; an early free is for the sake of memory only.
struct words {
    uint32_t *at;
    size_t n, cap;
};

// The next capacity of an array of such items: doubled, or if it is large, a quarter more.
size_t unit_grown(size_t cap, size_t first, size_t item);
// Makes room for n more words and returns where they go; n is not yet counted.
uint32_t *words_reserve(struct unit *u, struct words *w, size_t n);
void words_free(struct unit *u, struct words *w);

static inline void words_push(struct unit *u, struct words *w, uint32_t word)
{
    if (w->n == w->cap) {
        words_reserve(u, w, 1);
    }
    w->at[w->n++] = word;
}

struct text { // a growing string
    char *at;
    size_t n, cap;
};

void text_reserve(struct unit *u, struct text *t, size_t n);
void text_put(struct unit *u, struct text *t, const void *s, size_t n);
void text_insert(struct unit *u, struct text *t, size_t at, const void *s, size_t n);
void text_free(struct unit *u, struct text *t);

static inline void text_byte(struct unit *u, struct text *t, uint8_t c)
{
    if (t->n == t->cap) {
        text_reserve(u, t, 1);
    }
    t->at[t->n++] = (char)c;
}

#endif
