// Facts: parse_integer() and its callers in mpy-cross/main.c, releases 1.27 to 1.29, and
// measurements.
#include "packer/cli/arch_flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "packer/compiler/release.h"

// In the order of their bits.
static const char *const arch_flags_names[] = {"zba", "zcmp"};

enum { ARCH_FLAGS_NAMES = sizeof arch_flags_names / sizeof *arch_flags_names };

static unsigned prefix_base(const char *s)
{
    int c = s[0] == '0' ? s[1] | 0x20 : 0;
    return c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
}

static unsigned digit_value(char c)
{
    unsigned letter = (unsigned)((c | 0x20) - 'a');
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : letter < 26 ? letter + 10 : 99;
}

static const char *skip_spaces(const char *s)
{
    return s + strspn(s, " \t\n\v\f\r");
}

// The number of Python's int(), underscores anywhere. Too large ones stay too large.
static bool read_int(const char *s, unsigned base, uint64_t *value)
{
    const uint64_t large = UINT64_C(1) << 32;
    s = skip_spaces(s);
    bool negative = *s == '-';
    s += *s == '-' || *s == '+';
    s += prefix_base(s) == base ? 2 : 0;
    const char *start = s;
    for (*value = 0; *s == '_' || digit_value(*s) < base; s++) {
        *value = *s == '_' ? *value : *value * base + digit_value(*s);
        *value = *value > large ? large : *value;
    }
    if (negative && *value) {
        *value = large;
    }
    return s > start && !*skip_spaces(s);
}

// Until 1.28: what starts with 0 is hexadecimal, binary, or at most two characters long.
static bool number_of_python(const char *s, uint64_t *value)
{
    unsigned base = strlen(s) > 2 && *s == '0' ? prefix_base(s) : 10;
    return base != 0 && base != 8 && read_int(s, base, value);
}

// From 1.29 on: the prefixes of Python, then a number of C.
static bool number_of_c(const char *s, uint64_t *value)
{
    unsigned base = prefix_base(s);
    if (!base && s[0] == '0' && s[1]) {
        return false;
    }
    s += base ? 2 : 0;
    if (!*s || *s == '+') {
        return false;
    }
    char *end;
    errno = 0;
    *value = strtoul(s, &end, base ? (int)base : 10);
    return !*end && !errno;
}

static uint64_t name_bit(const char *s, size_t n)
{
    for (unsigned i = 0; i < ARCH_FLAGS_NAMES; i++) {
        if (strlen(arch_flags_names[i]) == n && memcmp(arch_flags_names[i], s, n) == 0) {
            return UINT64_C(1) << i;
        }
    }
    return 0;
}

static bool read_names(const struct compiler_release *release, const char *s, uint64_t *value)
{
    if (!release->arch_flags_list) {
        *value = name_bit(s, strnlen(s, strlen(arch_flags_names[0])));
        return *value != 0;
    }
    for (*value = 0; *s;) {
        size_t n = strcspn(s, ",");
        uint64_t bit = name_bit(s, n);
        if (!bit) {
            return false;
        }
        *value |= bit;
        s += n + (s[n] == ',');
    }
    return *value != 0;
}

bool arch_flags_read(const struct compiler_release *release, const char *text, uint32_t *flags)
{
    uint64_t value = 0;
    bool number =
        release->arch_flags_c_numbers ? number_of_c(text, &value) : number_of_python(text, &value);
    if (!number && !read_names(release, text, &value)) {
        return false;
    }
    *flags = (uint32_t)value;
    return (value & ~(uint64_t)release->arch_flags) == 0;
}
