// mpy-freeze: finds the command, runs it, prints its failure, turns it into an exit code.
#include <string.h>

#include "packer/cli/cli.h"
#include "packer/cli/cross.h"

enum { MAIN_MESSAGE_MAX = 4096 }; // the parts of a struct diag are bounded below this

static void main_usage(FILE *to)
{
    fputs("Usage: mpy-freeze COMMAND [OPTIONS] ...\n\n"
          "Freezes Python scripts into an existing MicroPython firmware image.\n\nCommands:\n",
          to);
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        fprintf(to, "  %-10s %s\n", (*c)->name, (*c)->summary);
    }
    fputs("\nmpy-freeze COMMAND --help describes a command.\n"
          "Exit codes: 0 yes, 1 the answer is no, 2 usage, 3 malformed input, 4 I/O, 5 unsigned.\n",
          to);
}

static const struct cli_command *main_find(const char *name)
{
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        if (strcmp((*c)->name, name) == 0) {
            return *c;
        }
    }
    return NULL;
}

static void main_report(const struct cli *cli, enum diag_code code)
{
    char message[MAIN_MESSAGE_MAX];
    if (cli->diag.code == DIAG_OK) {
        return; // the command has said it in its own output: "no" with --json, for one
    }
    (void)code;
    diag_format(&cli->diag, cli->program, message, sizeof message);
    fprintf(stderr, "%s\n", message);
}

// Runs the command; when its arena cannot grow, it ends here with DIAG_NOMEM. Files are written
// from finished buffers only, so nothing is left half done.
static enum diag_code main_guard(struct cli *cli, const struct cli_command *cmd, int argc,
                                 char **argv)
{
    jmp_buf out_of_memory;
    if (setjmp(out_of_memory)) {
        cli->arena.on_fail = NULL;
        return diag_nomem(&cli->diag);
    }
    cli->arena.on_fail = &out_of_memory;
    enum diag_code code = cmd->run(cli, argc, argv);
    cli->arena.on_fail = NULL;
    return code;
}

static int main_run(const struct cli_command *cmd, int argc, char **argv)
{
    struct cli cli = {.program = "mpy-freeze"};
    arena_init(&cli.arena, 0);
    diag_init(&cli.diag);
    enum diag_code code = main_guard(&cli, cmd, argc, argv);
    if (fflush(stdout) != 0 && code == DIAG_OK) {
        code = diag_set(&cli.diag, DIAG_IO, "<stdout>", "cannot write");
    }
    main_report(&cli, code);
    arena_free(&cli.arena);
    return diag_exit(code);
}

int main(int argc, char **argv)
{
    if (argc > 0 && mpycross_is(argv[0])) {
        return mpycross_main(argc, argv);
    }
    if (argc < 2) {
        main_usage(stderr);
        return DIAG_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        main_usage(stdout);
        return fflush(stdout) ? DIAG_IO : DIAG_OK;
    }
    const struct cli_command *cmd = main_find(strcmp(name, "--version") == 0 ? "version" : name);
    if (!cmd) {
        fprintf(stderr, "mpy-freeze: unknown command '%s'\n  see mpy-freeze --help\n", name);
        return DIAG_USAGE;
    }
    return main_run(cmd, argc - 1, argv + 1);
}
