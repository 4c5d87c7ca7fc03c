// The inside of the scan: functions, found by following code (flow.c, and a step for each ISA).
#ifndef FORMAT_FIRMWARE_FLOW_H
#define FORMAT_FIRMWARE_FLOW_H

#include "format/firmware/scan.h"

enum flow_kind {
    FLOW_NEXT,
    FLOW_BRANCH, // may go to target
    FLOW_JUMP,   // goes to target
    FLOW_CALL,
    FLOW_END, // a return, or a jump to where a register says
};

struct flow_step {    // one instruction
    uint64_t target;  // of a branch, jump or call; 0 = unknown
    uint64_t literal; // the word that it loads; 0 = none
    unsigned size;    // bytes
    unsigned shadow;  // so many instructions behind it are conditional (Thumb it)
    enum flow_kind kind;
};

struct flow_user {
    uint64_t at;              // of an instruction
    uint64_t called, pointed; // the nearest starts of either kind up to it; 0 = none
    uint64_t function;        // the function it belongs to; 0 = unknown
};

// Finds the functions that n instructions belong to. One pass over all code.
void flow_functions(const struct view *v, const struct ref_isa *isa, struct flow_user *users,
                    unsigned n);
// Does the code from start on reach the instruction that addr lies in?
bool flow_reaches(const struct view *v, const struct ref_isa *isa, uint64_t start, uint64_t addr);
// The address behind the function that begins at start.
uint64_t flow_end(const struct view *v, const struct ref_isa *isa, uint64_t start);
// The targets of the first calls among the instructions from an address on; their number.
unsigned flow_calls(const struct view *v, const struct ref_isa *isa, uint64_t from, unsigned steps,
                    uint64_t *targets, unsigned max);

bool flow_step_x64(const struct view *v, uint64_t at, struct flow_step *s);
bool flow_step_x86(const struct view *v, uint64_t at, struct flow_step *s);

#endif
