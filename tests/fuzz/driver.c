// A main for targets without libFuzzer: runs files (or all files of folders), which also is what
// AFL++ wants, or writes the target's seeds with --seeds FOLDER. With --quick an input that takes
// more processor time than a second per 100 KB, or for less than that a second, fails; FUZZ_SECONDS
// in the environment says how many seconds instead, for machines that are shared. What does not
// repeat was not the input's fault: the shortest of three times counts.
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/fuzz/fuzz.h"

enum { DRIVER_PATH = 4096, DRIVER_SECOND = 100000 };

static bool quick;

static int driver_seeds(const char *folder)
{
    for (unsigned i = 0; fuzz_seed; i++) {
        struct bytes_out out;
        char path[DRIVER_PATH];
        bytes_out_init(&out);
        if (!fuzz_seed(i, &out)) {
            bytes_out_free(&out);
            break;
        }
        snprintf(path, sizeof path, "%s/seed-%03u", folder, i);
        FILE *f = fopen(path, "wb");
        bool ok = f && fwrite(out.data, 1, out.size, f) == out.size;
        if (!f || fclose(f) != 0 || !ok) {
            fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
            return 1;
        }
        bytes_out_free(&out);
    }
    return 0;
}

// Seconds of processor time.
static double driver_run(const uint8_t *data, size_t n)
{
    double start = (double)clock();
    LLVMFuzzerTestOneInput(data, n);
    return ((double)clock() - start) / CLOCKS_PER_SEC;
}

static int driver_file(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f || fstat(fileno(f), &st) != 0) {
        fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        return 1;
    }
    uint8_t *data = malloc((size_t)st.st_size + 1);
    size_t n = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
    fclose(f);
    const char *slack = getenv("FUZZ_SECONDS");
    double limit = n > DRIVER_SECOND ? (double)n / DRIVER_SECOND : 1;
    limit *= slack ? atof(slack) : 1;
    double took = driver_run(data, n);
    for (unsigned again = 0; quick && took > limit && again < 2; again++) {
        double next = driver_run(data, n);
        took = next < took ? next : took;
    }
    free(data);
    if (quick && took > limit) {
        fprintf(stderr, "%s: %zu bytes take %.1f s\n", path, n, took);
        return 1;
    }
    return 0;
}

static int driver_path(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        return driver_file(path);
    }
    int failed = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char inner[DRIVER_PATH];
        if (e->d_name[0] != '.') {
            snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
            failed |= driver_path(inner);
        }
    }
    closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0) {
        return driver_seeds(argv[2]);
    }
    quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    int failed = 0;
    for (int i = 1 + quick; i < argc; i++) {
        failed |= driver_path(argv[i]);
    }
    return failed;
}
