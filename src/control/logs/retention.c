#include "control/logs/retention.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/steady.h"
#include "control/storage/lanes.h"
#include "control/store/store.h"

#define RETENTION_FIRST_MS 60000
#define RETENTION_EACH_MS  3600000
#define RETENTION_DAY_MS   INT64_C(86400000)

/* A stream that nobody but us frees. */
struct kept {
	struct log_stream *stream;
	char *path; /* owned */
	int64_t ended_ms;
	bool goes;
	int64_t bytes;
};

struct retention {
	struct control *ctl;
	uv_timer_t timer;
	bool under_way; /* the worker owns the list */
	bool again;
	struct disk_task task;
	struct kept *kept; /* owned */
	size_t n;
};

static const char *const kept_tails[] = { ".log", ".log.1", ".times", ".times.1", ".hung" };

int64_t retention_begin(const struct control *ctl, const struct log_group *g, int64_t now_ms)
{
	int64_t days = g->retention_days ? g->retention_days : ctl->conf->log_keep_days;
	int64_t begin = days ? now_ms - days * RETENTION_DAY_MS : 0;

	return begin > g->deleted_ms ? begin : g->deleted_ms;
}

/* The worker. */

static void kept_each_file(const struct retention *r, struct kept *k)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept_tails); i++) {
		autofree char *name = xasprintf("%s%s", k->path, kept_tails[i]);
		struct stat st;

		if (k->goes)
			unlinkat(r->ctl->log_fd, name, 0);
		else if (!fstatat(r->ctl->log_fd, name, &st, AT_SYMLINK_NOFOLLOW))
			k->bytes += st.st_blocks * 512;
	}
}

static int kept_older(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	return x->ended_ms < y->ended_ms ? -1 : x->ended_ms > y->ended_ms;
}

static void retention_run(struct disk_task *task)
{
	struct retention *r = container_of(task, struct retention, task);
	int64_t most = r->ctl->conf->log_keep_mib * (int64_t)MIB, bytes = 0;

	for (size_t i = 0; i < r->n; i++) {
		kept_each_file(r, &r->kept[i]);
		bytes += r->kept[i].bytes;
	}
	if (r->n)
		qsort(r->kept, r->n, sizeof(*r->kept), kept_older);
	for (size_t i = 0; most && bytes > most && i < r->n; i++) {
		if (r->kept[i].goes)
			continue;
		r->kept[i].goes = true;
		kept_each_file(r, &r->kept[i]);
		bytes -= r->kept[i].bytes;
	}
}

/* The loop.  A row that stays although its files are gone is an empty stream, and goes the next
 * time. */
static void retention_done(struct disk_task *task)
{
	struct retention *r = container_of(task, struct retention, task);
	struct store_txn *t = store_begin(r->ctl->store);
	size_t gone = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct kept *k = &r->kept[i];

		if (k->goes) {
			store_del_log_stream(t, log_stream_id(k->stream));
			log_stream_free(k->stream);
			gone++;
		}
		free(k->path);
	}
	store_commit(t, NULL, NULL);
	mem_free(&r->kept);
	r->n = 0;
	r->under_way = false;
	if (gone)
		log_info("lines were removed after their retention streams=%zu", gone);
	if (r->again)
		retention_wake(r->ctl);
}

static void retention_look_at(struct retention *r, const struct log_group *g, int64_t now_ms)
{
	int64_t begin = retention_begin(r->ctl, g, now_ms);

	for (struct order_node *n = order_last(&r->ctl->log_streams_by_time, g->key); n;
	     n = order_prev(n)) {
		struct log_stream *s = container_of(n, struct log_stream, by_time);

		if (s->vm || s->build)
			continue;
		if (!(r->n & (r->n - 1)))
			r->kept = xrealloc(r->kept, (r->n ? 2 * r->n : 1) * sizeof(*r->kept));
		r->kept[r->n++] = (struct kept){
			.stream = s,
			.path = xasprintf("%s/%s", s->of_build ? "builds" : "microvms",
					  log_stream_id(s)),
			.ended_ms = s->last_ms,
			.goes = s->last_ms < begin || !log_stream_shown(s),
		};
	}
}

void retention_wake(struct control *ctl)
{
	struct retention *r = ctl->retention;

	r->again = r->under_way;
	if (r->under_way)
		return;
	hash_each(g, &ctl->log_groups, struct log_group, by_key)
		retention_look_at(r, g, steady_or_wall());
	r->under_way = true;
	disk_task_start(lane(ctl, LANE_GC), &r->task);
}

static void retention_tick(uv_timer_t *timer)
{
	retention_wake(timer->loop->data);
}

int retention_open(struct control *ctl, struct err *e)
{
	struct retention *r = xcalloc(1, sizeof(*r));

	r->ctl = ctl;
	r->task.run = retention_run;
	r->task.done = retention_done;
	ctl->retention = r;
	if (uv_timer_init(&ctl->loop, &r->timer))
		return err_set(e, ERR_INTERNAL, "make a timer");
	uv_timer_start(&r->timer, retention_tick, RETENTION_FIRST_MS, RETENTION_EACH_MS);
	return 0;
}

void retention_close(struct control *ctl)
{
	uv_timer_stop(&ctl->retention->timer);
}
