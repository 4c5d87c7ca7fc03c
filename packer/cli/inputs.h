// What the user wants frozen: scripts, folders, .mpy files and manifests, to modules. Shared by
// build and pack.
#ifndef PACKER_CLI_INPUTS_H
#define PACKER_CLI_INPUTS_H

#include "packer/cli/cache.h"
#include "packer/cli/cli.h"
#include "packer/manifest/manifest.h"
#include "packer/splice/splice.h"

enum input_kind { INPUT_SCRIPT, INPUT_TEXT, INPUT_MPY };

struct input_file {
    const char *name; // in the frozen tables: "pkg/mod.py"
    const char *path;
    enum input_kind kind;
    int opt;                            // optimisation level, -1 = the command's
    struct file_id id;                  // of the file that was loaded
    const struct manifest_file *listed; // in a manifest, or NULL
};

struct input_list {
    unsigned n, cap;
    struct input_file *items;
    struct cli_list defines;   // --define VAR=VALUE, for manifests
    bool unix_ffi;             // --unix-ffi, for manifests
    struct cli_list manifests; // all manifests read, also included ones
};

struct input_options {
    const char *release; // of the compiler; NULL = the firmware's
    unsigned opt_level;
    bool strip;          // no line numbers
    struct cache *cache; // of compiled scripts, NULL = none
};

// Adds what an argument names. A folder with __init__.py is a package of the folder's name; any
// other folder's contents are added as they stand in it. In folders everything that ends in .py or
// .mpy counts, in order of name. A manifest.py adds what it lists; of files that it lists under one
// name the first counts, as in upstream's builds. Errors: DIAG_IO, DIAG_USAGE for files of another
// kind, those of manifest_run.
enum diag_code inputs_add(struct cli *cli, struct input_list *list, const char *path);
// Adds one file under a given name ("main.py").
enum diag_code inputs_add_as(struct cli *cli, struct input_list *list, const char *path,
                             const char *name);
// Begins to load those that are the same for every firmware, .mpy files and texts, on a task, while
// the firmware is looked at. NULL: there are none, or there is no memory.
struct inputs_ahead *inputs_begin(struct cli *cli, struct input_list *list);
// Reads, compiles and hashes them for a firmware. ahead: what was begun, may be NULL.
enum diag_code inputs_load(struct cli *cli, struct input_list *list, struct inputs_ahead *ahead,
                           const struct firmware *fw, const struct input_options *options,
                           struct splice_module **out);

#endif
