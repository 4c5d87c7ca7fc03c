// Bytecode. Each scope is translated once into bytes and into marks for jumps, labels and lines.
// Jumps have two lengths, which jumps.c settles.
//
// Facts: MicroPython py/emitbc.c, py/bc.h, py/bc0.h, releases 1.19 to 1.29.
#include "packer/compiler/emit.h"

#include <string.h>

#include "packer/compiler/jumps.h"

enum {
    BC_LOAD_NAME = 0x11,
    BC_STORE_NAME = 0x16,
    BC_STORE_GLOBAL = 0x17,
    BC_DELETE_NAME = 0x19,
    BC_DELETE_GLOBAL = 0x1a,
    BC_MAKE_CLOSURE = 0x20,
    BC_LOAD_FAST = 0x24,
    BC_STORE_FAST = 0x26,
    BC_DELETE_FAST = 0x28,
    BC_MAKE_FUNCTION = 0x32,
    BC_CALL = 0x34,
    BC_UNWIND_JUMP = 0x40,
    BC_JUMP = 0x42,
    BC_LOAD_NONE = 0x51,
    BC_POP_TOP = 0x59,
    BC_RETURN = 0x63,
    BC_SMALL_INTS = 0x70, // 64 opcodes: -16 to 47
    BC_LOAD_FASTS = 0xb0, // 16
    BC_STORE_FASTS = 0xc0,
    BC_FASTS = 16,
    BC_SMALL_INT_LOW = -16,
    BC_SMALL_INT_HIGH = 47,
    BC_INT_GROUPS = 10, // of seven bits in 64
    BC_ITER_SLOTS = 4,  // of a for loop on the stack
    BC_CELL_MAX = 255,  // a cell's local has one byte in the prelude
    BC_FIRST_MARKS = 256,
    BC_FAR = 1 << 13,    // bytes: in less code, hardly a jump is too far
    BC_FORGET = 1 << 20, // bytes of operations
    BC_FLAGS_SIG = 0x0f, // scope flags in the prelude
};

struct bytecode {
    struct emit *e;
    struct unit *u;
    const struct scope *s;
    struct text code;  // without jumps
    struct text names; // of the prelude
    struct text out;   // the code as it goes to the file
    struct mark *marks;
    size_t n_marks, cap_marks;
    uint32_t *labels; // offsets
    uint32_t cap_labels;
    struct words arguments; // names
    struct words children;
    int stack, stack_max;
    uint32_t forgotten; // bytes of operations that are done with
    bool suppress;      // after a jump, return or raise
    bool returned;      // the last operation was a return
};

// Where the scope begins, for errors.
static struct unit_place bc_place(const struct bytecode *b)
{
    return (struct unit_place){b->s->line, NULL};
}

static void bc_adjust(struct bytecode *b, int change)
{
    b->returned = false;
    b->stack += change;
    if (b->stack > b->stack_max) {
        b->stack_max = (uint16_t)b->stack; // upstream's has 16 bits
    }
}

static void bc_raw(struct bytecode *b, uint8_t byte)
{
    if (!b->suppress) {
        text_byte(b->u, &b->code, byte);
    }
}

static void bc_op(struct bytecode *b, int change, uint8_t opcode)
{
    bc_adjust(b, change);
    bc_raw(b, opcode);
}

static void bc_varuint(struct unit *u, struct text *t, uint64_t v)
{
    unsigned shift = 0;
    while (v >> shift >= 0x80) {
        shift += 7;
    }
    for (; shift; shift -= 7) {
        text_byte(u, t, (uint8_t)(0x80 | (v >> shift & 0x7f)));
    }
    text_byte(u, t, v & 0x7f);
}

static void bc_uint(struct bytecode *b, int change, uint8_t opcode, uint64_t v)
{
    bc_op(b, change, opcode);
    if (!b->suppress) {
        bc_varuint(b->u, &b->code, v);
    }
}

// Names are entered even where the code is dropped.
static void bc_name(struct bytecode *b, int change, uint8_t opcode, uint32_t name)
{
    bc_uint(b, change, opcode, codegen_use_name(b->e->c, name));
}

// True if v is a signed number of that many bits, at most 63.
static bool bc_fits(int64_t v, unsigned bits)
{
    int64_t limit = (int64_t)1 << (bits - 1);
    return v >= -limit && v < limit;
}

static void bc_small_int(struct bytecode *b, int64_t v)
{
    if (v >= BC_SMALL_INT_LOW && v <= BC_SMALL_INT_HIGH) {
        bc_op(b, 1, (uint8_t)(BC_SMALL_INTS - BC_SMALL_INT_LOW + v));
        return;
    }
    bc_op(b, 1, 0x22);
    unsigned groups = 1; // of seven bits; the top bit of the first is the sign
    while (groups < BC_INT_GROUPS && !bc_fits(v, 7 * groups)) {
        groups++;
    }
    while (groups-- > 1) {
        unsigned shift = 7 * groups;
        uint64_t bits = shift < 63 ? (uint64_t)v >> shift : v < 0 ? 0x7f : 0;
        bc_raw(b, (uint8_t)(0x80 | (bits & 0x7f)));
    }
    bc_raw(b, v & 0x7f);
}

static void bc_mark(struct bytecode *b, unsigned kind, uint32_t arg)
{
    if (b->n_marks == b->cap_marks) {
        size_t cap = unit_grown(b->cap_marks, BC_FIRST_MARKS, sizeof *b->marks);
        b->marks = arena_resize(&b->u->work, b->marks, cap * sizeof *b->marks);
        b->cap_marks = cap;
    }
    b->marks[b->n_marks++] =
        (struct mark){.at = (uint32_t)b->code.n, .kind = kind & MARK_KINDS, .arg = arg & MARK_ARGS};
}

static void bc_jump(struct bytecode *b, int change, uint8_t opcode, uint32_t label)
{
    bc_adjust(b, change);
    if (!b->suppress) {
        bc_mark(b, opcode - MARK_JUMPS, label);
    }
}

static void bc_suppress(struct bytecode *b)
{
    b->suppress = b->u->release->drops_dead_code;
}

static void bc_return(struct bytecode *b)
{
    bc_op(b, -1, BC_RETURN);
    b->returned = true;
    bc_suppress(b);
}

static void bc_label(struct bytecode *b, uint32_t label)
{
    b->suppress = false;
    b->returned = false;
    bc_mark(b, MARK_LABEL, label);
}

static void bc_load_fast(struct bytecode *b, uint32_t local)
{
    if (local < BC_FASTS) {
        bc_op(b, 1, (uint8_t)(BC_LOAD_FASTS + local));
    } else {
        bc_uint(b, 1, BC_LOAD_FAST, local);
    }
}

// Opcodes of an access to an identifier; a derefence follows the access to a fast local.
struct bc_access {
    int change;
    uint8_t name, global, fast;
    uint8_t fasts; // first of the short forms, 0 = none
};

static const struct bc_access bc_load = {1, BC_LOAD_NAME, 0x12, BC_LOAD_FAST, BC_LOAD_FASTS};
static const struct bc_access bc_store = {-1, BC_STORE_NAME, BC_STORE_GLOBAL, BC_STORE_FAST,
                                          BC_STORE_FASTS};
static const struct bc_access bc_delete = {0, BC_DELETE_NAME, BC_DELETE_GLOBAL, BC_DELETE_FAST, 0};

static void bc_id(struct bytecode *b, const struct id *id, const struct bc_access *a)
{
    switch (id->kind) {
    case ID_GLOBAL_EXPLICIT:
        bc_name(b, a->change, a->global, id->name);
        break;
    case ID_LOCAL:
        if (a->fasts && id->local < BC_FASTS) {
            bc_op(b, a->change, (uint8_t)(a->fasts + id->local));
        } else {
            bc_uint(b, a->change, a->fast, id->local);
        }
        break;
    case ID_CELL:
    case ID_FREE:
        bc_uint(b, a->change, a->fast + 1, id->local);
        break;
    default:
        bc_name(b, a->change, a->name, id->name);
        break;
    }
}

static const struct id *bc_id_at(const struct scope *s, uint32_t place)
{
    return &s->ids[scope_place(s, place)];
}

static void bc_self(struct bytecode *b)
{
    for (uint32_t i = 0; i < b->s->n_ids; i++) {
        if (b->s->ids[i].flags & ID_PARAM) {
            bc_id(b, &b->s->ids[i], &bc_load);
            return;
        }
    }
}

static void bc_class_cell(struct bytecode *b)
{
    const struct id *id = &b->s->ids[scope_find(b->s, b->u->names.known[NAME_CLASS])];
    if (id->kind == ID_LOCAL) {
        bc_op(b, 1, BC_LOAD_NONE);
    } else {
        bc_load_fast(b, id->local);
    }
}

static void bc_make_function(struct bytecode *b, uint32_t scope, bool defaults)
{
    const struct scope *s = &b->e->c->scopes.at[scope];
    uint32_t child = (uint32_t)b->children.n;
    words_push(b->u, &b->children, scope);
    uint32_t n = scope_closures(s);
    for (uint32_t i = 0; i < n; i++) {
        bc_load_fast(b, b->s->ids[s->outer->closure[i]].local);
    }
    int change = defaults ? -1 : 1;
    if (!n) {
        bc_uint(b, change, (uint8_t)(BC_MAKE_FUNCTION + defaults), child);
        return;
    }
    bc_uint(b, change - (int)n, (uint8_t)(BC_MAKE_CLOSURE + defaults), child);
    bc_raw(b, (uint8_t)n);
}

static void bc_call(struct bytecode *b, enum ir_call call, uint32_t positional, uint32_t keyword)
{
    bool star = call == IR_CALL_FUNCTION_STAR || call == IR_CALL_METHOD_STAR;
    bool method = call >= IR_CALL_METHOD;
    int change = -(int)positional - 2 * (int)keyword - star - method;
    uint64_t arg = (uint64_t)keyword << 8 | positional;
    bc_uint(b, change, (uint8_t)(BC_CALL + call), arg);
}

static void bc_store_comp(struct bytecode *b, uint32_t kind, uint32_t depth)
{
    bool dict = kind == SCOPE_DICT_COMP;
    uint32_t type = kind == SCOPE_LIST_COMP ? 0 : dict ? 1 : 2;
    bc_uint(b, -1 - dict, 0x2f, (uint64_t)(depth + dict) << 2 | type);
}

static void bc_unwind_jump(struct bytecode *b, uint32_t label, uint32_t depth)
{
    bool from_for = label & IR_FROM_FOR;
    label &= ~IR_FROM_FOR;
    if (depth) {
        bc_jump(b, 0, BC_UNWIND_JUMP, label);
        bc_raw(b, (uint8_t)((from_for ? 0x80 : 0) | depth));
    } else {
        for (unsigned i = 0; from_for && i < BC_ITER_SLOTS; i++) {
            bc_raw(b, BC_POP_TOP);
        }
        bc_jump(b, 0, BC_JUMP, label);
    }
    bc_suppress(b);
}

static void bc_end_function(struct bytecode *b)
{
    if (b->u->release->drops_dead_code || !b->returned) {
        bc_op(b, 1, BC_LOAD_NONE);
        bc_return(b);
    }
}

static void bc_jump_away(struct bytecode *b, uint8_t opcode, uint32_t label)
{
    bc_jump(b, 0, opcode, label);
    bc_suppress(b);
}

static const struct bc_info {
    uint8_t form, opcode;
    int8_t change;
} bc_infos[IR_OP_COUNT] = {
#define BC_INFO(op, form, code, change) [IR_##op] = {form, code, change},
    IR_OPS(BC_INFO)
#undef BC_INFO
};

// An operation that is more than its opcode and argument; returns what follows it.
static const uint8_t *bc_special(struct bytecode *b, enum ir_op op, uint32_t arg, const uint8_t *p)
{
    uint8_t opcode = bc_infos[op].opcode;
    uint32_t n;
    switch (op) {
    case IR_JUMP_UNLESS_RETURNED:
        if (!b->u->release->drops_dead_code && b->returned) {
            break;
        }
        bc_jump_away(b, opcode, arg);
        break;
    case IR_JUMP:
    case IR_POP_EXCEPT_JUMP:
        bc_jump_away(b, opcode, arg);
        break;
    case IR_RETURN_VALUE:
        bc_return(b);
        break;
    case IR_RAISE:
        bc_op(b, -(int)arg, (uint8_t)(opcode + arg));
        bc_suppress(b);
        break;
    case IR_UNARY:
    case IR_BINARY:
        bc_op(b, bc_infos[op].change, (uint8_t)(opcode + arg));
        break;
    case IR_BUILD:
        n = ir_take(&p);
        bc_uint(b, 1 - (int)n, (uint8_t)arg, n);
        break;
    case IR_STORE_COMP:
        bc_store_comp(b, arg, ir_take(&p));
        break;
    case IR_UNPACK_SEQUENCE:
        bc_uint(b, (int)arg - 1, opcode, arg);
        break;
    case IR_UNPACK_EX:
        n = ir_take(&p);
        bc_uint(b, (int)(arg + n), opcode, arg | (uint64_t)n << 8);
        break;
    case IR_CALL:
        n = ir_take(&p);
        bc_call(b, (enum ir_call)arg, n, ir_take(&p));
        break;
    case IR_UNWIND_JUMP:
        bc_unwind_jump(b, arg, ir_take(&p));
        break;
    case IR_SMALL_INT:
        bc_small_int(b, ir_unfold(arg));
        break;
    case IR_SMALL_INT_WIDE:
        n = ir_take(&p);
        bc_small_int(b, (int64_t)(n | (uint64_t)ir_take(&p) << 32));
        break;
    case IR_LOAD_ID:
        bc_id(b, bc_id_at(b->s, arg), &bc_load);
        break;
    case IR_STORE_ID:
        bc_id(b, bc_id_at(b->s, arg), &bc_store);
        break;
    case IR_DELETE_ID:
        bc_id(b, bc_id_at(b->s, arg), &bc_delete);
        break;
    case IR_STORE_PARENT_ID:
        bc_id(b, bc_id_at(b->s->outer->parent, arg), &bc_store);
        break;
    case IR_LOAD_SELF:
        bc_self(b);
        break;
    case IR_LOAD_CLASS_CELL:
        bc_class_cell(b);
        break;
    case IR_MAKE_FUNCTION:
        bc_make_function(b, ir_take(&p), arg);
        break;
    case IR_LABEL:
        bc_label(b, arg);
        break;
    case IR_LINE:
        bc_mark(b, MARK_LINE, arg);
        break;
    case IR_ADJUST:
        bc_adjust(b, ir_unfold(arg));
        break;
    default: // IR_END_FUNCTION
        bc_end_function(b);
        break;
    }
    return p;
}

static void bc_body(struct bytecode *b)
{
    const struct codegen *c = b->e->c;
    bool last = b->s + 1 == c->scopes.at + c->scopes.n;
    const uint8_t *ir = (const uint8_t *)c->ir.at;
    const uint8_t *p = ir + b->s->ir, *end = ir + (last ? c->ir.n : b->s[1].ir);
    while (p < end) {
        enum ir_op op = (enum ir_op) * p++;
        const struct bc_info *info = &bc_infos[op];
        if (info->form == FORM_NONE) {
            bc_op(b, info->change, info->opcode);
            continue;
        }
        uint32_t arg = info->form == FORM_BARE ? 0 : ir_take(&p);
        switch (info->form) {
        case FORM_NAME:
            bc_name(b, info->change, info->opcode, arg);
            break;
        case FORM_UINT:
            bc_uint(b, info->change, info->opcode, arg);
            break;
        case FORM_JUMP:
            bc_jump(b, info->change, info->opcode, arg);
            break;
        default:
            p = bc_special(b, op, arg, p);
            break;
        }
    }
    uint32_t done = (uint32_t)(end - ir);
    if (done - b->forgotten >= BC_FORGET) {
        arena_forget(&b->u->work, c->ir.at, b->forgotten,
                     done); // memory goes back while that of the code grows
        b->forgotten = done;
    }
}

// The names of the arguments, by local number; those that have none are closed over.
static void bc_argument_names(struct bytecode *b)
{
    uint32_t n = b->s->positional + b->s->keyword_only;
    b->arguments.n = 0;
    uint32_t *names = words_reserve(b->u, &b->arguments, n);
    for (uint32_t i = 0; i < n; i++) {
        names[i] = 0;
    }
    for (uint32_t i = 0; i < b->s->n_ids; i++) {
        const struct id *id = &b->s->ids[i];
        if (id->flags & ID_PARAM && id->local < n && !names[id->local]) {
            names[id->local] = id->name;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t name = names[i] ? names[i] : b->u->names.known[NAME_STAR];
        bc_varuint(b->u, &b->names, codegen_use_name(b->e->c, name));
    }
}

static void bc_write_line(struct bytecode *b, struct text *out, uint32_t bytes, uint32_t lines)
{
    while (bytes || lines) {
        struct line_step step = line_step(bytes, lines);
        if (step.wide) {
            text_byte(b->u, out, (uint8_t)(0x80 | step.bytes | (step.lines >> 4 & 0x70)));
            text_byte(b->u, out, (uint8_t)step.lines);
        } else {
            text_byte(b->u, out, (uint8_t)(step.bytes | step.lines << 5));
        }
        bytes -= step.bytes;
        lines -= step.lines;
    }
}

static noreturn void bc_overflow(struct bytecode *b)
{
    unit_raise(b->u, "RuntimeError", bc_place(b), "bytecode overflow");
}

static void bc_write_jump(struct bytecode *b, struct text *out, const struct mark *m, uint32_t at)
{
    int64_t offset = (int64_t)b->labels[m->arg] - at - 2;
    text_byte(b->u, out, (uint8_t)(MARK_JUMPS + m->kind));
    if (jump_is_short(m, offset)) {
        text_byte(b->u, out, (uint8_t)(offset + (jump_is_signed(m) ? 0x40 : 0)));
        return;
    }
    if (!jump_reaches(m, offset)) {
        bc_overflow(b);
    }
    offset = jump_long(m, offset);
    text_byte(b->u, out, (uint8_t)(0x80 | (offset & 0x7f)));
    text_byte(b->u, out, (uint8_t)((uint64_t)offset >> 7));
}

static void bc_write_lines(struct bytecode *b, struct text *out)
{
    uint32_t jumps = 0, last = 0;
    for (size_t i = 0; i < b->n_marks; i++) {
        const struct mark *m = &b->marks[i];
        uint32_t at = m->at + jumps;
        if (m->kind == MARK_LINE) {
            bc_write_line(b, out, at - last, m->arg);
            last = at;
        } else if (m->kind != MARK_LABEL) {
            jumps += jump_is_short(m, (int64_t)b->labels[m->arg] - at - 2) ? 2 : 3;
        }
    }
}

static void bc_write_code(struct bytecode *b, struct text *out)
{
    size_t begin = out->n, from = 0;
    for (size_t i = 0; i < b->n_marks; i++) {
        const struct mark *m = &b->marks[i];
        if (mark_is_jump(m)) {
            text_put(b->u, out, b->code.at + from, m->at - from);
            from = m->at;
            bc_write_jump(b, out, m, (uint32_t)(out->n - begin));
        }
    }
    text_put(b->u, out, b->code.at + from, b->code.n - from);
}

// xSSSSEAA [xFSSKAED ...]: stack, exceptions, flags and arguments, interleaved.
static void bc_write_signature(struct bytecode *b, struct text *out)
{
    const struct scope *s = b->s;
    uint32_t state = s->locals + (uint32_t)b->stack_max;
    uint32_t S = state ? state - 1 : 0, E = s->except_depth, F = s->flags & BC_FLAGS_SIG;
    uint32_t A = s->positional, K = s->keyword_only, D = s->defaults;
    uint32_t z = (S & 0xf) << 3 | (E & 1) << 2 | (A & 3);
    S >>= 4, E >>= 1, A >>= 2;
    while (S | E | F | A | K | D) {
        text_byte(b->u, out, (uint8_t)(0x80 | z));
        z = (F & 1) << 6 | (S & 3) << 4 | (K & 1) << 3 | (A & 1) << 2 | (E & 1) << 1 | (D & 1);
        S >>= 2, E >>= 1, F >>= 1, A >>= 1, K >>= 1, D >>= 1;
    }
    text_byte(b->u, out, (uint8_t)z);
}

// xIIIIIIC repeated: size of the information, number of cells. out may be NULL.
static uint32_t bc_write_info_size(struct bytecode *b, struct text *out, uint32_t info,
                                   uint32_t cells)
{
    uint32_t size = 0;
    do {
        uint32_t z = (info & 0x3f) << 1 | (cells & 1);
        info >>= 6;
        cells >>= 1;
        size++;
        if (out) {
            text_byte(b->u, out, (uint8_t)(z | (info | cells ? 0x80 : 0)));
        }
    } while (info | cells);
    return size;
}

static uint32_t bc_cells(struct bytecode *b, struct text *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->s->n_ids; i++) {
        const struct id *id = &b->s->ids[i];
        if (id->kind != ID_CELL) {
            continue;
        }
        n++;
        if (id->local > BC_CELL_MAX) {
            unit_raise(b->u, "RuntimeError", bc_place(b),
                       "too many cell variables in one function");
        }
        if (out) {
            text_byte(b->u, out, (uint8_t)id->local);
        }
    }
    return n;
}

// The passes until the size stays; the result is the size of the information that the last pass
// but one had, which is what the prelude says.
static uint32_t bc_settle(struct bytecode *b, uint32_t cells)
{
    struct jumps j = {.u = b->u, .marks = b->marks, .n = b->n_marks};
    uint32_t names = (uint32_t)b->names.n;
    if (b->code.n >= BC_FAR && !jumps_may_reach(&j, b->labels)) {
        bc_overflow(b);
    }
    uint32_t info = names + jumps_begin(&j, b->labels, b->s->labels).lines;
    uint32_t last_jumps = 0, last_info = 0;
    for (;;) {
        struct jump_sizes sizes = jumps_pass(&j);
        uint32_t info_size = bc_write_info_size(b, NULL, info, cells) + names + sizes.lines;
        if (j.pass > 1 && sizes.jumps == last_jumps && info_size == last_info) {
            jumps_end(&j);
            return info;
        }
        last_jumps = sizes.jumps;
        last_info = info_size;
        info = names + sizes.lines;
    }
}

static void bc_assemble(struct bytecode *b, struct mpy_code *code)
{
    struct text *out = &b->out;
    uint32_t cells = bc_cells(b, NULL);
    uint32_t info = bc_settle(b, cells);
    out->n = 0;
    bc_write_signature(b, out);
    bc_write_info_size(b, out, info, cells);
    text_put(b->u, out, b->names.at, b->names.n);
    bc_write_lines(b, out);
    bc_cells(b, out);
    bc_write_code(b, out);
    code->kind = MPY_CODE_BYTECODE;
    code->size = (uint32_t)out->n;
    code->data = (uint8_t *)arena_pack(b->u->out, out->at, out->n);
}

static void bc_children(struct bytecode *b, struct mpy_code *code)
{
    uint32_t n = (uint32_t)b->children.n;
    code->n_children = n;
    if (!n) {
        return;
    }
    struct mpy_code **children = arena_alloc(b->u->out, n * sizeof *children);
    for (uint32_t i = 0; i < n; i++) {
        children[i] = &b->e->codes[b->children.at[i]];
    }
    code->children = children;
}

static void bc_need_labels(struct bytecode *b, uint32_t n)
{
    if (n > b->cap_labels) {
        uint32_t cap = n + n / 4;
        b->labels = arena_resize(&b->u->work, b->labels, cap * sizeof *b->labels);
        memset(b->labels, 0, cap * sizeof *b->labels);
        b->cap_labels = cap;
    }
}

static void bc_scope(struct emit *e, uint32_t scope)
{
    struct bytecode *b = e->state;
    b->s = &e->c->scopes.at[scope];
    b->code.n = b->names.n = b->children.n = b->n_marks = 0;
    b->stack = b->stack_max = 0;
    b->suppress = b->returned = false;
    bc_need_labels(b, b->s->labels);
    bc_varuint(b->u, &b->names, codegen_use_name(e->c, b->s->name));
    bc_argument_names(b);
    bc_body(b);
    bc_assemble(b, &e->codes[scope]);
    bc_children(b, &e->codes[scope]);
}

static void bc_begin(struct emit *e)
{
    struct bytecode *b = arena_calloc(&e->u->work, 1, sizeof *b);
    b->e = e;
    b->u = e->u;
    e->state = b;
}

const struct emitter emitter_bytecode = {"bytecode", bc_begin, bc_scope};
