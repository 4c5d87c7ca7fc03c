// Conditions and loops.
#include "packer/compiler/codegen.h"

static void gen_jump_if(struct codegen *c, bool jump_if, uint32_t label)
{
    gen_op(c, jump_if ? IR_POP_JUMP_IF_TRUE : IR_POP_JUMP_IF_FALSE, label);
}

// All operands jump to the same label, or all but the last skip to the end.
static void gen_condition_chain(struct codegen *c, node n, bool jump_if, uint32_t label)
{
    uint32_t count = node_count(c->ast, n);
    bool direct = node_is(c->ast, n, NODE_OR) == jump_if;
    if (direct) {
        for (uint32_t i = 0; i < count; i++) {
            gen_condition(c, gen_child(c, n, i), jump_if, label);
        }
        return;
    }
    uint32_t end = gen_label(c);
    for (uint32_t i = 0; i + 1 < count; i++) {
        gen_condition(c, gen_child(c, n, i), !jump_if, end);
    }
    gen_condition(c, gen_child(c, n, count - 1), jump_if, label);
    gen_op(c, IR_LABEL, end);
}

static bool gen_condition_struct(struct codegen *c, node n, bool jump_if, uint32_t label)
{
    switch (node_kind(c->ast, n)) {
    case NODE_OR:
    case NODE_AND:
        gen_condition_chain(c, n, jump_if, label);
        return true;
    case NODE_NOT:
        gen_condition(c, gen_child(c, n, 0), !jump_if, label);
        return true;
    case NODE_PAREN: // until 1.20 a tuple decides without being built
        if (!c->u->release->tuple_conditions) {
            return false;
        }
        if ((gen_child(c, n, 0) != NODE_NULL) == jump_if) {
            gen_op(c, IR_JUMP, label);
        }
        return true;
    default:
        return false;
    }
}

void gen_condition(struct codegen *c, node n, bool jump_if, uint32_t label)
{
    bool is_false = node_is_truth(c->u, c->ast, n, false);
    if (is_false || node_is_truth(c->u, c->ast, n, true)) {
        if (jump_if != is_false) {
            gen_op(c, IR_JUMP, label);
        }
        return;
    }
    gen_enter(c);
    if (!node_is_struct(n) || !gen_condition_struct(c, n, jump_if, label)) {
        gen_node(c, n);
        gen_jump_if(c, jump_if, label);
    }
    gen_leave(c);
}

// `if` or `elif` with its block. True if nothing after it can run.
static bool gen_if_branch(struct codegen *c, node condition, node body, uint32_t end, bool more)
{
    if (node_is_truth(c->u, c->ast, condition, false)) {
        return false;
    }
    uint32_t fail = gen_label(c);
    gen_condition(c, condition, false, fail);
    gen_node(c, body);
    if (node_is_truth(c->u, c->ast, condition, true)) {
        return true;
    }
    if (more) {
        gen_op(c, IR_JUMP_UNLESS_RETURNED, end);
    }
    gen_op(c, IR_LABEL, fail);
    return false;
}

void gen_if(struct codegen *c, node n)
{
    node elifs = gen_child(c, n, 2), otherwise = gen_child(c, n, 3);
    bool more = elifs != NODE_NULL || otherwise != NODE_NULL;
    uint32_t end = gen_label(c);
    bool done = gen_if_branch(c, gen_child(c, n, 0), gen_child(c, n, 1), end, more);
    const node *items;
    uint32_t count = node_list(c->ast, &elifs, NODE_ELIF_LIST, &items);
    for (uint32_t i = 0; i < count && !done; i++) {
        done = gen_if_branch(c, gen_child(c, items[i], 0), gen_child(c, items[i], 1), end, true);
    }
    if (!done) {
        gen_node(c, otherwise);
    }
    gen_op(c, IR_LABEL, end);
}

struct gen_loop gen_enter_loop(struct codegen *c)
{
    struct gen_loop loop = {c->break_label, c->continue_label, c->loop_except_level, 0, 0};
    c->break_label = loop.end = gen_label(c);
    c->continue_label = loop.next = gen_label(c);
    c->loop_except_level = c->except_level;
    return loop;
}

// In the else block, break and continue are those of the loop around.
void gen_leave_loop(struct codegen *c, const struct gen_loop *loop)
{
    c->break_label = loop->break_label;
    c->continue_label = loop->continue_label;
    c->loop_except_level = loop->except_level;
}

void gen_break_continue(struct codegen *c, node n)
{
    uint32_t label = node_is(c->ast, n, NODE_BREAK) ? c->break_label : c->continue_label;
    if (label == LABEL_NONE) {
        gen_error(c, n, "'break'/'continue' outside loop");
    }
    gen_op(c, IR_UNWIND_JUMP, label);
    gen_number(c, c->except_level - c->loop_except_level);
}

void gen_while(struct codegen *c, node n)
{
    node condition = gen_child(c, n, 0);
    struct gen_loop loop = gen_enter_loop(c);
    if (!node_is_truth(c->u, c->ast, condition, false)) {
        uint32_t top = gen_label(c);
        if (!node_is_truth(c->u, c->ast, condition, true)) {
            gen_op(c, IR_JUMP, loop.next);
        }
        gen_op(c, IR_LABEL, top);
        gen_node(c, gen_child(c, n, 1));
        gen_op(c, IR_LABEL, loop.next);
        gen_condition(c, condition, true, top);
    }
    gen_leave_loop(c, &loop);
    gen_node(c, gen_child(c, n, 2));
    gen_op(c, IR_LABEL, loop.end);
}

struct gen_range {
    node start, end, step;
};

// for x in range(...) counts in place: the stack holds the value, below it the end unless that is a
// small int.
static void gen_for_range(struct codegen *c, node n, const struct gen_range *range)
{
    struct gen_loop loop = gen_enter_loop(c);
    uint32_t top = gen_label(c), entry = gen_label(c);
    int64_t value, step;
    bool end_on_stack = !node_get_int(c->ast, range->end, &value);
    node otherwise = gen_child(c, n, 3);
    if (end_on_stack) {
        gen_node(c, range->end);
    }
    gen_node(c, range->start);
    gen_op(c, IR_JUMP, entry);
    gen_op(c, IR_LABEL, top);
    gen(c, IR_DUP_TOP);
    gen_assign(c, gen_child(c, n, 0));
    gen_node(c, gen_child(c, n, 2));
    gen_op(c, IR_LABEL, loop.next);
    gen_node(c, range->step);
    gen_op(c, IR_BINARY, IR_INPLACE_ADD);
    gen_op(c, IR_LABEL, entry);
    if (end_on_stack) {
        gen(c, IR_DUP_TOP_TWO);
        gen(c, IR_ROT_TWO);
    } else {
        gen(c, IR_DUP_TOP);
        gen_node(c, range->end);
    }
    node_get_int(c->ast, range->step, &step);
    gen_op(c, IR_BINARY, step >= 0 ? IR_LESS : IR_MORE);
    gen_op(c, IR_POP_JUMP_IF_TRUE, top);
    gen_leave_loop(c, &loop);
    uint32_t end = 0;
    if (otherwise != NODE_NULL) { // the counter goes before: the block may break
        gen(c, IR_POP_TOP);
        if (end_on_stack) {
            gen(c, IR_POP_TOP);
        }
        gen_node(c, otherwise);
        end = gen_label(c);
        gen_op(c, IR_JUMP, end);
        gen_adjust(c, 1 + end_on_stack);
    }
    gen_op(c, IR_LABEL, loop.end);
    gen(c, IR_POP_TOP);
    if (end_on_stack) {
        gen(c, IR_POP_TOP);
    }
    if (otherwise != NODE_NULL) {
        gen_op(c, IR_LABEL, end);
    }
}

static bool gen_is_plain_argument(const struct codegen *c, node n)
{
    return !node_is(c->ast, n, NODE_ARG_STAR) && !node_is(c->ast, n, NODE_ARG_DOUBLE) &&
           !node_is(c->ast, n, NODE_ARG);
}

// True if n is `range(...)` that can be counted in place.
static bool gen_is_range(const struct codegen *c, node n, struct gen_range *range)
{
    if (!node_is(c->ast, n, NODE_ATOM_EXPR)) {
        return false;
    }
    node name = gen_child(c, n, 0), call = gen_child(c, n, 1);
    if (!node_is_id(name) || node_arg(name) != gen_known(c, NAME_RANGE) ||
        !node_is(c->ast, call, NODE_CALL)) {
        return false;
    }
    const node *args;
    node list = gen_child(c, call, 0);
    uint32_t n_args = node_list(c->ast, &list, NODE_ARGS, &args);
    if (n_args < 1 || n_args > 3) {
        return false;
    }
    range->start = n_args == 1 ? node_small(0) : args[0];
    range->end = n_args == 1 ? args[0] : args[1];
    range->step = n_args == 3 ? args[2] : node_small(1);
    int64_t step;
    return node_get_int(c->ast, range->step, &step) && step != 0 &&
           gen_is_plain_argument(c, range->start) && gen_is_plain_argument(c, range->end);
}

void gen_for(struct codegen *c, node n)
{
    node target = gen_child(c, n, 0), iterator = gen_child(c, n, 1);
    struct gen_range range;
    if (node_is_id(target) && gen_is_range(c, iterator, &range)) {
        gen_for_range(c, n, &range);
        return;
    }
    struct gen_loop loop = gen_enter_loop(c);
    c->break_label |= IR_FROM_FOR;
    uint32_t pop = gen_label(c);
    gen_node(c, iterator);
    gen(c, IR_GET_ITER_STACK);
    gen_op(c, IR_LABEL, loop.next);
    gen_op(c, IR_FOR_ITER, pop);
    gen_assign(c, target);
    gen_node(c, gen_child(c, n, 2));
    gen_op(c, IR_JUMP_UNLESS_RETURNED, loop.next);
    gen_op(c, IR_LABEL, pop);
    gen_adjust(c, -4);
    gen_leave_loop(c, &loop);
    gen_node(c, gen_child(c, n, 3));
    gen_op(c, IR_LABEL, loop.end);
}
