// The shape of raw codes, which depends on build options: told from all the functions of the frozen
// modules together.
//
// Facts: mp_raw_code_t in py/emitglue.h at each release, mp_bytecode_prelude_t in py/bc.h.
#include "format/firmware/scan.h"

enum {
    RAW_CODES_MAX = 512,   // functions that are looked at
    RAW_CHILDREN_MAX = 64, // of one function
    RAW_LEN_MAX = 1 << 20, // bytes of code of one function
    RAW_KIND_MIN = 2,
    RAW_KIND_MAX = 5,
};

struct raws {
    unsigned n, bare; // raw codes in at[]; functions that are their bytecode itself
    uint64_t at[RAW_CODES_MAX];
    uint64_t qstrs[RAW_CODES_MAX]; // the qstr table of its module
};

static bool is_raw(const struct scan *s, uint64_t addr)
{
    const uint8_t *p = view_at(&s->view, addr, 4);
    uint64_t code;
    if (!p || addr % s->view.ptr || !view_is_code(&s->view, addr + s->view.ptr, &code))
        return false;
    if (!s->fw->profile->proto_fun)
        return (p[0] & 7) >= RAW_KIND_MIN && (p[0] & 7) <= RAW_KIND_MAX;
    return !p[0] && !p[1] && p[2] >= RAW_KIND_MIN && p[2] <= RAW_KIND_MAX && p[3] <= 1;
}

static bool seen(const struct raws *r, uint64_t addr)
{
    for (unsigned i = 0; i < r->n; i++)
        if (r->at[i] == addr)
            return true;
    return false;
}

// False when there is no function at addr.
static bool add_function(const struct scan *s, struct raws *r, uint64_t addr, uint64_t qstrs)
{
    const uint8_t *p = view_at(&s->view, addr, 2);
    if (!p)
        return false;
    if (s->fw->profile->proto_fun && (p[0] | p[1])) {
        bool bare = frozen_is_bytecode(s, addr, qstrs);
        r->bare += bare;
        return bare;
    }
    if (!is_raw(s, addr))
        return false;
    if (r->n < RAW_CODES_MAX && !seen(r, addr)) {
        r->qstrs[r->n] = qstrs;
        r->at[r->n++] = addr;
    }
    return true;
}

// The length of the list of children is not known yet; the words behind it that are no functions
// end it. An entry of a neighbour's list is a function as well.
static void add_children(const struct scan *s, struct raws *r, uint64_t children, uint64_t qstrs)
{
    uint64_t child;
    for (unsigned i = 0; i < RAW_CHILDREN_MAX; i++)
        if (!view_is_pointer(&s->view, children + (uint64_t)i * s->view.ptr, &child) ||
            !add_function(s, r, child, qstrs))
            return;
}

// --- up to 1.22: is there a length between the code and the children?

static bool has_length(const struct scan *s, uint64_t raw)
{
    uint64_t p = s->view.ptr, len, children;
    return view_word(&s->view, raw + 2 * p, &len) && len && len < RAW_LEN_MAX &&
           !view_is_pointer(&s->view, raw + 2 * p, &children) &&
           view_word(&s->view, raw + 3 * p, &children) &&
           (!children || view_is_pointer(&s->view, raw + 3 * p, &children));
}

static bool has_no_length(const struct scan *s, uint64_t raw)
{
    uint64_t p = s->view.ptr, children;
    return view_word(&s->view, raw + 2 * p, &children) &&
           (!children || view_is_pointer(&s->view, raw + 2 * p, &children));
}

// With PERSISTENT_CODE_SAVE the number of children follows them.
static bool has_count(const struct scan *s, uint64_t raw)
{
    uint64_t p = s->view.ptr, children, n;
    return view_word(&s->view, raw + 3 * p, &children) && view_word(&s->view, raw + 4 * p, &n) &&
           n < 65536 && !children == !n;
}

static unsigned count_if(const struct scan *s, const struct raws *r,
                         bool (*test)(const struct scan *, uint64_t))
{
    unsigned n = 0;
    for (unsigned i = 0; i < r->n; i++)
        n += test(s, r->at[i]);
    return n;
}

static void decide_old(struct scan *s, struct raws *r)
{
    struct firmware *fw = s->fw;
    bool with = count_if(s, r, has_length) == r->n, without = count_if(s, r, has_no_length) == r->n;
    if (!r->n || with == without)
        return;
    for (unsigned i = 0; i < r->n; i++) {
        uint64_t children;
        if (view_is_pointer(&s->view, r->at[i] + (with ? 3 : 2) * s->view.ptr, &children))
            add_children(s, r, children, r->qstrs[i]);
    }
    fw->debug_names = with ? FW_YES : FW_NO;
    fw->save = with && count_if(s, r, has_count) == r->n ? FW_YES : FW_NO;
}

// --- from 1.23 on

// A length and a number of children behind the children's pointer that agree with it.
static bool has_save_fields(const struct scan *s, uint64_t raw)
{
    uint64_t p = s->view.ptr, children;
    uint32_t len;
    uint16_t n;
    return view_word(&s->view, raw + 2 * p, &children) && view_u32(&s->view, raw + 3 * p, &len) &&
           view_u16(&s->view, raw + 3 * p + 4, &n) && len && len < RAW_LEN_MAX && !children == !n;
}

static void decide_new(struct scan *s, struct raws *r)
{
    struct firmware *fw = s->fw;
    for (unsigned i = 0; i < r->n; i++) {
        uint64_t children;
        if (view_is_pointer(&s->view, r->at[i] + 2 * s->view.ptr, &children))
            add_children(s, r, children, r->qstrs[i]);
    }
    if (r->bare)
        fw->save = FW_NO;
    else if (r->n)
        fw->save = count_if(s, r, has_save_fields) == r->n ? FW_YES : FW_UNKNOWN;
}

// --- MICROPY_PY_SYS_SETTRACE: a decoded prelude in every raw code, with pointers into the code

static bool has_prelude_at(const struct scan *s, uint64_t at, uint64_t code, uint64_t len)
{
    for (unsigned i = 0; i < 3; i++) {
        uint64_t p;
        if (!view_is_pointer(&s->view, at + (uint64_t)i * s->view.ptr, &p) || p < code ||
            p - code > len)
            return false;
    }
    return true;
}

static bool has_prelude(const struct scan *s, uint64_t raw)
{
    uint64_t p = s->view.ptr, code, len = RAW_LEN_MAX;
    if (!view_word(&s->view, raw + p, &code))
        return false;
    for (uint64_t at = raw + 4 * p; at < raw + 20 * p; at += p) // three pointers in a row
        if (has_prelude_at(s, at, code, len))
            return true;
    return false;
}

static void decide_settrace(struct scan *s, const struct raws *r)
{
    struct firmware *fw = s->fw;
    bool any = r->n + r->bare;
    if (!any && firmware_qstr(fw, "settrace", 8))
        fw->save = FW_YES; // sys.settrace needs it
    if (fw->save == FW_NO || !firmware_qstr(fw, "settrace", 8))
        fw->settrace = FW_NO; // the fields are part of what SAVE adds; sys.settrace sets them
    else if (fw->save == FW_YES)
        fw->settrace = !any || count_if(s, r, has_prelude) == r->n ? FW_YES : FW_NO;
}

static void add_body(const struct scan *s, struct raws *r, const struct fw_module *m)
{
    const uint8_t *p = view_at(&s->view, m->code, 2);
    if (p && s->fw->profile->proto_fun && (p[0] | p[1]))
        r->bare++; // checked when the module was found
    else
        add_function(s, r, m->code, m->qstr_table);
}

static const char *tri_name(enum fw_tri t)
{
    return t == FW_YES ? "yes" : t == FW_NO ? "no" : "unknown";
}

enum diag_code raw_scan(struct scan *s)
{
    struct firmware *fw = s->fw;
    struct raws *r = ARENA_NEW(s->arena, struct raws);
    if (!r)
        return diag_nomem(s->diag);
    if (!fw->profile->frozen_module_t)
        return DIAG_OK;
    for (unsigned i = 0; i < fw->n_modules; i++)
        if (fw->modules[i].kind == FW_MODULE_MPY && !scan_is_spliced(s, fw->modules[i].addr))
            add_body(s, r, &fw->modules[i]);
    if (fw->profile->proto_fun)
        decide_new(s, r);
    else
        decide_old(s, r);
    decide_settrace(s, r);
    if (r->n + r->bare)
        scan_note(s, "raw code", r->n ? r->at[0] : 0, "the functions of the frozen modules",
                  "%u raw codes, %u bare functions; save %s, settrace %s, lengths %s", r->n,
                  r->bare, tri_name(fw->save), tri_name(fw->settrace), tri_name(fw->debug_names));
    else if (fw->frozen == FW_YES)
        scan_note(s, "raw code", 0, "no frozen function; the string \"settrace\"",
                  "save %s, settrace %s", tri_name(fw->save), tri_name(fw->settrace));
    return DIAG_OK;
}
