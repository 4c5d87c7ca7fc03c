// Runs a command several times: measure RUNS COMMAND [ARGUMENT...] prints the median wall time in
// microseconds, the least, the peak memory in KiB and the exit code of the last run that failed. A
// program of its own because the peak that the kernel reports includes that of whoever started it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { MOST_RUNS = 1000 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    extern char **environ;
    static double taken[MOST_RUNS];
    int runs = argc > 2 ? atoi(argv[1]) : 0, failed = 0;
    long peak = 0;
    if (runs < 1 || runs > MOST_RUNS)
        return 2;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", O_RDWR, 0);
    for (int i = 0; i < runs; i++) {
        pid_t pid;
        int status;
        struct rusage usage;
        double begun = now();
        if (posix_spawn(&pid, argv[2], &quiet, NULL, argv + 2, environ) != 0)
            return 127;
        if (wait4(pid, &status, 0, &usage) != pid)
            return 127;
        taken[i] = now() - begun;
        if (status)
            failed = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        peak = usage.ru_maxrss > peak ? usage.ru_maxrss : peak;
    }
    qsort(taken, (size_t)runs, sizeof *taken, compare);
    printf("%.1f %.1f %ld %d\n", taken[runs / 2], taken[0], peak, failed);
    return 0;
}
