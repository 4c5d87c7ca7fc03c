// Opcodes and the decoding of one bytecode instruction. The list itself is opcode.def.
#ifndef FORMAT_MPY_OPCODE_H
#define FORMAT_MPY_OPCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/mpy/mpy.h"

enum mpy_arg {
    MPY_ARG_NONE,
    MPY_ARG_QSTR,            // varuint, in version 5 two bytes: index into the module's qstr table
    MPY_ARG_OBJ,             // varuint: index into the constants, see mpy_code_objs
    MPY_ARG_CHILD,           // varuint: index into the function's children
    MPY_ARG_CHILD_CELLS,     // the same, then a byte: number of cells closed over
    MPY_ARG_INT,             // signed variable-length integer
    MPY_ARG_UINT,            // varuint
    MPY_ARG_LOCAL,           // varuint: index of a local variable
    MPY_ARG_CELL,            // varuint: index of a local variable that is a cell
    MPY_ARG_CALL,            // varuint: positional arguments | keyword arguments << 8
    MPY_ARG_JUMP_SIGNED,     // 1 or 2 bytes, relative to the end of the offset, biased
    MPY_ARG_JUMP_UNSIGNED,   // 1 or 2 bytes, forward; both always 2 in version 5
    MPY_ARG_UNWIND,          // signed jump, then a byte: handlers to unwind | 0x80 = out of a for
    MPY_ARG_IN_OPCODE,       // part of the opcode
    MPY_ARG_LOCAL_IN_OPCODE, // part of the opcode: index of a local variable
};

enum mpy_op {
#define OP(name, first, count, arg, before, after, jumped) MPY_OP_##name = first,
#include "format/mpy/opcode.def"
};

enum {
    MPY_OP_LAST_INT = 0xaf, // last byte of LOAD_CONST_SMALL_INT_MULTI
    MPY_OP_INT_EXCESS = 16, // its first byte loads -16
    MPY_ITER_SLOTS = 4,     // stack entries of an iterator
    MPY_UNARY_OPS = 4,
    MPY_BINARY_OPS = 35,
};

struct mpy_op_info {
    const char *name;
    uint8_t first, count;
    uint8_t arg;                         // enum mpy_arg
    const char *before, *after, *jumped; // see opcode.def
};

// The opcode that a byte belongs to, or NULL if the VM knows none.
const struct mpy_op_info *mpy_op_info(uint8_t byte);
// "__add__", "<in>" ...: what UNARY_OP_MULTI and BINARY_OP_MULTI do; op from 0.
const char *mpy_unary_name(unsigned op);
const char *mpy_binary_name(unsigned op);

struct mpy_insn {
    uint32_t at;    // offset of the opcode byte in the code
    uint32_t size;  // bytes, argument included
    uint8_t byte;   // the opcode byte
    enum mpy_op op; // of its family: the first byte
    const struct mpy_op_info *info;
    int64_t arg;    // INT: value. JUMP, UNWIND: displacement. Others: index, count or bits
    int64_t target; // JUMP, UNWIND: offset of the destination, not checked
    uint8_t extra;  // CHILD_CELLS, UNWIND: the extra byte
};

// Decodes the instruction at code[at]; v5 is that of the function. False when the opcode is
// unknown, the instruction runs past size, or its argument does not fit 32 bits.
bool mpy_insn_decode(const uint8_t *code, size_t size, size_t at, const struct mpy_v5 *v5,
                     struct mpy_insn *out);

#endif
