// The verifier's abstract value stack: an immutable list, so that paths share what they have in
// common and equal stacks are mostly the same pointer.
#ifndef FORMAT_MPY_CHECK_STACK_H
#define FORMAT_MPY_CHECK_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "format/arena.h"

// Kinds of entries: the letters of opcode.def, and a few that only the verifier needs.
enum check_kind {
    CHECK_ANY = 'v',
    CHECK_NONE = 'N',
    CHECK_QSTR = 'q',
    CHECK_TUPLE = 't', // detail: number of items
    CHECK_LIST = 'l',
    CHECK_DICT = 'd',
    CHECK_SET = 's',
    CHECK_CELL = 'c',
    CHECK_MODULE = 'M',
    CHECK_FUNCTION = 'k', // detail: which child
    CHECK_BUILD_CLASS = 'B',
    CHECK_EXC = 'e',
    CHECK_NULL = '0',
    CHECK_SELF = 'm',
    CHECK_ITER = 'i',    // the last of the four entries of an iterator; detail: which, 3 is the top
    CHECK_FINALLY = 'f', // one or two entries; owner: the block whose handler this is
    CHECK_ENTERED = 'F', // the same, and it is not None
    CHECK_RESUME_1 = 'x', // the two entries of a CHECK_FINALLY that is no exception
    CHECK_RESUME_2 = 'y',
    CHECK_BOTTOM = 0,
};

struct check_slot {
    const struct check_slot *below, *jump; // jump: some entries down, to find any in log time
    const void *owner;
    uint32_t index;     // entries below and this one
    uint32_t depth;     // the same in words of the VM's stack, at most
    uint32_t low;       // and at least
    uint32_t finallies; // of the entries, those that are CHECK_FINALLY or CHECK_ENTERED
    uint32_t detail;
    char kind;
};

// All work is counted against a budget that is linear in the size of the input.
struct check_work {
    struct arena *arena;
    uint64_t left;
    bool nomem;
};

extern const struct check_slot check_bottom;

const struct check_slot *check_push(struct check_work *w, const struct check_slot *below, char kind,
                                    uint32_t detail, const void *owner);
// The entry with this index, from s downwards.
const struct check_slot *check_down(const struct check_slot *s, uint32_t index);
// True if whatever may stand where kind b is expected includes a.
bool check_fits(const struct check_slot *a, const struct check_slot *b);
// True for the topmost of the two entries of a resumption.
bool check_is_resume(const struct check_slot *s);
// True if the stack a may stand where b is expected.
bool check_stack_fits(struct check_work *w, const struct check_slot *a, const struct check_slot *b);
// What stands on the stack when either a or b may; NULL if nothing sensible does.
const struct check_slot *check_join(struct check_work *w, const struct check_slot *a,
                                    const struct check_slot *b);

#endif
