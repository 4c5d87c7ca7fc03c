// Frozen modules of an image, back as files.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "packer/cli/open.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_extract = {
    .name = "extract",
    .summary = "write frozen modules back to files",
    .usage =
        "extract FILE -d DIR [NAME...] [options]\n\n"
        "Turns the frozen modules of a firmware image or blob back into .mpy files that\n"
        "MicroPython of that release imports; frozen source texts come out as .py. What freezing\n"
        "drops is made canonical: floats are written as mpy-cross of that release writes the\n"
        "shortest literal, table entries that no instruction uses are left out, small ints have\n"
        "31 bits unless a constant needs more.\n\n"
        "NAME is a module, as pkg/mod.py, pkg/mod or pkg.mod; without one all are written.\n"
        "Files that exist are left alone, and the command fails, unless --force is given.\n\n"
        "Options:\n"
        "  -d DIR       where to; made if it does not exist\n"
        "  -f FIRMWARE  the firmware that a blob is for\n"
        "  --force      replace files that exist\n"
        "  --type T     container of an image, when its content does not tell\n"
        "  --json       what was written, for programs\n\n"
        "Example:\n  mpy-freeze extract firmware.uf2 -d modules",
    .run = run,
};

enum { EXTRACT_PATH_MAX = 4096 };

struct extract {
    struct cli *cli;
    const struct open_file *f;
    const char *dir;
    bool force;
    struct open_failures failed;
    struct bytes_out out; // the report
    struct json json;
    bool as_json;
};

// A frozen name comes from the image: it may only lead downwards from the folder.
static bool extract_is_safe(const char *name)
{
    if (name[0] == '/' || name[0] == 0 || strlen(name) > EXTRACT_PATH_MAX) {
        return false;
    }
    for (const char *p = name; *p; p += *p == '/') {
        size_t n = strcspn(p, "/");
        bool dots = (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.');
        if (n == 0 || dots) {
            return false;
        }
        p += n;
        if (*p == '/' && p[1] == 0) {
            return false;
        }
    }
    for (const char *p = name; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == '\\' || *p == 0x7f) {
            return false;
        }
    }
    return true;
}

static enum diag_code extract_mkdir(struct extract *x, const char *path)
{
    struct stat st;
    if (mkdir(path, 0777) == 0) {
        return DIAG_OK;
    }
    // lstat: a link in the way could lead anywhere.
    if (errno == EEXIST && lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return DIAG_OK;
    }
    return diag_set(&x->cli->diag, DIAG_IO, path, "cannot make this folder: %s",
                    strerror(errno == EEXIST ? ENOTDIR : errno));
}

// Makes the folders of path behind its first skip bytes.
static enum diag_code extract_parents(struct extract *x, char *path, size_t skip)
{
    enum diag_code err = DIAG_OK;
    for (char *p = path + skip; !err && (p = strchr(p, '/')) != NULL; p++) {
        *p = 0;
        err = extract_mkdir(x, path);
        *p = '/';
    }
    return err;
}

// dir/name with the ending of what is written; NULL without memory.
static char *extract_path(struct extract *x, const struct open_module *m)
{
    size_t n = strlen(m->name);
    if (m->mpy && n > 3 && strcmp(m->name + n - 3, ".py") == 0) {
        return arena_printf(&x->cli->arena, "%s/%.*s.mpy", x->dir, (int)(n - 3), m->name);
    }
    return arena_printf(&x->cli->arena, "%s/%s", x->dir, m->name);
}

static enum diag_code extract_file(struct extract *x, const struct open_module *m, char *path,
                                   size_t *size)
{
    struct bytes_out out;
    bytes_out_init(&out);
    if (m->mpy) {
        mpy_write(m->mpy, &out);
    } else {
        bytes_put(&out, m->text, m->text_size);
    }
    *size = out.size;
    struct diag *d = &x->cli->diag;
    enum diag_code err = bytes_out_check(&out, d);
    err = err ? err : extract_parents(x, path, strlen(x->dir) + 1);
    if (!err) {
        err = x->force ? file_write(path, out.data, out.size, FILE_DATA, false, d)
                       : file_create(path, out.data, out.size, FILE_DATA, d);
    }
    bytes_out_free(&out);
    return err;
}

static void extract_report(struct extract *x, const struct open_module *m, const char *path,
                           size_t size)
{
    if (!x->as_json) {
        bytes_printf(&x->out, "%s\n", path);
        return;
    }
    json_object(&x->json, NULL);
    json_str(&x->json, "name", m->name);
    json_str(&x->json, "kind", m->mpy ? "mpy" : "str");
    json_str(&x->json, "path", path);
    json_uint(&x->json, "size", size);
    json_object_end(&x->json);
}

static enum diag_code extract_opened(struct extract *x, const struct open_module *m)
{
    if (!extract_is_safe(m->name)) {
        return diag_set(&x->cli->diag, DIAG_MALFORMED, x->f->file.name,
                        "a frozen module has the name '%s', which would not stay inside %s",
                        m->name, x->dir);
    }
    const struct mpy_code *lost = m->mpy ? mpy_v5_lost(m->mpy->root) : NULL;
    if (lost) {
        return diag_set(&x->cli->diag, DIAG_MALFORMED, x->f->file.name,
                        "%s: machine code at 0x%llx has the numbers of this firmware's strings in "
                        "its instructions; where, is not kept by 1.18",
                        m->name, (unsigned long long)lost->at);
    }
    char *path = extract_path(x, m);
    size_t size = 0;
    enum diag_code err = path ? extract_file(x, m, path, &size) : diag_nomem(&x->cli->diag);
    if (!err) {
        extract_report(x, m, path, size);
    }
    return err;
}

static void extract_unread(struct extract *x, const char *name)
{
    if (!x->as_json) {
        bytes_printf(&x->out, "%s: not written: %s\n", name, x->cli->diag.text);
        return;
    }
    json_object(&x->json, NULL);
    json_str(&x->json, "name", name);
    json_str(&x->json, "reason", x->cli->diag.text);
    json_object_end(&x->json);
}

// A module that cannot be read is reported and the next one written.
static enum diag_code extract_one(struct extract *x, unsigned i)
{
    struct open_module m;
    struct arena a;
    arena_init(&a, 0);
    enum diag_code err = open_module(x->cli, x->f, i, &a, &m);
    err = err ? err : extract_opened(x, &m);
    if (err == DIAG_MALFORMED) {
        extract_unread(x, open_module_name(x->f, i));
    }
    arena_free(&a);
    return open_failure(x->cli, &x->failed, err) ? DIAG_OK : err;
}

// The VM takes the first of several modules of one name and kind; so do we.
static bool extract_is_hidden(const struct open_file *f, unsigned i)
{
    for (unsigned k = 0; k < i; k++) {
        if (strcmp(open_module_name(f, k), open_module_name(f, i)) == 0 && f->kind == OPEN_IMAGE &&
            f->fw->modules[k].kind == f->fw->modules[i].kind) {
            return true;
        }
    }
    return false;
}

static enum diag_code extract_all(struct extract *x, const struct cli_list *names)
{
    bool *used = ARENA_ARRAY(&x->cli->arena, bool, names->n);
    enum diag_code err = used ? extract_mkdir(x, x->dir) : diag_nomem(&x->cli->diag);
    for (unsigned i = 0, n = open_n_modules(x->f); i < n && !err; i++) {
        bool wanted = open_selected(open_module_name(x->f, i), names, used);
        if (wanted && !extract_is_hidden(x->f, i)) {
            err = extract_one(x, i);
        }
    }
    return err ? err : open_all_used(x->cli, names, used);
}

static enum diag_code extract_print(struct extract *x, const struct cli_list *names)
{
    bytes_out_init(&x->out);
    if (x->as_json) {
        json_init(&x->json, &x->out);
        json_object(&x->json, NULL);
        json_str(&x->json, "schema", "mpy-freeze/extract/1");
        json_array(&x->json, "written");
    }
    enum diag_code err = extract_all(x, names);
    if (err) {
        bytes_out_free(&x->out);
        return err;
    }
    if (x->as_json) {
        json_array_end(&x->json);
        json_object_end(&x->json);
        json_end(&x->json);
    }
    err = cli_print(x->cli, &x->out);
    return err ? err : open_failures_end(x->cli, &x->failed);
}

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    struct cli_list rest = {0};
    const char *base = NULL, *type = NULL;
    struct extract x = {.cli = cli};
    bool helped;
    const struct cli_option options[] = {
        {"-d", "--directory", CLI_VALUE, &x.dir},
        {"-f", "--firmware", CLI_VALUE, &base},
        {"--force", NULL, CLI_FLAG, &x.force},
        {"--type", NULL, CLI_VALUE, &type},
        {"--json", NULL, CLI_FLAG, &x.as_json},
        {NULL, NULL, CLI_REST, &rest},
        {0},
    };
    enum diag_code err = cli_parse(cli, &cmd_extract, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if (rest.n == 0 || !x.dir || !*x.dir) {
        return cli_usage_error(cli, "extract needs a file and -d DIR");
    }
    struct open_file f;
    err = open_file(cli, rest.items[0], type, base, false, &f);
    if (!err && f.kind == OPEN_MPY) {
        return cli_usage_error(cli, "%s is a .mpy file: there is nothing to extract", f.file.name);
    }
    x.f = &f;
    const struct cli_list names = {rest.n - 1, rest.items + 1};
    return err ? err : extract_print(&x, &names);
}
