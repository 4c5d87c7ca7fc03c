// Interned strings: identifiers, keywords and the strings upstream interns. A name is a number;
// 1 to 165 are the static qstrs with their own ids, 0 is no name.
#ifndef PACKER_COMPILER_NAMES_H
#define PACKER_COMPILER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct compiler_release;
struct unit;

struct name {
    const char *data;       // not NUL-terminated
    uint32_t slot;          // place in the module's qstr table + 1; 0 = not in it
    unsigned len : 8;       // bytes
    unsigned constant : 24; // index + 1 of the value that const() gave it; 0 = none
};

struct names_entry {
    uint32_t hash, id;
};

// Names the compiler itself asks for.
enum name_known {
    NAME_STAR,
    NAME_MODULE,
    NAME_LAMBDA,
    NAME_LISTCOMP,
    NAME_DICTCOMP,
    NAME_SETCOMP,
    NAME_GENEXPR,
    NAME_STDIN,
    NAME_CONST,
    NAME_MATH,
    NAME_RANGE,
    NAME_SUPER,
    NAME_MICROPYTHON,
    NAME_BYTECODE,
    NAME_NATIVE,
    NAME_VIPER,
    NAME_ASM_THUMB,
    NAME_ASM_XTENSA,
    NAME_ASM_RV32,
    NAME_AITER,
    NAME_ANEXT,
    NAME_AENTER,
    NAME_AEXIT,
    NAME_CLASS,
    NAME_NAME,
    NAME_DUNDER_MODULE,
    NAME_QUALNAME,
    NAME_ASSERTION_ERROR,
    NAME_BASE_EXCEPTION,
    NAME_STOP_ASYNC_ITERATION,
    NAME_KNOWN_COUNT,
};

enum {
    NAMES_EMPTY = 1,     // the static qstr ""
    NAMES_LONGEST = 255, // upstream keeps lengths in one byte
    NAMES_CONSTANTS = 1 << 24,
    NAMES_SHORT = 10,         // strings up to this length are always interned
    NAMES_KEYWORDS_MAX = 320, // ids below this may be keywords
};

struct names {
    struct name *at;
    uint32_t n, cap;
    struct names_entry *table; // open addressing
    uint32_t mask;
    uint32_t known[NAME_KNOWN_COUNT];
    uint8_t keyword[NAMES_KEYWORDS_MAX]; // token of a keyword, else 0
};

// The names as they are before a script of one release is read.
struct compiler_cache {
    struct arena *arena;
    const struct compiler_release *release; // NULL = nothing is kept yet
    struct names names;
};

// Enters the static qstrs, the keywords and what the release's compiler knows from the start.
void names_init(struct unit *u);
// The name of these bytes, which are copied when new and not in the script's text. RuntimeError:
// name too long.
uint32_t name_intern(struct unit *u, const char *data, size_t len);
// The same, or 0 if nobody has interned it.
uint32_t name_find(const struct names *names, const char *data, size_t len);

static inline const struct name *name_at(const struct names *names, uint32_t id)
{
    return &names->at[id];
}

#endif
