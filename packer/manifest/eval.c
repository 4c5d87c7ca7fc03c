// Evaluates the expressions of a manifest.

#include "packer/manifest/frame.h"

// Displays and comprehensions

static struct object *eval_display(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct object *result = object_seq(vm, t->kind == TREE_TUPLE  ? V_TUPLE
                                           : t->kind == TREE_LIST ? V_LIST
                                                                  : V_SET);
    for (unsigned i = 0; i < t->n; i++) {
        bool star = t->items[i]->kind == TREE_STAR;
        struct object *v = eval_tree(f, star ? t->items[i]->a : t->items[i]);
        struct object *list = v && star ? object_iter(vm, v) : NULL;
        if (!v || (star && !list)) {
            return NULL;
        }
        for (size_t k = 0; list && k < list->as.items.n; k++) {
            object_append(vm, result, list->as.items.data[k]);
        }
        if (!star) {
            object_append(vm, result, v);
        }
    }
    return result;
}

static struct object *eval_dict(struct frame *f, const struct tree *t)
{
    struct object *result = object_seq(f->vm, V_DICT);
    for (unsigned i = 0; i + 1 < t->n; i += 2) {
        struct object *key = eval_tree(f, t->items[i]);
        struct object *value = key ? eval_tree(f, t->items[i + 1]) : NULL;
        if (!value) {
            return NULL;
        }
        object_put(f->vm, result, key, value);
    }
    return result;
}

static bool comp_element(struct frame *f, const struct tree *t, struct object *result)
{
    struct object *v = eval_tree(f, t->a), *item = v && t->b ? eval_tree(f, t->b) : NULL;
    if (!v || (t->b && !item)) {
        return false;
    }
    if (t->b) {
        object_put(f->vm, result, v, item);
    } else {
        object_append(f->vm, result, v);
    }
    return true;
}

// Runs the clauses of a comprehension from number i on.
static bool comp_clause(struct frame *f, const struct tree *t, unsigned i, struct object *result)
{
    if (i == t->n) {
        return comp_element(f, t, result);
    }
    const struct tree *clause = t->items[i];
    struct object *v = eval_tree(f, clause->kind == TREE_COMP_IF ? clause->a : clause->b);
    if (!v) {
        return false;
    }
    if (clause->kind == TREE_COMP_IF) {
        return object_truth(v) ? comp_clause(f, t, i + 1, result) : true;
    }
    struct object *list = object_iter(f->vm, v);
    for (size_t k = 0; list && k < list->as.items.n; k++) {
        if (!vm_step(f->vm) || !run_assign_to(f, clause->a, list->as.items.data[k]) ||
            !comp_clause(f, t, i + 1, result)) {
            return false;
        }
    }
    return list != NULL;
}

static struct object *eval_comp(struct frame *f, const struct tree *t)
{
    struct frame inner = {f->vm, variable_scope(f->vm, f->scope), NULL};
    struct object *result = object_seq(f->vm, t->op == 'd'   ? V_DICT
                                              : t->op == 's' ? V_SET
                                                             : V_LIST);
    return comp_clause(&inner, t, 0, result) ? result : NULL;
}

static struct object *eval_compare(struct frame *f, const struct tree *t)
{
    struct object *left = eval_tree(f, t->items[0]);
    bool yes = true;
    for (unsigned i = 1; left && yes && i < t->n; i++) {
        struct object *right = eval_tree(f, t->items[i]);
        if (!right || !op_compare(f->vm, (enum tree_compare)t->ops[i - 1], left, right, &yes)) {
            return NULL;
        }
        left = right;
    }
    return left ? object_bool(f->vm, yes) : NULL;
}

static struct object *eval_two(struct frame *f, const struct tree *t)
{
    struct object *x = eval_tree(f, t->a), *y;
    if (!x) {
        return NULL;
    }
    if (t->kind == TREE_AND || t->kind == TREE_OR) {
        return object_truth(x) == (t->kind == TREE_OR) ? x : eval_tree(f, t->b);
    }
    y = eval_tree(f, t->b);
    f->vm->line = t->line;
    f->vm->column = t->column;
    return y ? op_binary(f->vm, t->op, x, y) : NULL;
}

static struct object *eval_one(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct object *x = eval_tree(f, t->a);
    if (!x) {
        return NULL;
    }
    vm->line = t->line;
    vm->column = t->column;
    switch (t->kind) {
    case TREE_ATTR:
        return eval_attribute(vm, x, t->text);
    case TREE_UNARY:
        return op_unary(vm, t->op, x);
    case TREE_NOT:
        return object_bool(vm, !object_truth(x));
    case TREE_TERNARY:
        return eval_tree(f, object_truth(x) ? t->b : t->c);
    case TREE_WALRUS:
        variable_set(vm, f->scope, t->text, x);
        return x;
    default: { // TREE_INDEX
        if (t->b->kind == TREE_SLICE) {
            return member_slice(f, x, t->b);
        }
        struct object *key = eval_tree(f, t->b);
        return key ? member_index(vm, x, key) : NULL;
    }
    }
}

static struct object *eval_kind(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    switch (t->kind) {
    case TREE_NAME:
        return variable_get(vm, f->scope, t->text);
    case TREE_INT:
        return object_int(vm, t->number);
    case TREE_FLOAT:
        return object_float(vm, t->real);
    case TREE_STR:
        return object_strn(vm, t->text, t->len);
    case TREE_NONE:
        return vm->none;
    case TREE_TRUE:
    case TREE_FALSE:
        return object_bool(vm, t->kind == TREE_TRUE);
    case TREE_TUPLE:
    case TREE_LIST:
    case TREE_SET:
        return eval_display(f, t);
    case TREE_DICT:
        return eval_dict(f, t);
    case TREE_CALL:
        return call_eval(f, t);
    case TREE_BINARY:
    case TREE_AND:
    case TREE_OR:
        return eval_two(f, t);
    case TREE_COMPARE:
        return eval_compare(f, t);
    case TREE_LAMBDA:
        return call_make_closure(f, t);
    case TREE_COMP:
        return eval_comp(f, t);
    case TREE_ATTR:
    case TREE_INDEX:
    case TREE_UNARY:
    case TREE_NOT:
    case TREE_TERNARY:
    case TREE_WALRUS:
        return eval_one(f, t);
    default:
        return vm_unsupported(vm, "this expression");
    }
}

struct object *eval_tree(struct frame *f, const struct tree *t)
{
    struct vm *vm = f->vm;
    vm->line = t->line;
    vm->column = t->column;
    if (!vm_step(vm)) {
        return NULL;
    }
    if (vm->depth >= VM_DEPTH) {
        return vm_unsupported(vm, "calls and includes nested as deep as this");
    }
    vm->depth++;
    struct object *o = eval_kind(f, t);
    vm->depth--;
    return o;
}
