// The functions that a manifest calls (module, package, include, require ...) and what they
// collect. See object.h for the conventions.
#ifndef PACKER_MANIFEST_FILESET_H
#define PACKER_MANIFEST_FILESET_H

#include "packer/manifest/object.h"
#include "packer/manifest/path.h"

enum {
    FILESET_DEPTH = 100 // nested folders; the system follows 40 links that lead back up, no more
};

struct options { // the `options` of a manifest: include()'s keywords over its own defaults
    struct object *given, *defaults; // dicts
};

struct library_dir { // a folder that require() searches
    const char *path;
    bool scanned;
    unsigned n;
    const char **packages; // folders below it that hold a manifest.py, in the order of the search
};

struct library { // one registered name
    const char *name;
    struct library_dir *dir;
};

struct metadata_level { // one require() deep
    struct manifest_metadata *metadata;
    struct metadata_level *outer;
};

struct fileset_include { // where an include stands, for messages
    const char *file;
    unsigned line;
    struct fileset_include *outer;
};

struct fileset {
    unsigned n_vars;
    struct manifest_var *vars;
    unsigned n_files, n_c_modules, n_visited, n_libraries, n_dirs;
    struct manifest_file *files;
    const char **c_modules;
    const char **visited;
    struct library *libraries;
    struct library_dir **dirs; // in search order
    struct metadata_level *level;
    struct fileset_include *failed; // the chain of includes of the first error
    struct fileset_include *including;
};

// Makes the state with the path variables and, when MPY_LIB_DIR is among them, its libraries.
void fileset_init(struct vm *vm, const struct manifest_options *options);
// Runs a top-level manifest; false after raising.
bool fileset_include(struct vm *vm, const char *path, struct object *options);
// The entries of a folder, counted: see path_list and vm_look.
int fileset_list(struct vm *vm, const char *dir, struct path_entry **entries, unsigned *n);
// Whether a search may go on in dir, depth folders below where it began; false after raising.
bool fileset_may_enter(struct vm *vm, unsigned depth, const char *dir);
// Replaces $(NAME) and makes the path absolute.
const char *fileset_resolve(struct vm *vm, const char *path);

#endif
