// Definitions: functions, lambdas, classes, decorators. Their bodies are scopes of their own.
#include <string.h>

#include "packer/compiler/codegen.h"

void gen_make_function(struct codegen *c, uint32_t scope, uint32_t positional, uint32_t keyword)
{
    struct scope *s = &c->scopes.at[scope];
    if (keyword > 0) {
        s->flags |= SCOPE_DEFKWARGS;
    }
    s->defaults = positional;
    gen_op(c, IR_MAKE_FUNCTION, positional || keyword);
    gen_number(c, scope);
}

static uint32_t gen_new_scope(struct codegen *c, enum scope_kind kind, node n, uint32_t name)
{
    scope_add(c->u, &c->scopes, kind, c->scope + 1, n, name);
    return c->scopes.n - 1;
}

// Before the first keyword default the positional ones become a tuple, and a dict is begun.
static void gen_keyword_default(struct codegen *c, uint32_t name, node value)
{
    if (++c->keyword_defaults == 1) {
        if (c->positional_defaults > 0) {
            gen_build(c, IR_TUPLE, c->positional_defaults);
        } else {
            gen(c, IR_LOAD_NULL);
        }
        gen_op(c, IR_BUILD_MAP, 0);
    }
    gen_node(c, value);
    gen_name(c, IR_LOAD_CONST_STRING, name);
    gen(c, IR_STORE_MAP);
}

static void gen_default(struct codegen *c, node param, node name, node value)
{
    if (value == NODE_NULL) {
        if (!c->have_star && c->positional_defaults != 0) {
            gen_error(c, param, "non-default argument follows default argument");
        }
    } else if (c->have_star) {
        gen_keyword_default(c, node_arg(name), value);
    } else {
        c->positional_defaults++;
        gen_node(c, value);
    }
}

static void gen_param_default(struct codegen *c, node param)
{
    if (node_is_id(param)) {
        gen_default(c, param, param, NODE_NULL);
        return;
    }
    switch (node_kind(c->ast, param)) {
    case NODE_PARAM_STAR:
    case NODE_LAMBDA_STAR:
        c->have_star = true;
        break;
    case NODE_PARAM:
        gen_default(c, param, gen_child(c, param, 0), gen_child(c, param, 2));
        break;
    case NODE_LAMBDA_PARAM:
        gen_default(c, param, gen_child(c, param, 0), gen_child(c, param, 1));
        break;
    default:
        break; // **kwargs
    }
}

// Leaves the function on the stack.
static void gen_function_with_defaults(struct codegen *c, uint32_t scope, node params,
                                       enum node_kind list)
{
    bool have_star = c->have_star;
    uint32_t positional = c->positional_defaults, keyword = c->keyword_defaults;
    c->have_star = false;
    c->positional_defaults = c->keyword_defaults = 0;
    const node *items;
    uint32_t n = node_list(c->ast, &params, list, &items);
    for (uint32_t i = 0; i < n; i++) {
        gen_param_default(c, items[i]);
    }
    if (c->pending) {
        return;
    }
    if (c->positional_defaults > 0 && c->keyword_defaults == 0) {
        gen_build(c, IR_TUPLE, c->positional_defaults);
        gen(c, IR_LOAD_NULL);
    }
    gen_make_function(c, scope, c->positional_defaults, c->keyword_defaults);
    c->have_star = have_star;
    c->positional_defaults = positional;
    c->keyword_defaults = keyword;
}

// Leaves the function on the stack; the result is its name. flags are for its scope.
static uint32_t gen_define_function(struct codegen *c, node n, uint32_t flags)
{
    uint32_t name = node_arg(gen_child(c, n, 0));
    uint32_t scope = gen_new_scope(c, SCOPE_FUNCTION, n, name);
    gen_function_with_defaults(c, scope, gen_child(c, n, 1), NODE_PARAMS);
    c->scopes.at[scope].flags |= flags;
    return name;
}

static uint32_t gen_define_class(struct codegen *c, node n)
{
    uint32_t name = node_arg(gen_child(c, n, 0));
    uint32_t scope = gen_new_scope(c, SCOPE_CLASS, n, name);
    gen(c, IR_LOAD_BUILD_CLASS);
    gen_make_function(c, scope, 0, 0);
    gen_name(c, IR_LOAD_CONST_STRING, name);
    node bases = gen_child(c, n, 1);
    if (node_is(c->ast, bases, NODE_CLASS_PAREN)) {
        bases = NODE_NULL;
    }
    gen_call(c, bases, false, 2);
    return name;
}

void gen_funcdef(struct codegen *c, node n)
{
    gen_store(c, gen_define_function(c, n, 0));
}

void gen_async_funcdef(struct codegen *c, node n)
{
    gen_store(c, gen_define_function(c, n, SCOPE_GENERATOR));
}

void gen_classdef(struct codegen *c, node n)
{
    gen_store(c, gen_define_class(c, n));
}

void gen_lambda(struct codegen *c, node n)
{
    uint32_t scope = gen_new_scope(c, SCOPE_LAMBDA, n, gen_known(c, NAME_LAMBDA));
    gen_function_with_defaults(c, scope, gen_child(c, n, 0), NODE_LAMBDA_PARAMS);
}

static bool gen_is_machine_decorator(const struct codegen *c, uint32_t attr)
{
    return attr == gen_known(c, NAME_NATIVE) || attr == gen_known(c, NAME_VIPER) ||
           attr == gen_known(c, NAME_ASM_THUMB) || attr == gen_known(c, NAME_ASM_XTENSA) ||
           (attr == gen_known(c, NAME_ASM_RV32) && c->u->release->asm_rv32);
}

static bool gen_is_arch(const char *arch, const char *prefix)
{
    return strncmp(arch, prefix, strlen(prefix)) == 0;
}

// True if upstream's compiler of this release has such code for the architecture.
static bool gen_upstream_has(const struct codegen *c, uint32_t attr)
{
    const char *arch = c->u->options.arch;
    if (!arch || strcmp(arch, "rv64imc") == 0) {
        return false;
    }
    if (attr == gen_known(c, NAME_NATIVE) || attr == gen_known(c, NAME_VIPER)) {
        return true;
    }
    return gen_is_arch(arch, "armv") || strcmp(arch, "xtensa") == 0 ||
           (strcmp(arch, "xtensawin") == 0 && c->u->release->asm_xtensawin) ||
           (strcmp(arch, "rv32imc") == 0 && c->u->release->asm_rv32);
}

// @micropython.native and its kin need an emitter for machine code.
static void gen_no_machine_code(struct codegen *c, node decorator, uint32_t attr)
{
    const struct name *n = name_at(&c->u->names, attr);
    c->u->machine_code_line = node_line(c->ast, decorator);
    c->u->machine_code_name = attr;
    if (!gen_upstream_has(c, attr)) {
        gen_error(c, gen_child(c, gen_child(c, decorator, 0), 1), "invalid arch");
        return;
    }
    struct unit_place place = {node_line(c->ast, decorator), NULL};
    unit_error(c->u, "NotImplementedError", place, gen_scope(c)->name,
               "@micropython.%.*s needs machine code for %s, which is not supported", (int)n->len,
               n->data, c->u->options.arch);
}

// True if it is one of the compiler's own.
static bool gen_builtin_decorator(struct codegen *c, node decorator, const node *names, uint32_t n)
{
    if (node_arg(names[0]) != gen_known(c, NAME_MICROPYTHON)) {
        return false;
    }
    if (n != 2) {
        gen_error(c, names[0], "invalid micropython decorator");
        return true;
    }
    uint32_t attr = node_arg(names[1]);
    if (gen_is_machine_decorator(c, attr)) {
        gen_no_machine_code(c, decorator, attr);
    } else if (attr != gen_known(c, NAME_BYTECODE)) {
        gen_error(c, names[1], "invalid micropython decorator");
    }
    return true;
}

// Leaves the decorator on the stack and returns true, unless it is the compiler's own.
static bool gen_decorator(struct codegen *c, node decorator)
{
    const node *names;
    node dotted = gen_child(c, decorator, 0);
    uint32_t n = node_list(c->ast, &dotted, NODE_DOTTED_NAME, &names);
    if (gen_builtin_decorator(c, decorator, names, n)) {
        return false;
    }
    gen_node(c, names[0]);
    for (uint32_t i = 1; i < n; i++) {
        gen_name(c, IR_LOAD_ATTR, node_arg(names[i]));
    }
    gen_node(c, gen_child(c, decorator, 1));
    return true;
}

void gen_decorated(struct codegen *c, node n)
{
    const node *items;
    node decorators = gen_child(c, n, 0), body = gen_child(c, n, 1);
    uint32_t count = node_list(c->ast, &decorators, NODE_DECORATORS, &items), calls = 0;
    for (uint32_t i = 0; i < count; i++) {
        calls += gen_decorator(c, items[i]);
    }
    uint32_t name;
    if (node_is(c->ast, body, NODE_FUNCDEF)) {
        name = gen_define_function(c, body, 0);
    } else if (node_is(c->ast, body, NODE_ASYNC_FUNCDEF)) {
        name = gen_define_function(c, gen_child(c, body, 0), SCOPE_GENERATOR);
    } else {
        name = gen_define_class(c, body);
    }
    for (uint32_t i = 0; i < calls; i++) {
        gen_op(c, IR_CALL, IR_CALL_FUNCTION);
        gen_number(c, 1);
        gen_number(c, 0);
    }
    gen_store(c, name);
}
