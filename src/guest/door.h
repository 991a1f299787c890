/* door.h - brings a process into the application's container, as `docker exec` does: its
 * namespaces, its root directory and a cgroup. */
#ifndef GUEST_DOOR_H
#define GUEST_DOOR_H

#include "base/err.h"

struct door {
	int pid, root, cgroup; /* owned */
};

#define DOOR_SHUT          \
	{                  \
		-1, -1, -1 \
	}

/* @application is a process of the container.  -1: it is gone, or there is no such cgroup. */
int door_open(struct door *d, int application, const char *cgroup) must_check;
void door_close(struct door *d);

/* As fork, with the child in the cgroup. */
int door_fork(const struct door *d) must_check;
/* In that child: go in.  A process cannot move itself into a pid namespace, only its children, so
 * it must fork once more.  -1 with errno. */
int door_enter(const struct door *d) must_check;
/* In that child: wait for its own child, and end as it did; 128 and the signal if one killed it. */
_Noreturn void door_wait(int pid);

#endif
