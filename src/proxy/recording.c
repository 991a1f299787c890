#include "proxy/recording.h"

#include <string.h>

#include "base/clock.h"
#include "proxy/access_log.h"
#include "proxy/meters.h"

void recording_begin(struct request_record *r, const struct http_head *head, unsigned version)
{
	record_begin(r, head, version, clock_wall_ms(), clock_mono_ms());
}

bool recording_admitted(struct proxy *p, struct request_record *r, struct route *route,
			uint16_t port, uint64_t token, enum refusal *why)
{
	record_route(r, route->row.endpoint, route->row.microvm, port);
	r->entered = worker_shares_enter(&p->shares, p->conf, route, token, clock_mono_us(),
					 &r->in_token, why);
	if (!r->entered)
		r->in_token = NULL;
	return r->entered;
}

const char *recording_limit_text(enum refusal limit)
{
	static const char *const texts[REFUSAL_NUM] = {
		[REFUSAL_MICROVM_REQUESTS] =
			"the microVM has as many requests at once as it may have",
		[REFUSAL_MICROVM_RATE] =
			"the microVM has as many requests in a second as it may have",
		[REFUSAL_TOKEN_REQUESTS] = "the token has as many requests at once as it may have",
	};

	return texts[limit];
}

void recording_held(struct request_record *r, bool for_microvm)
{
	record_hold(r, for_microvm, clock_mono_ms());
}

void recording_sent(struct request_record *r)
{
	record_sent(r, clock_mono_ms());
}

void recording_answered(struct request_record *r, unsigned status)
{
	record_answer(r, status, clock_mono_ms());
}

static void recording_changed(struct proxy *p, struct route *route)
{
	list_del(&route->in_metered);
	list_add(&p->metered, &route->in_metered);
}

void recording_refused(struct proxy *p, struct route *route, enum refusal why)
{
	route->meter.refusals[why]++;
	recording_changed(p, route);
	control_report(p);
}

void recording_end(struct proxy *p, struct request_record *r)
{
	struct route *route = NULL;
	int64_t now = clock_mono_ms();

	if (!r->wall_ms)
		return;
	if (*r->endpoint && p->routes.by_endpoint.n)
		route = route_find(&p->routes, r->endpoint);
	meters_count(route ? &route->meter : &p->unrouted, r, now);
	if (route && r->entered)
		worker_shares_leave(&p->shares, route);
	worker_shares_leave_token(&p->shares, r->in_token);
	if (route)
		recording_changed(p, route);
	else
		p->unrouted_counts = true;
	control_report(p);
	if (access_log_is_on(p->access_log)) {
		autobuf struct buf line = { 0 };

		record_put(r, now, &line);
		access_log_add(p->access_log, &line);
	}
	record_free(r);
}

void recording_bad(struct proxy *p, unsigned status)
{
	p->unrouted.requests[meter_class(status)]++;
	p->unrouted.refusals[refusal_of_head(status)]++;
	p->unrouted_counts = true;
	control_report(p);
}
