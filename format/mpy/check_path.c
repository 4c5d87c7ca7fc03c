// Paths through a function: the current stack, labels, and the order in which they are passed.
#include "format/mpy/check_fun.h"

#include <stdarg.h>
#include <stdio.h>

// --- failing

bool check_wrong(struct check_fun *f, const char *fmt, ...)
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

bool check_put(struct check_fun *f, char kind, uint32_t detail, const void *owner)
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
void check_room(struct check_fun *f, uint32_t n)
{
    const struct check_slot *s = f->now.stack;
    f->most = s->depth + n > f->most ? s->depth + n : f->most;
    f->least = s->low + n > f->least ? s->low + n : f->least;
}

const char *check_kind_name(char kind)
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

bool check_may_be(const struct check_slot *s, char kind)
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

bool check_take(struct check_fun *f, char kind)
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

bool check_take_iter(struct check_fun *f)
{
    const struct check_slot *s = f->now.stack;
    if (s->kind != CHECK_ITER || s->detail != MPY_ITER_SLOTS - 1) {
        return check_wrong(f, "%s takes an iterator, but %s is on the stack", f->i.info->name,
                           check_kind_name(s->kind));
    }
    f->now.stack = check_down(s, s->index - MPY_ITER_SLOTS);
    return true;
}

bool check_put_iter(struct check_fun *f)
{
    for (uint32_t n = 0; n < MPY_ITER_SLOTS; n++) {
        if (!check_put(f, CHECK_ITER, n, NULL)) {
            return false;
        }
    }
    return true;
}

// n times any object. The work is counted.
bool check_take_many(struct check_fun *f, uint64_t n)
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

bool check_put_many(struct check_fun *f, uint64_t n)
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
bool check_arrive(struct check_fun *f, uint32_t at, const struct check_state *s)
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

bool check_jump(struct check_fun *f, const struct check_state *s)
{
    return check_arrive(f, (uint32_t)f->i.target, s);
}

// --- paths

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
        mpy_insn_decode(f->bytes, f->size, at, f->code->v5, &f->i); // has worked in check_scan
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

bool check_paths(struct check_fun *f)
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
