/* restore.c - RESTORE: a clone of an image, or a suspended microVM over its image.
 *
 * QEMU is started without a kernel and waits.  The pages of a save are written over its private
 * mapping of the image's memory, and then the device state is loaded. */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/limits.h"
#include "qemu/start.h"

#define RESTORE_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

static bool restore_is_save(const struct machine *m)
{
	return m->fds[RESTORE_FD_SAVE_HEADER] >= 0;
}

static_assert(RESTORE_FD_STATE == RESTORE_FD_HEADER + 1 &&
		      RESTORE_FD_SAVE_STATE == RESTORE_FD_SAVE_HEADER + 1,
	      "a state stands behind its header");

/* Read the header at descriptor @at; check it against this machine and its state file. */
static int restore_header(const struct machine *m, enum machine_restore_fd at, struct buf *bytes,
			  struct format *f, struct err *e)
{
	int header = m->fds[at], state = m->fds[at + 1];
	struct format here = m->host;
	struct stat st;

	if (lseek(header, 0, SEEK_SET) < 0 || io_read_all(header, bytes, LIMIT_SNAPSHOT_HEADER))
		return err_set(e, ERR_INVALID, "the snapshot's header cannot be read");
	here.content = at == RESTORE_FD_HEADER ? FORMAT_IMAGE : FORMAT_SAVE;
	here.vcpus = m->shape.vcpus;
	here.memory_mib = m->shape.memory_mib;
	if (format_parse(bytes->data, bytes->size, f, e) || format_fits_machine(f, &here, e))
		return -1;
	if (fstat(state, &st) || (uint64_t)st.st_size != f->state_bytes ||
	    lseek(state, 0, SEEK_SET) < 0)
		return err_set(e, ERR_INVALID, "the snapshot's state file is not whole");
	return 0;
}

/* Clones share this memory, so nobody may write to it or remove pages. */
static int restore_check_memory(const struct machine *m, int fd, struct err *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (fstat(fd, &st) || (uint64_t)st.st_size != m->shape.memory_mib * MIB)
		return err_set(e, ERR_INVALID, "the image's memory has not the machine's size");
	if (seals < 0 || (seals & RESTORE_SEALS) != RESTORE_SEALS)
		return err_set(e, ERR_INVALID, "the image's memory is not a sealed memfd");
	return 0;
}

static enum step restore_prepare(struct machine *m, struct err *e)
{
	autobuf struct buf bytes = { 0 };
	struct format image = { 0 };

	if (start_check_shape(&m->shape, e) ||
	    restore_check_memory(m, m->fds[RESTORE_FD_MEMORY], e) ||
	    restore_header(m, RESTORE_FD_HEADER, &bytes, &image, e))
		return STEP_FAULT;
	memcpy(m->host.over, image.id, sizeof(image.id));
	if (!restore_is_save(m)) {
		agent_preset(&m->port.agent, image.agent, image.n_agent);
		m->save = image;
		m->save.runs = m->save.agent = NULL;
		m->save.n_runs = m->save.n_agent = 0;
	} else if (restore_header(m, RESTORE_FD_SAVE_HEADER, &m->save_header, &m->save, e)) {
		return STEP_FAULT;
	} else if (memcmp(m->save.over, image.id, sizeof(image.id)) != 0) {
		err_set(e, ERR_INVALID, "the save was made over another image");
		return STEP_FAULT;
	}
	if (restore_is_save(m))
		agent_preset(&m->port.agent, m->save.agent, m->save.n_agent);
	m->memory_fd = fd_steal(&m->fds[RESTORE_FD_MEMORY]);
	m->overlay_fd = fd_steal(&m->fds[RESTORE_FD_OVERLAY]);
	return STEP_NEXT;
}

static int restore_state_fd(const struct machine *m)
{
	return m->fds[restore_is_save(m) ? RESTORE_FD_SAVE_STATE : RESTORE_FD_STATE];
}

static enum step restore_start(struct machine *m, struct err *e)
{
	struct qemu_args a = { .kernel = -1,
			       .initrd = -1,
			       .root = m->fds[RESTORE_FD_ROOT],
			       .disk = m->fds[RESTORE_FD_DISK],
			       .save = m->fds[RESTORE_FD_SAVE_DISK],
			       .state = restore_state_fd(m) };

	m->save_disk_set = a.save;
	if (a.save >= 0)
		m->disk = DISK_LAYERED;
	return start_qemu(m, &a, e);
}

static enum step restore_check(struct machine *m, struct err *e)
{
	struct tsc_point now = tsc_now();

	m->host.tsc_khz = tsc_khz(&m->started, &now);
	return format_fits_host(&m->save, &m->host, e) ? STEP_FAULT : STEP_NEXT;
}

static int restore_lay_work(const void *arg, struct buf *out, struct err *e)
{
	const struct machine *m = arg;

	(void)out;
	return pages_lay(&m->view, m->fds[RESTORE_FD_SAVE_MEMORY], &m->save, e);
}

static void restore_laid(struct work *w, const uint8_t *out, size_t size, const struct err *why)
{
	struct machine *m = container_of(w, struct machine, work);

	(void)out;
	(void)size;
	if (why)
		machine_fail(m, why);
	else
		machine_next(m);
}

static enum step restore_lay(struct machine *m, struct err *e)
{
	if (!m->save.n_runs)
		return STEP_NEXT;
	if (pages_open(&m->view, m->qemu.pid, m->memory_fd, m->shape.memory_mib * MIB, e) ||
	    work_start(&m->work, m->loop, restore_lay_work, m, restore_laid, e))
		return STEP_FAULT;
	return STEP_WAIT;
}

/* An event of QEMU says when the state is loaded. */
static enum step restore_events(struct machine *m, struct err *e)
{
	json_t *args =
		json_pack("{s:[{s:s, s:b}]}", "capabilities", "capability", "events", "state", 1);

	return machine_ask(m, "migrate-set-capabilities", args, -1, e);
}

static enum step restore_load(struct machine *m, struct err *e)
{
	json_t *uri = json_sprintf("fd:%d", restore_state_fd(m));

	return machine_ask(m, "migrate-incoming", json_pack("{s:o}", "uri", uri), -1, e);
}

static enum step restore_await(struct machine *m, struct err *e)
{
	(void)e;
	m->loading = !m->loaded;
	return m->loaded ? STEP_NEXT : STEP_WAIT;
}

void restore_loading(struct machine *m, const char *status)
{
	if (!status || strcmp(status, "completed") != 0)
		return; /* A failed load ends QEMU, which says why. */
	m->loaded = true;
	if (m->loading)
		machine_next(m);
	m->loading = false;
}

static enum step restore_cont(struct machine *m, struct err *e)
{
	return m->hold ? STEP_NEXT : machine_ask(m, "cont", NULL, -1, e);
}

static void restore_done(struct machine *m)
{
	m->owner.run = m->hold ? MACHINE_PAUSED : MACHINE_RUNNING;
	m->paused_at_us = clock_mono_us();
	owner_ready(&m->owner, m->tag);
}

static machine_step *const restore_steps[] = {
	restore_prepare, restore_start, start_negotiate, start_cpu,     restore_check, restore_lay,
	restore_events,  restore_load,  restore_await,   flatten_begin, restore_cont,  NULL,
};

const struct machine_op op_restore = { "restore", restore_steps, restore_done, true };
