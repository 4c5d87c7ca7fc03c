// Commands. Each lives in packer/cli/cmd_NAME.c and is listed in commands.c; option parsing knows
// no formats, formats know no options.
#ifndef PACKER_CLI_CLI_H
#define PACKER_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "format/arena.h"
#include "format/bytes.h"
#include "format/diag.h"
#include "format/file.h"
#include "format/json.h"

struct cli {             // what every command gets
    const char *program; // for messages: "mpy-freeze"
    struct arena arena;
    struct diag diag;
};

// A command parses argv[1..], does its work and returns its exit code; on a failure it leaves the
// cause in cli->diag and returns diag_exit(code), and main prints it.
typedef enum diag_code cli_run(struct cli *cli, int argc, char **argv);

enum cli_value { CLI_FLAG, CLI_VALUE, CLI_LIST, CLI_UINT, CLI_REST };

struct cli_option {    // one row of a command's option table; the table ends with a row of zeros
    const char *name;  // "-o", "--json"; NULL = plain arguments (CLI_REST)
    const char *alias; // "--output" or NULL
    enum cli_value kind;
    void *to; // bool*, const char**, struct cli_list*, uint64_t*, struct cli_list*
};

struct cli_list {
    unsigned n;
    const char **items; // in the arena
};

struct cli_command {
    const char *name;
    const char *summary; // one line of the command list
    const char *usage;   // the synopsis after the program's name, options, and an example
    cli_run *run;
};

extern const struct cli_command *const cli_commands[]; // commands.c; ends with NULL

// Fills the options. "--name=value", "-ovalue" and "--" are understood; --help prints the usage of
// the command and sets *helped. Errors: DIAG_USAGE.
enum diag_code cli_parse(struct cli *cli, const struct cli_command *cmd, int argc, char **argv,
                         const struct cli_option *options, bool *helped);
// Appends to a list, in the arena; of a list and its copies only one may grow.
enum diag_code cli_append(struct cli *cli, struct cli_list *list, const char *item);
enum diag_code cli_usage_error(struct cli *cli, const char *fmt, ...) DIAG_PRINTF(2, 3);
// Writes out to standard output and frees it. Errors: DIAG_IO, DIAG_NOMEM.
enum diag_code cli_print(struct cli *cli, struct bytes_out *out);
// Refuses an output that is an input. Both may be NULL: not given. Errors: DIAG_USAGE. cli_replaces
// is that error.
enum diag_code cli_replaces(struct cli *cli, const char *output);
enum diag_code cli_distinct(struct cli *cli, const char *output, const char *input);
enum diag_code cli_distinct_all(struct cli *cli, const char *output, const struct cli_list *inputs);

#endif
