#include "packer/cli/cli.h"
#include "verify/host/command.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_verify = {
    .name = "verify",
    .summary = "prove that an image is a stock firmware plus signed modules",
    .usage = "verify " VERIFY_USAGE "  mpy-freeze verify product.bin -k pub.pem --json",
    .run = run,
};

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    struct cli_list files = {0}, keys = {0};
    struct verify_args args = {0};
    const struct cli_option options[] = {
        {NULL, NULL, CLI_REST, &files},
        {"-k", "--key", CLI_LIST, &keys},
        {"-f", "--firmware", CLI_VALUE, &args.base},
        {"--base", NULL, CLI_VALUE, &args.base_digest},
        {"--type", NULL, CLI_VALUE, &args.type},
        {"--modules", NULL, CLI_VALUE, &args.modules},
        {"--min-counter", NULL, CLI_UINT, &args.min_counter},
        {"--require", NULL, CLI_UINT, &args.required},
        {"--allow-test-key", NULL, CLI_FLAG, &args.allow_test_key},
        {"--no-other-signatures", NULL, CLI_FLAG, &args.no_other_signatures},
        {"--json", NULL, CLI_FLAG, &args.json},
        {0},
    };
    bool helped;
    enum diag_code err = cli_parse(cli, &cmd_verify, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if (files.n != 1) {
        return cli_usage_error(cli, "verify takes one file");
    }
    args.file = files.items[0];
    args.n_keys = keys.n;
    args.keys = keys.items;
    struct bytes_out out;
    bytes_out_init(&out);
    cli->arena.on_fail = NULL; // keys must be freed: nothing may jump over that
    err = verify_command(&args, &cli->arena, &cli->diag, &out);
    if (out.size == 0) {
        bytes_out_free(&out);
        return err;
    }
    enum diag_code printed = cli_print(cli, &out);
    return printed ? printed : err;
}
