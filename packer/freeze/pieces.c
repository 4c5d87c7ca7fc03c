#include "packer/freeze/pieces.h"

void pieces_init(struct pieces *p, unsigned ptr, struct arena *a)
{
    *p = (struct pieces){.arena = a, .ptr = ptr};
    for (int i = 0; i < PARTS; i++) {
        bytes_out_init(&p->part[i]);
    }
    bytes_out_init(&p->out);
    bytes_out_init(&p->code);
}

void pieces_apart(struct pieces *p, uint64_t code_at)
{
    p->apart = true;
    bytes_fill(&p->code, 0, (size_t)(-code_at % FREEZE_ALIGN));
    p->code_base = p->code.size;
}

void pieces_free(struct pieces *p)
{
    for (int i = 0; i < PARTS; i++) {
        bytes_out_free(&p->part[i]);
    }
    bytes_out_free(&p->out);
    bytes_out_free(&p->code);
}

struct place pieces_at(struct pieces *p, enum part part)
{
    if (part == PART_WORDS) {
        return pieces_words(p, p->ptr);
    }
    return (struct place){
        .part = (uint8_t)part, .run = p->run, .offset = (uint32_t)p->part[part].size};
}

struct place pieces_words(struct pieces *p, unsigned align)
{
    struct bytes_out *words = &p->part[PART_WORDS];
    bytes_put_align(words, align, 0);
    p->wide |= align > p->ptr;
    return (struct place){.part = PART_WORDS,
                          .align = (uint8_t)align,
                          .run = p->run,
                          .offset = (uint32_t)words->size};
}

struct place pieces_bytes(struct pieces *p, const void *data, size_t n)
{
    struct place at = pieces_at(p, PART_BYTES);
    bytes_put(&p->part[PART_BYTES], data, n);
    return at;
}

struct place pieces_code(struct pieces *p, const void *data, size_t n, unsigned align)
{
    bytes_put_align(&p->part[PART_CODE], align, 0);
    if (align > p->code_align) {
        p->code_align = align;
    }
    struct place at = pieces_at(p, PART_CODE);
    bytes_put(&p->part[PART_CODE], data, n);
    return at;
}

void pieces_word(struct pieces *p, uint64_t value)
{
    uint8_t word[8];
    st64(word, value);
    bytes_put(&p->part[PART_WORDS], word, p->ptr);
}

static void *grow(struct arena *a, void *items, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap) {
        return items;
    }
    uint32_t wanted = *cap ? *cap * 2 : 256;
    items = arena_grow(a, items, *cap * size, wanted * size);
    *cap = wanted;
    return items;
}

static void add_link_at(struct pieces *p, struct place at, struct link link)
{
    p->links = grow(p->arena, p->links, p->n_links, &p->cap_links, sizeof *p->links);
    link.at = at;
    p->links[p->n_links++] = link;
}

static void add_link(struct pieces *p, struct link link)
{
    struct place at = {
        .part = PART_WORDS, .run = p->run, .offset = (uint32_t)p->part[PART_WORDS].size};
    add_link_at(p, at, link);
    pieces_word(p, 0);
}

void pieces_pointer(struct pieces *p, struct place to)
{
    add_link(p, (struct link){.inside = true, .place = to});
}

void pieces_pointer_plus(struct pieces *p, struct place to, uint32_t plus)
{
    to.offset += plus;
    pieces_pointer(p, to);
}

void pieces_pointer_data(struct pieces *p, struct place to, uint32_t plus)
{
    to.offset += plus;
    add_link(p, (struct link){.inside = true, .data = true, .place = to});
}

void pieces_pointer_out(struct pieces *p, uint64_t address)
{
    add_link(p, (struct link){.value = address});
}

void pieces_relocate(struct pieces *p, struct place at, struct place to, uint64_t plus)
{
    add_link_at(p, at, (struct link){.inside = true, .place = to, .value = plus});
}

void pieces_relocate_out(struct pieces *p, struct place at, uint64_t address)
{
    add_link_at(p, at, (struct link){.value = address});
}

bool pieces_is_code(const struct link *l)
{
    return l->inside && !l->data && l->place.part == PART_CODE;
}

static void add_pointer(struct pieces *p, struct freeze_pointer pointer)
{
    p->pointers = grow(p->arena, p->pointers, p->n_pointers, &p->cap_pointers, sizeof *p->pointers);
    p->pointers[p->n_pointers++] = pointer;
}

static unsigned part_align(const struct pieces *p, enum part part)
{
    switch (part) {
    case PART_WORDS:
        return p->wide ? 8 : p->ptr;
    case PART_HALVES:
        return 2;
    case PART_CODE:
        return p->code_align ? p->code_align : 1;
    default:
        return 1;
    }
}

uint32_t pieces_offset(const struct pieces *p, struct place at)
{
    return p->bases[at.run][at.part] + at.offset;
}

// Where the parts of the run go; the end of the list of bases is the run's.
static uint32_t *begin_bases(struct pieces *p)
{
    p->bases = grow(p->arena, p->bases, p->run, &p->cap_runs, sizeof *p->bases);
    return p->bases[p->run];
}

// Machine code apart: its run begins as aligned as any of it wants to be.
static uint32_t flush_code(struct pieces *p, uint32_t *base)
{
    struct bytes_out *code = &p->part[PART_CODE];
    if (code->size) {
        bytes_fill(&p->code, 0, (p->code_base - p->code.size) % part_align(p, PART_CODE));
    }
    *base = (uint32_t)p->code.size;
    uint32_t size = (uint32_t)code->size;
    bytes_put(&p->code, code->data, size);
    code->size = 0;
    return size;
}

struct freeze_span pieces_flush(struct pieces *p)
{
    uint32_t *base = begin_bases(p), begin = UINT32_MAX, code = 0;
    for (int i = 0; i < PARTS; i++) {
        if (i == PART_CODE && p->apart) {
            code = flush_code(p, &base[i]);
            continue;
        }
        if (p->part[i].size) {
            bytes_put_align(&p->out, part_align(p, i), 0);
        }
        base[i] = (uint32_t)p->out.size;
        begin = begin == UINT32_MAX && p->part[i].size ? base[i] : begin;
        bytes_put(&p->out, p->part[i].data, p->part[i].size);
        p->part[i].size = 0;
    }
    for (uint32_t i = 0; i < p->n_links; i++) {
        const struct link *l = &p->links[i];
        add_pointer(p, (struct freeze_pointer){
                           .at = base[l->at.part] + l->at.offset,
                           .in_code = p->apart && l->at.part == PART_CODE,
                           .inside = l->inside,
                           .code = pieces_is_code(l),
                           .value = l->inside ? pieces_offset(p, l->place) + l->value : l->value});
    }
    p->run++;
    p->n_links = 0;
    p->wide = false;
    p->code_align = 0;
    uint32_t end = (uint32_t)p->out.size;
    begin = begin == UINT32_MAX ? end : begin;
    return (struct freeze_span){begin, end - begin, code};
}
