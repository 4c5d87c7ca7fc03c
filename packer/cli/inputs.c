#define _DEFAULT_SOURCE // realpath, d_type

#include "packer/cli/inputs.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/mpy/check.h"
#include "format/sha256.h"
#include "format/task.h"
#include "packer/cli/manifest_input.h"
#include "packer/compiler/compiler.h"

enum {
    FOLDER_DEPTH_MAX = 32, // also ends loops of symbolic links
    INPUTS_MAX = 65536,    // the name of each is a qstr, and qstrs have numbers of 16 bits
    SMALL_INT_BITS = 31,   // what upstream compiles for by default
};

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n > m && !strcmp(s + n - m, end);
}

static enum diag_code add_file(struct cli *cli, struct input_list *list, struct input_file file)
{
    if (list->n == INPUTS_MAX) {
        return cli_usage_error(cli, "more than %d modules", INPUTS_MAX);
    }
    if (list->n == list->cap) {
        unsigned cap = list->cap ? list->cap * 2 : 64;
        list->items = arena_grow(&cli->arena, list->items, list->cap * sizeof *list->items,
                                 cap * sizeof *list->items);
        list->cap = cap;
    }
    list->items[list->n++] = file;
    return DIAG_OK;
}

// The name a module has on the device: compiled modules are listed as their source.
enum diag_code inputs_add_as(struct cli *cli, struct input_list *list, const char *path,
                             const char *name)
{
    struct input_file file = {.path = path, .opt = -1};
    if (ends_with(path, ".mpy")) {
        file.kind = INPUT_MPY;
        size_t n = strlen(name);
        file.name =
            ends_with(name, ".mpy") ? arena_printf(&cli->arena, "%.*s.py", (int)n - 4, name) : name;
    } else {
        file.kind = INPUT_SCRIPT;
        file.name = name;
    }
    return add_file(cli, list, file);
}

static enum diag_code io_error(struct cli *cli, const char *path)
{
    return diag_set(&cli->diag, DIAG_IO, path, "%s", strerror(errno));
}

struct entries { // of a folder
    unsigned n;
    struct entry {
        const char *name;
        bool file; // known to be a regular one
    } * items;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

// Entries of a folder, sorted; hidden ones and __pycache__ do not count.
static enum diag_code read_folder(struct cli *cli, const char *path, struct entries *names)
{
    DIR *dir = opendir(path);
    if (!dir) {
        return io_error(cli, path);
    }
    unsigned cap = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.' || !strcmp(e->d_name, "__pycache__")) {
            continue;
        }
        if (names->n == cap) {
            names->items = arena_grow(&cli->arena, names->items, cap * sizeof *names->items,
                                      (cap * 2 + 16) * sizeof *names->items);
            cap = cap * 2 + 16;
        }
        names->items[names->n++] = (struct entry){
            arena_strndup(&cli->arena, e->d_name, strlen(e->d_name)), e->d_type == DT_REG};
    }
    closedir(dir);
    if (names->n) {
        qsort(names->items, names->n, sizeof *names->items, by_name);
    }
    return DIAG_OK;
}

static enum diag_code add_folder(struct cli *cli, struct input_list *list, const char *path,
                                 const char *prefix, unsigned depth)
{
    struct entries names = {0};
    if (depth > FOLDER_DEPTH_MAX) {
        return diag_set(&cli->diag, DIAG_IO, path, "folders nest deeper than %d", FOLDER_DEPTH_MAX);
    }
    enum diag_code err = read_folder(cli, path, &names);
    for (unsigned i = 0; i < names.n && !err; i++) {
        const struct entry *e = &names.items[i];
        const char *item = arena_printf(&cli->arena, "%s/%s", path, e->name);
        const char *name = arena_printf(&cli->arena, "%s%s", prefix, e->name);
        struct stat st;
        if (!e->file && stat(item, &st)) {
            return io_error(cli, item);
        }
        if (!e->file && S_ISDIR(st.st_mode)) {
            err = add_folder(cli, list, item, arena_printf(&cli->arena, "%s/", name), depth + 1);
        } else if (ends_with(item, ".py") || ends_with(item, ".mpy")) {
            err = inputs_add_as(cli, list, item, name);
        }
    }
    return err;
}

static bool has_file(struct cli *cli, const char *folder, const char *name)
{
    struct stat st;
    return !stat(arena_printf(&cli->arena, "%s/%s", folder, name), &st) && S_ISREG(st.st_mode);
}

// The folder's own name; "." and ".." need the file system to tell it.
static const char *folder_name(struct cli *cli, const char *path)
{
    char *resolved = realpath(path, NULL);
    const char *last = resolved ? strrchr(resolved, '/') : NULL;
    const char *name = last ? arena_strndup(&cli->arena, last + 1, strlen(last + 1)) : path;
    free(resolved);
    return name;
}

static enum diag_code add_top_folder(struct cli *cli, struct input_list *list, const char *path)
{
    bool package = has_file(cli, path, "__init__.py") || has_file(cli, path, "__init__.mpy");
    unsigned before = list->n;
    const char *prefix = package ? arena_printf(&cli->arena, "%s/", folder_name(cli, path)) : "";
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') {
        n--;
    }
    enum diag_code err = add_folder(cli, list, arena_strndup(&cli->arena, path, n), prefix, 0);
    if (!err && list->n == before) {
        return diag_set(&cli->diag, DIAG_USAGE, path, "the folder holds no .py or .mpy file");
    }
    return err;
}

static const struct input_file *find_named(const struct input_list *list, unsigned from,
                                           const char *name)
{
    for (unsigned i = from; i < list->n; i++) {
        if (!strcmp(list->items[i].name, name)) {
            return &list->items[i];
        }
    }
    return NULL;
}

// One file of a manifest. Its name on the device ends in .py, also for a .mpy file.
static enum diag_code add_listed(struct cli *cli, struct input_list *list, unsigned from,
                                 const struct manifest_file *f)
{
    struct input_file file = {.name = f->name, .path = f->path, .opt = f->opt, .listed = f};
    file.kind = f->kind == MANIFEST_AS_STR ? INPUT_TEXT
                : f->kind == MANIFEST_MPY  ? INPUT_MPY
                                           : INPUT_SCRIPT;
    size_t n = strlen(f->name);
    if (f->kind == MANIFEST_MPY && n > 4) {
        file.name = arena_printf(&cli->arena, "%.*s.py", (int)n - 4, f->name);
    }
    const struct input_file *first = find_named(list, from, file.name);
    if (first && !file_same(first->path, file.path)) {
        fprintf(stderr, "%s: warning: %s is listed twice; %s counts, not %s\n", cli->program,
                file.name, first->path, file.path);
    }
    return first ? DIAG_OK : add_file(cli, list, file);
}

static enum diag_code add_manifest(struct cli *cli, struct input_list *list, const char *path)
{
    struct manifest *m;
    unsigned from = list->n;
    enum diag_code err = manifest_input_run(cli, path, &list->defines, list->unix_ffi, &m);
    for (unsigned i = 0; !err && i < m->n_files; i++) {
        err = add_listed(cli, list, from, &m->files[i]);
    }
    for (unsigned i = 0; !err && i < m->n_manifests; i++) {
        err = cli_append(cli, &list->manifests, m->manifests[i]);
    }
    for (unsigned i = 0; !err && i < m->n_c_modules; i++) {
        fprintf(stderr,
                "%s: warning: the C module %s is left out: it needs a build of the firmware\n",
                cli->program, m->c_modules[i]);
    }
    return err;
}

enum diag_code inputs_add(struct cli *cli, struct input_list *list, const char *path)
{
    struct stat st;
    if (stat(path, &st)) {
        return io_error(cli, path);
    }
    if (S_ISDIR(st.st_mode)) {
        return add_top_folder(cli, list, path);
    }
    if (manifest_input_is(path)) {
        return add_manifest(cli, list, path);
    }
    const char *slash = strrchr(path, '/');
    if (!ends_with(path, ".py") && !ends_with(path, ".mpy")) {
        enum diag_code err = diag_set(&cli->diag, DIAG_USAGE, path, "not a module");
        diag_help(&cli->diag, "inputs are .py and .mpy files, folders of them, and manifest.py");
        return err;
    }
    return inputs_add_as(cli, list, path, slash ? slash + 1 : path);
}

// A frozen module's file name is its name in the frozen tables, as upstream's freeze has it,
// whatever -s it was compiled with.
static void rename_module(struct cli *cli, struct mpy_module *m, const char *name)
{
    size_t n = strlen(name);
    struct mpy_qstr *qstrs = arena_dup(&cli->arena, m->qstrs, m->n_qstr * sizeof *qstrs);
    qstrs[0] = (struct mpy_qstr){name, (uint32_t)n, (uint16_t)mpy_static_qstr_find(name, n)};
    m->qstrs = qstrs;
}

static enum diag_code load_mpy(struct cli *cli, const struct file *file,
                               struct splice_module *module)
{
    struct mpy_module *m;
    enum diag_code err = mpy_read(file->data, file->size, file->name, &cli->arena, &cli->diag, &m);
    if (!err) {
        // The VM will run it from flash unchecked.
        err = mpy_check(m, file->name, &cli->diag, NULL);
    }
    if (!err && m->n_qstr) {
        rename_module(cli, m, module->in.name);
    }
    module->in.mpy = m;
    return err;
}

// The number of bits the small ints of a script may have: upstream's default, or what the firmware
// has if that is less, because frozen code has no check at run time.
static unsigned small_int_bits(const struct firmware *fw)
{
    return fw->small_int_bits && fw->small_int_bits < SMALL_INT_BITS ? fw->small_int_bits
                                                                     : SMALL_INT_BITS;
}

// The release by the numbers of sys.implementation, where the version of a vendor's build is not
// written as upstream does ("1.20.0_163").
static const struct compiler_release *release_by_numbers(const struct firmware *fw)
{
    char name[32];
    snprintf(name, sizeof name, "%u.%u.%u", fw->major, fw->minor, fw->patch);
    return fw->major ? compiler_release_find(name) : NULL;
}

static enum diag_code release(struct cli *cli, const struct firmware *fw,
                              const struct input_options *o, const struct compiler_release **row)
{
    const char *name = o->release ? o->release : fw->version;
    *row = name ? compiler_release_find(name) : NULL;
    if (!*row && !o->release) {
        *row = release_by_numbers(fw);
    }
    if (*row) {
        return DIAG_OK;
    }
    if (o->release) {
        return cli_usage_error(cli, "--release knows no '%s'", o->release);
    }
    enum diag_code err = diag_set(&cli->diag, DIAG_NO, fw->image->name,
                                  "there is no compiler for the release of this firmware (%s)",
                                  name && name[0] ? name : "which it does not tell");
    diag_help(&cli->diag, "say with --release X.Y which one comes nearest");
    return err;
}

// Everything that decides the bytes of a compiled script.
static void compile_ingredients(const struct compiler_options *o, const char *text, size_t size,
                                struct bytes_out *out)
{
    bytes_printf(out, "mpy-freeze %s script\n%s\n%s\n%u %u %d\n", MPY_FREEZE_VERSION,
                 compiler_release_name(o->release), o->source_name, o->opt_level, o->small_int_bits,
                 o->no_source_lines);
    bytes_put(out, text, size);
}

// Compiles through the cache: the result is read back from its .mpy form, found or just made.
static enum diag_code compile_cached(struct cli *cli, struct cache *cache, const char *file,
                                     const char *text, size_t size,
                                     const struct compiler_options *options,
                                     struct mpy_module **out)
{
    struct bytes_out made_of, mpy;
    struct cache_result found;
    struct diag broken;
    bytes_out_init(&made_of);
    bytes_out_init(&mpy);
    diag_init(&broken);
    compile_ingredients(options, text, size, &made_of);
    enum diag_code err = bytes_out_check(&made_of, &cli->diag);
    if (!err && cache_get(cache, made_of.data, made_of.size, &found)) {
        err = mpy_read(found.data, found.size, file, &cli->arena, &broken, out);
        err = err ? compiler_tree(text, size, file, options, &cli->arena, &cli->diag, out) : err;
    } else if (!err) {
        err = compiler_tree(text, size, file, options, &cli->arena, &cli->diag, out);
        if (!err) {
            mpy_write(*out, &mpy);
        }
        if (!err && !mpy.failed) {
            cache_put(cache, CACHE_SCRIPT, made_of.data, made_of.size, mpy.data, mpy.size);
        } else {
            cache_abandon(cache, made_of.data, made_of.size);
        }
    }
    bytes_out_free(&made_of);
    bytes_out_free(&mpy);
    return err;
}

static enum diag_code compile(struct cli *cli, const struct input_file *input,
                              const struct file *file, const struct firmware *fw,
                              const struct input_options *o, struct splice_module *module)
{
    struct compiler_options options = {
        .source_name = input->name,
        .opt_level = input->opt >= 0 ? (unsigned)input->opt : o->opt_level,
        .small_int_bits = small_int_bits(fw),
        .no_source_lines = o->strip,
    };
    struct mpy_module *m = NULL;
    const char *text = (const char *)file->data;
    size_t size = file->size;
    enum diag_code err = release(cli, fw, o, &options.release);
    if (!err && input->listed) {
        err = manifest_tagged(input->listed, file->data, file->size, &cli->arena, &cli->diag, &text,
                              &size);
    }
    if (!err && o->cache) {
        err = compile_cached(cli, o->cache, file->name, text, size, &options, &m);
    } else if (!err) {
        err = compiler_tree(text, size, file->name, &options, &cli->arena, &cli->diag, &m);
    }
    module->in.mpy = m;
    return err;
}

static enum diag_code hash_mpy(struct cli *cli, struct splice_module *module)
{
    struct bytes_out out;
    bytes_out_init(&out);
    mpy_write(module->in.mpy, &out);
    enum diag_code err = bytes_out_check(&out, &cli->diag);
    if (!err) {
        sha256(out.data, out.size, module->mpy_sha256);
    }
    bytes_out_free(&out);
    return err;
}

// fw and options are for scripts.
static enum diag_code load(struct cli *cli, struct input_file *input, const struct firmware *fw,
                           const struct input_options *options, struct splice_module *module)
{
    struct file file;
    enum diag_code err = file_read(input->path, &cli->arena, &cli->diag, &file);
    if (err) {
        return err;
    }
    input->id = file.id;
    module->in.name = input->name;
    module->in.file = input->path;
    module->in.kind = input->kind == INPUT_TEXT ? FW_MODULE_STR : FW_MODULE_MPY;
    sha256(file.data, file.size, module->source_sha256);
    switch (input->kind) {
    case INPUT_TEXT:
        module->in.text = file.data;
        module->in.text_size = (uint32_t)file.size;
        memcpy(module->mpy_sha256, module->source_sha256, BLOB_DIGEST);
        return DIAG_OK;
    case INPUT_MPY:
        err = load_mpy(cli, &file, module);
        break;
    case INPUT_SCRIPT:
        err = compile(cli, input, &file, fw, options, module);
        break;
    }
    return err ? err : hash_mpy(cli, module);
}

// Inputs that are the same for every firmware are loaded by two: a task, and the command itself
// when it needs them. Each takes the next one that nobody has taken.
struct loader {
    struct cli *cli; // an arena of its own: tasks share none
    unsigned failed; // the one that could not be loaded, if err
    enum diag_code err;
};

struct inputs_ahead {
    struct cli cli; // the task's
    struct input_list *list;
    struct splice_module *modules; // without a name: not loaded
    atomic_uint next;              // index of the first that was not taken
    struct loader by_task, here;
    struct task *task;
};

static void load_rest(struct inputs_ahead *h, struct loader *l)
{
    unsigned i;
    while (!l->err && (i = atomic_fetch_add(&h->next, 1)) < h->list->n) {
        struct input_file *input = &h->list->items[i];
        l->failed = i;
        l->err =
            input->kind == INPUT_SCRIPT ? DIAG_OK : load(l->cli, input, NULL, NULL, &h->modules[i]);
    }
    if (l->err) {
        atomic_store(&h->next, h->list->n); // what comes behind is not asked for any more
    }
}

static void ahead_run(void *argument)
{
    struct inputs_ahead *h = argument;
    jmp_buf no_memory;
    h->cli.arena.on_fail = &no_memory;
    if (setjmp(no_memory)) {
        h->by_task.err = diag_nomem(&h->cli.diag);
        atomic_store(&h->next, h->list->n);
    } else {
        load_rest(h, &h->by_task);
    }
    h->cli.arena.on_fail = NULL;
}

static void ahead_end(void *argument)
{
    arena_free(&((struct inputs_ahead *)argument)->cli.arena);
}

struct inputs_ahead *inputs_begin(struct cli *cli, struct input_list *list)
{
    unsigned n = 0;
    for (unsigned i = 0; i < list->n; i++) {
        n += list->items[i].kind != INPUT_SCRIPT;
    }
    struct inputs_ahead *h = n ? ARENA_NEW(&cli->arena, struct inputs_ahead) : NULL;
    if (!h) {
        return NULL;
    }
    h->list = list;
    h->cli.program = cli->program;
    h->by_task.cli = &h->cli;
    h->here.cli = cli;
    h->modules = ARENA_ARRAY(&cli->arena, struct splice_module, list->n);
    arena_init(&h->cli.arena, 0);
    diag_init(&h->cli.diag);
    atomic_init(&h->next, 0);
    h->task = h->modules ? task_start(&cli->arena, ahead_run, ahead_end, h) : NULL;
    return h->task ? h : NULL;
}

// Those that were begun, and the first of them that could not be loaded.
static enum diag_code finish(struct cli *cli, struct inputs_ahead *h, unsigned *failed)
{
    load_rest(h, &h->here);
    task_join(h->task);
    const struct loader *x = &h->here, *y = &h->by_task;
    const struct loader *first = y->err && (!x->err || y->failed < x->failed) ? y : x;
    if (first == y) {
        cli->diag = h->cli.diag;
    }
    *failed = first->failed;
    return first->err;
}

enum diag_code inputs_load(struct cli *cli, struct input_list *list, struct inputs_ahead *ahead,
                           const struct firmware *fw, const struct input_options *options,
                           struct splice_module **out)
{
    unsigned failed = 0;
    enum diag_code broken = ahead ? finish(cli, ahead, &failed) : DIAG_OK;
    *out = ahead ? ahead->modules : ARENA_ARRAY(&cli->arena, struct splice_module, list->n);
    for (unsigned i = 0; i < list->n; i++) {
        if (broken && failed == i) {
            return broken;
        }
        enum diag_code err =
            (*out)[i].in.name ? DIAG_OK : load(cli, &list->items[i], fw, options, &(*out)[i]);
        if (err) {
            return err;
        }
    }
    return DIAG_OK;
}
