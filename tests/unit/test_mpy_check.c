// The verifier against functions written by hand, each wrong in one way.
#include <criterion/criterion.h>

#include "format/mpy/check.h"
#include "format/mpy/opcode.h"

// Prelude bytes: signature, size, name. n_state 4: signature 0x18; 6: 0x28; handlers: | 4.
#define P4 0x18, 0x02, 0x01
#define P4E 0x1c, 0x02, 0x01
#define P8E 0x3c, 0x02, 0x01
#define CODE(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

enum {
    NONE = 0x51,
    TRUE_ = 0x52,
    NULL_ = 0x53,
    BUILD_CLASS = 0x54,
    LOAD_SUBSCR = 0x55,
    DUP = 0x57,
    POP = 0x59,
    ROT2 = 0x5a,
    CLEANUP = 0x5c,
    END = 0x5d,
    GET_ITER_STACK = 0x5f,
    STORE_MAP = 0x62,
    RET = 0x63,
    RAISE = 0x65,
    YIELD = 0x67,
    STAR = 0x69,
    INT = 0x80, // 0
    FAST = 0xb0,
    STORE = 0xc0,
    ADD = 0xf2,
    STRING = 0x10,
    NAME = 0x11,
    METHOD = 0x14,
    IMPORT = 0x1b,
    CLOSURE = 0x20,
    OBJ = 0x23,
    DEREF = 0x25,
    TUPLE = 0x2a,
    LIST = 0x2b,
    MAP = 0x2c,
    SLICE = 0x2e,
    COMP = 0x2f,
    UNPACK = 0x30,
    FUN = 0x32,
    FUN_DEF = 0x33,
    CALL = 0x34,
    UNWIND = 0x40,
    JUMP = 0x42,
    IF_FALSE = 0x44,
    OR_POP = 0x45,
    WITH = 0x47,
    EXCEPT = 0x48,
    FINALLY = 0x49,
    POP_EXCEPT = 0x4a,
    FOR = 0x4b,
    BACK = 0x40, // JUMP to itself + 2 is BACK; less goes back
};

static const uint8_t child_bytes[] = {0x19, 0x04, 0x01, 0x02, FAST, RET}; // f(a): return a
static const struct mpy_code child = {.data = child_bytes, .size = sizeof child_bytes, .at = 0x100};
// f(a, b=..): one default
static const uint8_t defaults_bytes[] = {0x9a, 0x01, 0x06, 0x01, 0x02, 0x02, FAST, RET};
static const struct mpy_code with_defaults = {.data = defaults_bytes,
                                              .size = sizeof defaults_bytes};
static const uint8_t closed_bytes[] = {0x19, 0x04, 0x01, 0x02, DEREF, 0, RET};
static const struct mpy_code closed = {.data = closed_bytes, .size = sizeof closed_bytes};
static const struct mpy_code *const children[] = {&child, &with_defaults, &closed};
static const struct mpy_qstr qstrs[] = {{"t.py", 4, 0}, {"f", 1, 0}, {"a", 1, 0}};
static const struct mpy_obj objs[] = {{.kind = MPY_OBJ_FUN_TABLE}, {.kind = MPY_OBJ_ELLIPSIS}};

static enum diag_code check(const uint8_t *data, size_t size, struct diag *d)
{
    struct mpy_code code = {.data = data,
                            .size = (uint32_t)size,
                            .at = 0x100,
                            .n_children = 3,
                            .children = (struct mpy_code *const *)children};
    struct mpy_module m = {
        .small_int_bits = 31, .n_qstr = 3, .qstrs = qstrs, .n_obj = 2, .objs = objs, .root = &code};
    diag_init(d);
    return mpy_check(&m, "t.mpy", d, NULL);
}

static void accepts(const uint8_t *data, size_t size)
{
    struct diag d;
    enum diag_code err = check(data, size, &d);
    cr_assert_eq(err, DIAG_OK, "%s", d.text);
}

static void refuses(const char *why, const uint8_t *data, size_t size)
{
    struct diag d;
    cr_assert_eq(check(data, size, &d), DIAG_MALFORMED, "accepted: %s", why);
    cr_assert(strstr(d.text, why), "'%s' is not in '%s'", why, d.text);
    cr_assert_eq(d.where, DIAG_BINARY);
    cr_assert(d.offset >= 0x100 && d.offset <= 0x100 + size);
}

Test(mpy_check, sound_functions)
{
    accepts(CODE(P4, NONE, RET));
    accepts(CODE(P4, INT, STORE, FAST, RET));
    accepts(CODE(P4, NAME, 2, METHOD, 2, 0x36, 0, RET));
    accepts(CODE(P4, FUN, 0, RET));
    accepts(CODE(P4, INT, TUPLE, 1, NULL_, FUN_DEF, 1, RET));
    // for: iterator, value, back, end
    accepts(CODE(P8E, NAME, 2, GET_ITER_STACK, FOR, 3, POP, JUMP, BACK - 5, NONE, RET));
    // try: pass, except: raise again
    accepts(CODE(P4E, EXCEPT, 2, POP_EXCEPT, 1, END, NONE, RET));
    // try: f() finally: pass
    accepts(CODE(P4E, FINALLY, 4, NAME, 2, POP, NONE, END, NONE, RET));
    // with a: pass
    accepts(CODE(P8E, NAME, 2, WITH, 2, POP, NONE, CLEANUP, END, NONE, RET));
    // for x in a: try: break finally: pass
    accepts(CODE(P8E, NAME, 2, GET_ITER_STACK, FOR, 10, POP, FINALLY, 4, UNWIND, 0x45, 0x81, NONE,
                 END, JUMP, BACK - 12, NONE, RET));
    // a or b
    accepts(CODE(P4, NAME, 1, OR_POP, 2, NAME, 2, RET));
    // from a import *
    accepts(CODE(P4, INT, NONE, IMPORT, 2, STAR, NONE, RET));
}

Test(mpy_check, the_value_stack)
{
    refuses("takes an object, but nothing", CODE(P4, RET));
    refuses("moves objects, but nothing", CODE(P4, DUP, RET));
    refuses("takes an object, but nothing", CODE(P4, NONE, ADD, RET));
    refuses("n_state is 4", CODE(P4, INT, INT, INT, INT, INT, TUPLE, 5, RET));
    refuses("n_state is 4", CODE(P4, INT, STORE, INT, INT, INT, INT, TUPLE, 4, STORE, FAST, RET));
    refuses("takes 100 values", CODE(P4, INT, TUPLE, 100, RET));
    refuses("takes an object, but a null", CODE(P4, NULL_, RET));
    refuses("takes an object, but a bound self", CODE(P4, NAME, 2, METHOD, 2, RET));
    refuses("different stacks", CODE(P4, TRUE_, IF_FALSE, BACK + 1, INT, NONE, RET));
    refuses("does not fit", CODE(P4, INT, JUMP, BACK - 3, NONE, RET));
    refuses("BUILD_SLICE", CODE(P4, INT, INT, INT, INT, SLICE, 4, RET));
}

Test(mpy_check, jumps_and_instructions)
{
    refuses("no instruction", CODE(P4, NONE, RET, 0x00));
    refuses("no instruction", CODE(P4, 0xff, NONE, RET));
    refuses("cut off", CODE(P4, NONE, RET, NAME));
    refuses("cut off", CODE(P4, NONE, RET, NAME, 0x80));
    refuses("behind the end", CODE(P4, NONE));
    refuses("no instructions", CODE(P4));
    refuses("outside of the function", CODE(P4, JUMP, BACK + 10, NONE, RET));
    refuses("outside of the function", CODE(P4, JUMP, BACK - 10, NONE, RET));
    refuses("middle of an instruction", CODE(P4, JUMP, BACK + 1, NAME, 2, RET));
}

Test(mpy_check, indices)
{
    refuses("qstr 3", CODE(P4, NAME, 3, RET));
    refuses("constant 2", CODE(P4, OBJ, 2, RET));
    refuses("function table", CODE(P4, OBJ, 0, RET));
    refuses("child 3", CODE(P4, FUN, 3, RET));
    refuses("local 15", CODE(P4, FAST + 15, RET));
    refuses("as a cell", CODE(P4, DEREF, 0, RET));
    refuses("takes a cell", CODE(P4, INT, CLOSURE, 2, 1, RET));
    refuses("defaults", CODE(P4, FUN, 1, RET));
    refuses("defaults", CODE(P4, NULL_, NULL_, FUN_DEF, 1, RET));
    refuses("new tuple", CODE(P4, NONE, NULL_, FUN_DEF, 1, RET));
    refuses("interned string", CODE(P4, NAME, 2, INT, INT, CALL, 0x82, 0x00, RET));
    refuses("small int", CODE(P4, 0x22, 0x84, 0x80, 0x80, 0x80, 0x00, RET));
}

Test(mpy_check, kinds_that_instructions_trust)
{
    refuses("a new list", CODE(P4, NONE, INT, COMP, 4, NONE, RET));
    refuses("outside of the stack", CODE(P4, INT, COMP, 0x81, 0x00, NONE, RET));
    refuses("a new dict", CODE(P4, NONE, INT, INT, STORE_MAP, RET));
    refuses("an iterator", CODE(P4, INT, INT, INT, INT, FOR, 0, NONE, RET));
    refuses("an imported module", CODE(P4, INT, STAR, NONE, RET));
    refuses("__build_class__", CODE(P4, BUILD_CLASS, RET));
    refuses("__build_class__", CODE(P4, BUILD_CLASS, NONE, CALL, 1, RET));
    // The child is no class body: it returns its argument.
    refuses("class body returns", CODE(P4, BUILD_CLASS, FUN, 0, STRING, 1, CALL, 2, RET));
    refuses("no generator", CODE(P4, NONE, YIELD, RET));
}

Test(mpy_check, exception_handlers)
{
    refuses("without an exception handler", CODE(P4E, NONE, END, NONE, RET));
    refuses("without an exception handler", CODE(P4E, POP_EXCEPT, 0, NONE, RET));
    refuses("exception handlers, the prelude says 0", CODE(P4, FINALLY, 1, NONE, END, NONE, RET));
    refuses("exception handlers, the prelude says 1",
            CODE(P4E, FINALLY, 4, FINALLY, 1, NONE, END, NONE, END, NONE, RET));
    refuses("different stacks", CODE(P4E, FINALLY, 3, INT, JUMP, BACK, END, NONE, RET));
    refuses("state of a finally", CODE(P4E, FINALLY, 1, NONE, POP, NONE, RET));
    refuses("copies the state", CODE(P8E, FINALLY, 2, NONE, RET, DUP, END, NONE, RET));
    // The handler needs an entry that the body takes.
    refuses("that the handler at", CODE(P4E, INT, EXCEPT, 4, POP, NONE, POP_EXCEPT, 1, END, RET));
    refuses("more handlers than there are",
            CODE(P8E, NAME, 2, GET_ITER_STACK, FOR, 3, UNWIND, BACK + 1, 0x81, NONE, RET));
    refuses("different exception handlers",
            CODE(P4E, TRUE_, IF_FALSE, BACK + 2, EXCEPT, 2, NONE, RET, END));
    refuses("outside the one around it", CODE(0x1c | 0x80, 0x02, 0x02, 0x01, FINALLY, 4, FINALLY, 4,
                                              NONE, RET, END, NONE, END, NONE, RET));
}

// Two handlers at most: what a finally does to the one around it, and to what leaves it.
#define P2E 0x9c, 0x02, 0x02, 0x01

Test(mpy_check, ends_of_finally)
{
    refuses("not the innermost handler",
            CODE(P2E, FINALLY, 1, NONE, EXCEPT, 3, END, NONE, RET, END));
    refuses("outside of its handler",
            CODE(P4E, JUMP, BACK + 1, END, FINALLY, 1, NONE, JUMP, BACK - 6, NONE, RET));
    refuses("leaves a finally whose state",
            CODE(P4E, FINALLY, 1, NONE, INT, UNWIND, BACK + 1, 0x01, NONE, RET));
    refuses("leaves a for loop whose iterator", CODE(P4, UNWIND, BACK + 1, 0x80, NONE, RET));
    // A jump out of the body, found before or after the end of the finally that it goes through.
    for (uint8_t test = IF_FALSE - 1; test <= IF_FALSE; test++) {
        accepts(CODE(P8E, NAME, 2, GET_ITER_STACK, FOR, 13, POP, FINALLY, 7, TRUE_, test, BACK + 3,
                     UNWIND, 0x45, 0x81, NONE, END, JUMP, BACK - 15, NONE, RET));
    }
}

Test(mpy_check, limits)
{
    refuses("too many arguments", CODE(P4, NAME, 1, CALL, 0x84, 0x80, 0x00, RET));
    refuses("leaves 65536 values", CODE(P4, NONE, UNPACK, 0x84, 0x80, 0x00, NONE, RET));
    // Scope flag 16, the longest signature, and one that is longer.
    refuses("unknown scope flags", CODE(0x98, 0x80, 0x80, 0x80, 0x80, 0x40, 0x02, 1, NONE, RET));
    accepts(CODE(0x98, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02,
                 0x02, 1, NONE, RET));
    refuses("too long", CODE(0x98, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                             0x80, 0x80, 0x02, 0x02, 1, NONE, RET));
}

Test(mpy_check, tuples_hold_no_function_table)
{
    const struct mpy_obj inner[] = {{.kind = MPY_OBJ_NONE}, {.kind = MPY_OBJ_FUN_TABLE}};
    const struct mpy_obj outer[] = {{.kind = MPY_OBJ_TUPLE, .len = 2, .items = inner}};
    const struct mpy_obj all[] = {{.kind = MPY_OBJ_FUN_TABLE},
                                  {.kind = MPY_OBJ_TUPLE, .len = 1, .items = outer}};
    static const uint8_t data[] = {P4, NONE, RET};
    const struct mpy_code code = {.data = data, .size = sizeof data};
    struct mpy_module m = {
        .small_int_bits = 31, .n_qstr = 3, .qstrs = qstrs, .n_obj = 2, .objs = all, .root = &code};
    struct diag d;
    diag_init(&d);
    cr_assert_eq(mpy_check(&m, "t.mpy", &d, NULL), DIAG_MALFORMED);
    cr_expect(strstr(d.text, "constant 1 has the function table"), "%s", d.text);
    m.n_obj = 1; // as a constant of its own it is what native code has
    diag_init(&d);
    cr_expect_eq(mpy_check(&m, "t.mpy", &d, NULL), DIAG_OK);
}

Test(mpy_check, preludes)
{
    refuses("signature", CODE(0x98));
    refuses("size is cut off", CODE(0x18));
    refuses("longer than the function", CODE(0x18, 0x7e, NONE, RET));
    refuses("name is cut off", CODE(0x18, 0x00, NONE, RET));
    refuses("qstr does not exist", CODE(0x18, 0x02, 0x05, NONE, RET));
    refuses("more arguments", CODE(0x03, 0x08, 1, 2, 2, 2, NONE, RET));
    refuses("argument names are cut off", CODE(0x03, 0x06, 1, 2, 2, NONE, RET));
    refuses("cell is outside", CODE(0x18, 0x03, 1, 9, NONE, RET));
    refuses("line table", CODE(0x18, 0x04, 1, 0x80, NONE, RET));
    // n_state 65537
    refuses("n_state is over",
            CODE(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0x02, 1, NONE, RET));
}

Test(mpy_check, many_values_take_no_time)
{
    // Each instruction unpacks 60,000 values; the work is bounded, not the patience.
    struct bytes_out out;
    bytes_out_init(&out);
    const uint8_t prelude[] = {0xf8, 0xb0, 0xb0, 0xb0, 0xb0, 0xb0, 0x30, 0x02, 0x01};
    bytes_put(&out, prelude, sizeof prelude);
    for (unsigned i = 0; i < 10000; i++) {
        const uint8_t unpack[] = {NONE, UNPACK, 0x83, 0xd4, 0x60, TUPLE, 0x83, 0xd4, 0x60, POP};
        bytes_put(&out, unpack, sizeof unpack);
    }
    bytes_put(&out, (const uint8_t[]){NONE, RET}, 2);
    struct diag d;
    cr_assert_eq(check(out.data, out.size, &d), DIAG_MALFORMED);
    bytes_out_free(&out);
}

// A native function of no children with its prelude at an offset; NULL = accepted.
static void machine(enum mpy_arch arch, uint8_t sub_version, const uint8_t *data, uint32_t size,
                    uint32_t prelude, const char *why)
{
    struct mpy_machine at = {.prelude_offset = prelude};
    const struct mpy_code code = {
        .kind = MPY_CODE_NATIVE, .at = 100, .data = data, .size = size, .machine = &at};
    const struct mpy_module m = {
        .sub_version = sub_version, .arch = arch, .n_qstr = 3, .qstrs = qstrs, .root = &code};
    struct mpy_check report;
    struct diag d;
    diag_init(&d);
    enum diag_code err = mpy_check(&m, "t.mpy", &d, &report);
    cr_expect_eq(err, why ? DIAG_MALFORMED : DIAG_OK, "%s", d.text);
    cr_expect(!why || (strstr(d.text, why) && report.at == 100), "not '%s': %s", why, d.text);
}

#define GENERATOR 0x98, 0x40, 0x02, 0x01

Test(mpy_check, machine_code_names_its_prelude_and_its_start)
{
    const enum mpy_arch arm = MPY_ARCH_ARMV7M, x64 = MPY_ARCH_X64;
    machine(arm, 3, CODE(0, 0, 0, 0, 0x70, 0x47, P4), 6, NULL);
    machine(arm, 3, CODE(0, 0, 0, 0x21, 0x70, 0x47, P4), 6, "prelude at 553648128, it is at 0");
    machine(arm, 3, CODE(0, 0, P4), 2, "cut off");
    machine(arm, 2, CODE(0x70, 0x47, P4), 2, NULL); // has no such word
    machine(arm, 2, CODE(0, 0, 0, 0, 8, 0, 0, 0, 0x70, 0x47, GENERATOR), 10, NULL);
    machine(arm, 2, CODE(1, 0, 0, 0, 8, 0, 0, 0, 0x70, 0x47, GENERATOR), 10, "prelude at 1");
    machine(arm, 3, CODE(0, 0, 0, 0, 10, 0, 0, 0, 0x70, 0x47, GENERATOR), 10, "starts at 10");
    machine(arm, 3, CODE(0, 0, 0, 0, 0x70, 0x47, GENERATOR), 6, "cut off");
    machine(x64, 3, CODE(0, 0, 0, 0, 0, 0, 0, 0, 0xc3, P4), 9, NULL);
    machine(x64, 3, CODE(0, 0, 0, 0, 0, 0, 0, 1, 0xc3, P4), 9, "prelude at 72057594037927936");
    machine(x64, 3, CODE(0, 0, 0, 0, 0xc3, P4), 5, "cut off");
}

Test(mpy_check, tables_hold_what_unreached_code_names)
{
    accepts(CODE(P4, NONE, RET, NAME, 2, RET));
    refuses("uses qstr 3, there are 3", CODE(P4, NONE, RET, NAME, 3, RET));
    refuses("uses constant 9", CODE(P4, NONE, RET, OBJ, 9, RET));
    refuses("uses child 9", CODE(P4, NONE, RET, FUN, 9, RET));
}
