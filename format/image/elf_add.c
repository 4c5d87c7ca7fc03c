// Adding a segment to an ELF file and taking it away again. The bytes go to the end of the file;
// the program header for them comes from one of three places, in this order:
//   - a header that says nothing to a loader (PT_NULL, PT_NOTE, attributes) is replaced;
//   - the table grows into the padding behind it;
//   - where nothing reads the table at run time (bare metal), it moves to the end of the file;
//   - a header that only asks for hardening (PT_GNU_STACK) is replaced, as the last resort.
// A run with a twin needs two headers; for those there is no last resort.
#include <stdlib.h>

#include "format/image/elf.h"

enum { ELF_FRESH_MAX = 2 };

struct elf_rows { // where new program headers come from
    unsigned n_victims;
    unsigned victims[ELF_FRESH_MAX];
    bool move;
};

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

static bool elf_is_victim(const struct elf_rows *r, unsigned row)
{
    for (unsigned i = 0; i < r->n_victims; i++) {
        if (r->victims[i] == row) {
            return true;
        }
    }
    return false;
}

// Adds the best header of at least the given fitness, the last one among equals, to the victims.
static bool elf_add_victim(const struct elf *e, unsigned least, struct elf_rows *r)
{
    int best = -1;
    unsigned fitness = least;
    for (unsigned i = 0; i < e->phnum; i++) {
        unsigned f = elf_is_victim(r, i) ? 0 : elf_dispensable(e, &e->ph[i]);
        if (f && f >= fitness) {
            fitness = f;
            best = (int)i;
        }
    }
    if (best >= 0) {
        r->victims[r->n_victims++] = (unsigned)best;
    }
    return best >= 0;
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

// True if n more headers fit behind the table, in zeros that nothing else uses.
static bool elf_has_room(const struct elf *e, unsigned n)
{
    uint64_t end = e->table_end + (uint64_t)n * elf_phdr_size(e);
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
        if (*elf_bytes(e, at)) {
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

static bool elf_find_rows(const struct elf *e, unsigned n, struct elf_rows *r)
{
    *r = (struct elf_rows){0};
    while (r->n_victims < n && elf_add_victim(e, 2, r)) {
    }
    if (r->n_victims == n || elf_has_room(e, n - r->n_victims)) {
        return true;
    }
    if (elf_can_move(e)) {
        *r = (struct elf_rows){.move = true};
        return true;
    }
    return n == 1 && elf_add_victim(e, 1, r);
}

// Puts a header where the rising order of addresses (which loaders rely on) wants it.
static void elf_insert(struct elf_plan *plan, const struct elf_phdr *fresh)
{
    unsigned at = 0;
    for (unsigned i = 0; i < plan->n; i++) {
        if (plan->ph[i].type == PT_LOAD && (plan->ph[i].vaddr < fresh->vaddr || !at)) {
            at = plan->ph[i].vaddr < fresh->vaddr ? i + 1 : i;
        }
    }
    memmove(&plan->ph[at + 1], &plan->ph[at], (plan->n - at) * sizeof *plan->ph);
    plan->ph[at] = *fresh;
    plan->n++;
}

// The new table: without the victims, with the new headers.
static void elf_fill_table(const struct elf *e, const struct elf_rows *rows,
                           const struct elf_phdr *fresh, unsigned n_fresh, struct elf_plan *plan)
{
    for (unsigned i = 0; i < e->phnum; i++) {
        if (!elf_is_victim(rows, i)) {
            plan->ph[plan->n++] = e->ph[i];
        }
    }
    for (unsigned i = 0; i < n_fresh; i++) {
        elf_insert(plan, &fresh[i]);
    }
}

static void elf_resize_phdr(const struct elf *e, struct elf_plan *plan)
{
    for (unsigned i = 0; i < plan->n; i++) {
        if (plan->ph[i].type == PT_PHDR) {
            plan->ph[i].filesz = plan->ph[i].memsz = (uint64_t)plan->n * elf_phdr_size(e);
        }
    }
}

// The twin begins behind the run, on pages of its own, with the same bits below the page size.
static uint64_t elf_twin_address(const struct elf *e, uint64_t addr, uint64_t size)
{
    uint64_t page = elf_page(e), end;
    if (!ck_align(addr + size, page, &end) || end < addr) {
        return 0;
    }
    uint64_t twin = end + (addr & (page - 1));
    return twin < end || elf_pages_meet(e, twin, size) ? 0 : twin;
}

uint64_t elf_twin(const struct image *img, uint64_t addr, uint64_t size)
{
    const struct elf *e = img->container;
    struct elf_rows rows;
    return e->type == ET_DYN && elf_find_rows(e, 2, &rows) ? elf_twin_address(e, addr, size) : 0;
}

// Decides everything from the base and (addr, size, flags).
static enum diag_code elf_make_plan(const struct image *img, uint64_t addr, uint64_t size,
                                    unsigned flags, struct elf_plan *plan, struct diag *d)
{
    const struct elf *e = img->container;
    uint64_t end = e->size, page = elf_page(e);
    uint64_t twin = flags & IMAGE_TWIN ? elf_twin(img, addr, size) : 0;
    unsigned n_fresh = twin ? 2 : 1;
    struct elf_rows rows;
    if ((flags & IMAGE_TWIN && !twin) || !elf_find_rows(e, n_fresh, &rows)) {
        return diag_set(d, DIAG_NO, img->name, "has no room for %s more program header%s",
                        flags & IMAGE_TWIN ? "two" : "one", flags & IMAGE_TWIN ? "s" : "");
    }
    if (elf_pages_meet(e, addr, size)) {
        return diag_set(d, DIAG_NO, img->name,
                        "%llu bytes at 0x%llx would share a page with another segment",
                        (unsigned long long)size, (unsigned long long)addr);
    }
    plan->ph = ARENA_ARRAY(img->arena, struct elf_phdr, e->phnum + ELF_FRESH_MAX);
    if (!plan->ph) {
        return diag_nomem(d);
    }
    plan->table = e->phoff;
    if (rows.move) {
        plan->table = (end + 7) & ~(uint64_t)7;
        end = plan->table + (uint64_t)(e->phnum + n_fresh) * elf_phdr_size(e);
    }
    plan->payload = end + ((addr - end) & (page - 1));
    struct elf_phdr fresh[] = {
        {PT_LOAD, flags & 7, plan->payload, addr, e->load_by_vaddr ? 0 : addr, size, size, page},
        {PT_LOAD, IMAGE_R | IMAGE_X, plan->payload, twin, e->load_by_vaddr ? 0 : twin, size, size,
         page}};
    elf_fill_table(e, &rows, fresh, n_fresh, plan);
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
    bytes_put(out, e->work->data, img->file_size);
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
    bytes_put(out, e->work->data, img->file_size);
    return DIAG_OK;
}

static void elf_put_old(const struct elf *e, uint64_t at, uint64_t n, struct bytes_out *out)
{
    bytes_put_u32(out, (uint32_t)(e->origin + at));
    bytes_put_u32(out, (uint32_t)n);
    bytes_put(out, elf_bytes(e, at), (size_t)n);
}

struct elf_change { // of the base's header and table by a plan
    bool header, moved;
    unsigned first, end; // rows; their bytes may lie behind the table
};

static void elf_join_change(const struct elf *e, const struct elf_plan *plan, struct elf_change *c)
{
    unsigned first = 0, last = plan->n - 1;
    c->header |= plan->table != e->phoff || plan->n != e->phnum;
    c->moved |= plan->table != e->phoff;
    while (first < e->phnum && !memcmp(&plan->ph[first], &e->ph[first], sizeof *plan->ph)) {
        first++;
    }
    while (last > first && last < e->phnum &&
           !memcmp(&plan->ph[last], &e->ph[last], sizeof *plan->ph)) {
        last--;
    }
    c->first = first < c->first ? first : c->first;
    c->end = last + 1 > c->end ? last + 1 : c->end;
}

// The undo record: size of the base's file, then its bytes where header and table change, as
// (offset u32, length u32, bytes); the same for all flags, a twin included. The new rows never
// equal old ones, whatever the flags: their bytes lie behind the old end of the file.
enum diag_code elf_undo(const struct image *img, uint64_t addr, uint64_t size,
                        struct bytes_out *out, struct diag *d)
{
    const struct elf *e = img->container;
    struct elf_plan plan = {0}, twin = {0};
    struct elf_change c = {.first = UINT32_MAX};
    enum diag_code err = elf_make_plan(img, addr, size, 0, &plan, d);
    if (err) {
        return err;
    }
    elf_join_change(e, &plan, &c);
    if (elf_twin(img, addr, size) &&
        elf_make_plan(img, addr, size, IMAGE_TWIN, &twin, NULL) == DIAG_OK) {
        elf_join_change(e, &twin, &c);
    }
    bytes_put_u64(out, img->file_size);
    if (c.header) {
        elf_put_old(e, 0, elf_header_size(e), out);
    }
    if (c.moved) {
        elf_put_old(e, e->phoff, e->table_end - e->phoff, out);
    } else {
        unsigned row = elf_phdr_size(e);
        elf_put_old(e, e->phoff + c.first * row, (uint64_t)(c.end - c.first) * row, out);
    }
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
    bytes_put(out, e->work->data, (size_t)size);
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
