#include "packer/splice/dynamic.h"

#include "format/bytes.h"

enum {
    DT_NULL = 0,
    DT_PLTRELSZ = 2,
    DT_RELA = 7,
    DT_RELASZ = 8,
    DT_REL = 17,
    DT_RELSZ = 18,
    DT_JMPREL = 23,
    DT_RELACOUNT = 0x6ffffff9,
    DT_RELCOUNT = 0x6ffffffa,
    PT_DYNAMIC = 2,
    TAGS_MAX = 1000, // linkers write some 30
};

static uint64_t load(const struct dynamic *dyn, const uint8_t *p)
{
    return dyn->fw->ptr == 8 ? ld64(p) : ld32(p);
}

static void store(const struct dynamic *dyn, uint8_t *p, uint64_t v)
{
    if (dyn->fw->ptr == 8) {
        st64(p, v);
    } else {
        st32(p, (uint32_t)v);
    }
}

static uint32_t relative_type(enum image_machine isa)
{
    switch (isa) {
    case IMAGE_ISA_ARM:
    case IMAGE_ISA_THUMB:
        return 23;
    case IMAGE_ISA_AARCH64:
        return 1027;
    case IMAGE_ISA_RV32:
    case IMAGE_ISA_RV64:
        return 3;
    case IMAGE_ISA_XTENSA:
        return 5;
    default:
        return 8; // i386 and x86-64
    }
}

// Address of the dynamic section from the program headers, 0 = none.
static uint64_t find_section(const struct image *img)
{
    struct bytes_in in;
    bool is64 = img->address_bits == 64;
    bytes_in_init(&in, img->file, img->file_size, img->name, NULL);
    bytes_seek(&in, is64 ? 32 : 28, "e_phoff");
    uint64_t phoff = is64 ? bytes_u64(&in, "e_phoff") : bytes_u32(&in, "e_phoff");
    bytes_seek(&in, is64 ? 54 : 42, "e_phentsize");
    unsigned row = bytes_u16(&in, "e_phentsize"), n = bytes_u16(&in, "e_phnum");
    for (unsigned i = 0; i < n && !in.failed; i++) {
        bytes_seek(&in, phoff + (uint64_t)i * row, "program header");
        if (bytes_u32(&in, "p_type") == PT_DYNAMIC) {
            bytes_seek(&in, phoff + (uint64_t)i * row + (is64 ? 16 : 8), "p_vaddr");
            uint64_t at = is64 ? bytes_u64(&in, "p_vaddr") : bytes_u32(&in, "p_vaddr");
            return in.failed ? 0 : at;
        }
    }
    return 0;
}

struct tags { // addresses of the values; 0 = the tag is missing
    uint64_t rela, relasz, relacount, rel, relsz, relcount, jmprel, pltrelsz;
};

static void note_tag(struct tags *t, uint64_t tag, uint64_t value_at)
{
    uint64_t *where = tag == DT_RELA        ? &t->rela
                      : tag == DT_RELASZ    ? &t->relasz
                      : tag == DT_RELACOUNT ? &t->relacount
                      : tag == DT_REL       ? &t->rel
                      : tag == DT_RELSZ     ? &t->relsz
                      : tag == DT_RELCOUNT  ? &t->relcount
                      : tag == DT_JMPREL    ? &t->jmprel
                      : tag == DT_PLTRELSZ  ? &t->pltrelsz
                                            : NULL;
    if (where) {
        *where = value_at;
    }
}

static struct tags read_tags(const struct dynamic *dyn, uint64_t section)
{
    struct tags t = {0};
    const struct image *img = dyn->fw->image;
    unsigned word = dyn->fw->ptr;
    for (unsigned i = 0; section && i < TAGS_MAX; i++) {
        uint64_t at = section + (uint64_t)i * 2 * word;
        const uint8_t *p = image_run_bytes(img, at, 2 * word);
        if (!p || load(dyn, p) == DT_NULL) {
            break;
        }
        note_tag(&t, load(dyn, p), at + word);
    }
    return t;
}

static uint64_t value_at(const struct dynamic *dyn, uint64_t at)
{
    const uint8_t *p = at ? image_run_bytes(dyn->fw->image, at, dyn->fw->ptr) : NULL;
    return p ? load(dyn, p) : 0;
}

// Some linkers count the table of lazy relocations, which has tags of its own, as the end of this
// one. It stays where it is: copied, its entries would be relocated twice.
static uint64_t without_lazy(const struct dynamic *dyn, const struct tags *t)
{
    uint64_t table = value_at(dyn, dyn->table_at), size = value_at(dyn, dyn->size_at);
    uint64_t lazy = value_at(dyn, t->jmprel), lazy_size = value_at(dyn, t->pltrelsz);
    bool inside = lazy_size <= size && lazy == table + (size - lazy_size);
    return inside ? size - lazy_size : size;
}

enum diag_code dynamic_find(const struct firmware *fw, struct diag *d, struct dynamic *dyn)
{
    *dyn = (struct dynamic){.fw = fw, .type = relative_type(fw->isa)};
    struct tags t = read_tags(dyn, find_section(fw->image));
    dyn->rela = t.rela != 0;
    dyn->table_at = dyn->rela ? t.rela : t.rel;
    dyn->size_at = dyn->rela ? t.relasz : t.relsz;
    dyn->count_at = dyn->rela ? t.relacount : t.relcount;
    dyn->entry = fw->ptr * (dyn->rela ? 3 : 2);
    dyn->size = without_lazy(dyn, &t);
    dyn->count = value_at(dyn, dyn->count_at);
    dyn->old = image_run_bytes(fw->image, value_at(dyn, dyn->table_at), dyn->size);
    if (!dyn->table_at || !dyn->size_at || !dyn->old || dyn->size % dyn->entry ||
        dyn->count > dyn->size / dyn->entry) {
        return diag_set(d, DIAG_NO, fw->image->name,
                        "the dynamic relocations of this program are not in a table that can be "
                        "extended (DT_RELA or DT_REL)");
    }
    return DIAG_OK;
}

uint64_t dynamic_size(const struct dynamic *dyn, uint64_t n)
{
    return dyn->size + n * dyn->entry;
}

static void put_entry(const struct dynamic *dyn, uint8_t *p, uint64_t where, uint64_t addend)
{
    store(dyn, p, where);
    store(dyn, p + dyn->fw->ptr, dyn->type); // symbol 0
    if (dyn->rela) {
        store(dyn, p + 2 * dyn->fw->ptr, addend);
    }
}

void dynamic_make(struct dynamic *dyn, const struct freeze *f, uint64_t addr, struct arena *a)
{
    uint64_t head = dyn->count * dyn->entry;
    dyn->n = f->n_pointers;
    dyn->table = arena_alloc(a, dynamic_size(dyn, dyn->n));
    uint8_t *p = dyn->table;
    memcpy(p, dyn->old, head);
    p += head;
    for (uint32_t i = 0; i < f->n_pointers; i++, p += dyn->entry) {
        put_entry(dyn, p, addr + f->pointers[i].at, load(dyn, f->data + f->pointers[i].at));
    }
    memcpy(p, dyn->old + head, dyn->size - head);
}

// The entry may be RELATIVE already, or name a symbol of the program itself: now it is RELATIVE.
// Words that only a RELR table relocates have none.
enum diag_code dynamic_redirect(struct dynamic *dyn, uint64_t where, uint64_t value,
                                struct patches *p)
{
    bool in_table = false;
    uint64_t size = dynamic_size(dyn, dyn->n);
    for (uint64_t at = 0; at < size; at += dyn->entry) {
        if (load(dyn, dyn->table + at) == where) {
            put_entry(dyn, dyn->table + at, where, value);
            in_table = true;
        }
    }
    return in_table && dyn->rela ? DIAG_OK : patches_write(p, where, value, dyn->fw->ptr);
}

enum diag_code dynamic_use(const struct dynamic *dyn, uint64_t table_addr, struct patches *p)
{
    unsigned word = dyn->fw->ptr;
    enum diag_code err = patches_write(p, dyn->table_at, table_addr, word);
    err = err ? err : patches_write(p, dyn->size_at, dynamic_size(dyn, dyn->n), word);
    if (!err && dyn->count_at) {
        err = patches_write(p, dyn->count_at, dyn->count + dyn->n, word);
    }
    return err;
}
