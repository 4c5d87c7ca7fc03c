// .mpy version 6 -> code tree (for version 5 see v5_read.c). Facts: py/persistentcode.c,
// tools/mpy-tool.py, tools/mpy_ld.py.
//
// Whatever this accepts, mpy_write writes back byte for byte: integers must be in their shortest
// form, strings must have their NUL, nothing may follow the code.
#include "format/mpy/mpy.h"
#include "format/mpy/number.h"
#include "format/mpy/prelude.h"
#include "format/mpy/v5.h"

enum {
    READ_TUPLE_DEPTH = 1000, // upstream's parser gives up between 500 and 1000
    READ_CODE_DEPTH = 8192,  // upstream compiles 5000 nested lambdas with its default heap
    READ_QSTR_MAX = 65535,   // qstr lengths are at most two bytes in any build
    READ_NUMBER_TEXT = 128,  // a float of any release is under 32 characters, a complex twice that
    READ_CODE_MAX = 1 << 28, // bytes of one function; the header word must stay under 32 bits
    READ_FEATURE_FLAGS = 0x40,
    READ_RELOC_END = 0xff,
};

struct reader {
    struct bytes_in in;
    struct arena *arena;
    struct mpy_module *module;
};

// A varuint in its shortest form.
static uint64_t read_uint(struct reader *r, const char *field, uint64_t max)
{
    if (bytes_left(&r->in) && r->in.data[r->in.pos] == 0x80) {
        bytes_fail(&r->in, field, "is not in its shortest form");
        return 0;
    }
    return bytes_varuint(&r->in, field, max);
}

// Memory for n items that take at least one byte each in the file, so that the file's size bounds
// the memory. NULL on a failure.
static void *read_alloc(struct reader *r, const char *field, uint64_t n, size_t size)
{
    if (n > bytes_left(&r->in)) {
        bytes_fail(&r->in, field, "is %llu, but only %zu bytes follow", (unsigned long long)n,
                   bytes_left(&r->in));
    }
    if (r->in.failed) {
        return NULL;
    }
    void *p = arena_calloc(r->arena, (size_t)n, size);
    if (!p) {
        r->in.failed = diag_nomem(r->in.diag);
    }
    return p;
}

// n bytes and the NUL behind them.
static const uint8_t *read_text(struct reader *r, uint64_t n, const char *field)
{
    const uint8_t *p = bytes_take(&r->in, n, field);
    if (p && bytes_u8(&r->in, field) != 0 && !r->in.failed) {
        bytes_fail(&r->in, field, "does not end with a zero byte");
    }
    return p;
}

static void read_qstr(struct reader *r, struct mpy_qstr *q)
{
    uint64_t word = read_uint(r, "qstr", READ_QSTR_MAX << 1 | 1);
    if (r->in.failed) {
        return;
    }
    if (!(word & 1)) {
        q->len = (uint32_t)(word >> 1);
        q->data = (const char *)read_text(r, q->len, "qstr text");
        return;
    }
    if (word >> 1 == 0 || word >> 1 > MPY_STATIC_QSTRS) {
        bytes_fail(&r->in, "static qstr", "is %u, only 1 to %d exist", (unsigned)(word >> 1),
                   MPY_STATIC_QSTRS);
        return;
    }
    q->static_id = (uint16_t)(word >> 1);
    q->data = mpy_static_qstr(q->static_id);
    q->len = (uint32_t)strlen(q->data);
}

static void read_number(struct reader *r, struct mpy_obj *o)
{
    bool is_int = o->kind == MPY_OBJ_INT;
    o->len = (uint32_t)read_uint(r, "number length", is_int ? UINT32_MAX : READ_NUMBER_TEXT);
    o->data = bytes_take(&r->in, o->len, "number text");
    if (o->data && !(is_int ? mpy_text_is_int : mpy_text_is_number)(o->data, o->len)) {
        bytes_fail(&r->in, "number text", "is not %s", is_int ? "an integer" : "a number");
    }
}

static void read_obj(struct reader *r, struct mpy_obj *o, unsigned depth);

static void read_tuple(struct reader *r, struct mpy_obj *o, unsigned depth)
{
    if (depth >= READ_TUPLE_DEPTH) {
        bytes_fail(&r->in, "tuple", "is nested more than %d deep", READ_TUPLE_DEPTH);
    }
    o->len = (uint32_t)read_uint(r, "tuple length", UINT32_MAX);
    struct mpy_obj *items = read_alloc(r, "tuple length", o->len, sizeof *items);
    o->items = items;
    for (uint32_t i = 0; items && i < o->len && !r->in.failed; i++) {
        read_obj(r, &items[i], depth + 1);
    }
}

static void read_obj(struct reader *r, struct mpy_obj *o, unsigned depth)
{
    o->kind = (enum mpy_obj_kind)bytes_u8(&r->in, "constant type");
    switch (o->kind) {
    case MPY_OBJ_FUN_TABLE:
    case MPY_OBJ_NONE:
    case MPY_OBJ_FALSE:
    case MPY_OBJ_TRUE:
    case MPY_OBJ_ELLIPSIS:
        return;
    case MPY_OBJ_STR:
    case MPY_OBJ_BYTES:
        o->len = (uint32_t)read_uint(r, "constant length", UINT32_MAX);
        o->data = read_text(r, o->len, "constant text");
        return;
    case MPY_OBJ_INT:
    case MPY_OBJ_FLOAT:
    case MPY_OBJ_COMPLEX:
        read_number(r, o);
        return;
    case MPY_OBJ_TUPLE:
        read_tuple(r, o, depth);
        return;
    }
    bytes_fail(&r->in, "constant type", "is %u, only 0 to %d exist", (unsigned)o->kind,
               MPY_OBJ_TUPLE);
}

// Natmods carry their relocations as a byte code of their own (mp_native_relocate): bit 0 = an
// address follows; then a destination, of which 1, 3 and 5 are followed by a count.
static void read_relocs(struct reader *r, struct mpy_machine *c)
{
    c->relocs = r->in.data + r->in.pos;
    size_t start = r->in.pos;
    for (;;) {
        uint8_t op = bytes_u8(&r->in, "relocation");
        if (r->in.failed || op == READ_RELOC_END) {
            break;
        }
        if (op & 1) {
            read_uint(r, "relocation address", UINT32_MAX);
        }
        if (op >> 1 <= 5 && (op >> 1 & 1)) {
            read_uint(r, "relocation count", UINT32_MAX);
        }
    }
    c->relocs_size = (uint32_t)(r->in.pos - start);
}

static void read_viper(struct reader *r, struct mpy_machine *c)
{
    if (c->scope_flags & MPY_SCOPE_VIPER_RODATA) {
        c->rodata_size = (uint32_t)read_uint(r, "rodata size", UINT32_MAX);
    }
    if (c->scope_flags & MPY_SCOPE_VIPER_BSS) {
        c->bss_size = (uint32_t)read_uint(r, "bss size", INT32_MAX);
    }
    c->rodata = bytes_take(&r->in, c->rodata_size, "rodata");
}

static void read_native(struct reader *r, struct mpy_code *c)
{
    if (r->module->arch == MPY_ARCH_NONE) {
        bytes_fail(&r->in, "code kind", "is machine code, but the header names no architecture");
        return;
    }
    struct mpy_machine *machine = c->machine = read_alloc(r, "code", 1, sizeof *machine);
    if (!machine) {
        return;
    }
    if (c->kind == MPY_CODE_NATIVE) {
        machine->prelude_offset = (uint32_t)read_uint(r, "prelude offset", c->size);
        return;
    }
    machine->scope_flags = (uint32_t)read_uint(r, "scope flags", UINT32_MAX);
    if (c->kind == MPY_CODE_ASM) {
        machine->n_pos_args = (uint32_t)read_uint(r, "number of arguments", UINT32_MAX);
        machine->type_sig = (uint32_t)read_uint(r, "type signature", UINT32_MAX);
    } else {
        read_viper(r, machine);
    }
}

static struct mpy_code *read_code(struct reader *r, unsigned depth);

static void read_children(struct reader *r, struct mpy_code *c, unsigned depth)
{
    if (depth >= READ_CODE_DEPTH) {
        bytes_fail(&r->in, "function", "is nested more than %d deep", READ_CODE_DEPTH);
    }
    c->n_children = read_uint(r, "number of children", MPY_CHILDREN_MAX) & MPY_CHILDREN_MAX;
    if (c->n_children == 0) {
        bytes_fail(&r->in, "number of children", "is 0, but the code says that it has some");
    }
    struct mpy_code **children =
        read_alloc(r, "number of children", c->n_children, sizeof *children);
    c->children = children;
    for (uint32_t i = 0; i < c->n_children && !r->in.failed; i++) {
        children[i] = read_code(r, depth + 1);
    }
}

static struct mpy_code *read_code(struct reader *r, unsigned depth)
{
    uint64_t word = read_uint(r, "code header", (uint64_t)READ_CODE_MAX << 3 | 7);
    struct mpy_code *c = read_alloc(r, "code", 1, sizeof *c);
    if (!c) {
        return NULL;
    }
    c->kind = (enum mpy_code_kind)(word & 3);
    c->size = (uint32_t)(word >> 3);
    c->at = r->in.origin + r->in.pos;
    c->data = bytes_take(&r->in, c->size, "code");
    if (c->kind != MPY_CODE_BYTECODE) {
        read_native(r, c);
    }
    bool relocated =
        c->kind == MPY_CODE_VIPER && (mpy_machine(c)->scope_flags & MPY_SCOPE_VIPER_RELOC);
    if (relocated && (word & 4)) {
        // The VM reads the children first, upstream's tools the relocations; nobody makes both.
        bytes_fail(&r->in, "code header", "has relocations and children");
    }
    if (word & 4) {
        read_children(r, c, depth);
    }
    if (relocated) {
        read_relocs(r, c->machine);
    }
    return c;
}

static void read_header(struct reader *r)
{
    struct mpy_module *m = r->module;
    if (bytes_u8(&r->in, "magic") != 'M') {
        r->in.pos = 0;
        bytes_fail(&r->in, "magic", "is not 'M': this is no .mpy file");
    }
    uint8_t version = bytes_u8(&r->in, "version");
    if (version != MPY_VERSION) {
        bytes_fail(&r->in, "version", "is %u, only %d and %d are read (MicroPython 1.12 and newer)",
                   version, MPY_VERSION_OLD, MPY_VERSION);
    }
    uint8_t feature = bytes_u8(&r->in, "feature");
    m->sub_version = feature & 3;
    m->has_arch_flags = feature & READ_FEATURE_FLAGS;
    unsigned arch = feature >> 2 & 0x2f;
    if (arch > MPY_ARCH_DEBUG) {
        bytes_fail(&r->in, "feature", "names architecture %u, only 0 to %d exist", arch,
                   MPY_ARCH_DEBUG);
    }
    m->arch = (enum mpy_arch)arch;
    m->small_int_bits = bytes_u8(&r->in, "small int bits");
    if (m->has_arch_flags) {
        m->arch_flags = (uint32_t)read_uint(r, "architecture flags", UINT32_MAX);
    }
}

static void read_tables(struct reader *r)
{
    struct mpy_module *m = r->module;
    m->n_qstr = (uint32_t)read_uint(r, "number of qstrs", UINT32_MAX);
    if (m->n_qstr == 0) {
        bytes_fail(&r->in, "number of qstrs", "is 0, the first must be the source file name");
    }
    m->n_obj = (uint32_t)read_uint(r, "number of constants", UINT32_MAX);
    struct mpy_qstr *qstrs = read_alloc(r, "number of qstrs", m->n_qstr, sizeof *qstrs);
    m->qstrs = qstrs;
    for (uint32_t i = 0; qstrs && i < m->n_qstr && !r->in.failed; i++) {
        read_qstr(r, &qstrs[i]);
    }
    struct mpy_obj *objs = read_alloc(r, "number of constants", m->n_obj, sizeof *objs);
    m->objs = objs;
    for (uint32_t i = 0; objs && i < m->n_obj && !r->in.failed; i++) {
        read_obj(r, &objs[i], 0);
    }
}

enum diag_code mpy_read(const uint8_t *data, size_t size, const char *name, struct arena *a,
                        struct diag *d, struct mpy_module **out)
{
    struct reader r = {.arena = a, .module = ARENA_NEW(a, struct mpy_module)};
    if (v5_begins(data, size)) {
        return v5_read(data, size, name, a, d, out);
    }
    if (!r.module) {
        return diag_nomem(d);
    }
    bytes_in_init(&r.in, data, size, name, d);
    read_header(&r);
    read_tables(&r);
    if (!r.in.failed) {
        r.module->root = read_code(&r, 0);
    }
    if (!r.in.failed && bytes_left(&r.in)) {
        bytes_fail(&r.in, "end", "%zu bytes follow the code", bytes_left(&r.in));
    }
    *out = r.in.failed ? NULL : r.module;
    return r.in.failed;
}
