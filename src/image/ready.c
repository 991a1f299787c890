#include "image/ready.h"

#define QUIET_LISTEN_MS  30000 /* nothing for so long: the snapshot is taken as it is */
#define QUIET_BUSY_MS    30000 /* from the first sign of a port */
#define QUIET_WINDOW_MS  1000
#define QUIET_PERCENT    20 /* of a core */
#define QUIET_USUAL_PORT 8080

void quiet_begin(struct quiet *q, int64_t now_ms)
{
	*q = (struct quiet){ .began_ms = now_ms };
}

bool quiet_listens(const uint16_t *listening, size_t n, const uint16_t *exposed, size_t n_exposed)
{
	static const uint16_t usual[] = { QUIET_USUAL_PORT };

	if (!n_exposed) {
		exposed = usual;
		n_exposed = 1;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n_exposed; k++)
			if (listening[i] == exposed[k])
				return true;
	return false;
}

enum quiet_say quiet_sample(struct quiet *q, int64_t now_ms, bool listens, uint64_t cpu_ns)
{
	int64_t passed;
	uint64_t used;

	if (!listens) {
		q->listening_ms = 0;
		return now_ms - q->began_ms >= QUIET_LISTEN_MS ? QUIET_SILENT : QUIET_WAIT;
	}
	if (!q->listening_ms) {
		q->listening_ms = q->mark_ms = now_ms;
		q->mark_cpu_ns = cpu_ns;
		return QUIET_WAIT;
	}
	passed = now_ms - q->mark_ms;
	if (passed < QUIET_WINDOW_MS)
		return QUIET_WAIT;
	used = cpu_ns > q->mark_cpu_ns ? cpu_ns - q->mark_cpu_ns : 0;
	if (used * 100 < (uint64_t)passed * 1000000 * QUIET_PERCENT)
		return QUIET_READY;
	q->mark_ms = now_ms;
	q->mark_cpu_ns = cpu_ns;
	return now_ms - q->listening_ms >= QUIET_BUSY_MS ? QUIET_BUSY : QUIET_WAIT;
}

void duration_put(struct buf *to, int64_t ms)
{
	int64_t s = ms / 1000, rest = ms % 1000;

	buf_adds(to, "PT");
	if (s / 3600)
		buf_addf(to, "%lldH", (long long)(s / 3600));
	if (s % 3600 / 60)
		buf_addf(to, "%lldM", (long long)(s % 3600 / 60));
	if (rest)
		buf_addf(to, "%lld.%03lldS", (long long)(s % 60), (long long)rest);
	else if (s % 60 || !s)
		buf_addf(to, "%lldS", (long long)(s % 60));
}

void hook_timed_out(const char *name, int64_t timeout_ms, struct err *e)
{
	autobuf struct buf text = { 0 };

	duration_put(&text, timeout_ms);
	err_set(e, ERR_INVALID, "%s hook invocation timed out after %s", name, buf_str(&text));
}

static void hook_status(const char *name, unsigned status, struct err *e)
{
	if (status >= 400 && status < 600)
		err_set(e, ERR_INVALID,
			"%s hook check failed: the application returned a %s error (HTTP %uxx) "
			"response",
			name, status < 500 ? "client" : "server", status / 100);
	else
		err_set(e, ERR_INVALID,
			"%s hook check failed: the application returned HTTP status %u, not 200",
			name, status);
}

enum hook_say hook_judge(const char *name, enum agent_outcome outcome, unsigned status,
			 int64_t timeout_ms, struct err *e)
{
	switch (outcome) {
	case OUTCOME_STATUS:
		if (status == 200)
			return HOOK_FINE;
		if (status == 503)
			return HOOK_AGAIN;
		hook_status(name, status, e);
		return HOOK_FAILED;
	case OUTCOME_REFUSED: /* it starts, or listens elsewhere: the time-out tells */
		return HOOK_AGAIN;
	case OUTCOME_TIMEOUT:
		hook_timed_out(name, timeout_ms, e);
		return HOOK_FAILED;
	case OUTCOME_GARBAGE:
	case OUTCOME_NUM:
		break;
	}
	err_set(e, ERR_INVALID, "%s hook check failed: the application did not answer with HTTP",
		name);
	return HOOK_FAILED;
}
