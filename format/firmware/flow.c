// Where functions begin and end. A function begins where code calls it or a word points to it, and
// reaches as far as its own branches do; an instruction belongs to the nearest start whose code
// reaches it.
#include "format/firmware/flow.h"

enum {
    FLOW_REACH = 16384, // bytes of one function
    FLOW_LITERALS = 64, // literal words of one function that are remembered
    FLOW_TABLE = 4096,  // words next to each other that point this close together are labels
};

struct walk {
    const struct view *v;
    const struct ref_isa *isa;
    uint64_t start, at, far; // far: the last place that a branch leads to
    unsigned shadow, n_literals;
    uint64_t literals[FLOW_LITERALS];
};

static void note_target(struct walk *w, uint64_t target)
{
    if (target > w->far && target - w->start < FLOW_REACH)
        w->far = target;
}

static bool is_literal(const struct walk *w, uint64_t addr)
{
    for (unsigned i = 0; i < w->n_literals; i++)
        if (w->literals[i] == addr)
            return true;
    return false;
}

// Literal words may lie between an unconditional jump and the code behind it.
static uint64_t skip_literals(const struct walk *w, uint64_t at)
{
    uint64_t word = (at + 3) & ~3ULL, from = word;
    while (is_literal(w, word))
        word += 4;
    return word == from ? at : word;
}

// One instruction further; false behind the last one of the function, or where none is.
static bool advance(struct walk *w, struct flow_step *s)
{
    *s = (struct flow_step){0, 0, 0, 0, FLOW_NEXT};
    if (w->at - w->start >= FLOW_REACH || !w->isa->step(w->v, w->at, s) || !s->size)
        return false;
    bool ends = !w->shadow && (s->kind == FLOW_JUMP || s->kind == FLOW_END);
    w->shadow = s->shadow ? s->shadow : w->shadow ? w->shadow - 1 : 0;
    if (s->literal && w->n_literals < FLOW_LITERALS)
        w->literals[w->n_literals++] = s->literal;
    if (s->kind == FLOW_JUMP || s->kind == FLOW_BRANCH)
        note_target(w, s->target);
    w->at += s->size;
    if (!ends)
        return true;
    w->at = skip_literals(w, w->at);
    return w->far >= w->at;
}

uint64_t flow_end(const struct view *v, const struct ref_isa *isa, uint64_t start)
{
    struct walk w = {.v = v, .isa = isa, .start = start, .at = start, .far = start};
    struct flow_step s;
    while (advance(&w, &s)) {
    }
    return w.at;
}

bool flow_reaches(const struct view *v, const struct ref_isa *isa, uint64_t start, uint64_t addr)
{
    struct walk w = {.v = v, .isa = isa, .start = start, .at = start, .far = start};
    struct flow_step s;
    while (w.at <= addr) {
        uint64_t at = w.at;
        bool on = advance(&w, &s);
        if (s.size && addr < at + s.size)
            return true;
        if (!on)
            return false;
    }
    return false;
}

unsigned flow_calls(const struct view *v, const struct ref_isa *isa, uint64_t from, unsigned steps,
                    uint64_t *targets, unsigned max)
{
    unsigned n = 0;
    for (unsigned i = 0; i < steps && n < max; i++) {
        struct flow_step s = {0, 0, 0, 0, FLOW_NEXT};
        if (!isa->step(v, from, &s) || !s.size)
            break;
        if (s.kind == FLOW_CALL && s.target)
            targets[n++] = s.target;
        from += s.size;
    }
    return n;
}

// --- starts

static void offer(struct flow_user *u, uint64_t *best, uint64_t start)
{
    if (start <= u->at && u->at - start < FLOW_REACH && start > *best)
        *best = start;
}

static void span_calls(const struct view *v, const struct ref_isa *isa, const struct view_span *p,
                       struct flow_user *users, unsigned n)
{
    uint64_t at = -p->run & (isa->align - 1);
    for (; (at = isa->next_call(p->data, at, p->size)) < p->size;) {
        struct flow_step s = {0, 0, 0, 0, FLOW_NEXT};
        bool known = isa->step(v, p->run + at, &s) && s.kind == FLOW_CALL && s.target;
        at += isa->one_by_one && s.size ? s.size : isa->align;
        if (!known)
            continue;
        for (unsigned i = 0; i < n; i++)
            offer(&users[i], &users[i].called, s.target);
    }
}

// Labels of a switch stand in a table next to each other; the objects that point to functions have
// other words around.
static bool is_label(const struct view *v, uint64_t word, uint64_t value)
{
    uint64_t before = 0, behind = 0;
    view_word(v, word - v->ptr, &before);
    view_word(v, word + v->ptr, &behind);
    return before - value + FLOW_TABLE < 2 * FLOW_TABLE ||
           behind - value + FLOW_TABLE < 2 * FLOW_TABLE;
}

static void find_pointers(const struct view *v, const struct ref_isa *isa, struct flow_user *users,
                          unsigned n)
{
    for (uint32_t k = 0; k < v->n_where; k++) {
        uint64_t word = view_addr(v, v->where[k]), value;
        if (!view_word(v, word, &value) || (isa->odd_pointers && !(value & 1)))
            continue;
        for (unsigned i = 0; i < n; i++) {
            uint64_t start = value - (isa->odd_pointers ? 1 : 0);
            if (start > users[i].pointed && start <= users[i].at &&
                users[i].at - start < FLOW_REACH && !is_label(v, word, value))
                users[i].pointed = start;
        }
    }
}

// What compilers put between functions, so that the next one is aligned.
static bool is_padding(const struct view *v, uint64_t at, unsigned size)
{
    uint16_t hw;
    return size == 2 && view_u16(v, at, &hw) && (hw == 0xbf00 || hw == 0x46c0 || !hw); // Thumb nops
}

// Does the code from start on run into the instruction at addr from the one before it? Then no
// function begins there. Behind a call one may: the call need not return.
static bool runs_into(const struct view *v, const struct ref_isa *isa, uint64_t start,
                      uint64_t addr)
{
    struct walk w = {.v = v, .isa = isa, .start = start, .at = start, .far = start};
    struct flow_step s = {0, 0, 0, 0, FLOW_END};
    uint64_t last = start;
    while (w.at < addr) {
        last = w.at;
        if (!advance(&w, &s))
            return false;
    }
    return w.at == addr && (s.kind == FLOW_NEXT || s.kind == FLOW_BRANCH) &&
           !is_literal(&w, last & ~3ULL) && !is_padding(v, last, s.size);
}

static uint64_t choose(const struct view *v, const struct ref_isa *isa, const struct flow_user *u)
{
    bool called = u->called && flow_reaches(v, isa, u->called, u->at);
    if (u->pointed > u->called && flow_reaches(v, isa, u->pointed, u->at) &&
        !(called && (isa->odd_pointers ? runs_into(v, isa, u->called, u->pointed)
                                       : flow_reaches(v, isa, u->called, u->pointed))))
        return u->pointed;
    return called ? u->called : 0;
}

void flow_functions(const struct view *v, const struct ref_isa *isa, struct flow_user *users,
                    unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        users[i].called = users[i].pointed = users[i].function = 0;
    for (unsigned i = 0; n && i < v->n; i++)
        if (v->spans[i].flags & IMAGE_X)
            span_calls(v, isa, &v->spans[i], users, n);
    if (n)
        find_pointers(v, isa, users, n);
    for (unsigned i = 0; i < n; i++) {
        const struct view_span *span = view_span_at(v, users[i].at);
        if (span && span->flags & IMAGE_X) // calls were looked for in such only
            users[i].function = choose(v, isa, &users[i]);
    }
}
