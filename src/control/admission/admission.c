#include "control/admission/admission.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/pool/pool.h"

#define QUEUE_TICK_MS 100

struct queue {
	struct list room;                   /* of struct queue_item, first come first served */
	struct list slots[QUEUE_NUM_RANKS]; /* likewise */
	unsigned running[QUEUE_NUM_RANKS];
	uint64_t reserved;
	uv_timer_t tick; /* runs while somebody waits for room */
	uv_timer_t soon; /* a slot came free */
	bool granting;
};

bool queue_fits(const struct queue_memory *m, uint64_t bytes)
{
	uint64_t kept = m->total / 100 * (100 - m->percent);

	return m->available > kept && m->available - kept > m->reserved &&
	       m->available - kept - m->reserved >= bytes;
}

bool queue_may_start(const struct queue_load *l, enum queue_rank rank)
{
	if (rank == QUEUE_POOL)
		return !l->waiting && !l->pool_running && l->running + 1 <= (l->at_once + 1) / 2;
	return l->running < l->at_once;
}

static bool queue_parse_kib(const char *text, const char *name, uint64_t *bytes)
{
	const char *at = strstr(text, name);

	if (!at)
		return false;
	*bytes = strtoull(at + strlen(name), NULL, 10) * KIB;
	return *bytes > 0;
}

bool queue_parse_meminfo(const char *text, uint64_t *total, uint64_t *available)
{
	return queue_parse_kib(text, "MemTotal:", total) &&
	       queue_parse_kib(text, "MemAvailable:", available);
}

static void queue_read_memory(uint64_t *total, uint64_t *available)
{
	char text[2048] = "";
	autoclose int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0 || !queue_parse_meminfo(text, total, available)) {
		log_err("/proc/meminfo cannot be read: no microVM can start");
		*total = *available = 0;
	}
}

uint64_t queue_total_memory(void)
{
	uint64_t total, available;

	queue_read_memory(&total, &available);
	return total;
}

bool queue_has_room(struct control *ctl, uint64_t bytes)
{
	struct queue_memory m = { .reserved = ctl->queue->reserved,
				  .percent = (unsigned)ctl->conf->memory_percent };

	queue_read_memory(&m.total, &m.available);
	return queue_fits(&m, bytes);
}

static void queue_refuse(struct queue_item *item)
{
	struct err e;

	err_set(&e, ERR_CAPACITY,
		"The host has no memory left for another MicroVM. Suspend or terminate one, or try "
		"again later.");
	list_del(&item->in);
	item->waits_room = false;
	item->go(item, -1, &e);
}

static bool queue_refuse_late(struct control *ctl)
{
	int64_t now = clock_mono_ms();

	list_each(item, &ctl->queue->room, struct queue_item, in)
	{
		if (item->deadline_ms < now && !queue_has_room(ctl, item->bytes)) {
			queue_refuse(item);
			return true; /* the list may have changed */
		}
	}
	return false;
}

static void queue_grant_room(struct control *ctl)
{
	struct queue *q = ctl->queue;

	while (queue_refuse_late(ctl))
		;
	while (!list_empty(&q->room)) {
		struct queue_item *item = list_first(&q->room, struct queue_item, in);

		if (!queue_has_room(ctl, item->bytes)) {
			pool_evict(ctl);
			return;
		}
		list_del(&item->in);
		item->waits_room = false;
		item->has_room = true;
		q->reserved += item->bytes;
		item->go(item, 0, NULL);
	}
	uv_timer_stop(&q->tick);
}

static void queue_tick(uv_timer_t *timer)
{
	queue_grant_room(timer->loop->data);
}

static void queue_grant_slots(struct control *ctl)
{
	struct queue *q = ctl->queue;

	if (q->granting)
		return; /* from inside a `go`: the loop below goes on */
	q->granting = true;
	for (enum queue_rank rank = 0; rank < QUEUE_NUM_RANKS; rank++) {
		while (!list_empty(&q->slots[rank])) {
			struct queue_item *item =
				list_first(&q->slots[rank], struct queue_item, in);
			struct queue_load l = { .at_once = (unsigned)ctl->conf->start_at_once,
						.running = q->running[QUEUE_MICROVM],
						.pool_running = q->running[QUEUE_POOL],
						.waiting = !list_empty(&q->slots[QUEUE_MICROVM]) };

			if (!queue_may_start(&l, rank))
				break;
			list_del(&item->in);
			item->waits_slot = false;
			item->has_slot = true;
			q->running[rank]++;
			item->go(item, 0, NULL);
		}
	}
	q->granting = false;
}

static void queue_soon(uv_timer_t *timer)
{
	queue_grant_slots(timer->loop->data);
}

int queue_open(struct control *ctl, struct err *e)
{
	struct queue *q = xcalloc(1, sizeof(*q));

	ctl->queue = q;
	list_init(&q->room);
	for (size_t i = 0; i < QUEUE_NUM_RANKS; i++)
		list_init(&q->slots[i]);
	if (uv_timer_init(&ctl->loop, &q->tick) || uv_timer_init(&ctl->loop, &q->soon))
		return err_set(e, ERR_INTERNAL, "make a timer");
	return 0;
}

void queue_close(struct control *ctl)
{
	uv_timer_stop(&ctl->queue->tick);
	uv_timer_stop(&ctl->queue->soon);
}

void queue_room(struct control *ctl, struct queue_item *item, uint64_t bytes, int64_t wait_ms,
		void (*go)(struct queue_item *item, int rc, const struct err *e))
{
	struct queue *q = ctl->queue;

	item->ctl = ctl;
	item->go = go;
	item->bytes = bytes;
	item->deadline_ms = clock_mono_ms() + wait_ms;
	item->waits_room = true;
	list_add(&q->room, &item->in);
	if (!uv_is_active((uv_handle_t *)&q->tick))
		uv_timer_start(&q->tick, queue_tick, QUEUE_TICK_MS, QUEUE_TICK_MS);
	queue_grant_room(ctl);
}

void queue_slot(struct control *ctl, struct queue_item *item, enum queue_rank rank,
		void (*go)(struct queue_item *item, int rc, const struct err *e))
{
	item->ctl = ctl;
	item->go = go;
	item->rank = rank;
	item->waits_slot = true;
	list_add(&ctl->queue->slots[rank], &item->in);
	queue_grant_slots(ctl);
}

void queue_leave(struct queue_item *item)
{
	struct queue *q;

	if (!item->ctl)
		return;
	q = item->ctl->queue;
	if (item->waits_room || item->waits_slot)
		list_del(&item->in);
	if (item->has_room)
		q->reserved -= item->bytes;
	if (item->has_slot)
		q->running[item->rank]--;
	item->waits_room = item->waits_slot = item->has_room = item->has_slot = false;
	/* From the loop: who leaves may be in the middle of a list. */
	if (!item->ctl->stopping)
		uv_timer_start(&q->soon, queue_soon, 0, 0);
	pool_wake(item->ctl);
}

void queue_wake(struct control *ctl)
{
	if (!list_empty(&ctl->queue->room))
		queue_grant_room(ctl);
}
