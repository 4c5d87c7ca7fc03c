#include <string.h>

#include "packer/cli/cross.h"
#include "packer/compiler/release.h"

enum { COMPILE_MESSAGE_MAX = 4096 };

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_compile = {
    .name = "compile",
    .summary = "compile scripts to .mpy files",
    .usage =
        "compile [OPTIONS] FILE.py... [-o OUT|DIR]\n\n"
        "Compiles scripts to .mpy files, byte for byte as mpy-cross of a release does.\n\n"
        "  --release X.Y[.Z]   release of MicroPython, 1.19 to 1.29 (default: the newest)\n"
        "  -o OUT              output file, - for standard output, or a folder\n"
        "                      (default: the script's name with .mpy)\n"
        "  -s NAME             file name for tracebacks (default: the script's name)\n"
        "  -O[N]               optimisation level, 0 to 3\n"
        "  -msmall-int-bits=N  bits of a small int on the target (default 31)\n"
        "  -march=ARCH         architecture of the target\n"
        "  -X no-source-lines  leave out the line numbers (release 1.29)\n\n"
        "FILE may be - for standard input. A wrong script is reported with its line and the exit\n"
        "code is 3.\n\nExample:\n  mpy-freeze compile --release 1.26 -O2 main.py -o main.mpy",
    .run = run,
};

// All files are compiled; each failure is printed, the first one decides the exit code.
static enum diag_code compile_all(struct cli *cli, struct cross *x)
{
    enum diag_code first = DIAG_OK;
    for (unsigned i = 0; i < x->inputs.n; i++) {
        struct cross_failure f;
        enum diag_code err = cross_file(x, x->inputs.items[i], &f);
        if (err) {
            char message[COMPILE_MESSAGE_MAX];
            diag_format(&f.diag, cli->program, message, sizeof message);
            fprintf(stderr, "%s\n", message);
        }
        first = first ? first : err;
    }
    return first;
}

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    struct cross x = {0};
    enum cross_parsed parsed = cross_parse(cli, &x, argc, argv);
    if (parsed != CROSS_RUN) {
        diag_help(&cli->diag, "see %s compile --help", cli->program);
        return DIAG_USAGE;
    }
    if (x.help) {
        printf("Usage: %s %s\n", cli->program, cmd_compile.usage);
        return DIAG_OK;
    }
    if (x.version) {
        printf("MicroPython %s\n", x.release->name);
        return DIAG_OK;
    }
    return compile_all(cli, &x);
}
