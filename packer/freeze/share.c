// What is only read and equal is kept once: constants, their data and tables, raw codes, bytecode.
// Nothing in the VM compares their addresses, and nothing writes to them. Two things are equal when
// their bytes are and their pointers lead to the same places; as what is pointed to was shared
// before, equal trees become one from their leaves up.
#include <xxhash.h>

#include "packer/freeze/pieces.h"

struct candidate { // what was just written
    struct place at;
    uint32_t size, hash;
    const struct link *links;
    uint32_t n_links;
};

static uint32_t hash_link(uint32_t h, const struct link *l, uint32_t from)
{
    const uint64_t words[] = {l->at.offset - from, l->inside, l->value,
                              (uint64_t)l->place.run << 8 | l->place.part, l->place.offset};
    return (uint32_t)XXH3_64bits_withSeed(words, sizeof words, h);
}

static struct candidate candidate(const struct pieces *p, struct place at)
{
    const struct bytes_out *part = &p->part[at.part];
    struct candidate c = {.at = at, .size = (uint32_t)part->size - at.offset};
    uint32_t n = p->n_links;
    while (n && p->links[n - 1].at.part == at.part && p->links[n - 1].at.offset >= at.offset) {
        n--;
    }
    c.links = p->links + n;
    c.n_links = p->n_links - n;
    c.hash = (uint32_t)XXH3_64bits(part->data + at.offset, c.size);
    for (uint32_t i = 0; i < c.n_links; i++) {
        c.hash = hash_link(c.hash, &c.links[i], at.offset);
    }
    return c;
}

static bool same_place(struct place a, struct place b)
{
    return a.run == b.run && a.part == b.part && a.offset == b.offset;
}

// Of this run: the pointers are still links.
static bool same_links(const struct pieces *p, const struct shared *s, const struct candidate *c)
{
    const struct link *x = &p->links[s->first - p->n_pointers], *y = c->links;
    for (uint32_t i = 0; i < c->n_links; i++, x++, y++) {
        if (x->at.offset - s->at.offset != y->at.offset - c->at.offset || x->inside != y->inside ||
            x->data != y->data || x->value != y->value ||
            (x->inside && !same_place(x->place, y->place))) {
            return false;
        }
    }
    return true;
}

// Of an earlier run, which can only point to what was there then.
static bool same_pointers(const struct pieces *p, const struct shared *s, const struct candidate *c)
{
    const struct freeze_pointer *x = &p->pointers[s->first];
    const struct link *y = c->links;
    for (uint32_t i = 0; i < c->n_links; i++, x++, y++) {
        if (x->at - pieces_offset(p, s->at) != y->at.offset - c->at.offset ||
            x->inside != y->inside || x->code != pieces_is_code(y) ||
            (y->inside && y->place.run == p->run) ||
            x->value != (y->inside ? pieces_offset(p, y->place) : 0) + y->value) {
            return false;
        }
    }
    return true;
}

static bool same(const struct pieces *p, const struct shared *s, const struct candidate *c)
{
    bool now = s->at.run == p->run;
    if (s->hash != c->hash || s->size != c->size || s->n != c->n_links ||
        s->at.part != c->at.part || s->at.align < c->at.align) {
        return false;
    }
    const uint8_t *bytes = p->part[c->at.part].data + c->at.offset;
    const uint8_t *other =
        now ? p->part[s->at.part].data + s->at.offset : p->out.data + pieces_offset(p, s->at);
    return !memcmp(bytes, other, c->size) && (now ? same_links(p, s, c) : same_pointers(p, s, c));
}

static void share_rehash(struct pieces *p)
{
    struct shared *old = p->shared;
    uint32_t n_old = p->n_slots;
    p->n_slots = n_old ? n_old * 2 : 1024;
    p->shared = ARENA_ARRAY(p->arena, struct shared, p->n_slots);
    for (uint32_t i = 0; i < n_old; i++) {
        uint32_t k = old[i].hash & (p->n_slots - 1);
        while (old[i].size && p->shared[k].size) {
            k = (k + 1) & (p->n_slots - 1);
        }
        if (old[i].size) {
            p->shared[k] = old[i];
        }
    }
}

struct place pieces_share(struct pieces *p, struct place at)
{
    struct bytes_out *part = &p->part[at.part];
    if (part->failed || p->out.failed || part->size == at.offset) {
        return at;
    }
    if (p->n_shared * 2 >= p->n_slots) {
        share_rehash(p);
    }
    struct candidate c = candidate(p, at);
    uint32_t k = c.hash & (p->n_slots - 1);
    for (; p->shared[k].size; k = (k + 1) & (p->n_slots - 1)) {
        if (same(p, &p->shared[k], &c)) {
            part->size = at.offset;
            p->n_links -= c.n_links;
            return p->shared[k].at;
        }
    }
    p->shared[k] = (struct shared){.hash = c.hash,
                                   .size = c.size,
                                   .at = at,
                                   .first = p->n_pointers + (p->n_links - c.n_links),
                                   .n = c.n_links};
    p->n_shared++;
    return at;
}
