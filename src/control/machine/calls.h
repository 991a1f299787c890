/* calls.h - the requests that a machine or its guest has not answered yet; process.c and
 * agent_send.c share them. */
#ifndef CONTROL_MACHINE_CALLS_H
#define CONTROL_MACHINE_CALLS_H

#include "control/machine/machine.h"

#define TAG_HELLO 0 /* no request has this tag */

enum call_kind { CALL_MACHINE, CALL_ACK, CALL_HOOK };

struct machine_call {
	struct list in;
	enum call_kind kind;
	enum machine_type type; /* CALL_MACHINE: of the request */
	uint64_t id;            /* tag, or the agent's FIELD_ID */
	int64_t deadline_ms;
	machine_done *done;
	machine_hooked *hooked;
};

struct machines {
	struct list all;
	struct hash by_id;
	uv_timer_t tick;
	bool sweeping;
	int64_t sweep_ms; /* the next */
};

/* @id: the request's tag, or the agent's FIELD_ID; @type: of a request.  INT64_MAX: no deadline. */
struct machine_call *machine_call(struct machine *m, enum call_kind kind, enum machine_type type,
				  uint64_t id, int64_t timeout_ms);
struct machine_call *machine_find_call(struct machine *m, enum call_kind kind, uint64_t id);
/* Ends the call. */
void machine_answer(struct machine *m, struct machine_call *call, int rc,
		    const struct ipc_msg *answer, const struct err *e);
void machine_answer_hook(struct machine *m, struct machine_call *call, enum agent_outcome outcome,
			 unsigned status);
void machine_drop_call(struct machine_call *call); /* NULL is harmless */
void machine_drop_calls(struct machine *m);
void machine_expire(struct machine *m, int64_t now);

#endif
