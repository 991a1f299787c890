/* container.h - the child's side of starting the application.  It begins in fresh namespaces and
 * ends in the application's own program, which sees what a Docker container sees.
 *
 * With all capabilities (FIELD_ALL_CAPS) nothing is hidden or read-only, cgroups are writable, and
 * /dev/fuse exists.  There is no system call filter, because the microVM is the boundary. */
#ifndef GUEST_CONTAINER_H
#define GUEST_CONTAINER_H

#include "guest/spec.h"
#include "guest/user.h"

#define CONTAINER_FILES    "/files" /* the spec's files, by number, as the agent wrote them */
#define CONTAINER_CGROUP   "/sys/fs/cgroup/system.slice/app"
#define CONTAINER_HOSTNAME "localhost"

/* Exit status if the program could not be started, as in a shell. */
enum container_exit { CONTAINER_FAILED = 125, CONTAINER_CANNOT = 126, CONTAINER_MISSING = 127 };

/* Called in a new process that is the first of its namespaces (pid, mount, uts, ipc), with standard
 * input, output and error in place.  It does not return.  On failure it writes a sentence to
 * @report. */
_Noreturn void container_enter(struct app_spec *s, int report);

/* The steps of it.  The root disk becomes the root, with the mounts of Docker.  Then users of the
 * image can be looked up, and last the process gives up all that the application must not have. */
int rootfs_enter(const struct app_spec *s, struct err *e) must_check;
int privs_lookup(const struct app_spec *s, struct user *u, struct err *e) must_check;
int privs_drop(const struct app_spec *s, const struct user *u, struct err *e) must_check;

#endif
