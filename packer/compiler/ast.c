#include "packer/compiler/ast.h"

#include <string.h>

static uint32_t *node_alloc(struct unit *u, struct ast *ast, enum node_kind kind, uint32_t line,
                            uint32_t n, node *out)
{
    struct words *w = &ast->words;
    if (w->n == 0) {
        words_push(u, w, 0); // place 0 is NODE_NULL
    }
    bool wide = n >= NODE_COUNT_WIDE || line >= NODE_LINE_WIDE;
    uint32_t header = NODE_HEADER + (wide ? NODE_WIDE : 0);
    if (n > NODE_CHILDREN_MAX || w->n + header + n > NODE_WORDS_MAX) {
        unit_raise(u, "MemoryError", UNIT_NOWHERE, "the script is too large");
    }
    uint32_t *p = words_reserve(u, w, header + (size_t)n);
    w->n += header + (size_t)n;
    if (wide) {
        *p++ = n;
        *p++ = line;
        n = n < NODE_COUNT_WIDE ? n : NODE_COUNT_WIDE;
        line = line < NODE_LINE_WIDE ? line : NODE_LINE_WIDE;
    }
    *out = (node)(p - w->at) << NODE_TAG_BITS;
    *p = (uint32_t)kind | n << NODE_COUNT_SHIFT | line << NODE_LINE_SHIFT;
    return p + NODE_HEADER;
}

node node_new(struct unit *u, struct ast *ast, enum node_kind kind, uint32_t line,
              const node *children, uint32_t n)
{
    node out;
    uint32_t *p = node_alloc(u, ast, kind, line, n, &out);
    switch (n) { // most have few: no call for them
    case 3:
        p[2] = children[2];
        __attribute__((fallthrough));
    case 2:
        p[1] = children[1];
        __attribute__((fallthrough));
    case 1:
        p[0] = children[0];
        break;
    case 0:
        break;
    default:
        memcpy(p, children, n * sizeof *p);
        break;
    }
    return out;
}

node node_new_int(struct unit *u, struct ast *ast, int64_t v)
{
    if (v >= -NODE_INT_MAX - 1 && v <= NODE_INT_MAX) {
        return node_small((int32_t)v);
    }
    node out;
    uint32_t *p = node_alloc(u, ast, NODE_INT, 0, 2, &out);
    p[0] = (uint32_t)v;
    p[1] = (uint32_t)((uint64_t)v >> 32);
    return out;
}

node node_new_const(struct unit *u, struct ast *ast, uint32_t line, struct value v)
{
    uint32_t i = values_add(u, v);
    return node_new(u, ast, NODE_CONST, line, &i, 1);
}

// Upstream tests the bits above the sign, with the shift that the host makes of 0 and of more than
// 64 bits.
static bool node_fits(const struct unit *u, int64_t v)
{
    unsigned shift = (u->options.small_int_bits - 1) & 63;
    uint64_t mask = ~(((uint64_t)1 << shift) - 1), high = (uint64_t)v & mask;
    return high == 0 || high == mask;
}

node node_new_value(struct unit *u, struct ast *ast, uint32_t line, struct value v)
{
    if (v.kind == VALUE_INT && node_fits(u, v.i)) {
        return node_new_int(u, ast, v.i);
    }
    return node_new_const(u, ast, line, v);
}

bool node_get_int(const struct ast *ast, node n, int64_t *v)
{
    if (node_is_int(n)) {
        *v = node_small_value(n);
        return true;
    }
    if (node_is(ast, n, NODE_INT)) {
        const node *p = node_children(ast, n);
        *v = (int64_t)(p[0] | (uint64_t)p[1] << 32);
        return true;
    }
    return false;
}

static bool node_is_const_token(node n)
{
    uint32_t t = node_arg(n);
    return t == TOKEN_NONE || t == TOKEN_FALSE || t == TOKEN_TRUE || t == TOKEN_ELLIPSIS;
}

bool node_is_const(const struct ast *ast, node n)
{
    if (node_is_int(n)) {
        return true;
    }
    switch (node_tag(n)) {
    case NODE_TAG_STRING:
        return true;
    case NODE_TAG_TOKEN:
        return node_is_const_token(n);
    case NODE_TAG_ID:
        return false;
    default:
        break;
    }
    if (n == NODE_NULL) {
        return false;
    }
    enum node_kind kind = node_kind(ast, n);
    return kind == NODE_INT || kind == NODE_CONST ||
           (kind == NODE_PAREN && node_child(ast, n, 0) == NODE_NULL);
}

struct value node_leaf_value(node n)
{
    if (node_is_int(n)) {
        return (struct value){.kind = VALUE_INT, .i = node_small_value(n)};
    }
    if (node_tag(n) == NODE_TAG_STRING) {
        return (struct value){.kind = VALUE_NAME, .name = node_arg(n)};
    }
    switch (node_arg(n)) {
    case TOKEN_NONE:
        return (struct value){.kind = VALUE_NONE};
    case TOKEN_FALSE:
        return (struct value){.kind = VALUE_FALSE};
    case TOKEN_TRUE:
        return (struct value){.kind = VALUE_TRUE};
    default:
        return (struct value){.kind = VALUE_ELLIPSIS};
    }
}

struct value node_value(const struct unit *u, const struct ast *ast, node n)
{
    int64_t i;
    if (!node_is_struct(n)) {
        return node_leaf_value(n);
    }
    if (node_get_int(ast, n, &i)) {
        return (struct value){.kind = VALUE_INT, .i = i};
    }
    if (node_kind(ast, n) == NODE_CONST) {
        return u->values.at[node_child(ast, n, 0)];
    }
    return (struct value){.kind = VALUE_TUPLE}; // ()
}

bool node_is_truth(const struct unit *u, const struct ast *ast, node n, bool truth)
{
    int64_t i;
    if (u->release->truth_of_consts) {
        if (!node_is_const(ast, n)) {
            return false;
        }
        struct value v = node_value(u, ast, n);
        return value_is_true(u, &v) == truth;
    }
    if (node_get_int(ast, n, &i)) {
        return (i != 0) == truth;
    }
    return node_is_token(n, truth ? TOKEN_TRUE : TOKEN_FALSE);
}

uint32_t node_list(const struct ast *ast, const node *n, enum node_kind kind, const node **items)
{
    if (*n == NODE_NULL) {
        *items = NULL;
        return 0;
    }
    if (node_is(ast, *n, kind)) {
        *items = node_children(ast, *n);
        return node_count(ast, *n);
    }
    *items = n;
    return 1;
}
