#include "qemu/machine.h"

#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "qemu/args.h"
#include "qemu/stats.h"

#if defined(__aarch64__)
#define HOST_ARCH FORMAT_AARCH64
#else
#define HOST_ARCH FORMAT_X86_64
#endif

static struct machine *machine_of(struct owner *o)
{
	return container_of(o, struct machine, owner);
}

/* Release what an operation holds until its end. */
static void machine_release(struct machine *m)
{
	work_kill(&m->work);
	pages_close(&m->view);
	buf_free(&m->save_header);
	for (size_t i = 0; i < ARRAY_SIZE(m->fds); i++)
		fd_close(&m->fds[i]);
}

void machine_end(struct machine *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	owner_end(&m->owner, fmt, ap);
	va_end(ap);
}

static void machine_ending(struct owner *o)
{
	struct machine *m = machine_of(o);

	m->op = NULL;
	loop_untimer(m->loop, &m->timer);
	stream_close(&m->stream);
	child_kill(&m->qemu);
}

void machine_fail(struct machine *m, const struct err *why)
{
	const struct machine_op *op = m->op;

	if (!op)
		return;
	log_warn("%s failed cause='%s'", op->name, why->text);
	m->op = NULL;
	m->owner.sealed = false;
	loop_untimer(m->loop, &m->timer);
	machine_release(m);
	peer_send_fault(&m->owner.peer, m->tag, why);
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

static void machine_take_boot(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);

	memcpy(&m->shape, msg->body, sizeof(m->shape));
	machine_begin(m, &op_boot, msg);
}

static void machine_take_restore(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);
	struct machine_restore r;
	struct err e;

	memcpy(&r, msg->body, sizeof(r));
	if (msg->n_fds != (r.from_save ? RESTORE_NUM_SAVE_FDS : RESTORE_NUM_FDS)) {
		err_set(&e, ERR_INVALID, "a restore of %s comes with other descriptors",
			r.from_save ? "a save" : "an image");
		peer_send_fault(&m->owner.peer, msg->head.tag, &e);
		return;
	}
	m->shape = r.shape;
	m->hold = r.stopped;
	machine_begin(m, &op_restore, msg);
}

static void machine_take_snapshot(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);

	machine_begin(m, &op_snapshot, msg);
}

static void machine_take_save(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);

	machine_begin(m, &op_save, msg);
}

static enum step pause_stop(struct machine *m, struct err *e)
{
	return machine_ask(m, "stop", NULL, -1, e);
}

static void pause_done(struct machine *m)
{
	if (m->owner.run == MACHINE_RUNNING)
		m->paused_at_us = clock_mono_us();
	m->owner.run = MACHINE_PAUSED;
	owner_ready(&m->owner, m->tag);
}

static enum step continue_cont(struct machine *m, struct err *e)
{
	return machine_ask(m, "cont", NULL, -1, e);
}

void machine_running(struct machine *m)
{
	m->owner.run = MACHINE_RUNNING;
	owner_ready(&m->owner, m->tag);
}

static machine_step *const pause_steps[] = { pause_stop, NULL };
static machine_step *const continue_steps[] = { continue_cont, NULL };
static const struct machine_op op_pause = { "pause", pause_steps, pause_done, false };
static const struct machine_op op_continue = { "continue", continue_steps, machine_running, false };

static void machine_take_pause(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);

	machine_begin(m, &op_pause, msg);
}

static void machine_take_continue(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);

	machine_begin(m, &op_continue, msg);
}

static void machine_take_stop(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);

	(void)msg;
	machine_end(m, "stopped by its owner");
}

static void machine_take_get_stats(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);
	struct machine_stats stats = { .run = (uint32_t)m->owner.run };

	stats_read(&stats, m->qemu.pid);
	peer_send(&m->owner.peer, MACHINE_STATS, msg->head.tag, &stats, sizeof(stats));
}

static const char *machine_busy(struct owner *o)
{
	const struct machine *m = machine_of(o);

	return m->op ? m->op->name : NULL;
}

static const struct owner_ops machine_owner_ops = {
	.kind = "qemu",
	.take = {
		[MACHINE_BOOT] = machine_take_boot,
		[MACHINE_SNAPSHOT] = machine_take_snapshot,
		[MACHINE_SAVE] = machine_take_save,
		[MACHINE_RESTORE] = machine_take_restore,
		[MACHINE_PAUSE] = machine_take_pause,
		[MACHINE_CONTINUE] = machine_take_continue,
		[MACHINE_STOP] = machine_take_stop,
		[MACHINE_GET_STATS] = machine_take_get_stats,
		[MACHINE_AGENT] = owner_take_agent,
	},
	.busy = machine_busy,
	.ending = machine_ending,
};

static bool machine_deliver(struct agent *a, const uint8_t *frames, size_t size)
{
	return owner_deliver(&container_of(a, struct machine, port.agent)->owner, frames, size);
}

static void machine_agent_fault(struct agent *a)
{
	owner_agent_broken(&container_of(a, struct machine, port.agent)->owner);
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
	return owner_open(&m->owner, l, MACHINE_FD_SOCK, &machine_owner_ops, &m->port.agent, e);
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
	owner_close(&m->owner);
	fd_close(&m->memory_fd);
	fd_close(&m->overlay_fd);
}
