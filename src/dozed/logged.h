/* logged.h - why a start failed, from the lines that it has logged. */
#ifndef DOZED_LOGGED_H
#define DOZED_LOGGED_H

#include <sys/types.h>

/* The text of the first error that was logged behind @from, or NULL. The first is the cause: what
 * follows is what came of it. Owned by the caller. */
char *logged_error(int fd, off_t from);

#endif
