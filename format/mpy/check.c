// See check.h. One function at a time: a linear pass finds instructions and labels, then every path
// is followed in the order of the code, so that all forward paths to a label are known before it is
// passed; a backward jump must find a stack there that fits.
#include "format/mpy/check_fun.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    CHECK_NAME = 64,           // of a function's name, in messages
    CHECK_WORK_BASE = 100000,  // steps allowed for any function
    CHECK_WORK_PER_BYTE = 300, // and for each byte of it; mpy-cross's output needs under 10
};

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

static bool check_add_labels(struct check_fun *f, uint32_t *n)
{
    for (uint32_t k = 0; k <= f->size / 8; k++) {
        for (unsigned bits = f->jumps[k]; bits; bits &= bits - 1) {
            uint32_t at = 8 * k + (uint32_t)__builtin_ctz(bits);
            mpy_insn_decode(f->bytes, f->size, at, f->code->v5, &f->i);
            if (f->i.target < 0 || f->i.target >= f->size) {
                return check_wrong(f, "jumps to %lld, outside of the function",
                                   (long long)f->i.target);
            }
            if (!check_add_label(f, (uint32_t)f->i.target, n)) {
                return false;
            }
        }
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
        if (!mpy_insn_decode(f->bytes, f->size, at, f->code->v5, &f->i)) {
            f->i.at = at;
            return check_wrong(
                f, f->i.info ? "is cut off or has a wrong argument" : "0x%02x is no instruction",
                f->bytes[at]);
        }
        if (!check_indices(f)) {
            return false;
        }
        f->begins[at / 8] |= (uint8_t)(1 << at % 8);
        f->jumps[at / 8] |= (uint8_t)((f->i.info->jumped != NULL) << at % 8);
    }
    f->label_at[0] = ++n;
    if (!check_add_labels(f, &n)) {
        return false;
    }
    f->labels = ARENA_ARRAY(f->work.arena, struct check_label, n);
    f->pending = ARENA_ARRAY(f->work.arena, uint32_t, n);
    f->nomem = !f->labels || !f->pending;
    return !f->nomem;
}

static bool check_wrong_prelude(struct check_fun *f, const char *why)
{
    check_wrong(f, "%s", why);
    f->wrong_at = (uint32_t)CHECK_AT_PRELUDE;
    return false;
}

// Word i of machine code.
static bool check_word(struct check_fun *f, unsigned i, uint64_t *out)
{
    bool wide = f->module->arch == MPY_ARCH_X64 || f->module->arch == MPY_ARCH_RV64IMC;
    size_t size = wide ? 8 : 4;
    uint32_t end = mpy_machine(f->code)->prelude_offset;
    if (end / size <= i) {
        return false;
    }
    struct bytes_in in;
    bytes_in_init(&in, f->code->data + i * size, size, NULL, NULL);
    *out = wide ? bytes_u64(&in, "word") : bytes_u32(&in, "word");
    return true;
}

// Machine code cannot be proven, but where the VM jumps and reads can: of a generator, and from
// sub-version 3 on of every function, the first word is the index of the prelude behind the
// children (py/objfun.h); of a generator the second one is where it starts.
static bool check_machine(struct check_fun *f)
{
    const struct mpy_code *c = f->code;
    bool generator = f->p.scope_flags & MPY_SCOPE_GENERATOR;
    uint64_t index = c->n_children, start = 0;
    bool indexed = generator || f->module->sub_version >= CHECK_INDEXED;
    if (f->module->v5 || f->module->arch == MPY_ARCH_DEBUG || !indexed) {
        return true;
    }
    if (!check_word(f, 0, &index) || (generator && !check_word(f, 1, &start))) {
        check_wrong(f, "its machine code is cut off");
    } else if (index != c->n_children) {
        check_wrong(f, "its machine code looks for the prelude at %" PRIu64 ", it is at %u", index,
                    c->n_children);
    } else if (start >= mpy_machine(c)->prelude_offset) {
        check_wrong(f, "the generator starts at %" PRIu64 ", outside of its machine code", start);
    }
    f->wrong_at = (uint32_t)CHECK_AT_MACHINE;
    return !f->wrong[0];
}

static bool check_names(struct check_fun *f)
{
    uint32_t pos = 0, qstr;
    if (f->p.name >= f->module->n_qstr) {
        return check_wrong_prelude(f, "the name's qstr does not exist");
    }
    if (f->p.source >= f->module->n_qstr) {
        return check_wrong_prelude(f, "the source file's qstr does not exist");
    }
    while (mpy_prelude_arg(f->code, &f->p, &pos, &qstr)) {
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
    const char *why = mpy_prelude_of(c, &f->p);
    if (why) {
        return check_wrong_prelude(f, why);
    }
    if (f->p.n_state > CHECK_STATE_MAX) {
        return check_wrong_prelude(f, "n_state is over 65535, the VM keeps 16 bits of it");
    }
    if (f->p.scope_flags > 15) {
        return check_wrong_prelude(f, "unknown scope flags are set");
    }
    if (mpy_prelude_arg_slots(&f->p) > f->p.n_state) {
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
    f->jumps = arena_calloc(f->work.arena, f->size / 8 + 1, 1);
    f->label_at = ARENA_ARRAY(f->work.arena, uint32_t, (size_t)f->size + 1);
    f->nomem = !f->begins || !f->jumps || !f->label_at;
    return !f->nomem && check_scan(f) && check_paths(f);
}

// The value stack grows up from the beginning of the state, the locals down from its end.
static bool check_state_size(struct check_fun *f, struct mpy_check *report)
{
    if ((uint64_t)f->least + f->n_locals > f->p.n_state) {
        check_wrong(f, "needs %u entries for the stack and %u for locals, n_state is %u", f->most,
                    f->n_locals, f->p.n_state);
        f->wrong_at = (uint32_t)CHECK_AT_PRELUDE;
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
        return check_machine(f);
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
    struct arena arena; // what lives as long as the whole check
    struct mpy_check report;
};

// A name for messages: its beginning, without what a terminal would act on.
static void check_printable(char name[CHECK_NAME], const struct mpy_qstr *q)
{
    uint32_t n = q->len < CHECK_NAME - 1 ? q->len : CHECK_NAME - 1;
    for (uint32_t i = 0; i < n; i++) {
        name[i] = (char)(q->data[i] >= ' ' && q->data[i] <= '~' ? q->data[i] : '?');
    }
    name[n] = 0;
}

static enum diag_code check_report(struct check_run *r, const struct check_fun *f, uint32_t index)
{
    struct mpy_check *report = &r->report;
    bool in_machine = f->wrong_at == (uint32_t)CHECK_AT_MACHINE;
    bool in_code = !in_machine && f->wrong_at != (uint32_t)CHECK_AT_PRELUDE;
    report->at = f->code->at;
    if (!in_machine) {
        report->at += in_code ? f->p.code + f->wrong_at : mpy_machine(f->code)->prelude_offset;
    }
    report->function = index;
    report->has_qstr = f->p.code && f->p.name < r->module->n_qstr;
    report->qstr = f->p.name;
    report->line = !in_code ? 0 : mpy_prelude_line(f->code->data, &f->p, f->wrong_at);
    char name[CHECK_NAME] = "?", where[CHECK_MESSAGE] = "";
    if (report->has_qstr) {
        check_printable(name, &r->module->qstrs[f->p.name]);
    }
    if (in_code) {
        snprintf(where, sizeof where, ", instruction %u", f->wrong_at);
    }
    diag_set_binary(r->diag, DIAG_MALFORMED, r->name, report->at, "bytecode",
                    "function %u (%s)%s: %s", index, name, where, f->wrong);
    return DIAG_MALFORMED;
}

// One function; how it makes its children is left in made, which outlives the function's arena.
static enum diag_code check_one(struct check_run *r, const struct mpy_code *c,
                                const struct check_made *self, struct check_made *made)
{
    struct arena a;
    arena_init(&a, 0);
    uint32_t index = r->report.functions++;
    struct check_fun f = {.module = r->module,
                          .code = c,
                          .work = {.arena = &a},
                          .made = made,
                          .is_class = self->is_class};
    enum diag_code err = DIAG_OK;
    if (!check_function(&f, self->n_cells, &r->report)) {
        bool nomem = f.nomem || f.work.nomem;
        err = nomem ? diag_nomem(r->diag) : check_report(r, &f, index);
    }
    arena_free(&a);
    return err;
}

// A function, then its children. As deep as the tree's maker allowed.
static enum diag_code check_tree(struct check_run *r, const struct mpy_code *c,
                                 const struct check_made *self)
{
    struct check_made *made = ARENA_ARRAY(&r->arena, struct check_made, c->n_children);
    if (!made) {
        return diag_nomem(r->diag);
    }
    for (uint32_t i = 0; i < c->n_children; i++) {
        made[i].n_cells = CHECK_NEVER_MADE;
    }
    enum diag_code err = check_one(r, c, self, made);
    for (uint32_t i = 0; i < c->n_children && !err; i++) {
        err = check_tree(r, c->children[i], &made[i]);
    }
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
    arena_init(&r.arena, 0);
    err = err ? err : check_tree(&r, m->root, &body);
    arena_free(&r.arena);
    if (report) {
        *report = r.report;
    }
    return err;
}
