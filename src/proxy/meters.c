#include "proxy/meters.h"

void meters_count(struct meter *m, const struct request_record *r, int64_t mono_ms)
{
	int64_t hold_ms = r->held_ms ? (r->sent_ms ? r->sent_ms : mono_ms) - r->held_ms : 0;

	m->requests[meter_class(r->status)]++;
	if (r->cut)
		m->cut++;
	else if (r->refused)
		m->refusals[r->why]++;
	m->in += r->in;
	m->out += r->out;
	m->wakes += r->woke;
	if (r->held_ms) {
		m->held++;
		m->hold[meter_bucket(hold_ms)]++;
		m->hold_ms += (uint64_t)hold_ms;
	}
	if (r->first_ms) {
		m->first[meter_bucket(r->first_ms - r->begin_ms)]++;
		m->first_ms += (uint64_t)(r->first_ms - r->begin_ms);
	}
}
