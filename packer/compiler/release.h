// What differs between MicroPython's releases, as one table of switches.
#ifndef PACKER_COMPILER_RELEASE_H
#define PACKER_COMPILER_RELEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "packer/compiler/number.h"

// A switch is named after what the newer releases do; the comment gives the first that does it.
struct compiler_release {
    const char *name;
    unsigned major, minor, patch;
    const char *date; // of the release, for the banner
    unsigned sub;     // mpy sub-version, for the banner
    struct number_rules numbers;

    // The language.
    bool fstring_parens;       // 1.20: the arguments of an f-string are put in parentheses
    bool fstring_conversion;   // 1.21: f'{a!r}'
    bool fstring_raw;          // 1.24: rf'', and adjacent f-strings share one call
    bool fstring_in_place;     // 1.28: arguments are lexed where they stand; '{{' ends a string; no
                               // f'{}'
    bool tstrings;             // 1.28: t''
    bool newline_position;     // 1.22: a NEWLINE token lies at the end of its line
    bool annotated_const;      // 1.29: _X: T = const(1) leaves no code
    bool star_before_keywords; // 1.29: f(k=1, *a) is an error

    // The code.
    bool drops_dead_code;  // 1.20: nothing is emitted after a jump, return or raise
    bool truth_of_consts;  // 1.20: every constant has a truth value in conditions
    bool walrus_declares;  // 1.20: := in a comprehension declares its name in the parent
    bool async_for_stack;  // 1.21: async for keeps its iterator on the stack
    bool tuple_conditions; // until 1.20: `if (a, b):` is decided when compiling
    bool finally_return;   // 1.22.2: a finally block has room for a return value

    // Strings the compiler knows from the start; they decide what is interned.
    bool knows_complex;   // 1.20: __complex__
    bool knows_templates; // 1.28: the names of t-strings

    // Command line of mpy-cross.
    bool open_errors_named; // 1.20: the message of a file that cannot be opened has its name
    bool arch_host;         // until 1.19: machine code is for the host unless -march says otherwise
    bool arch_checked;      // 1.26: -X emit=native needs -march
    bool stdin_and_dashes;  // 1.21: "-" is standard input or output, "--" ends the options
    bool forward_slashes;   // 1.20: backslashes in names become slashes
    bool asm_rv32;          // 1.25: inline assembler for rv32imc
    bool asm_xtensawin;     // 1.28: inline assembler for xtensawin
    bool source_lines_option; // 1.29: -X no-source-lines
    uint32_t arch_flags;  // all that -march-flags may have; 0 = no such option. 1.27: 1, 1.28: 3
    bool arch_flags_list; // 1.28: their names may be several
    bool arch_flags_c_numbers; // 1.29: their numbers are read as C's
};

#endif
