// A code tree to the bytes of .mpy version 5.
#include <string.h>

#include "format/mpy/opcode.h"
#include "format/mpy/prelude.h"
#include "format/mpy/v5.h"

struct v5_writer {
    const struct mpy_module *module;
    struct bytes_out *out;
    uint32_t window[V5_WINDOW]; // the last one used first; UINT32_MAX = none yet
};

const struct mpy_obj *mpy_code_objs(const struct mpy_module *m, const struct mpy_code *c,
                                    uint32_t *n)
{
    *n = c->v5 ? c->v5->n_objs : m->n_obj;
    return c->v5 ? c->v5->objs : m->objs;
}

// A static string, the place of one in the window, or its text.
static void v5_put_qstr(struct v5_writer *w, uint32_t index)
{
    const struct mpy_qstr *q = &w->module->qstrs[index];
    unsigned place = 0;
    if (q->static_id) {
        bytes_put_u8(w->out, 0);
        bytes_put_u8(w->out, (uint8_t)q->static_id);
        return;
    }
    while (place < V5_WINDOW && w->window[place] != index) {
        place++;
    }
    if (place < V5_WINDOW) {
        bytes_put_varuint(w->out, (uint64_t)place << 1 | 1);
    } else {
        bytes_put_varuint(w->out, (uint64_t)q->len << 1);
        bytes_put(w->out, q->data, q->len);
        place = V5_WINDOW - 1;
    }
    memmove(&w->window[1], &w->window[0], place * sizeof *w->window);
    w->window[0] = index;
}

static void v5_put_obj(struct v5_writer *w, const struct mpy_obj *o)
{
    static const char types[] = {
        [MPY_OBJ_ELLIPSIS] = 'e', [MPY_OBJ_STR] = 's',   [MPY_OBJ_BYTES] = 'b',
        [MPY_OBJ_INT] = 'i',      [MPY_OBJ_FLOAT] = 'f', [MPY_OBJ_COMPLEX] = 'c'};
    char type = o->kind < sizeof types ? types[o->kind] : 0;
    if (!type) { // nothing else is in a tree of version 5
        w->out->failed = true;
        return;
    }
    bytes_put_u8(w->out, (uint8_t)type);
    if (o->kind != MPY_OBJ_ELLIPSIS) {
        bytes_put_varuint(w->out, o->len);
        bytes_put(w->out, o->data, o->len);
    }
}

// A function's bytes, each pair that is a qstr as a string.
static void v5_put_bytecode(struct v5_writer *w, const struct mpy_code *c)
{
    struct mpy_prelude p;
    struct mpy_insn i;
    if (mpy_prelude_of(c, &p)) {
        w->out->failed = true;
        return;
    }
    bytes_put(w->out, c->data, p.names);
    v5_put_qstr(w, p.name);
    v5_put_qstr(w, p.source);
    bytes_put(w->out, c->data + p.lines, p.code - p.lines);
    for (uint32_t at = p.code; at < c->size; at += i.size) {
        if (!mpy_insn_decode(c->data, c->size, at, c->v5, &i)) {
            w->out->failed = true;
            return;
        }
        if (i.info->arg == MPY_ARG_QSTR) {
            bytes_put_u8(w->out, i.byte);
            v5_put_qstr(w, (uint32_t)i.arg);
        } else {
            bytes_put(w->out, c->data + at, i.size);
        }
    }
}

// Machine code with what the file has in it where the two strings of its prelude are.
static void v5_put_machine(struct v5_writer *w, const struct mpy_code *c)
{
    const struct mpy_machine *m = mpy_machine(c);
    struct mpy_prelude p = {.names = c->size};
    bool native = c->kind == MPY_CODE_NATIVE;
    if (c->v5->links_lost || (native && mpy_prelude_of(c, &p))) {
        w->out->failed = true;
        return;
    }
    bytes_put(w->out, c->data, p.names);
    if (native) {
        bytes_put(w->out, c->v5->names, sizeof c->v5->names);
        bytes_put(w->out, c->data + p.lines, c->size - p.lines);
    }
    if (c->kind != MPY_CODE_ASM) {
        bytes_put_varuint(w->out, c->v5->n_links);
    }
    for (uint32_t i = 0; i < c->v5->n_links; i++) {
        bytes_put_varuint(w->out, c->v5->links[i].at);
        v5_put_qstr(w, c->v5->links[i].qstr);
    }
    if (native) {
        bytes_put_varuint(w->out, m->prelude_offset);
        v5_put_qstr(w, p.name);
        v5_put_qstr(w, p.source);
        return;
    }
    bytes_put_varuint(w->out, m->scope_flags);
    if (c->kind == MPY_CODE_ASM) {
        bytes_put_varuint(w->out, m->n_pos_args);
        bytes_put_varuint(w->out, m->type_sig);
    }
}

static void v5_put_code(struct v5_writer *w, const struct mpy_code *c)
{
    bytes_put_varuint(w->out, (uint64_t)c->size << 2 | c->kind);
    (c->kind == MPY_CODE_BYTECODE ? v5_put_bytecode : v5_put_machine)(w, c);
    if (c->kind == MPY_CODE_ASM) {
        return;
    }
    bytes_put_varuint(w->out, c->v5->n_objs);
    bytes_put_varuint(w->out, c->n_children);
    for (uint32_t i = 0; i < c->v5->n_args; i++) {
        v5_put_qstr(w, c->v5->args[i]);
    }
    for (uint32_t i = 0; i < c->v5->n_objs; i++) {
        v5_put_obj(w, &c->v5->objs[i]);
    }
    for (uint32_t i = 0; i < c->n_children; i++) {
        v5_put_code(w, c->children[i]); // as deep as the tree's maker allowed
    }
}

const struct mpy_code *mpy_v5_lost(const struct mpy_code *c)
{
    if (c->v5 && c->v5->links_lost) {
        return c;
    }
    const struct mpy_code *lost = NULL;
    for (uint32_t i = 0; c->v5 && i < c->n_children && !lost; i++) {
        lost = mpy_v5_lost(c->children[i]);
    }
    return lost;
}

void v5_write(const struct mpy_module *m, struct bytes_out *out)
{
    struct v5_writer w = {.module = m, .out = out};
    const uint8_t header[] = {'M', MPY_VERSION_OLD,
                              (uint8_t)((unsigned)m->arch << 2 | m->sub_version), m->small_int_bits,
                              V5_WINDOW};
    memset(w.window, 0xff, sizeof w.window);
    bytes_put(out, header, sizeof header);
    v5_put_code(&w, m->root);
}
