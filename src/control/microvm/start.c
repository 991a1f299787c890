#include "control/microvm/start.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/channels/routes.h"
#include "control/microvm/guest_role.h"
#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/waiters.h"
#include "control/model/sealing.h"
#include "control/pool/restore.h"
#include "control/pool/spares.h"
#include "control/store/store.h"

#define START_ACK_MS 60000

struct start *start_of(struct microvm *vm)
{
	struct lifecycle *l = lifecycle_of(vm);

	if (l->start)
		return l->start;
	l->start = xcalloc(1, sizeof(*l->start));
	l->start->vm = vm;
	l->start->ticket.in.owner = account_of(vm->ctl, vm->account);
	return l->start;
}

void start_cancel(struct microvm *vm)
{
	struct start *s = start_of(vm);

	admission_leave(&s->ticket);
	guest_role_leave(vm);
	template_leave(&s->wait);
	vm->starting = false;
}

void start_free(struct microvm *vm)
{
	if (!vm->lifecycle->start)
		return;
	start_cancel(vm);
	free(vm->lifecycle->start);
	vm->lifecycle->start = NULL;
}

/* The stages, from top to bottom.  Each is begun by the one before it.  It ends, at once or later,
 * by calling start_next or start_failed. */

static void start_next(struct microvm *vm);

static void memory_granted(struct admission_ticket *ticket, int rc, const struct err *e)
{
	struct start *s = container_of(ticket, struct start, ticket);

	if (!rc) {
		start_next(s->vm);
		return;
	}
	s->failure = *e;
	start_failed(s->vm, e->text);
}

static void begin_memory(struct microvm *vm)
{
	struct start *s = start_of(vm);

	if (s->ticket.has_memory)
		start_next(vm);
	else
		admission_wait_memory(vm->ctl, &s->ticket,
				      template_cost(template_of(vm->ctl, vm->version)),
				      vm->ctl->conf->capacity_wait_ms, memory_granted);
}

static void slot_granted(struct admission_ticket *ticket, int rc, const struct err *e)
{
	(void)rc; /* a slot is never refused */
	(void)e;
	start_next(container_of(ticket, struct start, ticket)->vm);
}

static void begin_slot(struct microvm *vm)
{
	admission_wait_slot(vm->ctl, &start_of(vm)->ticket, ADMISSION_MICROVM, slot_granted);
}

static void template_ready(struct template_wait *w, int rc, const struct err *e)
{
	struct microvm *vm = container_of(w, struct start, wait)->vm;

	if (rc)
		start_failed(vm, e->text);
	else
		start_next(vm);
}

static void begin_template(struct microvm *vm)
{
	template_load(template_of(vm->ctl, vm->version), &start_of(vm)->wait, template_ready);
}

/* A resume binds its machine only in memory, so it may take a spare here, which has an id of its
 * own. */
static void begin_machine(struct microvm *vm)
{
	if (!vm->machine && vm->state == VM_SUSPENDED)
		vm->machine =
			spares_take(vm->ctl, vm->version, vm->internet, &microvm_machine_ops, vm);
	if (vm->machine) {
		memcpy(vm->machine_id, vm->machine->id, sizeof(vm->machine_id));
		start_next(vm);
		return;
	}
	vm->machine = machine_start(vm->ctl, vm->version, vm->machine_id, vm->internet,
				    &microvm_machine_ops, vm); /* then start_on_machine_up */
}

void start_on_machine_up(struct microvm *vm)
{
	if (vm->starting && start_of(vm)->stage == START_MACHINE)
		start_next(vm);
}

/* If this host cannot restore the image's snapshot, the reason names the remedy. */
static void start_refused(struct microvm *vm, const struct err *e)
{
	autofree char *why = NULL, *rebuild = NULL;

	start_of(vm)->failure = *e;
	if (e->kind == ERR_CAPACITY)
		err_set(&start_of(vm)->failure, ERR_CAPACITY,
			"the disk of the data directory is full: free some space on it, then try "
			"again (%.512s)",
			e->text);
	if (e->kind == ERR_CONFLICT && vm->state == VM_PENDING) {
		rebuild = model_rebuild_command(vm->ctl, vm->version);
		why = xasprintf("%s. '%s' makes a version for this host.", e->text, rebuild);
	}
	start_failed(vm, why ? why : e->text);
}

static void machine_restored(struct machine *m, int rc, const struct ipc_msg *answer,
			     const struct err *e)
{
	(void)answer;
	if (rc)
		start_refused(m->owner, e);
	else
		start_next(m->owner);
}

static void begin_restore(struct microvm *vm)
{
	restore_machine(template_of(vm->ctl, vm->version), vm->machine, vm,
			vm->state == VM_SUSPENDED ? vm->checkpoint : 0, machine_restored);
}

static void guest_acked(struct machine *m, int rc, const struct ipc_msg *answer,
			const struct err *e)
{
	(void)answer;
	if (rc)
		start_failed(m->owner, e->text);
	else
		start_next(m->owner);
}

static void begin_identity(struct microvm *vm)
{
	guest_role_begin(vm);
	machine_resumed(vm->machine, vm->id, START_ACK_MS, guest_acked);
}

/* They were asked for with the identity. */
static void begin_role(struct microvm *vm)
{
	guest_role_wait(vm, start_next);
}

static enum hook start_hook(const struct microvm *vm)
{
	return vm->state == VM_PENDING ? HOOK_RUN : HOOK_RESUME;
}

static void guest_hooked(struct machine *m, enum agent_outcome outcome, unsigned status)
{
	struct microvm *vm = m->owner;
	const struct hooks *hooks = &vm->version->hooks;
	enum hook hook = start_hook(vm);
	autofree char *why =
		hook_failure(hook, outcome, status, hooks->each[hook].timeout_ms, hooks->port);

	if (!why) {
		start_next(vm);
		return;
	}
	start_cancel(vm);
	lifecycle_event_durable(vm, hook == HOOK_RUN ? EV_EXITED : EV_TERMINATE, why);
}

/* NULL: its payload is sealed, and cannot be opened. */
static char *start_run_body(const struct microvm *vm, struct err *e)
{
	json_auto_t *params = sealing_microvm_params(vm, e);
	const char *payload = json_string_value(json_object_get(params, "runHookPayload"));
	json_auto_t *body = NULL;

	if (!params)
		return NULL;
	body = json_pack("{s:s,s:s}", "microvmId", vm->id, "runHookPayload",
			 payload ? payload : "");
	return json_dumps(body, JSON_COMPACT);
}

static void begin_hook(struct microvm *vm)
{
	enum hook hook = start_hook(vm);
	autofree char *body = NULL;
	struct err e;

	if (!hook_wanted(vm, hook)) {
		/* Requests may come now: if the row of the next step is lost, a restart finds the
		 * machine and identifies it again.  A resume has to wait, because after a restart
		 * its checkpoint would win. */
		if (vm->state == VM_PENDING)
			routes_open_early(vm);
		start_next(vm);
		return;
	}
	if (hook == HOOK_RUN) {
		body = start_run_body(vm, &e);
		if (!body) {
			err_wrap(&e, "its sealed payload cannot be opened");
			start_failed(vm, e.text);
			return;
		}
	}
	machine_hook(vm->machine, hook, body, guest_hooked);
}

static void begin_open(struct microvm *vm)
{
	start_cancel(vm); /* the next start may have the slot */
	lifecycle_event_durable(vm, vm->state == VM_PENDING ? EV_STARTED : EV_RESUMED, NULL);
}

static const struct {
	const char *name;
	void (*begin)(struct microvm *vm);
} stages[START_NUM_STAGES] = {
	[START_MEMORY] = { "memory", begin_memory },
	[START_SLOT] = { "slot", begin_slot },
	[START_TEMPLATE] = { "template", begin_template },
	[START_MACHINE] = { "machine", begin_machine },
	[START_RESTORE] = { "restore", begin_restore },
	[START_IDENTITY] = { "identity", begin_identity },
	[START_ROLE] = { "role", begin_role },
	[START_HOOK] = { "hook", begin_hook },
	[START_OPEN] = { "open", begin_open },
};

static void start_enter(struct microvm *vm, enum start_stage stage)
{
	start_of(vm)->stage = stage;
	stages[stage].begin(vm);
}

static void start_next(struct microvm *vm)
{
	/* A cancelled start may still get the machine's answer to its last request. */
	if (vm->starting)
		start_enter(vm, start_of(vm)->stage + 1);
}

/* The ways in. */

void start_bind(struct microvm *vm)
{
	machine_new_id(vm->machine_id);
	memcpy(vm->boot_id, vm->ctl->boot_id, sizeof(vm->boot_id));
}

void start_machine(struct microvm *vm)
{
	struct start *s = start_of(vm);

	vm->starting = true;
	s->failure = (struct err){ 0 };
	if (sealing_allows(vm, &s->failure))
		start_failed(vm, s->failure.text);
	else
		start_enter(vm, START_MEMORY);
}

void start_again(struct microvm *vm)
{
	struct store_txn *t = store_begin(vm->ctl->store);

	/* If this row is lost, a restart finds a machine without a microVM, ends it, and starts
	 * another one in the same way. */
	start_bind(vm);
	model_put_microvm(t, vm);
	store_commit(t, NULL, NULL);
	start_machine(vm);
}

void start_identity(struct microvm *vm)
{
	vm->starting = true;
	start_enter(vm, START_IDENTITY);
}

/* A resume that failed leaves the checkpoint as it was.  Whoever waits is told why, and the next
 * request tries again. */
static void start_stay_suspended(struct microvm *vm, const char *why)
{
	struct lifecycle *l = lifecycle_of(vm);
	struct err e = start_of(vm)->failure;

	if (!*e.text)
		err_set(&e, ERR_INTERNAL, "The MicroVM could not be resumed: %s", why);
	routes_refuse(vm);
	l->wake = false;
	waiters_notify(&l->resumes, -1, &e);
	waiters_notify(&l->suspends, 0, NULL);
}

void on_resume(struct microvm *vm, enum vm_state from)
{
	struct start *s = start_of(vm);

	(void)from;
	if (vm->starting || vm->machine)
		return;
	if (vm->ctl->draining) {
		err_set(&s->failure, ERR_CAPACITY,
			"doze is being stopped: no MicroVM can start now.");
		start_stay_suspended(vm, s->failure.text);
		return;
	}
	lifecycle_of(vm)->wake = false;
	/* The machine is bound only in memory: while the row says SUSPENDED, the checkpoint is the
	 * truth. */
	start_bind(vm);
	start_machine(vm);
	routes_push(vm);
}

/* The ways out. */

void start_failed(struct microvm *vm, const char *why)
{
	struct machine *m = vm->machine;
	autofree char *reason = NULL;

	log_warn("a microVM did not start id=%s stage=%s error=\"%s\"", vm->id,
		 stages[start_of(vm)->stage].name, why);
	start_cancel(vm);
	vm->machine = NULL;
	if (m)
		machine_end(m, NULL, NULL);
	if (vm->state == VM_SUSPENDED) {
		start_stay_suspended(vm, why);
		return;
	}
	reason = xasprintf("The MicroVM could not be started: %s", why);
	lifecycle_event_durable(vm, EV_EXITED, reason);
}

void on_resume_lost(struct microvm *vm, enum vm_state from)
{
	(void)from;
	lifecycle_drop_event(vm, EV_RESUMED);
	start_of(vm)->failure = (struct err){ 0 };
	start_stay_suspended(vm, "its machine ended before it ran");
}
