// Scopes and their identifiers.
#ifndef PACKER_COMPILER_SCOPE_H
#define PACKER_COMPILER_SCOPE_H

#include "packer/compiler/ast.h"

enum scope_kind { // from SCOPE_LAMBDA on they are functions
    SCOPE_MODULE,
    SCOPE_CLASS,
    SCOPE_LAMBDA,
    SCOPE_LIST_COMP,
    SCOPE_DICT_COMP,
    SCOPE_SET_COMP,
    SCOPE_GEN_EXPR,
    SCOPE_FUNCTION,
};

enum scope_flag { // of the prelude
    SCOPE_GENERATOR = 1,
    SCOPE_VARKEYWORDS = 2,
    SCOPE_VARARGS = 4,
    SCOPE_DEFKWARGS = 8,
    SCOPE_STORES_OUT = 16, // not of the prelude: it has IR_STORE_PARENT_ID
};

enum id_kind {
    ID_UNDECIDED,
    ID_GLOBAL_IMPLICIT,
    ID_GLOBAL_ASSIGNED, // implicit, but must not be closed over
    ID_GLOBAL_EXPLICIT,
    ID_LOCAL,
    ID_CELL, // of this scope, used by inner ones
    ID_FREE, // of an outer scope
};

enum id_flag { ID_PARAM = 1, ID_STAR_PARAM = 2, ID_DOUBLE_STAR_PARAM = 4 };

// Scripts of nothing but lambdas have a scope for every nine bytes: both are small.
struct id {
    uint32_t name;
    unsigned kind : 3;   // enum id_kind
    unsigned flags : 3;  // enum id_flag
    unsigned local : 26; // number of the local
};

struct scope {
    unsigned kind : 3;   // enum scope_kind
    unsigned flags : 5;  // enum scope_flag
    unsigned depth : 24; // scopes around it
    uint32_t parent;     // index + 1; 0 = none
    union {
        node tree;     // until its code is generated
        uint32_t line; // of the tree, from then on; 0 = none
    };
    uint32_t name;
    uint32_t positional, keyword_only, defaults; // arguments
    uint32_t locals, except_depth;
    uint32_t n_ids;
    uint32_t ir; // where its operations begin; they end where those of the next scope begin
    uint32_t labels;
    struct id *ids;            // room for them is a power of two; a hash index follows many
    struct scope_outer *outer; // what few scopes have; NULL = nothing
};

struct scope_outer {
    const struct scope *parent; // a copy, if it stores there
    uint32_t swapped[2]; // places that *args and the last parameter exchanged, if they differ
    uint32_t n_closure;
    uint32_t closure[]; // places in the parent of what is closed over, in order
};

static inline bool scope_is_function(const struct scope *s)
{
    return s->kind >= SCOPE_LAMBDA;
}
static inline bool scope_is_comprehension(const struct scope *s)
{
    return s->kind >= SCOPE_LIST_COMP && s->kind <= SCOPE_GEN_EXPR;
}

static inline uint32_t scope_closures(const struct scope *s)
{
    return s->outer ? s->outer->n_closure : 0;
}

struct scopes {
    struct scope *at;
    uint32_t n, cap;
};

// The parent, or NULL.
struct scope *scope_parent(const struct scopes *all, const struct scope *s);
struct scope *scope_add(struct unit *u, struct scopes *all, enum scope_kind kind, uint32_t parent,
                        node tree, uint32_t name);
// The place of an identifier; scope_find gives UINT32_MAX if there is none.
uint32_t scope_find(const struct scope *s, uint32_t name);
uint32_t scope_find_or_add(struct unit *u, struct scope *s, uint32_t name, enum id_kind kind);
uint32_t scope_load(struct unit *u, struct scope *s, uint32_t name);
uint32_t scope_modify(struct unit *u, struct scope *s, uint32_t name);
// If an outer function has the identifier, makes it free here and a cell there.
void scope_close_over(struct unit *u, struct scopes *all, struct scope *s, uint32_t place);
void scope_close_over_all(struct unit *u, struct scopes *all, struct scope *s);
// Numbers the locals once all scopes are known; parents come first.
void scope_number(struct unit *u, struct scopes *all, struct scope *s);
// Where the identifier that was at this place is after scope_number.
uint32_t scope_place(const struct scope *s, uint32_t place);

#endif
