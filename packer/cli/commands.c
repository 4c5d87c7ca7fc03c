// The list of commands: the only one. Help, dispatch and the tests iterate it.
#include "packer/cli/cli.h"

extern const struct cli_command cmd_boards;
extern const struct cli_command cmd_version;

const struct cli_command *const cli_commands[] = {
    &cmd_boards,
    &cmd_version,
    NULL,
};
