// The code of a scope between tree and machine: the calls upstream's compiler makes to its emitter,
// as a list. The tree is walked once; an emitter reads the list as often as it needs.
//
// A byte is an operation. Its argument and further numbers follow, in groups of seven bits, the
// lowest first.
#ifndef PACKER_COMPILER_IR_H
#define PACKER_COMPILER_IR_H

#include <stdint.h>

// How an operation's argument is encoded in bytecode.
enum ir_form {
    FORM_NONE,    // no argument
    FORM_BARE,    // the same, but see emit_bytecode.c; the others have an argument
    FORM_NAME,    // a name
    FORM_UINT,    // a number
    FORM_JUMP,    // a label
    FORM_SPECIAL, // see emit_bytecode.c
};

// X(operation, form, opcode, change of the stack)
#define IR_OPS(X)                                                                                  \
    X(LOAD_FALSE, FORM_NONE, 0x50, 1)                                                              \
    X(LOAD_NONE, FORM_NONE, 0x51, 1)                                                               \
    X(LOAD_TRUE, FORM_NONE, 0x52, 1)                                                               \
    X(LOAD_NULL, FORM_NONE, 0x53, 1)                                                               \
    X(LOAD_BUILD_CLASS, FORM_NONE, 0x54, 1)                                                        \
    X(LOAD_SUBSCR, FORM_NONE, 0x55, -1)                                                            \
    X(STORE_SUBSCR, FORM_NONE, 0x56, -3)                                                           \
    X(DUP_TOP, FORM_NONE, 0x57, 1)                                                                 \
    X(DUP_TOP_TWO, FORM_NONE, 0x58, 2)                                                             \
    X(POP_TOP, FORM_NONE, 0x59, -1)                                                                \
    X(ROT_TWO, FORM_NONE, 0x5a, 0)                                                                 \
    X(ROT_THREE, FORM_NONE, 0x5b, 0)                                                               \
    X(WITH_CLEANUP, FORM_NONE, 0x5c, 2)                                                            \
    X(END_FINALLY, FORM_NONE, 0x5d, -1)                                                            \
    X(GET_ITER, FORM_NONE, 0x5e, 0)                                                                \
    X(GET_ITER_STACK, FORM_NONE, 0x5f, 3)                                                          \
    X(STORE_MAP, FORM_NONE, 0x62, -2)                                                              \
    X(YIELD_VALUE, FORM_NONE, 0x67, 0)                                                             \
    X(YIELD_FROM, FORM_NONE, 0x68, -1)                                                             \
    X(IMPORT_STAR, FORM_NONE, 0x69, -1)                                                            \
    X(LOAD_CONST_STRING, FORM_NAME, 0x10, 1)                                                       \
    X(LOAD_GLOBAL, FORM_NAME, 0x12, 1)                                                             \
    X(LOAD_ATTR, FORM_NAME, 0x13, 0)                                                               \
    X(LOAD_METHOD, FORM_NAME, 0x14, 1)                                                             \
    X(LOAD_SUPER_METHOD, FORM_NAME, 0x15, -1)                                                      \
    X(STORE_ATTR, FORM_NAME, 0x18, -2)                                                             \
    X(IMPORT_NAME, FORM_NAME, 0x1b, -1)                                                            \
    X(IMPORT_FROM, FORM_NAME, 0x1c, 1)                                                             \
    X(LOAD_CONST_OBJ, FORM_UINT, 0x23, 1)                                                          \
    X(BUILD_MAP, FORM_UINT, 0x2c, 1)                                                               \
    X(POP_JUMP_IF_TRUE, FORM_JUMP, 0x43, -1)                                                       \
    X(POP_JUMP_IF_FALSE, FORM_JUMP, 0x44, -1)                                                      \
    X(JUMP_IF_TRUE_OR_POP, FORM_JUMP, 0x45, -1)                                                    \
    X(JUMP_IF_FALSE_OR_POP, FORM_JUMP, 0x46, -1)                                                   \
    X(SETUP_WITH, FORM_JUMP, 0x47, 2)                                                              \
    X(SETUP_EXCEPT, FORM_JUMP, 0x48, 0)                                                            \
    X(SETUP_FINALLY, FORM_JUMP, 0x49, 0)                                                           \
    X(FOR_ITER, FORM_JUMP, 0x4b, 1)                                                                \
    X(JUMP, FORM_SPECIAL, 0x42, 0)                                                                 \
    X(POP_EXCEPT_JUMP, FORM_SPECIAL, 0x4a, 0)                                                      \
    X(RETURN_VALUE, FORM_BARE, 0x63, -1)                                                           \
    X(RAISE, FORM_SPECIAL, 0x64, 0)           /* operands */                                       \
    X(UNARY, FORM_SPECIAL, 0xd0, 0)           /* operator */                                       \
    X(BINARY, FORM_SPECIAL, 0xd7, -1)         /* operator */                                       \
    X(BUILD, FORM_SPECIAL, 0, 0)              /* opcode; items */                                  \
    X(STORE_COMP, FORM_SPECIAL, 0x2f, 0)      /* kind of comprehension; depth of the collection */ \
    X(UNPACK_SEQUENCE, FORM_SPECIAL, 0x30, 0) /* items */                                          \
    X(UNPACK_EX, FORM_SPECIAL, 0x31, 0)       /* left; right */                                    \
    X(CALL, FORM_SPECIAL, 0, 0)               /* enum ir_call; positional; keyword */              \
    X(UNWIND_JUMP, FORM_SPECIAL, 0x40, 0)     /* label, with IR_FROM_FOR; depth */                 \
    X(SMALL_INT, FORM_SPECIAL, 0x22, 1)       /* value, see ir_fold */                             \
    X(SMALL_INT_WIDE, FORM_BARE, 0x22, 1)     /* low word; high word */                            \
    X(LOAD_ID, FORM_SPECIAL, 0, 1)            /* place of the identifier in its scope */           \
    X(STORE_ID, FORM_SPECIAL, 0, -1)          /* the same */                                       \
    X(DELETE_ID, FORM_SPECIAL, 0, 0)          /* the same */                                       \
    X(STORE_PARENT_ID, FORM_SPECIAL, 0,                                                            \
      -1)                                /* place in the parent: a store as the parent does it */  \
    X(LOAD_SELF, FORM_BARE, 0, 1)        /* the first parameter of the scope */                    \
    X(LOAD_CLASS_CELL, FORM_BARE, 0, 1)  /* at the end of a class: its __class__ cell or None */   \
    X(MAKE_FUNCTION, FORM_SPECIAL, 0, 0) /* 1: with defaults; scope */                             \
    X(LABEL, FORM_SPECIAL, 0, 0)         /* label */                                               \
    X(LINE, FORM_SPECIAL, 0, 0)          /* lines since the last one, or since line 1 */           \
    X(ADJUST, FORM_SPECIAL, 0, 0)        /* change of the stack, see ir_fold */                    \
    X(JUMP_UNLESS_RETURNED, FORM_SPECIAL, 0x42, 0) /* label; until 1.19: not after a return */     \
    X(END_FUNCTION, FORM_BARE, 0, 0)               /* return None; until 1.19: not after a return */

enum ir_op {
#define IR_ENUM(op, form, code, stack) IR_##op,
    IR_OPS(IR_ENUM)
#undef IR_ENUM
        IR_OP_COUNT,
};

enum {
    IR_NUMBER_MAX = 5,      // bytes of a number
    IR_FROM_FOR = 1u << 31, // a break out of a for loop, which leaves its iterator on the stack
};

// Signed numbers: small ones of either sign are small then.
static inline uint32_t ir_fold(int32_t v)
{
    return (uint32_t)v << 1 ^ (v < 0 ? UINT32_MAX : 0);
}
static inline int32_t ir_unfold(uint32_t v)
{
    return (int32_t)(v >> 1 ^ (v & 1 ? UINT32_MAX : 0));
}
// Puts a number at p, which has room for IR_NUMBER_MAX bytes; returns its end.
static inline uint8_t *ir_put(uint8_t *p, uint32_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}
static inline uint32_t ir_take(const uint8_t **p)
{
    const uint8_t *q = *p;
    uint32_t v = *q++;
    if (v >= 0x80) {
        v &= 0x7f;
        for (unsigned shift = 7;; shift += 7) {
            uint32_t byte = *q++;
            v |= (byte & 0x7f) << shift;
            if (byte < 0x80) {
                break;
            }
        }
    }
    *p = q;
    return v;
}

// What is called, and how.
enum ir_call { IR_CALL_FUNCTION, IR_CALL_FUNCTION_STAR, IR_CALL_METHOD, IR_CALL_METHOD_STAR };

// Operators, in the order of the bytecode.
enum ir_unary { IR_POSITIVE, IR_NEGATIVE, IR_INVERT, IR_NOT };
enum ir_binary {
    IR_LESS,
    IR_MORE,
    IR_EQUAL,
    IR_LESS_EQUAL,
    IR_MORE_EQUAL,
    IR_NOT_EQUAL,
    IR_IN,
    IR_IS,
    IR_EXCEPTION_MATCH,
    IR_INPLACE_OR,
    IR_INPLACE_ADD = IR_INPLACE_OR + 5,
    IR_OR = IR_INPLACE_OR + 13,
    IR_XOR,
    IR_AND,
    IR_LSHIFT,
    IR_RSHIFT,
    IR_ADD,
    IR_SUBTRACT,
    IR_MULTIPLY,
    IR_MAT_MULTIPLY,
    IR_FLOOR_DIVIDE,
    IR_TRUE_DIVIDE,
    IR_MODULO,
    IR_POWER,
};

// Opcodes of IR_BUILD.
enum { IR_TUPLE = 0x2a, IR_LIST = 0x2b, IR_SET = 0x2d, IR_SLICE = 0x2e };

#endif
