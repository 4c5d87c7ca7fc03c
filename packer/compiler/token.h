// Tokens. The first 64 are those that can begin a construct, so that the set of tokens that begin
// a rule is one 64-bit mask.
#ifndef PACKER_COMPILER_TOKEN_H
#define PACKER_COMPILER_TOKEN_H

#include <stdint.h>

enum token {
    TOKEN_END,
    TOKEN_NEWLINE,
    TOKEN_INDENT,
    TOKEN_DEDENT,
    TOKEN_NAME,
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_STRING,
    TOKEN_BYTES,
    TOKEN_ELLIPSIS,
    TOKEN_FALSE, // keywords from here on
    TOKEN_NONE,
    TOKEN_TRUE,
    TOKEN_DEBUG, // __debug__; never leaves the lexer
    TOKEN_AS,
    TOKEN_ASSERT,
    TOKEN_ASYNC,
    TOKEN_AWAIT,
    TOKEN_BREAK,
    TOKEN_CLASS,
    TOKEN_CONTINUE,
    TOKEN_DEF,
    TOKEN_DEL,
    TOKEN_ELIF,
    TOKEN_ELSE,
    TOKEN_EXCEPT,
    TOKEN_FINALLY,
    TOKEN_FOR,
    TOKEN_FROM,
    TOKEN_GLOBAL,
    TOKEN_IF,
    TOKEN_IMPORT,
    TOKEN_LAMBDA,
    TOKEN_NONLOCAL,
    TOKEN_NOT,
    TOKEN_PASS,
    TOKEN_RAISE,
    TOKEN_RETURN,
    TOKEN_TRY,
    TOKEN_WHILE,
    TOKEN_WITH,
    TOKEN_YIELD,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_IN,
    TOKEN_IS, // the last keyword
    TOKEN_PAREN_OPEN,
    TOKEN_BRACKET_OPEN,
    TOKEN_BRACE_OPEN,
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_PERIOD,
    TOKEN_EQUAL,
    TOKEN_ARROW,
    TOKEN_WALRUS,
    TOKEN_TILDE,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_AT,
    TOKEN_DOUBLE_STAR,
    // From here on in any order: never the first of a construct that may be missing.
    TOKEN_PAREN_CLOSE,
    TOKEN_BRACKET_CLOSE,
    TOKEN_BRACE_CLOSE,
    TOKEN_SEMICOLON,
    TOKEN_LESS, // comparisons, in the order of the operators of the bytecode
    TOKEN_MORE,
    TOKEN_DOUBLE_EQUAL,
    TOKEN_LESS_EQUAL,
    TOKEN_MORE_EQUAL,
    TOKEN_NOT_EQUAL,
    TOKEN_PIPE,
    TOKEN_CARET,
    TOKEN_AMPERSAND,
    TOKEN_DOUBLE_LESS,
    TOKEN_DOUBLE_MORE,
    TOKEN_DOUBLE_SLASH,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_PIPE_EQUAL, // augmented assignments, in the order of the operators of the bytecode
    TOKEN_CARET_EQUAL,
    TOKEN_AMPERSAND_EQUAL,
    TOKEN_DOUBLE_LESS_EQUAL,
    TOKEN_DOUBLE_MORE_EQUAL,
    TOKEN_PLUS_EQUAL,
    TOKEN_MINUS_EQUAL,
    TOKEN_STAR_EQUAL,
    TOKEN_AT_EQUAL,
    TOKEN_DOUBLE_SLASH_EQUAL,
    TOKEN_SLASH_EQUAL,
    TOKEN_PERCENT_EQUAL,
    TOKEN_DOUBLE_STAR_EQUAL,
    // Comparison operators of two words; made by the parser.
    TOKEN_NOT_IN,
    TOKEN_IS_NOT,
    // What no rule accepts.
    TOKEN_INVALID,
    TOKEN_DEDENT_MISMATCH,
    TOKEN_STRING_OPEN,
    TOKEN_FSTRING_MALFORMED,
    TOKEN_FSTRING_RAW,
    TOKEN_COUNT,
};

enum {
    TOKEN_KEYWORD_FIRST = TOKEN_FALSE,
    TOKEN_KEYWORD_LAST = TOKEN_IS,
};

#define TOKEN_BIT(t) ((uint64_t)1 << (t))

static inline int token_in(unsigned t, uint64_t set)
{
    return t < 64 && (set >> t & 1);
}

// The word of a keyword token.
const char *token_keyword(unsigned t);

#endif
