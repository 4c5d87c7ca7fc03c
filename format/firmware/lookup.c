// The frozen tables by the function that reads them, where the tables themselves do not show what
// they are: an empty list of names is two zero bytes, an empty array a zero word.
//
// The function is the one that code calls right after comparing a path with ".frozen/". What
// belongs together is told by the shape of what it refers to, by the order in which a compiler puts
// the objects of one source file, and by who else refers to them. Several answers are none.
//
// Facts: py/frozenmod.c (mp_find_frozen_module), py/builtinimport.c, py/builtinhelp.c,
// tools/makemanifest.py.
#include "format/firmware/flow.h"

enum {
    LOOKUP_PLACES = 16, // places that refer to ".frozen/"
    LOOKUP_STEPS = 40,  // instructions behind one that are read for calls
    LOOKUP_CALLS = 4,   // of these
    LOOKUP_NAME_MAX = 255,
    LOOKUP_NAMES_MAX = 4096,
    LOOKUP_NEAR = 16, // bytes between the empty tables of sources
    LOOKUP_CANDIDATES = 24,
};

struct candidate {
    uint64_t addr, user; // user: the first instruction of the function that refers to it
    bool elsewhere;      // another function refers to it, too
};

struct tables {
    const struct candidate *names, *content, *sizes, *texts; // sizes, texts: NULL = not supported
    uint32_t n_str;
};

struct lookup {
    struct scan *s;
    uint64_t function, end;
    struct ref_sweep sweep; // of the candidates
    unsigned n, answers;
    struct candidate c[LOOKUP_CANDIDATES];
    struct tables found;
};

// --- what a function refers to

static bool is_zero(const struct scan *s, uint64_t addr, unsigned size)
{
    const uint8_t *p = view_at(&s->view, addr, size);
    for (unsigned i = 0; p && i < size; i++)
        if (p[i])
            return false;
    return p != NULL;
}

// A literal word is an address or, in position-independent code, the distance of a word of the GOT
// from its base.
static struct ref_target *literal_target(struct ref_sweep *r, uint64_t value)
{
    const struct view *v = &r->scan->view;
    uint64_t got;
    if (!v->image->pic)
        return ref_target_at(r, value);
    return view_dynamic(v, VIEW_DT_PLTGOT, &got) ? ref_target_at(r, (uint32_t)(got + value)) : NULL;
}

static void add_literals(struct ref_sweep *r, const struct ref_isa *isa)
{
    const struct view *v = &r->scan->view;
    for (uint64_t at = r->from; at < r->to;) {
        struct flow_step step = {0, 0, 0, 0, FLOW_NEXT};
        uint64_t value;
        if (!isa->step(v, at, &step) || !step.size)
            return;
        struct ref_target *t =
            step.literal && view_word(v, step.literal, &value) ? literal_target(r, value) : NULL;
        if (t)
            ref_add(r, t, &(struct fw_ref){.kind = FW_REF_WORD, .addr = step.literal, .user = at});
        at += step.size;
    }
}

// The word of an address may be what the code refers to.
static void add_words(struct ref_sweep *r)
{
    for (unsigned i = 0, n = r->n; ref_loads_words(r->scan) && i < n; i++) {
        uint64_t value;
        struct ref_target *t = view_is_pointer(&r->scan->view, r->targets[i].addr, &value)
                                   ? ref_target_at(r, value)
                                   : NULL;
        if (t && r->targets[i].refs.n)
            ref_add(r, t, &r->targets[i].refs.refs[0]);
    }
}

static uint64_t first_user(const struct fw_refs *refs)
{
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < refs->n; i++)
        if (refs->refs[i].user && refs->refs[i].user < first)
            first = refs->refs[i].user;
    return first;
}

// Where code loads addresses from words, a word that holds one stands for what it points to.
static bool is_candidate(const struct scan *s, uint64_t addr)
{
    uint64_t value;
    return addr == s->fw->content || !ref_loads_words(s) || addr % s->view.ptr ||
           !view_is_pointer(&s->view, addr, &value);
}

static enum diag_code collect(struct lookup *l, const struct ref_isa *isa)
{
    struct ref_sweep r = {.scan = l->s, .from = l->function, .to = l->end, .collect = true};
    r.targets = ARENA_ARRAY(l->s->arena, struct ref_target, REF_COLLECT_MAX);
    if (!r.targets)
        return diag_nomem(l->s->diag);
    isa->sweep(&r);
    add_literals(&r, isa);
    add_words(&r);
    l->n = 0;
    for (unsigned i = 0; i < r.n && l->n < LOOKUP_CANDIDATES; i++)
        if (r.targets[i].refs.n && is_candidate(l->s, r.targets[i].addr))
            l->c[l->n++] =
                (struct candidate){r.targets[i].addr, first_user(&r.targets[i].refs), false};
    return r.nomem ? diag_nomem(l->s->diag) : DIAG_OK;
}

// Who else refers to the candidates.
static enum diag_code sweep_candidates(struct lookup *l)
{
    l->sweep = (struct ref_sweep){.scan = l->s};
    l->sweep.targets = ARENA_ARRAY(l->s->arena, struct ref_target, LOOKUP_CANDIDATES);
    if (!l->sweep.targets)
        return diag_nomem(l->s->diag);
    for (unsigned i = 0; i < l->n; i++)
        ref_want(&l->sweep, l->c[i].addr);
    enum diag_code c = ref_sweep_targets(l->s, &l->sweep);
    for (unsigned i = 0; !c && i < l->n; i++) {
        struct fw_refs refs = ref_take(&l->sweep, l->c[i].addr);
        for (unsigned k = 0; k < refs.n; k++)
            if (refs.refs[k].kind != FW_REF_WORD_RELATIVE && // users of such words are not counted
                (refs.refs[k].user < l->function || refs.refs[k].user >= l->end))
                l->c[i].elsewhere = true;
    }
    return c;
}

// --- which is which

// The number of names in the list at addr; false when there is none.
static bool count_names(const struct scan *s, uint64_t addr, uint32_t *n, uint64_t *end)
{
    for (*n = 0; *n < LOOKUP_NAMES_MAX; ++*n) {
        uint32_t len;
        const char *name = view_text(&s->view, addr, LOOKUP_NAME_MAX, &len);
        if (!name || (len && (len < 4 || memcmp(name + len - 3, ".py", 3) != 0)))
            return false;
        addr += len + 1;
        *end = addr;
        if (!len)
            return *n || is_zero(s, addr, 1); // an empty list has two zero bytes
    }
    return false;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static bool in_order(uint64_t a, uint64_t b, uint64_t c)
{
    return (a < b && b < c) || (a > b && b > c);
}

// Compilers keep the order of the objects of a file or reverse it: sizes, texts, names, array. The
// sizes are counted first.
static bool is_empty_pair(const struct lookup *l, const struct tables *t)
{
    uint64_t sizes = t->sizes->addr, texts = t->texts->addr, names = t->names->addr;
    uint64_t apart = sizes > texts ? sizes - texts : texts - sizes;
    return sizes % 4 == 0 && is_zero(l->s, sizes, 4) && is_zero(l->s, texts, 1) &&
           apart <= LOOKUP_NEAR && !overlap(sizes, 4, texts, 1) && !overlap(sizes, 4, names, 2) &&
           !overlap(texts, 1, names, 2) && in_order(sizes, texts, names) &&
           t->sizes->user < t->texts->user;
}

static bool is_pair(const struct lookup *l, const struct tables *t)
{
    if (t->sizes->elsewhere || t->texts->elsewhere)
        return false;
    return t->n_str ? str_agree(l->s, t->sizes->addr, t->texts->addr, t->n_str)
                    : is_empty_pair(l, t);
}

// An array without modules: a zero word, beside the names.
static bool is_empty_array(const struct lookup *l, const struct tables *t)
{
    uint64_t content = t->content->addr, names = t->names->addr, ptr = l->s->view.ptr;
    if (t->content->elsewhere || content % ptr || !is_zero(l->s, content, (unsigned)ptr) ||
        overlap(content, ptr, names, 2))
        return false;
    return !t->sizes || (!overlap(content, ptr, t->sizes->addr, 4) &&
                         !overlap(content, ptr, t->texts->addr, 1) &&
                         (t->n_str || (in_order(t->texts->addr, names, content) &&
                                       t->sizes->user < t->content->user)));
}

static void answer(struct lookup *l, const struct tables *t)
{
    if (!l->answers++)
        l->found = *t;
}

static void try_arrays(struct lookup *l, struct tables *t)
{
    for (unsigned i = 0; i < l->n; i++) {
        t->content = &l->c[i];
        if (t->content != t->names && t->content != t->sizes && t->content != t->texts &&
            is_empty_array(l, t))
            answer(l, t);
    }
}

// Every pair of tables of sources that goes with the names.
static void try_pairs(struct lookup *l, struct tables *t, bool has_array)
{
    for (unsigned i = 0; i < l->n; i++)
        for (unsigned k = 0; k < l->n; k++) {
            t->sizes = &l->c[i];
            t->texts = &l->c[k];
            if (i == k || t->sizes == t->names || t->texts == t->names || t->sizes == t->content ||
                t->texts == t->content || !is_pair(l, t))
                continue;
            if (has_array)
                answer(l, t);
            else
                try_arrays(l, t);
        }
    t->sizes = t->texts = NULL;
}

static bool any_elsewhere(const struct lookup *l)
{
    for (unsigned i = 0; i < l->n; i++)
        if (is_zero(l->s, l->c[i].addr, 1) && l->c[i].elsewhere)
            return true;
    return false;
}

// Firmware that freezes no code. Of empty lists, help('modules') reads the names, too.
static void solve_empty(struct lookup *l)
{
    uint32_t n;
    uint64_t end;
    bool helped = any_elsewhere(l);
    for (unsigned pass = 0; pass < 2 && !l->answers; pass++)
        for (unsigned i = 0; i < l->n; i++) {
            struct tables t = {.names = &l->c[i]};
            if (!count_names(l->s, t.names->addr, &n, &end) ||
                (!n && helped && !t.names->elsewhere))
                continue;
            t.n_str = n;
            if (!pass)
                try_pairs(l, &t, false);
            else if (!n && helped) // without sources the list of names must be known otherwise
                try_arrays(l, &t);
        }
}

// --- the function

static const struct ref_isa *main_isa(const struct scan *s)
{
    unsigned i = 0;
    return ref_isa_of(s, &i);
}

static enum diag_code try_function(struct lookup *l, const struct ref_isa *isa, uint64_t function)
{
    l->function = function;
    l->end = flow_end(&l->s->view, isa, function);
    enum diag_code c = collect(l, isa);
    if (c || l->n < 2)
        return c;
    if ((c = sweep_candidates(l)))
        return c;
    solve_empty(l);
    return DIAG_OK;
}

static bool is_new(const uint64_t *list, unsigned n, uint64_t addr)
{
    for (unsigned i = 0; i < n; i++)
        if (list[i] == addr)
            return false;
    return true;
}

// The functions that are called behind a reference to ".frozen/".
static enum diag_code find_callees(struct scan *s, const struct ref_isa *isa, uint64_t *out,
                                   unsigned *n)
{
    static const char prefix[] = ".frozen/";
    struct ref_sweep r = {.scan = s};
    r.targets = ARENA_ARRAY(s->arena, struct ref_target, LOOKUP_PLACES);
    if (!r.targets)
        return diag_nomem(s->diag);
    for (uint64_t at = 0; r.n < LOOKUP_PLACES && view_find(&s->view, prefix, sizeof prefix, &at);
         at++)
        ref_want(&r, at);
    enum diag_code c = ref_sweep_targets(s, &r);
    for (unsigned i = 0; !c && i < r.n; i++)
        for (unsigned k = 0; k < r.targets[i].refs.n && *n + LOOKUP_CALLS < LOOKUP_CANDIDATES;
             k++) {
            uint64_t calls[LOOKUP_CALLS], user = r.targets[i].refs.refs[k].user;
            unsigned found = flow_calls(&s->view, isa, user, LOOKUP_STEPS, calls, LOOKUP_CALLS);
            for (unsigned m = 0; m < found; m++)
                if (is_new(out, *n, calls[m]))
                    out[(*n)++] = calls[m];
        }
    return c;
}

static struct fw_refs refs_of(struct lookup *l, const struct candidate *c)
{
    struct fw_refs refs = ref_take(&l->sweep, c->addr);
    for (unsigned i = 0; i < refs.n; i++)
        if (refs.refs[i].user - l->function < l->end - l->function)
            refs.refs[i].function = l->function;
    return refs;
}

static enum diag_code list_sources(struct scan *s, uint32_t n)
{
    struct firmware *fw = s->fw;
    uint64_t at = fw->names;
    fw->modules = ARENA_ARRAY(s->arena, struct fw_module, n + 1);
    if (!fw->modules)
        return diag_nomem(s->diag);
    fw->n_str = fw->n_modules = n;
    for (uint32_t i = 0, len; i < n; i++, at += len + 1)
        fw->modules[i] = (struct fw_module){.kind = FW_MODULE_STR,
                                            .name = view_text(&s->view, at, LOOKUP_NAME_MAX, &len)};
    return DIAG_OK;
}

static void take_pair(struct lookup *l)
{
    const struct tables *t = &l->found;
    if (!t->sizes)
        return;
    l->s->fw->str_sizes_refs = refs_of(l, t->sizes);
    l->s->fw->str_content_refs = refs_of(l, t->texts);
    str_take(l->s, t->sizes->addr, t->texts->addr);
}

static enum diag_code take_all(struct lookup *l)
{
    struct firmware *fw = l->s->fw;
    const struct tables *t = &l->found;
    uint32_t n;
    uint64_t end = 0;
    count_names(l->s, t->names->addr, &n, &end);
    fw->names = t->names->addr;
    fw->names_size = end - fw->names;
    fw->content = t->content->addr;
    fw->names_refs = refs_of(l, t->names);
    fw->content_refs = refs_of(l, t->content);
    ref_functions(l->s, (struct fw_refs *[]){&fw->names_refs}, 1);
    scan_note(l->s, "frozen names", fw->names, "the lookup function's code, and the shapes",
              "no modules, %u sources", n);
    enum diag_code c = list_sources(l->s, n);
    if (!c)
        take_pair(l);
    return c;
}

// Nothing but sources, or nothing at all, is frozen.
static enum diag_code find_all(struct scan *s)
{
    const struct ref_isa *isa = main_isa(s);
    struct lookup *l = ARENA_NEW(s->arena, struct lookup);
    struct lookup *best = ARENA_NEW(s->arena, struct lookup);
    uint64_t callees[LOOKUP_CANDIDATES];
    unsigned n = 0, answers = 0;
    if (!l || !best)
        return diag_nomem(s->diag);
    enum diag_code c = isa && isa->step ? find_callees(s, isa, callees, &n) : DIAG_OK;
    for (unsigned i = 0; !c && i < n; i++) {
        *l = (struct lookup){.s = s};
        c = try_function(l, isa, callees[i]);
        answers += l->answers;
        if (l->answers) {
            struct lookup *other = best;
            best = l;
            l = other;
        }
    }
    if (!c && answers == 1)
        return take_all(best);
    if (!c)
        scan_note(s, "frozen names", 0, "no module is frozen, and the code that looks them up",
                  answers ? "is ambiguous" : "was not recognised");
    return c;
}

// The tables of sources beside known names and modules; without sources they are there, empty, when
// they are supported.
static enum diag_code find_pair(struct scan *s)
{
    const struct ref_isa *isa = main_isa(s);
    struct lookup *l = ARENA_NEW(s->arena, struct lookup);
    if (!l)
        return diag_nomem(s->diag);
    *l = (struct lookup){.s = s, .function = s->fw->content_refs.refs[0].function};
    l->end = flow_end(&s->view, isa, l->function);
    enum diag_code c = collect(l, isa);
    if (!c)
        c = sweep_candidates(l);
    struct tables t = {.n_str = s->fw->n_str};
    for (unsigned i = 0; !c && i < l->n; i++) {
        t.names = l->c[i].addr == s->fw->names ? &l->c[i] : t.names;
        t.content = l->c[i].addr == s->fw->content ? &l->c[i] : t.content;
    }
    if (!c && t.names)
        try_pairs(l, &t, true);
    if (l->answers == 1)
        take_pair(l);
    return c;
}

enum diag_code lookup_scan(struct scan *s)
{
    const struct firmware *fw = s->fw;
    if (fw->frozen != FW_YES || fw->folded)
        return DIAG_OK;
    if (!fw->names)
        return find_all(s);
    bool known = fw->content_refs.n && fw->content_refs.refs[0].function && main_isa(s);
    return known && !fw->content_refs.refs[0].addend ? find_pair(s) : DIAG_OK;
}
