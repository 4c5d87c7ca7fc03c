// Simple statements and assignment.
#include "packer/compiler/codegen.h"

enum assign_kind { ASSIGN_STORE, ASSIGN_AUG_LOAD, ASSIGN_AUG_STORE };

static void gen_assign_kind(struct codegen *c, node target, enum assign_kind kind);

static void gen_cannot_assign(struct codegen *c, node n)
{
    gen_error(c, n, "can't assign to expression");
}

// Loads what the last trailer applies to, and returns that trailer.
static node gen_before_last_trailer(struct codegen *c, node n, bool load)
{
    if (load) {
        gen_node(c, gen_child(c, n, 0));
    }
    node trailer = gen_child(c, n, 1);
    if (node_is(c->ast, trailer, NODE_TRAILERS)) {
        uint32_t count = node_count(c->ast, trailer);
        for (uint32_t i = 0; load && i + 1 < count; i++) {
            gen_node(c, gen_child(c, trailer, i));
        }
        trailer = gen_child(c, trailer, count - 1);
    }
    return trailer;
}

static void gen_assign_index(struct codegen *c, node trailer, enum assign_kind kind)
{
    if (kind == ASSIGN_AUG_STORE) {
        gen(c, IR_ROT_THREE);
        gen(c, IR_STORE_SUBSCR);
        return;
    }
    gen_node(c, gen_child(c, trailer, 0));
    if (kind == ASSIGN_AUG_LOAD) {
        gen(c, IR_DUP_TOP_TWO);
        gen(c, IR_LOAD_SUBSCR);
    } else {
        gen(c, IR_STORE_SUBSCR);
    }
}

static void gen_assign_attr(struct codegen *c, node trailer, enum assign_kind kind)
{
    uint32_t name = node_arg(gen_child(c, trailer, 0));
    if (kind == ASSIGN_AUG_LOAD) {
        gen(c, IR_DUP_TOP);
        gen_name(c, IR_LOAD_ATTR, name);
        return;
    }
    if (kind == ASSIGN_AUG_STORE) {
        gen(c, IR_ROT_TWO);
    }
    gen_name(c, IR_STORE_ATTR, name);
}

static void gen_assign_atom(struct codegen *c, node n, enum assign_kind kind)
{
    node trailer = gen_before_last_trailer(c, n, kind != ASSIGN_AUG_STORE);
    if (node_is(c->ast, trailer, NODE_INDEX)) {
        gen_assign_index(c, trailer, kind);
    } else if (node_is(c->ast, trailer, NODE_ATTR)) {
        gen_assign_attr(c, trailer, kind);
    } else {
        gen_cannot_assign(c, n);
    }
}

static void gen_unpack(struct codegen *c, const node *items, uint32_t n)
{
    bool star = false;
    for (uint32_t i = 0; i < n; i++) {
        if (!node_is(c->ast, items[i], NODE_STAR_EXPR)) {
            continue;
        }
        if (star) {
            gen_error(c, items[i], "multiple *x in assignment");
            return;
        }
        star = true;
        gen_op(c, IR_UNPACK_EX, i);
        gen_number(c, n - i - 1);
    }
    if (!star) {
        gen_op(c, IR_UNPACK_SEQUENCE, n);
    }
}

static void gen_assign_items(struct codegen *c, const node *items, uint32_t n)
{
    gen_unpack(c, items, n);
    for (uint32_t i = 0; i < n; i++) {
        bool star = node_is(c->ast, items[i], NODE_STAR_EXPR);
        gen_assign_kind(c, star ? gen_child(c, items[i], 0) : items[i], ASSIGN_STORE);
    }
}

static void gen_assign_sequence(struct codegen *c, node target, node items)
{
    if (gen_is_comprehension(c, items)) {
        gen_cannot_assign(c, target);
        return;
    }
    gen_assign_items(c, node_children(c->ast, items), node_count(c->ast, items));
}

// (...) or [...]
static void gen_assign_bracketed(struct codegen *c, node target, enum assign_kind kind)
{
    node inside = gen_child(c, target, 0);
    bool paren = node_is(c->ast, target, NODE_PAREN);
    if (kind != ASSIGN_STORE || (paren && inside == NODE_NULL)) {
        gen_cannot_assign(c, target);
    } else if (node_is(c->ast, inside, NODE_ITEMS)) {
        gen_assign_sequence(c, target, inside);
    } else {
        gen_assign_items(c, &inside, inside != NODE_NULL);
    }
}

static void gen_assign_struct(struct codegen *c, node target, enum assign_kind kind)
{
    switch (node_kind(c->ast, target)) {
    case NODE_ATOM_EXPR:
        gen_assign_atom(c, target, kind);
        break;
    case NODE_STAR_TUPLE:
    case NODE_EXPRLIST:
        if (kind != ASSIGN_STORE) {
            gen_cannot_assign(c, target);
            break;
        }
        gen_assign_items(c, node_children(c->ast, target), node_count(c->ast, target));
        break;
    case NODE_PAREN:
    case NODE_BRACKET:
        gen_assign_bracketed(c, target, kind);
        break;
    default:
        gen_cannot_assign(c, target);
    }
}

static void gen_assign_kind(struct codegen *c, node target, enum assign_kind kind)
{
    gen_enter(c);
    if (node_is_struct(target)) {
        gen_assign_struct(c, target, kind);
    } else if (!node_is_id(target)) {
        gen_cannot_assign(c, target);
    } else if (kind == ASSIGN_AUG_LOAD) {
        gen_load(c, node_arg(target));
    } else {
        gen_store(c, node_arg(target));
    }
    gen_leave(c);
}

void gen_assign(struct codegen *c, node target)
{
    gen_assign_kind(c, target, ASSIGN_STORE);
}

static bool gen_has_star(const struct codegen *c, node n)
{
    for (uint32_t i = 0; i < node_count(c->ast, n); i++) {
        if (node_is(c->ast, gen_child(c, n, i), NODE_STAR_EXPR)) {
            return true;
        }
    }
    return false;
}

// a, b = c, d and a, b, c = d, e, f need no tuple.
static bool gen_assign_swap(struct codegen *c, node target, node value)
{
    if (!node_is(c->ast, value, NODE_STAR_TUPLE) || !node_is(c->ast, target, NODE_STAR_TUPLE)) {
        return false;
    }
    uint32_t n = node_count(c->ast, target);
    if (n != node_count(c->ast, value) || n < 2 || n > 3 || gen_has_star(c, target)) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        gen_node(c, gen_child(c, value, i));
    }
    if (n == 3) {
        gen(c, IR_ROT_THREE);
    }
    gen(c, IR_ROT_TWO);
    for (uint32_t i = 0; i < n; i++) {
        gen_assign(c, gen_child(c, target, i));
    }
    return true;
}

static void gen_plain_assign(struct codegen *c, node target, node value)
{
    if (!gen_assign_swap(c, target, value)) {
        gen_node(c, value);
        gen_assign(c, target);
    }
}

static void gen_annotated(struct codegen *c, node target, node annotation)
{
    node value = gen_child(c, annotation, 1);
    if (value != NODE_NULL) {
        gen_plain_assign(c, target, value);
    } else if (gen_scope(c)->kind == SCOPE_FUNCTION && node_is_id(target)) {
        scope_find_or_add(c->u, gen_scope(c), node_arg(target), ID_LOCAL);
    }
}

static void gen_augmented(struct codegen *c, node target, node aug)
{
    gen_assign_kind(c, target, ASSIGN_AUG_LOAD);
    gen_node(c, gen_child(c, aug, 1));
    gen_op(c, IR_BINARY, IR_INPLACE_OR + (node_arg(gen_child(c, aug, 0)) - TOKEN_PIPE_EQUAL));
    gen_assign_kind(c, target, ASSIGN_AUG_STORE);
}

// a = b = value: the value is the last of the list.
static void gen_assign_list(struct codegen *c, node target, node list)
{
    uint32_t last = node_count(c->ast, list) - 1;
    gen_node(c, gen_child(c, list, last));
    if (last > 0) {
        gen(c, IR_DUP_TOP);
    }
    gen_assign(c, target);
    for (uint32_t i = 0; i < last; i++) {
        if (i + 1 < last) {
            gen(c, IR_DUP_TOP);
        }
        gen_assign(c, gen_child(c, list, i));
    }
}

static void gen_discarded(struct codegen *c, node n)
{
    bool lonely = node_is_struct(n) ? node_kind(c->ast, n) <= NODE_CONST : !node_is_id(n);
    if (!lonely) {
        gen_node(c, n);
        gen(c, IR_POP_TOP);
    }
}

void gen_expr_stmt(struct codegen *c, node n)
{
    node target = gen_child(c, n, 0);
    node rest = node_count(c->ast, n) > 1 ? gen_child(c, n, 1) : NODE_NULL;
    if (rest == NODE_NULL) {
        gen_discarded(c, target);
    } else if (node_is(c->ast, rest, NODE_ANNASSIGN)) {
        gen_annotated(c, target, rest);
    } else if (node_is(c->ast, rest, NODE_AUGASSIGN)) {
        gen_augmented(c, target, rest);
    } else if (node_is(c->ast, rest, NODE_ASSIGN_LIST)) {
        gen_assign_list(c, target, rest);
    } else {
        gen_plain_assign(c, target, rest);
    }
}

static void gen_cannot_delete(struct codegen *c, node n)
{
    gen_error(c, n, "can't delete expression");
}

static void gen_delete_atom(struct codegen *c, node n)
{
    node trailer = gen_before_last_trailer(c, n, true);
    if (node_is(c->ast, trailer, NODE_INDEX)) {
        gen_node(c, gen_child(c, trailer, 0));
        gen(c, IR_LOAD_NULL);
        gen(c, IR_ROT_THREE);
        gen(c, IR_STORE_SUBSCR);
    } else if (node_is(c->ast, trailer, NODE_ATTR)) {
        gen(c, IR_LOAD_NULL);
        gen(c, IR_ROT_TWO);
        gen_name(c, IR_STORE_ATTR, node_arg(gen_child(c, trailer, 0)));
    } else {
        gen_cannot_delete(c, n);
    }
}

static void gen_delete_target(struct codegen *c, node n);

static void gen_delete_items(struct codegen *c, node items)
{
    if (items == NODE_NULL || gen_is_comprehension(c, items)) {
        gen_cannot_delete(c, items);
        return;
    }
    gen_enter(c);
    for (uint32_t i = 0; i < node_count(c->ast, items); i++) {
        gen_delete_target(c, gen_child(c, items, i));
    }
    gen_leave(c);
}

static void gen_delete_target(struct codegen *c, node n)
{
    if (node_is_id(n)) {
        gen_delete(c, node_arg(n));
    } else if (node_is(c->ast, n, NODE_ATOM_EXPR)) {
        gen_delete_atom(c, n);
    } else if (node_is(c->ast, n, NODE_PAREN)) {
        gen_delete_items(c, gen_child(c, n, 0));
    } else {
        gen_cannot_delete(c, n);
    }
}

void gen_del(struct codegen *c, node n)
{
    const node *items;
    node targets = gen_child(c, n, 0);
    uint32_t count = node_list(c->ast, &targets, NODE_EXPRLIST, &items);
    for (uint32_t i = 0; i < count; i++) {
        gen_delete_target(c, items[i]);
    }
}

// `return a if b else c` returns from both branches.
static void gen_return_ternary(struct codegen *c, node n)
{
    node rest = gen_child(c, n, 1);
    uint32_t fail = gen_label(c);
    gen_condition(c, gen_child(c, rest, 0), false, fail);
    gen_node(c, gen_child(c, n, 0));
    gen(c, IR_RETURN_VALUE);
    gen_op(c, IR_LABEL, fail);
    gen_node(c, gen_child(c, rest, 1));
}

void gen_return(struct codegen *c, node n)
{
    node value = gen_child(c, n, 0);
    if (gen_scope(c)->kind != SCOPE_FUNCTION) {
        gen_error(c, n, "'return' outside function");
        return;
    }
    if (value == NODE_NULL) {
        gen(c, IR_LOAD_NONE);
    } else if (node_is(c->ast, value, NODE_TERNARY)) {
        gen_return_ternary(c, value);
    } else {
        gen_node(c, value);
    }
    gen(c, IR_RETURN_VALUE);
}

void gen_raise(struct codegen *c, node n)
{
    node what = gen_child(c, n, 0);
    if (what == NODE_NULL) {
        gen_op(c, IR_RAISE, 0);
    } else if (node_is(c->ast, what, NODE_RAISE_FROM)) {
        gen_node(c, gen_child(c, what, 0));
        gen_node(c, gen_child(c, what, 1));
        gen_op(c, IR_RAISE, 2);
    } else {
        gen_node(c, what);
        gen_op(c, IR_RAISE, 1);
    }
}

static void gen_declare_global(struct codegen *c, node n, struct id *id)
{
    if (id->kind != ID_UNDECIDED && id->kind != ID_GLOBAL_EXPLICIT) {
        gen_error(c, n, "identifier redefined as global");
        return;
    }
    id->kind = ID_GLOBAL_EXPLICIT;
    struct scope *module = &c->scopes.at[0];
    uint32_t place = scope_find(module, id->name);
    if (place != UINT32_MAX) {
        module->ids[place].kind = ID_GLOBAL_EXPLICIT;
    }
}

static void gen_declare_nonlocal(struct codegen *c, node n, uint32_t place)
{
    struct scope *s = gen_scope(c);
    if (s->ids[place].kind == ID_UNDECIDED) {
        s->ids[place].kind = ID_GLOBAL_IMPLICIT;
        scope_close_over(c->u, &c->scopes, s, place);
        if (s->ids[place].kind == ID_GLOBAL_IMPLICIT) {
            gen_error(c, n, "no binding for nonlocal found");
        }
    } else if (s->ids[place].kind != ID_FREE) {
        gen_error(c, n, "identifier redefined as nonlocal");
    }
}

void gen_declare(struct codegen *c, node n, uint32_t place, bool global)
{
    if (global) {
        gen_declare_global(c, n, &gen_scope(c)->ids[place]);
    } else {
        gen_declare_nonlocal(c, n, place);
    }
}

void gen_global(struct codegen *c, node n)
{
    bool global = node_is(c->ast, n, NODE_GLOBAL);
    if (!global && gen_scope(c)->kind == SCOPE_MODULE) {
        gen_error(c, n, "can't declare nonlocal in outer code");
        return;
    }
    const node *items;
    node names = gen_child(c, n, 0);
    uint32_t count = node_list(c->ast, &names, NODE_NAME_LIST, &items);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = scope_find_or_add(c->u, gen_scope(c), node_arg(items[i]), ID_UNDECIDED);
        gen_declare(c, n, place, global);
    }
}

void gen_assert(struct codegen *c, node n)
{
    if (c->u->options.opt_level != 0) {
        return;
    }
    uint32_t end = gen_label(c);
    gen_condition(c, gen_child(c, n, 0), true, end);
    gen_name(c, IR_LOAD_GLOBAL, gen_known(c, NAME_ASSERTION_ERROR));
    if (gen_child(c, n, 1) != NODE_NULL) {
        gen_node(c, gen_child(c, n, 1));
        gen_op(c, IR_CALL, IR_CALL_FUNCTION);
        gen_number(c, 1);
        gen_number(c, 0);
    }
    gen_op(c, IR_RAISE, 1);
    gen_op(c, IR_LABEL, end);
}
