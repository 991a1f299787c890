#include "control/machine/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/channels/priv.h"
#include "control/machine/calls.h"
#include "control/storage/gc.h"

#define MACHINE_RECONNECT_MS 1000
#define MACHINE_HELLO_MS     30000

/* How long an answer may take on a busy host.  A save may take as long as its disk needs, because
 * giving it up would help nobody; microvm/suspend.c watches its progress. */
static const int64_t machine_patience_ms[MACHINE_NUM_TYPES] = {
	[MACHINE_SAVE] = INT64_MAX, [MACHINE_RESTORE] = 60000,   [MACHINE_PAUSE] = 10000,
	[MACHINE_CONTINUE] = 10000, [MACHINE_GET_STATS] = 10000,
};

void machine_new_id(char id[MACHINE_ID_SIZE])
{
	char uuid[UUID_SIZE];

	rand_uuid(uuid);
	snprintf(id, MACHINE_ID_SIZE, "m-%s", uuid);
}

static void machine_free(struct machine *m)
{
	machine_ended *ended = m->ended;
	void *arg = m->ended_arg;

	list_del(&m->in);
	hash_del(&m->ctl->machines->by_id, &m->by_id);
	machine_drop_calls(m);
	agent_stream_free(&m->agent);
	free(m);
	if (ended)
		ended(arg);
}

/* The struct is freed when priv has cleared the machine and the channel is closed. */
static void machine_try_free(struct machine *m)
{
	if (m->cleared && !m->chan.open && !m->chan.msg)
		machine_free(m);
}

static void machine_chan_freed(struct chan_uv *c)
{
	struct machine *m = container_of(c, struct machine, chan);

	if (m->ending)
		machine_try_free(m);
}

static void machine_cleared(void *arg, int rc, const struct err *e)
{
	struct machine *m = arg;
	char path[MACHINE_ID_SIZE + 16];

	if (rc)
		log_err("a machine could not be cleared machine=%s error=\"%s\"", m->id, e->text);
	snprintf(path, sizeof(path), "machines/%s", m->id);
	gc_put(m->ctl, path);
	m->cleared = true;
	machine_try_free(m);
}

void machine_end(struct machine *m, machine_ended *ended, void *arg)
{
	if (m->ending)
		return;
	m->ending = true;
	m->ops = NULL;
	m->owner = NULL;
	m->ended = ended;
	m->ended_arg = arg;
	priv_forget(m->ctl, m);
	machine_drop_calls(m);
	chan_uv_close(&m->chan, machine_chan_freed);
	priv_end(m->ctl, m->id, machine_cleared, m);
}

static void machine_died(struct machine *m, const char *reason)
{
	const struct machine_ops *ops = m->ops;
	char text[IPC_TEXT_SIZE];

	if (m->ending)
		return;
	snprintf(text, sizeof(text), "%s", *m->last_words ? m->last_words : reason);
	machine_drop_calls(m);
	if (ops)
		ops->down(m, text);
	machine_end(m, NULL, NULL);
}

void machine_gone(struct control *ctl, const char *id)
{
	struct machine *m = machine_find(ctl, id);

	if (!m) /* an earlier control started it, and it still has its name and its slot */
		priv_end(ctl, id, NULL, NULL);
	else if (!m->chan.open) /* else its last words may still be in the channel */
		machine_died(m, "The machine ended.");
}

/* Messages from the machine. */

static void machine_acked(void *arg, uint64_t id)
{
	struct machine *m = arg;
	struct machine_call *call = machine_find_call(m, CALL_ACK, id);

	if (call)
		machine_answer(m, call, 0, NULL, NULL);
}

static void machine_hook_result(void *arg, uint64_t id, enum agent_outcome outcome, unsigned status)
{
	struct machine *m = arg;
	struct machine_call *call = machine_find_call(m, CALL_HOOK, id);

	if (call)
		machine_answer_hook(m, call, outcome, status);
}

static void machine_log(void *arg, const uint8_t *data, size_t size, uint64_t dropped)
{
	struct machine *m = arg;

	if (m->ops && m->ops->log)
		m->ops->log(m, data, size, dropped);
}

static void machine_exited(void *arg, unsigned code)
{
	struct machine *m = arg;

	if (m->ops)
		m->ops->exited(m, code);
}

static void machine_lease(void *arg, uint64_t lease_ms)
{
	struct machine *m = arg;

	if (m->ops && m->ops->lease)
		m->ops->lease(m, lease_ms);
}

static const struct agent_ops agent_ops = { machine_acked, machine_hook_result, machine_log,
					    machine_exited, machine_lease };

static void machine_fault(struct machine *m, const struct ipc_msg *msg)
{
	const struct machine_fault *f = (const void *)msg->body;
	struct machine_call *call = machine_find_call(m, CALL_MACHINE, msg->head.tag);
	struct err e;

	err_set(&e, f->kind < ERR_NUM_KINDS ? (enum err_kind)f->kind : ERR_INTERNAL, "%.*s",
		(int)sizeof(f->text) - 1, f->text);
	if (!msg->head.tag)
		machine_died(m, e.text);
	else if (call)
		machine_answer(m, call, -1, NULL, &e);
}

static void machine_hello(struct machine *m, const struct ipc_msg *msg)
{
	const struct machine_hello *hello = (const void *)msg->body;
	struct machine_call *call = machine_find_call(m, CALL_MACHINE, TAG_HELLO);

	if (hello->protocol != MACHINE_PROTOCOL) {
		machine_died(m, "The machine speaks another version of its protocol.");
		return;
	}
	if (!call)
		return; /* it said hello before */
	machine_drop_call(call);
	m->run = (enum machine_run)hello->run;
	if (m->ops)
		m->ops->up(m, m->run);
}

static void machine_note_stats(struct machine *m, const struct machine_stats *stats)
{
	m->private_bytes = stats->private_bytes;
	m->proportional_bytes = stats->proportional_bytes;
	m->stats_ms = clock_mono_ms();
	m->cpu_ns = stats->cpu_ns;
}

static void machine_answered(struct machine *m, const struct ipc_msg *msg)
{
	struct machine_call *call = machine_find_call(m, CALL_MACHINE, msg->head.tag);
	struct err e;

	if (call && !machine_answer_fits(call->type, msg->head.type)) {
		err_set(&e, ERR_INTERNAL, "the machine's answer does not fit the request");
		machine_answer(m, call, -1, NULL, &e);
		return;
	}
	if (msg->head.type == MACHINE_STATS)
		machine_note_stats(m, (const void *)msg->body);
	if (call && call->type == MACHINE_CONTINUE)
		m->run = MACHINE_RUNNING;
	if (call)
		machine_answer(m, call, 0, msg, NULL);
	else if (msg->head.type == MACHINE_SAVED && m->ops && m->ops->saved)
		m->ops->saved(m, (const void *)msg->body);
}

static void machine_on_message(struct chan_uv *c, struct ipc_msg *msg)
{
	struct machine *m = container_of(c, struct machine, chan);

	switch (msg->head.type) {
	case MACHINE_HELLO:
		machine_hello(m, msg);
		break;
	case MACHINE_AGENT:
		if (agent_feed(&m->agent, msg->body, msg->head.size, clock_mono_ms(), &agent_ops,
			       m))
			machine_died(m, "The guest's agent sent what is no message.");
		break;
	case MACHINE_EXITED:
		snprintf(m->last_words, sizeof(m->last_words), "%.*s", IPC_TEXT_SIZE - 1,
			 ((const struct machine_exited *)(const void *)msg->body)->reason);
		break;
	case MACHINE_FAULT:
		machine_fault(m, msg);
		break;
	default:
		machine_answered(m, msg);
	}
}

static void machine_lost(struct chan_uv *c)
{
	machine_died(container_of(c, struct machine, chan), "The machine ended unexpectedly.");
}

static void machine_connect(struct machine *m);
static void machine_silent(struct machine *m, int rc, const struct ipc_msg *answer,
			   const struct err *e);

static void machine_await_hello(struct machine *m, int64_t timeout_ms)
{
	machine_call(m, CALL_MACHINE, MACHINE_HELLO, TAG_HELLO, timeout_ms)->done = machine_silent;
}

/* An adopted machine may be waiting for a disk while it holds a guest's state, so control waits for
 * it. */
static void machine_silent(struct machine *m, int rc, const struct ipc_msg *answer,
			   const struct err *e)
{
	(void)rc;
	(void)answer;
	if (!m->adopted)
		machine_died(m, e->text);
	else if (m->chan.open)
		machine_await_hello(m, MACHINE_HELLO_MS);
	else
		machine_connect(m);
}

/* priv says when an adopted machine is gone; what else fails here is a shortage of ours, or a
 * machine that is too busy to accept. */
static void machine_unreachable(struct machine *m, const struct err *e)
{
	if (!m->adopted) {
		machine_died(m, e->text);
		return;
	}
	log_warn("a machine cannot be reached and is tried again machine=%s error=\"%s\"", m->id,
		 e->text);
	machine_await_hello(m, MACHINE_RECONNECT_MS);
}

static void machine_connect(struct machine *m)
{
	struct err e;
	autofree char *path = xasprintf("%s/m/%s/machine.sock", m->ctl->conf->run_dir, m->id);
	int sock = ipc_connect(path, SOCK_SEQPACKET, &e);

	if (sock < 0 || chan_uv_open(&m->chan, &m->ctl->loop, sock, machine_rows, MACHINE_NUM_TYPES,
				     machine_on_message, machine_lost, &e)) {
		machine_unreachable(m, &e);
		return;
	}
	m->chan.freed = machine_chan_freed;
	machine_await_hello(m, MACHINE_HELLO_MS);
}

static void machine_started(void *arg, int rc, const struct err *e)
{
	struct machine *m = arg;

	if (rc)
		machine_died(m, e->text);
	else
		machine_connect(m);
}

static struct machine *machine_new(struct control *ctl, struct image_version *v, const char *id,
				   const struct machine_ops *ops, void *owner)
{
	struct machine *m = xcalloc(1, sizeof(*m));

	m->ctl = ctl;
	m->version = v;
	m->ops = ops;
	m->owner = owner;
	snprintf(m->id, sizeof(m->id), "%s", id);
	list_init(&m->calls);
	list_add(&ctl->machines->all, &m->in);
	hash_add(&ctl->machines->by_id, &m->by_id, m->id, strlen(m->id));
	return m;
}

static void machine_make(struct machine *m, uint32_t kind, const struct machine_shape *shape,
			 bool internet)
{
	struct priv_machine_start start = {
		.owner = PRIV_OWNER_CONTROL,
		.kind = kind,
		.memory_bytes = shape->memory_mib * MIB,
		.vcpus = shape->vcpus,
		.internet = internet,
	};

	snprintf(start.machine, sizeof(start.machine), "%s", m->id);
	priv_start(m->ctl, &start, machine_started, m);
}

struct machine *machine_start(struct control *ctl, struct image_version *v, const char *id,
			      bool internet, const struct machine_ops *ops, void *owner)
{
	struct machine *m = machine_new(ctl, v, id, ops, owner);

	machine_make(m, v->engine, &v->shape, internet);
	return m;
}

struct machine *machine_start_spare(struct control *ctl, enum priv_machine_kind kind,
				    const struct machine_shape *shape,
				    const struct machine_ops *ops, void *owner)
{
	char id[MACHINE_ID_SIZE];
	struct machine *m;

	machine_new_id(id);
	m = machine_new(ctl, NULL, id, ops, owner);
	machine_make(m, kind, shape, true);
	return m;
}

struct machine *machine_adopt(struct control *ctl, struct image_version *v, const char *id,
			      const struct machine_ops *ops, void *owner)
{
	struct machine *m = machine_new(ctl, v, id, ops, owner);

	m->adopted = true;
	machine_connect(m);
	return m;
}

void machine_own(struct machine *m, const struct machine_ops *ops, void *owner)
{
	m->ops = ops;
	m->owner = owner;
}

/* Requests to the machine. */

void machine_ask(struct machine *m, enum machine_type type, const void *body, const int *fds,
		 unsigned n_fds, machine_done *done)
{
	uint64_t tag = chan_tag(&m->chan.chan);

	machine_call(m, CALL_MACHINE, type, tag, machine_patience_ms[type])->done = done;
	chan_uv_send(&m->chan, type, tag, body, machine_rows[type].size, fds, n_fds);
}

void machine_simple(struct machine *m, enum machine_type type, machine_done *done)
{
	machine_ask(m, type, &(const struct machine_none){ 0 }, NULL, 0, done);
}

void machine_stats(struct machine *m, machine_done *done)
{
	machine_simple(m, MACHINE_GET_STATS, done);
}
