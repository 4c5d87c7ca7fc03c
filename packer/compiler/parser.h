// Tokens to the syntax tree. The parser keeps its own stack, so nesting costs heap, not C stack.
#ifndef PACKER_COMPILER_PARSER_H
#define PACKER_COMPILER_PARSER_H

#include "packer/compiler/grammar.h"
#include "packer/compiler/lexer.h"

// Parses u->text. Ends the compilation at an error. Constants are folded on the way.
void parse(struct unit *u, struct ast *ast);

// For the parts of the parser: a rule that has begun.
struct parser_frame {
    uint16_t rule;
    bool trailing;  // a list ended with a separator
    uint8_t level;  // of an operator: enum expression_level
    uint32_t i;     // arguments done
    uint32_t line;  // of its first token
    uint32_t extra; // another line
    uint32_t base;  // results below it
};

struct parser {
    struct unit *u;
    struct ast *ast;
    struct lexer lexer;
    struct words results;
    struct parser_frame *frames;
    size_t n, cap;
    uint32_t operand_line; // of the expression that was just finished
};

// Results.
void parser_push(struct parser *ps, node n);
void parser_push_token(struct parser *ps, bool is_atom);
static inline node parser_result(const struct parser *ps, unsigned from_top)
{
    return ps->results.at[ps->results.n - 1 - from_top];
}
static inline uint32_t parser_results(const struct parser *ps, const struct parser_frame *f)
{
    return (uint32_t)ps->results.n - f->base;
}
noreturn void parser_syntax_error(struct parser *ps);
// The current token, for errors.
static inline struct unit_place parser_place(const struct parser *ps)
{
    return lexer_place(&ps->lexer);
}

// Frames.
struct parser_frame *parser_begin(struct parser *ps, unsigned rule);
// Begins a rule at the current token, choosing among alternatives; a token needs no frame.
void parser_enter(struct parser *ps, unsigned rule);
static inline struct parser_frame *parser_top(const struct parser *ps)
{
    return &ps->frames[ps->n - 1];
}
static inline enum token parser_token(const struct parser *ps)
{
    return ps->lexer.kind;
}
static inline bool parser_at(const struct parser *ps, unsigned rule)
{
    return token_in(ps->lexer.kind, grammar_rules[rule].first);
}

// expression.c: begins or resumes the expression on top of the stack.
void expression_enter(struct parser *ps, unsigned rule);
void expression_resume(struct parser *ps);
// The inside of (...) or [...]: items, or one item and a comprehension.
void expression_items(struct parser *ps, struct parser_frame *f);

// build.c: makes a node of the n newest results, folding what is constant.
void build(struct parser *ps, enum node_kind kind, uint32_t line, uint32_t n);
// The same for the items of a tuple, which are one constant if all are.
void build_tuple(struct parser *ps, enum node_kind kind, uint32_t line, uint32_t n);
// fold.c: true if the n newest results were replaced by one.
bool fold(struct parser *ps, enum node_kind kind, uint32_t *n);

#endif
