#define _DEFAULT_SOURCE // d_type
#include "packer/manifest/path.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

const char *path_join(struct arena *a, const char *left, const char *right)
{
    size_t n = strlen(left);
    if (right[0] == '/' || n == 0) {
        return arena_strndup(a, right, strlen(right));
    }
    return arena_printf(a, "%s%s%s", left, left[n - 1] == '/' ? "" : "/", right);
}

// Removes the last component of the n bytes in out (which hold no trailing slash).
static size_t path_pop(const char *out, size_t n, size_t root)
{
    while (n > root && out[n - 1] != '/') {
        n--;
    }
    return n > root ? n - 1 : n;
}

static bool path_ends_with_parent(const char *out, size_t n, size_t root)
{
    size_t last = n;
    while (last > root && out[last - 1] != '/') {
        last--;
    }
    return n - last == 2 && out[last] == '.' && out[last + 1] == '.';
}

const char *path_norm(struct arena *a, const char *path)
{
    size_t root = path[0] != '/' ? 0 : (path[1] == '/' && path[2] != '/') ? 2 : 1;
    char *out = arena_alloc(a, strlen(path) + 2);
    size_t n = root;
    memset(out, '/', root);
    for (const char *p = path; *p;) {
        size_t len = strcspn(p, "/");
        bool parent = len == 2 && p[0] == '.' && p[1] == '.';
        bool skip = len == 0 || (len == 1 && p[0] == '.');
        if (parent && n > root && !path_ends_with_parent(out, n, root)) {
            n = path_pop(out, n, root);
        } else if (!skip && !(parent && root)) {
            if (n > root) {
                out[n++] = '/';
            }
            memcpy(out + n, p, len);
            n += len;
        }
        p += len + (p[len] == '/');
    }
    if (n == 0) {
        out[n++] = '.';
    }
    out[n] = 0;
    return out;
}

const char *path_abs(struct arena *a, const char *cwd, const char *path)
{
    return path_norm(a, path_join(a, cwd, path));
}

// The length of the common leading components of two normalised absolute paths.
static size_t path_common(const char *x, const char *y)
{
    size_t common = 0, i = 0;
    for (; x[i] && x[i] == y[i]; i++) {
        if (x[i] == '/') {
            common = i;
        }
    }
    bool x_ends = !x[i] || x[i] == '/', y_ends = !y[i] || y[i] == '/';
    return x_ends && y_ends ? i : common;
}

const char *path_relative(struct arena *a, const char *cwd, const char *path, const char *start)
{
    const char *to = path_abs(a, cwd, path), *from = path_abs(a, cwd, start);
    to = strcmp(to, "/") == 0 ? "" : to;
    from = strcmp(from, "/") == 0 ? "" : from;
    size_t common = path_common(to, from);
    const char *rest = to + common + (to[common] == '/');
    size_t n = 0, up = 0;
    for (const char *p = from + common; *p; p++) {
        up += *p == '/';
    }
    char *result = arena_alloc(a, 3 * up + strlen(rest) + 2);
    for (; up > 0; up--) {
        memcpy(result + n, "../", 3);
        n += 3;
    }
    strcpy(result + n, rest);
    if (n && !*rest) {
        result[n - 1] = 0;
    }
    return *result ? result : ".";
}

const char *path_dirname(struct arena *a, const char *path)
{
    const char *base = path_basename(path);
    size_t n = (size_t)(base - path), trimmed = n;
    while (trimmed > 0 && path[trimmed - 1] == '/') {
        trimmed--;
    }
    return arena_strndup(a, path, trimmed ? trimmed : n);
}

const char *path_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *path_extension(const char *path)
{
    const char *base = path_basename(path);
    base += strspn(base, ".");
    const char *dot = strrchr(base, '.');
    return dot ? dot : base + strlen(base);
}

bool path_has_extension(const char *path, const char *ext)
{
    return strcasecmp(path_extension(path), ext) == 0;
}

bool path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool path_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool path_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int path_compare(const void *x, const void *y)
{
    return strcmp(((const struct path_entry *)x)->name, ((const struct path_entry *)y)->name);
}

// type is what the folder says of the entry: only links, and what it does not know, are looked at.
static struct path_entry path_describe(struct arena *a, const char *dir, const char *name,
                                       unsigned char type)
{
    struct path_entry e = {name, type == DT_DIR, type == DT_LNK};
    if (type == DT_LNK || type == DT_UNKNOWN) {
        const char *full = path_join(a, dir, name);
        struct stat st;
        e.is_link = lstat(full, &st) == 0 && S_ISLNK(st.st_mode);
        e.is_dir = path_is_dir(full);
    }
    return e;
}

// The names of an open folder, each behind its type and with its NUL, one behind the other; NULL
// without memory.
static char *path_read_names(struct arena *a, DIR *d, unsigned most, unsigned *count)
{
    size_t used = 0, room = 0;
    char *names = arena_alloc(a, 0);
    for (struct dirent *e; names && *count < most && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        size_t len = strlen(e->d_name) + 1;
        if (room - used < 1 + len) {
            names = arena_grow(a, names, used, 2 * room + 1 + len);
            room = 2 * room + 1 + len;
        }
        if (names) {
            names[used] = (char)e->d_type;
            memcpy(names + used + 1, e->d_name, len);
            used += 1 + len;
            ++*count;
        }
    }
    return names;
}

int path_list(struct arena *a, const char *dir, unsigned most, struct path_entry **entries,
              unsigned *n)
{
    *entries = NULL;
    *n = 0;
    DIR *d = opendir(dir);
    if (!d) {
        return errno;
    }
    jmp_buf *on_fail = a->on_fail; // the folder must be closed before anything jumps
    a->on_fail = NULL;
    char *name = path_read_names(a, d, most, n);
    a->on_fail = on_fail;
    closedir(d);
    *entries = name ? ARENA_ARRAY(a, struct path_entry, *n) : NULL;
    if (!*entries) {
        *n = 0;
        return ENOMEM;
    }
    for (unsigned i = 0; i < *n; i++, name += 1 + strlen(name + 1) + 1) {
        (*entries)[i] = path_describe(a, dir, name + 1, (unsigned char)*name);
    }
    qsort(*entries, *n, sizeof **entries, path_compare);
    return 0;
}

bool path_match(const char *pattern, const char *name, bool dots)
{
    return fnmatch(pattern, name, FNM_NOESCAPE | (dots ? 0 : FNM_PERIOD)) == 0;
}
