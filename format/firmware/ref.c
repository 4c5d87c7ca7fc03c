// References from code: what is looked for, and which sweep looks.
#include "format/firmware/scan.h"

#include <stdlib.h>

enum {
    REF_EACH_MAX = 256,     // references to one address; real firmware has three
    REF_BUDGET = 256 << 20, // bytes of code read in search of the users of words; real: a few MiB
};

static const struct ref_isa *const isas[] = {
    &ref_thumb, &ref_arm, &ref_x86, &ref_x64, &ref_aarch64, &ref_rv32, &ref_rv64, &ref_xtensa,
};

static int compare_target(const void *a, const void *b)
{
    const struct ref_target *x = a, *y = b;
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

struct ref_target *ref_target_at(const struct ref_sweep *r, uint64_t addr)
{
    struct ref_target key = {.addr = addr};
    return r->n ? bsearch(&key, r->targets, r->n, sizeof key, compare_target) : NULL;
}

// A reference to a word that holds the wanted address: the word is what must change.
static void add_slot(struct ref_sweep *r, uint64_t slot, uint64_t target, uint64_t function)
{
    struct ref_target *t = ref_target_at(r, target);
    struct fw_ref ref = {.kind = FW_REF_WORD_RELATIVE, .addr = slot, .function = function};
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
    if (t->slot_of) {
        add_slot(r, t->addr, t->slot_of, ref->function);
        return;
    }
    for (unsigned i = 0; i < t->refs.n; i++)
        if (t->refs.refs[i].addr == ref->addr && t->refs.refs[i].addr2 == ref->addr2)
            return;
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

static void want(struct ref_sweep *r, uint64_t addr)
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

// In position-independent code an address may be loaded from a relocated word.
static bool add_slots(struct scan *s, struct ref_sweep *r)
{
    unsigned n = r->n, cap = r->n;
    for (unsigned i = 0; s->view.image->pic && i < n; i++) {
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
        want(r, s->fw->pools[i].addr);
    for (unsigned i = 0; i < s->n_tables; i++) {
        want(r, s->tables[i].content);
        for (unsigned k = 0; k < s->tables[i].n_starts; k++)
            want(r, s->tables[i].starts[k]);
    }
    drop_doubles(r);
    return add_slots(s, r);
}

static struct fw_refs take(const struct ref_sweep *r, uint64_t addr)
{
    const struct ref_target *t = addr ? ref_target_at(r, addr) : NULL;
    return t ? t->refs : (struct fw_refs){0};
}

// Images of Arm microcontrollers mix both instruction sets.
static bool is_arm(enum image_machine isa)
{
    return isa == IMAGE_ISA_THUMB || isa == IMAGE_ISA_ARM;
}

static bool applies(const struct ref_isa *r, enum image_machine isa)
{
    return r->isa == isa || (is_arm(isa) && is_arm(r->isa));
}

static void sweep_all(const struct scan *s, struct ref_sweep *r)
{
    for (unsigned i = 0; i < sizeof isas / sizeof *isas; i++)
        if (applies(isas[i], s->fw->isa))
            isas[i]->sweep(r);
}

bool ref_uses_literals(const struct scan *s)
{
    for (unsigned i = 0; i < sizeof isas / sizeof *isas; i++)
        if (applies(isas[i], s->fw->isa))
            return isas[i]->user && !s->view.image->pic;
    return false;
}

bool ref_loads_word(const struct scan *s, uint64_t addr)
{
    for (unsigned i = 0; i < sizeof isas / sizeof *isas; i++)
        if (applies(isas[i], s->fw->isa) && isas[i]->user && isas[i]->user(&s->view, addr))
            return true;
    return false;
}

// The instruction and the function that load the literal word at addr.
static uint64_t function_of_literal(const struct scan *s, uint64_t addr)
{
    for (unsigned i = 0; i < sizeof isas / sizeof *isas; i++) {
        uint64_t user = applies(isas[i], s->fw->isa) && isas[i]->user && isas[i]->function
                            ? isas[i]->user(&s->view, addr)
                            : 0;
        if (user)
            return isas[i]->function(&s->view, user);
    }
    return 0;
}

static bool is_called(const struct scan *s, uint64_t function)
{
    for (unsigned i = 0; i < sizeof isas / sizeof *isas; i++)
        if (applies(isas[i], s->fw->isa) && isas[i]->is_called &&
            isas[i]->is_called(&s->view, function))
            return true;
    return false;
}

// The function that looks modules up holds the reference to the array. A start that nothing calls
// is not one: the function was inlined, or its start was not recognised.
static void find_lookup(struct scan *s)
{
    struct firmware *fw = s->fw;
    uint64_t function = fw->folded           ? function_of_literal(s, fw->folded)
                        : fw->content_refs.n ? fw->content_refs.refs[0].function
                                             : 0;
    if (!function || !is_called(s, function))
        return;
    fw->find_frozen_function = function;
    scan_note(s, "lookup function", function, "it holds the reference to the modules and is called",
              "0x%llx", (unsigned long long)function);
}

// With one module and link-time optimisation the "array" is the literal of the module's address.
static void find_folded(struct scan *s)
{
    struct firmware *fw = s->fw;
    if (fw->content_refs.n || fw->n_modules - fw->n_str != 1 || !ref_loads_word(s, fw->content))
        return;
    fw->folded = fw->content;
    fw->content = 0;
    scan_note(s, "frozen array", fw->folded, "code loads the module's address itself",
              "folded away by link-time optimisation");
}

// Does the lookup function, which has the reference to the modules, refer to t as well?
static bool in_lookup(const struct firmware *fw, const struct fw_refs *refs)
{
    for (unsigned i = 0; i < refs->n; i++)
        if (!fw->content_refs.n || refs->refs[i].function == fw->content_refs.refs[0].function)
            return true;
    return false;
}

static void choose_str(struct scan *s, const struct ref_sweep *r, const struct str_tables *t)
{
    struct firmware *fw = s->fw;
    for (unsigned i = 0; i < t->n; i++) {
        struct fw_refs sizes = take(r, t->sizes[i]), content = take(r, t->content[i]);
        if (!in_lookup(fw, &sizes) || !in_lookup(fw, &content))
            continue;
        fw->str_sizes_refs = sizes;
        fw->str_content_refs = content;
        str_take(s, t->sizes[i], t->content[i]);
        return;
    }
    if (fw->n_str)
        scan_note(s, "frozen sources", fw->names, "no sizes and texts that agree are referred to",
                  "not found");
}

// Without any source both tables are there, empty, when the build supports them: a zero word, and
// an empty text close by, both referred to by the lookup function. code has them as literals.
static void collect_empty(const struct scan *s, struct str_tables *t)
{
    enum { POOL_REACH = 128, APART_MAX = 64 };
    const struct fw_ref *c = s->fw->content_refs.refs;
    uint64_t values[2 * POOL_REACH / 4], zero, other;
    unsigned n = 0;
    if (!s->fw->content_refs.n || c->kind != FW_REF_WORD || c->addend || !c->function)
        return;
    for (uint64_t at = c->addr - POOL_REACH; at < c->addr + POOL_REACH; at += 4)
        if (view_is_pointer(&s->view, at, &other) && other != s->fw->names &&
            other != s->fw->content && function_of_literal(s, at) == c->function)
            values[n++] = other;
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < n && t->n < STR_PAIRS_MAX; k++)
            if (i != k && view_word(&s->view, values[i], &zero) && !zero && !(values[i] & 3) &&
                view_is_text(&s->view, values[k], "") &&
                values[k] - values[i] + APART_MAX < 2 * APART_MAX) {
                t->sizes[t->n] = values[i];
                t->content[t->n++] = values[k];
            }
    if (t->n > 1) // cannot be told apart
        t->n = 0;
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
    if (!s->fw->n_str)
        collect_empty(s, t);
    for (unsigned i = 0; i < t->n; i++) {
        want(&r, t->sizes[i]);
        want(&r, t->content[i]);
    }
    if (!t->n)
        return DIAG_OK;
    drop_doubles(&r);
    if (!add_slots(s, &r))
        return diag_nomem(s->diag);
    sweep_all(s, &r);
    choose_str(s, &r, t);
    return r.nomem ? diag_nomem(s->diag) : DIAG_OK;
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
    sweep_all(s, &s->sweep);
    if (s->sweep.nomem)
        return diag_nomem(s->diag);
    enum diag_code c = frozen_choose(s);
    if (c)
        return c;
    fw->content_refs = take(&s->sweep, fw->content);
    fw->names_refs = take(&s->sweep, fw->names);
    fw->pool_refs = take(&s->sweep, fw->pools[fw->n_pools - 1].addr);
    fw->pool_words = count_words(s, fw->pools[fw->n_pools - 1].addr);
    find_folded(s);
    find_lookup(s);
    if ((c = str_refs(s)))
        return c;
    scan_note(s, "references", 0, "code that loads the addresses", "content %u, names %u, pool %u",
              fw->content_refs.n, fw->names_refs.n, fw->pool_refs.n);
    return DIAG_OK;
}
