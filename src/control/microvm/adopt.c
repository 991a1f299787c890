#include "control/microvm/adopt.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/channels/priv.h"
#include "control/microvm/guest_role.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/start.h"
#include "control/microvm/suspend.h"
#include "control/model/model.h"
#include "control/storage/checkpoint.h"
#include "control/storage/leftovers.h"

#define ADOPT_LIST_MS  1000  /* until priv is asked for its list again */
#define ADOPT_HELLO_MS 20000 /* for all machines together; late ones are adopted later */

/* A machine in priv's list. */
struct adopt_item {
	struct list in;
	char machine[MACHINE_ID_SIZE];
};

struct adopting {
	struct control *ctl;
	struct list items;
	unsigned waiting; /* machines that have not said hello */
	uv_timer_t timer; /* until the next list, or until the end of the wait */
	void (*done)(struct control *ctl);
};

enum adopt_do adopt_decide(const struct adopt_facts *f)
{
	bool alive = f->found != FOUND_NOTHING;

	switch (f->state) {
	case VM_PENDING:
		/* The guest of a paused machine was not told its identity yet.  Without a /run
		 * hook it does no harm to tell it twice. */
		if (f->found == FOUND_PAUSED || (alive && !f->run_hook))
			return ADOPT_IDENTIFY;
		return ADOPT_RESTART;
	case VM_RUNNING:
		if (f->found == FOUND_PAUSED)
			return ADOPT_CONTINUE;
		return alive ? ADOPT_KEEP : ADOPT_LOST;
	case VM_SUSPENDING:
		if (f->saved)
			return ADOPT_SAVED;
		if (alive)
			return ADOPT_SAVE;
		return f->draft ? ADOPT_PUBLISH : ADOPT_LOST;
	case VM_SUSPENDED:
		/* A machine that was being resumed ends, because the checkpoint is the truth. */
		return ADOPT_KEEP;
	case VM_TERMINATING:
		return ADOPT_END;
	case VM_TERMINATED:
	case VM_NUM_STATES:
		break;
	}
	return ADOPT_KEEP;
}

/* What adopt_decide can say, a function each. */

static void do_keep(struct microvm *vm)
{
	if (vm->state == VM_RUNNING)
		guest_role_adopt(vm);
}

static void do_continue(struct microvm *vm)
{
	guest_role_adopt(vm);
	suspend_run_on(vm);
}

static void do_identify(struct microvm *vm)
{
	if (vm->machine->run == MACHINE_PAUSED)
		start_paused(vm);
	else
		start_identity(vm);
}

static void do_restart(struct microvm *vm)
{
	struct machine *m = vm->machine;

	vm->machine = NULL;
	if (m)
		machine_end(m, NULL, NULL);
	start_again(vm);
}

static void do_save(struct microvm *vm)
{
	guest_role_adopt(vm); /* it may run on */
	suspend_adopt(vm);
}

static void do_publish(struct microvm *vm)
{
	suspend_publish(vm);
}

static void do_lost(struct microvm *vm)
{
	bool rebooted = *vm->boot_id && strcmp(vm->boot_id, vm->ctl->boot_id) != 0;

	lifecycle_event_durable(vm, EV_EXITED,
				rebooted ? "The host was restarted."
					 : "The MicroVM's machine ended unexpectedly.");
}

static void do_end(struct microvm *vm)
{
	on_enter_terminating(vm, VM_TERMINATING);
}

static const struct {
	const char *name;
	void (*act)(struct microvm *vm);
} adopt_table[ADOPT_NUM] = {
	[ADOPT_KEEP] = { "keep", do_keep },
	[ADOPT_CONTINUE] = { "continue", do_continue },
	[ADOPT_IDENTIFY] = { "identify", do_identify },
	[ADOPT_RESTART] = { "restart", do_restart },
	[ADOPT_SAVE] = { "save", do_save },
	[ADOPT_PUBLISH] = { "publish", do_publish },
	[ADOPT_SAVED] = { "saved", do_publish },
	[ADOPT_LOST] = { "lost", do_lost },
	[ADOPT_END] = { "end", do_end },
};

static const char *const found_name[FOUND_NUM] = {
	[FOUND_NOTHING] = "nothing",
	[FOUND_RUNNING] = "running",
	[FOUND_PAUSED] = "paused",
};

static enum adopt_found adopt_found(const struct microvm *vm)
{
	if (!vm->machine || vm->machine->run == MACHINE_ENDING || vm->machine->run == MACHINE_EMPTY)
		return FOUND_NOTHING;
	return vm->machine->run == MACHINE_PAUSED ? FOUND_PAUSED : FOUND_RUNNING;
}

static void adopt_microvm(struct microvm *vm)
{
	struct adopt_facts facts = {
		.state = vm->state,
		.found = adopt_found(vm),
		.run_hook = hook_wanted(vm, HOOK_RUN),
	};
	enum adopt_do what;

	if (vm->state == VM_SUSPENDING) {
		/* If the host was rebooted, a draft may have its header and lack other data. */
		facts.draft = !strcmp(vm->boot_id, vm->ctl->boot_id) && checkpoint_has_draft(vm);
		facts.saved = checkpoint_is_published(vm);
	}
	what = adopt_decide(&facts);
	if (what != ADOPT_KEEP)
		log_info("adopt id=%s state=%s found=%s do=%s", vm->id, vm_state_name[vm->state],
			 found_name[facts.found], adopt_table[what].name);
	adopt_table[what].act(vm);
}

/* A machine that stays silent may wait for a disk while it holds a guest's state, so its microVM is
 * adopted as soon as the machine answers.  PENDING promises nothing, so that microVM starts anew;
 * TERMINATING keeps nothing, so that machine ends. */
static bool adopt_waits(const struct microvm *vm)
{
	return vm->lifecycle && vm->lifecycle->adopting && vm->state != VM_PENDING &&
	       vm->state != VM_TERMINATING;
}

static void adopt_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void adopt_finish(struct adopting *a)
{
	struct control *ctl = a->ctl;
	void (*done)(struct control * ctl) = a->done;

	ctl->adopting = NULL;
	leftovers_remove(ctl);
	ctl->adopted = true;
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (adopt_waits(vm)) {
			log_warn("a machine is silent, and its microVM is kept until it answers "
				 "id=%s machine=%s",
				 vm->id, vm->machine_id);
			continue;
		}
		if (vm->lifecycle)
			vm->lifecycle->adopting = false;
		adopt_microvm(vm);
	}
	uv_close((uv_handle_t *)&a->timer, adopt_timer_closed);
	done(ctl);
}

/* The adoption owns a machine until it says hello. */

static void adopt_answered(struct microvm *vm)
{
	struct adopting *a = vm->ctl->adopting;

	lifecycle_of(vm)->adopting = false;
	if (!a)
		adopt_microvm(vm); /* it is late */
	else if (!--a->waiting)
		adopt_finish(a);
}

static void adopt_up(struct machine *m, enum machine_run run)
{
	(void)run;
	machine_own(m, &microvm_machine_ops, m->owner);
	adopt_answered(m->owner);
}

static void adopt_down(struct machine *m, const char *reason)
{
	struct microvm *vm = m->owner;

	log_warn("a machine ended before control had adopted it id=%s machine=%s error=\"%s\"",
		 vm->id, m->id, reason);
	vm->machine = NULL;
	adopt_answered(vm);
}

/* The exit is reported only once, so the machine counts as ended from now on. */
static void adopt_exited(struct machine *m, unsigned code)
{
	(void)code;
	m->run = MACHINE_ENDING;
}

static const struct machine_ops adopt_ops = {
	adopt_up, adopt_down, NULL, adopt_exited, NULL, NULL
};

static struct microvm *adopt_owner(struct control *ctl, const char *machine)
{
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		/* A SUSPENDED microVM has no machine: one that was to resume it ends. */
		if (vm->state != VM_SUSPENDED && !strcmp(vm->machine_id, machine))
			return vm;
	}
	return NULL;
}

static void adopt_take(struct adopting *a, const struct adopt_item *item)
{
	struct microvm *vm = adopt_owner(a->ctl, item->machine);

	/* A priv that came back has listed it a second time, or this control has started it. */
	if (machine_find(a->ctl, item->machine) || model_is_left_out(a->ctl, item->machine))
		return;
	if (!vm) {
		log_info("a machine without a microVM is ended machine=%s", item->machine);
		priv_end(a->ctl, item->machine, NULL, NULL);
		return;
	}
	a->waiting++;
	lifecycle_of(vm)->adopting = true;
	vm->machine = machine_adopt(a->ctl, vm->version, item->machine, &adopt_ops, vm);
	if (vm->machine->ending)
		vm->machine = NULL;
}

static void adopt_item(void *arg, const struct priv_machine_item *item)
{
	struct adopting *a = arg;
	struct adopt_item *i = xcalloc(1, sizeof(*i));

	memcpy(i->machine, item->machine, sizeof(i->machine) - 1);
	list_add(&a->items, &i->in);
}

static void adopt_late(uv_timer_t *timer)
{
	adopt_finish(timer->data);
}

static void adopt_ask(uv_timer_t *timer);

static void adopt_drop_items(struct adopting *a)
{
	list_each(i, &a->items, struct adopt_item, in)
	{
		list_del(&i->in);
		free(i);
	}
}

static void adopt_listed(void *arg, int rc, const struct err *e)
{
	struct adopting *a = arg;

	if (rc) {
		log_err("priv cannot say which machines run and is asked again error=\"%s\"",
			e->text);
		adopt_drop_items(a);
		uv_timer_start(&a->timer, adopt_ask, ADOPT_LIST_MS, 0);
		return;
	}
	a->waiting = 1; /* for the end of this loop */
	list_each(i, &a->items, struct adopt_item, in) adopt_take(a, i);
	adopt_drop_items(a);
	if (!--a->waiting)
		adopt_finish(a);
	else
		uv_timer_start(&a->timer, adopt_late, ADOPT_HELLO_MS, 0);
}

static void adopt_ask(uv_timer_t *timer)
{
	struct adopting *a = timer->data;

	priv_list(a->ctl, adopt_item, adopt_listed, a);
}

void adopt_start(struct control *ctl, void (*done)(struct control *ctl))
{
	struct adopting *a = xcalloc(1, sizeof(*a));

	a->ctl = ctl;
	a->done = done;
	list_init(&a->items);
	uv_timer_init(&ctl->loop, &a->timer);
	a->timer.data = a;
	ctl->adopting = a;
	adopt_ask(&a->timer);
}
