// time_verify PRODUCT PUB.pem: milliseconds for verifying a file that is in memory, and for SHA-256
// of the same bytes plus one signature check by the same library. Prints both, tab-separated.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "format/file.h"
#include "format/sha256.h"
#include "verify/host/verify.h"

enum { RUNS = 21 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times)
{
    qsort(times, RUNS, sizeof *times, order);
    return times[RUNS / 2];
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
    for (unsigned i = 0; i < RUNS; i++) {
        uint8_t digest[32];
        static const uint8_t signature[64] = {[31] = 1, [63] = 1}; // as much work as a good one
        double begun = now();
        if (!verify(&f, key)) {
            return DIAG_NO;
        }
        ours[i] = now() - begun;
        begun = now();
        sha256(f.data, f.size, digest);
        if (verify_key_check(key, digest, sizeof digest, signature, sizeof signature)) {
            return DIAG_INTERNAL;
        }
        theirs[i] = now() - begun;
    }
    printf("%.3f\t%.3f\n", median(ours), median(theirs));
    verify_key_free(key);
    arena_free(&a);
    return 0;
}
