// What the user reads of an error: where, what, the source with a caret, and the advice.
#include <criterion/criterion.h>
#include <string.h>

#include "format/diag.h"

static const char *text_of(const struct diag *d)
{
    static char text[2048];
    unsigned n = diag_format(d, "prog", text, sizeof text);
    cr_assert_eq(n, strlen(text));
    return text;
}

Test(diag, a_plain_error_has_the_program_the_file_and_the_text)
{
    struct diag d;
    diag_init(&d);
    cr_expect_eq(diag_set(&d, DIAG_IO, "a.bin", "cannot be read: %s", "why"), DIAG_IO);
    cr_expect_str_eq(text_of(&d), "prog: a.bin: cannot be read: why");
    diag_init(&d);
    diag_set(&d, DIAG_USAGE, NULL, "no file is named");
    cr_expect_str_eq(text_of(&d), "prog: no file is named");
}

Test(diag, the_first_error_stays)
{
    struct diag d;
    diag_init(&d);
    diag_help(&d, "advice without an error");
    diag_source(&d, "source", 6, 0);
    cr_expect_eq(diag_set(&d, DIAG_NO, NULL, "first"), DIAG_NO);
    cr_expect_eq(diag_set(&d, DIAG_IO, "f", "second"), DIAG_IO);
    cr_expect_eq(diag_nomem(&d), DIAG_NOMEM);
    cr_expect_eq(d.code, DIAG_NO);
    cr_expect_str_eq(text_of(&d), "prog: first");
}

Test(diag, without_a_place_for_it_the_code_is_passed_on)
{
    cr_expect_eq(diag_set(NULL, DIAG_NO, NULL, "x"), DIAG_NO);
    cr_expect_eq(diag_set_text(NULL, DIAG_MALFORMED, "f", 1, 1, "x"), DIAG_MALFORMED);
    cr_expect_eq(diag_set_binary(NULL, DIAG_MALFORMED, "f", 1, "field", "x"), DIAG_MALFORMED);
    diag_help(NULL, "advice");
    diag_source(NULL, "source", 6, 0);
}

Test(diag, an_error_in_bytes_has_the_offset_and_the_field)
{
    struct diag d;
    diag_init(&d);
    diag_set_binary(&d, DIAG_MALFORMED, "p.mpy", 0x1f, "qstr length", "is %d", -1);
    cr_expect_str_eq(text_of(&d), "prog: p.mpy: offset 0x1f: qstr length: is -1");
}

Test(diag, an_error_in_text_has_the_line_with_a_caret_below_the_column)
{
    static const char source[] = "one\n\tif x\nthree";
    struct diag d;
    diag_init(&d);
    diag_set_text(&d, DIAG_MALFORMED, "m.py", 2, 6, "invalid syntax");
    diag_source(&d, source, sizeof source - 1, 8);
    diag_help(&d, "found %s", "the end of the line");
    diag_help(&d, "wanted a colon");
    cr_expect_str_eq(text_of(&d), "prog: m.py:2:6: error: invalid syntax\n"
                                  "  \tif x\n"
                                  "  \t    ^\n"
                                  "  found the end of the line\n"
                                  "  wanted a colon");
    diag_init(&d);
    diag_set_text(&d, DIAG_MALFORMED, "m.py", 1, 0, "is too long");
    diag_source(&d, source, sizeof source - 1, 0);
    cr_expect_str_eq(text_of(&d), "prog: m.py:1: error: is too long\n  one");
    diag_source(&d, source, sizeof source - 1, sizeof source); // behind the end: as it was
    cr_expect_str_eq(d.source, "one");
    diag_source(&d, source, sizeof source - 1, sizeof source - 1);
    cr_expect_str_eq(d.source, "three");
}

Test(diag, lines_and_advice_beyond_their_room_are_cut)
{
    char line[4096];
    struct diag d;
    diag_init(&d);
    memset(line, 'x', sizeof line);
    diag_set_text(&d, DIAG_MALFORMED, "m.py", 1, 1, "long");
    diag_source(&d, line, sizeof line, 2000);
    cr_expect_eq(strlen(d.source), sizeof d.source - 1);
    for (unsigned i = 0; i < 200; i++) {
        diag_help(&d, "line %u of many", i);
    }
    cr_expect_lt(strlen(d.help), sizeof d.help);
}

Test(diag, what_does_not_fit_is_counted)
{
    struct diag d;
    char small[12];
    diag_init(&d);
    diag_set(&d, DIAG_NO, "file", "a text that is longer");
    unsigned n = diag_format(&d, "prog", small, sizeof small);
    cr_expect_str_eq(small, "prog: file:");
    cr_expect_eq(n, strlen("prog: file: a text that is longer"));
    cr_expect_eq(diag_format(&d, "prog", NULL, 0), n);
}

Test(diag, what_a_terminal_would_obey_is_replaced)
{
    struct diag d;
    diag_init(&d);
    diag_set(&d, DIAG_NO, "a\x1b[2Jb\x7f", "\xc2\x9b and \xc3\xbc\r");
    cr_expect_str_eq(text_of(&d), "prog: a?[2Jb?: ?? and \xc3\xbc?");
    char end[] = {'\xc2'};
    diag_tame(end, 1); // half a character at the end
    cr_expect_eq(end[0], '\xc2');
}

Test(diag, exit_codes)
{
    cr_expect_eq(diag_exit(DIAG_OK), 0);
    cr_expect_eq(diag_exit(DIAG_NO), 1);
    cr_expect_eq(diag_exit(DIAG_USAGE), 2);
    cr_expect_eq(diag_exit(DIAG_MALFORMED), 3);
    cr_expect_eq(diag_exit(DIAG_IO), 4);
    cr_expect_eq(diag_exit(DIAG_NOMEM), 4);
    cr_expect_eq(diag_exit(DIAG_INTERNAL), 4);
}
