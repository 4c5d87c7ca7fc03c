// String and bytes literals, and the rewriting of f-strings and t-strings: 'a{b}' becomes
// 'a{}'.format((b)), and t'a{b!r:c}' becomes __template__(('a','',),(b),'b','r','c',). The text of
// the call is put in front of the rest of the source.
//
// Facts: MicroPython py/lexer.c, releases 1.19 to 1.29.
#include <string.h>

#include "packer/compiler/lexer.h"

enum {
    // Rewriting may repeat the text once for each level of nesting; beyond this the script is made
    // to hurt.
    STRING_INJECT_FACTOR = 64,
    STRING_INJECT_FREE = 1 << 14,
    STRING_CALLS = 4096,        // bytes of room for calls that strings become
    STRING_TEMPLATE_ARGS = 255, // a call has at most this many; upstream then passes a tuple
};

struct literal {
    struct lexer *lx;
    uint8_t quote;
    unsigned quotes, closing; // quotes of its delimiter, and of it found at the end
    bool raw, format, template;
    unsigned interpolations;
    unsigned nesting;   // of braces in the format specification of a template, 0 = not in one
    bool nested_format; // that specification is a format string of its own
    size_t spec_at;     // where it begins in the buffer
};

static bool string_is_quote(uint8_t c)
{
    return c == '\'' || c == '"';
}

// A prefix of two letters: r with b, f or t, in either order.
static bool string_is_pair(const struct lexer *lx, uint8_t a, uint8_t b)
{
    if (b == 'r') {
        uint8_t swap = a;
        a = b;
        b = swap;
    }
    return a == 'r' && (b == 'b' || b == 'f' || (b == 't' && lx->u->release->tstrings));
}

bool lexer_is_string(const struct lexer *lx)
{
    uint8_t c = *lx->p;
    if (string_is_quote(c)) {
        return !lexer_at_end(lx);
    }
    if (!(lexer_class[c] & LEXER_STRING) || (c == 't' && !lx->u->release->tstrings)) {
        return false;
    }
    uint8_t next = lexer_peek(lx, 1);
    return string_is_quote(next) ||
           (string_is_pair(lx, c, next) && string_is_quote(lexer_peek(lx, 2)));
}

// While arguments is being lexed (until 1.27) it may move and grow.
static void string_argument(struct lexer *lx, const void *s, size_t n)
{
    size_t at = lx->injecting ? (size_t)((const char *)lx->p - lx->arguments.at) : 0;
    lx->injected += n;
    if (lx->injected / STRING_INJECT_FACTOR > lx->u->size + STRING_INJECT_FREE) {
        unit_raise(lx->u, "MemoryError", lexer_place(lx), "f-strings nested too deeply");
    }
    text_reserve(lx->u, &lx->arguments, n + UNIT_TEXT_PAD);
    text_put(lx->u, &lx->arguments, s, n);
    memset(lx->arguments.at + lx->arguments.n, 0, UNIT_TEXT_PAD);
    if (lx->injecting) {
        lx->p = (const uint8_t *)lx->arguments.at + at;
        lx->end = (const uint8_t *)lx->arguments.at + lx->arguments.n;
    }
}

static void string_argument_byte(struct lexer *lx, uint8_t c)
{
    string_argument(lx, &c, 1);
}

static void string_byte(struct literal *l, uint8_t c)
{
    text_byte(l->lx->u, &l->lx->buffer, c);
}

static void string_bytes(struct literal *l, uint8_t c, unsigned n)
{
    while (n--) {
        string_byte(l, c);
    }
}

static void string_char(struct literal *l, uint32_t c)
{
    if (c < 0x80) {
        string_byte(l, (uint8_t)c);
        return;
    }
    if (c < 0x800) {
        string_byte(l, (uint8_t)(0xc0 | c >> 6));
    } else if (c < 0x10000) {
        string_byte(l, (uint8_t)(0xe0 | c >> 12));
        string_byte(l, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    } else {
        string_byte(l, (uint8_t)(0xf0 | c >> 18));
        string_byte(l, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        string_byte(l, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    }
    string_byte(l, (uint8_t)(0x80 | (c & 0x3f)));
}

static int string_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Leaves the lexer at the last digit.
static uint32_t string_hex(struct lexer *lx, unsigned digits)
{
    uint32_t v = 0;
    while (digits--) {
        lexer_advance(lx);
        int d = string_hex_digit(*lx->p);
        if (d < 0) {
            lx->kind = TOKEN_INVALID;
            return 0;
        }
        v = v << 4 | (uint32_t)d;
    }
    return v;
}

static uint32_t string_octal(struct lexer *lx)
{
    uint32_t v = *lx->p - '0';
    for (unsigned i = 0; i < 2; i++) {
        uint8_t next = lexer_peek(lx, 1);
        if (next < '0' || next > '7') {
            break;
        }
        lexer_advance(lx);
        v = v * 8 + (next - '0');
    }
    return v;
}

static uint32_t string_escape_hex(struct literal *l, uint8_t c)
{
    if (c != 'x' && l->lx->kind == TOKEN_BYTES) {
        string_byte(l, '\\'); // \u and \U mean nothing in bytes
        return c;
    }
    return string_hex(l->lx, c == 'x' ? 2 : c == 'u' ? 4 : 8);
}

// The character that c escapes; unknown escapes keep their backslash.
static uint32_t string_escaped(struct literal *l, uint8_t c)
{
    static const char simple[] = "\\\\''\"\"a\ab\bt\tn\nv\vf\fr\r";
    for (const char *s = simple; *s; s += 2) {
        if ((uint8_t)*s == c) {
            return (uint8_t)s[1];
        }
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        return string_escape_hex(l, c);
    }
    if (c == 'N') {
        unit_raise(l->lx->u, "NotImplementedError", lexer_place(l->lx), "unicode name escapes");
    }
    if (c >= '0' && c <= '7') {
        return string_octal(l->lx);
    }
    string_byte(l, '\\');
    return c;
}

// At a backslash.
static void string_escape(struct literal *l)
{
    struct lexer *lx = l->lx;
    lexer_advance(lx);
    uint32_t c = *lx->p;
    if (l->raw) {
        string_byte(l, '\\');
    } else if (c == '\n') {
        return;
    } else {
        c = string_escaped(l, (uint8_t)c);
    }
    if (c < 0x110000 && lx->kind == TOKEN_STRING) {
        string_char(l, c); // also a byte of UTF-8 after a backslash, as upstream has it
    } else if (c < 0x100 && lx->kind == TOKEN_BYTES) {
        string_byte(l, (uint8_t)c);
    } else {
        lx->kind = TOKEN_INVALID;
    }
}

static bool string_ends_expression(const struct lexer *lx)
{
    uint8_t c = *lx->p;
    if (c == ':' || c == '}') {
        return true;
    }
    if (c != '!' || !lx->u->release->fstring_conversion) {
        return false;
    }
    uint8_t one = lexer_peek(lx, 1), two = lexer_peek(lx, 2);
    return (one == 'r' || one == 's') && (two == ':' || two == '}');
}

// Moves the expression to the arguments. Only brackets are counted: upstream does not parse here.
static void string_expression(struct lexer *lx)
{
    unsigned level = 0;
    while (!lexer_at_end(lx) && (level != 0 || !string_ends_expression(lx))) {
        uint8_t c = *lx->p;
        if (c == '[' || c == '{') {
            level++;
        } else if (c == ']' || c == '}') {
            level--;
        }
        string_argument_byte(lx, c);
        lexer_advance(lx);
    }
}

// The expression again as a string, for the template: arguments[from] up to its closing ",)".
static void string_expression_text(struct literal *l, size_t from)
{
    struct lexer *lx = l->lx;
    size_t n = lx->arguments.n - from - 2;
    string_argument_byte(lx, l->quote);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)lx->arguments.at[from + i];
        if (c == l->quote || c == '\\') {
            string_argument_byte(lx, '\\');
        }
        string_argument_byte(lx, c);
    }
    string_argument_byte(lx, l->quote);
    string_argument_byte(lx, ',');
}

static void string_conversion(struct literal *l, bool debug)
{
    struct lexer *lx = l->lx;
    if (*lx->p == '!') {
        lexer_advance(lx);
        uint8_t text[] = {l->quote, *lx->p, l->quote, ','};
        string_argument(lx, text, sizeof text);
        lexer_advance(lx);
    } else if (debug && *lx->p != ':') {
        string_argument(lx, "'r',", 4);
    } else {
        string_argument(lx, "None,", 5);
    }
}

// After an expression of a template: its other arguments, and the start of the specification.
static void string_interpolation(struct literal *l, size_t from, bool debug)
{
    struct lexer *lx = l->lx;
    string_expression_text(l, from);
    string_bytes(l, l->quote, l->quotes);
    string_byte(l, ',');
    string_bytes(l, l->quote, l->quotes);
    string_conversion(l, debug);
    if (*lx->p == ':') {
        lexer_advance(lx);
    }
    l->nesting = 1;
    l->spec_at = lx->buffer.n;
}

static void string_trim_argument(struct lexer *lx)
{
    struct text *a = &lx->arguments;
    while (a->n && (lexer_class[(uint8_t)a->at[a->n - 1]] & LEXER_SPACE)) {
        a->n--;
    }
}

static void string_replacement(struct literal *l)
{
    struct lexer *lx = l->lx;
    struct text *a = &lx->arguments;
    const struct compiler_release *release = lx->u->release;
    if (release->fstring_parens) {
        string_argument_byte(lx, '(');
    }
    size_t from = a->n;
    string_expression(lx);
    bool debug = a->n && a->at[a->n - 1] == '=';
    if (debug) {
        text_put(lx->u, &lx->buffer, a->at + from, a->n - from);
        a->n--;
    }
    if (l->template) {
        string_trim_argument(lx);
    }
    if (release->fstring_in_place && a->n == from) {
        lx->kind = TOKEN_FSTRING_MALFORMED;
    }
    string_argument(lx, "),", release->fstring_parens ? 2 : 0);
    if (!release->fstring_parens) {
        string_argument_byte(lx, ',');
    }
    if (l->template) {
        string_interpolation(l, from, debug);
    }
}

// At an opening brace: {{ or {expression.
static void string_brace(struct literal *l)
{
    lexer_advance(l->lx);
    if (*l->lx->p == '{') {
        if (!l->template) {
            string_byte(l, '{'); // str.format makes one of the two
        }
        lexer_advance(l->lx);
    } else {
        string_replacement(l);
    }
    string_byte(l, '{');
}

// A closing brace in the specification of a template.
static void string_end_specification(struct literal *l)
{
    struct lexer *lx = l->lx;
    if (--l->nesting > 0) {
        l->nested_format = true;
        string_byte(l, '}');
        return;
    }
    l->interpolations++;
    if (l->nested_format) {
        string_argument_byte(lx, 'f');
        l->nested_format = false;
    }
    string_argument_byte(lx, l->quote);
    size_t n = lx->buffer.n - l->spec_at;
    if (n > 1) {
        string_argument(lx, lx->buffer.at + l->spec_at + 1, n - 1);
    }
    lx->buffer.n = l->spec_at;
    string_argument_byte(lx, l->quote);
    string_argument_byte(lx, ',');
}

// A character of a template that is not a quote, a line's end or an expression.
static void string_template_char(struct literal *l)
{
    struct lexer *lx = l->lx;
    uint8_t c = *lx->p;
    if (c == '\\') { // read again when the call is lexed
        string_byte(l, '\\');
        if (l->raw) {
            string_byte(l, '\\');
        } else {
            lexer_advance(lx);
            string_byte(l, *lx->p);
        }
    } else if (l->nesting && c == '}') {
        string_end_specification(l);
    } else {
        string_byte(l, c);
        if (c == '}' && lexer_peek(lx, 1) == '}') {
            lexer_advance(lx);
        } else if (c == '}') {
            lx->kind = TOKEN_FSTRING_MALFORMED;
        }
    }
}

// A character that is not a quote; the lexer stays at its last byte. False: at the next already.
static bool string_plain_char(struct literal *l)
{
    struct lexer *lx = l->lx;
    while ((l->format || l->template) && *lx->p == '{') {
        if (l->nesting) {
            l->nesting++;
            break;
        }
        string_brace(l);
        if (lx->u->release->fstring_in_place) {
            return false;
        }
    }
    if (l->template) {
        string_template_char(l);
    } else if (*lx->p == '\\') {
        string_escape(l);
    } else {
        string_byte(l, *lx->p);
    }
    return true;
}

// Bytes that may mean something else than themselves inside a literal.
static const bool string_special[256] = {
    [0] = true,    ['\n'] = true, ['\''] = true, ['"'] = true,
    ['\\'] = true, ['{'] = true,  ['}'] = true,
};

// Bytes that mean themselves, many at once.
static void string_run(struct literal *l)
{
    struct lexer *lx = l->lx;
    const uint8_t *start = lx->p;
    while (!string_special[*lx->p]) {
        lx->p++;
    }
    if (lx->p > start) {
        l->closing = 0;
        text_put(lx->u, &lx->buffer, start, (size_t)(lx->p - start));
        lx->p--; // pops the input if that was its last byte
        lexer_advance(lx);
    }
}

static void string_body(struct literal *l)
{
    struct lexer *lx = l->lx;
    for (;;) {
        if (l->closing < l->quotes) {
            string_run(l);
        }
        uint8_t c = *lx->p;
        if (lexer_at_end(lx) || (l->quotes == 1 && c == '\n') || l->closing >= l->quotes) {
            return;
        }
        if (c == l->quote) {
            l->closing++;
            string_byte(l, c);
            lexer_advance(lx);
        } else if (l->template && c == '\n') {
            string_byte(l, '\\');
            string_byte(l, 'n');
            lexer_advance(lx);
        } else {
            l->closing = 0;
            if (string_plain_char(l) && !lexer_at_end(lx)) {
                lexer_advance(lx);
            }
        }
    }
}

static void string_end_template(struct literal *l)
{
    struct lexer *lx = l->lx;
    if (l->nesting > 0) {
        lx->kind = TOKEN_FSTRING_MALFORMED;
    }
    if (1 + l->interpolations * 4 > STRING_TEMPLATE_ARGS) {
        text_insert(lx->u, &lx->arguments, 0, "(", 1);
        string_argument_byte(lx, ')');
    }
}

// Reads a literal from its quotes on, appending to the buffer.
static void string_literal(struct lexer *lx, bool raw, bool format, bool template)
{
    struct literal l = {
        .lx = lx, .quote = *lx->p, .quotes = 1, .raw = raw, .format = format, .template = template};
    lexer_advance(lx);
    if (*lx->p == l.quote && lexer_peek(lx, 1) == l.quote) {
        lexer_advance(lx);
        lexer_advance(lx);
        l.quotes = 3;
    }
    if (format && (lx->arguments.n == 0 || !lx->u->release->fstring_raw)) {
        string_argument(lx, ".format(", 8);
    }
    if (template && lx->arguments.n == 0) {
        string_bytes(&l, '(', 2);
        string_bytes(&l, l.quote, l.quotes);
    }
    string_body(&l);
    if (l.closing < l.quotes) {
        lx->kind = TOKEN_STRING_OPEN;
    }
    if (template) {
        string_end_template(&l);
    } else {
        lx->buffer.n -= l.closing;
    }
}

// A literal whose text is in the source as it is. False: not such a literal, nothing was read.
static bool string_slice(struct lexer *lx)
{
    const uint8_t *p = lx->p;
    uint8_t quote = *p;
    bool triple = p[1] == quote && p[2] == quote;
    p += triple ? 3 : 1;
    const uint8_t *start = p;
    uint32_t lines = 0;
    for (;; p++) {
        while (!string_special[*p]) {
            p++;
        }
        if (*p == quote && (!triple || (p[1] == quote && p[2] == quote))) {
            break;
        }
        if (*p == '\\' || p == lx->end || (*p == '\n' && !triple)) {
            return false;
        }
        lines += *p == '\n';
    }
    lx->text = start;
    lx->len = (uint32_t)(p - start);
    lx->line += lines;
    lx->p = p + (triple ? 3 : 1);
    return true;
}

struct string_prefix {
    enum token kind;
    bool raw, format, template;
    unsigned n;
};

static struct string_prefix string_prefix(const struct lexer *lx)
{
    struct string_prefix s = {.kind = TOKEN_STRING};
    for (; s.n < 2; s.n++) {
        switch (lexer_peek(lx, s.n)) {
        case 'b':
            s.kind = TOKEN_BYTES;
            break;
        case 'r':
            s.raw = true;
            break;
        case 'f':
            s.format = true;
            break;
        case 't':
            s.template = true;
            break;
        case 'u':
            break;
        default:
            return s;
        }
    }
    return s;
}

static void string_push(struct lexer *lx, const uint8_t *p, size_t n)
{
    struct lexer_input *in = lx->spare;
    if (in) {
        lx->spare = in->outer;
    } else {
        in = arena_alloc(&lx->u->work, sizeof *in);
    }
    *in = (struct lexer_input){lx->p, lx->end, lx->outer};
    lx->outer = in;
    lx->p = p;
    lx->end = p + n;
}

// The bytes of a call are signed to upstream, where -1 is the end of the source. It puts a line end
// in front of that if there is none, instead of the byte; else the source ends here.
static void string_end_at_minus_one(struct lexer *lx)
{
    struct text *t = &lx->arguments;
    for (char *p; (p = memchr(t->at, 0xff, t->n)); *p = '\n') {
        if (p[-1] == '\n') {
            t->n = (size_t)(p - t->at);
            lx->p = lx->end;
        }
    }
}

void lexer_start_call(struct lexer *lx)
{
    string_argument_byte(lx, ')');
    const uint8_t *p = (const uint8_t *)lx->arguments.at;
    const uint8_t *nul = memchr(p, 0, lx->arguments.n);
    if (nul) {
        lx->arguments.n = (size_t)(nul - p); // to upstream a NUL is the end of the call
    }
    string_end_at_minus_one(lx);
    string_push(lx, p, lx->arguments.n);
    lx->injecting = lx->arguments.n;
}

// A copy that stays, as strings may point into it, with a NUL at its end. What may be looked at
// beyond that is there, whatever it is.
static const uint8_t *string_keep(struct lexer *lx, const char *text, size_t n)
{
    if (lx->calls_left < n + UNIT_TEXT_PAD) {
        lx->calls_left = n + UNIT_TEXT_PAD > STRING_CALLS ? n + UNIT_TEXT_PAD : STRING_CALLS;
        lx->calls = arena_calloc(&lx->u->work, lx->calls_left, 1);
    }
    uint8_t *copy = lx->calls;
    memcpy(copy, text, n);
    copy[n] = 0;
    lx->calls += n + 1;
    lx->calls_left -= n + 1;
    return copy;
}

static void string_end_source(struct lexer *lx)
{
    lx->p = lx->end;
    for (struct lexer_input *in = lx->outer; in; in = in->outer) {
        in->p = in->end;
    }
}

// Since 1.28 the call is read as the source is. Escapes can have put a CR there, which is a line
// end, with or without LF; or a NUL, the end of the source, which gets a line end if there is none
// in front of it. Upstream's look-ahead takes the first bytes as they are.
static size_t string_read_again(struct lexer *lx, char *s, size_t n)
{
    enum { PLAIN_CR = 2, PLAIN = 3 };
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (c == 0 && (i < PLAIN || s[to - 1] == '\n')) {
            string_end_source(lx);
            break;
        }
        if (c == '\r' && i >= PLAIN_CR) {
            c = '\n';
            i += i + 1 < n && s[i + 1] == '\n';
        }
        s[to++] = c ? c : '\n';
    }
    return to;
}

// Upstream ends a source with a line end if it has none; at the end of the source, inside brackets,
// the call is what comes last and gets it.
static void string_inject(struct lexer *lx)
{
    string_argument_byte(lx, ')');
    if (lexer_at_end(lx)) {
        string_argument_byte(lx, '\n');
    }
    size_t n = string_read_again(lx, lx->arguments.at, lx->arguments.n);
    const uint8_t *copy = string_keep(lx, lx->arguments.at, n);
    lx->arguments.n = 0;
    string_push(lx, copy, n);
}

static void string_finish_template(struct lexer *lx)
{
    static const char name[] = "__template__";
    struct unit *u = lx->u;
    text_put(u, &lx->buffer, ",),", 3);
    text_reserve(u, &lx->arguments, lx->buffer.n + UNIT_TEXT_PAD);
    text_insert(u, &lx->arguments, 0, lx->buffer.at, lx->buffer.n);
    if (lx->kind < TOKEN_INVALID) {
        lx->kind = TOKEN_NAME;
        lx->name = name_intern(u, name, sizeof name - 1);
    }
}

// Adjacent literals are one token.
void lexer_string(struct lexer *lx)
{
    bool template = false, sliced = false;
    lx->kind = TOKEN_END;
    lx->buffer.n = 0;
    do {
        struct string_prefix s = string_prefix(lx);
        if (s.raw && s.format && !lx->u->release->fstring_raw) {
            lx->kind = TOKEN_FSTRING_RAW;
            break;
        }
        template |= s.template;
        bool first = lx->kind == TOKEN_END;
        if (first) {
            lx->kind = s.kind;
        } else if (lx->kind != s.kind) {
            break;
        }
        for (; s.n; s.n--) {
            lexer_advance(lx);
        }
        if (first && !s.format && !s.template && !lx->outer && string_slice(lx)) {
            sliced = true;
        } else {
            if (sliced) {
                text_put(lx->u, &lx->buffer, lx->text, lx->len);
                sliced = false;
            }
            string_literal(lx, s.raw, s.format, s.template);
        }
        lexer_skip(lx, true);
    } while (lexer_is_string(lx));
    if (template) {
        string_finish_template(lx);
    }
    if (!sliced) {
        lx->text = (const uint8_t *)lx->buffer.at;
        lx->len = (uint32_t)lx->buffer.n;
    }
    if (lx->arguments.n && lx->u->release->fstring_in_place) {
        string_inject(lx);
    }
}
