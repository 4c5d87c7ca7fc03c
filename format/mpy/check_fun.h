// The parts of the verifier (see check.h) and what they share: the state of one function.
//   check.c      trees, preludes, instructions and labels of a function
//   check_path.c paths: the current stack, labels, from label to label
//   check_exc.c  exception handlers
//   check_op.c   what each instruction does to the stack
//   check_stack.c  the abstract stack itself
// All of them return false after recording the first failure with check_wrong.
#ifndef FORMAT_MPY_CHECK_FUN_H
#define FORMAT_MPY_CHECK_FUN_H

#include "format/mpy/check.h"
#include "format/mpy/check_stack.h"
#include "format/mpy/opcode.h"
#include "format/mpy/prelude.h"

enum {
    CHECK_MESSAGE = 200,
    CHECK_STATE_MAX = 65535, // mp_code_state_t has 16 bits for n_state
    CHECK_INDEXED = 3,       // sub-version since which all native functions name their prelude
};

struct check_unwind;

struct check_block { // a SETUP instruction: an entry of the exception stack
    struct check_block *parent;
    const struct check_block *waiting_above; // nearest parent that is not active at the SETUP
    bool is_finally;                         // SETUP_FINALLY or SETUP_WITH
    uint32_t handler, count;                 // count: entries of the exception stack with this one
    const struct check_slot *stack;          // what its handler finds
    const struct check_slot *end;            // what END_FINALLY leaves; NULL = not seen yet
    uint32_t end_ip;
    struct check_unwind *waiting; // jumps that go on from there
};

struct check_unwind { // an UNWIND_JUMP on its way
    struct check_unwind *next;
    const struct check_slot *stack;
    struct check_block *block;
    uint32_t at, ip, handlers, target;
    bool from_for;
};

struct check_state {
    const struct check_slot *stack;
    struct check_block *block; // top of the exception stack
};

struct check_label {
    bool reached, passed;
    struct check_state state;
};

enum { CHECK_NEVER_MADE = UINT32_MAX };

struct check_made {   // how a child is made into a function
    uint32_t n_cells; // the fewest, CHECK_NEVER_MADE at first
    bool is_class;
};

struct check_fun {
    const struct mpy_module *module;
    const struct mpy_code *code;
    struct mpy_prelude p;
    struct check_work work;
    const uint8_t *bytes; // the instructions
    uint32_t size;
    uint8_t *begins;    // one bit a byte: an instruction begins here
    uint8_t *jumps;     // the same: one that may jump
    uint32_t *label_at; // index + 1 into labels, or 0
    struct check_label *labels;
    uint32_t *pending, n_pending; // heap of offsets of labels that are reached and not passed
    uint8_t *cells;               // one bit a local
    bool never_made;         // nothing shows with how many cells: arguments may be cells or not
    struct check_made *made; // for each child
    bool is_class;           // a class body: returns None or a cell
    uint32_t n_locals, most, least; // deepest stack, counting finally entries as two and as one
    uint32_t n_instructions, n_loose;
    uint32_t int_end; // the instruction before this offset loaded int_value
    int64_t int_value;
    // The current instruction.
    struct mpy_insn i;
    struct check_state now;
    char wrong[CHECK_MESSAGE]; // "" = fine
    uint32_t wrong_at;         // offset within bytes; or one of enum check_at
    bool nomem;
};

// Faults that are not an instruction's: in the prelude, at the beginning of machine code.
enum check_at { CHECK_AT_PRELUDE = -1, CHECK_AT_MACHINE = -2 };

// check_path.c
bool check_wrong(struct check_fun *f, const char *fmt, ...) DIAG_PRINTF(2, 3);
bool check_put(struct check_fun *f, char kind, uint32_t detail, const void *owner);
bool check_put_many(struct check_fun *f, uint64_t n); // any objects
bool check_put_iter(struct check_fun *f);
// The instruction needs room for n more entries than it leaves.
void check_room(struct check_fun *f, uint32_t n);
bool check_take(struct check_fun *f, char kind);
bool check_take_many(struct check_fun *f, uint64_t n); // any objects; the work is counted
bool check_take_iter(struct check_fun *f);
bool check_may_be(const struct check_slot *s, char kind);
const char *check_kind_name(char kind);
// A path with this state leads to the label at this offset; check_jump: to the jump's target.
bool check_arrive(struct check_fun *f, uint32_t at, const struct check_state *s);
bool check_jump(struct check_fun *f, const struct check_state *s);
// Follows all paths from the first instruction on.
bool check_paths(struct check_fun *f);

// check_exc.c
// The handler that an exception at ip would enter finds the stack it needs.
bool check_floor(struct check_fun *f, uint32_t ip);
bool check_setup(struct check_fun *f, bool is_finally, bool is_with);
bool check_end_finally(struct check_fun *f, bool *ends);
bool check_with_cleanup(struct check_fun *f);
bool check_unwind_jump(struct check_fun *f);
bool check_return_value(struct check_fun *f);
bool check_return(struct check_fun *f);
bool check_pop_except(struct check_fun *f);

// check_op.c
// What f->i names in the tables of the module and the function is there.
bool check_indices(struct check_fun *f);
// Executes f->i on f->now. *ends: no path goes on behind it.
bool check_insn(struct check_fun *f, bool *ends);

#endif
