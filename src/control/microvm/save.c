/* save.c - how a suspend gets to disk: the guest answers its hook, a draft is made, the machine
 * saves into it, and it is published.  If the machine cannot be saved, it continues. */

#include <fcntl.h>
#include <stdlib.h>

#include "base/log.h"
#include "control/microvm/suspend.h"
#include "control/microvm/suspend_parts.h"

/* The guest, then the draft's files. */

void save_hooked(struct machine *m, enum agent_outcome outcome, unsigned status)
{
	struct microvm *vm = m->owner;
	const struct hooks *hooks = &vm->version->hooks;
	autofree char *why = hook_failure(HOOK_SUSPEND, outcome, status,
					  hooks->each[HOOK_SUSPEND].timeout_ms, hooks->port);

	if (why)
		lifecycle_event_durable(vm, EV_TERMINATE, why);
	else
		save_draft(vm);
}

/* The microVM runs on; whoever asked for the suspend is told why when it does. */
static void save_give_up(struct microvm *vm, const struct err *e)
{
	struct suspend *s = suspend_of(vm);

	log_err("a microVM could not be saved and is told to run on id=%s error=\"%s\"", vm->id,
		e->text);
	s->failure = *e;
	if (s->draft)
		checkpoint_drop_draft(vm, s->draft);
	suspend_run_on(vm);
}

static void save_saved(struct machine *m, int rc, const struct ipc_msg *answer,
		       const struct err *e);

static void save_drafted(struct microvm *vm, int rc, int64_t n, const int fds[SAVE_NUM_FDS],
			 const struct err *e)
{
	const struct machine_none none = { 0 };
	struct suspend *s = suspend_of(vm);

	s->job = NULL;
	if (rc) {
		save_give_up(vm, e);
		return;
	}
	s->draft = n;
	suspend_enter(vm, SUSPEND_SAVING);
	for (size_t i = 0; i < SAVE_NUM_FDS; i++)
		s->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
	s->written = 0;
	s->total = vm->machine->private_bytes;
	machine_ask(vm->machine, MACHINE_SAVE, &none, fds, SAVE_NUM_FDS, save_saved);
}

void save_draft(struct microvm *vm)
{
	struct suspend *s = suspend_of(vm);

	suspend_enter(vm, SUSPEND_DRAFTING);
	machine_stats(vm->machine, NULL); /* its memory is what there is to write, about */
	s->job = checkpoint_draft(vm, s->draft > s->above ? s->draft : s->above, save_drafted);
}

/* The machine's answer. */

static void save_note(const struct microvm *vm, const struct machine_saved *saved)
{
	log_info("saved id=%s state_bytes=%llu memory_bytes=%llu disk_bytes=%llu paused_us=%llu",
		 vm->id, (unsigned long long)saved->state_bytes,
		 (unsigned long long)saved->memory_bytes, (unsigned long long)saved->disk_bytes,
		 (unsigned long long)saved->paused_us);
}

/* The machine may be busy with the draft of an earlier control, so only our own draft is dropped.
 */
static void save_find(struct microvm *vm)
{
	struct suspend *s = suspend_of(vm);

	checkpoint_drop_draft(vm, s->draft);
	suspend_enter(vm, SUSPEND_FINDING);
	suspend_retry_later(s);
}

static void save_saved(struct machine *m, int rc, const struct ipc_msg *answer, const struct err *e)
{
	struct microvm *vm = m->owner;

	if (vm->state != VM_SUSPENDING)
		return;
	if (!rc) {
		save_note(vm, (const void *)answer->body);
		suspend_publish(vm);
	} else if (e->kind == ERR_CONFLICT) {
		log_warn("a machine is busy and cannot save yet id=%s error=\"%s\"", vm->id,
			 e->text);
		save_find(vm);
	} else {
		save_give_up(vm, e);
	}
}

void suspend_on_saved(struct machine *m, const struct machine_saved *saved)
{
	struct microvm *vm = m->owner;
	enum suspend_phase phase = suspend_of(vm)->phase;

	if (vm->state != VM_SUSPENDING || phase == SUSPEND_PUBLISHING)
		return;
	save_note(vm, saved);
	suspend_publish(vm);
}

/* The machine may have written the whole draft and died before it said so; publishing looks for the
 * header, which it writes last.  Before the hook has answered nothing was saved, and once the guest
 * may have run on a draft is out of date. */
bool suspend_on_machine_end(struct microvm *vm)
{
	struct suspend *s = suspend_of(vm);

	if (vm->state != VM_SUSPENDING || s->phase == SUSPEND_HOOK ||
	    s->phase == SUSPEND_CONTINUING)
		return false;
	suspend_publish(vm);
	return true;
}

/* Publishing. */

static void save_published(struct microvm *vm, int rc, int64_t n, const struct err *e)
{
	struct suspend *s = suspend_of(vm);

	s->job = NULL;
	if (!rc) {
		vm->lifecycle->checkpoint = n;
		lifecycle_event_durable(vm, EV_SAVED, NULL);
		return;
	}
	if (e->kind == ERR_NOT_FOUND && vm->machine) {
		save_give_up(vm, e); /* it said SAVED, which was not true */
		return;
	}
	if (e->kind == ERR_NOT_FOUND) {
		lifecycle_event_durable(vm, EV_EXITED,
					"The MicroVM's machine ended before it was saved.");
		return;
	}
	log_err("a checkpoint is not durable yet and is kept id=%s error=\"%s\"", vm->id, e->text);
	suspend_notify_late(vm, e);
	suspend_retry_later(s);
}

void save_publish_again(struct microvm *vm)
{
	struct suspend *s = suspend_of(vm);

	s->retry_ms = 0;
	s->job = checkpoint_publish(vm, s->above, save_published);
}

void suspend_publish(struct microvm *vm)
{
	struct suspend *s = suspend_of(vm);

	if (s->phase == SUSPEND_PUBLISHING)
		return;
	suspend_enter(vm, SUSPEND_PUBLISHING);
	/* The checkpoint of an earlier suspend does not count. */
	if (s->above < vm->checkpoint)
		s->above = vm->checkpoint;
	s->tries = 0;
	save_publish_again(vm);
}

/* Running on. */

static void save_continued(struct machine *m, int rc, const struct ipc_msg *answer,
			   const struct err *e)
{
	struct microvm *vm = m->owner;
	struct suspend *s = suspend_of(vm);

	(void)answer;
	if (s->phase != SUSPEND_CONTINUING)
		return;
	s->asked = false;
	if (!rc && vm->state == VM_RUNNING) {
		suspend_enter(vm, SUSPEND_NONE);
		return;
	}
	if (!rc) {
		lifecycle_event_durable(vm, EV_UNSAVED, NULL);
		return;
	}
	log_err("a microVM is paused and does not run on yet id=%s error=\"%s\"", vm->id, e->text);
	if (e->kind == ERR_CONFLICT && vm->state == VM_SUSPENDING)
		suspend_enter(vm, SUSPEND_FINDING); /* it is saving after all */
	suspend_retry_later(s);
}

void save_continue_again(struct microvm *vm)
{
	struct suspend *s = suspend_of(vm);

	s->asked = true;
	s->retry_ms = 0;
	machine_simple(vm->machine, MACHINE_CONTINUE, save_continued);
}

void suspend_run_on(struct microvm *vm)
{
	suspend_enter(vm, SUSPEND_CONTINUING);
	suspend_of(vm)->tries = 0;
	save_continue_again(vm);
}
