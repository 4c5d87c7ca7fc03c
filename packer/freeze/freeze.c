#include "packer/freeze/freeze.h"

#include <stdlib.h>

#include "packer/freeze/internal.h"

static enum diag_code missing(const struct firmware *fw, struct diag *d, const char *what)
{
    return diag_set(d, DIAG_NO, fw->image ? fw->image->name : NULL,
                    "the firmware cannot take frozen modules: %s", what);
}

enum diag_code freeze_possible(const struct firmware *fw, struct diag *d)
{
    if (!fw->profile || !fw->profile->frozen_module_t) {
        return missing(fw, d, "releases before 1.19 are not supported");
    }
    if (fw->frozen != FW_YES || !fw->names) {
        return missing(fw, d, "no frozen module support was found in it");
    }
    if (!fw->n_pools || (fw->ptr != 4 && fw->ptr != 8) || !fw->qstr_len_bytes) {
        return missing(fw, d, "its qstr pools were not understood");
    }
    if (fw->repr == FW_REPR_UNKNOWN || !fw->small_int_bits) {
        return missing(fw, d, "its object representation could not be determined");
    }
    return DIAG_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct freeze_input *const *)a)->name,
                  (*(const struct freeze_input *const *)b)->name);
}

// "pkg/" if the module is the file of a package pkg.py would hide, else 0.
static size_t stem_size(const char *name)
{
    size_t n = strlen(name);
    return n > 3 && !strcmp(name + n - 3, ".py") ? n - 3 : 0;
}

static enum diag_code refuse_pair(struct freezer *f, const struct freeze_input *x,
                                  const struct freeze_input *y, const char *why)
{
    f->input = NULL;
    enum diag_code err = diag_set(f->diag, DIAG_USAGE, y->file, "%s: %s", y->name, why);
    diag_help(f->diag, "the other one is %s; leave one of them out", x->file);
    return err;
}

static bool in_folder(const char *name, const char *stem, size_t n)
{
    return !strncmp(name, stem, n) && name[n] == '/';
}

// First of the sorted inputs that is not below "stem/".
static const struct freeze_input *find_folder(const struct freeze_input **sorted, unsigned n,
                                              const char *stem, size_t len)
{
    unsigned low = 0, high = n;
    while (low < high) { // '/' sorts right behind '.', so the folder is one run
        unsigned mid = (low + high) / 2;
        int c = strncmp(sorted[mid]->name, stem, len);
        if (c < 0 || (c == 0 && (unsigned char)sorted[mid]->name[len] < '/')) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < n && in_folder(sorted[low]->name, stem, len) ? sorted[low] : NULL;
}

static enum diag_code check_names(struct freezer *f, const struct freeze_input *inputs, unsigned n)
{
    const struct freeze_input **sorted = ARENA_ARRAY(f->arena, const struct freeze_input *, n);
    for (unsigned i = 0; i < n; i++) {
        sorted[i] = &inputs[i];
    }
    qsort(sorted, n, sizeof *sorted, by_name);
    for (unsigned i = 0; i < n; i++) {
        if (!sorted[i]->name[0]) {
            f->input = sorted[i];
            return freeze_refuse(f, DIAG_MALFORMED, "the module has no name");
        }
        if (i && !strcmp(sorted[i - 1]->name, sorted[i]->name)) {
            return refuse_pair(f, sorted[i - 1], sorted[i], "two modules have this name");
        }
        size_t stem = stem_size(sorted[i]->name);
        const struct freeze_input *other =
            stem ? find_folder(sorted, n, sorted[i]->name, stem) : NULL;
        if (other) {
            return refuse_pair(f, other, sorted[i], "a module and a package have this name");
        }
    }
    return DIAG_OK;
}

static uint32_t count_characters(const uint8_t *utf8, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        count += (utf8[i] & 0xc0) != 0x80;
    }
    return count;
}

static void collect_objects(struct freezer *f, const struct mpy_obj *objs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct mpy_obj *o = &objs[i];
        if (o->kind == MPY_OBJ_TUPLE) {
            collect_objects(f, o->items, o->len);
        } else if (o->kind == MPY_OBJ_STR &&
                   count_characters(o->data, o->len) < FREEZE_INTERN_BELOW && o->len <= UINT8_MAX) {
            qstrs_add(&f->qstrs, (const char *)o->data, o->len);
        }
    }
}

static enum diag_code collect(struct freezer *f, const struct freeze_input *inputs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct mpy_module *m = inputs[i].mpy;
        bool text = inputs[i].kind == FW_MODULE_STR;
        f->input = &inputs[i];
        enum diag_code err = text ? freeze_check_text(f, &inputs[i]) : freeze_check(f, m);
        if (err) {
            return err;
        }
        if (text) {
            continue;
        }
        for (uint32_t k = 0; k < m->n_qstr; k++) {
            qstrs_add(&f->qstrs, m->qstrs[k].data, m->qstrs[k].len);
        }
        collect_objects(f, m->objs, m->n_obj);
        freeze_count_code(f, m->root);
    }
    f->input = NULL;
    return qstrs_number(&f->qstrs, f->diag);
}

static struct place put_qstr_table(struct freezer *f, const struct mpy_module *m)
{
    struct place at = pieces_at(&f->pieces, PART_HALVES);
    for (uint32_t i = 0; i < m->n_qstr; i++) {
        uint32_t q = qstrs_find(&f->qstrs, m->qstrs[i].data, m->qstrs[i].len);
        bytes_put_u16(&f->pieces.part[PART_HALVES], (uint16_t)f->qstrs.entries[q].id);
    }
    return at;
}

// py/bc.h, mp_frozen_module_t: {qstr_table, obj_table, proto_fun (raw code before 1.23)}.
static enum diag_code put_module(struct freezer *f, const struct mpy_module *m, struct place *at)
{
    struct place code;
    enum diag_code err = m->n_obj ? freeze_objects(f, m, &f->obj_table) : DIAG_OK;
    f->has_objects = m->n_obj != 0;
    f->qstr_table = put_qstr_table(f, m);
    err = err ? err : freeze_code(f, m->root, &code);
    if (err) {
        return err;
    }
    *at = pieces_at(&f->pieces, PART_WORDS);
    pieces_pointer(&f->pieces, f->qstr_table);
    if (m->n_obj) {
        pieces_pointer(&f->pieces, f->obj_table);
    } else {
        pieces_word(&f->pieces, 0);
    }
    pieces_pointer(&f->pieces, code);
    return DIAG_OK;
}

static enum diag_code put_modules(struct freezer *f, const struct freeze_input *inputs, unsigned n,
                                  struct place *modules, struct freeze_span *spans)
{
    for (unsigned i = 0; i < n; i++) {
        f->input = &inputs[i];
        if (inputs[i].kind == FW_MODULE_MPY) {
            enum diag_code err = put_module(f, inputs[i].mpy, &modules[i]);
            if (err) {
                return err;
            }
        }
        spans[i] = pieces_flush(&f->pieces);
    }
    f->input = NULL;
    return DIAG_OK;
}

static void add_word(struct freeze *out, uint64_t *addr, unsigned ptr, bool inside, uint64_t value)
{
    out->words[out->n_words++] = (struct freeze_word){*addr, inside, value};
    *addr += ptr;
}

// py/qstr.h, qstr_pool_t: the new last pool where the firmware's last one was.
static enum diag_code put_in_place(struct freezer *f, struct freeze *out)
{
    struct qstrs_head head;
    const struct pieces *p = &f->pieces;
    unsigned ptr = f->fw->ptr;
    uint64_t addr = f->fw->pools[f->fw->n_pools - 1].addr;
    if (!qstrs_write_in_place(&f->qstrs, &f->pieces, &head)) {
        return missing(f->fw, f->diag, "its last qstr pool does not lie in the image");
    }
    pieces_flush(&f->pieces);
    add_word(out, &addr, ptr, true, pieces_offset(p, head.prev));
    add_word(out, &addr, ptr, false, head.total);
    if (head.empty) {
        return DIAG_OK;
    }
    add_word(out, &addr, ptr, false, 1); // alloc
    add_word(out, &addr, ptr, false, 1); // len
    if (f->fw->qstr_hash_bytes) {
        add_word(out, &addr, ptr, true, pieces_offset(p, head.hashes));
    }
    add_word(out, &addr, ptr, true, pieces_offset(p, head.lengths));
    if (f->fw->qstr_sorted_word) {
        add_word(out, &addr, ptr, false, 0);
    }
    add_word(out, &addr, ptr, true, pieces_offset(p, head.text));
    return DIAG_OK;
}

static enum diag_code put_pools(struct freezer *f, struct freeze *out)
{
    struct place last;
    out->n_qstrs = f->qstrs.n - f->qstrs.n_stock;
    out->pool = FREEZE_NONE;
    if (!out->n_qstrs) { // an empty pool would break the VM's search (py/qstr.c: len - 1)
        pieces_flush(&f->pieces);
        return DIAG_OK;
    }
    if (f->pools == FREEZE_POOLS_IN_PLACE) {
        return put_in_place(f, out);
    }
    qstrs_write(&f->qstrs, &f->pieces, &last);
    pieces_flush(&f->pieces);
    out->pool = pieces_offset(&f->pieces, last);
    return DIAG_OK;
}

static int by_offset(const void *a, const void *b)
{
    uint32_t x = ((const struct freeze_pointer *)a)->at, y = ((const struct freeze_pointer *)b)->at;
    return (x > y) - (x < y);
}

// They nearly always stand in order: only machine code is relocated out of it.
static bool in_order(const struct freeze *out)
{
    for (uint32_t i = 1; i < out->n_pointers; i++) {
        if (out->pointers[i - 1].at > out->pointers[i].at) {
            return false;
        }
    }
    return true;
}

static enum diag_code finish(struct freezer *f, struct freeze *out)
{
    struct pieces *p = &f->pieces;
    bytes_put_align(&p->code, 4, 0);
    enum diag_code err = bytes_out_check(&p->out, f->diag);
    err = err ? err : bytes_out_check(&p->code, f->diag);
    for (int i = 0; i < PARTS && !err; i++) {
        err = bytes_out_check(&p->part[i], f->diag);
    }
    if (err) {
        return err;
    }
    out->size = (uint32_t)p->out.size;
    out->data = arena_dup(f->arena, p->out.data, p->out.size);
    out->ptr = f->fw->ptr;
    out->n_pointers = p->n_pointers;
    out->pointers = p->pointers;
    if (p->code.size > p->code_base) {
        out->code_size = (uint32_t)p->code.size;
        out->code = arena_dup(f->arena, p->code.data, p->code.size);
    }
    out->executable = f->executable;
    out->relocated_code = f->relocated_code;
    if (!in_order(out)) {
        qsort(out->pointers, out->n_pointers, sizeof *out->pointers, by_offset);
    }
    return DIAG_OK;
}

// A module whose body does nothing, under a name that no import can ask for.
static struct freeze_input empty_module(struct freezer *f, const char *name)
{
    static const uint8_t body[] = {0x08, 0x02, 0x01, 0x51, 0x63}; // prelude, name 1, return None
    struct mpy_module *m = ARENA_NEW(f->arena, struct mpy_module);
    struct mpy_qstr *qstrs = ARENA_ARRAY(f->arena, struct mpy_qstr, 2);
    struct mpy_code *code = ARENA_NEW(f->arena, struct mpy_code);
    *code = (struct mpy_code){.kind = MPY_CODE_BYTECODE, .data = body, .size = sizeof body};
    qstrs[0] = (struct mpy_qstr){name, (uint32_t)strlen(name), 0};
    qstrs[1] = (struct mpy_qstr){"<module>", 8, (uint16_t)mpy_static_qstr_find("<module>", 8)};
    *m = (struct mpy_module){.n_qstr = 2, .qstrs = qstrs, .root = code};
    return (struct freeze_input){.kind = FW_MODULE_MPY, .name = name, .file = name, .mpy = m};
}

// The inputs, with an empty module behind them where the first stock entry needs one.
static const struct freeze_input *with_placeholder(struct freezer *f,
                                                   const struct freeze_input *inputs, unsigned *n)
{
    const char *name;
    if (!freeze_first_hidden(f, inputs, *n, &name)) {
        return inputs;
    }
    struct freeze_input *more = ARENA_ARRAY(f->arena, struct freeze_input, *n + 1);
    memcpy(more, inputs, *n * sizeof *more);
    more[(*n)++] = empty_module(f, name);
    return more;
}

static enum diag_code make(struct freezer *f, const struct freeze_input *inputs, unsigned n,
                           struct freeze *out)
{
    inputs = with_placeholder(f, inputs, &n);
    struct place *modules = ARENA_ARRAY(f->arena, struct place, n);
    out->spans = ARENA_ARRAY(f->arena, struct freeze_span, n);
    out->name_at = ARENA_ARRAY(f->arena, uint32_t, n);
    enum diag_code err = freeze_possible(f->fw, f->diag);
    err = err ? err : check_names(f, inputs, n);
    if (err) {
        return err;
    }
    qstrs_init(&f->qstrs, f->fw, f->arena);
    err = collect(f, inputs, n);
    if (err) {
        return err;
    }
    struct freeze_tables *tables;
    err = freeze_names(f, inputs, n, &tables);
    err = err ? err : put_pools(f, out);
    err = err ? err : put_modules(f, inputs, n, modules, out->spans);
    err = err ? err : freeze_contents(tables, modules, out);
    return err ? err : finish(f, out);
}

// make() for a freezer whose pieces are not in the arena: they are to be given back without memory,
// too.
static enum diag_code make_or_fail(struct freezer *f, const struct freeze_input *inputs, unsigned n,
                                   struct freeze *out)
{
    jmp_buf out_of_memory, *outer = f->arena->on_fail;
    if (setjmp(out_of_memory)) {
        f->arena->on_fail = outer;
        return diag_nomem(f->diag);
    }
    f->arena->on_fail = &out_of_memory;
    enum diag_code err = make(f, inputs, n, out);
    f->arena->on_fail = outer;
    return err;
}

enum diag_code freeze_make(const struct firmware *fw, const struct freeze_input *inputs, unsigned n,
                           enum freeze_pools pools, struct arena *a, struct diag *d,
                           struct freeze **out)
{
    struct freezer f = {.fw = fw, .arena = a, .diag = d, .pools = pools};
    struct freeze *result = ARENA_NEW(a, struct freeze);
    pieces_init(&f.pieces, fw->ptr, a);
    if (fw->code_at) {
        pieces_apart(&f.pieces, fw->code_at);
    }
    enum diag_code err = make_or_fail(&f, inputs, n, result);
    pieces_free(&f.pieces);
    *out = err ? NULL : result;
    return err;
}

void freeze_place(struct freeze *f, uint64_t addr)
{
    for (uint32_t i = 0; i < f->n_pointers; i++) {
        const struct freeze_pointer *p = &f->pointers[i];
        uint64_t value = (p->inside ? addr + p->value : p->value) + (p->code ? f->code_shift : 0);
        uint8_t *at = (p->in_code ? f->code : f->data) + p->at;
        if (f->ptr == 4) {
            st32(at, (uint32_t)value);
        } else {
            st64(at, value);
        }
    }
}
