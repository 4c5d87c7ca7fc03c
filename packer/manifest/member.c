// Subscripts, slices and attributes.

#include "packer/manifest/frame.h"

enum { ATTRIBUTE_WORK = 24 }; // going through the methods of a type

// Subscripts

// Clips a slice bound as Python does.
static bool slice_bound(struct frame *f, const struct tree *t, int64_t n, int64_t missing,
                        int64_t *out)
{
    *out = missing;
    if (!t) {
        return true;
    }
    struct object *v = eval_tree(f, t);
    if (!v || v->kind == V_NONE) {
        return v != NULL;
    }
    if (!object_is_int(v, out)) {
        vm_raise(f->vm, "TypeError", "slice indices must be integers");
        return false;
    }
    *out = *out < 0 ? (*out < -n ? 0 : *out + n) : *out > n ? n : *out;
    return true;
}

struct object *member_slice(struct frame *f, struct object *seq, const struct tree *t)
{
    struct vm *vm = f->vm;
    struct object *items = object_is_sequence(seq) ? object_iter(vm, seq) : NULL;
    int64_t start, stop, step = 1;
    if (!items) {
        return vm_raise(vm, "TypeError", "'%s' object cannot be sliced", object_type(seq));
    }
    if (t->c) {
        struct object *v = eval_tree(f, t->c);
        if (!v || (v->kind != V_NONE && !object_is_int(v, &step))) {
            return v ? vm_raise(vm, "TypeError", "slice indices must be integers") : NULL;
        }
    }
    int64_t n = (int64_t)items->as.items.n;
    if (!slice_bound(f, t->a, n, 0, &start) || !slice_bound(f, t->b, n, n, &stop)) {
        return NULL;
    }
    if (step != 1 && !(step == -1 && !t->a && !t->b)) {
        return vm_unsupported(vm, "a slice with this step");
    }
    struct object *result = object_seq(vm, seq->kind == V_TUPLE ? V_TUPLE : V_LIST);
    for (int64_t i = start; i < stop; i++) {
        object_append(vm, result, items->as.items.data[step == 1 ? i : n - 1 - i]);
    }
    if (seq->kind != V_STR) {
        return result;
    }
    struct call call = {.n_pos = 1, .pos = &result};
    return eval_call(vm, object_native(vm, str_method("join"), object_str(vm, "")), &call);
}

struct object *member_index(struct vm *vm, struct object *seq, struct object *key)
{
    int64_t i;
    if (object_is_sequence(seq)) {
        vm_charge(vm, object_count(seq));
    }
    if (seq->kind == V_DICT) {
        struct object *found = object_lookup(vm, seq, key);
        struct object *shown = found ? NULL : object_repr(vm, key);
        return found ? found : shown ? vm_raise(vm, "KeyError", "%s", shown->as.str.data) : NULL;
    }
    if (!object_is_sequence(seq)) {
        return vm_raise(vm, "TypeError", "'%s' object is not subscriptable", object_type(seq));
    }
    if (!object_is_int(key, &i)) {
        return vm_raise(vm, "TypeError", "indices must be integers, not %s", object_type(key));
    }
    struct object *items = object_iter(vm, seq);
    int64_t n = (int64_t)items->as.items.n;
    i = i < 0 ? i + n : i;
    return i >= 0 && i < n ? items->as.items.data[i]
                           : vm_raise(vm, "IndexError", "%s index out of range", object_type(seq));
}

bool member_set_index(struct vm *vm, struct object *seq, struct object *key, struct object *value)
{
    int64_t i;
    if (seq->kind == V_DICT) {
        object_put(vm, seq, key, value);
        return true;
    }
    if (seq->kind != V_LIST || !object_is_int(key, &i)) {
        vm_raise(vm, "TypeError", "'%s' object does not support item assignment", object_type(seq));
        return false;
    }
    i = i < 0 ? i + (int64_t)seq->as.items.n : i;
    if (i < 0 || i >= (int64_t)seq->as.items.n) {
        vm_raise(vm, "IndexError", "list assignment index out of range");
        return false;
    }
    seq->as.items.data[i] = value;
    return true;
}

// Attributes

static struct object *metadata_attribute(struct vm *vm, const struct manifest_metadata *m,
                                         const char *name)
{
    const struct {
        const char *name, *value;
    } fields[] = {{"version", m->version}, {"description", m->description},
                  {"license", m->license}, {"author", m->author},
                  {"pypi", m->pypi},       {"pypi_publish", m->pypi_publish}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return fields[i].value ? object_str(vm, fields[i].value) : vm->none;
        }
    }
    return strcmp(name, "stdlib") == 0 ? object_bool(vm, m->stdlib) : NULL;
}

static struct object *method_of(struct vm *vm, struct object *o, const struct native *method)
{
    return method ? object_native(vm, method, o) : NULL;
}

static struct object *attribute_find(struct vm *vm, struct object *o, const char *name)
{
    switch (o->kind) {
    case V_STR:
        return method_of(vm, o, str_method(name));
    case V_LIST:
    case V_TUPLE:
    case V_SET:
    case V_DICT:
        return method_of(vm, o, container_method(o->kind, name));
    case V_PATH:
        return path_member(vm, o, name);
    case V_METADATA:
        return metadata_attribute(vm, o->as.metadata, name);
    case V_EXCEPTION:
        if (strcmp(name, "args") == 0) {
            struct object *args = object_seq(vm, V_TUPLE);
            object_append(vm, args, object_str(vm, o->as.exception.text));
            return args;
        }
        return NULL;
    case V_NATIVE: // a class: str.join, Path.cwd
        return strcmp(o->as.bound.native->name, "Path") == 0 ? path_class_member(vm, name) : NULL;
    default:
        return NULL;
    }
}

// Methods that Python has and we do not.
static const char *const missing_methods[] = {
    "casefold",     "encode",      "expandtabs",  "format_map", "isascii",
    "isdecimal",    "isnumeric",   "isprintable", "istitle",    "maketrans",
    "swapcase",     "translate",   "fromkeys",    "popitem",    "difference",
    "intersection", "isdisjoint",  "issubset",    "issuperset", "symmetric_difference",
    "chmod",        "drive",       "expanduser",  "home",       "hardlink_to",
    "is_absolute",  "is_symlink",  "lstat",       "match",      "mkdir",
    "open",         "parents",     "read_bytes",  "read_text",  "rename",
    "replace",      "rmdir",       "root",        "samefile",   "stat",
    "suffixes",     "symlink_to",  "touch",       "unlink",     "with_name",
    "with_stem",    "with_suffix", "write_bytes", "write_text", NULL};

struct object *eval_attribute(struct vm *vm, struct object *o, const char *name)
{
    vm_charge(vm, ATTRIBUTE_WORK);
    if (o->kind == V_OPTIONS) {
        return options_attribute(vm, o->as.options, name);
    }
    if (o->kind == V_MODULE) {
        return module_member(vm, o, name);
    }
    struct object *found = attribute_find(vm, o, name);
    if (!found && name_is_listed(missing_methods, name)) {
        return vm_unsupported(vm, "%s.%s", object_type(o), name);
    }
    return found ? found
                 : vm_raise(vm, "AttributeError", "'%s' object has no attribute '%s'",
                            object_type(o), name);
}
