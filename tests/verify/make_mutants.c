// Makes mutants of .mpy files: make_mutants FOLDER COUNT SEED FILE.mpy... writes up to COUNT
// mutants that the bytecode verifier accepts to FOLDER/m0.mpy, FOLDER/m1.mpy ...: whatever they do,
// a VM must survive it. Mutants that are refused must be refused with a place and a reason.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/file.h"
#include "format/mpy/check.h"
#include "tests/lib/mpy_mutate.h"

enum { MUTANTS_FILES = 64, MUTANTS_TRIES = 100 };

struct mutants {
    struct arena arena; // of the files
    struct diag diag;
    uint64_t random;
    unsigned n_files, accepted, refused;
    const struct mpy_module *files[MUTANTS_FILES];
};

static int give_up(const struct diag *d, const char *what)
{
    char text[1024];
    diag_format(d, "make_mutants", text, sizeof text);
    fprintf(stderr, "%s: %s\n", text, what);
    return 1;
}

static bool is_told(const struct diag *d)
{
    char text[1024];
    diag_format(d, "make_mutants", text, sizeof text);
    return d->code == DIAG_MALFORMED && d->text[0] && strstr(text, ": offset 0x") != NULL;
}

// One mutant: 0 refused, 1 accepted and written, -1 something is wrong.
static int make(struct mutants *m, const char *folder)
{
    struct arena a;
    struct mpy_module *read;
    struct bytes_out out;
    char path[4096];
    int result = 0;
    arena_init(&a, 0);
    diag_init(&m->diag);
    bytes_out_init(&out);
    mpy_mutate(m->files[mpy_mutate_random(&m->random, m->n_files)], &m->random, &a, &out);
    snprintf(path, sizeof path, "%s/m%u.mpy", folder, m->accepted);
    enum diag_code err = mpy_read(out.data, out.size, path, &a, &m->diag, &read);
    err = err ? err : mpy_check(read, path, &m->diag, NULL);
    if (!err) {
        result = file_write(path, out.data, out.size, FILE_DATA, true, &m->diag) ? -1 : 1;
    } else if (!is_told(&m->diag)) {
        result = -1;
    }
    arena_free(&a);
    bytes_out_free(&out);
    return result;
}

int main(int argc, char **argv)
{
    struct mutants m = {0};
    arena_init(&m.arena, 0);
    diag_init(&m.diag);
    if (argc < 5 || argc - 4 > MUTANTS_FILES) {
        fprintf(stderr, "usage: make_mutants FOLDER COUNT SEED FILE.mpy...\n");
        return 2;
    }
    unsigned count = (unsigned)strtoul(argv[2], NULL, 10);
    m.random = strtoull(argv[3], NULL, 10) * 0x9e3779b97f4a7c15u + 1;
    for (int i = 4; i < argc; i++) {
        struct file f;
        struct mpy_module *read;
        if (file_read(argv[i], &m.arena, &m.diag, &f) ||
            mpy_read(f.data, f.size, f.name, &m.arena, &m.diag, &read)) {
            return give_up(&m.diag, "cannot be read");
        }
        m.files[m.n_files++] = read;
    }
    while (m.accepted < count && m.refused < (uint64_t)count * MUTANTS_TRIES) {
        int made = make(&m, argv[1]);
        if (made < 0) {
            return give_up(&m.diag, "is neither accepted nor refused with a place");
        }
        *(made ? &m.accepted : &m.refused) += 1;
    }
    printf("%u accepted, %u refused\n", m.accepted, m.refused);
    arena_free(&m.arena);
    return 0;
}
