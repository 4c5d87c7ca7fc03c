// What info and list read: a file that is an image (with or without MicroPython and a blob) or a
// blob. Shared by the two commands.
#ifndef PACKER_CLI_FIRMWARE_VIEW_H
#define PACKER_CLI_FIRMWARE_VIEW_H

#include "format/blob/blob.h"
#include "format/firmware/firmware.h"
#include "packer/cli/cli.h"

struct firmware_view {
    struct file file;
    struct image *image; // NULL when the file is a blob
    struct firmware *fw; // NULL when no MicroPython was found
    struct blob *blob;   // NULL when there is none
    struct diag why;     // why fw is NULL or not supported; code DIAG_OK otherwise
};

// Reads and scans. Not finding MicroPython, or finding an unsupported release, is no failure: why
// tells. type is the value of --type or NULL. Errors: DIAG_IO, DIAG_USAGE, DIAG_MALFORMED.
enum diag_code firmware_view_read(struct cli *cli, const char *path, const char *type,
                                  struct firmware_view *v);
#endif
