#include "format/image/elf.h"

unsigned elf_header_size(const struct elf *e)
{
    return e->is64 ? ELF_HEADER_64 : ELF_HEADER_32;
}

unsigned elf_phdr_size(const struct elf *e)
{
    return e->is64 ? ELF_PHDR_64 : ELF_PHDR_32;
}

void elf_load_phdr(const struct elf *e, const uint8_t *p, struct elf_phdr *h)
{
    h->type = ld32(p);
    if (e->is64) {
        h->flags = ld32(p + 4);
        h->offset = ld64(p + 8);
        h->vaddr = ld64(p + 16);
        h->paddr = ld64(p + 24);
        h->filesz = ld64(p + 32);
        h->memsz = ld64(p + 40);
        h->align = ld64(p + 48);
    } else {
        h->offset = ld32(p + 4);
        h->vaddr = ld32(p + 8);
        h->paddr = ld32(p + 12);
        h->filesz = ld32(p + 16);
        h->memsz = ld32(p + 20);
        h->flags = ld32(p + 24);
        h->align = ld32(p + 28);
    }
}

void elf_store_phdr(const struct elf *e, uint8_t *p, const struct elf_phdr *h)
{
    st32(p, h->type);
    if (e->is64) {
        st32(p + 4, h->flags);
        st64(p + 8, h->offset);
        st64(p + 16, h->vaddr);
        st64(p + 24, h->paddr);
        st64(p + 32, h->filesz);
        st64(p + 40, h->memsz);
        st64(p + 48, h->align);
    } else {
        st32(p + 4, (uint32_t)h->offset);
        st32(p + 8, (uint32_t)h->vaddr);
        st32(p + 12, (uint32_t)h->paddr);
        st32(p + 16, (uint32_t)h->filesz);
        st32(p + 20, (uint32_t)h->memsz);
        st32(p + 24, h->flags);
        st32(p + 28, (uint32_t)h->align);
    }
}

static uint64_t elf_word(const struct elf *e, struct bytes_in *in, const char *field)
{
    return e->is64 ? bytes_u64(in, field) : bytes_u32(in, field);
}

static void elf_read_ident(struct elf *e, struct bytes_in *in)
{
    const uint8_t *p = bytes_take(in, 4, "e_ident magic");
    if (p && memcmp(p,
                    "\x7f"
                    "ELF",
                    4) != 0) {
        in->pos -= 4;
        bytes_fail(in, "e_ident magic", "this is not an ELF file");
        return;
    }
    unsigned class = bytes_u8(in, "EI_CLASS");
    if (class != 1 && class != 2) {
        bytes_fail(in, "EI_CLASS", "is %u, 1 (32-bit) or 2 (64-bit) is allowed", class);
    }
    e->is64 = class == 2;
    unsigned order = bytes_u8(in, "EI_DATA");
    if (order != 1) {
        bytes_fail(in, "EI_DATA", "is %u, only 1 (little-endian) is supported", order);
    }
    bytes_take(in, 10, "e_ident");
}

// The whole header; offsets of the two tables are checked where the tables are read.
static void elf_read_header(struct elf *e, struct bytes_in *in)
{
    elf_read_ident(e, in);
    e->type = bytes_u16(in, "e_type");
    if (e->type != ET_EXEC && e->type != ET_DYN) {
        bytes_fail(in, "e_type",
                   "is %u, an executable (2) or position-independent one (3) is needed", e->type);
    }
    e->machine = bytes_u16(in, "e_machine");
    bytes_u32(in, "e_version");
    e->entry = elf_word(e, in, "e_entry");
    e->phoff = elf_word(e, in, "e_phoff");
    e->shoff = elf_word(e, in, "e_shoff");
    bytes_u32(in, "e_flags");
    bytes_u16(in, "e_ehsize");
    unsigned entry = bytes_u16(in, "e_phentsize");
    e->phnum = bytes_u16(in, "e_phnum");
    if (e->phnum == 0 || e->phnum > ELF_SEGMENTS_MAX) {
        bytes_fail(in, "e_phnum", "is %u, 1 to %d program headers are allowed", e->phnum,
                   ELF_SEGMENTS_MAX);
    } else if (entry != elf_phdr_size(e)) {
        bytes_fail(in, "e_phentsize", "is %u, it must be %u", entry, elf_phdr_size(e));
    }
    entry = bytes_u16(in, "e_shentsize");
    e->shnum = e->shoff ? bytes_u16(in, "e_shnum") : 0;
    if (e->shnum && entry != (e->is64 ? 64 : 40)) {
        bytes_fail(in, "e_shentsize", "is %u, it must be %u", entry, e->is64 ? 64 : 40);
    }
}

static enum diag_code elf_read_phdrs(struct elf *e, struct image *img, struct bytes_in *in)
{
    bytes_seek(in, e->phoff, "e_phoff");
    const uint8_t *p = bytes_take(in, (uint64_t)e->phnum * elf_phdr_size(e), "program headers");
    e->ph = p ? ARENA_ARRAY(img->arena, struct elf_phdr, e->phnum) : NULL;
    if (!p || !e->ph) {
        return p ? diag_nomem(in->diag) : in->failed;
    }
    e->table_end = in->pos;
    for (unsigned i = 0; i < e->phnum; i++, p += elf_phdr_size(e)) {
        struct elf_phdr *h = &e->ph[i];
        elf_load_phdr(e, p, h);
        in->pos = (size_t)e->phoff + i * elf_phdr_size(e);
        if (h->type != PT_LOAD) {
            continue;
        }
        if (!in_range(h->offset, h->filesz, in->size)) {
            return bytes_fail(
                in, "p_offset", "segment of %llu bytes at 0x%llx, the file ends at 0x%zx",
                (unsigned long long)h->filesz, (unsigned long long)h->offset, in->size);
        }
        if (h->memsz < h->filesz) {
            return bytes_fail(in, "p_memsz", "is 0x%llx, less than p_filesz 0x%llx",
                              (unsigned long long)h->memsz, (unsigned long long)h->filesz);
        }
    }
    return in->failed;
}

// As many sections as e_shnum cannot say are counted by the first one's sh_size (gABI, "Sections").
static void elf_count_sections(struct elf *e, const struct bytes_in *in)
{
    unsigned size = e->is64 ? 64 : 40;
    if (e->shoff && !e->shnum && in_range(e->shoff, size, in->size)) {
        const uint8_t *p = in->data + e->shoff;
        uint64_t n = e->is64 ? ld64(p + 32) : ld32(p + 20);
        e->shnum = n >= SHN_LORESERVE && n <= UINT32_MAX ? (unsigned)n : 0;
    }
}

// Sections serve to find symbols and to tell padding from content; a file without them is fine.
static enum diag_code elf_read_sections(struct elf *e, struct image *img, struct bytes_in *in)
{
    unsigned size = e->is64 ? 64 : 40;
    elf_count_sections(e, in);
    if (!e->shnum) {
        return DIAG_OK;
    }
    bytes_seek(in, e->shoff, "e_shoff");
    const uint8_t *p = bytes_take(in, (uint64_t)e->shnum * size, "section headers");
    e->sections = p ? ARENA_ARRAY(img->arena, struct elf_section, e->shnum) : NULL;
    if (!p || !e->sections) {
        return p ? diag_nomem(in->diag) : in->failed;
    }
    for (unsigned i = 0; i < e->shnum; i++, p += size) {
        struct elf_section *s = &e->sections[i];
        s->type = ld32(p + 4);
        s->flags = e->is64 ? ld64(p + 8) : ld32(p + 8);
        s->offset = e->is64 ? ld64(p + 24) : ld32(p + 16);
        s->size = e->is64 ? ld64(p + 32) : ld32(p + 20);
        s->link = ld32(p + (e->is64 ? 40 : 24));
        s->entsize = e->is64 ? ld64(p + 56) : ld32(p + 36);
        if (i && s->type && s->type != SHT_NOBITS && !in_range(s->offset, s->size, in->size)) {
            in->pos = (size_t)e->shoff + i * size;
            return bytes_fail(in, "sh_offset",
                              "section of %llu bytes at 0x%llx, the file ends at 0x%zx",
                              (unsigned long long)s->size, (unsigned long long)s->offset, in->size);
        }
    }
    return DIAG_OK;
}

// Linkers load the headers along with the first segment and pad up to its first section. Headers
// change with a splice and no firmware reads padding, so neither belongs to the address space.
static void elf_find_content(struct elf *e)
{
    uint64_t header = elf_header_size(e), first = UINT64_MAX;
    for (unsigned i = 1; i < e->shnum; i++) {
        const struct elf_section *s = &e->sections[i];
        if ((s->flags & SHF_ALLOC) && s->type != SHT_NOBITS && s->size && s->offset >= header &&
            s->offset < first) {
            first = s->offset;
        }
    }
    if (first == UINT64_MAX || (e->phoff < first && e->table_end > first)) {
        return;
    }
    for (uint64_t at = header; at < first; at++) {
        bool table = at >= e->phoff && at < e->table_end;
        if (*elf_bytes(e, at) && !table) {
            return;
        }
    }
    e->content = first;
}

// Skips ELF header, program headers and the padding behind them; *limit is where the next of them
// begins.
static uint64_t elf_skip_headers(const struct elf *e, uint64_t at, uint64_t *limit)
{
    uint64_t header = elf_header_size(e), skip = e->content > header ? e->content : header;
    if (at < skip) {
        at = skip;
    }
    if (at >= e->phoff && at < e->table_end) {
        at = e->table_end;
    }
    *limit = at < e->phoff ? e->phoff : UINT64_MAX;
    return at;
}

static enum diag_code elf_add_piece(struct image *img, const struct elf *e,
                                    const struct elf_phdr *h, uint64_t from, uint64_t to,
                                    struct diag *d)
{
    struct image_segment *s = image_segment_new(img, d);
    if (!s) {
        return DIAG_NOMEM;
    }
    uint64_t skip = from - h->offset;
    bool last = to == h->offset + h->filesz;
    s->run = h->vaddr + skip;
    s->addr = e->type == ET_DYN || e->load_by_vaddr ? s->run : h->paddr + skip;
    s->size = to - from;
    s->mem_size = last ? h->memsz - skip : s->size;
    s->file_offset = e->origin + from;
    s->data = elf_bytes(e, from);
    s->flags = h->flags & (IMAGE_R | IMAGE_W | IMAGE_X);
    s->name = "LOAD";
    return DIAG_OK;
}

static enum diag_code elf_add_segment(struct image *img, const struct elf *e,
                                      const struct elf_phdr *h, struct diag *d)
{
    uint64_t end = h->offset + h->filesz, limit;
    uint64_t wrap = e->is64 ? UINT64_MAX : UINT32_MAX;
    if (h->memsz > wrap - h->vaddr || h->filesz > wrap - h->paddr) {
        return diag_set_binary(d, DIAG_MALFORMED, img->name, e->origin + e->phoff, "p_memsz",
                               "segment at 0x%llx ends past the address space",
                               (unsigned long long)h->vaddr);
    }
    if (!h->filesz) {
        return h->memsz ? elf_add_piece(img, e, h, h->offset, h->offset, d) : DIAG_OK;
    }
    enum diag_code err = DIAG_OK;
    for (uint64_t at = h->offset; at < end && !err;) {
        at = elf_skip_headers(e, at, &limit);
        if (at < end) {
            uint64_t to = limit < end ? limit : end;
            err = elf_add_piece(img, e, h, at, to, d);
            at = to;
        }
    }
    return err;
}

// The second mapping of a run that was added with IMAGE_TWIN.
static bool elf_is_twin(const struct elf *e, const struct elf_phdr *a, const struct elf_phdr *b)
{
    unsigned flags = IMAGE_R | IMAGE_W | IMAGE_X;
    return e->type == ET_DYN && a->offset == b->offset && a->filesz == b->filesz &&
           ((a->flags & flags) ^ (b->flags & flags)) == (IMAGE_W | IMAGE_X);
}

// Two segments that share bytes of the file could not be changed one by one.
static enum diag_code elf_check_sharing(const struct image *img, const struct elf *e,
                                        struct diag *d)
{
    for (unsigned i = 0; i < e->phnum; i++) {
        for (unsigned k = 0; k < i; k++) {
            const struct elf_phdr *a = &e->ph[i], *b = &e->ph[k];
            if (a->type == PT_LOAD && b->type == PT_LOAD && a->filesz && b->filesz &&
                !elf_is_twin(e, a, b) && a->offset < b->offset + b->filesz &&
                b->offset < a->offset + a->filesz) {
                return diag_set_binary(d, DIAG_MALFORMED, img->name,
                                       e->origin + e->phoff + i * elf_phdr_size(e), "p_offset",
                                       "segments %u and %u share bytes of the file", k, i);
            }
        }
    }
    return DIAG_OK;
}

static enum diag_code elf_read_segments(struct image *img, struct elf *e, struct diag *d)
{
    bool physical = false, virtual = false;
    for (unsigned i = 0; i < e->phnum; i++) {
        physical |= e->ph[i].type == PT_LOAD && e->ph[i].paddr;
        virtual |= e->ph[i].type == PT_LOAD && e->ph[i].vaddr;
    }
    e->load_by_vaddr = virtual && !physical;
    enum diag_code err = elf_check_sharing(img, e, d);
    for (unsigned i = 0; i < e->phnum && !err; i++) {
        if (e->ph[i].type == PT_LOAD) {
            err = elf_add_segment(img, e, &e->ph[i], d);
        }
    }
    if (!err && img->n_segments == 0) {
        err = diag_set_binary(d, DIAG_MALFORMED, img->name, e->origin + e->phoff, "program headers",
                              "no segment is loaded");
    }
    return err;
}

static uint64_t elf_uleb(struct bytes_in *in)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = bytes_u8(in, "attribute");
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            break;
        }
    }
    return v;
}

// The build attributes say which profile the code is for: 'M' is a microcontroller, which has Thumb
// only. Facts: Addenda to the ABI for the Arm architecture; tag 7 is Tag_CPU_arch_profile, even
// tags and those below 32 have numbers, except 4, 5 and 32.
static bool elf_is_profile_m(const struct elf *e, const struct elf_section *s)
{
    struct bytes_in in;
    bytes_in_init(&in, elf_bytes(e, s->offset), (size_t)s->size, NULL, NULL);
    const uint8_t *head =
        bytes_take(&in, 16, "attributes"); // 'A', length, "aeabi", file tag, length
    if (!head || head[0] != 'A' || memcmp(head + 5, "aeabi", 6) != 0) {
        return false;
    }
    while (!in.failed && bytes_left(&in)) {
        uint64_t tag = elf_uleb(&in);
        bool text = tag == 4 || tag == 5 || (tag > 32 && tag & 1);
        uint64_t value = text ? 0 : elf_uleb(&in);
        while (text && bytes_u8(&in, "attribute")) {
        }
        if (tag == 7) {
            return value == 'M';
        }
        while (tag == 32 && bytes_u8(&in, "attribute")) {
        }
    }
    return false;
}

// Arm code is Thumb where the entry or the build attributes say so.
static enum image_machine elf_arm(const struct elf *e)
{
    bool thumb = e->entry & 1;
    for (unsigned i = 1; i < e->shnum && !thumb; i++) {
        const struct elf_section *s = &e->sections[i];
        thumb = s->type == SHT_ARM_ATTRIBUTES && elf_is_profile_m(e, s);
    }
    return thumb ? IMAGE_ISA_THUMB : IMAGE_ISA_ARM;
}

static enum image_machine elf_machine(const struct elf *e)
{
    switch (e->machine) {
    case EM_ARM:
        return elf_arm(e);
    case EM_RISCV:
        return e->is64 ? IMAGE_ISA_RV64 : IMAGE_ISA_RV32;
    case EM_XTENSA:
        return IMAGE_ISA_XTENSA;
    case EM_386:
        return IMAGE_ISA_X86;
    case EM_X86_64:
        return e->is64 ? IMAGE_ISA_X64 : IMAGE_ISA_UNKNOWN; // x32: other pointers
    case EM_AARCH64:
        return IMAGE_ISA_AARCH64;
    default:
        return IMAGE_ISA_UNKNOWN;
    }
}

enum diag_code elf_read(struct image *img, uint64_t origin, struct diag *d)
{
    struct elf *e = ARENA_NEW(img->arena, struct elf);
    if (!e) {
        return diag_nomem(d);
    }
    e->work = img->work;
    e->origin = origin;
    e->size = img->file_size - origin;
    struct bytes_in in;
    bytes_in_init(&in, elf_bytes(e, 0), (size_t)e->size, img->name, d);
    in.origin = origin;
    elf_read_header(e, &in);
    enum diag_code err = in.failed;
    err = err ? err : elf_read_phdrs(e, img, &in);
    err = err ? err : elf_read_sections(e, img, &in);
    if (err) {
        return err;
    }
    elf_find_content(e);
    img->container = e;
    img->machine = elf_machine(e);
    img->address_bits = e->is64 ? 64 : 32;
    img->pic = e->type == ET_DYN;
    img->entry = e->entry;
    err = elf_read_segments(img, e, d);
    err = err ? err : elf_read_symbols(img, e, d);
    return err ? err : elf_read_relocs(img, e, d);
}

static bool elf_probe(const uint8_t *data, size_t size)
{
    return size >= 4 && memcmp(data,
                               "\x7f"
                               "ELF",
                               4) == 0;
}

static enum diag_code elf_read_file(struct image *img, struct diag *d)
{
    return elf_read(img, 0, d);
}

static const char *elf_machine_name(uint16_t machine)
{
    switch (machine) {
    case EM_ARM:
        return "ARM";
    case EM_RISCV:
        return "RISC-V";
    case EM_XTENSA:
        return "Xtensa";
    case EM_386:
        return "Intel 80386";
    case EM_X86_64:
        return "x86-64";
    case EM_AARCH64:
        return "AArch64";
    default:
        return NULL;
    }
}

static const char *elf_describe(const struct image *img, struct arena *a)
{
    const struct elf *e = img->container;
    const char *machine = elf_machine_name(e->machine);
    if (!machine) {
        return arena_printf(a, "ELF %u-bit, machine %u", img->address_bits, e->machine);
    }
    return arena_printf(a, "ELF %u-bit %s%s%s", img->address_bits, machine,
                        img->pic ? ", position-independent" : ", static",
                        img->n_symbols ? "" : ", stripped");
}

const struct image_ops image_elf_ops = {
    .kind = IMAGE_ELF,
    .name = "elf",
    .extension = ".elf,.axf",
    .granule = 1,
    .in_place = true,
    .probe = elf_probe,
    .read = elf_read_file,
    .describe = elf_describe,
    .write = elf_write,
    .undo = elf_undo,
    .twin = elf_twin,
    .add = elf_add,
    .remove = elf_remove,
};
