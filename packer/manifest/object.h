// The objects that a running manifest handles, and the state it runs in. Only what manifests use of
// Python is here; what is missing is reported by name.
//
// Every function that makes a value or runs code returns NULL after raising: the exception is then
// in vm->raised. Memory failures jump out of the machine (arena.on_fail), so no result of an
// allocation is checked here.
#ifndef PACKER_MANIFEST_OBJECT_H
#define PACKER_MANIFEST_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/arena.h"
#include "format/bytes.h"
#include "packer/manifest/manifest.h"

enum object_kind {
    V_NONE,
    V_BOOL,
    V_INT,
    V_FLOAT,
    V_STR,
    V_PATH, // pathlib.Path
    V_TUPLE,
    V_LIST,
    V_SET,
    V_DICT,    // items: key, value, key, value ... in insertion order
    V_NATIVE,  // a function of ours, self is the object it is a method of or NULL
    V_CLOSURE, // a def or lambda of the manifest
    V_MODULE,  // os, os.path, sys, glob, pathlib
    V_CLASS,   // an exception class
    V_EXCEPTION,
    V_OPTIONS, // the manifest's options object
    V_METADATA,
};

enum {
    VM_DEPTH = 800,  // nested expressions, calls and includes: the C stack bounds it
    VM_COMPARED = 16 // bytes that are copied or compared at once
};

struct vm;
struct object;
struct closure; // eval.c
struct options; // fileset.c

struct call { // the arguments of a call
    size_t n_pos, n_kw;
    struct object **pos;
    const char **kw_names;
    struct object **kw_values;
};

typedef struct object *native_fn(struct vm *vm, struct object *self, const struct call *call);

struct native {
    const char *name;
    native_fn *fn;
};

struct object {
    enum object_kind kind;
    union {
        bool truth;
        int64_t number;
        double real;
        struct {
            const char *data; // NUL-terminated, but may hold NUL bytes
            size_t len;
        } str; // V_STR, V_PATH
        struct {
            struct object **data;
            size_t n, cap;
        } items; // V_TUPLE, V_LIST, V_SET, V_DICT
        struct {
            const struct native *native;
            struct object *self;
        } bound; // V_NATIVE
        const struct closure *closure;
        const char *name; // V_MODULE, V_CLASS
        struct {
            const char *name, *text; // class and message
        } exception;
        struct options *options;
        struct manifest_metadata *metadata;
    } as;
};

struct vm_error {
    const char *name, *text; // exception class and message
    const char *file;
    unsigned line, column;
    bool fatal; // not a Python exception: an unsupported construct, a limit; cannot be caught
};

struct fileset;

struct vm {
    struct arena *arena; // on_fail is set
    struct fileset *files;
    const char *cwd;           // folder of the manifest that is running
    const char *file;          // that manifest
    unsigned line, column;     // of the expression that is being evaluated
    struct vm_error *raised;   // NULL = running normally
    struct vm_error *handling; // the exception of the innermost running except clause
    unsigned depth;            // nested calls, includes and expressions
    uint64_t work;             // done so far, see vm_charge
    unsigned looked;           // files and folders looked at on the disk
    const char *looking;       // the last of them
    struct bytes_out *output;  // of print()
    struct object *none, *yes, *no;
};

void vm_init(struct vm *vm, struct arena *a);
// Records the exception at the current position; always NULL.
struct object *vm_raise(struct vm *vm, const char *name, const char *fmt, ...) DIAG_PRINTF(3, 4);
// The same for what we do not support: no except clause catches it.
struct object *vm_unsupported(struct vm *vm, const char *fmt, ...) DIAG_PRINTF(2, 3);
// Counts one step, an expression or statement; false after raising when the manifest takes more
// work, or looks at more files, than it may.
bool vm_step(struct vm *vm);
// Counts the work of n items or bytes, without raising. False when there is no work left: the
// caller may stop, the next vm_step raises. Whatever takes time in proportion to its input calls
// this, with what it handles at worst.
bool vm_charge(struct vm *vm, uint64_t n);
// The same for n files that are looked at on the disk, where path leads; it stays valid.
bool vm_look(struct vm *vm, const char *path, unsigned n);
unsigned vm_looks_left(const struct vm *vm); // files that may still be looked at

struct object *object_bool(struct vm *vm, bool truth);
struct object *object_int(struct vm *vm, int64_t number);
struct object *object_float(struct vm *vm, double real);
struct object *object_str(struct vm *vm, const char *text);
struct object *object_strn(struct vm *vm, const char *text, size_t n);
struct object *object_path(struct vm *vm, const char *text);
struct object *object_seq(struct vm *vm, enum object_kind kind);
struct object *object_native(struct vm *vm, const struct native *native, struct object *self);
struct object *object_named(struct vm *vm, enum object_kind kind, const char *name);

void object_append(struct vm *vm, struct object *seq, struct object *item);
bool object_truth(const struct object *v);
size_t object_count(const struct object *o); // of bytes or items: what going through it costs
// Compares n bytes, and counts the work.
bool vm_same(struct vm *vm, const char *x, const char *y, size_t n);
bool object_equal(struct vm *vm, const struct object *x, const struct object *y);
// <0, 0, >0 through *order; false after raising TypeError.
bool object_order(struct vm *vm, const struct object *x, const struct object *y, int *order);
bool object_is_str(const struct object *v);
// An int or bool.
bool object_is_int(const struct object *v, int64_t *number);
const char *object_type(const struct object *v); // "str", "list": Python's name
// A list of what iteration gives, or NULL after raising. Lists and tuples are returned as they are.
struct object *object_iter(struct vm *vm, struct object *v);
// The value of a dict's key, or NULL (nothing is raised).
struct object *object_lookup(struct vm *vm, const struct object *dict, const struct object *key);
void object_put(struct vm *vm, struct object *dict, struct object *key, struct object *item);
bool object_contains(struct vm *vm, const struct object *seq, const struct object *item, bool *yes);
// str(v) and repr(v).
struct object *object_to_str(struct vm *vm, struct object *v);
struct object *object_repr(struct vm *vm, struct object *v);

// Binds arguments by name. spec is "path script? opt?": a parameter with ? may be missing (NULL in
// out); "name*" takes the remaining positional arguments as a tuple and must stand last. false
// after raising TypeError.
bool call_bind(struct vm *vm, const struct call *call, const char *function, const char *spec,
               struct object **out);
// The same, and arguments with other names are collected in a dict.
bool call_bind_kw(struct vm *vm, const struct call *call, const char *function, const char *spec,
                  struct object **out, struct object **more);
// The text of a str or Path argument, NULL after raising TypeError.
const char *call_text(struct vm *vm, const struct object *v, const char *function);

// str.c: methods of str by name, NULL if there is none; "..." % args; format(value, spec).
const struct native *str_method(const char *name);
struct object *str_percent(struct vm *vm, const struct object *format, struct object *args);
struct object *str_format(struct vm *vm, struct object *v, const char *spec, size_t n);

// containers.c: methods of list, tuple, set and dict.
const struct native *container_method(enum object_kind kind, const char *name);

// builtins.c: builtin names and the members of modules; NULL if there is none.
struct object *builtin_find(struct vm *vm, const char *name);
struct object *builtin_module(struct vm *vm, const char *name);
struct object *module_member(struct vm *vm, const struct object *module, const char *name);
// Methods and properties of Path; NULL without raising if there is none.
struct object *path_member(struct vm *vm, struct object *path, const char *name);
// Methods of the class Path itself; NULL without raising if there is none.
struct object *path_class_member(struct vm *vm, const char *name);

// eval.c
struct object *eval_call(struct vm *vm, struct object *function, const struct call *call);
struct object *eval_attribute(struct vm *vm, struct object *v, const char *name);
// True if exceptions of class name are caught by `except base`.
bool exception_is(const char *name, const char *base);
// Runs a manifest's text in a fresh namespace with these options; false after raising.
bool eval_manifest(struct vm *vm, const char *text, size_t size, struct options *options);

// fileset.c: the functions of manifests; NULL if there is none.
const struct native *fileset_function(const char *name);
struct object *options_attribute(struct vm *vm, struct options *options, const char *name);

#endif
