// The syntax tree of a manifest. It is made from the compiler's tokens, not from the compiler's own
// tree: that one is folded and keeps lines only, while a manifest is evaluated as it stands and
// every message about it has a column.
#ifndef PACKER_MANIFEST_TREE_H
#define PACKER_MANIFEST_TREE_H

#include <stdint.h>

#include "format/arena.h"
#include "format/diag.h"

// What each holds: a, b, c, items and text as named; "?" may be NULL.
enum tree_kind {
    // Expressions.
    TREE_NAME,  // text
    TREE_INT,   // number
    TREE_FLOAT, // real
    TREE_STR,   // text, len
    TREE_NONE,
    TREE_TRUE,
    TREE_FALSE,
    TREE_TUPLE,    // items
    TREE_LIST,     // items
    TREE_SET,      // items
    TREE_DICT,     // items: key, value, key, value ...
    TREE_ATTR,     // a . text
    TREE_INDEX,    // a [ b ]
    TREE_SLICE,    // ?a : ?b : ?c
    TREE_CALL,     // a ( items )
    TREE_KEYWORD,  // text = a, in calls
    TREE_STAR,     // *a, in calls, displays and targets
    TREE_DOUBLE,   // **a, in calls
    TREE_UNARY,    // op a
    TREE_BINARY,   // a op b
    TREE_COMPARE,  // items[0] ops[0] items[1] ops[1] ...
    TREE_AND,      // a, b
    TREE_OR,       // a, b
    TREE_NOT,      // a
    TREE_TERNARY,  // b if a else c
    TREE_LAMBDA,   // items: TREE_PARAM; a: the expression
    TREE_COMP,     // op: kind of the result; a: element or key; ?b: value; items: clauses
    TREE_COMP_FOR, // a: target, b: iterable
    TREE_COMP_IF,  // a
    TREE_WALRUS,   // text := a
    // Statements.
    TREE_BLOCK,   // items
    TREE_EXPR,    // a
    TREE_ASSIGN,  // items: targets; a: value
    TREE_AUGMENT, // a op= b
    TREE_DEL,     // items
    TREE_IF,      // a: condition; b: body; ?c: else
    TREE_WHILE,   // the same
    TREE_FOR,     // a: target; b: iterable; c: body; items[0]: ?else
    TREE_DEF,     // text: name; items: TREE_PARAM; a: body
    TREE_PARAM,   // ?text; ?a: default; op: '*' or 'd' (**) or 0
    TREE_RETURN,  // ?a
    TREE_PASS,
    TREE_BREAK,
    TREE_CONTINUE,
    TREE_IMPORT, // text: module; ?name: alias
    TREE_FROM,   // text: module; items: TREE_IMPORT (text: member; ?name: alias)
    TREE_GLOBAL, // items: names
    TREE_TRY,    // a: body; items: TREE_EXCEPT; ?b: else; ?c: finally
    TREE_EXCEPT, // ?a: class; ?text: name; b: body
    TREE_RAISE,  // ?a
    TREE_ASSERT, // a, ?b
};

// Operators of TREE_UNARY, TREE_BINARY and TREE_AUGMENT are their characters ('+', '/'; 'F' is //,
// 'P' is **, 'L' is <<, 'R' is >>); comparisons are these.
enum tree_compare {
    CMP_LT,
    CMP_GT,
    CMP_EQ,
    CMP_LE,
    CMP_GE,
    CMP_NE,
    CMP_IN,
    CMP_NOT_IN,
    CMP_IS,
    CMP_IS_NOT
};

struct tree {
    enum tree_kind kind;
    uint32_t line, column;
    char op;
    const char *text, *name;
    size_t len;
    int64_t number;
    double real;
    struct tree *a, *b, *c;
    unsigned n;
    struct tree **items;
    const uint8_t *ops; // TREE_COMPARE
};

// Parses a manifest's text. Errors: DIAG_MALFORMED with line and column; *unsupported says that the
// text may be Python, but uses what manifests cannot.
enum diag_code tree_parse(const char *text, size_t size, const char *file, struct arena *a,
                          struct diag *d, bool *unsupported, struct tree **out);

#endif
