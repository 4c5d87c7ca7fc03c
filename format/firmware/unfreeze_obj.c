// Constants of frozen modules: a word of any object representation, or the object it points to, as
// what the .mpy file held.
//
// What freezing lost is given back in one canonical form: floats as mpy_float_text writes them;
// strings that became qstrs as strings.
//
// Facts: py/obj.h, py/objstr.h, py/objtuple.h, py/objint.h, py/mpz.h, py/objfloat.c,
// py/objcomplex.c and tools/mpy-tool.py (freeze_constant_obj) of MicroPython 1.19 to 1.29.
#include "format/firmware/unfreeze.h"

#include <stdio.h>

#include "format/mpy/number.h"

enum {
    OBJ_DEPTH = 1000,     // as in .mpy files
    OBJ_INT_BYTES = 8192, // of magnitude; its decimal text takes quadratic time
    // Immediate objects: what is left of the tag in every representation.
    OBJ_NONE = 0,
    OBJ_FALSE = 1,
    OBJ_TRUE = 3,
};

enum obj_tag { OBJ_POINTER, OBJ_SMALL_INT, OBJ_QSTR, OBJ_IMMEDIATE, OBJ_FLOAT, OBJ_UNKNOWN };

static enum obj_tag obj_tag_abc(enum fw_repr repr, unsigned bits, uint64_t w, int64_t *v)
{
    int64_t s = bits == 32 ? (int32_t)w : (int64_t)w;
    if (repr == FW_REPR_B ? (w & 3) == 1 : (w & 1) != 0 && repr != FW_REPR_B) {
        *v = s >> (repr == FW_REPR_B ? 2 : 1);
        return OBJ_SMALL_INT;
    }
    unsigned qstr = repr == FW_REPR_A ? 2 : 3, immediate = repr == FW_REPR_A ? 6 : 7;
    if (repr != FW_REPR_C) {
        *v = (int64_t)(w >> 3);
        return (w & 7) == qstr ? OBJ_QSTR : (w & 7) == immediate ? OBJ_IMMEDIATE : OBJ_POINTER;
    }
    *v = (int64_t)(w >> 4);
    if ((w & 0xff80000f) == 0x6) {
        return OBJ_QSTR;
    }
    if ((w & 0xff80000f) == 0xe) {
        return OBJ_IMMEDIATE;
    }
    // The middle of what it stands for, so that the shortest text is found; zero and inf are exact.
    uint32_t f = (uint32_t)(w - 0x80800000) & ~3u;
    *v = f << 1 == 0 || (f & 0x7f800000) == 0x7f800000 ? f : f | 1;
    return (w & 3) == 2 ? OBJ_FLOAT : OBJ_POINTER;
}

static enum obj_tag obj_tag_d(uint64_t w, int64_t *v)
{
    if (w & 0xfffc000000000000) {
        *v = (int64_t)(w - 0x8004000000000000);
        return OBJ_FLOAT;
    }
    switch (w >> 48) {
    case 0:
        return OBJ_POINTER;
    case 1:
        *v = (int64_t)(w << 16) >> 17;
        return OBJ_SMALL_INT;
    case 2:
        *v = (int64_t)((uint32_t)w >> 1);
        return OBJ_QSTR;
    default:
        *v = (int64_t)(w >> 46 & 3);
        return OBJ_IMMEDIATE;
    }
}

static enum obj_tag obj_tag(const struct firmware *fw, uint64_t w, int64_t *v)
{
    *v = 0;
    switch (fw->repr) {
    case FW_REPR_A:
    case FW_REPR_B:
    case FW_REPR_C:
        return obj_tag_abc(fw->repr, fw->ptr * 8, w, v);
    case FW_REPR_D:
        return obj_tag_d(w, v);
    default:
        return OBJ_UNKNOWN;
    }
}

uint64_t unfreeze_qstr_of(const struct unfreeze *u, uint64_t word)
{
    int64_t v;
    return obj_tag(u->fw, word, &v) == OBJ_QSTR ? (uint64_t)v : 0;
}

static enum diag_code obj_text(struct unfreeze *u, struct mpy_obj *o, enum mpy_obj_kind kind,
                               const char *text, size_t n)
{
    uint8_t *copy = arena_dup(u->arena, text, n);
    *o = (struct mpy_obj){.kind = kind, .len = (uint32_t)n, .data = copy};
    return copy ? DIAG_OK : diag_nomem(u->diag);
}

static enum diag_code obj_small_int(struct unfreeze *u, int64_t v, struct mpy_obj *o)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%lld", (long long)v);
    return obj_text(u, o, MPY_OBJ_INT, text, (size_t)n);
}

static enum mpy_float obj_float_kind(const struct firmware *fw)
{
    if (fw->repr == FW_REPR_C) {
        return MPY_FLOAT_30;
    }
    return fw->float_kind == FW_FLOAT_F32 ? MPY_FLOAT_32 : MPY_FLOAT_64;
}

static double obj_float_bits(const struct firmware *fw, uint64_t bits)
{
    if (obj_float_kind(fw) != MPY_FLOAT_64) {
        float f;
        uint32_t low = (uint32_t)bits;
        memcpy(&f, &low, sizeof f);
        return (double)f;
    }
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static enum diag_code obj_float(struct unfreeze *u, uint64_t bits, struct mpy_obj *o)
{
    char text[MPY_FLOAT_TEXT];
    mpy_float_text(text, obj_float_bits(u->fw, bits), obj_float_kind(u->fw));
    return obj_text(u, o, MPY_OBJ_FLOAT, text, strlen(text));
}

static enum diag_code obj_immediate(struct unfreeze *u, uint64_t addr, int64_t v, struct mpy_obj *o)
{
    o->kind = v == OBJ_NONE ? MPY_OBJ_NONE : v == OBJ_FALSE ? MPY_OBJ_FALSE : MPY_OBJ_TRUE;
    return v == OBJ_NONE || v == OBJ_FALSE || v == OBJ_TRUE
               ? DIAG_OK
               : unfreeze_fail(u, addr, "constant", "is an unknown immediate object %lld",
                               (long long)v);
}

static enum diag_code obj_string(struct unfreeze *u, uint64_t addr, enum mpy_obj_kind kind,
                                 struct mpy_obj *o)
{
    uint64_t len, data, p = u->fw->ptr;
    enum diag_code err = unfreeze_word(u, addr + 2 * p, "string length", &len);
    err = err ? err : unfreeze_word(u, addr + 3 * p, "string data", &data);
    if (err) {
        return err;
    }
    *o = (struct mpy_obj){.kind = kind, .len = (uint32_t)len};
    o->data = len <= UINT32_MAX ? image_run_bytes(u->fw->image, data, len) : NULL;
    if (!o->data) {
        return unfreeze_fail(u, addr, "string", "has %llu bytes at 0x%llx, not in the image",
                             (unsigned long long)len, (unsigned long long)data);
    }
    return DIAG_OK;
}

// Magnitude of an int in words of 32 bits. dig_bits is 16 or 32.
static uint32_t *obj_digits(struct unfreeze *u, const uint8_t *data, size_t n, unsigned dig_bits,
                            size_t *n_words)
{
    *n_words = dig_bits == 16 ? (n + 1) / 2 : n;
    uint32_t *words = ARENA_ARRAY(u->arena, uint32_t, *n_words + 1);
    for (size_t i = 0; words && i < n; i++) {
        if (dig_bits == 16) {
            words[i / 2] |= (uint32_t)ld16(data + 2 * i) << 16 * (i % 2);
        } else {
            words[i] = ld32(data + 4 * i);
        }
    }
    return words;
}

static enum diag_code obj_int_text(struct unfreeze *u, bool negative, uint32_t *words, size_t n,
                                   struct mpy_obj *o)
{
    struct bytes_out text;
    bytes_out_init(&text);
    mpy_int_text(&text, negative, words, n);
    enum diag_code err = bytes_out_check(&text, u->diag);
    err = err ? err : obj_text(u, o, MPY_OBJ_INT, (const char *)text.data, text.size);
    bytes_out_free(&text);
    return err;
}

static enum diag_code obj_longlong(struct unfreeze *u, uint64_t addr, struct mpy_obj *o)
{
    const uint8_t *p = image_run_bytes(u->fw->image, addr + 8, 8);
    return p ? obj_small_int(u, (int64_t)ld64(p), o)
             : unfreeze_fail(u, addr, "int", "is cut off by the end of the image");
}

// {type; neg:1, fixed:1, alloc; len; dig*}
static enum diag_code obj_mpz(struct unfreeze *u, uint64_t addr, struct mpy_obj *o)
{
    const struct firmware *fw = u->fw;
    uint64_t head, len, data;
    if (fw->mpz_dig_bits != 16 && fw->mpz_dig_bits != 32) {
        return unfreeze_fail(u, addr, "int",
                             "cannot be read: the firmware's digit size is unknown");
    }
    enum diag_code err = unfreeze_word(u, addr + fw->ptr, "int head", &head);
    err = err ? err : unfreeze_word(u, addr + 2 * fw->ptr, "int length", &len);
    err = err ? err : unfreeze_word(u, addr + 3 * fw->ptr, "int digits", &data);
    if (err) {
        return err;
    }
    if (len > OBJ_INT_BYTES / (fw->mpz_dig_bits / 8)) {
        return unfreeze_fail(u, addr, "int length", "is %llu digits, at most %d bytes are read",
                             (unsigned long long)len, OBJ_INT_BYTES);
    }
    const uint8_t *p = image_run_bytes(fw->image, data, len * fw->mpz_dig_bits / 8);
    if (!p) {
        return unfreeze_fail(u, addr, "int digits", "are not in the image");
    }
    size_t n;
    uint32_t *words = obj_digits(u, p, (size_t)len, fw->mpz_dig_bits, &n);
    return words ? obj_int_text(u, head & 1, words, n, o) : diag_nomem(u->diag);
}

static enum diag_code obj_int(struct unfreeze *u, uint64_t addr, struct mpy_obj *o)
{
    switch (u->fw->longint) {
    case FW_LONGINT_LONGLONG:
        return obj_longlong(u, addr, o);
    case FW_LONGINT_MPZ:
        return obj_mpz(u, addr, o);
    default:
        return unfreeze_fail(u, addr, "int",
                             "cannot be read: the firmware's long integers are unknown");
    }
}

// Floats in objects lie behind the type, aligned to their size.
static enum diag_code obj_float_at(struct unfreeze *u, uint64_t addr, unsigned index,
                                   uint64_t *bits)
{
    bool wide = obj_float_kind(u->fw) == MPY_FLOAT_64;
    uint64_t at = addr + (wide ? 8 + 8 * index : u->fw->ptr + 4 * index);
    const uint8_t *p = image_run_bytes(u->fw->image, at, wide ? 8 : 4);
    if (!p) {
        return unfreeze_fail(u, addr, "float", "is cut off by the end of the image");
    }
    *bits = wide ? ld64(p) : ld32(p);
    return DIAG_OK;
}

static enum diag_code obj_float_pointed(struct unfreeze *u, uint64_t addr, struct mpy_obj *o)
{
    uint64_t bits = 0;
    enum diag_code err = obj_float_at(u, addr, 0, &bits);
    return err ? err : obj_float(u, bits, o);
}

static enum diag_code obj_complex(struct unfreeze *u, uint64_t addr, struct mpy_obj *o)
{
    uint64_t real = 0, imag = 0;
    enum diag_code err = obj_float_at(u, addr, 0, &real);
    err = err ? err : obj_float_at(u, addr, 1, &imag);
    if (err) {
        return err;
    }
    char text[MPY_COMPLEX_TEXT];
    enum mpy_float kind = obj_float_kind(u->fw) == MPY_FLOAT_64 ? MPY_FLOAT_64 : MPY_FLOAT_32;
    mpy_complex_text(text, obj_float_bits(u->fw, real), obj_float_bits(u->fw, imag), kind);
    return obj_text(u, o, MPY_OBJ_COMPLEX, text, strlen(text));
}

static enum diag_code obj_tuple(struct unfreeze *u, uint64_t addr, unsigned depth,
                                struct mpy_obj *o)
{
    uint64_t len, p = u->fw->ptr;
    // With representation D on a 32-bit target items are wider than pointers.
    uint64_t item = u->fw->repr == FW_REPR_D ? 8 : p, first = 2 * p;
    enum diag_code err = unfreeze_word(u, addr + p, "tuple length", &len);
    if (err) {
        return err;
    }
    if (depth >= OBJ_DEPTH || len > u->budget ||
        !image_run_bytes(u->fw->image, addr + first, len * item)) {
        return unfreeze_fail(u, addr, "tuple length", "of %llu is not possible",
                             (unsigned long long)len);
    }
    struct mpy_obj *items = ARENA_ARRAY(u->arena, struct mpy_obj, len);
    *o = (struct mpy_obj){.kind = MPY_OBJ_TUPLE, .len = (uint32_t)len, .items = items};
    if (!items) {
        return diag_nomem(u->diag);
    }
    for (uint32_t i = 0; i < o->len && !err; i++) {
        uint64_t at = addr + first + i * item, word = 0;
        image_word(u->fw->image, at, (unsigned)item, &word);
        err = unfreeze_obj(u, word, at, depth + 1, &items[i]);
    }
    return err;
}

// Objects that are known by their address.
static bool obj_singleton(const struct firmware *fw, uint64_t addr, struct mpy_obj *o)
{
    static const struct {
        enum fw_object object;
        enum mpy_obj_kind kind;
    } singletons[] = {
        {FW_CONST_NONE, MPY_OBJ_NONE},         {FW_CONST_FALSE, MPY_OBJ_FALSE},
        {FW_CONST_TRUE, MPY_OBJ_TRUE},         {FW_CONST_ELLIPSIS, MPY_OBJ_ELLIPSIS},
        {FW_CONST_EMPTY_TUPLE, MPY_OBJ_TUPLE}, {FW_FUN_TABLE, MPY_OBJ_FUN_TABLE},
    };
    for (unsigned i = 0; i < sizeof singletons / sizeof *singletons; i++) {
        uint64_t at = fw->objects[singletons[i].object];
        if (at && at == addr) {
            *o = (struct mpy_obj){.kind = singletons[i].kind};
            return true;
        }
    }
    return false;
}

static enum diag_code obj_pointed(struct unfreeze *u, uint64_t addr, uint64_t from, unsigned depth,
                                  struct mpy_obj *o)
{
    const struct firmware *fw = u->fw;
    uint64_t type;
    if (obj_singleton(fw, addr, o)) {
        return DIAG_OK;
    }
    enum diag_code err = unfreeze_word(u, addr, "constant's type", &type);
    if (err) {
        return err;
    }
    if (type && type == fw->objects[FW_TYPE_STR]) {
        return obj_string(u, addr, MPY_OBJ_STR, o);
    }
    if (type && type == fw->objects[FW_TYPE_BYTES]) {
        return obj_string(u, addr, MPY_OBJ_BYTES, o);
    }
    if (type && type == fw->objects[FW_TYPE_INT]) {
        return obj_int(u, addr, o);
    }
    if (type && type == fw->objects[FW_TYPE_FLOAT]) {
        return obj_float_pointed(u, addr, o);
    }
    if (type && type == fw->objects[FW_TYPE_COMPLEX]) {
        return obj_complex(u, addr, o);
    }
    if (type && type == fw->objects[FW_TYPE_TUPLE]) {
        return obj_tuple(u, addr, depth, o);
    }
    return unfreeze_fail(u, from, "constant", "is an object of an unknown type 0x%llx at 0x%llx",
                         (unsigned long long)type, (unsigned long long)addr);
}

enum diag_code unfreeze_obj(struct unfreeze *u, uint64_t value, uint64_t addr, unsigned depth,
                            struct mpy_obj *o)
{
    int64_t v;
    if (u->budget-- == 0) {
        u->budget = 0;
        return unfreeze_fail(u, addr, "constant", "is one too many: the image lists itself");
    }
    switch (obj_tag(u->fw, value, &v)) {
    case OBJ_SMALL_INT:
        return obj_small_int(u, v, o);
    case OBJ_QSTR: {
        struct mpy_qstr q;
        enum diag_code err = unfreeze_qstr(u, (uint64_t)v, addr, &q);
        *o = (struct mpy_obj){.kind = MPY_OBJ_STR, .len = q.len, .data = (const uint8_t *)q.data};
        return err;
    }
    case OBJ_IMMEDIATE:
        return obj_immediate(u, addr, v, o);
    case OBJ_FLOAT:
        return obj_float(u, (uint64_t)v, o);
    case OBJ_POINTER:
        return obj_pointed(u, value, addr, depth, o);
    case OBJ_UNKNOWN:
        break;
    }
    return unfreeze_fail(u, addr, "constant",
                         "cannot be read: the firmware's object representation is unknown");
}
