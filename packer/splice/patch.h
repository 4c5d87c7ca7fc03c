// References in code and data, changed to give another address. Internal to packer/splice.
#ifndef PACKER_SPLICE_PATCH_H
#define PACKER_SPLICE_PATCH_H

#include "format/blob/blob.h"
#include "format/firmware/firmware.h"

enum { PATCH_BYTES = 8 };

struct patch { // bytes to write, by device address
    uint64_t addr;
    uint32_t size;
    uint8_t bytes[PATCH_BYTES];
};

struct patches {
    const struct firmware *fw;
    struct arena *arena;
    struct diag *diag;
    unsigned n, cap;
    struct patch *items;
    unsigned n_references;
};

void patches_init(struct patches *p, const struct firmware *fw, struct arena *a, struct diag *d);
// One write of size bytes (2, 4 or 8) at a run-time address.
enum diag_code patches_write(struct patches *p, uint64_t run, uint64_t value, unsigned size);
// Makes a reference give target. what names the table, for messages. Errors: DIAG_NO when the
// instructions cannot reach it.
enum diag_code patches_reference(struct patches *p, const struct fw_ref *ref, uint64_t target,
                                 const char *what);
// Sorted, joined and with the old bytes. Errors: DIAG_NO when two references share an instruction
// and want different values.
enum diag_code patches_finish(struct patches *p, uint32_t *n, const struct blob_patch **out);

#endif
