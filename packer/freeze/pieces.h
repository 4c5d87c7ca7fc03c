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

struct place {           // where something was put; good for all of the payload
    uint8_t part, align; // align: of what lies there, 0 = its part's
    uint32_t run;        // from 0 on
    uint32_t offset;     // in its part of its run
};

struct link { // a pointer word of the current run
    struct place at;
    bool inside; // to place, which may lie in an earlier run; else an address in the firmware
    bool data;   // place is read, even where machine code lies
    struct place place; // value is added to it
    uint64_t value;
};

struct shared { // something that others may use, too
    uint32_t hash;
    uint32_t size; // 0 = an empty slot
    struct place at;
    uint32_t first, n; // its pointers, as their indices among all
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
    bool apart;           // machine code goes to code instead
    struct bytes_out code;
    size_t code_base;         // a multiple of FREEZE_ALIGN as an address
    uint32_t run, cap_runs;   // number of the current run
    uint32_t (*bases)[PARTS]; // offsets of the parts of the runs before
    struct shared *shared;    // by content, open addressing
    uint32_t n_shared, n_slots;
    struct freeze_pointer *pointers;
    uint32_t n_pointers, cap_pointers;
};

void pieces_init(struct pieces *p, unsigned ptr, struct arena *a);
void pieces_free(struct pieces *p);
// Ahead of all else: machine code goes to an address of its own.
void pieces_apart(struct pieces *p, uint64_t code_at);

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
// To bytes within machine code that are read: where code runs at other addresses than those at
// which it lies, such bytes are not to be had there.
void pieces_pointer_data(struct pieces *p, struct place to, uint32_t plus);
void pieces_pointer_out(struct pieces *p, uint64_t address);
// The word that was written at a place of its own becomes a pointer.
void pieces_relocate(struct pieces *p, struct place at, struct place to, uint64_t plus);
void pieces_relocate_out(struct pieces *p, struct place at, uint64_t address);
// True if what it points to is executed.
bool pieces_is_code(const struct link *l);

// share.c: what was written to at's part from at on, pointers included, is only read: where the
// payload has the same already, it is taken back. Where it lies.
struct place pieces_share(struct pieces *p, struct place at);

// Ends the run: appends it to the payload and gives its span.
struct freeze_span pieces_flush(struct pieces *p);
// The payload offset of a place in a run that has ended; of machine code apart, that in the code.
uint32_t pieces_offset(const struct pieces *p, struct place at);

#endif
