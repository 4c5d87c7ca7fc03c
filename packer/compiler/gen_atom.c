// Atoms and their trailers: calls, subscripts, displays, comprehensions.
#include "packer/compiler/codegen.h"

// The map of starred arguments is a small int of the host, and shifts go round in it.
enum { GEN_STAR_BITS = 64 };

bool gen_is_comprehension(const struct codegen *c, node items)
{
    return node_count(c->ast, items) == 2 && node_is(c->ast, gen_child(c, items, 1), NODE_COMP_FOR);
}

static uint32_t gen_comprehension_name(const struct codegen *c, enum scope_kind kind)
{
    switch (kind) {
    case SCOPE_LIST_COMP:
        return gen_known(c, NAME_LISTCOMP);
    case SCOPE_DICT_COMP:
        return gen_known(c, NAME_DICTCOMP);
    case SCOPE_SET_COMP:
        return gen_known(c, NAME_SETCOMP);
    default:
        return gen_known(c, NAME_GENEXPR);
    }
}

// n: item, NODE_COMP_FOR.
void gen_comprehension(struct codegen *c, node n, enum scope_kind kind)
{
    scope_add(c->u, &c->scopes, kind, c->scope + 1, n, gen_comprehension_name(c, kind));
    gen_make_function(c, c->scopes.n - 1, 0, 0);
    gen_node(c, gen_child(c, gen_child(c, n, 1), 1));
    if (kind == SCOPE_GEN_EXPR) {
        gen(c, IR_GET_ITER);
    }
    gen_op(c, IR_CALL, IR_CALL_FUNCTION);
    gen_number(c, 1);
    gen_number(c, 0);
}

// Arguments of a call as they add up.
struct gen_args {
    uint32_t positional, keyword;
    bool star, double_star;
    uint64_t star_map; // which arguments are *args
};

// The arguments' functions return false where upstream leaves the call at an error.
static bool gen_star_arg(struct codegen *c, struct gen_args *a, node arg, uint32_t i)
{
    unsigned bits = c->u->options.small_int_bits;
    const char *error = NULL;
    if (a->double_star) {
        error = "* arg after **";
    } else if (a->keyword && c->u->release->star_before_keywords) {
        error = "* arg after kwarg";
    } else if (bits <= UINT8_MAX && i >= bits - 1) {
        error = "too many args";
    }
    if (error) {
        gen_error(c, arg, error);
        return false;
    }
    a->star = true;
    a->star_map |= (uint64_t)1 << i % GEN_STAR_BITS;
    gen_node(c, gen_child(c, arg, 0));
    a->positional++;
    return true;
}

static bool gen_named_arg(struct codegen *c, struct gen_args *a, node arg)
{
    node name = gen_child(c, arg, 0), value = gen_child(c, arg, 1);
    if (node_is(c->ast, value, NODE_ARG_NAMED)) {
        gen_named(c, name, gen_child(c, value, 0));
        a->positional++;
    } else if (node_is(c->ast, value, NODE_COMP_FOR)) {
        gen_comprehension(c, arg, SCOPE_GEN_EXPR);
        a->positional++;
    } else {
        if (!node_is_id(name)) {
            gen_error(c, arg, "LHS of keyword arg must be an id");
            return false;
        }
        gen_name(c, IR_LOAD_CONST_STRING, node_arg(name));
        gen_node(c, value);
        a->keyword++;
    }
    return true;
}

static bool gen_positional_arg(struct codegen *c, struct gen_args *a, node arg)
{
    if (a->double_star || a->keyword) {
        gen_error(c, arg,
                  a->double_star ? "positional arg after **" : "positional arg after keyword arg");
        return false;
    }
    gen_node(c, arg);
    a->positional++;
    return true;
}

static bool gen_arg(struct codegen *c, struct gen_args *a, node arg, uint32_t i)
{
    enum node_kind kind = node_is_struct(arg) ? node_kind(c->ast, arg) : NODE_INT;
    switch (kind) {
    case NODE_ARG_STAR:
        return gen_star_arg(c, a, arg, i);
    case NODE_ARG_DOUBLE:
        a->double_star = true;
        gen(c, IR_LOAD_NULL);
        gen_node(c, gen_child(c, arg, 0));
        a->keyword++;
        return true;
    case NODE_ARG:
        return gen_named_arg(c, a, arg);
    default:
        return gen_positional_arg(c, a, arg);
    }
}

void gen_call(struct codegen *c, node arguments, bool is_method, uint32_t extra)
{
    const node *items;
    uint32_t n = node_list(c->ast, &arguments, NODE_ARGS, &items);
    struct gen_args a = {.positional = extra};
    for (uint32_t i = 0; i < n; i++) {
        if (!gen_arg(c, &a, items[i], i)) {
            return;
        }
    }
    bool star = a.star || a.double_star;
    if ((a.star_map ^ a.star_map << 1) >> (GEN_STAR_BITS - 1)) { // upstream ends here
        gen_error(c, arguments, "too many args");
        return;
    }
    if (star) {
        gen_int(c, (int64_t)a.star_map);
    }
    gen_op(c, IR_CALL, (is_method ? IR_CALL_METHOD : IR_CALL_FUNCTION) + star);
    gen_number(c, a.positional);
    gen_number(c, a.keyword);
}

static bool gen_is_call(const struct codegen *c, node n)
{
    return node_is(c->ast, n, NODE_CALL);
}

// super() in a method: the class and self come from the scope. Returns how many trailers it took.
static uint32_t gen_super(struct codegen *c, const node *trailers, uint32_t n)
{
    bool found = false;
    gen_load(c, gen_known(c, NAME_CLASS));
    const struct scope *s = gen_scope(c);
    for (uint32_t i = 0; i < s->n_ids && !found; i++) {
        found = s->ids[i].flags & ID_PARAM;
    }
    if (!found) {
        gen_error(c, trailers[0], "super() can't find self");
        return n;
    }
    gen(c, IR_LOAD_SELF);
    if (n >= 3 && node_is(c->ast, trailers[1], NODE_ATTR) && gen_is_call(c, trailers[2])) {
        gen_name(c, IR_LOAD_SUPER_METHOD, node_arg(gen_child(c, trailers[1], 0)));
        gen_call(c, gen_child(c, trailers[2], 0), true, 0);
        return 3;
    }
    gen_op(c, IR_CALL, IR_CALL_FUNCTION);
    gen_number(c, 2);
    gen_number(c, 0);
    return 1;
}

static bool gen_is_super(const struct codegen *c, node atom, node trailer)
{
    return gen_scope(c)->kind == SCOPE_FUNCTION && node_is_id(atom) &&
           node_arg(atom) == gen_known(c, NAME_SUPER) && gen_is_call(c, trailer) &&
           gen_child(c, trailer, 0) == NODE_NULL;
}

// Also for NODE_AWAIT, whose trailers may be missing.
void gen_atom_expr(struct codegen *c, node n)
{
    node atom = gen_child(c, n, 0), list = gen_child(c, n, 1);
    const node *trailers;
    uint32_t count = node_list(c->ast, &list, NODE_TRAILERS, &trailers), i = 0;
    gen_node(c, atom);
    if (count && gen_is_super(c, atom, trailers[0])) {
        i = gen_super(c, trailers, count);
    }
    for (; i < count; i++) {
        bool method = i + 1 < count && node_is(c->ast, trailers[i], NODE_ATTR) &&
                      gen_is_call(c, trailers[i + 1]);
        if (method) {
            gen_name(c, IR_LOAD_METHOD, node_arg(gen_child(c, trailers[i], 0)));
            gen_call(c, gen_child(c, trailers[++i], 0), true, 0);
        } else {
            gen_node(c, trailers[i]);
        }
    }
}

void gen_paren(struct codegen *c, node n)
{
    node items = gen_child(c, n, 0);
    if (items == NODE_NULL) {
        gen_build(c, IR_TUPLE, 0);
    } else if (gen_is_comprehension(c, items)) {
        gen_comprehension(c, items, SCOPE_GEN_EXPR);
    } else {
        gen_tuple(c, items);
    }
}

void gen_bracket(struct codegen *c, node n)
{
    node items = gen_child(c, n, 0);
    if (items == NODE_NULL) {
        gen_build(c, IR_LIST, 0);
    } else if (!node_is(c->ast, items, NODE_ITEMS)) {
        gen_node(c, items);
        gen_build(c, IR_LIST, 1);
    } else if (gen_is_comprehension(c, items)) {
        gen_comprehension(c, items, SCOPE_LIST_COMP);
    } else {
        gen_all(c, items);
        gen_build(c, IR_LIST, node_count(c->ast, items));
    }
}

// first, and what follows the comma. n is the whole, for its line.
static void gen_brace_items(struct codegen *c, node n, node first, node tail)
{
    const node *items;
    node rest = gen_child(c, tail, 0);
    uint32_t count = node_list(c->ast, &rest, NODE_DICT_ITEMS, &items);
    bool dict = node_is(c->ast, first, NODE_DICT_ITEM);
    if (dict) {
        gen_op(c, IR_BUILD_MAP, count + 1);
    }
    for (uint32_t i = 0; i <= count; i++) {
        node item = i == 0 ? first : items[i - 1];
        bool pair = node_is(c->ast, item, NODE_DICT_ITEM);
        gen_node(c, item);
        if (pair != dict) {
            gen_error(c, n,
                      dict ? "expecting key:value for dict" : "expecting just a value for set");
            return;
        }
        if (dict) {
            gen(c, IR_STORE_MAP);
        }
    }
    if (!dict) {
        gen_build(c, IR_SET, count + 1);
    }
}

void gen_brace(struct codegen *c, node n)
{
    node inside = gen_child(c, n, 0);
    if (inside == NODE_NULL) {
        gen_op(c, IR_BUILD_MAP, 0);
    } else if (node_is(c->ast, inside, NODE_DICT_ITEM)) {
        gen_op(c, IR_BUILD_MAP, 1);
        gen_node(c, inside);
        gen(c, IR_STORE_MAP);
    } else if (!node_is(c->ast, inside, NODE_DICT_OR_SET)) {
        gen_node(c, inside);
        gen_build(c, IR_SET, 1);
    } else {
        node first = gen_child(c, inside, 0), rest = gen_child(c, inside, 1);
        if (node_is(c->ast, rest, NODE_DICT_TAIL)) {
            gen_brace_items(c, inside, first, rest);
        } else {
            bool dict = node_is(c->ast, first, NODE_DICT_ITEM);
            gen_comprehension(c, inside, dict ? SCOPE_DICT_COMP : SCOPE_SET_COMP);
        }
    }
}

// n holds what follows the second colon, if anything.
static void gen_slice_step(struct codegen *c, node n)
{
    node step = gen_child(c, n, 0);
    gen_node(c, step);
    gen_build(c, IR_SLICE, step == NODE_NULL ? 2 : 3);
}

// start? ':' ...
void gen_slice(struct codegen *c, node n)
{
    if (node_is(c->ast, n, NODE_SLICE_FROM)) {
        gen_node(c, gen_child(c, n, 0));
        n = gen_child(c, n, 1);
    } else {
        gen(c, IR_LOAD_NONE);
    }
    node rest = gen_child(c, n, 0);
    if (node_is(c->ast, rest, NODE_SLICE_STEP)) {
        gen(c, IR_LOAD_NONE);
        gen_slice_step(c, rest);
    } else if (node_is(c->ast, rest, NODE_SLICE_TO)) {
        gen_node(c, gen_child(c, rest, 0));
        gen_slice_step(c, gen_child(c, rest, 1));
    } else {
        if (rest == NODE_NULL) {
            gen(c, IR_LOAD_NONE);
        } else {
            gen_node(c, rest);
        }
        gen_build(c, IR_SLICE, 2);
    }
}
