/* container.h - the child's side of starting the application.  It begins in fresh namespaces and
 * ends in the application's own program, which sees what a Docker container sees.
 *
 * With all capabilities (FIELD_ALL_CAPS) nothing is hidden or read-only, cgroups are writable, and
 * /dev/fuse exists.  There is no system call filter,
 * because the microVM is the boundary.  For the same reason set-user-ID programs and file
 * capabilities work, unless the host's owner refuses them (FIELD_NO_NEW_PRIVS). */
#ifndef GUEST_CONTAINER_H
#define GUEST_CONTAINER_H

#include "guest/spec.h"
#include "guest/user.h"

#define CONTAINER_REPORT   4096 /* bytes; a pipe takes them without a reader */
#define CONTAINER_CGROUP   "/sys/fs/cgroup/system.slice/app"
#define CONTAINER_HOSTNAME "localhost"

/* Exit status if the program could not be started, as in a shell. */
enum container_exit { CONTAINER_FAILED = 125, CONTAINER_CANNOT = 126, CONTAINER_MISSING = 127 };

/* Called in a new process that is the first of its namespaces (pid, mount, uts, ipc), with standard
 * output and error in place.  It does not return.  To @report, which is close-on-exec, it writes
 * two texts with a NUL behind each: what may be wrong with the program, or "", and, if the program
 * could not be started, why. */
_Noreturn void container_enter(struct app_spec *s, int report);

/* The steps of it.  The root disk becomes the root, with the mounts of Docker.  Then users of the
 * image can be looked up, and last the process gives up all that the application must not have. */
int rootfs_enter(const struct app_spec *s, struct err *e) must_check;
/* The environment of every process of the container: Docker's defaults, and HOME of its user. */
void container_environment(struct app_spec *s, const struct user *u);
int privs_lookup(const struct app_spec *s, struct user *u, struct err *e) must_check;
int privs_drop(const struct app_spec *s, const struct user *u, struct err *e) must_check;

#endif
