// Compiling scripts on the command line, for `mpy-freeze compile` and under the name mpy-cross: the
// options of mpy-cross and what they mean.
#ifndef PACKER_CLI_CROSS_H
#define PACKER_CLI_CROSS_H

#include "packer/cli/cli.h"
#include "packer/compiler/compiler.h"

struct cross {
    bool drop_in; // named mpy-cross: its messages, its exit codes, its file handling
    const struct compiler_release *release;
    struct compiler_options options;
    const char *output;
    const char *arch, *arch_flags;
    uint32_t flags;     // of the architecture
    bool machine_code;  // -X emit=native or viper
    bool version, help; // asked for
    bool into_folder;   // output is one
    struct cli_list inputs;
};

enum cross_parsed {
    CROSS_RUN,
    CROSS_USAGE,   // the command line is wrong; cli->diag says how, in the words of this program
    CROSS_REFUSED, // the same, in the words of mpy-cross
};

// Reads argv[1..]. The text of a refusal is in cli->diag.
enum cross_parsed cross_parse(struct cli *cli, struct cross *x, int argc, char **argv);

struct cross_failure { // what the caller prints
    struct diag diag;
    struct compiler_trace trace;
    const char *input, *source; // names in tracebacks
    int os_error;               // errno of an open, else 0
    const char *os_name;        // what could not be opened
};

// Compiles one input and writes the output. What fails is in f.
enum diag_code cross_file(struct cross *x, const char *input, struct cross_failure *f);

// The whole program under the name mpy-cross, which may end in a release: mpy-cross-1.25.
int mpycross_main(int argc, char **argv);
// True if the program was called by that name.
bool mpycross_is(const char *argv0);

#endif
