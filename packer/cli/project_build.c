// Building the rows of a project side by side.
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "format/sha256.h"
#include "packer/cli/project.h"
#include "packer/manifest/path.h"

enum {
    PROJECT_THREADS_MAX = 16,
    STAMP_SIZE = 2 * BLOB_DIGEST + 5 * 8, // what the cache keeps of a product and its list
};

struct project_work {
    struct project *project;
    struct cache *cache;
    atomic_uint next;
};

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Everything a product is made of

static enum diag_code add_file(struct cli *cli, const char *path, struct bytes_out *out)
{
    struct arena a;
    struct file f;
    arena_init(&a, 0);
    enum diag_code err = file_read(path, &a, &cli->diag, &f);
    if (!err) {
        XXH128_canonical_t hash;
        XXH128_canonicalFromHash(&hash, XXH3_128bits(f.data, f.size));
        bytes_put_u64(out, f.size);
        bytes_put(out, hash.digest, sizeof hash.digest);
    }
    arena_free(&a);
    return err;
}

static void add_text(struct bytes_out *out, const char *text)
{
    bytes_printf(out, "%s%c", text ? text : "", text ? 1 : 0);
}

// The options and the contents of all files that decide the product's bytes.
static enum diag_code row_ingredients(struct cli *cli, const struct build *b, struct bytes_out *out)
{
    const char *texts[] = {b->type,           b->region,     b->board,
                           b->opt_level,      b->splice.app, b->splice.app_version,
                           b->inputs.release, b->firmware};
    enum diag_code err = DIAG_OK;
    bytes_printf(out, "mpy-freeze %s product\n", MPY_FREEZE_VERSION);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        add_text(out, texts[i]);
    }
    bytes_printf(out, "%d %d %d %d %" PRIu64 " %" PRIu64 "\n", b->inputs.strip, b->strict,
                 b->list_modules, b->splice.detach_modules, b->splice.counter,
                 b->reserve_signatures);
    err = add_file(cli, b->firmware, out);
    for (unsigned i = 0; i < b->keys.n && !err; i++) {
        err = add_file(cli, b->keys.items[i], out);
    }
    if (!err && b->board && path_has_extension(b->board, ".ini")) {
        err = add_file(cli, b->board, out);
    }
    for (unsigned i = 0; i < b->list.n && !err; i++) {
        const struct input_file *f = &b->list.items[i];
        add_text(out, f->name);
        add_text(out, f->listed && f->listed->metadata ? f->listed->metadata->version : NULL);
        bytes_printf(out, "%d %d ", f->kind, f->opt);
        err = add_file(cli, f->path, out);
    }
    return err ? err : bytes_out_check(out, &cli->diag);
}

static bool file_is(const char *name, const uint8_t sha256_wanted[BLOB_DIGEST])
{
    struct arena a;
    struct diag ignored;
    struct file f;
    uint8_t digest[BLOB_DIGEST];
    arena_init(&a, 0);
    diag_init(&ignored);
    bool same = name && file_read(name, &a, &ignored, &f) == DIAG_OK;
    if (same) {
        sha256(f.data, f.size, digest);
        same = memcmp(digest, sha256_wanted, BLOB_DIGEST) == 0;
    }
    arena_free(&a);
    return same;
}

// True if the output is still the product that the stamp tells of, and so is the list beside it.
static bool row_is_unchanged(struct project_row *row, const struct cache_result *stamp)
{
    const struct build *b = &row->build;
    bool same =
        stamp->size == STAMP_SIZE && file_is(b->output, stamp->data) &&
        (!build_lists(b) || file_is(build_list_name(&row->cli, b), stamp->data + BLOB_DIGEST));
    if (same) {
        const uint8_t *p = stamp->data + 2 * BLOB_DIGEST;
        memcpy(row->sha256, stamp->data, BLOB_DIGEST);
        row->size = ld64(p);
        row->blob_bytes = ld64(p + 8);
        row->left = ld64(p + 16);
        row->addr = ld64(p + 24);
        row->n_modules = (unsigned)ld64(p + 32);
    }
    return same;
}

static void row_stamp(const struct project_row *row, uint8_t *stamp)
{
    uint8_t *p = stamp + 2 * BLOB_DIGEST;
    memcpy(stamp, row->sha256, BLOB_DIGEST);
    memcpy(stamp + BLOB_DIGEST, row->build.plan->blob.list.sha256, BLOB_DIGEST);
    st64(p, row->size);
    st64(p + 8, row->blob_bytes);
    st64(p + 16, row->left);
    st64(p + 24, row->addr);
    st64(p + 32, row->n_modules);
}

// The folder of an output is made if it is missing.
static enum diag_code make_folder(struct cli *cli, const char *folder)
{
    if (!folder) {
        return diag_nomem(&cli->diag);
    }
    if (!*folder || path_is_dir(folder)) {
        return DIAG_OK;
    }
    enum diag_code err = make_folder(cli, path_dirname(&cli->arena, folder));
    if (!err && mkdir(folder, 0777) != 0 && !path_is_dir(folder)) {
        err = diag_set(&cli->diag, DIAG_IO, folder, "cannot make this folder");
    }
    return err;
}

static enum diag_code row_make(struct project_row *row)
{
    struct cli *cli = &row->cli;
    struct build *b = &row->build;
    struct blob *blob;
    struct arena a;
    struct file f;
    enum diag_code err = build_open(cli, b);
    err = err ? err : build_blob(cli, b);
    err = err ? err : build_read_back(cli, b, &blob);
    err = err ? err : make_folder(cli, path_dirname(&cli->arena, b->output));
    err = err ? err : build_product(cli, b, blob);
    if (err) {
        return err;
    }
    row->blob_bytes = b->plan->size;
    row->left = b->plan->left;
    row->addr = b->plan->blob.addr;
    row->n_modules = b->list.n;
    arena_init(&a, 0);
    err = file_read(b->output, &a, &cli->diag, &f);
    if (!err) {
        sha256(f.data, f.size, row->sha256);
        row->size = f.size;
    }
    arena_free(&a);
    return err;
}

static enum diag_code row_run(struct project_row *row, struct cache *cache)
{
    struct cli *cli = &row->cli;
    struct build *b = &row->build;
    struct bytes_out made_of;
    struct cache_result stamp;
    uint8_t fresh[STAMP_SIZE];
    b->inputs.cache = cache;
    b->quiet = true;
    enum diag_code err = build_check(cli, b);
    err = err ? err : build_list(cli, b);
    bytes_out_init(&made_of);
    err = err ? err : row_ingredients(cli, b, &made_of);
    bool found = !err && cache_get(cache, made_of.data, made_of.size, &stamp);
    row->unchanged = found && row_is_unchanged(row, &stamp);
    if (!err && !row->unchanged) {
        err = row_make(row);
        if (!found && !err) {
            row_stamp(row, fresh);
            cache_put(cache, CACHE_PRODUCT, made_of.data, made_of.size, fresh, sizeof fresh);
        } else if (!found) {
            cache_abandon(cache, made_of.data, made_of.size);
        }
    }
    bytes_out_free(&made_of);
    return err;
}

static void *project_thread(void *argument)
{
    struct project_work *w = argument;
    for (;;) {
        unsigned i = atomic_fetch_add(&w->next, 1);
        if (i >= w->project->n) {
            return NULL;
        }
        struct project_row *row = &w->project->rows[i];
        double start = seconds_now();
        row->code = row_run(row, w->cache);
        row->seconds = seconds_now() - start;
    }
}

static unsigned thread_count(unsigned rows)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = cpus < 1 ? 1 : cpus > PROJECT_THREADS_MAX ? PROJECT_THREADS_MAX : (unsigned)cpus;
    return n < rows ? n : rows;
}

// Runs the rows on as many threads as there are processors; this one is the first of them.
static void project_run(struct project_work *w)
{
    pthread_t threads[PROJECT_THREADS_MAX];
    unsigned n = thread_count(w->project->n), started = 0;
    while (started + 1 < n && pthread_create(&threads[started], NULL, project_thread, w) == 0) {
        started++;
    }
    project_thread(w);
    while (started > 0) {
        pthread_join(threads[--started], NULL);
    }
}

// The report

static bool same_finding(const struct production_finding *x, const struct production_finding *y)
{
    return x->line == y->line && strcmp(x->id, y->id) == 0 && strcmp(x->module, y->module) == 0 &&
           strcmp(x->text, y->text) == 0;
}

static bool found_before(const struct project *p, unsigned row, const struct production_finding *f)
{
    for (unsigned i = 0; i < row; i++) {
        const struct production *other = &p->rows[i].build.production;
        for (unsigned k = 0; k < other->n; k++) {
            if (same_finding(&other->findings[k], f)) {
                return true;
            }
        }
    }
    return false;
}

// Warnings once, not once a row; then what made rows fail.
static void report_messages(struct cli *cli, const struct project *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        const struct production *all = &p->rows[i].build.production;
        struct production fresh = {.findings =
                                       ARENA_ARRAY(&cli->arena, struct production_finding, all->n)};
        for (unsigned k = 0; fresh.findings && k < all->n; k++) {
            if (!found_before(p, i, &all->findings[k])) {
                fresh.findings[fresh.n++] = all->findings[k];
            }
        }
        production_report(cli, &fresh, false, false);
    }
    for (unsigned i = 0; i < p->n; i++) {
        char message[4096];
        if (p->rows[i].code && p->rows[i].cli.diag.code) {
            const char *name = arena_printf(&cli->arena, "%s: [%s]", cli->program, p->rows[i].name);
            diag_format(&p->rows[i].cli.diag, name ? name : cli->program, message, sizeof message);
            fprintf(stderr, "%s\n", message);
        }
    }
}

static const char *row_status(const struct project_row *row)
{
    return row->code ? "failed" : row->unchanged ? "unchanged" : "built";
}

static unsigned count_status(const struct project *p, const char *status)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->n; i++) {
        n += strcmp(row_status(&p->rows[i]), status) == 0;
    }
    return n;
}

static void report_table(const struct project *p, const struct cache_stats *stats, double seconds,
                         struct bytes_out *out)
{
    int width = 4;
    for (unsigned i = 0; i < p->n; i++) {
        int n = (int)strlen(p->rows[i].name);
        width = n > width && n < 40 ? n : width;
    }
    bytes_printf(out, "%-*s  %-9s  %7s  %9s  %9s  %6s  %s\n", width, "ROW", "RESULT", "MODULES",
                 "BLOB", "FREE", "MS", "OUTPUT");
    for (unsigned i = 0; i < p->n; i++) {
        const struct project_row *r = &p->rows[i];
        bytes_printf(out, "%-*s  %-9s  %7u  %9" PRIu64 "  %9" PRIu64 "  %6.0f  %s\n", width,
                     r->name, row_status(r), r->n_modules, r->blob_bytes, r->left,
                     r->seconds * 1000, r->build.output);
    }
    bytes_printf(
        out, "%u products: %u built, %u unchanged, %u failed; %u scripts compiled, in %.0f ms\n",
        p->n, count_status(p, "built"), count_status(p, "unchanged"), count_status(p, "failed"),
        stats->made[CACHE_SCRIPT], seconds * 1000);
}

static void report_json_row(const struct project_row *r, struct json *j)
{
    json_object(j, NULL);
    json_str(j, "name", r->name);
    json_str(j, "status", row_status(r));
    json_str(j, "firmware", r->build.firmware);
    json_str(j, "board", r->build.board);
    json_str(j, "output", r->build.output);
    if (r->code) {
        json_int(j, "exit_code", diag_exit(r->code));
        json_str(j, "error", r->cli.diag.text);
        json_str(j, "error_file", r->cli.diag.file);
        json_uint(j, "error_line", r->cli.diag.line);
    } else {
        json_hex(j, "sha256", r->sha256, BLOB_DIGEST);
        json_uint(j, "size", r->size);
        json_uint(j, "modules", r->n_modules);
        json_addr(j, "address", r->addr);
        json_uint(j, "blob_bytes", r->blob_bytes);
        json_uint(j, "free_bytes", r->left);
        json_bool(j, "signed", r->build.keys.n > 0);
    }
    if (!r->unchanged) {
        production_json(&r->build.production, j);
    }
    json_object_end(j);
}

static void report_json(const struct project *p, const struct cache_stats *stats, double seconds,
                        struct bytes_out *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j, NULL);
    json_str(&j, "schema", "mpy-freeze/project/1");
    json_str(&j, "project", p->file);
    json_str(&j, "app", p->product.splice.app);
    json_str(&j, "version", p->product.splice.app_version);
    json_uint(&j, "counter", p->product.splice.counter);
    json_array(&j, "products");
    for (unsigned i = 0; i < p->n; i++) {
        report_json_row(&p->rows[i], &j);
    }
    json_array_end(&j);
    json_uint(&j, "built", count_status(p, "built"));
    json_uint(&j, "unchanged", count_status(p, "unchanged"));
    json_uint(&j, "failed", count_status(p, "failed"));
    json_uint(&j, "scripts_compiled", stats->made[CACHE_SCRIPT]);
    json_uint(&j, "milliseconds", (uint64_t)(seconds * 1000));
    json_object_end(&j);
    json_end(&j);
}

static const char *cache_path(struct cli *cli, const struct project *p)
{
    return path_join(&cli->arena, p->folder, ".mpy-freeze.cache");
}

// A cache that cannot be written makes the next build slower, this one is done.
static void close_cache(struct cli *cli, struct cache *cache)
{
    struct diag d;
    diag_init(&d);
    if (cache_close(cache, &d)) {
        fprintf(stderr, "%s: warning: the cache is not kept: %s\n", cli->program, d.text);
    }
}

static enum diag_code first_failure(const struct project *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (p->rows[i].code) {
            return p->rows[i].code;
        }
    }
    return DIAG_OK;
}

enum diag_code project_build(struct cli *cli, struct project *p, const struct project_options *o)
{
    struct bytes_out out;
    double start = seconds_now();
    struct project_work work = {.project = p, .cache = cache_open(cache_path(cli, p))};
    if (!work.cache) {
        return diag_nomem(&cli->diag);
    }
    for (unsigned i = 0; i < p->n; i++) {
        p->rows[i].cli.program = cli->program;
        arena_init(&p->rows[i].cli.arena, 0);
        diag_init(&p->rows[i].cli.diag);
    }
    project_run(&work);
    struct cache_stats made = cache_stats(work.cache);
    close_cache(cli, work.cache);
    report_messages(cli, p);
    bytes_out_init(&out);
    if (o->json) {
        report_json(p, &made, seconds_now() - start, &out);
    } else {
        report_table(p, &made, seconds_now() - start, &out);
    }
    enum diag_code printed = cli_print(cli, &out);
    enum diag_code failed = first_failure(p);
    return failed ? failed : printed;
}

void project_free(struct project *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        build_free(&p->rows[i].build);
        arena_free(&p->rows[i].cli.arena);
    }
}
