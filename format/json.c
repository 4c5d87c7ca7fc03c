#include "format/json.h"

#include <inttypes.h>

void json_init(struct json *j, struct bytes_out *out)
{
    *j = (struct json){.out = out, .first = true};
}

static void json_text(struct json *j, const char *s)
{
    bytes_put(j->out, s, strlen(s));
}

// Length of the valid UTF-8 sequence at s, 0 if there is none.
static unsigned json_utf8(const uint8_t *s, size_t left)
{
    unsigned n = s[0] < 0x80   ? 1
                 : s[0] < 0xc2 ? 0
                 : s[0] < 0xe0 ? 2
                 : s[0] < 0xf0 ? 3
                 : s[0] < 0xf5 ? 4
                               : 0;
    if (n > left) {
        return 0;
    }
    for (unsigned i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) {
        return 0;
    }
    return n;
}

static void json_quote(struct json *j, const uint8_t *s, size_t n)
{
    bytes_put_u8(j->out, '"');
    for (size_t i = 0; i < n;) {
        unsigned len = json_utf8(s + i, n - i);
        if (len == 0) {
            json_text(j, "\\ufffd");
            len = 1;
        } else if (s[i] < 0x20 || s[i] == 0x7f) {
            bytes_printf(j->out, "\\u%04x", s[i]);
        } else if (s[i] == 0xc2 && s[i + 1] < 0xa0) { // U+0080 to U+009F: terminals may obey them
            bytes_printf(j->out, "\\u%04x", s[i + 1]);
        } else {
            if (s[i] == '"' || s[i] == '\\') {
                bytes_put_u8(j->out, '\\');
            }
            bytes_put(j->out, s + i, len);
        }
        i += len;
    }
    bytes_put_u8(j->out, '"');
}

static void json_next(struct json *j, const char *key)
{
    if (!j->first) {
        bytes_put_u8(j->out, ',');
    }
    if (j->depth) {
        bytes_put_u8(j->out, '\n');
        bytes_fill(j->out, ' ', j->depth * 2);
    }
    j->first = false;
    if (key) {
        json_quote(j, (const uint8_t *)key, strlen(key));
        json_text(j, ": ");
    }
}

static void json_open(struct json *j, const char *key, char c)
{
    json_next(j, key);
    bytes_put_u8(j->out, (uint8_t)c);
    j->depth++;
    j->first = true;
}

static void json_close(struct json *j, char c)
{
    j->depth--;
    if (!j->first) {
        bytes_put_u8(j->out, '\n');
        bytes_fill(j->out, ' ', j->depth * 2);
    }
    bytes_put_u8(j->out, (uint8_t)c);
    j->first = false;
}

void json_object(struct json *j, const char *key)
{
    json_open(j, key, '{');
}

void json_object_end(struct json *j)
{
    json_close(j, '}');
}

void json_array(struct json *j, const char *key)
{
    json_open(j, key, '[');
}

void json_array_end(struct json *j)
{
    json_close(j, ']');
}

void json_strn(struct json *j, const char *key, const void *value, size_t n)
{
    json_next(j, key);
    json_quote(j, value, n);
}

void json_str(struct json *j, const char *key, const char *value)
{
    if (value) {
        json_strn(j, key, value, strlen(value));
    } else {
        json_null(j, key);
    }
}

void json_uint(struct json *j, const char *key, uint64_t value)
{
    json_next(j, key);
    bytes_printf(j->out, "%" PRIu64, value);
}

void json_int(struct json *j, const char *key, int64_t value)
{
    json_next(j, key);
    bytes_printf(j->out, "%" PRId64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
    json_next(j, key);
    json_text(j, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
    json_next(j, key);
    json_text(j, "null");
}

void json_hex(struct json *j, const char *key, const uint8_t *bytes, size_t n)
{
    json_next(j, key);
    bytes_put_u8(j->out, '"');
    for (size_t i = 0; i < n; i++) {
        bytes_printf(j->out, "%02x", bytes[i]);
    }
    bytes_put_u8(j->out, '"');
}

void json_addr(struct json *j, const char *key, uint64_t value)
{
    json_next(j, key);
    bytes_printf(j->out, "\"0x%" PRIx64 "\"", value);
}

void json_end(struct json *j)
{
    bytes_put_u8(j->out, '\n');
}
