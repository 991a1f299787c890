#include "control/microvm/guest_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/storage/lanes.h"

#define GUEST_LOG_NAME (IPC_ID_SIZE + 16)

/* It may outlive its microVM, until the worker is done. */
struct guest_log {
	struct disk_task task;
	struct control *ctl;
	struct microvm *vm; /* NULL: the microVM is gone */
	char id[IPC_ID_SIZE];
	struct buf waiting;
	uint64_t dropped;
	bool closes;    /* once all is written */
	bool removes;   /* once all is written */
	bool under_way; /* the worker owns what follows */
	bool removing;
	struct buf writing;
	int fd;
};

static void guest_log_name(char to[GUEST_LOG_NAME], const char *id, const char *tail)
{
	snprintf(to, GUEST_LOG_NAME, "microvms/%s.log%s", id, tail);
}

/* The worker. */

static bool log_open(struct guest_log *g)
{
	char name[GUEST_LOG_NAME];

	if (g->fd >= 0)
		return true;
	guest_log_name(name, g->id, "");
	g->fd = io_open_below(g->ctl->log_fd, name, O_WRONLY | O_APPEND | O_CREAT, 0600);
	if (g->fd < 0)
		g->fd = -1;
	return g->fd >= 0;
}

static void log_rotate(struct guest_log *g)
{
	char name[GUEST_LOG_NAME], old[GUEST_LOG_NAME];
	struct stat st;

	if (fstat(g->fd, &st) || st.st_size < (off_t)LIMIT_LOG_FILE)
		return;
	guest_log_name(name, g->id, "");
	guest_log_name(old, g->id, ".1");
	if (!renameat(g->ctl->log_fd, name, g->ctl->log_fd, old))
		fd_close(&g->fd);
}

/* If the log cannot be written, for instance because the disk is full, the microVM runs on. */
static void log_run(struct disk_task *task)
{
	struct guest_log *g = container_of(task, struct guest_log, task);
	char name[GUEST_LOG_NAME];

	if (g->removing) {
		guest_log_name(name, g->id, "");
		unlinkat(g->ctl->log_fd, name, 0);
		guest_log_name(name, g->id, ".1");
		unlinkat(g->ctl->log_fd, name, 0);
		return;
	}
	if (!g->writing.size || !log_open(g))
		return;
	log_rotate(g);
	if (log_open(g) && io_write_full(g->fd, g->writing.data, g->writing.size))
		fd_close(&g->fd);
}

/* The loop. */

static void log_start_work(struct guest_log *g)
{
	struct buf done = g->writing;

	g->writing = g->waiting;
	g->waiting = done;
	g->waiting.size = 0;
	g->removing = g->removes && !g->writing.size;
	g->under_way = true;
	disk_task_start(lane(g->ctl, LANE_LOG), &g->task);
}

static void log_free(struct guest_log *g)
{
	fd_close(&g->fd);
	buf_free(&g->waiting);
	buf_free(&g->writing);
	free(g);
}

static void log_done(struct disk_task *task)
{
	struct guest_log *g = container_of(task, struct guest_log, task);

	g->under_way = false;
	if (g->waiting.size || (g->removes && !g->removing)) {
		log_start_work(g);
		return;
	}
	if (g->vm && !g->closes)
		return;
	if (g->vm)
		g->vm->lifecycle->log = NULL;
	log_free(g);
}

static struct guest_log *log_new(struct microvm *vm)
{
	struct guest_log *g = xcalloc(1, sizeof(*g));

	g->task.run = log_run;
	g->task.done = log_done;
	g->ctl = vm->ctl;
	g->vm = vm;
	g->fd = -1;
	memcpy(g->id, vm->id, sizeof(g->id));
	return g;
}

static void log_append(struct microvm *vm, const void *data, size_t size, uint64_t dropped)
{
	struct lifecycle *l = lifecycle_of(vm);
	struct guest_log *g;

	if (!l->log)
		l->log = log_new(vm);
	g = l->log;
	g->closes = false;
	g->dropped += dropped;
	if (g->waiting.size + size > LIMIT_LOG_BACKLOG) {
		g->dropped += size;
		return;
	}
	if (g->dropped) {
		buf_addf(&g->waiting, "[doze: %llu bytes of output were dropped]\n",
			 (unsigned long long)g->dropped);
		g->dropped = 0;
	}
	buf_add(&g->waiting, data, size);
	if (!g->under_way)
		log_start_work(g);
}

void guest_log_write(struct machine *m, const uint8_t *data, size_t size, uint64_t dropped)
{
	log_append(m->owner, data, size, dropped);
}

void guest_log_note(struct microvm *vm, const char *text)
{
	autobuf struct buf line = { 0 };

	buf_addf(&line, "[doze: %s]\n", text);
	for (size_t i = 0; i + 1 < line.size; i++)
		if (line.data[i] < ' ' || line.data[i] > '~')
			line.data[i] = '?';
	log_append(vm, line.data, line.size, 0);
	/* Without a machine nothing else will come and be followed by a close. */
	if (vm->state != VM_RUNNING)
		guest_log_close(vm);
}

void guest_log_close(struct microvm *vm)
{
	struct guest_log *g = vm->lifecycle ? vm->lifecycle->log : NULL;

	if (!g)
		return;
	g->closes = true;
	if (g->under_way)
		return;
	vm->lifecycle->log = NULL;
	log_free(g);
}

/* A worker that still writes would make the files again, so they are removed after its work. */
void guest_log_remove(struct microvm *vm)
{
	struct guest_log *g = vm->lifecycle ? vm->lifecycle->log : NULL;

	if (!g)
		g = log_new(vm);
	else
		vm->lifecycle->log = NULL;
	g->vm = NULL;
	g->removes = true;
	if (!g->under_way)
		log_start_work(g);
}
