/* pace.h - how slow a peer may be.  Pure: time is an argument.
 *
 * A peer has a budget of time.  It is spent only while it is the peer's turn to move bytes, and
 * each byte that moves earns some of it back, so a peer that keeps up with the rate never runs
 * out, and one that moves a byte now and then does.  What it earned is never more than the budget,
 * so a long fast transfer buys no right to stall for hours. */
#ifndef NET_PACE_H
#define NET_PACE_H

#include "base/base.h"

struct pace {
	int64_t budget_ms; /* 0: no limit */
	int64_t rate;      /* bytes a second; 0: any byte earns the whole budget */
	int64_t left_ms;
	int64_t since_ms; /* valid while it is the peer's turn */
	bool turn;
};

static inline void pace_init(struct pace *p, int64_t budget_ms, int64_t rate)
{
	*p = (struct pace){ .budget_ms = budget_ms, .rate = rate, .left_ms = budget_ms };
}

static inline void pace_spend(struct pace *p, int64_t now_ms)
{
	if (p->turn)
		p->left_ms -= now_ms - p->since_ms;
	p->since_ms = now_ms;
}

static inline void pace_turn(struct pace *p, bool turn, int64_t now_ms)
{
	pace_spend(p, now_ms);
	p->turn = turn;
}

static inline void pace_moved(struct pace *p, size_t size, int64_t now_ms)
{
	int64_t earned = p->rate ? ((int64_t)size * 1000 + p->rate - 1) / p->rate : p->budget_ms;

	pace_spend(p, now_ms);
	p->left_ms = earned < p->budget_ms - p->left_ms ? p->left_ms + earned : p->budget_ms;
}

/* When the budget is spent if nothing moves; INT64_MAX: never. */
static inline int64_t pace_due_ms(const struct pace *p)
{
	return p->budget_ms && p->turn ? p->since_ms + p->left_ms : INT64_MAX;
}

#endif
