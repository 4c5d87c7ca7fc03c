#include "firmware_fixture.h"

#include <string.h>

#include "format/bytes.h"

enum { BASE = 0x08004000, NAMES_MAX = 200 };

// Strings of the second pool, in order; none of them is static.
static const char *const more[] = {
    ".frozen", "complex", "float", "maxsize", "t.py",
};
enum { MORE = sizeof more / sizeof *more };

struct maker {
    const struct firmware_layout *l;
    struct firmware_made *m;
    uint32_t static_len;
    uint32_t tuple_type, str_type;
};

static uint32_t here(const struct maker *k)
{
    return BASE + k->m->size;
}

static void put8(struct maker *k, unsigned v)
{
    k->m->data[k->m->size++] = (uint8_t)v;
}

static void put16(struct maker *k, unsigned v)
{
    put8(k, v & 255);
    put8(k, v >> 8 & 255);
}

static void put32(struct maker *k, uint32_t v)
{
    put16(k, v & 0xffff);
    put16(k, v >> 16);
}

static void align(struct maker *k, unsigned n)
{
    while (k->m->size % n) {
        put8(k, 0xff);
    }
}

static uint32_t put_text(struct maker *k, const char *s)
{
    uint32_t at = here(k);
    for (size_t i = 0; i <= strlen(s); i++) {
        put8(k, (unsigned char)s[i]);
    }
    return at;
}

static uint32_t qstr_id(const struct maker *k, const char *s)
{
    unsigned id = mpy_static_qstr_find(s, strlen(s));
    for (unsigned i = 0; !id && i < MORE; i++) {
        if (strcmp(more[i], s) == 0) {
            return k->static_len + i;
        }
    }
    return id;
}

static uint32_t qstr_obj(const struct maker *k, const char *s)
{
    uint32_t id = qstr_id(k, s);
    return k->l->repr == FW_REPR_A   ? id << 3 | 2
           : k->l->repr == FW_REPR_B ? id << 3 | 3
                                     : id << 4 | 6;
}

static uint32_t int_obj(const struct maker *k, uint32_t v)
{
    return k->l->repr == FW_REPR_B ? v << 2 | 1 : v << 1 | 1;
}

static unsigned hash_of(const struct maker *k, const char *s)
{
    uint32_t h = 5381;
    for (; *s; s++) {
        h = (h * 33) ^ (unsigned char)*s;
    }
    h &= k->l->hash_bytes == 1 ? 0xff : 0xffff;
    return h ? h : 1;
}

// Up to 1.18: {prev, total, alloc, len, entries}, each entry {hash, length, text}.
static uint32_t put_old_pool(struct maker *k, uint32_t prev, uint32_t total,
                             const char *const *names, uint32_t n)
{
    uint32_t at[NAMES_MAX];
    for (uint32_t i = 0; i < n; i++) {
        unsigned h = !total && !i ? 0 : hash_of(k, names[i]);
        at[i] = here(k);
        k->l->hash_bytes == 1 ? put8(k, h) : put16(k, h);
        k->l->len_bytes == 1 ? put8(k, (unsigned)strlen(names[i]))
                             : put16(k, (unsigned)strlen(names[i]));
        put_text(k, names[i]);
    }
    align(k, 4);
    uint32_t pool = here(k);
    put32(k, prev);
    put32(k, total);
    put32(k, 10);
    put32(k, n);
    for (uint32_t i = 0; i < n; i++) {
        put32(k, at[i]);
    }
    return pool;
}

static uint32_t put_pool(struct maker *k, uint32_t prev, uint32_t total, const char *const *names,
                         uint32_t n)
{
    uint32_t text[NAMES_MAX], hashes, lengths;
    if (k->l->minor <= 18) {
        return put_old_pool(k, prev, total, names, n);
    }
    for (uint32_t i = 0; i < n; i++) {
        text[i] = put_text(k, names[i]);
    }
    align(k, 4);
    hashes = here(k);
    for (uint32_t i = 0; k->l->hash_bytes && i < n; i++) {
        unsigned h = !total && !i ? 0 : hash_of(k, names[i]);
        k->l->hash_bytes == 1 ? put8(k, h) : put16(k, h);
    }
    align(k, 4);
    lengths = here(k);
    for (uint32_t i = 0; i < n; i++) {
        k->l->len_bytes == 1 ? put8(k, (unsigned)strlen(names[i]))
                             : put16(k, (unsigned)strlen(names[i]));
    }
    align(k, 4);
    uint32_t pool = here(k);
    put32(k, prev);
    put32(k, total | (total && k->l->minor >= 22 ? 0x80000000u : 0));
    put32(k, 10);
    put32(k, n);
    if (k->l->hash_bytes) {
        put32(k, hashes);
    }
    put32(k, lengths);
    for (uint32_t i = 0; i < n; i++) {
        put32(k, text[i]);
    }
    return pool;
}

static void put_pools(struct maker *k)
{
    const char *names[NAMES_MAX];
    names[0] = "";
    for (unsigned id = 1; id <= MPY_STATIC_QSTRS; id++) {
        names[id] = mpy_static_qstr(id);
    }
    k->static_len = MPY_STATIC_QSTRS + 1;
    k->m->pools[0] = put_pool(k, 0, 0, names, k->static_len);
    k->m->pools[1] = put_pool(k, k->m->pools[0], k->static_len, more, MORE);
}

// A type object; type is its own type.
static uint32_t put_type(struct maker *k, const char *name, uint32_t type)
{
    uint32_t at = here(k);
    put32(k, type ? type : at);
    put16(k, 0);
    put16(k, qstr_id(k, name));
    if (k->l->minor >= 20) {
        for (unsigned i = 0; i < 12; i++) {
            put8(k, i < 2 ? i + 1 : 0);
        }
        put32(k, BASE + 1);
        put32(k, BASE + 1);
    } else {
        for (unsigned i = 0; i < 13; i++) {
            put32(k, BASE + 1);
        }
    }
    return at;
}

static void put_builtins(struct maker *k)
{
    static const char *const types[] = {"int", "str", "bytes", "tuple", "list", "dict", "bool"};
    uint32_t at[sizeof types / sizeof *types];
    align(k, 4);
    k->m->type = put_type(k, "type", 0);
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        at[i] = put_type(k, types[i], k->m->type);
    }
    k->str_type = at[1];
    k->tuple_type = at[3];
    put32(k, qstr_obj(k, "__name__"));
    put32(k, qstr_obj(k, "builtins"));
    put32(k, qstr_obj(k, "type"));
    put32(k, k->m->type);
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        put32(k, qstr_obj(k, types[i]));
        put32(k, at[i]);
    }
    put32(k, 0);
    put32(k, 0);
}

static void put_implementation(struct maker *k)
{
    uint32_t version = here(k);
    put32(k, k->tuple_type);
    put32(k, 3);
    put32(k, int_obj(k, 1));
    put32(k, int_obj(k, k->l->minor));
    put32(k, int_obj(k, 0));
    put32(k, k->tuple_type);
    put32(k, 2);
    put32(k, qstr_obj(k, "micropython"));
    put32(k, version);
}

// Up to 1.18: a raw code; the prelude itself names the function and the file.
static void put_old_module(struct maker *k)
{
    uint32_t code = here(k);
    put16(k, 0x0810);
    put16(k, qstr_id(k, "<module>"));
    put16(k, qstr_id(k, "t.py"));
    put16(k, 0x6351);
    align(k, 4);
    k->m->code = k->m->module = here(k);
    put32(k, 2);
    put32(k, code);
    put32(k, 0);
}

static void put_new_module(struct maker *k)
{
    static const uint8_t bytecode[] = {0x10, 0x02, 0x01, 0x51, 0x63};
    uint32_t qstrs = here(k);
    put16(k, qstr_id(k, "t.py"));
    put16(k, qstr_id(k, "<module>"));
    uint32_t code = here(k);
    for (unsigned i = 0; i < sizeof bytecode; i++) {
        put8(k, bytecode[i]);
    }
    align(k, 4);
    if (k->l->minor < 23) {
        uint32_t raw = here(k);
        put32(k, 2);
        put32(k, code);
        put32(k, 0);
        code = raw;
    }
    k->m->code = code;
    k->m->module = here(k);
    put32(k, qstrs);
    put32(k, 0);
    put32(k, code);
}

static void put_module(struct maker *k)
{
    if (k->l->minor <= 18) {
        put_old_module(k);
    } else {
        put_new_module(k);
    }
    k->m->content = here(k);
    put32(k, k->m->module);
    k->m->names = put_text(k, "t.py");
    put8(k, 0);
    align(k, 4);
}

// A function that loads n words: push, ldr r0 .., pop, and its literals.
static void put_function(struct maker *k, const uint32_t *words, unsigned n, uint32_t *literals)
{
    unsigned slots = (n + 3) & ~1u; // halfwords of code, even
    uint32_t start = here(k);
    put16(k, 0xb510);
    for (unsigned i = 0; i < n; i++) {
        uint32_t literal = start + 2 * slots + 4 * i, pc = (here(k) + 4) & ~3u;
        put16(k, 0x4800 | (literal - pc) / 4);
        literals[i] = literal;
    }
    while (here(k) < start + 2 * slots - 2) {
        put16(k, 0xbf00);
    }
    put16(k, 0xbd10);
    for (unsigned i = 0; i < n; i++) {
        put32(k, words[i]);
    }
}

static void put_code(struct maker *k)
{
    struct firmware_made *m = k->m;
    uint32_t literals[2];
    m->lookup = here(k);
    put_function(k, (uint32_t[]){m->names, m->content}, 2, literals);
    m->names_literals[0] = literals[0];
    m->content_literal = literals[1];
    put_function(k, &m->names, 1, &m->names_literals[1]);
    put_function(k, &m->pools[1], 1, &m->pool_literals[0]);
    put_function(k, &m->pools[1], 1, &m->pool_literals[1]);
    uint32_t offset = m->lookup - (here(k) + 4); // bl lookup, backwards
    put16(k, 0xf400 | (offset >> 12 & 0x3ff));
    put16(k, 0xf800 | (offset >> 1 & 0x7ff));
    for (unsigned i = 0; i < 64; i++) {
        put16(k, 0x4770);
    }
}

void firmware_make(const struct firmware_layout *layout, struct firmware_made *out)
{
    struct maker k = {.l = layout, .m = out};
    memset(out, 0, sizeof *out);
    out->base = BASE;
    put32(&k, 0x20010000);
    put32(&k, BASE + 9);
    put_pools(&k);
    put_builtins(&k);
    put_implementation(&k);
    put_module(&k);
    put_code(&k);
}
