// A library to preload: the call of the kind FAULT_KIND that comes FAULT_AT-th (from 1) fails. With
// FAULT_COUNT=FILE the number of calls of that kind is written there when the program ends.
// FAULT_KIND: malloc (with calloc and realloc), write, fsync, rename, open, close.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

// glibc's own entry points: dlsym would allocate while malloc is being resolved.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static const char *kind;
static long fail_at, seen;
static int ready; // set once main's program runs: the loader's own calls do not count

__attribute__((constructor)) static void inject_start(void)
{
    kind = getenv("FAULT_KIND");
    const char *at = getenv("FAULT_AT");
    fail_at = at ? atol(at) : 0;
    ready = kind != NULL;
}

__attribute__((destructor)) static void inject_end(void)
{
    const char *file = getenv("FAULT_COUNT");
    ready = 0;
    if (!file) {
        return;
    }
    int fd = (int)open(file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd >= 0) {
        dprintf(fd, "%ld\n", seen);
        close(fd);
    }
}

static int inject(const char *what, int error)
{
    if (!ready || strcmp(kind, what) != 0 || ++seen != fail_at) {
        return 0;
    }
    errno = error;
    return 1;
}

void *malloc(size_t size)
{
    return inject("malloc", ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return inject("malloc", ENOMEM) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return inject("malloc", ENOMEM) ? NULL : __libc_realloc(p, size);
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
    return inject("rename", EACCES) ? -1 : real(from, to);
}

int open(const char *name, int flags, ...)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return inject("open", EACCES) ? -1 : real(name, flags, mode);
}
