// What a manifest may import: os, os.path, sys, glob and pathlib. Everything that looks at the disk
// does so from the manifest's own folder.
#define _XOPEN_SOURCE 700 // realpath
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "packer/manifest/fileset.h"

extern char **environ;

enum {
    MEMBER_WORK = 16, // going through the members of a module
};

// A path as the system must see it, to look at once.
static const char *module_real(struct vm *vm, const char *path)
{
    path = path_join(vm->arena, vm->cwd, *path ? path : ".");
    vm_look(vm, path, 1);
    return path;
}

static const char *module_arg(struct vm *vm, const struct call *call, const char *name)
{
    struct object *v[1];
    return call_bind(vm, call, name, "path", v) ? call_text(vm, v[0], name) : NULL;
}

static struct object *fn_join(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[2];
    if (!call_bind(vm, call, "join", "a p*", v)) {
        return NULL;
    }
    const char *path = call_text(vm, v[0], "join");
    for (size_t i = 0; path && i < v[1]->as.items.n && vm_charge(vm, strlen(path)); i++) {
        const char *more = call_text(vm, v[1]->as.items.data[i], "join");
        path = more ? path_join(vm->arena, path, more) : NULL;
    }
    return path ? object_str(vm, path) : NULL;
}

static struct object *fn_exists(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "exists");
    return path ? object_bool(vm, *path && path_exists(module_real(vm, path))) : NULL;
}

static struct object *fn_isdir(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "isdir");
    return path ? object_bool(vm, *path && path_is_dir(module_real(vm, path))) : NULL;
}

static struct object *fn_isfile(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "isfile");
    return path ? object_bool(vm, *path && path_is_file(module_real(vm, path))) : NULL;
}

static struct object *fn_isabs(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "isabs");
    return path ? object_bool(vm, path[0] == '/') : NULL;
}

static struct object *fn_dirname(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "dirname");
    return path ? object_str(vm, path_dirname(vm->arena, path)) : NULL;
}

static struct object *fn_basename(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "basename");
    return path ? object_str(vm, path_basename(path)) : NULL;
}

static struct object *fn_abspath(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "abspath");
    return path ? object_str(vm, path_abs(vm->arena, vm->cwd, path)) : NULL;
}

static struct object *fn_realpath(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "realpath");
    if (!path) {
        return NULL;
    }
    const char *full = module_real(vm, path);
    for (const char *slash = full; (slash = strchr(slash, '/')); slash++) {
        vm_look(vm, full, 1); // every part may be a link
    }
    char *real = realpath(full, NULL);
    struct object *v;
    if (real) {
        char copy[4096];
        size_t n = strlen(real);
        if (n >= sizeof copy) {
            free(real);
            return vm_raise(vm, "OSError", "[Errno %d] File name too long", ENAMETOOLONG);
        }
        memcpy(copy, real, n + 1);
        free(real);
        v = object_str(vm, copy);
    } else {
        v = object_str(vm, path_abs(vm->arena, vm->cwd, path));
    }
    return v;
}

static struct object *fn_normpath(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "normpath");
    return path ? object_str(vm, path_norm(vm->arena, path)) : NULL;
}

static struct object *fn_same(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "normcase");
    return path ? object_str(vm, path) : NULL;
}

static struct object *module_pair(struct vm *vm, const char *text, size_t at, size_t from)
{
    struct object *pair = object_seq(vm, V_TUPLE);
    object_append(vm, pair, object_strn(vm, text, at));
    object_append(vm, pair, object_str(vm, text + from));
    return pair;
}

static struct object *fn_splitext(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "splitext");
    size_t at = path ? (size_t)(path_extension(path) - path) : 0;
    return path ? module_pair(vm, path, at, at) : NULL;
}

static struct object *fn_split(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    const char *path = module_arg(vm, call, "split");
    if (!path) {
        return NULL;
    }
    return module_pair(vm, path, strlen(path_dirname(vm->arena, path)),
                       (size_t)(path_basename(path) - path));
}

static struct object *fn_relpath(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[2];
    if (!call_bind(vm, call, "relpath", "path start?", v)) {
        return NULL;
    }
    const char *path = call_text(vm, v[0], "relpath");
    const char *start = v[1] ? call_text(vm, v[1], "relpath") : ".";
    return path && start ? object_str(vm, path_relative(vm->arena, vm->cwd, path, start)) : NULL;
}

// os

static struct object *fn_getcwd(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return call_bind(vm, call, "getcwd", "", NULL) ? object_str(vm, vm->cwd) : NULL;
}

static struct object *fn_getenv(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[2];
    const char *name;
    if (!call_bind(vm, call, "getenv", "key default?", v) ||
        !(name = call_text(vm, v[0], "getenv"))) {
        return NULL;
    }
    const char *value = getenv(name);
    return value ? object_str(vm, value) : v[1] ? v[1] : vm->none;
}

static struct object *module_environ(struct vm *vm)
{
    struct object *dict = object_seq(vm, V_DICT);
    for (char **e = environ; e && *e; e++) {
        const char *equals = strchr(*e, '=');
        vm_charge(vm, strlen(*e));
        if (equals) {
            object_put(vm, dict, object_strn(vm, *e, (size_t)(equals - *e)),
                       object_str(vm, equals + 1));
        }
    }
    return dict;
}

static struct object *module_os_error(struct vm *vm, int error, const char *path)
{
    return vm_raise(vm, error == ENOENT ? "FileNotFoundError" : "OSError", "[Errno %d] %s: '%s'",
                    error, strerror(error), path);
}

static struct object *fn_listdir(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1], *list = object_seq(vm, V_LIST);
    struct path_entry *entries;
    unsigned n;
    if (!call_bind(vm, call, "listdir", "path?", v)) {
        return NULL;
    }
    const char *path = v[0] && v[0]->kind != V_NONE ? call_text(vm, v[0], "listdir") : ".";
    if (!path) {
        return NULL;
    }
    int error = fileset_list(vm, module_real(vm, path), &entries, &n);
    if (error) {
        return module_os_error(vm, error, path);
    }
    for (unsigned i = 0; i < n; i++) {
        object_append(vm, list, object_str(vm, entries[i].name));
    }
    return list;
}

// Appends (folder, folder names, file names) of dir and of everything below it.
static bool walk_into(struct vm *vm, struct object *result, const char *dir, bool follow,
                      unsigned depth)
{
    struct path_entry *entries;
    unsigned n;
    if (!fileset_may_enter(vm, depth, dir)) {
        return false;
    }
    if (fileset_list(vm, module_real(vm, dir), &entries, &n)) {
        return true;
    }
    struct object *row = object_seq(vm, V_TUPLE), *dirs = object_seq(vm, V_LIST),
                  *files = object_seq(vm, V_LIST);
    for (unsigned i = 0; i < n; i++) {
        object_append(vm, entries[i].is_dir ? dirs : files, object_str(vm, entries[i].name));
    }
    object_append(vm, row, object_str(vm, dir));
    object_append(vm, row, dirs);
    object_append(vm, row, files);
    object_append(vm, result, row);
    for (unsigned i = 0; i < n; i++) {
        if (entries[i].is_dir && (follow || !entries[i].is_link) &&
            !walk_into(vm, result, path_join(vm->arena, dir, entries[i].name), follow, depth + 1)) {
            return false;
        }
    }
    return true;
}

static struct object *fn_walk(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[4], *result = object_seq(vm, V_LIST);
    if (!call_bind(vm, call, "walk", "top topdown? onerror? followlinks?", v)) {
        return NULL;
    }
    const char *top = call_text(vm, v[0], "walk");
    if (!top || !walk_into(vm, result, top, v[3] && object_truth(v[3]), 0)) {
        return NULL;
    }
    return result;
}

// glob

struct glob {
    struct vm *vm;
    struct object *found;
    bool recursive; // "**" stands for any number of folders
    bool paths;     // pathlib's rules: wildcards match leading dots, results are Path objects
};

static bool glob_into(struct glob *g, const char *dir, const char *pattern, unsigned depth);

static bool glob_emit(struct glob *g, const char *path)
{
    struct vm *vm = g->vm;
    object_append(vm, g->found, g->paths ? object_path(vm, path) : object_str(vm, path));
    return vm_step(vm);
}

// "**": this folder, then every folder below it.
static bool glob_any_depth(struct glob *g, const char *dir, const char *rest, unsigned depth)
{
    struct path_entry *entries;
    unsigned n;
    struct vm *vm = g->vm;
    if (*rest ? !glob_into(g, dir, rest, depth + 1) : *dir && !glob_emit(g, dir)) {
        return false;
    }
    if (fileset_list(vm, module_real(vm, dir), &entries, &n)) {
        return true;
    }
    for (unsigned i = 0; i < n; i++) {
        bool enter = entries[i].is_dir && (g->paths || entries[i].name[0] != '.') &&
                     (!g->paths || !entries[i].is_link);
        if (enter && fileset_may_enter(vm, depth + 1, dir) &&
            !glob_any_depth(g, path_join(vm->arena, dir, entries[i].name), rest, depth + 1)) {
            return false;
        }
    }
    return true;
}

// A pattern of many stars is tried at every byte of a name.
static uint64_t glob_work(const char *part, const char *name)
{
    return 1 + (uint64_t)strlen(part) * strlen(name) / 4;
}

static bool glob_step(struct glob *g, const char *path, const char *rest, unsigned depth)
{
    return *rest ? glob_into(g, path, rest, depth + 1) : glob_emit(g, path);
}

// Matches the first component of pattern in dir and goes on with the others.
static bool glob_into(struct glob *g, const char *dir, const char *pattern, unsigned depth)
{
    struct vm *vm = g->vm;
    size_t len = strcspn(pattern, "/");
    const char *part = arena_strndup(vm->arena, pattern, len), *rest = pattern + len;
    rest += strspn(rest, "/");
    struct path_entry *entries;
    unsigned n;
    if (!fileset_may_enter(vm, depth, dir)) {
        return false;
    }
    if (g->recursive && strcmp(part, "**") == 0) {
        return glob_any_depth(g, dir, rest, depth);
    }
    if (!strpbrk(part, "*?[")) {
        const char *path = path_join(vm->arena, dir, part);
        return path_exists(module_real(vm, path)) ? glob_step(g, path, rest, depth) : true;
    }
    if (fileset_list(vm, module_real(vm, dir), &entries, &n)) {
        return true;
    }
    for (unsigned i = 0; i < n && vm_charge(vm, glob_work(part, entries[i].name)); i++) {
        if (path_match(part, entries[i].name, g->paths) && (!*rest || entries[i].is_dir) &&
            !glob_step(g, path_join(vm->arena, dir, entries[i].name), rest, depth)) {
            return false;
        }
    }
    return true;
}

static struct object *glob_run(struct vm *vm, const char *dir, const char *pattern, bool recursive,
                               bool paths)
{
    struct glob g = {vm, object_seq(vm, V_LIST), recursive, paths};
    bool absolute = pattern[0] == '/';
    return glob_into(&g, absolute ? "/" : dir, pattern + strspn(pattern, "/"), 0) ? g.found : NULL;
}

static struct object *fn_glob(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[2];
    const char *pattern;
    if (!call_bind(vm, call, "glob", "pathname recursive?", v) ||
        !(pattern = call_text(vm, v[0], "glob"))) {
        return NULL;
    }
    return glob_run(vm, "", pattern, v[1] && object_truth(v[1]), false);
}

// pathlib

static const char *path_text(struct vm *vm, const char *text)
{
    const char *norm = "";
    // Path("a/./b//c") is a/b/c, but ".." stays.
    bool absolute = text[0] == '/';
    for (const char *p = text; *p && vm_charge(vm, strlen(norm));) {
        size_t len = strcspn(p, "/");
        if (len && !(len == 1 && p[0] == '.')) {
            norm = path_join(vm->arena, norm, arena_strndup(vm->arena, p, len));
        }
        p += len + (p[len] == '/');
    }
    norm = absolute ? arena_printf(vm->arena, "/%s", norm) : norm;
    return *norm ? norm : ".";
}

static struct object *fn_path(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    struct object *v[1];
    if (!call_bind(vm, call, "Path", "segments*", v)) {
        return NULL;
    }
    const char *path = "";
    for (size_t i = 0; path && i < v[0]->as.items.n && vm_charge(vm, strlen(path)); i++) {
        const char *more = call_text(vm, v[0]->as.items.data[i], "Path");
        path = more ? path_join(vm->arena, path, more) : NULL;
    }
    return path ? object_path(vm, path_text(vm, path)) : NULL;
}

static struct object *fn_path_cwd(struct vm *vm, struct object *self, const struct call *call)
{
    (void)self;
    return call_bind(vm, call, "cwd", "", NULL) ? object_path(vm, vm->cwd) : NULL;
}

static struct object *m_path_joinpath(struct vm *vm, struct object *self, const struct call *call)
{
    struct object **pos = ARENA_ARRAY(vm->arena, struct object *, call->n_pos + 1);
    pos[0] = self;
    memcpy(pos + 1, call->pos, call->n_pos * sizeof *pos);
    struct call all = {.n_pos = call->n_pos + 1, .pos = pos};
    return fn_path(vm, NULL, &all);
}

static struct object *m_path_exists(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "exists", "", NULL)
               ? object_bool(vm, path_exists(module_real(vm, self->as.str.data)))
               : NULL;
}

static struct object *m_path_is_dir(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "is_dir", "", NULL)
               ? object_bool(vm, path_is_dir(module_real(vm, self->as.str.data)))
               : NULL;
}

static struct object *m_path_is_file(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "is_file", "", NULL)
               ? object_bool(vm, path_is_file(module_real(vm, self->as.str.data)))
               : NULL;
}

static struct object *m_path_resolve(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "resolve", "", NULL)
               ? object_path(vm, path_abs(vm->arena, vm->cwd, self->as.str.data))
               : NULL;
}

static struct object *m_path_as_posix(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "as_posix", "", NULL) ? object_to_str(vm, self) : NULL;
}

static const char *path_glob_dir(const struct object *self)
{
    return strcmp(self->as.str.data, ".") == 0 ? "" : self->as.str.data;
}

static struct object *m_path_glob(struct vm *vm, struct object *self, const struct call *call)
{
    const char *pattern = module_arg(vm, call, "glob");
    return pattern ? glob_run(vm, path_glob_dir(self), pattern, true, true) : NULL;
}

static struct object *m_path_rglob(struct vm *vm, struct object *self, const struct call *call)
{
    const char *pattern = module_arg(vm, call, "rglob");
    return pattern ? glob_run(vm, path_glob_dir(self), arena_printf(vm->arena, "**/%s", pattern),
                              true, true)
                   : NULL;
}

static struct object *m_path_iterdir(struct vm *vm, struct object *self, const struct call *call)
{
    struct path_entry *entries;
    unsigned n;
    struct object *list = object_seq(vm, V_LIST);
    if (!call_bind(vm, call, "iterdir", "", NULL)) {
        return NULL;
    }
    int error = fileset_list(vm, module_real(vm, self->as.str.data), &entries, &n);
    if (error) {
        return module_os_error(vm, error, self->as.str.data);
    }
    for (unsigned i = 0; i < n; i++) {
        object_append(vm, list,
                      object_path(vm, path_join(vm->arena, path_glob_dir(self), entries[i].name)));
    }
    return list;
}

static struct object *m_path_relative_to(struct vm *vm, struct object *self,
                                         const struct call *call)
{
    const char *base = module_arg(vm, call, "relative_to");
    if (!base) {
        return NULL;
    }
    base = path_text(vm, base);
    size_t n = strcmp(base, ".") == 0 ? 0 : strlen(base);
    const char *path = self->as.str.data;
    if (strncmp(path, base, n) != 0 || (n && path[n] && path[n] != '/' && base[n - 1] != '/')) {
        return vm_raise(vm, "ValueError", "'%s' is not in the subpath of '%s'", path, base);
    }
    path += n + strspn(path + n, "/");
    return object_path(vm, *path ? path : ".");
}

static struct object *path_parts(struct vm *vm, const char *path)
{
    struct object *parts = object_seq(vm, V_TUPLE);
    if (*path == '/') {
        object_append(vm, parts, object_str(vm, "/"));
    }
    for (const char *p = path + strspn(path, "/"); *p;) {
        size_t len = strcspn(p, "/");
        object_append(vm, parts, object_strn(vm, p, len));
        p += len + (p[len] == '/');
    }
    return parts;
}

struct object *path_member(struct vm *vm, struct object *path, const char *name)
{
    static const struct native methods[] = {
        {"exists", m_path_exists},     {"is_dir", m_path_is_dir},
        {"is_file", m_path_is_file},   {"resolve", m_path_resolve},
        {"absolute", m_path_resolve},  {"as_posix", m_path_as_posix},
        {"glob", m_path_glob},         {"rglob", m_path_rglob},
        {"iterdir", m_path_iterdir},   {"relative_to", m_path_relative_to},
        {"joinpath", m_path_joinpath},
    };
    vm_charge(vm, MEMBER_WORK + path->as.str.len);
    const char *text = path->as.str.data, *base = path_basename(text), *ext = path_extension(text);
    if (strcmp(name, "name") == 0) {
        return object_str(vm, strcmp(text, ".") == 0 ? "" : base);
    }
    if (strcmp(name, "stem") == 0) {
        return object_strn(vm, base, (size_t)(ext - base));
    }
    if (strcmp(name, "suffix") == 0) {
        return object_str(vm, ext);
    }
    if (strcmp(name, "parent") == 0) {
        const char *parent = path_dirname(vm->arena, text);
        return object_path(vm, *parent ? parent : ".");
    }
    if (strcmp(name, "parts") == 0) {
        return path_parts(vm, text);
    }
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i].name, name) == 0) {
            return object_native(vm, &methods[i], path);
        }
    }
    return NULL;
}

static const struct native os_functions[] = {
    {"getcwd", fn_getcwd}, {"getenv", fn_getenv}, {"listdir", fn_listdir}, {"walk", fn_walk}, {0}};
static const struct native os_path_functions[] = {
    {"join", fn_join},         {"exists", fn_exists},
    {"isdir", fn_isdir},       {"isfile", fn_isfile},
    {"isabs", fn_isabs},       {"dirname", fn_dirname},
    {"basename", fn_basename}, {"abspath", fn_abspath},
    {"realpath", fn_realpath}, {"normpath", fn_normpath},
    {"splitext", fn_splitext}, {"split", fn_split},
    {"relpath", fn_relpath},   {"normcase", fn_same},
    {"expanduser", fn_same},   {0}};
static const struct native glob_functions[] = {{"glob", fn_glob}, {"iglob", fn_glob}, {0}};
static const struct native pathlib_functions[] = {{"Path", fn_path}, {"PosixPath", fn_path}, {0}};
static const struct native sys_functions[] = {{0}};

static const struct {
    const char *name;
    const struct native *functions;
} modules[] = {
    {"os", os_functions},     {"os.path", os_path_functions}, {"posixpath", os_path_functions},
    {"glob", glob_functions}, {"pathlib", pathlib_functions}, {"sys", sys_functions},
};

struct object *builtin_module(struct vm *vm, const char *name)
{
    vm_charge(vm, MEMBER_WORK);
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        if (strcmp(modules[i].name, name) == 0) {
            return object_named(vm, V_MODULE, modules[i].name);
        }
    }
    return NULL;
}

static struct object *module_version(struct vm *vm)
{
    static const int version[] = {3, 11, 0};
    struct object *v = object_seq(vm, V_TUPLE);
    for (size_t i = 0; i < 3; i++) {
        object_append(vm, v, object_int(vm, version[i]));
    }
    return v;
}

// Members that are not functions.
static struct object *module_constant(struct vm *vm, const char *module, const char *name)
{
    if (strcmp(module, "os") == 0 && strcmp(name, "path") == 0) {
        return object_named(vm, V_MODULE, "os.path");
    }
    if (strcmp(module, "os") == 0 && strcmp(name, "environ") == 0) {
        return module_environ(vm);
    }
    if (strcmp(name, "sep") == 0 && strncmp(module, "os", 2) == 0) {
        return object_str(vm, "/");
    }
    if (strcmp(module, "os") == 0 && strcmp(name, "name") == 0) {
        return object_str(vm, "posix");
    }
    if (strcmp(module, "os") == 0 && strcmp(name, "linesep") == 0) {
        return object_str(vm, "\n");
    }
    if (strcmp(module, "os") == 0 && strcmp(name, "curdir") == 0) {
        return object_str(vm, ".");
    }
    if (strcmp(module, "os") == 0 && strcmp(name, "pardir") == 0) {
        return object_str(vm, "..");
    }
    // Only print(file=...) has a use for them, and it writes to stderr in any case.
    if (strcmp(module, "sys") == 0 && strncmp(name, "std", 3) == 0 && strcmp(name, "stdin") != 0) {
        return vm->none;
    }
    if (strcmp(module, "sys") == 0 && strcmp(name, "platform") == 0) {
        return object_str(vm, "linux");
    }
    if (strcmp(module, "sys") == 0 && strcmp(name, "version_info") == 0) {
        return module_version(vm);
    }
    return NULL;
}

struct object *module_member(struct vm *vm, const struct object *module, const char *name)
{
    vm_charge(vm, MEMBER_WORK);
    struct object *constant = module_constant(vm, module->as.name, name);
    if (constant) {
        return constant;
    }
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        if (strcmp(modules[i].name, module->as.name) != 0) {
            continue;
        }
        for (const struct native *f = modules[i].functions; f->name; f++) {
            if (strcmp(f->name, name) == 0) {
                return object_native(vm, f, NULL);
            }
        }
    }
    return vm_unsupported(vm, "%s.%s", module->as.name, name);
}

struct object *path_class_member(struct vm *vm, const char *name)
{
    static const struct native cwd = {"cwd", fn_path_cwd};
    return strcmp(name, "cwd") == 0 ? object_native(vm, &cwd, NULL) : NULL;
}
