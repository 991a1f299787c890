#include "proxy/shares.h"

#include <string.h>

/* service.md 6.5: for each 512 MiB of memory, which are one vCPU at the peak. */
#define AWS_RUNNING 8
#define AWS_RATE    10

static struct share *shares_of(const struct worker_shares *w, uint32_t share)
{
	return share && share <= SHARES_MAX ? &w->map->rows[share - 1] : NULL;
}

int worker_shares_init(struct worker_shares *w, struct err *e)
{
	autoclose int fd = shares_make(e);

	*w = (struct worker_shares){ 0 };
	w->map = fd < 0 ? NULL : shares_map(fd, e);
	return w->map ? 0 : -1;
}

int worker_shares_set(struct worker_shares *w, unsigned worker, int fd, struct err *e)
{
	struct shares *map = shares_map(fd, e);

	fd_close(&fd);
	if (!map)
		return -1;
	w->map = map;
	w->worker = worker < SUPER_WORKER_SLOTS ? worker : 0;
	return 0;
}

static unsigned shares_limit(int64_t given, const struct conf *conf, uint32_t units, unsigned each)
{
	if (given)
		return (unsigned)given;
	return strcmp(conf->limits_preset, "aws") != 0 ? 0 : each * (units ? units : 1);
}

static bool shares_refuse(enum refusal *why, enum refusal limit)
{
	*why = limit;
	return false;
}

bool worker_shares_enter(struct worker_shares *w, const struct conf *conf, struct route *r,
			 int64_t now_us, enum refusal *why)
{
	struct share *s = shares_of(w, r->row.share);
	unsigned most = shares_limit(conf->microvm_requests, conf, r->row.units, AWS_RUNNING);
	unsigned rate = shares_limit(conf->microvm_rate, conf, r->row.units, AWS_RATE);

	if (s && !share_enter(s, w->worker, most))
		return shares_refuse(why, REFUSAL_MICROVM_REQUESTS);
	if (s && !share_pass(s, rate, now_us)) {
		share_leave(s, w->worker);
		return shares_refuse(why, REFUSAL_MICROVM_RATE);
	}
	r->entered++;
	return true;
}

void worker_shares_leave(struct worker_shares *w, struct route *r)
{
	struct share *s = shares_of(w, r->row.share);

	r->entered--;
	if (s)
		share_leave(s, w->worker);
}

void worker_shares_move(struct worker_shares *w, struct route *r, uint32_t old_share)
{
	struct share *from = shares_of(w, old_share), *to = shares_of(w, r->row.share);

	if (old_share == r->row.share)
		return;
	for (unsigned i = 0; i < r->entered; i++) {
		if (from)
			share_leave(from, w->worker);
		if (to)
			(void)!share_enter(to, w->worker, 0);
	}
}
