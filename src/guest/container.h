/* container.h - the child's side of starting the application: from a fresh set of namespaces to
 * the application's own program, seeing what a container of Docker's sees.
 *
 * With all capabilities (FIELD_ALL_CAPS) nothing is hidden or read-only, cgroups can be written
 * and /dev/fuse is there.  There is no system call filter: the microVM is the wall. */
#ifndef GUEST_CONTAINER_H
#define GUEST_CONTAINER_H

#include "guest/spec.h"
#include "guest/user.h"

#define CONTAINER_FILES    "/files" /* the spec's files, by number, as the agent wrote them */
#define CONTAINER_CGROUP   "/sys/fs/cgroup/system.slice/app"
#define CONTAINER_HOSTNAME "localhost"

/* Exit status when the program could not be started, as a shell's. */
enum container_exit { CONTAINER_FAILED = 125, CONTAINER_CANNOT = 126, CONTAINER_MISSING = 127 };

/* Called in a new process that is the first of its namespaces (pid, mount, uts, ipc), with
 * standard input, output and error in place.  Does not return; a failure is a sentence written to
 * @report. */
_Noreturn void container_enter(struct app_spec *s, int report);

/* Its parts.  The root disk becomes the root, with what Docker mounts; then users of the image can
 * be looked up; then all that the application must not have is given up. */
int rootfs_enter(const struct app_spec *s, struct err *e) must_check;
int privs_lookup(const struct app_spec *s, struct user *u, struct err *e) must_check;
int privs_drop(const struct app_spec *s, const struct user *u, struct err *e) must_check;

#endif
