/* retry.h - a timer that tries again what failed, after a pause that doubles from try to try. */
#ifndef CONTROL_IMAGES_RETRY_H
#define CONTROL_IMAGES_RETRY_H

#include <uv.h>

#include "base/base.h"

#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS   30000

struct retry {
	uv_timer_t timer; /* its data is the owner's */
	uint64_t pause_ms;
	void (*again)(void *arg);
};

void retry_open(struct retry *r, uv_loop_t *loop, void (*again)(void *arg), void *arg);
void retry_close(struct retry *r);
void retry_later(struct retry *r);     /* it failed; does nothing while a try is due anyway */
void retry_succeeded(struct retry *r); /* the next pause is the shortest again */

#endif
