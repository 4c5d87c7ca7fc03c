// Reading mpy-freeze.ini.
#include "packer/cli/project.h"

#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "format/number.h"
#include "packer/manifest/path.h"

enum {
    PROJECT_ROWS_MAX = 1000,
    PROJECT_DEFINES_MAX = 1000, // of a row; each row may have a copy
    PROJECT_SIZE_MAX = 1 << 20, // bytes of the file
    PROJECT_LINE_MAX = 198,     // bytes of a line: what inih was built to hold
};

struct project_parser {
    struct cli *cli;
    struct project *project;
    struct project_row *row; // NULL in [product]
    char section[64];
    bool inputs_given; // the section has replaced the product's inputs
    bool defines_own;  // the row has a copy of the product's definitions
    char problem[256];
};

static bool problem(struct project_parser *p, const char *fmt, const char *what)
{
    if (!p->problem[0]) {
        snprintf(p->problem, sizeof p->problem, fmt, what);
    }
    return false;
}

static const char *copy(struct project_parser *p, const char *text, size_t n)
{
    const char *c = arena_strndup(&p->cli->arena, text, n);
    if (!c) {
        problem(p, "out of memory at %s", text);
    }
    return c;
}

// A path of the file, as seen from the current folder.
static const char *resolve(struct project_parser *p, const char *path, size_t n)
{
    const char *text = copy(p, path, n);
    if (!text || strcmp(p->project->folder, ".") == 0) {
        return text;
    }
    text = path_join(&p->cli->arena, p->project->folder, text);
    if (!text) {
        problem(p, "out of memory at %s", path);
    }
    return text;
}

static bool add(struct project_parser *p, struct cli_list *list, const char *item)
{
    return (item && cli_append(p->cli, list, item) == DIAG_OK) || problem(p, "out of memory%s", "");
}

// Paths separated by blanks, in quotes where they hold some.
static bool set_inputs(struct project_parser *p, struct build *b, const char *value)
{
    if (!p->inputs_given) {
        b->args = (struct cli_list){0};
        p->inputs_given = true;
    }
    for (const char *s = value + strspn(value, " \t"); *s; s += strspn(s, " \t")) {
        bool quoted = *s == '"';
        s += quoted;
        size_t n = strcspn(s, quoted ? "\"" : " \t");
        if (quoted && s[n] != '"') {
            return problem(p, "no closing quote in: %s", value);
        }
        if (n && !add(p, &b->args, resolve(p, s, n))) {
            return false;
        }
        s += n + quoted;
    }
    return true;
}

// A row begins with the product's definitions, and adds to a copy of them.
static bool own_defines(struct project_parser *p, struct build *b)
{
    const struct cli_list shared = b->list.defines;
    if (p->defines_own) {
        return true;
    }
    b->list.defines = (struct cli_list){0};
    p->defines_own = true;
    for (unsigned i = 0; i < shared.n; i++) {
        if (!add(p, &b->list.defines, shared.items[i])) {
            return false;
        }
    }
    return true;
}

static bool set_define(struct project_parser *p, struct build *b, const char *value)
{
    const char *equals = strchr(value, '=');
    if (!equals) {
        return problem(p, "define takes VAR=VALUE, not '%s'", value);
    }
    const char *path = resolve(p, equals + 1, strlen(equals + 1));
    const char *text = arena_printf(&p->cli->arena, "%.*s=%s", (int)(equals - value), value,
                                    path && path_exists(path) ? path : equals + 1);
    if (b->list.defines.n == PROJECT_DEFINES_MAX) {
        return problem(p, "too many definitions at %s", value);
    }
    return own_defines(p, b) && add(p, &b->list.defines, text);
}

static bool set_bool(struct project_parser *p, bool *to, const char *value)
{
    bool yes = strcmp(value, "yes") == 0 || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    bool no = strcmp(value, "no") == 0 || strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
    *to = yes;
    return yes || no ? true : problem(p, "takes yes or no, not '%s'", value);
}

static bool set_number(struct project_parser *p, uint64_t *to, const char *value)
{
    return number_whole(value, to) || problem(p, "a number is needed, not '%s'", value);
}

// One key, which takes the place of the product's; none: a row takes it away.
static bool set_signing_key(struct project_parser *p, struct build *b, const char *value)
{
    b->keys = (struct cli_list){0};
    return !*value || add(p, &b->keys, resolve(p, value, strlen(value)));
}

struct text_key {
    const char *name;
    const char **to;
    bool path, row; // row: an empty value in a row does not take the product's away
};

static bool set_text(struct project_parser *p, const struct text_key *k, const char *value)
{
    bool is_ini = strcmp(k->name, "board") == 0 && path_has_extension(value, ".ini");
    if (!*value && !k->row) {
        *k->to = NULL;
        return true;
    }
    *k->to = k->path || is_ini ? resolve(p, value, strlen(value)) : copy(p, value, strlen(value));
    return *k->to != NULL;
}

// Keys that are more than a text, a number, or yes or no.
static bool set_other(struct project_parser *p, struct build *b, const char *name,
                      const char *value)
{
    if (strcmp(name, "inputs") == 0) {
        return set_inputs(p, b, value);
    }
    if (strcmp(name, "define") == 0) {
        return set_define(p, b, value);
    }
    return strcmp(name, "key") == 0 ? set_signing_key(p, b, value)
                                    : problem(p, "unknown key '%s'", name);
}

static bool set_key(struct project_parser *p, struct build *b, const char *name, const char *value)
{
    const struct text_key texts[] = {
        {"firmware", &b->firmware, true, true},
        {"output", &b->output, true, true},
        {"board", &b->board, false, true},
        {"region", &b->region, false, true},
        {"type", &b->type, false, true},
        {"main", &b->main, true, false},
        {"boot", &b->boot, true, false},
        {"passphrase-file", &b->passphrase_file, true, false},
        {"optimise", &b->opt_level, false, false},
        {"release", &b->inputs.release, false, false},
        {"app", &b->splice.app, false, false},
        {"version", &b->splice.app_version, false, false},
    };
    const struct {
        const char *name;
        bool *flag;
        uint64_t *number; // or NULL
    } values[] = {
        {"counter", NULL, &b->splice.counter},
        {"reserve-signatures", NULL, &b->reserve_signatures},
        {"list-modules", &b->list_modules, NULL},
        {"detach-modules", &b->splice.detach_modules, NULL},
        {"strip", &b->inputs.strip, NULL},
        {"strict", &b->strict, NULL},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].name, name) == 0) {
            return set_text(p, &texts[i], value);
        }
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (strcmp(values[i].name, name) == 0) {
            return values[i].number ? set_number(p, values[i].number, value)
                                    : set_bool(p, values[i].flag, value);
        }
    }
    return set_other(p, b, name, value);
}

static bool begin_row(struct project_parser *p, const char *section)
{
    struct project *pr = p->project;
    for (unsigned i = 0; i < pr->n; i++) {
        if (strcmp(pr->rows[i].name, section) == 0) {
            return problem(p, "a second [%s]", section);
        }
    }
    if (pr->n == PROJECT_ROWS_MAX) {
        return problem(p, "too many rows at [%s]", section);
    }
    pr->rows = arena_room(&p->cli->arena, pr->rows, pr->n, sizeof *pr->rows);
    if (!pr->rows) {
        return problem(p, "out of memory at [%s]", section);
    }
    p->row = &pr->rows[pr->n++];
    *p->row = (struct project_row){.name = copy(p, section, strlen(section)), .build = pr->product};
    return p->row->name != NULL;
}

static int handler(void *user, const char *section, const char *name, const char *value)
{
    struct project_parser *p = user;
    if (!*section) {
        return problem(p, "'%s' stands before the first [section]", name);
    }
    if (strncmp(p->section, section, sizeof p->section - 1) != 0) {
        snprintf(p->section, sizeof p->section, "%s", section);
        p->inputs_given = p->defines_own = false;
        p->row = NULL;
        bool product = strcmp(section, "product") == 0;
        if (product && p->project->n) {
            return problem(p, "[%s] must stand before the rows", section);
        }
        if (!product && !begin_row(p, section)) {
            return 0;
        }
    }
    return set_key(p, p->row ? &p->row->build : &p->project->product, name, value);
}

static enum diag_code project_empty(struct cli *cli, const char *file)
{
    diag_set(&cli->diag, DIAG_MALFORMED, file, "no row: nothing says what to build");
    diag_help(&cli->diag, "a row is a section with firmware = FILE and output = FILE");
    return DIAG_MALFORMED;
}

// What a row writes: the product, and the list of its modules.
struct output {
    const char *place; // normalized
    struct file_id id; // of what is there now
    unsigned row;
};

struct outputs {
    unsigned n;
    struct output *at;
};

static enum diag_code outputs_add(struct cli *cli, struct outputs *o, unsigned row,
                                  const char *name)
{
    const char *place = name ? path_norm(&cli->arena, name) : NULL;
    if (!place) {
        return diag_nomem(&cli->diag);
    }
    o->at[o->n++] = (struct output){place, file_identify(place), row};
    return DIAG_OK;
}

static enum diag_code outputs_gather(struct cli *cli, const struct project *p, struct outputs *o)
{
    enum diag_code err = DIAG_OK;
    o->at = ARENA_ARRAY(&cli->arena, struct output, 2 * (size_t)p->n);
    if (!o->at && p->n) {
        return diag_nomem(&cli->diag);
    }
    for (unsigned i = 0; i < p->n && !err; i++) {
        const struct build *b = &p->rows[i].build;
        err = outputs_add(cli, o, i, b->output);
        if (!err && build_lists(b)) {
            err = outputs_add(cli, o, i, build_list_name(cli, b));
        }
    }
    return err;
}

static int by_place(const void *a, const void *b)
{
    const struct output *x = a, *y = b;
    int order = strcmp(x->place, y->place);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

static int by_id(const void *a, const void *b)
{
    const struct file_id *x = &((const struct output *)a)->id, *y = &((const struct output *)b)->id;
    int device = (x->device > y->device) - (x->device < y->device);
    return device ? device : (x->inode > y->inode) - (x->inode < y->inode);
}

static enum diag_code outputs_distinct(struct cli *cli, const struct project *p, struct outputs *o)
{
    if (o->n) {
        qsort(o->at, o->n, sizeof *o->at, by_place);
    }
    for (unsigned i = 1; i < o->n; i++) {
        const struct output *x = &o->at[i - 1], *y = &o->at[i];
        if (x->row != y->row && strcmp(x->place, y->place) == 0) {
            return diag_set(&cli->diag, DIAG_MALFORMED, p->file,
                            "[%s] and [%s] have the same output", p->rows[x->row].name,
                            p->rows[y->row].name);
        }
    }
    return DIAG_OK;
}

// A file that is read, against all that is written (in the order of by_id).
static enum diag_code outputs_spare(struct cli *cli, const struct outputs *o, const char *file)
{
    const struct output key = {.id = file ? file_identify(file) : (struct file_id){0}};
    const struct output *hit =
        key.id.known ? bsearch(&key, o->at, o->n, sizeof *o->at, by_id) : NULL;
    return hit && hit->id.known ? cli_replaces(cli, hit->place) : DIAG_OK;
}

// Nothing that a row writes is the project's file, or read or written by another row: rows are
// built side by side.
static enum diag_code project_distinct(struct cli *cli, const struct project *p)
{
    struct outputs o = {0};
    const char *file;
    enum diag_code err = outputs_gather(cli, p, &o);
    err = err ? err : outputs_distinct(cli, p, &o);
    if (err || !o.n) {
        return err;
    }
    qsort(o.at, o.n, sizeof *o.at, by_id);
    err = outputs_spare(cli, &o, p->file);
    for (unsigned i = 0; i < p->n && !err; i++) {
        for (unsigned k = 0; !err && build_reads(&p->rows[i].build, k, &file); k++) {
            err = outputs_spare(cli, &o, file);
        }
    }
    return err;
}

// Every row needs a firmware and something to freeze; its product has a place of its own.
static enum diag_code project_check(struct cli *cli, struct project *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        struct build *b = &p->rows[i].build;
        const char *missing = !b->firmware                         ? "firmware"
                              : !b->output                         ? "output"
                              : !b->args.n && !b->main && !b->boot ? "inputs"
                                                                   : NULL;
        if (missing) {
            return diag_set(&cli->diag, DIAG_MALFORMED, p->file, "[%s] has no '%s'",
                            p->rows[i].name, missing);
        }
    }
    return p->n ? project_distinct(cli, p) : project_empty(cli, p->file);
}

static bool row_wanted(const struct project_row *row, const struct cli_list *only)
{
    for (unsigned i = 0; i < only->n; i++) {
        if (strcmp(only->items[i], row->name) == 0) {
            return true;
        }
    }
    return only->n == 0;
}

// Leaves only the rows that the command line names.
static enum diag_code project_select(struct cli *cli, struct project *p,
                                     const struct cli_list *only)
{
    unsigned n = 0;
    for (unsigned i = 0; i < only->n; i++) {
        bool found = false;
        for (unsigned k = 0; k < p->n && !found; k++) {
            found = strcmp(p->rows[k].name, only->items[i]) == 0;
        }
        if (!found) {
            return cli_usage_error(cli, "%s has no row [%s]", p->file, only->items[i]);
        }
    }
    for (unsigned i = 0; i < p->n; i++) {
        if (row_wanted(&p->rows[i], only)) {
            p->rows[n++] = p->rows[i];
        }
    }
    p->n = n;
    return DIAG_OK;
}

static void project_override(struct project *p, const struct project_options *o)
{
    for (unsigned i = 0; i < p->n; i++) {
        struct build *b = &p->rows[i].build;
        b->keys = o->keys && o->keys->n ? *o->keys : b->keys;
        b->passphrase_file = o->passphrase_file ? o->passphrase_file : b->passphrase_file;
        b->strict = b->strict || o->strict;
    }
}

// inih would silently split a line that is too long for it.
static enum diag_code check_lines(struct cli *cli, const char *file, const char *text)
{
    uint32_t line = 1;
    for (const char *s = text; *s; line++) {
        size_t n = strcspn(s, "\n");
        if (n > PROJECT_LINE_MAX) {
            diag_set_text(&cli->diag, DIAG_MALFORMED, file, line, 0,
                          "a line of %zu characters; %d are allowed", n, PROJECT_LINE_MAX);
            diag_help(&cli->diag, "go on in the next line, indented, or repeat the key");
            return DIAG_MALFORMED;
        }
        s += n + (s[n] == '\n');
    }
    return DIAG_OK;
}

enum diag_code project_read(struct cli *cli, const struct project_options *o, struct project **out)
{
    struct project *p = ARENA_NEW(&cli->arena, struct project);
    struct project_parser parser = {.cli = cli, .project = p};
    struct file f;
    if (!p) {
        return diag_nomem(&cli->diag);
    }
    p->file = o->file ? o->file : PROJECT_FILE;
    p->folder = path_dirname(&cli->arena, p->file);
    p->folder = p->folder && *p->folder ? p->folder : ".";
    enum diag_code err = file_read_text(p->file, PROJECT_SIZE_MAX, &cli->arena, &cli->diag, &f);
    err = err ? err : check_lines(cli, p->file, (const char *)f.data);
    if (err) {
        return err;
    }
    int line = ini_parse_string((const char *)f.data, handler, &parser);
    if (line != 0) {
        return diag_set_text(&cli->diag, DIAG_MALFORMED, p->file, line > 0 ? (uint32_t)line : 0, 0,
                             "%s", parser.problem[0] ? parser.problem : "not a 'key = value' line");
    }
    project_override(p, o);
    err = project_check(cli, p);
    err = err ? err : project_select(cli, p, o->only);
    if (!err) {
        *out = p;
    }
    return err;
}
