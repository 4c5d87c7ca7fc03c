// Work that another processor does meanwhile: hashing, writing to disk. The results are the same
// with and without it; only the time differs.
#ifndef FORMAT_TASK_H
#define FORMAT_TASK_H

#include "format/arena.h"

struct task;

typedef void task_step(void *argument);

// Has run(argument) done on another thread, behind the tasks of the arena that were started before;
// before it returns where there is one processor only, or no thread to be had. What run uses must
// live in the arena, or as long, and be left alone until task_wait; run itself must not use the
// arena, nor wait for a task. arena_free waits for the tasks of an arena, and calls drop (may be
// NULL) for those that nobody has waited for: so they end in order on every way out of a command.
// NULL without memory: nothing was done, and drop will not be called.
struct task *task_start(struct arena *a, task_step *run, task_step *drop, void *argument);
// The same for what mostly waits itself, for a disk: no other task is kept waiting by it.
struct task *task_start_apart(struct arena *a, task_step *run, task_step *drop, void *argument);
// Returns when run has, which is called here if it has not begun; may be called again. NULL is
// nothing to wait for.
void task_wait(struct task *t);
// The same, but drop is still called in the end: it frees what is used until then.
void task_join(struct task *t);
// What arena_free does.
void task_end_all(struct task *list);

#endif
