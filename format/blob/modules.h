// The modules of a blob, in its section and in their list. Internal to format/blob.
#ifndef FORMAT_BLOB_MODULES_H
#define FORMAT_BLOB_MODULES_H

#include "format/blob/blob.h"

enum {
    BLOB_LIST_MAGIC = 16, // bytes that a list begins with
    // The head of a record: u32 offset, u32 size, u8 kind, u8 length of the name, SHA-256 of the
    // input file, SHA-256 of the .mpy file; the name follows.
    BLOB_LIST_HEAD = 74,
};

// The bytes of the modules section: the reference to the list, and a record for each module.
uint64_t blob_modules_size(const struct blob *b);
void blob_modules_put(const struct blob *b, struct bytes_out *out);
// Fills the modules of b, whose layout is sound and whose payload is known. False without memory.
bool blob_modules_read(struct blob *b, struct arena *a);

#endif
