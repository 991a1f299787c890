/* timer.h - whether the guest's kernel has measured its timer right.
 *
 * The kernel compares the local APIC's timer with the TSC for a tenth of a second.  If the host
 * gives the vCPU no time just then, the result is too small or too large.  One that is far too
 * small makes the kernel give the timer up, and the first sleep never ends; with any other every
 * sleep takes too long, or is made of many short ones, in each clone of the snapshot.  Both kernel
 * and hypervisor know the true rate, but there is no way to tell the one what the other knows. */
#ifndef GUEST_TIMER_H
#define GUEST_TIMER_H

#include "base/err.h"

/* What /proc/timer_list says of the timer of CPU 0. */
struct timer_look {
	char name[32]; /* "lapic", "lapic-deadline"; "": the kernel has none */
	uint64_t hz;   /* as the kernel measured it */
};

/* Pure. */
struct timer_look timer_parse(const char *text);
/* Is it one that keeps time?  Pure. */
bool timer_is_right(const struct timer_look *look);

/* Ends the machine if the timer is wrong, saying AGENT_TIMER_WORDS on its console.  It does nothing
 * that would need the timer. */
void timer_check(void);

#endif
