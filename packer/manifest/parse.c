// Tokens to the tree of a manifest: a recursive descent parser with one function a construct.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "packer/compiler/lexer.h"
#include "packer/manifest/tree.h"

enum {
    PARSE_DEPTH = 100, // nested brackets and blocks; the C stack bounds it
};

struct parser {
    struct unit u;
    struct lexer lx;
    struct arena *arena; // of the tree
    bool unsupported;
    unsigned depth;
};

struct items { // a list that grows
    unsigned n;
    struct tree **at;
};

static struct unit_place parse_place(const struct parser *p)
{
    return (struct unit_place){p->lx.token_line, p->lx.token_at};
}

static noreturn void parse_error(struct parser *p, const char *what)
{
    unit_error(&p->u, "SyntaxError", parse_place(p), 0, "%s", what);
}

static noreturn void parse_unsupported(struct parser *p, const char *what)
{
    p->unsupported = true;
    unit_error(&p->u, "unsupported in a manifest", parse_place(p), 0, "%s", what);
}

static bool parse_at(const struct parser *p, enum token t)
{
    return p->lx.kind == t;
}

static void parse_next(struct parser *p)
{
    lexer_next(&p->lx);
}

static bool parse_accept(struct parser *p, enum token t)
{
    if (!parse_at(p, t)) {
        return false;
    }
    parse_next(p);
    return true;
}

static void parse_expect(struct parser *p, enum token t)
{
    if (!parse_accept(p, t)) {
        parse_error(p, "invalid syntax");
    }
}

static uint32_t parse_column(const struct parser *p)
{
    const uint8_t *at = p->lx.token_at;
    uint32_t column = 1;
    while (at && at > p->u.text && at[-1] != '\n') {
        at--;
        column++;
    }
    return at ? column : 0;
}

// A node at the current token.
static struct tree *parse_new(struct parser *p, enum tree_kind kind)
{
    struct tree *t = ARENA_NEW(p->arena, struct tree);
    t->kind = kind;
    t->line = p->lx.token_line;
    t->column = parse_column(p);
    return t;
}

// A node where another one begins.
static struct tree *parse_like(struct parser *p, enum tree_kind kind, const struct tree *where)
{
    struct tree *t = ARENA_NEW(p->arena, struct tree);
    t->kind = kind;
    t->line = where->line;
    t->column = where->column;
    return t;
}

static void parse_push(struct parser *p, struct items *list, struct tree *t)
{
    list->at = arena_room(p->arena, list->at, list->n, sizeof(struct tree *));
    list->at[list->n++] = t;
}

static struct tree *parse_with(struct tree *t, const struct items *list)
{
    t->n = list->n;
    t->items = list->at;
    return t;
}

static const char *parse_name(struct parser *p)
{
    if (!parse_at(p, TOKEN_NAME)) {
        parse_error(p, "invalid syntax");
    }
    const struct name *n = name_at(&p->u.names, p->lx.name);
    const char *text = arena_strndup(p->arena, n->data, n->len);
    parse_next(p);
    return text;
}

static void parse_enter(struct parser *p)
{
    if (++p->depth > PARSE_DEPTH) {
        parse_unsupported(p, "nesting as deep as this");
    }
}

static struct tree *parse_expr(struct parser *p);
static struct tree *parse_block(struct parser *p);
static struct tree *parse_binary(struct parser *p, unsigned level);

// Atoms

// int and float tokens, without underscores
static struct tree *parse_number(struct parser *p)
{
    bool real = parse_at(p, TOKEN_FLOAT);
    struct tree *t = parse_new(p, real ? TREE_FLOAT : TREE_INT);
    char text[64], *end;
    size_t n = 0;
    for (uint32_t i = 0; i < p->lx.len && n < sizeof text - 1; i++) {
        if (p->lx.text[i] != '_') {
            text[n++] = (char)p->lx.text[i];
        }
    }
    text[n] = 0;
    bool prefixed = n > 2 && text[0] == '0' && strchr("oObB", text[1]);
    int base = !prefixed ? 0 : text[1] == 'o' || text[1] == 'O' ? 8 : 2;
    errno = 0;
    if (real) {
        t->real = strtod(text, &end);
    } else {
        bool zeros = strspn(text, "0") == n; // 00 is 0, 010 is no number
        t->number = strtoll(text + (prefixed ? 2 : 0), &end, zeros ? 10 : base);
    }
    if (errno || *end) {
        parse_unsupported(p, "this number");
    }
    parse_next(p);
    return t;
}

static struct tree *parse_string(struct parser *p)
{
    struct tree *t = parse_new(p, TREE_STR);
    t->text = arena_strndup(p->arena, (const char *)p->lx.text, p->lx.len);
    t->len = p->lx.len;
    parse_next(p);
    return t;
}

// target: NAME, or several separated by commas, in brackets or not
static struct tree *parse_target(struct parser *p)
{
    struct tree *first = parse_binary(p, 4);
    if (!parse_at(p, TOKEN_COMMA)) {
        return first;
    }
    struct items list = {0};
    parse_push(p, &list, first);
    while (parse_accept(p, TOKEN_COMMA) && !parse_at(p, TOKEN_IN)) {
        parse_push(p, &list, parse_binary(p, 4));
    }
    return parse_with(parse_like(p, TREE_TUPLE, first), &list);
}

// comp_for: 'for' targets 'in' or_test (comp_for | 'if' expression)*
static struct tree *parse_comp(struct parser *p, char result, struct tree *element,
                               struct tree *value)
{
    struct tree *t = parse_like(p, TREE_COMP, element);
    struct items clauses = {0};
    t->op = result;
    t->a = element;
    t->b = value;
    while (parse_at(p, TOKEN_FOR) || parse_at(p, TOKEN_IF)) {
        bool loop = parse_at(p, TOKEN_FOR);
        struct tree *clause = parse_new(p, loop ? TREE_COMP_FOR : TREE_COMP_IF);
        parse_next(p);
        if (loop) {
            clause->a = parse_target(p);
            parse_expect(p, TOKEN_IN);
            clause->b = parse_binary(p, 0);
        } else {
            clause->a = parse_binary(p, 0);
        }
        parse_push(p, &clauses, clause);
    }
    return parse_with(t, &clauses);
}

// item: expression | '*' expression
static struct tree *parse_item(struct parser *p)
{
    if (!parse_at(p, TOKEN_STAR)) {
        return parse_expr(p);
    }
    struct tree *t = parse_new(p, TREE_STAR);
    parse_next(p);
    t->a = parse_binary(p, 5);
    return t;
}

static struct tree *parse_paren(struct parser *p)
{
    struct tree *t = parse_new(p, TREE_TUPLE);
    struct items list = {0};
    parse_next(p);
    while (!parse_at(p, TOKEN_PAREN_CLOSE)) {
        parse_push(p, &list, parse_item(p));
        if (list.n == 1 && parse_at(p, TOKEN_FOR)) {
            struct tree *comp = parse_comp(p, 'l', list.at[0], NULL);
            parse_expect(p, TOKEN_PAREN_CLOSE);
            return comp;
        }
        if (list.n == 1 && parse_at(p, TOKEN_PAREN_CLOSE) && list.at[0]->kind != TREE_STAR) {
            parse_next(p);
            return list.at[0];
        }
        if (!parse_accept(p, TOKEN_COMMA)) {
            break;
        }
    }
    parse_expect(p, TOKEN_PAREN_CLOSE);
    return parse_with(t, &list);
}

static struct tree *parse_list(struct parser *p)
{
    struct tree *t = parse_new(p, TREE_LIST);
    struct items list = {0};
    parse_next(p);
    while (!parse_at(p, TOKEN_BRACKET_CLOSE)) {
        parse_push(p, &list, parse_item(p));
        if (list.n == 1 && parse_at(p, TOKEN_FOR)) {
            struct tree *comp = parse_comp(p, 'l', list.at[0], NULL);
            parse_expect(p, TOKEN_BRACKET_CLOSE);
            return comp;
        }
        if (!parse_accept(p, TOKEN_COMMA)) {
            break;
        }
    }
    parse_expect(p, TOKEN_BRACKET_CLOSE);
    return parse_with(t, &list);
}

// dict or set: '{' (key ':' value | item) ... '}'
static struct tree *parse_brace(struct parser *p)
{
    struct tree *t = parse_new(p, TREE_DICT);
    struct items list = {0};
    parse_next(p);
    while (!parse_at(p, TOKEN_BRACE_CLOSE)) {
        if (parse_at(p, TOKEN_DOUBLE_STAR)) {
            parse_unsupported(p, "** in a dict");
        }
        struct tree *key = parse_item(p), *value = NULL;
        t->kind = list.n ? t->kind : parse_at(p, TOKEN_COLON) ? TREE_DICT : TREE_SET;
        if (t->kind == TREE_DICT) {
            parse_expect(p, TOKEN_COLON);
            value = parse_expr(p);
        }
        if (list.n == 0 && parse_at(p, TOKEN_FOR)) {
            struct tree *comp = parse_comp(p, t->kind == TREE_DICT ? 'd' : 's', key, value);
            parse_expect(p, TOKEN_BRACE_CLOSE);
            return comp;
        }
        parse_push(p, &list, key);
        if (value) {
            parse_push(p, &list, value);
        }
        if (!parse_accept(p, TOKEN_COMMA)) {
            break;
        }
    }
    parse_expect(p, TOKEN_BRACE_CLOSE);
    return parse_with(t, &list);
}

static struct tree *parse_constant(struct parser *p, enum tree_kind kind)
{
    struct tree *t = parse_new(p, kind);
    parse_next(p);
    return t;
}

static struct tree *parse_atom(struct parser *p)
{
    switch (p->lx.kind) {
    case TOKEN_NAME: {
        struct tree *t = parse_new(p, TREE_NAME);
        t->text = parse_name(p);
        return t;
    }
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
        return parse_number(p);
    case TOKEN_STRING:
        return parse_string(p);
    case TOKEN_NONE:
        return parse_constant(p, TREE_NONE);
    case TOKEN_TRUE:
        return parse_constant(p, TREE_TRUE);
    case TOKEN_FALSE:
        return parse_constant(p, TREE_FALSE);
    case TOKEN_PAREN_OPEN:
        return parse_paren(p);
    case TOKEN_BRACKET_OPEN:
        return parse_list(p);
    case TOKEN_BRACE_OPEN:
        return parse_brace(p);
    case TOKEN_BYTES:
        parse_unsupported(p, "bytes");
    case TOKEN_ELLIPSIS:
        parse_unsupported(p, "...");
    case TOKEN_YIELD:
        parse_unsupported(p, "yield");
    case TOKEN_AWAIT:
        parse_unsupported(p, "await");
    default:
        parse_error(p, "invalid syntax");
    }
}

// argument: expression [comp_for] | NAME '=' expression | '*' expression | '**' expression
static struct tree *parse_argument(struct parser *p)
{
    if (parse_at(p, TOKEN_STAR) || parse_at(p, TOKEN_DOUBLE_STAR)) {
        struct tree *t = parse_new(p, parse_at(p, TOKEN_STAR) ? TREE_STAR : TREE_DOUBLE);
        parse_next(p);
        t->a = parse_expr(p);
        return t;
    }
    struct tree *e = parse_expr(p);
    if (parse_at(p, TOKEN_FOR)) {
        return parse_comp(p, 'l', e, NULL);
    }
    if (!parse_at(p, TOKEN_EQUAL)) {
        return e;
    }
    if (e->kind != TREE_NAME) {
        parse_error(p, "invalid syntax");
    }
    struct tree *t = parse_like(p, TREE_KEYWORD, e);
    parse_next(p);
    t->text = e->text;
    t->a = parse_expr(p);
    return t;
}

static struct tree *parse_call(struct parser *p, struct tree *function)
{
    struct tree *t = parse_like(p, TREE_CALL, function);
    struct items list = {0};
    bool keywords = false;
    parse_next(p);
    while (!parse_at(p, TOKEN_PAREN_CLOSE)) {
        struct tree *arg = parse_argument(p);
        bool named = arg->kind == TREE_KEYWORD || arg->kind == TREE_DOUBLE;
        if (keywords && !named && arg->kind != TREE_STAR) {
            parse_error(p, "positional argument follows keyword argument");
        }
        keywords = keywords || named;
        parse_push(p, &list, arg);
        if (!parse_accept(p, TOKEN_COMMA)) {
            break;
        }
    }
    parse_expect(p, TOKEN_PAREN_CLOSE);
    t->a = function;
    return parse_with(t, &list);
}

// subscript: expression | [expression] ':' [expression] [':' [expression]]
static struct tree *parse_subscript(struct parser *p)
{
    struct tree *slice = parse_new(p, TREE_SLICE);
    struct tree *first = parse_at(p, TOKEN_COLON) ? NULL : parse_expr(p);
    if (!parse_at(p, TOKEN_COLON)) {
        return first;
    }
    slice->a = first;
    parse_next(p);
    if (!parse_at(p, TOKEN_COLON) && !parse_at(p, TOKEN_BRACKET_CLOSE)) {
        slice->b = parse_expr(p);
    }
    if (parse_accept(p, TOKEN_COLON) && !parse_at(p, TOKEN_BRACKET_CLOSE)) {
        slice->c = parse_expr(p);
    }
    return slice;
}

// primary: atom ('.' NAME | '(' arguments ')' | '[' subscript ']')*
static struct tree *parse_primary(struct parser *p)
{
    struct tree *t = parse_atom(p);
    for (;;) {
        if (parse_at(p, TOKEN_PAREN_OPEN)) {
            t = parse_call(p, t);
        } else if (parse_at(p, TOKEN_PERIOD)) {
            struct tree *attr = parse_like(p, TREE_ATTR, t);
            parse_next(p);
            attr->a = t;
            attr->text = parse_name(p);
            t = attr;
        } else if (parse_at(p, TOKEN_BRACKET_OPEN)) {
            struct tree *index = parse_like(p, TREE_INDEX, t);
            parse_next(p);
            index->a = t;
            index->b = parse_subscript(p);
            parse_expect(p, TOKEN_BRACKET_CLOSE);
            t = index;
        } else {
            return t;
        }
    }
}

// Binary operators by level, loosest first: or, and, not, comparisons, | ^ & shifts + * unary **.
enum {
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARE,
    LEVEL_BIT_OR,
    LEVEL_BIT_XOR,
    LEVEL_BIT_AND,
    LEVEL_SHIFT,
    LEVEL_SUM,
    LEVEL_TERM,
    LEVEL_UNARY,
};

static char parse_operator(enum token t, unsigned level)
{
    static const struct {
        enum token token;
        unsigned level;
        char op;
    } operators[] = {
        {TOKEN_PIPE, LEVEL_BIT_OR, '|'},       {TOKEN_CARET, LEVEL_BIT_XOR, '^'},
        {TOKEN_AMPERSAND, LEVEL_BIT_AND, '&'}, {TOKEN_DOUBLE_LESS, LEVEL_SHIFT, 'L'},
        {TOKEN_DOUBLE_MORE, LEVEL_SHIFT, 'R'}, {TOKEN_PLUS, LEVEL_SUM, '+'},
        {TOKEN_MINUS, LEVEL_SUM, '-'},         {TOKEN_STAR, LEVEL_TERM, '*'},
        {TOKEN_SLASH, LEVEL_TERM, '/'},        {TOKEN_DOUBLE_SLASH, LEVEL_TERM, 'F'},
        {TOKEN_PERCENT, LEVEL_TERM, '%'},
    };
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (operators[i].token == t && operators[i].level == level) {
            return operators[i].op;
        }
    }
    return 0;
}

// A comparison operator, or -1; the token (or both words of it) is taken.
static int parse_comparison(struct parser *p)
{
    static const struct {
        enum token token;
        enum tree_compare compare;
    } operators[] = {
        {TOKEN_LESS, CMP_LT},       {TOKEN_MORE, CMP_GT},       {TOKEN_DOUBLE_EQUAL, CMP_EQ},
        {TOKEN_LESS_EQUAL, CMP_LE}, {TOKEN_MORE_EQUAL, CMP_GE}, {TOKEN_NOT_EQUAL, CMP_NE},
        {TOKEN_IN, CMP_IN},
    };
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (parse_accept(p, operators[i].token)) {
            return operators[i].compare;
        }
    }
    if (parse_accept(p, TOKEN_IS)) {
        return parse_accept(p, TOKEN_NOT) ? CMP_IS_NOT : CMP_IS;
    }
    if (parse_accept(p, TOKEN_NOT)) {
        parse_expect(p, TOKEN_IN);
        return CMP_NOT_IN;
    }
    return -1;
}

static struct tree *parse_compare(struct parser *p)
{
    struct tree *first = parse_binary(p, LEVEL_BIT_OR);
    struct items list = {0};
    uint8_t ops[PARSE_DEPTH];
    int op;
    parse_push(p, &list, first);
    while ((op = parse_comparison(p)) >= 0) {
        if (list.n >= PARSE_DEPTH) {
            parse_unsupported(p, "a comparison as long as this");
        }
        ops[list.n - 1] = (uint8_t)op;
        parse_push(p, &list, parse_binary(p, LEVEL_BIT_OR));
    }
    if (list.n == 1) {
        return first;
    }
    struct tree *t = parse_like(p, TREE_COMPARE, first);
    t->ops = arena_dup(p->arena, ops, list.n - 1);
    return parse_with(t, &list);
}

// unary: ('+' | '-' | '~') unary | primary ['**' unary]
static struct tree *parse_unary(struct parser *p)
{
    enum token k = p->lx.kind;
    if (k == TOKEN_PLUS || k == TOKEN_MINUS || k == TOKEN_TILDE) {
        struct tree *t = parse_new(p, TREE_UNARY);
        t->op = k == TOKEN_PLUS ? '+' : k == TOKEN_MINUS ? '-' : '~';
        parse_next(p);
        parse_enter(p);
        t->a = parse_unary(p);
        p->depth--;
        return t;
    }
    struct tree *base = parse_primary(p);
    if (!parse_accept(p, TOKEN_DOUBLE_STAR)) {
        return base;
    }
    struct tree *t = parse_like(p, TREE_BINARY, base);
    t->op = 'P';
    t->a = base;
    t->b = parse_unary(p);
    return t;
}

static struct tree *parse_logic(struct parser *p, unsigned level)
{
    enum token word = level == LEVEL_OR ? TOKEN_OR : TOKEN_AND;
    struct tree *left = parse_binary(p, level + 1);
    while (parse_at(p, word)) {
        struct tree *t = parse_like(p, level == LEVEL_OR ? TREE_OR : TREE_AND, left);
        parse_next(p);
        t->a = left;
        t->b = parse_binary(p, level + 1);
        left = t;
    }
    return left;
}

static struct tree *parse_not(struct parser *p)
{
    if (!parse_at(p, TOKEN_NOT)) {
        return parse_compare(p);
    }
    struct tree *t = parse_new(p, TREE_NOT);
    parse_next(p);
    parse_enter(p);
    t->a = parse_not(p);
    p->depth--;
    return t;
}

static struct tree *parse_binary(struct parser *p, unsigned level)
{
    if (level < LEVEL_NOT) {
        return parse_logic(p, level);
    }
    if (level == LEVEL_NOT) {
        return parse_not(p);
    }
    if (level == LEVEL_COMPARE) {
        return parse_compare(p);
    }
    if (level == LEVEL_UNARY) {
        return parse_unary(p);
    }
    struct tree *left = parse_binary(p, level + 1);
    char op;
    while ((op = parse_operator(p->lx.kind, level))) {
        struct tree *t = parse_like(p, TREE_BINARY, left);
        parse_next(p);
        t->op = op;
        t->a = left;
        t->b = parse_binary(p, level + 1);
        left = t;
    }
    return left;
}

// params: [NAME ['=' expression] | '*' NAME | '**' NAME] (',' ...)*, up to a closing token
static struct items parse_params(struct parser *p, enum token end, bool annotated)
{
    struct items list = {0};
    while (!parse_at(p, end)) {
        struct tree *t = parse_new(p, TREE_PARAM);
        t->op = parse_at(p, TOKEN_STAR) ? '*' : parse_at(p, TOKEN_DOUBLE_STAR) ? 'd' : 0;
        if (t->op) {
            parse_next(p);
        }
        if (t->op == '*' && parse_at(p, TOKEN_COMMA)) {
            parse_next(p); // what follows is keyword-only
            parse_push(p, &list, t);
            continue;
        }
        t->text = parse_name(p);
        if (annotated && parse_accept(p, TOKEN_COLON)) {
            parse_expr(p);
        }
        if (!t->op && parse_accept(p, TOKEN_EQUAL)) {
            t->a = parse_expr(p);
        }
        parse_push(p, &list, t);
        if (!parse_accept(p, TOKEN_COMMA)) {
            break;
        }
    }
    return list;
}

static struct tree *parse_lambda(struct parser *p)
{
    struct tree *t = parse_new(p, TREE_LAMBDA);
    parse_next(p);
    struct items params = parse_params(p, TOKEN_COLON, false);
    parse_expect(p, TOKEN_COLON);
    t->a = parse_expr(p);
    return parse_with(t, &params);
}

// expression: lambda | NAME ':=' expression | or_test ['if' or_test 'else' expression]
static struct tree *parse_expr_inner(struct parser *p)
{
    if (parse_at(p, TOKEN_LAMBDA)) {
        return parse_lambda(p);
    }
    struct tree *value = parse_binary(p, 0);
    if (parse_at(p, TOKEN_WALRUS) && value->kind == TREE_NAME) {
        struct tree *t = parse_like(p, TREE_WALRUS, value);
        parse_next(p);
        t->text = value->text;
        t->a = parse_expr(p);
        return t;
    }
    if (!parse_at(p, TOKEN_IF)) {
        return value;
    }
    struct tree *t = parse_like(p, TREE_TERNARY, value);
    parse_next(p);
    t->b = value;
    t->a = parse_binary(p, 0);
    parse_expect(p, TOKEN_ELSE);
    t->c = parse_expr(p);
    return t;
}

static struct tree *parse_expr(struct parser *p)
{
    parse_enter(p);
    struct tree *t = parse_expr_inner(p);
    p->depth--;
    return t;
}

// expressions: item (',' item)* [',']
static struct tree *parse_expressions(struct parser *p)
{
    struct tree *first = parse_item(p);
    if (!parse_at(p, TOKEN_COMMA)) {
        return first;
    }
    struct items list = {0};
    parse_push(p, &list, first);
    while (parse_accept(p, TOKEN_COMMA)) {
        if (parse_at(p, TOKEN_NEWLINE) || parse_at(p, TOKEN_EQUAL) ||
            parse_at(p, TOKEN_SEMICOLON)) {
            break;
        }
        parse_push(p, &list, parse_item(p));
    }
    return parse_with(parse_like(p, TREE_TUPLE, first), &list);
}

// Statements

static char parse_augmented(enum token t)
{
    static const struct {
        enum token token;
        char op;
    } operators[] = {
        {TOKEN_PLUS_EQUAL, '+'},         {TOKEN_MINUS_EQUAL, '-'},
        {TOKEN_STAR_EQUAL, '*'},         {TOKEN_SLASH_EQUAL, '/'},
        {TOKEN_DOUBLE_SLASH_EQUAL, 'F'}, {TOKEN_PERCENT_EQUAL, '%'},
        {TOKEN_PIPE_EQUAL, '|'},         {TOKEN_AMPERSAND_EQUAL, '&'},
        {TOKEN_CARET_EQUAL, '^'},        {TOKEN_DOUBLE_STAR_EQUAL, 'P'},
        {TOKEN_DOUBLE_LESS_EQUAL, 'L'},  {TOKEN_DOUBLE_MORE_EQUAL, 'R'},
    };
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (operators[i].token == t) {
            return operators[i].op;
        }
    }
    return 0;
}

static void parse_check_target(struct parser *p, const struct tree *t)
{
    if (t->kind == TREE_TUPLE || t->kind == TREE_LIST) {
        for (unsigned i = 0; i < t->n; i++) {
            parse_check_target(p, t->items[i]);
        }
    } else if (t->kind == TREE_ATTR) {
        parse_unsupported(p, "assignment to an attribute");
    } else if (t->kind == TREE_STAR) {
        parse_unsupported(p, "a starred target");
    } else if (t->kind != TREE_NAME && t->kind != TREE_INDEX) {
        parse_error(p, "can't assign to expression");
    }
}

// expr_stmt: expressions [(augassign expressions) | ('=' expressions)* | ':' type ['=' value]]
static struct tree *parse_expr_stmt(struct parser *p)
{
    struct tree *first = parse_expressions(p);
    char op = parse_augmented(p->lx.kind);
    if (op) {
        struct tree *t = parse_like(p, TREE_AUGMENT, first);
        parse_check_target(p, first);
        parse_next(p);
        t->op = op;
        t->a = first;
        t->b = parse_expressions(p);
        return t;
    }
    if (parse_accept(p, TOKEN_COLON)) {
        parse_expr(p); // a type, which says nothing here
        if (!parse_at(p, TOKEN_EQUAL)) {
            return parse_like(p, TREE_PASS, first);
        }
    }
    if (!parse_at(p, TOKEN_EQUAL)) {
        struct tree *t = parse_like(p, TREE_EXPR, first);
        t->a = first;
        return t;
    }
    struct items targets = {0};
    struct tree *value = first;
    while (parse_accept(p, TOKEN_EQUAL)) {
        parse_check_target(p, value);
        parse_push(p, &targets, value);
        value = parse_expressions(p);
    }
    struct tree *t = parse_like(p, TREE_ASSIGN, first);
    t->a = value;
    return parse_with(t, &targets);
}

static const char *parse_dotted(struct parser *p)
{
    if (parse_at(p, TOKEN_PERIOD) || parse_at(p, TOKEN_ELLIPSIS)) {
        parse_unsupported(p, "a relative import");
    }
    const char *name = parse_name(p);
    while (parse_accept(p, TOKEN_PERIOD)) {
        name = arena_printf(p->arena, "%s.%s", name, parse_name(p));
    }
    return name;
}

static struct tree *parse_import_one(struct parser *p, bool dotted)
{
    struct tree *t = parse_new(p, TREE_IMPORT);
    t->text = dotted ? parse_dotted(p) : parse_name(p);
    t->name = parse_accept(p, TOKEN_AS) ? parse_name(p) : NULL;
    return t;
}

// import: 'import' dotted ['as' NAME] (',' ...)*
static struct tree *parse_import(struct parser *p)
{
    struct tree *block = parse_new(p, TREE_BLOCK);
    struct items list = {0};
    do {
        parse_next(p);
        parse_push(p, &list, parse_import_one(p, true));
    } while (parse_at(p, TOKEN_COMMA));
    return parse_with(block, &list);
}

// from: 'from' dotted 'import' ['('] NAME ['as' NAME] (',' ...)* [')']
static struct tree *parse_from(struct parser *p)
{
    struct tree *t = parse_new(p, TREE_FROM);
    struct items list = {0};
    parse_next(p);
    t->text = parse_dotted(p);
    parse_expect(p, TOKEN_IMPORT);
    if (parse_at(p, TOKEN_STAR)) {
        parse_unsupported(p, "import *");
    }
    bool paren = parse_accept(p, TOKEN_PAREN_OPEN);
    do {
        if (paren && parse_at(p, TOKEN_PAREN_CLOSE)) {
            break;
        }
        parse_push(p, &list, parse_import_one(p, false));
    } while (parse_accept(p, TOKEN_COMMA));
    if (paren) {
        parse_expect(p, TOKEN_PAREN_CLOSE);
    }
    return parse_with(t, &list);
}

static bool parse_at_end(const struct parser *p)
{
    return parse_at(p, TOKEN_NEWLINE) || parse_at(p, TOKEN_SEMICOLON) || parse_at(p, TOKEN_END);
}

static struct tree *parse_keyword_stmt(struct parser *p, enum tree_kind kind)
{
    struct tree *t = parse_new(p, kind);
    struct items list = {0};
    parse_next(p);
    if (kind == TREE_ASSERT) {
        t->a = parse_expr(p);
        t->b = parse_accept(p, TOKEN_COMMA) ? parse_expr(p) : NULL;
    } else if (kind == TREE_RETURN || kind == TREE_RAISE) {
        t->a = parse_at_end(p) ? NULL : parse_expressions(p);
        if (parse_accept(p, TOKEN_FROM)) {
            parse_expr(p);
        }
    } else if (kind == TREE_DEL || kind == TREE_GLOBAL) {
        do {
            parse_push(p, &list, parse_primary(p));
        } while (parse_accept(p, TOKEN_COMMA));
    }
    return parse_with(t, &list);
}

static struct tree *parse_simple_one(struct parser *p)
{
    switch (p->lx.kind) {
    case TOKEN_PASS:
        return parse_constant(p, TREE_PASS);
    case TOKEN_BREAK:
        return parse_constant(p, TREE_BREAK);
    case TOKEN_CONTINUE:
        return parse_constant(p, TREE_CONTINUE);
    case TOKEN_RETURN:
        return parse_keyword_stmt(p, TREE_RETURN);
    case TOKEN_RAISE:
        return parse_keyword_stmt(p, TREE_RAISE);
    case TOKEN_ASSERT:
        return parse_keyword_stmt(p, TREE_ASSERT);
    case TOKEN_DEL:
        return parse_keyword_stmt(p, TREE_DEL);
    case TOKEN_GLOBAL:
        return parse_keyword_stmt(p, TREE_GLOBAL);
    case TOKEN_IMPORT:
        return parse_import(p);
    case TOKEN_FROM:
        return parse_from(p);
    case TOKEN_NONLOCAL:
        parse_unsupported(p, "nonlocal");
    default:
        return parse_expr_stmt(p);
    }
}

// simple_stmt: one (';' one)* [';'] NEWLINE
static void parse_simple(struct parser *p, struct items *list)
{
    do {
        if (parse_at(p, TOKEN_NEWLINE)) {
            break;
        }
        parse_push(p, list, parse_simple_one(p));
    } while (parse_accept(p, TOKEN_SEMICOLON));
    parse_expect(p, TOKEN_NEWLINE);
}

static struct tree *parse_if(struct parser *p)
{
    struct tree *t = parse_new(p, TREE_IF);
    parse_next(p);
    t->a = parse_expr(p);
    t->b = parse_block(p);
    if (parse_at(p, TOKEN_ELIF)) {
        parse_enter(p);
        t->c = parse_if(p);
        p->depth--;
    } else if (parse_accept(p, TOKEN_ELSE)) {
        t->c = parse_block(p);
    }
    return t;
}

static struct tree *parse_while(struct parser *p)
{
    struct tree *t = parse_new(p, TREE_WHILE);
    parse_next(p);
    t->a = parse_expr(p);
    t->b = parse_block(p);
    t->c = parse_accept(p, TOKEN_ELSE) ? parse_block(p) : NULL;
    return t;
}

static struct tree *parse_for(struct parser *p)
{
    struct tree *t = parse_new(p, TREE_FOR);
    struct items otherwise = {0};
    parse_next(p);
    t->a = parse_target(p);
    parse_check_target(p, t->a);
    parse_expect(p, TOKEN_IN);
    t->b = parse_expressions(p);
    t->c = parse_block(p);
    if (parse_accept(p, TOKEN_ELSE)) {
        parse_push(p, &otherwise, parse_block(p));
    }
    return parse_with(t, &otherwise);
}

static struct tree *parse_def(struct parser *p)
{
    struct tree *t = parse_new(p, TREE_DEF);
    parse_next(p);
    t->text = parse_name(p);
    parse_expect(p, TOKEN_PAREN_OPEN);
    struct items params = parse_params(p, TOKEN_PAREN_CLOSE, true);
    parse_expect(p, TOKEN_PAREN_CLOSE);
    if (parse_accept(p, TOKEN_ARROW)) {
        parse_expr(p);
    }
    t->a = parse_block(p);
    return parse_with(t, &params);
}

// try: 'try' block ('except' [class ['as' NAME]] block)* ['else' block] ['finally' block]
static struct tree *parse_try(struct parser *p)
{
    struct tree *t = parse_new(p, TREE_TRY);
    struct items handlers = {0};
    parse_next(p);
    t->a = parse_block(p);
    while (parse_at(p, TOKEN_EXCEPT)) {
        struct tree *handler = parse_new(p, TREE_EXCEPT);
        parse_next(p);
        if (!parse_at(p, TOKEN_COLON)) {
            handler->a = parse_expr(p);
            handler->text = parse_accept(p, TOKEN_AS) ? parse_name(p) : NULL;
        }
        handler->b = parse_block(p);
        parse_push(p, &handlers, handler);
    }
    t->b = handlers.n && parse_accept(p, TOKEN_ELSE) ? parse_block(p) : NULL;
    t->c = parse_accept(p, TOKEN_FINALLY) ? parse_block(p) : NULL;
    if (!handlers.n && !t->c) {
        parse_error(p, "invalid syntax");
    }
    return parse_with(t, &handlers);
}

static void parse_statement(struct parser *p, struct items *list)
{
    switch (p->lx.kind) {
    case TOKEN_IF:
        parse_push(p, list, parse_if(p));
        break;
    case TOKEN_WHILE:
        parse_push(p, list, parse_while(p));
        break;
    case TOKEN_FOR:
        parse_push(p, list, parse_for(p));
        break;
    case TOKEN_DEF:
        parse_push(p, list, parse_def(p));
        break;
    case TOKEN_TRY:
        parse_push(p, list, parse_try(p));
        break;
    case TOKEN_CLASS:
        parse_unsupported(p, "class");
    case TOKEN_WITH:
        parse_unsupported(p, "with");
    case TOKEN_ASYNC:
        parse_unsupported(p, "async");
    case TOKEN_AT:
        parse_unsupported(p, "a decorator");
    default:
        parse_simple(p, list);
    }
}

// block: ':' (simple_stmt | NEWLINE INDENT statement+ DEDENT)
static struct tree *parse_block(struct parser *p)
{
    struct items list = {0};
    parse_expect(p, TOKEN_COLON);
    struct tree *t = parse_new(p, TREE_BLOCK);
    parse_enter(p);
    if (parse_accept(p, TOKEN_NEWLINE)) {
        parse_expect(p, TOKEN_INDENT);
        while (!parse_accept(p, TOKEN_DEDENT)) {
            parse_statement(p, &list);
        }
    } else {
        parse_simple(p, &list);
    }
    p->depth--;
    return parse_with(t, &list);
}

// file: (NEWLINE | statement)* END
static struct tree *parse_file(struct parser *p)
{
    struct items list = {0};
    struct tree *t = parse_new(p, TREE_BLOCK);
    while (!parse_at(p, TOKEN_END)) {
        if (!parse_accept(p, TOKEN_NEWLINE)) {
            parse_statement(p, &list);
        }
    }
    return parse_with(t, &list);
}

// The text as the lexer wants it: LF line ends, an LF at the end, padding. A byte order mark, which
// Python skips and MicroPython does not, is left out.
static void parse_load(struct parser *p, const char *text, size_t size)
{
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size -= 3;
    }
    uint8_t *copy = arena_alloc(p->arena, size + 1 + UNIT_TEXT_PAD);
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        bool cr = text[i] == '\r';
        copy[n++] = (uint8_t)(cr ? '\n' : text[i]);
        i += cr && i + 1 < size && text[i + 1] == '\n';
    }
    copy[n++] = '\n';
    memset(copy + n, 0, UNIT_TEXT_PAD);
    p->u.text = copy;
    p->u.size = n;
}

static const struct compiler_release *parse_release(void)
{
    unsigned i = 0;
    while (compiler_release_at(i + 1)) {
        i++;
    }
    return compiler_release_at(i);
}

enum diag_code tree_parse(const char *text, size_t size, const char *file, struct arena *a,
                          struct diag *d, bool *unsupported, struct tree **out)
{
    struct parser p = {.arena = a};
    jmp_buf *on_fail = a->on_fail;
    p.u.release = parse_release();
    p.u.options.release = p.u.release;
    p.u.file = file;
    p.u.out = a;
    p.u.diag = d;
    arena_init_inside(&p.u.work, a);
    *out = NULL;
    if (setjmp(p.u.fail) == 0) {
        // An allocation that fails must free what the lexer holds: it comes back here as well.
        a->on_fail = &p.u.fail;
        p.u.work.on_fail = &p.u.fail;
        p.u.code = DIAG_NOMEM;
        parse_load(&p, text, size);
        names_init(&p.u);
        lexer_init(&p.lx, &p.u);
        *out = parse_file(&p);
        p.u.code = DIAG_OK;
    }
    a->on_fail = on_fail;
    arena_free(&p.u.work);
    *unsupported = p.unsupported;
    return p.u.code == DIAG_NOMEM ? diag_nomem(d) : p.u.code;
}
