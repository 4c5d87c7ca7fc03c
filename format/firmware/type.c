// The object representation, and the objects that frozen constants point to. The source is the
// globals table of the module builtins: it begins with the pair (__name__, builtins), which only
// one representation can have written, and gives the types by name.
//
// Facts: py/obj.h (representations, mp_obj_type_t), py/modbuiltins.c, py/nativeglue.h.
#include "format/firmware/scan.h"

enum {
    TYPE_TABLE_MAX = 400,   // entries of a globals table
    TYPE_FUN_POINTERS = 24, // of mp_fun_table that are looked at behind the three constants
    TYPE_FUN_INSIDE = 8,    // of them that must lie in the image; fast code may be copied to RAM
};

// --- representations: qstr objects are (id << shift | tag), small ints and immediates likewise

struct repr_row {
    enum fw_repr repr;
    unsigned qstr_shift, qstr_bits; // bits: how many low bits hold the tag
    uint64_t qstr_tag;
    unsigned int_shift, int_bits;
    uint64_t int_tag;
    uint64_t none, no, yes; // immediate None, False, True
};

static const struct repr_row reprs[] = {
    {FW_REPR_A, 3, 3, 2, 1, 1, 1, 0x06, 0x0e, 0x1e},
    {FW_REPR_B, 3, 3, 3, 2, 2, 1, 0x07, 0x0f, 0x1f},
    {FW_REPR_C, 4, 4, 6, 1, 1, 1, 0x0e, 0x1e, 0x3e},
    {FW_REPR_D, 1, 1, 0x0002000000000001, 1, 1, 0x0001000000000001, 0x0003000000000000,
     0x0003400000000000, 0x0003c00000000000},
};

static const struct repr_row *repr_row(enum fw_repr r)
{
    return r ? &reprs[r - FW_REPR_A] : NULL;
}

const char *fw_repr_name(enum fw_repr r)
{
    static const char *const names[] = {"unknown", "A", "B", "C", "D"};
    return names[r];
}

static uint64_t encode_qstr(const struct repr_row *r, uint32_t id)
{
    return (uint64_t)id << r->qstr_shift | r->qstr_tag;
}

static bool read_obj(const struct view *v, unsigned size, uint64_t addr, uint64_t *obj)
{
    const uint8_t *p = view_at(v, addr, size);
    return p && (*obj = size == 8 ? ld64(p) : ld32(p), true);
}

bool obj_read(const struct scan *s, uint64_t addr, uint64_t *obj)
{
    return read_obj(&s->view, s->obj, addr, obj);
}

bool obj_is_qstr(const struct scan *s, uint64_t obj, uint32_t *id)
{
    const struct repr_row *r = repr_row(s->fw->repr);
    if (!r)
        return false;
    bool tagged = r->repr == FW_REPR_D ? obj >> 48 == 2 && (obj & 1)
                                       : (obj & ((1u << r->qstr_bits) - 1)) == r->qstr_tag;
    uint64_t value = (r->repr == FW_REPR_D ? obj & 0xffffffff : obj) >> r->qstr_shift;
    if (!tagged || value >= s->fw->n_qstrs)
        return false;
    *id = (uint32_t)value;
    return true;
}

uint32_t obj_qstr_low(const struct scan *s, uint32_t id)
{
    const struct repr_row *r = repr_row(s->fw->repr);
    return r ? (uint32_t)encode_qstr(r, id) : 0;
}

bool obj_is_small_int(const struct scan *s, uint64_t obj, int64_t *value)
{
    const struct repr_row *r = repr_row(s->fw->repr);
    if (!r)
        return false;
    if (r->repr == FW_REPR_D) {
        *value = (int64_t)(obj << 16) >> 17;
        return obj >> 48 == 1 && (obj & 1);
    }
    unsigned bits = 8 * s->obj;
    *value = (int64_t)(obj << (64 - bits)) >> (64 - bits + r->int_shift);
    return (obj & ((1u << r->int_bits) - 1)) == r->int_tag;
}

const char *obj_str(const struct scan *s, uint64_t obj, uint32_t *len)
{
    uint64_t type, size, data, p = s->view.ptr;
    uint32_t id;
    if (obj_is_qstr(s, obj, &id)) {
        *len = s->fw->qstrs[id].len;
        return s->fw->qstrs[id].data;
    }
    if (!view_word(&s->view, obj, &type) || type != s->fw->objects[FW_TYPE_STR] || !type ||
        !view_word(&s->view, obj + 2 * p, &size) || !view_word(&s->view, obj + 3 * p, &data) ||
        size > 4096)
        return NULL;
    *len = (uint32_t)size;
    return (const char *)view_at(&s->view, data, size);
}

// --- the builtins table

static bool is_builtins(const struct view *v, const struct repr_row *r, uint32_t name,
                        uint32_t builtins, uint64_t addr)
{
    unsigned size = r->repr == FW_REPR_D ? 8 : v->ptr;
    uint64_t key, value;
    return read_obj(v, size, addr, &key) && key == encode_qstr(r, name) &&
           read_obj(v, size, addr + size, &value) && value == encode_qstr(r, builtins);
}

// Fast rejection: the low half of the first word is the key in one of the representations.
static uint64_t find_builtins(struct scan *s, const struct repr_row *r, uint32_t name,
                              uint32_t builtins)
{
    uint32_t low = (uint32_t)encode_qstr(r, name);
    for (unsigned i = 0; i < s->view.n; i++) {
        const struct view_span *span = &s->view.spans[i];
        for (uint64_t at = -span->run & 3; in_range(at, 4, span->size); at += 4)
            if (ld32(span->data + at) == low &&
                is_builtins(&s->view, r, name, builtins, span->run + at))
                return span->run + at;
    }
    return 0;
}

static enum diag_code find_repr(struct scan *s)
{
    uint32_t name = firmware_qstr(s->fw, "__name__", 8),
             builtins = firmware_qstr(s->fw, "builtins", 8);
    for (unsigned i = 0; builtins && i < sizeof reprs / sizeof *reprs; i++) {
        uint64_t at = find_builtins(s, &reprs[i], name, builtins);
        if (!at)
            continue;
        s->builtins = at;
        s->fw->repr = reprs[i].repr;
        s->obj = reprs[i].repr == FW_REPR_D ? 8 : s->view.ptr;
        scan_note(s, "repr", at, "the pair (__name__, builtins) of the builtins table", "%s",
                  fw_repr_name(s->fw->repr));
        return DIAG_OK;
    }
    return diag_set(s->diag, DIAG_NO, s->view.image->name,
                    s->old_pools ? "MicroPython's string pools are here, but not its builtins "
                                   "table: a release before 1.18, or a fork"
                                 : "MicroPython's string pools are here, but not its builtins "
                                   "table: a fork, or an image that is not complete");
}

static const struct {
    const char *name;
    enum fw_object object;
} builtin_objects[] = {
    {"type", FW_TYPE_TYPE},
    {"int", FW_TYPE_INT},
    {"str", FW_TYPE_STR},
    {"bytes", FW_TYPE_BYTES},
    {"tuple", FW_TYPE_TUPLE},
    {"float", FW_TYPE_FLOAT},
    {"list", FW_TYPE_LIST},
    {"complex", FW_TYPE_COMPLEX},
    {"bool", FW_TYPE_BOOL},
    {"dict", FW_TYPE_DICT},
    {"Ellipsis", FW_CONST_ELLIPSIS},
};

static void take_builtin(struct scan *s, const struct fw_qstr *key, uint64_t value)
{
    for (unsigned i = 0; i < sizeof builtin_objects / sizeof *builtin_objects; i++) {
        const char *name = builtin_objects[i].name;
        enum fw_object o = builtin_objects[i].object;
        if (key->len == strlen(name) && memcmp(key->data, name, key->len) == 0 &&
            !s->fw->objects[o])
            s->fw->objects[o] = value;
    }
}

static void read_builtins(struct scan *s)
{
    for (unsigned i = 1; i < TYPE_TABLE_MAX; i++) {
        uint64_t at = s->builtins + (uint64_t)i * 2 * s->obj, key, value;
        uint32_t id;
        if (!obj_read(s, at, &key) || !obj_read(s, at + s->obj, &value) ||
            !obj_is_qstr(s, key, &id) || is_builtins(&s->view, repr_row(s->fw->repr), id, id, at))
            return;
        if (s->fw->qstrs[id].len == 8 && memcmp(s->fw->qstrs[id].data, "__name__", 8) == 0)
            return; // the next module's table
        take_builtin(s, &s->fw->qstrs[id], value);
    }
}

// Every type must be an object of type "type"; the name of "type" in itself must agree.
static enum diag_code check_types(struct scan *s)
{
    uint64_t *o = s->fw->objects, base;
    for (unsigned i = FW_TYPE_TYPE; i <= FW_TYPE_DICT; i++)
        if (o[i] && (!view_word(&s->view, o[i], &base) || base != o[FW_TYPE_TYPE]))
            o[i] = 0;
    if (!o[FW_TYPE_TYPE] || !o[FW_TYPE_STR] || !o[FW_TYPE_TUPLE])
        return diag_set(s->diag, DIAG_NO, s->view.image->name,
                        "the builtins table names no usable types");
    scan_note(s, "types", o[FW_TYPE_TYPE], "the builtins table; type is an object of itself",
              "str 0x%llx, tuple 0x%llx", (unsigned long long)o[FW_TYPE_STR],
              (unsigned long long)o[FW_TYPE_TUPLE]);
    return DIAG_OK;
}

// Slot indices (1.20 on) are twelve small bytes; before, a pointer to a function stands there.
bool type_has_slots(const struct scan *s)
{
    const uint8_t *p = view_at(&s->view, s->fw->objects[FW_TYPE_TYPE] + s->view.ptr + 4, 12);
    unsigned used = 0;
    for (unsigned i = 0; p && i < 12; i++) {
        if (p[i] > 12)
            return false;
        used += p[i] != 0;
    }
    return used >= 2;
}

// --- singletons

// An object {type, value}; the one with the most users, since an equal one may be somebody else's.
static uint64_t find_pair(struct scan *s, uint64_t type, uint64_t second)
{
    uint32_t i = 0;
    uint64_t at, word, best = 0;
    uint32_t best_users = 0;
    while (type && view_users(&s->view, type, &i, &at)) {
        if (!view_word(&s->view, at + s->view.ptr, &word) || word != second)
            continue;
        uint32_t k = 0, users = 1;
        uint64_t user;
        while (view_users(&s->view, at, &k, &user))
            users++;
        if (users > best_users) {
            best = at;
            best_users = users;
        }
    }
    return best;
}

// False and True lie as objects in the image exactly when they are not immediates. bool's second
// word is a bool, so only its low byte is defined.
static uint64_t find_bool(struct scan *s, uint8_t value)
{
    uint32_t i = 0;
    uint64_t at;
    while (view_users(&s->view, s->fw->objects[FW_TYPE_BOOL], &i, &at)) {
        uint64_t word;
        if (view_word(&s->view, at + s->view.ptr, &word) && word == value)
            return at;
    }
    return 0;
}

// None's type is named NoneType; None is the object that is nothing but that type.
static uint64_t find_none(struct scan *s)
{
    uint32_t id = firmware_qstr(s->fw, "NoneType", 8), i = 0;
    uint64_t type, user;
    while (id && view_users(&s->view, s->fw->objects[FW_TYPE_TYPE], &i, &type)) {
        uint16_t name;
        if (!view_u16(&s->view, type + s->view.ptr + 2, &name) || name != id)
            continue;
        uint32_t k = 0;
        if (view_users(&s->view, type, &k, &user))
            return user;
    }
    return 0;
}

static void find_immediates(struct scan *s)
{
    uint64_t *o = s->fw->objects;
    uint64_t no = find_bool(s, 0), yes = find_bool(s, 1);
    bool objects = no && yes;
    s->fw->immediate_objs = objects ? FW_NO : FW_YES;
    if (objects) {
        o[FW_CONST_FALSE] = no;
        o[FW_CONST_TRUE] = yes;
        o[FW_CONST_NONE] = find_none(s);
    }
    scan_note(s, "immediate objects", no, "static {bool, 0} and {bool, 1} objects", "%s",
              objects ? "no" : "yes");
}

// --- mp_fun_table: None, False, True, then functions

// Functions of fast memory have addresses outside the image. All are different and, in Thumb code,
// odd.
static bool is_fun_table(const struct scan *s, uint64_t addr)
{
    uint64_t at = addr + 3 * s->obj, word, last = 0, odd = 0;
    unsigned inside = 0;
    for (unsigned i = 0; i < TYPE_FUN_POINTERS; i++, last = word) {
        if (!view_word(&s->view, at + (uint64_t)i * s->view.ptr, &word) || !word || word == last)
            return false;
        inside += view_span_at(&s->view, word) != NULL;
        odd += word & 1;
    }
    return inside == TYPE_FUN_POINTERS || (inside >= TYPE_FUN_INSIDE && odd == TYPE_FUN_POINTERS);
}

static bool holds_constants(const struct scan *s, uint64_t addr, const uint64_t *want)
{
    for (unsigned i = 0; i < 3; i++) {
        uint64_t obj;
        if (!obj_read(s, addr + (uint64_t)i * s->obj, &obj) || obj != want[i])
            return false;
    }
    return true;
}

static void find_fun_table(struct scan *s)
{
    const struct repr_row *r = repr_row(s->fw->repr);
    const uint64_t *o = s->fw->objects;
    uint64_t want[3] = {r->none, r->no, r->yes};
    if (s->fw->immediate_objs == FW_NO)
        memcpy(want, (uint64_t[]){o[FW_CONST_NONE], o[FW_CONST_FALSE], o[FW_CONST_TRUE]},
               sizeof want);
    for (unsigned i = 0; i < s->view.n; i++) {
        const struct view_span *span = &s->view.spans[i];
        uint64_t step = s->view.ptr;
        for (uint64_t at = -span->run & (step - 1); in_range(at, 3 * s->obj, span->size);
             at += step)
            if (ld32(span->data + at) == (uint32_t)want[0] &&
                holds_constants(s, span->run + at, want) && is_fun_table(s, span->run + at)) {
                s->fw->objects[FW_FUN_TABLE] = span->run + at;
                return;
            }
    }
}

static void find_singletons(struct scan *s)
{
    uint64_t *o = s->fw->objects;
    find_immediates(s);
    o[FW_CONST_EMPTY_TUPLE] = find_pair(s, o[FW_TYPE_TUPLE], 0);
    find_fun_table(s);
    s->fw->native = o[FW_FUN_TABLE] ? FW_YES : FW_NO;
    if (o[FW_FUN_TABLE])
        scan_note(s, "native code", o[FW_FUN_TABLE],
                  "None, False, True and functions: mp_fun_table", "yes");
}

enum diag_code type_scan(struct scan *s)
{
    enum diag_code c = find_repr(s);
    if (c)
        return c;
    read_builtins(s);
    if ((c = check_types(s)))
        return c;
    find_singletons(s);
    return DIAG_OK;
}
