// str: methods, "..." % args, and format().
#define _GNU_SOURCE // memmem: linear in the length of the text
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packer/manifest/object.h"

enum {
    TEXT_WIDTH_MAX = 100000, // a field width beyond this is a mistake
    SEARCH_MAX = 1 << 27,    // bytes compared by one search
};

// A text that is being put together in the machine's arena.
struct text {
    struct vm *vm;
    char *data;
    size_t n, cap;
};

static void text_put(struct text *t, const char *data, size_t n)
{
    if (t->cap - t->n < n) {
        size_t cap = (t->n + n) * 2 + 16;
        t->data = arena_grow(t->vm->arena, t->data, t->cap, cap);
        t->cap = cap;
    }
    if (n) {
        memcpy(t->data + t->n, data, n);
    }
    t->n += n;
}

static void text_put_value(struct text *t, const struct object *v)
{
    text_put(t, v->as.str.data, v->as.str.len);
}

static void text_pad(struct text *t, char fill, size_t n)
{
    while (n--) {
        text_put(t, &fill, 1);
    }
}

static struct object *text_done(struct text *t)
{
    return object_strn(t->vm, t->data ? t->data : "", t->n);
}

// Characters, not bytes: what width counts.
static size_t text_chars(const struct object *v)
{
    size_t n = 0;
    for (size_t i = 0; i < v->as.str.len; i++) {
        n += ((unsigned char)v->as.str.data[i] & 0xc0) != 0x80;
    }
    return n;
}

// The offset of needle in v from byte at on, or -1.
static ptrdiff_t text_index(const struct object *v, const struct object *needle, size_t at)
{
    if (at > v->as.str.len) {
        return -1;
    }
    const char *hit =
        memmem(v->as.str.data + at, v->as.str.len - at, needle->as.str.data, needle->as.str.len);
    return hit ? hit - v->as.str.data : -1;
}

// The last one.
static ptrdiff_t text_rindex(const struct object *v, const struct object *needle)
{
    size_t n = needle->as.str.len;
    const char *s = v->as.str.data;
    for (size_t at = v->as.str.len < n ? 0 : v->as.str.len - n + 1; at-- > 0;) {
        if (n == 0 ||
            (s[at] == needle->as.str.data[0] && memcmp(s + at, needle->as.str.data, n) == 0)) {
            return (ptrdiff_t)at;
        }
    }
    return -1;
}

// A search from the end compares at every place in the worst case.
static bool text_affordable(struct vm *vm, const struct object *v, const struct object *needle)
{
    if (needle->as.str.len == 0 || v->as.str.len <= SEARCH_MAX / needle->as.str.len) {
        return true;
    }
    vm_unsupported(vm, "a search as long as this");
    return false;
}

static bool text_want(struct vm *vm, const struct object *v, const char *method)
{
    if (object_is_str(v)) {
        return true;
    }
    vm_raise(vm, "TypeError", "%s() argument must be str, not %s", method, object_type(v));
    return false;
}

// One argument, a str.
static struct object *text_arg(struct vm *vm, const struct call *call, const char *method)
{
    struct object *v[1];
    if (!call_bind(vm, call, method, "text", v) || !text_want(vm, v[0], method)) {
        return NULL;
    }
    return v[0];
}

static struct object *text_map(struct vm *vm, const struct object *v, int (*map)(int))
{
    struct text t = {.vm = vm};
    for (size_t i = 0; i < v->as.str.len; i++) {
        unsigned char c = (unsigned char)v->as.str.data[i];
        char mapped = (char)(c < 128 ? map(c) : c);
        text_put(&t, &mapped, 1);
    }
    return text_done(&t);
}

static struct object *m_lower(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "lower", "", NULL) ? text_map(vm, self, tolower) : NULL;
}

static struct object *m_upper(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "upper", "", NULL) ? text_map(vm, self, toupper) : NULL;
}

static struct object *m_capitalize(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v = m_lower(vm, self, call);
    if (v && v->as.str.len) {
        struct text t = {.vm = vm};
        text_put_value(&t, v);
        t.data[0] = (char)toupper((unsigned char)t.data[0]);
        v = text_done(&t);
    }
    return v;
}

static struct object *m_title(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v = m_lower(vm, self, call);
    struct text t = {.vm = vm};
    if (!v) {
        return NULL;
    }
    text_put_value(&t, v);
    bool inside = false;
    for (size_t i = 0; i < t.n; i++) {
        bool letter = isalpha((unsigned char)t.data[i]);
        if (letter && !inside) {
            t.data[i] = (char)toupper((unsigned char)t.data[i]);
        }
        inside = letter;
    }
    return text_done(&t);
}

static struct object *text_strip(struct vm *vm, struct object *self, const struct call *call,
                                 const char *method, bool left, bool right)
{
    struct object *v[1];
    if (!call_bind(vm, call, method, "chars?", v)) {
        return NULL;
    }
    const char *chars = " \t\n\r\v\f";
    if (v[0] && v[0]->kind != V_NONE) {
        if (!text_want(vm, v[0], method)) {
            return NULL;
        }
        chars = v[0]->as.str.data;
    }
    const char *s = self->as.str.data;
    size_t from = 0, to = self->as.str.len;
    while (left && from < to && s[from] && strchr(chars, s[from])) {
        from++;
    }
    while (right && to > from && s[to - 1] && strchr(chars, s[to - 1])) {
        to--;
    }
    return object_strn(vm, s + from, to - from);
}

static struct object *m_strip(struct vm *vm, struct object *self, const struct call *call)
{
    return text_strip(vm, self, call, "strip", true, true);
}

static struct object *m_lstrip(struct vm *vm, struct object *self, const struct call *call)
{
    return text_strip(vm, self, call, "lstrip", true, false);
}

static struct object *m_rstrip(struct vm *vm, struct object *self, const struct call *call)
{
    return text_strip(vm, self, call, "rstrip", false, true);
}

// suffix: compare at the end. what is a str or a tuple of them.
static bool text_edge(struct vm *vm, const struct object *self, const struct object *what,
                      bool suffix, bool *yes)
{
    *yes = false;
    if (what->kind == V_TUPLE) {
        for (size_t i = 0; i < what->as.items.n && !*yes; i++) {
            if (!text_edge(vm, self, what->as.items.data[i], suffix, yes)) {
                return false;
            }
        }
        return true;
    }
    if (!text_want(vm, what, suffix ? "endswith" : "startswith")) {
        return false;
    }
    size_t n = what->as.str.len, total = self->as.str.len;
    *yes = n <= total &&
           memcmp(self->as.str.data + (suffix ? total - n : 0), what->as.str.data, n) == 0;
    return true;
}

static struct object *m_startswith(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1];
    bool yes;
    return call_bind(vm, call, "startswith", "prefix", v) && text_edge(vm, self, v[0], false, &yes)
               ? object_bool(vm, yes)
               : NULL;
}

static struct object *m_endswith(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1];
    bool yes;
    return call_bind(vm, call, "endswith", "suffix", v) && text_edge(vm, self, v[0], true, &yes)
               ? object_bool(vm, yes)
               : NULL;
}

static struct object *m_removeprefix(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *what = text_arg(vm, call, "removeprefix");
    bool yes;
    if (!what || !text_edge(vm, self, what, false, &yes) || !yes) {
        return what ? self : NULL;
    }
    return object_strn(vm, self->as.str.data + what->as.str.len,
                       self->as.str.len - what->as.str.len);
}

static struct object *m_removesuffix(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *what = text_arg(vm, call, "removesuffix");
    bool yes;
    if (!what || !text_edge(vm, self, what, true, &yes) || !yes) {
        return what ? self : NULL;
    }
    return object_strn(vm, self->as.str.data, self->as.str.len - what->as.str.len);
}

static struct object *m_replace(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[3];
    int64_t count = -1;
    if (!call_bind(vm, call, "replace", "old new count?", v) || !text_want(vm, v[0], "replace") ||
        !text_want(vm, v[1], "replace")) {
        return NULL;
    }
    if (v[2] && !object_is_int(v[2], &count)) {
        return vm_raise(vm, "TypeError", "replace() count must be an int");
    }
    struct text t = {.vm = vm};
    size_t at = 0, old = v[0]->as.str.len;
    while (count != 0 && at <= self->as.str.len && vm_step(vm)) {
        ptrdiff_t hit = text_index(self, v[0], at);
        if (hit < 0) {
            break;
        }
        text_put(&t, self->as.str.data + at, (size_t)hit - at);
        text_put_value(&t, v[1]);
        at = (size_t)hit + old;
        if (old == 0 && at < self->as.str.len) {
            text_put(&t, self->as.str.data + at, 1);
        }
        at += old == 0;
        count -= count > 0;
    }
    if (at < self->as.str.len) {
        text_put(&t, self->as.str.data + at, self->as.str.len - at);
    }
    return vm->raised ? NULL : text_done(&t);
}

static struct object *text_find(struct vm *vm, struct object *self, const struct call *call,
                                const char *method, bool last, bool must)
{
    struct object *what = text_arg(vm, call, method);
    if (!what) {
        return NULL;
    }
    if (last && !text_affordable(vm, self, what)) {
        return NULL;
    }
    ptrdiff_t at = last ? text_rindex(self, what) : text_index(self, what, 0);
    if (at < 0 && must) {
        return vm_raise(vm, "ValueError", "substring not found");
    }
    struct object before = *self;
    before.as.str.len = at < 0 ? 0 : (size_t)at;
    return object_int(vm, at < 0 ? -1 : (int64_t)text_chars(&before));
}

static struct object *m_find(struct vm *vm, struct object *self, const struct call *call)
{
    return text_find(vm, self, call, "find", false, false);
}

static struct object *m_rfind(struct vm *vm, struct object *self, const struct call *call)
{
    return text_find(vm, self, call, "rfind", true, false);
}

static struct object *m_index(struct vm *vm, struct object *self, const struct call *call)
{
    return text_find(vm, self, call, "index", false, true);
}

static struct object *m_rindex(struct vm *vm, struct object *self, const struct call *call)
{
    return text_find(vm, self, call, "rindex", true, true);
}

static struct object *m_count(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *what = text_arg(vm, call, "count");
    int64_t n = 0;
    if (!what) {
        return NULL;
    }
    if (what->as.str.len == 0) {
        return object_int(vm, (int64_t)text_chars(self) + 1);
    }
    for (ptrdiff_t at = 0; (at = text_index(self, what, (size_t)at)) >= 0;
         at += (ptrdiff_t)what->as.str.len) {
        n++;
    }
    return object_int(vm, n);
}

// Splits at white space, as split() without a separator does; at most max times.
static struct object *text_split_space(struct vm *vm, const struct object *self, int64_t max)
{
    struct object *list = object_seq(vm, V_LIST);
    const char *s = self->as.str.data;
    size_t i = 0, n = self->as.str.len;
    while (true) {
        while (i < n && isspace((unsigned char)s[i])) {
            i++;
        }
        if (i == n) {
            return list;
        }
        size_t from = i;
        while (i < n && (max == 0 || !isspace((unsigned char)s[i]))) {
            i++;
        }
        object_append(vm, list, object_strn(vm, s + from, i - from));
        max -= max > 0;
    }
}

static struct object *text_split_at(struct vm *vm, const struct object *self,
                                    const struct object *separator, int64_t max)
{
    struct object *list = object_seq(vm, V_LIST);
    size_t at = 0;
    ptrdiff_t hit;
    while (max != 0 && (hit = text_index(self, separator, at)) >= 0) {
        object_append(vm, list, object_strn(vm, self->as.str.data + at, (size_t)hit - at));
        at = (size_t)hit + separator->as.str.len;
        max -= max > 0;
    }
    object_append(vm, list, object_strn(vm, self->as.str.data + at, self->as.str.len - at));
    return list;
}

static bool text_split_args(struct vm *vm, const struct call *call, const char *method,
                            struct object **separator, int64_t *max)
{
    struct object *v[2];
    *max = -1;
    if (!call_bind(vm, call, method, "sep? maxsplit?", v)) {
        return false;
    }
    *separator = v[0] && v[0]->kind != V_NONE ? v[0] : NULL;
    if (v[1] && !object_is_int(v[1], max)) {
        vm_raise(vm, "TypeError", "%s() maxsplit must be an int", method);
    } else if (*separator && text_want(vm, *separator, method) && !(*separator)->as.str.len) {
        vm_raise(vm, "ValueError", "empty separator");
    }
    return !vm->raised;
}

static struct object *m_split(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *separator;
    int64_t max;
    if (!text_split_args(vm, call, "split", &separator, &max)) {
        return NULL;
    }
    return separator ? text_split_at(vm, self, separator, max) : text_split_space(vm, self, max);
}

static struct object *m_rsplit(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *separator;
    int64_t max;
    if (!text_split_args(vm, call, "rsplit", &separator, &max)) {
        return NULL;
    }
    if (!separator && max >= 0) {
        return vm_unsupported(vm, "rsplit() with maxsplit needs a separator here");
    }
    struct object *all =
        separator ? text_split_at(vm, self, separator, -1) : text_split_space(vm, self, -1);
    if (max < 0 || all->as.items.n <= (size_t)max + 1) {
        return all;
    }
    // The first pieces stay together.
    size_t joined = all->as.items.n - (size_t)max;
    struct text t = {.vm = vm};
    for (size_t i = 0; i < joined; i++) {
        if (i) {
            text_put_value(&t, separator);
        }
        text_put_value(&t, all->as.items.data[i]);
    }
    struct object *list = object_seq(vm, V_LIST);
    object_append(vm, list, text_done(&t));
    for (size_t i = joined; i < all->as.items.n; i++) {
        object_append(vm, list, all->as.items.data[i]);
    }
    return list;
}

static struct object *m_splitlines(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *list = object_seq(vm, V_LIST);
    const char *s = self->as.str.data;
    size_t n = self->as.str.len;
    if (!call_bind(vm, call, "splitlines", "", NULL)) {
        return NULL;
    }
    for (size_t i = 0; i < n;) {
        size_t from = i;
        while (i < n && s[i] != '\n' && s[i] != '\r') {
            i++;
        }
        object_append(vm, list, object_strn(vm, s + from, i - from));
        i += i + 1 < n && s[i] == '\r' && s[i + 1] == '\n' ? 2 : 1;
    }
    return list;
}

static struct object *text_partition(struct vm *vm, struct object *self, const struct call *call,
                                     const char *method, bool last)
{
    struct object *sep = text_arg(vm, call, method);
    if (!sep) {
        return NULL;
    }
    if (!sep->as.str.len) {
        return vm_raise(vm, "ValueError", "empty separator");
    }
    if (last && !text_affordable(vm, self, sep)) {
        return NULL;
    }
    ptrdiff_t at = last ? text_rindex(self, sep) : text_index(self, sep, 0);
    struct object *result = object_seq(vm, V_TUPLE), *empty = object_str(vm, "");
    if (at < 0) {
        object_append(vm, result, last ? empty : self);
        object_append(vm, result, empty);
        object_append(vm, result, last ? self : empty);
        return result;
    }
    size_t from = (size_t)at + sep->as.str.len;
    object_append(vm, result, object_strn(vm, self->as.str.data, (size_t)at));
    object_append(vm, result, sep);
    object_append(vm, result, object_strn(vm, self->as.str.data + from, self->as.str.len - from));
    return result;
}

static struct object *m_partition(struct vm *vm, struct object *self, const struct call *call)
{
    return text_partition(vm, self, call, "partition", false);
}

static struct object *m_rpartition(struct vm *vm, struct object *self, const struct call *call)
{
    return text_partition(vm, self, call, "rpartition", true);
}

static struct object *m_join(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1], *list;
    struct text t = {.vm = vm};
    if (!call_bind(vm, call, "join", "iterable", v) || !(list = object_iter(vm, v[0]))) {
        return NULL;
    }
    for (size_t i = 0; i < list->as.items.n; i++) {
        const struct object *item = list->as.items.data[i];
        if (!object_is_str(item)) {
            return vm_raise(vm, "TypeError", "sequence item %zu: expected str instance, %s found",
                            i, object_type(item));
        }
        if (i) {
            text_put_value(&t, self);
        }
        text_put_value(&t, item);
    }
    return text_done(&t);
}

static struct object *text_test(struct vm *vm, const struct object *self, int (*test)(int))
{
    bool yes = self->as.str.len > 0;
    for (size_t i = 0; i < self->as.str.len && yes; i++) {
        yes = test((unsigned char)self->as.str.data[i]);
    }
    return object_bool(vm, yes);
}

static struct object *m_isdigit(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "isdigit", "", NULL) ? text_test(vm, self, isdigit) : NULL;
}

static struct object *m_isalpha(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "isalpha", "", NULL) ? text_test(vm, self, isalpha) : NULL;
}

static struct object *m_isalnum(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "isalnum", "", NULL) ? text_test(vm, self, isalnum) : NULL;
}

static struct object *m_isspace(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "isspace", "", NULL) ? text_test(vm, self, isspace) : NULL;
}

static int text_identifier_byte(int c)
{
    return isalnum(c) || c == '_' || c >= 128;
}

static struct object *m_isidentifier(struct vm *vm, struct object *self, const struct call *call)
{
    if (!call_bind(vm, call, "isidentifier", "", NULL)) {
        return NULL;
    }
    bool digit = isdigit((unsigned char)self->as.str.data[0]);
    return digit ? vm->no : text_test(vm, self, text_identifier_byte);
}

static struct object *text_cased(struct vm *vm, const struct object *self, int (*wrong)(int),
                                 int (*right)(int))
{
    bool any = false;
    for (size_t i = 0; i < self->as.str.len; i++) {
        unsigned char c = (unsigned char)self->as.str.data[i];
        if (wrong(c)) {
            return vm->no;
        }
        any = any || right(c);
    }
    return object_bool(vm, any);
}

static struct object *m_islower(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "islower", "", NULL) ? text_cased(vm, self, isupper, islower) : NULL;
}

static struct object *m_isupper(struct vm *vm, struct object *self, const struct call *call)
{
    return call_bind(vm, call, "isupper", "", NULL) ? text_cased(vm, self, islower, isupper) : NULL;
}

// Writes v padded to width; align is '<', '>', '^', or '=' (fill between sign and digits).
static void text_align(struct text *t, const struct object *v, size_t width, char fill, char align)
{
    size_t n = text_chars(v), pad = width > n ? width - n : 0;
    size_t left = align == '<' ? 0 : align == '^' ? pad / 2 : pad;
    size_t sign =
        align == '=' && v->as.str.len && (v->as.str.data[0] == '-' || v->as.str.data[0] == '+');
    text_put(t, v->as.str.data, sign);
    text_pad(t, fill, left);
    text_put(t, v->as.str.data + sign, v->as.str.len - sign);
    text_pad(t, fill, pad - left);
}

static struct object *text_just(struct vm *vm, struct object *self, const struct call *call,
                                const char *method, char align)
{
    struct object *v[2];
    int64_t width;
    if (!call_bind(vm, call, method, align == '=' ? "width" : "width fill?", v)) {
        return NULL;
    }
    if (!object_is_int(v[0], &width) || width > TEXT_WIDTH_MAX) {
        return vm_raise(vm, "TypeError", "%s() needs a width", method);
    }
    struct object *fill = align == '=' ? NULL : v[1];
    if (fill && (!object_is_str(fill) || fill->as.str.len != 1)) {
        return vm_raise(vm, "TypeError", "The fill character must be exactly one character long");
    }
    struct text t = {.vm = vm};
    char c = fill ? fill->as.str.data[0] : align == '=' ? '0' : ' ';
    text_align(&t, self, width > 0 ? (size_t)width : 0, c, align);
    return text_done(&t);
}

static struct object *m_ljust(struct vm *vm, struct object *self, const struct call *call)
{
    return text_just(vm, self, call, "ljust", '<');
}

static struct object *m_rjust(struct vm *vm, struct object *self, const struct call *call)
{
    return text_just(vm, self, call, "rjust", '>');
}

static struct object *m_center(struct vm *vm, struct object *self, const struct call *call)
{
    return text_just(vm, self, call, "center", '^');
}

static struct object *m_zfill(struct vm *vm, struct object *self, const struct call *call)
{
    return text_just(vm, self, call, "zfill", '=');
}

// format specifications: [[fill]align][sign][#][0][width][.precision][type]
struct text_spec {
    char fill, align, sign, type;
    bool alternate;
    int width, precision; // -1 = not given
};

static bool text_spec_int(const char **s, const char *end, int *out)
{
    *out = 0;
    while (*s < end && isdigit((unsigned char)**s)) {
        *out = *out * 10 + (*(*s)++ - '0');
        if (*out > TEXT_WIDTH_MAX) {
            return false;
        }
    }
    return true;
}

static bool text_spec_parse(const char *s, size_t n, struct text_spec *spec)
{
    const char *end = s + n;
    *spec = (struct text_spec){.fill = ' ', .precision = -1, .width = -1};
    if (n > 1 && strchr("<>^=", s[1])) {
        spec->fill = *s++;
        spec->align = *s++;
    } else if (n && *s && strchr("<>^=", *s)) {
        spec->align = *s++;
    }
    if (s < end && *s && strchr("+- ", *s)) {
        spec->sign = *s++;
    }
    if (s < end && *s == '#') {
        spec->alternate = true;
        s++;
    }
    if (s < end && *s == '0') {
        spec->fill = spec->align ? spec->fill : '0';
        spec->align = spec->align ? spec->align : '=';
        s++;
    }
    if (s < end && isdigit((unsigned char)*s) && !text_spec_int(&s, end, &spec->width)) {
        return false;
    }
    if (s < end && *s == '.') {
        s++;
        if (!text_spec_int(&s, end, &spec->precision)) {
            return false;
        }
    }
    if (s < end) {
        spec->type = *s++;
    }
    return s == end;
}

static struct object *text_number(struct vm *vm, int64_t number, const struct text_spec *spec)
{
    char text[80];
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    const char *sign = number < 0 ? "-" : spec->sign == '+' ? "+" : spec->sign == ' ' ? " " : "";
    const char *prefix = !spec->alternate    ? ""
                         : spec->type == 'x' ? "0x"
                         : spec->type == 'X' ? "0X"
                         : spec->type == 'o' ? "0o"
                         : spec->type == 'b' ? "0b"
                                             : "";
    char digits[65], *p = digits + sizeof digits;
    unsigned base = spec->type == 'x' || spec->type == 'X' ? 16
                    : spec->type == 'o'                    ? 8
                    : spec->type == 'b'                    ? 2
                                                           : 10;
    *--p = 0;
    do {
        *--p = (spec->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[magnitude % base];
    } while (magnitude /= base);
    snprintf(text, sizeof text, "%s%s%s", sign, prefix, p);
    return object_str(vm, text);
}

static struct object *text_real(struct vm *vm, double real, const struct text_spec *spec)
{
    char format[8], text[512];
    snprintf(format, sizeof format, "%%%s.*%c", spec->sign == '+' ? "+" : "", spec->type);
    if (real > 1e100 || real < -1e100 || spec->precision > 100) {
        return vm_unsupported(vm, "formatting such a number");
    }
    snprintf(text, sizeof text, format, spec->precision < 0 ? 6 : spec->precision, real);
    return object_str(vm, text);
}

struct object *str_format(struct vm *vm, struct object *v, const char *spec_text, size_t n)
{
    struct text_spec spec;
    int64_t number;
    bool numeric = object_is_int(v, &number) || v->kind == V_FLOAT;
    if (!text_spec_parse(spec_text, n, &spec)) {
        return vm_raise(vm, "ValueError", "Invalid format specifier '%.*s'", (int)n, spec_text);
    }
    struct object *s;
    if (spec.type == 0 || (spec.type == 's' && !numeric)) {
        s = v->kind == V_INT && spec.sign ? text_number(vm, number, &spec) : object_to_str(vm, v);
    } else if (strchr("dxXob", spec.type) && object_is_int(v, &number)) {
        s = text_number(vm, number, &spec);
    } else if (strchr("feEgG", spec.type) && numeric) {
        s = text_real(vm, v->kind == V_FLOAT ? v->as.real : (double)number, &spec);
    } else {
        return vm_raise(vm, "ValueError", "Unknown format code '%c' for object of type '%s'",
                        spec.type, object_type(v));
    }
    if (!s) {
        return NULL;
    }
    if (!numeric && spec.precision >= 0 && (size_t)spec.precision < s->as.str.len) {
        s = object_strn(vm, s->as.str.data, (size_t)spec.precision);
    }
    if (spec.width < 0) {
        return s;
    }
    struct text t = {.vm = vm};
    text_align(&t, s, (size_t)spec.width, spec.fill, spec.align ? spec.align : numeric ? '>' : '<');
    return text_done(&t);
}

// One replacement field: {name.attr[index]!r:spec}.
struct text_field {
    const struct call *call;
    size_t next; // automatic numbering
};

static struct object *text_field_base(struct vm *vm, struct text_field *f, const char *name,
                                      size_t n)
{
    if (n == 0 || isdigit((unsigned char)name[0])) {
        size_t i = n ? strtoul(name, NULL, 10) : f->next++;
        return i < f->call->n_pos
                   ? f->call->pos[i]
                   : vm_raise(vm, "IndexError",
                              "Replacement index %zu out of range for positional args tuple", i);
    }
    for (size_t i = 0; i < f->call->n_kw; i++) {
        if (strlen(f->call->kw_names[i]) == n && memcmp(f->call->kw_names[i], name, n) == 0) {
            return f->call->kw_values[i];
        }
    }
    return vm_raise(vm, "KeyError", "'%.*s'", (int)n, name);
}

static struct object *text_field_value(struct vm *vm, struct text_field *f, const char *s, size_t n)
{
    size_t len = 0;
    while (len < n && s[len] != '.' && s[len] != '[') {
        len++;
    }
    struct object *v = text_field_base(vm, f, s, len);
    while (v && len < n && s[len] == '.') {
        size_t from = ++len;
        while (len < n && s[len] != '.' && s[len] != '[') {
            len++;
        }
        v = eval_attribute(vm, v, arena_strndup(vm->arena, s + from, len - from));
    }
    return v && len < n ? vm_unsupported(vm, "indexing in a format field") : v;
}

static struct object *text_field(struct vm *vm, struct text_field *f, const char *s, size_t n)
{
    const char *colon = memchr(s, ':', n), *bang = memchr(s, '!', colon ? (size_t)(colon - s) : n);
    size_t name = bang ? (size_t)(bang - s) : colon ? (size_t)(colon - s) : n;
    struct object *v = text_field_value(vm, f, s, name);
    if (v && bang && bang + 1 < s + n) {
        v = bang[1] == 'r' ? object_repr(vm, v) : object_to_str(vm, v);
    }
    size_t spec = colon ? (size_t)(s + n - colon) - 1 : 0;
    if (spec && memchr(colon + 1, '{', spec)) {
        return vm_unsupported(vm, "a format field inside a format specification");
    }
    return v ? str_format(vm, v, colon ? colon + 1 : "", spec) : NULL;
}

static struct object *m_format(struct vm *vm, struct object *self, const struct call *call)
{
    struct text t = {.vm = vm};
    struct text_field f = {.call = call};
    const char *s = self->as.str.data, *end = s + self->as.str.len;
    while (s < end) {
        if ((*s == '{' || *s == '}') && s + 1 < end && s[1] == *s) {
            text_put(&t, s, 1);
            s += 2;
        } else if (*s == '{') {
            const char *close = ++s;
            for (unsigned depth = 0; close < end && (*close != '}' || depth); close++) {
                depth += (unsigned)(*close == '{') - (unsigned)(*close == '}');
            }
            struct object *v =
                close < end ? text_field(vm, &f, s, (size_t)(close - s))
                            : vm_raise(vm, "ValueError", "expected '}' before end of string");
            if (!v) {
                return NULL;
            }
            text_put_value(&t, v);
            s = close + 1;
        } else if (*s == '}') {
            return vm_raise(vm, "ValueError", "Single '}' encountered in format string");
        } else {
            text_put(&t, s++, 1);
        }
    }
    return text_done(&t);
}

// One % conversion of v; spec is what stands between % and the letter.
static struct object *text_percent_one(struct vm *vm, struct object *v, const char *spec, size_t n,
                                       char letter)
{
    bool left = n && spec[0] == '-';
    char text[32];
    if (n >= sizeof text - 4) {
        return vm_raise(vm, "ValueError", "unsupported format character '%c'", letter);
    }
    if (letter == 'r') {
        v = object_repr(vm, v);
    } else if (letter == 's') {
        v = object_to_str(vm, v);
    }
    char type = letter == 'r' || letter == 's'   ? 's'
                : letter == 'i' || letter == 'u' ? 'd'
                                                 : letter;
    snprintf(text, sizeof text, "%s%.*s%c",
             left               ? "<"
             : type == 's' && n ? ">"
                                : "",
             (int)(n - left), spec + left, type);
    return v ? str_format(vm, v, text, strlen(text)) : NULL;
}

static struct object *text_percent_arg(struct vm *vm, struct object *args, size_t *next,
                                       const struct object *key)
{
    if (key) {
        struct object *v = args->kind == V_DICT ? object_lookup(args, key) : NULL;
        return v ? v : vm_raise(vm, "KeyError", "'%s'", key->as.str.data);
    }
    size_t i = (*next)++;
    if (args->kind == V_TUPLE ? i < args->as.items.n : i == 0) {
        return args->kind == V_TUPLE ? args->as.items.data[i] : args;
    }
    return vm_raise(vm, "TypeError", "not enough arguments for format string");
}

struct object *str_percent(struct vm *vm, const struct object *format, struct object *args)
{
    struct text t = {.vm = vm};
    const char *s = format->as.str.data, *end = s + format->as.str.len;
    size_t next = 0;
    while (s < end) {
        if (*s != '%') {
            text_put(&t, s++, 1);
            continue;
        }
        struct object *key = NULL;
        const char *close;
        if (++s < end && *s == '(' && (close = memchr(s, ')', (size_t)(end - s)))) {
            key = object_strn(vm, s + 1, (size_t)(close - s) - 1);
            s = close + 1;
        }
        const char *spec = s;
        while (s < end && *s && strchr("-+ #.0123456789", *s)) {
            s++;
        }
        if (s == end) {
            return vm_raise(vm, "ValueError", "incomplete format");
        }
        if (*s == '%') {
            text_put(&t, s++, 1);
            continue;
        }
        struct object *v = text_percent_arg(vm, args, &next, key);
        v = v ? text_percent_one(vm, v, spec, (size_t)(s - spec), *s) : NULL;
        if (!v) {
            return NULL;
        }
        s++;
        text_put_value(&t, v);
    }
    if (args->kind == V_TUPLE ? next < args->as.items.n : args->kind != V_DICT && next == 0) {
        return vm_raise(vm, "TypeError", "not all arguments converted during string formatting");
    }
    return text_done(&t);
}

const struct native *str_method(const char *name)
{
    static const struct native methods[] = {
        {"capitalize", m_capitalize},
        {"center", m_center},
        {"count", m_count},
        {"endswith", m_endswith},
        {"find", m_find},
        {"format", m_format},
        {"index", m_index},
        {"isalnum", m_isalnum},
        {"isalpha", m_isalpha},
        {"isdigit", m_isdigit},
        {"isidentifier", m_isidentifier},
        {"islower", m_islower},
        {"isspace", m_isspace},
        {"isupper", m_isupper},
        {"join", m_join},
        {"ljust", m_ljust},
        {"lower", m_lower},
        {"lstrip", m_lstrip},
        {"partition", m_partition},
        {"removeprefix", m_removeprefix},
        {"removesuffix", m_removesuffix},
        {"replace", m_replace},
        {"rfind", m_rfind},
        {"rindex", m_rindex},
        {"rjust", m_rjust},
        {"rpartition", m_rpartition},
        {"rsplit", m_rsplit},
        {"rstrip", m_rstrip},
        {"split", m_split},
        {"splitlines", m_splitlines},
        {"startswith", m_startswith},
        {"strip", m_strip},
        {"title", m_title},
        {"upper", m_upper},
        {"zfill", m_zfill},
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i].name, name) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}
