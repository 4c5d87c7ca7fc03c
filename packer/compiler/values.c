#include "packer/compiler/values.h"

#include <string.h>

#include "packer/compiler/ast.h"

enum { VALUES_FIRST_CAP = 64 };

static void *values_grow(struct unit *u, void *at, uint32_t *cap, size_t item)
{
    uint32_t want = (uint32_t)unit_grown(*cap, VALUES_FIRST_CAP, item);
    if (want > VALUES_MAX) {
        unit_fail(u, DIAG_NOMEM);
    }
    *cap = want;
    return arena_resize(&u->work, at, want * item);
}

uint32_t values_add(struct unit *u, struct value v)
{
    struct values *s = &u->values;
    if (s->n == s->cap) {
        s->at = values_grow(u, s->at, &s->cap, sizeof *s->at);
    }
    s->at[s->n] = v;
    return s->n++;
}

struct value value_item(const struct unit *u, uint32_t item)
{
    if (item == VALUE_EMPTY) {
        return (struct value){.kind = VALUE_TUPLE};
    }
    bool leaf = node_is_int(item) || node_tag(item) != NODE_TAG_STRUCT;
    return leaf ? node_leaf_value(item) : u->values.at[node_arg(item)];
}

bool value_to_number(const struct value *v, struct number *out)
{
    switch (v->kind) {
    case VALUE_INT:
        *out = (struct number){.kind = NUMBER_INT, .i = v->i};
        return true;
    case VALUE_BIG:
        *out = (struct number){.kind = NUMBER_BIG, .big = v->big};
        return true;
    case VALUE_FLOAT:
        *out = (struct number){.kind = NUMBER_FLOAT, .f = v->f};
        return true;
    case VALUE_COMPLEX:
        *out = *v->complex;
        return true;
    default:
        return false;
    }
}

struct value value_of_number(struct unit *u, const struct number *n)
{
    switch (n->kind) {
    case NUMBER_INT:
        return (struct value){.kind = VALUE_INT, .i = n->i};
    case NUMBER_BIG:
        return (struct value){.kind = VALUE_BIG, .big = n->big};
    case NUMBER_FLOAT:
        return (struct value){.kind = VALUE_FLOAT, .f = n->f};
    case NUMBER_COMPLEX:
        break;
    }
    return (struct value){.kind = VALUE_COMPLEX, .complex = arena_dup(&u->work, n, sizeof *n)};
}

static bool value_is_number(const struct value *v)
{
    return v->kind >= VALUE_INT && v->kind <= VALUE_COMPLEX;
}

// The bytes of a string, interned or not.
static const uint8_t *value_text(const struct unit *u, const struct value *v, uint32_t *len)
{
    if (v->kind == VALUE_NAME) {
        const struct name *n = name_at(&u->names, v->name);
        *len = n->len;
        return (const uint8_t *)n->data;
    }
    *len = v->len;
    return v->data;
}

bool value_is_true(const struct unit *u, const struct value *v)
{
    struct number n;
    uint32_t len;
    switch (v->kind) {
    case VALUE_NONE:
    case VALUE_FALSE:
        return false;
    case VALUE_TRUE:
    case VALUE_ELLIPSIS:
        return true;
    case VALUE_NAME:
    case VALUE_STR:
    case VALUE_BYTES:
        value_text(u, v, &len);
        return len != 0;
    case VALUE_TUPLE:
        return v->len != 0;
    default:
        return value_to_number(v, &n) && number_is_true(&n);
    }
}

static uint32_t value_hash_bytes(const uint8_t *s, size_t n)
{
    uint64_t h = n;
    for (; n >= 8; s += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, s, 8);
        h = (h ^ v) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    uint64_t v = 0;
    memcpy(&v, s, n);
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h ^ h >> 32);
}

static uint32_t value_hash(const struct unit *u, const struct value *v)
{
    struct number n;
    uint32_t len, h;
    const uint8_t *s;
    switch (v->kind) {
    case VALUE_NAME:
    case VALUE_STR:
    case VALUE_BYTES:
        s = value_text(u, v, &len);
        return value_hash_bytes(s, len) + (v->kind == VALUE_BYTES);
    case VALUE_TUPLE:
        h = v->len;
        for (uint32_t i = 0; i < v->len; i++) {
            struct value item = value_item(u, v->items[i]);
            h = (h ^ value_hash(u, &item)) * 0x9e3779b1u;
            h ^= h >> 15;
        }
        return h;
    default:
        return value_to_number(v, &n) ? number_hash(&n) : v->kind;
    }
}

static bool value_same(const struct unit *u, const struct value *a, const struct value *b);

static bool value_same_tuple(const struct unit *u, const struct value *a, const struct value *b)
{
    if (a->len != b->len) {
        return false;
    }
    for (uint32_t i = 0; i < a->len; i++) {
        struct value x = value_item(u, a->items[i]), y = value_item(u, b->items[i]);
        if (!value_same(u, &x, &y)) {
            return false;
        }
    }
    return true;
}

static bool value_same_text(const struct unit *u, const struct value *a, const struct value *b)
{
    uint32_t n, m;
    const uint8_t *s = value_text(u, a, &n), *t = value_text(u, b, &m);
    return n == m && memcmp(s, t, n) == 0;
}

// Equal in type and value, as upstream compares constants.
static bool value_same(const struct unit *u, const struct value *a, const struct value *b)
{
    struct number x, y;
    if (value_is_number(a)) {
        return value_is_number(b) && value_to_number(a, &x) && value_to_number(b, &y) &&
               number_same(&x, &y);
    }
    bool a_str = a->kind == VALUE_NAME || a->kind == VALUE_STR;
    bool b_str = b->kind == VALUE_NAME || b->kind == VALUE_STR;
    if (a_str || b_str) {
        return a_str && b_str && value_same_text(u, a, b);
    }
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case VALUE_BYTES:
        return value_same_text(u, a, b);
    case VALUE_TUPLE:
        return value_same_tuple(u, a, b);
    default:
        return true;
    }
}

static void values_reindex(struct unit *u, struct values *s)
{
    uint32_t size = s->mask ? (s->mask + 1) * 2 : VALUES_FIRST_CAP * 2;
    arena_drop(&u->work, s->index);
    s->index = arena_resize(&u->work, NULL, size * sizeof *s->index);
    memset(s->index, 0, size * sizeof *s->index);
    s->mask = size - 1;
    for (uint32_t i = 0; i < s->n_table; i++) {
        uint32_t to = value_hash(u, &s->at[s->table[i]]) & s->mask;
        while (s->index[to]) {
            to = (to + 1) & s->mask;
        }
        s->index[to] = i + 1;
    }
}

uint32_t values_use(struct unit *u, uint32_t v)
{
    struct values *s = &u->values;
    if (s->n_table * 2 >= s->mask) {
        values_reindex(u, s);
    }
    uint32_t i = value_hash(u, &s->at[v]) & s->mask;
    for (; s->index[i]; i = (i + 1) & s->mask) {
        uint32_t place = s->index[i] - 1;
        if (value_same(u, &s->at[s->table[place]], &s->at[v])) {
            return place;
        }
    }
    if (s->n_table == s->cap_table) {
        s->table = values_grow(u, s->table, &s->cap_table, sizeof *s->table);
    }
    s->index[i] = s->n_table + 1;
    s->table[s->n_table] = v;
    return s->n_table++;
}

static struct mpy_obj value_number_obj(struct unit *u, const struct value *v)
{
    static const enum mpy_obj_kind kinds[] = {
        [VALUE_INT] = MPY_OBJ_INT,
        [VALUE_BIG] = MPY_OBJ_INT,
        [VALUE_FLOAT] = MPY_OBJ_FLOAT,
        [VALUE_COMPLEX] = MPY_OBJ_COMPLEX,
    };
    struct number n;
    struct bytes_out text;
    bytes_out_init(&text);
    value_to_number(v, &n);
    number_write(&u->release->numbers, &n, &text);
    if (text.failed) {
        bytes_out_free(&text);
        unit_fail(u, DIAG_NOMEM);
    }
    struct mpy_obj o = {.kind = kinds[v->kind],
                        .len = (uint32_t)text.size,
                        .data = (uint8_t *)arena_pack(u->out, text.data, text.size)};
    bytes_out_free(&text);
    return o;
}

static struct mpy_obj value_tuple_obj(struct unit *u, const struct value *v)
{
    struct mpy_obj *items = arena_alloc(u->out, v->len * sizeof *items);
    for (uint32_t i = 0; i < v->len; i++) {
        struct value item = value_item(u, v->items[i]);
        items[i] = value_to_obj(u, &item);
    }
    return (struct mpy_obj){.kind = MPY_OBJ_TUPLE, .len = v->len, .items = items};
}

struct mpy_obj value_to_obj(struct unit *u, const struct value *v)
{
    uint32_t len;
    const uint8_t *s;
    switch (v->kind) {
    case VALUE_NONE:
        return (struct mpy_obj){.kind = MPY_OBJ_NONE};
    case VALUE_FALSE:
        return (struct mpy_obj){.kind = MPY_OBJ_FALSE};
    case VALUE_TRUE:
        return (struct mpy_obj){.kind = MPY_OBJ_TRUE};
    case VALUE_ELLIPSIS:
        return (struct mpy_obj){.kind = MPY_OBJ_ELLIPSIS};
    case VALUE_NAME:
    case VALUE_STR:
    case VALUE_BYTES:
        s = value_text(u, v, &len);
        if (!u->in_place || !unit_in_text(u, s)) {
            s = (uint8_t *)arena_pack(u->out, s, len);
        }
        return (struct mpy_obj){
            .kind = v->kind == VALUE_BYTES ? MPY_OBJ_BYTES : MPY_OBJ_STR, .len = len, .data = s};
    case VALUE_TUPLE:
        return value_tuple_obj(u, v);
    default:
        return value_number_obj(u, v);
    }
}
