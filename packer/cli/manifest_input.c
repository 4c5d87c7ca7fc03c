#include "packer/cli/manifest_input.h"

#include <ctype.h>
#include <string.h>

#include "packer/manifest/path.h"

enum { SNIFF_SIZE = 65536 }; // bytes of a file that are looked at

static bool named_like_a_manifest(const char *base)
{
    size_t n = strlen(base);
    bool front = strncmp(base, "manifest", 8) == 0 && (base[8] == '_' || base[8] == '-');
    bool back = n > 12 && strcmp(base + n - 11, "manifest.py") == 0 &&
                (base[n - 12] == '_' || base[n - 12] == '-');
    return (front || back) && path_has_extension(base, ".py");
}

// True if a line of the text begins with a call of a manifest's function.
static bool calls_a_manifest(const char *text)
{
    static const char *const names[] = {"metadata",   "module",        "package",      "include",
                                        "require",    "add_library",   "freeze",       "c_module",
                                        "freeze_mpy", "freeze_as_mpy", "freeze_as_str"};
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            size_t n = strlen(names[i]);
            if (strncmp(line, names[i], n) == 0 && line[n + strspn(line + n, " ")] == '(') {
                return true;
            }
        }
    }
    return false;
}

bool manifest_input_is(const char *path)
{
    const char *base = path_basename(path);
    if (strcmp(base, "manifest.py") == 0) {
        return !path_is_dir(path);
    }
    if (!named_like_a_manifest(base)) {
        return false;
    }
    static const size_t size = SNIFF_SIZE;
    struct arena a;
    struct diag d;
    struct file f;
    arena_init(&a, 0);
    diag_init(&d);
    bool is = file_read(path, &a, &d, &f) == DIAG_OK && f.size < size &&
              calls_a_manifest((const char *)f.data);
    arena_free(&a);
    return is;
}

static enum diag_code add_var(struct cli *cli, struct manifest_options *options,
                              struct manifest_var *vars, const char *define)
{
    const char *equals = strchr(define, '=');
    if (!equals || equals == define) {
        return cli_usage_error(cli, "--define takes VAR=VALUE, not '%s'", define);
    }
    struct manifest_var var = {arena_strndup(&cli->arena, define, (size_t)(equals - define)),
                               equals + 1};
    if (!var.name) {
        return diag_nomem(&cli->diag);
    }
    vars[options->n_vars++] = var;
    return DIAG_OK;
}

static const char *find_var(const struct manifest_options *options, const char *name)
{
    for (unsigned i = 0; i < options->n_vars; i++) {
        if (strcmp(options->vars[i].name, name) == 0) {
            return options->vars[i].value;
        }
    }
    return NULL;
}

static enum diag_code default_library(struct cli *cli, struct manifest_options *options,
                                      struct manifest_var *vars)
{
    const char *top = find_var(options, "MPY_DIR");
    if (!top || find_var(options, "MPY_LIB_DIR")) {
        return DIAG_OK;
    }
    const char *lib = arena_printf(&cli->arena, "%s/lib/micropython-lib", top);
    if (!lib) {
        return diag_nomem(&cli->diag);
    }
    if (path_is_dir(lib)) {
        vars[options->n_vars++] = (struct manifest_var){"MPY_LIB_DIR", lib};
    }
    return DIAG_OK;
}

enum diag_code manifest_input_run(struct cli *cli, const char *path, const struct cli_list *defines,
                                  bool unix_ffi, struct manifest **out)
{
    struct manifest_var *vars = ARENA_ARRAY(&cli->arena, struct manifest_var, defines->n + 1);
    struct manifest_options options = {.vars = vars, .unix_ffi = unix_ffi};
    enum diag_code err = vars ? DIAG_OK : diag_nomem(&cli->diag);
    for (unsigned i = 0; i < defines->n && !err; i++) {
        err = add_var(cli, &options, vars, defines->items[i]);
    }
    err = err ? err : default_library(cli, &options, vars);
    err = err ? err : manifest_run(path, &options, &cli->arena, &cli->diag, out);
    if (!err) {
        fputs((*out)->output, stderr);
    }
    return err;
}
