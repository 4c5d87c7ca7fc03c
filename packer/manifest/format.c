// Formatting: format specifications, "...".format() and "..." % args.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "packer/manifest/str.h"

enum { FORMAT_WORK = 32 }; // writing one number

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
    vm_charge(vm, FORMAT_WORK);
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
    str_align(&t, s, (size_t)spec.width, spec.fill, spec.align ? spec.align : numeric ? '>' : '<');
    return str_done(&t);
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
    for (size_t i = 0; i < f->call->n_kw && vm_charge(vm, 1); i++) {
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

struct object *str_format_method(struct vm *vm, struct object *self, const struct call *call)
{
    struct text t = {.vm = vm};
    struct text_field f = {.call = call};
    const char *s = self->as.str.data, *end = s + self->as.str.len;
    while (s < end) {
        if ((*s == '{' || *s == '}') && s + 1 < end && s[1] == *s) {
            str_put(&t, s, 1);
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
            str_put_value(&t, v);
            s = close + 1;
        } else if (*s == '}') {
            return vm_raise(vm, "ValueError", "Single '}' encountered in format string");
        } else {
            str_put(&t, s++, 1);
        }
    }
    return str_done(&t);
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
        struct object *v = args->kind == V_DICT ? object_lookup(vm, args, key) : NULL;
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
            str_put(&t, s++, 1);
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
            str_put(&t, s++, 1);
            continue;
        }
        struct object *v = text_percent_arg(vm, args, &next, key);
        v = v ? text_percent_one(vm, v, spec, (size_t)(s - spec), *s) : NULL;
        if (!v) {
            return NULL;
        }
        s++;
        str_put_value(&t, v);
    }
    if (args->kind == V_TUPLE ? next < args->as.items.n : args->kind != V_DICT && next == 0) {
        return vm_raise(vm, "TypeError", "not all arguments converted during string formatting");
    }
    return str_done(&t);
}
