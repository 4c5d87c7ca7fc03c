// Runs the statements of a manifest.

#include "packer/manifest/fileset.h"
#include "packer/manifest/frame.h"

enum { HANDLER_WORK = 64 }; // going through the classes above an exception's

static bool assign_sequence(struct frame *f, const struct tree *target, struct object *value)
{
    struct object *list = object_iter(f->vm, value);
    if (!list) {
        return false;
    }
    if (list->as.items.n != target->n) {
        vm_raise(f->vm, "ValueError", "%s values to unpack (expected %u)",
                 list->as.items.n > target->n ? "too many" : "not enough", target->n);
        return false;
    }
    for (unsigned i = 0; i < target->n; i++) {
        if (!run_assign_to(f, target->items[i], list->as.items.data[i])) {
            return false;
        }
    }
    return true;
}

bool run_assign_to(struct frame *f, const struct tree *target, struct object *value)
{
    if (target->kind == TREE_NAME) {
        variable_set(f->vm, f->scope, target->text, value);
        return true;
    }
    if (target->kind == TREE_TUPLE || target->kind == TREE_LIST) {
        return assign_sequence(f, target, value);
    }
    if (target->kind != TREE_INDEX || target->b->kind == TREE_SLICE) {
        vm_unsupported(f->vm, "this target of an assignment");
        return false;
    }
    struct object *seq = eval_tree(f, target->a), *key = seq ? eval_tree(f, target->b) : NULL;
    return key && member_set_index(f->vm, seq, key, value);
}

static enum flow flow_of(bool ok)
{
    return ok ? FLOW_NEXT : FLOW_RAISED;
}

static enum flow run_assign(struct frame *f, const struct tree *t)
{
    struct object *value = eval_tree(f, t->a);
    for (unsigned i = 0; value && i < t->n; i++) {
        if (!run_assign_to(f, t->items[i], value)) {
            return FLOW_RAISED;
        }
    }
    return flow_of(value != NULL);
}

static enum flow run_augment(struct frame *f, const struct tree *t)
{
    struct object *old = eval_tree(f, t->a), *more = old ? eval_tree(f, t->b) : NULL, *value;
    if (!more) {
        return FLOW_RAISED;
    }
    if (old->kind == V_LIST && t->op == '+') { // in place, as everybody who holds it sees
        struct object *list = object_iter(f->vm, more);
        for (size_t i = 0, n = list ? list->as.items.n : 0; i < n; i++) {
            object_append(f->vm, old, list->as.items.data[i]);
        }
        return flow_of(list != NULL);
    }
    value = op_binary(f->vm, t->op, old, more);
    return flow_of(value && run_assign_to(f, t->a, value));
}

static enum flow run_loop_body(struct frame *f, const struct tree *body, bool *done)
{
    enum flow flow = run_tree(f, body);
    *done = flow == FLOW_BREAK || flow == FLOW_RETURN || flow == FLOW_RAISED;
    return flow;
}

static enum flow run_while(struct frame *f, const struct tree *t)
{
    for (;;) {
        struct object *v = eval_tree(f, t->a);
        bool done;
        if (!v) {
            return FLOW_RAISED;
        }
        if (!object_truth(v)) {
            return t->c ? run_tree(f, t->c) : FLOW_NEXT;
        }
        enum flow flow = run_loop_body(f, t->b, &done);
        if (done) {
            return flow == FLOW_BREAK ? FLOW_NEXT : flow;
        }
    }
}

static enum flow run_for(struct frame *f, const struct tree *t)
{
    struct object *v = eval_tree(f, t->b), *list = v ? object_iter(f->vm, v) : NULL;
    if (!list) {
        return FLOW_RAISED;
    }
    for (size_t i = 0; i < list->as.items.n; i++) {
        bool done;
        if (!vm_step(f->vm) || !run_assign_to(f, t->a, list->as.items.data[i])) {
            return FLOW_RAISED;
        }
        enum flow flow = run_loop_body(f, t->c, &done);
        if (done) {
            return flow == FLOW_BREAK ? FLOW_NEXT : flow;
        }
    }
    return t->n ? run_tree(f, t->items[0]) : FLOW_NEXT;
}

static enum flow run_import(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct object *module = builtin_module(vm, t->text);
    if (!module) {
        vm_unsupported(vm, "the module '%s'", t->text);
        return FLOW_RAISED;
    }
    const char *dot = strchr(t->text, '.');
    if (!t->name && dot) { // import os.path binds os
        const char *top = arena_strndup(vm->arena, t->text, (size_t)(dot - t->text));
        variable_set(vm, f->scope, top, builtin_module(vm, top));
    } else {
        variable_set(vm, f->scope, t->name ? t->name : t->text, module);
    }
    return FLOW_NEXT;
}

static enum flow run_from(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    if (strcmp(t->text, "__future__") == 0) {
        return FLOW_NEXT;
    }
    struct object *module = builtin_module(vm, t->text);
    if (!module) {
        vm_unsupported(vm, "the module '%s'", t->text);
        return FLOW_RAISED;
    }
    for (unsigned i = 0; i < t->n; i++) {
        struct object *member = module_member(vm, module, t->items[i]->text);
        if (!member) {
            return FLOW_RAISED;
        }
        variable_set(vm, f->scope, t->items[i]->name ? t->items[i]->name : t->items[i]->text,
                     member);
    }
    return FLOW_NEXT;
}

static enum flow run_raise(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    if (!t->a) {
        vm->raised = vm->handling;
        if (!vm->raised) {
            vm_raise(vm, "RuntimeError", "No active exception to reraise");
        }
        return FLOW_RAISED;
    }
    struct object *v = eval_tree(f, t->a);
    if (v && v->kind == V_CLASS) {
        vm_raise(vm, v->as.name, "%s", "");
    } else if (v && v->kind == V_EXCEPTION) {
        vm_raise(vm, v->as.exception.name, "%s", v->as.exception.text);
    } else if (v) {
        vm_raise(vm, "TypeError", "exceptions must derive from BaseException");
    }
    return FLOW_RAISED;
}

static enum flow run_assert(struct frame *f, const struct tree *t)
{
    struct object *v = eval_tree(f, t->a);
    if (v && !object_truth(v)) {
        struct object *text = t->b ? eval_tree(f, t->b) : object_str(f->vm, "");
        text = text ? object_to_str(f->vm, text) : NULL;
        if (text) {
            vm_raise(f->vm, "AssertionError", "%s", text->as.str.data);
        }
        return FLOW_RAISED;
    }
    return flow_of(v != NULL);
}

// True if a handler's class (or one of a tuple of them) takes the exception.
static bool handler_takes(struct frame *f, const struct tree *handler, const struct vm_error *e,
                          bool *ok)
{
    struct object *c = handler->a ? eval_tree(f, handler->a) : NULL;
    *ok = !handler->a || c;
    if (!c) {
        return !handler->a;
    }
    size_t n = c->kind == V_TUPLE ? c->as.items.n : 1;
    for (size_t i = 0; i < n && vm_charge(f->vm, HANDLER_WORK); i++) {
        const struct object *one = c->kind == V_TUPLE ? c->as.items.data[i] : c;
        if (one->kind == V_CLASS && exception_is(e->name, one->as.name)) {
            return true;
        }
    }
    return false;
}

static enum flow run_handlers(struct frame *f, const struct tree *t, struct vm_error *e)
{
    struct vm *vm = f->vm;
    for (unsigned i = 0; i < t->n; i++) {
        const struct tree *handler = t->items[i];
        bool ok;
        vm->raised = NULL;
        if (handler_takes(f, handler, e, &ok)) {
            struct vm_error *outer = vm->handling;
            if (handler->text) {
                struct object *o = object_named(vm, V_EXCEPTION, NULL);
                o->as.exception.name = e->name;
                o->as.exception.text = e->text;
                variable_set(vm, f->scope, handler->text, o);
            }
            vm->handling = e;
            enum flow flow = run_tree(f, handler->b);
            vm->handling = outer;
            return flow;
        }
        if (!ok) {
            return FLOW_RAISED;
        }
    }
    vm->raised = e;
    return FLOW_RAISED;
}

static enum flow run_try(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    enum flow flow = run_tree(f, t->a);
    if (flow == FLOW_RAISED && vm->raised->fatal) {
        return flow;
    }
    if (flow == FLOW_RAISED && t->n) {
        vm->files->failed = NULL; // an include that failed may be caught here
        flow = run_handlers(f, t, vm->raised);
    } else if (flow == FLOW_NEXT && t->b) {
        flow = run_tree(f, t->b);
    }
    if (!t->c || (flow == FLOW_RAISED && vm->raised->fatal)) {
        return flow;
    }
    struct vm_error *raised = vm->raised;
    vm->raised = NULL;
    enum flow last = run_tree(f, t->c);
    if (last == FLOW_NEXT) {
        vm->raised = raised;
        return flow;
    }
    return last;
}

static enum flow run_del(struct frame *f, const struct tree *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        struct variable *v = t->items[i]->kind == TREE_NAME
                                 ? variable_find(f->vm, f->scope, t->items[i]->text)
                                 : NULL;
        if (!v || !v->value) {
            vm_unsupported(f->vm, "del of this");
            return FLOW_RAISED;
        }
        v->value = NULL;
    }
    return FLOW_NEXT;
}

static enum flow run_block(struct frame *f, const struct tree *t)
{
    enum flow flow = FLOW_NEXT;
    for (unsigned i = 0; i < t->n && flow == FLOW_NEXT; i++) {
        flow = run_tree(f, t->items[i]);
    }
    return flow;
}

static enum flow run_return(struct frame *f, const struct tree *t)
{
    f->result = t->a ? eval_tree(f, t->a) : f->vm->none;
    return f->result ? FLOW_RETURN : FLOW_RAISED;
}

static enum flow run_if(struct frame *f, const struct tree *t)
{
    struct object *v = eval_tree(f, t->a);
    const struct tree *body = v && object_truth(v) ? t->b : t->c;
    return !v ? FLOW_RAISED : body ? run_tree(f, body) : FLOW_NEXT;
}

static enum flow run_def(struct frame *f, const struct tree *t)
{
    struct object *o = call_make_closure(f, t);
    if (o) {
        variable_set(f->vm, f->scope, t->text, o);
    }
    return flow_of(o != NULL);
}

enum flow run_tree(struct frame *f, const struct tree *t)
{
    f->vm->line = t->line;
    f->vm->column = t->column;
    if (!vm_step(f->vm)) {
        return FLOW_RAISED;
    }
    switch (t->kind) {
    case TREE_BLOCK:
        return run_block(f, t);
    case TREE_EXPR:
        return flow_of(eval_tree(f, t->a) != NULL);
    case TREE_ASSIGN:
        return run_assign(f, t);
    case TREE_AUGMENT:
        return run_augment(f, t);
    case TREE_IF:
        return run_if(f, t);
    case TREE_WHILE:
        return run_while(f, t);
    case TREE_FOR:
        return run_for(f, t);
    case TREE_DEF:
        return run_def(f, t);
    case TREE_RETURN:
        return run_return(f, t);
    case TREE_PASS:
        return FLOW_NEXT;
    case TREE_BREAK:
        return FLOW_BREAK;
    case TREE_CONTINUE:
        return FLOW_CONTINUE;
    case TREE_IMPORT:
        return run_import(f, t);
    case TREE_FROM:
        return run_from(f, t);
    case TREE_GLOBAL:
        f->scope->globals = t;
        return FLOW_NEXT;
    case TREE_TRY:
        return run_try(f, t);
    case TREE_RAISE:
        return run_raise(f, t);
    case TREE_ASSERT:
        return run_assert(f, t);
    case TREE_DEL:
        return run_del(f, t);
    default:
        vm_unsupported(f->vm, "this statement");
        return FLOW_RAISED;
    }
}

bool eval_manifest(struct vm *vm, const char *text, size_t size, struct options *options)
{
    struct tree *tree;
    struct diag d;
    bool unsupported;
    diag_init(&d);
    enum diag_code err = tree_parse(text, size, vm->file, vm->arena, &d, &unsupported, &tree);
    if (err) {
        vm->line = d.line;
        vm->column = d.column;
        const char *colon = strstr(d.text, ": ");
        if (unsupported || err == DIAG_NOMEM || !colon) {
            vm_unsupported(vm, "%s", colon ? colon + 2 : d.text);
        } else {
            vm_raise(vm, "SyntaxError", "%s", colon + 2);
        }
        return false;
    }
    struct frame f = {vm, variable_scope(vm, NULL), NULL};
    f.scope->options = options;
    return run_tree(&f, tree) != FLOW_RAISED && vm_step(vm);
}
