// Numbers as the compiler sees them: literals to values, constant folding, values to the text of
// the constant table, each exactly as upstream's mpy-cross of a release does on a 64-bit host with
// double floats.
//
// Facts: MicroPython py/parsenum.c, py/parsenumbase.c, py/formatfloat.c, py/mpz.c, py/objint_mpz.c,
// py/objfloat.c, py/objcomplex.c, releases 1.19 to 1.29.
#ifndef PACKER_COMPILER_NUMBER_H
#define PACKER_COMPILER_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/arena.h"
#include "format/bytes.h"

// How a release reads and writes floats.
enum number_float_read {
    NUMBER_READ_PLAIN,    // 1.19: digits gathered in a double
    NUMBER_READ_ZEROS,    // 1.20 to 1.24: the same, trailing zeros deferred
    NUMBER_READ_MANTISSA, // 1.25: digits gathered in 64 bits, scaled as a double
    NUMBER_READ_EXTENDED, // 1.26 on: digits gathered in 64 bits, scaled with 64-bit precision
};
enum number_float_write {
    NUMBER_WRITE_PLAIN,   // 1.19
    NUMBER_WRITE_DIVIDED, // 1.20 to 1.25
    NUMBER_WRITE_EXACT,   // 1.26 on: the fewest of 16 to 19 digits that read back
};

// What differs between releases; one row of the release table holds one of these.
struct number_rules {
    enum number_float_read read;
    enum number_float_write write;
    bool reject_leading_zero; // 1.25 on: 01 is an error
    bool normalise;           // 1.24 on: a big result of an operator that fits becomes a NUMBER_INT
    bool fold_floats;         // 1.26 on: floats, / and negative powers fold; 0.0 and -0.0 differ
};

struct bigint; // sign and magnitude; immutable; in an arena

enum number_kind {
    NUMBER_INT, // fits upstream's small int of a 64-bit host: NUMBER_INT_MIN to NUMBER_INT_MAX
    NUMBER_BIG, // any other int; also a folded one that would fit, where upstream keeps it so
    NUMBER_FLOAT,
    NUMBER_COMPLEX,
};

#define NUMBER_INT_MAX ((int64_t)0x3fffffffffffffff)
#define NUMBER_INT_MIN (-NUMBER_INT_MAX - 1)

// Upstream's default heap holds no larger int.
#define NUMBER_MAX_BITS ((uint64_t)1 << 24)

struct number {
    enum number_kind kind;
    union {
        int64_t i;
        const struct bigint *big;
        double f;
        struct {
            double re, im;
        } c;
    };
};

// Operators, in the order of upstream's tokens.
enum number_op {
    NUMBER_OP_OR,
    NUMBER_OP_XOR,
    NUMBER_OP_AND,
    NUMBER_OP_LSHIFT,
    NUMBER_OP_RSHIFT,
    NUMBER_OP_ADD,
    NUMBER_OP_SUBTRACT,
    NUMBER_OP_MULTIPLY,
    NUMBER_OP_MAT_MULTIPLY,
    NUMBER_OP_FLOOR_DIVIDE,
    NUMBER_OP_TRUE_DIVIDE,
    NUMBER_OP_MODULO,
    NUMBER_OP_POWER,
};
enum number_unary {
    NUMBER_POSITIVE,
    NUMBER_NEGATIVE,
    NUMBER_INVERT,
};

enum number_status {
    NUMBER_OK,
    NUMBER_NOT_FOLDED, // upstream leaves the expression to run time (x / 0, 1 << -1, ~1.0, ...)
    NUMBER_TOO_LARGE,  // before 1.26: the result would take more than the limit
    NUMBER_OVERFLOW,   // before 1.26: upstream stops with NUMBER_OVERFLOW_TEXT
    NUMBER_NO_MEMORY,
};
#define NUMBER_OVERFLOW_TEXT "OverflowError: overflow converting long int to machine word"

// The result has at most max_bits bits (0 = NUMBER_MAX_BITS); from 1.26 on, larger ones are not
// folded. Time is quasi-linear in the size of the operands and the result, but for // and %, which
// take the product of the sizes of divisor and quotient.
enum number_status number_binary(const struct number_rules *rules, enum number_op op,
                                 const struct number *a, const struct number *b, uint64_t max_bits,
                                 struct arena *arena, struct number *out);
enum number_status number_unary_op(const struct number_rules *rules, enum number_unary op,
                                   const struct number *a, struct arena *arena, struct number *out);

// Reads the text of an integer token. Returns NULL and sets out, or upstream's error text
// ("invalid syntax for integer with base 10: '...'"), which is in the arena.
const char *number_read_int(const struct number_rules *rules, const char *text, size_t size,
                            struct arena *arena, struct number *out);
// The same for a float or imaginary token ("invalid syntax for number"). Before 1.26, 0e999 is a
// NaN.
const char *number_read_float(const struct number_rules *rules, const char *text, size_t size,
                              struct arena *arena, struct number *out);

// Upstream compares NaNs by address: a new one differs from every other, but not from its copies.
// So the payload becomes an address in the arena. Other floats stay. False without memory.
bool number_identify(double *v, struct arena *arena);

// math.NAME of the releases that fold it (fold_floats): e, pi, tau, inf, nan. False = not a
// constant.
bool number_math_constant(const char *name, size_t size, struct number *out);

bool number_is_true(const struct number *a);
// True if upstream's constant table shares one entry between a and b. Copies of one NaN are the
// same, two computed or read ones are not (number_identify).
bool number_same(const struct number *a, const struct number *b);
// Equal for numbers that are the same.
uint32_t number_hash(const struct number *a);
// True if a is a small int of the target: a NUMBER_INT within bits (the value of -msmall-int-bits;
// counts from 1 on, 0 and 64 are no limit, larger ones repeat).
bool number_fits(const struct number *a, unsigned bits);

// Appends the text of the constant table: decimal, or upstream's repr of a float or complex.
void number_write(const struct number_rules *rules, const struct number *a, struct bytes_out *out);

#endif
