// The lengths of jumps in bytecode. A jump is short or long by the distance to its label, and the
// distance depends on the lengths of other jumps. Upstream settles this pass by pass, and so must
// we, because what is left of the passes shows in the file: a pass takes labels that it has not yet
// reached from the pass before.
//
// In long code without functions a pass changes little, and the number of passes grows with the
// code. So marks are kept in blocks, and a pass looks only into blocks where a jump may change; the
// others move as a whole.
//
// Facts: MicroPython py/emitbc.c, releases 1.19 to 1.29.
#ifndef PACKER_COMPILER_JUMPS_H
#define PACKER_COMPILER_JUMPS_H

#include "packer/compiler/unit.h"

enum mark_kind { // the others are jumps, of opcode MARK_JUMPS + kind
    MARK_LABEL = 14,
    MARK_LINE = 15,
    MARK_KINDS = 0xf,
    MARK_JUMPS = 0x40,
    MARK_ARGS = (1 << 28) - 1, // no script has so many bytes
};

struct mark {
    uint32_t at; // bytes before it, jumps not counted
    unsigned kind : 4;
    unsigned arg : 28; // label or lines
};

enum {
    JUMP_SHORT = 2, // bytes
    JUMP_LONG = 3,
    JUMP_LAST_SIGNED = 0x44 - MARK_JUMPS, // jumps up to this one go both ways
};

static inline bool mark_is_jump(const struct mark *m)
{
    return m->kind < MARK_LABEL;
}
static inline bool jump_is_signed(const struct mark *m)
{
    return m->kind <= JUMP_LAST_SIGNED;
}
static inline bool jump_is_short(const struct mark *m, int64_t offset)
{
    return jump_is_signed(m) ? offset >= -64 && offset <= 63 : offset >= 0 && offset <= 127;
}
// What the two bytes of a long jump hold; a wrong jump is one that does not fit them.
static inline int64_t jump_long(const struct mark *m, int64_t offset)
{
    return offset + (jump_is_signed(m) ? 0x4000 : 0) - 1;
}
static inline bool jump_reaches(const struct mark *m, int64_t offset)
{
    return jump_is_short(m, offset) ||
           (jump_long(m, offset) >= 0 && jump_long(m, offset) <= 0x7fff);
}
// One step of a line table's entry: how far it goes in bytes and lines.
struct line_step {
    uint32_t bytes, lines;
    bool wide; // two bytes
};
static inline struct line_step line_step(uint32_t bytes, uint32_t lines)
{
    if (lines <= 6 || bytes > 0xf) {
        uint32_t skip = bytes < 0x1f ? bytes : 0x1f;
        return (struct line_step){skip, skip < bytes ? 0 : lines < 3 ? lines : 3, false};
    }
    return (struct line_step){bytes, lines < 0x7ff ? lines : 0x7ff, true};
}
// Bytes of a line table's entry.
uint32_t jump_line_size(uint32_t bytes, uint32_t lines);

struct jump_sizes { // after a pass
    uint32_t jumps; // bytes of all jumps
    uint32_t lines; // of the line table
};

struct jumps {
    struct unit *u;
    const struct mark *marks;
    size_t n;
    uint32_t *labels; // offsets of the last pass; with blocks, from the start of the label's block
    uint32_t pass;
    uint32_t n_blocks; // 0: a pass goes over all marks
    uint32_t block_marks;
    struct jump_block *blocks;
    uint32_t *label_marks; // where each label is among the marks
};

// True if all jumps reach their labels when all are short. If one does not, the passes, which may
// be many, would end with it. labels is scratch.
bool jumps_may_reach(const struct jumps *j, uint32_t *labels);
// The first pass: no label is known, all jumps are long. labels has room for n_labels.
struct jump_sizes jumps_begin(struct jumps *j, uint32_t *labels, uint32_t n_labels);
// A further pass.
struct jump_sizes jumps_pass(struct jumps *j);
// Makes labels offsets in all cases, and frees the blocks.
void jumps_end(struct jumps *j);

#endif
