// Whole files in and out. Reading happens once; writing is atomic: a temporary file in the same
// folder (temporary.h), fsync, rename. "-" is standard input or output.
#ifndef FORMAT_FILE_H
#define FORMAT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/arena.h"
#include "format/diag.h"

enum {
    FILE_LIMIT = 256 << 20, // no firmware, blob or script is near it; reading more takes seconds
    FILE_WRITER_MS = 5000,  // how long a pipe may be without a writer
    FILE_PAD = 16,          // NULs after the data, for those who look ahead
};

struct file_id { // which file it is, by whatever name
    uint64_t device, inode;
    bool known; // it is a regular one that exists
};

struct file {
    const char *name; // as given; "<stdin>" for "-"
    uint8_t *data;    // FILE_PAD NULs follow data[size - 1]
    size_t size;
    struct file_id id;
};

// What a process may be started with, and what its files must not suffer from: a standard stream
// that is closed would give its number to the next file that is opened, and messages would go into
// that; a limit of file sizes would end the process, and its temporary file would stay. To be
// called first by main: what uses the missing stream fails, and so does a write above the limit.
void file_process(void);

// read() of a file that was opened with O_NONBLOCK, so that a pipe without a writer has an end:
// errno is ETIMEDOUT after FILE_WRITER_MS. A writer who is there may take his time. started:
// something was read before.
ptrdiff_t file_get(int fd, void *data, size_t size, bool started);
// write() of all the data; false: errno says why.
bool file_put(int fd, const void *data, size_t size);
// True if name means standard output.
bool file_is_stdout(const char *name);

// Reads a regular file, pipe or standard input up to FILE_LIMIT bytes. Errors: DIAG_IO.
enum diag_code file_read(const char *name, struct arena *a, struct diag *d, struct file *out);
// The same for a small text: data ends with a NUL, and that is the only one. Errors: also
// DIAG_MALFORMED.
enum diag_code file_read_text(const char *name, size_t limit, struct arena *a, struct diag *d,
                              struct file *out);

enum file_mode {
    FILE_DATA = 0666, // as the umask says
    FILE_PROGRAM = 0777,
    FILE_SECRET = 0600, // keys
};

// Replaces name atomically; "-" writes to standard output and is refused for a terminal when
// binary is true. Nothing of a failed write stays behind. Errors: DIAG_IO.
enum diag_code file_write(const char *name, const void *data, size_t size, enum file_mode mode,
                          bool binary, struct diag *d);
// What was printed to standard output has arrived there. Errors: DIAG_IO.
enum diag_code file_flush_stdout(struct diag *d);
// The same as file_write in two steps, so that the data are on their way to the disk while the
// caller still makes sure of them: file_begin writes a temporary file in the background,
// file_commit puts it in place. Without a commit nothing changes: file_drop, or the arena's end,
// takes the temporary file away. data must live until then. Standard output and devices are written
// by file_commit. Errors are told there, too; NULL (without memory) is one.
struct file_pending;
struct file_pending *file_begin(const char *name, const void *data, size_t size,
                                enum file_mode mode, bool binary, struct arena *a);
enum diag_code file_commit(struct file_pending *p, struct diag *d);
// Waits until the data are in the temporary file, so that of a commit only the new name is left to
// fail. Errors: DIAG_IO, DIAG_NOMEM (p is NULL).
enum diag_code file_await(const struct file_pending *p, struct diag *d);
void file_drop(struct file_pending *p);
// The same as file_write, but fails with DIAG_IO if name exists.
enum diag_code file_create(const char *name, const void *data, size_t size, enum file_mode mode,
                           struct diag *d);
// The file that a name leads to; never known for "-".
struct file_id file_identify(const char *name);
bool file_id_same(struct file_id a, struct file_id b);
// True if both names lead to the same existing file.
bool file_same(const char *a, const char *b);
// The permission bits of an existing file, or FILE_DATA's.
enum file_mode file_mode_of(const char *name);

#endif
