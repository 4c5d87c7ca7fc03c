// The writer of a payload: structures go into one of four parts by their alignment, so that nothing
// is lost to padding between them; a flush appends the parts to the payload as one contiguous run.
// Internal to packer/freeze.
#ifndef PACKER_FREEZE_PIECES_H
#define PACKER_FREEZE_PIECES_H

#include "packer/freeze/freeze.h"

enum part {
    PART_WORDS,  // structures and pointer tables
    PART_HALVES, // u16 tables
    PART_CODE,   // machine code
    PART_BYTES,  // bytecode and text
    PARTS,
};

struct place { // where something was put, before its run has an offset
    uint8_t part;
    uint32_t offset;
};

enum link_kind { LINK_PLACE, LINK_OFFSET, LINK_ADDRESS };

struct link { // a pointer word of the current run
    struct place at;
    enum link_kind kind;
    struct place place; // LINK_PLACE: in the same run
    // LINK_PLACE: added to it. LINK_OFFSET: in the payload. LINK_ADDRESS: in the firmware.
    uint64_t value;
};

struct pieces {
    struct arena *arena;
    unsigned ptr;        // bytes in a pointer
    bool wide;           // some structure of this run wants 8-byte alignment
    unsigned code_align; // of machine code in this run; 0 = there is none
    struct bytes_out part[PARTS];
    struct link *links;
    uint32_t n_links, cap_links;
    struct bytes_out out; // the payload so far
    struct freeze_pointer *pointers;
    uint32_t n_pointers, cap_pointers;
};

void pieces_init(struct pieces *p, unsigned ptr, struct arena *a);
void pieces_free(struct pieces *p);

// The place where the next bytes of a part go; PART_WORDS is aligned first (a power of two).
struct place pieces_at(struct pieces *p, enum part part);
struct place pieces_words(struct pieces *p, unsigned align);
struct place pieces_bytes(struct pieces *p, const void *data, size_t n);
// Machine code: its place is a multiple of align within the run.
struct place pieces_code(struct pieces *p, const void *data, size_t n, unsigned align);

// Into PART_WORDS: a word as wide as a pointer, and the three kinds of pointers.
void pieces_word(struct pieces *p, uint64_t value);
void pieces_pointer(struct pieces *p, struct place to);
void pieces_pointer_plus(struct pieces *p, struct place to, uint32_t plus);
void pieces_pointer_out(struct pieces *p, uint64_t address);
void pieces_pointer_offset(struct pieces *p, uint64_t offset);
// The word that was written at a place of its own becomes a pointer.
void pieces_relocate(struct pieces *p, struct place at, struct place to, uint64_t plus);
void pieces_relocate_out(struct pieces *p, struct place at, uint64_t address);

// Ends the run: appends it to the payload and gives its span. *resolved (may be NULL) receives the
// payload offset of each of the n places.
struct freeze_span pieces_flush(struct pieces *p, const struct place *places, unsigned n,
                                uint32_t *resolved);

#endif
