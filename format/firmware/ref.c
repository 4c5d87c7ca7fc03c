// References from code: what is looked for, and which sweep looks.
#include "format/firmware/flow.h"

#include <stdlib.h>

enum {
    REF_EACH_MAX = 256,     // references to one address; real firmware has three
    REF_BUDGET = 256 << 20, // bytes of code read in search of the users of words; real: a few MiB
};

static const struct ref_isa *const isas[] = {
    &ref_thumb, &ref_arm, &ref_x86, &ref_x64, &ref_aarch64, &ref_rv32, &ref_rv64, &ref_xtensa,
};
enum { REF_ISAS = sizeof isas / sizeof *isas };

static int compare_target(const void *a, const void *b)
{
    const struct ref_target *x = a, *y = b;
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

// Every address of the image is a target; too many are left out.
static struct ref_target *collected(struct ref_sweep *r, uint64_t addr)
{
    for (unsigned i = 0; i < r->n; i++)
        if (r->targets[i].addr == addr)
            return &r->targets[i];
    if (r->n == REF_COLLECT_MAX || !view_span_at(&r->scan->view, addr))
        return NULL;
    r->targets[r->n] = (struct ref_target){.addr = addr};
    return &r->targets[r->n++];
}

struct ref_target *ref_target_at(struct ref_sweep *r, uint64_t addr)
{
    struct ref_target key = {.addr = addr};
    if (r->collect)
        return collected(r, addr);
    return r->n ? bsearch(&key, r->targets, r->n, sizeof key, compare_target) : NULL;
}

// A reference to a word that holds the wanted address: the word is what must change.
static void add_slot(struct ref_sweep *r, uint64_t slot, uint64_t target, uint64_t user)
{
    struct ref_target *t = ref_target_at(r, target);
    bool pic = r->scan->view.image->pic;
    struct fw_ref ref = {
        .kind = pic ? FW_REF_WORD_RELATIVE : FW_REF_WORD, .addr = slot, .user = user};
    if (t && !t->slot_of)
        ref_add(r, t, &ref);
}

bool ref_spend(struct ref_sweep *r, uint64_t bytes)
{
    r->spent += bytes;
    return r->spent <= REF_BUDGET;
}

void ref_add(struct ref_sweep *r, struct ref_target *t, const struct fw_ref *ref)
{
    if (scan_is_record(r->scan, ref->user ? ref->user : ref->addr))
        return;
    if (t->slot_of) {
        add_slot(r, t->addr, t->slot_of, ref->user);
        return;
    }
    for (unsigned i = 0; i < t->refs.n; i++)
        if (t->refs.refs[i].addr == ref->addr && t->refs.refs[i].addr2 == ref->addr2) {
            if (!t->refs.refs[i].user)
                t->refs.refs[i].user = ref->user;
            return;
        }
    if (t->refs.n == REF_EACH_MAX)
        return;
    if (t->refs.n == t->cap) {
        unsigned cap = t->cap ? 2 * t->cap : 4;
        struct fw_ref *grown =
            arena_grow(r->scan->arena, t->refs.refs, t->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            r->nomem = true;
            return;
        }
        t->refs.refs = grown;
        t->cap = cap;
    }
    t->refs.refs[t->refs.n] = *ref;
    t->refs.refs[t->refs.n++].target = t->addr;
}

bool ref_next_code(const struct ref_sweep *r, unsigned *i, struct view_span *out)
{
    const struct view *v = &r->scan->view;
    for (; *i < v->n; ++*i) {
        const struct view_span *p = &v->spans[*i];
        uint64_t from = p->run, to = p->run + p->size;
        if (r->to) {
            from = r->from > from ? r->from : from;
            to = r->to < to ? r->to : to;
        }
        if (!(p->flags & IMAGE_X) || from >= to)
            continue;
        *out = (struct view_span){from, to - from, p->data + (from - p->run),
                                  p->pos + (uint32_t)(from - p->run), p->flags};
        ++*i;
        return true;
    }
    return false;
}

void ref_want(struct ref_sweep *r, uint64_t addr)
{
    if (addr)
        r->targets[r->n++].addr = addr;
}

static void drop_doubles(struct ref_sweep *r)
{
    unsigned n = 0;
    qsort(r->targets, r->n, sizeof *r->targets, compare_target);
    for (unsigned i = 0; i < r->n; i++)
        if (!n || r->targets[n - 1].addr != r->targets[i].addr)
            r->targets[n++] = r->targets[i];
    r->n = n;
}

// Code may load an address from a word: in position-independent code from a relocated one; in
// 64-bit code at a fixed address from the GOT, if it was compiled to be position-independent, or
// from a word behind the function (AArch64, the large code model). In other code a word that is
// loaded is a literal, which the sweeps know.
bool ref_loads_words(const struct scan *s)
{
    enum image_machine isa = s->fw->isa;
    return s->view.image->pic || isa == IMAGE_ISA_AARCH64 || isa == IMAGE_ISA_X64 ||
           isa == IMAGE_ISA_RV64;
}

static bool add_slots(struct scan *s, struct ref_sweep *r)
{
    unsigned n = r->n, cap = r->n;
    for (unsigned i = 0; ref_loads_words(s) && i < n; i++) {
        uint32_t k = 0;
        uint64_t at;
        while (view_users(&s->view, r->targets[i].addr, &k, &at)) {
            if (r->n == cap) {
                struct ref_target *grown =
                    arena_grow(s->arena, r->targets, cap * sizeof *grown, 2 * cap * sizeof *grown);
                if (!grown)
                    return false;
                r->targets = grown;
                cap *= 2;
            }
            r->targets[r->n++] = (struct ref_target){.addr = at, .slot_of = r->targets[i].addr};
        }
    }
    drop_doubles(r);
    return true;
}

static bool collect_targets(struct scan *s, struct ref_sweep *r)
{
    unsigned n = s->fw->n_pools;
    for (unsigned i = 0; i < s->n_tables; i++)
        n += 1 + s->tables[i].n_starts;
    r->scan = s;
    r->targets = ARENA_ARRAY(s->arena, struct ref_target, n);
    if (!r->targets)
        return false;
    for (unsigned i = 0; i < s->fw->n_pools; i++)
        ref_want(r, s->fw->pools[i].addr);
    for (unsigned i = 0; i < s->n_tables; i++) {
        ref_want(r, s->tables[i].content);
        for (unsigned k = 0; k < s->tables[i].n_starts; k++)
            ref_want(r, s->tables[i].starts[k]);
    }
    return true;
}

struct fw_refs ref_take(struct ref_sweep *r, uint64_t addr)
{
    const struct ref_target *t = addr ? ref_target_at(r, addr) : NULL;
    return t ? t->refs : (struct fw_refs){0};
}

// Images of Arm microcontrollers mix both instruction sets.
static bool is_arm(enum image_machine isa)
{
    return isa == IMAGE_ISA_THUMB || isa == IMAGE_ISA_ARM;
}

const struct ref_isa *ref_isa_of(const struct scan *s, unsigned *i)
{
    for (; *i < 2 * REF_ISAS; ++*i) {
        const struct ref_isa *isa = isas[*i % REF_ISAS];
        bool first = isa->isa == s->fw->isa;
        if (*i < REF_ISAS ? first : !first && is_arm(isa->isa) && is_arm(s->fw->isa))
            return ++*i, isa;
    }
    return NULL;
}

static void sweep_all(const struct scan *s, struct ref_sweep *r)
{
    const struct ref_isa *isa;
    for (unsigned i = 0; (isa = ref_isa_of(s, &i));)
        isa->sweep(r);
}

enum diag_code ref_sweep_targets(struct scan *s, struct ref_sweep *r)
{
    drop_doubles(r);
    if (!add_slots(s, r))
        return diag_nomem(s->diag);
    sweep_all(s, r);
    return r->nomem ? diag_nomem(s->diag) : DIAG_OK;
}

bool ref_uses_literals(const struct scan *s)
{
    unsigned i = 0;
    const struct ref_isa *isa = ref_isa_of(s, &i);
    return isa && isa->user && !s->view.image->pic;
}

uint64_t ref_user_of_literal(const struct scan *s, uint64_t addr)
{
    const struct ref_isa *isa;
    uint64_t user = 0;
    for (unsigned i = 0; !user && (isa = ref_isa_of(s, &i));)
        user = isa->user ? isa->user(&s->view, addr) : 0;
    return user;
}

// --- the functions of references

enum { REF_USERS_MAX = 64 }; // whose functions are looked for

static void find_functions(const struct scan *s, const struct ref_isa *isa, struct flow_user *users,
                           unsigned n)
{
    if (isa->function) {
        for (unsigned i = 0; i < n; i++)
            users[i].function = isa->function(&s->view, users[i].at);
    } else {
        flow_functions(&s->view, isa, users, n);
    }
}

static unsigned list_users(struct fw_refs *const *lists, unsigned n_lists, struct fw_ref **refs)
{
    unsigned n = 0;
    for (unsigned k = 0; k < n_lists; k++)
        for (unsigned i = 0; i < lists[k]->n && n < REF_USERS_MAX; i++)
            if (lists[k]->refs[i].user && !lists[k]->refs[i].function)
                refs[n++] = &lists[k]->refs[i];
    return n;
}

// Data that is known lies in no function: what was taken for the start is another one's, or data.
static bool holds_data(const struct firmware *fw, uint64_t from, uint64_t to)
{
    const uint64_t data[] = {fw->names, fw->content, fw->objects[FW_TYPE_STR],
                             fw->objects[FW_TYPE_TYPE]};
    for (unsigned i = 0; i < sizeof data / sizeof *data; i++)
        if (data[i] >= from && data[i] < to)
            return true;
    for (unsigned i = 0; i < fw->n_pools; i++)
        if (fw->pools[i].addr >= from && fw->pools[i].addr < to)
            return true;
    return false;
}

void ref_functions(const struct scan *s, struct fw_refs *const *lists, unsigned n_lists)
{
    struct fw_ref *refs[REF_USERS_MAX];
    struct flow_user users[REF_USERS_MAX];
    const struct ref_isa *isa;
    for (unsigned k = 0; (isa = ref_isa_of(s, &k));) {
        unsigned n = list_users(lists, n_lists, refs);
        for (unsigned i = 0; i < n; i++)
            users[i].at = refs[i]->user;
        find_functions(s, isa, users, n);
        for (unsigned i = 0; i < n; i++)
            refs[i]->function =
                holds_data(s->fw, users[i].function, users[i].at) ? 0 : users[i].function;
    }
}

// The function that looks modules up holds the reference to the array.
static void find_lookup(struct scan *s)
{
    struct firmware *fw = s->fw;
    if (!fw->content_refs.n || !fw->content_refs.refs[0].function)
        return;
    fw->find_frozen_function = fw->content_refs.refs[0].function;
    scan_note(s, "lookup function", fw->find_frozen_function,
              "it holds the reference to the modules", "0x%llx",
              (unsigned long long)fw->find_frozen_function);
}

// With one module and link-time optimisation the "array" is the literal of the module's address.
static void find_folded(struct scan *s)
{
    struct firmware *fw = s->fw;
    struct fw_ref ref = {.user = 0};
    struct fw_refs list = {1, &ref}, *lists[] = {&list};
    if (fw->content_refs.n || fw->n_modules - fw->n_str != 1 ||
        !(ref.user = ref_user_of_literal(s, fw->content)))
        return;
    fw->folded = fw->content;
    fw->content = 0;
    ref_functions(s, lists, 1);
    fw->find_frozen_function = ref.function;
    scan_note(s, "frozen array", fw->folded, "code loads the module's address itself",
              "folded away by link-time optimisation");
}

// Are both, whose functions are known, in one? What looks like a call of the middle of one hides
// its start from the references behind it, but not from those before.
static bool share_function(const struct scan *s, const struct fw_ref *a, const struct fw_ref *b)
{
    const struct fw_ref *first = a->function < b->function ? a : b, *other = first == a ? b : a;
    const struct ref_isa *isa;
    if (a->function == b->function)
        return true;
    for (unsigned k = 0; (isa = ref_isa_of(s, &k));)
        if (isa->step && flow_reaches(&s->view, isa, first->function, other->user))
            return true;
    return false;
}

// Does the lookup function, which has the reference to the modules, refer to t as well? Where a
// function is not known, it may.
static bool in_lookup(const struct scan *s, const struct fw_refs *refs)
{
    const struct fw_refs *content = &s->fw->content_refs;
    for (unsigned i = 0; i < refs->n; i++)
        if (!content->n || !content->refs[0].function || !refs->refs[i].function ||
            share_function(s, &content->refs[0], &refs->refs[i]))
            return true;
    return false;
}

static void choose_str(struct scan *s, struct ref_sweep *r, const struct str_tables *t)
{
    struct firmware *fw = s->fw;
    for (unsigned i = 0; i < t->n; i++) {
        struct fw_refs sizes = ref_take(r, t->sizes[i]), content = ref_take(r, t->content[i]);
        ref_functions(s, (struct fw_refs *[]){&sizes, &content}, 2);
        if (!in_lookup(s, &sizes) || !in_lookup(s, &content))
            continue;
        fw->str_sizes_refs = sizes;
        fw->str_content_refs = content;
        str_take(s, t->sizes[i], t->content[i]);
        return;
    }
    scan_note(s, "frozen sources", fw->names, "no sizes and texts that agree are referred to",
              "not found");
}

// The tables of source texts can be looked for only when the names are known: a second, small
// sweep.
static enum diag_code str_refs(struct scan *s)
{
    struct ref_sweep r = {.scan = s};
    struct str_tables *t = ARENA_NEW(s->arena, struct str_tables);
    r.targets = ARENA_ARRAY(s->arena, struct ref_target, 2 * STR_PAIRS_MAX);
    if (!t || !r.targets)
        return diag_nomem(s->diag);
    str_collect(s, t);
    for (unsigned i = 0; i < t->n; i++) {
        ref_want(&r, t->sizes[i]);
        ref_want(&r, t->content[i]);
    }
    enum diag_code c = ref_sweep_targets(s, &r);
    if (!c)
        choose_str(s, &r, t);
    return c;
}

static unsigned count_words(const struct scan *s, uint64_t addr)
{
    unsigned n = 0;
    uint32_t i = 0;
    uint64_t at;
    while (n < REF_EACH_MAX && view_users(&s->view, addr, &i, &at))
        n++;
    return n;
}

enum diag_code ref_scan(struct scan *s)
{
    struct firmware *fw = s->fw;
    if (!collect_targets(s, &s->sweep))
        return diag_nomem(s->diag);
    enum diag_code c = ref_sweep_targets(s, &s->sweep);
    if (c || (c = frozen_choose(s)))
        return c;
    fw->content_refs = ref_take(&s->sweep, fw->content);
    fw->names_refs = ref_take(&s->sweep, fw->names);
    fw->pool_refs = ref_take(&s->sweep, fw->pools[fw->n_pools - 1].addr);
    fw->pool_words = count_words(s, fw->pools[fw->n_pools - 1].addr);
    ref_functions(s, (struct fw_refs *[]){&fw->content_refs, &fw->names_refs, &fw->pool_refs}, 3);
    find_folded(s);
    if ((c = lookup_scan(s)) || (fw->n_str && !fw->str_sizes && (c = str_refs(s))))
        return c;
    find_lookup(s);
    scan_note(s, "references", 0, "code that loads the addresses", "content %u, names %u, pool %u",
              fw->content_refs.n, fw->names_refs.n, fw->pool_refs.n);
    return DIAG_OK;
}
