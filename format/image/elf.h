// ELF files, 32 and 64 bit, little-endian: what the three parts of the reader and writer share.
// Facts: System V gABI (ELF header, program headers, dynamic section, RELR), psABI supplements of
// the machines (relocation numbers).
#ifndef FORMAT_IMAGE_ELF_H
#define FORMAT_IMAGE_ELF_H

#include "format/image/container.h"

enum {
    ELF_SEGMENTS_MAX = 256, // program headers; linkers make fewer than 20
    ELF_PAGE_MAX = 0x10000, // largest page of the machines here
    ELF_HEADER_32 = 52,
    ELF_HEADER_64 = 64,
    ELF_PHDR_32 = 32,
    ELF_PHDR_64 = 56,
};

enum {
    ET_EXEC = 2,
    ET_DYN = 3,
    PT_NULL = 0,
    PT_LOAD = 1,
    PT_DYNAMIC = 2,
    PT_INTERP = 3,
    PT_NOTE = 4,
    PT_TLS = 7,
    PT_PHDR = 6,
    PT_GNU_STACK = 0x6474e551,
    PT_GNU_PROPERTY = 0x6474e553,
    PT_RISCV_ATTRIBUTES = 0x70000003,
    SHT_SYMTAB = 2,
    SHT_NOBITS = 8,
    SHT_ARM_ATTRIBUTES = 0x70000003,
    SHF_ALLOC = 2,
    SHN_UNDEF = 0,
    SHN_LORESERVE = 0xff00,
    EM_386 = 3,
    EM_ARM = 40,
    EM_X86_64 = 62,
    EM_XTENSA = 94,
    EM_AARCH64 = 183,
    EM_RISCV = 243,
};

struct elf_phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_section {
    uint32_t type, link;
    uint64_t flags, offset, size, entsize;
};

struct elf { // offsets count from the ELF header, which lies at origin of the file
    bool is64;
    uint16_t type, machine;
    uint64_t entry, phoff, shoff;
    unsigned phnum, shnum;
    struct elf_phdr *ph;
    struct elf_section *sections;
    bool load_by_vaddr; // all p_paddr are 0: the linker or a tool left them out
    uint64_t table_end; // end of the program header table
    uint64_t content;   // end of header, table and padding before the first section; 0: not known
    const struct image_work *work; // the whole file; segments point into it
    uint64_t origin;               // of the ELF header in the file
    uint64_t size;                 // bytes from the origin on
};

// The byte at an offset.
static inline const uint8_t *elf_bytes(const struct elf *e, uint64_t at)
{
    return e->work->data + e->origin + at;
}

// Parses the ELF at origin of img->file into segments, symbols, relocations and img->container.
enum diag_code elf_read(struct image *img, uint64_t origin, struct diag *d);
void elf_load_phdr(const struct elf *e, const uint8_t *p, struct elf_phdr *h);
void elf_store_phdr(const struct elf *e, uint8_t *p, const struct elf_phdr *h);
unsigned elf_phdr_size(const struct elf *e);
unsigned elf_header_size(const struct elf *e);
// .symtab and the dynamic relocations (elf_dynamic.c).
enum diag_code elf_read_symbols(struct image *img, const struct elf *e, struct diag *d);
enum diag_code elf_read_relocs(struct image *img, const struct elf *e, struct diag *d);
// Writing (elf_add.c), also for an ELF within a raw image.
enum diag_code elf_write(const struct image *img, bool seal, struct bytes_out *out, struct diag *d);
enum diag_code elf_undo(const struct image *img, uint64_t addr, uint64_t size,
                        struct bytes_out *out, struct diag *d);
uint64_t elf_twin(const struct image *img, uint64_t addr, uint64_t size);
enum diag_code elf_add(const struct image *img, const struct image_run *run, struct bytes_out *out,
                       struct diag *d);
enum diag_code elf_remove(const struct image *img, const struct image_undo *undo,
                          struct bytes_out *out, struct diag *d);

#endif
