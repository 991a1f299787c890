/* child.h - runs another program and waits for it. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#define CHILD_NOT_STARTED 127 /* as of a shell */

/* Looks for @file as a shell does and runs it. Its exit status, 1 if a signal ended it, or
 * CHILD_NOT_STARTED. */
int child_run(const char *file, const char *const *argv);

#endif
