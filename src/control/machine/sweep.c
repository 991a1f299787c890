/* sweep.c - all machines of this control: their clock, and the search for machines without an
 * owner. */

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/channels/priv.h"
#include "control/machine/calls.h"
#include "control/model/model.h"

#define MACHINE_TICK_MS        200
#define MACHINE_FIRST_SWEEP_MS 2000
#define MACHINE_SWEEP_MS       60000

struct machine *machine_find(struct control *ctl, const char *id)
{
	return hash_find(&ctl->machines->by_id, id, strnlen(id, IPC_ID_SIZE), struct machine,
			 by_id);
}

static void machines_swept(void *arg, const struct priv_machine_item *item)
{
	struct control *ctl = arg;

	if (machine_find(ctl, item->machine) || model_is_left_out(ctl, item->machine))
		return;
	log_warn("a machine without an owner is ended machine=%.79s", item->machine);
	priv_end(ctl, item->machine, NULL, NULL);
}

static void machines_swept_all(void *arg, int rc, const struct err *e)
{
	struct control *ctl = arg;

	ctl->machines->sweeping = false;
	if (rc)
		log_warn("priv cannot say which machines run error=\"%s\"", e->text);
}

/* If an earlier control crashed during a start, priv may make that machine after adoption has read
 * the list. */
static void machines_sweep(struct control *ctl, int64_t now)
{
	struct machines *all = ctl->machines;

	if (!ctl->adopted || ctl->stopping || all->sweeping || now < all->sweep_ms)
		return;
	all->sweep_ms = now + (all->sweep_ms ? MACHINE_SWEEP_MS : MACHINE_FIRST_SWEEP_MS);
	all->sweeping = true;
	priv_list(ctl, machines_swept, machines_swept_all, ctl);
}

static void machines_tick(uv_timer_t *timer)
{
	struct control *ctl = timer->loop->data;
	int64_t now = clock_mono_ms();

	list_each(m, &ctl->machines->all, struct machine, in) machine_expire(m, now);
	machines_sweep(ctl, now);
}

int machines_open(struct control *ctl, struct err *e)
{
	ctl->machines = xcalloc(1, sizeof(*ctl->machines));
	list_init(&ctl->machines->all);
	hash_init(&ctl->machines->by_id);
	if (uv_timer_init(&ctl->loop, &ctl->machines->tick))
		return err_set(e, ERR_INTERNAL, "make a timer");
	uv_timer_start(&ctl->machines->tick, machines_tick, MACHINE_TICK_MS, MACHINE_TICK_MS);
	return 0;
}

void machines_close(struct control *ctl)
{
	uv_timer_stop(&ctl->machines->tick);
	list_each(m, &ctl->machines->all, struct machine, in) chan_uv_close(&m->chan, NULL);
}

unsigned machines_count(const struct control *ctl)
{
	unsigned n = 0;

	list_each(m, &ctl->machines->all, struct machine, in) n++;
	return n;
}

struct list *machines_all(const struct control *ctl)
{
	return &ctl->machines->all;
}
