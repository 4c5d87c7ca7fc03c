// The list of commands: the only one. Help, dispatch and the tests iterate it.
#include "packer/cli/cli.h"

extern const struct cli_command cmd_build;
extern const struct cli_command cmd_pack;
extern const struct cli_command cmd_splice;
extern const struct cli_command cmd_unsplice;
extern const struct cli_command cmd_boards;
extern const struct cli_command cmd_dis, cmd_extract;
extern const struct cli_command cmd_version;

// clang-format off: one a line
const struct cli_command *const cli_commands[] = {
    &cmd_build, &cmd_pack,    &cmd_splice,  &cmd_unsplice, &cmd_boards,
    &cmd_dis,   &cmd_extract, &cmd_version, NULL,
};
