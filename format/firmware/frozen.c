// Frozen modules: found one by one by what a module must look like, then the array that lists them
// and the text that names them.
//
// Facts: py/frozenmod.c, py/emitglue.h, py/bc.h (prelude), tools/mpy-tool.py (freeze_mpy) at each
// release from 1.19 on.
#include "format/firmware/scan.h"

#include <stdlib.h>

enum {
    FROZEN_MODULES_MAX = 65535, // each has a qstr of its own, and their numbers have 16 bits
    FROZEN_NAME_MAX = 255,
    FROZEN_FOREIGN_MAX =
        32,                // bytes that are not of a list of names in front of it: a digest has 32
    FROZEN_TABLES_MAX = 8, // the stock one, and one a splice
    FROZEN_BODIES_MAX = 4 * FROZEN_MODULES_MAX, // what looks like one, by accident too
    FROZEN_SLOTS_MAX = 8 * FROZEN_MODULES_MAX,  // words that point to modules
    FROZEN_STARTS_MAX = 256,
    FROZEN_SPLICED = 1 << 20, // counts more than all references
    FROZEN_RUNS_MAX = 256,    // runs of module pointers whose names are looked for
};

// --- one module

struct cursor { // reads a prelude; a failed read gives zeros and clears ok
    const uint8_t *p, *end;
    bool ok;
};

static uint8_t next_byte(struct cursor *c)
{
    if (c->p >= c->end)
        return c->ok = false, 0;
    return *c->p++;
}

static uint16_t next_u16(struct cursor *c)
{
    uint8_t low = next_byte(c);
    return (uint16_t)(low | next_byte(c) << 8);
}

static uint32_t next_varuint(struct cursor *c)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 5; i++) {
        uint8_t b = next_byte(c);
        value = value << 7 | (b & 0x7f);
        if (!(b & 0x80))
            return value;
    }
    return c->ok = false, 0;
}

static void skip_groups(struct cursor *c)
{
    for (unsigned i = 0; i < 8; i++)
        if (!(next_byte(c) & 0x80))
            return;
    c->ok = false;
}

// The qstr id that the prelude at addr gives as the function's name; 0 when there is no prelude.
static uint16_t prelude_name(const struct scan *s, uint64_t addr, uint64_t qstr_table)
{
    const struct view_span *span = view_span_at(&s->view, addr);
    if (!span)
        return 0;
    struct cursor c = {span->data + (addr - span->run), span->data + span->size, true};
    skip_groups(&c); // signature
    skip_groups(&c); // sizes
    uint32_t name = next_varuint(&c);
    uint16_t id;
    return c.ok && name < 65536 && view_u16(&s->view, qstr_table + 2 * name, &id) ? id : 0;
}

// A body is called "<module>"; that of .mpy files merged by mpy-tool.py bears the file's name.
static bool is_module_prelude(const struct scan *s, uint64_t addr, uint64_t qstr_table)
{
    uint16_t name = prelude_name(s, addr, qstr_table), file;
    return name &&
           (name == s->module_id || (view_u16(&s->view, qstr_table, &file) && name == file));
}

bool frozen_is_bytecode(const struct scan *s, uint64_t addr, uint64_t qstr_table)
{
    const uint8_t *p = view_at(&s->view, addr, 2);
    uint16_t id = p && (p[0] | p[1]) ? prelude_name(s, addr, qstr_table) : 0;
    return id && id < s->fw->n_qstrs && id != s->module_id;
}

// The prelude of native code lies behind its children: word 0 of the code tells where.
static uint64_t native_prelude(const struct scan *s, uint64_t code, uint64_t children)
{
    uint64_t index, prelude;
    if (!view_word(&s->view, code, &index) || index > 65535)
        return 0;
    if (!index)
        return children;
    return view_word(&s->view, children + index * s->view.ptr, &prelude) ? prelude : 0;
}

static bool is_raw_code(const struct scan *s, uint64_t addr, uint64_t qstr_table)
{
    const struct view *v = &s->view;
    uint64_t code, children;
    const uint8_t *p = view_at(v, addr, 4);
    unsigned kind = s->fw->profile->proto_fun ? p[2] : p[0] & 7;
    if (s->fw->profile->proto_fun && p[3] > 1)
        return false;
    if (kind < 2 || kind > 5 || !view_is_code(v, addr + v->ptr, &code) ||
        !view_word(v, addr + 2 * v->ptr, &children))
        return false;
    if (kind == 2)
        return is_module_prelude(s, code, qstr_table);
    if (kind == 3)
        return is_module_prelude(s, native_prelude(s, code, children), qstr_table);
    return kind == 4; // a natmod's body has no prelude
}

static bool is_module_code(const struct scan *s, uint64_t addr, uint64_t qstr_table)
{
    const uint8_t *p = view_at(&s->view, addr, 4);
    if (!p)
        return false;
    if (s->fw->profile->proto_fun && (p[0] | p[1]))
        return is_module_prelude(s, addr, qstr_table);
    return is_raw_code(s, addr, qstr_table);
}

static bool has_suffix(const struct fw_qstr *q, const char *suffix)
{
    size_t n = strlen(suffix);
    return q->len > n && memcmp(q->data + q->len - n, suffix, n) == 0;
}

static bool is_module_name(const struct scan *s, uint64_t qstr_table)
{
    uint16_t id;
    if (qstr_table % 2 || !view_u16(&s->view, qstr_table, &id) || !id || id >= s->fw->n_qstrs)
        return false;
    const struct fw_qstr *q = &s->fw->qstrs[id];
    return has_suffix(q, ".py") || has_suffix(q, ".mpy");
}

// Up to 1.18 the qstrs of name and source file stand in the prelude itself, in two bytes each. The
// id of the file when the raw code at addr is a module's body, else 0.
static uint16_t old_module_file(const struct scan *s, uint64_t addr)
{
    uint64_t code = 0;
    const uint8_t *p = view_at(&s->view, addr, 4);
    if (!p || addr % s->view.ptr || (p[0] & 7) != 2 || ld32(p) >> 21 ||
        !view_word(&s->view, addr + s->view.ptr, &code))
        return 0;
    const struct view_span *span = view_span_at(&s->view, code);
    if (!span)
        return 0;
    struct cursor c = {span->data + (code - span->run), span->data + span->size, true};
    skip_groups(&c); // signature
    skip_groups(&c); // sizes
    uint16_t name = next_u16(&c);
    uint16_t file = next_u16(&c);
    return c.ok && name == s->module_id && file < s->fw->n_qstrs ? file : 0;
}

static bool is_old_module(const struct scan *s, uint64_t addr)
{
    uint16_t file = old_module_file(s, addr);
    uint64_t constants;
    return file &&
           (has_suffix(&s->fw->qstrs[file], ".py") || has_suffix(&s->fw->qstrs[file], ".mpy")) &&
           view_word(&s->view, addr + 2 * s->view.ptr, &constants) &&
           (!constants || view_span_at(&s->view, constants));
}

// Is there an mp_frozen_module_t at addr?
static bool is_module(const struct scan *s, uint64_t addr)
{
    uint64_t p = s->view.ptr, qstrs, objs, code;
    return view_is_pointer(&s->view, addr, &qstrs) && is_module_name(s, qstrs) &&
           view_word(&s->view, addr + p, &objs) &&
           (!objs || view_is_pointer(&s->view, addr + p, &objs)) &&
           view_is_pointer(&s->view, addr + 2 * p, &code) && is_module_code(s, code, qstrs);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

struct modules {
    unsigned n, cap;
    uint64_t *at; // sorted
};

static bool push(struct scan *s, struct modules *m, uint64_t addr)
{
    if (m->n == m->cap) {
        unsigned cap = m->cap ? 2 * m->cap : 64;
        uint64_t *grown = arena_grow(s->arena, m->at, m->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown)
            return false;
        m->at = grown;
        m->cap = cap;
    }
    m->at[m->n++] = addr;
    return true;
}

static enum diag_code find_modules(struct scan *s, struct modules *m)
{
    for (uint32_t i = 0; i < s->view.n_where && m->n < FROZEN_BODIES_MAX; i++) {
        uint64_t addr = view_addr(&s->view, s->view.where[i]);
        bool is_new = s->fw->profile->frozen_module_t;
        if (!is_new)
            addr -= s->view.ptr; // the pointer to the code is the second word
        if ((is_new ? is_module(s, addr) : is_old_module(s, addr)) && !push(s, m, addr))
            return diag_nomem(s->diag);
    }
    if (m->n)
        qsort(m->at, m->n, sizeof *m->at, compare_u64);
    return DIAG_OK;
}

// --- the arrays that list them

// Every word that points to a module, sorted.
static enum diag_code find_slots(struct scan *s, const struct modules *m, struct modules *slots)
{
    for (unsigned i = 0; i < m->n; i++) {
        uint32_t k = 0;
        uint64_t at;
        while (slots->n < FROZEN_SLOTS_MAX && view_users(&s->view, m->at[i], &k, &at))
            if (!push(s, slots, at))
                return diag_nomem(s->diag);
    }
    if (slots->n)
        qsort(slots->at, slots->n, sizeof *slots->at, compare_u64);
    return DIAG_OK;
}

static const struct fw_qstr *module_name(const struct scan *s, uint64_t module)
{
    uint64_t qstrs = 0;
    uint16_t id = 0;
    if (!s->fw->profile->frozen_module_t) {
        id = old_module_file(s, module);
    } else if (view_word(&s->view, module, &qstrs)) {
        view_u16(&s->view, qstrs, &id);
    }
    return &s->fw->qstrs[id < s->fw->n_qstrs ? id : 0];
}

// The text of the names of entries [0, n) of the array at content; size in *size.
static char *join_names(struct scan *s, uint64_t content, uint32_t n, size_t *size)
{
    size_t total = 1;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t module = 0;
        view_word(&s->view, content + (uint64_t)i * s->view.ptr, &module);
        total += module_name(s, module)->len + 1;
    }
    char *text = arena_calloc(s->arena, total, 1), *p = text;
    for (uint32_t i = 0; text && i < n; i++) {
        uint64_t module = 0;
        view_word(&s->view, content + (uint64_t)i * s->view.ptr, &module);
        const struct fw_qstr *q = module_name(s, module);
        memcpy(p, q->data, q->len);
        p += q->len + 1;
    }
    *size = total;
    return text;
}

// Texts before the names of the .mpy entries may be those of frozen sources: each is a place where
// the list may start.
static bool collect_starts(struct scan *s, struct frozen_table *t)
{
    t->starts = ARENA_ARRAY(s->arena, uint64_t, FROZEN_STARTS_MAX);
    if (!t->starts)
        return false;
    t->starts[t->n_starts++] = t->mpy_names;
    const struct view_span *span = view_span_at(&s->view, t->mpy_names);
    uint64_t at = t->mpy_names - span->run;
    while (at > 1 && t->n_starts < FROZEN_STARTS_MAX && !span->data[at - 1]) {
        uint64_t start = at - 1;
        while (start && at - start <= FROZEN_NAME_MAX && span->data[start - 1] > ' ')
            start--;
        if (at - 1 - start < 2 || span->data[start] <= ' ')
            break;
        t->starts[t->n_starts++] = span->run + start;
        at = start;
    }
    // What lies in front of the first name may end in bytes that look like more of it.
    for (unsigned k = 1; k <= FROZEN_FOREIGN_MAX && t->n_starts < FROZEN_STARTS_MAX; k++)
        t->starts[t->n_starts++] = span->run + at + k;
    return true;
}

static enum diag_code try_table(struct scan *s, uint64_t content, uint32_t n)
{
    size_t size;
    char *names = join_names(s, content, n, &size);
    if (!names)
        return diag_nomem(s->diag);
    for (uint64_t at = 0; view_find(&s->view, names, size, &at); at++) {
        if (s->n_tables == FROZEN_TABLES_MAX)
            return DIAG_OK;
        struct frozen_table *t = &s->tables[s->n_tables++];
        *t = (struct frozen_table){content, n, at, at + size, NULL, 0};
        if (!collect_starts(s, t))
            return diag_nomem(s->diag);
    }
    return DIAG_OK;
}

// Runs of adjacent slots are the arrays.
static enum diag_code find_tables(struct scan *s, const struct modules *slots)
{
    unsigned tried = 0;
    for (unsigned i = 0, k; i < slots->n && tried < FROZEN_RUNS_MAX; i = k, tried++) {
        for (k = i + 1; k < slots->n && slots->at[k] == slots->at[k - 1] + s->view.ptr;)
            k++;
        enum diag_code c = try_table(s, slots->at[i], k - i);
        if (c)
            return c;
    }
    return DIAG_OK;
}

// --- the layout: by the release, or by evidence where that is unknown or a development version

static bool fits_pools(const struct scan *s, const struct fw_profile *p)
{
    const struct firmware *fw = s->fw;
    bool split = fw->n_pools > 1 && fw->pools[1].sorted && !fw->qstr_sorted_word;
    return p->pool_tables == !s->old_pools && p->pool_sorted_flag == split &&
           (fw->qstr_hash_bytes || p->proto_fun) && p->slot_types == type_has_slots(s);
}

static enum diag_code try_profile(struct scan *s, const struct fw_profile *p, struct modules *m)
{
    m->n = 0;
    s->fw->profile = p;
    return p && fits_pools(s, p) ? find_modules(s, m) : DIAG_OK;
}

// The only row that fits the pools and types, NULL when there are several or none.
static const struct fw_profile *only_profile(const struct scan *s)
{
    const struct fw_profile *only = NULL;
    for (const struct fw_profile *p = fw_profiles; p->name; p++)
        if (fits_pools(s, p)) {
            if (only)
                return NULL;
            only = p;
        }
    return only;
}

static enum diag_code refuse_layout(struct scan *s)
{
    if (!s->fw->major)
        return diag_set(s->diag, DIAG_NO, s->view.image->name,
                        "MicroPython is here, but nothing tells its release");
    return diag_set(s->diag, DIAG_NO, s->view.image->name,
                    "this build of MicroPython %s is not laid out as a release is; development "
                    "versions between two releases may not be",
                    s->fw->version);
}

static enum diag_code settle_profile(struct scan *s, struct modules *m)
{
    const struct fw_profile *named = s->fw->profile;
    enum diag_code c = try_profile(s, named, m);
    for (const struct fw_profile *p = fw_profiles; !c && !m->n && p->name; p++)
        if (p != named)
            c = try_profile(s, p, m);
    if (c || (m->n && s->fw->profile == named))
        return c;
    if (!m->n && named)
        s->fw->profile = fits_pools(s, named) ? named : NULL;
    else if (!m->n)
        s->fw->profile = only_profile(s);
    if (s->fw->profile && s->fw->profile != named)
        scan_note(s, "layout", m->n ? m->at[0] : s->fw->pools[0].addr,
                  "the form of pools, types and frozen modules", "%s", s->fw->profile->name);
    return s->fw->profile ? DIAG_OK : refuse_layout(s);
}

// A build without frozen support lacks the qstr ".frozen"; one with it has it in sys.path.
enum diag_code frozen_scan(struct scan *s)
{
    struct modules modules = {0}, slots = {0};
    s->fw->frozen = firmware_qstr(s->fw, ".frozen", 7) ? FW_YES : FW_NO;
    s->tables = ARENA_ARRAY(s->arena, struct frozen_table, FROZEN_TABLES_MAX);
    if (!s->tables)
        return diag_nomem(s->diag);
    enum diag_code c = settle_profile(s, &modules);
    if (!c)
        c = find_slots(s, &modules, &slots);
    if (!c)
        c = find_tables(s, &slots);
    if (!c && modules.n)
        scan_note(s, "frozen modules", modules.at[0], "module bodies named <module>",
                  "%u bodies, %u tables", modules.n, s->n_tables);
    return c;
}

// --- the table in use

static unsigned count_refs(struct scan *s, uint64_t addr)
{
    const struct ref_target *t = ref_target_at(&s->sweep, addr);
    return t ? t->refs.n : 0;
}

// Nothing refers to the middle of the list: the nearest place before the .mpy names, or they
// themselves, that code refers to is the start.
static uint64_t find_start(struct scan *s, const struct frozen_table *t, unsigned *refs)
{
    for (unsigned i = 0; i < t->n_starts; i++)
        if ((*refs = count_refs(s, t->starts[i])))
            return t->starts[i];
    return t->mpy_names;
}

static void add_module(struct scan *s, struct fw_module *m, uint64_t addr, const char *name)
{
    const struct view *v = &s->view;
    *m = (struct fw_module){.kind = FW_MODULE_MPY, .name = name, .addr = addr, .code = addr};
    if (!s->fw->profile->frozen_module_t)
        return;
    view_word(v, addr, &m->qstr_table);
    view_word(v, addr + v->ptr, &m->obj_table);
    view_word(v, addr + 2 * v->ptr, &m->code);
}

static enum diag_code list_modules(struct scan *s, const struct frozen_table *t)
{
    struct firmware *fw = s->fw;
    uint32_t n_str = 0, len;
    for (uint64_t at = fw->names; at < t->mpy_names; at += len + 1, n_str++)
        if (!view_text(&s->view, at, FROZEN_NAME_MAX, &len))
            return diag_set(s->diag, DIAG_INTERNAL, NULL, "frozen names changed while reading");
    fw->n_str = n_str;
    fw->n_modules = n_str + t->n;
    fw->modules = ARENA_ARRAY(s->arena, struct fw_module, fw->n_modules);
    if (!fw->modules)
        return diag_nomem(s->diag);
    uint64_t at = fw->names, module;
    for (uint32_t i = 0; i < fw->n_modules; i++, at += len + 1) {
        const char *name = view_text(&s->view, at, 65535, &len);
        if (i < n_str)
            fw->modules[i] = (struct fw_module){.kind = FW_MODULE_STR, .name = name};
        else if (view_word(&s->view, t->content + (uint64_t)(i - n_str) * s->view.ptr, &module))
            add_module(s, &fw->modules[i], module, name);
    }
    return DIAG_OK;
}

// A splice replaces the tables: its own are in use, whatever its data looks like refers to.
enum diag_code frozen_choose(struct scan *s)
{
    struct frozen_table *best = NULL;
    unsigned best_refs = 0;
    uint64_t names = 0;
    for (unsigned i = 0; i < s->n_tables; i++) {
        unsigned refs = 0;
        uint64_t start = find_start(s, &s->tables[i], &refs);
        refs += 4 * count_refs(s, s->tables[i].content);
        refs += refs && scan_is_spliced(s, s->tables[i].content) ? FROZEN_SPLICED : 0;
        if (!best || refs > best_refs) {
            best = &s->tables[i];
            best_refs = refs;
            names = start;
        }
    }
    if (!best)
        return DIAG_OK;
    s->fw->frozen = FW_YES;
    s->fw->content = best->content;
    s->fw->names = names;
    s->fw->names_size = best->names_end - names;
    scan_note(s, "frozen names", names, "the module names in table order", "%u entries", best->n);
    return list_modules(s, best);
}
