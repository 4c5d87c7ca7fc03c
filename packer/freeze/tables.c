// The lists that mp_find_frozen_module reads: names, contents, and the texts of frozen scripts.
//
// The lookup takes the first name that matches, texts before code, and a directory before a file.
// So new names stand ahead of the stock ones of their kind, and stock entries that would still be
// found instead of an input are hidden. Two things never change, because a build with link-time
// optimisation may have computed with them: the name of the first entry, and - where the code shows
// signs of that - the number of texts. An entry that must stay but be hidden gets a name of the
// same length that no import can ask for.
#include "packer/freeze/internal.h"

struct entry {
    const char *name;
    bool hidden; // keep the place, not the name
    int input;   // index of the input with its content, -1 = stock
    unsigned stock;
    struct place at; // its name
};

struct entries {
    unsigned n;
    struct entry *items;
};

struct freeze_tables {
    struct freezer *f;
    const struct freeze_input *inputs;
    unsigned n_inputs;
    bool *placed; // for each input: it took over a stock entry
    unsigned n_replaced;
    bool folded; // the code may know the number of texts
    struct entries strs, mpys;
    struct place names;
};

// A name of n bytes that no import can ask for, but that still is a file's.
static void put_hidden_name(char *name, size_t n)
{
    memset(name, '-', n);
    if (n > 3) {
        memcpy(name + n - 3, ".py", 3);
    }
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

// True if an import that means the input would find the stock entry instead, or another name of
// the same module: foo.py against the package foo/, and the other way round.
static bool takes_the_place(const char *input, const char *stock)
{
    size_t n = strlen(input), m = strlen(stock);
    if (ends_with(input, ".py") && m > n - 3 && !memcmp(input, stock, n - 3)) {
        return !strcmp(input, stock) || stock[n - 3] == '/';
    }
    return ends_with(input, "/__init__.py") && m == n - 9 && !memcmp(input, stock, n - 12) &&
           !strcmp(stock + n - 12, ".py");
}

static bool is_hidden(const struct freeze_tables *t, const char *stock)
{
    for (unsigned i = 0; i < t->n_inputs; i++) {
        if (takes_the_place(t->inputs[i].name, stock)) {
            return true;
        }
    }
    return false;
}

static int same_name(const struct freeze_tables *t, enum fw_module_kind kind, const char *stock)
{
    for (unsigned i = 0; i < t->n_inputs; i++) {
        if (t->inputs[i].kind == kind && !strcmp(t->inputs[i].name, stock)) {
            return (int)i;
        }
    }
    return -1;
}

static void add(struct entries *e, struct entry entry)
{
    e->items[e->n++] = entry;
}

static void add_new(struct freeze_tables *t, struct entries *e, enum fw_module_kind kind)
{
    for (unsigned i = 0; i < t->n_inputs; i++) {
        if (t->inputs[i].kind == kind && !t->placed[i]) {
            add(e, (struct entry){.name = t->inputs[i].name, .input = (int)i});
        }
    }
}

// A stock entry whose place is kept: with its own content, with an input's of its name, or hidden.
static void add_pinned(struct freeze_tables *t, struct entries *e, unsigned stock)
{
    const struct fw_module *m = &t->f->fw->modules[stock];
    int input = same_name(t, m->kind, m->name);
    bool hidden = input < 0 && is_hidden(t, m->name);
    if (input >= 0) {
        t->placed[input] = true;
    }
    t->n_replaced += input >= 0 || hidden;
    add(e, (struct entry){.name = m->name, .hidden = hidden, .input = input, .stock = stock});
}

static void add_stock(struct freeze_tables *t, struct entries *e, unsigned stock)
{
    const struct fw_module *m = &t->f->fw->modules[stock];
    if (is_hidden(t, m->name)) {
        t->n_replaced++;
    } else {
        add(e, (struct entry){.name = m->name, .input = -1, .stock = stock});
    }
}

static bool is_placeholder(const struct freeze_tables *t, unsigned input, const char *stock)
{
    const char *name = t->inputs[input].name;
    return name[0] == '-' && strlen(name) == strlen(stock) && is_hidden(t, stock);
}

// The first module keeps its place: with its own content, with that of the input of its name, or
// with the empty module that freeze_first_hidden asked for.
static void add_first(struct freeze_tables *t)
{
    const char *stock = t->f->fw->modules[0].name;
    unsigned last = t->n_inputs - 1;
    if (t->n_inputs && is_placeholder(t, last, stock)) {
        t->placed[last] = true;
        t->n_replaced++;
        add(&t->mpys, (struct entry){.name = t->inputs[last].name, .input = (int)last});
    } else {
        add_pinned(t, &t->mpys, 0);
    }
}

static void list_entries(struct freeze_tables *t)
{
    const struct firmware *fw = t->f->fw;
    for (unsigned i = 0; i < fw->n_str; i++) {
        if (i == 0 || t->folded || same_name(t, FW_MODULE_STR, fw->modules[i].name) >= 0) {
            add_pinned(t, &t->strs, i);
        } else {
            add_stock(t, &t->strs, i);
        }
    }
    add_new(t, &t->strs, FW_MODULE_STR);
    bool pin_first = fw->n_str == 0 && fw->n_modules > 0;
    if (pin_first) {
        add_first(t);
    }
    add_new(t, &t->mpys, FW_MODULE_MPY);
    for (unsigned i = fw->n_str + pin_first; i < fw->n_modules; i++) {
        add_stock(t, &t->mpys, i);
    }
}

// A module's name is also a qstr, as that of its file.
static void put_names(struct freezer *f, struct entries *e)
{
    struct bytes_out *out = &f->pieces.part[PART_BYTES];
    for (unsigned i = 0; i < e->n; i++) {
        const char *name = e->items[i].name;
        size_t n = strlen(name);
        e->items[i].at = pieces_bytes(&f->pieces, name, n + 1);
        if (!e->items[i].hidden) {
            qstrs_have_text(&f->qstrs, name, n, e->items[i].at);
        } else if (!out->failed) {
            put_hidden_name((char *)out->data + out->size - n - 1, n);
        }
    }
}

static void put_contents(const struct freeze_tables *t, const struct place *modules)
{
    for (unsigned i = 0; i < t->mpys.n; i++) {
        const struct entry *e = &t->mpys.items[i];
        if (e->input >= 0) {
            pieces_pointer(&t->f->pieces, modules[e->input]);
        } else {
            pieces_pointer_out(&t->f->pieces, t->f->fw->modules[e->stock].addr);
        }
    }
}

static const uint8_t *entry_text(const struct freeze_tables *t, const struct entry *e, size_t *size)
{
    if (e->input >= 0) {
        *size = t->inputs[e->input].text_size;
        return *size ? t->inputs[e->input].text : (const uint8_t *)"";
    }
    return firmware_str_module(t->f->fw, &t->f->fw->modules[e->stock], size);
}

// py/frozenmod.c: a size of 0 ends the list of sizes, so an empty text is one empty line.
static enum diag_code put_texts(const struct freeze_tables *t, struct place *sizes,
                                struct place *texts)
{
    struct pieces *p = &t->f->pieces;
    *sizes = pieces_words(p, 4);
    *texts = pieces_at(p, PART_BYTES);
    for (unsigned i = 0; i < t->strs.n; i++) {
        size_t size = 0;
        const uint8_t *text = entry_text(t, &t->strs.items[i], &size);
        if (!text) {
            return freeze_refuse(t->f, DIAG_NO, "the frozen text %s of the firmware is unreadable",
                                 t->strs.items[i].name);
        }
        if (size == 0) {
            text = (const uint8_t *)"\n";
            size = 1;
        }
        bytes_put_u32(&p->part[PART_WORDS], (uint32_t)size);
        bytes_put(&p->part[PART_BYTES], text, size);
        bytes_put_u8(&p->part[PART_BYTES], 0);
    }
    bytes_put_u32(&p->part[PART_WORDS], 0);
    return DIAG_OK;
}

// Where the inputs' texts ended up, texts being the payload offset of the first.
static void set_text_spans(const struct freeze_tables *t, uint32_t texts, struct freeze *out)
{
    uint32_t at = texts;
    for (unsigned i = 0; i < t->strs.n; i++) {
        size_t size = 0;
        entry_text(t, &t->strs.items[i], &size);
        if (t->strs.items[i].input >= 0) {
            out->spans[t->strs.items[i].input] = (struct freeze_span){at, (uint32_t)size, 0};
        }
        at += (uint32_t)(size ? size : 1) + 1;
    }
}

static void set_names(const struct freeze_tables *t, const struct entries *e, struct freeze *out)
{
    for (unsigned i = 0; i < e->n; i++) {
        if (e->items[i].input >= 0) {
            out->name_at[e->items[i].input] = pieces_offset(&t->f->pieces, e->items[i].at);
        }
    }
}

static bool any_anchor(const struct fw_refs *refs)
{
    for (unsigned i = 0; i < refs->n; i++) {
        if (refs->refs[i].addend) {
            return true;
        }
    }
    return false;
}

static enum diag_code check_texts(const struct freeze_tables *t)
{
    const struct firmware *fw = t->f->fw;
    for (unsigned i = 0; i < t->n_inputs; i++) {
        if (t->inputs[i].kind != FW_MODULE_STR) {
            continue;
        }
        t->f->input = &t->inputs[i];
        if (!fw->str_sizes || t->folded) {
            enum diag_code err = freeze_refuse(t->f, DIAG_NO, "the firmware %s",
                                               fw->str_sizes ? "has a fixed number of frozen texts"
                                                             : "has no tables of frozen texts, or "
                                                               "its build folded them away");
            diag_help(t->f->diag, "freeze the script as code instead");
            return err;
        }
    }
    t->f->input = NULL;
    return DIAG_OK;
}

static void init(struct freeze_tables *t, struct freezer *f, const struct freeze_input *inputs,
                 unsigned n)
{
    const struct firmware *fw = f->fw;
    unsigned max = fw->n_modules + n;
    *t = (struct freeze_tables){.f = f, .inputs = inputs, .n_inputs = n};
    t->placed = ARENA_ARRAY(f->arena, bool, n);
    t->strs.items = ARENA_ARRAY(f->arena, struct entry, max);
    t->mpys.items = ARENA_ARRAY(f->arena, struct entry, max);
    t->folded = fw->str_sizes_refs.n == 0 || any_anchor(&fw->content_refs) ||
                any_anchor(&fw->names_refs) || any_anchor(&fw->str_sizes_refs);
}

bool freeze_first_hidden(struct freezer *f, const struct freeze_input *inputs, unsigned n,
                         const char **name)
{
    struct freeze_tables t = {.f = f, .inputs = inputs, .n_inputs = n};
    if (f->fw->n_str || !f->fw->n_modules) {
        return false;
    }
    const char *stock = f->fw->modules[0].name;
    if (same_name(&t, FW_MODULE_MPY, stock) >= 0 || !is_hidden(&t, stock)) {
        return false;
    }
    size_t size = strlen(stock);
    char *hidden = arena_strndup(f->arena, stock, size);
    put_hidden_name(hidden, size);
    *name = hidden;
    return true;
}

static bool texts_change(const struct freeze_tables *t)
{
    if (t->strs.n != t->f->fw->n_str) {
        return true;
    }
    for (unsigned i = 0; i < t->strs.n; i++) {
        if (t->strs.items[i].input >= 0) {
            return true;
        }
    }
    return false;
}

enum diag_code freeze_names(struct freezer *f, const struct freeze_input *inputs, unsigned n,
                            struct freeze_tables **out)
{
    struct freeze_tables *t = *out = ARENA_NEW(f->arena, struct freeze_tables);
    init(t, f, inputs, n);
    enum diag_code err = check_texts(t);
    if (err) {
        return err;
    }
    list_entries(t);
    t->names = pieces_at(&f->pieces, PART_BYTES);
    put_names(f, &t->strs);
    put_names(f, &t->mpys);
    bytes_put_u8(&f->pieces.part[PART_BYTES], 0); // the empty name that ends the list
    return DIAG_OK;
}

enum diag_code freeze_contents(struct freeze_tables *t, const struct place *modules,
                               struct freeze *out)
{
    struct pieces *p = &t->f->pieces;
    struct place content = pieces_at(p, PART_WORDS), sizes, text;
    put_contents(t, modules);
    bool texts = texts_change(t);
    enum diag_code err = texts ? put_texts(t, &sizes, &text) : DIAG_OK;
    pieces_flush(p);
    out->names = pieces_offset(p, t->names);
    set_names(t, &t->strs, out);
    set_names(t, &t->mpys, out);
    out->content = pieces_offset(p, content);
    out->str_sizes = texts && !err ? pieces_offset(p, sizes) : FREEZE_NONE;
    out->str_content = texts && !err ? pieces_offset(p, text) : FREEZE_NONE;
    out->n_replaced = t->n_replaced;
    if (texts && !err) {
        set_text_spans(t, out->str_content, out);
    }
    return err;
}
