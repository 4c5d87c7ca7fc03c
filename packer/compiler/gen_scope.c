// The body of a scope: its parameters and what surrounds the code the user wrote.
#include "packer/compiler/codegen.h"

struct gen_param {
    uint32_t name; // 0: a bare *
    unsigned flags;
};

static void gen_count_param(struct codegen *c)
{
    struct scope *s = gen_scope(c);
    if (c->have_star) {
        s->keyword_only++;
    } else {
        s->positional++;
    }
}

static struct gen_param gen_star_param(struct codegen *c, node n)
{
    node name = gen_child(c, n, 0);
    if (c->have_star) {
        gen_error(c, n, "invalid syntax");
        return (struct gen_param){0, 0};
    }
    c->have_star = true;
    struct gen_param p = {0, ID_PARAM | ID_STAR_PARAM};
    if (name == NODE_NULL) {
        return p;
    }
    gen_scope(c)->flags |= SCOPE_VARARGS;
    p.name = node_arg(node_is_id(name) ? name : gen_child(c, name, 0));
    return p;
}

static struct gen_param gen_read_param(struct codegen *c, node n)
{
    if (node_is_id(n)) {
        gen_count_param(c);
        return (struct gen_param){node_arg(n), ID_PARAM};
    }
    switch (node_kind(c->ast, n)) {
    case NODE_PARAM:
    case NODE_LAMBDA_PARAM:
        gen_count_param(c);
        return (struct gen_param){node_arg(gen_child(c, n, 0)), ID_PARAM};
    case NODE_PARAM_STAR:
    case NODE_LAMBDA_STAR:
        return gen_star_param(c, n);
    default:
        gen_scope(c)->flags |= SCOPE_VARKEYWORDS;
        return (struct gen_param){node_arg(gen_child(c, n, 0)), ID_PARAM | ID_DOUBLE_STAR_PARAM};
    }
}

static void gen_param(struct codegen *c, node n)
{
    if (gen_scope(c)->flags & SCOPE_VARKEYWORDS) {
        gen_error(c, n, "invalid syntax"); // **kwargs must be last
        return;
    }
    struct gen_param p = gen_read_param(c, n);
    if (!p.name) {
        return;
    }
    struct scope *s = gen_scope(c);
    uint32_t place = scope_find_or_add(c->u, s, p.name, ID_UNDECIDED);
    struct id *id = &s->ids[place];
    if (id->kind != ID_UNDECIDED) {
        gen_error(c, n, "argument name reused");
        return;
    }
    id->kind = ID_LOCAL;
    id->flags = p.flags & 7;
}

static void gen_params(struct codegen *c, node params, enum node_kind list)
{
    const node *items;
    uint32_t n = node_list(c->ast, &params, list, &items);
    c->have_star = false;
    for (uint32_t i = 0; i < n; i++) {
        gen_param(c, items[i]);
    }
}

static void gen_module(struct codegen *c, node tree)
{
    gen_node(c, tree);
    gen(c, IR_LOAD_NONE);
    gen(c, IR_RETURN_VALUE);
}

static void gen_function_body(struct codegen *c, node tree)
{
    gen_params(c, gen_child(c, tree, 1), NODE_PARAMS);
    gen_node(c, gen_child(c, tree, 3));
    gen(c, IR_END_FUNCTION);
}

static void gen_lambda_body(struct codegen *c, node tree)
{
    gen_line(c, node_line(c->ast, tree));
    gen_params(c, gen_child(c, tree, 0), NODE_LAMBDA_PARAMS);
    gen_node(c, gen_child(c, tree, 1));
    if (gen_scope(c)->flags & SCOPE_GENERATOR) {
        gen(c, IR_POP_TOP);
        gen(c, IR_LOAD_NONE);
    }
    gen(c, IR_RETURN_VALUE);
}

static void gen_class_body(struct codegen *c, node tree)
{
    scope_find_or_add(c->u, gen_scope(c), gen_known(c, NAME_CLASS), ID_LOCAL);
    gen_load(c, gen_known(c, NAME_NAME));
    gen_store(c, gen_known(c, NAME_DUNDER_MODULE));
    gen_name(c, IR_LOAD_CONST_STRING, node_arg(gen_child(c, tree, 0)));
    gen_store(c, gen_known(c, NAME_QUALNAME));
    gen_node(c, gen_child(c, tree, 2));
    gen(c, IR_LOAD_CLASS_CELL);
    gen(c, IR_RETURN_VALUE);
}

static void gen_comp_inner(struct codegen *c, node inner, unsigned depth)
{
    enum scope_kind kind = gen_scope(c)->kind;
    gen_node(c, inner);
    if (kind == SCOPE_GEN_EXPR) {
        gen(c, IR_YIELD_VALUE);
        gen_scope(c)->flags |= SCOPE_GENERATOR;
        gen(c, IR_POP_TOP);
    } else {
        gen_op(c, IR_STORE_COMP, (uint32_t)kind);
        gen_number(c, 4 * depth + 5);
    }
}

// for ... [for|if ...]*
static void gen_comp_for(struct codegen *c, node comp, node inner, unsigned depth)
{
    uint32_t top = gen_label(c), end = gen_label(c);
    gen_op(c, IR_LABEL, top);
    gen_op(c, IR_FOR_ITER, end);
    gen_assign(c, gen_child(c, comp, 0));
    node more = gen_child(c, comp, 2);
    while (node_is(c->ast, more, NODE_COMP_IF)) {
        gen_condition(c, gen_child(c, more, 0), false, top);
        more = gen_child(c, more, 1);
    }
    if (more == NODE_NULL) {
        gen_comp_inner(c, inner, depth);
    } else {
        gen_enter(c);
        gen_node(c, gen_child(c, more, 1));
        gen(c, IR_GET_ITER_STACK);
        gen_comp_for(c, more, inner, depth + 1);
        gen_leave(c);
    }
    gen_op(c, IR_JUMP, top);
    gen_op(c, IR_LABEL, end);
    gen_adjust(c, -4);
}

static void gen_comp_collection(struct codegen *c, enum scope_kind kind)
{
    if (kind == SCOPE_LIST_COMP) {
        gen_build(c, IR_LIST, 0);
    } else if (kind == SCOPE_DICT_COMP) {
        gen_op(c, IR_BUILD_MAP, 0);
    } else if (kind == SCOPE_SET_COMP) {
        gen_build(c, IR_SET, 0);
    }
}

// The iterator is the argument, under the empty name.
static void gen_comp_body(struct codegen *c, node tree)
{
    struct scope *s = gen_scope(c);
    scope_find_or_add(c->u, s, NAMES_EMPTY, ID_LOCAL);
    s->positional = 1;
    bool generator = s->kind == SCOPE_GEN_EXPR;
    gen_line(c, node_line(c->ast, tree));
    gen_comp_collection(c, s->kind);
    if (generator) {
        gen(c, IR_LOAD_NULL);
        gen_load(c, NAMES_EMPTY);
        gen(c, IR_LOAD_NULL);
        gen(c, IR_LOAD_NULL);
    } else {
        gen_load(c, NAMES_EMPTY);
        gen(c, IR_GET_ITER_STACK);
    }
    gen_comp_for(c, gen_child(c, tree, 1), gen_child(c, tree, 0), 0);
    if (generator) {
        gen(c, IR_LOAD_NONE);
    }
    gen(c, IR_RETURN_VALUE);
}

void gen_scope_body(struct codegen *c)
{
    node tree = gen_scope(c)->tree;
    switch (gen_scope(c)->kind) {
    case SCOPE_MODULE:
        gen_module(c, tree);
        break;
    case SCOPE_FUNCTION:
        gen_function_body(c, tree);
        break;
    case SCOPE_LAMBDA:
        gen_lambda_body(c, tree);
        break;
    case SCOPE_CLASS:
        gen_class_body(c, tree);
        break;
    default:
        gen_comp_body(c, tree);
        break;
    }
}
