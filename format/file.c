#include "format/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/task.h"
#include "format/temporary.h"

void file_process(void)
{
    static const int wrong_way[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null", wrong_way[fd]); // gets the lowest number that is free: fd
        }
    }
    (void)signal(SIGXFSZ, SIG_IGN);
}

static enum diag_code file_error(struct diag *d, const char *name, const char *what)
{
    return diag_set(d, DIAG_IO, name, "%s: %s", what, strerror(errno));
}

ptrdiff_t file_get(int fd, void *data, size_t size, bool started)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (;;) {
        ssize_t n = read(fd, data, size);
        struct stat st;
        bool known = n <= 0 && fstat(fd, &st) == 0;
        if (n < 0 && errno == EAGAIN && !(known && S_ISREG(st.st_mode))) { // /proc/kmsg is regular
            (void)poll(&p, 1, -1);
        } else if (n == 0 && !started && known && S_ISFIFO(st.st_mode)) {
            int ready = poll(&p, 1, FILE_WRITER_MS);
            if (ready == 0) {
                errno = ETIMEDOUT;
                return -1;
            }
            if (ready > 0 && !(p.revents & POLLIN)) {
                return 0; // a writer came and left
            }
        } else if (n >= 0 || errno != EINTR) {
            return n;
        }
    }
}

// Reads fd to its end; hint is the size if it is known, else 0. Pipes have no size, so the buffer
// doubles.
static enum diag_code file_drain(int fd, size_t hint, struct arena *a, struct diag *d,
                                 struct file *out)
{
    size_t cap = hint ? hint + 1 : 65536, size = 0;
    uint8_t *data = arena_alloc(a, cap + FILE_PAD);
    for (;;) {
        if (!data) {
            return diag_nomem(d);
        }
        ssize_t n = file_get(fd, data + size, cap - size, size > 0);
        if (n < 0 && errno == ETIMEDOUT) {
            return diag_set(d, DIAG_IO, out->name, "is a pipe that nobody writes to");
        }
        if (n < 0) {
            return file_error(d, out->name, "cannot read");
        }
        if (n == 0) {
            break;
        }
        size += (size_t)n;
        if (size == hint && size < cap) {
            break; // all that the file has, and more was asked for
        }
        if (size > FILE_LIMIT) {
            return diag_set(d, DIAG_IO, out->name, "is larger than %d bytes", FILE_LIMIT);
        }
        if (size == cap) {
            data = arena_grow(a, data, cap + FILE_PAD, cap * 2 + 4096 + FILE_PAD);
            cap = cap * 2 + 4096;
        }
    }
    memset(data + size, 0, FILE_PAD);
    out->data = data;
    out->size = size;
    return DIAG_OK;
}

static struct file_id file_id_of(const struct stat *st)
{
    return (struct file_id){(uint64_t)st->st_dev, (uint64_t)st->st_ino, S_ISREG(st->st_mode)};
}

enum diag_code file_read(const char *name, struct arena *a, struct diag *d, struct file *out)
{
    bool is_stdin = strcmp(name, "-") == 0;
    *out = (struct file){.name = is_stdin ? "<stdin>" : name};
    int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return file_error(d, name, "cannot open");
    }
    struct stat st;
    enum diag_code err = DIAG_OK;
    if (fstat(fd, &st) != 0) {
        err = file_error(d, name, "cannot read");
    } else if (S_ISDIR(st.st_mode)) {
        err = diag_set(d, DIAG_IO, name, "is a folder, a file is needed");
    } else if (S_ISREG(st.st_mode) && st.st_size > FILE_LIMIT) {
        err = diag_set(d, DIAG_IO, name, "has %lld bytes, at most %d are allowed",
                       (long long)st.st_size, FILE_LIMIT);
    } else {
        out->id = is_stdin ? out->id : file_id_of(&st);
        err = file_drain(fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : 0, a, d, out);
    }
    if (!is_stdin) {
        close(fd);
    }
    return err;
}

enum diag_code file_read_text(const char *name, size_t limit, struct arena *a, struct diag *d,
                              struct file *out)
{
    enum diag_code err = file_read(name, a, d, out);
    const uint8_t *nul = err ? NULL : memchr(out->data, 0, out->size);
    if (!err && out->size > limit) {
        return diag_set(d, DIAG_MALFORMED, out->name, "has %zu bytes, at most %zu are allowed",
                        out->size, limit);
    }
    if (nul) {
        return diag_set_binary(d, DIAG_MALFORMED, out->name, (uint64_t)(nul - out->data), "text",
                               "a NUL byte; only text is allowed");
    }
    return err;
}

bool file_put(int fd, const void *from, size_t size)
{
    const uint8_t *data = from;
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        data += n;
        size -= (size_t)n;
    }
    return true;
}

enum diag_code file_flush_stdout(struct diag *d)
{
    return fflush(stdout) != 0 || ferror(stdout) ? file_error(d, "<stdout>", "cannot write")
                                                 : DIAG_OK;
}

static enum diag_code file_to_stdout(const void *data, size_t size, bool binary, struct diag *d)
{
    if (binary && isatty(STDOUT_FILENO)) {
        return diag_set(d, DIAG_USAGE, NULL,
                        "binary output is not written to a terminal; redirect it or use -o FILE");
    }
    fflush(stdout);
    return file_put(STDOUT_FILENO, data, size) ? DIAG_OK
                                               : file_error(d, "<stdout>", "cannot write");
}

// The rename reaches the disk with its folder. A folder that cannot be synced is not an error of
// the file: some file systems refuse it.
static void file_sync_folder(const char *name)
{
    char dir[4096];
    const char *slash = strrchr(name, '/');
    int n = slash ? snprintf(dir, sizeof dir, "%.*s", (int)(slash - name + 1), name)
                  : snprintf(dir, sizeof dir, ".");
    if (n < 0 || (size_t)n >= sizeof dir) {
        return;
    }
    int fd = open(dir, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

static enum diag_code file_unwritten(const struct temporary *t, bool made, struct diag *d)
{
    errno = t->error;
    return file_error(d, t->name, made ? "cannot write" : "cannot create");
}

// Puts the new file in place, on the disk, too.
static enum diag_code file_settle(struct temporary *t, bool fresh, struct diag *d)
{
    bool made = t->fd >= 0;
    if (!temporary_install(t, fresh)) {
        return file_unwritten(t, made, d);
    }
    file_sync_folder(t->name);
    return DIAG_OK;
}

// /dev/stdout leads to the file behind it, where there is one: replacing that would replace the
// name in /dev.
bool file_is_stdout(const char *name)
{
    return strcmp(name, "-") == 0 || strcmp(name, "/dev/stdout") == 0 ||
           strcmp(name, "/dev/fd/1") == 0 || strcmp(name, "/proc/self/fd/1") == 0;
}

static struct temporary file_temporary(const char *name, const void *data, size_t size,
                                       enum file_mode mode)
{
    return (struct temporary){.name = name, .data = data, .size = size, .mode = mode, .fd = -1};
}

static enum diag_code file_install(const char *name, const void *data, size_t size,
                                   enum file_mode mode, bool fresh, struct diag *d)
{
    struct temporary t = file_temporary(name, data, size, mode);
    temporary_write(&t);
    return file_settle(&t, fresh, d);
}

// A folder, a device or a pipe (/dev/null, /dev/stdout): none can be replaced by a rename.
static bool file_is_special(const char *name, mode_t *mode)
{
    struct stat st;
    bool special = stat(name, &st) == 0 && !S_ISREG(st.st_mode);
    *mode = special ? st.st_mode : 0;
    return special;
}

static enum diag_code file_write_special(const char *name, mode_t mode, const void *data,
                                         size_t size, struct diag *d)
{
    if (S_ISDIR(mode)) {
        return diag_set(d, DIAG_IO, name, "is a folder, a file name is needed");
    }
    int fd = open(name, O_WRONLY | O_CLOEXEC | O_NONBLOCK); // fails if nobody reads a pipe
    int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
    bool ok =
        flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 && file_put(fd, data, size);
    enum diag_code err = ok ? DIAG_OK : file_error(d, name, "cannot write");
    if (fd >= 0 && close(fd) != 0 && ok) {
        err = file_error(d, name, "cannot write");
    }
    return err;
}

enum diag_code file_write(const char *name, const void *data, size_t size, enum file_mode mode,
                          bool binary, struct diag *d)
{
    mode_t special;
    if (file_is_stdout(name)) {
        return file_to_stdout(data, size, binary, d);
    }
    if (file_is_special(name, &special)) {
        return file_write_special(name, special, data, size, d);
    }
    return file_install(name, data, size, mode, false, d);
}

struct file_pending {
    struct temporary temporary;
    bool binary;
    bool begun; // else everything is left to the commit
    struct task *task;
};

static void file_pending_run(void *argument)
{
    struct file_pending *p = argument;
    temporary_write(&p->temporary);
}

static void file_pending_end(void *argument)
{
    struct file_pending *p = argument;
    temporary_drop(&p->temporary);
}

struct file_pending *file_begin(const char *name, const void *data, size_t size,
                                enum file_mode mode, bool binary, struct arena *a)
{
    mode_t special;
    struct file_pending *p = ARENA_NEW(a, struct file_pending);
    if (!p) {
        return NULL;
    }
    p->temporary = file_temporary(name, data, size, mode);
    p->binary = binary;
    p->begun = !file_is_stdout(name) && !file_is_special(name, &special);
    if (p->begun) {
        p->task = task_start_apart(a, file_pending_run, file_pending_end, p);
        p->begun = p->task != NULL;
    }
    return p;
}

enum diag_code file_commit(struct file_pending *p, struct diag *d)
{
    if (!p) {
        return diag_nomem(d);
    }
    if (!p->begun) {
        const struct temporary *t = &p->temporary;
        return file_write(t->name, t->data, t->size, (enum file_mode)t->mode, p->binary, d);
    }
    task_wait(p->task);
    return file_settle(&p->temporary, false, d);
}

enum diag_code file_await(const struct file_pending *p, struct diag *d)
{
    if (!p) {
        return diag_nomem(d);
    }
    if (!p->begun) {
        return DIAG_OK;
    }
    task_wait(p->task);
    const struct temporary *t = &p->temporary;
    return t->error ? file_unwritten(t, t->fd >= 0, d) : DIAG_OK;
}

void file_drop(struct file_pending *p)
{
    if (p && p->begun) {
        task_wait(p->task);
        temporary_drop(&p->temporary);
    }
}

enum diag_code file_create(const char *name, const void *data, size_t size, enum file_mode mode,
                           struct diag *d)
{
    return file_install(name, data, size, mode, true, d);
}

struct file_id file_identify(const char *name)
{
    struct stat st;
    return strcmp(name, "-") != 0 && stat(name, &st) == 0 ? file_id_of(&st) : (struct file_id){0};
}

bool file_id_same(struct file_id a, struct file_id b)
{
    return a.known && b.known && a.device == b.device && a.inode == b.inode;
}

bool file_same(const char *a, const char *b)
{
    return file_id_same(file_identify(a), file_identify(b));
}

enum file_mode file_mode_of(const char *name)
{
    struct stat st;
    return stat(name, &st) == 0 && (st.st_mode & 0111) ? FILE_PROGRAM : FILE_DATA;
}
