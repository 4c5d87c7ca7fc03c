// Facts: MicroPython py/scope.c, py/emitcommon.c, py/compile.c (scope_compute_things), releases
// 1.19 to 1.29.
#include "packer/compiler/scope.h"

#include <stdlib.h>
#include <string.h>

enum {
    SCOPE_FIRST_CAP = 64,
    SCOPE_FIRST_IDS = 2,
    SCOPE_LINEAR = 16, // up to so many identifiers a search is faster than a hash
    SCOPE_BLOCK = 64,  // room for so many is a block of its own, freed when it is too small
    SCOPE_NOT_FOUND = UINT32_MAX,
    SCOPE_LOCALS = (1 << 26) - 1, // names of a script are fewer, by its size
    SCOPE_DEPTH = 8000,           // code within code: the reader, format/mpy/read.c, follows 8192
};

struct scope *scope_parent(const struct scopes *all, const struct scope *s)
{
    return s->parent ? &all->at[s->parent - 1] : NULL;
}

struct scope *scope_add(struct unit *u, struct scopes *all, enum scope_kind kind, uint32_t parent,
                        node tree, uint32_t name)
{
    if (all->n == all->cap) {
        uint32_t cap = (uint32_t)unit_grown(all->cap, SCOPE_FIRST_CAP, sizeof *all->at);
        all->at = arena_resize(&u->work, all->at, cap * sizeof *all->at);
        all->cap = cap;
    }
    struct scope *s = &all->at[all->n++];
    *s = (struct scope){.kind = kind & 7, .parent = parent, .tree = tree, .name = name};
    s->depth = parent ? all->at[parent - 1].depth + 1 : 0;
    if (s->depth > SCOPE_DEPTH) {
        unit_too_deep(u, UNIT_NOWHERE);
    }
    return s;
}

// What n identifiers have room for: n or the next power of two.
static uint32_t scope_room(uint32_t n)
{
    return n <= SCOPE_FIRST_IDS ? SCOPE_FIRST_IDS : 2u << (31 - __builtin_clz(n - 1));
}

static uint32_t *scope_index(const struct scope *s, uint32_t room)
{
    return (uint32_t *)(s->ids + room);
}

// The index has twice as many slots as there is room for identifiers: place + 1, or 0.
static uint32_t *scope_slot(const struct scope *s, uint32_t room, uint32_t name)
{
    uint32_t *index = scope_index(s, room), mask = 2 * room - 1;
    uint32_t i = name * 0x9e3779b1u >> 7 & mask;
    while (index[i] && s->ids[index[i] - 1].name != name) {
        i = (i + 1) & mask;
    }
    return &index[i];
}

uint32_t scope_find(const struct scope *s, uint32_t name)
{
    if (s->n_ids > SCOPE_LINEAR) {
        return *scope_slot(s, scope_room(s->n_ids), name) - 1; // 0 - 1 is SCOPE_NOT_FOUND
    }
    for (uint32_t i = 0; i < s->n_ids; i++) {
        if (s->ids[i].name == name) {
            return i;
        }
    }
    return SCOPE_NOT_FOUND;
}

static void scope_reindex(struct scope *s, uint32_t room)
{
    memset(scope_index(s, room), 0, 2 * (size_t)room * sizeof(uint32_t));
    for (uint32_t i = 0; i < s->n_ids; i++) {
        *scope_slot(s, room, s->ids[i].name) = i + 1;
    }
}

static void scope_grow(struct unit *u, struct scope *s)
{
    uint32_t had = s->ids ? scope_room(s->n_ids) : 0, room = scope_room(s->n_ids + 1);
    size_t slots = room > SCOPE_LINEAR ? 2 * (size_t)room : 0;
    size_t size = room * sizeof *s->ids + slots * sizeof(uint32_t);
    struct id *old = s->ids;
    if (room < SCOPE_BLOCK) {
        s->ids = arena_grow(&u->work, old, had * sizeof *old, size);
    } else {
        s->ids = arena_resize(&u->work, NULL, size);
        if (old) {
            memcpy(s->ids, old, s->n_ids * sizeof *old);
        }
    }
    if (had >= SCOPE_BLOCK) {
        arena_drop(&u->work, old);
    }
    if (slots) {
        scope_reindex(s, room);
    }
}

uint32_t scope_find_or_add(struct unit *u, struct scope *s, uint32_t name, enum id_kind kind)
{
    uint32_t place = scope_find(s, name);
    if (place != SCOPE_NOT_FOUND) {
        return place;
    }
    if (!s->ids || s->n_ids == scope_room(s->n_ids)) {
        scope_grow(u, s);
    }
    place = s->n_ids++;
    s->ids[place] = (struct id){.name = name, .kind = kind & 7};
    if (s->n_ids > SCOPE_LINEAR) {
        *scope_slot(s, scope_room(s->n_ids), name) = place + 1;
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
    if (!s->outer) {
        return place;
    }
    const uint32_t *swapped = s->outer->swapped;
    return place == swapped[0] ? swapped[1] : place == swapped[1] ? swapped[0] : place;
}

static void scope_swap(struct scope *s, uint32_t i, uint32_t j)
{
    struct id was = s->ids[i];
    if (s->n_ids > SCOPE_LINEAR) {
        uint32_t room = scope_room(s->n_ids);
        uint32_t *slot_i = scope_slot(s, room, s->ids[i].name);
        *scope_slot(s, room, s->ids[j].name) = i + 1;
        *slot_i = j + 1;
    }
    s->ids[i] = s->ids[j];
    s->ids[j] = was;
}

// *args comes after all other parameters but **kwargs.
static void scope_move_star(struct scope *s, uint32_t swapped[2])
{
    uint32_t last = SCOPE_NOT_FOUND;
    for (uint32_t i = s->n_ids; i-- > 0;) {
        struct id *id = &s->ids[i];
        if (id->flags & ID_STAR_PARAM) {
            if (last != SCOPE_NOT_FOUND) {
                scope_swap(s, i, last);
                swapped[0] = i;
                swapped[1] = last;
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
            id->local = s->locals++ & SCOPE_LOCALS;
        }
    }
    for (uint32_t i = 0; i < s->n_ids; i++) {
        struct id *id = &s->ids[i];
        if (id->kind == ID_CELL && !(id->flags & ID_PARAM)) {
            id->local = s->locals++ & SCOPE_LOCALS;
        }
    }
}

static int scope_compare_places(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t scope_count_free(const struct scope *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_ids; i++) {
        n += s->ids[i].kind == ID_FREE;
    }
    return n;
}

// What the scope takes from its parent, in the parent's order.
static void scope_list_closure(struct scope *s, const struct scope *parent)
{
    struct scope_outer *o = s->outer;
    for (uint32_t i = 0; i < s->n_ids; i++) {
        if (s->ids[i].kind == ID_FREE) {
            uint32_t place = scope_find(parent, s->ids[i].name);
            if (place != SCOPE_NOT_FOUND && parent->ids[place].kind >= ID_CELL) {
                o->closure[o->n_closure++] = place;
            }
        }
    }
    qsort(o->closure, o->n_closure, sizeof *o->closure, scope_compare_places);
}

// Free variables are passed in front of the arguments and are the first locals.
static void scope_number_free(struct scope *s, const struct scope *parent)
{
    const struct scope_outer *o = s->outer;
    for (uint32_t i = 0; i < s->n_ids; i++) {
        if (s->ids[i].kind != ID_FREE || s->ids[i].flags & ID_PARAM) {
            s->ids[i].local += o->n_closure;
        }
    }
    for (uint32_t i = 0; i < o->n_closure; i++) {
        s->ids[scope_find(s, parent->ids[o->closure[i]].name)].local = i & SCOPE_LOCALS;
    }
    s->positional += o->n_closure;
    s->locals += o->n_closure;
}

void scope_number(struct unit *u, struct scopes *all, struct scope *s)
{
    const struct scope *parent = scope_parent(all, s);
    uint32_t swapped[2] = {0, 0};
    if (s->flags & SCOPE_VARARGS) {
        scope_move_star(s, swapped);
    }
    scope_number_locals(u, s);
    uint32_t n = parent ? scope_count_free(s) : 0;
    bool out = s->flags & SCOPE_STORES_OUT;
    if (!n && !out && swapped[0] == swapped[1]) {
        return;
    }
    s->outer = arena_calloc(&u->work, 1, sizeof *s->outer + n * sizeof *s->outer->closure);
    memcpy(s->outer->swapped, swapped, sizeof swapped);
    s->outer->parent = out ? arena_dup(&u->work, parent, sizeof *parent) : NULL;
    if (n) {
        scope_list_closure(s, parent);
    }
    if (s->outer->n_closure) {
        scope_number_free(s, parent);
    }
}
