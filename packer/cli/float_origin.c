// Freezing keeps the value of a float, but not the text that mpy-cross of the release had made of
// the script's literal; up to 1.25 that text is often not the nearest one. Here it is made again:
// the shortest literals of the value and its neighbours go through reading and writing as that
// release does both, and the one that gives the value back replaces the canonical text.
#include "packer/cli/float_origin.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packer/compiler/compiler.h"
#include "packer/compiler/release.h"

enum {
    ORIGIN_TEXT = 40,
    ORIGIN_DIGITS = 17,
    ORIGIN_NEIGHBOURS = 2, // on both sides, for doubles
};

struct origin {
    const struct firmware *fw;
    const struct number_rules *rules;
    struct arena *arena;
    struct bytes_out out;
};

static bool is_double(const struct origin *o)
{
    return o->fw->float_kind == FW_FLOAT_F64;
}

// Does the firmware keep the same of a text and of a value?
static bool is_same(const struct origin *o, const char *text, double value)
{
    if (is_double(o)) {
        return strtod(text, NULL) == value;
    }
    uint32_t a, b, mask = o->fw->repr == FW_REPR_C ? ~UINT32_C(3) : UINT32_MAX;
    float f = strtof(text, NULL), g = (float)value;
    memcpy(&a, &f, sizeof a);
    memcpy(&b, &g, sizeof b);
    return ((a ^ b) & mask) == 0;
}

static void write_shortest(const struct origin *o, double value, char text[ORIGIN_TEXT])
{
    for (int digits = 0; digits < ORIGIN_DIGITS; digits++) {
        snprintf(text, ORIGIN_TEXT, "%.*e", digits, value);
        if (is_same(o, text, value)) {
            return;
        }
    }
}

// What the release makes of a literal, NUL-terminated in o->out.
static const char *through_release(struct origin *o, const char *literal)
{
    struct number n;
    o->out.size = 0;
    if (number_read_float(o->rules, literal, strlen(literal), o->arena, &n)) {
        return NULL;
    }
    number_write(o->rules, &n, &o->out);
    bytes_put_u8(&o->out, 0);
    return o->out.failed ? NULL : (const char *)o->out.data;
}

// The text for a positive value; NULL when no literal nearby gives it.
static const char *find_text(struct origin *o, double value)
{
    const char *best = NULL;
    size_t best_size = SIZE_MAX;
    int reach = is_double(o) ? ORIGIN_NEIGHBOURS : 0;
    double near = value;
    for (int i = 0; i < reach; i++) {
        near = nextafter(near, 0);
    }
    for (int i = -reach; i <= reach; i++, near = nextafter(near, INFINITY)) {
        char literal[ORIGIN_TEXT];
        write_shortest(o, near, literal);
        const char *text = strlen(literal) < best_size ? through_release(o, literal) : NULL;
        if (text && is_same(o, text, value)) {
            best = arena_strndup(o->arena, text, strlen(text));
            best_size = strlen(literal);
        }
    }
    return best;
}

static void replace_text(struct origin *o, struct mpy_obj *obj)
{
    char text[ORIGIN_TEXT];
    if (obj->kind != MPY_OBJ_FLOAT || obj->len >= sizeof text) {
        return;
    }
    memcpy(text, obj->data, obj->len);
    text[obj->len] = 0;
    double value = strtod(text, NULL);
    const char *found = isfinite(value) && value > 0 ? find_text(o, value) : NULL;
    if (found) {
        obj->data = (const uint8_t *)found;
        obj->len = (uint32_t)strlen(found);
    }
}

void float_origin(const struct firmware *fw, struct mpy_module *m, struct arena *a)
{
    char version[ORIGIN_TEXT];
    snprintf(version, sizeof version, "%u.%u", fw->major, fw->minor);
    const struct compiler_release *release = compiler_release_find(version);
    struct origin o = {.fw = fw, .rules = release ? &release->numbers : NULL, .arena = a};
    struct mpy_obj *objs = release && m->n_obj ? ARENA_ARRAY(a, struct mpy_obj, m->n_obj) : NULL;
    if (!objs) {
        return; // the canonical texts stay
    }
    bytes_out_init(&o.out);
    memcpy(objs, m->objs, m->n_obj * sizeof *objs);
    for (uint32_t k = 0; k < m->n_obj; k++) {
        replace_text(&o, &objs[k]);
    }
    m->objs = objs;
    bytes_out_free(&o.out);
}
