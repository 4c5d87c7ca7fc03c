// A small streaming JSON writer; commas and indentation are its business.
#ifndef FORMAT_JSON_H
#define FORMAT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "format/bytes.h"

struct json {
    struct bytes_out *out;
    unsigned depth;
    bool first; // nothing stands in the current object or array yet
};

void json_init(struct json *j, struct bytes_out *out);
// key is NULL inside arrays and at the top.
void json_object(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array(struct json *j, const char *key);
void json_array_end(struct json *j);
void json_str(struct json *j, const char *key, const char *value); // NULL value -> null
// Bytes that need not be UTF-8: invalid sequences become U+FFFD.
void json_strn(struct json *j, const char *key, const void *value, size_t n);
void json_uint(struct json *j, const char *key, uint64_t value);
void json_int(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
void json_hex(struct json *j, const char *key, const uint8_t *bytes, size_t n); // "00ff.."
void json_addr(struct json *j, const char *key, uint64_t value);                // "0x8000"
// Ends the document with a newline.
void json_end(struct json *j);

#endif
