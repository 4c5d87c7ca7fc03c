// mpy-verify: the verify command alone. There is no compiler and no signing code in this program.
#include <stdio.h>
#include <string.h>

#include "format/file.h"
#include "format/number.h"
#include "verify/host/command.h"

enum { MAIN_MESSAGE_MAX = 4096 }; // the parts of a struct diag are bounded below this

struct main_option {
    const char *name;
    const char **text; // one of these three
    uint64_t *number;
    bool *flag;
};

static enum diag_code main_number(const char *name, const char *text, uint64_t *to, struct diag *d)
{
    if (!number_whole(text, to)) {
        return diag_set(d, DIAG_USAGE, NULL, "%s takes a number, not '%s'", name, text);
    }
    return DIAG_OK;
}

// The value of option argv[*i]: behind "=", or the next argument.
static enum diag_code main_value(int argc, char **argv, int *i, size_t name_size,
                                 const char **value, struct diag *d)
{
    const char *joined = argv[*i] + name_size;
    if (*joined) {
        *value = joined + (*joined == '=');
        return DIAG_OK;
    }
    if (*i + 1 >= argc) {
        return diag_set(d, DIAG_USAGE, NULL, "%s needs a value", argv[*i]);
    }
    *value = argv[++*i];
    return DIAG_OK;
}

// True if arg is this option: the name, or the name with a value joined to it.
static bool main_matches(const struct main_option *o, const char *arg)
{
    size_t n = strlen(o->name);
    return strncmp(arg, o->name, n) == 0 &&
           (arg[n] == 0 || (!o->flag && (arg[n] == '=' || o->name[1] != '-')));
}

static enum diag_code main_option(const struct main_option *options, int argc, char **argv, int *i,
                                  struct diag *d)
{
    const struct main_option *o = options;
    while (o->name && !main_matches(o, argv[*i])) {
        o++;
    }
    if (!o->name) {
        return diag_set(d, DIAG_USAGE, NULL, "unknown option %s", argv[*i]);
    }
    if (o->flag) {
        *o->flag = true;
        return DIAG_OK;
    }
    const char *value = "";
    enum diag_code err = main_value(argc, argv, i, strlen(o->name), &value, d);
    if (err || o->number) {
        return err ? err : main_number(o->name, value, o->number, d);
    }
    *o->text = value;
    return DIAG_OK;
}

static enum diag_code main_parse(int argc, char **argv, struct verify_args *args, const char **keys,
                                 struct diag *d)
{
    const char *key = NULL;
    const struct main_option options[] = {
        {"-k", &key, NULL, NULL},
        {"--key", &key, NULL, NULL},
        {"-f", &args->base, NULL, NULL},
        {"--base", &args->base_digest, NULL, NULL},
        {"--type", &args->type, NULL, NULL},
        {"--modules", &args->modules, NULL, NULL},
        {"--min-counter", NULL, &args->min_counter, NULL},
        {"--require", NULL, &args->required, NULL},
        {"--allow-test-key", NULL, NULL, &args->allow_test_key},
        {"--no-other-signatures", NULL, NULL, &args->no_other_signatures},
        {"--json", NULL, NULL, &args->json},
        {0},
    };
    bool plain = false;
    enum diag_code err = DIAG_OK;
    args->keys = keys;
    for (int i = 1; i < argc && !err; i++) {
        if (!plain && strcmp(argv[i], "--") == 0) {
            plain = true;
        } else if (!plain && argv[i][0] == '-' && argv[i][1]) {
            err = main_option(options, argc, argv, &i, d);
            if (key) {
                keys[args->n_keys++] = key; // at most one for each argument
                key = NULL;
            }
        } else if (args->file) {
            err = diag_set(d, DIAG_USAGE, NULL, "one file at a time: unexpected '%s'", argv[i]);
        } else {
            args->file = argv[i];
        }
    }
    return err;
}

static const char main_help[] =
    "Usage: mpy-verify " VERIFY_USAGE "  mpy-verify product.bin -k pub.pem\n";

static bool main_asks(int argc, char **argv, const char *what)
{
    return argc == 2 && strcmp(argv[1], what) == 0;
}

// Reads the arguments and does what they ask for; out gets what is to be printed.
static enum diag_code main_run(int argc, char **argv, struct arena *a, struct diag *d,
                               struct bytes_out *out)
{
    struct verify_args args = {0};
    if (main_asks(argc, argv, "--help") || main_asks(argc, argv, "-h")) {
        bytes_printf(out, "%s", main_help);
        return DIAG_OK;
    }
    if (main_asks(argc, argv, "--version")) {
        bytes_printf(out, "mpy-verify %s\n", MPY_FREEZE_VERSION);
        return DIAG_OK;
    }
    const char **keys = ARENA_ARRAY(a, const char *, (size_t)argc);
    enum diag_code code = keys ? main_parse(argc, argv, &args, keys, d) : diag_nomem(d);
    return code ? code : verify_command(&args, a, d, out);
}

int main(int argc, char **argv)
{
    struct arena arena;
    struct diag d;
    struct bytes_out out;
    file_process();
    if (argc < 2) {
        fputs(main_help, stderr);
        return DIAG_USAGE;
    }
    arena_init(&arena, 0);
    diag_init(&d);
    bytes_out_init(&out);
    enum diag_code code = main_run(argc, argv, &arena, &d, &out);
    if (out.size > 0) {
        diag_tame((char *)out.data, out.size); // no change to JSON, which has escapes of its own
        enum diag_code err = file_write("-", out.data, out.size, FILE_DATA, false, &d);
        code = err ? err : code;
    }
    if (d.code != DIAG_OK) {
        char message[MAIN_MESSAGE_MAX];
        diag_format(&d, "mpy-verify", message, sizeof message);
        fprintf(stderr, "%s\n", message);
    }
    bytes_out_free(&out);
    arena_free(&arena);
    return diag_exit(code);
}
