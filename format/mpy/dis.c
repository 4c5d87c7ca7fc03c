#include "format/mpy/dis.h"

#include "format/mpy/opcode.h"
#include "format/mpy/prelude.h"

enum {
    DIS_OPERAND = 60,     // characters of a string shown beside an instruction
    DIS_CONSTANT = 240,   // of one in the table of constants
    DIS_ROW = 16,         // bytes in a row of machine code
    DIS_HEX = 5,          // bytes shown of an instruction; none is longer but large integers
    DIS_NAME_COLUMN = 24, // width of an instruction's name
};

// One function, ready to be listed.
struct dis_fun {
    const struct mpy_code *code;
    const char *wrong; // the prelude does not decode: why
    bool has_prelude;
    struct mpy_prelude p;
    uint8_t *labels; // one bit for each byte of code: a jump leads here
    uint32_t index, parent;
};

struct dis {
    const struct mpy_module *module;
    struct arena *arena;
    struct bytes_out *out; // text
    struct json *json;     // or JSON
    uint32_t next;         // index of the next function, in the order of the file
    enum diag_code failed;
};

const char *mpy_arch_name(enum mpy_arch arch)
{
    static const char *const names[] = {"none",      "x86",     "x64",       "armv6",     "armv6m",
                                        "armv7m",    "armv7em", "armv7emsp", "armv7emdp", "xtensa",
                                        "xtensawin", "rv32imc", "rv64imc",   "debug"};
    return (unsigned)arch < sizeof names / sizeof *names ? names[arch] : "unknown";
}

const char *mpy_code_kind_name(enum mpy_code_kind kind)
{
    static const char *const names[] = {"bytecode", "native", "viper", "asm"};
    return names[kind & 3];
}

const char *mpy_obj_kind_name(enum mpy_obj_kind kind)
{
    static const char *const names[] = {"fun_table", "None", "False", "True",    "Ellipsis", "str",
                                        "bytes",     "int",  "float", "complex", "tuple"};
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}

void mpy_dis_string(struct bytes_out *out, const void *data, size_t n, size_t max)
{
    const uint8_t *s = data;
    bytes_put_u8(out, '\'');
    for (size_t i = 0; i < n; i++) {
        if (i >= max) {
            bytes_printf(out, "'... (%zu bytes)", n);
            return;
        }
        if (s[i] == '\n') {
            bytes_put(out, "\\n", 2);
        } else if (s[i] == '\'' || s[i] == '\\') {
            bytes_put(out, (char[]){'\\', (char)s[i]}, 2);
        } else if (s[i] < 0x20 || s[i] > 0x7e) {
            bytes_printf(out, "\\x%02x", s[i]);
        } else {
            bytes_put_u8(out, s[i]);
        }
    }
    bytes_put_u8(out, '\'');
}

static void dis_tuple(struct bytes_out *out, const struct mpy_obj *o, size_t max)
{
    size_t start = out->size;
    bytes_put_u8(out, '(');
    for (uint32_t i = 0; i < o->len; i++) {
        if (out->size - start > max) {
            bytes_printf(out, "... (%u items)", o->len);
            break;
        }
        mpy_dis_obj(out, &o->items[i], max);
        bytes_put(out, ", ", i + 1 < o->len ? 2 : o->len == 1);
    }
    bytes_put_u8(out, ')');
}

void mpy_dis_obj(struct bytes_out *out, const struct mpy_obj *o, size_t max)
{
    switch (o->kind) {
    case MPY_OBJ_BYTES:
        bytes_put_u8(out, 'b');
        mpy_dis_string(out, o->data, o->len, max);
        return;
    case MPY_OBJ_STR:
        mpy_dis_string(out, o->data, o->len, max);
        return;
    case MPY_OBJ_INT:
    case MPY_OBJ_FLOAT:
    case MPY_OBJ_COMPLEX:
        bytes_put(out, o->data, o->len < max ? o->len : max);
        if (o->len >= max) {
            bytes_printf(out, "... (%u digits)", o->len);
        }
        return;
    case MPY_OBJ_TUPLE:
        dis_tuple(out, o, max);
        return;
    default:
        bytes_printf(out, "%s", mpy_obj_kind_name(o->kind));
    }
}

// Names are shown bare when they look like one, else quoted.
static bool dis_plain(const struct mpy_qstr *q)
{
    for (uint32_t i = 0; i < q->len; i++) {
        uint8_t c = (uint8_t)q->data[i];
        if (c <= 0x20 || c > 0x7e || c == '\'' || c == '\\' || c == ',') {
            return false;
        }
    }
    return q->len > 0 && q->len <= DIS_OPERAND;
}

static void dis_name(const struct dis *dis, struct bytes_out *out, int64_t index)
{
    if (index < 0 || index >= dis->module->n_qstr) {
        bytes_printf(out, "qstr %lld (there are %u)", (long long)index, dis->module->n_qstr);
        return;
    }
    const struct mpy_qstr *q = &dis->module->qstrs[index];
    if (dis_plain(q)) {
        bytes_put(out, q->data, q->len);
    } else {
        mpy_dis_string(out, q->data, q->len, DIS_OPERAND);
    }
}

static void dis_json_name(const struct dis *dis, const char *key, int64_t index)
{
    if (index < 0 || index >= dis->module->n_qstr) {
        json_null(dis->json, key);
    } else {
        json_strn(dis->json, key, dis->module->qstrs[index].data, dis->module->qstrs[index].len);
    }
}

// Marks the destination of every jump that lies within the code.
static bool dis_find_labels(struct dis *dis, struct dis_fun *f)
{
    uint32_t n = f->code->size - f->p.code;
    f->labels = arena_calloc(dis->arena, n / 8 + 1, 1);
    if (!f->labels) {
        return false;
    }
    struct mpy_insn i;
    for (uint32_t at = 0; at < n; at += i.size) {
        if (!mpy_insn_decode(f->code->data + f->p.code, n, at, f->code->v5, &i)) {
            i.size = 1;
            continue;
        }
        bool jumps = i.info->jumped != NULL;
        if (jumps && i.target >= 0 && i.target < n) {
            f->labels[i.target / 8] |= (uint8_t)(1 << i.target % 8);
        }
    }
    return true;
}

static bool dis_prepare(struct dis *dis, struct dis_fun *f)
{
    const struct mpy_code *c = f->code;
    f->has_prelude = c->kind == MPY_CODE_BYTECODE || c->kind == MPY_CODE_NATIVE;
    if (!f->has_prelude) {
        return true;
    }
    f->wrong = mpy_prelude_of(c, &f->p);
    if (f->wrong || c->kind == MPY_CODE_NATIVE) {
        return true;
    }
    return dis_find_labels(dis, f);
}

// The name of a child without decoding all of it; functions without a prelude have none.
static int64_t dis_fun_name(const struct mpy_code *c)
{
    struct mpy_prelude p;
    bool has = c->kind == MPY_CODE_BYTECODE || c->kind == MPY_CODE_NATIVE;
    bool named = has && !mpy_prelude_of(c, &p);
    return named ? (int64_t)p.name : -1;
}

static void dis_child(const struct dis *dis, struct bytes_out *out, const struct mpy_code *c)
{
    int64_t name = dis_fun_name(c);
    if (name < 0) {
        bytes_printf(out, "<%s>", mpy_code_kind_name(c->kind));
    } else {
        dis_name(dis, out, name);
    }
}

static void dis_constant(const struct dis *dis, const struct mpy_code *c, struct bytes_out *out,
                         int64_t index)
{
    uint32_t n;
    const struct mpy_obj *objs = mpy_code_objs(dis->module, c, &n);
    if (index < n) {
        mpy_dis_obj(out, &objs[index], DIS_OPERAND);
    } else {
        bytes_printf(out, "(there are %u)", n);
    }
}

// What the argument means, in words.
static void dis_operand(const struct dis *dis, const struct dis_fun *f, const struct mpy_insn *i,
                        struct bytes_out *out)
{
    switch (i->info->arg) {
    case MPY_ARG_NONE:
        break;
    case MPY_ARG_QSTR:
        dis_name(dis, out, i->arg);
        break;
    case MPY_ARG_OBJ:
        bytes_printf(out, "%lld: ", (long long)i->arg);
        dis_constant(dis, f->code, out, i->arg);
        break;
    case MPY_ARG_CHILD:
    case MPY_ARG_CHILD_CELLS:
        bytes_printf(out, "%lld: ", (long long)i->arg);
        if (i->arg < f->code->n_children) {
            dis_child(dis, out, f->code->children[i->arg]);
        } else {
            bytes_printf(out, "(there are %u)", f->code->n_children);
        }
        if (i->info->arg == MPY_ARG_CHILD_CELLS) {
            bytes_printf(out, ", %u cells", i->extra);
        }
        break;
    case MPY_ARG_CALL:
        bytes_printf(out, "%lld positional, %lld keyword", (long long)(i->arg & 0xff),
                     (long long)(i->arg >> 8));
        break;
    case MPY_ARG_JUMP_SIGNED:
    case MPY_ARG_JUMP_UNSIGNED:
        bytes_printf(out, "-> %lld", (long long)i->target);
        break;
    case MPY_ARG_UNWIND:
        bytes_printf(out, "-> %lld, %u handlers%s", (long long)i->target, i->extra & 0x7f,
                     i->extra & 0x80 ? ", out of a for" : "");
        break;
    default:
        bytes_printf(out, "%lld", (long long)i->arg);
        if (i->op == MPY_OP_UNARY_OP_MULTI || i->op == MPY_OP_BINARY_OP_MULTI) {
            bool unary = i->op == MPY_OP_UNARY_OP_MULTI;
            bytes_printf(out, " %s", (unary ? mpy_unary_name : mpy_binary_name)((unsigned)i->arg));
        }
    }
}

// "LOAD_FAST" for LOAD_FAST_MULTI.
static int dis_op_name_length(const struct mpy_insn *i)
{
    int n = (int)strlen(i->info->name);
    return i->info->count > 1 ? n - (int)strlen("_MULTI") : n;
}

static void dis_put_hex(struct bytes_out *out, const uint8_t *data, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        bytes_printf(out, i ? " %02x" : "%02x", data[i]);
    }
}

static void dis_pad(struct bytes_out *out, size_t line, size_t column)
{
    size_t is = out->size - line;
    bytes_fill(out, ' ', is < column ? column - is : 1);
}

static void dis_text_insn(struct dis *dis, const struct dis_fun *f, const struct mpy_insn *i)
{
    struct bytes_out *out = dis->out;
    const uint8_t *code = f->code->data + f->p.code;
    size_t line = out->size;
    bool label = f->labels[i->at / 8] >> i->at % 8 & 1;
    bytes_printf(out, "  %s %5u  ", label ? ">" : " ", i->at);
    dis_put_hex(out, code + i->at, i->size < DIS_HEX ? i->size : DIS_HEX);
    dis_pad(out, line, 11 + 3 * DIS_HEX);
    if (!i->info) {
        bytes_printf(out, "?\n");
        return;
    }
    line = out->size;
    bytes_put(out, i->info->name, (size_t)dis_op_name_length(i));
    if (i->info->arg != MPY_ARG_NONE) {
        dis_pad(out, line, DIS_NAME_COLUMN);
        dis_operand(dis, f, i, out);
    }
    bytes_put_u8(out, '\n');
}

static void dis_json_insn(struct dis *dis, const struct dis_fun *f, const struct mpy_insn *i,
                          uint32_t line)
{
    struct json *j = dis->json;
    json_object(j, NULL);
    json_uint(j, "offset", i->at);
    json_hex(j, "bytes", f->code->data + f->p.code + i->at, i->size);
    if (line) {
        json_uint(j, "line", line);
    }
    if (!i->info) {
        json_null(j, "op");
        json_object_end(j);
        return;
    }
    json_strn(j, "op", i->info->name, (size_t)dis_op_name_length(i));
    if (i->info->arg != MPY_ARG_NONE) {
        json_int(j, "arg", i->arg);
    }
    if (i->info->jumped) {
        json_int(j, "target", i->target);
    }
    if (i->info->arg == MPY_ARG_UNWIND || i->info->arg == MPY_ARG_CHILD_CELLS) {
        json_uint(j, "extra", i->extra);
    }
    if (i->info->arg == MPY_ARG_QSTR) {
        dis_json_name(dis, "qstr", i->arg);
    } else if (i->info->arg == MPY_ARG_OBJ || i->info->arg == MPY_ARG_IN_OPCODE) {
        struct bytes_out text;
        bytes_out_init(&text);
        dis_operand(dis, f, i, &text);
        json_strn(j, "text", text.data, text.size);
        bytes_out_free(&text);
    }
    json_object_end(j);
}

// Every instruction from the first byte to the last, with the line it belongs to.
static void dis_insns(struct dis *dis, const struct dis_fun *f)
{
    const uint8_t *data = f->code->data;
    uint32_t n = f->code->size - f->p.code, shown = 0;
    struct mpy_line_cursor cursor = {0};
    struct mpy_insn i;
    for (uint32_t at = 0; at < n; at += i.size) {
        uint32_t line = mpy_line_at(data, &f->p, &cursor, at);
        if (!mpy_insn_decode(data + f->p.code, n, at, f->code->v5, &i)) {
            i = (struct mpy_insn){.at = at, .size = 1, .byte = data[f->p.code + at]};
        }
        if (dis->json) {
            dis_json_insn(dis, f, &i, line);
            continue;
        }
        if (line != shown) {
            bytes_printf(dis->out, "  line %u\n", line);
            shown = line;
        }
        dis_text_insn(dis, f, &i);
    }
}

static void dis_text_flags(struct bytes_out *out, uint32_t flags)
{
    static const char *const names[] = {"generator", "**kwargs", "*args", "keyword defaults"};
    for (unsigned i = 0; i < 4; i++) {
        if (flags >> i & 1) {
            bytes_printf(out, ", %s", names[i]);
        }
    }
}

static void dis_text_constants(struct bytes_out *out, const struct mpy_obj *objs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        bytes_printf(out, "  constant %u: ", i);
        mpy_dis_obj(out, &objs[i], DIS_CONSTANT);
        bytes_put_u8(out, '\n');
    }
}

static void dis_text_args(const struct dis *dis, const struct dis_fun *f)
{
    uint32_t pos = 0, qstr, n = 0;
    while (mpy_prelude_arg(f->code, &f->p, &pos, &qstr)) {
        bytes_put(dis->out, n ? ", " : "  arguments ", n ? 2 : 12);
        dis_name(dis, dis->out, qstr);
        n++;
    }
    if (n) {
        bytes_put_u8(dis->out, '\n');
    }
}

static void dis_text_head(struct dis *dis, const struct dis_fun *f)
{
    struct bytes_out *out = dis->out;
    const struct mpy_code *c = f->code;
    bytes_printf(out, "\nfunction %u ", f->index);
    dis_child(dis, out, c);
    if (f->index) {
        bytes_printf(out, " in %u", f->parent);
    }
    bytes_printf(out, ": %s, %u bytes", mpy_code_kind_name(c->kind), c->size);
    if (c->at) {
        bytes_printf(out, " at 0x%llx", (unsigned long long)c->at);
    }
    bytes_put_u8(out, '\n');
    if (f->wrong) {
        bytes_printf(out, "  wrong prelude: %s\n", f->wrong);
    } else if (f->has_prelude) {
        bytes_printf(out, "  state %u, handlers %u, positional %u, keyword-only %u, defaults %u",
                     f->p.n_state, f->p.n_exc_stack, f->p.n_pos_args, f->p.n_kwonly_args,
                     f->p.n_def_pos_args);
        dis_text_flags(out, f->p.scope_flags);
        bytes_put_u8(out, '\n');
        dis_text_args(dis, f);
        if (c->v5) {
            dis_text_constants(out, c->v5->objs, c->v5->n_objs);
        }
        if (f->p.code > f->p.cells) {
            bytes_printf(out, "  cells ");
            dis_put_hex(out, c->data + f->p.cells, f->p.code - f->p.cells);
            bytes_put_u8(out, '\n');
        }
    } else {
        bytes_printf(out, "  scope flags 0x%x, arguments %u, type signature 0x%x\n",
                     mpy_machine(c)->scope_flags, mpy_machine(c)->n_pos_args,
                     mpy_machine(c)->type_sig);
    }
}

static void dis_json_args(struct dis *dis, const struct dis_fun *f)
{
    uint32_t pos = 0, qstr;
    json_array(dis->json, "args");
    while (mpy_prelude_arg(f->code, &f->p, &pos, &qstr)) {
        dis_json_name(dis, NULL, qstr);
    }
    json_array_end(dis->json);
}

static void dis_json_obj(struct json *j, const struct mpy_obj *o)
{
    json_object(j, NULL);
    json_str(j, "type", mpy_obj_kind_name(o->kind));
    if (o->kind == MPY_OBJ_BYTES) {
        json_hex(j, "value", o->data, o->len);
    } else if (o->kind == MPY_OBJ_TUPLE) {
        json_array(j, "items");
        for (uint32_t i = 0; i < o->len; i++) {
            dis_json_obj(j, &o->items[i]);
        }
        json_array_end(j);
    } else if (o->data) {
        json_strn(j, "value", o->data, o->len);
    }
    json_object_end(j);
}

static void dis_json_constants(struct json *j, const struct mpy_obj *objs, uint32_t n)
{
    json_array(j, "constants");
    for (uint32_t i = 0; i < n; i++) {
        dis_json_obj(j, &objs[i]);
    }
    json_array_end(j);
}

static void dis_json_head(struct dis *dis, const struct dis_fun *f)
{
    struct json *j = dis->json;
    const struct mpy_code *c = f->code;
    json_uint(j, "index", f->index);
    if (f->index) {
        json_uint(j, "parent", f->parent);
    }
    json_str(j, "kind", mpy_code_kind_name(c->kind));
    json_uint(j, "size", c->size);
    json_addr(j, "at", c->at);
    if (!f->has_prelude) {
        json_uint(j, "scope_flags", mpy_machine(c)->scope_flags);
        json_uint(j, "n_pos_args", mpy_machine(c)->n_pos_args);
        json_uint(j, "type_sig", mpy_machine(c)->type_sig);
        return;
    }
    if (f->wrong) {
        json_str(j, "wrong_prelude", f->wrong);
        return;
    }
    dis_json_name(dis, "name", f->p.name);
    json_uint(j, "n_state", f->p.n_state);
    json_uint(j, "n_exc_stack", f->p.n_exc_stack);
    json_uint(j, "scope_flags", f->p.scope_flags);
    json_uint(j, "n_pos_args", f->p.n_pos_args);
    json_uint(j, "n_kwonly_args", f->p.n_kwonly_args);
    json_uint(j, "n_def_pos_args", f->p.n_def_pos_args);
    dis_json_args(dis, f);
    json_hex(j, "cells", c->data + f->p.cells, f->p.code - f->p.cells);
    if (c->v5) {
        dis_json_constants(j, c->v5->objs, c->v5->n_objs);
    }
}

static void dis_rows(struct dis *dis, const char *what, const uint8_t *data, uint32_t n)
{
    if (dis->json) {
        json_hex(dis->json, what, data, n);
        return;
    }
    if (n) {
        bytes_printf(dis->out, "  %s\n", what);
    }
    for (uint32_t at = 0; at < n; at += DIS_ROW) {
        bytes_printf(dis->out, "    %5x  ", at);
        dis_put_hex(dis->out, data + at, n - at < DIS_ROW ? n - at : DIS_ROW);
        bytes_put_u8(dis->out, '\n');
    }
}

// The strings in machine code of version 5.
static void dis_links(struct dis *dis, const struct mpy_v5 *v5)
{
    if (dis->json) {
        json_array(dis->json, "strings");
    } else if (v5->n_links) {
        bytes_printf(dis->out, "  strings in the machine code\n");
    }
    for (uint32_t i = 0; i < v5->n_links; i++) {
        uint32_t at = v5->links[i].at / 4;
        if (dis->json) {
            json_object(dis->json, NULL);
            json_uint(dis->json, "offset", at);
            dis_json_name(dis, "name", v5->links[i].qstr);
            json_object_end(dis->json);
        } else {
            bytes_printf(dis->out, "    %5x  ", at);
            dis_name(dis, dis->out, v5->links[i].qstr);
            bytes_put_u8(dis->out, '\n');
        }
    }
    if (dis->json) {
        json_array_end(dis->json);
    }
}

static void dis_machine_code(struct dis *dis, const struct mpy_code *c)
{
    uint32_t n = c->kind == MPY_CODE_NATIVE ? mpy_machine(c)->prelude_offset : c->size;
    dis_rows(dis, "machine_code", c->data, n);
    if (c->v5) {
        dis_links(dis, c->v5);
    }
    if (mpy_machine(c)->rodata_size) {
        dis_rows(dis, "rodata", mpy_machine(c)->rodata, mpy_machine(c)->rodata_size);
    }
    if (mpy_machine(c)->relocs_size) {
        dis_rows(dis, "relocations", mpy_machine(c)->relocs, mpy_machine(c)->relocs_size);
    }
}

static void dis_body(struct dis *dis, const struct dis_fun *f)
{
    if (f->code->kind != MPY_CODE_BYTECODE) {
        dis_machine_code(dis, f->code);
    } else if (f->wrong) {
        dis_rows(dis, "bytes", f->code->data, f->code->size);
    } else if (dis->json) {
        json_array(dis->json, "instructions");
        dis_insns(dis, f);
        json_array_end(dis->json);
    } else {
        dis_insns(dis, f);
    }
}

// A function, then its children in order. As deep as the tree's maker allowed.
static void dis_function(struct dis *dis, const struct mpy_code *c, uint32_t parent)
{
    struct dis_fun f = {.code = c, .index = dis->next++, .parent = parent};
    if (!dis_prepare(dis, &f)) {
        dis->failed = DIAG_NOMEM;
        return;
    }
    if (dis->json) {
        json_object(dis->json, NULL);
        dis_json_head(dis, &f);
        dis_body(dis, &f);
        json_object_end(dis->json);
    } else {
        dis_text_head(dis, &f);
        dis_body(dis, &f);
    }
    for (uint32_t i = 0; i < c->n_children && !dis->failed; i++) {
        dis_function(dis, c->children[i], f.index);
    }
}

enum diag_code mpy_dis_text(const struct mpy_module *m, const char *name, struct arena *a,
                            struct bytes_out *out, struct diag *d)
{
    struct dis dis = {.module = m, .arena = a, .out = out};
    bytes_printf(out, "%s: source ", name);
    dis_name(&dis, out, m->source);
    bytes_printf(out, ", version %d.%u, architecture %s, small ints of %u bits\n",
                 m->v5 ? MPY_VERSION_OLD : MPY_VERSION, m->sub_version, mpy_arch_name(m->arch),
                 m->small_int_bits);
    if (m->has_arch_flags) {
        bytes_printf(out, "architecture flags 0x%x\n", m->arch_flags);
    }
    bytes_printf(out, "%u qstrs, %u constants\n", m->n_qstr, m->n_obj);
    dis_text_constants(out, m->objs, m->n_obj);
    dis_function(&dis, m->root, 0);
    return dis.failed ? diag_nomem(d) : bytes_out_check(out, d);
}

static void dis_json_tables(const struct mpy_module *m, struct json *j)
{
    json_array(j, "qstrs");
    for (uint32_t i = 0; i < m->n_qstr; i++) {
        json_strn(j, NULL, m->qstrs[i].data, m->qstrs[i].len);
    }
    json_array_end(j);
    dis_json_constants(j, m->objs, m->n_obj);
}

enum diag_code mpy_dis_json(const struct mpy_module *m, const char *name, struct arena *a,
                            struct json *j, struct diag *d)
{
    struct dis dis = {.module = m, .arena = a, .json = j};
    json_object(j, NULL);
    json_str(j, "name", name);
    json_uint(j, "version", m->v5 ? MPY_VERSION_OLD : MPY_VERSION);
    json_uint(j, "sub_version", m->sub_version);
    json_str(j, "arch", mpy_arch_name(m->arch));
    json_uint(j, "arch_flags", m->arch_flags);
    json_uint(j, "small_int_bits", m->small_int_bits);
    dis_json_tables(m, j);
    json_array(j, "functions");
    dis_function(&dis, m->root, 0);
    json_array_end(j);
    json_object_end(j);
    return dis.failed ? diag_nomem(d) : bytes_out_check(j->out, d);
}
