#include "packer/compiler/release.h"

#include <stdlib.h>
#include <string.h>

#include "packer/compiler/compiler.h"

// Each row says in full what its release does; the newest is last.
//
// Facts: MicroPython's history of py/, and measurements with mpy-cross of each release.
static const struct compiler_release releases[] = {
    {
        .name = "1.19.1",
        .major = 1,
        .minor = 19,
        .patch = 1,
        .date = "2022-06-18",
        .sub = 0,
        .numbers = {NUMBER_READ_PLAIN, NUMBER_WRITE_PLAIN, false, false, false},
        .tuple_conditions = true,
        .arch_host = true,
    },
#define SINCE_20                                                                                   \
    .fstring_parens = true, .drops_dead_code = true, .truth_of_consts = true,                      \
    .walrus_declares = true, .knows_complex = true, .forward_slashes = true,                       \
    .open_errors_named = true
    {
        .name = "1.20.0",
        .major = 1,
        .minor = 20,
        .patch = 0,
        .date = "2023-05-02",
        .sub = 1,
        .numbers = {NUMBER_READ_ZEROS, NUMBER_WRITE_DIVIDED, false, false, false},
        SINCE_20,
        .tuple_conditions = true,
    },
#define SINCE_21                                                                                   \
    SINCE_20, .fstring_conversion = true, .async_for_stack = true, .stdin_and_dashes = true
    {
        .name = "1.21.0",
        .major = 1,
        .minor = 21,
        .patch = 0,
        .date = "2023-10-07",
        .sub = 1,
        .numbers = {NUMBER_READ_ZEROS, NUMBER_WRITE_DIVIDED, false, false, false},
        SINCE_21,
    },
#define SINCE_22 SINCE_21, .newline_position = true
    {
        .name = "1.22.1",
        .major = 1,
        .minor = 22,
        .patch = 1,
        .date = "2024-01-05",
        .sub = 2,
        .numbers = {NUMBER_READ_ZEROS, NUMBER_WRITE_DIVIDED, false, false, false},
        SINCE_22,
    },
#define SINCE_22_2 SINCE_22, .finally_return = true
    {
        .name = "1.22.2",
        .major = 1,
        .minor = 22,
        .patch = 2,
        .date = "2024-02-24",
        .sub = 2,
        .numbers = {NUMBER_READ_ZEROS, NUMBER_WRITE_DIVIDED, false, false, false},
        SINCE_22_2,
    },
    {
        .name = "1.23.0",
        .major = 1,
        .minor = 23,
        .patch = 0,
        .date = "2024-06-22",
        .sub = 3,
        .numbers = {NUMBER_READ_ZEROS, NUMBER_WRITE_DIVIDED, false, false, false},
        SINCE_22_2,
    },
#define SINCE_24 SINCE_22_2, .fstring_raw = true
    {
        .name = "1.24.1",
        .major = 1,
        .minor = 24,
        .patch = 1,
        .date = "2025-03-15",
        .sub = 3,
        .numbers = {NUMBER_READ_ZEROS, NUMBER_WRITE_DIVIDED, false, true, false},
        SINCE_24,
    },
#define SINCE_25 SINCE_24, .asm_rv32 = true
    {
        .name = "1.25.0",
        .major = 1,
        .minor = 25,
        .patch = 0,
        .date = "2025-04-19",
        .sub = 3,
        .numbers = {NUMBER_READ_MANTISSA, NUMBER_WRITE_DIVIDED, true, true, false},
        SINCE_25,
    },
#define SINCE_26 SINCE_25, .arch_checked = true
    {
        .name = "1.26.1",
        .major = 1,
        .minor = 26,
        .patch = 1,
        .date = "2025-09-13",
        .sub = 3,
        .numbers = {NUMBER_READ_EXTENDED, NUMBER_WRITE_EXACT, true, true, true},
        SINCE_26,
    },
    {
        .name = "1.27.0",
        .major = 1,
        .minor = 27,
        .patch = 0,
        .date = "2025-12-13",
        .sub = 3,
        .numbers = {NUMBER_READ_EXTENDED, NUMBER_WRITE_EXACT, true, true, true},
        SINCE_26,
        .arch_flags = 1,
    },
#define SINCE_28                                                                                   \
    SINCE_26, .fstring_in_place = true, .tstrings = true, .knows_templates = true,                 \
              .asm_xtensawin = true, .arch_flags = 3, .arch_flags_list = true
    {
        .name = "1.28.0",
        .major = 1,
        .minor = 28,
        .patch = 0,
        .date = "2026-08-11",
        .sub = 3,
        .numbers = {NUMBER_READ_EXTENDED, NUMBER_WRITE_EXACT, true, true, true},
        SINCE_28,
    },
    {
        .name = "1.29.0",
        .major = 1,
        .minor = 29,
        .patch = 0,
        .date = "2026-08-29",
        .sub = 3,
        .numbers = {NUMBER_READ_EXTENDED, NUMBER_WRITE_EXACT, true, true, true},
        SINCE_28,
        .annotated_const = true,
        .star_before_keywords = true,
        .source_lines_option = true,
        .arch_flags_c_numbers = true,
    },
};

enum { RELEASES = sizeof releases / sizeof *releases };

const struct compiler_release *compiler_release_at(unsigned i)
{
    return i < RELEASES ? &releases[i] : NULL;
}

const char *compiler_release_name(const struct compiler_release *r)
{
    return r->name;
}

// Reads "29.0" of "1.29.0-preview.12": one part and the dot before it. False if there is none.
static bool release_part(const char **s, bool dot, unsigned *out)
{
    const char *p = *s;
    if (dot && *p++ != '.') {
        return false;
    }
    if (*p < '0' || *p > '9') {
        return false;
    }
    char *end;
    unsigned long v = strtoul(p, &end, 10);
    *out = v > 9999 ? 9999 : (unsigned)v;
    *s = end;
    return true;
}

// Patch releases that have no row do what the next one in the table does, or else the last.
const struct compiler_release *compiler_release_find(const char *version)
{
    unsigned major, minor, patch = 9999;
    const struct compiler_release *found = NULL;
    version += *version == 'v';
    if (!release_part(&version, false, &major) || !release_part(&version, true, &minor)) {
        return NULL;
    }
    release_part(&version, true, &patch);
    if (*version && !strchr("-+ ", *version)) {
        return NULL;
    }
    for (const struct compiler_release *r = releases; r < releases + RELEASES; r++) {
        if (r->major == major && r->minor == minor && (!found || found->patch < patch)) {
            found = r;
        }
    }
    return found;
}
