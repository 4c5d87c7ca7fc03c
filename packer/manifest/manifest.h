// Evaluates manifest.py files: which modules a product freezes, from which files, how. A manifest
// is a Python program; this runs it without Python, by walking the compiler's syntax tree.
// Everything that is not understood is an error with line and column, never a guess.
//
// Facts: tools/manifestfile.py and tools/makemanifest.py of MicroPython 1.20 to 1.29 (freeze mode),
// and tools/makemanifest.py of 1.19 for what older manifests use (convert_path, os without import).
//
// One deliberate difference: where upstream takes the order of files from the file system
// (os.walk), we sort by name, files before subfolders, so that a build does not depend on the disk.
#ifndef PACKER_MANIFEST_MANIFEST_H
#define PACKER_MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "format/arena.h"
#include "format/diag.h"

enum manifest_kind {
    MANIFEST_AS_STR, // .py frozen as text, compiled at import
    MANIFEST_AS_MPY, // .py compiled and frozen
    MANIFEST_MPY,    // .mpy frozen as it is
};

enum { MANIFEST_OPT_NONE = -1 }; // no opt= given: the build's own level counts

struct manifest_metadata { // of the package a file belongs to; NULL fields were not given
    const char *version, *description, *license, *author, *pypi, *pypi_publish;
    bool stdlib, initialised;
};

struct manifest_file {
    const char *name; // path on the device: "pkg/mod.py"
    const char *path; // absolute path of the file
    enum manifest_kind kind;
    int opt; // 0..3 or MANIFEST_OPT_NONE
    const struct manifest_metadata *metadata;
};

struct manifest_var { // $(NAME) in paths
    const char *name, *value;
};

struct manifest_options {
    unsigned n_vars;
    const struct manifest_var *vars;
    bool unix_ffi; // search micropython-lib's unix-ffi first, for programs of the unix port
};

struct manifest { // all of it lives in the arena given to manifest_run
    unsigned n_files, n_c_modules, n_manifests;
    const struct manifest_file
        *files;                   // in the order of the calls; a file named twice is here twice
    const char *const *c_modules; // folders of C modules that a splice cannot build
    const char *const *manifests; // every manifest read, absolute: what a rebuild depends on
    const char *output;           // what print() wrote, "" = nothing
};

// Runs a manifest file. Paths in it are relative to its folder; the process's current folder is
// never changed, so several manifests can run at once. A variable whose value names something that
// exists is made absolute first. Errors: DIAG_IO when the file cannot be read, else DIAG_MALFORMED
// with file, line and column; the text is upstream's where upstream has one.
enum diag_code manifest_run(const char *file, const struct manifest_options *options,
                            struct arena *a, struct diag *d, struct manifest **out);

// "str", "mpy" (compiled), "mpy-file".
const char *manifest_kind_name(enum manifest_kind kind);

// The text that is compiled for a file: its bytes, and the line that sets __version__ where its
// package has a version and the text does not set one itself.
enum diag_code manifest_tagged(const struct manifest_file *f, const void *source, size_t size,
                               struct arena *a, struct diag *d, const char **out, size_t *out_size);

#endif
