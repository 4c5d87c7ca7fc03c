#include "tests/lib/mpy_mutate.h"

#include "format/mpy/opcode.h"
#include "format/mpy/prelude.h"

enum { MUTATE_FUNCTIONS = 4096, MUTATE_STEPS = 4, MUTATE_GROW = 64 };

struct mutate {
    uint64_t *random;
    struct arena *arena;
    struct mpy_code *functions[MUTATE_FUNCTIONS];
    uint32_t n;
};

// xorshift64*
uint32_t mpy_mutate_random(uint64_t *random, uint32_t below)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return below ? (uint32_t)((*random * 0x2545f4914f6cdd1du >> 33) % below) : 0;
}

static struct mpy_code *mutate_copy(struct mutate *t, const struct mpy_code *c)
{
    struct mpy_code *copy = arena_dup(t->arena, c, sizeof *c);
    struct mpy_code **children = ARENA_ARRAY(t->arena, struct mpy_code *, c->n_children);
    uint8_t *data = arena_alloc(t->arena, (size_t)c->size + MUTATE_GROW);
    memcpy(data, c->data, c->size);
    copy->data = data;
    for (uint32_t i = 0; i < c->n_children; i++) {
        children[i] = mutate_copy(t, c->children[i]);
    }
    copy->children = children;
    if (t->n < MUTATE_FUNCTIONS && c->kind == MPY_CODE_BYTECODE) {
        t->functions[t->n++] = copy;
    }
    return copy;
}

// A random instruction of c; false when there is none.
static bool mutate_pick(struct mutate *t, const struct mpy_code *c, uint32_t *code,
                        struct mpy_insn *pick)
{
    struct mpy_prelude p;
    struct mpy_insn i;
    uint32_t n = 0;
    if (mpy_prelude_of(c, &p)) {
        return false;
    }
    *code = p.code;
    for (uint32_t at = 0; mpy_insn_decode(c->data + p.code, c->size - p.code, at, c->v5, &i);
         at += i.size) {
        if (mpy_mutate_random(t->random, ++n) == 0) {
            *pick = i;
        }
    }
    return n > 0;
}

// Another opcode with the same kind of argument, so that what follows stays aligned.
static void mutate_opcode(struct mutate *t, uint8_t *at, const struct mpy_insn *i)
{
    for (unsigned tries = 0; tries < 64; tries++) {
        uint8_t byte = (uint8_t)mpy_mutate_random(t->random, 256);
        const struct mpy_op_info *op = mpy_op_info(byte);
        bool bare = op && (op->arg == MPY_ARG_NONE || op->arg == MPY_ARG_IN_OPCODE ||
                           op->arg == MPY_ARG_LOCAL_IN_OPCODE);
        if (op && (op->arg == i->info->arg || (bare && i->size == 1))) {
            *at = byte;
            return;
        }
    }
}

static void mutate_insn(struct mutate *t, struct mpy_code *c)
{
    struct mpy_insn i, other;
    uint32_t code;
    if (!mutate_pick(t, c, &code, &i) || !mutate_pick(t, c, &code, &other)) {
        return;
    }
    uint8_t *data = (uint8_t *)c->data, *at = data + code + i.at;
    switch (mpy_mutate_random(t->random, 5)) {
    case 0:
        mutate_opcode(t, at, &i);
        break;
    case 1:
        at[i.size - 1] = (uint8_t)(at[i.size - 1] + mpy_mutate_random(t->random, 9) - 4);
        break;
    case 2: // take it out
        memmove(at, at + i.size, c->size - code - i.at - i.size);
        c->size -= i.size;
        break;
    case 3: // once more
        memmove(at + i.size, at, c->size - code - i.at);
        c->size += i.size;
        break;
    default: // another one in its place
        if (i.size == other.size) {
            memmove(at, data + code + other.at, i.size);
        }
    }
}

static void mutate_function(struct mutate *t, struct mpy_code *c)
{
    uint32_t kind = mpy_mutate_random(t->random, 8), start = c->size;
    if (kind == 0 && c->size) { // signature, size, names, lines, cells
        uint8_t *at = (uint8_t *)c->data + mpy_mutate_random(t->random, c->size < 8 ? c->size : 8);
        *at ^= (uint8_t)(1u << mpy_mutate_random(t->random, 8));
    } else if (kind == 1 && c->n_children > 1) {
        struct mpy_code **children = (struct mpy_code **)c->children;
        children[0] = children[mpy_mutate_random(t->random, c->n_children)];
    } else {
        mutate_insn(t, c);
    }
    if (c->size > start + MUTATE_GROW / MUTATE_STEPS) {
        c->size = start;
    }
}

void mpy_mutate(const struct mpy_module *m, uint64_t *random, struct arena *a,
                struct bytes_out *out)
{
    struct mutate t = {.random = random, .arena = a};
    struct mpy_module copy = *m;
    copy.root = mutate_copy(&t, m->root);
    if (mpy_mutate_random(random, 16) == 0 && copy.n_qstr > 1) {
        copy.n_qstr--;
    }
    if (mpy_mutate_random(random, 16) == 0 && copy.n_obj) {
        copy.n_obj--;
    }
    for (uint32_t n = 1 + mpy_mutate_random(random, MUTATE_STEPS); t.n && n; n--) {
        mutate_function(&t, t.functions[mpy_mutate_random(random, t.n)]);
    }
    mpy_write(&copy, out);
}
