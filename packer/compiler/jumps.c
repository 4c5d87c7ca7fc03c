#include "packer/compiler/jumps.h"

#include <string.h>

enum {
#ifndef JUMP_BLOCK
    JUMP_BLOCK = 512, // marks; a pass costs one look at each block and all marks of a few
#endif
    JUMP_TARGETS = 8, // blocks that a block's jumps lead to, if they are to be known
};

struct jump_block {
    uint32_t at;      // bytes of jumps before it
    int32_t moved;    // by how much that changed in the last pass that came here
    uint32_t bytes;   // of its jumps
    uint32_t changed; // last pass that changed a jump in it
    uint32_t first_line, last_line, line_arg; // places of its first and last line mark in it
    uint32_t lines;                           // of the line table, without the first one's entry
    bool has_line;
    bool open;                      // has more targets than are kept: is looked into always
    int64_t less, more;             // most that all its offsets may change before a jump changes
    int64_t drift_less, drift_more; // most that they have changed
    uint32_t n_targets, targets[JUMP_TARGETS];
};

uint32_t jump_line_size(uint32_t bytes, uint32_t lines)
{
    uint32_t size = 0;
    while (bytes || lines) {
        if (bytes <= 0x1f && lines <= 3) {
            return size + 1; // the common case
        }
        struct line_step step = line_step(bytes, lines);
        size += step.wide ? 2 : 1;
        bytes -= step.bytes;
        lines -= step.lines;
    }
    return size;
}

static struct jump_sizes jumps_plain_pass(struct jumps *j, bool first)
{
    struct jump_sizes sizes = {0, 0};
    uint32_t jumps = 0, last_line_at = 0;
    for (size_t i = 0; i < j->n; i++) {
        const struct mark *m = &j->marks[i];
        uint32_t at = m->at + jumps;
        if (m->kind == MARK_LABEL) {
            j->labels[m->arg] = at;
        } else if (m->kind == MARK_LINE) {
            sizes.lines += jump_line_size(at - last_line_at, m->arg);
            last_line_at = at;
        } else {
            int64_t offset = (int64_t)j->labels[m->arg] - at - 2;
            jumps += first || !jump_is_short(m, offset) ? JUMP_LONG : JUMP_SHORT;
        }
    }
    sizes.jumps = jumps;
    return sizes;
}

bool jumps_may_reach(const struct jumps *j, uint32_t *labels)
{
    uint32_t jumps = 0;
    for (size_t i = 0; i < j->n; i++) {
        const struct mark *m = &j->marks[i];
        if (m->kind == MARK_LABEL) {
            labels[m->arg] = m->at + jumps;
        }
        jumps += mark_is_jump(m) ? JUMP_SHORT : 0;
    }
    jumps = 0;
    for (size_t i = 0; i < j->n; i++) {
        const struct mark *m = &j->marks[i];
        if (mark_is_jump(m)) {
            if (!jump_reaches(m, (int64_t)labels[m->arg] - (m->at + jumps) - 2)) {
                return false;
            }
            jumps += JUMP_SHORT;
        }
    }
    return true;
}

// ---- Blocks ----

static uint32_t jumps_block_of(const struct jumps *j, uint32_t label)
{
    return j->label_marks[label] / j->block_marks;
}

static void jumps_add_target(struct jump_block *b, uint32_t block)
{
    for (uint32_t i = 0; i < b->n_targets; i++) {
        if (b->targets[i] == block) {
            return;
        }
    }
    if (b->n_targets == JUMP_TARGETS) {
        b->open = true;
    } else {
        b->targets[b->n_targets++] = block;
    }
}

static void jumps_find_targets(struct jumps *j)
{
    for (size_t i = 0; i < j->n; i++) {
        if (j->marks[i].kind == MARK_LABEL) {
            j->label_marks[j->marks[i].arg] = (uint32_t)i;
        }
    }
    for (size_t i = 0; i < j->n; i++) {
        if (mark_is_jump(&j->marks[i])) {
            uint32_t target = jumps_block_of(j, j->marks[i].arg);
            jumps_add_target(&j->blocks[i / j->block_marks], target);
        }
    }
}

// What a block's jumps do not mind: how far their offsets may fall and rise.
static void jumps_slack(struct jump_block *b, const struct mark *m, int64_t offset)
{
    int64_t low = jump_is_signed(m) ? -64 : 0, high = jump_is_signed(m) ? 63 : 127;
    int64_t less = offset < low ? INT64_MAX : offset > high ? offset - high - 1 : offset - low;
    int64_t more = offset > high ? INT64_MAX : offset < low ? low - offset - 1 : high - offset;
    b->less = less < b->less ? less : b->less;
    b->more = more < b->more ? more : b->more;
}

// Goes over the marks of block k, which now begins at `at`. Labels ahead of a jump are where the
// pass before has left them.
static void jumps_look_into(struct jumps *j, uint32_t k, uint32_t at, bool first)
{
    struct jump_block *b = &j->blocks[k];
    uint32_t jumps = 0;
    bool changed = false;
    size_t begin = (size_t)k * j->block_marks, end = begin + j->block_marks;
    b->less = b->more = INT64_MAX;
    b->drift_less = b->drift_more = 0;
    b->lines = 0;
    b->has_line = false;
    for (size_t i = begin; i < end && i < j->n; i++) {
        const struct mark *m = &j->marks[i];
        uint32_t place = m->at + jumps;
        if (m->kind == MARK_LABEL) {
            changed |= j->labels[m->arg] != place;
            j->labels[m->arg] = place;
        } else if (m->kind == MARK_LINE) {
            if (b->has_line) {
                b->lines += jump_line_size(place - b->last_line, m->arg);
            } else {
                b->first_line = place;
                b->line_arg = m->arg;
                b->has_line = true;
            }
            b->last_line = place;
        } else if (first) {
            jumps += JUMP_LONG;
        } else {
            uint32_t mark = j->label_marks[m->arg], target = mark / j->block_marks;
            uint32_t base = target == k && mark < i ? at : j->blocks[target].at;
            int64_t offset = (int64_t)j->labels[m->arg] + base - ((int64_t)place + at) - 2;
            jumps_slack(b, m, offset);
            jumps += jump_is_short(m, offset) ? JUMP_SHORT : JUMP_LONG;
        }
    }
    changed |= b->bytes != jumps;
    b->bytes = jumps;
    b->changed = changed ? j->pass : b->changed;
}

// True if no jump of block k, which now begins at `at`, can change in this pass.
static bool jumps_can_skip(struct jumps *j, uint32_t k, uint32_t at)
{
    struct jump_block *b = &j->blocks[k];
    if (b->open || j->pass == 1 || b->changed + 1 >= j->pass) {
        return false;
    }
    int64_t moved = (int64_t)at - b->at, low = 0, high = 0;
    for (uint32_t i = 0; i < b->n_targets; i++) {
        const struct jump_block *t = &j->blocks[b->targets[i]];
        bool behind = b->targets[i] < k; // it has had this pass; the others have not
        if (t->changed + !behind >= j->pass) {
            return false;
        }
        int64_t change = t->moved - moved;
        low = change < low ? change : low;
        high = change > high ? change : high;
    }
    b->drift_less -= low;
    b->drift_more += high;
    return b->drift_less <= b->less && b->drift_more <= b->more;
}

static struct jump_sizes jumps_block_pass(struct jumps *j, bool first)
{
    struct jump_sizes sizes = {0, 0};
    uint32_t last_line = 0;
    for (uint32_t k = 0; k < j->n_blocks; k++) {
        struct jump_block *b = &j->blocks[k];
        uint32_t at = sizes.jumps;
        if (first || !jumps_can_skip(j, k, at)) {
            jumps_look_into(j, k, at, first);
        }
        b->moved = first ? 0 : (int32_t)(at - b->at);
        b->at = at;
        if (b->has_line) {
            sizes.lines += b->lines + jump_line_size(at + b->first_line - last_line, b->line_arg);
            last_line = at + b->last_line;
        }
        sizes.jumps += b->bytes;
    }
    return sizes;
}

struct jump_sizes jumps_begin(struct jumps *j, uint32_t *labels, uint32_t n_labels)
{
    j->labels = labels;
    j->pass = 0;
    j->n_blocks = 0;
    if (j->n < 2 * JUMP_BLOCK) {
        return jumps_plain_pass(j, true);
    }
    j->block_marks = JUMP_BLOCK;
    j->n_blocks = (uint32_t)((j->n + JUMP_BLOCK - 1) / JUMP_BLOCK);
    j->blocks = arena_resize(&j->u->work, NULL, j->n_blocks * sizeof *j->blocks);
    j->label_marks = arena_resize(&j->u->work, NULL, n_labels * sizeof *j->label_marks + 1);
    memset(j->blocks, 0, j->n_blocks * sizeof *j->blocks);
    memset(j->label_marks, 0, n_labels * sizeof *j->label_marks);
    jumps_find_targets(j);
    return jumps_block_pass(j, true);
}

struct jump_sizes jumps_pass(struct jumps *j)
{
    j->pass++;
    return j->n_blocks ? jumps_block_pass(j, false) : jumps_plain_pass(j, false);
}

void jumps_end(struct jumps *j)
{
    if (!j->n_blocks) {
        return;
    }
    for (size_t i = 0; i < j->n; i++) {
        if (j->marks[i].kind == MARK_LABEL) {
            j->labels[j->marks[i].arg] += j->blocks[i / j->block_marks].at;
        }
    }
    arena_drop(&j->u->work, j->blocks);
    arena_drop(&j->u->work, j->label_marks);
}
