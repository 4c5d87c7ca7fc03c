// Nodes from the parser's results, simplified as upstream simplifies them.
#include <string.h>

#include "packer/compiler/parser.h"

// Upstream gives up between 500 and 1000; whoever reads the file must follow.
enum { BUILD_TUPLE_DEPTH = 1000 };

// The newest n results; NULL for none, before there was one.
static const node *build_newest(const struct parser *ps, uint32_t n)
{
    return ps->results.at ? ps->results.at + ps->results.n - n : NULL;
}

static void build_replace(struct parser *ps, uint32_t n, node by)
{
    ps->results.n -= n;
    parser_push(ps, by);
}

static void build_node(struct parser *ps, enum node_kind kind, uint32_t line, uint32_t n)
{
    const node *children = build_newest(ps, n);
    build_replace(ps, n, node_new(ps->u, ps->ast, kind, line, children, n));
}

// A constant node as the item of a tuple.
static uint32_t build_item(struct parser *ps, node n, const struct value *v)
{
    if (!node_is_struct(n)) {
        return n;
    }
    if (v->kind == VALUE_TUPLE && !v->len) {
        return VALUE_EMPTY;
    }
    bool kept = node_kind(ps->ast, n) == NODE_CONST;
    uint32_t index = kept ? node_child(ps->ast, n, 0) : values_add(ps->u, *v);
    return node_leaf(NODE_TAG_STRUCT, index);
}

void build_tuple(struct parser *ps, enum node_kind kind, uint32_t line, uint32_t n)
{
    const node *items = build_newest(ps, n);
    for (uint32_t i = 0; i < n; i++) {
        if (!node_is_const(ps->ast, items[i])) {
            build_node(ps, kind, line, n);
            return;
        }
    }
    unsigned depth = 0;
    uint32_t *values = arena_alloc(&ps->u->work, n * sizeof *values);
    for (uint32_t i = 0; i < n; i++) {
        struct value v = node_value(ps->u, ps->ast, items[i]);
        values[i] = build_item(ps, items[i], &v);
        depth = v.depth > depth ? v.depth : depth;
    }
    if (depth >= BUILD_TUPLE_DEPTH) {
        unit_too_deep(ps->u, parser_place(ps));
    }
    struct value tuple = {
        .kind = VALUE_TUPLE, .depth = (uint16_t)(depth + 1), .len = n, .items = values};
    build_replace(ps, n, node_new_const(ps->u, ps->ast, line, tuple));
}

// A statement that is only a constant, a docstring for one, does nothing.
static bool build_is_lonely(const struct parser *ps)
{
    node n = parser_result(ps, 1);
    if (parser_result(ps, 0) != NODE_NULL || n == NODE_NULL) {
        return false;
    }
    return node_is_struct(n) ? node_kind(ps->ast, n) <= NODE_CONST : !node_is_id(n);
}

static void build_paren(struct parser *ps, uint32_t line)
{
    node inside = parser_result(ps, 0);
    if (inside == NODE_NULL || node_is(ps->ast, inside, NODE_ITEMS)) {
        build_node(ps, NODE_PAREN, line, 1);
    }
}

void build(struct parser *ps, enum node_kind kind, uint32_t line, uint32_t n)
{
    switch (kind) {
    case NODE_PAREN:
        build_paren(ps, line);
        return;
    case NODE_STAR_TUPLE:
    case NODE_TESTLIST:
    case NODE_SUBSCRIPTS:
        build_tuple(ps, kind, line, n);
        return;
    case NODE_EXPR_STMT:
        if (build_is_lonely(ps)) {
            ps->results.n -= n;
            build_node(ps, NODE_PASS, line, 0);
            return;
        }
        if (parser_result(ps, 0) == NODE_NULL) {
            ps->results.n--; // most statements that are an expression: one word less
            build_node(ps, kind, line, 1);
            return;
        }
        break;
    default:
        break;
    }
    if (!fold(ps, kind, &n)) {
        build_node(ps, kind, line, n);
    }
}
