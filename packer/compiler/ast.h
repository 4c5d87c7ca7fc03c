// The syntax tree: a compact tree of 32-bit references that has the shape of upstream's collapsed
// grammar tree, because line numbers, error lines and constant folding follow that shape.
//
// A reference is a small int, an identifier, a string, a token, or the place of a struct node: a
// word of its kind, its number of children and its line, then the children. What does not fit that
// word is in two words before it.
#ifndef PACKER_COMPILER_AST_H
#define PACKER_COMPILER_AST_H

#include "packer/compiler/token.h"
#include "packer/compiler/unit.h"

typedef uint32_t node;

enum {
    NODE_NULL = 0,
    NODE_TAG_STRUCT = 0,
    NODE_TAG_ID = 2,
    NODE_TAG_STRING = 4,
    NODE_TAG_TOKEN = 6,
    NODE_TAG_MASK = 7,
    NODE_TAG_BITS = 3,
    NODE_HEADER = 1, // words before the children
    NODE_WIDE = 2,   // words before that: number of children, line
    NODE_COUNT_SHIFT = 8,
    NODE_COUNT_WIDE = 0xf, // the number of children is before the header
    NODE_LINE_SHIFT = 12,
    NODE_LINE_WIDE = 0xfffff, // the line is
    NODE_CHILDREN_MAX = (1 << 29) - 1,
    NODE_WORDS_MAX = (1 << 29) - 1,
    NODE_INT_MAX = (1 << 30) - 1, // ints in a reference; larger small ints are NODE_INT
};

// What each holds: its children in order; "?" may be NODE_NULL, "*" is a list.
enum node_kind {
    NODE_INT,   // two words: a small int that does not fit a reference; a leaf to all rules
    NODE_CONST, // one word: a value's index

    // Statements.
    NODE_FILE,   // statements and NEWLINE tokens *
    NODE_SUITE,  // statements *
    NODE_SIMPLE, // statements of one line *
    NODE_PASS,
    NODE_EXPR_STMT,   // target or expression, what is done with it unless it is nothing
    NODE_ANNASSIGN,   // type, ?value
    NODE_AUGASSIGN,   // token, value
    NODE_ASSIGN_LIST, // targets and value *
    NODE_DEL,         // targets
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_RETURN,          // ?value
    NODE_YIELD_STMT,      // NODE_YIELD
    NODE_RAISE,           // ?exception
    NODE_RAISE_FROM,      // exception, cause
    NODE_IMPORT_NAME,     // names
    NODE_IMPORT_FROM,     // source, names
    NODE_IMPORT_DOTS,     // dots, source
    NODE_DOTS,            // tokens *
    NODE_IMPORT_AS,       // name, ?alias
    NODE_DOTTED_AS,       // name, alias
    NODE_IMPORT_AS_NAMES, // *
    NODE_DOTTED_AS_NAMES, // *
    NODE_DOTTED_NAME,     // *
    NODE_GLOBAL,          // names
    NODE_NONLOCAL,        // names
    NODE_NAME_LIST,       // *
    NODE_ASSERT,          // condition, ?message
    NODE_ASYNC,           // statement
    NODE_IF,              // condition, body, ?elifs, ?else
    NODE_ELIF_LIST,       // *
    NODE_ELIF,            // condition, body
    NODE_WHILE,           // condition, body, ?else
    NODE_FOR,             // target, iterator, body, ?else
    NODE_TRY,             // body, handlers
    NODE_TRY_MORE,        // excepts, ?else, ?finally
    NODE_EXCEPT_LIST,     // *
    NODE_EXCEPT,          // ?type, body
    NODE_EXCEPT_AS,       // type, name
    NODE_FINALLY,         // body
    NODE_WITH,            // items, body
    NODE_WITH_LIST,       // *
    NODE_WITH_ITEM,       // expression, target
    NODE_DECORATED,       // decorators, definition
    NODE_DECORATORS,      // *
    NODE_DECORATOR,       // name, ?call
    NODE_ASYNC_FUNCDEF,   // NODE_FUNCDEF
    NODE_FUNCDEF,         // name, ?parameters, ?annotation, body
    NODE_PARAMS,          // *
    NODE_PARAM,           // name, ?annotation, ?default
    NODE_PARAM_STAR,      // ?name
    NODE_PARAM_DOUBLE,    // name, ?annotation
    NODE_PARAM_TYPED,     // name, ?annotation
    NODE_LAMBDA_PARAMS,   // *
    NODE_LAMBDA_PARAM,    // name, default
    NODE_LAMBDA_STAR,     // ?name
    NODE_LAMBDA_DOUBLE,   // name
    NODE_CLASSDEF,        // name, ?bases, body
    NODE_CLASS_PAREN,     // nothing between the parentheses

    // Expressions.
    NODE_STAR_TUPLE,   // *
    NODE_TESTLIST,     // *
    NODE_SUBSCRIPTS,   // *
    NODE_EXPRLIST,     // *
    NODE_NAMED,        // name, value
    NODE_TERNARY,      // value, NODE_TERNARY_ELSE
    NODE_TERNARY_ELSE, // condition, value
    NODE_LAMBDA,       // ?parameters, body
    NODE_OR,           // *
    NODE_AND,          // *
    NODE_NOT,          // operand
    NODE_COMPARE,      // operand, token, operand ... *
    NODE_STAR_EXPR,    // operand
    NODE_BIT_OR,       // *
    NODE_BIT_XOR,      // *
    NODE_BIT_AND,      // *
    NODE_SHIFT,        // operand, token, operand ... *
    NODE_ARITH,        // the same
    NODE_TERM,         // the same
    NODE_UNARY,        // token, operand
    NODE_POWER,        // base, exponent
    NODE_AWAIT,        // atom, ?trailers
    NODE_ATOM_EXPR,    // atom, trailers
    NODE_TRAILERS,     // *
    NODE_CALL,         // ?arguments
    NODE_INDEX,        // subscripts
    NODE_ATTR,         // name
    NODE_PAREN,        // ?NODE_ITEMS
    NODE_BRACKET,      // ?items
    NODE_BRACE,        // ?items
    NODE_ITEMS,        // * or item, NODE_COMP_FOR
    NODE_SLICE_FROM,   // start, NODE_SLICE
    NODE_SLICE,        // ?what follows the colon
    NODE_SLICE_STEP,   // ?step: [:: step]
    NODE_SLICE_TO,     // end, NODE_SLICE_END
    NODE_SLICE_END,    // ?step
    NODE_DICT_OR_SET,  // item, NODE_DICT_TAIL or NODE_COMP_FOR
    NODE_DICT_ITEM,    // key, value
    NODE_DICT_TAIL,    // ?items
    NODE_DICT_ITEMS,   // *
    NODE_ARGS,         // *
    NODE_ARG_STAR,     // value
    NODE_ARG_DOUBLE,   // value
    NODE_ARG,          // name, value, or value, NODE_COMP_FOR, or name, NODE_ARG_NAMED
    NODE_ARG_NAMED,    // value
    NODE_COMP_FOR,     // targets, iterator, ?NODE_COMP_FOR or NODE_COMP_IF
    NODE_COMP_IF,      // condition, ?more
    NODE_YIELD,        // ?value
    NODE_YIELD_FROM,   // value
    NODE_KIND_COUNT,
};

struct ast {
    struct words words;
    node root;
};

static inline bool node_is_int(node n)
{
    return n & 1;
}
static inline unsigned node_tag(node n) // only if it is not an int
{
    return n & NODE_TAG_MASK;
}
static inline bool node_is_struct(node n)
{
    return n != NODE_NULL && node_tag(n) == NODE_TAG_STRUCT;
}
static inline bool node_is_id(node n)
{
    return node_tag(n) == NODE_TAG_ID;
}
static inline uint32_t node_arg(node n) // name or token
{
    return n >> NODE_TAG_BITS;
}
static inline node node_leaf(unsigned tag, uint32_t arg)
{
    return arg << NODE_TAG_BITS | tag;
}
static inline node node_small(int32_t v)
{
    return (uint32_t)v << 1 | 1;
}
static inline int32_t node_small_value(node n)
{
    return (int32_t)n >> 1;
}
static inline bool node_is_token(node n, enum token t)
{
    return n == node_leaf(NODE_TAG_TOKEN, t);
}

static inline const uint32_t *node_words(const struct ast *ast, node n)
{
    return ast->words.at + (n >> NODE_TAG_BITS);
}
static inline uint32_t node_line(const struct ast *ast, node n)
{
    const uint32_t *w = node_words(ast, n);
    uint32_t line = *w >> NODE_LINE_SHIFT;
    return line == NODE_LINE_WIDE ? w[-1] : line;
}
static inline enum node_kind node_kind(const struct ast *ast, node n)
{
    return (enum node_kind)(*node_words(ast, n) & 0xff);
}
static inline uint32_t node_count(const struct ast *ast, node n)
{
    const uint32_t *w = node_words(ast, n);
    uint32_t count = *w >> NODE_COUNT_SHIFT & NODE_COUNT_WIDE;
    return count == NODE_COUNT_WIDE ? w[-2] : count;
}
static inline const node *node_children(const struct ast *ast, node n)
{
    return node_words(ast, n) + NODE_HEADER;
}
static inline node node_child(const struct ast *ast, node n, unsigned i)
{
    return node_children(ast, n)[i];
}
static inline bool node_is(const struct ast *ast, node n, enum node_kind kind)
{
    return node_is_struct(n) && node_kind(ast, n) == kind;
}
// A struct node in the eyes of upstream: wide small ints are leaves there.
static inline bool node_is_tree(const struct ast *ast, node n)
{
    return node_is_struct(n) && node_kind(ast, n) != NODE_INT;
}

node node_new(struct unit *u, struct ast *ast, enum node_kind kind, uint32_t line,
              const node *children, uint32_t n);
// An int that fits the target's small int.
node node_new_int(struct unit *u, struct ast *ast, int64_t v);
node node_new_const(struct unit *u, struct ast *ast, uint32_t line, struct value v);
// The same, but a small int becomes a leaf.
node node_new_value(struct unit *u, struct ast *ast, uint32_t line, struct value v);

// A small int of either form.
bool node_get_int(const struct ast *ast, node n, int64_t *v);
bool node_is_const(const struct ast *ast, node n);
// Of an int, a string or a token.
struct value node_leaf_value(node n);
struct value node_value(const struct unit *u, const struct ast *ast, node n);
// True if n is a constant that is true (or false) in a condition, as far as the release looks.
bool node_is_truth(const struct unit *u, const struct ast *ast, node n, bool truth);
// The items of a list of this kind; a single node is a list of itself. *n may be NODE_NULL.
uint32_t node_list(const struct ast *ast, const node *n, enum node_kind kind, const node **items);

#endif
