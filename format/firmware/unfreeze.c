// Frozen modules of an image back to code trees.
//
// Freezing drops the length of functions and tables (unless the firmware was built with
// MICROPY_PERSISTENT_CODE_SAVE); they are recovered from what the instructions use. The result is
// canonical rather than the input of the freeze in three respects: entries of the qstr and constant
// tables behind the last one that any instruction uses are lost; so are children that none makes;
// and small ints are said to have 31 bits unless a constant needs more or the firmware has less.
//
// Facts: py/frozenmod.h, py/emitglue.h, py/bc.h, py/objfun.h, tools/mpy-tool.py of 1.19
// to 1.29; 1.18 is in unfreeze_v5.c.
#include "format/firmware/unfreeze.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/mpy/extent.h"
#include "format/mpy/prelude.h"

enum {
    UNFREEZE_BUDGET = 1 << 20, // functions, constants and bytes of native modules, of one module
    UNFREEZE_DEPTH = 1000,     // functions in functions
    UNFREEZE_NATIVE_MAX = 1 << 20, // bytes of machine code of one function
    UNFREEZE_INTS = 31,            // small_int_bits that mpy-cross writes by default
    RAW_KIND_BYTECODE = 2,         // raw code kinds in memory, see MP_CODE_BYTECODE
};

struct unfreeze_raw { // mp_raw_code_t, as far as the build has it
    unsigned kind;
    uint64_t fun_data, children;
    bool sized; // len and n_children are known
    uint64_t len, n_children;
    uint32_t asm_word; // n_pos_args in the low 8 bits, type_sig above; ASM only
};

enum diag_code unfreeze_fail(struct unfreeze *u, uint64_t addr, const char *field, const char *fmt,
                             ...)
{
    char text[DIAG_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    diag_set(u->diag, DIAG_MALFORMED, u->fw->image->name, "frozen module %s: %s at 0x%llx %s",
             u->frozen->name, field, (unsigned long long)addr, text);
    return DIAG_MALFORMED;
}

enum diag_code unfreeze_word(struct unfreeze *u, uint64_t addr, const char *field, uint64_t *value)
{
    return image_word(u->fw->image, addr, u->fw->ptr, value)
               ? DIAG_OK
               : unfreeze_fail(u, addr, field, "is not in the image");
}

enum diag_code unfreeze_start(struct unfreeze *u, uint64_t addr)
{
    if (u->n_starts == u->cap_starts) {
        size_t cap = u->cap_starts ? 2 * u->cap_starts : 256;
        uint64_t *grown =
            arena_grow(u->arena, u->starts, u->cap_starts * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            return diag_nomem(u->diag);
        }
        u->starts = grown;
        u->cap_starts = cap;
    }
    u->starts[u->n_starts++] = addr;
    return DIAG_OK;
}

enum diag_code unfreeze_qstr(struct unfreeze *u, uint64_t id, uint64_t addr, struct mpy_qstr *q)
{
    const struct firmware *fw = u->fw;
    if (id >= fw->n_qstrs) {
        return unfreeze_fail(u, addr, "qstr", "is %llu, the firmware has %u",
                             (unsigned long long)id, fw->n_qstrs);
    }
    *q = (struct mpy_qstr){.data = fw->qstrs[id].data, .len = fw->qstrs[id].len};
    const char *name = id >= 1 && id <= MPY_STATIC_QSTRS ? mpy_static_qstr((unsigned)id) : NULL;
    if (name && strlen(name) == q->len && memcmp(name, q->data, q->len) == 0) {
        q->static_id = (uint16_t)id;
    }
    return DIAG_OK;
}

const uint8_t *unfreeze_rest(const struct unfreeze *u, uint64_t addr, size_t *size)
{
    const struct image *img = u->fw->image;
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *s = &img->segments[i];
        if (addr >= s->run && addr - s->run < s->size) {
            *size = (size_t)(s->size - (addr - s->run));
            return s->data + (addr - s->run);
        }
    }
    return NULL;
}

// --- raw code

// From 1.23: {0, 0, kind, is_generator; fun_data; children; [SAVE: u32 len; u16 n_children; u16
// prelude_offset; [SETTRACE: u32 line; prelude]]; [assembler: u32 n_pos_args | type_sig << 8]}.
static enum diag_code raw_new(struct unfreeze *u, uint64_t addr, struct unfreeze_raw *r)
{
    const struct firmware *fw = u->fw;
    uint64_t p = fw->ptr, at = addr + 3 * p, v = 0;
    const uint8_t *head = image_run_bytes(fw->image, addr, 4);
    if (!head) {
        return unfreeze_fail(u, addr, "raw code", "is not in the image");
    }
    r->kind = head[2];
    r->sized = fw->save == FW_YES;
    if (r->sized && image_word(fw->image, at, 4, &r->len) &&
        image_word(fw->image, at + 4, 2, &r->n_children)) {
        at += 8;
    }
    if (r->sized && fw->settrace == FW_YES) {
        // line, six u32, then the name and three pointers, aligned as pointers are.
        at = ((at + 4 + p - 1) & ~(p - 1)) + 24 + 4 * p;
    }
    if (image_word(fw->image, at, 4, &v)) {
        r->asm_word = (uint32_t)v;
    }
    enum diag_code err = unfreeze_word(u, addr + p, "code pointer", &r->fun_data);
    return err ? err : unfreeze_word(u, addr + 2 * p, "children pointer", &r->children);
}

// 1.19 to 1.22: {kind:3, scope flags:7, n_pos_args:11; fun_data; [SAVE or debug printers: len];
// children; [SAVE: n_children; [SETTRACE: prelude, line]; u16 prelude_offset]; [type_sig]}.
static enum diag_code raw_old(struct unfreeze *u, uint64_t addr, struct unfreeze_raw *r)
{
    const struct firmware *fw = u->fw;
    uint64_t p = fw->ptr, at = addr + 2 * p, head, v = 0;
    enum diag_code err = unfreeze_word(u, addr, "raw code", &head);
    err = err ? err : unfreeze_word(u, addr + p, "code pointer", &r->fun_data);
    if (err) {
        return err;
    }
    r->kind = head & 7;
    r->sized = fw->save == FW_YES;
    if (fw->save == FW_YES || fw->debug_names == FW_YES) {
        err = unfreeze_word(u, at, "code length", &r->len);
        at += p;
    }
    err = err ? err : unfreeze_word(u, at, "children pointer", &r->children);
    at += p;
    if (!err && r->sized) {
        err = unfreeze_word(u, at, "number of children", &r->n_children);
        at += 2 * p; // prelude_offset too
    }
    if (!err && fw->settrace == FW_YES && r->kind == RAW_KIND_BYTECODE + MPY_CODE_ASM) {
        return unfreeze_fail(u, addr, "assembler code", "of a build with sys.settrace is not read");
    }
    image_word(fw->image, at, 4, &v);
    r->asm_word = (uint32_t)(head >> 10 & 0xff) | (uint32_t)v << 8;
    return err;
}

// --- functions

static enum diag_code unfreeze_fun(struct unfreeze_walk *w, uint64_t addr, unsigned depth,
                                   struct mpy_code **out);

enum diag_code unfreeze_push(struct unfreeze_walk *w, const struct unfreeze_fun *f)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;
        struct unfreeze_fun *grown =
            arena_grow(w->u->arena, w->funs, w->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            return diag_nomem(w->u->diag);
        }
        w->funs = grown;
        w->cap = cap;
    }
    w->funs[w->n++] = *f;
    return DIAG_OK;
}

enum diag_code unfreeze_children(struct unfreeze_walk *w, struct mpy_code *c, uint64_t table,
                                 uint64_t n, unsigned depth)
{
    struct unfreeze *u = w->u;
    if (n == 0) {
        return DIAG_OK;
    }
    if (n > u->budget || !image_run_bytes(u->fw->image, table, n * u->fw->ptr)) {
        return unfreeze_fail(u, table, "children", "are %llu, which are not in the image",
                             (unsigned long long)n);
    }
    struct mpy_code **children = ARENA_ARRAY(u->arena, struct mpy_code *, n);
    if (!children) {
        return diag_nomem(u->diag);
    }
    c->children = children;
    c->n_children = (uint32_t)n;
    enum diag_code err = unfreeze_start(u, table);
    for (uint32_t i = 0; i < n && !err; i++) {
        uint64_t child = 0;
        err = unfreeze_word(u, table + i * u->fw->ptr, "child", &child);
        err = err ? err : unfreeze_fun(w, child, depth + 1, &children[i]);
    }
    return err;
}

static enum diag_code unfreeze_bytecode(struct unfreeze_walk *w, uint64_t addr,
                                        const struct unfreeze_raw *raw, unsigned depth,
                                        struct mpy_code *c)
{
    struct unfreeze *u = w->u;
    struct unfreeze_fun f = {.code = c, .addr = addr};
    size_t rest;
    c->data = unfreeze_rest(u, addr, &rest);
    c->at = addr;
    if (!c->data) {
        return unfreeze_fail(u, addr, "bytecode", "is not in the image");
    }
    const char *wrong = mpy_extent_find(c->data, rest, NULL, &f.extent);
    if (wrong) {
        return unfreeze_fail(u, addr, "bytecode", "cannot be followed: %s", wrong);
    }
    uint64_t n = f.extent.n_children;
    if (raw && raw->len) {
        if (raw->len < f.extent.end || raw->len > rest) {
            return unfreeze_fail(u, addr, "bytecode length", "is said to be %llu, it is %u or more",
                                 (unsigned long long)raw->len, f.extent.end);
        }
        mpy_extent_tail(c->data, (size_t)raw->len, NULL, &f.extent);
        f.extent.end = (uint32_t)raw->len;
        f.sized = true;
    }
    if (raw && raw->sized) {
        n = raw->n_children > n ? raw->n_children : n;
    }
    if (n && !(raw && raw->children)) {
        return unfreeze_fail(u, addr, "bytecode", "makes functions, but has no children");
    }
    c->size = f.extent.end;
    enum diag_code err = unfreeze_start(u, addr);
    err = err ? err : unfreeze_push(w, &f);
    return err ? err : unfreeze_children(w, c, raw ? raw->children : 0, n, depth);
}

// Where the prelude of a native function lies within its data. Where machine code cannot be read
// by bytes the prelude that the VM uses is a copy elsewhere: then the original is searched.
static enum diag_code unfreeze_prelude_offset(struct unfreeze *u, uint64_t prelude, size_t rest,
                                              struct mpy_code *c)
{
    struct mpy_prelude p;
    size_t n;
    const uint8_t *copy = unfreeze_rest(u, prelude, &n);
    const char *wrong = copy ? mpy_prelude_decode(copy, n, 0, false, &p) : "it is not in the image";
    if (wrong) {
        return unfreeze_fail(u, prelude, "prelude", "is wrong: %s", wrong);
    }
    uint64_t offset = prelude - c->at;
    if (prelude < c->at || offset > UNFREEZE_NATIVE_MAX || offset >= rest) {
        enum diag_code err = unfreeze_start(u, prelude);
        if (err) {
            return err;
        }
        size_t limit = rest < UNFREEZE_NATIVE_MAX ? rest : UNFREEZE_NATIVE_MAX;
        for (offset = 0; offset + p.code <= limit; offset++) {
            if (memcmp(c->data + offset, copy, p.code) == 0) {
                break;
            }
        }
        if (offset + p.code > limit) {
            return unfreeze_fail(u, c->at, "machine code", "has no prelude");
        }
    }
    c->machine->prelude_offset = (uint32_t)offset;
    c->size = (uint32_t)offset + p.code;
    return DIAG_OK;
}

// Is there a raw code of 1.19 to 1.22 at addr?
static bool unfreeze_is_raw_old(const struct unfreeze *u, uint64_t addr)
{
    uint64_t head, code;
    const struct image *img = u->fw->image;
    return image_word(img, addr, u->fw->ptr, &head) &&
           image_word(img, addr + u->fw->ptr, u->fw->ptr, &code) &&
           (head & 7) >= RAW_KIND_BYTECODE && (head & 7) <= RAW_KIND_BYTECODE + MPY_CODE_ASM &&
           image_run_bytes(img, image_code_data(img, code), 2);
}

// The children of a native function are followed by its prelude. From 1.23 the first word of the
// machine code says how many they are; before, what is no raw code is the prelude.
static enum diag_code unfreeze_native_children(struct unfreeze *u, uint64_t code, uint64_t table,
                                               uint64_t *n, uint64_t *prelude)
{
    enum diag_code err = DIAG_OK;
    *n = 0;
    *prelude = table;
    if (u->fw->profile->proto_fun) {
        err = unfreeze_word(u, code, "machine code", n);
    } else {
        uint64_t child;
        while (*n < u->budget &&
               image_word(u->fw->image, table + *n * u->fw->ptr, u->fw->ptr, &child) &&
               unfreeze_is_raw_old(u, child)) {
            ++*n;
        }
    }
    if (!err && *n >= u->budget) {
        err = unfreeze_fail(u, code, "machine code", "names prelude %llu", (unsigned long long)*n);
    }
    if (!err && *n) {
        err = unfreeze_word(u, table + *n * u->fw->ptr, "prelude pointer", prelude);
    }
    return err;
}

static enum diag_code unfreeze_native(struct unfreeze_walk *w, const struct unfreeze_raw *raw,
                                      size_t rest, unsigned depth, struct mpy_code *c)
{
    uint64_t n, prelude;
    enum diag_code err = unfreeze_native_children(w->u, c->at, raw->children, &n, &prelude);
    err = err ? err : unfreeze_prelude_offset(w->u, prelude, rest, c);
    if (!err && raw->len && raw->len >= c->size && raw->len <= rest) {
        c->size = (uint32_t)raw->len;
    }
    return err ? err : unfreeze_children(w, c, raw->children, n, depth);
}

// The children of a viper function in a blob of ours end with a null pointer.
static enum diag_code unfreeze_viper_children(struct unfreeze *u, uint64_t table, uint64_t *n)
{
    uint64_t child = table;
    enum diag_code err = DIAG_OK;
    if (table && !u->frozen->spliced) {
        return unfreeze_fail(u, table, "viper code", "has children; their number is not stored");
    }
    for (; table && child && *n < u->budget && !err; *n += child != 0) {
        err = unfreeze_word(u, table + *n * u->fw->ptr, "child", &child);
    }
    return err;
}

// Viper and assembler functions have no prelude: without a stored length they end where the next
// thing begins, see unfreeze_ends.
static enum diag_code unfreeze_machine(struct unfreeze_walk *w, const struct unfreeze_raw *raw,
                                       unsigned depth, struct mpy_code *c)
{
    struct unfreeze *u = w->u;
    size_t rest;
    u->native = true;
    c->at = image_code_data(u->fw->image, raw->fun_data);
    c->data = unfreeze_rest(u, c->at, &rest);
    if (!c->data) {
        return unfreeze_fail(u, c->at, "machine code", "is not in the image");
    }
    enum diag_code err = unfreeze_start(u, c->at);
    if (err) {
        return err;
    }
    c->machine = ARENA_NEW(u->arena, struct mpy_machine);
    if (!c->machine) {
        return diag_nomem(u->diag);
    }
    if (c->kind == MPY_CODE_NATIVE) {
        return unfreeze_native(w, raw, rest, depth, c);
    }
    if (c->kind == MPY_CODE_ASM) {
        c->machine->n_pos_args = raw->asm_word & 0xff;
        c->machine->type_sig = raw->asm_word >> 8;
    }
    if (c->kind == MPY_CODE_VIPER && unfreeze_is_natmod(u, raw->children)) {
        return unfreeze_natmod(u, raw->children, raw->fun_data, c);
    }
    if (raw->sized && raw->len <= rest) {
        c->size = (uint32_t)raw->len;
        return unfreeze_children(w, c, raw->children, raw->n_children, depth);
    }
    struct unfreeze_fun f = {.code = c, .addr = c->at};
    uint64_t n = 0;
    err = unfreeze_viper_children(u, raw->children, &n);
    err = err ? err : unfreeze_push(w, &f);
    return err ? err : unfreeze_children(w, c, raw->children, n, depth);
}

static enum diag_code unfreeze_raw_code(struct unfreeze_walk *w, uint64_t addr, unsigned depth,
                                        struct mpy_code *c)
{
    struct unfreeze *u = w->u;
    struct unfreeze_raw raw = {0};
    enum diag_code err = unfreeze_start(u, addr);
    err = err ? err : (u->fw->profile->proto_fun ? raw_new : raw_old)(u, addr, &raw);
    if (err) {
        return err;
    }
    if (raw.kind < RAW_KIND_BYTECODE || raw.kind > RAW_KIND_BYTECODE + MPY_CODE_ASM) {
        return unfreeze_fail(u, addr, "raw code", "has kind %u", raw.kind);
    }
    c->kind = (enum mpy_code_kind)(raw.kind - RAW_KIND_BYTECODE);
    return c->kind == MPY_CODE_BYTECODE ? unfreeze_bytecode(w, raw.fun_data, &raw, depth, c)
                                        : unfreeze_machine(w, &raw, depth, c);
}

// A raw code, or (from 1.23) bytecode itself: its first two bytes are never both zero.
static enum diag_code unfreeze_fun(struct unfreeze_walk *w, uint64_t addr, unsigned depth,
                                   struct mpy_code **out)
{
    struct unfreeze *u = w->u;
    const uint8_t *p = image_run_bytes(u->fw->image, addr, 2);
    if (!p) {
        return unfreeze_fail(u, addr, "function", "is not in the image");
    }
    if (u->budget == 0 || depth > UNFREEZE_DEPTH) {
        return unfreeze_fail(u, addr, "function", "is one too many: the image lists itself");
    }
    u->budget--;
    struct mpy_code *c = *out = ARENA_NEW(u->arena, struct mpy_code);
    if (!c) {
        return diag_nomem(u->diag);
    }
    if (u->fw->profile->proto_fun && (p[0] | p[1])) {
        return unfreeze_bytecode(w, addr, NULL, depth, c);
    }
    return u->fw->profile->frozen_module_t ? unfreeze_raw_code(w, addr, depth, c)
                                           : unfreeze_v5_raw(w, addr, depth, c);
}

// --- where functions and tables end

static int unfreeze_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

// The first of the sorted places behind addr; max where there is none.
static uint64_t unfreeze_next(const uint64_t *starts, size_t n, uint64_t addr, uint64_t max)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (starts[mid] <= addr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < n && starts[low] < max ? starts[low] : max;
}

// The bytes from addr to the next thing known, at most max.
static size_t unfreeze_limit(const struct unfreeze *u, uint64_t addr, size_t max)
{
    size_t rest;
    if (!unfreeze_rest(u, addr, &rest)) {
        return 0;
    }
    uint64_t end = addr + (max < rest ? max : rest);
    end = unfreeze_next(u->starts, u->n_starts, addr, end);
    return (size_t)(unfreeze_next(u->fw->starts, u->fw->n_starts, addr, end) - addr);
}

static void unfreeze_ends(struct unfreeze_walk *w)
{
    struct unfreeze *u = w->u;
    for (size_t i = 0; i < w->n; i++) {
        struct unfreeze_fun *f = &w->funs[i];
        size_t limit = unfreeze_limit(u, f->addr, UNFREEZE_NATIVE_MAX);
        if (f->code->kind != MPY_CODE_BYTECODE) {
            f->code->size = f->sized ? f->code->size : (uint32_t)limit;
            continue;
        }
        if (limit >= f->extent.end && !f->sized) {
            mpy_extent_tail(f->code->data, limit, f->v5, &f->extent);
            f->code->size = f->extent.end;
        }
        u->n_qstrs = f->extent.n_qstrs > u->n_qstrs ? f->extent.n_qstrs : u->n_qstrs;
        u->n_objs = f->extent.n_objs > u->n_objs ? f->extent.n_objs : u->n_objs;
        u->wide_ints |= f->extent.wide_ints;
    }
}

void firmware_gather_starts(struct firmware *fw, struct arena *a)
{
    fw->starts = ARENA_ARRAY(a, uint64_t, 4 * (size_t)fw->n_modules);
    fw->n_starts = 0;
    for (unsigned i = 0; fw->starts && i < fw->n_modules; i++) {
        const struct fw_module *m = &fw->modules[i];
        const uint64_t starts[] = {m->addr, m->qstr_table, m->obj_table, m->code};
        for (unsigned k = 0; k < (m->kind == FW_MODULE_STR ? 1 : 4); k++) {
            fw->starts[fw->n_starts] = starts[k];
            fw->n_starts += starts[k] != 0;
        }
    }
    if (fw->n_starts) {
        qsort(fw->starts, fw->n_starts, sizeof *fw->starts, unfreeze_compare);
    }
}

// Machine code does not tell which entries it uses: then all up to the next thing known that make
// sense are taken.
static uint32_t unfreeze_table_length(struct unfreeze *u, uint64_t table, uint32_t used,
                                      unsigned item)
{
    size_t limit = unfreeze_limit(u, table, UNFREEZE_NATIVE_MAX) / item;
    if (!u->native || limit <= used || !table) {
        return used;
    }
    struct diag *said = u->diag;
    uint32_t n = used;
    for (u->diag = NULL; n < limit && n < UINT16_MAX; n++) {
        uint64_t word = 0;
        struct mpy_obj o;
        image_word(u->fw->image, table + (uint64_t)n * item, item, &word);
        bool ok = item == 2 ? word && word < u->fw->n_qstrs
                            : word && !unfreeze_obj(u, word, table, 0, &o);
        if (!ok) {
            break;
        }
    }
    u->diag = said;
    return n;
}

static enum diag_code unfreeze_qstrs(struct unfreeze *u)
{
    uint64_t table = u->frozen->qstr_table;
    uint32_t n = unfreeze_table_length(u, table, u->n_qstrs, 2);
    struct mpy_qstr *qstrs = ARENA_ARRAY(u->arena, struct mpy_qstr, n);
    if (!qstrs) {
        return diag_nomem(u->diag);
    }
    enum diag_code err = DIAG_OK;
    for (uint32_t i = 0; i < n && !err; i++) {
        uint64_t id;
        if (!image_word(u->fw->image, table + 2 * i, 2, &id)) {
            return unfreeze_fail(u, table + 2 * i, "qstr", "is not in the image");
        }
        err = unfreeze_qstr(u, id, table + 2 * i, &qstrs[i]);
    }
    u->module->qstrs = qstrs;
    u->module->n_qstr = n;
    return err;
}

static enum diag_code unfreeze_objs(struct unfreeze *u)
{
    uint64_t table = u->frozen->obj_table;
    unsigned item = u->fw->repr == FW_REPR_D ? 8 : u->fw->ptr;
    uint32_t n = unfreeze_table_length(u, table, u->n_objs, item);
    struct mpy_obj *objs = ARENA_ARRAY(u->arena, struct mpy_obj, n);
    if (!objs) {
        return diag_nomem(u->diag);
    }
    enum diag_code err = DIAG_OK;
    for (uint32_t i = 0; i < n && !err; i++) {
        uint64_t word, at = table + (uint64_t)i * item;
        if (!image_word(u->fw->image, at, item, &word)) {
            return unfreeze_fail(u, at, "constant", "is not in the image");
        }
        err = unfreeze_obj(u, word, at, 0, &objs[i]);
    }
    u->module->objs = objs;
    u->module->n_obj = n;
    return err;
}

static void unfreeze_header(struct unfreeze *u)
{
    const struct firmware *fw = u->fw;
    unsigned bits = fw->small_int_bits ? fw->small_int_bits : UNFREEZE_INTS;
    u->module->small_int_bits =
        (uint8_t)(u->wide_ints || bits < UNFREEZE_INTS ? bits : UNFREEZE_INTS);
    if (u->native) {
        u->module->arch = fw->mpy_arch;
        u->module->sub_version = fw->profile->mpy_sub_version;
    }
}

enum diag_code firmware_unfreeze(const struct firmware *fw, const struct fw_module *m,
                                 struct arena *a, struct diag *d, struct mpy_module **out)
{
    struct unfreeze u = {.fw = fw, .frozen = m, .arena = a, .diag = d, .budget = UNFREEZE_BUDGET};
    struct unfreeze_walk w = {.u = &u};
    if (m->kind != FW_MODULE_MPY || !fw->profile) {
        return diag_set(d, DIAG_NO, fw->image->name,
                        "%s is not frozen code of MicroPython 1.18 or newer", m->name);
    }
    u.module = ARENA_NEW(a, struct mpy_module);
    struct mpy_code *root = NULL;
    enum diag_code err = u.module ? DIAG_OK : diag_nomem(d);
    err = err ? err : unfreeze_fun(&w, m->code, 0, &root);
    if (err) {
        return err;
    }
    if (u.n_starts) {
        qsort(u.starts, u.n_starts, sizeof *u.starts, unfreeze_compare);
    }
    unfreeze_ends(&w);
    u.module->root = root;
    unfreeze_header(&u);
    if (!fw->profile->frozen_module_t) {
        err = unfreeze_v5_finish(&w);
        *out = err ? NULL : u.module;
        return err;
    }
    err = unfreeze_qstrs(&u);
    err = err ? err : unfreeze_objs(&u);
    *out = err ? NULL : u.module;
    return err;
}
