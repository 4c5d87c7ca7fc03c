// Source text to tokens. f-strings and t-strings are rewritten as upstream's release rewrites them:
// the text of the call is lexed as if it stood in the source after the literal.
#ifndef PACKER_COMPILER_LEXER_H
#define PACKER_COMPILER_LEXER_H

#include "packer/compiler/token.h"
#include "packer/compiler/unit.h"

// A piece of text being lexed. Rewritten strings put their calls in front of what follows.
struct lexer_input {
    const uint8_t *p, *end;
    struct lexer_input *outer; // what follows
};

struct lexer {
    struct unit *u;
    const uint8_t *p, *end;    // *end is NUL
    struct lexer_input *outer; // what follows p..end; NULL in the source itself
    struct lexer_input *spare; // read to their ends
    uint8_t *calls;            // room for calls that strings become
    size_t calls_left;         // bytes
    uint32_t line;

    // The token.
    enum token kind;
    uint32_t token_line;
    const uint8_t *token_at; // where it begins in the source, for carets
    const uint8_t *text;     // of a string or number
    uint32_t len;
    uint32_t name; // of a NAME

    // Layout.
    int dents;    // INDENT (> 0) or DEDENT (< 0) tokens still to come
    int brackets; // open brackets
    struct words indents;

    struct text buffer;    // of the token's text, when it is not in the source as it is
    struct text arguments; // of the call that the string being read becomes
    size_t injecting;      // until 1.27: arguments is being lexed; this is its length then
    size_t injected;       // bytes rewritten so far, for the limit
};

// The current token, for errors.
static inline struct unit_place lexer_place(const struct lexer *lx)
{
    return (struct unit_place){lx->token_line, lx->token_at};
}
void lexer_init(struct lexer *lx, struct unit *u);
void lexer_free(struct lexer *lx);
void lexer_next(struct lexer *lx);

// For the parts of the lexer. The current byte, and the next ones across inputs.
static inline bool lexer_at_end(const struct lexer *lx)
{
    return lx->p == lx->end;
}
uint8_t lexer_peek(const struct lexer *lx, unsigned ahead);
// Moves on one byte, counting lines.
void lexer_advance(struct lexer *lx);
// Skips white space and comments; true if it stopped at a line's end. `stop` = stop there (outside
// of brackets).
bool lexer_skip(struct lexer *lx, bool stop);

// string.c: the token that begins here is a string or bytes literal, or several in a row.
bool lexer_is_string(const struct lexer *lx);
void lexer_string(struct lexer *lx);
// Until 1.27: the call of a finished f-string is what comes next.
void lexer_start_call(struct lexer *lx);

extern const uint8_t lexer_class[256];
enum lexer_class {
    LEXER_SPACE = 1,
    LEXER_ALPHA = 2, // letters, _ and all bytes from 0x80
    LEXER_DIGIT = 4,
    LEXER_LETTER = 8,
    LEXER_STRING = 16, // can begin a string literal
};

#endif
