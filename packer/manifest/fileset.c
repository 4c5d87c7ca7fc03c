#include "packer/manifest/fileset.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "format/file.h"

enum {
    PARSE_WORK = 4,   // for a byte of a manifest
    PACKAGE_WORK = 4, // for comparing the name of a package
};

static void *fileset_push(struct vm *vm, void *array, unsigned *n, size_t size)
{
    return arena_room(vm->arena, array, (*n)++, size);
}

static struct object *fileset_no_file(struct vm *vm, int error, const char *path)
{
    const char *name = error == ENOENT    ? "FileNotFoundError"
                       : error == ENOTDIR ? "NotADirectoryError"
                       : error == EACCES  ? "PermissionError"
                                          : "OSError";
    return vm_raise(vm, name, "[Errno %d] %s: '%s'", error, strerror(error), path);
}

// Path variables

static const char *fileset_replace(struct vm *vm, const char *path, const char *what,
                                   const char *with)
{
    const char *result = "", *hit;
    if (!strstr(path, what)) {
        return path;
    }
    while ((hit = strstr(path, what)) && vm_charge(vm, strlen(result))) {
        result = arena_printf(vm->arena, "%s%.*s%s", result, (int)(hit - path), path, with);
        path = hit + strlen(what);
    }
    return arena_printf(vm->arena, "%s%s", result, path);
}

const char *fileset_resolve(struct vm *vm, const char *path)
{
    for (unsigned i = 0; i < vm->files->n_vars; i++) {
        const char *name = arena_printf(vm->arena, "$(%s)", vm->files->vars[i].name);
        path = fileset_replace(vm, path, name, vm->files->vars[i].value);
    }
    return path_abs(vm->arena, vm->cwd, path);
}

// A variable that was not given is the usual cause of a missing path; say so.
static const char *fileset_unknown_var(struct vm *vm, const char *path)
{
    const char *start = strstr(path, "$("), *end = start ? strchr(start, ')') : NULL;
    return end ? arena_printf(vm->arena, " (%.*s is not set: give --define %.*s=FOLDER)",
                              (int)(end + 1 - start), start, (int)(end - start - 2), start + 2)
               : "";
}

// Files

static bool fileset_opt(struct vm *vm, const struct object *opt, int *out)
{
    int64_t n;
    *out = MANIFEST_OPT_NONE;
    if (!opt || opt->kind == V_NONE) {
        return true;
    }
    if (opt->kind != V_INT || !object_is_int(opt, &n) || n < 0) {
        vm_raise(vm, "TypeError", "opt must be an optimisation level from 0 to 3, not %s",
                 opt->kind == V_INT ? "a negative number" : object_type(opt));
        return false;
    }
    *out = n > 3 ? 3 : (int)n;
    return true;
}

enum file_rule { RULE_AUTO, RULE_STR, RULE_COMPILE, RULE_MPY };

static bool fileset_kind(struct vm *vm, const char *path, enum file_rule rule,
                         enum manifest_kind *kind)
{
    static const enum manifest_kind fixed[] = {
        [RULE_STR] = MANIFEST_AS_STR, [RULE_COMPILE] = MANIFEST_AS_MPY, [RULE_MPY] = MANIFEST_MPY};
    if (rule != RULE_AUTO) {
        *kind = fixed[rule];
        return true;
    }
    bool mpy = path_has_extension(path, ".mpy");
    *kind = mpy ? MANIFEST_MPY : MANIFEST_AS_MPY;
    if (!mpy && !path_has_extension(path, ".py")) {
        vm_raise(vm, "ManifestFileError", "neither a .py nor a .mpy file: %s", path);
        return false;
    }
    return true;
}

struct rule { // what a call says of all the files it adds
    enum file_rule rule;
    bool mpy, py; // extensions that a walk takes
    int opt;
};

static bool fileset_add(struct vm *vm, const char *path, const char *name, const struct rule *rule)
{
    struct fileset *s = vm->files;
    struct manifest_file f = {
        .name = name, .path = path, .opt = rule->opt, .metadata = s->level->metadata};
    vm_look(vm, path, 1);
    if (!path_exists(path)) {
        vm_raise(vm, "ManifestFileError", "Cannot stat %s%s", path, fileset_unknown_var(vm, path));
        return false;
    }
    if (!fileset_kind(vm, path, rule->rule, &f.kind)) {
        return false;
    }
    s->files = fileset_push(vm, s->files, &s->n_files, sizeof *s->files);
    s->files[s->n_files - 1] = f;
    return true;
}

int fileset_list(struct vm *vm, const char *dir, struct path_entry **entries, unsigned *n)
{
    int error = path_list(vm->arena, dir, vm_looks_left(vm) + 1, entries, n);
    vm_look(vm, dir, 1 + *n);
    return error;
}

bool fileset_may_enter(struct vm *vm, unsigned depth, const char *dir)
{
    if (depth <= FILESET_DEPTH) {
        return vm_step(vm);
    }
    vm_unsupported(vm, "searching more than %d folders deep: %s", FILESET_DEPTH, *dir ? dir : ".");
    return false;
}

// Adds the files of base/dir and below that the rule takes; dir is "" for base itself. A folder
// that cannot be read is empty, as it is for os.walk.
static bool fileset_walk(struct vm *vm, const char *base, const char *dir, const struct rule *rule,
                         unsigned depth)
{
    struct path_entry *entries;
    unsigned n;
    const char *folder = path_join(vm->arena, base, dir);
    if (!fileset_may_enter(vm, depth, folder)) {
        return false;
    }
    fileset_list(vm, folder, &entries, &n);
    for (unsigned i = 0; i < n && vm_step(vm); i++) {
        bool take =
            !entries[i].is_dir && ((rule->py && path_has_extension(entries[i].name, ".py")) ||
                                   (rule->mpy && path_has_extension(entries[i].name, ".mpy")));
        const char *name =
            path_relative(vm->arena, base, path_join(vm->arena, dir, entries[i].name), base);
        if (take && !fileset_add(vm, path_join(vm->arena, base, name), name, rule)) {
            return false;
        }
    }
    for (unsigned i = 0; i < n && !vm->raised; i++) {
        if (entries[i].is_dir &&
            !fileset_walk(vm, base, path_join(vm->arena, dir, entries[i].name), rule, depth + 1)) {
            return false;
        }
    }
    return !vm->raised;
}

// The files of a call: the named ones (an iterable of strings), or all below base/package.
static struct object *fileset_search(struct vm *vm, const char *base, const char *package,
                                     struct object *names, const struct rule *rule)
{
    base = fileset_resolve(vm, base);
    if (!names || names->kind == V_NONE) {
        vm_look(vm, base, 1);
        if (!path_is_dir(base)) {
            fileset_no_file(vm, path_exists(base) ? ENOTDIR : ENOENT, base);
            struct vm_error *e = vm->raised;
            e->text = arena_printf(vm->arena, "%s%s", e->text, fileset_unknown_var(vm, base));
            return NULL;
        }
        return fileset_walk(vm, base, package, rule, 0) ? vm->none : NULL;
    }
    struct object *list = object_iter(vm, names);
    for (size_t i = 0; list && i < list->as.items.n; i++) {
        const char *name = call_text(vm, list->as.items.data[i], "freeze");
        if (!name) {
            return NULL;
        }
        name = path_join(vm->arena, package, name);
        if (!fileset_add(vm, path_join(vm->arena, base, name), name, rule)) {
            return NULL;
        }
    }
    return list ? vm->none : NULL;
}

static struct object *fn_module(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[3];
    struct rule rule = {.rule = RULE_AUTO};
    if (!call_bind(vm, call, "module", "module_path base_path? opt?", v) ||
        !fileset_opt(vm, v[2], &rule.opt)) {
        return NULL;
    }
    const char *path = call_text(vm, v[0], "module");
    const char *base = path ? v[1] ? call_text(vm, v[1], "module") : "." : NULL;
    if (!base) {
        return NULL;
    }
    if (!path_has_extension(path, ".py")) {
        return vm_raise(vm, "ManifestFileError", "module must be .py file");
    }
    base = fileset_resolve(vm, base);
    return fileset_add(vm, path_join(vm->arena, base, path), path, &rule) ? vm->none : NULL;
}

static struct object *fn_package(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[4];
    struct rule rule = {.rule = RULE_AUTO, .py = true};
    if (!call_bind(vm, call, "package", "package_path files? base_path? opt?", v) ||
        !fileset_opt(vm, v[3], &rule.opt)) {
        return NULL;
    }
    const char *package = v[0]->kind == V_NONE ? "" : call_text(vm, v[0], "package");
    const char *base = package ? v[2] ? call_text(vm, v[2], "package") : "." : NULL;
    return base ? fileset_search(vm, base, package, v[1], &rule) : NULL;
}

static struct object *fileset_freeze(struct vm *vm, const struct call *call, const char *function,
                                     struct rule rule)
{
    struct object *v[3];
    if (!call_bind(vm, call, function, "path script? opt?", v) ||
        !fileset_opt(vm, v[2], &rule.opt)) {
        return NULL;
    }
    const char *base = call_text(vm, v[0], function);
    if (!base) {
        return NULL;
    }
    if (!v[1] || v[1]->kind == V_NONE || !object_is_str(v[1])) {
        return fileset_search(vm, base, "", v[1], &rule);
    }
    // A script that names a folder stands for all files in it.
    const char *script = call_text(vm, v[1], function);
    if (script && path_is_dir(path_join(vm->arena, fileset_resolve(vm, base), script))) {
        return fileset_search(vm, base, script, NULL, &rule);
    }
    struct object *one = object_seq(vm, V_TUPLE);
    object_append(vm, one, v[1]);
    return script ? fileset_search(vm, base, "", one, &rule) : NULL;
}

static struct object *fn_freeze(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return fileset_freeze(vm, call, "freeze", (struct rule){RULE_AUTO, true, true, 0});
}

static struct object *fn_freeze_as_mpy(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return fileset_freeze(vm, call, "freeze_as_mpy", (struct rule){RULE_COMPILE, false, true, 0});
}

static struct object *fn_freeze_mpy(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return fileset_freeze(vm, call, "freeze_mpy", (struct rule){RULE_MPY, true, false, 0});
}

static struct object *fn_freeze_as_str(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1];
    struct rule rule = {RULE_STR, false, true, MANIFEST_OPT_NONE};
    if (!call_bind(vm, call, "freeze_as_str", "path", v)) {
        return NULL;
    }
    const char *base = call_text(vm, v[0], "freeze_as_str");
    return base ? fileset_search(vm, base, "", NULL, &rule) : NULL;
}

// metadata()

static bool metadata_text(struct vm *vm, struct object *v, const char **out)
{
    struct object *text = v && v->kind != V_NONE ? object_to_str(vm, v) : NULL;
    *out = text ? text->as.str.data : NULL;
    return !vm->raised;
}

static struct object *fn_metadata(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct manifest_metadata *m = vm->files->level->metadata;
    struct object *v[7];
    if (call->n_kw || call->n_pos) {
        struct call keywords = *call;
        if (call->n_pos) {
            return vm_raise(vm, "TypeError", "metadata() takes keyword arguments only");
        }
        if (!call_bind(vm, &keywords, "metadata",
                       "description? version? license? author? stdlib? pypi? pypi_publish?", v)) {
            return NULL;
        }
        if (m->initialised) {
            return vm_raise(vm, "ManifestFileError", "Duplicate call to metadata().");
        }
        m->stdlib = v[4] && object_truth(v[4]);
        m->initialised = true;
        if (v[1] && !object_truth(v[1])) {
            v[1] = NULL; // an empty version counts as none
        }
        if (!metadata_text(vm, v[0], &m->description) || !metadata_text(vm, v[1], &m->version) ||
            !metadata_text(vm, v[2], &m->license) || !metadata_text(vm, v[3], &m->author) ||
            !metadata_text(vm, v[5], &m->pypi) || !metadata_text(vm, v[6], &m->pypi_publish)) {
            return NULL;
        }
    }
    struct object *result = object_named(vm, V_METADATA, NULL);
    result->as.metadata = m;
    return result;
}

// include()

static bool fileset_visited(const struct fileset *s, const char *path)
{
    for (unsigned i = 0; i < s->n_visited; i++) {
        if (strcmp(s->visited[i], path) == 0) {
            return true;
        }
    }
    return false;
}

// Runs the manifest at path, which is absolute, in its own folder.
static bool fileset_run(struct vm *vm, const char *path, struct object *options)
{
    struct vm outer = *vm;
    struct diag d;
    struct file text;
    diag_init(&d);
    jmp_buf *on_fail = vm->arena->on_fail; // the file must be closed before anything jumps
    vm->arena->on_fail = NULL;
    enum diag_code err = file_read(path, vm->arena, &d, &text);
    vm->arena->on_fail = on_fail;
    if (err) {
        vm_raise(vm, "OSError", "%s", d.text);
        return false;
    }
    vm_charge(vm, (uint64_t)PARSE_WORK * text.size);
    struct options *o = ARENA_NEW(vm->arena, struct options);
    o->given = options ? options : object_seq(vm, V_DICT);
    o->defaults = object_seq(vm, V_DICT);
    vm->cwd = path_dirname(vm->arena, path);
    vm->file = path;
    bool ok = eval_manifest(vm, (const char *)text.data, text.size, o);
    vm->cwd = outer.cwd;
    vm->file = outer.file;
    vm->line = outer.line;
    vm->column = outer.column;
    return ok;
}

bool fileset_include(struct vm *vm, const char *path, struct object *options)
{
    struct fileset *s = vm->files;
    path = fileset_resolve(vm, path);
    vm_look(vm, path, 1);
    vm_charge(vm, s->n_visited);
    if (path_is_dir(path)) {
        path = path_join(vm->arena, path, "manifest.py");
    }
    if (fileset_visited(s, path)) {
        return true;
    }
    if (vm->depth >= VM_DEPTH) {
        vm_unsupported(vm, "includes are nested too deeply");
        return false;
    }
    s->visited = fileset_push(vm, s->visited, &s->n_visited, sizeof *s->visited);
    s->visited[s->n_visited - 1] = path;
    if (!path_exists(path)) {
        fileset_no_file(vm, ENOENT, path);
        vm->raised->text =
            arena_printf(vm->arena, "%s%s", vm->raised->text, fileset_unknown_var(vm, path));
        return false;
    }
    if (s->including && !path_is_file(path)) { // reading a pipe or a device may never end
        vm_raise(vm, "OSError", "%s: is not a file", path);
        return false;
    }
    struct fileset_include *here = ARENA_NEW(vm->arena, struct fileset_include);
    *here = (struct fileset_include){vm->file, vm->line, s->including};
    s->including = here;
    vm->depth++;
    bool ok = fileset_run(vm, path, options);
    vm->depth--;
    if (!ok && !s->failed) {
        s->failed = here;
    }
    s->including = here->outer;
    return ok;
}

static struct object *fn_include(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[2], *options;
    if (!call_bind_kw(vm, call, "include", "manifest_path is_require?", v, &options)) {
        return NULL;
    }
    if (v[0]->kind == V_STR || v[0]->kind == V_PATH) {
        const char *path = call_text(vm, v[0], "include");
        return path && fileset_include(vm, path, options) ? vm->none : NULL;
    }
    struct object *list = object_iter(vm, v[0]);
    for (size_t i = 0; list && i < list->as.items.n; i++) {
        const char *path = call_text(vm, list->as.items.data[i], "include");
        if (!path || !fileset_include(vm, path, options)) {
            return NULL;
        }
    }
    return list ? vm->none : NULL;
}

// require() and its libraries

// Finds the folders with a manifest.py below dir; links to folders are not followed here.
static bool library_scan(struct vm *vm, struct library_dir *lib, const char *dir, unsigned depth)
{
    struct path_entry *entries;
    unsigned n;
    if (!fileset_may_enter(vm, depth, dir)) {
        return false;
    }
    fileset_list(vm, dir, &entries, &n);
    for (unsigned i = 0; i < n && vm_step(vm); i++) {
        if (!entries[i].is_dir && strcmp(entries[i].name, "manifest.py") == 0) {
            lib->packages = fileset_push(vm, lib->packages, &lib->n, sizeof *lib->packages);
            lib->packages[lib->n - 1] = dir;
        }
    }
    for (unsigned i = 0; i < n && !vm->raised; i++) {
        if (entries[i].is_dir && !entries[i].is_link &&
            !library_scan(vm, lib, path_join(vm->arena, dir, entries[i].name), depth + 1)) {
            return false;
        }
    }
    return !vm->raised;
}

// The package's folder in a library, NULL if it is not there or after raising.
static const char *library_find(struct vm *vm, struct library_dir *lib, const char *name)
{
    if (!lib->scanned && !library_scan(vm, lib, lib->path, 0)) {
        return NULL;
    }
    lib->scanned = true;
    for (unsigned i = 0; i < lib->n && vm_charge(vm, PACKAGE_WORK); i++) {
        if (strcmp(path_basename(lib->packages[i]), name) == 0) {
            return lib->packages[i];
        }
    }
    return NULL;
}

static struct library *library_named(struct fileset *s, const char *name)
{
    for (unsigned i = 0; i < s->n_libraries; i++) {
        if (strcmp(s->libraries[i].name, name) == 0) {
            return &s->libraries[i];
        }
    }
    return NULL;
}

static void library_add(struct vm *vm, const char *name, const char *path, bool prepend)
{
    struct fileset *s = vm->files;
    struct library_dir *dir = ARENA_NEW(vm->arena, struct library_dir);
    dir->path = fileset_resolve(vm, path);
    struct library *lib = library_named(s, name);
    vm_charge(vm, s->n_libraries + s->n_dirs);
    if (!lib) {
        s->libraries = fileset_push(vm, s->libraries, &s->n_libraries, sizeof *s->libraries);
        lib = &s->libraries[s->n_libraries - 1];
        lib->name = name;
    }
    lib->dir = dir;
    s->dirs = fileset_push(vm, s->dirs, &s->n_dirs, sizeof(struct library_dir *));
    if (prepend) {
        memmove(s->dirs + 1, s->dirs, (s->n_dirs - 1) * sizeof(struct library_dir *));
    }
    s->dirs[prepend ? 0 : s->n_dirs - 1] = dir;
}

static struct object *fn_add_library(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[3];
    if (!call_bind(vm, call, "add_library", "library library_path prepend?", v)) {
        return NULL;
    }
    const char *name = call_text(vm, v[0], "add_library");
    const char *path = name ? call_text(vm, v[1], "add_library") : NULL;
    if (!path) {
        return NULL;
    }
    library_add(vm, name, path, v[2] && object_truth(v[2]));
    return vm->none;
}

static struct object *fileset_not_found(struct vm *vm, const char *name)
{
    bool micropython_lib = library_named(vm->files, "micropython") != NULL;
    return vm_raise(vm, "ValueError", "Package '%s' not found in any known library.%s", name,
                    micropython_lib ? ""
                                    : " (MPY_LIB_DIR is not set: give --define MPY_LIB_DIR=FOLDER "
                                      "with a copy of micropython-lib)");
}

static const char *fileset_package(struct vm *vm, const char *name, const char *library)
{
    struct fileset *s = vm->files;
    const char *path = NULL;
    if (library) {
        struct library *lib = library_named(s, library);
        if (!lib) {
            vm_raise(vm, "ValueError", "Unknown library '%s' for require('%s').", library, name);
            return NULL;
        }
        path = library_find(vm, lib->dir, name);
        if (!path && !vm->raised) {
            vm_raise(vm, "ValueError", "Package '%s' not found in external library '%s' (%s).",
                     name, library, lib->dir->path);
        }
        return path;
    }
    for (unsigned i = 0; !path && !vm->raised && i < s->n_dirs; i++) {
        path = library_find(vm, s->dirs[i], name);
    }
    if (!path && !vm->raised) {
        fileset_not_found(vm, name);
    }
    return path;
}

// Up to 1.21 require(..., unix_ffi=True) also searched unix-ffi; later releases pass the keyword
// on.
static const char *fileset_unix_ffi(struct vm *vm, const char *name)
{
    const char *root = fileset_resolve(vm, "$(MPY_LIB_DIR)/unix-ffi");
    struct library_dir dir = {.path = root};
    return strstr(root, "$(") ? NULL : library_find(vm, &dir, name);
}

static bool option_set(struct vm *vm, const struct object *options, const char *name)
{
    struct object *v = object_lookup(vm, options, object_str(vm, name));
    return v && object_truth(v);
}

static struct object *fn_require(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[4], *options;
    if (!call_bind_kw(vm, call, "require", "name version? pypi? library?", v, &options)) {
        return NULL;
    }
    const char *name = call_text(vm, v[0], "require"), *library = NULL;
    if (name && v[3] && v[3]->kind != V_NONE && !(library = call_text(vm, v[3], "require"))) {
        return NULL;
    }
    const char *path = name ? fileset_package(vm, name, library) : NULL;
    if (!path && name && !library && option_set(vm, options, "unix_ffi") &&
        (path = fileset_unix_ffi(vm, name))) {
        vm->raised = NULL;
    }
    if (!path) {
        return NULL;
    }
    struct metadata_level level = {ARENA_NEW(vm->arena, struct manifest_metadata),
                                   vm->files->level};
    vm->files->level = &level;
    bool ok = fileset_include(vm, path, options);
    vm->files->level = level.outer;
    return ok ? vm->none : NULL;
}

// c_module() is checked and reported; a splice cannot build C.
static struct object *fn_c_module(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1];
    struct fileset *s = vm->files;
    const char *path = NULL;
    if (!call_bind(vm, call, "c_module", "module_path", v) ||
        !(path = call_text(vm, v[0], "c_module"))) {
        return NULL;
    }
    path = fileset_resolve(vm, path);
    vm_look(vm, path, 1);
    const char *var = strstr(path, "$("), *end = var ? strchr(var, ')') : NULL;
    if (end && end > var + 2) {
        return vm_raise(vm, "ManifestFileError", "Unresolved variable in c_module() path: %.*s",
                        (int)(end + 1 - var), var);
    }
    if (!path_exists(path)) {
        return vm_raise(vm, "ManifestFileError", "C module path does not exist: %s", path);
    }
    if (!path_is_dir(path)) {
        return vm_raise(vm, "ManifestFileError", "C module path must be a directory: %s", path);
    }
    if (!path_is_file(path_join(vm->arena, path, "micropython.mk")) &&
        !path_is_file(path_join(vm->arena, path, "micropython.cmake"))) {
        return vm_raise(vm, "ManifestFileError",
                        "C module directory must contain micropython.mk or micropython.cmake: %s",
                        path);
    }
    s->c_modules = fileset_push(vm, s->c_modules, &s->n_c_modules, sizeof *s->c_modules);
    s->c_modules[s->n_c_modules - 1] = path;
    return vm->none;
}

// The name by which older manifests resolve a path themselves.
static struct object *fn_convert_path(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1];
    const char *path = NULL;
    if (!call_bind(vm, call, "convert_path", "path", v) ||
        !(path = call_text(vm, v[0], "convert_path"))) {
        return NULL;
    }
    return object_str(vm, fileset_resolve(vm, path));
}

const struct native *fileset_function(const char *name)
{
    static const struct native functions[] = {
        {"metadata", fn_metadata},
        {"include", fn_include},
        {"require", fn_require},
        {"add_library", fn_add_library},
        {"package", fn_package},
        {"module", fn_module},
        {"c_module", fn_c_module},
        {"freeze", fn_freeze},
        {"freeze_as_str", fn_freeze_as_str},
        {"freeze_as_mpy", fn_freeze_as_mpy},
        {"freeze_mpy", fn_freeze_mpy},
        {"convert_path", fn_convert_path},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(functions[i].name, name) == 0) {
            return &functions[i];
        }
    }
    return NULL;
}

// options

static struct object *fn_defaults(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *defaults;
    if (!call_bind_kw(vm, call, "defaults", "", NULL, &defaults)) {
        return NULL;
    }
    self->as.options->defaults = defaults;
    return vm->none;
}

struct object *options_attribute(struct vm *vm, struct options *options, const char *name)
{
    static const struct native defaults = {"defaults", fn_defaults};
    if (strcmp(name, "defaults") == 0) {
        struct object *self = object_named(vm, V_OPTIONS, NULL);
        self->as.options = options;
        return object_native(vm, &defaults, self);
    }
    struct object *key = object_str(vm, name);
    struct object *v = object_lookup(vm, options->given, key);
    v = v ? v : object_lookup(vm, options->defaults, key);
    return v ? v : vm->none;
}

static struct manifest_var fileset_var(struct vm *vm, const struct manifest_var *var)
{
    const char *value = var->value;
    return (struct manifest_var){var->name,
                                 path_exists(value) ? path_abs(vm->arena, vm->cwd, value) : value};
}

void fileset_init(struct vm *vm, const struct manifest_options *options)
{
    static const char *const base[] = {"micropython", "python-stdlib", "python-ecosys"};
    struct fileset *s = ARENA_NEW(vm->arena, struct fileset);
    const char *lib_dir = NULL;
    vm->files = s;
    s->level = ARENA_NEW(vm->arena, struct metadata_level);
    s->level->metadata = ARENA_NEW(vm->arena, struct manifest_metadata);
    for (unsigned i = 0; options && i < options->n_vars; i++) {
        s->vars = fileset_push(vm, s->vars, &s->n_vars, sizeof *s->vars);
        s->vars[i] = fileset_var(vm, &options->vars[i]);
        lib_dir = strcmp(s->vars[i].name, "MPY_LIB_DIR") == 0 ? s->vars[i].value : lib_dir;
    }
    if (!lib_dir || !*lib_dir) {
        return;
    }
    for (unsigned i = 0; i < sizeof base / sizeof *base; i++) {
        library_add(vm, base[i], path_join(vm->arena, lib_dir, base[i]), false);
    }
    if (options->unix_ffi) {
        library_add(vm, "unix-ffi", path_join(vm->arena, lib_dir, "unix-ffi"), true);
    }
}
