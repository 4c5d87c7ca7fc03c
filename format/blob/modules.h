// The records of a blob's modules. Internal to format/blob.
#ifndef FORMAT_BLOB_MODULES_H
#define FORMAT_BLOB_MODULES_H

#include "format/blob/blob.h"

// The bytes of the modules section: records, or the reference to a list of them.
uint64_t blob_modules_size(const struct blob *b);
void blob_modules_put(const struct blob *b, struct bytes_out *out);
// Fills the modules of b, whose layout is sound, or its list. False without memory.
bool blob_modules_read(struct blob *b, struct arena *a);
// False if a name in the section holds a NUL: it would be shown shorter than it is.
bool blob_modules_named(const struct blob *b);

#endif
