/* save.c - SNAPSHOT and SAVE: write the machine's state to files and end the machine.
 *
 * QEMU stops and writes its devices.  A worker writes the memory, then the header, and syncs
 * everything.  QEMU ends, which completes the disk.  Before that point a failure leaves a paused
 * machine. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/rand.h"
#include "qemu/start.h"

#define SAVE_SETTLE_MS  2000  /* for the guest to read what its agent was sent */
#define SAVE_FLATTEN_MS 60000 /* for the next block of the old save's disk to be copied */
#define SAVE_POLL_MS    2
#define SAVE_FIRST_SET  10000 /* numbers of QEMU's descriptor sets that are not descriptors */

/* SNAPSHOT is for a machine that was booted, SAVE for one that was restored. */
static enum step snapshot_check(struct machine *m, struct err *e)
{
	m->host.content = FORMAT_IMAGE;
	if (m->booted)
		return STEP_NEXT;
	err_set(e, ERR_CONFLICT, "only a booted machine becomes an image; this one was restored");
	return STEP_FAULT;
}

static enum step save_check(struct machine *m, struct err *e)
{
	m->host.content = FORMAT_SAVE;
	if (!m->booted)
		return STEP_NEXT;
	err_set(e, ERR_CONFLICT,
		"only a restored machine differs from an image; this one was booted");
	return STEP_FAULT;
}

static void save_settle_again(struct timer *t)
{
	struct machine *m = container_of(t, struct machine, timer);

	m->step--;
	machine_next(m);
}

/* Copying the old save's disk takes as long as it gets on: how far it is shows in the overlay. */
static bool save_flattens(struct machine *m)
{
	struct stat st;

	if (fstat(m->overlay_fd, &st) || st.st_blocks == m->flattened_blocks)
		return false;
	m->flattened_blocks = st.st_blocks;
	return true;
}

/* The disk must be flat, and the guest must have read what its agent was sent. */
static enum step save_settle(struct machine *m, struct err *e)
{
	int64_t now = clock_mono_ms();
	bool flat = m->disk == DISK_FLAT;

	if (flat && (m->owner.run == MACHINE_PAUSED || !port_unsent(&m->port)))
		return STEP_NEXT;
	if (!m->settle_until_ms || (!flat && save_flattens(m)))
		m->settle_until_ms = now + (flat ? SAVE_SETTLE_MS : SAVE_FLATTEN_MS);
	if (now >= m->settle_until_ms || m->disk == DISK_LAYERED) {
		err_set(e, ERR_CAPACITY, "%s",
			flat ? "the guest does not read what its agent was sent"
			     : "the disk of the old save is not taken over yet");
		return STEP_FAULT;
	}
	loop_timer(m->loop, &m->timer, SAVE_POLL_MS, save_settle_again);
	return STEP_WAIT;
}

static enum step save_stop(struct machine *m, struct err *e)
{
	m->settle_until_ms = 0;
	if (m->owner.run == MACHINE_RUNNING)
		m->paused_at_us = clock_mono_us();
	return machine_ask(m, "stop", NULL, -1, e);
}

/* Each attempt needs a descriptor set of its own, or QEMU would write into the file of the attempt
 * before.  QEMU may write to the agent's socket until it answers, so the socket is read before and
 * after. */
static enum step save_give_state(struct machine *m, struct err *e)
{
	json_t *args = json_pack("{s:i}", "fdset-id", (int)(SAVE_FIRST_SET + ++m->saves));

	m->owner.run = MACHINE_PAUSED;
	port_drain(&m->port);
	return machine_ask(m, "add-fd", args, m->fds[SAVE_FD_STATE], e);
}

/* Despite its name the command saves all devices and CPUs of any machine, without memory.  "live"
 * is off, because it would release the disks for good. */
static enum step save_devices(struct machine *m, struct err *e)
{
	json_t *name = json_sprintf("/dev/fdset/%u", SAVE_FIRST_SET + m->saves);
	json_t *args = json_pack("{s:o, s:b}", "filename", name, "live", 0);

	port_drain(&m->port);
	return machine_ask(m, "xen-save-devices-state", args, -1, e);
}

static int save_sync(int fd, const char *name, struct err *e)
{
	return fsync(fd) ? err_sys(e, "bring the snapshot's %s to disk", name) : 0;
}

/* Start writing all files before waiting for the first, so that one commit of the file system
 * serves them all. */
static int save_sync_all(const struct machine *m, struct err *e)
{
	const struct {
		int fd;
		const char *name;
	} files[] = { { m->fds[SAVE_FD_MEMORY], "memory" },
		      { m->fds[SAVE_FD_STATE], "state" },
		      { m->fds[SAVE_FD_HEADER], "header" },
		      { m->overlay_fd, "disk" } };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		sync_file_range(files[i].fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a hint */
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (save_sync(files[i].fd, files[i].name, e))
			return -1;
	return 0;
}

static int save_header(const struct machine *m, const struct buf *runs, struct err *e)
{
	autobuf struct buf bytes = { 0 };
	struct format f = m->host;
	struct stat st;
	int rc;

	if (fstat(m->fds[SAVE_FD_STATE], &st) || !st.st_size)
		return err_set(e, ERR_INTERNAL, "QEMU wrote no state");
	f.vcpus = m->shape.vcpus;
	f.memory_mib = m->shape.memory_mib;
	f.state_bytes = (uint64_t)st.st_size;
	f.runs = runs->data;
	f.n_runs = runs->size / sizeof(struct format_run);
	f.agent = m->port.agent.from_guest.data;
	f.n_agent = m->port.agent.from_guest.size;
	rand_bytes(f.id, sizeof(f.id));
	format_write(&bytes, &f);
	rc = io_write_full(m->fds[SAVE_FD_HEADER], bytes.data, bytes.size);
	errno = -rc;
	return rc ? err_sys(e, "write the snapshot's header") : 0;
}

/* Runs in the worker. */
static int save_work(const void *arg, struct buf *out, struct err *e)
{
	const struct machine *m = arg;
	autobuf struct buf runs = { 0 };
	uint64_t size = m->shape.memory_mib * MIB, written = 0;
	int to = m->fds[SAVE_FD_MEMORY];

	if (m->host.content == FORMAT_IMAGE
		    ? pages_copy(m->memory_fd, size, to, &written, e)
		    : pages_save(&m->view, m->memory_fd, to, &runs, &written, e))
		return -1;
	if (save_header(m, &runs, e) || save_sync_all(m, e))
		return -1;
	buf_add(out, &written, sizeof(written));
	return 0;
}

static void save_worked(struct work *w, const uint8_t *out, size_t size, const struct err *why)
{
	struct machine *m = container_of(w, struct machine, work);

	if (why) {
		machine_fail(m, why);
		return;
	}
	if (size == sizeof(m->saved.memory_bytes))
		memcpy(&m->saved.memory_bytes, out, size);
	machine_next(m);
}

static enum step save_memory(struct machine *m, struct err *e)
{
	port_drain(&m->port);
	agent_kick(&m->port.agent);
	m->owner.sealed = true;
	if (m->host.content == FORMAT_SAVE &&
	    pages_open(&m->view, m->qemu.pid, m->memory_fd, m->shape.memory_mib * MIB, e))
		return STEP_FAULT;
	return work_start(&m->work, m->loop, save_work, m, save_worked, e) ? STEP_FAULT : STEP_WAIT;
}

/* QEMU answers by ending. */
static enum step save_quit(struct machine *m, struct err *e)
{
	m->quitting = true;
	return qmp_send(&m->qmp, "quit", NULL, -1, NULL, e) ? STEP_FAULT : STEP_WAIT;
}

static enum step save_finish(struct machine *m, struct err *e)
{
	struct stat disk, state;

	if (save_sync(m->overlay_fd, "disk", e))
		return STEP_FAULT;
	if (!fstat(m->overlay_fd, &disk) && !fstat(m->fds[SAVE_FD_STATE], &state)) {
		m->saved.disk_bytes = (uint64_t)disk.st_blocks * 512;
		m->saved.state_bytes = (uint64_t)state.st_size;
	}
	m->saved.paused_us = (uint64_t)(clock_mono_us() - m->paused_at_us);
	return STEP_NEXT;
}

static void save_done(struct machine *m)
{
	peer_send(&m->owner.peer, MACHINE_SAVED, m->tag, &m->saved, sizeof(m->saved));
	machine_end(m, "saved");
}

#define SAVE_STEPS \
	save_stop, save_give_state, save_devices, save_memory, save_quit, save_finish, NULL

static machine_step *const snapshot_steps[] = { snapshot_check, save_settle, SAVE_STEPS };
static machine_step *const save_steps[] = { save_check, flatten_begin, save_settle, SAVE_STEPS };

const struct machine_op op_snapshot = { "snapshot", snapshot_steps, save_done, false };
const struct machine_op op_save = { "save", save_steps, save_done, false };
