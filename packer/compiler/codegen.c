// Facts: MicroPython py/compile.c, releases 1.19 to 1.29.
#include "packer/compiler/codegen.h"

#include <string.h>

#include "packer/compiler/stack.h"

enum {
    GEN_STACK_ALWAYS = 32 << 10,  // any thread has so much
    GEN_STACK_UNKNOWN = 96 << 10, // most that is used where the system does not say what there is
    GEN_STACK_RESERVE = 64 << 10, // for what is called with the tree's nodes, and the passes after
};

uint32_t codegen_use_name(struct codegen *c, uint32_t name)
{
    struct name *n = &c->u->names.at[name];
    if (!n->slot) {
        words_push(c->u, &c->qstrs, name);
        n->slot = (uint32_t)c->qstrs.n;
    }
    return n->slot - 1;
}

// Room for an operation or a number; ir.n is counted by gen_done.
static uint8_t *gen_room(struct codegen *c)
{
    if (c->ir.cap - c->ir.n < 1 + IR_NUMBER_MAX) {
        text_reserve(c->u, &c->ir, 1 + IR_NUMBER_MAX);
    }
    return (uint8_t *)c->ir.at + c->ir.n;
}

static void gen_done(struct codegen *c, const uint8_t *end)
{
    c->ir.n = (size_t)((const char *)end - c->ir.at);
}

void gen(struct codegen *c, enum ir_op op)
{
    text_byte(c->u, &c->ir, (uint8_t)op);
}

void gen_op(struct codegen *c, enum ir_op op, uint32_t arg)
{
    uint8_t *p = gen_room(c);
    *p = (uint8_t)op;
    gen_done(c, ir_put(p + 1, arg));
}

void gen_number(struct codegen *c, uint32_t number)
{
    gen_done(c, ir_put(gen_room(c), number));
}

void gen_name(struct codegen *c, enum ir_op op, uint32_t name)
{
    codegen_use_name(c, name);
    gen_op(c, op, name);
}

void gen_int(struct codegen *c, int64_t v)
{
    if (v >= INT32_MIN && v <= INT32_MAX) {
        gen_op(c, IR_SMALL_INT, ir_fold((int32_t)v));
    } else {
        gen(c, IR_SMALL_INT_WIDE);
        gen_number(c, (uint32_t)v);
        gen_number(c, (uint32_t)((uint64_t)v >> 32));
    }
}

void gen_adjust(struct codegen *c, int change)
{
    gen_op(c, IR_ADJUST, ir_fold(change));
}

// Lines only go up; what goes back keeps the line that was reached.
void gen_line(struct codegen *c, uint32_t line)
{
    if (c->lines && line > c->line) {
        gen_op(c, IR_LINE, line - c->line);
        c->line = line;
    }
}

void gen_build(struct codegen *c, unsigned opcode, uint32_t n)
{
    gen_op(c, IR_BUILD, opcode);
    gen_number(c, n);
}

void gen_load(struct codegen *c, uint32_t name)
{
    gen_op(c, IR_LOAD_ID, scope_load(c->u, gen_scope(c), name));
}

void gen_store(struct codegen *c, uint32_t name)
{
    gen_op(c, IR_STORE_ID, scope_modify(c->u, gen_scope(c), name));
}

void gen_delete(struct codegen *c, uint32_t name)
{
    gen_op(c, IR_DELETE_ID, scope_modify(c->u, gen_scope(c), name));
}

static uint32_t gen_node_line(const struct codegen *c, node n)
{
    return node_is_tree(c->ast, n) ? node_line(c->ast, n) : 0;
}

static noreturn void gen_stop(struct codegen *c, uint32_t line, const char *text)
{
    struct unit_place place = {line, NULL};
    unit_error(c->u, "SyntaxError", place, gen_scope(c)->name, "%s", text);
}

void gen_error(struct codegen *c, node n, const char *text)
{
    if (c->pending) {
        return; // the first one counts
    }
    uint32_t line = gen_node_line(c, n);
    if (line) {
        gen_stop(c, line, text);
    }
    c->pending = text;
}

void gen_all(struct codegen *c, node n)
{
    uint32_t count = node_count(c->ast, n);
    const node *children = node_children(c->ast, n);
    for (uint32_t i = 0; i < count; i++) {
        gen_node(c, children[i]);
        if (c->pending) {
            uint32_t line = gen_node_line(c, children[i]);
            if (line) {
                gen_stop(c, line, c->pending);
            }
            return;
        }
    }
}

static void gen_const(struct codegen *c, node n)
{
    gen_op(c, IR_LOAD_CONST_OBJ, values_use(c->u, gen_child(c, n, 0)));
}

static void gen_yield_stmt(struct codegen *c, node n)
{
    gen_node(c, gen_child(c, n, 0));
    gen(c, IR_POP_TOP);
}

static void gen_named_node(struct codegen *c, node n)
{
    gen_named(c, gen_child(c, n, 0), gen_child(c, n, 1));
}

static void gen_star_expr(struct codegen *c, node n)
{
    gen_error(c, n, "*x must be assignment target");
}

static void gen_trailer_call(struct codegen *c, node n)
{
    gen_call(c, gen_child(c, n, 0), false, 0);
}

static void gen_index(struct codegen *c, node n)
{
    gen_node(c, gen_child(c, n, 0));
    gen(c, IR_LOAD_SUBSCR);
}

static void gen_attr(struct codegen *c, node n)
{
    gen_name(c, IR_LOAD_ATTR, node_arg(gen_child(c, n, 0)));
}

static void gen_dict_item(struct codegen *c, node n)
{
    gen_node(c, gen_child(c, n, 1));
    gen_node(c, gen_child(c, n, 0));
}

typedef void gen_function(struct codegen *c, node n);

// The nodes that stand for themselves; the others are read by the node they belong to.
static gen_function *const gen_functions[NODE_KIND_COUNT] = {
    [NODE_CONST] = gen_const,
    [NODE_FILE] = gen_all,
    [NODE_SUITE] = gen_all,
    [NODE_SIMPLE] = gen_all,
    [NODE_PASS] = gen_all,
    [NODE_EXPR_STMT] = gen_expr_stmt,
    [NODE_DEL] = gen_del,
    [NODE_BREAK] = gen_break_continue,
    [NODE_CONTINUE] = gen_break_continue,
    [NODE_RETURN] = gen_return,
    [NODE_YIELD_STMT] = gen_yield_stmt,
    [NODE_RAISE] = gen_raise,
    [NODE_IMPORT_NAME] = gen_import_name,
    [NODE_IMPORT_FROM] = gen_import_from,
    [NODE_GLOBAL] = gen_global,
    [NODE_NONLOCAL] = gen_global,
    [NODE_ASSERT] = gen_assert,
    [NODE_ASYNC] = gen_async,
    [NODE_IF] = gen_if,
    [NODE_WHILE] = gen_while,
    [NODE_FOR] = gen_for,
    [NODE_TRY] = gen_try,
    [NODE_WITH] = gen_with,
    [NODE_DECORATED] = gen_decorated,
    [NODE_FUNCDEF] = gen_funcdef,
    [NODE_CLASSDEF] = gen_classdef,
    [NODE_STAR_TUPLE] = gen_tuple,
    [NODE_TESTLIST] = gen_tuple,
    [NODE_SUBSCRIPTS] = gen_tuple,
    [NODE_NAMED] = gen_named_node,
    [NODE_TERNARY] = gen_ternary,
    [NODE_LAMBDA] = gen_lambda,
    [NODE_OR] = gen_or_and,
    [NODE_AND] = gen_or_and,
    [NODE_NOT] = gen_not,
    [NODE_COMPARE] = gen_compare,
    [NODE_STAR_EXPR] = gen_star_expr,
    [NODE_BIT_OR] = gen_bits,
    [NODE_BIT_XOR] = gen_bits,
    [NODE_BIT_AND] = gen_bits,
    [NODE_SHIFT] = gen_term,
    [NODE_ARITH] = gen_term,
    [NODE_TERM] = gen_term,
    [NODE_UNARY] = gen_unary,
    [NODE_POWER] = gen_power,
    [NODE_AWAIT] = gen_await,
    [NODE_ATOM_EXPR] = gen_atom_expr,
    [NODE_CALL] = gen_trailer_call,
    [NODE_INDEX] = gen_index,
    [NODE_ATTR] = gen_attr,
    [NODE_PAREN] = gen_paren,
    [NODE_BRACKET] = gen_bracket,
    [NODE_BRACE] = gen_brace,
    [NODE_SLICE_FROM] = gen_slice,
    [NODE_SLICE] = gen_slice,
    [NODE_DICT_ITEM] = gen_dict_item,
    [NODE_YIELD] = gen_yield,
};

static void gen_token(struct codegen *c, uint32_t t)
{
    switch (t) {
    case TOKEN_NEWLINE:
        break; // an empty line before the first statement
    case TOKEN_NONE:
        gen(c, IR_LOAD_NONE);
        break;
    case TOKEN_TRUE:
        gen(c, IR_LOAD_TRUE);
        break;
    case TOKEN_FALSE:
        gen(c, IR_LOAD_FALSE);
        break;
    default: { // ...
        struct value v = {.kind = VALUE_ELLIPSIS};
        gen_op(c, IR_LOAD_CONST_OBJ, values_use(c->u, values_add(c->u, v)));
        break;
    }
    }
}

static void gen_leaf(struct codegen *c, node n)
{
    if (node_is_int(n)) {
        gen_int(c, node_small_value(n));
    } else if (node_is_id(n)) {
        gen_load(c, node_arg(n));
    } else if (node_tag(n) == NODE_TAG_STRING) {
        gen_name(c, IR_LOAD_CONST_STRING, node_arg(n));
    } else {
        gen_token(c, node_arg(n));
    }
}

// The first time that the stack grows beyond what every thread has, the system is asked for more.
static void gen_check_stack(struct codegen *c, size_t used)
{
    if (!c->stack_asked && !c->u->options.max_stack) {
        size_t left = stack_left(stack_here());
        c->stack_asked = true;
        c->stack_limit = left > GEN_STACK_RESERVE ? used + left - GEN_STACK_RESERVE
                         : left                   ? 0
                                                  : GEN_STACK_UNKNOWN;
    }
    if (used > c->stack_limit) {
        unit_too_deep(c->u, (struct unit_place){c->line, NULL});
    }
}

void gen_enter(struct codegen *c)
{
    // Stacks grow downwards on all that this is built for; the other way is not limited.
    ptrdiff_t used = c->stack_base - stack_here();
    if (used > 0 && (size_t)used > c->stack_limit) {
        gen_check_stack(c, (size_t)used);
    }
    if (++c->depth > c->u->options.max_depth) {
        unit_too_deep(c->u, (struct unit_place){c->line, NULL});
    }
}

static void gen_struct(struct codegen *c, node n)
{
    enum node_kind kind = node_kind(c->ast, n);
    if (kind == NODE_INT) {
        int64_t v;
        node_get_int(c->ast, n, &v);
        gen_int(c, v);
        return;
    }
    gen_enter(c);
    gen_line(c, node_line(c->ast, n));
    gen_functions[kind](c, n);
    gen_leave(c);
}

void gen_node(struct codegen *c, node n)
{
    if (node_is_struct(n)) {
        gen_struct(c, n);
    } else if (n != NODE_NULL) {
        gen_leaf(c, n);
    }
}

// Walks one scope.
static void gen_one(struct codegen *c, uint32_t scope)
{
    c->scope = scope;
    c->labels = 0;
    c->line = 1;
    c->have_star = false;
    c->break_label = c->continue_label = LABEL_NONE;
    c->except_level = c->loop_except_level = 0;
    struct scope *s = gen_scope(c);
    c->pending = NULL;
    s->ir = (uint32_t)c->ir.n;
    uint32_t line = gen_node_line(c, s->tree);
    codegen_use_name(c, s->name);
    gen_scope_body(c);
    if (c->pending) {
        gen_stop(c, line, c->pending);
    }
    s = gen_scope(c); // the array may have moved
    s->line = line;
    s->labels = c->labels;
    scope_close_over_all(c->u, &c->scopes, s);
}

void codegen(struct unit *u, const struct ast *ast)
{
    struct codegen *c = u->codegen = arena_calloc(&u->work, 1, sizeof *c);
    c->u = u;
    c->ast = ast;
    c->stack_base = stack_here();
    c->stack_limit = u->options.max_stack ? u->options.max_stack : GEN_STACK_ALWAYS;
    c->lines = u->options.opt_level < 3 && !u->options.no_source_lines;
    codegen_use_name(c, name_intern(u, u->options.source_name, strlen(u->options.source_name)));
    scope_add(u, &c->scopes, SCOPE_MODULE, 0, ast->root, u->names.known[NAME_MODULE]);
    for (uint32_t i = 0; i < c->scopes.n; i++) {
        gen_one(c, i);
    }
    for (uint32_t i = 0; i < c->scopes.n; i++) {
        scope_number(u, &c->scopes, &c->scopes.at[i]);
    }
}
