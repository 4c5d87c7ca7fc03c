// Keys whose private part is published: signatures by them prove nothing.
#ifndef VERIFY_HOST_PUBLISHED_H
#define VERIFY_HOST_PUBLISHED_H

#include "format/blob/layout.h"

// Where the private part is published, or NULL.
const char *published_key(const uint8_t id[BLOB_DIGEST]);

#endif
