#include "packer/compiler/token.h"

#include <stddef.h>

static const char *const token_words[TOKEN_KEYWORD_LAST + 1] = {
    [TOKEN_FALSE] = "False",
    [TOKEN_NONE] = "None",
    [TOKEN_TRUE] = "True",
    [TOKEN_DEBUG] = "__debug__",
    [TOKEN_AS] = "as",
    [TOKEN_ASSERT] = "assert",
    [TOKEN_ASYNC] = "async",
    [TOKEN_AWAIT] = "await",
    [TOKEN_BREAK] = "break",
    [TOKEN_CLASS] = "class",
    [TOKEN_CONTINUE] = "continue",
    [TOKEN_DEF] = "def",
    [TOKEN_DEL] = "del",
    [TOKEN_ELIF] = "elif",
    [TOKEN_ELSE] = "else",
    [TOKEN_EXCEPT] = "except",
    [TOKEN_FINALLY] = "finally",
    [TOKEN_FOR] = "for",
    [TOKEN_FROM] = "from",
    [TOKEN_GLOBAL] = "global",
    [TOKEN_IF] = "if",
    [TOKEN_IMPORT] = "import",
    [TOKEN_LAMBDA] = "lambda",
    [TOKEN_NONLOCAL] = "nonlocal",
    [TOKEN_NOT] = "not",
    [TOKEN_PASS] = "pass",
    [TOKEN_RAISE] = "raise",
    [TOKEN_RETURN] = "return",
    [TOKEN_TRY] = "try",
    [TOKEN_WHILE] = "while",
    [TOKEN_WITH] = "with",
    [TOKEN_YIELD] = "yield",
    [TOKEN_AND] = "and",
    [TOKEN_OR] = "or",
    [TOKEN_IN] = "in",
    [TOKEN_IS] = "is",
};

const char *token_keyword(unsigned t)
{
    return t <= TOKEN_KEYWORD_LAST ? token_words[t] : NULL;
}
