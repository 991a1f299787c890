/* agent_send.c - frames to the guest (ipc/agent.h). */

#include <string.h>
#include <time.h>

#include "control/machine/calls.h"
#include "wire/agent.h"

#define HOOK_GRACE_MS 3000 /* beyond the hook's own timeout, which the agent enforces */

/* The agent reads a stream of bytes, so a frame may be cut into messages anywhere. */
static void machine_send_frame(struct machine *m, const struct buf *b)
{
	for (size_t at = 0; at < b->size;) {
		size_t n = b->size - at;

		if (n > LIMIT_IPC_BODY)
			n = LIMIT_IPC_BODY;
		chan_uv_send(&m->chan, MACHINE_AGENT, 0, b->data + at, n, NULL, 0);
		at += n;
	}
}

void machine_tell(struct machine *m, const struct buf *frames)
{
	machine_send_frame(m, frames);
}

static uint64_t machine_agent_id(void)
{
	uint64_t id;

	/* A clone may still answer a request that its image was sent, so ids never repeat. */
	rand_bytes(&id, sizeof(id));
	return id;
}

void machine_resumed(struct machine *m, const char *identity, int64_t timeout_ms,
		     machine_done *done)
{
	autobuf struct buf b = { 0 };
	uint64_t id = machine_agent_id();
	uint8_t random[64];
	size_t mark = agent_begin(&b, AGENT_RESUMED);
	struct timespec now;

	rand_bytes(random, sizeof(random));
	clock_gettime(CLOCK_REALTIME, &now);
	agent_put_u64(&b, FIELD_ID, id);
	agent_put_u64(&b, FIELD_WALL_NS,
		      (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec);
	agent_put(&b, FIELD_RANDOM, random, sizeof(random));
	agent_put_text(&b, FIELD_IDENTITY, identity);
	agent_end(&b, mark);
	machine_call(m, CALL_ACK, MACHINE_AGENT, id, timeout_ms)->done = done;
	machine_send_frame(m, &b);
}

void machine_prewarm(struct machine *m, int64_t timeout_ms, machine_done *done)
{
	autobuf struct buf b = { 0 };
	uint64_t id = machine_agent_id();
	size_t mark = agent_begin(&b, AGENT_WARM);
	uint8_t random[64];

	/* The application may draw while it is warmed. */
	rand_bytes(random, sizeof(random));
	agent_put_u64(&b, FIELD_ID, id);
	agent_put(&b, FIELD_RANDOM, random, sizeof(random));
	agent_put_u64(&b, FIELD_EXERCISE,
		      engines[m->version->engine].translates && m->ctl->conf->exercise);
	agent_end(&b, mark);
	machine_call(m, CALL_ACK, MACHINE_AGENT, id, timeout_ms)->done = done;
	machine_send_frame(m, &b);
}

void machine_hook(struct machine *m, enum hook hook, const char *body, machine_hooked *done)
{
	const struct hooks *hooks = &m->version->hooks;
	autobuf struct buf b = { 0 };
	uint64_t id = machine_agent_id();
	size_t mark = agent_begin(&b, AGENT_HOOK);
	int64_t timeout_ms = hooks->each[hook].timeout_ms;

	agent_put_u64(&b, FIELD_ID, id);
	agent_put_text(&b, FIELD_NAME, hook_name[hook]);
	agent_put_u64(&b, FIELD_PORT, hooks->port);
	agent_put_u64(&b, FIELD_TIMEOUT_MS, (uint64_t)timeout_ms);
	if (body)
		agent_put(&b, FIELD_BODY, body, strlen(body));
	agent_end(&b, mark);
	machine_call(m, CALL_HOOK, MACHINE_AGENT, id, timeout_ms + HOOK_GRACE_MS)->hooked = done;
	machine_send_frame(m, &b);
}
