// .mpy version 5 -> code tree. The bytes of a function are copied, with an index into the module's
// table in place of each string.
#include <string.h>

#include "format/mpy/number.h"
#include "format/mpy/opcode.h"
#include "format/mpy/prelude.h"
#include "format/mpy/v5.h"

enum {
    V5_DEPTH = 1000,       // functions in functions
    V5_CODE_MAX = 1 << 24, // bytes of one function
    V5_NUMBER_TEXT = 128,  // as in version 6
    V5_PRELUDE_BYTES = 14, // of the signature
    V5_SIZE_BYTES = 16,    // of the sizes behind it
    V5_NAMES = 4,          // bytes of the two qstrs of a prelude
    V5_FLAGS = 3,          // of the feature byte; the rest is the architecture
    V5_KINDS = 4,          // of strings in machine code
    V5_SCOPE = 15,         // scope flags of functions; the others are of native modules
};

struct v5_reader {
    struct bytes_in in;
    struct arena *arena;
    struct mpy_module *module;
    struct v5_names names;
    uint32_t window[V5_WINDOW]; // the last one used first; UINT32_MAX = none yet
};

bool v5_begins(const uint8_t *data, size_t size)
{
    return size > 4 && data[0] == 'M' && data[1] == MPY_VERSION_OLD;
}

// --- strings

static uint32_t v5_hash(const char *s, uint32_t n)
{
    uint32_t h = 5381;
    for (uint32_t i = 0; i < n; i++) {
        h = h * 33 ^ (uint8_t)s[i];
    }
    return h;
}

static uint32_t *v5_slot(const struct v5_names *names, const char *s, uint32_t n)
{
    uint32_t at = v5_hash(s, n) & (names->n_slots - 1);
    while (names->slots[at] && (names->at[names->slots[at] - 1].len != n ||
                                memcmp(names->at[names->slots[at] - 1].data, s, n) != 0)) {
        at = (at + 1) & (names->n_slots - 1);
    }
    return &names->slots[at];
}

static bool v5_names_grow(struct v5_names *names)
{
    uint32_t cap = names->cap ? 2 * names->cap : 64;
    struct mpy_qstr *at =
        arena_grow(names->arena, names->at, names->cap * sizeof *at, cap * sizeof *at);
    uint32_t *slots = arena_calloc(names->arena, 2 * (size_t)cap, sizeof *slots);
    if (!at || !slots) {
        return false;
    }
    names->at = at;
    names->cap = cap;
    names->slots = slots;
    names->n_slots = 2 * cap;
    for (uint32_t i = 0; i < names->n; i++) {
        *v5_slot(names, at[i].data, at[i].len) = i + 1;
    }
    return true;
}

bool v5_name(struct v5_names *names, const struct mpy_qstr *q, uint32_t *index)
{
    if (names->n == names->cap && !v5_names_grow(names)) {
        return false;
    }
    uint32_t *slot = v5_slot(names, q->data, q->len);
    if (!*slot) {
        if (names->n > UINT16_MAX) {
            return false;
        }
        names->at[names->n] = *q;
        *slot = ++names->n;
    }
    *index = *slot - 1;
    return true;
}

static void v5_window_use(struct v5_reader *r, unsigned place, uint32_t index)
{
    memmove(&r->window[1], &r->window[0], place * sizeof *r->window);
    r->window[0] = index;
}

static uint32_t v5_add(struct v5_reader *r, const struct mpy_qstr *q)
{
    uint32_t index = 0;
    if (!r->in.failed && !v5_name(&r->names, q, &index)) {
        if (r->names.n > UINT16_MAX) {
            bytes_fail(&r->in, "qstr", "is one of more than %u", UINT16_MAX);
        } else {
            r->in.failed = diag_nomem(r->in.diag);
        }
    }
    return index;
}

static uint32_t v5_static(struct v5_reader *r)
{
    unsigned id = bytes_u8(&r->in, "static qstr");
    if (id > MPY_STATIC_QSTRS || (id == 0 && !r->in.failed)) {
        bytes_fail(&r->in, "static qstr", "is %u, only 1 to %d exist", id, MPY_STATIC_QSTRS);
    }
    if (r->in.failed) {
        return 0;
    }
    const char *text = mpy_static_qstr(id);
    return v5_add(r, &(struct mpy_qstr){text, (uint32_t)strlen(text), (uint16_t)id});
}

static uint32_t v5_qstr(struct v5_reader *r)
{
    uint64_t word = bytes_varuint(&r->in, "qstr", UINT16_MAX << 1 | 1);
    if (r->in.failed || word == 0) {
        return r->in.failed ? 0 : v5_static(r);
    }
    if (word & 1) {
        unsigned place = (unsigned)(word >> 1);
        uint32_t index = place < V5_WINDOW ? r->window[place] : UINT32_MAX;
        if (index == UINT32_MAX) {
            bytes_fail(&r->in, "qstr", "is number %u of the last ones, which there was not", place);
            return 0;
        }
        v5_window_use(r, place, index);
        return index;
    }
    struct mpy_qstr q = {.len = (uint32_t)(word >> 1)};
    q.data = (const char *)bytes_take(&r->in, q.len, "qstr text");
    uint32_t index = q.data ? v5_add(r, &q) : 0;
    v5_window_use(r, V5_WINDOW - 1, index);
    return index;
}

// --- constants

static void v5_obj(struct v5_reader *r, struct mpy_obj *o)
{
    static const struct {
        char type;
        enum mpy_obj_kind kind;
    } kinds[] = {{'s', MPY_OBJ_STR},   {'b', MPY_OBJ_BYTES},   {'i', MPY_OBJ_INT},
                 {'f', MPY_OBJ_FLOAT}, {'c', MPY_OBJ_COMPLEX}, {'e', MPY_OBJ_ELLIPSIS}};
    uint8_t type = bytes_u8(&r->in, "constant type");
    unsigned k = 0;
    while (k < sizeof kinds / sizeof *kinds && kinds[k].type != type) {
        k++;
    }
    if (k == sizeof kinds / sizeof *kinds) {
        bytes_fail(&r->in, "constant type", "is 0x%02x, only s, b, i, f, c and e exist", type);
        return;
    }
    o->kind = kinds[k].kind;
    if (o->kind == MPY_OBJ_ELLIPSIS) {
        return;
    }
    bool real = o->kind == MPY_OBJ_FLOAT || o->kind == MPY_OBJ_COMPLEX;
    o->len = (uint32_t)bytes_varuint(&r->in, "constant length", real ? V5_NUMBER_TEXT : UINT32_MAX);
    o->data = bytes_take(&r->in, o->len, "constant text");
    if (o->data && o->kind >= MPY_OBJ_INT &&
        !(o->kind == MPY_OBJ_INT ? mpy_text_is_int : mpy_text_is_number)(o->data, o->len)) {
        bytes_fail(&r->in, "constant text", "is no number");
    }
}

// --- functions

// What a copy of the function's bytes is made into.
struct v5_fun {
    uint8_t *data;
    uint32_t size, at;
};

static void v5_put(struct v5_reader *r, struct v5_fun *f, uint64_t n, const char *field)
{
    if (n > f->size - f->at) {
        bytes_fail(&r->in, field, "runs over the end of the function");
        return;
    }
    const uint8_t *from = bytes_take(&r->in, n, field);
    if (from) {
        memcpy(f->data + f->at, from, n);
        f->at += (uint32_t)n;
    }
}

static void v5_put_qstr(struct v5_reader *r, struct v5_fun *f)
{
    uint32_t index = v5_qstr(r);
    if (f->size - f->at < 2) {
        bytes_fail(&r->in, "qstr", "runs over the end of the function");
        return;
    }
    st16(f->data + f->at, (uint16_t)index);
    f->at += 2;
}

// Bytes up to the one whose highest bit is clear.
static void v5_put_groups(struct v5_reader *r, struct v5_fun *f, unsigned max, const char *field)
{
    for (unsigned i = 0; i < max && !r->in.failed; i++) {
        v5_put(r, f, 1, field);
        if (f->at && !(f->data[f->at - 1] & 0x80)) {
            return;
        }
    }
    bytes_fail(&r->in, field, "is too long");
}

static void v5_prelude(struct v5_reader *r, struct v5_fun *f, struct mpy_prelude *p)
{
    v5_put_groups(r, f, V5_PRELUDE_BYTES, "prelude");
    v5_put_groups(r, f, V5_SIZE_BYTES, "prelude");
    uint32_t names = f->at;
    v5_put_qstr(r, f);
    v5_put_qstr(r, f);
    // What follows is zero as yet: the sizes do not depend on it.
    const char *wrong = r->in.failed ? NULL : mpy_prelude_decode(f->data, f->size, 0, true, p);
    if (wrong) {
        bytes_fail(&r->in, "prelude", "is wrong: %s", wrong);
    }
    if (!r->in.failed) {
        v5_put(r, f, p->code - names - V5_NAMES, "source information");
    }
}

// The arguments stand in the file as in memory, but for the strings.
static void v5_insn(struct v5_reader *r, struct v5_fun *f)
{
    v5_put(r, f, 1, "instruction");
    const struct mpy_op_info *op = r->in.failed ? NULL : mpy_op_info(f->data[f->at - 1]);
    if (!op) {
        bytes_fail(&r->in, "instruction", "is none that exists");
        return;
    }
    switch (op->arg) {
    case MPY_ARG_NONE:
    case MPY_ARG_IN_OPCODE:
    case MPY_ARG_LOCAL_IN_OPCODE:
        break;
    case MPY_ARG_QSTR:
        v5_put_qstr(r, f);
        break;
    case MPY_ARG_JUMP_SIGNED:
    case MPY_ARG_JUMP_UNSIGNED:
    case MPY_ARG_UNWIND:
        v5_put(r, f, 2, "jump");
        break;
    default:
        v5_put_groups(r, f, f->size, "argument");
    }
    if (op->arg == MPY_ARG_CHILD_CELLS || op->arg == MPY_ARG_UNWIND) {
        v5_put(r, f, 1, "argument");
    }
}

static void *v5_alloc(struct v5_reader *r, uint64_t n, size_t size, const char *field)
{
    if (n > bytes_left(&r->in)) {
        bytes_fail(&r->in, field, "is %llu, but only %zu bytes follow", (unsigned long long)n,
                   bytes_left(&r->in));
    }
    void *p = r->in.failed ? NULL : arena_calloc(r->arena, (size_t)n, size);
    if (!p && !r->in.failed) {
        r->in.failed = diag_nomem(r->in.diag);
    }
    return p;
}

static struct mpy_code *v5_code(struct v5_reader *r, unsigned depth);

static void v5_tables(struct v5_reader *r, struct mpy_code *c, struct mpy_v5 *v5, unsigned depth)
{
    v5->n_objs = (uint32_t)bytes_varuint(&r->in, "number of constants", UINT32_MAX);
    c->n_children =
        bytes_varuint(&r->in, "number of children", MPY_CHILDREN_MAX) & MPY_CHILDREN_MAX;
    uint32_t *args = v5_alloc(r, v5->n_args, sizeof *args, "number of arguments");
    for (uint32_t i = 0; i < v5->n_args && !r->in.failed; i++) {
        args[i] = v5_qstr(r);
    }
    struct mpy_obj *objs = v5_alloc(r, v5->n_objs, sizeof *objs, "number of constants");
    for (uint32_t i = 0; i < v5->n_objs && !r->in.failed; i++) {
        v5_obj(r, &objs[i]);
    }
    struct mpy_code **children = v5_alloc(r, c->n_children, sizeof *children, "number of children");
    for (uint32_t i = 0; i < c->n_children && !r->in.failed; i++) {
        children[i] = v5_code(r, depth + 1);
    }
    v5->args = args;
    v5->objs = objs;
    c->children = children;
}

// {number, {place, string}*}: the strings in the code.
static void v5_links(struct v5_reader *r, struct mpy_v5 *v5, uint32_t size)
{
    v5->n_links = (uint32_t)bytes_varuint(&r->in, "number of strings", UINT32_MAX);
    struct mpy_v5_link *links = v5_alloc(r, v5->n_links, sizeof *links, "number of strings");
    for (uint32_t i = 0; i < v5->n_links && !r->in.failed; i++) {
        links[i].at = (uint32_t)bytes_varuint(&r->in, "place of a string",
                                              (uint64_t)size * V5_KINDS + V5_KINDS - 1);
        links[i].qstr = v5_qstr(r);
    }
    v5->links = links;
}

static void v5_native_prelude(struct v5_reader *r, struct mpy_code *c, uint8_t *data,
                              struct mpy_v5 *v5)
{
    struct mpy_prelude p;
    c->machine->prelude_offset = (uint32_t)bytes_varuint(&r->in, "prelude offset", c->size);
    const char *wrong = r->in.failed ? NULL : mpy_prelude_of(c, &p);
    if (wrong) {
        bytes_fail(&r->in, "prelude", "is wrong: %s", wrong);
    }
    if (r->in.failed) {
        return;
    }
    memcpy(v5->names, data + p.names, V5_NAMES);
    st16(data + p.names, (uint16_t)v5_qstr(r));
    st16(data + p.names + 2, (uint16_t)v5_qstr(r));
    v5->n_args = p.n_pos_args + p.n_kwonly_args;
}

static void v5_machine_header(struct v5_reader *r, struct mpy_code *c)
{
    struct mpy_machine *m = c->machine;
    m->scope_flags = (uint32_t)bytes_varuint(&r->in, "scope flags", UINT32_MAX);
    if (m->scope_flags & ~(uint32_t)V5_SCOPE) {
        bytes_fail(&r->in, "scope flags",
                   "say a native module, which is not read from .mpy "
                   "version %d",
                   MPY_VERSION_OLD);
    }
    if (c->kind == MPY_CODE_ASM) {
        m->n_pos_args = (uint32_t)bytes_varuint(&r->in, "number of arguments", UINT32_MAX);
        m->type_sig = (uint32_t)bytes_varuint(&r->in, "signature", UINT32_MAX);
    }
}

static void v5_machine(struct v5_reader *r, struct mpy_code *c, struct mpy_v5 *v5, unsigned depth)
{
    const uint8_t *from = bytes_take(&r->in, c->size, "machine code");
    uint8_t *data = from ? arena_dup(r->arena, from, c->size) : NULL;
    c->machine = v5_alloc(r, 1, sizeof *c->machine, "code");
    if (!data || !c->machine) {
        r->in.failed = r->in.failed ? r->in.failed : diag_nomem(r->in.diag);
        return;
    }
    c->data = data;
    if (c->kind != MPY_CODE_ASM) {
        v5_links(r, v5, c->size);
    }
    if (c->kind == MPY_CODE_NATIVE) {
        v5_native_prelude(r, c, data, v5);
    } else {
        v5_machine_header(r, c);
    }
    if (c->kind != MPY_CODE_ASM && !r->in.failed) {
        v5_tables(r, c, v5, depth);
    }
}

static void v5_bytecode(struct v5_reader *r, struct mpy_code *c, struct mpy_v5 *v5, unsigned depth)
{
    struct v5_fun f = {.size = c->size};
    struct mpy_prelude p;
    f.data = r->in.failed ? NULL : arena_calloc(r->arena, f.size + 1, 1);
    if (!f.data) {
        r->in.failed = r->in.failed ? r->in.failed : diag_nomem(r->in.diag);
        return;
    }
    c->data = f.data;
    v5_prelude(r, &f, &p);
    while (!r->in.failed && f.at < f.size) {
        v5_insn(r, &f);
    }
    if (!r->in.failed) {
        v5->n_args = p.n_pos_args + p.n_kwonly_args;
        v5_tables(r, c, v5, depth);
    }
}

static struct mpy_code *v5_code(struct v5_reader *r, unsigned depth)
{
    uint64_t word = bytes_varuint(&r->in, "code header", (uint64_t)V5_CODE_MAX << 2 | 3);
    if (depth > V5_DEPTH) {
        bytes_fail(&r->in, "function", "is nested more than %d deep", V5_DEPTH);
    }
    // Each byte in memory stands for one in the file, but a string's two may be one there.
    struct mpy_code *c = v5_alloc(r, 1, sizeof *c, "code");
    struct mpy_v5 *v5 = v5_alloc(r, 1, sizeof *v5, "code");
    uint32_t size = (uint32_t)(word >> 2);
    if (!r->in.failed && size / 2 > bytes_left(&r->in)) {
        bytes_fail(&r->in, "code", "is %u bytes, but only %zu follow", size, bytes_left(&r->in));
    }
    if (r->in.failed || !c || !v5) {
        return NULL;
    }
    *c = (struct mpy_code){.kind = (enum mpy_code_kind)(word & 3),
                           .size = size,
                           .at = r->in.origin + r->in.pos,
                           .v5 = v5};
    (c->kind == MPY_CODE_BYTECODE ? v5_bytecode : v5_machine)(r, c, v5, depth);
    return c;
}

enum diag_code v5_read(const uint8_t *data, size_t size, const char *name, struct arena *a,
                       struct diag *d, struct mpy_module **out)
{
    struct v5_reader r = {.arena = a, .names = {.arena = a}};
    struct mpy_prelude p;
    struct mpy_module *m = r.module = ARENA_NEW(a, struct mpy_module);
    *out = NULL;
    if (!m) {
        return diag_nomem(d);
    }
    memset(r.window, 0xff, sizeof r.window);
    bytes_in_init(&r.in, data, size, name, d);
    bytes_take(&r.in, 2, "header");
    uint8_t feature = bytes_u8(&r.in, "feature");
    m->v5 = true;
    m->sub_version = feature & V5_FLAGS;
    if (feature >> 2 > MPY_ARCH_XTENSAWIN) {
        bytes_fail(&r.in, "feature", "names architecture %u, only 0 to %d exist", feature >> 2,
                   MPY_ARCH_XTENSAWIN);
    }
    m->arch = (enum mpy_arch)(feature >> 2);
    m->small_int_bits = bytes_u8(&r.in, "small int bits");
    if (bytes_varuint(&r.in, "window", UINT32_MAX) > V5_WINDOW) {
        bytes_fail(&r.in, "window", "has more than %d strings", V5_WINDOW);
    }
    struct mpy_code *root = r.in.failed ? NULL : v5_code(&r, 0);
    if (!r.in.failed && bytes_left(&r.in)) {
        bytes_fail(&r.in, "end", "%zu bytes follow the code", bytes_left(&r.in));
    }
    if (!r.in.failed && root->kind != MPY_CODE_BYTECODE && root->kind != MPY_CODE_NATIVE) {
        bytes_fail(&r.in, "module", "has no prelude, which is not read from .mpy version %d",
                   MPY_VERSION_OLD);
    }
    if (r.in.failed || mpy_prelude_of(root, &p)) {
        return r.in.failed; // the prelude has been decoded once
    }
    m->root = root;
    m->qstrs = r.names.at;
    m->n_qstr = r.names.n;
    m->source = p.source;
    *out = m;
    return DIAG_OK;
}
