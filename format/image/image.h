// Firmware containers. Every container parses to the same thing, an address space: sorted,
// non-overlapping segments of (address, bytes), plus what is needed to write the container back.
// image_write of an unchanged image gives the file back byte for byte.
//
// A splice changes an image by image_poke (existing bytes) and image_add (a new run of bytes where
// the image has none), and by nothing else. image_remove undoes image_add: with the undo record
// that image_undo made from the image before, the container is that image's again, bit for bit.
// There is one run, the blob, and a second one where machine code must lie apart from it (struct
// blob_code); the undo records of both travel inside the signed blob.
#ifndef FORMAT_IMAGE_IMAGE_H
#define FORMAT_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/arena.h"
#include "format/bytes.h"
#include "format/diag.h"

enum image_kind {
    IMAGE_AUTO, // recognise by content, then by extension
    IMAGE_ELF,
    IMAGE_BIN,
    IMAGE_UF2,
    IMAGE_DFUSE,
    IMAGE_IHEX,
    IMAGE_ESP_APP,
    IMAGE_ESP_FLASH,
    IMAGE_KINDS,
};

enum image_machine { // ISA family as far as the container says it; the scan refines it
    IMAGE_ISA_UNKNOWN,
    IMAGE_ISA_THUMB,
    IMAGE_ISA_ARM,
    IMAGE_ISA_RV32,
    IMAGE_ISA_RV64,
    IMAGE_ISA_XTENSA,
    IMAGE_ISA_X86,
    IMAGE_ISA_X64,
    IMAGE_ISA_AARCH64,
};

// TWIN: with R and W, a run of a position-independent program whose loader writes pointers into it.
// The same bytes of the file are mapped a second time behind it, read-only and executable, so that
// machine code in it needs no memory that is both. See image_code_address.
// APART: of a blob whose machine code lies in a run of its own (struct blob_code); says nothing
// about a run that is added.
enum image_segment_flags {
    IMAGE_APART = 16,
    IMAGE_TWIN = 8,
    IMAGE_R = 4,
    IMAGE_W = 2,
    IMAGE_X = 1,
};

struct image_segment {
    uint64_t addr;        // where the bytes lie on the device: load address (p_paddr) for static
                          // images, p_vaddr for position-independent ELF, mapped address for ESP32
    uint64_t run;         // where the CPU sees them when running; differs from addr for .data and
                          // code copied to RAM (known for ELF only, else equal to addr)
    uint64_t size;        // bytes
    uint64_t mem_size;    // bytes occupied at run time from run on; >= size (.bss behind .data)
    const uint8_t *data;  // the bytes, within image_work; change them with image_poke only
    uint64_t file_offset; // of data in the file where it is contiguous there, else UINT64_MAX
    unsigned flags;       // IMAGE_R|W|X where the container says so, else all
    const char *name;     // for listings: "LOAD", "DROM", "target 0"; never NULL
};

struct image_symbol { // ELF .symtab, sorted by name; empty for stripped files
    const char *name;
    uint64_t value, size;
};

struct image_reloc { // dynamic relocations of position-independent ELF, sorted by where
    uint64_t where;  // address of the word that the loader writes
    uint64_t addend; // RELATIVE: the value at load base 0
    uint32_t type;   // ELF r_type
    uint32_t symbol; // dynamic symbol index, 0 = RELATIVE
    bool known;      // the value is in addend: RELATIVE, or the symbol is defined in this image
};

// What the segments of an image lie in: bytes of the file, or what was gathered from it. They are
// the caller's until something must change: then they move to a copy.
struct image_work {
    const uint8_t *data;
    uint8_t *own; // the same bytes, the image's own; NULL = they are the caller's
    size_t size;
};

struct image {
    enum image_kind kind;
    const char *name; // file name, for messages
    struct arena *arena;
    // The original file; after image_remove the base's; after image_add not for use: image_write
    // makes it whole.
    const uint8_t *file;
    size_t file_size;
    enum image_machine machine;
    unsigned address_bits; // 32 or 64; 0 = unknown
    bool base_known;       // false for a raw .bin until image_rebase
    bool unsealed;         // checksums that cover the content are made when it is written
    struct image_work *work;
    bool mapped; // Espressif: program and constants are mapped from flash in pages of 64 KiB
    // Espressif chips that have one table of flash pages for constants and code: data_window + x
    // and code_window + x show the same byte, for x below window. 0: no such windows.
    uint64_t data_window, code_window, window;
    // Espressif chips that have a table of flash pages for code alone: where the code ends, and
    // more may be added. 0: it is one table, or not one segment of code.
    uint64_t code_end;
    bool pic;       // position-independent: words are relocated at load time
    uint64_t entry; // 0 = unknown
    unsigned n_segments;
    struct image_segment *segments; // sorted by addr
    struct image_segment **by_run;  // the same, sorted by run
    unsigned n_symbols;
    const struct image_symbol *symbols;
    size_t n_relocs;
    const struct image_reloc *relocs;
    void *container; // the container's own state
};

// name decides only where content does not. data must outlive the image and stay as it is. Errors:
// DIAG_MALFORMED.
enum diag_code image_read(const uint8_t *data, size_t size, const char *name, enum image_kind kind,
                          struct arena *a, struct diag *d, struct image **out);
// Gives a raw image its base address; without effect on other images and when the end would not fit
// into the address space.
void image_rebase(struct image *img, uint64_t base);
// "ELF 32-bit ARM", "UF2, family RP2040" ...: for people.
const char *image_describe(const struct image *img, struct arena *a);
const char *
image_kind_name(enum image_kind kind); // "elf", "bin", "uf2", "dfuse", "ihex", "esp", "esp-flash"
enum image_kind image_kind_find(const char *name); // IMAGE_AUTO if there is none
// By the extension of a file's name; IMAGE_AUTO if it says nothing.
enum image_kind image_kind_of_name(const char *file_name);

// The segment that holds addr (a device address), or NULL; _run takes a run-time address.
const struct image_segment *image_at(const struct image *img, uint64_t addr);
// size bytes at a device address, or NULL if they are not all in one segment.
const uint8_t *image_bytes(const struct image *img, uint64_t addr, uint64_t size);
// The same by run-time address: what a pointer in the firmware means.
const uint8_t *image_run_bytes(const struct image *img, uint64_t run, uint64_t size);
// Run-time address to device address; UINT64_MAX if it is in no segment.
uint64_t image_run_to_addr(const struct image *img, uint64_t run);
// The word at a run-time address as the running firmware sees it: the addend of a RELATIVE
// relocation where there is one, else the stored bytes. size is 2, 4 or 8.
bool image_word(const struct image *img, uint64_t run, unsigned size, uint64_t *value);

// Overwrites existing bytes; the first time, all bytes of the image may move: pointers to them keep
// what was there before. Errors: DIAG_INTERNAL when they are not in the image.
enum diag_code image_poke(struct image *img, uint64_t addr, const uint8_t *bytes, uint64_t size,
                          struct diag *d);
// Lends img memory for its own copy of the bytes, before anything overwrites them: copy must hold
// the same bytes as the image's file. img uses it until image_take or image_remove, if it has use
// for it.
void image_lend(struct image *img, uint8_t *copy);
// May image_take and then image_with write over that memory? The base's bytes stay in place then.
bool image_in_place(const struct image *img);
// image_add wants addr and size to be multiples of this; what is missing is filled (UF2: with
// zeros).
uint64_t image_granule(const struct image *img);
// The most bytes that image_add takes at addr, as far as the container sets a limit; else
// UINT64_MAX. An Espressif app on its own does not know its partition: space are the bytes that the
// whole app may take there (UINT64_MAX: any number); a full-flash image has the partition's size.
uint64_t image_room(const struct image *img, uint64_t addr, uint64_t space);
// True if a device may get bytes of the file that are at no address of the image: UF2 blocks for
// another chip, the other boards' images of a universal hex, boot loader and partitions of a full
// flash, what surrounds an ELF in a raw image. *offset: where the first of them are in the file.
bool image_elsewhere(const struct image *img, uint64_t *offset);
// What image_remove will need to restore the container after image_add(addr, size): appended to
// out. Depends on the base and on (addr, size) only; at most a few hundred bytes.
enum diag_code image_undo(const struct image *img, uint64_t addr, uint64_t size,
                          struct bytes_out *out, struct diag *d);
// Where machine code at addr of a run is executed: of one that is added with TWIN, or of one in
// data_window. 0 when the container has the run at one place alone.
uint64_t image_code_address(const struct image *img, uint64_t run, uint64_t size, uint64_t addr);
// Where the segments have the bytes of machine code that is executed at addr; addr itself unless it
// is in code_window alone.
uint64_t image_code_data(const struct image *img, uint64_t addr);
// Adds a run of bytes where the image has none. Segments move: pointers to them and into them are
// invalid afterwards. Errors: DIAG_NO when the container cannot take it.
enum diag_code image_add(struct image *img, uint64_t addr, const uint8_t *bytes, uint64_t size,
                         unsigned flags, struct diag *d);
// Takes the run away again and restores the container from the undo record. Then adds the run once
// more, in memory, and compares: DIAG_NO if the container held anything else that is not the base's
// (padding, gaps, headers). Pokes may be undone before or after. Segments move as in image_add.
enum diag_code image_remove(struct image *img, uint64_t addr, uint64_t size, const uint8_t *undo,
                            size_t undo_size, struct diag *d);
// image_remove for a verifier, in two halves that copy less. image_take removes the run without
// the proof: img becomes the base, and its whole file is put into file, which img works on: it must
// outlive it, and pokes change it.
// image_with makes the file that image_add and image_write would make of img, which stays as it
// is: comparing it with the product is the proof, for every byte of the product's file. Both want
// file to be empty.
enum diag_code image_take(struct image *img, uint64_t addr, uint64_t size, const uint8_t *undo,
                          size_t undo_size, struct bytes_out *file, struct diag *d);
enum diag_code image_with(const struct image *img, uint64_t addr, const uint8_t *bytes,
                          uint64_t size, unsigned flags, struct bytes_out *file, struct diag *d);
// The whole file: checksums, counts, hashes and headers that the container demands are made anew
// where something changed, and kept as they were where nothing did.
enum diag_code image_write(const struct image *img, struct bytes_out *out, struct diag *d);

// What a new container needs to know and an address space does not say.
struct image_target {
    enum image_kind kind;
    bool has_family; // UF2: family below; else blocks are written without one
    uint32_t family;
};
// The same address space in another container: adjacent segments are joined, gaps of a raw image
// are filled with 0xff, partial UF2 blocks and DfuSe words with 0. A container that img is already
// in is written unchanged. Errors: DIAG_NO when the other container cannot hold the address space.
enum diag_code image_convert(const struct image *img, const struct image_target *to,
                             struct bytes_out *out, struct diag *d);
// A UF2 family by name ("rp2040") or number; false if there is none.
bool image_uf2_family(const char *name, uint32_t *family);

#endif
