// A new file that is not in place yet. Where the file system has files without a name, it is one:
// that goes away with the process, however the process ends, and gets a name only when it is
// complete and on the disk. Elsewhere it lies beside its target under a name of its own.
#ifndef FORMAT_TEMPORARY_H
#define FORMAT_TEMPORARY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { TEMPORARY_PATH = 4096 };

struct temporary {
    const char *name; // what the file is to become
    const void *data;
    size_t size;
    mode_t mode;   // as the umask says
    bool named;    // it has a name of its own, path; may be set by the caller: that is faster
    bool unsynced; // with named: need not be on the disk when it gets its name, as it can be made
                   // again
    int fd;        // -1 = there is none
    int error;     // errno of the first failure, 0 = none
    char path[TEMPORARY_PATH];
};

// Makes the file and writes its data; failures are told by temporary_install.
void temporary_write(struct temporary *t);
// Puts the file in place of what has its name or, if fresh, only where nothing has (EEXIST). False:
// nothing has changed, nothing is left, and error says why.
bool temporary_install(struct temporary *t, bool fresh);
// Takes away what is not in place.
void temporary_drop(struct temporary *t);

#endif
