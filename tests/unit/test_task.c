#define _GNU_SOURCE // sched_getaffinity
#include <criterion/criterion.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "format/task.h"

enum { STEPS = 20 };

struct log { // of what ran
    atomic_uint n;
    char names[STEPS + 1];
};

struct step {
    struct log *log;
    char name;
    atomic_bool *open; // to be waited for, or NULL
    unsigned dropped;
};

static void run(void *argument)
{
    struct step *s = argument;
    while (s->open && !atomic_load(s->open)) {
        sched_yield();
    }
    s->log->names[atomic_fetch_add(&s->log->n, 1)] = s->name;
}

static void drop(void *argument)
{
    ((struct step *)argument)->dropped++;
}

static bool has_room(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 1;
}

Test(task, tasks_end_with_their_arena)
{
    struct arena a;
    struct log log = {0};
    struct step steps[STEPS];
    arena_init(&a, 0);
    for (unsigned i = 0; i < STEPS; i++) {
        steps[i] = (struct step){.log = &log, .name = (char)('a' + i)};
        cr_assert_not_null(task_start(&a, run, drop, &steps[i]));
    }
    arena_free(&a);
    cr_expect_eq(log.n, STEPS);
    for (unsigned i = 0; i < STEPS; i++) {
        cr_expect(memchr(log.names, steps[i].name, STEPS) != NULL);
        cr_expect_eq(steps[i].dropped, 1, "nobody has waited for it");
    }
}

Test(task, what_nobody_waits_for_runs_in_order)
{
    struct arena a;
    struct log log = {0};
    struct step steps[] = {
        {&log, 'a', NULL, 0}, {&log, 'b', NULL, 0}, {&log, 'c', NULL, 0}, {&log, 'd', NULL, 0}};
    arena_init(&a, 0);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_not_null(task_start(&a, run, NULL, &steps[i]));
    }
    while (atomic_load(&log.n) < 4) {
        sched_yield();
    }
    arena_free(&a);
    cr_expect_str_eq(log.names, "abcd");
}

// What has not begun is done by whoever waits for it: it needs nothing that stands in front of it.
Test(task, what_is_waited_for_does_not_queue)
{
    struct arena a;
    struct log log = {0};
    atomic_bool open = !has_room(); // else the first would be waited for before it returns
    struct step first = {&log, '1', &open, 0}, second = {&log, '2', NULL, 0},
                third = {&log, '3', NULL, 0};
    arena_init(&a, 0);
    struct task *one = task_start(&a, run, drop, &first);
    struct task *two = task_start(&a, run, drop, &second);
    struct task *three = task_start(&a, run, drop, &third);
    task_wait(three);
    task_wait(three);
    task_join(two);
    if (has_room()) {
        cr_expect_str_eq(log.names, "32");
    }
    atomic_store(&open, true);
    task_wait(one);
    cr_expect_eq(log.n, 3);
    cr_expect_eq(first.dropped + second.dropped + third.dropped, 0);
    arena_free(&a);
    cr_expect_eq(first.dropped + third.dropped, 0, "they were waited for");
    cr_expect_eq(second.dropped, 1, "it was only joined");
}

Test(task, what_is_apart_holds_nothing_up)
{
    struct arena a;
    struct log log = {0};
    atomic_bool open = !has_room();
    struct step disk = {&log, 'd', &open, 0}, work = {&log, 'w', NULL, 0};
    arena_init(&a, 0);
    struct task *apart = task_start_apart(&a, run, drop, &disk);
    task_wait(task_start(&a, run, drop, &work));
    cr_expect_eq(log.names[0], has_room() ? 'w' : 'd');
    atomic_store(&open, true);
    task_wait(apart);
    cr_expect_eq(log.n, 2);
    task_wait(NULL);
    arena_free(&a);
    cr_expect_eq(disk.dropped + work.dropped, 0);
}

Test(task, without_memory_nothing_is_done)
{
    struct arena a;
    struct log log = {0};
    struct step s = {&log, 's', NULL, 0};
    arena_init(&a, 1);
    cr_expect_null(task_start(&a, run, drop, &s));
    cr_expect_null(task_start_apart(&a, run, drop, &s));
    arena_free(&a);
    cr_expect_eq(log.n + s.dropped, 0);
}
