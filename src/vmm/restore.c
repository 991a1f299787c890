/* restore.c - RESTORE: a clone of an image, or a suspended microVM over its image, on a ready
 * board.
 *
 * This file is the path from the request to the guest's first instruction: it reads two small
 * files, makes one mapping, and sets the state. */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "vmm/machine.h"

#define RESTORE_STATE_MAX (4 * MIB)

static_assert(RESTORE_FD_STATE == RESTORE_FD_HEADER + 1 &&
		      RESTORE_FD_SAVE_STATE == RESTORE_FD_SAVE_HEADER + 1,
	      "a state stands behind its header");

/* Read a whole file, whose size is known to be bounded, by one read. */
static int restore_read(int fd, struct buf *b, size_t most, const char *what, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) || st.st_size < 0 || (uint64_t)st.st_size > most)
		return err_set(e, ERR_INVALID, "the snapshot's %s is not whole", what);
	buf_reserve(b, (size_t)st.st_size);
	b->size = (size_t)st.st_size;
	if (io_pread_full(fd, b->data, b->size, 0))
		return err_set(e, ERR_INVALID, "the snapshot's %s cannot be read", what);
	return 0;
}

static int restore_header(const struct machine *m, int fd, enum format_content content,
			  struct buf *bytes, struct format *f, struct err *e)
{
	struct format here = machine_format(m);

	here.content = content;
	here.tsc_khz = m->tsc_khz;
	if (restore_read(fd, bytes, LIMIT_SNAPSHOT_HEADER, "header", e) ||
	    format_parse(bytes->data, bytes->size, f, e))
		return -1;
	return format_fits_machine(f, &here, e) || format_fits_host(f, &here, e) ? -1 : 0;
}

static int restore_state(struct machine *m, int fd, const struct format *f, struct err *e)
{
	struct buf *state = &m->state;

	if (restore_read(fd, state, RESTORE_STATE_MAX, "state", e))
		return -1;
	if (state->size != f->state_bytes)
		return err_set(e, ERR_INVALID, "the snapshot's state file is not whole");
	return board_load(&m->board, state->data, state->size, e);
}

/* The layers from the top: this machine's own, an old save's, the image's. */
static int restore_disk(struct machine *m, bool from_save, struct ipc_msg *msg, struct err *e)
{
	int layers[COW_LAYERS];
	unsigned n = 0;

	layers[n++] = msg->fds[RESTORE_FD_OVERLAY];
	if (from_save)
		layers[n++] = msg->fds[RESTORE_FD_SAVE_DISK];
	layers[n++] = msg->fds[RESTORE_FD_DISK];
	if (board_disk(&m->board, msg->fds[RESTORE_FD_ROOT], layers, n, e))
		return -1;
	ipc_msg_take_fd(msg, RESTORE_FD_ROOT);
	ipc_msg_take_fd(msg, RESTORE_FD_OVERLAY);
	ipc_msg_take_fd(msg, RESTORE_FD_DISK);
	if (from_save)
		ipc_msg_take_fd(msg, RESTORE_FD_SAVE_DISK);
	return 0;
}

static int restore_memory(struct machine *m, struct ipc_msg *msg, struct err *e)
{
	int fd = msg->fds[RESTORE_FD_MEMORY];
	struct stat st;

	if (fstat(fd, &st) || (uint64_t)st.st_size != m->board.mem.size)
		return err_set(e, ERR_INVALID, "the image's memory has not the machine's size");
	if (mem_attach_file(&m->board.mem, fd, e))
		return -1;
	m->image_fd = ipc_msg_take_fd(msg, RESTORE_FD_MEMORY);
	return 0;
}

static int restore_image(struct machine *m, struct ipc_msg *msg, const struct format *image,
			 struct err *e)
{
	agent_preset(machine_agent(m), image->agent, image->n_agent);
	return restore_memory(m, msg, e) || restore_state(m, msg->fds[RESTORE_FD_STATE], image, e)
		       ? -1
		       : 0;
}

static int restore_save(struct machine *m, struct ipc_msg *msg, const struct format *image,
			struct err *e)
{
	autobuf struct buf bytes = { 0 };
	struct format save;

	if (restore_header(m, msg->fds[RESTORE_FD_SAVE_HEADER], FORMAT_SAVE, &bytes, &save, e))
		return -1;
	if (memcmp(save.over, image->id, sizeof(save.over)) != 0)
		return err_set(e, ERR_INVALID, "the save was made over another image");
	agent_preset(machine_agent(m), save.agent, save.n_agent);
	if (restore_memory(m, msg, e) ||
	    ram_lay(&m->board.mem, msg->fds[RESTORE_FD_SAVE_MEMORY], &save, e))
		return -1;
	return restore_state(m, msg->fds[RESTORE_FD_SAVE_STATE], &save, e);
}

int machine_restore(struct machine *m, const struct machine_restore *r, struct ipc_msg *msg,
		    struct err *e)
{
	struct format image;
	int rc;

	if (msg->n_fds != (r->from_save ? RESTORE_NUM_SAVE_FDS : RESTORE_NUM_FDS))
		return err_set(e, ERR_INVALID, "a restore of %s comes with other descriptors",
			       r->from_save ? "a save" : "an image");
	if (machine_check_shape(m, &r->shape, e) ||
	    restore_header(m, msg->fds[RESTORE_FD_HEADER], FORMAT_IMAGE, &m->header, &image, e))
		return -1;
	if (restore_disk(m, r->from_save, msg, e))
		return -1;
	memcpy(m->over, image.id, sizeof(m->over));
	if (r->from_save)
		rc = restore_save(m, msg, &image, e);
	else
		rc = restore_image(m, msg, &image, e);
	machine_agent(m)->open = true;
	return rc ? -1 : genid_renew(&m->board.genid, &m->board.mem, true, e);
}
