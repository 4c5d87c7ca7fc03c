#include "packer/cli/cli.h"

#ifndef MPY_FREEZE_VERSION
#define MPY_FREEZE_VERSION "0.1.0"
#endif

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_version = {
    .name = "version",
    .summary = "print the version",
    .usage = "version\n\nPrints the program's version.\n\nExample:\n  mpy-freeze version",
    .run = run,
};

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    bool helped;
    enum diag_code err =
        cli_parse(cli, &cmd_version, argc, argv, (const struct cli_option[]){{0}}, &helped);
    if (err || helped) {
        return err;
    }
    struct bytes_out out;
    bytes_out_init(&out);
    bytes_printf(&out, "mpy-freeze %s\n", MPY_FREEZE_VERSION);
    return cli_print(cli, &out);
}
