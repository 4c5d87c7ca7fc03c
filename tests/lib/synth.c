#include "tests/lib/synth.h"

#include <stdlib.h>

enum {
    SYNTH_NAMES_MAX = 256,
    SYNTH_LVGL_AFTER = 6, // the static name "/": names of LVGL's fork follow
    SYNTH_FUNCTIONS = 40, // of mp_fun_table
    SYNTH_FILLERS = 64,   // functions that do nothing: the scan counts return instructions
    SYNTH_TYPE_SIZE = 64,
    SYNTH_ABI = 6 | 3 << 8, // .mpy version 6.3
    SYNTH_ARCH = 10,        // bits below the architecture of native code
};

// What the image needs beside the static names; sorted before use where the release sorts.
static const char *const synth_extra[] = {
    ".frozen",      "1.26.0", "NoneType",    "_machine",     "_mpy",        "bool",  "builtins",
    "complex",      "dict",   "e",           "ellipsis",     "Ellipsis",    "float", "maxsize",
    "stock_one.py", "math",   "micropython", "stock/two.py", "stock_value", "sys",   "version",
    "zebra_name",   "Flash",  "memoryview",  "unsafe",
};
enum { SYNTH_EXTRAS = sizeof synth_extra / sizeof *synth_extra };

struct make {
    const struct synth_spec *spec;
    struct synth *s;
    struct bytes_out *out;
    unsigned n, n_first; // qstrs, those of the first pool
    const char *names[SYNTH_NAMES_MAX];
    uint32_t text[SYNTH_NAMES_MAX]; // their addresses
    uint32_t types[FW_OBJECTS], none, no, yes, empty, code;
    uint32_t literal; // Xtensa: the next unused literal word
    uint32_t base;    // address less offset in out
    uint32_t flash;   // the type Flash
    uint32_t prefix;  // the text ".frozen/"
};

struct code { // a function: the addresses that it loads, and the functions that it then calls
    const uint32_t *addr;
    unsigned n;
    const uint32_t *calls;
    unsigned n_calls;
};

struct synth_spec synth_default(void)
{
    return (struct synth_spec){.minor = 26,
                               .isa = IMAGE_ISA_THUMB,
                               .hash_bytes = 2,
                               .len_bytes = 1,
                               .repr = FW_REPR_A,
                               .float_kind = FW_FLOAT_F32,
                               .longint = FW_LONGINT_MPZ,
                               .mpz_dig_bits = 16,
                               .immediates = true,
                               .board = "Made-up board with STM32F405RG"};
}

static uint32_t here(const struct make *m)
{
    return (uint32_t)(m->base + m->out->size);
}

static uint32_t put_word(struct make *m, uint32_t value)
{
    uint32_t at = here(m);
    bytes_put_u32(m->out, value);
    return at;
}

static void align(struct make *m)
{
    bytes_put_align(m->out, 4, 0);
}

static unsigned id_of(const struct make *m, const char *name)
{
    for (unsigned i = 1; i < m->n; i++) {
        if (strcmp(m->names[i], name) == 0) {
            return i;
        }
    }
    abort(); // the list of names and its use contradict each other
}

static uint32_t hash_of(const struct make *m, const char *name)
{
    uint32_t h = 5381, mask = m->spec->hash_bytes == 1 ? 0xff : 0xffff;
    for (; *name; name++) {
        h = h * 33 ^ (uint8_t)*name;
    }
    return h & mask ? h & mask : 1;
}

static uint32_t obj_qstr(const struct make *m, const char *name)
{
    uint32_t id = id_of(m, name);
    return m->spec->repr == FW_REPR_A   ? id << 3 | 2
           : m->spec->repr == FW_REPR_B ? id << 3 | 3
                                        : id << 4 | 6;
}

static uint32_t obj_int(const struct make *m, int32_t value)
{
    return m->spec->repr == FW_REPR_B ? (uint32_t)value << 2 | 1 : (uint32_t)value << 1 | 1;
}

static uint32_t obj_constant(const struct make *m, unsigned which) // 0 None, 1 False, 2 True
{
    static const uint32_t immediate[3][3] = {
        {0x06, 0x0e, 0x1e}, {0x07, 0x0f, 0x1f}, {0x0e, 0x1e, 0x3e}};
    const uint32_t object[3] = {m->none, m->no, m->yes};
    return m->spec->immediates ? immediate[m->spec->repr - FW_REPR_A][which] : object[which];
}

// --- qstrs

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_names(struct make *m)
{
    m->names[m->n++] = "";
    for (unsigned id = 1; id <= MPY_STATIC_QSTRS; id++) {
        m->names[m->n++] = mpy_static_qstr(id);
        if (m->spec->lvgl && id == SYNTH_LVGL_AFTER) {
            m->names[m->n++] = "<dictcomp>";
            m->names[m->n++] = "<lambda>";
        }
    }
    if (m->spec->lvgl) {
        m->names[m->n++] = ""; // the spacer
    }
    unsigned first = m->n;
    for (unsigned i = 0; i < SYNTH_EXTRAS; i++) {
        if (!mpy_static_qstr_find(synth_extra[i], strlen(synth_extra[i]))) {
            m->names[m->n++] = synth_extra[i];
        }
    }
    if (m->spec->settrace) {
        m->names[m->n++] = "settrace";
    }
    if (m->spec->esp && m->spec->esp->user_start) {
        m->names[m->n++] = "flash_user_start";
    }
    if (m->spec->minor >= 22 || m->spec->lvgl) {
        m->n_first = first;
        qsort(m->names + first, m->n - first, sizeof *m->names, compare_names);
    }
    m->n_first = m->n_first ? m->n_first : m->n;
    for (unsigned i = 0; i < m->n; i++) {
        m->text[i] = here(m);
        bytes_put(m->out, m->names[i], strlen(m->names[i]) + 1);
    }
    m->s->n_qstrs = m->n;
}

static void put_small(struct make *m, unsigned bytes, uint32_t value)
{
    if (bytes == 1) {
        bytes_put_u8(m->out, (uint8_t)value);
    } else {
        bytes_put_u16(m->out, (uint16_t)value);
    }
}

// The length of entry i; the spacer of LVGL's fork has what happens to follow the table.
static uint32_t length_of(const struct make *m, unsigned i)
{
    return m->spec->lvgl && i + 1 == m->n_first ? 3 : (uint32_t)strlen(m->names[i]);
}

static uint32_t put_pool(struct make *m, uint32_t prev, unsigned first, unsigned end, bool sorted)
{
    unsigned hash = m->spec->hash_bytes;
    align(m);
    uint32_t hashes = here(m);
    for (unsigned i = first; hash && i < end; i++) {
        put_small(m, hash, i ? hash_of(m, m->names[i]) : 0);
    }
    uint32_t lengths = here(m);
    for (unsigned i = first; i < end; i++) {
        put_small(m, m->spec->len_bytes, length_of(m, i));
    }
    align(m);
    uint32_t pool = put_word(m, prev);
    put_word(m, first | (sorted && !m->spec->lvgl ? 0x80000000 : 0));
    put_word(m, 10);
    put_word(m, end - first);
    if (hash) {
        put_word(m, hashes);
    }
    put_word(m, lengths);
    if (m->spec->lvgl) {
        put_word(m, sorted);
    }
    for (unsigned i = first; i < end; i++) {
        put_word(m, m->text[i]);
    }
    return pool;
}

static void put_pools(struct make *m)
{
    uint32_t pool = put_pool(m, 0, 0, m->n_first, false);
    if (m->n_first < m->n) {
        pool = put_pool(m, pool, m->n_first, m->n, true);
    }
    m->s->last_pool = pool;
    if (m->spec->frozen != SYNTH_MODULES) { // as the build makes it without code to freeze
        align(m);
        m->s->last_pool = put_word(m, pool);
        put_word(m, m->n);
        bytes_fill(m->out, 0, m->spec->lvgl ? 20 : 16);
    }
}

// --- types, singletons and module tables

static const struct {
    enum fw_object object;
    const char *name;
} synth_types[] = {
    {FW_TYPE_TYPE, "type"},       {FW_TYPE_INT, "int"},     {FW_TYPE_STR, "str"},
    {FW_TYPE_BYTES, "bytes"},     {FW_TYPE_TUPLE, "tuple"}, {FW_TYPE_FLOAT, "float"},
    {FW_TYPE_COMPLEX, "complex"}, {FW_TYPE_BOOL, "bool"},   {FW_TYPE_LIST, "list"},
    {FW_TYPE_DICT, "dict"},
};
enum { SYNTH_TYPES = sizeof synth_types / sizeof *synth_types };

static bool has_type(const struct make *m, enum fw_object o)
{
    return m->spec->float_kind != FW_FLOAT_NONE || (o != FW_TYPE_FLOAT && o != FW_TYPE_COMPLEX);
}

// A function that returns MP_OBJ_NULL: what type int has for unary operators without long ints.
static uint32_t put_null_function(struct make *m)
{
    static const uint8_t thumb[] = {0x00, 0x20, 0x70, 0x47}, rv32[] = {0x01, 0x45, 0x82, 0x80};
    static const uint8_t arm[] = {0x00, 0x00, 0xa0, 0xe3, 0x1e, 0xff, 0x2f, 0xe1};
    static const uint8_t xtensa[] = {0x36, 0x41, 0x00, 0x0c, 0x02, 0x1d, 0xf0};
    enum image_machine isa = m->spec->isa;
    uint32_t at = here(m);
    bytes_put(m->out,
              isa == IMAGE_ISA_ARM      ? arm
              : isa == IMAGE_ISA_RV32   ? rv32
              : isa == IMAGE_ISA_XTENSA ? xtensa
                                        : thumb,
              isa == IMAGE_ISA_ARM      ? 8
              : isa == IMAGE_ISA_XTENSA ? 7
                                        : 4);
    align(m);
    return at + (isa == IMAGE_ISA_THUMB);
}

static uint32_t put_type(struct make *m, uint32_t type, const char *name)
{
    uint32_t unary = 0, print = (m->spec->at_zero ? 0 : SYNTH_BASE) + 0xf1;
    if (strcmp(name, "int") == 0 && m->spec->longint == FW_LONGINT_NONE) {
        unary = put_null_function(m);
    }
    uint32_t at = here(m);
    put_word(m, type ? type : at);
    put_word(m, id_of(m, name) << 16);
    if (m->spec->minor >= 20) {
        const uint8_t slots[12] = {0, 1, 2, unary ? 3 : 0};
        bytes_put(m->out, slots, sizeof slots);
    }
    put_word(m, print);
    put_word(m, 0); // make_new, or call
    put_word(m, unary && m->spec->minor < 20 ? 0 : unary);
    put_word(m, unary);
    bytes_fill(m->out, 0, SYNTH_TYPE_SIZE - (here(m) - at));
    return at;
}

static void put_types(struct make *m)
{
    align(m);
    for (unsigned i = 0; i < SYNTH_TYPES; i++) {
        if (has_type(m, synth_types[i].object)) {
            m->types[synth_types[i].object] =
                put_type(m, m->types[FW_TYPE_TYPE], synth_types[i].name);
        }
    }
    m->types[FW_CONST_ELLIPSIS] = put_word(m, put_type(m, m->types[FW_TYPE_TYPE], "ellipsis"));
    m->s->type_str = m->types[FW_TYPE_STR];
    m->empty = put_word(m, m->types[FW_TYPE_TUPLE]);
    put_word(m, 0);
    bool flash = m->spec->storage || m->spec->flash_object;
    m->flash = flash ? put_type(m, m->types[FW_TYPE_TYPE], "Flash") : 0;
    if (m->spec->flash_object) {
        put_word(m, m->flash);
        put_word(m, m->spec->flash_object);
        put_word(m, 0x8000);
    }
    if (m->spec->romfs) {
        uint32_t type = put_type(m, m->types[FW_TYPE_TYPE], "memoryview");
        put_word(m, type);
        put_word(m, 'B');
        put_word(m, 0x8000);
        put_word(m, m->spec->romfs);
    }
    if (!m->spec->immediates) {
        uint32_t none_type = put_type(m, m->types[FW_TYPE_TYPE], "NoneType");
        m->none = put_word(m, none_type);
        m->no = put_word(m, m->types[FW_TYPE_BOOL]);
        put_word(m, 0);
        m->yes = put_word(m, m->types[FW_TYPE_BOOL]);
        put_word(m, 1);
    }
}

static void put_pair(struct make *m, const char *key, uint32_t value)
{
    put_word(m, obj_qstr(m, key));
    put_word(m, value);
}

static void put_builtins(struct make *m)
{
    put_pair(m, "__name__", obj_qstr(m, "builtins"));
    for (unsigned i = 0; i < SYNTH_TYPES; i++) {
        if (has_type(m, synth_types[i].object)) {
            put_pair(m, synth_types[i].name, m->types[synth_types[i].object]);
        }
    }
    put_pair(m, "Ellipsis", m->types[FW_CONST_ELLIPSIS]);
}

static void put_math(struct make *m)
{
    float e32 = 2.7182818284590452f;
    double e64 = 2.7182818284590452;
    uint32_t bits32, object = 0;
    uint64_t bits64;
    memcpy(&bits32, &e32, sizeof bits32);
    memcpy(&bits64, &e64, sizeof bits64);
    if (m->spec->float_kind == FW_FLOAT_NONE || m->spec->no_math) {
        return;
    }
    if (m->spec->repr == FW_REPR_C) {
        object = ((bits32 & ~3u) | 2) + 0x80800000;
    } else {
        bytes_put_align(m->out, 8, 0);
        object = put_word(m, m->types[FW_TYPE_FLOAT]);
        if (m->spec->float_kind == FW_FLOAT_F64) {
            put_word(m, 0);
            bytes_put_u64(m->out, bits64);
        } else {
            put_word(m, bits32);
        }
    }
    put_pair(m, "__name__", obj_qstr(m, "math"));
    put_pair(m, "e", object);
}

static uint32_t put_maxsize(struct make *m)
{
    if (m->spec->longint == FW_LONGINT_LONGLONG) {
        bytes_put_align(m->out, 8, 0);
        uint32_t at = put_word(m, m->types[FW_TYPE_INT]);
        put_word(m, 0);
        bytes_put_u64(m->out, INT32_MAX);
        return at;
    }
    uint32_t digits = put_word(m, 0x7fffffff);
    unsigned n = m->spec->mpz_dig_bits == 16 ? 2 : 1;
    uint32_t at = put_word(m, m->types[FW_TYPE_INT]);
    put_word(m, 2 | n << 2);
    put_word(m, n);
    put_word(m, digits);
    return at;
}

static uint32_t put_str_obj(struct make *m, const char *text)
{
    uint32_t bytes = here(m);
    bytes_put(m->out, text, strlen(text) + 1);
    align(m);
    uint32_t at = put_word(m, m->types[FW_TYPE_STR]);
    put_word(m, hash_of(m, text));
    put_word(m, (uint32_t)strlen(text));
    put_word(m, bytes);
    return at;
}

static int32_t abi_of(const struct synth_spec *spec)
{
    int32_t arch = !spec->esp                         ? (int32_t)spec->arch
                   : spec->isa == IMAGE_ISA_RV32      ? MPY_ARCH_RV32IMC
                   : spec->esp->chip == SYNTH_ESP8266 ? MPY_ARCH_XTENSA
                                                      : MPY_ARCH_XTENSAWIN;
    return SYNTH_ABI | arch << SYNTH_ARCH;
}

static void put_sys(struct make *m)
{
    uint32_t board = put_str_obj(m, m->spec->board);
    uint32_t build = m->spec->build ? put_str_obj(m, m->spec->build) : 0;
    uint32_t version = put_word(m, m->types[FW_TYPE_TUPLE]);
    put_word(m, 3);
    put_word(m, obj_int(m, 1));
    put_word(m, obj_int(m, (int32_t)m->spec->minor));
    put_word(m, obj_int(m, 0));
    put_word(m, m->types[FW_TYPE_TUPLE]);
    put_word(m, build ? 6 : 4);
    put_word(m, obj_qstr(m, "micropython"));
    put_word(m, version);
    put_word(m, board);
    put_word(m, obj_int(m, abi_of(m->spec)));
    if (build) {
        put_word(m, build);
        put_word(m, obj_qstr(m, "unsafe")); // _thread
    }
    uint32_t maxsize =
        m->spec->longint == FW_LONGINT_NONE ? obj_int(m, 0x1fffffff) : put_maxsize(m);
    put_pair(m, "__name__", obj_qstr(m, "sys"));
    if (!m->spec->no_maxsize) {
        put_pair(m, "maxsize", maxsize);
    }
}

// --- frozen modules: each a body with one function

// What sys.settrace keeps: a line, six numbers of the prelude, a name, and pointers to the line
// numbers, to the locals' names and to the bytecode.
static void put_trace(struct make *m, uint32_t code, uint32_t size)
{
    if (m->spec->settrace) {
        for (unsigned i = 0; i < 8; i++) {
            put_word(m, 1);
        }
        put_word(m, code + 2);
        put_word(m, code + 3);
        put_word(m, code + size - 2);
    }
}

static uint32_t put_raw(struct make *m, uint32_t code, uint32_t size, uint32_t child)
{
    uint32_t children = 0;
    align(m);
    if (child) {
        children = put_word(m, child);
    }
    uint32_t at;
    if (m->spec->minor >= 23) {
        at = put_word(m, 2 << 16);
        put_word(m, code);
        put_word(m, children);
        if (m->spec->save) {
            put_word(m, size);
            put_word(m, child != 0);
            put_trace(m, code, size);
        }
        return at;
    }
    at = put_word(m, 2);
    put_word(m, code);
    if (m->spec->save || m->spec->debug_names) {
        put_word(m, size);
    }
    put_word(m, children);
    if (m->spec->save) {
        put_word(m, child != 0);
        put_trace(m, code, size);
        put_word(m, 0); // prelude_offset
    }
    put_word(m, 0); // type_sig
    return at;
}

// A function whose name is entry `name` of the qstr table and that returns None.
static uint32_t put_function(struct make *m, unsigned name)
{
    const uint8_t code[] = {0x00, 0x02, (uint8_t)name, 0x51, 0x63};
    uint32_t at = here(m);
    bytes_put(m->out, code, sizeof code);
    if (m->spec->minor < 23 || m->spec->save) {
        return put_raw(m, at, sizeof code, 0);
    }
    return at;
}

// A body: def stock_value(): ...; it stands behind a function as its child.
static uint32_t put_body(struct make *m, uint32_t child)
{
    // MAKE_FUNCTION 0, STORE_NAME stock_value (entry 2), LOAD_CONST_NONE, RETURN_VALUE
    const uint8_t code[] = {0x08, 0x02, 0x01, 0x32, 0x00, 0x16, 0x02, 0x51, 0x63};
    uint32_t at = here(m);
    bytes_put(m->out, code, sizeof code);
    return put_raw(m, at, sizeof code, child);
}

static uint32_t put_module(struct make *m, const char *file)
{
    align(m);
    uint32_t qstrs = here(m);
    bytes_put_u16(m->out, (uint16_t)id_of(m, file));
    bytes_put_u16(m->out, (uint16_t)id_of(m, "<module>"));
    bytes_put_u16(m->out, (uint16_t)id_of(m, "stock_value"));
    uint32_t body = put_body(m, put_function(m, 2));
    uint32_t at = put_word(m, qstrs);
    put_word(m, 0);
    put_word(m, body);
    return at;
}

static const char *const synth_files[] = {"stock_one.py", "stock/two.py"};

// In the order of the file that a build makes: sizes, texts, names, array.
static void put_sources(struct make *m)
{
    static const char *const texts[] = {"print(1)\n", "import stock_one\n"};
    unsigned n = m->spec->frozen == SYNTH_SOURCES ? 2 : 0;
    align(m);
    m->s->sizes = here(m);
    for (unsigned i = 0; i < n; i++) {
        put_word(m, (uint32_t)strlen(texts[i]));
    }
    put_word(m, 0);
    m->s->texts = here(m);
    for (unsigned i = 0; i < n; i++) {
        bytes_put(m->out, texts[i], strlen(texts[i]) + 1);
    }
    bytes_put_u8(m->out, 0);
}

static void put_frozen(struct make *m)
{
    enum synth_frozen frozen = m->spec->frozen;
    for (unsigned i = 0; frozen == SYNTH_MODULES && i < 2; i++) {
        m->s->modules[i] = put_module(m, synth_files[i]);
    }
    if (m->spec->sources) {
        put_sources(m);
    }
    m->s->names = here(m);
    for (unsigned i = 0; frozen != SYNTH_NOTHING && i < 2; i++) {
        bytes_put(m->out, synth_files[i], strlen(synth_files[i]) + 1);
    }
    bytes_fill(m->out, 0, frozen == SYNTH_MODULES ? 1 : 2);
    align(m);
    m->s->content = here(m);
    for (unsigned i = 0; frozen == SYNTH_MODULES && i < 2; i++) {
        put_word(m, (uint32_t)m->s->modules[i]);
    }
    put_word(m, 0);
    m->prefix = here(m);
    bytes_put(m->out, ".frozen/", 9);
}

// --- code: functions that load the addresses given

static void put_thumb_move(struct make *m, uint16_t op, unsigned rd, uint16_t imm)
{
    bytes_put_u16(m->out, (uint16_t)(op | imm >> 12 | (imm >> 11 & 1) << 10));
    bytes_put_u16(m->out, (uint16_t)((imm >> 8 & 7) << 12 | rd << 8 | (imm & 0xff)));
}

static void put_thumb_calls(struct make *m, const struct code *c)
{
    for (unsigned i = 0; i < c->n_calls; i++) {
        uint32_t offset = c->calls[i] - (here(m) + 4);
        bytes_put_u16(m->out, (uint16_t)(0xf400 | (offset >> 12 & 0x3ff))); // all lead backward
        bytes_put_u16(m->out, (uint16_t)(0xf800 | (offset >> 1 & 0x7ff)));
    }
    bytes_put_u16(m->out, 0xbd10);
}

static void put_thumb(struct make *m, const struct code *c)
{
    bytes_put_u16(m->out, 0xb510);
    if (m->spec->movw) {
        for (unsigned i = 0; i < c->n; i++) {
            put_thumb_move(m, 0xf240, i, (uint16_t)c->addr[i]);
            bytes_put_u16(m->out, 0xbf00); // nop: pairs are not adjacent
            put_thumb_move(m, 0xf2c0, i, (uint16_t)(c->addr[i] >> 16));
        }
        put_thumb_calls(m, c);
        return;
    }
    for (unsigned i = 0; i < c->n; i++) { // the literals stand behind the code
        unsigned pc = 2 + 2 * i + 4, size = 2 + 2 * c->n + 4 * c->n_calls + 2;
        unsigned literal = ((size + 3) & ~3u) + 4 * i;
        bytes_put_u16(m->out, (uint16_t)(0x4800 | i << 8 | (literal - (pc & ~3u)) / 4));
    }
    put_thumb_calls(m, c);
    align(m);
    for (unsigned i = 0; i < c->n; i++) {
        put_word(m, c->addr[i]);
    }
}

static void put_arm(struct make *m, const struct code *c)
{
    put_word(m, 0xe92d4010);
    for (unsigned i = 0; i < c->n; i++) {
        unsigned literal = 4 * (1 + c->n + c->n_calls + 1 + i);
        put_word(m, 0xe59f0000 | i << 12 | (literal - (4 + 4 * i + 8)));
    }
    for (unsigned i = 0; i < c->n_calls; i++) {
        put_word(m, 0xeb000000 | ((c->calls[i] - (here(m) + 8)) >> 2 & 0xffffff));
    }
    put_word(m, 0xe8bd8010);
    for (unsigned i = 0; i < c->n; i++) {
        put_word(m, c->addr[i]);
    }
}

static void put_rv32(struct make *m, const struct code *c)
{
    put_word(m, 0xff010113); // addi sp, sp, -16
    for (unsigned i = 0; i < c->n; i++) {
        uint32_t rd = 10 + i, high = (c->addr[i] + 0x800) & 0xfffff000;
        put_word(m, high | rd << 7 | 0x37);
        put_word(m, (c->addr[i] - high) << 20 | rd << 15 | rd << 7 | 0x13);
    }
    for (unsigned i = 0; i < c->n_calls; i++) { // jal ra
        uint32_t o = c->calls[i] - here(m);
        put_word(m, (o & 0x100000) << 11 | (o & 0x7fe) << 20 | (o & 0x800) << 9 | (o & 0xff000) |
                        0xef);
    }
    bytes_put_u16(m->out, 0x8082);
}

static void put_xtensa_insn(struct make *m, uint32_t insn)
{
    bytes_put_u16(m->out, (uint16_t)insn);
    bytes_put_u8(m->out, (uint8_t)(insn >> 16));
}

// Xtensa: the literals of all functions lie before the code, which has no gaps.
static void put_xtensa(struct make *m, const struct code *c)
{
    static const uint8_t leave[] = {0x1d, 0xf0}, nop2[] = {0x3d, 0xf0};
    put_xtensa_insn(m, 0x004136); // entry
    for (unsigned i = 0; i < c->n; i++, m->literal += 4) {
        uint16_t offset = (uint16_t)((int32_t)(m->literal - ((here(m) + 3) & ~3u)) / 4);
        put_xtensa_insn(m, 0x01 | (2 + i) << 4 | (uint32_t)offset << 8);
    }
    for (unsigned i = 0; i < c->n_calls; i++) { // call8
        put_xtensa_insn(m, 0x25 | ((c->calls[i] - ((here(m) & ~3u) + 4)) >> 2 & 0x3ffff) << 6);
    }
    bytes_put(m->out, leave, sizeof leave);
    while (m->out->size % 4) {
        if (m->out->size % 2) {
            put_xtensa_insn(m, 0x0020f0); // nop
        } else {
            bytes_put(m->out, nop2, sizeof nop2);
        }
    }
}

static uint32_t put_code(struct make *m, const struct code *c)
{
    align(m);
    uint32_t at = here(m);
    switch (m->spec->isa) {
    case IMAGE_ISA_ARM:
        put_arm(m, c);
        break;
    case IMAGE_ISA_RV32:
        put_rv32(m, c);
        break;
    case IMAGE_ISA_XTENSA:
        put_xtensa(m, c);
        break;
    default:
        put_thumb(m, c);
        break;
    }
    return at;
}

static uint32_t put_loads(struct make *m, const uint32_t *addr, unsigned n)
{
    return put_code(m, &(struct code){addr, n, NULL, 0});
}

// Code of the flash mapper and what looks like it, far enough apart to be told apart.
static void put_mapper(struct make *m, const uint32_t words[5], uint32_t literals)
{
    unsigned code = m->spec->esp->code;
    const struct {
        unsigned when, first, n;
    } functions[] = {{SYNTH_MAPPER, 0, 3}, {SYNTH_MAPPER_ALONE, 3, 2}, {SYNTH_SHARED, 1, 1}};
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
        for (unsigned k = 0; k < SYNTH_FILLERS; k++) {
            put_loads(m, NULL, 0);
        }
        m->literal = literals + 4 * functions[i].first;
        if (code & functions[i].when) {
            put_loads(m, words + functions[i].first, functions[i].n);
        }
    }
    m->literal = literals + 4 * 5;
    if (code & SYNTH_EXTERNAL) {
        put_loads(m, words, 1);
    }
}

// The constants that such code has: begin and end of the constants, the end of the window.
static uint32_t put_mapper_words(struct make *m, uint32_t words[5])
{
    enum { PAGE = 0x10000 };
    uint32_t begin = synth_esp_data(m->spec->esp), end = (uint32_t)m->s->data_end, at = here(m);
    uint32_t value = end + (m->spec->esp->code & SYNTH_ROUNDED ? PAGE - 1 : 0);
    const uint32_t all[] = {begin, value, 0x43ffffff,
                            begin, value, (end + PAGE - 1) & ~(uint32_t)(PAGE - 1)};
    memcpy(words, all, 5 * sizeof *words);
    for (unsigned i = 0; m->spec->isa == IMAGE_ISA_XTENSA && i < sizeof all / sizeof *all; i++) {
        put_word(m, all[i]);
    }
    return at;
}

// The function that looks modules up counts the sources first.
static unsigned lookup_addresses(const struct make *m, uint32_t out[4])
{
    const struct synth *s = m->s;
    unsigned n = 0;
    if (m->spec->sources) {
        out[n++] = (uint32_t)s->sizes;
    }
    out[n++] = (uint32_t)s->names;
    if (m->spec->sources) {
        out[n++] = (uint32_t)s->texts;
    }
    out[n++] = (uint32_t)s->content;
    return n;
}

static void put_literals(struct make *m, const struct code *list, unsigned n)
{
    m->literal = here(m);
    for (unsigned i = 0; m->spec->isa == IMAGE_ISA_XTENSA && i < n; i++) {
        for (unsigned k = 0; k < list[i].n; k++) {
            put_word(m, list[i].addr[k]);
        }
    }
}

// Functions that do nothing; the lookup; help; three users of the pool; the import, which compares
// with ".frozen/" and then calls one of the first and the lookup; the start, which calls all.
static void put_functions(struct make *m)
{
    uint32_t used[4], calls[2], all[6], names = (uint32_t)m->s->names;
    uint32_t pool = (uint32_t)m->s->last_pool;
    struct code list[] = {{used, lookup_addresses(m, used), NULL, 0},
                          {&names, 1, NULL, 0},
                          {&pool, 1, NULL, 0},
                          {&pool, 1, NULL, 0},
                          {&pool, 1, NULL, 0},
                          {&m->prefix, 1, calls, 2},
                          {&m->spec->stray, m->spec->stray != 0, NULL, 0}};
    enum { FUNCTIONS = sizeof list / sizeof *list };
    align(m);
    put_literals(m, list, FUNCTIONS);
    for (unsigned i = 0; i < SYNTH_FILLERS; i++) {
        calls[0] = put_loads(m, NULL, 0);
    }
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        uint32_t at = put_code(m, &list[i]);
        calls[1] = i ? calls[1] : at;
        all[i ? i - 1 : 0] = at;
    }
    m->s->lookup = m->code = calls[1];
    put_code(m, &(struct code){NULL, 0, all, FUNCTIONS - 1});
}

// The constructor of the type Flash, and its place in the type.
static void put_constructor(struct make *m)
{
    enum { MAKE_NEW_OLD = 12, INDEX = 8, SLOTS = 20 }; // offsets in a type
    const uint32_t words[] = {m->spec->storage, m->spec->storage_end};
    uint32_t code = put_loads(m, words, words[1] ? 2 : 1) | 1;
    uint8_t *type = m->out->failed ? NULL : m->out->data + (m->flash - m->base);
    if (type) {
        type[INDEX] = m->spec->minor >= 20;
        st32(type + (m->spec->minor >= 20 ? SLOTS : MAKE_NEW_OLD), code);
    }
}

// A function that makes a float object: it asks for the bytes, and fills type and value in.
static void put_float_maker(struct make *m, uint8_t size)
{
    const uint16_t code[] = {0xb510, 0x1c04, 0x2000 | size, 0xf7ff, 0xfff9, // push, mov, movs, bl
                             0x4b02, 0x6044, 0x6003,        0xbd10};        // ldr, str, str, pop
    align(m);
    for (unsigned i = 0; i < sizeof code / sizeof *code; i++) {
        bytes_put_u16(m->out, code[i]);
    }
    align(m);
    put_word(m, m->types[FW_TYPE_FLOAT]);
}

// esp.flash_user_start of the ESP8266: a function, its object, and the name with both in a table.
static void put_user_start(struct make *m)
{
    align(m);
    m->literal = put_word(m, m->spec->esp->user_start);
    uint32_t function = put_loads(m, &m->spec->esp->user_start, 1);
    align(m);
    uint32_t object = put_word(m, m->types[FW_TYPE_INT]); // any type
    put_word(m, function);
    put_word(m, obj_qstr(m, "flash_user_start"));
    put_word(m, object);
}

static void put_esp(struct make *m, const uint32_t words[5], uint32_t literals)
{
    put_mapper(m, words, literals);
    if (m->spec->isa == IMAGE_ISA_RV32) {
        synth_esp_protection(m->spec->esp, (uint32_t)m->s->data_end, m->out);
    }
    if (m->spec->esp->user_start) {
        put_user_start(m);
    }
}

static void put_program(struct make *m)
{
    uint32_t words[5], literals = m->spec->esp ? put_mapper_words(m, words) : 0;
    put_functions(m);
    if (m->spec->esp) {
        put_esp(m, words, literals);
    }
    if (m->flash) {
        put_constructor(m);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (m->spec->made[i]) {
            put_float_maker(m, m->spec->made[i]);
        }
    }
    align(m);
    for (unsigned i = 0; i < 3; i++) { // mp_fun_table
        put_word(m, obj_constant(m, i));
    }
    for (uint32_t i = 0; i < SYNTH_FUNCTIONS; i++) {
        bool in_ram = m->spec->ram_functions && i % 2;
        put_word(m, in_ram ? 0x2001 + 4 * i : m->code + 4 * i + 1);
    }
}

static void put_vectors(struct make *m)
{
    m->s->base = m->base = m->spec->at_zero ? 0 : SYNTH_BASE;
    put_word(m, 0x20010000); // stack, reset
    put_word(m, m->base + 0x101);
    bytes_fill(m->out, 0, 0x100);
}

// Constants and code of a flash image are mapped at different addresses.
static void put_flash_program(struct make *m)
{
    struct bytes_out content;
    bytes_put_align(m->out, 16, 0);
    uint32_t code = (uint32_t)m->out->size;
    m->s->data_end = here(m);
    if (m->spec->esp->chip != SYNTH_ESP8266) {
        m->base = synth_esp_code(m->spec->esp) - code;
    }
    put_program(m);
    bytes_put_align(m->out, 4, 0);
    if (m->spec->esp->chip == SYNTH_ESP8266) {
        m->s->data_end = here(m);
    }
    content = *m->out;
    bytes_out_init(m->out);
    synth_esp_wrap(m->spec->esp, &content, code, m->out);
    bytes_out_free(&content);
}

void synth_make(const struct synth_spec *spec, struct synth *s)
{
    struct make m = {.spec = spec, .s = s, .out = &s->image};
    memset(s, 0, sizeof *s);
    if (spec->esp) {
        s->base = m.base = synth_esp_data(spec->esp);
        synth_esp_description(spec->esp, m.out);
    } else {
        put_vectors(&m);
    }
    bytes_printf(m.out, "MicroPython v1.%u.0 on 2025-08-09; %s", spec->minor, spec->board);
    bytes_put_u8(m.out, 0);
    collect_names(&m);
    put_pools(&m);
    put_types(&m);
    put_builtins(&m);
    put_math(&m);
    put_sys(&m);
    put_frozen(&m);
    if (spec->esp) {
        put_flash_program(&m);
    } else {
        put_program(&m);
    }
}
