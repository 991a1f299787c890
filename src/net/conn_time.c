/* conn_time.c - how long a connection may be silent or slow: all its deadlines share one timer,
 * which also brings conn_resume to the owner. */

#include "net/conn.h"
#include "net/conn_parts.h"

static int64_t conn_due(const struct conn *c)
{
	int64_t due = INT64_MAX, other[] = { pace_due_ms(&c->pace_in), pace_due_ms(&c->pace_out),
					     pace_due_ms(&c->pace_owed) };

	if (c->timeout_ms)
		due = c->last_ms + c->timeout_ms;
	if (c->deadline_ms && c->deadline_ms < due)
		due = c->deadline_ms;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		due = other[i] < due ? other[i] : due;
	return due;
}

static void conn_on_timer(uv_timer_t *timer);

/* A deadline that moves later leaves the timer alone: when it fires, it looks at the deadline
 * again. */
void conn_arm(struct conn *c)
{
	int64_t now = conn_now(c), due = c->reading == CONN_RESUMES ? now : conn_due(c);

	if (c->state == CONN_CLOSING || due >= c->armed_ms)
		return;
	c->armed_ms = due;
	uv_timer_start(&c->timer, conn_on_timer, due > now ? (uint64_t)(due - now) : 0, 0);
}

static void conn_on_timer(uv_timer_t *timer)
{
	struct conn *c = timer->data;

	c->armed_ms = INT64_MAX;
	if (c->reading == CONN_RESUMES) {
		c->reading = CONN_READS;
		conn_batch_begin();
		if (c->state != CONN_NEW && c->ops->resumed)
			c->ops->resumed(c);
		conn_pump(c);
		conn_batch_end();
	}
	if (c->state == CONN_CLOSING)
		return;
	if (conn_now(c) >= conn_due(c))
		conn_look_at_peer(c);
	if (conn_now(c) >= conn_due(c)) {
		c->timed_out = true;
		conn_close(c);
	}
	conn_arm(c);
}

void conn_timeout(struct conn *c, int64_t ms)
{
	c->timeout_ms = ms;
	if (ms)
		c->last_ms = conn_now(c);
	conn_arm(c);
}

void conn_pace_out(struct conn *c, int64_t budget_ms, int64_t rate)
{
	pace_init(&c->pace_out, budget_ms, rate);
	pace_init(&c->pace_owed, budget_ms, rate);
	pace_turn(&c->pace_out, conn_queued(c) > 0, conn_now(c));
	conn_arm(c);
}

void conn_pace_in(struct conn *c, int64_t budget_ms, int64_t rate)
{
	pace_init(&c->pace_in, budget_ms, rate);
}

void conn_await(struct conn *c, bool on)
{
	if (on == c->pace_in.turn)
		return;
	pace_turn(&c->pace_in, on, conn_now(c));
	conn_arm(c);
}

void conn_owe(struct conn *c, bool on, size_t moved)
{
	if (moved)
		pace_moved(&c->pace_owed, moved, conn_now(c));
	if (on == c->pace_owed.turn)
		return;
	pace_turn(&c->pace_owed, on, conn_now(c));
	conn_arm(c);
}

bool conn_timed_out(const struct conn *c)
{
	return c->timed_out;
}
