#include "packer/compiler/float_text.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "packer/compiler/extended.h"

// pow(10, e) of the C library, as upstream calls it. The base is not a constant to the compiler, or
// some would call exp10 instead, which rounds differently.
static double power_of_ten(int e)
{
    static const volatile double ten = 10;
    return pow(ten, e);
}

// ---- Reading ----

enum part { IN_INTEGER, IN_FRACTION, IN_EXPONENT };

struct digits { // what has been read
    enum number_float_read rule;
    double value;                      // up to 1.24
    uint64_t mantissa;                 // from 1.25 on
    int exponent;                      // of ten, from the digits' places
    int zeros_integer, zeros_fraction; // zeros that count only if other digits follow
};

static bool is_full(const struct digits *d)
{
    return d->rule <= NUMBER_READ_ZEROS ? !(d->value < 1e200)
                                        : d->mantissa >= (uint64_t)0x1999999999999998;
}

static void take_digit(struct digits *d, unsigned digit, enum part in)
{
    if (is_full(d)) {
        d->exponent += in == IN_INTEGER;
        return;
    }
    if (d->rule <= NUMBER_READ_ZEROS)
        d->value = 10 * d->value + digit;
    else
        d->mantissa = 10 * d->mantissa + digit;
    d->exponent -= in == IN_FRACTION;
}

static void take_zeros(struct digits *d)
{
    for (; d->zeros_integer; d->zeros_integer--)
        take_digit(d, 0, IN_INTEGER);
    for (; d->zeros_fraction; d->zeros_fraction--)
        take_digit(d, 0, IN_FRACTION);
}

static void take(struct digits *d, unsigned digit, enum part in)
{
    if (d->rule != NUMBER_READ_PLAIN) {
        if (digit == 0 || is_full(d)) {
            if (in == IN_INTEGER)
                d->zeros_integer++;
            else
                d->zeros_fraction++;
            return;
        }
        take_zeros(d);
    }
    take_digit(d, digit, in);
}

// Up to 1.25: the power of ten as a double, kept out of the subnormals and, where it is exact, used
// as a divisor.
static double scaled_double(double value, int exponent)
{
    enum { SMALL_NORMAL = -307, EXACT_POWER = 22 };
    if (exponent < SMALL_NORMAL) {
        exponent -= SMALL_NORMAL;
        value *= 1e-307;
    }
    if (exponent < 0 && exponent >= -EXACT_POWER)
        return value / power_of_ten(-exponent);
    return value * power_of_ten(exponent);
}

static double scaled(const struct digits *d, int exponent)
{
    exponent += d->exponent + d->zeros_integer;
    switch (d->rule) {
    case NUMBER_READ_PLAIN:
    case NUMBER_READ_ZEROS:
        return scaled_double(d->value, exponent);
    case NUMBER_READ_MANTISSA:
        return scaled_double((double)d->mantissa, exponent);
    case NUMBER_READ_EXTENDED:
        break;
    }
    return extended_to_double(extended_scale(extended_from_uint(d->mantissa), exponent));
}

bool float_text_read(enum number_float_read rule, const char *text, size_t size, double *value,
                     size_t *used)
{
    struct digits d = {.rule = rule};
    enum part in = IN_INTEGER;
    int exponent = 0, sign = 1;
    size_t i = 0;
    for (; i < size; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9') {
            if (in != IN_EXPONENT)
                take(&d, (unsigned)(c - '0'), in);
            else if (exponent < (INT_MAX / 2 - 9) / 10) // enough for 0 or infinity
                exponent = 10 * exponent + (c - '0');
        } else if (c == '.' && in == IN_INTEGER) {
            in = IN_FRACTION;
        } else if ((c | 0x20) == 'e' && in != IN_EXPONENT) {
            in = IN_EXPONENT;
            if (i + 1 < size && (text[i + 1] == '+' || text[i + 1] == '-'))
                sign = text[++i] == '-' ? -1 : 1;
            if (i + 1 == size)
                return false;
        } else if (c != '_') {
            break;
        }
    }
    *used = i;
    *value = scaled(&d, sign * exponent);
    return true;
}

// ---- Writing ----

static char *put_exponent(char *s, int e)
{
    *s++ = 'e';
    *s++ = e < 0 ? '-' : '+';
    unsigned m = (unsigned)(e < 0 ? -e : e);
    if (m >= 100)
        *s++ = (char)('0' + m / 100);
    *s++ = (char)('0' + m / 10 % 10);
    *s++ = (char)('0' + m % 10);
    return s;
}

// The exponent of the leading binary digit; -1023 for subnormals and zero.
static int binary_exponent(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (int)(bits >> 52 & 0x7ff) - 1023;
}

// Removes zeros at the end, then a point.
static char *strip(char *start, char *s)
{
    while (s > start && s[-1] == '0')
        s--;
    return s > start && s[-1] == '.' ? s - 1 : s;
}

// -- 1.26 on --

// floor(log10(v)) for v > 0, by comparing with powers of ten rounded to doubles.
static int decimal_exponent(double v)
{
    const struct extended one = extended_from_uint(1);
    int e = (int)(binary_exponent(v) * 0.3010299956639812);
    if (v < 1) {
        while (v < extended_to_double(extended_scale(one, e)))
            e--;
    } else {
        while (v >= extended_to_double(extended_scale(one, e + 1)))
            e++;
    }
    return e;
}

// The decimal mantissa of n digits, with exponent e, as text without sign.
static size_t put_mantissa(char *out, uint64_t mantissa, int n, int e)
{
    char *s = out;
    int before_point = 1;
    if (e > 0 && e < 16) {
        before_point += e;
        e = 0;
    } else if (e < 0 && e >= -4) {
        memcpy(s, "0.000", 5);
        s += 1 - e;
        before_point = n; // the point is there already
        e = 0;
    }
    for (int i = n; i-- > 0; mantissa /= 10)
        s[i + (i >= before_point)] = (char)('0' + mantissa % 10);
    s += n;
    if (before_point < n)
        s[before_point - n] = '.', s++;
    if (before_point < n || s > out + n)
        s = strip(out, s);
    return (size_t)((e ? put_exponent(s, e) : s) - out);
}

static size_t write_exact(double v, char *out)
{
    enum { FEWEST = 16, MOST = 19 };
    int e = decimal_exponent(v);
    uint64_t cap = 10000000000000000; // 10^FEWEST
    for (int n = FEWEST;; n++, cap *= 10) {
        uint64_t mantissa = extended_round(extended_scale(extended_from_double(v), n - e - 1));
        bool carried = mantissa >= cap;
        size_t size = put_mantissa(out, carried ? mantissa / 10 : mantissa, n, e + carried);
        double check;
        size_t used;
        if (n == MOST ||
            (float_text_read(NUMBER_READ_EXTENDED, out, size, &check, &used) && check == v))
            return size;
    }
}

// -- Up to 1.25: 16 digits of a value that is not negative --

enum { OLD_PRECISION = 16 };

struct old_form {
    bool fixed;   // without exponent
    int exponent; // of ten
    int places;   // digits to write
    int point;    // digits in front of the point
};

static struct old_form old_form(int e)
{
    if (e < -4 || e >= OLD_PRECISION)
        return (struct old_form){false, e, OLD_PRECISION, 1};
    if (e < 0)
        return (struct old_form){true, e, OLD_PRECISION - e, 1};
    return (struct old_form){true, e, OLD_PRECISION, e + 1};
}

// Adds one to the last digit. Returns false if all digits were 9 and are 0 now.
static bool increment(char *start, char *end)
{
    for (char *s = end - 1; s >= start; s--) {
        if (*s == '.')
            continue;
        if (*s != '9') {
            ++*s;
            return true;
        }
        *s = '0';
    }
    return false;
}

static size_t finish_old(struct old_form form, char *start, char *end, bool up)
{
    if (up && !increment(start, end)) {
        if (form.fixed)
            memmove(start + 1, start, (size_t)(end++ - start));
        else
            form.exponent++;
        *start = '1';
    }
    if (form.point < form.places)
        end = strip(start, end);
    return (size_t)((form.fixed ? end : put_exponent(end, form.exponent)) - start);
}

// 1.20 to 1.25: digits come from subtracting powers of ten.
static size_t write_divided(double v, char *out)
{
    int e = (int)(binary_exponent(v) * 0.3010299956639812);
    if (v < 1)
        while (power_of_ten(e) > v)
            e--;
    else
        while (v >= power_of_ten(e + 1))
            e++;
    struct old_form form = old_form(e);
    if (e < 0 && !form.fixed)
        v /= power_of_ten(e);
    char *s = out;
    int place = e < 0 && form.fixed ? 0 : e, digit = 0;
    for (int i = 0; i <= form.places; i++, place--) { // one more to round
        double unit = place > 0 ? power_of_ten(place) : 1;
        for (digit = 0; digit < 9 && v >= unit; digit++)
            v -= unit;
        if (place <= 0)
            v *= 10;
        if (i == form.places)
            break;
        *s++ = (char)('0' + digit);
        if (i + 1 == form.point && form.point < form.places)
            *s++ = '.';
    }
    return finish_old(form, out, s, digit >= 5);
}

// 1.19: the value is scaled to one digit before the point by a product of powers of ten.
static double normalise_plain(double v, int *e)
{
    static const double up[] = {1e256, 1e128, 1e64, 1e32, 1e16, 1e8, 1e4, 1e2, 1e1};
    static const double down[] = {1e-256, 1e-128, 1e-64, 1e-32, 1e-16, 1e-8, 1e-4, 1e-2, 1e-1};
    bool small = v < 1;
    *e = 0;
    for (int i = 0, step = 256; step; i++, step /= 2) {
        if (small && down[i] > v) {
            *e -= step;
            v *= up[i];
        } else if (!small && up[i] <= v) {
            *e += step;
            v *= down[i];
        }
    }
    if (!small && (int)v >= 10) {
        ++*e;
        v *= 0.1;
    }
    return v;
}

static size_t write_plain(double v, char *out)
{
    const double almost_one = 0.999999999995;
    if (v < 1 && v >= almost_one) {
        *out = '1';
        return 1;
    }
    int e;
    double f = normalise_plain(v, &e);
    if (f < 1 && f >= almost_one) {
        f = 1;
    } else if (f < 1) {
        e--;
        f *= 10;
    }
    struct old_form form = old_form(e);
    char *s = out;
    for (int i = 0; i < form.places; i++) {
        bool leading = form.fixed && i < -e;
        int digit = leading ? 0 : (int)f;
        *s++ = (char)('0' + digit);
        if (i + 1 == form.point && form.point < form.places)
            *s++ = '.';
        if (!leading)
            f = (f - digit) * 10;
    }
    return finish_old(form, out, s, f >= 5);
}

size_t float_text_write(enum number_float_write rule, double v, char *out)
{
    if (isnan(v)) {
        memcpy(out, "nan", 3);
        return 3;
    }
    if (signbit(v)) {
        *out = '-';
        return 1 + float_text_write(rule, -v, out + 1);
    }
    if (isinf(v)) {
        memcpy(out, "inf", 3);
        return 3;
    }
    if (v == 0) {
        *out = '0';
        return 1;
    }
    return rule == NUMBER_WRITE_EXACT     ? write_exact(v, out)
           : rule == NUMBER_WRITE_DIVIDED ? write_divided(v, out)
                                          : write_plain(v, out);
}
