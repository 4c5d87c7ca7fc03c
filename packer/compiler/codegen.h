// The syntax tree to the operations of each scope. Scopes are taken in the order in which upstream
// takes them, breadth first, because that decides the order of the module's tables.
#ifndef PACKER_COMPILER_CODEGEN_H
#define PACKER_COMPILER_CODEGEN_H

#include "packer/compiler/ir.h"
#include "packer/compiler/scope.h"

enum { LABEL_NONE = 0x7fffffff };

struct codegen {
    struct unit *u;
    const struct ast *ast;
    struct scopes scopes;
    struct text ir;
    struct words qstrs; // the module's qstr table, names in order of first use

    // The scope being walked.
    uint32_t scope; // its index
    uint32_t labels;
    uint32_t line;          // of the last IR_LINE
    const char *pending;    // text of an error whose line is not known yet
    uint32_t depth;         // of nodes within nodes
    const char *stack_base; // of the C stack, and the bytes of it that may be used
    size_t stack_limit;
    bool stack_asked; // the limit is what the system says
    bool lines;       // source lines are wanted
    bool have_star;   // the parameters have passed a *
    uint32_t positional_defaults, keyword_defaults;
    uint32_t break_label, continue_label; // break_label with IR_FROM_FOR
    uint32_t except_level, loop_except_level;
};

// Walks all scopes; u->codegen holds the result. Ends the compilation at an error.
void codegen(struct unit *u, const struct ast *ast);
// The place of a name in the module's qstr table, which it enters if it is new.
uint32_t codegen_use_name(struct codegen *c, uint32_t name);

// For the parts of the code generator.

static inline struct scope *gen_scope(const struct codegen *c)
{
    return &c->scopes.at[c->scope];
}
static inline node gen_child(const struct codegen *c, node n, unsigned i)
{
    return node_child(c->ast, n, i);
}
static inline uint32_t gen_label(struct codegen *c)
{
    return c->labels++;
}

// Operations.
void gen(struct codegen *c, enum ir_op op);                  // FORM_NONE or FORM_BARE
void gen_op(struct codegen *c, enum ir_op op, uint32_t arg); // the others
void gen_number(struct codegen *c, uint32_t number);         // a further argument
void gen_name(struct codegen *c, enum ir_op op, uint32_t name);
void gen_int(struct codegen *c, int64_t v);
void gen_adjust(struct codegen *c, int change);
void gen_line(struct codegen *c, uint32_t line);
void gen_build(struct codegen *c, unsigned opcode, uint32_t n);
void gen_load(struct codegen *c, uint32_t name);
void gen_store(struct codegen *c, uint32_t name);
void gen_delete(struct codegen *c, uint32_t name);
static inline uint32_t gen_known(const struct codegen *c, enum name_known name)
{
    return c->u->names.known[name];
}

// codegen.c
// Nodes within nodes take C stack: each that may hold others is entered, and left after its code.
void gen_enter(struct codegen *c);
static inline void gen_leave(struct codegen *c)
{
    c->depth--;
}
void gen_node(struct codegen *c, node n); // NODE_NULL is nothing
void gen_all(struct codegen *c, node n);  // the children in order
// An error at node n. It ends the compilation if n has a line. If not, upstream walks on and takes
// the line of the next statement or item that is done, whatever that is; so must the caller.
void gen_error(struct codegen *c, node n, const char *text);

// gen_statement.c
void gen_expr_stmt(struct codegen *c, node n);
void gen_del(struct codegen *c, node n);
void gen_return(struct codegen *c, node n);
void gen_raise(struct codegen *c, node n);
void gen_global(struct codegen *c, node n);
void gen_assert(struct codegen *c, node n);
// The declaration `global` (or nonlocal) of the identifier at this place of the scope.
void gen_declare(struct codegen *c, node n, uint32_t place, bool global);
// Stores the top of the stack.
void gen_assign(struct codegen *c, node target);

// gen_import.c
void gen_import_name(struct codegen *c, node n);
void gen_import_from(struct codegen *c, node n);

// gen_flow.c
void gen_break_continue(struct codegen *c, node n);
void gen_if(struct codegen *c, node n);
void gen_while(struct codegen *c, node n);
void gen_for(struct codegen *c, node n);
void gen_condition(struct codegen *c, node n, bool jump_if, uint32_t label);
struct gen_loop {
    uint32_t break_label, continue_label, except_level; // of the loop around
    uint32_t end, next;                                 // labels of this one
};
struct gen_loop gen_enter_loop(struct codegen *c);
void gen_leave_loop(struct codegen *c, const struct gen_loop *loop);

// gen_try.c
void gen_try(struct codegen *c, node n);
void gen_with(struct codegen *c, node n);
void gen_enter_block(struct codegen *c, enum ir_op op, uint32_t label);
void gen_leave_block(struct codegen *c);

// gen_async.c
void gen_async(struct codegen *c, node n);
void gen_await(struct codegen *c, node n);
void gen_yield(struct codegen *c, node n);

// gen_function.c
void gen_funcdef(struct codegen *c, node n);
void gen_classdef(struct codegen *c, node n);
void gen_decorated(struct codegen *c, node n);
void gen_lambda(struct codegen *c, node n);
// An async function is a generator; n is its NODE_FUNCDEF.
void gen_async_funcdef(struct codegen *c, node n);
// Makes the function of scope number `scope`, with its defaults on the stack.
void gen_make_function(struct codegen *c, uint32_t scope, uint32_t positional, uint32_t keyword);

// gen_scope.c: a whole scope
void gen_scope_body(struct codegen *c);

// gen_expression.c
void gen_ternary(struct codegen *c, node n);
void gen_named(struct codegen *c, node name, node value);
void gen_or_and(struct codegen *c, node n);
void gen_not(struct codegen *c, node n);
void gen_compare(struct codegen *c, node n);
void gen_bits(struct codegen *c, node n);
void gen_term(struct codegen *c, node n);
void gen_unary(struct codegen *c, node n);
void gen_power(struct codegen *c, node n);
void gen_tuple(struct codegen *c, node n);

// gen_atom.c
void gen_atom_expr(struct codegen *c, node n);
void gen_call(struct codegen *c, node arguments, bool is_method, uint32_t extra);
void gen_paren(struct codegen *c, node n);
void gen_bracket(struct codegen *c, node n);
void gen_brace(struct codegen *c, node n);
void gen_slice(struct codegen *c, node n);
void gen_comprehension(struct codegen *c, node n, enum scope_kind kind);
bool gen_is_comprehension(const struct codegen *c, node items);

#endif
