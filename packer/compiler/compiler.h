// The compiler as a library: a buffer of Python source to a code tree, or to .mpy bytes. No
// globals, re-entrant, errors as values; all memory comes from the caller's arena, whose limit
// bounds it (only multiplying and converting long numbers takes scratch aside, some dozens of times
// their bytes, freed at once). Its contract is byte equality with upstream's mpy-cross of the
// chosen release.
#ifndef PACKER_COMPILER_COMPILER_H
#define PACKER_COMPILER_COMPILER_H

#include "format/arena.h"
#include "format/bytes.h"
#include "format/diag.h"
#include "format/mpy/mpy.h"

struct compiler_release; // one row of the release table, release.h
struct compiler_cache;   // what one compilation leaves to the next

// Upstream's traceback of an error, for those who print it as upstream does. diag.text is the last
// line of it.
struct compiler_trace {
    bool placed;    // there is a traceback at all; if not, line and block mean nothing
    bool compiling; // the error is not one of syntax alone: upstream then shows the source name
    uint32_t line;
    char block[256]; // function, class, <module> ...; "" = none
};

enum { COMPILER_PAD = 16 };

struct compiler_options {
    const struct compiler_release *release; // NULL = the newest
    const char *source_name;                // qstr 0 and tracebacks; NULL = file name
    unsigned opt_level;                     // 0..3
    unsigned small_int_bits;                // 0 = 31; 256 = no limit, which is 0 in the file
    const char *arch;                       // -march: what machine code would be for; NULL = none
    bool no_source_lines;                   // -X no-source-lines
    unsigned max_depth;                     // nesting limit, nodes; 0 = default
    size_t max_stack;       // bytes of C stack that nesting may take; 0 = what the thread has
    uint64_t max_fold_bits; // size limit of a folded int; 0 = default
    bool padded; // COMPILER_PAD NULs follow the source: it need not be copied, and must outlive the
                 // tree
    struct compiler_trace *trace; // out, may be NULL
    struct compiler_cache *cache; // saves the set-up of small scripts; NULL = none
};

// A cache for many compilations, of one thread at a time, in `a`. NULL without memory.
struct compiler_cache *compiler_cache_new(struct arena *a);

// source need not be NUL-terminated. file is the name in messages. On a wrong script:
// DIAG_MALFORMED with line and column; d->text is upstream's message ("SyntaxError: invalid
// syntax").
enum diag_code compiler_tree(const void *source, size_t size, const char *file,
                             const struct compiler_options *options, struct arena *a,
                             struct diag *d, struct mpy_module **out);
// The same, written as .mpy.
enum diag_code compiler_mpy(const void *source, size_t size, const char *file,
                            const struct compiler_options *options, struct arena *a, struct diag *d,
                            struct bytes_out *out);

// "1.26", "1.26.1", "v1.26.1-preview...": the row of that release, or NULL.
const struct compiler_release *compiler_release_find(const char *version);
const char *compiler_release_name(const struct compiler_release *r);
// Row i, oldest first; NULL past the end.
const struct compiler_release *compiler_release_at(unsigned i);

#endif
