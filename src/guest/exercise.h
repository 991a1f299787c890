/* exercise.h - the guest's own work while a clone is warmed: the interpreter that the application
 * runs on is run once more, on a text of ours.
 *
 * A software CPU translates code page by page and finds what it translated by the page's place in
 * memory, so a second process that executes the same pages of the same files (the interpreter, the
 * C library, the kernel) leaves translations that the application's first answer needs.  Before the
 * snapshot the process is started, goes once through its text and waits; in a clone of the pool it
 * goes through it again and ends.  In other clones it waits on: to end it would cost their start.
 *
 * The application notices nothing: the process is in its mount namespace with the user of its
 * process, but in pid, network, ipc and uts namespaces of its own, without capabilities and outside
 * its cgroup, with two pipes for input and output; after EXERCISE_MS it is killed.  No code of the
 * image but the interpreter itself and its standard library runs in it. */
#ifndef GUEST_EXERCISE_H
#define GUEST_EXERCISE_H

#include "base/loop.h"

#define EXERCISE_MS    10000
#define EXERCISE_WORDS 6

/* An interpreter, by the begin of its program's name, and its words. */
struct exercise {
	const char *name;
	const char *argv[EXERCISE_WORDS]; /* behind the program's own name; ends with NULL */
};

extern const struct exercise exercises[];
extern const size_t exercises_count;

struct exercising {
	struct loop *loop; /* borrowed */
	int pid;           /* 0: none */
	int ask, answer;   /* owned: our ends of its pipes */
	struct watch watch;
	struct timer timer;
	void (*done)(struct exercising *x); /* while it is at work */
};

void exercise_init(struct exercising *x, struct loop *l);

/* Which one fits a program of this path; NULL: none.  Pure. */
const struct exercise *exercise_for(const char *program);

/* Start it, or have it go again and end; @done comes later, or at once when there is nothing to do.
 */
void exercise_prepare(struct exercising *x, void (*done)(struct exercising *x));
void exercise_again(struct exercising *x, void (*done)(struct exercising *x));
/* A child ended. */
void exercise_reaped(struct exercising *x, int pid);

#endif
