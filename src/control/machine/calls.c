#include "control/machine/calls.h"

#include <stdlib.h>

#include "base/clock.h"

struct machine_call *machine_call(struct machine *m, enum call_kind kind, enum machine_type type,
				  uint64_t id, int64_t timeout_ms)
{
	struct machine_call *call = xcalloc(1, sizeof(*call));

	call->kind = kind;
	call->type = type;
	call->id = id;
	call->deadline_ms = timeout_ms == INT64_MAX ? timeout_ms : clock_mono_ms() + timeout_ms;
	list_add(&m->calls, &call->in);
	return call;
}

struct machine_call *machine_find_call(struct machine *m, enum call_kind kind, uint64_t id)
{
	list_each(call, &m->calls, struct machine_call, in)
	{
		if (call->kind == kind && call->id == id)
			return call;
	}
	return NULL;
}

void machine_answer_hook(struct machine *m, struct machine_call *call, enum agent_outcome outcome,
			 unsigned status)
{
	machine_hooked *hooked = call->hooked;

	list_del(&call->in);
	free(call);
	hooked(m, outcome, status);
}

void machine_answer(struct machine *m, struct machine_call *call, int rc,
		    const struct ipc_msg *answer, const struct err *e)
{
	machine_done *done = call->done;

	list_del(&call->in);
	free(call);
	if (done)
		done(m, rc, answer, e);
}

void machine_drop_call(struct machine_call *call)
{
	if (!call)
		return;
	list_del(&call->in);
	free(call);
}

void machine_drop_calls(struct machine *m)
{
	list_each(call, &m->calls, struct machine_call, in) machine_drop_call(call);
}

/* It answers one call at a time, because a callback may end the machine. */
void machine_expire(struct machine *m, int64_t now)
{
	struct err e;

	list_each(call, &m->calls, struct machine_call, in)
	{
		if (call->deadline_ms > now)
			continue;
		err_set(&e, ERR_INTERNAL, "%s did not answer in time",
			call->kind == CALL_MACHINE ? "the machine" : "the guest");
		if (call->kind == CALL_HOOK)
			machine_answer_hook(m, call, OUTCOME_TIMEOUT, 0);
		else
			machine_answer(m, call, -1, NULL, &e);
		return;
	}
}
