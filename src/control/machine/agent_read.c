#include "control/machine/agent_read.h"

#include "base/limits.h"
#include "wire/agent.h"

static void agent_ack(struct agent_stream *a, const struct agent_frame *f, int64_t now_ms,
		      const struct agent_ops *ops, void *arg)
{
	uint64_t id;

	(void)a;
	(void)now_ms;
	if (agent_get_u64(f, FIELD_ID, &id))
		ops->ack(arg, id);
}

static void agent_hook_result(struct agent_stream *a, const struct agent_frame *f, int64_t now_ms,
			      const struct agent_ops *ops, void *arg)
{
	uint64_t id, outcome, status = 0;

	(void)a;
	(void)now_ms;
	if (!agent_get_u64(f, FIELD_ID, &id) || !agent_get_u64(f, FIELD_OUTCOME, &outcome))
		return;
	if (!agent_get_u64(f, FIELD_STATUS, &status) && outcome == OUTCOME_STATUS)
		outcome = OUTCOME_GARBAGE;
	if (outcome >= OUTCOME_NUM || status > 999)
		outcome = OUTCOME_GARBAGE;
	ops->hook_result(arg, id, (enum agent_outcome)outcome, (unsigned)(status % 1000));
}

static void agent_log(struct agent_stream *a, const struct agent_frame *f, int64_t now_ms,
		      const struct agent_ops *ops, void *arg)
{
	struct agent_field_view v;
	uint64_t lost;
	size_t at = 0;

	if (now_ms < a->rate_ms || now_ms - a->rate_ms >= 1000) {
		a->rate_ms = now_ms;
		a->rate_bytes = 0;
	}
	if (agent_get_u64(f, FIELD_DROPPED, &lost) && lost < UINT32_MAX)
		a->dropped += lost;
	while (agent_field_next(f, &at, &v) > 0) {
		if (v.tag != FIELD_BYTES)
			continue;
		if (a->rate_bytes + v.size > LIMIT_LOG_RATE) {
			a->dropped += v.size;
			return;
		}
		a->rate_bytes += v.size;
		ops->log(arg, v.data, v.size, a->dropped);
		a->dropped = 0;
		return;
	}
}

static void agent_exit(struct agent_stream *a, const struct agent_frame *f, int64_t now_ms,
		       const struct agent_ops *ops, void *arg)
{
	uint64_t code;

	(void)a;
	(void)now_ms;
	if (agent_get_u64(f, FIELD_CODE, &code))
		ops->exited(arg, code > 255 ? 255 : (unsigned)code);
}

static void agent_lease(struct agent_stream *a, const struct agent_frame *f, int64_t now_ms,
			const struct agent_ops *ops, void *arg)
{
	uint64_t lease_ms;

	(void)a;
	(void)now_ms;
	if (agent_get_u64(f, FIELD_TIMEOUT_MS, &lease_ms))
		ops->lease(arg, lease_ms);
}

static void (*const agent_handlers[AGENT_NUM_TYPES])(struct agent_stream *a,
						     const struct agent_frame *f, int64_t now_ms,
						     const struct agent_ops *ops, void *arg) = {
	[AGENT_ACK] = agent_ack,     [AGENT_HOOK_RESULT] = agent_hook_result,
	[AGENT_LOG] = agent_log,     [AGENT_EXIT] = agent_exit,
	[AGENT_LEASE] = agent_lease,
};

int agent_feed(struct agent_stream *a, const uint8_t *data, size_t size, int64_t now_ms,
	       const struct agent_ops *ops, void *arg)
{
	struct agent_frame f;
	size_t used, at = 0;
	int rc = 0;

	if (a->broken)
		return -1;
	buf_add(&a->in, data, size);
	while ((rc = agent_frame_next(a->in.data + at, a->in.size - at, LIMIT_AGENT_TO_HOST, &f,
				      &used)) > 0) {
		if (f.type < AGENT_NUM_TYPES && agent_handlers[f.type])
			agent_handlers[f.type](a, &f, now_ms, ops, arg);
		at += used;
	}
	buf_drop(&a->in, at);
	a->broken = rc < 0;
	return rc;
}

void agent_stream_free(struct agent_stream *a)
{
	buf_free(&a->in);
}
