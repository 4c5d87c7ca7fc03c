#define _GNU_SOURCE // sched_getaffinity
#include "format/task.h"

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

struct task {
    struct task *older;
    task_step *run, *drop;
    void *argument;
    pthread_t thread;
    bool threaded; // and not yet joined
    bool waited;
};

static bool task_has_room(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return CPU_COUNT(&set) > 1;
    }
#endif
    return sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

static void *task_main(void *argument)
{
    struct task *t = argument;
    t->run(t->argument);
    return NULL;
}

struct task *task_start(struct arena *a, task_step *run, task_step *drop, void *argument)
{
    struct task *t = ARENA_NEW(a, struct task);
    if (!t) {
        return NULL;
    }
    *t = (struct task){.older = a->tasks, .run = run, .drop = drop, .argument = argument};
    a->tasks = t;
    t->threaded = task_has_room() && pthread_create(&t->thread, NULL, task_main, t) == 0;
    if (!t->threaded) {
        run(argument);
    }
    return t;
}

void task_join(struct task *t)
{
    if (t && t->threaded) {
        pthread_join(t->thread, NULL);
        t->threaded = false;
    }
}

void task_wait(struct task *t)
{
    if (t) {
        task_join(t);
        t->waited = true;
    }
}

void task_end_all(struct task *list)
{
    for (struct task *t = list; t; t = t->older) {
        task_join(t);
        if (!t->waited && t->drop) {
            t->drop(t->argument);
        }
    }
}
