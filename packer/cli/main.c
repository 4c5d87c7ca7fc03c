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

static const struct cli_command *main_find(const char *name);

// help, or help COMMAND.
static enum diag_code main_help(struct cli *cli, int argc, char **argv)
{
    if (argc > 1) {
        char ask[] = "--help", *asked[] = {argv[1], ask, NULL};
        return main_find(argv[1])->run(cli, 2, asked);
    }
    main_usage(stdout);
    return DIAG_OK;
}

static enum diag_code main_unknown(struct cli *cli, int argc, char **argv)
{
    (void)argc;
    enum diag_code err = cli_usage_error(cli, "unknown command '%s'", argv[0]);
    diag_help(&cli->diag, "see %s --help", cli->program);
    return err;
}

// The command of this name; help is one, and so is the complaint that there is none.
static const struct cli_command *main_find(const char *name)
{
    static const struct cli_command help = {.name = "help", .run = main_help};
    static const struct cli_command unknown = {.name = "", .run = main_unknown};
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        if (strcmp((*c)->name, name) == 0) {
            return *c;
        }
    }
    if (strcmp(name, "--version") == 0) {
        return main_find("version");
    }
    bool helps =
        strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0;
    return helps ? &help : &unknown;
}

static void main_report(const struct cli *cli)
{
    char message[MAIN_MESSAGE_MAX];
    if (cli->diag.code == DIAG_OK) {
        return; // the command has said it in its own output: "no" with --json, for one
    }
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
    code = code ? code : file_flush_stdout(&cli.diag);
    main_report(&cli);
    arena_free(&cli.arena);
    return diag_exit(code);
}

int main(int argc, char **argv)
{
    file_process();
    if (argc > 0 && mpycross_is(argv[0])) {
        return mpycross_main(argc, argv);
    }
    if (argc < 2) {
        main_usage(stderr);
        return DIAG_USAGE;
    }
    return main_run(main_find(argv[1]), argc - 1, argv + 1);
}
