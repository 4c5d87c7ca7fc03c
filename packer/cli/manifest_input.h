// manifest.py files on the command line: which arguments are manifests, and their variables.
#ifndef PACKER_CLI_MANIFEST_INPUT_H
#define PACKER_CLI_MANIFEST_INPUT_H

#include "packer/cli/cli.h"
#include "packer/manifest/manifest.h"

// True for manifest.py, and for files named like variants of it (manifest_board.py,
// board-manifest.py) whose text calls what manifests call.
bool manifest_input_is(const char *path);
// Runs it, with --unix-ffi or not, with the --define values, each VAR=VALUE. Where MPY_LIB_DIR is
// not among them it is
// $(MPY_DIR)/lib/micropython-lib, if that is there. What the manifest prints goes to stderr.
// Errors: DIAG_USAGE, those of manifest_run.
enum diag_code manifest_input_run(struct cli *cli, const char *path, const struct cli_list *defines,
                                  bool unix_ffi, struct manifest **out);

#endif
