// Methods of list, tuple, set and dict.
#include <stdlib.h>
#include <string.h>

#include "packer/manifest/object.h"

static struct object *container_copy(struct vm *vm, const struct object *from,
                                     enum object_kind kind)
{
    struct object *copy = object_seq(vm, kind);
    for (size_t i = 0; i < from->as.items.n; i++) {
        if (kind == V_DICT) {
            object_put(vm, copy, from->as.items.data[i], from->as.items.data[i + 1]);
            i++;
        } else {
            object_append(vm, copy, from->as.items.data[i]);
        }
    }
    return copy;
}

// Removes count items at position at.
static void container_cut(struct object *v, size_t at, size_t count)
{
    memmove(v->as.items.data + at, v->as.items.data + at + count,
            (v->as.items.n - at - count) * sizeof *v->as.items.data);
    v->as.items.n -= count;
}

static struct object *m_append(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1];
    if (!call_bind(vm, call, "append", "object", v)) {
        return NULL;
    }
    object_append(vm, self, v[0]);
    return vm->none;
}

static struct object *m_extend(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1], *list;
    if (!call_bind(vm, call, "extend", "iterable", v) || !(list = object_iter(vm, v[0]))) {
        return NULL;
    }
    for (size_t i = 0, n = list->as.items.n; i < n; i++) {
        object_append(vm, self, list->as.items.data[i]);
    }
    return vm->none;
}

static struct object *m_insert(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[2];
    int64_t at;
    if (!call_bind(vm, call, "insert", "index object", v)) {
        return NULL;
    }
    if (!object_is_int(v[0], &at)) {
        return vm_raise(vm, "TypeError", "insert() index must be an int");
    }
    int64_t n = (int64_t)self->as.items.n;
    at = at < 0 ? at + n : at;
    at = at < 0 ? 0 : at > n ? n : at;
    object_append(vm, self, v[1]);
    memmove(self->as.items.data + at + 1, self->as.items.data + at,
            (size_t)(n - at) * sizeof *self->as.items.data);
    self->as.items.data[at] = v[1];
    return vm->none;
}

static ptrdiff_t container_index(struct vm *vm, const struct object *self,
                                 const struct object *item)
{
    for (size_t i = 0; i < self->as.items.n; i++) {
        if (object_equal(vm, self->as.items.data[i], item)) {
            return (ptrdiff_t)i;
        }
    }
    return -1;
}

static struct object *container_remove(struct vm *vm, struct object *self, const struct call *call,
                                       const char *method, bool must)
{
    struct object *v[1];
    if (!call_bind(vm, call, method, "value", v)) {
        return NULL;
    }
    ptrdiff_t at = container_index(vm, self, v[0]);
    if (at < 0 && must) {
        return vm_raise(vm, "ValueError", "%s.remove(x): x not in %s", object_type(self),
                        object_type(self));
    }
    if (at >= 0) {
        container_cut(self, (size_t)at, 1);
    }
    return vm->none;
}

static struct object *m_remove(struct vm *vm, struct object *self, const struct call *call)
{
    return container_remove(vm, self, call, "remove", true);
}

static struct object *m_discard(struct vm *vm, struct object *self, const struct call *call)
{
    return container_remove(vm, self, call, "discard", false);
}

static struct object *m_index(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1];
    if (!call_bind(vm, call, "index", "value", v)) {
        return NULL;
    }
    ptrdiff_t at = container_index(vm, self, v[0]);
    return at < 0 ? vm_raise(vm, "ValueError", "value is not in %s", object_type(self))
                  : object_int(vm, at);
}

static struct object *m_count(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1];
    int64_t n = 0;
    if (!call_bind(vm, call, "count", "value", v)) {
        return NULL;
    }
    for (size_t i = 0; i < self->as.items.n; i++) {
        n += object_equal(vm, self->as.items.data[i], v[0]);
    }
    return object_int(vm, n);
}

static struct object *m_list_pop(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1];
    int64_t at = -1, n = (int64_t)self->as.items.n;
    if (!call_bind(vm, call, "pop", "index?", v)) {
        return NULL;
    }
    if (v[0] && !object_is_int(v[0], &at)) {
        return vm_raise(vm, "TypeError", "pop() index must be an int");
    }
    at = at < 0 ? at + n : at;
    if (at < 0 || at >= n) {
        return vm_raise(vm, "IndexError", n ? "pop index out of range" : "pop from empty list");
    }
    struct object *item = self->as.items.data[at];
    container_cut(self, (size_t)at, 1);
    return item;
}

static struct object *m_reverse(struct vm *vm, struct object *self, const struct call *call)
{
    if (!call_bind(vm, call, "reverse", "", NULL)) {
        return NULL;
    }
    for (size_t i = 0, n = self->as.items.n; i < n / 2; i++) {
        struct object *swap = self->as.items.data[i];
        self->as.items.data[i] = self->as.items.data[n - 1 - i];
        self->as.items.data[n - 1 - i] = swap;
    }
    return vm->none;
}

static struct object *m_sort(struct vm *vm, struct object *self, const struct call *call)
{
    // sorted() does the work; the list takes its result over.
    struct object **pos = ARENA_ARRAY(vm->arena, struct object *, call->n_pos + 1);
    struct call all = *call;
    if (call->n_pos) {
        return vm_raise(vm, "TypeError", "sort() takes no positional arguments");
    }
    pos[0] = self;
    all.pos = pos;
    all.n_pos = 1;
    struct object *sorted = eval_call(vm, builtin_find(vm, "sorted"), &all);
    if (!sorted) {
        return NULL;
    }
    self->as.items = sorted->as.items;
    return vm->none;
}

static struct object *m_copy(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "copy", "", NULL) ? container_copy(vm, self, self->kind) : NULL;
}

static struct object *m_clear(struct vm *vm, struct object *self, const struct call *call)
{
    if (!call_bind(vm, call, "clear", "", NULL)) {
        return NULL;
    }
    self->as.items.n = 0;
    return vm->none;
}

static struct object *m_union(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1], *list;
    if (!call_bind(vm, call, "union", "other", v) || !(list = object_iter(vm, v[0]))) {
        return NULL;
    }
    struct object *result = container_copy(vm, self, V_SET);
    for (size_t i = 0; i < list->as.items.n; i++) {
        object_append(vm, result, list->as.items.data[i]);
    }
    return result;
}

// dict

static struct object *m_get(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[2];
    if (!call_bind(vm, call, "get", "key default?", v)) {
        return NULL;
    }
    struct object *found = object_lookup(vm, self, v[0]);
    return found ? found : v[1] ? v[1] : vm->none;
}

static struct object *m_setdefault(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[2];
    if (!call_bind(vm, call, "setdefault", "key default?", v)) {
        return NULL;
    }
    struct object *found = object_lookup(vm, self, v[0]);
    if (!found) {
        found = v[1] ? v[1] : vm->none;
        object_put(vm, self, v[0], found);
    }
    return found;
}

static struct object *m_dict_pop(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[2];
    if (!call_bind(vm, call, "pop", "key default?", v)) {
        return NULL;
    }
    struct object *found = object_lookup(vm, self, v[0]);
    if (!found) {
        struct object *key = object_repr(vm, v[0]);
        return v[1] || !key ? v[1] : vm_raise(vm, "KeyError", "%s", key->as.str.data);
    }
    for (size_t i = 0; i < self->as.items.n; i += 2) {
        if (object_equal(vm, self->as.items.data[i], v[0])) {
            container_cut(self, i, 2);
            break;
        }
    }
    return found;
}

static struct object *m_keys(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "keys", "", NULL) ? object_iter(vm, self) : NULL;
}

static struct object *m_values(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *list = object_seq(vm, V_LIST);
    for (size_t i = 1; i < self->as.items.n; i += 2) {
        object_append(vm, list, self->as.items.data[i]);
    }
    return call_bind(vm, call, "values", "", NULL) ? list : NULL;
}

static struct object *m_items(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *list = object_seq(vm, V_LIST);
    for (size_t i = 0; i < self->as.items.n; i += 2) {
        struct object *pair = object_seq(vm, V_TUPLE);
        object_append(vm, pair, self->as.items.data[i]);
        object_append(vm, pair, self->as.items.data[i + 1]);
        object_append(vm, list, pair);
    }
    return call_bind(vm, call, "items", "", NULL) ? list : NULL;
}

static struct object *m_dict_update(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1], *more;
    if (!call_bind_kw(vm, call, "update", "other?", v, &more)) {
        return NULL;
    }
    if (v[0] && v[0]->kind != V_DICT) {
        return vm_unsupported(vm, "dict.update() with a %s", object_type(v[0]));
    }
    for (size_t i = 0; v[0] && i < v[0]->as.items.n; i += 2) {
        object_put(vm, self, v[0]->as.items.data[i], v[0]->as.items.data[i + 1]);
    }
    for (size_t i = 0; i < more->as.items.n; i += 2) {
        object_put(vm, self, more->as.items.data[i], more->as.items.data[i + 1]);
    }
    return vm->none;
}

static const struct native list_methods[] = {
    {"append", m_append}, {"extend", m_extend}, {"insert", m_insert}, {"remove", m_remove},
    {"index", m_index},   {"count", m_count},   {"pop", m_list_pop},  {"reverse", m_reverse},
    {"sort", m_sort},     {"copy", m_copy},     {"clear", m_clear},   {0},
};
static const struct native tuple_methods[] = {{"index", m_index}, {"count", m_count}, {0}};
static const struct native set_methods[] = {
    {"add", m_append}, {"update", m_extend}, {"remove", m_remove}, {"discard", m_discard},
    {"copy", m_copy},  {"clear", m_clear},   {"union", m_union},   {0},
};
static const struct native dict_methods[] = {
    {"get", m_get},
    {"setdefault", m_setdefault},
    {"pop", m_dict_pop},
    {"keys", m_keys},
    {"values", m_values},
    {"items", m_items},
    {"copy", m_copy},
    {"clear", m_clear},
    {"update", m_dict_update},
    {0},
};

const struct native *container_method(enum object_kind kind, const char *name)
{
    const struct native *methods = kind == V_LIST    ? list_methods
                                   : kind == V_TUPLE ? tuple_methods
                                   : kind == V_SET   ? set_methods
                                                     : dict_methods;
    for (; methods->name; methods++) {
        if (strcmp(methods->name, name) == 0) {
            return methods;
        }
    }
    return NULL;
}
