/* access_log.h - a line for each request, in a file that the supervisor opens and rotates.
 *
 * A thread of its own writes, since a disk may be slow or stuck and no request waits for it.  Lines
 * that find too many before them are left out, and counted. */
#ifndef PROXY_ACCESS_LOG_H
#define PROXY_ACCESS_LOG_H

#include <uv.h>

#include "base/buf.h"
#include "base/err.h"

struct access_log;

/* Starts the thread, so it must be called before system calls are filtered.  NULL: it cannot. */
struct access_log *access_log_new(uv_loop_t *loop, struct err *e);
void access_log_set(struct access_log *a, int fd); /* takes it over, in the place of the last one */
bool access_log_is_on(const struct access_log *a);
void access_log_add(struct access_log *a, const struct buf *line);
void access_log_close(struct access_log *a); /* before the loop ends: writes what there is */
void access_log_free(struct access_log *a);  /* afterwards */

#endif
