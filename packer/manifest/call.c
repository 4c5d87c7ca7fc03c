// Calls: arguments, and the functions that a manifest defines.

#include "packer/manifest/frame.h"

enum { PARAMETER_WORK = 16 }; // writing one into a spec, and reading it again

// The parameters of a closure as call_bind takes them: those that may be positional, and *args.
struct signature {
    const char *spec, *rest, *more, *name;
    unsigned n; // parameters that may be positional
};

static struct signature closure_signature(struct vm *vm, const struct closure *c)
{
    struct signature s = {.spec = ""};
    bool keyword_only = false;
    s.name = c->tree->kind == TREE_LAMBDA ? "<lambda>" : c->tree->text;
    for (unsigned i = 0; i < c->tree->n; i++) {
        const struct tree *p = c->tree->items[i];
        if (p->op == '*') {
            s.rest = p->text;
            keyword_only = true;
        } else if (p->op) {
            s.more = p->text;
        } else if (!keyword_only) {
            const char *optional = c->defaults[i] ? "?" : "";
            vm_charge(vm, PARAMETER_WORK + strlen(s.spec));
            s.spec = arena_printf(vm->arena, "%s %s%s", s.spec, p->text, optional);
            s.n++;
        }
    }
    s.spec = s.rest ? arena_printf(vm->arena, "%s %s*", s.spec, s.rest) : s.spec;
    return s;
}

// Binds the parameters behind *: their arguments are taken out of the call.
static bool closure_keywords(struct vm *vm, const struct closure *c, struct call *call,
                             struct scope *scope)
{
    bool keyword_only = false;
    for (unsigned i = 0; i < c->tree->n; i++) {
        const struct tree *p = c->tree->items[i];
        vm_charge(vm, 1 + call->n_kw);
        if (p->op || !keyword_only) {
            keyword_only = keyword_only || p->op == '*';
            continue;
        }
        struct object *value = c->defaults[i];
        for (size_t k = 0; k < call->n_kw; k++) {
            if (strcmp(call->kw_names[k], p->text) == 0) {
                value = call->kw_values[k];
                call->n_kw--;
                call->kw_names[k] = call->kw_names[call->n_kw];
                call->kw_values[k] = call->kw_values[call->n_kw];
                break;
            }
        }
        if (!value) {
            vm_raise(vm, "TypeError", "missing 1 required keyword-only argument: '%s'", p->text);
            return false;
        }
        variable_set(vm, scope, p->text, value);
    }
    return true;
}

static bool closure_bind(struct vm *vm, const struct closure *c, const struct call *call,
                         struct scope *scope)
{
    struct signature s = closure_signature(vm, c);
    struct object **values = ARENA_ARRAY(vm->arena, struct object *, s.n + 1), *more = NULL;
    struct call left = *call;
    if (call->n_kw) { // the caller's own arrays stay as they are
        left.kw_names = arena_dup(vm->arena, call->kw_names, call->n_kw * sizeof *call->kw_names);
        left.kw_values =
            arena_dup(vm->arena, call->kw_values, call->n_kw * sizeof *call->kw_values);
    }
    if (!closure_keywords(vm, c, &left, scope) ||
        !call_bind_kw(vm, &left, s.name, s.spec, values, s.more ? &more : NULL)) {
        return false;
    }
    for (unsigned i = 0; i < s.n; i++) {
        variable_set(vm, scope, c->tree->items[i]->text, values[i] ? values[i] : c->defaults[i]);
    }
    if (s.rest) {
        variable_set(vm, scope, s.rest, values[s.n]);
    }
    if (s.more) {
        variable_set(vm, scope, s.more, more);
    }
    return true;
}

static struct object *call_closure(struct vm *vm, const struct closure *c, const struct call *call)
{
    struct frame f = {vm, variable_scope(vm, c->scope), vm->none};
    if (!closure_bind(vm, c, call, f.scope)) {
        return NULL;
    }
    if (c->tree->kind == TREE_LAMBDA) {
        return eval_tree(&f, c->tree->a);
    }
    return run_tree(&f, c->tree->a) == FLOW_RAISED ? NULL : f.result;
}

static struct object *call_class(struct vm *vm, const char *name, const struct call *call)
{
    struct object *o = object_named(vm, V_EXCEPTION, NULL);
    struct object *text = call->n_pos ? object_to_str(vm, call->pos[0]) : object_str(vm, "");
    if (!text) {
        return NULL;
    }
    o->as.exception.name = name;
    o->as.exception.text = text->as.str.data;
    return o;
}

struct object *eval_call(struct vm *vm, struct object *function, const struct call *call)
{
    // A method may go through its object and its arguments.
    if (function->kind == V_NATIVE && function->as.bound.self) {
        vm_charge(vm, object_count(function->as.bound.self));
    }
    for (size_t i = 0; i < call->n_pos; i++) {
        vm_charge(vm, object_count(call->pos[i]));
    }
    if (!vm_step(vm)) {
        return NULL;
    }
    switch (function->kind) {
    case V_NATIVE:
        return function->as.bound.native->fn(vm, function->as.bound.self, call);
    case V_CLOSURE:
        return call_closure(vm, function->as.closure, call);
    case V_CLASS:
        return call_class(vm, function->as.name, call);
    default:
        return vm_raise(vm, "TypeError", "'%s' object is not callable", object_type(function));
    }
}

struct arguments { // a call's arguments as they are gathered
    struct vm *vm;
    struct object *pos;  // a list
    struct object *more; // a dict by name
};

static bool argument_add(struct frame *f, struct arguments *args, const struct tree *t)
{
    struct vm *vm = f->vm;
    bool plain = t->kind != TREE_KEYWORD && t->kind != TREE_STAR && t->kind != TREE_DOUBLE;
    struct object *v = eval_tree(f, plain ? t : t->a);
    if (!v) {
        return false;
    }
    if (plain) {
        object_append(vm, args->pos, v);
    } else if (t->kind == TREE_KEYWORD) {
        struct object *name = object_str(vm, t->text);
        if (object_lookup(vm, args->more, name)) {
            vm_raise(vm, "SyntaxError", "keyword argument repeated: %s", t->text);
            return false;
        }
        object_put(vm, args->more, name, v);
    } else if (t->kind == TREE_STAR) {
        struct object *list = object_iter(vm, v);
        for (size_t i = 0; list && i < list->as.items.n; i++) {
            object_append(vm, args->pos, list->as.items.data[i]);
        }
        return list != NULL;
    } else {
        if (v->kind != V_DICT) {
            vm_raise(vm, "TypeError", "argument after ** must be a mapping, not %s",
                     object_type(v));
            return false;
        }
        for (size_t i = 0; i < v->as.items.n; i += 2) {
            if (v->as.items.data[i]->kind != V_STR) {
                vm_raise(vm, "TypeError", "keywords must be strings");
                return false;
            }
            object_put(vm, args->more, v->as.items.data[i], v->as.items.data[i + 1]);
        }
    }
    return true;
}

struct object *call_eval(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct arguments args = {vm, object_seq(vm, V_LIST), object_seq(vm, V_DICT)};
    struct object *function = eval_tree(f, t->a);
    if (!function) {
        return NULL;
    }
    for (unsigned i = 0; i < t->n; i++) {
        if (!argument_add(f, &args, t->items[i])) {
            return NULL;
        }
    }
    size_t n = args.more->as.items.n / 2;
    struct call call = {.n_pos = args.pos->as.items.n, .pos = args.pos->as.items.data, .n_kw = n};
    call.kw_names = ARENA_ARRAY(vm->arena, const char *, n);
    call.kw_values = ARENA_ARRAY(vm->arena, struct object *, n);
    for (size_t i = 0; i < n; i++) {
        call.kw_names[i] = args.more->as.items.data[2 * i]->as.str.data;
        call.kw_values[i] = args.more->as.items.data[2 * i + 1];
    }
    vm->line = t->line;
    vm->column = t->column;
    return eval_call(vm, function, &call);
}

struct object *call_make_closure(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct closure *c = ARENA_NEW(vm->arena, struct closure);
    c->tree = t;
    c->scope = f->scope;
    c->defaults = ARENA_ARRAY(vm->arena, struct object *, t->n);
    for (unsigned i = 0; i < t->n; i++) {
        if (t->items[i]->a && !(c->defaults[i] = eval_tree(f, t->items[i]->a))) {
            return NULL;
        }
    }
    struct object *o = object_named(vm, V_CLOSURE, NULL);
    o->as.closure = c;
    return o;
}
