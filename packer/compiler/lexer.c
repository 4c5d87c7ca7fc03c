// Facts: MicroPython py/lexer.c, releases 1.19 to 1.29.
#include "packer/compiler/lexer.h"

#include <string.h>

enum { LEXER_TAB = 8 };

#define SP LEXER_SPACE
#define AL (LEXER_ALPHA | LEXER_LETTER)
#define AS (LEXER_ALPHA | LEXER_LETTER | LEXER_STRING)
#define UN LEXER_ALPHA
#define DI LEXER_DIGIT
#define QU LEXER_STRING
const uint8_t lexer_class[256] = {
    ['\t'] = SP, ['\n'] = SP, ['\v'] = SP, ['\f'] = SP, ['\r'] = SP, [' '] = SP,
    ['"'] = QU,  ['\''] = QU, ['_'] = UN,  ['0'] = DI,  ['1'] = DI,  ['2'] = DI,
    ['3'] = DI,  ['4'] = DI,  ['5'] = DI,  ['6'] = DI,  ['7'] = DI,  ['8'] = DI,
    ['9'] = DI,  ['A'] = AL,  ['B'] = AL,  ['C'] = AL,  ['D'] = AL,  ['E'] = AL,
    ['F'] = AL,  ['G'] = AL,  ['H'] = AL,  ['I'] = AL,  ['J'] = AL,  ['K'] = AL,
    ['L'] = AL,  ['M'] = AL,  ['N'] = AL,  ['O'] = AL,  ['P'] = AL,  ['Q'] = AL,
    ['R'] = AL,  ['S'] = AL,  ['T'] = AL,  ['U'] = AL,  ['V'] = AL,  ['W'] = AL,
    ['X'] = AL,  ['Y'] = AL,  ['Z'] = AL,  ['a'] = AL,  ['b'] = AS,  ['c'] = AL,
    ['d'] = AL,  ['e'] = AL,  ['f'] = AS,  ['g'] = AL,  ['h'] = AL,  ['i'] = AL,
    ['j'] = AL,  ['k'] = AL,  ['l'] = AL,  ['m'] = AL,  ['n'] = AL,  ['o'] = AL,
    ['p'] = AL,  ['q'] = AL,  ['r'] = AS,  ['s'] = AL,  ['t'] = AS,  ['u'] = AS,
    ['v'] = AL,  ['w'] = AL,  ['x'] = AL,  ['y'] = AL,  ['z'] = AL,  [0x80 ... 0xff] = UN,
};

static bool lexer_is(uint8_t c, unsigned classes)
{
    return (lexer_class[c] & classes) != 0;
}

// Goes on with what follows the text of a call. Bytes that were looked at beyond the end of the
// inner text are never consumed, so nothing has to be carried over.
static void lexer_pop(struct lexer *lx)
{
    while (lx->p == lx->end && lx->outer) {
        struct lexer_input *in = lx->outer;
        lx->p = in->p;
        lx->end = in->end;
        lx->outer = in->outer;
        in->outer = lx->spare;
        lx->spare = in;
        if (!lx->outer) {
            lx->injecting = 0;
            lx->arguments.n = 0;
        }
    }
}

uint8_t lexer_peek(const struct lexer *lx, unsigned ahead)
{
    const uint8_t *p = lx->p, *end = lx->end;
    const struct lexer_input *outer = lx->outer;
    while (outer && ahead >= (size_t)(end - p)) {
        if (lx->injecting) {
            return 0; // until 1.27 there is a NUL between the call and what follows
        }
        ahead -= (unsigned)(end - p);
        p = outer->p;
        end = outer->end;
        outer = outer->outer;
    }
    return p[ahead]; // the padding is longer than any lookahead
}

void lexer_advance(struct lexer *lx)
{
    lx->line += *lx->p == '\n';
    lx->p++;
    lexer_pop(lx);
}

static void lexer_skip_comment(struct lexer *lx)
{
    for (;;) {
        const uint8_t *nl = memchr(lx->p, '\n', (size_t)(lx->end - lx->p));
        lx->p = nl ? nl : lx->end;
        if (nl || !lx->outer) {
            return;
        }
        lexer_pop(lx);
    }
}

bool lexer_skip(struct lexer *lx, bool stop)
{
    bool crossed = false;
    for (;; lexer_pop(lx)) {
        const uint8_t *p = lx->p;
        while (*p == ' ') {
            p++;
        }
        lx->p = p;
        uint8_t c = *p;
        if (c == '\n') {
            if (stop && lx->brackets == 0) {
                return true;
            }
            crossed = true;
            lx->line++;
            lx->p++;
        } else if (c == '#') {
            lexer_skip_comment(lx);
        } else if (lexer_is(c, LEXER_SPACE)) {
            lx->p++;
        } else if (c == '\\' && lexer_peek(lx, 1) == '\n') {
            lexer_advance(lx);
            lexer_advance(lx);
        } else if (!(lx->p == lx->end && lx->outer)) {
            return crossed && !stop;
        }
    }
}

// Skips one space or none in front of a token, the common case. False: there is more to it.
static bool lexer_skip_quickly(struct lexer *lx)
{
    const uint8_t *p = lx->p + (*lx->p == ' ');
    uint8_t c = *p;
    if (lx->outer || c <= ' ' || c == '#' || c == '\\') {
        return false;
    }
    lx->p = p;
    return true;
}

// The width of the white space between the start of the line and p.
static size_t lexer_indent(const struct lexer *lx, const uint8_t *from)
{
    const uint8_t *start = lx->p;
    while (start > from && start[-1] == ' ') {
        start--;
    }
    if (start == from || start[-1] == '\n') {
        return (size_t)(lx->p - start); // spaces only, the common case
    }
    while (start > from && start[-1] != '\n') {
        start--;
    }
    size_t width = 0;
    for (; start < lx->p; start++) {
        width = *start == '\t' ? (width + LEXER_TAB) / LEXER_TAB * LEXER_TAB : width + 1;
    }
    return width;
}

// Upstream keeps indentations in 16 bits.
static void lexer_dent(struct lexer *lx, size_t width)
{
    struct words *w = &lx->indents;
    if (width == w->at[w->n - 1]) {
        return;
    }
    if (width > w->at[w->n - 1]) {
        words_push(lx->u, w, (uint16_t)width);
        lx->dents++;
        return;
    }
    while (width < w->at[w->n - 1]) {
        w->n--;
        lx->dents--;
    }
    if (width != w->at[w->n - 1]) {
        lx->kind = TOKEN_DEDENT_MISMATCH;
    }
}

static void lexer_name(struct lexer *lx)
{
    const uint8_t *start = lx->p, *p = start;
    do {
        p++;
    } while (lexer_is(*p, LEXER_ALPHA | LEXER_DIGIT));
    struct unit *u = lx->u;
    size_t n = (size_t)(p - start);
    lx->p = p;
    lx->kind = TOKEN_NAME;
    lx->text = start;
    lx->len = (uint32_t)n;
    uint32_t id = n > NAMES_LONGEST ? 0 : name_intern(u, (const char *)start, n);
    lx->name = id; // 0: too long, which is an error only where the name is used
    if (id < NAMES_KEYWORDS_MAX && u->names.keyword[id]) {
        lx->kind = (enum token)u->names.keyword[id];
        if (lx->kind == TOKEN_DEBUG) {
            lx->kind = u->options.opt_level == 0 ? TOKEN_TRUE : TOKEN_FALSE;
        }
    }
    lexer_pop(lx);
}

// The rest of a number whose text differs from the source (1_000, 1E5).
static void lexer_number_buffered(struct lexer *lx, bool forced_int, const uint8_t *start)
{
    struct text *b = &lx->buffer;
    b->n = 0;
    text_put(lx->u, b, start, (size_t)(lx->p - start));
    for (;;) {
        uint8_t c = *lx->p;
        if (!forced_int && (c == 'e' || c == 'E')) {
            lx->kind = TOKEN_FLOAT;
            text_byte(lx->u, b, 'e');
            lx->p++;
            if (*lx->p == '+' || *lx->p == '-') {
                text_byte(lx->u, b, *lx->p++);
            }
        } else if (lexer_is(c, LEXER_LETTER | LEXER_DIGIT) || c == '.') {
            if (c == '.' || c == 'j' || c == 'J') {
                lx->kind = TOKEN_FLOAT;
            }
            text_byte(lx->u, b, c);
            lx->p++;
        } else if (c == '_') {
            lx->p++;
        } else {
            break;
        }
    }
    lx->text = (const uint8_t *)b->at;
    lx->len = (uint32_t)b->n;
}

static void lexer_number(struct lexer *lx)
{
    const uint8_t *start = lx->p;
    lx->kind = *start == '.' ? TOKEN_FLOAT : TOKEN_INTEGER;
    uint8_t base = start[1] | 0x20;
    bool forced_int = *start == '0' && (base == 'b' || base == 'o' || base == 'x');
    lx->p++;
    for (;;) {
        uint8_t c = *lx->p;
        if (c == '_' || (!forced_int && (c == 'e' || c == 'E'))) {
            lexer_number_buffered(lx, forced_int, start);
            break;
        }
        if (!lexer_is(c, LEXER_LETTER | LEXER_DIGIT) && c != '.') {
            lx->text = start;
            lx->len = (uint32_t)(lx->p - start);
            break;
        }
        if (c == '.' || c == 'j' || c == 'J') {
            lx->kind = TOKEN_FLOAT;
        }
        lx->p++;
    }
    lexer_pop(lx);
}

// An operator c, c=, cc, cc= as far as they exist (0 = does not).
struct lexer_operator {
    uint8_t one, equal, two, two_equal;
};

static const struct lexer_operator lexer_operators[128] = {
    ['('] = {TOKEN_PAREN_OPEN, 0, 0, 0},
    [')'] = {TOKEN_PAREN_CLOSE, 0, 0, 0},
    ['['] = {TOKEN_BRACKET_OPEN, 0, 0, 0},
    [']'] = {TOKEN_BRACKET_CLOSE, 0, 0, 0},
    ['{'] = {TOKEN_BRACE_OPEN, 0, 0, 0},
    ['}'] = {TOKEN_BRACE_CLOSE, 0, 0, 0},
    [','] = {TOKEN_COMMA, 0, 0, 0},
    [';'] = {TOKEN_SEMICOLON, 0, 0, 0},
    ['~'] = {TOKEN_TILDE, 0, 0, 0},
    [':'] = {TOKEN_COLON, TOKEN_WALRUS, 0, 0},
    ['<'] = {TOKEN_LESS, TOKEN_LESS_EQUAL, TOKEN_DOUBLE_LESS, TOKEN_DOUBLE_LESS_EQUAL},
    ['>'] = {TOKEN_MORE, TOKEN_MORE_EQUAL, TOKEN_DOUBLE_MORE, TOKEN_DOUBLE_MORE_EQUAL},
    ['*'] = {TOKEN_STAR, TOKEN_STAR_EQUAL, TOKEN_DOUBLE_STAR, TOKEN_DOUBLE_STAR_EQUAL},
    ['+'] = {TOKEN_PLUS, TOKEN_PLUS_EQUAL, 0, 0},
    ['-'] = {TOKEN_MINUS, TOKEN_MINUS_EQUAL, 0, 0},
    ['&'] = {TOKEN_AMPERSAND, TOKEN_AMPERSAND_EQUAL, 0, 0},
    ['|'] = {TOKEN_PIPE, TOKEN_PIPE_EQUAL, 0, 0},
    ['/'] = {TOKEN_SLASH, TOKEN_SLASH_EQUAL, TOKEN_DOUBLE_SLASH, TOKEN_DOUBLE_SLASH_EQUAL},
    ['%'] = {TOKEN_PERCENT, TOKEN_PERCENT_EQUAL, 0, 0},
    ['^'] = {TOKEN_CARET, TOKEN_CARET_EQUAL, 0, 0},
    ['@'] = {TOKEN_AT, TOKEN_AT_EQUAL, 0, 0},
    ['='] = {TOKEN_EQUAL, TOKEN_DOUBLE_EQUAL, 0, 0},
};

static void lexer_take(struct lexer *lx, unsigned n, enum token kind)
{
    lx->kind = kind;
    while (n--) {
        lx->p++; // never a line end
        lexer_pop(lx);
    }
}

// Operators that do not follow the pattern.
static void lexer_special(struct lexer *lx, uint8_t c)
{
    uint8_t next = lexer_peek(lx, 1);
    if (c == '!' && next == '=') {
        lexer_take(lx, 2, TOKEN_NOT_EQUAL);
    } else if (c == '.' && next == '.' && lexer_peek(lx, 2) == '.') {
        lexer_take(lx, 3, TOKEN_ELLIPSIS);
    } else if (c == '.') {
        lexer_take(lx, 1, TOKEN_PERIOD);
    } else {
        lexer_take(lx, 1, TOKEN_INVALID);
    }
}

static void lexer_operator(struct lexer *lx)
{
    uint8_t c = *lx->p;
    const struct lexer_operator *op = &lexer_operators[c & 0x7f];
    if (c >= 0x80 || !op->one) {
        lexer_special(lx, c);
        return;
    }
    if (!op->equal) {
        lexer_take(lx, 1, op->one);
        bool open = c == '(' || c == '[' || c == '{';
        bool close = c == ')' || c == ']' || c == '}';
        lx->brackets += open - close;
        return;
    }
    uint8_t next = lexer_peek(lx, 1);
    if (op->two && next == c) {
        bool equal = lexer_peek(lx, 2) == '=';
        lexer_take(lx, 2 + equal, equal ? op->two_equal : op->two);
    } else if (c == '-' && next == '>') {
        lexer_take(lx, 2, TOKEN_ARROW);
    } else {
        bool equal = next == '=';
        lexer_take(lx, 1 + equal, equal ? op->equal : op->one);
    }
}

static void lexer_newline(struct lexer *lx)
{
    const uint8_t *from = lx->outer ? lx->p : lx->u->text;
    lx->kind = TOKEN_NEWLINE;
    if (lx->u->release->newline_position) {
        lexer_skip(lx, false);
    }
    lexer_dent(lx, lexer_indent(lx, from));
}

static void lexer_token(struct lexer *lx)
{
    unsigned class = lexer_class[*lx->p];
    if ((class & LEXER_STRING) && lexer_is_string(lx)) {
        lexer_string(lx);
    } else if (class & LEXER_ALPHA) {
        lexer_name(lx);
    } else if ((class & LEXER_DIGIT) ||
               (*lx->p == '.' && lexer_is(lexer_peek(lx, 1), LEXER_DIGIT))) {
        lexer_number(lx);
    } else {
        lexer_operator(lx);
    }
}

void lexer_next(struct lexer *lx)
{
    if (lx->arguments.n && !lx->injecting) {
        lexer_start_call(lx);
    }
    bool position = lx->u->release->newline_position;
    bool newline = !lexer_skip_quickly(lx) && lexer_skip(lx, position);
    if (!position) {
        newline = newline && lx->brackets == 0;
    }
    lx->token_line = lx->line;
    if (!lx->outer) {
        lx->token_at = lx->p;
    }
    if (lx->dents < 0) {
        lx->kind = TOKEN_DEDENT;
        lx->dents++;
    } else if (lx->dents > 0) {
        lx->kind = TOKEN_INDENT;
        lx->dents--;
    } else if (newline) {
        lexer_newline(lx);
    } else if (lexer_at_end(lx)) {
        lx->kind = TOKEN_END;
    } else {
        lexer_token(lx);
    }
}

void lexer_init(struct lexer *lx, struct unit *u)
{
    *lx = (struct lexer){.u = u, .p = u->text, .end = u->text + u->size, .line = 1};
    words_push(u, &lx->indents, 0);
    lexer_next(lx);
    bool exempt = u->release->newline_position && lx->kind == TOKEN_NEWLINE;
    size_t column = 0;
    for (const uint8_t *p = lx->token_at; p > u->text && p[-1] != '\n'; p--) {
        column++;
    }
    if (column && !exempt) {
        lx->kind = TOKEN_INDENT;
    }
}

void lexer_free(struct lexer *lx)
{
    words_free(lx->u, &lx->indents);
    text_free(lx->u, &lx->buffer);
    text_free(lx->u, &lx->arguments);
}
