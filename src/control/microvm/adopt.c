#include "control/microvm/adopt.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/channels/priv.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/storage/checkpoint.h"

/* A machine of the list that priv gave. */
struct adopt_item {
	struct list in;
	char machine[IPC_ID_SIZE];
};

struct adopting {
	struct control *ctl;
	struct list items;
	unsigned waiting; /* machines that have not said hello */
	void (*done)(struct control *ctl);
};

enum adopt_do adopt_decide(const struct adopt_facts *f)
{
	bool alive = f->found != FOUND_NOTHING;

	switch (f->state) {
	case VM_PENDING:
		/* One that stands still was told nothing yet; without a hook telling it twice does
		 * no harm. */
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
		/* A machine that was being resumed ends: the save is the truth. */
		return ADOPT_KEEP;
	case VM_TERMINATING:
		return ADOPT_END;
	case VM_TERMINATED:
	case VM_NUM_STATES:
		break;
	}
	return ADOPT_KEEP;
}

static void adopt_continued(struct machine *m, int rc, const struct ipc_msg *answer,
			    const struct err *e)
{
	(void)answer;
	if (rc) {
		log_err("a microVM does not run on machine=%s error=\"%s\"", m->id, e->text);
		lifecycle_event_durable(m->owner, EV_EXITED, "The MicroVM could not be continued.");
	}
}

static const char *adopt_why_lost(const struct microvm *vm)
{
	if (*vm->boot_id && strcmp(vm->boot_id, vm->ctl->boot_id) != 0)
		return "The host was restarted.";
	return "The MicroVM's machine ended unexpectedly.";
}

static void adopt_drop_machine(struct microvm *vm)
{
	struct machine *m = vm->machine;

	vm->machine = NULL;
	if (m)
		machine_end(m, NULL, NULL);
}

static void do_keep(struct microvm *vm)
{
	(void)vm;
}

static void do_continue(struct microvm *vm)
{
	machine_simple(vm->machine, MACHINE_CONTINUE, adopt_continued);
}

static void do_identify(struct microvm *vm)
{
	vm->starting = true;
	if (vm->machine->run == MACHINE_PAUSED)
		do_continue(vm);
	start_identity(vm);
}

static void do_restart(struct microvm *vm)
{
	adopt_drop_machine(vm);
	start_again(vm);
}

static void do_save(struct microvm *vm)
{
	lifecycle_of(vm)->adopted = true;
	on_enter_suspending(vm, VM_RUNNING);
}

static void do_publish(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);

	l->draft = vm->checkpoint + 1;
	if (!checkpoint_has_draft(vm, l->draft))
		l->draft++;
	suspend_publish(vm);
}

static void do_saved(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);

	l->saved = true;
	l->draft = vm->checkpoint + 1;
	if (!checkpoint_exists(vm, l->draft))
		l->draft++;
	lifecycle_event(vm, EV_SAVED, NULL);
}

static void do_lost(struct microvm *vm)
{
	lifecycle_event_durable(vm, EV_EXITED, adopt_why_lost(vm));
}

static void do_end(struct microvm *vm)
{
	on_enter_terminating(vm, VM_TERMINATING);
}

static void (*const adopt_table[ADOPT_NUM])(struct microvm *vm) = {
	[ADOPT_KEEP] = do_keep,         [ADOPT_CONTINUE] = do_continue,
	[ADOPT_IDENTIFY] = do_identify, [ADOPT_RESTART] = do_restart,
	[ADOPT_PUBLISH] = do_publish,   [ADOPT_SAVE] = do_save,
	[ADOPT_SAVED] = do_saved,       [ADOPT_LOST] = do_lost,
	[ADOPT_END] = do_end,
};

static enum adopt_found adopt_found(const struct microvm *vm)
{
	if (!vm->machine || vm->machine->run == MACHINE_ENDING || vm->machine->run == MACHINE_EMPTY)
		return FOUND_NOTHING;
	return vm->machine->run == MACHINE_PAUSED ? FOUND_PAUSED : FOUND_RUNNING;
}

static void adopt_microvm(struct microvm *vm)
{
	struct adopt_facts facts;
	enum adopt_do what;

	if (vm->lifecycle && vm->lifecycle->publishing)
		return; /* its save was found */
	facts = (struct adopt_facts){
		.state = vm->state,
		.found = adopt_found(vm),
		.run_hook = hook_wanted(vm, HOOK_RUN),
	};
	if (vm->state == VM_SUSPENDING) {
		/* What another boot left unpublished may not be on disk. */
		facts.draft = !strcmp(vm->boot_id, vm->ctl->boot_id) &&
			      (checkpoint_has_draft(vm, vm->checkpoint + 1) ||
			       checkpoint_has_draft(vm, vm->checkpoint + 2));
		facts.saved = checkpoint_exists(vm, vm->checkpoint + 1) ||
			      checkpoint_exists(vm, vm->checkpoint + 2);
	}
	what = adopt_decide(&facts);
	if (what != ADOPT_KEEP)
		log_info("adopt id=%s state=%s found=%d do=%d", vm->id, vm_state_name[vm->state],
			 (int)adopt_found(vm), (int)what);
	adopt_table[what](vm);
}

static void adopt_finish(struct adopting *a)
{
	struct control *ctl = a->ctl;
	void (*done)(struct control * ctl) = a->done;

	checkpoint_sweep(ctl);
	ctl->adopted = true;
	list_each(vm, &ctl->microvms, struct microvm, in_control) adopt_microvm(vm);
	free(a);
	done(ctl);
}

/* Until all have said hello, a machine's owner is the adoption. */

static void adopt_answered(struct machine *m)
{
	struct microvm *vm = m->owner;
	struct adopting *a = vm->ctl->adopting;

	if (!--a->waiting)
		adopt_finish(a);
}

static void adopt_up(struct machine *m, enum machine_run run)
{
	(void)run;
	machine_own(m, &microvm_machine_ops, m->owner);
	adopt_answered(m);
}

static void adopt_down(struct machine *m, const char *reason)
{
	struct microvm *vm = m->owner;

	log_warn("a machine does not answer id=%s machine=%s error=\"%s\"", vm->id, m->id, reason);
	vm->machine = NULL;
	adopt_answered(m);
}

/* What its application did in between is told again by nobody: remembered as an end. */
static void adopt_exited(struct machine *m, unsigned code)
{
	(void)code;
	m->run = MACHINE_ENDING;
}

static const struct machine_ops adopt_ops = { adopt_up, adopt_down, NULL, adopt_exited, NULL };

static struct microvm *adopt_owner(struct control *ctl, const char *machine)
{
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		/* A SUSPENDED one has none: a machine that was to resume it ends. */
		if (vm->state != VM_SUSPENDED && !strcmp(vm->machine_id, machine))
			return vm;
	}
	return NULL;
}

static void adopt_item(void *arg, const struct priv_machine_item *item)
{
	struct adopting *a = arg;
	struct adopt_item *i = xcalloc(1, sizeof(*i));

	memcpy(i->machine, item->machine, sizeof(i->machine) - 1);
	list_add(&a->items, &i->in);
}

static void adopt_listed(void *arg, int rc, const struct err *e)
{
	struct adopting *a = arg;
	struct control *ctl = a->ctl;

	if (rc) {
		log_err("priv cannot say which machines run error=\"%s\"", e->text);
		abort(); /* the supervisor starts us again */
	}
	a->waiting = 1; /* ourselves */
	list_each(i, &a->items, struct adopt_item, in)
	{
		struct microvm *vm = adopt_owner(ctl, i->machine);

		list_del(&i->in);
		if (!vm) {
			log_info("a machine without a microVM ends machine=%s", i->machine);
			priv_end(ctl, i->machine, NULL, NULL);
		} else {
			a->waiting++;
			vm->machine = machine_adopt(ctl, vm->version, i->machine, &adopt_ops, vm);
			if (vm->machine->ending)
				vm->machine = NULL;
		}
		free(i);
	}
	if (!--a->waiting)
		adopt_finish(a);
}

void adopt_start(struct control *ctl, void (*done)(struct control *ctl))
{
	struct adopting *a = xcalloc(1, sizeof(*a));

	a->ctl = ctl;
	a->done = done;
	list_init(&a->items);
	ctl->adopting = a;
	priv_list(ctl, adopt_item, adopt_listed, a);
}
