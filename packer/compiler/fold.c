// Constant folding. Upstream folds whole chains of one operator level only, and assigns the names
// that const() defines while parsing.
//
// Facts: MicroPython py/parse.c (fold_logical_constants, fold_constants), releases 1.19 to 1.29.
#include "packer/compiler/parser.h"

static bool fold_done(struct parser *ps, uint32_t n, const struct number *result)
{
    struct value v = value_of_number(ps->u, result);
    ps->results.n -= n;
    parser_push(ps, node_new_value(ps->u, ps->ast, 0, v));
    return true;
}

// Operands keep their order; those that cannot decide are dropped, and what follows one that does.
static bool fold_logical(struct parser *ps, uint32_t *n, bool deciding)
{
    node *items = ps->results.at + ps->results.n - *n;
    uint32_t kept = 0, i = 0;
    for (; i + 1 < *n; i++) {
        items[kept] = items[i];
        if (node_is_truth(ps->u, ps->ast, items[i], deciding)) {
            break;
        }
        kept += !node_is_truth(ps->u, ps->ast, items[i], !deciding);
    }
    items[kept++] = items[i];
    ps->results.n -= *n - kept;
    *n = kept;
    return kept == 1;
}

static bool fold_not(struct parser *ps)
{
    node n = parser_result(ps, 0);
    enum token t;
    if (node_is_truth(ps->u, ps->ast, n, false)) {
        t = TOKEN_TRUE;
    } else if (node_is_truth(ps->u, ps->ast, n, true)) {
        t = TOKEN_FALSE;
    } else {
        return false;
    }
    ps->results.n--;
    parser_push(ps, node_leaf(NODE_TAG_TOKEN, t));
    return true;
}

static bool fold_operand(const struct parser *ps, node n, struct number *out)
{
    int64_t i;
    if (node_get_int(ps->ast, n, &i)) {
        *out = (struct number){.kind = NUMBER_INT, .i = i};
        return true;
    }
    if (!node_is(ps->ast, n, NODE_CONST)) {
        return false;
    }
    const struct value *v = &ps->u->values.at[node_child(ps->ast, n, 0)];
    if (v->kind == VALUE_FLOAT ? !ps->u->release->numbers.fold_floats
                               : v->kind != VALUE_INT && v->kind != VALUE_BIG) {
        return false;
    }
    return value_to_number(v, out);
}

// Until 1.25 a result that does not fit into memory ends the compilation; later it is not folded.
static bool fold_ok(struct parser *ps, enum number_status status)
{
    if (status == NUMBER_NO_MEMORY) {
        unit_fail(ps->u, DIAG_NOMEM);
    }
    if (status == NUMBER_OVERFLOW) {
        unit_raise(ps->u, "OverflowError", parser_place(ps),
                   "overflow converting long int to machine word");
    }
    if (status == NUMBER_TOO_LARGE && !ps->u->release->numbers.fold_floats) {
        unit_raise(ps->u, "MemoryError", parser_place(ps),
                   "memory allocation failed, the folded int is too large");
    }
    return status == NUMBER_OK;
}

static enum number_op fold_token_op(uint32_t t)
{
    switch (t) {
    case TOKEN_DOUBLE_LESS:
        return NUMBER_OP_LSHIFT;
    case TOKEN_DOUBLE_MORE:
        return NUMBER_OP_RSHIFT;
    case TOKEN_PLUS:
        return NUMBER_OP_ADD;
    case TOKEN_MINUS:
        return NUMBER_OP_SUBTRACT;
    case TOKEN_STAR:
        return NUMBER_OP_MULTIPLY;
    case TOKEN_AT:
        return NUMBER_OP_MAT_MULTIPLY;
    case TOKEN_DOUBLE_SLASH:
        return NUMBER_OP_FLOOR_DIVIDE;
    case TOKEN_SLASH:
        return NUMBER_OP_TRUE_DIVIDE;
    default:
        return NUMBER_OP_MODULO;
    }
}

// items: operands, every `stride`th one; with stride 2 the operators between them.
static bool fold_chain(struct parser *ps, uint32_t n, unsigned stride, enum number_op op)
{
    struct number left, right;
    struct unit *u = ps->u;
    uint64_t limit = u->options.max_fold_bits;
    const node *items = ps->results.at + ps->results.n - n;
    if (!fold_operand(ps, items[0], &left)) {
        return false;
    }
    for (uint32_t i = stride; i < n; i += stride) {
        if (!fold_operand(ps, items[i], &right)) {
            return false;
        }
        if (stride == 2) {
            op = fold_token_op(node_arg(items[i - 1]));
        }
        struct number result;
        if (!fold_ok(ps, number_binary(&u->release->numbers, op, &left, &right, limit, &u->work,
                                       &result))) {
            return false;
        }
        left = result;
    }
    return fold_done(ps, n, &left);
}

static bool fold_unary(struct parser *ps)
{
    struct number a, result;
    if (!fold_operand(ps, parser_result(ps, 0), &a)) {
        return false;
    }
    uint32_t t = node_arg(parser_result(ps, 1));
    enum number_unary op = t == TOKEN_TILDE  ? NUMBER_INVERT
                           : t == TOKEN_PLUS ? NUMBER_POSITIVE
                                             : NUMBER_NEGATIVE;
    struct unit *u = ps->u;
    if (!fold_ok(ps, number_unary_op(&u->release->numbers, op, &a, &u->work, &result))) {
        return false;
    }
    return fold_done(ps, 2, &result);
}

// math.pi and the like.
static bool fold_attribute(struct parser *ps)
{
    node base = parser_result(ps, 1), trailer = parser_result(ps, 0);
    struct unit *u = ps->u;
    if (!u->release->numbers.fold_floats || !node_is_id(base) ||
        node_arg(base) != u->names.known[NAME_MATH] || !node_is(ps->ast, trailer, NODE_ATTR)) {
        return false;
    }
    const struct name *attr = name_at(&u->names, node_arg(node_child(ps->ast, trailer, 0)));
    struct number result;
    return number_math_constant(attr->data, attr->len, &result) && fold_done(ps, 2, &result);
}

// The argument of `const(value)`; false if n is something else.
static bool fold_const_call(const struct parser *ps, node n, node *value)
{
    if (!node_is(ps->ast, n, NODE_ATOM_EXPR)) {
        return false;
    }
    node name = node_child(ps->ast, n, 0), call = node_child(ps->ast, n, 1);
    if (!node_is_id(name) || node_arg(name) != ps->u->names.known[NAME_CONST] ||
        !node_is(ps->ast, call, NODE_CALL)) {
        return false;
    }
    *value = node_child(ps->ast, call, 0);
    return true;
}

static void fold_define(struct parser *ps, uint32_t id, node value)
{
    struct unit *u = ps->u;
    struct value v = node_value(u, ps->ast, value);
    uint32_t place = values_add(u, v) + 1;
    if (place >= NAMES_CONSTANTS) {
        unit_raise(u, "MemoryError", parser_place(ps), "too many constants");
    }
    u->names.at[id].constant = place & (NAMES_CONSTANTS - 1);
}

// name = const(value)
static bool fold_assignment(struct parser *ps)
{
    struct unit *u = ps->u;
    node target = parser_result(ps, 1), source = parser_result(ps, 0), value;
    if (!node_is_id(target)) {
        return false;
    }
    if (node_is(ps->ast, source, NODE_ANNASSIGN) && u->release->annotated_const) {
        source = node_child(ps->ast, source, 1);
    }
    if (!fold_const_call(ps, source, &value)) {
        return false;
    }
    if (!node_is_const(ps->ast, value)) {
        struct unit_place place = {node_line(ps->ast, source), NULL};
        unit_error(u, "SyntaxError", place, 0, "not a constant");
    }
    fold_define(ps, node_arg(target), value);
    ps->results.n--;
    if (name_at(&u->names, node_arg(target))->data[0] == '_') {
        ps->results.n--;
        parser_push(ps, node_new(u, ps->ast, NODE_PASS, 0, NULL, 0));
        return true;
    }
    parser_push(ps, value);
    return false;
}

bool fold(struct parser *ps, enum node_kind kind, uint32_t *n)
{
    switch (kind) {
    case NODE_OR:
        return fold_logical(ps, n, true);
    case NODE_AND:
        return fold_logical(ps, n, false);
    case NODE_NOT:
        return fold_not(ps);
    case NODE_BIT_OR:
        return fold_chain(ps, *n, 1, NUMBER_OP_OR);
    case NODE_BIT_XOR:
        return fold_chain(ps, *n, 1, NUMBER_OP_XOR);
    case NODE_BIT_AND:
        return fold_chain(ps, *n, 1, NUMBER_OP_AND);
    case NODE_POWER:
        return fold_chain(ps, *n, 1, NUMBER_OP_POWER);
    case NODE_SHIFT:
    case NODE_ARITH:
    case NODE_TERM:
        return fold_chain(ps, *n, 2, NUMBER_OP_OR);
    case NODE_UNARY:
        return fold_unary(ps);
    case NODE_ATOM_EXPR:
        return fold_attribute(ps);
    case NODE_EXPR_STMT:
        return fold_assignment(ps);
    default:
        return false;
    }
}
