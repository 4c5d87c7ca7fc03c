// A library to preload: the call of the kind FAULT_KIND that comes FAULT_AT-th (from 1) fails. With
// FAULT_COUNT=FILE the number of calls of that kind, and of allocations that are not freed, is
// written there when the program ends.
//
// FAULT_AT=all is for malloc, which touches no files: at every call a copy of the process is forked
// in which it fails, while the process itself goes on; so every failure costs only what comes after
// it. Each copy must end with exit code 4 and words in FAULT_LOG and leave nothing in the folder
// FAULT_OUT, or end with 0 and leave nothing but a file equal to FAULT_GOOD; and must have freed
// what it allocated but for FAULT_LIVE blocks. What does not hold is told in FAULT_WRONG. A
// temporary file that was there before the fork, which its name tells by the process id in it,
// stays the process's own: the copies neither take it away nor move it.
//
// FAULT_KIND: malloc (calloc, realloc and posix_memalign, too), read, write, fsync, rename, link
// (linkat, too), open, close, stat (fstat, too).
//
// FAULT_UNNAMED=none is a file system without unnamed files, FAULT_UNNAMED=fat one without hard
// links, too; FAULT_UNNAMED=stuck one, or a system without /proc, where they cannot be given a
// name.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INJECT_SECONDS = 60, INJECT_LEAK = 98 };

// glibc's own entry points: dlsym would allocate while malloc is being resolved.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static const char *kind;
static long fail_at, seen, live;
static int ready; // set once main's program runs: the loader's own calls do not count
static int fork_all, is_copy;
static const char *unnamed;
static char own[32]; // what the names of the process's own temporary files have in them

__attribute__((constructor)) static void inject_start(void)
{
    kind = getenv("FAULT_KIND");
    unnamed = getenv("FAULT_UNNAMED");
    const char *at = getenv("FAULT_AT");
    fork_all = at && strcmp(at, "all") == 0;
    fail_at = at && !fork_all ? atol(at) : 0;
    live = 0;
    snprintf(own, sizeof own, ".%ld.", (long)getpid());
    ready = kind != NULL;
}

static void inject_leaks(void)
{
    const char *most = getenv("FAULT_LIVE");
    if (most && live > atol(most)) {
        dprintf(2, "%ld allocations are not freed\n", live);
        _exit(INJECT_LEAK);
    }
}

__attribute__((destructor)) static void inject_end(void)
{
    const char *file = getenv("FAULT_COUNT");
    int was = ready;
    ready = 0;
    if (is_copy) {
        inject_leaks();
    } else if (file && was) {
        int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (fd >= 0) {
            dprintf(fd, "%ld %ld\n", seen, live);
            close(fd);
        }
    }
}

static int inject_equal(const char *a, const char *b)
{
    static char x[65536], y[65536];
    int one = open(a, O_RDONLY), two = open(b, O_RDONLY), same = one >= 0 && two >= 0;
    ssize_t n = 1;
    while (same && n > 0) {
        n = read(one, x, sizeof x);
        same = n >= 0 && read(two, y, sizeof y) == n && memcmp(x, y, (size_t)n) == 0;
    }
    close(one);
    close(two);
    return same;
}

// Empties the folder; the number of files that were there, those equal to FAULT_GOOD not counted.
static int inject_left(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            !strstr(e->d_name, own)) {
            n += !inject_equal(path, getenv("FAULT_GOOD"));
            unlink(path);
        }
    }
    if (d) {
        closedir(d);
    }
    return n;
}

static const char *inject_judge(int status, int *code)
{
    struct stat log;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    if (inject_left(getenv("FAULT_OUT"))) {
        return "left something behind, exit code";
    }
    if (!WIFEXITED(status)) {
        return "killed by signal";
    }
    if (*code != 0 && *code != 4) {
        return "exit code";
    }
    if (*code == 4 && (stat(getenv("FAULT_LOG"), &log) != 0 || log.st_size == 0)) {
        return "failed without a word, exit code";
    }
    return NULL;
}

// Forks the copy in which this call fails; 1 in the copy.
static int inject_copy(void)
{
    int status, code = 0;
    ready = 0;
    pid_t pid = fork();
    if (pid == 0) {
        int log = open(getenv("FAULT_LOG"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
        dup2(log, 2);
        close(log);
        is_copy = 1;
        alarm(INJECT_SECONDS);
        return 1;
    }
    const char *wrong = pid < 0 || waitpid(pid, &status, 0) != pid ? "cannot be forked, code"
                                                                   : inject_judge(status, &code);
    if (wrong) {
        int fd = open(getenv("FAULT_WRONG"), O_WRONLY | O_CREAT | O_APPEND, 0666);
        dprintf(fd, "%s %ld: %s %d\n", kind, seen, wrong, pid < 0 ? errno : code);
        close(fd);
    }
    ready = 1;
    return 0;
}

static int inject(const char *what, int error)
{
    if (!ready || strcmp(kind, what) != 0) {
        return 0;
    }
    seen++;
    if (fork_all ? !inject_copy() : seen != fail_at) {
        return 0;
    }
    errno = error;
    return 1;
}

void *malloc(size_t size)
{
    void *p = inject("malloc", ENOMEM) ? NULL : __libc_malloc(size);
    live += p != NULL;
    return p;
}

void *calloc(size_t n, size_t size)
{
    void *p = inject("malloc", ENOMEM) ? NULL : __libc_calloc(n, size);
    live += p != NULL;
    return p;
}

void *realloc(void *old, size_t size)
{
    void *p = inject("malloc", ENOMEM) ? NULL : __libc_realloc(old, size);
    live += p && !old;
    return p;
}

void free(void *p)
{
    live -= p != NULL;
    __libc_free(p);
}

int posix_memalign(void **p, size_t align, size_t size)
{
    int (*real)(void **, size_t, size_t) = dlsym(RTLD_NEXT, "posix_memalign");
    int error = inject("malloc", ENOMEM) ? ENOMEM : real(p, align, size);
    live += error == 0;
    return error;
}

ssize_t read(int fd, void *data, size_t size)
{
    ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
    return inject("read", EIO) ? -1 : real(fd, data, size);
}

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    return inject("write", ENOSPC) ? -1 : real(fd, data, size);
}

int fsync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    return inject("fsync", EIO) ? -1 : real(fd);
}

int close(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    int result = real(fd);
    return inject("close", EIO) ? -1 : result;
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    if (is_copy && strstr(from, own)) {
        return link(from, to);
    }
    return inject("rename", EACCES) ? -1 : real(from, to);
}

static int inject_is(const char *what)
{
    return unnamed && strcmp(unnamed, what) == 0;
}

int link(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "link");
    if (inject_is("fat")) {
        errno = EPERM;
        return -1;
    }
    return inject("link", EACCES) ? -1 : real(from, to);
}

// In place of a link to an unnamed file, which is the process's own and can be linked only once.
static int inject_twin(const char *from, const char *to)
{
    static char data[65536];
    int in = open(from, O_RDONLY), out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL, 0666);
    int error = errno;
    for (ssize_t n; out >= 0 && (n = read(in, data, sizeof data)) > 0;) {
        if (write(out, data, (size_t)n) != n) {
            _exit(INJECT_LEAK);
        }
    }
    close(in);
    close(out);
    errno = error;
    return out < 0 ? -1 : 0;
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    int (*real)(int, const char *, int, const char *, int) = dlsym(RTLD_NEXT, "linkat");
    if (inject("link", EACCES)) {
        return -1;
    }
    if (inject_is("stuck")) {
        errno = ENOENT;
        return -1;
    }
    return is_copy ? inject_twin(from, to) : real(from_dir, from, to_dir, to, flags);
}

int unlink(const char *name)
{
    int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
    return is_copy && strstr(name, own) ? 0 : real(name);
}

int fstat(int fd, struct stat *st)
{
    int (*real)(int, struct stat *) = dlsym(RTLD_NEXT, "fstat");
    return inject("stat", EIO) ? -1 : real(fd, st);
}

int stat(const char *name, struct stat *st)
{
    int (*real)(const char *, struct stat *) = dlsym(RTLD_NEXT, "stat");
    return inject("stat", EACCES) ? -1 : real(name, st);
}

int open(const char *name, int flags, ...)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    if ((flags & O_TMPFILE) == O_TMPFILE && (inject_is("none") || inject_is("fat"))) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return inject("open", EACCES) ? -1 : real(name, flags, mode);
}
