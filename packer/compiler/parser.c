// Facts: MicroPython py/parse.c, releases 1.19 to 1.29.
#include "packer/compiler/parser.h"

#include <string.h>

enum { PARSER_FIRST_FRAMES = 128 };

noreturn void parser_syntax_error(struct parser *ps)
{
    const struct lexer *lx = &ps->lexer;
    const char *type = "SyntaxError", *text = "invalid syntax";
    switch (lx->kind) {
    case TOKEN_INDENT:
        type = "IndentationError";
        text = "unexpected indent";
        break;
    case TOKEN_DEDENT_MISMATCH:
        type = "IndentationError";
        text = "unindent doesn't match any outer indent level";
        break;
    case TOKEN_FSTRING_MALFORMED:
        text = "malformed f-string";
        break;
    case TOKEN_FSTRING_RAW:
        text = "raw f-strings are not supported";
        break;
    default:
        break;
    }
    unit_error(ps->u, type, parser_place(ps), 0, "%s", text);
}

void parser_push(struct parser *ps, node n)
{
    words_push(ps->u, &ps->results, n);
}

static noreturn void parser_number_error(struct parser *ps, const char *text)
{
    unit_error(ps->u, "SyntaxError", parser_place(ps), 0, "%s", text);
}

// Decimal ints of up to 18 digits, the common case.
static bool parser_plain_int(const struct lexer *lx, int64_t *v)
{
    if (lx->len > 18 || (lx->text[0] == '0' && lx->len > 1)) {
        return false;
    }
    *v = 0;
    for (uint32_t i = 0; i < lx->len; i++) {
        if (lx->text[i] < '0' || lx->text[i] > '9') {
            return false;
        }
        *v = *v * 10 + (lx->text[i] - '0');
    }
    return true;
}

static node parser_int(struct parser *ps)
{
    struct unit *u = ps->u;
    const struct lexer *lx = &ps->lexer;
    struct value v = {.kind = VALUE_INT};
    if (!parser_plain_int(lx, &v.i)) {
        struct number n;
        const char *error =
            number_read_int(&u->release->numbers, (const char *)lx->text, lx->len, &u->work, &n);
        if (error) {
            parser_number_error(ps, error);
        }
        v = value_of_number(u, &n);
    }
    return node_new_value(u, ps->ast, lx->token_line, v);
}

static node parser_float(struct parser *ps)
{
    struct unit *u = ps->u;
    const struct lexer *lx = &ps->lexer;
    struct number n;
    const char *error =
        number_read_float(&u->release->numbers, (const char *)lx->text, lx->len, &u->work, &n);
    if (error) {
        parser_number_error(ps, error);
    }
    return node_new_const(u, ps->ast, lx->token_line, value_of_number(u, &n));
}

// Long strings are constants unless somebody has interned the same text before.
static node parser_string(struct parser *ps)
{
    struct unit *u = ps->u;
    const struct lexer *lx = &ps->lexer;
    const char *text = (const char *)lx->text;
    uint32_t id = lx->len <= NAMES_SHORT ? name_intern(u, text, lx->len)
                                         : name_find(&u->names, text, lx->len);
    if (id) {
        return node_leaf(NODE_TAG_STRING, id);
    }
    struct value v = {.kind = VALUE_STR, .len = lx->len};
    v.data = text == lx->buffer.at ? arena_dup(&u->work, text, lx->len) : lx->text;
    return node_new_const(u, ps->ast, lx->token_line, v);
}

static node parser_bytes(struct parser *ps)
{
    struct unit *u = ps->u;
    const struct lexer *lx = &ps->lexer;
    struct value v = {.kind = VALUE_BYTES, .len = lx->len};
    bool own = (const char *)lx->text == lx->buffer.at;
    v.data = own && lx->len ? arena_dup(&u->work, lx->text, lx->len) : lx->text;
    return node_new_const(u, ps->ast, lx->token_line, v);
}

// Atoms that const() has named are their value; upstream keeps None and the like as objects then.
static node parser_name(struct parser *ps, bool is_atom)
{
    struct unit *u = ps->u;
    uint32_t id = ps->lexer.name;
    if (!id) {
        unit_raise(u, "RuntimeError", parser_place(ps), "name too long");
    }
    uint32_t constant = name_at(&u->names, id)->constant;
    if (is_atom && constant) {
        struct value v = u->values.at[constant - 1];
        return node_new_value(u, ps->ast, ps->lexer.token_line, v);
    }
    return node_leaf(NODE_TAG_ID, id);
}

void parser_push_token(struct parser *ps, bool is_atom)
{
    switch (ps->lexer.kind) {
    case TOKEN_NAME:
        parser_push(ps, parser_name(ps, is_atom));
        break;
    case TOKEN_INTEGER:
        parser_push(ps, parser_int(ps));
        break;
    case TOKEN_FLOAT:
        parser_push(ps, parser_float(ps));
        break;
    case TOKEN_STRING:
        parser_push(ps, parser_string(ps));
        break;
    case TOKEN_BYTES:
        parser_push(ps, parser_bytes(ps));
        break;
    default:
        parser_push(ps, node_leaf(NODE_TAG_TOKEN, ps->lexer.kind));
        break;
    }
}

static void parser_grow(struct parser *ps)
{
    size_t cap = ps->cap ? ps->cap * 2 : PARSER_FIRST_FRAMES;
    ps->frames = arena_resize(&ps->u->work, ps->frames, cap * sizeof *ps->frames);
    ps->cap = cap;
}

struct parser_frame *parser_begin(struct parser *ps, unsigned rule)
{
    if (ps->n == ps->cap) {
        parser_grow(ps);
    }
    struct parser_frame *f = &ps->frames[ps->n++];
    *f = (struct parser_frame){
        .rule = (uint16_t)rule, .line = ps->lexer.token_line, .base = (uint32_t)ps->results.n};
    return f;
}

static bool parser_argument_fits(const struct parser *ps, unsigned arg)
{
    return arg & GRAMMAR_TOKEN_ARG ? (arg & ~GRAMMAR_TOKEN_ARG) == ps->lexer.kind
                                   : parser_at(ps, arg);
}

static unsigned parser_choose(struct parser *ps, const struct grammar_rule *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        if (parser_argument_fits(ps, r->args[i])) {
            return r->args[i];
        }
    }
    parser_syntax_error(ps);
}

void parser_enter(struct parser *ps, unsigned rule)
{
    while (rule < RULE_TABLE_END && grammar_rules[rule].shape == GRAMMAR_OR) {
        rule = parser_choose(ps, &grammar_rules[rule]);
    }
    if (rule & GRAMMAR_TOKEN_ARG) {
        parser_push_token(ps, false);
        lexer_next(&ps->lexer);
    } else if (rule <= RULE_EXPR) {
        expression_enter(ps, rule);
    } else {
        parser_begin(ps, rule);
    }
}

// Ends the rule on top of the stack.
static void parser_finish(struct parser *ps, const struct grammar_rule *r, uint32_t n)
{
    uint32_t line = parser_top(ps)->line;
    ps->n--;
    build(ps, (enum node_kind)r->node, line, n);
}

// A rule with one child that is there stands for it: the others are dropped.
static bool parser_collapse(struct parser *ps, uint32_t n)
{
    node *results = ps->results.at + ps->results.n - n;
    node only = NODE_NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (results[i] != NODE_NULL) {
            if (only != NODE_NULL) {
                return false;
            }
            only = results[i];
        }
    }
    if (only == NODE_NULL) {
        return false;
    }
    results[0] = only;
    ps->results.n -= n - 1;
    return true;
}

static void parser_and(struct parser *ps, const struct grammar_rule *r)
{
    struct parser_frame *f = parser_top(ps);
    while (f->i < r->n) {
        unsigned arg = r->args[f->i];
        bool fits = parser_argument_fits(ps, arg);
        if (!fits && !(r->optional >> f->i & 1)) {
            parser_syntax_error(ps);
        }
        f->i++;
        if (!fits) {
            parser_push(ps, NODE_NULL);
        } else if (arg & GRAMMAR_TOKEN_ARG) {
            if (ps->lexer.kind == TOKEN_NAME) {
                parser_push_token(ps, false);
            }
            lexer_next(&ps->lexer);
        } else {
            size_t depth = ps->n;
            parser_enter(ps, arg);
            if (ps->n != depth) {
                return;
            }
            f = parser_top(ps);
        }
    }
    uint32_t n = parser_results(ps, f);
    if (r->flags & GRAMMAR_IDENT && parser_collapse(ps, n)) {
        ps->n--;
        return;
    }
    parser_finish(ps, r, n);
}

static void parser_end_list(struct parser *ps, const struct grammar_rule *r)
{
    uint32_t n = parser_results(ps, parser_top(ps));
    if (n == 1 && !parser_top(ps)->trailing) {
        ps->n--; // a list of one is its item
    } else {
        parser_finish(ps, r, n);
    }
}

// True if the list has another item, which then is the current token.
static bool parser_list_goes_on(struct parser *ps, const struct grammar_rule *r)
{
    struct parser_frame *f = parser_top(ps);
    if (f->i == 0) {
        return true;
    }
    if (r->shape == GRAMMAR_REPEAT) {
        return parser_argument_fits(ps, r->args[0]);
    }
    if (!parser_argument_fits(ps, r->args[1])) {
        return false;
    }
    lexer_next(&ps->lexer);
    if (r->flags & GRAMMAR_TRAILING && !parser_argument_fits(ps, r->args[0])) {
        f->trailing = true;
        return false;
    }
    return true;
}

static void parser_list(struct parser *ps, const struct grammar_rule *r)
{
    size_t depth = ps->n;
    while (parser_list_goes_on(ps, r)) {
        unsigned item = r->args[0];
        parser_top(ps)->i = 1;
        if (!(item & GRAMMAR_TOKEN_ARG)) {
            parser_enter(ps, item);
        } else if (parser_argument_fits(ps, item)) {
            parser_push_token(ps, false);
            lexer_next(&ps->lexer);
        } else {
            parser_syntax_error(ps);
        }
        if (ps->n != depth) {
            return;
        }
    }
    parser_end_list(ps, r);
}

enum { PARSER_TARGET, PARSER_TAIL, PARSER_AUGMENTED, PARSER_STATEMENT };

// expr_stmt: targets [annotation | augmented assignment | assignments]
static void parser_expr_stmt(struct parser *ps)
{
    struct parser_frame *f = parser_top(ps);
    enum token t = parser_token(ps);
    switch (f->i) {
    case PARSER_TARGET:
        f->i = PARSER_TAIL;
        parser_enter(ps, RULE_STAR_TUPLE);
        return;
    case PARSER_TAIL:
        f->i = PARSER_STATEMENT;
        if (t == TOKEN_COLON) {
            parser_enter(ps, RULE_ANNASSIGN);
            return;
        }
        if (t == TOKEN_EQUAL) {
            parser_enter(ps, RULE_ASSIGN_LIST);
            return;
        }
        if (t >= TOKEN_PIPE_EQUAL && t <= TOKEN_DOUBLE_STAR_EQUAL) {
            f->i = PARSER_AUGMENTED;
            f->extra = ps->lexer.token_line;
            parser_push_token(ps, false);
            lexer_next(&ps->lexer);
            parser_enter(ps, RULE_ASSIGNED);
            return;
        }
        parser_push(ps, NODE_NULL);
        break;
    case PARSER_AUGMENTED:
        build(ps, NODE_AUGASSIGN, f->extra, 2);
        break;
    default:
        break;
    }
    parser_finish(ps, &grammar_rules[RULE_EXPR_STMT], 2);
}

static void parser_own(struct parser *ps, unsigned rule)
{
    if (rule == RULE_EXPR_STMT) {
        parser_expr_stmt(ps);
    } else {
        expression_items(ps, parser_top(ps));
    }
}

static void parser_run(struct parser *ps)
{
    while (ps->n) {
        unsigned rule = parser_top(ps)->rule;
        if (rule >= RULE_TABLE_END) {
            expression_resume(ps);
            continue;
        }
        const struct grammar_rule *r = &grammar_rules[rule];
        if (r->shape == GRAMMAR_AND) {
            parser_and(ps, r);
        } else if (r->shape == GRAMMAR_OWN) {
            parser_own(ps, rule);
        } else {
            parser_list(ps, r);
        }
    }
}

static void parser_file(struct parser *ps)
{
    uint32_t line = ps->lexer.token_line;
    if (parser_at(ps, RULE_FILE)) {
        parser_begin(ps, RULE_FILE);
        parser_run(ps);
    } else {
        parser_push(ps, NODE_NULL);
        build(ps, NODE_FILE, line, 1);
    }
    if (parser_token(ps) != TOKEN_END) {
        parser_syntax_error(ps);
    }
    ps->ast->root = parser_result(ps, 0);
}

void parse(struct unit *u, struct ast *ast)
{
    struct parser *ps = ARENA_NEW(&u->work, struct parser);
    ps->u = u;
    ps->ast = ast;
    lexer_init(&ps->lexer, u);
    parser_file(ps);
    lexer_free(&ps->lexer);
    words_free(u, &ps->results);
    arena_drop(&u->work, ps->frames);
}
