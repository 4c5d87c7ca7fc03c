#include "packer/cli/build.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_pack = {
    .name = "pack",
    .summary = "compile and sign scripts into a blob for one firmware",
    .usage = "pack -f FIRMWARE -o APP.frz [-k KEY.pem] INPUT...\n\n"
             "Makes the blob that build would splice into the firmware, and writes it alone.\n"
             "Options and inputs are those of build.\n\n"
             "Example:\n  mpy-freeze pack -f firmware.bin -o app.frz -k key.pem app/",
    .run = run,
};

static enum diag_code make(struct cli *cli, struct build *b)
{
    enum diag_code err = build_check(cli, b);
    err = err ? err : build_open(cli, b);
    err = err ? err : build_blob(cli, b);
    err = err ? err : build_settle(cli, b);
    err = err ? err : build_report(cli, b);
    err = err ? err : build_write_list(cli, b);
    return err ? err
               : file_write(b->output, b->blob.data, b->blob.size, FILE_DATA, true, &cli->diag);
}

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    struct build b = {0};
    struct cli_option options[BUILD_OPTIONS];
    bool helped;
    build_options(&b, options);
    enum diag_code err = cli_parse(cli, &cmd_pack, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    err = make(cli, &b);
    build_free(&b);
    return err;
}
