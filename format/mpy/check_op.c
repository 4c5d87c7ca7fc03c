// What each instruction takes from the stack, trusts and leaves. Facts: py/vm.c, py/runtime.c,
// py/objfun.c.
#include "format/mpy/check_fun.h"

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
    bool same = mpy_insn_decode(f->bytes, f->size, at, f->code->v5, &load) &&
                load.op == MPY_OP_LOAD_GLOBAL &&
                check_qstr_is(f->module, load.arg, "BaseException") &&
                mpy_insn_decode(f->bytes, f->size, at += load.size, f->code->v5, &match) &&
                match.byte == EXCEPTION_MATCH &&
                mpy_insn_decode(f->bytes, f->size, at + match.size, f->code->v5, &jump) &&
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
    if (!has || mpy_prelude_of(c, &p)) {
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
// stands for "**" and a bit mask of the starred ones is on top. In version 5 a sequence and a
// mapping are on top, each of which may be null.
static bool check_call(struct check_fun *f, bool method, bool variable)
{
    uint32_t n_pos = f->i.arg & 0xff, n_kw = f->i.arg >> 8 & 0xff;
    if (f->i.arg > 0xffff) {
        return check_wrong(f, "calls with too many arguments");
    }
    if (variable && f->code->v5) {
        if (!check_take(f, 'n') || !check_take(f, 'n')) {
            return false;
        }
        variable = false;
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

bool check_indices(struct check_fun *f)
{
    const struct mpy_module *m = f->module;
    const struct mpy_obj *objs;
    uint32_t n_objs;
    switch (f->i.info->arg) {
    case MPY_ARG_QSTR:
        return check_index(f, "qstr", m->n_qstr);
    case MPY_ARG_OBJ:
        objs = mpy_code_objs(m, f->code, &n_objs);
        return check_index(f, "constant", n_objs) &&
               (objs[f->i.arg].kind != MPY_OBJ_FUN_TABLE ||
                check_wrong(f, "loads the function table as an object"));
    case MPY_ARG_CHILD:
    case MPY_ARG_CHILD_CELLS:
        return check_index(f, "child", f->code->n_children);
    default:
        return true;
    }
}

static bool check_operand(struct check_fun *f)
{
    switch (f->i.info->arg) {
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
bool check_insn(struct check_fun *f, bool *ends)
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
