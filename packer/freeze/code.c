// Raw codes, proto functions and bytecode. Bytecode runs in place; only pointers are made.
#include <xxhash.h>

#include "format/mpy/extent.h"
#include "format/mpy/opcode.h"
#include "format/mpy/prelude.h"
#include "packer/freeze/internal.h"

enum {
    CODE_DEPTH_MAX = 200, // of nested functions; upstream's compiler gives up long before
    CODE_KIND_BASE = 2,   // MP_CODE_BYTECODE, the first kind of py/emitglue.h
    SCOPE_KNOWN = 0x7f,   // of viper code: flags of functions and of natmods
    NATIVE_ALIGN = 4,     // A32 and Xtensa literals; the others want less
};

static enum diag_code code_prelude(struct freezer *f, const struct mpy_code *c,
                                   struct mpy_prelude *p)
{
    *p = (struct mpy_prelude){0};
    if (c->kind != MPY_CODE_BYTECODE && c->kind != MPY_CODE_NATIVE) {
        return DIAG_OK;
    }
    const char *wrong = mpy_prelude_of(c, p);
    return wrong ? freeze_refuse(f, DIAG_MALFORMED, "the prelude of a function: %s", wrong)
                 : DIAG_OK;
}

// A natmod has a record where others have their children; where raw codes count them it is one.
static uint32_t count_children(const struct mpy_code *c)
{
    return freeze_is_natmod(c) && mpy_machine(c)->relocs_size ? 1 : c->n_children;
}

static uint32_t n_child_pointers(const struct mpy_code *c)
{
    return c->n_children + (c->kind == MPY_CODE_NATIVE);
}

// The prelude of NATIVE code is read by bytes: where code lies apart, that cannot be done there,
// and the VM gets a copy.
static void put_prelude_pointer(struct freezer *f, const struct mpy_code *c, struct place fun_data)
{
    uint32_t at = mpy_machine(c)->prelude_offset;
    if (!f->pieces.apart) {
        pieces_pointer_data(&f->pieces, fun_data, at);
        return;
    }
    struct place copy = pieces_bytes(&f->pieces, c->data + at, c->size - at);
    pieces_pointer(&f->pieces, pieces_share(&f->pieces, copy));
}

// Children of NATIVE code are followed by the pointer to its prelude; without children that pointer
// stands in the raw code itself.
static void put_children_pointer(struct freezer *f, const struct mpy_code *c, struct place fun_data,
                                 const struct place *children)
{
    if (count_children(c)) {
        pieces_pointer(&f->pieces, *children);
    } else if (c->kind == MPY_CODE_NATIVE) {
        put_prelude_pointer(f, c, fun_data);
    } else {
        pieces_word(&f->pieces, 0);
    }
}

// --- bytecode that several functions have in common

static struct code_count *find_count(struct freezer *f, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & (f->n_count_slots - 1);
    while (f->counts[i].n && f->counts[i].hash != hash) {
        i = (i + 1) & (f->n_count_slots - 1);
    }
    return &f->counts[i];
}

static void rehash_counts(struct freezer *f)
{
    struct code_count *old = f->counts;
    uint32_t n_old = f->n_count_slots;
    f->n_count_slots = n_old ? n_old * 2 : 1024;
    f->counts = ARENA_ARRAY(f->arena, struct code_count, f->n_count_slots);
    for (uint32_t i = 0; i < n_old; i++) {
        if (old[i].n) {
            *find_count(f, old[i].hash) = old[i];
        }
    }
}

static uint64_t hash_code(const struct mpy_code *c)
{
    return XXH3_64bits(c->data, c->size);
}

static void count_code(struct freezer *f, const struct mpy_code *c, unsigned depth)
{
    if (c->kind == MPY_CODE_BYTECODE) {
        if (f->n_counts * 2 >= f->n_count_slots) {
            rehash_counts(f);
        }
        struct code_count *count = find_count(f, hash_code(c));
        f->n_counts += count->n == 0;
        count->hash = hash_code(c);
        count->n += count->n < 2;
    }
    for (uint32_t i = 0; i < c->n_children && depth < CODE_DEPTH_MAX; i++) {
        count_code(f, c->children[i], depth + 1);
    }
}

void freeze_count_code(struct freezer *f, const struct mpy_code *code)
{
    count_code(f, code, 0);
}

// Does the firmware's raw code say how long its bytecode is?
static bool is_sized(const struct firmware *fw)
{
    return fw->profile->proto_fun ? fw->save == FW_YES
                                  : fw->save == FW_YES || fw->debug_names == FW_YES;
}

// Whether the end of the bytecode shows from itself: but for an implicit "return None", nothing
// stands behind the last instruction that can be reached.
static bool ends_plainly(const struct mpy_code *c)
{
    static const uint8_t none[] = {MPY_OP_LOAD_CONST_NONE, MPY_OP_RETURN_VALUE};
    struct mpy_extent e;
    if (mpy_extent_find(c->data, c->size, NULL, &e)) {
        return false;
    }
    return e.end == c->size ||
           (c->size - e.end == sizeof none && !memcmp(c->data + e.end, none, sizeof none));
}

// Bytecode of modules has no addresses and no numbers of anything outside of its module's tables,
// so equal functions of several modules can have the same. Where no length is stored, a function
// that is read back ends where the next thing begins, which cannot be known from the tables of one
// of its owners: so a zero, which is no instruction, follows what is shared.
static struct place put_bytecode(struct freezer *f, const struct mpy_code *c)
{
    struct place at = pieces_bytes(&f->pieces, c->data, c->size);
    bool sized = is_sized(f->fw);
    if (find_count(f, hash_code(c))->n < 2 || !(sized || ends_plainly(c))) {
        return at;
    }
    if (!sized) {
        bytes_put_u8(&f->pieces.part[PART_BYTES], 0);
    }
    return pieces_share(&f->pieces, at);
}

static enum diag_code make_code(struct freezer *f, const struct mpy_code *code, unsigned depth,
                                struct place *at);

static enum diag_code make_children(struct freezer *f, const struct mpy_code *c,
                                    struct place fun_data, unsigned depth, struct place *at)
{
    if (!c->n_children) {
        return DIAG_OK;
    }
    struct place *places = ARENA_ARRAY(f->arena, struct place, n_child_pointers(c));
    for (uint32_t i = 0; i < c->n_children; i++) {
        enum diag_code err = make_code(f, c->children[i], depth + 1, &places[i]);
        if (err) {
            return err;
        }
    }
    *at = pieces_at(&f->pieces, PART_WORDS);
    for (uint32_t i = 0; i < c->n_children; i++) {
        pieces_pointer(&f->pieces, places[i]);
    }
    if (c->kind == MPY_CODE_NATIVE) {
        put_prelude_pointer(f, c, fun_data);
    } else if (c->kind == MPY_CODE_VIPER && f->fw->save != FW_YES) {
        pieces_word(&f->pieces, 0); // for readers: nothing else tells how many they are
    }
    *at = pieces_share(&f->pieces, *at);
    return DIAG_OK;
}

// mp_bytecode_prelude_t of builds with SETTRACE; the line pointers are of bytecode only.
static void put_prelude(struct freezer *f, const struct mpy_code *c, const struct mpy_prelude *p,
                        struct place fun_data)
{
    struct pieces *o = &f->pieces;
    const uint32_t words[] = {p->n_state,    p->n_exc_stack,   p->scope_flags,
                              p->n_pos_args, p->n_kwonly_args, p->n_def_pos_args};
    bool bytecode = c->kind == MPY_CODE_BYTECODE;
    for (int i = 0; i < 6; i++) {
        bytes_put_u32(&o->part[PART_WORDS], bytecode ? words[i] : 0);
    }
    pieces_word(o, bytecode ? p->name : 0);
    if (bytecode) {
        pieces_pointer_plus(o, fun_data, p->lines);
        pieces_pointer_plus(o, fun_data, p->cells);
        pieces_pointer_plus(o, fun_data, p->code);
    } else {
        bytes_fill(&o->part[PART_WORDS], 0, 3 * o->ptr);
    }
}

static uint32_t scope_flags(const struct mpy_code *c, const struct mpy_prelude *p)
{
    bool viper = c->kind == MPY_CODE_VIPER || c->kind == MPY_CODE_ASM;
    return viper ? mpy_machine(c)->scope_flags & 0xf : p->scope_flags;
}

static void put_head_old(struct freezer *f, const struct mpy_code *c, const struct mpy_prelude *p,
                         struct place fun_data)
{
    struct pieces *o = &f->pieces;
    uint32_t n_pos = c->kind == MPY_CODE_ASM ? mpy_machine(c)->n_pos_args : p->n_pos_args;
    pieces_word(o, (uint32_t)(c->kind + CODE_KIND_BASE) | (scope_flags(c, p) & 0x7f) << 3 |
                       (n_pos & 0x7ff) << 10);
    pieces_pointer(o, fun_data);
}

// What follows is laid out in one of three ways, and the firmware does not tell which. Its code
// reads two of the fields only: the children, of all but assembler functions, and the signature, of
// those. So each stands wherever one of the three has it: {children} {length, children} {length,
// children, n_children, prelude_offset}, and behind each the signature.
static void put_tail_any(struct freezer *f, const struct mpy_code *c, struct place fun_data,
                         const struct place *children)
{
    struct pieces *o = &f->pieces;
    put_children_pointer(f, c, fun_data, children);
    if (c->kind == MPY_CODE_ASM) {
        for (unsigned i = 0; i < 4; i++) {
            pieces_word(o, mpy_machine(c)->type_sig);
        }
        return;
    }
    put_children_pointer(f, c, fun_data, children);
    pieces_word(o, 0);
    pieces_word(o, 0);
    pieces_word(o, 0);
}

// 1.19 to 1.22: {kind:3 scope_flags:7 n_pos_args:11, fun_data, [len], children, [SAVE: n_children,
// [SETTRACE: prelude, line], [machine code: u16 prelude_offset]], [machine code: type_sig]}.
static struct place put_raw_code_old(struct freezer *f, const struct mpy_code *c,
                                     const struct mpy_prelude *p, struct place fun_data,
                                     const struct place *children)
{
    const struct firmware *fw = f->fw;
    struct pieces *o = &f->pieces;
    struct place at = pieces_at(o, PART_WORDS);
    put_head_old(f, c, p, fun_data);
    if (fw->save == FW_UNKNOWN || (fw->save == FW_NO && fw->debug_names == FW_UNKNOWN)) {
        put_tail_any(f, c, fun_data, children);
        return at;
    }
    if (fw->save == FW_YES || fw->debug_names == FW_YES) {
        pieces_word(o, c->size);
    }
    put_children_pointer(f, c, fun_data, children);
    if (fw->save == FW_YES) {
        pieces_word(o, count_children(c));
        if (fw->settrace == FW_YES) {
            put_prelude(f, c, p, fun_data);
            pieces_word(o, 0);
        }
        if (fw->native != FW_NO) {
            pieces_word(o, (uint16_t)mpy_machine(c)->prelude_offset);
        }
    }
    if (fw->native != FW_NO) {
        pieces_word(o, mpy_machine(c)->type_sig);
    }
    return at;
}

static void put_u16(struct freezer *f, uint32_t v)
{
    bytes_put_u16(&f->pieces.part[PART_WORDS], (uint16_t)v);
}

// From 1.23: {0, 0, kind, is_generator, fun_data, children, [SAVE: u32 len, u16 n_children, u16
// prelude_offset, [SETTRACE: u32 line, prelude]], [ASM: n_pos_args:8 type_sig:24]}. What SAVE and
// SETTRACE append is written unless it is known to be absent: nothing but ASM code has more behind,
// and that stands in both places where the length, which nothing reads, may not be.
static struct place put_raw_code(struct freezer *f, const struct mpy_code *c,
                                 const struct mpy_prelude *p, struct place fun_data,
                                 const struct place *children)
{
    struct pieces *o = &f->pieces;
    struct bytes_out *words = &o->part[PART_WORDS];
    struct place at = pieces_at(o, PART_WORDS);
    put_u16(f, 0);
    bytes_put_u8(words, (uint8_t)(c->kind + CODE_KIND_BASE));
    bytes_put_u8(words, (scope_flags(c, p) & MPY_SCOPE_GENERATOR) != 0);
    bytes_put_align(words, o->ptr, 0);
    pieces_pointer(o, fun_data);
    put_children_pointer(f, c, fun_data, children);
    uint32_t asm_word = (mpy_machine(c)->n_pos_args & 0xff) | mpy_machine(c)->type_sig << 8;
    bool either = c->kind == MPY_CODE_ASM && f->fw->save == FW_UNKNOWN;
    if (f->fw->save != FW_NO) {
        bytes_put_u32(words, either ? asm_word : c->size);
        put_u16(f, count_children(c));
        put_u16(f, c->kind == MPY_CODE_BYTECODE ? 0 : mpy_machine(c)->prelude_offset);
        if (f->fw->settrace != FW_NO) {
            bytes_put_u32(words, 0);
            bytes_put_align(words, o->ptr, 0);
            put_prelude(f, c, p, fun_data);
        }
    }
    if (c->kind == MPY_CODE_ASM) {
        bytes_put_u32(words, asm_word);
    }
    return at;
}

// A leaf function without anything to point to may stand for its raw code from 1.23 on, in builds
// whose raw codes have nothing more to say (py/emitglue.h, mp_proto_fun_is_bytecode).
static bool is_bare(const struct freezer *f, const struct mpy_code *c)
{
    return f->fw->profile->proto_fun && c->kind == MPY_CODE_BYTECODE && !c->n_children &&
           f->fw->save == FW_NO && f->fw->settrace != FW_YES && c->size >= 2 &&
           (c->data[0] | c->data[1]);
}

static enum diag_code check_code(struct freezer *f, const struct mpy_code *c, unsigned depth)
{
    if (depth > CODE_DEPTH_MAX) {
        return freeze_refuse(f, DIAG_MALFORMED, "functions nest deeper than %d", CODE_DEPTH_MAX);
    }
    if (c->n_children > UINT16_MAX) {
        return freeze_refuse(f, DIAG_NO, "a function holds more than %d others", UINT16_MAX);
    }
    if (c->kind == MPY_CODE_NATIVE && mpy_machine(c)->prelude_offset >= c->size) {
        return freeze_refuse(f, DIAG_MALFORMED, "a prelude lies outside of its code");
    }
    struct mpy_extent e; // what is never reached does no harm, but it is read back, too
    const char *endless =
        c->kind == MPY_CODE_BYTECODE ? mpy_extent_find(c->data, c->size, NULL, &e) : NULL;
    if (endless) {
        return freeze_refuse(f, DIAG_MALFORMED, "unreachable code leads out of its function: %s",
                             endless);
    }
    bool viper = c->kind == MPY_CODE_VIPER || c->kind == MPY_CODE_ASM;
    if (viper && mpy_machine(c)->scope_flags & ~(uint32_t)SCOPE_KNOWN) {
        return freeze_refuse(f, DIAG_NO, "its machine code has unknown flags 0x%x",
                             mpy_machine(c)->scope_flags);
    }
    if (freeze_is_natmod(c) && c->n_children) {
        return freeze_refuse(f, DIAG_NO, "a native module that holds other functions");
    }
    return DIAG_OK;
}

static enum diag_code make_code(struct freezer *f, const struct mpy_code *c, unsigned depth,
                                struct place *at)
{
    struct mpy_prelude prelude;
    struct place children = {0};
    enum diag_code err = check_code(f, c, depth);
    err = err ? err : code_prelude(f, c, &prelude);
    if (err) {
        return err;
    }
    bool machine = c->kind != MPY_CODE_BYTECODE;
    f->executable |= machine;
    struct place fun_data;
    if (freeze_is_natmod(c)) {
        err = freeze_natmod(f, c, &fun_data, &children);
    } else {
        fun_data =
            machine ? pieces_code(&f->pieces, c->data, c->size, NATIVE_ALIGN) : put_bytecode(f, c);
        if (is_bare(f, c)) {
            *at = fun_data;
            return DIAG_OK;
        }
        err = make_children(f, c, fun_data, depth, &children);
    }
    if (!err) {
        *at = (f->fw->profile->proto_fun ? put_raw_code : put_raw_code_old)(f, c, &prelude,
                                                                            fun_data, &children);
        *at = pieces_share(&f->pieces, *at);
    }
    return err;
}

enum diag_code freeze_code(struct freezer *f, const struct mpy_code *code, struct place *at)
{
    return make_code(f, code, 0, at);
}
