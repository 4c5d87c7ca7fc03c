// Constant objects as the firmware's build would have laid them out in read-only memory.
#include "packer/freeze/internal.h"

#include <math.h>

#include "packer/freeze/number.h"

enum { TUPLE_DEPTH_MAX = 64 };

enum value_kind { VALUE_INLINE, VALUE_PLACE, VALUE_ADDRESS };

struct value { // an mp_obj_t
    enum value_kind kind;
    uint64_t bits; // INLINE: the word. ADDRESS: in the firmware
    struct place place;
};

static enum diag_code make_value(struct freezer *f, const struct mpy_obj *o, unsigned depth,
                                 struct value *out);

static enum diag_code inline_value(struct value *out, uint64_t bits)
{
    *out = (struct value){.kind = VALUE_INLINE, .bits = bits};
    return DIAG_OK;
}

// The object that was just written, or the equal one that the payload has already.
static enum diag_code place_value(struct freezer *f, struct value *out, struct place at)
{
    *out = (struct value){.kind = VALUE_PLACE, .place = pieces_share(&f->pieces, at)};
    return DIAG_OK;
}

// An object of the firmware, or a refusal that says what is missing.
static enum diag_code firmware_object(struct freezer *f, enum fw_object which, const char *what,
                                      uint64_t *address)
{
    *address = f->fw->objects[which];
    if (*address) {
        return DIAG_OK;
    }
    return freeze_refuse(f, DIAG_NO, "a constant needs %s, which was not found in the firmware",
                         what);
}

// py/obj.h, MP_OBJ_NEW_QSTR of the four representations.
static uint64_t qstr_bits(enum fw_repr repr, uint64_t id)
{
    switch (repr) {
    case FW_REPR_B:
        return id << 3 | 3;
    case FW_REPR_C:
        return id << 4 | 6;
    case FW_REPR_D:
        return id << 1 | UINT64_C(0x0002000000000001);
    default:
        return id << 3 | 2;
    }
}

static uint64_t small_int_bits(enum fw_repr repr, int64_t v)
{
    switch (repr) {
    case FW_REPR_B:
        return (uint64_t)v << 2 | 1;
    case FW_REPR_D:
        return ((uint64_t)v & UINT64_C(0x7fffffffffff)) << 1 | UINT64_C(0x0001000000000001);
    default:
        return (uint64_t)v << 1 | 1;
    }
}

static uint64_t immediate_bits(enum fw_repr repr, uint64_t v)
{
    switch (repr) {
    case FW_REPR_B:
        return v << 3 | 7;
    case FW_REPR_C:
        return v << 4 | 14;
    case FW_REPR_D:
        return v << 46 | UINT64_C(0x0003000000000000);
    default:
        return v << 3 | 6;
    }
}

// None, False and True: immediates 0, 1 and 3, or objects of their own.
static enum diag_code make_singleton(struct freezer *f, enum fw_object which, uint64_t immediate,
                                     struct value *out)
{
    if (f->fw->immediate_objs == FW_YES) {
        return inline_value(out, immediate_bits(f->fw->repr, immediate));
    }
    if (f->fw->immediate_objs == FW_UNKNOWN) {
        return freeze_refuse(f, DIAG_NO,
                             "a constant needs None, False or True, but whether the firmware "
                             "keeps them as immediate values could not be decided");
    }
    *out = (struct value){.kind = VALUE_ADDRESS};
    return firmware_object(f, which, "the None, False or True object", &out->bits);
}

static enum diag_code make_shared(struct freezer *f, enum fw_object which, const char *what,
                                  struct value *out)
{
    *out = (struct value){.kind = VALUE_ADDRESS};
    return firmware_object(f, which, what, &out->bits);
}

static struct place put_text(struct freezer *f, const struct mpy_obj *o)
{
    struct place at = pieces_bytes(&f->pieces, o->data, o->len);
    bytes_put_u8(&f->pieces.part[PART_BYTES], 0); // str data is terminated (py/objstr.c)
    return pieces_share(&f->pieces, at);
}

// py/objstr.h: {type, hash, len, data}.
static enum diag_code make_text(struct freezer *f, enum fw_object type, const struct mpy_obj *o,
                                struct value *out)
{
    uint64_t address;
    enum diag_code err =
        firmware_object(f, type, type == FW_TYPE_STR ? "type str" : "type bytes", &address);
    if (err) {
        return err;
    }
    struct pieces *p = &f->pieces;
    struct place data = put_text(f, o);
    struct place at = pieces_at(p, PART_WORDS);
    pieces_pointer_out(p, address);
    pieces_word(p, qstrs_hash(f->fw, o->data, o->len));
    pieces_word(p, o->len);
    pieces_pointer(p, data);
    return place_value(f, out, at);
}

static enum diag_code make_str(struct freezer *f, const struct mpy_obj *o, struct value *out)
{
    uint32_t q = qstrs_find(&f->qstrs, (const char *)o->data, o->len);
    if (q != UINT32_MAX) {
        return inline_value(out, qstr_bits(f->fw->repr, f->qstrs.entries[q].id));
    }
    return make_text(f, FW_TYPE_STR, o, out);
}

// Alignment of a 64-bit member: the i386 ABI wants 4 within a structure, all others 8.
static unsigned wide_align(const struct firmware *fw)
{
    return fw->isa == IMAGE_ISA_X86 ? 4 : 8;
}

static void put_wide(struct freezer *f, uint64_t bits)
{
    struct pieces *p = &f->pieces;
    bytes_put_align(&p->part[PART_WORDS], wide_align(f->fw), 0);
    bytes_put_u64(&p->part[PART_WORDS], bits);
}

static struct place begin_wide(struct freezer *f, uint64_t type)
{
    struct place at = pieces_words(&f->pieces, wide_align(f->fw));
    pieces_pointer_out(&f->pieces, type);
    return at;
}

// py/objint.h with py/mpz.h: {type, neg:1 fixed_dig:1 alloc, len, dig}.
static enum diag_code make_mpz(struct freezer *f, const struct big *b, uint64_t type,
                               struct value *out)
{
    unsigned bits = f->fw->mpz_dig_bits;
    if (bits != 16 && bits != 32) {
        return freeze_refuse(f, DIAG_NO,
                             "an int constant exceeds a small int, but the size of the "
                             "firmware's long int digits is unknown");
    }
    struct pieces *p = &f->pieces;
    uint64_t n = b->n;
    if (bits == 16) {
        n = n * 2 - (b->digits[n - 1] >> 16 == 0);
    }
    struct place digits = pieces_at(p, bits == 16 ? PART_HALVES : PART_WORDS);
    for (uint32_t i = 0; i < n; i++) {
        if (bits == 16) {
            bytes_put_u16(&p->part[PART_HALVES], (uint16_t)(b->digits[i / 2] >> (i % 2 * 16)));
        } else {
            bytes_put_u32(&p->part[PART_WORDS], b->digits[i]);
        }
    }
    digits = pieces_share(p, digits);
    struct place at = pieces_at(p, PART_WORDS);
    pieces_pointer_out(p, type);
    pieces_word(p, b->negative | 2 | n << 2);
    pieces_word(p, n);
    pieces_pointer(p, digits);
    return place_value(f, out, at);
}

static enum diag_code make_longlong(struct freezer *f, const struct big *b, uint64_t type,
                                    struct value *out)
{
    int64_t v;
    if (!number_small(b, 64, &v)) {
        return freeze_refuse(f, DIAG_NO, "an int constant exceeds the firmware's 64-bit ints");
    }
    struct place at = begin_wide(f, type);
    put_wide(f, (uint64_t)v);
    return place_value(f, out, at);
}

static enum diag_code make_int(struct freezer *f, const struct mpy_obj *o, struct value *out)
{
    struct big b;
    if (!number_int(o->data, o->len, f->arena, &b)) {
        return freeze_refuse(f, DIAG_MALFORMED,
                             "an int constant is not a decimal number of at "
                             "most %d digits",
                             NUMBER_TEXT_MAX);
    }
    int64_t v;
    if (number_small(&b, f->fw->small_int_bits, &v)) {
        return inline_value(out, small_int_bits(f->fw->repr, v));
    }
    uint64_t type;
    if (f->fw->longint == FW_LONGINT_NONE || f->fw->longint == FW_LONGINT_UNKNOWN) {
        return freeze_refuse(f, DIAG_NO, "the int constant %.*s exceeds a small int, and %s",
                             (int)(o->len < 40 ? o->len : 40), (const char *)o->data,
                             f->fw->longint == FW_LONGINT_NONE
                                 ? "the firmware has no long ints"
                                 : "the firmware's long ints could not be determined");
    }
    enum diag_code err = firmware_object(f, FW_TYPE_INT, "type int", &type);
    if (err) {
        return err;
    }
    return f->fw->longint == FW_LONGINT_MPZ ? make_mpz(f, &b, type, out)
                                            : make_longlong(f, &b, type, out);
}

static uint32_t f32_bits(double v)
{
    float x = (float)v; // beyond FLT_MAX: inf, as C converts it
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return isnan(v) ? 0x7fc00000 : bits;
}

static uint64_t f64_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return isnan(v) ? UINT64_C(0x7ff8000000000000) : bits;
}

static void put_float(struct freezer *f, double v)
{
    if (f->fw->float_kind == FW_FLOAT_F64) {
        put_wide(f, f64_bits(v));
    } else {
        bytes_put_u32(&f->pieces.part[PART_WORDS], f32_bits(v));
    }
}

static struct place begin_float(struct freezer *f, uint64_t type)
{
    if (f->fw->float_kind == FW_FLOAT_F64) {
        return begin_wide(f, type);
    }
    struct place at = pieces_at(&f->pieces, PART_WORDS);
    pieces_pointer_out(&f->pieces, type);
    return at;
}

static enum diag_code check_floats(struct freezer *f, const struct mpy_obj *o)
{
    if (f->fw->float_kind == FW_FLOAT_F32 || f->fw->float_kind == FW_FLOAT_F64) {
        return DIAG_OK;
    }
    return freeze_refuse(f, DIAG_NO, "it has the constant %.*s, and %s",
                         (int)(o->len < 40 ? o->len : 40), (const char *)o->data,
                         f->fw->float_kind == FW_FLOAT_NONE
                             ? "the firmware has no floats"
                             : "the firmware's float size could not be determined");
}

static enum diag_code make_float(struct freezer *f, const struct mpy_obj *o, struct value *out)
{
    double v;
    if (!number_float(o->data, o->len, &v)) {
        return freeze_refuse(f, DIAG_MALFORMED, "a float constant is not a number");
    }
    enum diag_code err = check_floats(f, o);
    if (err) {
        return err;
    }
    if (f->fw->repr == FW_REPR_C) {
        return inline_value(out, (uint32_t)(((f32_bits(v) & ~3u) | 2) + 0x80800000u));
    }
    if (f->fw->repr == FW_REPR_D) {
        return inline_value(out, f64_bits(v) + UINT64_C(0x8004000000000000));
    }
    uint64_t type;
    err = firmware_object(f, FW_TYPE_FLOAT, "type float", &type);
    if (err) {
        return err;
    }
    struct place at = begin_float(f, type);
    put_float(f, v);
    return place_value(f, out, at);
}

static enum diag_code make_complex(struct freezer *f, const struct mpy_obj *o, struct value *out)
{
    double real, imag;
    uint64_t type;
    if (!number_complex(o->data, o->len, &real, &imag)) {
        return freeze_refuse(f, DIAG_MALFORMED, "a complex constant is not a complex number");
    }
    enum diag_code err = check_floats(f, o);
    err = err ? err : firmware_object(f, FW_TYPE_COMPLEX, "type complex", &type);
    if (err) {
        return err;
    }
    struct place at = begin_float(f, type);
    put_float(f, real);
    put_float(f, imag);
    return place_value(f, out, at);
}

static void put_value(struct freezer *f, const struct value *v)
{
    struct pieces *p = &f->pieces;
    uint64_t high = v->bits >> 32;
    if (v->kind == VALUE_PLACE) {
        pieces_pointer(p, v->place);
    } else if (v->kind == VALUE_ADDRESS) {
        pieces_pointer_out(p, v->bits);
    } else {
        pieces_word(p, v->bits);
    }
    if (f->fw->repr == FW_REPR_D && p->ptr == 4) { // objects are 64 bits wide, pointers are not
        bytes_put_u32(&p->part[PART_WORDS], v->kind == VALUE_INLINE ? (uint32_t)high : 0);
    }
}

static unsigned object_align(const struct firmware *fw)
{
    return fw->repr == FW_REPR_D ? wide_align(fw) : fw->ptr;
}

// py/objtuple.h: {type, len, items[]}.
static enum diag_code make_tuple(struct freezer *f, const struct mpy_obj *o, unsigned depth,
                                 struct value *out)
{
    uint64_t type;
    if (o->len == 0 && f->fw->objects[FW_CONST_EMPTY_TUPLE]) {
        return make_shared(f, FW_CONST_EMPTY_TUPLE, "the empty tuple", out);
    }
    if (depth > TUPLE_DEPTH_MAX) {
        return freeze_refuse(f, DIAG_MALFORMED, "a constant nests tuples deeper than %d",
                             TUPLE_DEPTH_MAX);
    }
    enum diag_code err = firmware_object(f, FW_TYPE_TUPLE, "type tuple", &type);
    struct value *items = ARENA_ARRAY(f->arena, struct value, o->len);
    for (uint32_t i = 0; i < o->len && !err; i++) {
        err = make_value(f, &o->items[i], depth + 1, &items[i]);
    }
    if (err) {
        return err;
    }
    struct place at = pieces_words(&f->pieces, object_align(f->fw));
    pieces_pointer_out(&f->pieces, type);
    pieces_word(&f->pieces, o->len);
    for (uint32_t i = 0; i < o->len; i++) {
        put_value(f, &items[i]);
    }
    return place_value(f, out, at);
}

static enum diag_code make_value(struct freezer *f, const struct mpy_obj *o, unsigned depth,
                                 struct value *out)
{
    switch (o->kind) {
    case MPY_OBJ_FUN_TABLE:
        return make_shared(f, FW_FUN_TABLE, "the table of native functions", out);
    case MPY_OBJ_NONE:
        return make_singleton(f, FW_CONST_NONE, 0, out);
    case MPY_OBJ_FALSE:
        return make_singleton(f, FW_CONST_FALSE, 1, out);
    case MPY_OBJ_TRUE:
        return make_singleton(f, FW_CONST_TRUE, 3, out);
    case MPY_OBJ_ELLIPSIS:
        return make_shared(f, FW_CONST_ELLIPSIS, "the Ellipsis object", out);
    case MPY_OBJ_STR:
        return make_str(f, o, out);
    case MPY_OBJ_BYTES:
        return make_text(f, FW_TYPE_BYTES, o, out);
    case MPY_OBJ_INT:
        return make_int(f, o, out);
    case MPY_OBJ_FLOAT:
        return make_float(f, o, out);
    case MPY_OBJ_COMPLEX:
        return make_complex(f, o, out);
    case MPY_OBJ_TUPLE:
        return make_tuple(f, o, depth, out);
    }
    return freeze_refuse(f, DIAG_MALFORMED, "a constant is of unknown kind %d", (int)o->kind);
}

enum diag_code freeze_objects(struct freezer *f, const struct mpy_module *m, struct place *table)
{
    struct value *values = ARENA_ARRAY(f->arena, struct value, m->n_obj);
    for (uint32_t i = 0; i < m->n_obj; i++) {
        enum diag_code err = make_value(f, &m->objs[i], 0, &values[i]);
        if (err) {
            return err;
        }
    }
    *table = pieces_words(&f->pieces, object_align(f->fw));
    for (uint32_t i = 0; i < m->n_obj; i++) {
        put_value(f, &values[i]);
    }
    *table = pieces_share(&f->pieces, *table);
    return DIAG_OK;
}
