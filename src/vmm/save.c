/* save.c - SNAPSHOT and SAVE: write the machine's state to files and end the machine.
 *
 * It goes step by step, so that the loop stays responsive.  The guest reads what its agent was sent
 * and is then stopped.  State, memory and header are written and synced.  Until the end a failure
 * leaves a paused machine that can CONTINUE. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/rand.h"
#include "vmm/machine.h"

#define SAVE_SETTLE_MS 2000 /* for the guest to read what its agent was sent */
#define SAVE_POLL_MS   2

enum step { STEP_NEXT, STEP_AGAIN, STEP_LATER, STEP_FAULT };

void saving_free(struct saving *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->fds); i++)
		fd_close(&s->fds[i]);
	buf_free(&s->ram.runs);
	buf_free(&s->state);
	s->active = false;
}

/* SNAPSHOT is for a machine that was booted, SAVE for one that was restored. */
static enum step save_check(struct machine *m, struct err *e)
{
	bool image = m->saving.content == FORMAT_IMAGE;

	if (image == m->booted)
		return STEP_NEXT;
	err_set(e, ERR_CONFLICT, "%s",
		image ? "only a booted machine becomes an image; this one was restored"
		      : "only a restored machine differs from an image; this one was booted");
	return STEP_FAULT;
}

/* The guest must have read what its agent was sent, because a stopped guest reads nothing. */
static enum step save_settle(struct machine *m, struct err *e)
{
	int64_t now = clock_mono_ms();

	if (!machine_agent(m)->to_guest.size)
		return STEP_NEXT;
	if (!m->saving.settle_until_ms)
		m->saving.settle_until_ms = now + SAVE_SETTLE_MS;
	if (m->owner.run == MACHINE_RUNNING && now < m->saving.settle_until_ms)
		return STEP_LATER;
	err_set(e, ERR_CAPACITY, "the guest does not read what its agent was sent");
	return STEP_FAULT;
}

static enum step save_stand(struct machine *m, struct err *e)
{
	(void)e;
	machine_stand(m);
	return STEP_NEXT;
}

static enum step save_disk(struct machine *m, struct err *e)
{
	return board_settle_disk(&m->board, &m->saving.saved.disk_bytes, e) ? STEP_FAULT
									    : STEP_NEXT;
}

static int save_write(int fd, const struct buf *b, const char *what, struct err *e)
{
	int rc = io_write_full(fd, b->data, b->size);

	errno = -rc;
	return rc ? err_sys(e, "write the snapshot's %s", what) : 0;
}

static enum step save_state(struct machine *m, struct err *e)
{
	struct saving *s = &m->saving;

	if (board_save(&m->board, &s->state, e) ||
	    save_write(s->fds[SAVE_FD_STATE], &s->state, "state", e))
		return STEP_FAULT;
	s->saved.state_bytes = s->state.size;
	return STEP_NEXT;
}

static enum step save_memory(struct machine *m, struct err *e)
{
	int rc = ram_save_step(&m->saving.ram, e);

	return rc < 0 ? STEP_FAULT : rc ? STEP_NEXT : STEP_AGAIN;
}

static enum step save_header(struct machine *m, struct err *e)
{
	struct saving *s = &m->saving;
	autobuf struct buf bytes = { 0 };
	struct format f = machine_format(m);

	f.content = s->content;
	f.state_bytes = s->state.size;
	f.tsc_khz = m->tsc_khz;
	f.runs = s->ram.runs.data;
	f.n_runs = s->ram.runs.size / sizeof(struct format_run);
	f.agent = machine_agent(m)->from_guest.data;
	f.n_agent = machine_agent(m)->from_guest.size;
	if (s->content == FORMAT_SAVE)
		memcpy(f.over, m->over, sizeof(f.over));
	rand_bytes(f.id, sizeof(f.id));
	format_write(&bytes, &f);
	return save_write(s->fds[SAVE_FD_HEADER], &bytes, "header", e) ? STEP_FAULT : STEP_NEXT;
}

static enum step save_sync(struct machine *m, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(m->saving.fds); i++) {
		if (!fsync(m->saving.fds[i]))
			continue;
		err_sys(e, "bring the snapshot to disk");
		return STEP_FAULT;
	}
	return STEP_NEXT;
}

static enum step (*const save_steps[])(struct machine *m, struct err *e) = {
	save_check, save_settle, save_stand,  save_disk,
	save_state, save_memory, save_header, save_sync,
};

static void save_done(struct machine *m)
{
	struct saving *s = &m->saving;

	s->saved.memory_bytes = s->ram.to.written;
	s->saved.paused_us = (uint64_t)(clock_mono_us() - m->paused_at_us);
	peer_send(&m->owner.peer, MACHINE_SAVED, s->tag, &s->saved, sizeof(s->saved));
	saving_free(s);
	machine_end(m, "saved");
}

static void save_failed(struct machine *m, const struct err *why)
{
	log_warn("The save failed cause='%s'", why->text);
	peer_send_fault(&m->owner.peer, m->saving.tag, why);
	saving_free(&m->saving);
	m->owner.sealed = false;
	agent_kick(machine_agent(m));
}

static void save_go_on(struct timer *t)
{
	struct machine *m = container_of(t, struct machine, timer);
	struct err e;

	while (m->saving.step < ARRAY_SIZE(save_steps)) {
		enum step step = save_steps[m->saving.step](m, &e);

		if (step == STEP_FAULT) {
			save_failed(m, &e);
			return;
		}
		if (step == STEP_AGAIN || step == STEP_LATER) {
			loop_timer(m->loop, &m->timer, step == STEP_LATER ? SAVE_POLL_MS : 0,
				   save_go_on);
			return;
		}
		m->saving.step++;
	}
	save_done(m);
}

void machine_save(struct machine *m, struct ipc_msg *msg, enum format_content content)
{
	struct saving *s = &m->saving;

	*s = (struct saving){ .active = true, .content = content, .tag = msg->head.tag };
	for (unsigned i = 0; i < SAVE_NUM_FDS; i++)
		s->fds[i] = ipc_msg_take_fd(msg, i);
	ram_save_begin(&s->ram, &m->board.mem, m->board.pagemap_fd, m->image_fd,
		       s->fds[SAVE_FD_MEMORY]);
	m->owner.sealed = true;
	save_go_on(&m->timer);
}
