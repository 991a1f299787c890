/* prewarm.h - make a restored machine run what a request runs, without a request (ADR 0006).
 *
 * The agent goes through what it does at a resume; each listening port is connected and closed a
 * few times, then told what is no request, so that the server refuses it and the application sees
 * nothing (a clone of which a port answers it otherwise is thrown away, and the port is left alone
 * from then on); a request of the operator's own follows if one is configured; then the machine is
 * paused as soon as it is quiet. */
#ifndef CONTROL_POOL_PREWARM_H
#define CONTROL_POOL_PREWARM_H

#include "control/machine/machine.h"

struct prewarm;

/* rc 0: paused and warm.  The machine's owner keeps it and ends it on -1. */
typedef void prewarm_done(struct machine *m, int rc, const struct err *e);
void prewarm_start(struct machine *m, prewarm_done *done);
void prewarm_cancel(struct prewarm *w); /* when the machine is gone; `done` does not come */

/* [pool] warm_request, "image=port:/path, ...": this image's port and path; false if it has none.
 */
bool prewarm_find_request(const char *conf, const char *image, uint16_t *port, char *path,
			  size_t room);

#endif
