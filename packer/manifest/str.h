// Texts that are put together piece by piece, in the machine's arena.
#pragma once
#include "packer/manifest/object.h"

enum { TEXT_WIDTH_MAX = 100000 }; // a field width beyond this is a mistake

struct text {
    struct vm *vm;
    char *data;
    size_t n, cap;
};

void str_put(struct text *t, const char *data, size_t n);
void str_put_value(struct text *t, const struct object *v); // of a str
void str_pad(struct text *t, char fill, size_t n);
struct object *str_done(struct text *t);
size_t str_chars(const struct object *v); // code points
// Puts v in width characters; align is one of < > ^ and = (behind the sign).
void str_align(struct text *t, const struct object *v, size_t width, char fill, char align);

struct object *str_format_method(struct vm *vm, struct object *self, const struct call *call);
