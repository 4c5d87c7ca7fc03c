#include "format/mpy/opcode.h"

static const struct mpy_op_info mpy_ops[] = {
#define OP(name, first, count, arg, before, after, jumped)                                         \
    {#name, first, count, MPY_ARG_##arg, before, after, jumped},
#include "format/mpy/opcode.def"
};

enum { // rows of mpy_ops
#define OP(name, first, count, arg, before, after, jumped) MPY_ROW_##name,
#include "format/mpy/opcode.def"
};

const struct mpy_op_info *mpy_op_info(uint8_t byte)
{
    // The row of each byte + 1; 0 = none.
    static const uint8_t rows[256] = {
#define OP(name, first, count, arg, before, after, jumped)                                         \
    [first...(first) + (count)-1] = MPY_ROW_##name + 1,
#include "format/mpy/opcode.def"
    };
    return rows[byte] ? &mpy_ops[rows[byte] - 1] : NULL;
}

const char *mpy_unary_name(unsigned op)
{
    static const char *const names[MPY_UNARY_OPS] = {"__pos__", "__neg__", "__invert__", "<not>"};
    return op < MPY_UNARY_OPS ? names[op] : "?";
}

const char *mpy_binary_name(unsigned op)
{
    static const char *const names[MPY_BINARY_OPS] = {
        "__lt__",        "__gt__",       "__eq__",
        "__le__",        "__ge__",       "__ne__",
        "<in>",          "<is>",         "<exception match>",
        "__ior__",       "__ixor__",     "__iand__",
        "__ilshift__",   "__irshift__",  "__iadd__",
        "__isub__",      "__imul__",     "__imatmul__",
        "__ifloordiv__", "__itruediv__", "__imod__",
        "__ipow__",      "__or__",       "__xor__",
        "__and__",       "__lshift__",   "__rshift__",
        "__add__",       "__sub__",      "__mul__",
        "__matmul__",    "__floordiv__", "__truediv__",
        "__mod__",       "__pow__"};
    return op < MPY_BINARY_OPS ? names[op] : "?";
}

// Both kinds have the most significant 7 bits first; *at moves behind the last byte.
static bool mpy_insn_uint(const uint8_t *code, size_t size, size_t *at, int64_t *out)
{
    uint64_t v = 0;
    while (*at < size && v <= UINT32_MAX >> 7) {
        uint8_t b = code[(*at)++];
        v = v << 7 | (b & 0x7f);
        if (!(b & 0x80)) {
            *out = (int64_t)v;
            return true;
        }
    }
    return false;
}

// Bit 6 of the first byte is the sign.
static bool mpy_insn_int(const uint8_t *code, size_t size, size_t *at, int64_t *out)
{
    int64_t v = *at < size && (code[*at] & 0x40) ? -1 : 0;
    while (*at < size && v <= INT64_MAX / 128 && v >= INT64_MIN / 128) {
        uint8_t b = code[(*at)++];
        v = v * 128 + (b & 0x7f);
        if (!(b & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool mpy_insn_jump(const uint8_t *code, size_t size, size_t *at, bool is_signed,
                          int64_t *out)
{
    if (*at >= size) {
        return false;
    }
    uint8_t b = code[(*at)++];
    if (!(b & 0x80)) {
        *out = (int64_t)b - (is_signed ? 0x40 : 0);
        return true;
    }
    if (*at >= size) {
        return false;
    }
    *out = (int64_t)((b & 0x7f) | code[(*at)++] << 7) - (is_signed ? 0x4000 : 0);
    return true;
}

// Version 5: qstrs and offsets of jumps take two bytes; the constants of a function are counted
// behind its argument names, its children behind its constants.
static bool mpy_insn_arg_v5(const uint8_t *code, size_t size, size_t *at, const struct mpy_v5 *v5,
                            struct mpy_insn *i)
{
    enum mpy_arg kind = i->info->arg;
    if (kind == MPY_ARG_OBJ || kind == MPY_ARG_CHILD || kind == MPY_ARG_CHILD_CELLS) {
        bool ok = mpy_insn_uint(code, size, at, &i->arg);
        i->arg -= (int64_t)v5->n_args + (kind == MPY_ARG_OBJ ? 0 : v5->n_objs);
        return ok && i->arg >= 0;
    }
    if (size - *at < 2) {
        return false;
    }
    i->arg = ld16(code + *at);
    *at += 2;
    if (kind == MPY_ARG_JUMP_SIGNED || kind == MPY_ARG_UNWIND ||
        i->op == MPY_OP_JUMP_IF_TRUE_OR_POP || i->op == MPY_OP_JUMP_IF_FALSE_OR_POP) {
        i->arg -= 0x8000;
    }
    return true;
}

static bool mpy_insn_arg(const uint8_t *code, size_t size, size_t *at, struct mpy_insn *i)
{
    switch (i->info->arg) {
    case MPY_ARG_NONE:
        return true;
    case MPY_ARG_IN_OPCODE:
    case MPY_ARG_LOCAL_IN_OPCODE:
        i->arg = i->byte - i->info->first;
        if (i->op == MPY_OP_LOAD_CONST_SMALL_INT_MULTI) {
            i->arg -= MPY_OP_INT_EXCESS;
        }
        return true;
    case MPY_ARG_INT:
        return mpy_insn_int(code, size, at, &i->arg);
    case MPY_ARG_JUMP_SIGNED:
    case MPY_ARG_UNWIND:
        return mpy_insn_jump(code, size, at, true, &i->arg);
    case MPY_ARG_JUMP_UNSIGNED:
        return mpy_insn_jump(code, size, at, false, &i->arg);
    default:
        return mpy_insn_uint(code, size, at, &i->arg);
    }
}

// Arguments whose bytes or meaning are others in version 5.
static bool mpy_insn_differs(enum mpy_arg kind)
{
    return kind == MPY_ARG_QSTR || kind == MPY_ARG_OBJ || kind == MPY_ARG_CHILD ||
           kind == MPY_ARG_CHILD_CELLS || kind == MPY_ARG_JUMP_SIGNED ||
           kind == MPY_ARG_JUMP_UNSIGNED || kind == MPY_ARG_UNWIND;
}

bool mpy_insn_decode(const uint8_t *code, size_t size, size_t at, const struct mpy_v5 *v5,
                     struct mpy_insn *out)
{
    if (at >= size) {
        return false;
    }
    *out = (struct mpy_insn){.at = (uint32_t)at, .byte = code[at], .info = mpy_op_info(code[at])};
    if (!out->info) {
        return false;
    }
    out->op = (enum mpy_op)out->info->first;
    size_t end = at + 1;
    if (!(v5 && mpy_insn_differs(out->info->arg) ? mpy_insn_arg_v5(code, size, &end, v5, out)
                                                 : mpy_insn_arg(code, size, &end, out))) {
        return false;
    }
    out->target = (int64_t)end + out->arg;
    if (out->info->arg == MPY_ARG_CHILD_CELLS || out->info->arg == MPY_ARG_UNWIND) {
        if (end >= size) {
            return false;
        }
        out->extra = code[end++];
    }
    out->size = (uint32_t)(end - at);
    return true;
}
