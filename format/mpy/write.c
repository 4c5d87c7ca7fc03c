// A code tree to the bytes of a .mpy file.
//
// Facts: MicroPython py/persistentcode.c (mp_raw_code_save), releases 1.19 to 1.29.
#include <stdlib.h>

#include "format/mpy/mpy.h"
#include "format/mpy/v5.h"

enum {
    WRITE_LEVELS = 16, // of functions in functions that have room at once
    WRITE_FLAG_ARCH_FLAGS = 0x40,
    // Scope flags of viper code that say which parts of a natmod payload follow it.
    WRITE_VIPER_RELOCS = 0x10,
    WRITE_VIPER_RODATA = 0x20,
    WRITE_VIPER_BSS = 0x40,
};

static void write_header(const struct mpy_module *m, struct bytes_out *out)
{
    uint8_t feature = (uint8_t)((unsigned)m->arch << 2 | m->sub_version);
    if (m->has_arch_flags) {
        feature |= WRITE_FLAG_ARCH_FLAGS;
    }
    const uint8_t header[] = {'M', MPY_VERSION, feature, m->small_int_bits};
    bytes_put(out, header, sizeof header);
    if (m->has_arch_flags) {
        bytes_put_varuint(out, m->arch_flags);
    }
}

static void write_qstr(const struct mpy_qstr *q, struct bytes_out *out)
{
    if (q->static_id) {
        bytes_put_varuint(out, (uint64_t)q->static_id << 1 | 1);
        return;
    }
    bytes_put_varuint(out, (uint64_t)q->len << 1);
    bytes_put(out, q->data, q->len);
    bytes_put_u8(out, 0);
}

static void write_obj(const struct mpy_obj *o, struct bytes_out *out)
{
    bytes_put_u8(out, (uint8_t)o->kind);
    switch (o->kind) {
    case MPY_OBJ_STR:
    case MPY_OBJ_BYTES:
        bytes_put_varuint(out, o->len);
        bytes_put(out, o->data, o->len);
        bytes_put_u8(out, 0);
        break;
    case MPY_OBJ_INT:
    case MPY_OBJ_FLOAT:
    case MPY_OBJ_COMPLEX:
        bytes_put_varuint(out, o->len);
        bytes_put(out, o->data, o->len);
        break;
    case MPY_OBJ_TUPLE:
        bytes_put_varuint(out, o->len);
        for (uint32_t i = 0; i < o->len; i++) {
            write_obj(&o->items[i], out); // as deep as the tree's maker allowed
        }
        break;
    default:
        break; // the kind says it all
    }
}

static void write_natmod(const struct mpy_code *c, struct bytes_out *out)
{
    if (mpy_machine(c)->scope_flags & WRITE_VIPER_RODATA) {
        bytes_put_varuint(out, mpy_machine(c)->rodata_size);
    }
    if (mpy_machine(c)->scope_flags & WRITE_VIPER_BSS) {
        bytes_put_varuint(out, mpy_machine(c)->bss_size);
    }
    if (mpy_machine(c)->scope_flags & WRITE_VIPER_RODATA) {
        bytes_put(out, mpy_machine(c)->rodata, mpy_machine(c)->rodata_size);
    }
    if (mpy_machine(c)->scope_flags & WRITE_VIPER_RELOCS) {
        bytes_put(out, mpy_machine(c)->relocs, mpy_machine(c)->relocs_size);
    }
}

static void write_code_extra(const struct mpy_code *c, struct bytes_out *out)
{
    switch (c->kind) {
    case MPY_CODE_BYTECODE:
        break;
    case MPY_CODE_NATIVE:
        bytes_put_varuint(out, mpy_machine(c)->prelude_offset);
        break;
    case MPY_CODE_VIPER:
        bytes_put_varuint(out, mpy_machine(c)->scope_flags);
        write_natmod(c, out);
        break;
    case MPY_CODE_ASM:
        bytes_put_varuint(out, mpy_machine(c)->scope_flags);
        bytes_put_varuint(out, mpy_machine(c)->n_pos_args);
        bytes_put_varuint(out, mpy_machine(c)->type_sig);
        break;
    }
}

static void write_one_code(const struct mpy_code *c, struct bytes_out *out)
{
    bool children = c->n_children > 0;
    bytes_put_varuint(out, (uint64_t)c->size << 3 | (uint64_t)children << 2 | (unsigned)c->kind);
    bytes_put(out, c->data, c->size);
    write_code_extra(c, out);
    if (children) {
        bytes_put_varuint(out, c->n_children);
    }
}

// Code whose children are being written.
struct write_level {
    const struct mpy_code *code;
    uint32_t next; // child
};

struct write_levels {
    struct write_level *at;
    size_t n, cap;
};

static bool write_push(struct write_levels *l, const struct mpy_code *c)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : WRITE_LEVELS;
        struct write_level *at = realloc(l->at, cap * sizeof *at);
        if (!at) {
            return false;
        }
        l->at = at;
        l->cap = cap;
    }
    l->at[l->n++] = (struct write_level){c, 0};
    return true;
}

// Depth first. Not by recursion: functions in functions may be thousands deep.
static void write_code(const struct mpy_code *root, struct bytes_out *out)
{
    struct write_levels l = {0};
    const struct mpy_code *c = root;
    while (c) {
        write_one_code(c, out);
        if (c->n_children && !write_push(&l, c)) {
            out->failed = true;
            break;
        }
        while (l.n && l.at[l.n - 1].next == l.at[l.n - 1].code->n_children) {
            l.n--;
        }
        c = NULL;
        if (l.n) {
            struct write_level *top = &l.at[l.n - 1];
            c = top->code->children[top->next++];
        }
    }
    free(l.at);
}

void mpy_write(const struct mpy_module *m, struct bytes_out *out)
{
    if (m->v5) {
        v5_write(m, out);
        return;
    }
    write_header(m, out);
    bytes_put_varuint(out, m->n_qstr);
    bytes_put_varuint(out, m->n_obj);
    for (uint32_t i = 0; i < m->n_qstr; i++) {
        write_qstr(&m->qstrs[i], out);
    }
    for (uint32_t i = 0; i < m->n_obj; i++) {
        write_obj(&m->objs[i], out);
    }
    write_code(m->root, out);
}
