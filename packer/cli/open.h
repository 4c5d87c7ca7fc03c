// Opens whatever a user names: a .mpy file, a firmware image in any container, or a blob together
// with the firmware it is for. Decided by content. Shared by the commands that look at modules.
#ifndef PACKER_CLI_OPEN_H
#define PACKER_CLI_OPEN_H

#include "format/blob/blob.h"
#include "format/firmware/firmware.h"
#include "format/mpy/mpy.h"
#include "packer/cli/cli.h"

enum open_kind { OPEN_MPY, OPEN_IMAGE, OPEN_BLOB };

struct open_file {
    enum open_kind kind;
    struct file file;
    struct mpy_module *mpy; // OPEN_MPY
    struct image *image;    // OPEN_IMAGE
    struct firmware *fw;    // OPEN_IMAGE, and OPEN_BLOB with its base: where modules come from
    struct blob *blob;      // OPEN_BLOB
};

struct open_module { // one module of an opened file
    const char *name;
    struct mpy_module *mpy; // NULL for a frozen source text
    const uint8_t *text;
    size_t text_size;
};

// Reads and recognises name. type is the value of --type or NULL. base names the firmware a blob is
// for, or is NULL. An image in which no MicroPython is found fails, unless without_firmware.
enum diag_code open_file(struct cli *cli, const char *name, const char *type, const char *base,
                         bool without_firmware, struct open_file *out);

// Modules in the order of the frozen tables; a .mpy file is one. A blob shows its own only.
unsigned open_n_modules(const struct open_file *f);
const char *open_module_name(const struct open_file *f, unsigned i);
// Module i. What is read of a frozen one lies in a.
enum diag_code open_module(struct cli *cli, const struct open_file *f, unsigned i, struct arena *a,
                           struct open_module *out);

// Modules that are malformed do not keep a command from the others.
struct open_failures {
    unsigned n;
    struct diag first;
};
// Whether err is such a failure: it is counted, and the diagnosis is free again.
bool open_failure(struct cli *cli, struct open_failures *f, enum diag_code err);
// At the end: the first of them is what the command failed with.
enum diag_code open_failures_end(struct cli *cli, const struct open_failures *f);

// True if the list is empty or has the module's name: "pkg/mod.py", "pkg/mod" or "pkg.mod"; a
// package's "pkg/__init__.py" is also "pkg". used has one flag for each item and may be NULL.
bool open_selected(const char *module, const struct cli_list *names, bool *used);
// Fails with DIAG_NO when a name was never used.
enum diag_code open_all_used(struct cli *cli, const struct cli_list *names, const bool *used);

#endif
