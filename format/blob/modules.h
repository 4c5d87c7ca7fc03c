// The records of a blob's modules. Internal to format/blob.
#ifndef FORMAT_BLOB_MODULES_H
#define FORMAT_BLOB_MODULES_H

#include "format/blob/blob.h"

// The bytes of the modules section: records, or the reference to a list of them.
uint64_t blob_modules_size(const struct blob *b);
void blob_modules_put(const struct blob *b, struct bytes_out *out);
// Fills the modules of b, whose layout is sound, or its list. Errors: DIAG_MALFORMED.
enum diag_code blob_modules_read(struct blob *b, const char *name, struct arena *a, struct diag *d);

#endif
