/* prewarm.h - make a restored machine run the code that a request runs, without a request
 * (ADR 0006).
 *
 * First the agent does what it does at a resume.  Then each listening port is probed: a connection
 * is opened and closed a few times, then a text is sent that no server takes for a request, so that
 * the server refuses it and the application sees nothing.  If a port answers that text in any other
 * way, the clone is thrown away, and later clones do not get the text on that port.  If the
 * operator has configured a request, it follows.  At last the machine is paused as soon as it is
 * quiet. */
#ifndef CONTROL_POOL_PREWARM_H
#define CONTROL_POOL_PREWARM_H

#include "control/machine/machine.h"

struct prewarm;

/* rc 0: the machine is warm and paused.  -1: its owner, who keeps it, is to end it. */
typedef void prewarm_done(struct machine *m, int rc, const struct err *e);
void prewarm_start(struct machine *m, prewarm_done *done);
void prewarm_cancel(struct prewarm *w); /* the machine is gone; `done` is not called */

/* [pool] warm_request, "image=port:/path, ...": this image's port and path; false if it has none.
 */
bool prewarm_find_request(const char *conf, const char *image, uint16_t *port, char *path,
			  size_t room);

#endif
