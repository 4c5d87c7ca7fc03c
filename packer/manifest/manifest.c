#include "packer/manifest/manifest.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/file.h"
#include "packer/manifest/fileset.h"
#include "packer/manifest/path.h"

enum {
    MANIFEST_MEMORY = 128 << 20, // most memory that a manifest may take while it runs
    MANIFEST_PATH = 4096,
};

const char *manifest_kind_name(enum manifest_kind kind)
{
    static const char *const names[] = {
        [MANIFEST_AS_STR] = "str", [MANIFEST_AS_MPY] = "mpy", [MANIFEST_MPY] = "mpy-file"};
    return names[kind];
}

// The error as a diagnostic: upstream's text at the place of the call, then the includes that led
// there.
static enum diag_code manifest_report(const struct vm *vm, const struct vm_error *e, struct diag *d)
{
    bool own = strcmp(e->name, "ManifestFileError") == 0 || e->fatal;
    struct diag source;
    struct file f;
    struct arena a;
    if (!e->file) { // not even the first manifest could be opened
        return diag_set(d, DIAG_MALFORMED, NULL, "%s", e->text);
    }
    diag_set_text(d, DIAG_MALFORMED, e->file, e->line, e->column, "%s%s%s",
                  e->fatal ? "unsupported in a manifest: "
                  : own    ? ""
                           : e->name,
                  own        ? ""
                  : *e->text ? ": "
                             : "",
                  e->text);
    for (const struct fileset_include *i = vm->files->failed; i && i->file; i = i->outer) {
        diag_help(d, "included from %s:%u", i->file, i->line);
    }
    arena_init(&a, 0);
    diag_init(&source);
    if (file_read(e->file, &a, &source, &f) == DIAG_OK) {
        const char *p = (const char *)f.data, *end = p + f.size;
        for (unsigned line = 1; p && p < end && line < e->line; line++) {
            p = memchr(p, '\n', (size_t)(end - p));
            p = p ? p + 1 : NULL;
        }
        if (p && e->line) {
            diag_source(d, (const char *)f.data, f.size, (uint64_t)(p - (const char *)f.data));
        }
    }
    arena_free(&a);
    return DIAG_MALFORMED;
}

static const char *copy_text(struct arena *a, const char *text)
{
    return text ? arena_strndup(a, text, strlen(text)) : NULL;
}

// Files of one package share their metadata; so do their copies.
struct copied {
    const struct manifest_metadata *from;
    struct manifest_metadata *to;
};

static struct manifest_metadata *
copy_metadata(struct arena *a, const struct manifest_metadata *from, struct copied *last)
{
    if (last->from == from) {
        return last->to;
    }
    struct manifest_metadata *m = ARENA_NEW(a, struct manifest_metadata);
    *m = *from;
    m->version = copy_text(a, from->version);
    m->description = copy_text(a, from->description);
    m->license = copy_text(a, from->license);
    m->author = copy_text(a, from->author);
    m->pypi = copy_text(a, from->pypi);
    m->pypi_publish = copy_text(a, from->pypi_publish);
    *last = (struct copied){from, m};
    return m;
}

static const char *const *copy_list(struct arena *a, const char *const *from, unsigned n)
{
    const char **list = ARENA_ARRAY(a, const char *, n);
    for (unsigned i = 0; i < n; i++) {
        list[i] = copy_text(a, from[i]);
    }
    return list;
}

// Takes the result out of the machine's memory. a->on_fail is set.
static struct manifest *manifest_copy(const struct fileset *s, const struct bytes_out *output,
                                      struct arena *a)
{
    struct manifest *m = ARENA_NEW(a, struct manifest);
    struct manifest_file *files = ARENA_ARRAY(a, struct manifest_file, s->n_files);
    struct copied last = {0};
    for (unsigned i = 0; i < s->n_files; i++) {
        files[i] = s->files[i];
        files[i].name = copy_text(a, s->files[i].name);
        files[i].path = copy_text(a, s->files[i].path);
        files[i].metadata = copy_metadata(a, s->files[i].metadata, &last);
    }
    m->files = files;
    m->n_files = s->n_files;
    m->c_modules = copy_list(a, s->c_modules, s->n_c_modules);
    m->n_c_modules = s->n_c_modules;
    m->manifests = copy_list(a, s->visited, s->n_visited);
    m->n_manifests = s->n_visited;
    m->output = arena_strndup(a, output->data ? (const char *)output->data : "", output->size);
    return m;
}

// Everything that may allocate; a failed allocation jumps back to manifest_run.
static bool manifest_evaluate(struct vm *vm, const char *file,
                              const struct manifest_options *options, struct arena *a,
                              struct manifest **out)
{
    fileset_init(vm, options);
    vm->file = NULL;
    if (!fileset_include(vm, file, NULL)) {
        return false;
    }
    *out = manifest_copy(vm->files, vm->output, a);
    return true;
}

enum diag_code manifest_run(const char *file, const struct manifest_options *options,
                            struct arena *a, struct diag *d, struct manifest **out)
{
    char cwd[MANIFEST_PATH];
    struct arena work;
    struct vm vm;
    struct bytes_out output;
    jmp_buf failed, *on_fail = a->on_fail;
    volatile enum diag_code err = DIAG_OK; // set before or after the jump
    *out = NULL;
    if (!getcwd(cwd, sizeof cwd)) {
        return diag_set(d, DIAG_IO, NULL, "the current folder has no name");
    }
    if (!path_exists(file)) {
        return diag_set(d, DIAG_IO, file, "no such manifest");
    }
    arena_init(&work, MANIFEST_MEMORY);
    bytes_out_init(&output);
    if (setjmp(failed) == 0) {
        a->on_fail = work.on_fail = &failed;
        vm_init(&vm, &work);
        vm.cwd = cwd;
        vm.output = &output;
        if (!manifest_evaluate(&vm, file, options, a, out)) {
            a->on_fail = work.on_fail = NULL;
            err = manifest_report(&vm, vm.raised, d);
        }
    } else {
        err = diag_set(d, DIAG_NOMEM, file, "the manifest needs more than %d MiB of memory",
                       MANIFEST_MEMORY >> 20);
    }
    a->on_fail = on_fail;
    bytes_out_free(&output);
    arena_free(&work);
    return err;
}

enum diag_code manifest_tagged(const struct manifest_file *f, const void *source, size_t size,
                               struct arena *a, struct diag *d, const char **out, size_t *out_size)
{
    static const char mark[] = "__version__ =";
    const char *version = f->metadata ? f->metadata->version : NULL;
    bool has = false;
    for (size_t i = 0; version && !has && i + sizeof mark - 1 <= size; i++) {
        has = memcmp((const char *)source + i, mark, sizeof mark - 1) == 0;
    }
    *out = source;
    *out_size = size;
    if (!version || has) {
        return DIAG_OK;
    }
    struct vm vm;
    struct arena work;
    jmp_buf failed, *on_fail = a->on_fail;
    arena_init(&work, MANIFEST_MEMORY);
    if (setjmp(failed) == 0) {
        a->on_fail = work.on_fail = &failed;
        vm_init(&vm, &work);
        const struct object *repr = object_repr(&vm, object_str(&vm, version));
        if (!repr) {
            longjmp(failed, 1);
        }
        char *text = arena_alloc(a, size + repr->as.str.len + 32);
        memcpy(text, source, size);
        int more = sprintf(text + size, "\n\n__version__ = %s\n", repr->as.str.data);
        *out = text;
        *out_size = size + (size_t)more;
        a->on_fail = on_fail;
        arena_free(&work);
        return DIAG_OK;
    }
    a->on_fail = on_fail;
    arena_free(&work);
    return diag_nomem(d);
}
