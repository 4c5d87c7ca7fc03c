#include "format/mpy/extent.h"

#include "format/mpy/opcode.h"
#include "format/mpy/prelude.h"

static void extent_use(uint32_t *n, int64_t index)
{
    if (index >= *n && index < UINT32_MAX) {
        *n = (uint32_t)index + 1;
    }
}

static void extent_insn(struct mpy_extent *e, const struct mpy_insn *i)
{
    switch (i->info->arg) {
    case MPY_ARG_QSTR:
        extent_use(&e->n_qstrs, i->arg);
        break;
    case MPY_ARG_OBJ:
        extent_use(&e->n_objs, i->arg);
        break;
    case MPY_ARG_CHILD:
    case MPY_ARG_CHILD_CELLS:
        extent_use(&e->n_children, i->arg);
        e->first_child = i->arg < e->first_child ? (uint32_t)i->arg : e->first_child;
        break;
    case MPY_ARG_INT:
        e->wide_ints |= i->arg < -0x40000000 || i->arg > 0x3fffffff;
        break;
    default:
        break;
    }
}

static void extent_names(const struct mpy_code *c, const struct mpy_prelude *p,
                         struct mpy_extent *e)
{
    uint32_t pos = 0, qstr;
    extent_use(&e->n_qstrs, 0); // the file name
    extent_use(&e->n_qstrs, p->name);
    while (mpy_prelude_arg(c, p, &pos, &qstr)) {
        extent_use(&e->n_qstrs, qstr);
    }
}

const char *mpy_extent_find(const uint8_t *data, size_t available, const struct mpy_v5 *v5,
                            struct mpy_extent *out)
{
    struct mpy_prelude p;
    *out = (struct mpy_extent){.first_child = UINT32_MAX};
    available = available < UINT32_MAX ? available : UINT32_MAX;
    const char *wrong = mpy_prelude_decode(data, available, 0, v5 != NULL, &p);
    if (wrong) {
        return wrong;
    }
    if (!v5) {
        extent_names(&(struct mpy_code){.data = data}, &p, out);
    }
    out->code = p.code;
    const uint8_t *code = data + p.code;
    size_t size = available - p.code;
    int64_t furthest = 0;
    struct mpy_insn i;
    for (uint32_t at = 0;; at += i.size) {
        if (!mpy_insn_decode(code, size, at, v5, &i)) {
            return "the bytecode does not decode";
        }
        extent_insn(out, &i);
        if (i.info->jumped && i.target > furthest) {
            furthest = i.target;
        }
        if (!i.info->after && at + i.size > furthest) {
            out->end = p.code + at + i.size;
            return NULL;
        }
    }
}

static bool extent_zeros(const uint8_t *data, size_t from, size_t to)
{
    while (from < to && data[from] == 0) {
        from++;
    }
    return from == to;
}

// "return None", perhaps behind the ends of finally blocks that always raise.
static void extent_return_none(const uint8_t *data, size_t limit, struct mpy_extent *e)
{
    size_t at = e->end;
    while (at < limit && data[at] == MPY_OP_END_FINALLY) {
        at++;
    }
    if (limit - at >= 2 && data[at] == MPY_OP_LOAD_CONST_NONE &&
        data[at + 1] == MPY_OP_RETURN_VALUE) {
        e->end = (uint32_t)at + 2;
    }
}

// A walk over a tail, and what it may still cost: jumps that lead all over a large function must
// not make the check of their destinations slow.
struct extent_walk {
    const uint8_t *data;
    size_t limit, steps;
    const struct mpy_v5 *v5;
    const struct mpy_extent *live;
};

// Does an instruction begin at target, in the live part or (up to at) in the tail?
static bool extent_begins(struct extent_walk *w, int64_t target, size_t at)
{
    struct mpy_insn i;
    if (target < w->live->code || target > (int64_t)at) {
        return false;
    }
    size_t to = (size_t)target, from = to < w->live->end ? w->live->code : w->live->end;
    while (from < to && w->steps && mpy_insn_decode(w->data, w->limit, from, w->v5, &i)) {
        from += i.size;
        w->steps--;
    }
    return from == to;
}

static bool extent_jumps_fit(struct extent_walk *w, size_t at)
{
    struct mpy_insn i;
    for (size_t p = w->live->end; p < at; p += i.size) {
        if (!mpy_insn_decode(w->data, w->limit, p, w->v5, &i) ||
            (i.info->jumped && !extent_begins(w, i.target, at))) {
            return false;
        }
    }
    return true;
}

// Behind a jump the compiler is silent until the next label; so no function ends with a jump.
static bool extent_may_end(const struct mpy_insn *i)
{
    return !i->info->after && !i->info->jumped;
}

void mpy_extent_tail(const uint8_t *data, size_t limit, const struct mpy_v5 *v5,
                     struct mpy_extent *e)
{
    struct mpy_extent tail = *e;
    struct mpy_insn i;
    size_t at = e->end;
    bool closed = true;
    while (at < limit && mpy_insn_decode(data, limit, at, v5, &i)) {
        extent_insn(&tail, &i);
        at += i.size;
        closed = extent_may_end(&i);
    }
    struct extent_walk w = {.data = data, .limit = limit, .steps = 16 * limit, .v5 = v5, .live = e};
    if (closed && tail.n_children <= e->n_children && extent_zeros(data, at, limit) &&
        extent_jumps_fit(&w, at)) {
        tail.end = (uint32_t)at;
        *e = tail;
    } else {
        extent_return_none(data, limit, e);
    }
}
