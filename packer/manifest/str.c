// str: its methods but format(), and putting texts together.
#define _GNU_SOURCE // memmem: linear in the length of the text
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packer/manifest/str.h"

void str_put(struct text *t, const char *data, size_t n)
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

void str_put_value(struct text *t, const struct object *v)
{
    str_put(t, v->as.str.data, v->as.str.len);
}

void str_pad(struct text *t, char fill, size_t n)
{
    while (n--) {
        str_put(t, &fill, 1);
    }
}

struct object *str_done(struct text *t)
{
    return object_strn(t->vm, t->data ? t->data : "", t->n);
}

// Characters, not bytes: what width counts.
size_t str_chars(const struct object *v)
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

// Work that each of v's bytes takes once for every few bytes of other: a search from the end
// compares at every place in the worst case. False after raising when that is too much.
static bool text_affordable(struct vm *vm, const struct object *v, size_t other)
{
    vm_charge(vm, (uint64_t)v->as.str.len * (other / VM_COMPARED));
    return vm_step(vm);
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
        str_put(&t, &mapped, 1);
    }
    return str_done(&t);
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
        str_put_value(&t, v);
        t.data[0] = (char)toupper((unsigned char)t.data[0]);
        v = str_done(&t);
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
    str_put_value(&t, v);
    bool inside = false;
    for (size_t i = 0; i < t.n; i++) {
        bool letter = isalpha((unsigned char)t.data[i]);
        if (letter && !inside) {
            t.data[i] = (char)toupper((unsigned char)t.data[i]);
        }
        inside = letter;
    }
    return str_done(&t);
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
    if (!text_affordable(vm, self, strlen(chars))) {
        return NULL;
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

// suffix: compare at the end.
static bool text_edge(struct vm *vm, const struct object *self, const struct object *what,
                      bool suffix, bool *yes)
{
    if (!text_want(vm, what, suffix ? "endswith" : "startswith")) {
        return false;
    }
    size_t n = what->as.str.len, total = self->as.str.len;
    const char *s = self->as.str.data;
    *yes = n <= total && vm_same(vm, s + (suffix ? total - n : 0), what->as.str.data, n);
    return true;
}

static struct object *text_edges(struct vm *vm, const struct object *self,
                                 const struct object *what, bool suffix)
{
    bool yes = false;
    if (what->kind != V_TUPLE) {
        return text_edge(vm, self, what, suffix, &yes) ? object_bool(vm, yes) : NULL;
    }
    for (size_t i = 0; i < what->as.items.n && !yes; i++) {
        if (!text_edge(vm, self, what->as.items.data[i], suffix, &yes)) {
            return NULL;
        }
    }
    return object_bool(vm, yes);
}

static struct object *m_startswith(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1];
    return call_bind(vm, call, "startswith", "prefix", v) ? text_edges(vm, self, v[0], false)
                                                          : NULL;
}

static struct object *m_endswith(struct vm *vm, struct object *self, const struct call *call)
{
    struct object *v[1];
    return call_bind(vm, call, "endswith", "suffix", v) ? text_edges(vm, self, v[0], true) : NULL;
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
        str_put(&t, self->as.str.data + at, (size_t)hit - at);
        str_put_value(&t, v[1]);
        at = (size_t)hit + old;
        if (old == 0 && at < self->as.str.len) {
            str_put(&t, self->as.str.data + at, 1);
        }
        at += old == 0;
        count -= count > 0;
    }
    if (at < self->as.str.len) {
        str_put(&t, self->as.str.data + at, self->as.str.len - at);
    }
    return vm->raised ? NULL : str_done(&t);
}

static struct object *text_find(struct vm *vm, struct object *self, const struct call *call,
                                const char *method, bool last, bool must)
{
    struct object *what = text_arg(vm, call, method);
    if (!what) {
        return NULL;
    }
    if (last && !text_affordable(vm, self, what->as.str.len)) {
        return NULL;
    }
    ptrdiff_t at = last ? text_rindex(self, what) : text_index(self, what, 0);
    if (at < 0 && must) {
        return vm_raise(vm, "ValueError", "substring not found");
    }
    struct object before = *self;
    before.as.str.len = at < 0 ? 0 : (size_t)at;
    return object_int(vm, at < 0 ? -1 : (int64_t)str_chars(&before));
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
        return object_int(vm, (int64_t)str_chars(self) + 1);
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
            str_put_value(&t, separator);
        }
        str_put_value(&t, all->as.items.data[i]);
    }
    struct object *list = object_seq(vm, V_LIST);
    object_append(vm, list, str_done(&t));
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
    if (last && !text_affordable(vm, self, sep->as.str.len)) {
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
            str_put_value(&t, self);
        }
        str_put_value(&t, item);
    }
    return str_done(&t);
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
void str_align(struct text *t, const struct object *v, size_t width, char fill, char align)
{
    size_t n = str_chars(v), pad = width > n ? width - n : 0;
    vm_charge(t->vm, v->as.str.len + pad);
    size_t left = align == '<' ? 0 : align == '^' ? pad / 2 : pad;
    size_t sign =
        align == '=' && v->as.str.len && (v->as.str.data[0] == '-' || v->as.str.data[0] == '+');
    str_put(t, v->as.str.data, sign);
    str_pad(t, fill, left);
    str_put(t, v->as.str.data + sign, v->as.str.len - sign);
    str_pad(t, fill, pad - left);
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
    str_align(&t, self, width > 0 ? (size_t)width : 0, c, align);
    return str_done(&t);
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

const struct native *str_method(const char *name)
{
    static const struct native methods[] = {
        {"capitalize", m_capitalize},
        {"center", m_center},
        {"count", m_count},
        {"endswith", m_endswith},
        {"find", m_find},
        {"format", str_format_method},
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
