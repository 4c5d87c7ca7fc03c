// Build options that change layouts, each from evidence in the image. What the image does not show
// stays unknown.
//
// Facts: py/obj.h, py/objint_mpz.c, py/objint_longlong.c, py/mpz.h, py/modmath.c, py/modsys.c,
// py/emitglue.h.
#include "format/firmware/scan.h"

#include <math.h>

enum {
    OPTION_RAW_CODES_MAX = 64, // raw codes that are looked at for the shape of all
    OPTION_CODE_MAX = 65535,   // bytes of one function's code
};

// --- a value by its name in some module's globals table

// The objects beside the key; *from continues the search. Keys are words, so only aligned places
// are looked at.
static bool next_global(const struct scan *s, const char *name, uint64_t *from, uint64_t *value)
{
    uint32_t id = firmware_qstr(s->fw, name, strlen(name)), key;
    uint32_t low = obj_qstr_low(s, id);
    unsigned step = s->view.ptr;
    for (unsigned i = 0; id && i < s->view.n; i++) {
        const struct view_span *span = &s->view.spans[i];
        if (*from >= span->run + span->size)
            continue;
        uint64_t at = *from > span->run ? *from - span->run : 0;
        at += -(span->run + at) & (step - 1);
        for (; in_range(at, 2 * s->obj, span->size); at += step) {
            if (ld32(span->data + at) != low)
                continue;
            uint64_t obj = s->obj == 8 ? ld64(span->data + at) : ld32(span->data + at);
            if (!obj_is_qstr(s, obj, &key) || key != id)
                continue;
            *from = span->run + at + step;
            *value = s->obj == 8 ? ld64(span->data + at + 8) : ld32(span->data + at + 4);
            return true;
        }
    }
    return false;
}

// --- floats

static bool is_near(double a, double b)
{
    return fabs(a - b) < 1e-6;
}

static double load_f32(const uint8_t *p)
{
    uint32_t bits = ld32(p);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static double load_f64(const uint8_t *p)
{
    uint64_t bits = ld64(p);
    double f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

// The width of the float object at addr, which must be about value.
static enum fw_float float_width(const struct scan *s, uint64_t addr, double value)
{
    uint64_t type;
    if (!view_word(&s->view, addr, &type) || type != s->fw->objects[FW_TYPE_FLOAT])
        return FW_FLOAT_UNKNOWN;
    const uint8_t *p = view_at(&s->view, addr + s->view.ptr, 4);
    if (p && is_near(load_f32(p), value))
        return FW_FLOAT_F32;
    for (uint64_t skip = s->view.ptr; skip <= 8; skip += 4)
        if ((p = view_at(&s->view, addr + skip, 8)) && is_near(load_f64(p), value))
            return FW_FLOAT_F64;
    return FW_FLOAT_UNKNOWN;
}

static bool float_by_constant(struct scan *s, const char *name, double value)
{
    uint64_t from = 0, obj;
    while (next_global(s, name, &from, &obj)) {
        enum fw_float f = float_width(s, obj, value);
        if (f == FW_FLOAT_UNKNOWN)
            continue;
        s->fw->float_kind = f;
        scan_note(s, "float", obj, "the object of a constant of the module math", "%s",
                  f == FW_FLOAT_F32 ? "32 bits" : "64 bits");
        return true;
    }
    return false;
}

// Thumb: the halfword at some place of the window from..to, in its order of distance from the
// start, that mask leaves as value; 0 = none.
static uint64_t find_halfword(const struct view *v, uint64_t from, uint64_t to, uint16_t mask,
                              uint16_t value)
{
    uint16_t hw;
    for (uint64_t at = from; at < to; at += 2)
        if (view_u16(v, at, &hw) && (hw & mask) == value)
            return at;
    return 0;
}

// The bytes that the code around a load of type float's address allocates for an object of it:
// movs r0, #size; bl allocate; ldr rt, =type; str rt, [r0]. Other instructions may lie between.
static unsigned allocated_size(const struct view *v, uint64_t load)
{
    enum { NEAR = 8 };
    uint16_t ldr, size;
    if (load < 2 * NEAR || !view_u16(v, load, &ldr) || (ldr & 0xf800) != 0x4800)
        return 0;
    uint64_t call = find_halfword(v, load - NEAR, load - 2, 0xf800, 0xf000);
    if (!call || !find_halfword(v, call + 2, call + 4, 0xd000, 0xd000) ||
        !find_halfword(v, load + 2, load + NEAR, 0xffff, 0x6000 | (ldr >> 8 & 7)))
        return 0;
    uint64_t move = find_halfword(v, call - NEAR, call, 0xff00, 0x2000);
    return move && view_u16(v, move, &size) ? size & 0xff : 0;
}

// Where the module math is left out, no float object may lie in the image; but the function that
// makes them (mp_obj_new_float) knows their size: a pointer and a float, or, aligned, a double.
static bool float_by_code(struct scan *s)
{
    enum { SIZE_F32 = 8, SIZE_F64 = 16 };
    uint64_t literal, at = 0;
    unsigned found = 0;
    for (uint32_t i = 0; view_users(&s->view, s->fw->objects[FW_TYPE_FLOAT], &i, &literal);) {
        uint64_t load = ref_user_of_literal(s, literal);
        unsigned size = load ? allocated_size(&s->view, load) : 0;
        if (size != SIZE_F32 && size != SIZE_F64)
            continue;
        if (found && found != size)
            return false;
        found = size;
        at = load;
    }
    if (!found)
        return false;
    s->fw->float_kind = found == SIZE_F32 ? FW_FLOAT_F32 : FW_FLOAT_F64;
    scan_note(s, "float", at, "the size of the objects that are made of type float", "%s",
              found == SIZE_F32 ? "32 bits" : "64 bits");
    return true;
}

static void find_float(struct scan *s)
{
    struct firmware *fw = s->fw;
    if (!fw->objects[FW_TYPE_FLOAT]) {
        fw->float_kind = FW_FLOAT_NONE;
        scan_note(s, "float", s->builtins, "the builtins table has no float", "none");
    } else if (fw->repr == FW_REPR_C || fw->repr == FW_REPR_D) {
        fw->float_kind = fw->repr == FW_REPR_C ? FW_FLOAT_F32 : FW_FLOAT_F64;
        scan_note(s, "float", s->builtins, "the object representation", "%s",
                  fw->repr == FW_REPR_C ? "32 bits" : "64 bits");
    } else if (!float_by_constant(s, "e", 2.718281828) &&
               !float_by_constant(s, "pi", 3.141592654) &&
               !(fw->isa == IMAGE_ISA_THUMB && float_by_code(s))) {
        scan_note(s, "float", 0, "no float object and no code that makes one was found", "unknown");
    }
}

// --- long integers: the object of sys.maxsize

static uint64_t maxsize_value(const struct scan *s)
{
    return s->view.ptr == 8 ? INT64_MAX : INT32_MAX;
}

// Do n digits of bits at p make sys.maxsize?
static bool digits_match(const struct scan *s, uint64_t digits, uint64_t n, unsigned bits)
{
    const uint8_t *p = n <= 8 ? view_at(&s->view, digits, n * bits / 8) : NULL;
    uint64_t value = 0;
    if (!p || n * bits > 64 || !n)
        return false;
    for (uint64_t i = n; i-- > 0;)
        value = (bits == 32 && i == n - 1 ? 0 : value << bits) |
                (bits == 16 ? ld16(p + 2 * i) : ld32(p + 4 * i));
    return value == maxsize_value(s);
}

static unsigned mpz_digit_bits(const struct scan *s, uint64_t obj)
{
    uint64_t p = s->view.ptr, len, digits;
    if (!view_word(&s->view, obj + 2 * p, &len) || !view_word(&s->view, obj + 3 * p, &digits))
        return 0;
    if (digits_match(s, digits, len, 16))
        return 16;
    return digits_match(s, digits, len, 32) ? 32 : 0;
}

static bool is_longlong(const struct scan *s, uint64_t obj)
{
    for (uint64_t skip = s->view.ptr; skip <= 8; skip += 4) {
        const uint8_t *p = view_at(&s->view, obj + skip, 8);
        if (p && ld64(p) == maxsize_value(s))
            return true;
    }
    return false;
}

static void take_longint(struct scan *s, enum fw_longint kind, uint64_t at, const char *why,
                         const char *what)
{
    s->fw->longint = kind;
    scan_note(s, "long integers", at, why, "%s", what);
}

static void take_maxsize(struct scan *s, uint64_t obj)
{
    static const char why[] = "the object of sys.maxsize";
    struct firmware *fw = s->fw;
    uint64_t type;
    int64_t small;
    if (obj_is_small_int(s, obj, &small)) {
        take_longint(s, FW_LONGINT_NONE, 0, why, "none");
    } else if (view_word(&s->view, obj, &type) && type && type == fw->objects[FW_TYPE_INT]) {
        fw->mpz_dig_bits = mpz_digit_bits(s, obj);
        if (fw->mpz_dig_bits)
            take_longint(s, FW_LONGINT_MPZ, obj, why,
                         fw->mpz_dig_bits == 16 ? "mpz, 16-bit digits" : "mpz, 32-bit digits");
        else if (is_longlong(s, obj))
            take_longint(s, FW_LONGINT_LONGLONG, obj, why, "long long");
    }
}

// Builds without long ints that keep full messages say so; the text of the others does not tell
// which kind they have.
static void longint_by_text(struct scan *s)
{
    static const char text[] = "long int not supported in this build";
    uint64_t at = 0;
    if (view_find(&s->view, text, sizeof text, &at))
        take_longint(s, FW_LONGINT_NONE, at, "the text of its error", "none");
}

// The function of type int for -x, ~x and the like; 0 = not found.
static uint64_t unary_op(const struct scan *s)
{
    enum { SLOTS = 12, UNARY_SLOT = 3, UNARY_OLD = 3 };
    uint64_t p = s->view.ptr, type = s->fw->objects[FW_TYPE_INT], function;
    uint64_t at = type + (2 + UNARY_OLD) * p; // behind print, make_new and call
    if (type_has_slots(s)) {
        const uint8_t *index = view_at(&s->view, type + p + 4, SLOTS);
        if (!index || !index[UNARY_SLOT] || index[UNARY_SLOT] > SLOTS)
            return 0;
        at = type + p + 4 + SLOTS + (uint64_t)(index[UNARY_SLOT] - 1) * p;
    }
    return type && view_is_pointer(&s->view, at, &function) ? function : 0;
}

static const struct {
    enum image_machine isa;
    unsigned n;
    uint8_t code[8];
} returns_null[] = {
    {IMAGE_ISA_THUMB, 4, {0x00, 0x20, 0x70, 0x47}},                       // movs r0; bx lr
    {IMAGE_ISA_ARM, 8, {0x00, 0x00, 0xa0, 0xe3, 0x1e, 0xff, 0x2f, 0xe1}}, // mov r0; bx lr
    {IMAGE_ISA_RV32, 4, {0x01, 0x45, 0x82, 0x80}},                        // li a0; ret
    {IMAGE_ISA_RV64, 4, {0x01, 0x45, 0x82, 0x80}},                        // the same
    {IMAGE_ISA_XTENSA, 7, {0x36, 0x41, 0x00, 0x0c, 0x02, 0x1d, 0xf0}},    // entry; movi.n; retw.n
    {IMAGE_ISA_XTENSA, 4, {0x0c, 0x02, 0x0d, 0xf0}},                      // movi.n; ret.n
    {IMAGE_ISA_X64, 3, {0x31, 0xc0, 0xc3}},                               // xor eax; ret
    {IMAGE_ISA_X86, 3, {0x31, 0xc0, 0xc3}},                               // the same
    {IMAGE_ISA_AARCH64, 8, {0x00, 0x00, 0x80, 0xd2, 0xc0, 0x03, 0x5f, 0xd6}}, // mov x0; ret
};

// Without long ints the operations of type int have nothing to do: unary ones return nothing.
static void longint_by_type(struct scan *s)
{
    uint64_t at = unary_op(s);
    bool thumb = s->fw->isa == IMAGE_ISA_THUMB || s->fw->isa == IMAGE_ISA_ARM;
    for (unsigned i = 0; at && i < sizeof returns_null / sizeof *returns_null; i++) {
        enum image_machine isa = thumb ? (at & 1 ? IMAGE_ISA_THUMB : IMAGE_ISA_ARM) : s->fw->isa;
        uint64_t code = isa == IMAGE_ISA_THUMB ? at - 1 : at;
        const uint8_t *p = view_at(&s->view, code, returns_null[i].n);
        if (returns_null[i].isa == isa && p && !memcmp(p, returns_null[i].code, returns_null[i].n))
            take_longint(s, FW_LONGINT_NONE, code, "type int has no operation of its own", "none");
    }
}

static void find_longint(struct scan *s)
{
    uint64_t from = 0, obj = 0;
    while (s->fw->longint == FW_LONGINT_UNKNOWN && next_global(s, "maxsize", &from, &obj))
        take_maxsize(s, obj);
    if (s->fw->longint == FW_LONGINT_UNKNOWN)
        longint_by_text(s);
    if (s->fw->longint == FW_LONGINT_UNKNOWN)
        longint_by_type(s);
    if (s->fw->longint == FW_LONGINT_UNKNOWN)
        scan_note(s, "long integers", 0, "no sys.maxsize, and type int has operations of its own",
                  "unknown");
}

static void find_small_int(struct firmware *fw)
{
    if (fw->repr == FW_REPR_D)
        fw->small_int_bits = 47;
    else if (fw->repr != FW_REPR_UNKNOWN)
        fw->small_int_bits = 8 * fw->ptr - (fw->repr == FW_REPR_B ? 2 : 1);
}

enum diag_code option_scan(struct scan *s)
{
    find_float(s);
    find_longint(s);
    find_small_int(s->fw);
    return DIAG_OK;
}
