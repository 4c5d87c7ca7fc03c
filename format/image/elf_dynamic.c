// .symtab and dynamic relocations of an ELF file.
#include <stdlib.h>

#include "format/image/elf.h"

enum {
    DT_NULL = 0,
    DT_PLTRELSZ = 2,
    DT_SYMTAB = 6,
    DT_RELA = 7,
    DT_RELASZ = 8,
    DT_REL = 17,
    DT_RELSZ = 18,
    DT_PLTREL = 20,
    DT_JMPREL = 23,
    DT_RELRSZ = 35,
    DT_RELR = 36,
    DT_COUNT = 37, // tags below this one are kept
};

struct elf_dynamic {
    uint64_t tag[DT_COUNT];
    struct image_reloc *relocs;
    size_t n, cap;
};

static uint64_t elf_get(const struct elf *e, const uint8_t *p)
{
    return e->is64 ? ld64(p) : ld32(p);
}

static int elf_by_name(const void *a, const void *b)
{
    const struct image_symbol *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : x->value < y->value ? -1 : x->value > y->value;
}

// One entry of .symtab; false when it names nothing that has an address here.
static bool elf_symbol(const struct elf *e, const uint8_t *p, const char *names, uint64_t n_names,
                       struct image_symbol *s)
{
    uint32_t name = ld32(p);
    unsigned type = p[e->is64 ? 4 : 12] & 15;
    unsigned section = ld16(p + (e->is64 ? 6 : 14));
    if (name == 0 || name >= n_names || section == SHN_UNDEF || type > 2) { // NOTYPE, OBJECT, FUNC
        return false;
    }
    s->name = names + name;
    s->value = elf_get(e, p + (e->is64 ? 8 : 4));
    s->size = elf_get(e, p + (e->is64 ? 16 : 8));
    return s->name[0] != 0;
}

static enum diag_code elf_symtab(struct image *img, const struct elf *e,
                                 const struct elf_section *t, struct diag *d)
{
    unsigned entry = e->is64 ? 24 : 16;
    if (t->link >= e->shnum || e->sections[t->link].type == SHT_NOBITS) {
        return diag_set_binary(d, DIAG_MALFORMED, img->name, e->origin + e->shoff, "sh_link",
                               "symbol table names section %u of %u as its strings", t->link,
                               e->shnum);
    }
    const struct elf_section *strings = &e->sections[t->link];
    const char *names = NULL;
    if (strings->size && in_range(strings->offset, strings->size, e->size)) {
        names = (const char *)elf_bytes(e, strings->offset);
    }
    if (!names || names[strings->size - 1]) {
        return diag_set_binary(d, DIAG_MALFORMED, img->name, e->origin + strings->offset,
                               "symbol names", "do not end with NUL");
    }
    uint64_t n = t->size / entry;
    struct image_symbol *s = ARENA_ARRAY(img->arena, struct image_symbol, n + 1);
    if (!s) {
        return diag_nomem(d);
    }
    for (uint64_t i = 0; i < n; i++) {
        img->n_symbols += elf_symbol(e, elf_bytes(e, t->offset + i * entry), names, strings->size,
                                     &s[img->n_symbols]);
    }
    qsort(s, img->n_symbols, sizeof *s, elf_by_name);
    img->symbols = s;
    return DIAG_OK;
}

enum diag_code elf_read_symbols(struct image *img, const struct elf *e, struct diag *d)
{
    for (unsigned i = 1; i < e->shnum; i++) {
        if (e->sections[i].type == SHT_SYMTAB) { // at most one, says the gABI
            return elf_symtab(img, e, &e->sections[i], d);
        }
    }
    return DIAG_OK;
}

// size bytes of the file at a virtual address, headers included; NULL when no segment holds them.
static const uint8_t *elf_at(const struct elf *e, uint64_t vaddr, uint64_t size)
{
    for (unsigned i = 0; i < e->phnum; i++) {
        const struct elf_phdr *h = &e->ph[i];
        if (h->type == PT_LOAD && vaddr >= h->vaddr &&
            in_range(vaddr - h->vaddr, size, h->filesz)) {
            return elf_bytes(e, h->offset + (vaddr - h->vaddr));
        }
    }
    return NULL;
}

// The number of relocations is bounded: an entry takes space in the file, and RELR, where one
// bitmap covers up to 63 words, must not name more words than the file has.
static struct image_reloc *elf_new_reloc(struct image *img, struct elf_dynamic *dyn)
{
    if (dyn->n == dyn->cap) {
        size_t cap = dyn->cap ? dyn->cap * 2 : 1024, size = sizeof *dyn->relocs;
        struct image_reloc *p = arena_grow(img->arena, dyn->relocs, dyn->cap * size, cap * size);
        if (!p) {
            return NULL;
        }
        dyn->relocs = p;
        dyn->cap = cap;
    }
    struct image_reloc *r = &dyn->relocs[dyn->n++];
    memset(r, 0, sizeof *r);
    return r;
}

static uint32_t elf_relative_type(const struct elf *e)
{
    switch (e->machine) {
    case EM_ARM:
        return 23;
    case EM_AARCH64:
        return 1027;
    case EM_RISCV:
        return 3;
    case EM_XTENSA:
        return 5;
    default:
        return 8; // 386 and x86-64
    }
}

// What a relocation with a symbol adds, if this file defines the symbol. Only types whose result is
// symbol + addend count: absolute words, GOT entries and jump slots.
static bool elf_symbolic(const struct elf *e, const struct elf_dynamic *dyn, struct image_reloc *r)
{
    unsigned entry = e->is64 ? 24 : 16;
    uint64_t at;
    if (!dyn->tag[DT_SYMTAB] || !ck_add(dyn->tag[DT_SYMTAB], (uint64_t)r->symbol * entry, &at)) {
        return false;
    }
    const uint8_t *p = elf_at(e, at, entry);
    bool absolute = false, slot = false; // slots take no addend from the word
    switch (e->machine) {
    case EM_ARM:
        absolute = r->type == 2;
        slot = r->type == 21 || r->type == 22;
        break;
    case EM_386:
        absolute = r->type == 1;
        slot = r->type == 6 || r->type == 7;
        break;
    case EM_X86_64:
        absolute = r->type == 1;
        slot = r->type == 6 || r->type == 7;
        break;
    case EM_AARCH64:
        absolute = r->type == 257;
        slot = r->type == 1025 || r->type == 1026;
        break;
    case EM_RISCV:
        absolute = r->type == 1 || r->type == 2;
        slot = r->type == 5;
        break;
    default:
        break;
    }
    if (!p || ld16(p + (e->is64 ? 6 : 14)) == SHN_UNDEF || (!absolute && !slot)) {
        return false;
    }
    r->addend = (slot ? 0 : r->addend) + elf_get(e, p + (e->is64 ? 8 : 4));
    return true;
}

// One REL (no addend: it stands in the word) or RELA entry.
static enum diag_code elf_one_reloc(struct image *img, const struct elf *e, struct elf_dynamic *dyn,
                                    const uint8_t *p, bool rela)
{
    unsigned word = e->is64 ? 8 : 4;
    struct image_reloc *r = elf_new_reloc(img, dyn);
    if (!r) {
        return DIAG_NOMEM;
    }
    uint64_t info = elf_get(e, p + word);
    r->where = elf_get(e, p);
    r->type = e->is64 ? (uint32_t)info : (uint32_t)info & 0xff;
    r->symbol = (uint32_t)(info >> (e->is64 ? 32 : 8));
    const uint8_t *at = elf_at(e, r->where, word);
    r->addend = rela ? elf_get(e, p + 2 * word) : at ? elf_get(e, at) : 0;
    r->known = r->symbol ? elf_symbolic(e, dyn, r) : r->type == elf_relative_type(e);
    return DIAG_OK;
}

static enum diag_code elf_bad_table(const struct image *img, const char *tag, uint64_t at,
                                    uint64_t size, struct diag *d)
{
    return diag_set_binary(d, DIAG_MALFORMED, img->name, 0, tag,
                           "%llu bytes at 0x%llx are in no segment of the file",
                           (unsigned long long)size, (unsigned long long)at);
}

static enum diag_code elf_reloc_table(struct image *img, const struct elf *e,
                                      struct elf_dynamic *dyn, uint64_t at, uint64_t size,
                                      bool rela, struct diag *d)
{
    unsigned entry = (e->is64 ? 8 : 4) * (rela ? 3 : 2);
    if (!size) {
        return DIAG_OK;
    }
    const uint8_t *p = elf_at(e, at, size);
    if (!p) {
        return elf_bad_table(img, rela ? "DT_RELA" : "DT_REL", at, size, d);
    }
    for (uint64_t i = 0; i < size / entry; i++) {
        if (elf_one_reloc(img, e, dyn, p + i * entry, rela)) {
            return diag_nomem(d);
        }
    }
    return DIAG_OK;
}

static enum diag_code elf_relr_word(struct image *img, const struct elf *e, struct elf_dynamic *dyn,
                                    uint64_t where, struct diag *d)
{
    unsigned word = e->is64 ? 8 : 4;
    const uint8_t *at = elf_at(e, where, word);
    if (!at) {
        return elf_bad_table(img, "DT_RELR", where, word, d);
    }
    struct image_reloc *r = elf_new_reloc(img, dyn);
    if (!r) {
        return diag_nomem(d);
    }
    r->where = where;
    r->type = elf_relative_type(e);
    r->addend = elf_get(e, at);
    r->known = true;
    return DIAG_OK;
}

// RELR: an even word is an address to relocate; an odd one is a bitmap for the 31 or 63 words that
// follow what came before it. Linkers take the sections in an order of their own, and may go on
// with an address that the bitmap before it could still name.
static enum diag_code elf_relr_table(struct image *img, const struct elf *e,
                                     struct elf_dynamic *dyn, struct diag *d)
{
    unsigned word = e->is64 ? 8 : 4;
    uint64_t size = dyn->tag[DT_RELRSZ], where = 0;
    const uint8_t *p = size ? elf_at(e, dyn->tag[DT_RELR], size) : NULL;
    if (size && !p) {
        return elf_bad_table(img, "DT_RELR", dyn->tag[DT_RELR], size, d);
    }
    size_t most = dyn->n + img->file_size / word;
    enum diag_code err = DIAG_OK;
    for (uint64_t i = 0; i < size / word && !err; i++) {
        uint64_t v = elf_get(e, p + i * word);
        if (dyn->n > most) {
            return diag_set_binary(d, DIAG_MALFORMED, img->name, 0, "DT_RELR",
                                   "names more words than the file has");
        }
        if (!(v & 1)) {
            err = elf_relr_word(img, e, dyn, v, d);
            where = v + word;
            continue;
        }
        for (unsigned bit = 1; bit < word * 8 && !err; bit++) {
            if (v >> bit & 1) {
                err = elf_relr_word(img, e, dyn, where + (bit - 1) * word, d);
            }
        }
        where += (uint64_t)(word * 8 - 1) * word;
    }
    return err;
}

static int elf_by_where(const void *a, const void *b)
{
    const struct image_reloc *x = a, *y = b;
    if (x->where != y->where) {
        return x->where < y->where ? -1 : 1;
    }
    return x->type < y->type ? -1 : x->type > y->type;
}

static const struct elf_phdr *elf_find_dynamic(const struct elf *e)
{
    for (unsigned i = 0; i < e->phnum; i++) {
        if (e->ph[i].type == PT_DYNAMIC) {
            return &e->ph[i];
        }
    }
    return NULL;
}

enum diag_code elf_read_relocs(struct image *img, const struct elf *e, struct diag *d)
{
    const struct elf_phdr *h = elf_find_dynamic(e);
    unsigned word = e->is64 ? 8 : 4;
    struct elf_dynamic dyn = {.n = 0};
    if (!h || !h->filesz) {
        return DIAG_OK;
    }
    if (!in_range(h->offset, h->filesz, e->size)) {
        return diag_set_binary(d, DIAG_MALFORMED, img->name, e->origin + e->phoff, "PT_DYNAMIC",
                               "%llu bytes at 0x%llx lie outside of the file",
                               (unsigned long long)h->filesz, (unsigned long long)h->offset);
    }
    const uint8_t *p = elf_bytes(e, h->offset);
    for (uint64_t i = 0; i < h->filesz / (2 * word); i++, p += 2 * word) {
        uint64_t tag = elf_get(e, p);
        if (tag == DT_NULL) {
            break;
        }
        if (tag < DT_COUNT) {
            dyn.tag[tag] = elf_get(e, p + word);
        }
    }
    const uint64_t *t = dyn.tag;
    enum diag_code err = elf_reloc_table(img, e, &dyn, t[DT_RELA], t[DT_RELASZ], true, d);
    err = err ? err : elf_reloc_table(img, e, &dyn, t[DT_REL], t[DT_RELSZ], false, d);
    err = err ? err
              : elf_reloc_table(img, e, &dyn, t[DT_JMPREL], t[DT_PLTRELSZ], t[DT_PLTREL] == DT_RELA,
                                d);
    err = err ? err : elf_relr_table(img, e, &dyn, d);
    if (dyn.n) {
        qsort(dyn.relocs, dyn.n, sizeof *dyn.relocs, elf_by_where);
    }
    img->relocs = dyn.relocs;
    img->n_relocs = dyn.n;
    return err;
}
