// References from code: what is looked for, and which sweep looks.
#include "format/firmware/scan.h"

#include <stdlib.h>

enum { REF_EACH_MAX = 256 }; // references to one address; real firmware has three

static const struct ref_isa *const isas[] = {
    &ref_thumb,
    &ref_x64,
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

void ref_add(struct ref_sweep *r, struct ref_target *t, const struct fw_ref *ref)
{
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
    return true;
}

static struct fw_refs take(const struct ref_sweep *r, uint64_t addr)
{
    const struct ref_target *t = addr ? ref_target_at(r, addr) : NULL;
    return t ? t->refs : (struct fw_refs){0};
}

enum diag_code ref_scan(struct scan *s)
{
    struct firmware *fw = s->fw;
    if (!collect_targets(s, &s->sweep))
        return diag_nomem(s->diag);
    for (unsigned i = 0; i < sizeof isas / sizeof *isas; i++)
        if (isas[i]->isa == fw->isa)
            isas[i]->sweep(&s->sweep);
    if (s->sweep.nomem)
        return diag_nomem(s->diag);
    enum diag_code c = frozen_choose(s);
    if (c)
        return c;
    fw->content_refs = take(&s->sweep, fw->content);
    fw->names_refs = take(&s->sweep, fw->names);
    fw->pool_refs = take(&s->sweep, fw->pools[fw->n_pools - 1].addr);
    scan_note(s, "references", 0, "code that loads the addresses", "content %u, names %u, pool %u",
              fw->content_refs.n, fw->names_refs.n, fw->pool_refs.n);
    return DIAG_OK;
}
