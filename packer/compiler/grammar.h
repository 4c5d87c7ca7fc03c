// The grammar as data. Statements and brackets are driven by this table; the operators of
// expressions have their own parser (expression.c).
//
// The language is LL(1): each rule knows the tokens that begin it.
//
// Facts: MicroPython py/grammar.h; the same from 1.19 to 1.29.
#ifndef PACKER_COMPILER_GRAMMAR_H
#define PACKER_COMPILER_GRAMMAR_H

#include "packer/compiler/ast.h"

enum rule {
    // Rules of expression.c: an expression whose operators bind at least so tight.
    RULE_TEST,
    RULE_TEST_NOCOND, // without "if": in the conditions of comprehensions
    RULE_OR_TEST,
    RULE_EXPR,
    // Rules of the table.
    RULE_FILE,
    RULE_FILE_ITEM,
    RULE_DECORATOR,
    RULE_DECORATORS,
    RULE_DECORATED,
    RULE_DECORATED_BODY,
    RULE_ASYNC_FUNCDEF,
    RULE_FUNCDEF,
    RULE_RETURN_TYPE,
    RULE_PARAMS,
    RULE_PARAMS_ITEM,
    RULE_PARAM,
    RULE_PARAM_STAR,
    RULE_PARAM_DOUBLE,
    RULE_PARAM_TYPED,
    RULE_COLON_TEST,
    RULE_EQUAL_TEST,
    RULE_LAMBDA_PARAMS,
    RULE_LAMBDA_ITEM,
    RULE_LAMBDA_PARAM,
    RULE_LAMBDA_STAR,
    RULE_LAMBDA_STAR_NAME,
    RULE_LAMBDA_DOUBLE,
    RULE_STMT,
    RULE_SIMPLE_LINE,
    RULE_SIMPLE,
    RULE_SMALL,
    RULE_EXPR_STMT,
    RULE_ANNASSIGN,
    RULE_ASSIGN_LIST,
    RULE_ASSIGN,
    RULE_ASSIGNED,
    RULE_STAR_TUPLE,
    RULE_STAR_OR_TEST,
    RULE_DEL,
    RULE_PASS,
    RULE_BREAK,
    RULE_CONTINUE,
    RULE_RETURN,
    RULE_YIELD_STMT,
    RULE_RAISE,
    RULE_RAISE_ARG,
    RULE_RAISE_FROM,
    RULE_IMPORT_NAME,
    RULE_IMPORT_FROM,
    RULE_IMPORT_SOURCE,
    RULE_IMPORT_DOTS,
    RULE_IMPORT_WHAT,
    RULE_IMPORT_PAREN,
    RULE_DOTS,
    RULE_DOT,
    RULE_IMPORT_AS,
    RULE_DOTTED_AS,
    RULE_AS_NAME,
    RULE_IMPORT_AS_NAMES,
    RULE_DOTTED_AS_NAMES,
    RULE_DOTTED_NAME,
    RULE_GLOBAL,
    RULE_NONLOCAL,
    RULE_NAME_LIST,
    RULE_ASSERT,
    RULE_ASSERT_EXTRA,
    RULE_ASYNC,
    RULE_ASYNC_STMT,
    RULE_IF,
    RULE_ELIF_LIST,
    RULE_ELIF,
    RULE_ELSE,
    RULE_WHILE,
    RULE_FOR,
    RULE_TRY,
    RULE_TRY_TAIL,
    RULE_TRY_MORE,
    RULE_EXCEPT,
    RULE_EXCEPT_AS,
    RULE_EXCEPT_LIST,
    RULE_FINALLY,
    RULE_WITH,
    RULE_WITH_LIST,
    RULE_WITH_ITEM,
    RULE_WITH_AS,
    RULE_SUITE,
    RULE_SUITE_BLOCK,
    RULE_SUITE_STMTS,
    RULE_NAMED,
    RULE_NAMED_TAIL,
    RULE_LAMBDA,
    RULE_LAMBDA_NOCOND,
    RULE_STAR_EXPR,
    RULE_PAREN,
    RULE_PAREN_INSIDE,
    RULE_PAREN_ITEMS, // expression.c
    RULE_BRACKET,
    RULE_BRACKET_ITEMS, // expression.c
    RULE_ITEM,
    RULE_BRACE,
    RULE_CALL,
    RULE_INDEX,
    RULE_SUBSCRIPTS,
    RULE_SUBSCRIPT,
    RULE_SLICE_FROM,
    RULE_SLICE,
    RULE_SLICE_REST,
    RULE_SLICE_STEP,
    RULE_SLICE_TO,
    RULE_SLICE_END,
    RULE_EXPRLIST,
    RULE_EXPRLIST_ITEM,
    RULE_TESTLIST,
    RULE_DICT_OR_SET,
    RULE_DICT_ITEM,
    RULE_DICT_REST,
    RULE_DICT_TAIL,
    RULE_DICT_ITEMS,
    RULE_CLASSDEF,
    RULE_CLASS_PAREN,
    RULE_ARGS,
    RULE_ARGS_ITEM,
    RULE_ARG_STAR,
    RULE_ARG_DOUBLE,
    RULE_ARG,
    RULE_ARG_TAIL,
    RULE_ARG_NAMED,
    RULE_COMP_ITER,
    RULE_COMP_FOR,
    RULE_COMP_IF,
    RULE_YIELD,
    RULE_YIELD_ARG,
    RULE_YIELD_FROM,
    RULE_TABLE_END,
    // Steps of expression.c, only on the parser's stack.
    STEP_EXPRESSION = RULE_TABLE_END,
    STEP_BINARY,
    STEP_UNARY,
    STEP_NOT,
    STEP_POWER,
    STEP_ATOM,
    STEP_TERNARY,
};

enum grammar_shape {
    GRAMMAR_OWN,    // not driven by the table
    GRAMMAR_OR,     // one of the arguments
    GRAMMAR_AND,    // all arguments in turn
    GRAMMAR_REPEAT, // argument 0, once or more
    GRAMMAR_LIST,   // argument 0, separated by argument 1
};

enum grammar_flag {
    GRAMMAR_IDENT = 1,    // AND: a single child stands for the whole
    GRAMMAR_TRAILING = 2, // LIST: may end with a separator
};

enum { GRAMMAR_ARGS = 13, GRAMMAR_TOKEN_ARG = 0x100 };

struct grammar_rule {
    uint8_t shape, flags;
    uint8_t node;                // what it makes
    uint8_t n;                   // arguments
    uint16_t args[GRAMMAR_ARGS]; // rules, or GRAMMAR_TOKEN_ARG | token
    uint16_t optional;           // bit set of arguments that may be missing
    uint64_t first;              // tokens that begin it
};

extern const struct grammar_rule grammar_rules[RULE_TABLE_END];

#endif
