#include "qemu/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "machine/serve.h"
#include "qemu/args.h"
#include "qemu/stats.h"

#if defined(__aarch64__)
#define HOST_ARCH FORMAT_AARCH64
#else
#define HOST_ARCH FORMAT_X86_64
#endif

#define MACHINE_LAST_MS 2000 /* for the last words to be heard, or QEMU to end */

static const struct machine_none none;

/* What an operation holds until its end. */
static void machine_release(struct machine *m)
{
	work_kill(&m->work);
	pages_close(&m->view);
	buf_free(&m->save_header);
	for (size_t i = 0; i < ARRAY_SIZE(m->fds); i++)
		fd_close(&m->fds[i]);
}

static void machine_last(struct timer *t)
{
	loop_stop(container_of(t, struct machine, doom)->loop);
}

void machine_end(struct machine *m, const char *fmt, ...)
{
	struct machine_exited last = { 0 };
	va_list ap;

	if (m->run == MACHINE_ENDING)
		return;
	va_start(ap, fmt);
	vsnprintf(last.reason, sizeof(last.reason), fmt, ap);
	va_end(ap);
	log_info("The machine ends reason='%s'", last.reason);
	m->run = MACHINE_ENDING;
	m->op = NULL;
	loop_untimer(m->loop, &m->timer);
	stream_close(&m->stream);
	child_kill(&m->qemu);
	peer_send(&m->peer, MACHINE_EXITED, 0, &last, sizeof(last));
	if (chan_wants_write(&m->peer.chan))
		loop_timer(m->loop, &m->doom, MACHINE_LAST_MS, machine_last);
	else
		loop_stop(m->loop);
}

void machine_fail(struct machine *m, const struct err *why)
{
	const struct machine_op *op = m->op;

	if (!op)
		return;
	log_warn("%s failed cause='%s'", op->name, why->text);
	m->op = NULL;
	m->sealed = false;
	loop_untimer(m->loop, &m->timer);
	machine_release(m);
	peer_send_fault(&m->peer, m->tag, why);
	if (op->vital || m->quitting)
		machine_end(m, "%s", why->text);
}

void machine_next(struct machine *m)
{
	while (m->op && m->op->steps[m->step]) {
		struct err e;
		enum step step = m->op->steps[m->step++](m, &e);

		if (step == STEP_WAIT)
			return;
		if (step == STEP_FAULT) {
			machine_fail(m, &e);
			return;
		}
	}
	if (m->op) {
		const struct machine_op *op = m->op;

		m->op = NULL;
		machine_release(m);
		op->done(m);
	}
}

static void machine_asked(struct qmp *q, const json_t *result, const struct err *why)
{
	struct machine *m = container_of(q, struct machine, qmp);

	(void)result;
	if (why)
		machine_fail(m, why);
	else
		machine_next(m);
}

enum step machine_ask(struct machine *m, const char *command, json_t *args, int fd, struct err *e)
{
	return qmp_send(&m->qmp, command, args, fd, machine_asked, e) ? STEP_FAULT : STEP_WAIT;
}

static void machine_begin(struct machine *m, const struct machine_op *op, struct ipc_msg *msg)
{
	m->op = op;
	m->step = 0;
	m->tag = msg->head.tag;
	for (unsigned i = 0; i < msg->n_fds; i++)
		m->fds[i] = ipc_msg_take_fd(msg, i);
	machine_next(m);
}

static void machine_boot(struct machine *m, struct ipc_msg *msg)
{
	memcpy(&m->shape, msg->body, sizeof(m->shape));
	machine_begin(m, &op_boot, msg);
}

static void machine_restore(struct machine *m, struct ipc_msg *msg)
{
	struct machine_restore r;
	struct err e;

	memcpy(&r, msg->body, sizeof(r));
	if (msg->n_fds != (r.from_save ? RESTORE_NUM_SAVE_FDS : RESTORE_NUM_FDS)) {
		err_set(&e, ERR_INVALID, "a restore of %s comes with other descriptors",
			r.from_save ? "a save" : "an image");
		peer_send_fault(&m->peer, msg->head.tag, &e);
		return;
	}
	m->shape = r.shape;
	m->hold = r.stopped;
	machine_begin(m, &op_restore, msg);
}

static void machine_snapshot(struct machine *m, struct ipc_msg *msg)
{
	machine_begin(m, &op_snapshot, msg);
}

static void machine_save(struct machine *m, struct ipc_msg *msg)
{
	machine_begin(m, &op_save, msg);
}

static enum step pause_stop(struct machine *m, struct err *e)
{
	return machine_ask(m, "stop", NULL, -1, e);
}

static void pause_done(struct machine *m)
{
	if (m->run == MACHINE_RUNNING)
		m->paused_at_us = clock_mono_us();
	m->run = MACHINE_PAUSED;
	peer_send(&m->peer, MACHINE_READY, m->tag, &none, sizeof(none));
}

static enum step continue_cont(struct machine *m, struct err *e)
{
	return machine_ask(m, "cont", NULL, -1, e);
}

void machine_running(struct machine *m)
{
	m->run = MACHINE_RUNNING;
	peer_send(&m->peer, MACHINE_READY, m->tag, &none, sizeof(none));
}

static machine_step *const pause_steps[] = { pause_stop, NULL };
static machine_step *const continue_steps[] = { continue_cont, NULL };
static const struct machine_op op_pause = { "pause", pause_steps, pause_done, false };
static const struct machine_op op_continue = { "continue", continue_steps, machine_running, false };

static void machine_pause(struct machine *m, struct ipc_msg *msg)
{
	machine_begin(m, &op_pause, msg);
}

static void machine_continue(struct machine *m, struct ipc_msg *msg)
{
	machine_begin(m, &op_continue, msg);
}

static void machine_stop(struct machine *m, struct ipc_msg *msg)
{
	(void)msg;
	machine_end(m, "stopped by its owner");
}

static void machine_get_stats(struct machine *m, struct ipc_msg *msg)
{
	struct machine_stats stats = { .run = (uint32_t)m->run };

	stats_read(&stats, m->qemu.pid);
	peer_send(&m->peer, MACHINE_STATS, msg->head.tag, &stats, sizeof(stats));
}

static void machine_agent(struct machine *m, struct ipc_msg *msg)
{
	struct err e;

	if (agent_put_bytes(&m->port.agent, msg->body, msg->head.size, &e))
		peer_send_fault(&m->peer, msg->head.tag, &e);
}

static void (*const machine_takes[MACHINE_NUM_TYPES])(struct machine *m, struct ipc_msg *msg) = {
	[MACHINE_BOOT] = machine_boot,   [MACHINE_SNAPSHOT] = machine_snapshot,
	[MACHINE_SAVE] = machine_save,   [MACHINE_RESTORE] = machine_restore,
	[MACHINE_PAUSE] = machine_pause, [MACHINE_CONTINUE] = machine_continue,
	[MACHINE_STOP] = machine_stop,   [MACHINE_GET_STATS] = machine_get_stats,
	[MACHINE_AGENT] = machine_agent,
};

static void machine_message(struct peer *p, struct ipc_msg *msg)
{
	struct machine *m = container_of(p, struct machine, peer);
	uint32_t type = msg->head.type;
	struct err e;

	if (serve_check(type, m->run, m->op ? m->op->name : NULL, &e)) {
		peer_send_fault(p, msg->head.tag, &e);
	} else if (machine_takes[type]) {
		machine_takes[type](m, msg);
	} else {
		err_set(&e, ERR_INVALID, "this machine does not serve request %u", type);
		peer_send_fault(p, msg->head.tag, &e);
	}
}

static void machine_joined(struct peer *p)
{
	struct machine *m = container_of(p, struct machine, peer);
	struct machine_hello hello = { MACHINE_PROTOCOL, (uint32_t)m->run, "qemu" };

	peer_send(p, MACHINE_HELLO, 0, &hello, sizeof(hello));
	agent_kick(&m->port.agent);
}

static void machine_room(struct peer *p)
{
	struct machine *m = container_of(p, struct machine, peer);

	if (m->run == MACHINE_ENDING)
		loop_stop(m->loop);
	else
		agent_kick(&m->port.agent);
}

static void machine_left(struct peer *p)
{
	struct machine *m = container_of(p, struct machine, peer);

	agent_owner_left(&m->port.agent);
	if (m->run == MACHINE_ENDING)
		loop_stop(m->loop);
}

static const struct peer_ops machine_peer_ops = {
	.joined = machine_joined,
	.message = machine_message,
	.room = machine_room,
	.left = machine_left,
};

static bool machine_deliver(struct agent *a, const uint8_t *frames, size_t size)
{
	struct machine *m = container_of(a, struct machine, port.agent);

	if (m->sealed || (m->run != MACHINE_PAUSED && !peer_has_room(&m->peer)) ||
	    m->peer.chan.sock < 0)
		return false; /* a paused guest says little, and a save cannot wait for room */
	peer_send(&m->peer, MACHINE_AGENT, 0, frames, size);
	return true;
}

static void machine_agent_fault(struct agent *a)
{
	struct machine *m = container_of(a, struct machine, port.agent);
	struct err e;

	err_set(&e, ERR_INVALID, "the guest's agent sends what is no frame");
	peer_send_fault(&m->peer, 0, &e);
}

int machine_open(struct machine *m, struct loop *l, const char *program, struct err *e)
{
	*m = (struct machine){ .loop = l, .program = program, .memory_fd = -1, .overlay_fd = -1 };
	m->started = tsc_now();
	m->view.pagemap_fd = m->view.mem_fd = -1;
	m->qmp.fd = m->errors.fd = m->console.fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(m->fds); i++)
		m->fds[i] = -1;
	m->host = (struct format){
		.arch = HOST_ARCH, .kind = "qemu", .writer = DOZE_VERSION, .machine = QEMU_MACHINE
	};
	port_init(&m->port, l);
	m->port.agent.deliver = machine_deliver;
	m->port.agent.fault = machine_agent_fault;
	if (stream_open(&m->stream, l, MACHINE_FD_STREAM, e))
		return -1;
	return peer_open(&m->peer, l, MACHINE_FD_SOCK, &machine_peer_ops, e);
}

void machine_close(struct machine *m)
{
	child_kill(&m->qemu);
	loop_untimer(m->loop, &m->timer);
	loop_untimer(m->loop, &m->doom);
	machine_release(m);
	qmp_close(&m->qmp);
	tail_close(&m->errors);
	tail_close(&m->console);
	port_close(&m->port);
	stream_close(&m->stream);
	peer_close(&m->peer);
	fd_close(&m->memory_fd);
	fd_close(&m->overlay_fd);
}
