#define _GNU_SOURCE // O_TMPFILE, renameat2
#include "format/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/file.h"

enum { TEMPORARY_TRIES = 100 }; // names that are taken, by processes that were killed

static bool temporary_folder(const char *name, char folder[TEMPORARY_PATH])
{
    const char *slash = strrchr(name, '/');
    int n = slash ? snprintf(folder, TEMPORARY_PATH, "%.*s", (int)(slash - name + 1), name)
                  : snprintf(folder, TEMPORARY_PATH, ".");
    return n >= 0 && n < TEMPORARY_PATH;
}

// -1 where there is no such thing: NFS, FAT, systems that are older than Linux 3.11.
static int temporary_unnamed(const struct temporary *t)
{
#ifdef O_TMPFILE
    char folder[TEMPORARY_PATH];
    if (temporary_folder(t->name, folder)) {
        return open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, t->mode);
    }
#endif
    (void)t;
    return -1;
}

// A second name for the file; linkat's other way, AT_EMPTY_PATH, wants privileges.
static bool temporary_link(const struct temporary *t, const char *name)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", t->fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
}

// Gives the file a path beside its target; makes it if there is none yet.
static bool temporary_name(struct temporary *t)
{
    const char *slash = strrchr(t->name, '/');
    int dir = slash ? (int)(slash - t->name + 1) : 0;
    for (unsigned try = 0; try < TEMPORARY_TRIES; try++) {
        int n = snprintf(t->path, sizeof t->path, "%.*s.%.100s.%ld.%u", dir, t->name, t->name + dir,
                         (long)getpid(), try);
        if (n < 0 || (size_t)n >= sizeof t->path) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (t->fd >= 0) {
            t->named = temporary_link(t, t->path);
        } else {
            t->fd = open(t->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, t->mode);
            t->named = t->fd >= 0;
        }
        if (t->named || errno != EEXIST) {
            return t->named;
        }
    }
    return false;
}

static void temporary_failed(struct temporary *t)
{
    if (!t->error) {
        t->error = errno ? errno : EIO;
    }
}

static void temporary_fill(struct temporary *t)
{
    if (!file_put(t->fd, t->data, t->size) || (!t->unsynced && fsync(t->fd) != 0)) {
        temporary_failed(t);
    }
}

void temporary_write(struct temporary *t)
{
    t->fd = t->named ? -1 : temporary_unnamed(t);
    t->error = 0;
    if (t->fd < 0 && !temporary_name(t)) {
        temporary_failed(t);
    } else {
        temporary_fill(t);
    }
}

// A name for the file that has none; where it cannot get one (no /proc), it is written once more.
static void temporary_give_name(struct temporary *t)
{
    if (temporary_name(t)) {
        return;
    }
    close(t->fd);
    t->fd = -1;
    if (temporary_name(t)) {
        temporary_fill(t);
    } else {
        temporary_failed(t);
    }
}

// Like a rename that fails if name is taken. FAT has no links, NFS and some FUSE no such rename.
static bool temporary_move_fresh(const char *path, const char *name)
{
    if (link(path, name) == 0) {
        unlink(path);
        return true;
    }
#ifdef RENAME_NOREPLACE
    return errno != EEXIST && renameat2(AT_FDCWD, path, AT_FDCWD, name, RENAME_NOREPLACE) == 0;
#else
    return false;
#endif
}

static bool temporary_move(struct temporary *t, bool fresh)
{
    if (close(t->fd) != 0 ||
        !(fresh ? temporary_move_fresh(t->path, t->name) : rename(t->path, t->name) == 0)) {
        temporary_failed(t);
    }
    t->fd = -1;
    if (t->error) {
        unlink(t->path);
    }
    return !t->error;
}

bool temporary_install(struct temporary *t, bool fresh)
{
    if (!t->error && !t->named) {
        if (temporary_link(t, t->name)) {
            close(t->fd); // the data are on the disk: nothing is left to be told
            t->fd = -1;
            return true;
        }
        if (fresh && errno == EEXIST) {
            temporary_failed(t);
        } else {
            temporary_give_name(t);
        }
    }
    if (t->error) {
        temporary_drop(t);
        return false;
    }
    return temporary_move(t, fresh);
}

void temporary_drop(struct temporary *t)
{
    if (t->fd >= 0) {
        close(t->fd);
        t->fd = -1;
        if (t->named) {
            unlink(t->path);
        }
    }
}
