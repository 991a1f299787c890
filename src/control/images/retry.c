#include "control/images/retry.h"

#include <stdlib.h>

void retry_open(struct retry *r, uv_loop_t *loop, void (*again)(void *arg), void *arg)
{
	r->pause_ms = RETRY_FIRST_MS;
	r->again = again;
	if (uv_timer_init(loop, &r->timer))
		abort(); /* only for arguments that are not there */
	r->timer.data = arg;
}

void retry_close(struct retry *r)
{
	uv_timer_stop(&r->timer);
}

static void retry_fire(uv_timer_t *timer)
{
	struct retry *r = container_of(timer, struct retry, timer);

	r->again(timer->data);
}

void retry_later(struct retry *r)
{
	if (uv_is_active((const uv_handle_t *)&r->timer))
		return;
	uv_timer_start(&r->timer, retry_fire, r->pause_ms, 0);
	r->pause_ms = r->pause_ms * 2 < RETRY_MAX_MS ? r->pause_ms * 2 : RETRY_MAX_MS;
}

void retry_succeeded(struct retry *r)
{
	r->pause_ms = RETRY_FIRST_MS;
}
