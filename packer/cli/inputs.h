// What the user wants frozen: scripts, folders and .mpy files, to modules. Shared by build and
// pack.
#ifndef PACKER_CLI_INPUTS_H
#define PACKER_CLI_INPUTS_H

#include "packer/cli/cli.h"
#include "packer/splice/splice.h"

enum input_kind { INPUT_SCRIPT, INPUT_TEXT, INPUT_MPY };

struct input_file {
    const char *name; // in the frozen tables: "pkg/mod.py"
    const char *path;
    enum input_kind kind;
    int opt; // optimisation level, -1 = the command's
};

struct input_list {
    unsigned n, cap;
    struct input_file *items;
};

struct input_options {
    const char *release; // of the compiler; NULL = the firmware's
    unsigned opt_level;
    bool strip; // no line numbers
};

// Adds what an argument names. A folder with __init__.py is a package of the folder's name; any
// other folder's contents are added as they stand in it. In folders everything that ends in .py or
// .mpy counts, in order of name. Errors: DIAG_IO, DIAG_USAGE for files of another kind.
enum diag_code inputs_add(struct cli *cli, struct input_list *list, const char *path);
// Adds one file under a given name ("main.py").
enum diag_code inputs_add_as(struct cli *cli, struct input_list *list, const char *path,
                             const char *name);
// Reads, compiles and hashes them for a firmware.
enum diag_code inputs_load(struct cli *cli, const struct input_list *list,
                           const struct firmware *fw, const struct input_options *options,
                           struct splice_module **out);

#endif
