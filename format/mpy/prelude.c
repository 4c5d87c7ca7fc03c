#include "format/mpy/prelude.h"

enum {
    PRELUDE_SIGNATURE_MAX = 13, // bytes behind the first one: keeps all six values under 31 bits
    PRELUDE_SIZE_MAX = 16,      // bytes of the size: cells are counted in one bit of each
    PRELUDE_INFO_MAX = 5,       // the bytes that may add to n_info: keeps it under 30 bits
};
_Static_assert(4 << PRELUDE_SIGNATURE_MAX <= 1 << 16, "the VM keeps 16 bits of n_exc_stack");

// xSSSSEAA, then xFSSKAED while x is set.
static const char *prelude_signature(const uint8_t *data, size_t size, size_t *at,
                                     struct mpy_prelude *p)
{
    if (*at >= size) {
        return "the signature is cut off";
    }
    uint8_t b = data[(*at)++];
    p->n_state = b >> 3 & 15;
    p->n_exc_stack = b >> 2 & 1;
    p->n_pos_args = b & 3;
    for (unsigned n = 0; b & 0x80; n++) {
        if (*at >= size || n == PRELUDE_SIGNATURE_MAX) {
            return "the signature is cut off or too long";
        }
        b = data[(*at)++];
        p->n_state |= (b & 0x30u) << 2 * n;
        p->n_exc_stack |= (b & 2u) << n;
        p->scope_flags |= (b >> 6 & 1u) << n;
        p->n_pos_args |= (b & 4u) << n;
        p->n_kwonly_args |= (b >> 3 & 1u) << n;
        p->n_def_pos_args |= (b & 1u) << n;
    }
    p->n_state++;
    return NULL;
}

// xIIIIIIC while x is set.
static const char *prelude_size(const uint8_t *data, size_t size, size_t *at, uint32_t *n_info,
                                uint32_t *n_cells)
{
    *n_info = *n_cells = 0;
    for (unsigned n = 0; n < PRELUDE_SIZE_MAX; n++) {
        if (*at >= size) {
            return "the prelude's size is cut off";
        }
        uint8_t b = data[(*at)++];
        if (n < PRELUDE_INFO_MAX) {
            *n_info |= (b >> 1 & 0x3fu) << 6 * n;
        } else if (b & 0x7e) {
            break;
        }
        *n_cells |= (b & 1u) << n;
        if (!(b & 0x80)) {
            return NULL;
        }
    }
    return "the prelude's size is too large";
}

static bool prelude_uint(const uint8_t *data, uint32_t end, uint32_t *at, uint32_t *out)
{
    uint32_t v = 0;
    while (*at < end && v <= UINT32_MAX >> 7) {
        uint8_t b = data[(*at)++];
        v = v << 7 | (b & 0x7f);
        if (!(b & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

// Version 5: the names of the function and of its source file.
static const char *prelude_names_v5(const uint8_t *data, struct mpy_prelude *p)
{
    if (p->cells - p->names < 4) {
        return "the function's name is cut off";
    }
    p->name = ld16(data + p->names);
    p->source = ld16(data + p->names + 2);
    p->lines = p->names + 4;
    return NULL;
}

// The names stand at the beginning of the source information; what they leave is the line table.
static const char *prelude_names(const uint8_t *data, struct mpy_prelude *p)
{
    uint32_t at = p->names;
    if (!prelude_uint(data, p->cells, &at, &p->name)) {
        return "the function's name is cut off";
    }
    for (uint64_t i = 0, n = (uint64_t)p->n_pos_args + p->n_kwonly_args; i < n; i++) {
        uint32_t unused;
        if (!prelude_uint(data, p->cells, &at, &unused)) {
            return "the argument names are cut off";
        }
    }
    p->lines = at;
    return NULL;
}

const char *mpy_prelude_decode(const uint8_t *data, size_t size, size_t at, bool v5,
                               struct mpy_prelude *out)
{
    *out = (struct mpy_prelude){0};
    if (size > UINT32_MAX) {
        return "the function is too large";
    }
    uint32_t n_info, n_cells;
    const char *wrong = prelude_signature(data, size, &at, out);
    wrong = wrong ? wrong : prelude_size(data, size, &at, &n_info, &n_cells);
    if (wrong) {
        return wrong;
    }
    if (n_info > size - at || n_cells > size - at - n_info) {
        return "the source information and cells are longer than the function";
    }
    out->names = (uint32_t)at;
    out->cells = (uint32_t)at + n_info;
    out->code = out->cells + n_cells;
    return v5 ? prelude_names_v5(data, out) : prelude_names(data, out);
}

const struct mpy_machine *mpy_machine(const struct mpy_code *c)
{
    static const struct mpy_machine none;
    return c->machine ? c->machine : &none;
}

const char *mpy_prelude_of(const struct mpy_code *c, struct mpy_prelude *out)
{
    return mpy_prelude_decode(c->data, c->size, mpy_machine(c)->prelude_offset, c->v5 != NULL, out);
}

bool mpy_prelude_arg(const struct mpy_code *c, const struct mpy_prelude *p, uint32_t *pos,
                     uint32_t *qstr)
{
    if (c->v5) {
        bool more = *pos < c->v5->n_args;
        *qstr = more ? c->v5->args[*pos] : 0;
        *pos += more;
        return more;
    }
    uint32_t at = p->names + *pos;
    if (*pos == 0) {
        prelude_uint(c->data, p->lines, &at, qstr); // the function's own name
    }
    bool more = at < p->lines && prelude_uint(c->data, p->lines, &at, qstr);
    *pos = at - p->names;
    return more;
}

uint32_t mpy_prelude_arg_slots(const struct mpy_prelude *p)
{
    return p->n_pos_args + p->n_kwonly_args + !!(p->scope_flags & MPY_SCOPE_VARARGS) +
           !!(p->scope_flags & MPY_SCOPE_VARKEYWORDS);
}

// 0LLBBBBB, or 1LLLBBBB LLLLLLLL with the high bits of L first.
bool mpy_lines_next(const uint8_t *data, const struct mpy_prelude *p, struct mpy_lines *l)
{
    if (l->line == 0) {
        *l = (struct mpy_lines){.line = 1};
        return p->lines < p->cells;
    }
    uint32_t at = p->lines + l->pos;
    if (at >= p->cells) {
        return false;
    }
    uint8_t b = data[at];
    if (!(b & 0x80)) {
        l->offset += b & 0x1f;
        l->line += b >> 5;
        l->pos += 1;
        return true;
    }
    if (p->cells - at < 2) {
        return false;
    }
    l->offset += b & 0x0f;
    l->line += (b << 4 & 0x700u) | data[at + 1];
    l->pos += 2;
    return true;
}

uint32_t mpy_line_at(const uint8_t *data, const struct mpy_prelude *p, struct mpy_line_cursor *c,
                     uint32_t offset)
{
    if (!c->begun) {
        c->begun = true;
        c->ended = !mpy_lines_next(data, p, &c->next);
    }
    while (!c->ended && c->next.offset <= offset) {
        c->line = c->next.line;
        c->ended = !mpy_lines_next(data, p, &c->next);
    }
    return c->line;
}

uint32_t mpy_prelude_line(const uint8_t *data, const struct mpy_prelude *p, uint32_t offset)
{
    struct mpy_line_cursor c = {0};
    return mpy_line_at(data, p, &c, offset);
}
