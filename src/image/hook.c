#include "image/hook.h"

#include "image/codes.h"

const struct hook_kind hook_ready = { "ready", "Ready", CODE_READY };
const struct hook_kind hook_validate = { "validate", "Validate", CODE_VALIDATE };

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

void hook_timed_out(const struct hook_kind *hook, int64_t timeout_ms, struct err *e)
{
	autobuf struct buf text = { 0 };

	duration_put(&text, timeout_ms);
	err_set(e, ERR_INVALID, "%s hook invocation timed out after %s", hook->title,
		buf_str(&text));
}

static void hook_status(const struct hook_kind *hook, unsigned status, struct err *e)
{
	if (status >= 400 && status < 600)
		err_set(e, ERR_INVALID,
			"%s hook check failed: the application returned a %s error (HTTP %uxx) "
			"response",
			hook->title, status < 500 ? "client" : "server", status / 100);
	else
		err_set(e, ERR_INVALID,
			"%s hook check failed: the application returned HTTP status %u, not 200",
			hook->title, status);
}

enum hook_verdict hook_judge(const struct hook_kind *hook, enum agent_outcome outcome,
			     unsigned status, int64_t timeout_ms, struct err *e)
{
	switch (outcome) {
	case OUTCOME_STATUS:
		if (status == 200)
			return HOOK_FINE;
		if (status == 503)
			return HOOK_AGAIN;
		hook_status(hook, status, e);
		return HOOK_FAILED;
	case OUTCOME_REFUSED: /* it is still starting, or listens elsewhere; the time-out decides */
		return HOOK_AGAIN;
	case OUTCOME_TIMEOUT:
		hook_timed_out(hook, timeout_ms, e);
		return HOOK_FAILED;
	case OUTCOME_GARBAGE:
	case OUTCOME_NUM:
		break;
	}
	err_set(e, ERR_INVALID, "%s hook check failed: the application did not answer with HTTP",
		hook->title);
	return HOOK_FAILED;
}
