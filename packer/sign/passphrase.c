// Passphrases: from a file, the environment or the terminal; never from the command line, which
// every user of a machine can read.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "format/file.h"
#include "packer/sign/internal.h"

static const char passphrase_variable[] = "MPY_FREEZE_PASSPHRASE";

bool sign_passphrase_given(const struct sign_passphrase *pass)
{
    return pass->file || getenv(passphrase_variable);
}

// Reads one line without its end. Errors: DIAG_IO, DIAG_USAGE when it is too long.
static enum diag_code passphrase_line(int fd, const char *name, struct diag *d, char *text)
{
    size_t n = 0;
    for (;;) {
        char c;
        ptrdiff_t got = file_get(fd, &c, 1, n > 0);
        if (got < 0 && errno == ETIMEDOUT) {
            return diag_set(d, DIAG_IO, name, "is a pipe that nobody writes to");
        }
        if (got < 0) {
            return diag_set(d, DIAG_IO, name, "cannot read: %s", strerror(errno));
        }
        if (got == 0 || c == '\n') {
            break;
        }
        if (n + 1 == SIGN_PASSPHRASE_MAX || c == 0) {
            return diag_set(d, DIAG_USAGE, name, "a passphrase has at most %d bytes and no NUL",
                            SIGN_PASSPHRASE_MAX - 1);
        }
        text[n++] = c;
    }
    n -= n > 0 && text[n - 1] == '\r';
    text[n] = 0;
    return DIAG_OK;
}

static enum diag_code passphrase_file(const char *name, struct diag *d, char *text)
{
    int fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return diag_set(d, DIAG_IO, name, "cannot open: %s", strerror(errno));
    }
    enum diag_code err = passphrase_line(fd, name, d, text);
    if (fd != STDIN_FILENO) {
        close(fd);
    }
    return err;
}

static enum diag_code passphrase_ask(int tty, const char *prompt, const char *what, struct diag *d,
                                     char *text)
{
    struct termios old, quiet;
    if (tcgetattr(tty, &old) != 0) {
        return diag_set(d, DIAG_IO, "/dev/tty", "is not a terminal");
    }
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(tty, TCSAFLUSH, &quiet); // before the prompt: it drops what was typed so far
    dprintf(tty, "%s %s: ", prompt, what);
    enum diag_code err = passphrase_line(tty, "/dev/tty", d, text);
    tcsetattr(tty, TCSAFLUSH, &old);
    dprintf(tty, "\n");
    return err;
}

static enum diag_code passphrase_prompt(const char *what, bool twice, struct diag *d, char *text)
{
    char again[SIGN_PASSPHRASE_MAX];
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0) {
        enum diag_code err = diag_set(d, DIAG_USAGE, what, "a passphrase is needed");
        diag_help(d, "give it with --passphrase-file FILE or in %s", passphrase_variable);
        return err;
    }
    enum diag_code err = passphrase_ask(tty, "Passphrase of", what, d, text);
    if (!err && twice) {
        err = passphrase_ask(tty, "Again, the passphrase of", what, d, again);
        if (!err && strcmp(text, again) != 0) {
            err = diag_set(d, DIAG_USAGE, what, "the two passphrases differ");
        }
        mbedtls_platform_zeroize(again, sizeof again);
    }
    close(tty);
    return err;
}

enum diag_code sign_passphrase_get(const struct sign_passphrase *pass, const char *what, bool twice,
                                   struct diag *d, char text[SIGN_PASSPHRASE_MAX])
{
    const char *variable = getenv(passphrase_variable);
    text[0] = 0;
    if (pass->file) {
        return passphrase_file(pass->file, d, text);
    }
    if (variable) {
        if (strlen(variable) >= SIGN_PASSPHRASE_MAX) {
            return diag_set(d, DIAG_USAGE, passphrase_variable, "has more than %d bytes",
                            SIGN_PASSPHRASE_MAX - 1);
        }
        strcpy(text, variable);
        return DIAG_OK;
    }
    if (pass->prompt) {
        return passphrase_prompt(what, twice, d, text);
    }
    enum diag_code err = diag_set(d, DIAG_USAGE, what, "is encrypted and no passphrase was given");
    diag_help(d, "give it with --passphrase-file FILE or in %s", passphrase_variable);
    return err;
}
