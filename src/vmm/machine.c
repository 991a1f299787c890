#include "vmm/machine.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "vmm/arch/x86_64/msr.h"
#include "vmm/state.h"

static struct machine *machine_of(struct owner *o)
{
	return container_of(o, struct machine, owner);
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

	board_pause(&m->board);
	m->saving.active = false;
	loop_untimer(m->loop, &m->timer);
}

static void machine_guest_ended(struct board *s, const char *why)
{
	struct machine *m = container_of(s, struct machine, board);
	const char *last = serial_last_line(&s->serial);

	machine_end(m, "%s%s%s", why, *last ? "; its console says: " : "", last);
}

struct format machine_format(const struct machine *m)
{
	return (struct format){ .arch = FORMAT_X86_64,
				.kind = VMM_KIND,
				.writer = DOZE_VERSION,
				.machine = VMM_MACHINE,
				.vcpus = m->board.shape.vcpus,
				.memory_mib = m->board.shape.memory_mib };
}

int machine_check_shape(const struct machine *m, const struct machine_shape *shape, struct err *e)
{
	const struct machine_shape *has = &m->board.shape;

	if (shape->vcpus == has->vcpus && shape->memory_mib == has->memory_mib)
		return 0;
	return err_set(e, ERR_CONFLICT,
		       "this machine was made with %u vCPUs and %u MiB; asked for are %u and %u",
		       has->vcpus, has->memory_mib, shape->vcpus, shape->memory_mib);
}

/* Requests. */

static void machine_go(struct machine *m)
{
	m->owner.run = MACHINE_RUNNING;
	board_resume(&m->board);
}

void machine_stand(struct machine *m)
{
	if (m->owner.run == MACHINE_RUNNING)
		m->paused_at_us = clock_mono_us();
	m->owner.run = MACHINE_PAUSED;
	board_pause(&m->board);
}

/* After a guest could not be made, its board is useless. */
static void machine_broken(struct machine *m, uint64_t tag, const struct err *why)
{
	log_warn("The guest cannot be made cause='%s'", why->text);
	peer_send_fault(&m->owner.peer, tag, why);
	machine_end(m, "%s", why->text);
}

static void machine_take_boot(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);
	struct err e;

	if (machine_boot(m, msg, &e)) {
		machine_broken(m, msg->head.tag, &e);
		return;
	}
	m->booted = true;
	machine_go(m);
	owner_ready(&m->owner, msg->head.tag);
}

static void machine_take_restore(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);
	struct machine_restore r;
	struct err e;

	memcpy(&r, msg->body, sizeof(r));
	if (machine_restore(m, &r, msg, &e)) {
		machine_broken(m, msg->head.tag, &e);
		return;
	}
	m->paused_at_us = clock_mono_us();
	m->owner.run = MACHINE_PAUSED;
	if (!r.stopped)
		machine_go(m);
	owner_ready(&m->owner, msg->head.tag);
}

static void machine_take_snapshot(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);

	machine_save(m, msg, FORMAT_IMAGE);
}

static void machine_take_save(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);

	machine_save(m, msg, FORMAT_SAVE);
}

static void machine_take_pause(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);

	machine_stand(m);
	owner_ready(&m->owner, msg->head.tag);
}

static void machine_take_continue(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);

	machine_go(m);
	owner_ready(&m->owner, msg->head.tag);
}

static void machine_take_stop(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);

	(void)msg;
	machine_end(m, "stopped by its owner");
}

static void machine_take_stats(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);
	struct machine_stats stats = { .run = (uint32_t)m->owner.run };
	struct timespec t;

	if (!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t))
		stats.cpu_ns = (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
	board_memory(&m->board, &stats);
	peer_send(&m->owner.peer, MACHINE_STATS, msg->head.tag, &stats, sizeof(stats));
}

static void machine_take_progress(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);
	struct machine_progress p = { .console_bytes = m->board.console.bytes };
	struct timespec t;

	if (!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t))
		p.cpu_ns = (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
	peer_send(&m->owner.peer, MACHINE_PROGRESS, msg->head.tag, &p, sizeof(p));
}

static void machine_take_explain(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);
	struct err e;

	if (m->saving.active) {
		err_set(&e, ERR_CONFLICT, "the machine is busy with its save");
		peer_send_fault(&m->owner.peer, msg->head.tag, &e);
		return;
	}
	machine_explain(m, msg->fds[0]);
	owner_ready(&m->owner, msg->head.tag);
}

static void machine_take_touched(struct owner *o, struct ipc_msg *msg)
{
	struct machine *m = machine_of(o);
	autobuf struct buf runs = { 0 };
	struct err e;
	int rc = ram_touched(&m->board.mem, m->board.pagemap_fd, &runs, &e);

	if (!rc) {
		errno = -io_write_full(msg->fds[0], runs.data, runs.size);
		rc = errno ? err_sys(&e, "write which pages were touched") : 0;
	}
	if (rc)
		peer_send_fault(&m->owner.peer, msg->head.tag, &e);
	else
		owner_ready(&m->owner, msg->head.tag);
}

static const char *machine_busy(struct owner *o)
{
	return machine_of(o)->saving.active ? "save" : NULL;
}

static const struct owner_ops machine_owner_ops = {
	.kind = VMM_KIND,
	.take = {
		[MACHINE_BOOT] = machine_take_boot,
		[MACHINE_SNAPSHOT] = machine_take_snapshot,
		[MACHINE_SAVE] = machine_take_save,
		[MACHINE_RESTORE] = machine_take_restore,
		[MACHINE_PAUSE] = machine_take_pause,
		[MACHINE_CONTINUE] = machine_take_continue,
		[MACHINE_STOP] = machine_take_stop,
		[MACHINE_GET_STATS] = machine_take_stats,
		[MACHINE_GET_TOUCHED] = machine_take_touched,
		[MACHINE_GET_PROGRESS] = machine_take_progress,
		[MACHINE_EXPLAIN] = machine_take_explain,
		[MACHINE_AGENT] = owner_take_agent,
	},
	.busy = machine_busy,
	.ending = machine_ending,
};

static bool machine_deliver(struct agent *a, const uint8_t *frames, size_t size)
{
	return owner_deliver(&container_of(a, struct machine, board.agent.agent)->owner, frames,
			     size);
}

static void machine_agent_fault(struct agent *a)
{
	owner_agent_broken(&container_of(a, struct machine, board.agent.agent)->owner);
}

int machine_open(struct machine *m, struct loop *l, const struct machine_shape *shape,
		 struct err *e)
{
	m->loop = l;
	m->image_fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(m->saving.fds); i++)
		m->saving.fds[i] = -1;
	if (owner_open(&m->owner, l, MACHINE_FD_SOCK, &machine_owner_ops, machine_agent(m), e))
		return -1;
	if (board_open(&m->board, l, shape, machine_guest_ended, e) ||
	    msrs_prepare(&m->board.vm, e))
		return -1;
	machine_agent(m)->deliver = machine_deliver;
	machine_agent(m)->fault = machine_agent_fault;
	buf_reserve(&m->header, VMM_HEADER);
	buf_reserve(&m->state, VMM_STATE);
	memset(m->state.data, 0, VMM_STATE);
	m->tsc_khz = state_tsc_khz(&m->board.vm);
	return 0;
}
