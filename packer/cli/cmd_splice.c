#include "packer/cli/build.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_splice = {
    .name = "splice",
    .summary = "put a blob into the firmware it was made for",
    .usage =
        "splice -f FIRMWARE -b APP.frz -o PRODUCT\n\n"
        "Makes the product of a firmware and a blob of pack. The firmware must be the one that\n"
        "the blob was made for; a splice that it holds is replaced.\n\n"
        "Example:\n  mpy-freeze splice -f firmware.bin -b app.frz -o product.bin",
    .run = run,
};

static enum diag_code make(struct cli *cli, struct build *b, const char *blob_name)
{
    struct file file;
    struct blob *blob;
    if (!b->firmware || !blob_name || !b->output) {
        return cli_usage_error(cli, "-f FIRMWARE, -b APP.frz and -o PRODUCT are needed");
    }
    enum diag_code err = cli_distinct(cli, b->output, b->firmware);
    err = err ? err : cli_distinct(cli, b->output, blob_name);
    err = err ? err : build_type(cli, b->type, &b->kind);
    err = err ? err : file_read(blob_name, &cli->arena, &cli->diag, &file);
    err = err ? err : blob_read(file.data, file.size, blob_name, &cli->arena, &cli->diag, &blob);
    err = err ? err : build_open_base(cli, b);
    return err ? err : build_product(cli, b, blob);
}

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    struct build b = {0};
    const char *blob = NULL;
    const struct cli_option options[] = {
        {"-f", "--firmware", CLI_VALUE, &b.firmware},
        {"-b", "--blob", CLI_VALUE, &blob},
        {"-o", "--output", CLI_VALUE, &b.output},
        {"--type", NULL, CLI_VALUE, &b.type},
        {0},
    };
    bool helped;
    enum diag_code err = cli_parse(cli, &cmd_splice, argc, argv, options, &helped);
    return err || helped ? err : make(cli, &b, blob);
}
