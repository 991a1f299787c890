#include "proxy/shares.h"

#include <string.h>

/* service.md 6.5: for each 512 MiB of memory, which are one vCPU at the peak. */
#define AWS_RUNNING 8
#define AWS_RATE    10
#define AWS_BYTES   1000000

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

static uint64_t shares_limit(int64_t given, const struct conf *conf, uint32_t units, unsigned each)
{
	if (given)
		return (uint64_t)given;
	return strcmp(conf->limits_preset, "aws") != 0 ? 0 : (uint64_t)each * (units ? units : 1);
}

static bool shares_refuse(enum refusal *why, enum refusal limit)
{
	*why = limit;
	return false;
}

static bool shares_enter_token(struct worker_shares *w, unsigned most, uint64_t token,
			       struct share_token **in_token)
{
	bool full = false;

	*in_token = most ? share_token_enter(w->map, token, w->worker, most, &full) : NULL;
	return !most || *in_token || full;
}

bool worker_shares_enter(struct worker_shares *w, const struct conf *conf, struct route *r,
			 uint64_t token, int64_t now_us, struct share_token **in_token,
			 enum refusal *why)
{
	struct share *s = shares_of(w, r->row.share);
	unsigned most =
		(unsigned)shares_limit(conf->microvm_requests, conf, r->row.units, AWS_RUNNING);
	unsigned rate = (unsigned)shares_limit(conf->microvm_rate, conf, r->row.units, AWS_RATE);

	if (!shares_enter_token(w, (unsigned)conf->token_requests, token, in_token))
		return shares_refuse(why, REFUSAL_TOKEN_REQUESTS);
	if (s && !share_enter(s, w->worker, most)) {
		worker_shares_leave_token(w, *in_token);
		return shares_refuse(why, REFUSAL_MICROVM_REQUESTS);
	}
	if (s && !share_pass(&s->due_us, rate, now_us)) {
		share_leave(s, w->worker);
		worker_shares_leave_token(w, *in_token);
		return shares_refuse(why, REFUSAL_MICROVM_RATE);
	}
	r->entered++;
	return true;
}

void worker_shares_leave_token(struct worker_shares *w, struct share_token *t)
{
	if (t)
		share_token_leave(t, w->worker);
}

bool worker_shares_publish(struct worker_shares *w, const struct conf *conf, const struct route *r,
			   int64_t now_us)
{
	struct share *s = shares_of(w, r->row.share);

	return !s ||
	       share_pass(&s->published_due_us, (unsigned)conf->clients.published_rate, now_us);
}

bool worker_shares_limit_bytes(const struct conf *conf)
{
	return shares_limit(conf->microvm_bandwidth, conf, 1, AWS_BYTES) > 0;
}

int64_t worker_shares_charge(struct worker_shares *w, const struct conf *conf,
			     const struct route *r, size_t bytes, int64_t now_ns)
{
	uint64_t rate = shares_limit(conf->microvm_bandwidth, conf, r->row.units, AWS_BYTES);
	struct share *s = rate ? shares_of(w, r->row.share) : NULL;

	return s ? share_charge(&s->bytes_due_ns, bytes, rate, now_ns) : 0;
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
