// Frozen modules of 1.18 as code trees of .mpy version 5: a raw code is the module; its qstrs stand
// in the bytecode and its prelude, and each function has its own table of argument names, constants
// and children. Machine code has the numbers of strings in its instructions; freezing drops where,
// so that native and viper functions are read but cannot be written to files again.
//
// Facts: py/emitglue.h, py/bc.h, tools/mpy-tool.py of 1.18.
#include "format/firmware/unfreeze.h"

#include "format/mpy/opcode.h"
#include "format/mpy/prelude.h"
#include "format/mpy/v5.h"

enum {
    V5_KIND_BYTECODE = 2, // MP_CODE_BYTECODE
    V5_KIND_LAST = V5_KIND_BYTECODE + MPY_CODE_ASM,
    V5_NATIVE_MAX = 1 << 16, // bytes of a native function in front of its prelude
    V5_TABLE_MAX = 1024,     // constants and children of a function of machine code
    V5_FLAG_UNICODE = 2,     // feature flag of a build with MICROPY_PY_BUILTINS_STR_UNICODE
};

static uint64_t v5_entry(const struct unfreeze *u, const struct unfreeze_fun *f, uint64_t i)
{
    return f->constants + i * (u->fw->repr == FW_REPR_D ? 8 : u->fw->ptr);
}

// How many arguments a function has is in its prelude.
static enum diag_code v5_find(struct unfreeze *u, uint64_t addr, struct unfreeze_fun *f)
{
    struct mpy_prelude p;
    size_t rest;
    f->code->data = unfreeze_rest(u, addr, &rest);
    f->code->at = f->addr = addr;
    f->v5 = ARENA_NEW(u->arena, struct mpy_v5);
    if (!f->v5) {
        return diag_nomem(u->diag);
    }
    f->code->v5 = f->v5;
    const char *wrong = f->code->data ? mpy_prelude_decode(f->code->data, rest, 0, true, &p)
                                      : "it is not in the image";
    f->v5->n_args = wrong ? 0 : p.n_pos_args + p.n_kwonly_args;
    wrong = wrong ? wrong : mpy_extent_find(f->code->data, rest, f->v5, &f->extent);
    return wrong ? unfreeze_fail(u, addr, "bytecode", "cannot be followed: %s", wrong) : DIAG_OK;
}

// --- machine code

// The prelude of a native function stands behind its code. Flags and arguments must be those of the
// raw code, the strings some that exist, and that of the source file a name.
static bool v5_is_prelude(struct unfreeze *u, const uint8_t *data, size_t size, size_t at,
                          uint64_t head, struct mpy_prelude *p)
{
    struct mpy_qstr name, source;
    if (mpy_prelude_decode(data, size, at, true, p) || (head >> 3 & 0x7f) != p->scope_flags ||
        (head >> 10 & 0x7ff) != p->n_pos_args || !p->name || p->name >= u->fw->n_qstrs ||
        !p->source || p->source >= u->fw->n_qstrs || unfreeze_qstr(u, p->name, 0, &name) ||
        unfreeze_qstr(u, p->source, 0, &source)) {
        return false;
    }
    return source.len > 3 && memcmp(source.data + source.len - 3, ".py", 3) == 0;
}

static enum diag_code v5_find_prelude(struct unfreeze *u, uint64_t head, size_t rest,
                                      struct unfreeze_fun *f)
{
    struct mpy_code *c = f->code;
    struct mpy_prelude p;
    size_t limit = rest < V5_NATIVE_MAX ? rest : V5_NATIVE_MAX, at = 0;
    limit = u->budget < limit ? (size_t)u->budget : limit;
    while (at < limit && !v5_is_prelude(u, c->data, limit, at, head, &p)) {
        at++;
    }
    u->budget -= at;
    if (at == limit) {
        return unfreeze_fail(u, c->at, "machine code", "has no prelude");
    }
    c->machine->prelude_offset = (uint32_t)at;
    c->size = p.code;
    f->sized = true;
    f->v5->n_args = p.n_pos_args + p.n_kwonly_args;
    return DIAG_OK;
}

static bool v5_is_raw(const struct unfreeze *u, uint64_t addr)
{
    uint64_t head, code;
    const struct image *img = u->fw->image;
    return image_word(img, addr, u->fw->ptr, &head) &&
           image_word(img, addr + u->fw->ptr, u->fw->ptr, &code) &&
           (head & 7) >= V5_KIND_BYTECODE && (head & 7) <= V5_KIND_LAST && head >> 21 == 0 &&
           image_run_bytes(img, code, 2);
}

static bool v5_is_constant(struct unfreeze *u, uint64_t word, uint64_t at)
{
    struct mpy_obj o;
    bool boxed = u->fw->repr != FW_REPR_C && u->fw->repr != FW_REPR_D; // floats, too
    return (!boxed || image_run_bytes(u->fw->image, word, 4)) &&
           !unfreeze_obj(u, word, at, 0, &o) && o.kind >= MPY_OBJ_ELLIPSIS;
}

// How many constants and children there are is dropped: constants make sense as such, children are
// raw codes, and what is neither is behind the table.
static void v5_measure(struct unfreeze *u, struct unfreeze_fun *f, uint64_t *n_children)
{
    struct diag *said = u->diag;
    uint64_t word = 0, i = (uint64_t)f->v5->n_args + f->n_own;
    u->diag = NULL;
    for (*n_children = 0; *n_children + f->v5->n_objs < V5_TABLE_MAX && u->budget; i++) {
        u->budget--;
        uint64_t at = v5_entry(u, f, i);
        bool readable = image_word(u->fw->image, at, u->fw->ptr, &word) && word;
        if (readable && v5_is_raw(u, word)) {
            ++*n_children;
        } else if (readable && !*n_children && v5_is_constant(u, word, at)) {
            f->v5->n_objs++;
        } else {
            break;
        }
    }
    u->diag = said;
}

static enum diag_code v5_machine(struct unfreeze_walk *w, uint64_t head, unsigned depth,
                                 uint64_t sig, struct unfreeze_fun *f)
{
    struct unfreeze *u = w->u;
    struct mpy_code *c = f->code;
    size_t rest;
    uint64_t n = 0;
    u->native = true;
    c->kind = (enum mpy_code_kind)((head & 7) - V5_KIND_BYTECODE);
    c->machine = ARENA_NEW(u->arena, struct mpy_machine);
    c->data = unfreeze_rest(u, f->addr, &rest);
    if (!c->machine || !c->data) {
        return c->machine ? unfreeze_fail(u, f->addr, "machine code", "is not in the image")
                          : diag_nomem(u->diag);
    }
    c->machine->scope_flags = head >> 3 & 0x7f;
    c->machine->n_pos_args = c->kind == MPY_CODE_ASM ? head >> 10 & 0x7ff : 0;
    c->machine->type_sig = c->kind == MPY_CODE_ASM ? (uint32_t)sig : 0;
    f->v5->links_lost = c->kind != MPY_CODE_ASM;
    f->n_own = c->kind != MPY_CODE_ASM; // mp_fun_table
    enum diag_code err = c->kind == MPY_CODE_NATIVE ? v5_find_prelude(u, head, rest, f) : DIAG_OK;
    if (!err && f->constants && f->n_own) {
        v5_measure(u, f, &n);
    }
    err = err ? err : unfreeze_start(u, f->addr);
    err = err || !f->constants ? err : unfreeze_start(u, f->constants);
    err = err ? err : unfreeze_push(w, f);
    uint64_t children = v5_entry(u, f, (uint64_t)f->v5->n_args + f->n_own + f->v5->n_objs);
    return err ? err : unfreeze_children(w, c, children, n, depth);
}

// {kind:3, scope flags:7, n_pos_args:11; fun_data; const_table; [type_sig]}
enum diag_code unfreeze_v5_raw(struct unfreeze_walk *w, uint64_t addr, unsigned depth,
                               struct mpy_code *c)
{
    struct unfreeze *u = w->u;
    struct unfreeze_fun f = {.code = c};
    uint64_t head = 0, code = 0, sig = 0;
    enum diag_code err = unfreeze_start(u, addr);
    err = err ? err : unfreeze_word(u, addr, "raw code", &head);
    err = err ? err : unfreeze_word(u, addr + u->fw->ptr, "code pointer", &code);
    err = err ? err : unfreeze_word(u, addr + 2 * u->fw->ptr, "table pointer", &f.constants);
    if (!err && ((head & 7) < V5_KIND_BYTECODE || (head & 7) > V5_KIND_LAST)) {
        err = unfreeze_fail(u, addr, "raw code", "has kind %u", (unsigned)(head & 7));
    }
    f.v5 = ARENA_NEW(u->arena, struct mpy_v5);
    if (!err && !f.v5) {
        err = diag_nomem(u->diag);
    }
    c->v5 = f.v5;
    c->at = f.addr = code;
    if (!err && (head & 7) != V5_KIND_BYTECODE) {
        image_word(u->fw->image, addr + 3 * u->fw->ptr, u->fw->ptr, &sig);
        return v5_machine(w, head, depth, sig, &f);
    }
    err = err ? err : v5_find(u, code, &f);
    if (err) {
        return err;
    }
    // Constants are counted in the order of their use, children behind them.
    bool parent = f.extent.n_children != 0;
    f.v5->n_objs = parent ? f.extent.first_child : f.extent.n_objs;
    if (f.extent.n_objs > f.v5->n_objs) {
        return unfreeze_fail(u, code, "bytecode", "uses a child as a constant");
    }
    err = unfreeze_start(u, code);
    err = err || !f.constants ? err : unfreeze_start(u, f.constants);
    err = err ? err : unfreeze_push(w, &f);
    uint64_t children = v5_entry(u, &f, (uint64_t)f.v5->n_args + f.v5->n_objs);
    uint64_t n = parent ? f.extent.n_children - f.extent.first_child : 0;
    return err ? err : unfreeze_children(w, c, children, n, depth);
}

// --- strings: from the firmware's numbers to the module's

static enum diag_code v5_add(struct unfreeze *u, struct v5_names *names, uint64_t id, uint64_t addr,
                             uint32_t *index)
{
    struct mpy_qstr q;
    enum diag_code err = unfreeze_qstr(u, id, addr, &q);
    if (!err && !v5_name(names, &q, index)) {
        err = names->n > UINT16_MAX ? unfreeze_fail(u, addr, "qstr", "is one too many")
                                    : diag_nomem(u->diag);
    }
    return err;
}

static enum diag_code v5_replace(struct unfreeze *u, struct v5_names *names, struct mpy_code *c,
                                 uint8_t *data, uint32_t at)
{
    uint32_t index = 0;
    enum diag_code err = v5_add(u, names, ld16(data + at), c->at + at, &index);
    st16(data + at, (uint16_t)index);
    return err;
}

static enum diag_code v5_data(struct unfreeze *u, struct v5_names *names, struct mpy_code *c)
{
    struct mpy_prelude p;
    struct mpy_insn i;
    uint8_t *data = arena_dup(u->arena, c->data, c->size);
    if (!data) {
        return diag_nomem(u->diag);
    }
    c->data = data;
    if (mpy_prelude_of(c, &p)) {
        return unfreeze_fail(u, c->at, "bytecode", "ends within its prelude");
    }
    enum diag_code err = v5_replace(u, names, c, data, p.names);
    err = err ? err : v5_replace(u, names, c, data, p.names + 2);
    bool bytecode = c->kind == MPY_CODE_BYTECODE;
    for (uint32_t at = p.code; bytecode && at < c->size && !err; at += i.size) {
        if (!mpy_insn_decode(data, c->size, at, c->v5, &i)) {
            return unfreeze_fail(u, c->at + at, "bytecode", "does not decode");
        }
        if (i.info->arg == MPY_ARG_QSTR) {
            err = v5_replace(u, names, c, data, at + 1);
        }
    }
    return err;
}

// --- tables

static enum diag_code v5_args(struct unfreeze *u, struct v5_names *names,
                              const struct unfreeze_fun *f)
{
    uint32_t *args = ARENA_ARRAY(u->arena, uint32_t, f->v5->n_args);
    enum diag_code err = args ? DIAG_OK : diag_nomem(u->diag);
    for (uint32_t i = 0; i < f->v5->n_args && !err; i++) {
        uint64_t word = 0, at = v5_entry(u, f, i);
        err = unfreeze_word(u, at, "argument name", &word);
        err = err ? err : v5_add(u, names, unfreeze_qstr_of(u, word), at, &args[i]);
    }
    f->v5->args = args;
    return err;
}

static enum diag_code v5_objs(struct unfreeze *u, const struct unfreeze_fun *f)
{
    struct mpy_obj *objs = ARENA_ARRAY(u->arena, struct mpy_obj, f->v5->n_objs);
    enum diag_code err = objs ? DIAG_OK : diag_nomem(u->diag);
    for (uint32_t i = 0; i < f->v5->n_objs && !err; i++) {
        uint64_t word = 0, at = v5_entry(u, f, (uint64_t)f->v5->n_args + f->n_own + i);
        err = unfreeze_word(u, at, "constant", &word);
        err = err ? err : unfreeze_obj(u, word, at, 0, &objs[i]);
        if (!err && (objs[i].kind < MPY_OBJ_ELLIPSIS || objs[i].kind == MPY_OBJ_TUPLE)) {
            err =
                unfreeze_fail(u, at, "constant", "is none that a .mpy file of version 5 can hold");
        }
    }
    f->v5->objs = objs;
    return err;
}

static enum diag_code v5_function(struct unfreeze *u, struct v5_names *names,
                                  const struct unfreeze_fun *f)
{
    uint64_t n = (uint64_t)f->v5->n_args + f->v5->n_objs;
    if (n > u->budget || (n && !image_run_bytes(u->fw->image, f->constants, n * u->fw->ptr))) {
        return unfreeze_fail(u, f->constants, "table", "of %llu entries is not in the image",
                             (unsigned long long)n);
    }
    u->budget -= n;
    // A constant in unreachable code behind the end that was found first.
    if (f->extent.n_objs > f->v5->n_objs) {
        if (f->code->n_children) {
            return unfreeze_fail(u, f->addr, "bytecode", "uses a child as a constant");
        }
        f->v5->n_objs = f->extent.n_objs;
    }
    bool named = f->code->kind == MPY_CODE_BYTECODE || f->code->kind == MPY_CODE_NATIVE;
    enum diag_code err = named ? v5_data(u, names, f->code) : DIAG_OK;
    err = err ? err : v5_args(u, names, f);
    return err ? err : v5_objs(u, f);
}

enum diag_code unfreeze_v5_finish(struct unfreeze_walk *w)
{
    struct unfreeze *u = w->u;
    struct mpy_module *m = u->module;
    struct v5_names names = {.arena = u->arena};
    struct mpy_prelude p;
    enum diag_code err = DIAG_OK;
    for (size_t i = 0; i < w->n && !err; i++) {
        err = v5_function(u, &names, &w->funs[i]);
    }
    bool named = m->root->kind == MPY_CODE_BYTECODE || m->root->kind == MPY_CODE_NATIVE;
    if (!err && !named) {
        return unfreeze_fail(u, m->root->at, "module", "has no prelude");
    }
    if (err || mpy_prelude_of(m->root, &p)) {
        return err;
    }
    m->v5 = true;
    m->arch = u->native ? u->fw->mpy_arch : MPY_ARCH_NONE;
    m->sub_version = u->fw->mpy_abi >= 0 ? u->fw->mpy_abi >> 8 & 3 : V5_FLAG_UNICODE;
    m->source = p.source;
    m->qstrs = names.at;
    m->n_qstr = names.n;
    return DIAG_OK;
}
