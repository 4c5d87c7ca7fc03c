#include "packer/cli/project.h"
#include "packer/manifest/path.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_build = {
    .name = "build",
    .summary = "compile, sign and splice scripts into a firmware",
    .usage =
        "build -f FIRMWARE -o PRODUCT [-k KEY.pem] INPUT...\n"
        "       mpy-freeze build [--project FILE.ini] [ROW...]\n\n"
        "Makes a firmware that holds the inputs as frozen modules. The product has the\n"
        "container of the firmware; a splice that the firmware holds is replaced.\n\n"
        "Without -f and -o it builds what mpy-freeze.ini describes: all rows, or those named. See\n"
        "README.md; the file's [product] section has app, version, counter, inputs, main, boot,\n"
        "key, reserve-signatures, define, list-modules, detach-modules, optimise, strip, strict,\n"
        "release; each further section is a row with firmware, output, and board, region, type\n"
        "where needed.\n\n"
        "Inputs are scripts (main.py), .mpy files, folders and manifest.py files. A folder with\n"
        "__init__.py is a package of the folder's name; any other folder's contents are frozen\n"
        "as they stand in it.\n"
        "Options:\n"
        "  -k, --key KEY.pem        sign the blob; may be given more than once\n"
        "  --reserve-signatures N   room for N signatures of any kind, up to 8; by default there\n"
        "                           is room for two by RSA keys or seven by EC keys\n"
        "  --passphrase-file FILE   for an encrypted key\n"
        "  --app NAME, --app-version V, --counter N   named in the blob\n"
        "  --list-modules           write PRODUCT.modules, too: the list of the modules with the\n"
        "                           whole digests of sources and .mpy files, covered by the\n"
        "                           signature; verify --modules proves it\n"
        "  --detach-modules         the same, and leave 20 bytes a module (the digest of its\n"
        "                           source, shortened) out of flash\n"
        "  --boot FILE, --main FILE freeze FILE as boot.py, as main.py\n"
        "  --define VAR=VALUE       $(VAR) in the paths of a manifest: MPY_LIB_DIR, PORT_DIR ...\n"
        "  --unix-ffi               require() finds micropython-lib's unix-ffi packages first\n"
        "  -O N                     optimisation level, 0 to 3\n"
        "  --strip                  leave line numbers out\n"
        "  --release X.Y            compile for this release, not for the firmware's\n"
        "  --board NAME             place by the boards table (see mpy-freeze boards)\n"
        "  --region START:SIZE      place the blob there\n"
        "  --type TYPE              the firmware's container: elf, bin, uf2, dfuse, ihex, esp,\n"
        "                           esp-flash\n"
        "  --project FILE.ini       build what this project file describes\n"
        "  --strict                 refuse a product that can be taken over: no frozen main.py,\n"
        "                           imports that a file can shadow, an open console\n"
        "  --json                   report as JSON\n\n"
        "Example:\n  mpy-freeze build -f firmware.uf2 -o product.uf2 -k key.pem app/ main.py",
    .run = run,
};

static enum diag_code make(struct cli *cli, struct build *b)
{
    struct blob *blob;
    enum diag_code err = build_check(cli, b);
    err = err ? err : build_open(cli, b);
    err = err ? err : build_blob(cli, b);
    err = err ? err : build_read_back(cli, b, &blob);
    b->reports = true;
    return err ? err : build_product(cli, b, blob);
}

static enum diag_code run_project(struct cli *cli, const struct build *b)
{
    struct project *p;
    const struct project_options o = {.file = b->project,
                                      .only = &b->args,
                                      .keys = &b->keys,
                                      .passphrase_file = b->passphrase_file,
                                      .json = b->json,
                                      .strict = b->strict};
    enum diag_code err = project_read(cli, &o, &p);
    if (!err) {
        err = project_build(cli, p, &o);
        project_free(p);
    }
    return err;
}

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    struct build b = {0};
    struct cli_option options[BUILD_OPTIONS];
    bool helped;
    build_options(&b, options);
    enum diag_code err = cli_parse(cli, &cmd_build, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if (b.project || (!b.firmware && !b.output && path_exists(PROJECT_FILE))) {
        return run_project(cli, &b);
    }
    err = make(cli, &b);
    build_free(&b);
    return err;
}
