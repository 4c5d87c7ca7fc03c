// The bytecode verifier: proves, before a module is packed or imported, what the VM takes on trust.
//
// MicroPython executes bytecode without checks: an index, a jump or a stack that is wrong reads and
// writes memory that is not the function's. mpy_check follows every path through every function
// with an abstract stack and accepts a module only when on all of them
//   - every byte is part of a known instruction, jumps lead to instructions of the function, and
//     qstrs, constants and children exist, also in code that no path reaches;
//   - the value stack never runs below its beginning nor into the locals (n_state), and what lies
//     on it is of the kind that each instruction takes on trust (iterators, cells, new lists,
//     method pairs, what a finally handler was entered with, None-or-pointer entries);
//   - exception handlers nest, fit n_exc_stack and find the stack they were set up with;
//   - locals and cells are in range, functions are made with as many cells and defaults as they
//     expect, keyword names are strings;
//   - only generators yield, and no path runs off the end.
// Not provable: machine code (counted in the report; that it finds its prelude is), and what
// MicroPython's own compiler gets wrong: the class that super() looks at and the name BaseException
// in "async with" are values that a script can change; f(k=1, *a) passes values as names up to 1.28
// (counted); a return through a finally can need one entry of the stack too many up to 1.22.1
// (counted).
//
// The time is linear in the size of the module.
#ifndef FORMAT_MPY_CHECK_H
#define FORMAT_MPY_CHECK_H

#include "format/mpy/mpy.h"

struct mpy_check {
    uint32_t functions;    // looked at
    uint32_t native;       // of these, machine code: not provable
    uint32_t instructions; // proven
    uint32_t tight;        // functions whose finally handlers can use one entry of the value stack
                           // more than n_state says: compilers before 1.22.2 make these
    uint32_t loose;        // calls whose keyword name may be anything
    // On a failure: where.
    uint64_t at;       // file offset or address, as struct mpy_code has it
    uint32_t function; // index in the order of the file, 0 = module body
    uint32_t line;     // 0 = unknown
    bool has_qstr;     // the function's name is known
    uint32_t qstr;
};

// Errors: DIAG_MALFORMED with offset and reason; name is the file for the message. The tree must be
// bounded as mpy_read makes it. report may be NULL.
enum diag_code mpy_check(const struct mpy_module *m, const char *name, struct diag *d,
                         struct mpy_check *report);

#endif
