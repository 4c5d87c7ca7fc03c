// Generators: yield, await, async for and async with.
#include "packer/compiler/codegen.h"

enum { GEN_HIDDEN_NAME = 1 << 30 }; // above all names

static void gen_yield_value(struct codegen *c)
{
    gen(c, IR_YIELD_VALUE);
    gen_scope(c)->flags |= SCOPE_GENERATOR;
}

static void gen_yield_from(struct codegen *c)
{
    gen(c, IR_GET_ITER);
    gen(c, IR_LOAD_NONE);
    gen(c, IR_YIELD_FROM);
    gen_scope(c)->flags |= SCOPE_GENERATOR;
}

static bool gen_in_function(const struct codegen *c)
{
    enum scope_kind kind = gen_scope(c)->kind;
    return kind == SCOPE_FUNCTION || kind == SCOPE_LAMBDA;
}

void gen_yield(struct codegen *c, node n)
{
    node value = gen_child(c, n, 0);
    if (!gen_in_function(c)) {
        gen_error(c, n, "'yield' outside function");
    } else if (value == NODE_NULL) {
        gen(c, IR_LOAD_NONE);
        gen_yield_value(c);
    } else if (node_is(c->ast, value, NODE_YIELD_FROM)) {
        gen_node(c, gen_child(c, value, 0));
        gen_yield_from(c);
    } else {
        gen_node(c, value);
        gen_yield_value(c);
    }
}

void gen_await(struct codegen *c, node n)
{
    if (!gen_in_function(c)) {
        gen_error(c, n, "'await' outside function");
        return;
    }
    gen_atom_expr(c, n);
    gen_yield_from(c);
}

static void gen_call_method(struct codegen *c, enum name_known method, uint32_t args)
{
    gen_name(c, IR_LOAD_METHOD, gen_known(c, method));
    for (uint32_t i = 0; i < args; i++) {
        gen(c, i == 0 ? IR_LOAD_NONE : IR_DUP_TOP);
    }
    gen_op(c, IR_CALL, IR_CALL_METHOD);
    gen_number(c, args);
    gen_number(c, 0);
}

static void gen_await_method(struct codegen *c, enum name_known method)
{
    gen_call_method(c, method, 0);
    gen_yield_from(c);
}

// The part of an async for that gets the next value and ends the loop at StopAsyncIteration.
static void gen_async_next(struct codegen *c, node target, uint32_t got, uint32_t stop,
                           uint32_t handler, uint32_t other)
{
    gen_await_method(c, NAME_ANEXT);
    gen_assign(c, target);
    gen_op(c, IR_POP_EXCEPT_JUMP, got);
    gen_op(c, IR_LABEL, handler);
    gen_adjust(c, 4);
    gen(c, IR_DUP_TOP);
    gen_name(c, IR_LOAD_GLOBAL, gen_known(c, NAME_STOP_ASYNC_ITERATION));
    gen_op(c, IR_BINARY, IR_EXCEPTION_MATCH);
    gen_op(c, IR_POP_JUMP_IF_FALSE, other);
    gen(c, IR_POP_TOP);
    gen_op(c, IR_POP_EXCEPT_JUMP, stop);
    gen_op(c, IR_LABEL, other);
    gen_adjust(c, 1);
    gen_leave_block(c);
    gen_adjust(c, -3);
}

// Until 1.20 the iterator was kept in the variable it came from. Of any other expression upstream
// took the address of its node for a name, which makes it a local that no other code can name.
static uint32_t gen_async_context(node iterator)
{
    bool named = node_is_id(iterator) || node_tag(iterator) == NODE_TAG_STRING;
    return named ? node_arg(iterator) : GEN_HIDDEN_NAME | iterator;
}

static void gen_async_for(struct codegen *c, node n)
{
    bool on_stack = c->u->release->async_for_stack;
    node iterator = gen_child(c, n, 1);
    uint32_t context = on_stack ? 0 : gen_async_context(iterator);
    uint32_t stop = gen_label(c), handler = gen_label(c), got = gen_label(c);
    uint32_t other = gen_label(c);
    gen_node(c, iterator);
    gen_call_method(c, NAME_AITER, 0);
    if (!on_stack) {
        gen_store(c, context);
    }
    struct gen_loop loop = gen_enter_loop(c);
    gen_op(c, IR_LABEL, loop.next);
    gen_enter_block(c, IR_SETUP_EXCEPT, handler);
    if (on_stack) {
        gen(c, IR_DUP_TOP);
    } else {
        gen_load(c, context);
    }
    gen_async_next(c, gen_child(c, n, 0), got, stop, handler, other);
    gen_op(c, IR_LABEL, got);
    gen_node(c, gen_child(c, n, 2));
    gen_op(c, IR_JUMP, loop.next);
    gen_leave_loop(c, &loop);
    gen_op(c, IR_LABEL, stop);
    gen_node(c, gen_child(c, n, 3));
    gen_op(c, IR_LABEL, loop.end);
    if (on_stack) {
        gen(c, IR_POP_TOP);
    }
}

struct gen_async_with_labels {
    uint32_t finally, no_exception, unwind, end;
};

static struct gen_async_with_labels gen_async_with_enter(struct codegen *c, node item)
{
    struct gen_async_with_labels l;
    l.finally = gen_label(c);
    l.no_exception = gen_label(c);
    l.unwind = gen_label(c);
    l.end = gen_label(c);
    bool as = node_is(c->ast, item, NODE_WITH_ITEM);
    gen_node(c, as ? gen_child(c, item, 0) : item);
    gen(c, IR_DUP_TOP);
    gen_await_method(c, NAME_AENTER);
    if (as) {
        gen_assign(c, gen_child(c, item, 1));
    } else {
        gen(c, IR_POP_TOP);
    }
    gen_enter_block(c, IR_SETUP_FINALLY, l.finally);
    gen_adjust(c, 3);
    return l;
}

// The body ended, or an exception, a return or a jump leaves it: the stack holds the context
// manager, and in the other cases what leaves.
static void gen_async_with_sort(struct codegen *c, const struct gen_async_with_labels *l)
{
    gen(c, IR_LOAD_NONE);
    gen(c, IR_ROT_TWO);
    gen_op(c, IR_JUMP, l->no_exception);
    gen_op(c, IR_LABEL, l->finally);
    gen(c, IR_DUP_TOP);
    gen_name(c, IR_LOAD_GLOBAL, gen_known(c, NAME_BASE_EXCEPTION));
    gen_op(c, IR_BINARY, IR_EXCEPTION_MATCH);
    gen_op(c, IR_POP_JUMP_IF_FALSE, l->unwind);
}

// __aexit__ gets the exception and may swallow it.
static void gen_async_with_exception(struct codegen *c, const struct gen_async_with_labels *l)
{
    gen(c, IR_DUP_TOP);
    gen(c, IR_ROT_THREE);
    gen(c, IR_ROT_TWO);
    gen_name(c, IR_LOAD_METHOD, gen_known(c, NAME_AEXIT));
    gen(c, IR_ROT_THREE);
    gen(c, IR_ROT_THREE);
    gen(c, IR_DUP_TOP);
    gen_name(c, IR_LOAD_ATTR, gen_known(c, NAME_CLASS));
    gen(c, IR_ROT_TWO);
    gen(c, IR_LOAD_NONE);
    gen_op(c, IR_CALL, IR_CALL_METHOD);
    gen_number(c, 3);
    gen_number(c, 0);
    gen_yield_from(c);
    gen_op(c, IR_POP_JUMP_IF_FALSE, l->end);
    gen(c, IR_POP_TOP);
    gen(c, IR_LOAD_NONE);
    gen_op(c, IR_JUMP, l->end);
    gen_adjust(c, 2);
}

static void gen_async_with_leave(struct codegen *c, const struct gen_async_with_labels *l)
{
    gen_adjust(c, -3);
    gen_async_with_sort(c, l);
    gen_async_with_exception(c, l);
    gen_op(c, IR_LABEL, l->unwind);
    gen(c, IR_ROT_THREE);
    gen(c, IR_ROT_THREE);
    gen_op(c, IR_LABEL, l->no_exception);
    gen_call_method(c, NAME_AEXIT, 3);
    gen_yield_from(c);
    gen(c, IR_POP_TOP);
    gen_adjust(c, -1);
    gen_op(c, IR_LABEL, l->end);
    gen_leave_block(c);
}

static void gen_async_with(struct codegen *c, node n)
{
    const node *items;
    node list = gen_child(c, n, 0);
    uint32_t count = node_list(c->ast, &list, NODE_WITH_LIST, &items);
    struct gen_async_with_labels *labels = arena_alloc(&c->u->work, count * sizeof *labels);
    for (uint32_t i = 0; i < count; i++) {
        labels[i] = gen_async_with_enter(c, items[i]);
    }
    gen_node(c, gen_child(c, n, 1));
    for (uint32_t i = count; i-- > 0;) {
        gen_async_with_leave(c, &labels[i]);
    }
}

void gen_async(struct codegen *c, node n)
{
    node what = gen_child(c, n, 0);
    if (node_is(c->ast, what, NODE_FUNCDEF)) {
        gen_async_funcdef(c, what);
        return;
    }
    if (!(gen_scope(c)->flags & SCOPE_GENERATOR)) {
        gen_error(c, what, "async for/with outside async function");
    } else if (node_is(c->ast, what, NODE_FOR)) {
        gen_async_for(c, what);
    } else {
        gen_async_with(c, what);
    }
}
