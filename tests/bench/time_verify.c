// time_verify PRODUCT PUB.pem: milliseconds of CPU time for verifying a file that is in memory, and
// for SHA-256 of the same bytes plus one signature check by the same library. Prints both,
// tab-separated.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "format/file.h"
#include "format/sha256.h"
#include "verify/host/verify.h"

enum { RUNS = 51 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quiet(double *times)
{
    qsort(times, RUNS, sizeof *times, order);
    return times[RUNS / 4]; // what is above is other programs: caches, frequency
}

static bool verify(const struct file *f, struct verify_key *key)
{
    struct arena a;
    struct diag d;
    struct verify_report report;
    struct verify_request rq = {.data = f->data,
                                .size = f->size,
                                .name = f->name,
                                .keys = &key,
                                .n_keys = 1,
                                .allow_published = true};
    arena_init(&a, 0);
    diag_init(&d);
    enum diag_code err = verify_image(&rq, &a, &d, &report);
    arena_free(&a);
    return !err && report.result == VERIFY_VERIFIED;
}

int main(int argc, char **argv)
{
    struct arena a;
    struct diag d;
    struct file f;
    struct verify_key *key;
    double ours[RUNS], theirs[RUNS];
    arena_init(&a, 0);
    diag_init(&d);
    if (argc != 3 || file_read(argv[1], &a, &d, &f) || verify_key_read(argv[2], &d, &key)) {
        return DIAG_USAGE;
    }
    struct image *img;
    struct blob *blob;
    if (image_read(f.data, f.size, f.name, IMAGE_AUTO, &a, &d, &img) ||
        blob_find(img, &a, &d, &blob) || !blob || !blob->n_signatures) {
        return DIAG_MALFORMED;
    }
    for (unsigned i = 0; i < RUNS; i++) {
        uint8_t digest[32];
        double begun = now();
        if (!verify(&f, key)) {
            return DIAG_NO;
        }
        ours[i] = now() - begun;
        begun = now();
        sha256(f.data, f.size, digest);
        const struct blob_signature *s = &blob->signatures[0];
        if (verify_key_check(key, blob->layout.bytes, BLOB_HEADER, s->data, s->size)) {
            return DIAG_INTERNAL;
        }
        theirs[i] = now() - begun;
    }
    printf("%.3f\t%.3f\n", quiet(ours), quiet(theirs));
    verify_key_free(key);
    arena_free(&a);
    return 0;
}
