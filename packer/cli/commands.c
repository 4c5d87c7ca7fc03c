// The list of commands: the only one. Help, dispatch and the tests iterate it.
#include "packer/cli/cli.h"

extern const struct cli_command cmd_build;
extern const struct cli_command cmd_compile;
extern const struct cli_command cmd_pack;
extern const struct cli_command cmd_splice;
extern const struct cli_command cmd_unsplice;
extern const struct cli_command cmd_info;
extern const struct cli_command cmd_list;
extern const struct cli_command cmd_extract;
extern const struct cli_command cmd_dis;
extern const struct cli_command cmd_convert;
extern const struct cli_command cmd_check;
extern const struct cli_command cmd_boards;
extern const struct cli_command cmd_keygen;
extern const struct cli_command cmd_pubkey;
extern const struct cli_command cmd_sign;
extern const struct cli_command cmd_verify;
extern const struct cli_command cmd_version;
extern const struct cli_command cmd_watch;

// One a line, in the order of the help.
// clang-format off
const struct cli_command *const cli_commands[] = {
    &cmd_build,
    &cmd_compile,
    &cmd_pack,
    &cmd_splice,
    &cmd_unsplice,
    &cmd_info,
    &cmd_list,
    &cmd_extract,
    &cmd_check,
    &cmd_dis,
    &cmd_convert,
    &cmd_boards,
    &cmd_keygen,
    &cmd_pubkey,
    &cmd_sign,
    &cmd_verify,
    &cmd_watch,
    &cmd_version,
    NULL,
};
// clang-format on
