#include "packer/cli/build.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_unsplice = {
    .name = "unsplice",
    .summary = "take the splice out of a product: the base firmware, bit for bit",
    .usage =
        "unsplice PRODUCT -o BASE\n\n"
        "Writes the firmware that the product was made from. It is the vendor's file, byte for\n"
        "byte, or an error.\n\n"
        "Example:\n  mpy-freeze unsplice product.bin -o base.bin",
    .run = run,
};

static enum diag_code make(struct cli *cli, struct build *b)
{
    if (b->args.n != 1 || !b->output) {
        return cli_usage_error(cli, "one PRODUCT and -o BASE are needed");
    }
    b->firmware = b->args.items[0];
    enum diag_code err = build_distinct(cli, b->output, b->firmware);
    err = err ? err : build_type(cli, b->type, &b->kind);
    err = err ? err : build_open_base(cli, b);
    if (!err && !b->taken_out) {
        return diag_set(&cli->diag, DIAG_NO, b->firmware, "there is no splice in this firmware");
    }
    return err ? err
               : file_write(b->output, b->base, b->base_size, file_mode_of(b->firmware), true,
                            &cli->diag);
}

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    struct build b = {0};
    const struct cli_option options[] = {
        {"-o", "--output", CLI_VALUE, &b.output},
        {"--type", NULL, CLI_VALUE, &b.type},
        {NULL, NULL, CLI_REST, &b.args},
        {0},
    };
    bool helped;
    enum diag_code err = cli_parse(cli, &cmd_unsplice, argc, argv, options, &helped);
    return err || helped ? err : make(cli, &b);
}
