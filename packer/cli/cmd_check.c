// The bytecode verifier as a command.
#include "format/mpy/check.h"
#include "packer/cli/open.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_check = {
    .name = "check",
    .summary = "prove that bytecode is well formed",
    .usage =
        "check FILE [NAME...] [options]\n\n"
        "Follows every path through the bytecode of a .mpy file, or of the frozen modules of an\n"
        "image or blob, and refuses what could make MicroPython read or write memory that is not\n"
        "the function's: stack depth, jump targets, indices, exception handlers, preludes.\n"
        "Machine code cannot be proven; it is counted. Exit code 0: all are well formed; 3: one\n"
        "is not, the offset and the reason are shown.\n\n"
        "Options:\n"
        "  -f FIRMWARE  the firmware that a blob is for\n"
        "  --type T     container of an image, when its content does not tell\n"
        "  --json       for programs\n\n"
        "Example:\n  mpy-freeze check app.mpy",
    .run = run,
};

struct checks {
    struct cli *cli;
    const struct open_file *f;
    struct bytes_out out;
    struct json json;
    bool as_json;
    struct open_failures refused;
};

static void check_say_ok(struct checks *c, const struct open_module *m, const struct mpy_check *r)
{
    if (c->as_json) {
        json_uint(&c->json, "functions", r->functions);
        json_uint(&c->json, "native", r->native);
        json_uint(&c->json, "instructions", r->instructions);
        json_uint(&c->json, "tight", r->tight);
        json_uint(&c->json, "loose", r->loose);
        return;
    }
    bytes_printf(&c->out, "%s: ok, %u functions, %u instructions", m->name, r->functions,
                 r->instructions);
    if (r->native) {
        bytes_printf(&c->out, ", %u of machine code not proven", r->native);
    }
    if (r->tight) {
        bytes_printf(&c->out, ", %u use one entry more in a finally", r->tight);
    }
    if (r->loose) {
        bytes_printf(&c->out, ", %u calls with loose keyword names", r->loose);
    }
    bytes_put_u8(&c->out, '\n');
}

static void check_say_refused(struct checks *c, const char *name, const struct mpy_module *m,
                              const struct mpy_check *r, const struct diag *d)
{
    if (!c->as_json) {
        bytes_printf(&c->out, "%s: refused: %s\n", name, d->text);
        return;
    }
    json_str(&c->json, "reason", d->text);
    if (d->where == DIAG_BINARY && r) {
        json_uint(&c->json, "offset", r->at);
        json_uint(&c->json, "function", r->function);
        if (r->has_qstr) {
            json_strn(&c->json, "name_of_function", m->qstrs[r->qstr].data, m->qstrs[r->qstr].len);
        }
        json_uint(&c->json, "line", r->line);
    }
}

static void check_open_object(struct checks *c, const char *name, bool ok)
{
    if (c->as_json) {
        json_object(&c->json, NULL);
        json_str(&c->json, "name", name);
        json_bool(&c->json, "ok", ok);
    }
}

static void check_say(struct checks *c, const struct open_module *m, const struct mpy_check *r)
{
    const struct diag *d = &c->cli->diag;
    bool ok = d->code == DIAG_OK;
    check_open_object(c, m->name, ok);
    if (!ok) {
        check_say_refused(c, m->name, m->mpy, r, d);
    } else if (m->mpy && r) {
        check_say_ok(c, m, r);
    } else if (!c->as_json) {
        bytes_printf(&c->out, "%s: source text\n", m->name);
    }
    if (c->as_json) {
        json_object_end(&c->json);
    }
}

// A refusal is reported and the next module looked at; other failures end the command.
static enum diag_code check_one(struct checks *c, unsigned i)
{
    struct cli *cli = c->cli;
    struct open_module m;
    struct mpy_check report = {0};
    struct arena a;
    bool checked = false;
    arena_init(&a, 0);
    enum diag_code err = open_module(cli, c->f, i, &a, &m);
    if (!err && m.mpy) {
        err = mpy_check(m.mpy, c->f->file.name, &cli->diag, &report);
        checked = true;
    }
    if (!err || err == DIAG_MALFORMED) {
        check_say(c, &m, checked ? &report : NULL);
    }
    arena_free(&a);
    return open_failure(cli, &c->refused, err) ? DIAG_OK : err;
}

static enum diag_code check_all(struct checks *c, const struct cli_list *names)
{
    bool *used = ARENA_ARRAY(&c->cli->arena, bool, names->n);
    enum diag_code err = used ? DIAG_OK : diag_nomem(&c->cli->diag);
    for (unsigned i = 0, n = open_n_modules(c->f); i < n && !err; i++) {
        if (open_selected(open_module_name(c->f, i), names, used)) {
            err = check_one(c, i);
        }
    }
    return err ? err : open_all_used(c->cli, names, used);
}

static enum diag_code check_print(struct checks *c, const struct cli_list *names)
{
    bytes_out_init(&c->out);
    if (c->as_json) {
        json_init(&c->json, &c->out);
        json_object(&c->json, NULL);
        json_str(&c->json, "schema", "mpy-freeze/check/1");
        json_str(&c->json, "file", c->f->file.name);
        json_array(&c->json, "modules");
    }
    enum diag_code err = check_all(c, names);
    if (err) {
        bytes_out_free(&c->out);
        return err;
    }
    if (c->as_json) {
        json_array_end(&c->json);
        json_bool(&c->json, "ok", c->refused.n == 0);
        json_object_end(&c->json);
        json_end(&c->json);
    }
    err = cli_print(c->cli, &c->out);
    return err ? err : open_failures_end(c->cli, &c->refused);
}

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    struct cli_list rest = {0};
    const char *base = NULL, *type = NULL;
    struct checks c = {.cli = cli};
    bool helped;
    const struct cli_option options[] = {
        {"-f", "--firmware", CLI_VALUE, &base},
        {"--type", NULL, CLI_VALUE, &type},
        {"--json", NULL, CLI_FLAG, &c.as_json},
        {NULL, NULL, CLI_REST, &rest},
        {0},
    };
    enum diag_code err = cli_parse(cli, &cmd_check, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if (rest.n == 0) {
        return cli_usage_error(cli, "check needs a file");
    }
    struct open_file f;
    err = open_file(cli, rest.items[0], type, base, false, &f);
    c.f = &f;
    const struct cli_list names = {rest.n - 1, rest.items + 1};
    return err ? err : check_print(&c, &names);
}
