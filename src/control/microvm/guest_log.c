#include "control/microvm/guest_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "control/logs/times.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/model/log_stream.h"
#include "control/storage/lanes.h"

#define GUEST_LOG_NAME (MICROVM_ID_SIZE + 16)

/* It may outlive its microVM, until the worker is done. */
struct guest_log {
	struct disk_task task;
	struct control *ctl;
	struct microvm *vm; /* NULL: the microVM is gone */
	char id[MICROVM_ID_SIZE];
	struct buf waiting;
	uint64_t dropped;
	bool off;       /* logging is disabled for it */
	int64_t ms;     /* when the first byte came that waits */
	bool closes;    /* once all is written */
	bool removes;   /* once all is written */
	bool under_way; /* the worker owns what follows */
	bool removing;
	struct buf writing;
	int64_t writing_ms;
	struct log_times times;
	int fd;
};

static const char *const log_tails[] = { ".log", ".log.1", ".times", ".times.1" };

static void guest_log_name(char to[GUEST_LOG_NAME], const char *id, const char *tail)
{
	snprintf(to, GUEST_LOG_NAME, "microvms/%s%s", id, tail);
}

/* The worker. */

/* @base: where the log begins if its file is made. */
static bool log_open(struct guest_log *g, int64_t base)
{
	char name[GUEST_LOG_NAME];

	if (g->fd >= 0)
		return true;
	guest_log_name(name, g->id, ".log");
	g->fd = io_open_below(g->ctl->log_fd, name, O_WRONLY | O_APPEND | O_CREAT, 0600);
	if (g->fd < 0) {
		g->fd = -1;
		return false;
	}
	guest_log_name(name, g->id, ".times");
	log_times_open(&g->times, g->ctl->log_fd, name, base, g->writing_ms);
	return true;
}

static void log_close(struct guest_log *g)
{
	fd_close(&g->fd);
	log_times_close(&g->times);
}

static void log_rename(const struct guest_log *g, const char *from, const char *to)
{
	char name[GUEST_LOG_NAME], old[GUEST_LOG_NAME];

	guest_log_name(name, g->id, from);
	guest_log_name(old, g->id, to);
	renameat(g->ctl->log_fd, name, g->ctl->log_fd, old);
}

/* The times go first: a log without them is read with the times of the one before it. */
static bool log_rotate(struct guest_log *g)
{
	struct stat st;
	int64_t base = g->times.base;

	if (fstat(g->fd, &st) || st.st_size < (off_t)g->ctl->conf->log_file_mib * (off_t)MIB)
		return true;
	log_close(g);
	log_rename(g, ".times", ".times.1");
	log_rename(g, ".log", ".log.1");
	return log_open(g, base + st.st_size);
}

static void log_write(struct guest_log *g)
{
	struct stat st;

	if (!log_open(g, 0) || !log_rotate(g))
		return;
	if (!fstat(g->fd, &st))
		log_times_note(&g->times, st.st_size, g->writing_ms);
	if (io_write_full(g->fd, g->writing.data, g->writing.size))
		log_close(g);
}

/* If the log cannot be written, for instance because the disk is full, the microVM runs on. */
static void log_run(struct disk_task *task)
{
	struct guest_log *g = container_of(task, struct guest_log, task);
	char name[GUEST_LOG_NAME];

	for (size_t i = 0; g->removing && i < ARRAY_SIZE(log_tails); i++) {
		guest_log_name(name, g->id, log_tails[i]);
		unlinkat(g->ctl->log_fd, name, 0);
	}
	if (!g->removing && g->writing.size)
		log_write(g);
}

/* The loop. */

static void log_start_work(struct guest_log *g)
{
	struct buf done = g->writing;

	g->writing = g->waiting;
	g->waiting = done;
	g->waiting.size = 0;
	g->writing_ms = g->ms;
	g->removing = g->removes && !g->writing.size;
	g->under_way = true;
	disk_task_start(lane(g->ctl, LANE_LOG), &g->task);
}

static void log_free(struct guest_log *g)
{
	log_close(g);
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
	g->fd = g->times.fd = -1;
	g->off = !log_stream_wanted(vm);
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
	if (g->off)
		return;
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
	if (!g->waiting.size)
		g->ms = clock_wall_ms();
	if (vm->stream)
		vm->stream->last_ms = clock_wall_ms();
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

void guest_log_leave(struct microvm *vm)
{
	struct guest_log *g = vm->lifecycle ? vm->lifecycle->log : NULL;

	if (!g)
		return;
	vm->lifecycle->log = NULL;
	g->vm = NULL;
	if (!g->under_way)
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
