#include "control/events/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "control/events/segments.h"

#define JOURNAL_GATHER_MS 20   /* lines that come so close are written together */
#define JOURNAL_AGAIN_MS  1000 /* until what could not be written is tried again */
#define JOURNAL_CLOSE_MS  2000

/* The worker. */

static int journal_turn(struct journal *j)
{
	int fd = segment_make(j->dir_fd, j->end.segment + 1);

	if (fd < 0)
		return fd;
	fdatasync(j->fd);
	close(j->fd);
	j->fd = fd;
	j->end = (struct journal_place){ .segment = j->end.segment + 1 };
	segments_remove(j->dir_fd, (int64_t)j->end.segment - j->kept);
	return 0;
}

/* Finds where to go on; half a line at the end is cut off. */
static int journal_find(struct journal *j)
{
	j->fd = segment_last(j->dir_fd, &j->end.segment, &j->end.at);
	return j->fd < 0 ? j->fd : 0;
}

static int journal_write(struct journal *j)
{
	int rc = j->fd < 0 ? journal_find(j) : 0;

	if (rc)
		return rc;
	if (j->end.at >= j->segment_size)
		rc = journal_turn(j);
	if (!rc)
		rc = io_pwrite_full(j->fd, j->writing.data, j->writing.size, j->end.at);
	if (!rc)
		j->end.at += (int64_t)j->writing.size;
	else if (ftruncate(j->fd, j->end.at)) /* no half a line */
		log_warn("an event may be cut in the journal error=\"%s\"", strerror(errno));
	return rc;
}

static void journal_run(struct disk_task *task)
{
	struct journal *j = container_of(task, struct journal, task);

	j->rc = journal_write(j);
	atomic_store(&j->written, true);
}

/* The loop. */

static void journal_start(struct journal *j)
{
	if (!j->writing.size) {
		struct buf empty = j->writing;

		j->writing = j->waiting;
		j->waiting = empty;
	}
	j->under_way = true;
	atomic_store(&j->written, false);
	disk_task_start(j->lane, &j->task);
}

static void journal_again(uv_timer_t *timer)
{
	journal_start(container_of(timer, struct journal, again));
}

static void journal_start_after(struct journal *j, uint64_t ms)
{
	j->under_way = true;
	uv_timer_start(&j->again, journal_again, ms, 0);
}

static void journal_done(struct disk_task *task)
{
	struct journal *j = container_of(task, struct journal, task);
	uint64_t lost = j->n_lost;

	j->under_way = false;
	if (j->rc) {
		if (!j->failed)
			log_err("events cannot be written and wait in memory error=\"%s\"",
				strerror(-j->rc));
		j->failed = true;
		journal_start_after(j, JOURNAL_AGAIN_MS);
		return;
	}
	j->failed = false;
	buf_clear(&j->writing);
	j->n_lost = 0;
	if (lost)
		j->lost(j, lost);
	if (j->waiting.size && !j->under_way)
		journal_start_after(j, JOURNAL_GATHER_MS);
}

void journal_add(struct journal *j, const char *line, size_t size)
{
	if (size >= JOURNAL_LINE || j->waiting.size + size + 1 > JOURNAL_WAITING) {
		j->n_lost++;
		return;
	}
	buf_add(&j->waiting, line, size);
	buf_adds(&j->waiting, "\n");
	if (!j->under_way)
		journal_start_after(j, JOURNAL_GATHER_MS);
}

int journal_open(struct journal *j, uv_loop_t *loop, struct err *e)
{
	j->fd = -1;
	j->task.run = journal_run;
	j->task.done = journal_done;
	if (uv_timer_init(loop, &j->again))
		return err_set(e, ERR_INTERNAL, "make a timer");
	journal_start(j); /* it finds the end */
	return 0;
}

/* The loop turns no more: a write that has begun is waited for here. */
static bool journal_stop(struct journal *j)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (!j->under_way || uv_is_active((uv_handle_t *)&j->again))
		return true;
	if (disk_task_cancel(&j->task))
		return true;
	for (int i = 0; i < JOURNAL_CLOSE_MS && !atomic_load(&j->written); i++)
		nanosleep(&pause, NULL);
	if (!atomic_load(&j->written))
		return false;
	if (!j->rc)
		buf_clear(&j->writing);
	return true;
}

void journal_close(struct journal *j)
{
	if (!journal_stop(j))
		return;
	uv_timer_stop(&j->again);
	for (int i = 0; i < 2; i++) { /* what was being written, and what waits behind it */
		if (j->writing.size && !journal_write(j))
			buf_clear(&j->writing);
		if (!j->writing.size && j->waiting.size) {
			struct buf empty = j->writing;

			j->writing = j->waiting;
			j->waiting = empty;
		}
	}
	buf_free(&j->waiting);
	buf_free(&j->writing);
	fd_close(&j->fd);
}
