// Path arithmetic with the results of Python's posixpath. Pure text: nothing looks at the disk
// except path_is_dir and its like, and nothing depends on the process's current folder.
#ifndef PACKER_MANIFEST_PATH_H
#define PACKER_MANIFEST_PATH_H

#include <stdbool.h>

#include "format/arena.h"

const char *path_join(struct arena *a, const char *left, const char *right);
const char *path_norm(struct arena *a, const char *path);
// Absolute and normalised; cwd is absolute.
const char *path_abs(struct arena *a, const char *cwd, const char *path);
// path as seen from start; both are taken relative to cwd first.
const char *path_relative(struct arena *a, const char *cwd, const char *path, const char *start);
const char *path_dirname(struct arena *a, const char *path);
const char *path_basename(const char *path);
// The extension with its dot, "" if there is none: a name that only begins with dots has none.
const char *path_extension(const char *path);
// True if the extension is ext (lower case, with the dot) in any case of letters.
bool path_has_extension(const char *path, const char *ext);

bool path_exists(const char *path);
bool path_is_dir(const char *path);
bool path_is_file(const char *path);

// The entries of a folder without "." and "..", sorted by byte value.
struct path_entry {
    const char *name;
    bool is_dir; // symbolic links are followed
    bool is_link;
};
// 0, or errno. No more than `most` entries are read, whichever the system gives first. Memory
// failures are the arena's business (on_fail must be set).
int path_list(struct arena *a, const char *dir, unsigned most, struct path_entry **entries,
              unsigned *n);

// Matches one path component against a shell pattern (*, ?, [...]). dots: a wildcard also matches a
// leading dot.
bool path_match(const char *pattern, const char *name, bool dots);

#endif
