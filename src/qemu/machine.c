#include "qemu/machine.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "qemu/args.h"
#include "qemu/stats.h"
#include "qemu/threads.h"
#include "qemu/urgent.h"

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
	explain_close(&m->explain);
	loop_untimer(m->loop, &m->calm);
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
	machine_calm(m);
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

static void machine_take_get_progress(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);
	struct machine_progress p = { 0 };
	struct threads sum = { 0 };

	threads_read(getpid(), &sum, NULL);
	if (m->qemu.pid)
		threads_read(m->qemu.pid, &sum, NULL);
	p.cpu_ns = sum.cpu_ns;
	p.waited_ns = sum.waited_ns;
	p.n_blocked = sum.n_blocked;
	p.console_bytes = m->said.bytes;
	peer_send(&m->owner.peer, MACHINE_PROGRESS, msg->head.tag, &p, sizeof(p));
}

/* What is known without QEMU. */
static void machine_known(struct machine *m, struct buf *text)
{
	struct threads sum = { 0 };

	tail_read(&m->console);
	buf_addf(text, "# the machine\nrequest under way: %s, step %zu\n",
		 m->op ? m->op->name : "none", m->step);
	if (m->errors.last[0])
		buf_addf(text, "QEMU's last line: %s\n", m->errors.last);
	if (m->qemu.pid)
		threads_read(m->qemu.pid, &sum, text);
	buf_addf(text, "\n# the last of %llu bytes of its console\n",
		 (unsigned long long)m->said.bytes);
	console_put(&m->said, text);
	buf_adds(text, "\n");
}

static void machine_explained(struct explain *x)
{
	struct machine *m = container_of(x, struct machine, explain);

	owner_ready(&m->owner, m->explain_tag);
}

static void machine_explain_answered(struct qmp *q, const json_t *result, const struct err *why)
{
	explain_answered(&container_of(q, struct machine, qmp)->explain, result, why);
}

static void machine_take_explain(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);
	autobuf struct buf known = { 0 };
	uint64_t earlier = m->explain_tag;
	struct err e;

	machine_known(m, &known);
	m->explain_tag = msg->head.tag;
	if (!explain_begin(&m->explain, ipc_msg_take_fd(msg, 0), &known, &e))
		return;
	m->explain_tag = earlier;
	peer_send_fault(&m->owner.peer, msg->head.tag, &e);
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
		[MACHINE_GET_PROGRESS] = machine_take_get_progress,
		[MACHINE_EXPLAIN] = machine_take_explain,
		[MACHINE_AGENT] = owner_take_agent,
	},
	.busy = machine_busy,
	.ending = machine_ending,
};

void machine_calm(struct machine *m)
{
	if (!m->calm.active)
		return;
	loop_untimer(m->loop, &m->calm);
	if (!urgent_end(getpid()) || (m->qemu.pid && !urgent_end(m->qemu.pid)))
		machine_end(m, "QEMU cannot be made an ordinary process again");
}

static void machine_hurried(struct timer *t)
{
	machine_calm(container_of(t, struct machine, calm));
}

/* The agent speaks, so the boot is over. */
static bool machine_deliver(struct agent *a, const uint8_t *frames, size_t size)
{
	machine_calm(container_of(a, struct machine, port.agent));
	return owner_deliver(&container_of(a, struct machine, port.agent)->owner, frames, size);
}

static void machine_agent_fault(struct agent *a)
{
	owner_agent_broken(&container_of(a, struct machine, port.agent)->owner);
}

int machine_open(struct machine *m, struct loop *l, const char *program, struct err *e)
{
	*m = (struct machine){ .loop = l, .program = program, .memory_fd = -1, .overlay_fd = -1 };
	if (urgent())
		loop_timer(l, &m->calm, URGENT_MS, machine_hurried);
	m->explain.loop = l;
	m->explain.qmp = &m->qmp;
	m->explain.answered = machine_explain_answered;
	m->explain.done = machine_explained;
	m->started = tsc_now();
	m->view.pagemap_fd = m->view.mem_fd = -1;
	m->qmp.fd = m->errors.fd = m->console.fd = m->explain.fd = -1;
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
	loop_untimer(m->loop, &m->calm);
	explain_close(&m->explain);
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
