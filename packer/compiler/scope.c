// Facts: MicroPython py/scope.c, py/emitcommon.c, py/compile.c (scope_compute_things), releases
// 1.19 to 1.29.
#include "packer/compiler/scope.h"

#include <stdlib.h>
#include <string.h>

enum {
    SCOPE_FIRST_CAP = 64,
    SCOPE_FIRST_IDS = 2,
    SCOPE_LINEAR = 8, // up to so many identifiers a search is faster than a hash
    SCOPE_NOT_FOUND = UINT32_MAX,
    SCOPE_DEPTH = 8000, // code within code: the reader, format/mpy/read.c, follows 8192
};

struct scope *scope_parent(const struct scopes *all, const struct scope *s)
{
    return s->parent ? &all->at[s->parent - 1] : NULL;
}

struct scope *scope_add(struct unit *u, struct scopes *all, enum scope_kind kind, uint32_t parent,
                        node tree, uint32_t name)
{
    if (all->n == all->cap) {
        uint32_t cap = all->cap ? all->cap * 2 : SCOPE_FIRST_CAP;
        all->at = arena_resize(&u->work, all->at, cap * sizeof *all->at);
        all->cap = cap;
    }
    struct scope *s = &all->at[all->n++];
    *s = (struct scope){.kind = (uint8_t)kind, .parent = parent, .tree = tree, .name = name};
    s->depth = parent ? (uint16_t)(all->at[parent - 1].depth + 1) : 0;
    if (s->depth > SCOPE_DEPTH) {
        unit_too_deep(u, UNIT_NOWHERE);
    }
    return s;
}

static uint32_t scope_slot(const struct scope *s, uint32_t name)
{
    uint32_t i = name * 0x9e3779b1u >> 7 & s->index_mask;
    while (s->index[i] && s->ids[s->index[i] - 1].name != name) {
        i = (i + 1) & s->index_mask;
    }
    return i;
}

uint32_t scope_find(const struct scope *s, uint32_t name)
{
    if (s->index) {
        return s->index[scope_slot(s, name)] - 1; // 0 - 1 is SCOPE_NOT_FOUND
    }
    for (uint32_t i = 0; i < s->n_ids; i++) {
        if (s->ids[i].name == name) {
            return i;
        }
    }
    return SCOPE_NOT_FOUND;
}

static void scope_index(struct unit *u, struct scope *s)
{
    uint32_t size = s->cap_ids * 2;
    s->index = arena_calloc(&u->work, size, sizeof *s->index);
    s->index_mask = size - 1;
    for (uint32_t i = 0; i < s->n_ids; i++) {
        s->index[scope_slot(s, s->ids[i].name)] = i + 1;
    }
}

static void scope_grow(struct unit *u, struct scope *s)
{
    uint32_t cap = s->cap_ids ? s->cap_ids * 2 : SCOPE_FIRST_IDS;
    s->ids = arena_grow(&u->work, s->ids, s->cap_ids * sizeof *s->ids, cap * sizeof *s->ids);
    s->cap_ids = cap;
    if (cap > SCOPE_LINEAR) {
        scope_index(u, s);
    }
}

uint32_t scope_find_or_add(struct unit *u, struct scope *s, uint32_t name, enum id_kind kind)
{
    uint32_t place = scope_find(s, name);
    if (place != SCOPE_NOT_FOUND) {
        return place;
    }
    if (s->n_ids == s->cap_ids) {
        scope_grow(u, s);
    }
    place = s->n_ids++;
    s->ids[place] = (struct id){.name = name, .kind = (uint8_t)kind};
    if (s->index) {
        s->index[scope_slot(s, name)] = place + 1;
    }
    return place;
}

uint32_t scope_load(struct unit *u, struct scope *s, uint32_t name)
{
    return scope_find_or_add(u, s, name, ID_GLOBAL_IMPLICIT);
}

uint32_t scope_modify(struct unit *u, struct scope *s, uint32_t name)
{
    uint32_t place = scope_find_or_add(u, s, name, ID_GLOBAL_IMPLICIT);
    struct id *id = &s->ids[place];
    if (id->kind == ID_GLOBAL_IMPLICIT) {
        id->kind = scope_is_function(s) ? ID_LOCAL : ID_GLOBAL_ASSIGNED;
    }
    return place;
}

// Frees the identifier in all scopes up to the one that has it.
static void scope_free_in_parents(struct unit *u, struct scopes *all, struct scope *s,
                                  uint32_t name)
{
    for (s = scope_parent(all, s); s->parent; s = scope_parent(all, s)) {
        uint32_t place = scope_find_or_add(u, s, name, ID_UNDECIDED);
        struct id *id = &s->ids[place];
        if (id->kind != ID_UNDECIDED) {
            if (id->kind == ID_LOCAL) {
                id->kind = ID_CELL;
            }
            return;
        }
        id->kind = ID_FREE;
    }
}

void scope_close_over(struct unit *u, struct scopes *all, struct scope *s, uint32_t place)
{
    if (!s->parent) {
        return;
    }
    uint32_t name = s->ids[place].name;
    for (struct scope *p = scope_parent(all, s); p->parent; p = scope_parent(all, p)) {
        uint32_t found = scope_find(p, name);
        if (found != SCOPE_NOT_FOUND) {
            if (p->ids[found].kind >= ID_LOCAL) {
                s->ids[place].kind = ID_FREE;
                scope_free_in_parents(u, all, s, name);
            }
            return;
        }
    }
}

void scope_close_over_all(struct unit *u, struct scopes *all, struct scope *s)
{
    for (uint32_t i = 0; i < s->n_ids; i++) {
        if (s->ids[i].kind == ID_GLOBAL_IMPLICIT) {
            scope_close_over(u, all, s, i);
        }
    }
}

uint32_t scope_place(const struct scope *s, uint32_t place)
{
    if (place == s->swapped[0]) {
        return s->swapped[1];
    }
    return place == s->swapped[1] ? s->swapped[0] : place;
}

static void scope_swap(struct scope *s, uint32_t i, uint32_t j)
{
    struct id was = s->ids[i];
    if (s->index) {
        uint32_t slot_i = scope_slot(s, s->ids[i].name), slot_j = scope_slot(s, s->ids[j].name);
        s->index[slot_i] = j + 1;
        s->index[slot_j] = i + 1;
    }
    s->ids[i] = s->ids[j];
    s->ids[j] = was;
    s->swapped[0] = i;
    s->swapped[1] = j;
}

// *args comes after all other parameters but **kwargs.
static void scope_move_star(struct scope *s)
{
    uint32_t last = SCOPE_NOT_FOUND;
    for (uint32_t i = s->n_ids; i-- > 0;) {
        struct id *id = &s->ids[i];
        if (id->flags & ID_STAR_PARAM) {
            if (last != SCOPE_NOT_FOUND) {
                scope_swap(s, i, last);
            }
            return;
        }
        if (last == SCOPE_NOT_FOUND && id->flags == ID_PARAM) {
            last = i;
        }
    }
}

static void scope_number_locals(struct unit *u, struct scope *s)
{
    uint32_t hidden = s->kind == SCOPE_CLASS ? u->names.known[NAME_CLASS] : 0;
    for (uint32_t i = 0; i < s->n_ids; i++) {
        struct id *id = &s->ids[i];
        if (hidden && id->name == hidden) {
            continue; // __class__ counts only as a cell
        }
        if (scope_is_function(s) && id->kind == ID_GLOBAL_IMPLICIT) {
            id->kind = ID_GLOBAL_EXPLICIT;
        }
        if (id->kind == ID_LOCAL || id->flags & ID_PARAM) {
            id->local = s->locals++;
        }
    }
    for (uint32_t i = 0; i < s->n_ids; i++) {
        struct id *id = &s->ids[i];
        if (id->kind == ID_CELL && !(id->flags & ID_PARAM)) {
            id->local = s->locals++;
        }
    }
}

static int scope_compare_places(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

// What the scope takes from its parent, in the parent's order.
static void scope_list_closure(struct unit *u, struct scope *s, const struct scope *parent)
{
    for (uint32_t i = 0; i < s->n_ids; i++) {
        s->n_closure += s->ids[i].kind == ID_FREE;
    }
    if (!s->n_closure) {
        return;
    }
    s->closure = arena_alloc(&u->work, s->n_closure * sizeof *s->closure);
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_ids; i++) {
        if (s->ids[i].kind == ID_FREE) {
            uint32_t place = scope_find(parent, s->ids[i].name);
            if (place != SCOPE_NOT_FOUND && parent->ids[place].kind >= ID_CELL) {
                s->closure[n++] = place;
            }
        }
    }
    s->n_closure = n;
    qsort(s->closure, n, sizeof *s->closure, scope_compare_places);
}

// Free variables are passed in front of the arguments and are the first locals.
static void scope_number_free(struct scope *s, const struct scope *parent)
{
    for (uint32_t i = 0; i < s->n_ids; i++) {
        if (s->ids[i].kind != ID_FREE || s->ids[i].flags & ID_PARAM) {
            s->ids[i].local += s->n_closure;
        }
    }
    for (uint32_t i = 0; i < s->n_closure; i++) {
        s->ids[scope_find(s, parent->ids[s->closure[i]].name)].local = i;
    }
    s->positional += s->n_closure;
    s->locals += s->n_closure;
}

void scope_number(struct unit *u, struct scopes *all, struct scope *s)
{
    const struct scope *parent = scope_parent(all, s);
    if (s->flags & SCOPE_VARARGS) {
        scope_move_star(s);
    }
    scope_number_locals(u, s);
    if (parent) {
        scope_list_closure(u, s, parent);
        if (s->n_closure) {
            scope_number_free(s, parent);
        }
    }
}
