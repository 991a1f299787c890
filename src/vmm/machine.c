#include "vmm/machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "machine/serve.h"
#include "vmm/arch/x86_64/msr.h"
#include "vmm/kvm/state.h"

#define MACHINE_LAST_MS 2000 /* for the last words to be heard */

static const struct machine_none none;

void machine_say_ready(struct machine *m, uint64_t tag)
{
	peer_send(&m->peer, MACHINE_READY, tag, &none, sizeof(none));
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
	shell_pause(&m->shell);
	m->run = MACHINE_ENDING;
	m->saving.active = false;
	loop_untimer(m->loop, &m->timer);
	peer_send(&m->peer, MACHINE_EXITED, 0, &last, sizeof(last));
	if (chan_wants_write(&m->peer.chan))
		loop_timer(m->loop, &m->doom, MACHINE_LAST_MS, machine_last);
	else
		loop_stop(m->loop);
}

static void machine_guest_ended(struct shell *s, const char *why)
{
	struct machine *m = container_of(s, struct machine, shell);
	const char *last = serial_last_line(&s->serial);

	machine_end(m, "%s%s%s", why, *last ? "; its console says: " : "", last);
}

struct format machine_format(const struct machine *m)
{
	return (struct format){ .arch = FORMAT_X86_64,
				.kind = VMM_KIND,
				.writer = DOZE_VERSION,
				.machine = VMM_MACHINE,
				.vcpus = m->shell.shape.vcpus,
				.memory_mib = m->shell.shape.memory_mib };
}

int machine_check_shape(const struct machine *m, const struct machine_shape *shape, struct err *e)
{
	const struct machine_shape *has = &m->shell.shape;

	if (shape->vcpus == has->vcpus && shape->memory_mib == has->memory_mib)
		return 0;
	return err_set(e, ERR_CONFLICT,
		       "this machine was made with %u vCPUs and %u MiB; asked for are %u and %u",
		       has->vcpus, has->memory_mib, shape->vcpus, shape->memory_mib);
}

/* Requests. */

static void machine_go(struct machine *m)
{
	m->run = MACHINE_RUNNING;
	shell_resume(&m->shell);
}

void machine_stand(struct machine *m)
{
	if (m->run == MACHINE_RUNNING)
		m->paused_at_us = clock_mono_us();
	m->run = MACHINE_PAUSED;
	shell_pause(&m->shell);
}

/* A guest that could not be made leaves a shell that is of no use any more. */
static void machine_broken(struct machine *m, uint64_t tag, const struct err *why)
{
	log_warn("The guest cannot be made cause='%s'", why->text);
	peer_send_fault(&m->peer, tag, why);
	machine_end(m, "%s", why->text);
}

static void machine_take_boot(struct machine *m, struct ipc_msg *msg)
{
	struct err e;

	if (machine_boot(m, msg, &e)) {
		machine_broken(m, msg->head.tag, &e);
		return;
	}
	m->booted = true;
	machine_go(m);
	machine_say_ready(m, msg->head.tag);
}

static void machine_take_restore(struct machine *m, struct ipc_msg *msg)
{
	struct machine_restore r;
	struct err e;

	memcpy(&r, msg->body, sizeof(r));
	if (machine_restore(m, &r, msg, &e)) {
		machine_broken(m, msg->head.tag, &e);
		return;
	}
	m->paused_at_us = clock_mono_us();
	m->run = MACHINE_PAUSED;
	if (!r.stopped)
		machine_go(m);
	machine_say_ready(m, msg->head.tag);
}

static void machine_take_snapshot(struct machine *m, struct ipc_msg *msg)
{
	machine_save(m, msg, FORMAT_IMAGE);
}

static void machine_take_save(struct machine *m, struct ipc_msg *msg)
{
	machine_save(m, msg, FORMAT_SAVE);
}

static void machine_take_pause(struct machine *m, struct ipc_msg *msg)
{
	machine_stand(m);
	machine_say_ready(m, msg->head.tag);
}

static void machine_take_continue(struct machine *m, struct ipc_msg *msg)
{
	machine_go(m);
	machine_say_ready(m, msg->head.tag);
}

static void machine_take_stop(struct machine *m, struct ipc_msg *msg)
{
	(void)msg;
	machine_end(m, "stopped by its owner");
}

static void machine_take_stats(struct machine *m, struct ipc_msg *msg)
{
	struct machine_stats stats = { .run = (uint32_t)m->run };
	struct timespec t;

	if (!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t))
		stats.cpu_ns = (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
	shell_memory(&m->shell, &stats);
	peer_send(&m->peer, MACHINE_STATS, msg->head.tag, &stats, sizeof(stats));
}

static void machine_take_touched(struct machine *m, struct ipc_msg *msg)
{
	autobuf struct buf runs = { 0 };
	struct err e;
	int rc = ram_touched(&m->shell.mem, m->shell.pagemap_fd, &runs, &e);

	if (!rc) {
		errno = -io_write_full(msg->fds[0], runs.data, runs.size);
		rc = errno ? err_sys(&e, "write which pages were touched") : 0;
	}
	if (rc)
		peer_send_fault(&m->peer, msg->head.tag, &e);
	else
		machine_say_ready(m, msg->head.tag);
}

static void machine_take_agent(struct machine *m, struct ipc_msg *msg)
{
	struct err e;

	if (agent_put_bytes(machine_agent(m), msg->body, msg->head.size, &e))
		peer_send_fault(&m->peer, msg->head.tag, &e);
}

static void (*const machine_takes[MACHINE_NUM_TYPES])(struct machine *m, struct ipc_msg *msg) = {
	[MACHINE_BOOT] = machine_take_boot,   [MACHINE_SNAPSHOT] = machine_take_snapshot,
	[MACHINE_SAVE] = machine_take_save,   [MACHINE_RESTORE] = machine_take_restore,
	[MACHINE_PAUSE] = machine_take_pause, [MACHINE_CONTINUE] = machine_take_continue,
	[MACHINE_STOP] = machine_take_stop,   [MACHINE_GET_STATS] = machine_take_stats,
	[MACHINE_AGENT] = machine_take_agent, [MACHINE_GET_TOUCHED] = machine_take_touched,
};

static void machine_message(struct peer *p, struct ipc_msg *msg)
{
	struct machine *m = container_of(p, struct machine, peer);
	const char *busy = m->saving.active ? "save" : NULL;
	uint32_t type = msg->head.type;
	struct err e;

	if (serve_check(type, m->run, busy, &e)) {
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
	struct machine_hello hello = { MACHINE_PROTOCOL, (uint32_t)m->run, VMM_KIND };

	peer_send(p, MACHINE_HELLO, 0, &hello, sizeof(hello));
	agent_kick(machine_agent(m));
}

/* Who ends waits only to be heard. */
static void machine_room(struct peer *p)
{
	struct machine *m = container_of(p, struct machine, peer);

	if (m->run == MACHINE_ENDING)
		loop_stop(m->loop);
	else
		agent_kick(machine_agent(m));
}

static void machine_left(struct peer *p)
{
	struct machine *m = container_of(p, struct machine, peer);

	agent_owner_left(machine_agent(m));
	if (m->run == MACHINE_ENDING)
		loop_stop(m->loop);
}

static const struct peer_ops machine_peer_ops = {
	.joined = machine_joined,
	.message = machine_message,
	.room = machine_room,
	.left = machine_left,
};

/* What is in a save is not said again.  A paused guest says little, and a save cannot wait for
 * room.
 */
static bool machine_deliver(struct agent *a, const uint8_t *frames, size_t size)
{
	struct machine *m = container_of(a, struct machine, shell.agent.agent);

	if (m->saving.active || m->peer.chan.sock < 0 ||
	    (m->run != MACHINE_PAUSED && !peer_has_room(&m->peer)))
		return false;
	peer_send(&m->peer, MACHINE_AGENT, 0, frames, size);
	return true;
}

static void machine_agent_fault(struct agent *a)
{
	struct machine *m = container_of(a, struct machine, shell.agent.agent);
	struct err e;

	err_set(&e, ERR_INVALID, "the guest's agent sends what is no frame");
	peer_send_fault(&m->peer, 0, &e);
}

int machine_open(struct machine *m, struct loop *l, const struct machine_shape *shape,
		 struct err *e)
{
	m->loop = l;
	m->image_fd = -1;
	chan_init(&m->peer.chan, -1, machine_rows, MACHINE_NUM_TYPES);
	for (size_t i = 0; i < ARRAY_SIZE(m->saving.fds); i++)
		m->saving.fds[i] = -1;
	if (peer_open(&m->peer, l, MACHINE_FD_SOCK, &machine_peer_ops, e))
		return -1;
	if (shell_open(&m->shell, l, shape, machine_guest_ended, e) ||
	    msrs_prepare(&m->shell.vm, e))
		return -1;
	machine_agent(m)->deliver = machine_deliver;
	machine_agent(m)->fault = machine_agent_fault;
	buf_reserve(&m->state, VMM_STATE);
	memset(m->state.data, 0, VMM_STATE);
	m->tsc_khz = state_tsc_khz(&m->shell.vm);
	return 0;
}
