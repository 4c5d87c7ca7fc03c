// See check.h. One function at a time: a linear pass finds instructions and labels, then every path
// is followed in the order of the code, so that all forward paths to a label are known before it is
// passed; a backward jump must find a stack there that fits.
//
// Whether an exception handler is active is decided by position, as the VM does it: when the
// instruction is not before the handler. Facts: py/vm.c.
#include "format/mpy/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "format/mpy/check_stack.h"
#include "format/mpy/opcode.h"
#include "format/mpy/prelude.h"

enum {
    CHECK_STATE_MAX = 65535,   // mp_code_state_t has 16 bits for n_state
    CHECK_EXC_MAX = 65534,     // and for the index into the exception stack
    CHECK_WORK_BASE = 100000,  // steps allowed for any function
    CHECK_WORK_PER_BYTE = 300, // and for each byte of it; mpy-cross's output needs under 10
    CHECK_MESSAGE = 200,
    CHECK_WITH_ROOM = 1,    // entries SETUP_WITH writes above those it leaves
    CHECK_CLEANUP_ROOM = 3, // entries WITH_CLEANUP uses above __exit__ and its self
    CHECK_UNWIND_ROOM = 2,  // and for UNWIND_JUMP
};

struct check_unwind;

struct check_block { // a SETUP instruction: an entry of the exception stack
    struct check_block *parent;
    const struct check_block *waiting_above; // nearest parent that is not active at the SETUP
    bool is_finally;                         // SETUP_FINALLY or SETUP_WITH
    uint32_t handler, count;                 // count: entries of the exception stack with this one
    const struct check_slot *stack;          // what its handler finds
    const struct check_slot *end;            // what END_FINALLY leaves; NULL = not seen yet
    uint32_t end_ip;
    struct check_unwind *waiting; // jumps that go on from there
};

struct check_unwind { // an UNWIND_JUMP on its way
    struct check_unwind *next;
    const struct check_slot *stack;
    struct check_block *block;
    uint32_t at, ip, handlers, target;
    bool from_for;
};

struct check_state {
    const struct check_slot *stack;
    struct check_block *block; // top of the exception stack
};

struct check_label {
    bool reached, passed;
    struct check_state state;
};

enum { CHECK_NEVER_MADE = UINT32_MAX };

struct check_made {   // how a child is made into a function
    uint32_t n_cells; // the fewest, CHECK_NEVER_MADE at first
    bool is_class;
};

struct check_fun {
    const struct mpy_module *module;
    const struct mpy_code *code;
    struct mpy_prelude p;
    struct check_work work;
    const uint8_t *bytes; // the instructions
    uint32_t size;
    uint8_t *begins;    // one bit a byte: an instruction begins here
    uint32_t *label_at; // index + 1 into labels, or 0
    struct check_label *labels;
    uint32_t *pending, n_pending; // heap of offsets of labels that are reached and not passed
    uint8_t *cells;               // one bit a local
    bool never_made;         // nothing shows with how many cells: arguments may be cells or not
    struct check_made *made; // for each child
    bool is_class;           // a class body: returns None or a cell
    uint32_t n_locals, most, least; // deepest stack, counting finally entries as two and as one
    uint32_t n_instructions, n_loose;
    uint32_t int_end; // the instruction before this offset loaded int_value
    int64_t int_value;
    // The current instruction.
    struct mpy_insn i;
    struct check_state now;
    char wrong[CHECK_MESSAGE]; // "" = fine
    uint32_t wrong_at;         // offset within bytes; UINT32_MAX = the prelude
    bool nomem;
};

// --- failing

static bool check_wrong(struct check_fun *f, const char *fmt, ...) DIAG_PRINTF(2, 3);
static bool check_jump(struct check_fun *f, const struct check_state *s);

static bool check_wrong(struct check_fun *f, const char *fmt, ...)
{
    if (!f->wrong[0]) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(f->wrong, sizeof f->wrong, fmt, args);
        va_end(args);
        f->wrong_at = f->i.at;
    }
    return false;
}

// --- the current stack

static bool check_put(struct check_fun *f, char kind, uint32_t detail, const void *owner)
{
    const struct check_slot *s = check_push(&f->work, f->now.stack, kind, detail, owner);
    if (!s) {
        return check_wrong(f, "moves more values than a function of this size can");
    }
    f->now.stack = s;
    f->most = s->depth > f->most ? s->depth : f->most;
    f->least = s->low > f->least ? s->low : f->least;
    return true;
}

// The instruction needs room for n more entries than it leaves.
static void check_room(struct check_fun *f, uint32_t n)
{
    const struct check_slot *s = f->now.stack;
    f->most = s->depth + n > f->most ? s->depth + n : f->most;
    f->least = s->low + n > f->least ? s->low + n : f->least;
}

static const char *check_kind_name(char kind)
{
    switch (kind) {
    case CHECK_BOTTOM:
        return "nothing";
    case CHECK_NULL:
        return "a null";
    case CHECK_SELF:
        return "a bound self";
    case CHECK_ITER:
        return "an iterator";
    case CHECK_FINALLY:
    case CHECK_ENTERED:
    case CHECK_RESUME_1:
    case CHECK_RESUME_2:
        return "the state of a finally";
    case CHECK_CELL:
        return "a cell";
    case CHECK_LIST:
        return "a new list";
    case CHECK_DICT:
        return "a new dict";
    case CHECK_SET:
        return "a new set";
    case CHECK_TUPLE:
        return "a new tuple";
    case CHECK_QSTR:
        return "an interned string";
    case CHECK_MODULE:
        return "an imported module";
    case CHECK_BUILD_CLASS:
        return "__build_class__";
    default:
        return "an object";
    }
}

static bool check_may_be(const struct check_slot *s, char kind)
{
    if (kind == 'n') {
        return check_may_be(s, CHECK_ANY) || s->kind == CHECK_NULL;
    }
    if (s->kind == kind) {
        return true;
    }
    struct check_slot want = {.kind = kind};
    return (kind == CHECK_ANY || kind == CHECK_SELF) && check_fits(s, &want);
}

static bool check_take(struct check_fun *f, char kind)
{
    const struct check_slot *s = f->now.stack;
    if (!check_may_be(s, kind)) {
        return check_wrong(f, "%s takes %s, but %s is on the stack", f->i.info->name,
                           check_kind_name(kind == 'n' ? CHECK_ANY : kind),
                           check_kind_name(s->kind));
    }
    f->now.stack = s->below;
    return true;
}

static bool check_take_iter(struct check_fun *f)
{
    const struct check_slot *s = f->now.stack;
    if (s->kind != CHECK_ITER || s->detail != MPY_ITER_SLOTS - 1) {
        return check_wrong(f, "%s takes an iterator, but %s is on the stack", f->i.info->name,
                           check_kind_name(s->kind));
    }
    f->now.stack = check_down(s, s->index - MPY_ITER_SLOTS);
    return true;
}

// FOR_ITER leaves the iterator where it is. Generator expressions get theirs as an argument and
// make the four entries by hand: null, the iterator, two that are not used.
static bool check_for_iter(struct check_fun *f)
{
    const struct check_slot *s = f->now.stack, *at[MPY_ITER_SLOTS] = {NULL};
    struct check_state done = f->now;
    for (unsigned n = 0; n < MPY_ITER_SLOTS && s->kind != CHECK_BOTTOM; n++, s = s->below) {
        at[n] = s;
    }
    bool by_hand = at[3] && at[3]->kind == CHECK_NULL && check_may_be(at[2], CHECK_ANY) &&
                   at[1]->kind == CHECK_NULL && at[0]->kind == CHECK_NULL;
    if (by_hand) {
        done.stack = s;
    } else if (check_take_iter(f)) {
        done.stack = f->now.stack;
        f->now.stack = at[0];
    } else {
        return false;
    }
    return check_jump(f, &done) && check_put(f, CHECK_ANY, 0, NULL);
}

static bool check_put_iter(struct check_fun *f)
{
    for (uint32_t n = 0; n < MPY_ITER_SLOTS; n++) {
        if (!check_put(f, CHECK_ITER, n, NULL)) {
            return false;
        }
    }
    return true;
}

// n times any object. The work is counted.
static bool check_take_many(struct check_fun *f, uint64_t n)
{
    if (n > f->now.stack->index) {
        return check_wrong(f, "%s takes %llu values, but %u are on the stack", f->i.info->name,
                           (unsigned long long)n, f->now.stack->index);
    }
    if (n > f->work.left) {
        return check_wrong(f, "moves more values than a function of this size can");
    }
    f->work.left -= n;
    for (; n; n--) {
        if (!check_take(f, CHECK_ANY)) {
            return false;
        }
    }
    return true;
}

static bool check_put_many(struct check_fun *f, uint64_t n)
{
    if (n > CHECK_STATE_MAX) {
        return check_wrong(f, "%s leaves %llu values", f->i.info->name, (unsigned long long)n);
    }
    for (; n; n--) {
        if (!check_put(f, CHECK_ANY, 0, NULL)) {
            return false;
        }
    }
    return true;
}

// --- labels

static void check_heap_swap(uint32_t *a, uint32_t *b)
{
    uint32_t t = *a;
    *a = *b;
    *b = t;
}

static void check_heap_add(struct check_fun *f, uint32_t at)
{
    uint32_t i = f->n_pending++;
    f->pending[i] = at;
    for (; i && f->pending[(i - 1) / 2] > f->pending[i]; i = (i - 1) / 2) {
        check_heap_swap(&f->pending[(i - 1) / 2], &f->pending[i]);
    }
}

static uint32_t check_heap_take(struct check_fun *f)
{
    uint32_t least = f->pending[0], n = --f->n_pending, i = 0;
    f->pending[0] = f->pending[n];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < n && f->pending[child + 1] < f->pending[child]) {
            child++;
        }
        if (child >= n || f->pending[i] <= f->pending[child]) {
            return least;
        }
        check_heap_swap(&f->pending[i], &f->pending[child]);
        i = child;
    }
}

// A path with this state leads to a label. Its offset is known to be one.
static bool check_arrive(struct check_fun *f, uint32_t at, const struct check_state *s)
{
    struct check_label *l = &f->labels[f->label_at[at] - 1];
    if (!l->reached) {
        l->reached = true;
        l->state = *s;
        check_heap_add(f, at);
        return true;
    }
    if (l->state.block != s->block) {
        return check_wrong(f, "paths with different exception handlers meet at %u", at);
    }
    if (l->passed) {
        return check_stack_fits(&f->work, s->stack, l->state.stack) ||
               check_wrong(f, "the stack does not fit the one that %u was passed with", at);
    }
    const struct check_slot *joined = check_join(&f->work, l->state.stack, s->stack);
    if (!joined) {
        return check_wrong(f, "paths with different stacks meet at %u", at);
    }
    l->state.stack = joined;
    return true;
}

static bool check_jump(struct check_fun *f, const struct check_state *s)
{
    return check_arrive(f, (uint32_t)f->i.target, s);
}

// --- exception handlers

static bool check_active(const struct check_block *b, uint32_t ip)
{
    return b->handler <= ip;
}

// The nearest handler that would be entered if the instruction at ip raised.
static const struct check_block *check_nearest(struct check_fun *f, const struct check_block *b,
                                               uint32_t ip)
{
    while (b && check_active(b, ip) && f->work.left) {
        f->work.left--;
        b = b->parent;
    }
    return b;
}

// A handler finds the stack that its SETUP saw: nothing below may have been taken or weakened.
static bool check_floor(struct check_fun *f, uint32_t ip)
{
    const struct check_block *b = check_nearest(f, f->now.block, ip);
    if (!b) {
        return true;
    }
    const struct check_slot *s = f->now.stack;
    if (s->index < b->stack->index ||
        !check_stack_fits(&f->work, check_down(s, b->stack->index), b->stack)) {
        return check_wrong(f, "the stack that the handler at %u needs is not there", b->handler);
    }
    return true;
}

static bool check_setup(struct check_fun *f, bool is_finally, bool is_with)
{
    uint32_t after = f->i.at + f->i.size;
    if (is_with && (!check_take(f, CHECK_ANY) || !check_put(f, CHECK_ANY, 0, NULL) ||
                    !check_put(f, CHECK_SELF, 0, NULL))) {
        return false;
    }
    struct check_block *b = ARENA_NEW(f->work.arena, struct check_block), *parent = f->now.block;
    if (!b) {
        f->nomem = true;
        return check_wrong(f, "out of memory");
    }
    *b = (struct check_block){.parent = parent,
                              .waiting_above = check_nearest(f, parent, f->i.at),
                              .is_finally = is_finally,
                              .handler = (uint32_t)f->i.target,
                              .count = parent ? parent->count + 1 : 1,
                              .stack = f->now.stack};
    if (b->count > f->p.n_exc_stack) {
        return check_wrong(f, "needs %u exception handlers, the prelude says %u", b->count,
                           f->p.n_exc_stack);
    }
    if (b->handler < after || (b->waiting_above && b->handler >= b->waiting_above->handler)) {
        return check_wrong(f, "the handler at %u lies outside the one around it", b->handler);
    }
    struct check_state handler = {f->now.stack, b};
    f->now.block = b;
    if (!check_put(f, is_finally ? CHECK_ENTERED : CHECK_EXC, 0, is_finally ? b : NULL)) {
        return false;
    }
    const struct check_slot *entered = f->now.stack;
    f->now.stack = handler.stack;
    handler.stack = entered;
    if (is_with) {
        if (!check_put(f, CHECK_ANY, 0, NULL)) {
            return false;
        }
        check_room(f, CHECK_WITH_ROOM);
    }
    return check_jump(f, &handler);
}

static bool check_unwind_on(struct check_fun *f, struct check_unwind *u);

// A finally handler ends: whatever unwound into it goes on from here.
static bool check_end_of(struct check_fun *f, struct check_block *b)
{
    uint32_t ip = f->i.at + f->i.size;
    if (f->now.block != b) {
        return check_wrong(f, "ends a finally that is not the innermost handler");
    }
    if (ip <= b->handler || (b->waiting_above && b->waiting_above->handler < ip)) {
        return check_wrong(f, "ends a finally outside of its handler");
    }
    if (b->end) {
        return check_stack_fits(&f->work, f->now.stack, b->end) ||
               check_wrong(f, "the stack differs from another end of this finally");
    }
    b->end = f->now.stack;
    b->end_ip = ip;
    while (b->waiting) {
        struct check_unwind *u = b->waiting;
        b->waiting = u->next;
        u->stack = b->end;
        u->ip = b->end_ip;
        u->block = b->parent;
        u->handlers--;
        if (!check_unwind_on(f, u)) {
            return false;
        }
    }
    return true;
}

static bool check_end_finally(struct check_fun *f, bool *ends)
{
    const struct check_slot *s = f->now.stack;
    struct check_block *b = f->now.block;
    if (!b) {
        return check_wrong(f, "END_FINALLY without an exception handler");
    }
    if (s->kind == CHECK_EXC) {
        *ends = true; // raised again
        return true;
    }
    if (s->kind != CHECK_NONE && s->kind != CHECK_FINALLY && s->kind != CHECK_ENTERED &&
        !check_is_resume(s)) {
        return check_wrong(f, "END_FINALLY takes the state of a finally, but %s is on the stack",
                           check_kind_name(s->kind));
    }
    f->now.stack = check_is_resume(s) ? s->below->below : s->below;
    // The owner is a block of this function; the list does not know what it keeps.
    if (s->owner && !check_end_of(f, (struct check_block *)s->owner)) {
        return false;
    }
    f->now.block = b->parent;
    return true;
}

// One handler after the other, as unwind_jump in the VM does it; handlers that must run first are
// waited for.
static bool check_unwind_on(struct check_fun *f, struct check_unwind *u)
{
    for (; u->handlers; u->handlers--, u->block = u->block->parent) {
        struct check_block *b = u->block;
        if (!b) {
            return check_wrong(f, "unwinds more handlers than there are");
        }
        if (!b->is_finally) {
            continue;
        }
        if (check_active(b, u->ip)) {
            struct check_slot state = {.kind = CHECK_FINALLY, .owner = b};
            if (!check_fits(u->stack, &state)) {
                return check_wrong(f, "leaves a finally whose state is not on the stack");
            }
            u->stack = u->stack->below;
            continue;
        }
        if (u->stack->index != b->stack->index) {
            return check_wrong(f, "unwinds into the handler at %u with another stack", b->handler);
        }
        if (!b->end) {
            u->next = b->waiting;
            b->waiting = u;
            return true;
        }
        u->stack = b->end;
        u->ip = b->end_ip;
    }
    struct check_state then = {u->stack, u->block};
    if (u->from_for) {
        if (u->stack->kind != CHECK_ITER || u->stack->detail != MPY_ITER_SLOTS - 1) {
            return check_wrong(f, "leaves a for loop whose iterator is not on the stack");
        }
        then.stack = check_down(u->stack, u->stack->index - MPY_ITER_SLOTS);
    }
    return check_arrive(f, u->target, &then);
}

static bool check_unwind_jump(struct check_fun *f)
{
    check_room(f, CHECK_UNWIND_ROOM);
    struct check_unwind *u = ARENA_NEW(f->work.arena, struct check_unwind);
    if (!u) {
        f->nomem = true;
        return check_wrong(f, "out of memory");
    }
    *u = (struct check_unwind){.stack = f->now.stack,
                               .block = f->now.block,
                               .at = f->i.at,
                               .ip = f->i.at + f->i.size - 1,
                               .handlers = f->i.extra & 0x7f,
                               .target = (uint32_t)f->i.target,
                               .from_for = f->i.extra & 0x80};
    return check_unwind_on(f, u);
}

static bool check_return_value(struct check_fun *f)
{
    char kind = f->now.stack->kind;
    if (f->is_class && kind != CHECK_NONE && kind != CHECK_CELL) {
        return check_wrong(f, "a class body returns %s instead of None or a cell",
                           check_kind_name(kind));
    }
    return check_take(f, CHECK_ANY);
}

// A return cancels the active finally handlers it leaves: each takes its state from the stack.
static bool check_return(struct check_fun *f)
{
    uint32_t active = 0;
    for (const struct check_block *b = f->now.block; b && f->work.left; b = b->parent) {
        f->work.left--;
        active += b->is_finally && check_active(b, f->i.at);
    }
    if (f->now.stack->finallies < active) {
        return check_wrong(f, "returns from a finally whose state is not on the stack");
    }
    return true;
}

static bool check_pop_except(struct check_fun *f)
{
    if (!f->now.block) {
        return check_wrong(f, "POP_EXCEPT_JUMP without an exception handler");
    }
    f->now.block = f->now.block->parent;
    return check_jump(f, &f->now);
}

// --- stack shuffling

static bool check_movable(const struct check_slot *s)
{
    return s->kind != CHECK_BOTTOM && s->kind != CHECK_ITER && s->kind != CHECK_FINALLY &&
           s->kind != CHECK_ENTERED;
}

static bool check_put_copy(struct check_fun *f, const struct check_slot *s)
{
    return check_put(f, s->kind, s->detail, s->owner);
}

// order: the new top entries, deepest first, as distances from the old top.
static bool check_shuffle(struct check_fun *f, unsigned taken, const char *order)
{
    const struct check_slot *from[4], *s = f->now.stack;
    for (unsigned n = 0; n < taken; n++, s = s->below) {
        if (!check_movable(s)) {
            return check_wrong(f, "%s moves objects, but %s is on the stack", f->i.info->name,
                               check_kind_name(s->kind));
        }
        from[n] = s;
    }
    f->now.stack = s;
    for (; *order; order++) {
        if (!check_put_copy(f, from[*order - '0'])) {
            return false;
        }
    }
    return true;
}

static bool check_qstr_is(const struct mpy_module *m, int64_t index, const char *s)
{
    return index < m->n_qstr && m->qstrs[index].len == strlen(s) &&
           memcmp(m->qstrs[index].data, s, m->qstrs[index].len) == 0;
}

// "async with" asks what its finally handler was entered with: DUP_TOP, LOAD_GLOBAL BaseException,
// exception match, POP_JUMP_IF_FALSE. An exception falls through, two entries of a resumption jump.
static bool check_async_with(struct check_fun *f)
{
    enum { EXCEPTION_MATCH = MPY_OP_BINARY_OP_MULTI + 8 };
    struct mpy_insn load, match, jump;
    uint32_t at = f->i.at + f->i.size;
    bool same = mpy_insn_decode(f->bytes, f->size, at, &load) && load.op == MPY_OP_LOAD_GLOBAL &&
                check_qstr_is(f->module, load.arg, "BaseException") &&
                mpy_insn_decode(f->bytes, f->size, at += load.size, &match) &&
                match.byte == EXCEPTION_MATCH &&
                mpy_insn_decode(f->bytes, f->size, at += match.size, &jump) &&
                jump.op == MPY_OP_POP_JUMP_IF_FALSE;
    if (!same || f->label_at[match.at] || f->label_at[jump.at] || f->label_at[load.at]) {
        return check_wrong(f, "copies the state of a finally");
    }
    const struct check_slot *s = f->now.stack;
    check_room(f, 2);
    f->now.stack = s->below;
    if (!check_put(f, CHECK_RESUME_1, 0, s->owner) || !check_put(f, CHECK_RESUME_2, 0, s->owner)) {
        return false;
    }
    f->i = jump;
    if (!check_jump(f, &f->now)) {
        return false;
    }
    f->now.stack = s->below;
    return check_put(f, CHECK_EXC, 0, s->owner);
}

static bool check_dup_top(struct check_fun *f)
{
    return f->now.stack->kind == CHECK_ENTERED ? check_async_with(f) : check_shuffle(f, 1, "00");
}

static bool check_pop_top(struct check_fun *f)
{
    const struct check_slot *s = f->now.stack;
    if (s->kind == CHECK_BOTTOM || s->kind == CHECK_FINALLY || s->kind == CHECK_ENTERED ||
        s->kind == CHECK_RESUME_1 || s->kind == CHECK_RESUME_2) {
        return check_wrong(f, "POP_TOP takes an object, but %s is on the stack",
                           check_kind_name(s->kind));
    }
    f->now.stack = s->below;
    return true;
}

// --- functions and calls

// How many cells a child is made with; the fewest if it is made in several ways.
static bool check_made(struct check_fun *f, uint32_t n_cells, uint32_t n_defaults, bool kw_defaults)
{
    const struct mpy_code *c = f->code->children[f->i.arg];
    uint32_t *fewest = &f->made[f->i.arg].n_cells;
    *fewest = n_cells < *fewest ? n_cells : *fewest;
    struct mpy_prelude p;
    bool has = c->kind == MPY_CODE_BYTECODE || c->kind == MPY_CODE_NATIVE;
    if (!has || mpy_prelude_decode(c->data, c->size, c->prelude_offset, &p)) {
        return true; // reported when the child is checked
    }
    if (p.n_def_pos_args != n_defaults) {
        return check_wrong(f, "makes a function that has %u defaults with %u", p.n_def_pos_args,
                           n_defaults);
    }
    if ((p.scope_flags & MPY_SCOPE_DEFKWARGS) && !kw_defaults) {
        return check_wrong(f, "makes a function that has keyword defaults without them");
    }
    return true;
}

static bool check_make(struct check_fun *f, uint32_t n_cells, bool defaults)
{
    uint32_t n_defaults = 0;
    bool kw_defaults = false;
    for (uint32_t n = 0; n < n_cells; n++) {
        if (!check_take(f, CHECK_CELL)) {
            return false;
        }
    }
    if (defaults) {
        const struct check_slot *kw = f->now.stack, *pos = kw->below;
        bool right = (kw->kind == CHECK_DICT || kw->kind == CHECK_NULL) && pos &&
                     (pos->kind == CHECK_TUPLE || pos->kind == CHECK_NULL);
        if (!right) {
            return check_wrong(f, "%s takes a new tuple and a new dict of defaults",
                               f->i.info->name);
        }
        kw_defaults = kw->kind == CHECK_DICT;
        n_defaults = pos->kind == CHECK_TUPLE ? pos->detail : 0;
        f->now.stack = pos->below;
    }
    return check_made(f, n_cells, n_defaults, kw_defaults) &&
           check_put(f, CHECK_FUNCTION, (uint32_t)f->i.arg, NULL);
}

// __build_class__ takes it on trust that the function it is given returns None or a cell.
static bool check_class(struct check_fun *f, const struct check_slot *last, uint32_t n_pos,
                        bool method)
{
    const struct check_slot *callee = f->now.stack;
    if (callee->kind != CHECK_BUILD_CLASS || method || n_pos == 0) {
        return false;
    }
    const struct check_slot *body = check_down(last, callee->index + 1);
    if (body->kind != CHECK_FUNCTION) {
        return false;
    }
    f->made[body->detail].is_class = true;
    f->now.stack = callee->below;
    return true;
}

// Positional arguments, then pairs of a name and a value; with variable arguments a null name
// stands for "**" and a bit mask of the starred ones is on top.
static bool check_call(struct check_fun *f, bool method, bool variable)
{
    uint32_t n_pos = f->i.arg & 0xff, n_kw = f->i.arg >> 8 & 0xff;
    if (f->i.arg > 0xffff) {
        return check_wrong(f, "calls with too many arguments");
    }
    // The mark of f(k=1, *a) as compilers before 1.29 mistake it: a star behind the last argument.
    bool misplaced = variable && f->int_end == f->i.at && n_pos < 63 && f->int_value >> n_pos > 0;
    if (variable && !check_take(f, CHECK_ANY)) {
        return false;
    }
    for (; n_kw; n_kw--) {
        if (!check_take(f, CHECK_ANY)) {
            return false;
        }
        char key = f->now.stack->kind;
        bool loose = misplaced && key != CHECK_NULL && key != CHECK_QSTR;
        f->n_loose += loose;
        if (!check_take(f, loose ? CHECK_ANY : variable && key == CHECK_NULL ? key : CHECK_QSTR)) {
            return false;
        }
    }
    const struct check_slot *last = f->now.stack;
    return check_take_many(f, n_pos) && (!method || check_take(f, CHECK_SELF)) &&
           (check_class(f, last, n_pos, method) || check_take(f, CHECK_ANY)) &&
           check_put(f, CHECK_ANY, 0, NULL);
}

// Appends to a list, dict or set that lies deeper in the stack: kind in the low 2 bits.
static bool check_store_comp(struct check_fun *f)
{
    static const char kinds[] = {CHECK_LIST, CHECK_DICT, CHECK_SET};
    uint64_t kind = f->i.arg & 3, deep = (uint64_t)f->i.arg >> 2;
    const struct check_slot *s = f->now.stack;
    if (kind > 2 || deep >= s->depth || deep > f->work.left) {
        return check_wrong(f, "STORE_COMP reaches outside of the stack");
    }
    f->work.left -= deep;
    for (uint64_t n = 0; n < deep; n++) {
        s = s->kind == CHECK_FINALLY || s->kind == CHECK_ENTERED ? &check_bottom : s->below;
    }
    if (s->kind != kinds[kind]) {
        return check_wrong(f, "STORE_COMP stores into %s instead of %s", check_kind_name(s->kind),
                           check_kind_name(kinds[kind]));
    }
    return check_take_many(f, kind == 1 ? 2 : 1);
}

// --- locals

static bool check_is_cell(const struct check_fun *f, uint32_t local)
{
    return local < f->p.n_state && (f->cells[local / 8] >> local % 8 & 1);
}

// A local that is only ever stored needs no place of its own: it is enough that the store hits no
// entry of the value stack. (Compilers store __class__ in a class body so.)
static bool check_reserve(struct check_fun *f, uint32_t local)
{
    if (f->i.op != MPY_OP_STORE_FAST_N && f->i.op != MPY_OP_STORE_FAST_MULTI) {
        f->n_locals = local + 1 > f->n_locals ? local + 1 : f->n_locals;
        return true;
    }
    uint64_t live = f->now.stack->low ? f->now.stack->low - 1 : 0;
    return live + local < f->p.n_state ||
           check_wrong(f, "stores local %u over the value stack", local);
}

static bool check_local(struct check_fun *f, bool wants_cell)
{
    if (f->i.arg >= f->p.n_state) {
        return check_wrong(f, "uses local %lld, there is room for %u", (long long)f->i.arg,
                           f->p.n_state);
    }
    uint32_t local = (uint32_t)f->i.arg;
    bool either = f->never_made && local < f->p.n_pos_args;
    if (wants_cell != check_is_cell(f, local) && !either) {
        return check_wrong(f,
                           wants_cell ? "uses local %u as a cell, which it is not"
                                      : "overwrites local %u, which is a cell",
                           local);
    }
    return check_reserve(f, local);
}

static bool check_load_fast(struct check_fun *f)
{
    bool cell = f->i.arg < f->p.n_state && check_is_cell(f, (uint32_t)f->i.arg);
    return check_local(f, cell) && check_put(f, cell ? CHECK_CELL : CHECK_ANY, 0, NULL);
}

// --- instructions

static bool check_index(struct check_fun *f, const char *what, uint64_t n)
{
    return (uint64_t)f->i.arg < n ||
           check_wrong(f, "%s uses %s %lld, there are %llu", f->i.info->name, what,
                       (long long)f->i.arg, (unsigned long long)n);
}

// Whether an int constant is one that every target of this file keeps in a word.
static bool check_small_int(struct check_fun *f)
{
    unsigned bits = f->module->small_int_bits;
    int64_t v = f->i.arg;
    bool fits =
        bits < 2 || bits > 63 || (v >= -((int64_t)1 << (bits - 1)) && v < (int64_t)1 << (bits - 1));
    return fits ||
           check_wrong(f, "loads the small int %lld, the file says %u bits", (long long)v, bits);
}

static bool check_operand(struct check_fun *f)
{
    const struct mpy_module *m = f->module;
    switch (f->i.info->arg) {
    case MPY_ARG_QSTR:
        return check_index(f, "qstr", m->n_qstr);
    case MPY_ARG_OBJ:
        return check_index(f, "constant", m->n_obj) &&
               (m->objs[f->i.arg].kind != MPY_OBJ_FUN_TABLE ||
                check_wrong(f, "loads the function table as an object"));
    case MPY_ARG_CHILD:
    case MPY_ARG_CHILD_CELLS:
        return check_index(f, "child", f->code->n_children);
    case MPY_ARG_CELL:
        return check_local(f, true);
    case MPY_ARG_LOCAL:
    case MPY_ARG_LOCAL_IN_OPCODE:
        return f->i.op == MPY_OP_LOAD_FAST_N || f->i.op == MPY_OP_LOAD_FAST_MULTI ||
               check_local(f, false);
    case MPY_ARG_INT:
        return check_small_int(f);
    default:
        return true;
    }
}

// What the letters of opcode.def say.
static bool check_take_letters(struct check_fun *f, const char *letters)
{
    size_t n = strlen(letters);
    while (n--) {
        char c = letters[n];
        bool ok;
        if (c == '*') {
            ok = check_take_many(f, (uint64_t)f->i.arg);
            n--;
        } else {
            ok = c == CHECK_ITER ? check_take_iter(f) : check_take(f, c);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

static bool check_put_letters(struct check_fun *f, const char *letters)
{
    for (; *letters; letters++) {
        bool many = letters[1] == '*';
        bool ok = many                      ? check_put_many(f, (uint64_t)f->i.arg)
                  : *letters == CHECK_ITER  ? check_put_iter(f)
                  : *letters == CHECK_TUPLE ? check_put(f, CHECK_TUPLE, (uint32_t)f->i.arg, NULL)
                                            : check_put(f, *letters, 0, NULL);
        if (!ok) {
            return false;
        }
        letters += many;
    }
    return true;
}

static bool check_plain(struct check_fun *f)
{
    const struct mpy_op_info *info = f->i.info;
    struct check_state before = f->now;
    if (!check_take_letters(f, info->before)) {
        return false;
    }
    if (info->jumped) {
        struct check_state taken = f->now;
        if (info->jumped[0]) {
            taken.stack = before.stack; // JUMP_IF_x_OR_POP keeps the top
        }
        if (!check_jump(f, &taken)) {
            return false;
        }
    }
    return !info->after || check_put_letters(f, info->after);
}

// WITH_CLEANUP may leave another state than it found: any but for the owner.
static bool check_with_cleanup(struct check_fun *f)
{
    const struct check_slot *s = f->now.stack;
    const void *owner = s->owner;
    if (s->kind != CHECK_FINALLY && s->kind != CHECK_ENTERED) {
        return check_wrong(f, "WITH_CLEANUP takes the state of a finally, but %s is on the stack",
                           check_kind_name(s->kind));
    }
    // Two more entries for None or an exception, one more for the two of a resumption.
    f->now.stack = s->below;
    check_room(f, CHECK_CLEANUP_ROOM);
    return check_take(f, CHECK_SELF) && check_take(f, CHECK_ANY) &&
           check_put(f, CHECK_FINALLY, 0, owner);
}

static bool check_build_slice(struct check_fun *f)
{
    // The VM reads one byte.
    bool ok = (f->i.arg == 2 || f->i.arg == 3) && f->i.size == 2;
    return ok ? check_plain(f) : check_wrong(f, "BUILD_SLICE of %lld", (long long)f->i.arg);
}

static bool check_unpack_ex(struct check_fun *f)
{
    uint64_t n = (uint64_t)(f->i.arg & 0xff) + (uint64_t)(f->i.arg >> 8 & 0xff) + 1;
    return check_take(f, CHECK_ANY) && check_put_many(f, n);
}

static bool check_yield(struct check_fun *f)
{
    if (!(f->p.scope_flags & MPY_SCOPE_GENERATOR)) {
        return check_wrong(f, "yields, but is no generator");
    }
    return check_plain(f);
}

// Executes f->i on f->now. *ends: no path goes on behind it.
static bool check_insn(struct check_fun *f, bool *ends)
{
    *ends = !f->i.info->after;
    if (!check_operand(f)) {
        return false;
    }
    switch (f->i.op) {
    case MPY_OP_LOAD_FAST_N:
    case MPY_OP_LOAD_FAST_MULTI:
        return check_load_fast(f);
    case MPY_OP_MAKE_FUNCTION:
        return check_make(f, 0, false);
    case MPY_OP_MAKE_FUNCTION_DEFARGS:
        return check_make(f, 0, true);
    case MPY_OP_MAKE_CLOSURE:
        return check_make(f, f->i.extra, false);
    case MPY_OP_MAKE_CLOSURE_DEFARGS:
        return check_make(f, f->i.extra, true);
    case MPY_OP_CALL_FUNCTION:
        return check_call(f, false, false);
    case MPY_OP_CALL_FUNCTION_VAR_KW:
        return check_call(f, false, true);
    case MPY_OP_CALL_METHOD:
        return check_call(f, true, false);
    case MPY_OP_CALL_METHOD_VAR_KW:
        return check_call(f, true, true);
    case MPY_OP_BUILD_SLICE:
        return check_build_slice(f);
    case MPY_OP_STORE_COMP:
        return check_store_comp(f);
    case MPY_OP_UNPACK_EX:
        return check_unpack_ex(f);
    case MPY_OP_DUP_TOP:
        return check_dup_top(f);
    case MPY_OP_DUP_TOP_TWO:
        return check_shuffle(f, 2, "1010");
    case MPY_OP_FOR_ITER:
        return check_for_iter(f);
    case MPY_OP_POP_TOP:
        return check_pop_top(f);
    case MPY_OP_ROT_TWO:
        return check_shuffle(f, 2, "01");
    case MPY_OP_ROT_THREE:
        return check_shuffle(f, 3, "021");
    case MPY_OP_SETUP_WITH:
        return check_setup(f, true, true);
    case MPY_OP_SETUP_FINALLY:
        return check_setup(f, true, false);
    case MPY_OP_SETUP_EXCEPT:
        return check_setup(f, false, false);
    case MPY_OP_WITH_CLEANUP:
        return check_with_cleanup(f);
    case MPY_OP_END_FINALLY:
        return check_end_finally(f, ends);
    case MPY_OP_POP_EXCEPT_JUMP:
        return check_pop_except(f);
    case MPY_OP_UNWIND_JUMP:
        return check_unwind_jump(f);
    case MPY_OP_RETURN_VALUE:
        return check_return_value(f) && check_return(f);
    case MPY_OP_YIELD_VALUE:
    case MPY_OP_YIELD_FROM:
        return check_yield(f);
    default:
        return check_plain(f);
    }
}

// Follows one path from a label to where it ends or meets another label.
static bool check_path(struct check_fun *f, uint32_t at)
{
    struct check_label *l = &f->labels[f->label_at[at] - 1];
    bool ends = false;
    l->passed = true;
    f->now = l->state;
    while (!ends) {
        if (at >= f->size) {
            return check_wrong(f, "the last instruction goes on behind the end");
        }
        mpy_insn_decode(f->bytes, f->size, at, &f->i); // has worked in check_scan
        f->n_instructions++;
        if (!check_floor(f, at) || !check_insn(f, &ends)) {
            return false;
        }
        at = f->i.at + f->i.size;
        if (f->i.op == MPY_OP_LOAD_CONST_SMALL_INT ||
            f->i.op == MPY_OP_LOAD_CONST_SMALL_INT_MULTI) {
            f->int_end = at;
            f->int_value = f->i.arg;
        }
        if (!ends && at < f->size && f->label_at[at]) {
            return check_arrive(f, at, &f->now);
        }
    }
    return true;
}

static bool check_paths(struct check_fun *f)
{
    struct check_state start = {&check_bottom, NULL};
    if (!check_arrive(f, 0, &start)) {
        return false;
    }
    while (f->n_pending) {
        if (!check_path(f, check_heap_take(f))) {
            return false;
        }
    }
    return true;
}

// --- one function

static bool check_add_label(struct check_fun *f, uint32_t at, uint32_t *n)
{
    if (!(f->begins[at / 8] >> at % 8 & 1)) {
        return check_wrong(f, "jumps into the middle of an instruction, to %u", at);
    }
    if (!f->label_at[at]) {
        f->label_at[at] = ++*n;
    }
    return true;
}

// Instructions first, then where they jump to.
static bool check_scan(struct check_fun *f)
{
    uint32_t n = 0;
    if (f->size == 0) {
        f->i.at = 0;
        return check_wrong(f, "has no instructions");
    }
    for (uint32_t at = 0; at < f->size; at += f->i.size) {
        if (!mpy_insn_decode(f->bytes, f->size, at, &f->i)) {
            f->i.at = at;
            return check_wrong(
                f, f->i.info ? "is cut off or has a wrong argument" : "0x%02x is no instruction",
                f->bytes[at]);
        }
        f->begins[at / 8] |= (uint8_t)(1 << at % 8);
    }
    f->label_at[0] = ++n;
    for (uint32_t at = 0; at < f->size; at += f->i.size) {
        mpy_insn_decode(f->bytes, f->size, at, &f->i);
        if (!f->i.info->jumped) {
            continue;
        }
        if (f->i.target < 0 || f->i.target >= f->size) {
            return check_wrong(f, "jumps to %lld, outside of the function", (long long)f->i.target);
        }
        if (!check_add_label(f, (uint32_t)f->i.target, &n)) {
            return false;
        }
    }
    f->labels = ARENA_ARRAY(f->work.arena, struct check_label, n);
    f->pending = ARENA_ARRAY(f->work.arena, uint32_t, n);
    f->nomem = !f->labels || !f->pending;
    return !f->nomem;
}

static bool check_wrong_prelude(struct check_fun *f, const char *why)
{
    check_wrong(f, "%s", why);
    f->wrong_at = UINT32_MAX;
    return false;
}

static bool check_names(struct check_fun *f)
{
    uint32_t pos = 0, qstr;
    if (f->p.name >= f->module->n_qstr) {
        return check_wrong_prelude(f, "the name's qstr does not exist");
    }
    while (mpy_prelude_arg(f->code->data, &f->p, &pos, &qstr)) {
        if (qstr >= f->module->n_qstr) {
            return check_wrong_prelude(f, "an argument name's qstr does not exist");
        }
    }
    return true;
}

// A line table that ends within an entry makes the VM read the byte behind it.
static bool check_lines(struct check_fun *f)
{
    struct mpy_lines l = {0};
    while (mpy_lines_next(f->code->data, &f->p, &l)) {
    }
    return f->p.lines + l.pos == f->p.cells ||
           check_wrong_prelude(f, "the line table ends within an entry");
}

static bool check_prelude(struct check_fun *f)
{
    const struct mpy_code *c = f->code;
    const char *why = mpy_prelude_decode(c->data, c->size, c->prelude_offset, &f->p);
    if (why) {
        return check_wrong_prelude(f, why);
    }
    if (f->p.n_state > CHECK_STATE_MAX) {
        return check_wrong_prelude(f, "n_state is over 65535, the VM keeps 16 bits of it");
    }
    if (f->p.n_exc_stack > CHECK_EXC_MAX) {
        return check_wrong_prelude(f, "n_exc_stack is over 65534, the VM keeps 16 bits of it");
    }
    if (f->p.scope_flags > 15) {
        return check_wrong_prelude(f, "unknown scope flags are set");
    }
    if (f->p.n_pos_args > CHECK_STATE_MAX || f->p.n_kwonly_args > CHECK_STATE_MAX ||
        mpy_prelude_arg_slots(&f->p) > f->p.n_state) {
        return check_wrong_prelude(f, "there are more arguments than room for locals");
    }
    if (f->p.n_def_pos_args > f->p.n_pos_args) {
        return check_wrong_prelude(f, "there are more defaults than arguments");
    }
    return check_names(f) && (c->kind == MPY_CODE_NATIVE || check_lines(f));
}

// Which locals are cells: the first ones of a closure, and those the prelude lists.
static bool check_cells(struct check_fun *f, uint32_t n_closed)
{
    f->n_locals = mpy_prelude_arg_slots(&f->p);
    f->never_made = n_closed == CHECK_NEVER_MADE;
    f->cells = arena_calloc(f->work.arena, f->p.n_state / 8 + 1, 1);
    if (!f->cells) {
        f->nomem = true;
        return false;
    }
    for (uint32_t n = 0; n < n_closed && n < f->p.n_pos_args; n++) {
        f->cells[n / 8] |= (uint8_t)(1 << n % 8);
    }
    for (uint32_t at = f->p.cells; at < f->p.code; at++) {
        uint32_t local = f->code->data[at];
        if (local >= f->p.n_state) {
            return check_wrong_prelude(f, "a cell is outside of the locals");
        }
        f->cells[local / 8] |= (uint8_t)(1 << local % 8);
        f->n_locals = local + 1 > f->n_locals ? local + 1 : f->n_locals;
    }
    return true;
}

static bool check_bytecode(struct check_fun *f)
{
    f->bytes = f->code->data + f->p.code;
    f->size = f->code->size - f->p.code;
    f->work.left = CHECK_WORK_BASE + (uint64_t)CHECK_WORK_PER_BYTE * f->size;
    f->begins = arena_calloc(f->work.arena, f->size / 8 + 1, 1);
    f->label_at = ARENA_ARRAY(f->work.arena, uint32_t, (size_t)f->size + 1);
    f->nomem = !f->begins || !f->label_at;
    return !f->nomem && check_scan(f) && check_paths(f);
}

// The value stack grows up from the beginning of the state, the locals down from its end.
static bool check_state_size(struct check_fun *f, struct mpy_check *report)
{
    if ((uint64_t)f->least + f->n_locals > f->p.n_state) {
        check_wrong(f, "needs %u entries for the stack and %u for locals, n_state is %u", f->most,
                    f->n_locals, f->p.n_state);
        f->wrong_at = UINT32_MAX;
        return false;
    }
    report->tight += (uint64_t)f->most + f->n_locals > f->p.n_state;
    return true;
}

static bool check_function(struct check_fun *f, uint32_t n_closed, struct mpy_check *report)
{
    enum mpy_code_kind kind = f->code->kind;
    report->native += kind != MPY_CODE_BYTECODE;
    if (kind != MPY_CODE_BYTECODE && kind != MPY_CODE_NATIVE) {
        return true;
    }
    if (!check_prelude(f) || !check_cells(f, n_closed)) {
        return false;
    }
    if (kind == MPY_CODE_NATIVE) {
        return true;
    }
    bool ok = check_bytecode(f) && check_state_size(f, report);
    report->instructions += f->n_instructions;
    report->loose += f->n_loose;
    return ok;
}

struct check_run {
    const struct mpy_module *module;
    const char *name;
    struct diag *diag;
    struct mpy_check report;
};

static enum diag_code check_report(struct check_run *r, const struct check_fun *f, uint32_t index)
{
    struct mpy_check *report = &r->report;
    bool in_prelude = f->wrong_at == UINT32_MAX;
    uint32_t offset = in_prelude ? f->code->prelude_offset : f->p.code + f->wrong_at;
    report->at = f->code->at + offset;
    report->function = index;
    report->has_qstr = f->p.code && f->p.name < r->module->n_qstr;
    report->qstr = f->p.name;
    report->line = in_prelude ? 0 : mpy_prelude_line(f->code->data, &f->p, f->wrong_at);
    const struct mpy_qstr *q = report->has_qstr ? &r->module->qstrs[f->p.name] : NULL;
    char where[CHECK_MESSAGE] = "";
    if (!in_prelude) {
        snprintf(where, sizeof where, ", instruction %u", f->wrong_at);
    }
    diag_set_binary(r->diag, DIAG_MALFORMED, r->name, report->at, "bytecode",
                    "function %u (%.*s)%s: %s", index, q ? (int)(q->len < 64 ? q->len : 64) : 1,
                    q ? q->data : "?", where, f->wrong);
    return DIAG_MALFORMED;
}

// A function, then its children. As deep as the tree's maker allowed.
static enum diag_code check_tree(struct check_run *r, const struct mpy_code *c,
                                 const struct check_made *made)
{
    struct arena a;
    arena_init(&a, 0);
    uint32_t index = r->report.functions++;
    struct check_fun f = {
        .module = r->module, .code = c, .work = {.arena = &a}, .is_class = made->is_class};
    f.made = ARENA_ARRAY(&a, struct check_made, c->n_children);
    f.nomem = !f.made;
    for (uint32_t i = 0; f.made && i < c->n_children; i++) {
        f.made[i].n_cells = CHECK_NEVER_MADE;
    }
    enum diag_code err = DIAG_OK;
    if (f.nomem || !check_function(&f, made->n_cells, &r->report)) {
        err = f.nomem ? diag_nomem(r->diag) : check_report(r, &f, index);
    }
    bool known = c->kind == MPY_CODE_BYTECODE;
    for (uint32_t i = 0; i < c->n_children && !err; i++) {
        const struct check_made never = {CHECK_NEVER_MADE, false};
        err = check_tree(r, c->children[i], known ? &f.made[i] : &never);
    }
    arena_free(&a);
    return err;
}

static bool check_no_table(const struct mpy_obj *o)
{
    for (uint32_t i = 0; o->kind == MPY_OBJ_TUPLE && i < o->len; i++) {
        if (o->items[i].kind == MPY_OBJ_FUN_TABLE || !check_no_table(&o->items[i])) {
            return false;
        }
    }
    return true;
}

enum diag_code mpy_check(const struct mpy_module *m, const char *name, struct diag *d,
                         struct mpy_check *report)
{
    struct check_run r = {.module = m, .name = name, .diag = d};
    enum diag_code err = DIAG_OK;
    for (uint32_t i = 0; i < m->n_obj && !err; i++) {
        if (!check_no_table(&m->objs[i])) {
            err = diag_set(d, DIAG_MALFORMED, name, "constant %u has the function table in a tuple",
                           i);
        }
    }
    const struct check_made body = {0, false};
    err = err ? err : check_tree(&r, m->root, &body);
    if (report) {
        *report = r.report;
    }
    return err;
}
