// Names: a manifest's variables, those of its functions, and what is there without being defined.

#include "packer/manifest/frame.h"

enum { NAME_WORK = 32 }; // going through all that is predefined

struct variable *variable_find(struct vm *vm, struct scope *scope, const char *name)
{
    for (struct variable *v = scope->variables; v; v = v->next) {
        vm_charge(vm, 1);
        if (strcmp(v->name, name) == 0) {
            return v;
        }
    }
    return NULL;
}

static bool variable_is_global(struct vm *vm, const struct scope *scope, const char *name)
{
    for (unsigned i = 0; scope->globals && i < scope->globals->n; i++) {
        vm_charge(vm, 1);
        if (strcmp(scope->globals->items[i]->text, name) == 0) {
            return true;
        }
    }
    return false;
}

void variable_set(struct vm *vm, struct scope *scope, const char *name, struct object *value)
{
    scope = variable_is_global(vm, scope, name) ? scope->global : scope;
    struct variable *v = variable_find(vm, scope, name);
    if (!v) {
        v = ARENA_NEW(vm->arena, struct variable);
        v->name = name;
        v->next = scope->variables;
        scope->variables = v;
    }
    v->value = value;
}

struct scope *variable_scope(struct vm *vm, struct scope *outer)
{
    struct scope *scope = ARENA_NEW(vm->arena, struct scope);
    scope->outer = outer;
    scope->global = outer ? outer->global : scope;
    scope->options = outer ? outer->options : NULL;
    return scope;
}

// What a manifest has without defining it. os and sys need no import: up to 1.19 they did not.
static struct object *name_predefined(struct vm *vm, struct scope *scope, const char *name)
{
    vm_charge(vm, NAME_WORK);
    if (strcmp(name, "options") == 0) {
        struct object *o = object_named(vm, V_OPTIONS, NULL);
        o->as.options = scope->options;
        return o;
    }
    const struct native *function = fileset_function(name);
    if (function) {
        return object_native(vm, function, NULL);
    }
    if (strcmp(name, "os") == 0 || strcmp(name, "sys") == 0) {
        return builtin_module(vm, name);
    }
    return builtin_find(vm, name);
}

bool name_is_listed(const char *const *list, const char *name)
{
    while (*list && strcmp(*list, name) != 0) {
        list++;
    }
    return *list != NULL;
}

// Python has these built in, we do not: the message must not say that they are unknown.
static const char *const missing_builtins[] = {
    "__import__", "abs",          "aiter",    "anext",      "ascii",       "bin",     "breakpoint",
    "bytearray",  "bytes",        "callable", "chr",        "classmethod", "compile", "complex",
    "delattr",    "dir",          "divmod",   "eval",       "exec",        "exit",    "format",
    "frozenset",  "globals",      "hash",     "help",       "hex",         "id",      "input",
    "issubclass", "iter",         "locals",   "memoryview", "next",        "object",  "oct",
    "open",       "ord",          "pow",      "property",   "quit",        "round",   "setattr",
    "slice",      "staticmethod", "super",    "type",       "vars",        NULL};

struct object *variable_get(struct vm *vm, struct scope *scope, const char *name)
{
    for (struct scope *s = scope; s && vm_charge(vm, 1); s = s->outer) {
        struct variable *v = variable_find(vm, s, name);
        if (v && v->value) {
            return v->value;
        }
    }
    struct object *found = name_predefined(vm, scope, name);
    if (!found && name_is_listed(missing_builtins, name)) {
        return vm_unsupported(vm, "%s()", name);
    }
    return found ? found : vm_raise(vm, "NameError", "name '%s' is not defined", name);
}
