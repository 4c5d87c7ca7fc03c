// The passes in order.
#include "packer/compiler/compiler.h"

#include <string.h>

#include "packer/compiler/emit.h"
#include "packer/compiler/parser.h"

enum {
    COMPILER_SMALL_INT_BITS = 31,
    // Nodes within nodes: they take up to 200 bytes of C stack each, so that 8 MB hold them all. A
    // smaller stack ends earlier, with the same error.
    COMPILER_MAX_DEPTH = 25000,
    COMPILER_FORGET = 4096,      // scopes
    COMPILER_SIZE_MAX = 1 << 28, // marks keep lines and labels in 28 bits
};

static void compiler_defaults(struct unit *u, const struct compiler_options *options)
{
    struct compiler_options *o = &u->options;
    if (options) {
        *o = *options;
    }
    if (!o->release) {
        for (unsigned i = 0; compiler_release_at(i); i++) {
            o->release = compiler_release_at(i);
        }
    }
    o->source_name = o->source_name ? o->source_name : u->file;
    o->small_int_bits = o->small_int_bits ? o->small_int_bits : COMPILER_SMALL_INT_BITS;
    o->max_depth = o->max_depth ? o->max_depth : COMPILER_MAX_DEPTH;
    u->release = o->release;
    if (o->trace) {
        *o->trace = (struct compiler_trace){0};
    }
}

// CR LF and CR become LF. Since 1.28 a NUL is a byte 1, which no token has.
static size_t compiler_normalise(struct unit *u, uint8_t *to, const uint8_t *from, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = from[i];
        if (c == '\r') {
            c = '\n';
            i += i + 1 < size && from[i + 1] == '\n';
        } else if (c == 0 && u->release->fstring_in_place) {
            c = 1;
        }
        to[n++] = c;
    }
    return n;
}

static void compiler_text(struct unit *u, const void *source, size_t size)
{
    if (size > COMPILER_SIZE_MAX) {
        unit_raise(u, "MemoryError", UNIT_NOWHERE, "the script is too large");
    }
    bool plain = size && !memchr(source, '\r', size) && !memchr(source, 0, size);
    if (plain && u->options.padded && ((const char *)source)[size - 1] == '\n') {
        u->text = source;
        u->size = size;
        u->in_place = true;
        return;
    }
    uint8_t *text = arena_alloc(&u->work, size + 1 + UNIT_TEXT_PAD);
    size_t n = size;
    if (size && !plain) {
        n = compiler_normalise(u, text, source, size);
    } else if (size) {
        memcpy(text, source, size);
    }
    if (n ? text[n - 1] != '\n' : !u->release->fstring_in_place) {
        text[n++] = '\n';
    }
    memset(text + n, 0, UNIT_TEXT_PAD);
    u->text = text;
    u->size = n;
}

static const struct mpy_qstr *compiler_qstrs(struct unit *u, const struct codegen *c)
{
    struct mpy_qstr *qstrs = arena_alloc(u->out, c->qstrs.n * sizeof *qstrs);
    for (size_t i = 0; i < c->qstrs.n; i++) {
        uint32_t id = c->qstrs.at[i];
        const struct name *n = name_at(&u->names, id);
        const char *data = n->data;
        if (!u->in_place && unit_in_text(u, data)) {
            data = arena_pack(u->out, data, n->len);
        }
        qstrs[i] = (struct mpy_qstr){data, n->len, id <= MPY_STATIC_QSTRS ? (uint16_t)id : 0};
    }
    return qstrs;
}

static const struct mpy_obj *compiler_objs(struct unit *u)
{
    const struct values *v = &u->values;
    struct mpy_obj *objs = arena_alloc(u->out, v->n_table * sizeof *objs);
    for (uint32_t i = 0; i < v->n_table; i++) {
        objs[i] = value_to_obj(u, &v->at[v->table[i]]);
    }
    return objs;
}

static struct mpy_module *compiler_module(struct unit *u, const struct mpy_code *codes)
{
    struct mpy_module *m = ARENA_NEW(u->out, struct mpy_module);
    arena_drop(&u->work, u->names.table); // nothing is looked up any more
    arena_drop(&u->work, u->values.index);
    m->small_int_bits = (uint8_t)u->options.small_int_bits;
    m->n_qstr = (uint32_t)u->codegen->qstrs.n;
    m->qstrs = compiler_qstrs(u, u->codegen);
    m->n_obj = u->values.n_table;
    m->objs = compiler_objs(u);
    m->root = &codes[0];
    return m;
}

// A scope is not needed any more when its code is there: memory goes back while that of the code
// grows.
static void compiler_forget(struct emit *e, uint32_t done)
{
    struct scope *scopes = e->c->scopes.at;
    if (done - e->forgotten >= COMPILER_FORGET) {
        arena_forget(&e->u->work, scopes, e->forgotten * sizeof *scopes, done * sizeof *scopes);
        e->forgotten = done;
    }
}

static const struct mpy_code *compiler_emit(struct unit *u)
{
    struct emit *e = ARENA_NEW(&u->work, struct emit);
    const struct emitter *emitter = &emitter_bytecode;
    struct codegen *c = u->codegen;
    e->u = u;
    e->c = c;
    e->codes = arena_alloc(u->out, c->scopes.n * sizeof *e->codes);
    emitter->begin(e);
    for (uint32_t i = 0; i < c->scopes.n; i++) {
        e->codes[i] = (struct mpy_code){0};
        emitter->scope(e, i);
        compiler_forget(e, i + 1);
    }
    return e->codes;
}

static void compiler_passes(struct unit *u, const void *source, size_t size, struct ast *ast,
                            struct mpy_module **out)
{
    compiler_text(u, source, size);
    names_init(u);
    name_intern(u, u->file, strlen(u->file));
    name_intern(u, u->options.source_name, strlen(u->options.source_name));
    parse(u, ast);
    codegen(u, ast);
    words_free(u, &ast->words); // the emitters need only the operations
    *out = compiler_module(u, compiler_emit(u));
}

// What a jump out of the passes must find: not on the stack, where it may be lost.
struct compiler_run {
    struct unit u;
    struct ast ast;
    jmp_buf memory;
};

enum diag_code compiler_tree(const void *source, size_t size, const char *file,
                             const struct compiler_options *options, struct arena *a,
                             struct diag *d, struct mpy_module **out)
{
    struct compiler_run *run = arena_resize(a, NULL, sizeof *run);
    if (!run) {
        return diag_nomem(d);
    }
    memset(run, 0, sizeof *run);
    struct unit *u = &run->u;
    jmp_buf *outer = a->on_fail;
    u->file = file ? file : "<string>";
    u->out = a;
    u->diag = d;
    arena_init_inside(&u->work, a);
    compiler_defaults(u, options);
    a->on_fail = u->work.on_fail = &run->memory;
    if (setjmp(run->memory)) {
        u->code = diag_nomem(d);
    } else if (!setjmp(u->fail)) {
        compiler_passes(u, source, size, &run->ast, out);
    }
    a->on_fail = outer;
    enum diag_code code = u->code;
    arena_free(&u->work);
    arena_drop(a, run);
    return code;
}

enum diag_code compiler_mpy(const void *source, size_t size, const char *file,
                            const struct compiler_options *options, struct arena *a, struct diag *d,
                            struct bytes_out *out)
{
    struct mpy_module *module = NULL;
    enum diag_code err = compiler_tree(source, size, file, options, a, d, &module);
    if (!err) {
        mpy_write(module, out);
        err = bytes_out_check(out, d);
    }
    return err;
}
