#define _GNU_SOURCE // sched_getaffinity
#include "format/task.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

// The thread that runs the tasks of an arena, one after the other: with that of the command
// itself, it keeps two processors busy, and what is waited for first is done first.
struct task_lane {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; // something was queued or is done, or nothing will be queued any more
    struct task *first, *last;
    bool closed;
};

struct task {
    struct task *older;
    task_step *run, *drop;
    void *argument;
    struct task_lane *lane; // NULL = it is done, or has a thread of its own
    struct task *next;      // in the queue
    enum { TASK_QUEUED, TASK_BEGUN, TASK_DONE } state; // in a lane, under its lock
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

static struct task *task_new(struct arena *a, task_step *run, task_step *drop, void *argument)
{
    struct task *t = ARENA_NEW(a, struct task);
    if (t) {
        *t = (struct task){.older = a->tasks, .run = run, .drop = drop, .argument = argument};
        a->tasks = t;
    }
    return t;
}

// --- a thread of its own

static void *task_main(void *argument)
{
    struct task *t = argument;
    t->run(t->argument);
    return NULL;
}

struct task *task_start_apart(struct arena *a, task_step *run, task_step *drop, void *argument)
{
    struct task *t = task_new(a, run, drop, argument);
    if (t) {
        t->threaded = task_has_room() && pthread_create(&t->thread, NULL, task_main, t) == 0;
        if (!t->threaded) {
            run(argument);
        }
    }
    return t;
}

// --- lanes

// Takes t out of the queue. The caller has the lock.
static void lane_take(struct task_lane *l, struct task *t)
{
    struct task *before = NULL;
    for (struct task *q = l->first; q != t; q = q->next) {
        before = q;
    }
    *(before ? &before->next : &l->first) = t->next;
    l->last = l->last == t ? before : l->last;
    t->state = TASK_BEGUN;
}

// The caller has the lock, which is open meanwhile.
static void lane_run(struct task_lane *l, struct task *t)
{
    lane_take(l, t);
    pthread_mutex_unlock(&l->lock);
    t->run(t->argument);
    pthread_mutex_lock(&l->lock);
    t->state = TASK_DONE;
    pthread_cond_broadcast(&l->changed);
}

static void *lane_main(void *argument)
{
    struct task_lane *l = argument;
    pthread_mutex_lock(&l->lock);
    while (l->first || !l->closed) {
        if (l->first) {
            lane_run(l, l->first);
        } else {
            pthread_cond_wait(&l->changed, &l->lock);
        }
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static struct task_lane *lane_of(const struct task *list)
{
    while (list && !list->lane) {
        list = list->older;
    }
    return list ? list->lane : NULL;
}

static void lane_free(struct task_lane *l)
{
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

// NULL where there is no thread to be had, or no memory: the arena's failures are others' business.
static struct task_lane *lane_open(void)
{
    struct task_lane *l = task_has_room() ? calloc(1, sizeof *l) : NULL;
    if (!l) {
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    if (pthread_create(&l->thread, NULL, lane_main, l) == 0) {
        return l;
    }
    lane_free(l);
    return NULL;
}

static void lane_close(struct task_lane *l)
{
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    lane_free(l);
}

static void lane_queue(struct task_lane *l, struct task *t)
{
    pthread_mutex_lock(&l->lock);
    *(l->last ? &l->last->next : &l->first) = t;
    l->last = t;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

static void lane_wait(struct task_lane *l, struct task *t)
{
    pthread_mutex_lock(&l->lock);
    if (t->state == TASK_QUEUED) {
        lane_run(l, t);
    }
    while (t->state != TASK_DONE) {
        pthread_cond_wait(&l->changed, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
}

// --- both

struct task *task_start(struct arena *a, task_step *run, task_step *drop, void *argument)
{
    struct task_lane *lane = lane_of(a->tasks);
    struct task *t = task_new(a, run, drop, argument);
    if (!t) {
        return NULL;
    }
    t->lane = lane ? lane : lane_open();
    if (t->lane) {
        lane_queue(t->lane, t);
    } else {
        run(argument);
    }
    return t;
}

void task_join(struct task *t)
{
    if (t && t->lane) {
        lane_wait(t->lane, t);
    }
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
    struct task_lane *lane = lane_of(list);
    for (struct task *t = list; t; t = t->older) {
        task_join(t);
        if (!t->waited && t->drop) {
            t->drop(t->argument);
        }
    }
    if (lane) {
        lane_close(lane);
    }
}
