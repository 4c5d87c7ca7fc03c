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

// The base goes to the disk while it is still being hashed, but gets its name only afterwards.
static enum diag_code write_base(struct cli *cli, const struct build *b, const struct blob *blob,
                                 const struct bytes_out *base)
{
    struct file_pending *pending =
        file_begin(b->output, base->data, base->size, file_mode_of(b->firmware), true, &cli->arena);
    struct blob_base *digests = blob_base_new(base->data, base->size, &cli->arena);
    enum diag_code err = digests ? splice_check_base(blob, digests, b->firmware, &cli->diag)
                                 : diag_nomem(&cli->diag);
    if (err) {
        file_drop(pending);
        return err;
    }
    return file_commit(pending, &cli->diag);
}

static enum diag_code take_out(struct cli *cli, struct build *b)
{
    struct blob *blob;
    struct bytes_out base;
    jmp_buf *on_fail = cli->arena.on_fail; // base must be freed before anything jumps
    cli->arena.on_fail = NULL;
    bytes_out_init(&base);
    enum diag_code err = splice_open(b->file.data, b->file.size, b->firmware, b->kind, &cli->arena,
                                     &cli->diag, &b->image, &blob, &base);
    if (!err && !blob) {
        err = diag_set(&cli->diag, DIAG_NO, b->firmware, "there is no splice in this firmware");
    }
    err = err ? err : write_base(cli, b, blob, &base);
    bytes_out_free(&base);
    cli->arena.on_fail = on_fail;
    return err;
}

static enum diag_code make(struct cli *cli, struct build *b)
{
    if (b->args.n != 1 || !b->output) {
        return cli_usage_error(cli, "one PRODUCT and -o BASE are needed");
    }
    b->firmware = b->args.items[0];
    enum diag_code err = cli_distinct(cli, b->output, b->firmware);
    err = err ? err : build_type(cli, b->type, &b->kind);
    err = err ? err : file_read(b->firmware, &cli->arena, &cli->diag, &b->file);
    return err ? err : take_out(cli, b);
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
