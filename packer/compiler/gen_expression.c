// Operators.
#include "packer/compiler/codegen.h"

void gen_ternary(struct codegen *c, node n)
{
    node rest = gen_child(c, n, 1);
    uint32_t fail = gen_label(c), end = gen_label(c);
    gen_condition(c, gen_child(c, rest, 0), false, fail);
    gen_node(c, gen_child(c, n, 0));
    gen_op(c, IR_JUMP, end);
    gen_op(c, IR_LABEL, fail);
    gen_adjust(c, -1);
    gen_node(c, gen_child(c, rest, 1));
    gen_op(c, IR_LABEL, end);
}

// In a comprehension, := binds the name in the scope around it.
static void gen_named_declare(struct codegen *c, node name)
{
    struct scope *s = gen_scope(c), *parent = scope_parent(&c->scopes, s);
    uint32_t target = node_arg(name);
    uint32_t outer = scope_modify(c->u, parent, target);
    if (parent->ids[outer].kind == ID_GLOBAL_EXPLICIT) {
        scope_find_or_add(c->u, s, target, ID_GLOBAL_EXPLICIT);
        return;
    }
    bool global = !parent->parent;
    uint32_t place = scope_find_or_add(c->u, s, target, ID_UNDECIDED);
    if (!global && s->ids[place].kind == ID_GLOBAL_IMPLICIT) {
        s->ids[place].kind = ID_UNDECIDED; // used before; now it must be closed over
    }
    gen_declare(c, name, place, global);
}

// Until 1.19 the store was compiled as if it stood in the parent.
static void gen_named_in_parent(struct codegen *c, uint32_t target)
{
    struct scope *parent = scope_parent(&c->scopes, gen_scope(c));
    gen_scope(c)->flags |= SCOPE_STORES_OUT;
    gen_op(c, IR_STORE_PARENT_ID, scope_modify(c->u, parent, target));
}

void gen_named(struct codegen *c, node name, node value)
{
    if (!node_is_id(name)) {
        gen_error(c, name, "can't assign to expression");
        gen_node(c, value);
        return;
    }
    gen_node(c, value);
    gen(c, IR_DUP_TOP);
    bool comprehension = scope_is_comprehension(gen_scope(c));
    if (comprehension && !c->u->release->walrus_declares) {
        gen_named_in_parent(c, node_arg(name));
        return;
    }
    if (comprehension) {
        gen_named_declare(c, name);
    }
    gen_store(c, node_arg(name));
}

void gen_or_and(struct codegen *c, node n)
{
    enum ir_op jump =
        node_is(c->ast, n, NODE_OR) ? IR_JUMP_IF_TRUE_OR_POP : IR_JUMP_IF_FALSE_OR_POP;
    uint32_t end = gen_label(c), count = node_count(c->ast, n);
    for (uint32_t i = 0; i < count; i++) {
        gen_node(c, gen_child(c, n, i));
        if (i + 1 < count) {
            gen_op(c, jump, end);
        }
    }
    gen_op(c, IR_LABEL, end);
}

void gen_not(struct codegen *c, node n)
{
    gen_node(c, gen_child(c, n, 0));
    gen_op(c, IR_UNARY, IR_NOT);
}

static void gen_compare_op(struct codegen *c, uint32_t t)
{
    switch (t) {
    case TOKEN_IN:
    case TOKEN_NOT_IN:
        gen_op(c, IR_BINARY, IR_IN);
        break;
    case TOKEN_IS:
    case TOKEN_IS_NOT:
        gen_op(c, IR_BINARY, IR_IS);
        break;
    default:
        gen_op(c, IR_BINARY, IR_LESS + (t - TOKEN_LESS));
        break;
    }
    if (t == TOKEN_NOT_IN || t == TOKEN_IS_NOT) {
        gen_op(c, IR_UNARY, IR_NOT);
    }
}

// a < b < c: the middle operand is kept for the next comparison.
void gen_compare(struct codegen *c, node n)
{
    uint32_t count = node_count(c->ast, n), fail = 0;
    bool chained = count > 3;
    gen_node(c, gen_child(c, n, 0));
    if (chained) {
        fail = gen_label(c);
    }
    for (uint32_t i = 1; i + 1 < count; i += 2) {
        bool last = i + 2 >= count;
        gen_node(c, gen_child(c, n, i + 1));
        if (!last) {
            gen(c, IR_DUP_TOP);
            gen(c, IR_ROT_THREE);
        }
        gen_compare_op(c, node_arg(gen_child(c, n, i)));
        if (!last) {
            gen_op(c, IR_JUMP_IF_FALSE_OR_POP, fail);
        }
    }
    if (chained) {
        uint32_t end = gen_label(c);
        gen_op(c, IR_JUMP, end);
        gen_op(c, IR_LABEL, fail);
        gen_adjust(c, 1);
        gen(c, IR_ROT_TWO);
        gen(c, IR_POP_TOP);
        gen_op(c, IR_LABEL, end);
    }
}

void gen_bits(struct codegen *c, node n)
{
    uint32_t op = IR_OR + (node_kind(c->ast, n) - NODE_BIT_OR);
    gen_node(c, gen_child(c, n, 0));
    for (uint32_t i = 1; i < node_count(c->ast, n); i++) {
        gen_node(c, gen_child(c, n, i));
        gen_op(c, IR_BINARY, op);
    }
}

static uint32_t gen_term_op(uint32_t t)
{
    switch (t) {
    case TOKEN_DOUBLE_LESS:
        return IR_LSHIFT;
    case TOKEN_DOUBLE_MORE:
        return IR_RSHIFT;
    case TOKEN_PLUS:
        return IR_ADD;
    case TOKEN_MINUS:
        return IR_SUBTRACT;
    case TOKEN_STAR:
        return IR_MULTIPLY;
    case TOKEN_AT:
        return IR_MAT_MULTIPLY;
    case TOKEN_DOUBLE_SLASH:
        return IR_FLOOR_DIVIDE;
    case TOKEN_SLASH:
        return IR_TRUE_DIVIDE;
    default:
        return IR_MODULO;
    }
}

void gen_term(struct codegen *c, node n)
{
    gen_node(c, gen_child(c, n, 0));
    for (uint32_t i = 1; i + 1 < node_count(c->ast, n); i += 2) {
        gen_node(c, gen_child(c, n, i + 1));
        gen_op(c, IR_BINARY, gen_term_op(node_arg(gen_child(c, n, i))));
    }
}

void gen_unary(struct codegen *c, node n)
{
    gen_node(c, gen_child(c, n, 1));
    uint32_t t = node_arg(gen_child(c, n, 0));
    gen_op(c, IR_UNARY, t == TOKEN_TILDE ? IR_INVERT : t == TOKEN_PLUS ? IR_POSITIVE : IR_NEGATIVE);
}

void gen_power(struct codegen *c, node n)
{
    gen_all(c, n);
    gen_op(c, IR_BINARY, IR_POWER);
}

void gen_tuple(struct codegen *c, node n)
{
    for (uint32_t i = 0; i < node_count(c->ast, n); i++) {
        gen_node(c, gen_child(c, n, i));
    }
    gen_build(c, IR_TUPLE, node_count(c->ast, n));
}
