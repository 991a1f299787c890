#include "control/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/priv.h"
#include "control/trash.h"
#include "wire/agent.h"

#define MACHINE_TICK_MS        200
#define MACHINE_STATS_MS       5000
#define MACHINE_FIRST_SWEEP_MS 2000
#define MACHINE_SWEEP_MS       60000
#define MACHINE_HELLO_MS       30000
#define HOOK_GRACE_MS          3000 /* above the hook's own timeout, which the agent keeps */

#define TAG_HELLO 0 /* no request has it */

enum call_kind { CALL_MACHINE, CALL_ACK, CALL_HOOK };

struct machine_call {
	struct list in;
	enum call_kind kind;
	uint64_t id; /* tag, or the agent's FIELD_ID */
	int64_t deadline_ms;
	machine_done *done;
	machine_hooked *hooked;
};

struct machines {
	struct list all;
	uv_timer_t tick;
	bool sweeping;
	int64_t sweep_ms; /* the next */
};

static void machine_died(struct machine *m, const char *reason);

/* Calls. */

static struct machine_call *machine_call(struct machine *m, enum call_kind kind, uint64_t id,
					 int64_t timeout_ms)
{
	struct machine_call *call = xcalloc(1, sizeof(*call));

	call->kind = kind;
	call->id = id;
	call->deadline_ms = clock_mono_ms() + timeout_ms;
	list_add(&m->calls, &call->in);
	return call;
}

static struct machine_call *machine_find_call(struct machine *m, enum call_kind kind, uint64_t id)
{
	list_each(call, &m->calls, struct machine_call, in)
	{
		if (call->kind == kind && call->id == id)
			return call;
	}
	return NULL;
}

static void machine_answer(struct machine *m, struct machine_call *call, int rc,
			   const struct ipc_msg *answer, const struct err *e)
{
	machine_done *done = call->done;
	machine_hooked *hooked = call->hooked;

	list_del(&call->in);
	free(call);
	if (hooked)
		hooked(m, OUTCOME_TIMEOUT, 0);
	else if (done)
		done(m, rc, answer, e);
}

static void machine_drop_calls(struct machine *m)
{
	list_each(call, &m->calls, struct machine_call, in)
	{
		list_del(&call->in);
		free(call);
	}
}

/* One call at a time: a callback may end the machine. */
static void machine_expire(struct machine *m, int64_t now)
{
	struct err e;

	list_each(call, &m->calls, struct machine_call, in)
	{
		if (call->deadline_ms > now)
			continue;
		err_set(&e, ERR_INTERNAL, "%s did not answer in time",
			call->kind == CALL_MACHINE ? "the machine" : "the guest");
		machine_answer(m, call, -1, NULL, &e);
		return;
	}
}

static struct machine *machine_find(struct control *ctl, const char *id)
{
	list_each(m, &ctl->machines->all, struct machine, in)
	{
		if (!strncmp(m->id, id, sizeof(m->id)))
			return m;
	}
	return NULL;
}

static void machines_swept(void *arg, const struct priv_machine_item *item)
{
	struct control *ctl = arg;

	if (machine_find(ctl, item->machine))
		return;
	log_warn("a machine that is nobody's ends machine=%.79s", item->machine);
	priv_end(ctl, item->machine, NULL, NULL);
}

static void machines_swept_all(void *arg, int rc, const struct err *e)
{
	struct control *ctl = arg;

	ctl->machines->sweeping = false;
	if (rc)
		log_warn("priv cannot say which machines run error=\"%s\"", e->text);
}

/* A start that outlived the control that asked for it was not yet on the list at adoption. */
static void machines_sweep(struct control *ctl, int64_t now)
{
	struct machines *all = ctl->machines;

	if (!ctl->adopted || ctl->stopping || all->sweeping || now < all->sweep_ms)
		return;
	all->sweep_ms = now + (all->sweep_ms ? MACHINE_SWEEP_MS : MACHINE_FIRST_SWEEP_MS);
	all->sweeping = true;
	priv_list(ctl, machines_swept, machines_swept_all, ctl);
}

static void machines_tick(uv_timer_t *timer)
{
	struct control *ctl = timer->loop->data;
	int64_t now = clock_mono_ms();

	list_each(m, &ctl->machines->all, struct machine, in) machine_expire(m, now);
	machines_sweep(ctl, now);
}

/* Life and death. */

int machines_open(struct control *ctl, struct err *e)
{
	ctl->machines = xcalloc(1, sizeof(*ctl->machines));
	list_init(&ctl->machines->all);
	if (uv_timer_init(&ctl->loop, &ctl->machines->tick))
		return err_set(e, ERR_INTERNAL, "make a timer");
	uv_timer_start(&ctl->machines->tick, machines_tick, MACHINE_TICK_MS, MACHINE_TICK_MS);
	return 0;
}

void machines_close(struct control *ctl)
{
	uv_timer_stop(&ctl->machines->tick);
	list_each(m, &ctl->machines->all, struct machine, in) chan_uv_close(&m->chan, NULL);
}

unsigned machines_count(const struct control *ctl)
{
	unsigned n = 0;

	list_each(m, &ctl->machines->all, struct machine, in) n++;
	return n;
}

struct list *machines_all(const struct control *ctl)
{
	return &ctl->machines->all;
}

void machine_new_id(char id[IPC_ID_SIZE])
{
	char uuid[UUID_SIZE];

	rand_uuid(uuid);
	snprintf(id, IPC_ID_SIZE, "m-%s", uuid);
}

static void machine_free(struct machine *m)
{
	machine_ended *ended = m->ended;
	void *arg = m->ended_arg;

	list_del(&m->in);
	machine_drop_calls(m);
	agent_stream_free(&m->agent);
	free(m);
	if (ended)
		ended(arg);
}

/* Freed when both are done: priv has cleared, and the channel is closed. */
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
	char path[IPC_ID_SIZE + 16];

	if (rc)
		log_err("a machine could not be cleared machine=%s error=\"%s\"", m->id, e->text);
	snprintf(path, sizeof(path), "machines/%s", m->id);
	trash_put(m->ctl, path);
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

	if (!m) /* of a control before us; its name and slot are still taken */
		priv_end(ctl, id, NULL, NULL);
	else if (!m->chan.open) /* else what it said last may still wait in there */
		machine_died(m, "The machine ended.");
}

/* What comes from it. */

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
	machine_hooked *hooked;

	if (!call)
		return;
	hooked = call->hooked;
	list_del(&call->in);
	free(call);
	hooked(m, outcome, status);
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

static const struct agent_ops agent_ops = { machine_acked, machine_hook_result, machine_log,
					    machine_exited };

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

	if (hello->protocol != MACHINE_PROTOCOL) {
		machine_died(m, "The machine speaks another version of its protocol.");
		return;
	}
	machine_drop_calls(m);
	m->run = (enum machine_run)hello->run;
	if (m->ops)
		m->ops->up(m, m->run);
}

static void machine_answered(struct machine *m, const struct ipc_msg *msg)
{
	struct machine_call *call = machine_find_call(m, CALL_MACHINE, msg->head.tag);
	const struct machine_stats *stats = (const void *)msg->body;

	if (msg->head.type == MACHINE_STATS) {
		m->private_bytes = stats->private_bytes;
		m->proportional_bytes = stats->proportional_bytes;
		m->stats_ms = clock_mono_ms();
		m->cpu_ns = stats->cpu_ns;
	}
	if (call)
		machine_answer(m, call, 0, msg, NULL);
	else if (msg->head.type == MACHINE_SAVED && m->ops && m->ops->saved)
		m->ops->saved(m, (const void *)msg->body);
}

static void machine_got(struct chan_uv *c, struct ipc_msg *msg)
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

static void machine_silent(struct machine *m, int rc, const struct ipc_msg *answer,
			   const struct err *e)
{
	(void)rc;
	(void)answer;
	machine_died(m, e->text);
}

static void machine_connect(struct machine *m)
{
	struct err e;
	autofree char *path = xasprintf("%s/m/%s/machine.sock", m->ctl->conf->run_dir, m->id);
	int sock = ipc_connect(path, SOCK_SEQPACKET, &e);

	if (sock < 0 || chan_uv_open(&m->chan, &m->ctl->loop, sock, machine_rows, MACHINE_NUM_TYPES,
				     machine_got, machine_lost, &e)) {
		machine_died(m, e.text);
		return;
	}
	m->chan.freed = machine_chan_freed;
	machine_call(m, CALL_MACHINE, TAG_HELLO, MACHINE_HELLO_MS)->done = machine_silent;
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
	return m;
}

struct machine *machine_start(struct control *ctl, struct image_version *v, const char *id,
			      bool internet, const struct machine_ops *ops, void *owner)
{
	struct machine *m = machine_new(ctl, v, id, ops, owner);
	struct priv_machine_start start = {
		.owner = PRIV_OWNER_CONTROL,
		.kind = PRIV_MACHINE_QEMU,
		.memory_bytes = v->shape.memory_mib * MIB,
		.vcpus = v->shape.vcpus,
		.internet = internet,
	};

	memcpy(start.machine, m->id, sizeof(start.machine));
	priv_start(ctl, &start, machine_started, m);
	return m;
}

struct machine *machine_adopt(struct control *ctl, struct image_version *v, const char *id,
			      const struct machine_ops *ops, void *owner)
{
	struct machine *m = machine_new(ctl, v, id, ops, owner);

	machine_connect(m);
	return m;
}

void machine_own(struct machine *m, const struct machine_ops *ops, void *owner)
{
	m->ops = ops;
	m->owner = owner;
}

/* What is asked of it. */

void machine_ask(struct machine *m, enum machine_type type, const void *body, size_t size,
		 const int *fds, unsigned n_fds, int64_t timeout_ms, machine_done *done)
{
	uint64_t tag = chan_tag(&m->chan.chan);

	machine_call(m, CALL_MACHINE, tag, timeout_ms)->done = done;
	chan_uv_send(&m->chan, type, tag, body, size, fds, n_fds);
}

void machine_simple(struct machine *m, enum machine_type type, int64_t timeout_ms,
		    machine_done *done)
{
	const struct machine_none none = { 0 };

	machine_ask(m, type, &none, sizeof(none), NULL, 0, timeout_ms, done);
}

void machine_stats(struct machine *m, machine_done *done)
{
	machine_simple(m, MACHINE_GET_STATS, MACHINE_STATS_MS, done);
}

/* A frame is a piece of a byte stream: cut as the messages need it. */
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

static uint64_t machine_agent_id(void)
{
	uint64_t id;

	rand_bytes(&id, sizeof(id)); /* a clone may still answer what the image was asked */
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
	machine_call(m, CALL_ACK, id, timeout_ms)->done = done;
	machine_send_frame(m, &b);
}

void machine_warm(struct machine *m, int64_t timeout_ms, machine_done *done)
{
	autobuf struct buf b = { 0 };
	uint64_t id = machine_agent_id();
	size_t mark = agent_begin(&b, AGENT_WARM);

	agent_put_u64(&b, FIELD_ID, id);
	agent_end(&b, mark);
	machine_call(m, CALL_ACK, id, timeout_ms)->done = done;
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
	machine_call(m, CALL_HOOK, id, timeout_ms + HOOK_GRACE_MS)->hooked = done;
	machine_send_frame(m, &b);
}
