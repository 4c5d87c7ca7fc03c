// The program under the name mpy-cross: same options, streams, messages and exit codes.
#include <string.h>

#include "packer/cli/cross.h"
#include "packer/compiler/release.h"

static const char mpycross_name[] = "mpy-cross";

static const char *mpycross_base(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    return slash ? slash + 1 : argv0;
}

bool mpycross_is(const char *argv0)
{
    return strncmp(mpycross_base(argv0), mpycross_name, sizeof mpycross_name - 1) == 0;
}

// mpy-cross-1.25 compiles for 1.25.
static const struct compiler_release *mpycross_release(const char *argv0)
{
    const char *rest = mpycross_base(argv0) + sizeof mpycross_name - 1;
    return *rest == '-' ? compiler_release_find(rest + 1) : NULL;
}

static void mpycross_usage(const char *argv0)
{
    printf("usage: %s [options] [-X option] [--] script...\n"
           "Options:\n"
           "--version          print the version and end\n"
           "-o FILE            output (default: the script's name with .mpy; stdout for stdin);\n"
           "                   with several scripts, a folder\n"
           "-s NAME            file name to keep in the output (default: the script's name)\n"
           "-v                 accepted, does nothing\n"
           "-O[N]              optimisation level\n"
           "--release X.Y[.Z]  release of MicroPython to compile for (1.19 to 1.29)\n"
           "\n"
           "Target:\n"
           "-msmall-int-bits=N bits of a small int (default 31)\n"
           "-march=ARCH        x86, x64, armv6, armv6m, armv7m, armv7em, armv7emsp, armv7emdp,\n"
           "                   xtensa, xtensawin, rv32imc, rv64imc, host, debug\n"
           "-march-flags=FLAGS extensions of rv32imc: a number, or of zba,zcmp\n"
           "\n"
           "Implementation:\n"
           "  emit={bytecode,native,viper}\n"
           "  heapsize=N       accepted, does nothing\n"
           "  source-lines, no-source-lines\n",
           argv0);
}

static void mpycross_version(const struct compiler_release *r)
{
    printf("MicroPython v%s on %s; mpy-cross emitting mpy v6", r->name, r->date);
    printf(r->sub ? ".%u\n" : "\n", r->sub);
}

static void mpycross_report_os(const struct cross *x, const struct cross_failure *f)
{
    if (f->os_name && x->release->open_errors_named) {
        fprintf(stderr, "OSError: (%d, \"can't open %s\")\n", f->os_error, f->os_name);
    } else {
        fprintf(stderr, "OSError: %d\n", f->os_error);
    }
}

static void mpycross_report(const struct cross *x, const struct cross_failure *f)
{
    if (f->os_error) {
        mpycross_report_os(x, f);
        return;
    }
    if (f->trace.placed) {
        fprintf(stderr, "Traceback (most recent call last):\n  File \"%s\", line %u",
                f->trace.compiling ? f->source : f->input, f->trace.line);
        fprintf(stderr, f->trace.block[0] ? ", in %s\n" : "\n", f->trace.block);
    }
    fprintf(stderr, "%s\n", f->diag.text);
}

static int mpycross_run(struct cli *cli, struct cross *x, int argc, char **argv)
{
    enum cross_parsed parsed = cross_parse(cli, x, argc, argv);
    if (parsed == CROSS_USAGE) {
        mpycross_usage(argv[0]);
        return 1;
    }
    if (parsed == CROSS_REFUSED) {
        fprintf(stderr, "%s\n", cli->diag.text);
        return 1;
    }
    if (x->version) {
        mpycross_version(x->release);
        return 0;
    }
    int status = 0;
    for (unsigned i = 0; i < x->inputs.n; i++) {
        struct cross_failure f;
        if (cross_file(x, x->inputs.items[i], &f)) {
            mpycross_report(x, &f);
            status = 1;
        }
    }
    return status;
}

int mpycross_main(int argc, char **argv)
{
    struct cli cli = {.program = mpycross_name};
    struct cross x = {.drop_in = true, .release = mpycross_release(argv[0])};
    arena_init(&cli.arena, 0);
    diag_init(&cli.diag);
    int status = mpycross_run(&cli, &x, argc, argv);
    if (file_flush_stdout(&cli.diag) && !status) {
        fprintf(stderr, "%s\n", cli.diag.text);
        status = 1;
    }
    arena_free(&cli.arena);
    return status;
}
