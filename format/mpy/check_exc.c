// Exception handlers. Whether one is active is decided by position, as the VM does it: when the
// instruction is not before the handler. Facts: py/vm.c.
#include "format/mpy/check_fun.h"

enum {
    CHECK_WITH_ROOM = 1,    // entries SETUP_WITH writes above those it leaves
    CHECK_CLEANUP_ROOM = 3, // entries WITH_CLEANUP uses above __exit__ and its self
    CHECK_UNWIND_ROOM = 2,  // entries UNWIND_JUMP pushes and takes again
};

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
bool check_floor(struct check_fun *f, uint32_t ip)
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

bool check_setup(struct check_fun *f, bool is_finally, bool is_with)
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

bool check_end_finally(struct check_fun *f, bool *ends)
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

bool check_unwind_jump(struct check_fun *f)
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

bool check_return_value(struct check_fun *f)
{
    char kind = f->now.stack->kind;
    if (f->is_class && kind != CHECK_NONE && kind != CHECK_CELL) {
        return check_wrong(f, "a class body returns %s instead of None or a cell",
                           check_kind_name(kind));
    }
    return check_take(f, CHECK_ANY);
}

// A return cancels the active finally handlers it leaves: each takes its state from the stack.
bool check_return(struct check_fun *f)
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

bool check_pop_except(struct check_fun *f)
{
    if (!f->now.block) {
        return check_wrong(f, "POP_EXCEPT_JUMP without an exception handler");
    }
    f->now.block = f->now.block->parent;
    return check_jump(f, &f->now);
}

// WITH_CLEANUP may leave another state than it found: any but for the owner.
bool check_with_cleanup(struct check_fun *f)
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
