// try and with.
#include "packer/compiler/codegen.h"

void gen_enter_block(struct codegen *c, enum ir_op op, uint32_t label)
{
    gen_op(c, op, label);
    struct scope *s = gen_scope(c);
    if (++c->except_level > s->except_depth) {
        s->except_depth = c->except_level;
    }
}

void gen_leave_block(struct codegen *c)
{
    c->except_level--;
    gen(c, IR_END_FINALLY);
}

// The handler's body as `try: body finally: name = None; del name`.
static void gen_except_named_body(struct codegen *c, node body, uint32_t name)
{
    bool room = c->u->release->finally_return;
    uint32_t finally = gen_label(c);
    gen_enter_block(c, IR_SETUP_FINALLY, finally);
    gen_node(c, body);
    gen(c, IR_LOAD_NONE);
    gen_op(c, IR_LABEL, finally);
    if (room) {
        gen_adjust(c, 1);
    }
    gen(c, IR_LOAD_NONE);
    gen_store(c, name);
    gen_delete(c, name);
    if (room) {
        gen_adjust(c, -1);
    }
    gen_leave_block(c);
}

static void gen_except(struct codegen *c, node n, uint32_t done)
{
    node type = gen_child(c, n, 0), body = gen_child(c, n, 1);
    uint32_t name = 0, next = gen_label(c);
    if (type != NODE_NULL) {
        if (node_is(c->ast, type, NODE_EXCEPT_AS)) {
            name = node_arg(gen_child(c, type, 1));
            type = gen_child(c, type, 0);
        }
        gen(c, IR_DUP_TOP);
        gen_node(c, type);
        gen_op(c, IR_BINARY, IR_EXCEPTION_MATCH);
        gen_op(c, IR_POP_JUMP_IF_FALSE, next);
    }
    if (name) {
        gen_store(c, name);
        gen_except_named_body(c, body, name);
    } else {
        gen(c, IR_POP_TOP);
        gen_node(c, body);
    }
    gen_op(c, IR_POP_EXCEPT_JUMP, done);
    gen_op(c, IR_LABEL, next);
    gen_adjust(c, 1);
}

static void gen_try_except(struct codegen *c, node body, node excepts, node otherwise)
{
    uint32_t handler = gen_label(c), success = gen_label(c);
    gen_enter_block(c, IR_SETUP_EXCEPT, handler);
    gen_node(c, body);
    gen_op(c, IR_POP_EXCEPT_JUMP, success);
    gen_op(c, IR_LABEL, handler);
    gen_adjust(c, 4); // the exception, and room to unwind
    uint32_t done = gen_label(c);
    const node *items;
    uint32_t n = node_list(c->ast, &excepts, NODE_EXCEPT_LIST, &items);
    for (uint32_t i = 0; i < n; i++) {
        if (gen_child(c, items[i], 0) == NODE_NULL && i + 1 != n) {
            gen_error(c, items[i], "default 'except' must be last");
            break;
        }
        gen_except(c, items[i], done);
    }
    gen_leave_block(c);
    gen_adjust(c, -3);
    gen_op(c, IR_LABEL, success);
    gen_node(c, otherwise);
    gen_op(c, IR_LABEL, done);
}

static void gen_try_finally(struct codegen *c, node body, node excepts, node otherwise, node last)
{
    bool room = c->u->release->finally_return;
    uint32_t finally = gen_label(c);
    gen_enter_block(c, IR_SETUP_FINALLY, finally);
    if (excepts == NODE_NULL) {
        gen_adjust(c, 3); // room to unwind
        gen_node(c, body);
        gen_adjust(c, -3);
    } else {
        gen_try_except(c, body, excepts, otherwise);
    }
    gen(c, IR_LOAD_NONE);
    gen_op(c, IR_LABEL, finally);
    if (room) {
        gen_adjust(c, 1);
    }
    gen_node(c, last);
    if (room) {
        gen_adjust(c, -1);
    }
    gen_leave_block(c);
}

void gen_try(struct codegen *c, node n)
{
    node body = gen_child(c, n, 0), rest = gen_child(c, n, 1);
    if (node_is(c->ast, rest, NODE_FINALLY)) {
        gen_try_finally(c, body, NODE_NULL, NODE_NULL, gen_child(c, rest, 0));
        return;
    }
    if (!node_is(c->ast, rest, NODE_TRY_MORE)) {
        gen_try_except(c, body, rest, NODE_NULL);
        return;
    }
    node excepts = gen_child(c, rest, 0), otherwise = gen_child(c, rest, 1);
    node last = gen_child(c, rest, 2);
    if (last == NODE_NULL) {
        gen_try_except(c, body, excepts, otherwise);
    } else {
        gen_try_finally(c, body, excepts, otherwise, gen_child(c, last, 0));
    }
}

void gen_with(struct codegen *c, node n)
{
    const node *items;
    node list = gen_child(c, n, 0);
    uint32_t count = node_list(c->ast, &list, NODE_WITH_LIST, &items);
    uint32_t *ends = arena_alloc(&c->u->work, count * sizeof *ends);
    for (uint32_t i = 0; i < count; i++) {
        bool as = node_is(c->ast, items[i], NODE_WITH_ITEM);
        ends[i] = gen_label(c);
        gen_node(c, as ? gen_child(c, items[i], 0) : items[i]);
        gen_enter_block(c, IR_SETUP_WITH, ends[i]);
        if (as) {
            gen_assign(c, gen_child(c, items[i], 1));
        } else {
            gen(c, IR_POP_TOP);
        }
    }
    gen_node(c, gen_child(c, n, 1));
    for (uint32_t i = count; i-- > 0;) {
        gen(c, IR_LOAD_NONE);
        gen_op(c, IR_LABEL, ends[i]);
        gen(c, IR_WITH_CLEANUP);
        gen_adjust(c, -4);
        gen_leave_block(c);
    }
}
