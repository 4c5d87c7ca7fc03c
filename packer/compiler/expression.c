// Operators by precedence. In the tree, a chain of operators of one level is one node, and a level
// without operators leaves no node, exactly as if each level were a rule of its own:
//
//   test: or_test ['if' or_test 'else' test] | lambda      or_test: and_test ('or' and_test)*
//   and_test: not_test ('and' not_test)*                   not_test: 'not' not_test | comparison
//   comparison: expr (comp_op expr)*                       expr: xor_expr ('|' xor_expr)*
//   xor_expr: and_expr ('^' and_expr)*                     and_expr: shift_expr ('&' shift_expr)*
//   shift_expr: arith_expr (('<<'|'>>') arith_expr)*       arith_expr: term (('+'|'-') term)*
//   term: factor (('*'|'@'|'/'|'%'|'//') factor)*          factor: ('+'|'-'|'~') factor | power
//   power: ['await'] atom trailer* ['**' factor]
#include "packer/compiler/parser.h"

enum expression_level {
    LEVEL_NONE,
    LEVEL_TEST,
    LEVEL_TEST_NOCOND,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARISON,
    LEVEL_BIT_OR,
    LEVEL_BIT_XOR,
    LEVEL_BIT_AND,
    LEVEL_SHIFT,
    LEVEL_ARITH,
    LEVEL_TERM,
    LEVEL_FACTOR,
};

static const uint8_t expression_rule_level[] = {
    [RULE_TEST] = LEVEL_TEST,
    [RULE_TEST_NOCOND] = LEVEL_TEST_NOCOND,
    [RULE_OR_TEST] = LEVEL_OR,
    [RULE_EXPR] = LEVEL_BIT_OR,
};

// The level of a token between two operands.
static const uint8_t expression_token_level[TOKEN_COUNT] = {
    [TOKEN_OR] = LEVEL_OR,
    [TOKEN_AND] = LEVEL_AND,
    [TOKEN_NOT] = LEVEL_COMPARISON, // not in
    [TOKEN_IN] = LEVEL_COMPARISON,
    [TOKEN_IS] = LEVEL_COMPARISON,
    [TOKEN_LESS] = LEVEL_COMPARISON,
    [TOKEN_MORE] = LEVEL_COMPARISON,
    [TOKEN_DOUBLE_EQUAL] = LEVEL_COMPARISON,
    [TOKEN_LESS_EQUAL] = LEVEL_COMPARISON,
    [TOKEN_MORE_EQUAL] = LEVEL_COMPARISON,
    [TOKEN_NOT_EQUAL] = LEVEL_COMPARISON,
    [TOKEN_PIPE] = LEVEL_BIT_OR,
    [TOKEN_CARET] = LEVEL_BIT_XOR,
    [TOKEN_AMPERSAND] = LEVEL_BIT_AND,
    [TOKEN_DOUBLE_LESS] = LEVEL_SHIFT,
    [TOKEN_DOUBLE_MORE] = LEVEL_SHIFT,
    [TOKEN_PLUS] = LEVEL_ARITH,
    [TOKEN_MINUS] = LEVEL_ARITH,
    [TOKEN_STAR] = LEVEL_TERM,
    [TOKEN_AT] = LEVEL_TERM,
    [TOKEN_SLASH] = LEVEL_TERM,
    [TOKEN_PERCENT] = LEVEL_TERM,
    [TOKEN_DOUBLE_SLASH] = LEVEL_TERM,
};

static const uint8_t expression_level_node[] = {
    [LEVEL_OR] = NODE_OR,         [LEVEL_AND] = NODE_AND,         [LEVEL_COMPARISON] = NODE_COMPARE,
    [LEVEL_BIT_OR] = NODE_BIT_OR, [LEVEL_BIT_XOR] = NODE_BIT_XOR, [LEVEL_BIT_AND] = NODE_BIT_AND,
    [LEVEL_SHIFT] = NODE_SHIFT,   [LEVEL_ARITH] = NODE_ARITH,     [LEVEL_TERM] = NODE_TERM,
};

// What to do next with the frame on top of the stack.
enum expression_step {
    EXPRESSION_OPERAND,  // an operand begins here
    EXPRESSION_POSTFIX,  // an atom or trailer is done
    EXPRESSION_POWER,    // an atom with its trailers is done
    EXPRESSION_COMPLETE, // an operand is done
    EXPRESSION_LEAVE,    // a rule of the table goes on, or the expression is done
};

// The loosest level that may stand at this place.
static enum expression_level expression_need(const struct parser_frame *f)
{
    switch (f->rule) {
    case STEP_EXPRESSION:
        return (enum expression_level)f->level;
    case STEP_BINARY:
        return (enum expression_level)(f->level + 1);
    case STEP_NOT:
        return LEVEL_NOT;
    default:
        return LEVEL_FACTOR;
    }
}

static struct parser_frame *expression_begin(struct parser *ps, unsigned step,
                                             enum expression_level level)
{
    struct parser_frame *f = parser_begin(ps, step);
    f->level = (uint8_t)level;
    return f;
}

static enum expression_step expression_lambda(struct parser *ps)
{
    struct parser_frame *f = parser_top(ps);
    if (f->rule != STEP_EXPRESSION || f->level > LEVEL_TEST_NOCOND) {
        parser_syntax_error(ps);
    }
    f->rule = f->level == LEVEL_TEST ? RULE_LAMBDA : RULE_LAMBDA_NOCOND;
    return EXPRESSION_LEAVE;
}

static enum expression_step expression_leaf(struct parser *ps)
{
    uint32_t line = ps->lexer.token_line;
    parser_push_token(ps, true);
    lexer_next(&ps->lexer);
    enum token t = parser_token(ps);
    if (t == TOKEN_PAREN_OPEN || t == TOKEN_BRACKET_OPEN || t == TOKEN_PERIOD) {
        struct parser_frame *f = parser_begin(ps, STEP_ATOM);
        f->line = line;
        f->base--;
        return EXPRESSION_POSTFIX;
    }
    ps->operand_line = line;
    return EXPRESSION_POWER;
}

static unsigned expression_bracket_rule(enum token t)
{
    return t == TOKEN_PAREN_OPEN ? RULE_PAREN : t == TOKEN_BRACKET_OPEN ? RULE_BRACKET : RULE_BRACE;
}

static enum expression_step expression_await(struct parser *ps)
{
    parser_begin(ps, STEP_ATOM)->level = 1;
    lexer_next(&ps->lexer);
    enum token t = parser_token(ps);
    if (t == TOKEN_PAREN_OPEN || t == TOKEN_BRACKET_OPEN || t == TOKEN_BRACE_OPEN) {
        parser_begin(ps, expression_bracket_rule(t));
        return EXPRESSION_LEAVE;
    }
    if (t < TOKEN_NAME || t > TOKEN_TRUE) {
        parser_syntax_error(ps);
    }
    parser_push_token(ps, true);
    lexer_next(&ps->lexer);
    return EXPRESSION_POSTFIX;
}

static enum expression_step expression_operand(struct parser *ps)
{
    enum token t = parser_token(ps);
    switch (t) {
    case TOKEN_NAME:
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
    case TOKEN_STRING:
    case TOKEN_BYTES:
    case TOKEN_ELLIPSIS:
    case TOKEN_NONE:
    case TOKEN_TRUE:
    case TOKEN_FALSE:
        return expression_leaf(ps);
    case TOKEN_PAREN_OPEN:
    case TOKEN_BRACKET_OPEN:
    case TOKEN_BRACE_OPEN:
        parser_begin(ps, STEP_ATOM);
        parser_begin(ps, expression_bracket_rule(t));
        return EXPRESSION_LEAVE;
    case TOKEN_NOT:
        if (expression_need(parser_top(ps)) > LEVEL_NOT) {
            parser_syntax_error(ps);
        }
        parser_begin(ps, STEP_NOT);
        lexer_next(&ps->lexer);
        return EXPRESSION_OPERAND;
    case TOKEN_PLUS:
    case TOKEN_MINUS:
    case TOKEN_TILDE:
        parser_begin(ps, STEP_UNARY);
        parser_push_token(ps, false);
        lexer_next(&ps->lexer);
        return EXPRESSION_OPERAND;
    case TOKEN_AWAIT:
        return expression_await(ps);
    case TOKEN_LAMBDA:
        return expression_lambda(ps);
    default:
        parser_syntax_error(ps);
    }
}

static void expression_attribute(struct parser *ps)
{
    uint32_t line = ps->lexer.token_line;
    lexer_next(&ps->lexer);
    if (parser_token(ps) != TOKEN_NAME) {
        parser_syntax_error(ps);
    }
    parser_push_token(ps, false);
    lexer_next(&ps->lexer);
    build(ps, NODE_ATTR, line, 1);
}

// The atom and its trailers are the results of frame f.
static void expression_end_atom(struct parser *ps, const struct parser_frame *f)
{
    uint32_t trailers = parser_results(ps, f) - 1;
    bool await = f->level;
    uint32_t line = f->line;
    if (trailers > 1) {
        build(ps, NODE_TRAILERS, f->extra, trailers);
    } else if (await && trailers == 0) {
        parser_push(ps, NODE_NULL);
    }
    ps->n--;
    if (await) {
        build(ps, NODE_AWAIT, line, 2);
    } else if (trailers) {
        build(ps, NODE_ATOM_EXPR, line, 2);
    }
    ps->operand_line = line;
}

static enum expression_step expression_postfix(struct parser *ps)
{
    struct parser_frame *f = parser_top(ps);
    for (;;) {
        enum token t = parser_token(ps);
        if (t != TOKEN_PERIOD && t != TOKEN_PAREN_OPEN && t != TOKEN_BRACKET_OPEN) {
            break;
        }
        if (parser_results(ps, f) == 1) {
            f->extra = ps->lexer.token_line;
        }
        if (t != TOKEN_PERIOD) {
            parser_begin(ps, t == TOKEN_PAREN_OPEN ? RULE_CALL : RULE_INDEX);
            return EXPRESSION_LEAVE;
        }
        expression_attribute(ps);
    }
    expression_end_atom(ps, f);
    return EXPRESSION_POWER;
}

static enum expression_step expression_power(struct parser *ps)
{
    if (parser_token(ps) != TOKEN_DOUBLE_STAR) {
        return EXPRESSION_COMPLETE;
    }
    struct parser_frame *f = parser_begin(ps, STEP_POWER);
    f->line = ps->operand_line;
    f->base--;
    lexer_next(&ps->lexer);
    return EXPRESSION_OPERAND;
}

// Pushes the operator if the node keeps it, and moves to the operand.
static enum expression_step expression_operator(struct parser *ps, enum expression_level level)
{
    enum token t = parser_token(ps);
    lexer_next(&ps->lexer);
    if (t == TOKEN_NOT) {
        if (parser_token(ps) != TOKEN_IN) {
            parser_syntax_error(ps);
        }
        lexer_next(&ps->lexer);
        t = TOKEN_NOT_IN;
    } else if (t == TOKEN_IS && parser_token(ps) == TOKEN_NOT) {
        lexer_next(&ps->lexer);
        t = TOKEN_IS_NOT;
    }
    if (level == LEVEL_COMPARISON || level >= LEVEL_SHIFT) {
        parser_push(ps, node_leaf(NODE_TAG_TOKEN, t));
    }
    return EXPRESSION_OPERAND;
}

static enum expression_step expression_open(struct parser *ps, enum expression_level level)
{
    struct parser_frame *f = expression_begin(ps, STEP_BINARY, level);
    f->line = ps->operand_line;
    f->base--;
    return expression_operator(ps, level);
}

static void expression_reduce(struct parser *ps, enum node_kind kind)
{
    const struct parser_frame *f = parser_top(ps);
    uint32_t line = f->line, n = parser_results(ps, f);
    ps->n--;
    build(ps, kind, line, n);
    ps->operand_line = line;
}

// The expression on top is done, unless a conditional begins.
static enum expression_step expression_end(struct parser *ps)
{
    struct parser_frame *f = parser_top(ps);
    if (f->level == LEVEL_TEST && parser_token(ps) == TOKEN_IF) {
        f = parser_begin(ps, STEP_TERNARY);
        f->extra = f->line;
        f->line = ps->operand_line;
        f->base--;
        lexer_next(&ps->lexer);
        expression_begin(ps, STEP_EXPRESSION, LEVEL_OR);
        return EXPRESSION_OPERAND;
    }
    ps->n--;
    return EXPRESSION_LEAVE;
}

static enum expression_step expression_complete(struct parser *ps)
{
    enum expression_level level = (enum expression_level)expression_token_level[parser_token(ps)];
    for (;;) {
        struct parser_frame *f = parser_top(ps);
        switch (f->rule) {
        case STEP_POWER:
            expression_reduce(ps, NODE_POWER);
            break;
        case STEP_UNARY:
            expression_reduce(ps, NODE_UNARY);
            break;
        case STEP_NOT:
            if (level > LEVEL_NOT) {
                return expression_open(ps, level);
            }
            expression_reduce(ps, NODE_NOT);
            break;
        case STEP_BINARY:
            if (level > f->level) {
                return expression_open(ps, level);
            }
            if (level == f->level) {
                return expression_operator(ps, level);
            }
            expression_reduce(ps, (enum node_kind)expression_level_node[f->level]);
            break;
        default: // STEP_EXPRESSION
            return level && level >= f->level ? expression_open(ps, level) : expression_end(ps);
        }
    }
}

// value 'if' condition . 'else' value: the condition or the second value is done.
static enum expression_step expression_ternary(struct parser *ps)
{
    struct parser_frame *f = parser_top(ps);
    if (f->i == 0) {
        if (parser_token(ps) != TOKEN_ELSE) {
            parser_syntax_error(ps);
        }
        f->i = 1;
        lexer_next(&ps->lexer);
        expression_begin(ps, STEP_EXPRESSION, LEVEL_TEST);
        return EXPRESSION_OPERAND;
    }
    uint32_t line = f->line, extra = f->extra;
    ps->n -= 2; // and the expression it belongs to
    build(ps, NODE_TERNARY_ELSE, extra, 2);
    build(ps, NODE_TERNARY, line, 2);
    return EXPRESSION_LEAVE;
}

static void expression_run(struct parser *ps, enum expression_step step)
{
    for (;;) {
        switch (step) {
        case EXPRESSION_OPERAND:
            step = expression_operand(ps);
            break;
        case EXPRESSION_POSTFIX:
            step = expression_postfix(ps);
            break;
        case EXPRESSION_POWER:
            step = expression_power(ps);
            break;
        case EXPRESSION_COMPLETE:
            step = expression_complete(ps);
            break;
        case EXPRESSION_LEAVE:
            return;
        }
    }
}

void expression_enter(struct parser *ps, unsigned rule)
{
    expression_begin(ps, STEP_EXPRESSION, (enum expression_level)expression_rule_level[rule]);
    expression_run(ps, EXPRESSION_OPERAND);
}

void expression_resume(struct parser *ps)
{
    if (parser_top(ps)->rule == STEP_ATOM) {
        expression_run(ps, EXPRESSION_POSTFIX);
    } else {
        expression_run(ps, expression_ternary(ps));
    }
}

enum { ITEMS_FIRST, ITEMS_REST_OR_FOR, ITEMS_FOR, ITEMS_REST };

// After the first comma: upstream's lines differ with the number of items that follow.
static void expression_end_items(struct parser *ps, struct parser_frame *f)
{
    uint32_t n = parser_results(ps, f);
    uint32_t line = n > 2 || (n == 2 && f->trailing) ? f->extra : f->line;
    bool paren = f->rule == RULE_PAREN_ITEMS;
    ps->n--;
    if (paren) {
        build_tuple(ps, NODE_ITEMS, line, n);
    } else {
        build(ps, NODE_ITEMS, line, n);
    }
}

// Begins the next item if there is one.
static bool expression_next_item(struct parser *ps)
{
    struct parser_frame *f = parser_top(ps);
    if (!parser_at(ps, RULE_ITEM)) {
        f->trailing = true;
        return false;
    }
    parser_enter(ps, RULE_ITEM);
    return true;
}

// testlist_comp: item ( comp_for | (',' item)* [','] )
void expression_items(struct parser *ps, struct parser_frame *f)
{
    size_t depth = ps->n;
    if (f->i == ITEMS_FIRST) {
        f->i = ITEMS_REST_OR_FOR;
        parser_enter(ps, RULE_ITEM);
        return;
    }
    if (f->i == ITEMS_FOR) {
        ps->n--;
        build(ps, NODE_ITEMS, f->line, 2);
        return;
    }
    if (f->i == ITEMS_REST_OR_FOR && parser_token(ps) == TOKEN_FOR) {
        f->i = ITEMS_FOR;
        parser_enter(ps, RULE_COMP_FOR);
        return;
    }
    if (f->i == ITEMS_REST_OR_FOR && parser_token(ps) != TOKEN_COMMA) {
        ps->n--; // one item without a comma stands for itself
        return;
    }
    while (parser_token(ps) == TOKEN_COMMA) {
        lexer_next(&ps->lexer);
        f = parser_top(ps);
        if (f->i == ITEMS_REST_OR_FOR) {
            f->extra = ps->lexer.token_line;
        }
        f->i = ITEMS_REST;
        if (!expression_next_item(ps)) {
            break;
        }
        if (ps->n != depth) {
            return;
        }
    }
    expression_end_items(ps, parser_top(ps));
}
