/* exercise.h - runs the application's interpreter a second time, on a script of ours, while a clone
 * is warmed.
 *
 * A software CPU translates code page by page and finds translations by the page's place in memory.
 * So a second process that executes the same pages of the same files (the interpreter, the C
 * library, the kernel) leaves translations that the application's first answer needs.  Before the
 * snapshot the process is started, runs the script once and waits.  In a clone of the pool it runs
 * the script again and exits.  In other clones it keeps waiting, since ending it would slow their
 * start.
 *
 * The application notices nothing.  The process shares its mount namespace and its user, but it has
 * pid, network, ipc and uts namespaces of its own, no capabilities, another cgroup, and two pipes
 * for input and output.  It is killed after EXERCISE_MS.  The only code of the image that it runs
 * is the interpreter and its standard library. */
#ifndef GUEST_EXERCISE_H
#define GUEST_EXERCISE_H

#include "base/loop.h"

#define EXERCISE_MS    10000
#define EXERCISE_WORDS 6

/* An interpreter: the prefix of its program's name, and its arguments. */
struct exercise {
	const char *name;
	const char *argv[EXERCISE_WORDS]; /* after the program's own name; ends with NULL */
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

/* Find the interpreter for a program at this path, or NULL.  Pure. */
const struct exercise *exercise_for(const char *program);

/* Start the process, or let it run the script again and exit.  Calls @done later, or at once if
 * there is nothing to do. */
void exercise_prepare(struct exercising *x, void (*done)(struct exercising *x));
void exercise_again(struct exercising *x, void (*done)(struct exercising *x));
/* Tell it that a child ended. */
void exercise_reaped(struct exercising *x, int pid);

#endif
