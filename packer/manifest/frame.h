// What the parts of the evaluator share: names and their scopes, the running frame, and how the
// tree of a manifest is evaluated. Everything lives in the machine's arena. A function that gives
// an object returns NULL, and one that gives a bool false, when an exception was raised
// (vm->raised).
#pragma once
#include "packer/manifest/object.h"
#include "packer/manifest/tree.h"

struct variable {
    const char *name;
    struct object *value; // NULL = deleted
    struct variable *next;
};

struct scope {
    struct variable *variables;
    struct scope *outer;  // where names are looked up next; NULL for the manifest itself
    struct scope *global; // the manifest's
    struct options *options;
    const struct tree *globals; // the last `global` statement, NULL = none
};

struct closure {
    const struct tree *tree; // TREE_DEF or TREE_LAMBDA
    struct scope *scope;
    struct object **defaults; // one for each parameter, NULL = none
};

struct frame { // one running function or manifest
    struct vm *vm;
    struct scope *scope;
    struct object *result; // of return
};

enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE, FLOW_RETURN, FLOW_RAISED };

// Names: variables.c
struct scope *variable_scope(struct vm *vm, struct scope *outer);
struct variable *variable_find(struct vm *vm, struct scope *scope,
                               const char *name); // NULL = not in this scope
void variable_set(struct vm *vm, struct scope *scope, const char *name, struct object *value);
struct object *variable_get(struct vm *vm, struct scope *scope, const char *name);
bool name_is_listed(const char *const *list, const char *name); // list ends with NULL

// Operators by their sign; F is //, P is **, L and R are the shifts: operators.c
struct object *op_binary(struct vm *vm, char op, struct object *x, struct object *y);
struct object *op_unary(struct vm *vm, char op, struct object *x);
bool op_compare(struct vm *vm, enum tree_compare op, struct object *x, struct object *y, bool *yes);
bool object_is_sequence(const struct object *o);

// Subscripts: member.c
struct object *member_index(struct vm *vm, struct object *seq, struct object *key);
bool member_set_index(struct vm *vm, struct object *seq, struct object *key, struct object *value);
struct object *member_slice(struct frame *f, struct object *seq, const struct tree *slice);

// call.c: a call with its arguments; a function from its definition
struct object *call_eval(struct frame *f, const struct tree *call);
struct object *call_make_closure(struct frame *f, const struct tree *definition);

// eval.c and run.c
struct object *eval_tree(struct frame *f, const struct tree *t);
enum flow run_tree(struct frame *f, const struct tree *t);
bool run_assign_to(struct frame *f, const struct tree *target, struct object *value);
