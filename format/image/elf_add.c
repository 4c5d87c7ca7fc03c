// Adding a segment to an ELF file and taking it away again. The bytes go to the end of the file;
// the program header for them comes from one of three places, in this order:
//   - a header that says nothing to a loader (PT_NULL, PT_NOTE, attributes) is replaced;
//   - the table grows into the padding behind it;
//   - where nothing reads the table at run time (bare metal), it moves to the end of the file;
//   - a header that only asks for hardening (PT_GNU_STACK) is replaced, as the last resort.
#include <stdlib.h>

#include "format/image/elf.h"

struct elf_plan {
    uint64_t table;      // where the new table goes
    unsigned n;          // entries in it
    struct elf_phdr *ph; // the new table
    uint64_t payload;    // offset of the added bytes
};

// The fitness of a header to be replaced: 0 = never, higher is better.
static unsigned elf_dispensable(const struct elf *e, const struct elf_phdr *h)
{
    switch (h->type) {
    case PT_NULL:
        return 4;
    case PT_NOTE:
        return 3;
    case PT_RISCV_ATTRIBUTES:
        return e->machine == EM_RISCV ? 2 : 0;
    case PT_GNU_STACK:
        return 1;
    default:
        return 0;
    }
}

// Index of the best header of at least the given fitness, the last one among equals; -1 if none.
static int elf_victim(const struct elf *e, unsigned least)
{
    int best = -1;
    unsigned fitness = least;
    for (unsigned i = 0; i < e->phnum; i++) {
        unsigned f = elf_dispensable(e, &e->ph[i]);
        if (f && f >= fitness) {
            fitness = f;
            best = (int)i;
        }
    }
    return best;
}

// True if a segment loads any byte of [from, to).
static bool elf_is_loaded(const struct elf *e, uint64_t from, uint64_t to)
{
    for (unsigned i = 0; i < e->phnum; i++) {
        const struct elf_phdr *h = &e->ph[i];
        if (h->type == PT_LOAD && h->filesz && h->offset < to && from < h->offset + h->filesz) {
            return true;
        }
    }
    return false;
}

// True if one more header fits behind the table, in zeros that nothing else uses.
static bool elf_has_room(const struct elf *e)
{
    uint64_t end = e->table_end + elf_phdr_size(e);
    if (end > e->size) {
        return false;
    }
    bool padding = end <= e->content;
    if (!padding && elf_is_loaded(e, e->table_end, end)) {
        return false;
    }
    if (e->shnum && e->shoff < end && e->table_end < e->shoff + e->shnum * (e->is64 ? 64u : 40u)) {
        return false;
    }
    for (unsigned i = 1; i < e->shnum; i++) {
        const struct elf_section *s = &e->sections[i];
        if (s->type && s->type != SHT_NOBITS && s->size && s->offset < end &&
            e->table_end < s->offset + s->size) {
            return false;
        }
    }
    for (uint64_t at = e->table_end; at < end; at++) {
        if (e->file[e->origin + at]) {
            return false;
        }
    }
    return true;
}

// True if only tools look at the program headers, never the program itself. The
// old place of the table becomes padding, so there must be nothing but padding before the content.
static bool elf_can_move(const struct elf *e)
{
    if (e->type != ET_EXEC || e->phnum >= ELF_SEGMENTS_MAX) {
        return false;
    }
    for (unsigned i = 0; i < e->phnum; i++) {
        uint32_t type = e->ph[i].type;
        if (type == PT_INTERP || type == PT_DYNAMIC || type == PT_PHDR || type == PT_TLS) {
            return false;
        }
    }
    return !elf_is_loaded(e, e->phoff, e->table_end) || e->table_end <= e->content;
}

// Loaders map whole pages: the offset must agree with the address in all bits below the page size.
static uint64_t elf_page(const struct elf *e)
{
    uint64_t page = 1;
    for (unsigned i = 0; i < e->phnum; i++) {
        uint64_t align = e->ph[i].align;
        if (e->ph[i].type == PT_LOAD && align > page && (align & (align - 1)) == 0) {
            page = align;
        }
    }
    return page > ELF_PAGE_MAX ? ELF_PAGE_MAX : page;
}

// True if a kernel maps the file, page by page. Boot loaders and debuggers copy bytes.
static bool elf_is_hosted(const struct elf *e)
{
    bool hosted = e->type == ET_DYN || e->machine == EM_386 || e->machine == EM_X86_64 ||
                  e->machine == EM_AARCH64;
    for (unsigned i = 0; i < e->phnum; i++) {
        uint32_t type = e->ph[i].type;
        hosted |= type == PT_INTERP || type == PT_DYNAMIC || type == PT_TLS;
    }
    return hosted;
}

// A kernel would map the page of one segment over the end of another.
static bool elf_pages_meet(const struct elf *e, uint64_t addr, uint64_t size)
{
    uint64_t page = elf_is_hosted(e) ? elf_page(e) : 1, end;
    if (!ck_align(addr + size, page, &end)) {
        return true;
    }
    for (unsigned i = 0; i < e->phnum; i++) {
        const struct elf_phdr *h = &e->ph[i];
        if (h->type == PT_LOAD && h->memsz && (h->vaddr & ~(page - 1)) < end &&
            (addr & ~(page - 1)) < h->vaddr + h->memsz) {
            return true;
        }
    }
    return false;
}

// The new table: without the victim, with the new header where the rising order of addresses (which
// loaders rely on) wants it.
static void elf_fill_table(const struct elf *e, int victim, const struct elf_phdr *fresh,
                           struct elf_plan *plan)
{
    unsigned at = 0, n = 0;
    for (unsigned i = 0; i < e->phnum; i++) {
        if ((int)i != victim) {
            plan->ph[n++] = e->ph[i];
        }
        if (e->ph[i].type == PT_LOAD && (e->ph[i].vaddr < fresh->vaddr || !at)) {
            at = e->ph[i].vaddr < fresh->vaddr ? n : n - 1;
        }
    }
    memmove(&plan->ph[at + 1], &plan->ph[at], (n - at) * sizeof *plan->ph);
    plan->ph[at] = *fresh;
    plan->n = n + 1;
}

static void elf_resize_phdr(const struct elf *e, struct elf_plan *plan)
{
    for (unsigned i = 0; i < plan->n; i++) {
        if (plan->ph[i].type == PT_PHDR) {
            plan->ph[i].filesz = plan->ph[i].memsz = (uint64_t)plan->n * elf_phdr_size(e);
        }
    }
}

// Decides everything from the base and (addr, size, flags).
static enum diag_code elf_make_plan(const struct image *img, uint64_t addr, uint64_t size,
                                    unsigned flags, struct elf_plan *plan, struct diag *d)
{
    const struct elf *e = img->container;
    uint64_t end = e->size, page = elf_page(e);
    int victim = elf_victim(e, 2);
    bool room = victim < 0 && elf_has_room(e), move = false;
    if (victim < 0 && !room) {
        move = elf_can_move(e);
        victim = move ? -1 : elf_victim(e, 1);
    }
    if (victim < 0 && !room && !move) {
        return diag_set(d, DIAG_NO, img->name, "has no room for one more program header");
    }
    if (elf_pages_meet(e, addr, size)) {
        return diag_set(d, DIAG_NO, img->name,
                        "%llu bytes at 0x%llx would share a page with another segment",
                        (unsigned long long)size, (unsigned long long)addr);
    }
    plan->ph = ARENA_ARRAY(img->arena, struct elf_phdr, e->phnum + 1);
    if (!plan->ph) {
        return diag_nomem(d);
    }
    plan->table = e->phoff;
    if (move) {
        plan->table = (end + 7) & ~(uint64_t)7;
        end = plan->table + (uint64_t)(e->phnum + 1) * elf_phdr_size(e);
    }
    plan->payload = end + ((addr - end) & (page - 1));
    struct elf_phdr fresh = {PT_LOAD, flags & 7, plan->payload, addr, e->load_by_vaddr ? 0 : addr,
                             size,    size,      page};
    elf_fill_table(e, victim, &fresh, plan);
    elf_resize_phdr(e, plan);
    if (!e->is64 && plan->payload + size > UINT32_MAX) {
        return diag_set(d, DIAG_NO, img->name, "would grow past 4 GiB");
    }
    return DIAG_OK;
}

// Writes header and table into file, which begins at the ELF header and is large enough.
static void elf_apply(const struct elf *e, const struct elf_plan *plan, uint8_t *file)
{
    if (plan->table != e->phoff) {
        memset(file + e->phoff, 0, (size_t)(e->table_end - e->phoff));
    }
    for (unsigned i = 0; i < plan->n; i++) {
        elf_store_phdr(e, file + plan->table + (uint64_t)i * elf_phdr_size(e), &plan->ph[i]);
    }
    if (e->is64) {
        st64(file + 32, plan->table);
        st16(file + 56, (uint16_t)plan->n);
    } else {
        st32(file + 28, (uint32_t)plan->table);
        st16(file + 44, (uint16_t)plan->n);
    }
}

enum diag_code elf_add(const struct image *img, const struct image_run *run, struct bytes_out *out,
                       struct diag *d)
{
    const struct elf *e = img->container;
    struct elf_plan plan = {0};
    enum diag_code err = elf_make_plan(img, run->addr, run->size, run->flags, &plan, d);
    if (err || !bytes_reserve(out, (size_t)(e->origin + plan.payload + run->size))) {
        return err ? err : diag_nomem(d);
    }
    bytes_put(out, e->file, img->file_size);
    bytes_fill(out, 0, (size_t)(e->origin + plan.payload - out->size));
    bytes_put(out, run->bytes, (size_t)run->size);
    elf_apply(e, &plan, out->data + e->origin);
    return DIAG_OK;
}

enum diag_code elf_write(const struct image *img, bool seal, struct bytes_out *out, struct diag *d)
{
    const struct elf *e = img->container;
    (void)seal;
    (void)d;
    bytes_put(out, e->file, img->file_size);
    return DIAG_OK;
}

static void elf_put_old(const struct elf *e, uint64_t at, uint64_t n, struct bytes_out *out)
{
    bytes_put_u32(out, (uint32_t)(e->origin + at));
    bytes_put_u32(out, (uint32_t)n);
    bytes_put(out, e->file + e->origin + at, (size_t)n);
}

// The undo record: size of the base's file, then its bytes where header and table change, as
// (offset u32, length u32, bytes). The new row never equals an old one, whatever its flags: its
// bytes lie behind the old end of the file.
enum diag_code elf_undo(const struct image *img, uint64_t addr, uint64_t size,
                        struct bytes_out *out, struct diag *d)
{
    const struct elf *e = img->container;
    struct elf_plan plan = {0};
    enum diag_code err = elf_make_plan(img, addr, size, 0, &plan, d);
    if (err) {
        return err;
    }
    bytes_put_u64(out, img->file_size);
    if (plan.table != e->phoff || plan.n != e->phnum) {
        elf_put_old(e, 0, elf_header_size(e), out);
    }
    if (plan.table != e->phoff) {
        elf_put_old(e, e->phoff, e->table_end - e->phoff, out);
        return DIAG_OK;
    }
    unsigned first = 0, last = plan.n - 1, row = elf_phdr_size(e);
    while (first < e->phnum && !memcmp(&plan.ph[first], &e->ph[first], sizeof *plan.ph)) {
        first++;
    }
    while (last > first && last < e->phnum &&
           !memcmp(&plan.ph[last], &e->ph[last], sizeof *plan.ph)) {
        last--;
    }
    elf_put_old(e, e->phoff + first * row, (uint64_t)(last - first + 1) * row, out);
    return DIAG_OK;
}

enum diag_code elf_remove(const struct image *img, const struct image_undo *undo,
                          struct bytes_out *out, struct diag *d)
{
    const struct elf *e = img->container;
    struct bytes_in in;
    bytes_in_init(&in, undo->bytes, undo->n, img->name, d);
    uint64_t size = bytes_u64(&in, "undo record");
    if (!in.failed && (size == 0 || size > img->file_size)) {
        return bytes_fail(&in, "undo record", "the base had %llu bytes, this file has %zu",
                          (unsigned long long)size, img->file_size);
    }
    bytes_put(out, e->file, (size_t)size);
    while (!in.failed && bytes_left(&in)) {
        uint64_t at = bytes_u32(&in, "undo record");
        uint64_t n = bytes_u32(&in, "undo record");
        const uint8_t *p = bytes_take(&in, n, "undo record");
        if (p && !in_range(at, n, size)) {
            bytes_fail(&in, "undo record", "restores bytes behind the end of the base");
        } else if (p && !out->failed) {
            memcpy(out->data + at, p, (size_t)n);
        }
    }
    return in.failed;
}
