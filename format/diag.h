// Errors as values. A function that can fail returns an enum diag_code and describes the first
// failure in a struct diag; only the commands print it and turn the code into an exit code.
#ifndef FORMAT_DIAG_H
#define FORMAT_DIAG_H

#include <stdbool.h>
#include <stdint.h>

// The values are the exit codes of the programs; DIAG_NOMEM and DIAG_INTERNAL leave as 4.
enum diag_code {
    DIAG_OK = 0,
    DIAG_NO = 1,    // the question was understood, the answer is no (bad signature, does not fit)
    DIAG_USAGE = 2, // the command line is wrong
    DIAG_MALFORMED = 3, // an input does not have the form it must have (a syntax error included)
    DIAG_IO = 4,        // the operating system refused
    DIAG_UNSIGNED = 5,  // nothing is wrong, but nobody signed
    DIAG_NOMEM = 6,     // memory, or a limit on it, is exhausted
    DIAG_INTERNAL = 7,  // our own check of our own output failed; nothing was written
};

enum diag_where {
    DIAG_NOWHERE, // the message is about the file or the command as a whole
    DIAG_TEXT,    // line (and column, 0 = unknown), both from 1
    DIAG_BINARY,  // byte offset and the name of the field there
};

enum { DIAG_TEXT_MAX = 512, DIAG_HELP_MAX = 768, DIAG_FILE_MAX = 512, DIAG_SOURCE_MAX = 240 };

struct diag {
    enum diag_code code;
    enum diag_where where;
    char file[DIAG_FILE_MAX]; // "" = no file
    uint32_t line, column;    // DIAG_TEXT
    uint64_t offset;          // DIAG_BINARY
    const char *field;        // DIAG_BINARY: static text
    char text[DIAG_TEXT_MAX]; // what is wrong, one line, no full stop
    char help[DIAG_HELP_MAX]; // what was found, what is allowed, what to do; may hold newlines; ""
                              // = none
    char source[DIAG_SOURCE_MAX]; // DIAG_TEXT: the source line for the caret; "" = none
};

#define DIAG_PRINTF(f, a) __attribute__((format(printf, f, a)))

// Clears d; every command starts with this.
void diag_init(struct diag *d);

// Records a failure if none is recorded yet (the first one wins) and returns code, so that
// `return diag_set(...)` reads well. d may be NULL: then only the code is passed on.
enum diag_code diag_set(struct diag *d, enum diag_code code, const char *file, const char *fmt, ...)
    DIAG_PRINTF(4, 5);
enum diag_code diag_set_text(struct diag *d, enum diag_code code, const char *file, uint32_t line,
                             uint32_t column, const char *fmt, ...) DIAG_PRINTF(6, 7);
enum diag_code diag_set_binary(struct diag *d, enum diag_code code, const char *file,
                               uint64_t offset, const char *field, const char *fmt, ...)
    DIAG_PRINTF(6, 7);
enum diag_code diag_nomem(struct diag *d);

// A static analyzer sees one file at a time: it must be told that these return the code given.
#ifdef DIAG_ANALYZED
#define diag_set(d, code, ...) ((void)diag_set(d, code, __VA_ARGS__), code)
#define diag_set_text(d, code, ...) ((void)diag_set_text(d, code, __VA_ARGS__), code)
#define diag_set_binary(d, code, ...) ((void)diag_set_binary(d, code, __VA_ARGS__), code)
#define diag_nomem(d) ((void)diag_nomem(d), DIAG_NOMEM)
#endif

// Adds a line to the help of the recorded failure: "found ...", "allowed ...", "do ...".
void diag_help(struct diag *d, const char *fmt, ...) DIAG_PRINTF(2, 3);

// Copies the line that holds source[at] (without its end) into d->source for the caret.
void diag_source(struct diag *d, const char *source, uint64_t size, uint64_t at);

// Replaces what a terminal would obey (control characters but for line ends and tabs, escapes of
// UTF-8 included) by '?'. Names come from files that somebody else made.
void diag_tame(char *text, uint64_t size);

// The process exit code for c.
int diag_exit(enum diag_code c);

// Formats the whole message as the command line shows it, with the program's name in front, into
// buf (always terminated). Returns the length it needed.
unsigned diag_format(const struct diag *d, const char *program, char *buf, unsigned size);

#endif
