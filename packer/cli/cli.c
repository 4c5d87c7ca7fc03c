#include "packer/cli/cli.h"

#include <stdarg.h>
#include <string.h>

#include "format/number.h"

enum diag_code cli_usage_error(struct cli *cli, const char *fmt, ...)
{
    char text[DIAG_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return diag_set(&cli->diag, DIAG_USAGE, NULL, "%s", text);
}

enum diag_code cli_append(struct cli *cli, struct cli_list *list, const char *item)
{
    const char **items = arena_room(&cli->arena, list->items, list->n, sizeof *items);
    if (!items) {
        return diag_nomem(&cli->diag);
    }
    items[list->n++] = item;
    list->items = items;
    return DIAG_OK;
}

static enum diag_code cli_uint(struct cli *cli, const char *name, const char *text, uint64_t *to)
{
    if (!number_whole(text, to)) {
        return cli_usage_error(cli, "%s takes a number, not '%s'", name, text);
    }
    return DIAG_OK;
}

static enum diag_code cli_store(struct cli *cli, const struct cli_option *o, const char *value)
{
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)o->to = true;
        return DIAG_OK;
    case CLI_VALUE:
        *(const char **)o->to = value;
        return DIAG_OK;
    case CLI_UINT:
        return cli_uint(cli, o->name, value, o->to);
    case CLI_LIST:
    case CLI_REST:
        return cli_append(cli, o->to, value);
    }
    return DIAG_OK;
}

// Matches arg against name; for "--name=value" and "-nvalue" *joined points to the value.
static bool cli_match(const struct cli_option *o, const char *name, const char *arg,
                      const char **joined)
{
    *joined = NULL;
    if (!name) {
        return false;
    }
    size_t n = strlen(name);
    if (strncmp(arg, name, n) != 0) {
        return false;
    }
    if (arg[n] == 0) {
        return true;
    }
    bool is_long = name[1] == '-';
    if (o->kind == CLI_FLAG || (is_long && arg[n] != '=')) {
        return false;
    }
    *joined = arg + n + is_long;
    return true;
}

static enum diag_code cli_option(struct cli *cli, const struct cli_option *options, int argc,
                                 char **argv, int *i)
{
    for (const struct cli_option *o = options; o->to; o++) {
        const char *value;
        if (!cli_match(o, o->name, argv[*i], &value) && !cli_match(o, o->alias, argv[*i], &value)) {
            continue;
        }
        if (o->kind != CLI_FLAG && !value) {
            if (*i + 1 >= argc) {
                return cli_usage_error(cli, "%s needs a value", argv[*i]);
            }
            value = argv[++*i];
        }
        return cli_store(cli, o, value);
    }
    return cli_usage_error(cli, "unknown option %s", argv[*i]);
}

static const struct cli_option *cli_rest(const struct cli_option *options)
{
    for (; options->to; options++) {
        if (options->kind == CLI_REST) {
            return options;
        }
    }
    return NULL;
}

enum diag_code cli_parse(struct cli *cli, const struct cli_command *cmd, int argc, char **argv,
                         const struct cli_option *options, bool *helped)
{
    const struct cli_option *rest = cli_rest(options);
    bool plain = false;
    enum diag_code err = DIAG_OK;
    *helped = false;
    for (int i = 1; i < argc && !err; i++) {
        const char *arg = argv[i];
        if (!plain && strcmp(arg, "--") == 0) {
            plain = true;
        } else if (!plain && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            printf("Usage: %s %s\n", cli->program, cmd->usage);
            *helped = true;
            return DIAG_OK;
        } else if (!plain && arg[0] == '-' && arg[1]) {
            err = cli_option(cli, options, argc, argv, &i);
        } else if (rest) {
            err = cli_store(cli, rest, arg);
        } else {
            err = cli_usage_error(cli, "unexpected argument '%s'", arg);
        }
    }
    if (err == DIAG_USAGE) {
        diag_help(&cli->diag, "see %s %s --help", cli->program, cmd->name);
    }
    return err;
}

enum diag_code cli_replaces(struct cli *cli, const char *output)
{
    return cli_usage_error(cli, "the output %s would replace an input", output);
}

enum diag_code cli_distinct(struct cli *cli, const char *output, const char *input)
{
    return input && output && file_same(output, input) ? cli_replaces(cli, output) : DIAG_OK;
}

enum diag_code cli_distinct_all(struct cli *cli, const char *output, const struct cli_list *inputs)
{
    enum diag_code err = DIAG_OK;
    for (unsigned i = 0; i < inputs->n && !err; i++) {
        err = cli_distinct(cli, output, inputs->items[i]);
    }
    return err;
}

enum diag_code cli_print(struct cli *cli, struct bytes_out *out)
{
    enum diag_code err = bytes_out_check(out, &cli->diag);
    if (!err) {
        diag_tame((char *)out->data, out->size); // no change to JSON, which has escapes of its own
        err = file_write("-", out->data, out->size, FILE_DATA, false, &cli->diag);
    }
    bytes_out_free(out);
    return err;
}
