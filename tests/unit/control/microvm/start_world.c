#include "start_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/channels/routes.h"
#include "control/microvm/guest_log.h"
#include "control/microvm/guest_role.h"
#include "control/microvm/suspend.h"
#include "control/pool/restore.h"
#include "control/pool/spares.h"
#include "control/store/store.h"

/* The world: what it is asked it answers when it is told to. */
struct start_world world;

struct lifecycle lifecycle;
struct image_version version;
static struct template template;
static struct conf conf;
struct control ctl;
struct machine machine;
struct microvm vm;

const char *const hook_name[NUM_HOOKS] = { "ready",  "validate", "run",
					   "resume", "suspend",  "terminate" };

static void say(const char *what)
{
	size_t at = strlen(world.said);

	snprintf(world.said + at, sizeof(world.said) - at, "%s%s", at ? " " : "", what);
}

struct lifecycle *lifecycle_of(struct microvm *of)
{
	return of->lifecycle;
}

void lifecycle_event_durable(struct microvm *of, enum vm_event event, const char *why)
{
	(void)of;
	world.events[event]++;
	snprintf(world.why, sizeof(world.why), "%s", why ? why : "");
}

void lifecycle_drop_event(struct microvm *of, enum vm_event event)
{
	(void)of;
	(void)event;
}

int model_runs_here(const struct control *c, const struct image_version *v, struct err *e)
{
	(void)c;
	(void)v;
	return world.runs_elsewhere ? err_set(e, ERR_CONFLICT, "It needs KVM.") : 0;
}

char *model_rebuild_command(const struct control *c, const struct image_version *v)
{
	(void)c;
	(void)v;
	return xstrdup("doze rebuild app");
}

void admission_wait_memory(struct control *c, struct admission_ticket *ticket, uint64_t bytes,
			   int64_t wait_ms,
			   void (*granted)(struct admission_ticket *ticket, int rc,
					   const struct err *e))
{
	(void)c;
	(void)bytes;
	(void)wait_ms;
	say("memory");
	ticket->granted = granted;
	world.ticket = ticket;
}

void admission_wait_slot(struct control *c, struct admission_ticket *ticket,
			 enum admission_priority priority,
			 void (*granted)(struct admission_ticket *ticket, int rc,
					 const struct err *e))
{
	(void)c;
	assert_int_equal(priority, ADMISSION_MICROVM);
	say("slot");
	ticket->granted = granted;
	world.ticket = ticket;
}

void admission_leave(struct admission_ticket *ticket)
{
	(void)ticket;
	world.left++;
}

struct template *template_of(struct control *c, struct image_version *v)
{
	(void)c;
	(void)v;
	return &template;
}

uint64_t template_cost(struct template *t)
{
	(void)t;
	return 1;
}

void template_load(struct template *t, struct template_wait *w,
		   void (*ready)(struct template_wait *w, int rc, const struct err *e))
{
	(void)t;
	say("template");
	w->ready = ready;
	world.wait = w;
}

void template_leave(struct template_wait *w)
{
	(void)w;
}

struct machine *spares_take(struct control *c, struct image_version *v, bool internet,
			    const struct machine_ops *ops, void *owner)
{
	(void)c;
	(void)v;
	(void)internet;
	if (world.spare)
		*world.spare = (struct machine){ .ops = ops, .owner = owner, .id = "m-spare" };
	return world.spare;
}

void machine_new_id(char id[MACHINE_ID_SIZE])
{
	strcpy(id, "m-new");
}

struct machine *machine_start(struct control *c, struct image_version *v, const char *id,
			      bool internet, const struct machine_ops *ops, void *owner)
{
	(void)c;
	(void)v;
	(void)internet;
	assert_string_equal(id, "m-new");
	say("machine");
	machine = (struct machine){ .ops = ops, .owner = owner };
	return &machine;
}

void machine_end(struct machine *m, machine_ended *ended, void *arg)
{
	(void)m;
	(void)ended;
	(void)arg;
	world.ended++;
}

void machine_simple(struct machine *m, enum machine_type type, machine_done *done)
{
	(void)m;
	(void)done;
	assert_int_equal(type, MACHINE_CONTINUE);
	say("continue");
}

void machine_stats(struct machine *m, machine_done *done)
{
	(void)m;
	(void)done;
	world.stats++;
}

void restore_machine(struct template *t, struct machine *m, const struct microvm *of,
		     int64_t checkpoint, machine_done *done)
{
	(void)t;
	(void)m;
	(void)of;
	say("restore");
	world.checkpoint = checkpoint;
	world.done = done;
}

void machine_resumed(struct machine *m, const char *identity, int64_t timeout_ms,
		     machine_done *done)
{
	(void)m;
	(void)timeout_ms;
	assert_string_equal(identity, "microvm-1");
	say("identity");
	world.done = done;
}

void guest_role_begin(struct microvm *of)
{
	(void)of;
	world.roles++;
}

void guest_role_wait(struct microvm *of, void (*ready)(struct microvm *vm))
{
	if (world.role_waits)
		world.role_ready = ready;
	else
		ready(of);
}

void guest_role_leave(struct microvm *of)
{
	(void)of;
	world.role_ready = NULL;
}

void machine_hook(struct machine *m, enum hook hook, const char *body, machine_hooked *done)
{
	(void)m;
	assert_int_equal(body != NULL, hook == HOOK_RUN);
	say(hook_name[hook]);
	world.hooked = done;
}

struct store_txn *store_begin(struct store *s)
{
	return (struct store_txn *)s;
}

void store_commit(struct store_txn *t, store_done *done, void *arg)
{
	(void)t;
	(void)done;
	(void)arg;
}

void model_put_microvm(struct store_txn *t, const struct microvm *of)
{
	(void)t;
	(void)of;
	world.rows++;
}

void routes_push(struct microvm *of)
{
	(void)of;
}

void routes_open_early(struct microvm *of)
{
	(void)of;
	world.opened++;
}

void routes_refuse(struct microvm *of)
{
	(void)of;
	world.refused++;
}

bool suspend_on_machine_end(struct microvm *of)
{
	(void)of;
	return world.suspend_takes_it;
}

void suspend_on_saved(struct machine *m, const struct machine_saved *saved)
{
	(void)m;
	(void)saved;
}

void guest_log_write(struct machine *m, const uint8_t *data, size_t size, uint64_t dropped)
{
	(void)m;
	(void)data;
	(void)size;
	(void)dropped;
}

/* The answer that the stage waits for. */
void answer(enum start_stage stage, const struct err *e)
{
	int rc = e ? -1 : 0;

	switch (stage) {
	case START_MEMORY:
	case START_SLOT:
		world.ticket->granted(world.ticket, rc, e);
		break;
	case START_TEMPLATE:
		world.wait->ready(world.wait, rc, e);
		break;
	case START_MACHINE:
		if (e)
			microvm_machine_ops.down(vm.machine, e->text);
		else
			microvm_machine_ops.up(vm.machine, MACHINE_EMPTY);
		break;
	case START_RESTORE:
	case START_IDENTITY:
		world.done(&machine, rc, NULL, e);
		break;
	case START_ROLE:
		if (world.role_ready)
			world.role_ready(&vm);
		break;
	case START_HOOK:
		world.hooked(&machine, OUTCOME_STATUS, e ? 500 : 200);
		break;
	case START_OPEN:
	case START_NUM_STAGES:
		break;
	}
}

int begin(enum vm_state state)
{
	memset(&world, 0, sizeof(world));
	conf = (struct conf){ .capacity_wait_ms = 1000 };
	ctl = (struct control){
		.conf = &conf, .adopted = true, .boot_id = "boot", .accounts = ctl.accounts
	};
	if (!ctl.accounts.buckets)
		hash_init(&ctl.accounts);
	version = (struct image_version){ 0 };
	version.hooks.each[HOOK_RUN].enabled = version.hooks.each[HOOK_RESUME].enabled = true;
	vm = (struct microvm){ .ctl = &ctl,
			       .id = "microvm-1",
			       .version = &version,
			       .state = state,
			       .checkpoint = 7,
			       .lifecycle = &lifecycle };
	lifecycle = (struct lifecycle){ .vm = &vm };
	list_init(&lifecycle.suspends);
	list_init(&lifecycle.resumes);
	list_init(&lifecycle.ends);
	return 0;
}

int begin_run(void **unused)
{
	(void)unused;
	return begin(VM_PENDING);
}

int begin_resume(void **unused)
{
	(void)unused;
	return begin(VM_SUSPENDED);
}

int end(void **unused)
{
	(void)unused;
	start_free(&vm);
	return 0;
}

void begin_start(void)
{
	if (vm.state == VM_SUSPENDED) {
		on_resume(&vm, VM_SUSPENDED);
		return;
	}
	start_bind(&vm);
	start_machine(&vm);
}

void reach(enum start_stage to)
{
	begin_start();
	world.role_waits = true;
	for (enum start_stage stage = 0; stage < to; stage++) {
		assert_int_equal(start_of(&vm)->stage, stage);
		answer(stage, NULL);
	}
	assert_int_equal(start_of(&vm)->stage, to);
	world.role_waits = false;
}
