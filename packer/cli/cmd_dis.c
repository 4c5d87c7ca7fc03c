// Disassembly of .mpy files and of the frozen modules of images and blobs.
#include "format/mpy/dis.h"
#include "packer/cli/open.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_dis = {
    .name = "dis",
    .summary = "show the instructions of modules",
    .usage =
        "dis FILE [NAME...] [options]\n\n"
        "Lists the bytecode of a .mpy file, or of the frozen modules of a firmware image or blob,\n"
        "with strings, constants, jump targets and line numbers.\n\n"
        "NAME is a module, as pkg/mod.py, pkg/mod or pkg.mod; without one all are listed.\n\n"
        "Options:\n"
        "  -f FIRMWARE  the firmware that a blob is for\n"
        "  --type T     container of an image, when its content does not tell\n"
        "  --json       for programs\n\n"
        "Example:\n  mpy-freeze dis firmware.uf2 asyncio.core",
    .run = run,
};

static void dis_source(const struct open_module *m, struct bytes_out *out, struct json *json)
{
    if (!json) {
        bytes_printf(out, "%s: source text, %zu bytes\n", m->name, m->text_size);
        return;
    }
    json_object(json, NULL);
    json_str(json, "name", m->name);
    json_uint(json, "text_size", m->text_size);
    json_object_end(json);
}

static void dis_unread(const char *name, const char *why, struct bytes_out *out, struct json *json)
{
    if (!json) {
        bytes_printf(out, "%s: not listed: %s\n", name, why);
        return;
    }
    json_object(json, NULL);
    json_str(json, "name", name);
    json_str(json, "reason", why);
    json_object_end(json);
}

// A module that cannot be read is reported and the next one listed.
static enum diag_code dis_one(struct cli *cli, const struct open_file *f, unsigned i,
                              struct open_failures *failed, struct bytes_out *out,
                              struct json *json)
{
    struct open_module m;
    struct arena a;
    arena_init(&a, 0);
    enum diag_code err = open_module(cli, f, i, &a, &m);
    if (!err && m.mpy) {
        err = json ? mpy_dis_json(m.mpy, m.name, &a, json, &cli->diag)
                   : mpy_dis_text(m.mpy, m.name, &a, out, &cli->diag);
    } else if (!err) {
        dis_source(&m, out, json);
    } else if (err == DIAG_MALFORMED) {
        dis_unread(open_module_name(f, i), cli->diag.text, out, json);
    }
    arena_free(&a);
    return open_failure(cli, failed, err) ? DIAG_OK : err;
}

static enum diag_code dis_all(struct cli *cli, const struct open_file *f,
                              const struct cli_list *names, struct open_failures *failed,
                              struct bytes_out *out, struct json *json)
{
    bool *used = ARENA_ARRAY(&cli->arena, bool, names->n);
    enum diag_code err = used ? DIAG_OK : diag_nomem(&cli->diag);
    for (unsigned i = 0, n = open_n_modules(f), shown = 0; i < n && !err; i++) {
        bool wanted = open_selected(open_module_name(f, i), names, used);
        if (wanted && !json && shown++) {
            bytes_put_u8(out, '\n');
        }
        err = wanted ? dis_one(cli, f, i, failed, out, json) : DIAG_OK;
    }
    return err ? err : open_all_used(cli, names, used);
}

static enum diag_code dis_print(struct cli *cli, const struct open_file *f,
                                const struct cli_list *names, bool as_json)
{
    struct open_failures failed = {0};
    struct bytes_out out;
    struct json json;
    bytes_out_init(&out);
    if (as_json) {
        json_init(&json, &out);
        json_object(&json, NULL);
        json_str(&json, "schema", "mpy-freeze/dis/1");
        json_str(&json, "file", f->file.name);
        json_array(&json, "modules");
    }
    enum diag_code err = dis_all(cli, f, names, &failed, &out, as_json ? &json : NULL);
    if (err) {
        bytes_out_free(&out);
        return err;
    }
    if (as_json) {
        json_array_end(&json);
        json_object_end(&json);
        json_end(&json);
    }
    err = cli_print(cli, &out);
    return err ? err : open_failures_end(cli, &failed);
}

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    struct cli_list rest = {0};
    const char *base = NULL, *type = NULL;
    bool as_json = false, helped;
    const struct cli_option options[] = {
        {"-f", "--firmware", CLI_VALUE, &base},
        {"--type", NULL, CLI_VALUE, &type},
        {"--json", NULL, CLI_FLAG, &as_json},
        {NULL, NULL, CLI_REST, &rest},
        {0},
    };
    enum diag_code err = cli_parse(cli, &cmd_dis, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if (rest.n == 0) {
        return cli_usage_error(cli, "dis needs a file");
    }
    struct open_file f;
    err = open_file(cli, rest.items[0], type, base, false, &f);
    const struct cli_list names = {rest.n - 1, rest.items + 1};
    return err ? err : dis_print(cli, &f, &names, as_json);
}
