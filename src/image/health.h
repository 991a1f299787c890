/* health.h - the image's HEALTHCHECK, which says when an application without a /ready hook is
 * ready. Pure.
 *
 * Docker would look for the first time after a whole interval, for which a build need not wait. So
 * looks may be closer together, but failures count as they would there: one for each interval, and
 * none before the start period is over.  An image that stays unhealthy would run under Docker all
 * the same, so the build does not fail; it goes by what the guest does. */
#ifndef IMAGE_HEALTH_H
#define IMAGE_HEALTH_H

#include <jansson.h>

#include "base/err.h"

/* All zero: the image has none. */
struct health_check {
	char **argv; /* owned */
	size_t n_argv;
	int64_t interval_ms, timeout_ms, start_ms, start_interval_ms;
	int64_t retries;
};

/* @config is the image's configuration, a stranger's: "Healthcheck" and "Shell", as Docker writes
 * them. */
int health_read(struct health_check *c, const json_t *config, struct err *e) must_check;
void health_free(struct health_check *c);

struct health {
	int64_t counted_ms; /* when a failure last counted, since the start */
	int64_t failures;   /* that count */
};

/* Takes a failed look. Is the application unhealthy now? */
bool health_failed(struct health *h, const struct health_check *c, int64_t now_ms);
/* How long to wait after a look that took so long; less while the guest rests. */
int64_t health_pause_ms(const struct health_check *c, int64_t took_ms, bool rests);

#endif
