#include "suspend_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/admission/admission.h"
#include "control/channels/routes.h"
#include "control/microvm/guest_role.h"

/* The world: what was asked of it, and the time. */
struct suspend_world world;

struct lifecycle lifecycle;
static struct image_version version;
static struct control ctl;
struct machine machine;
struct microvm vm;

int64_t clock_mono_ms(void)
{
	return world.now_ms;
}

int64_t clock_boot_ms(void)
{
	return world.now_ms;
}

int64_t clock_wall_ms(void)
{
	return world.now_ms;
}

struct lifecycle *lifecycle_of(struct microvm *of)
{
	return of->lifecycle;
}

void lifecycle_event(struct microvm *of, enum vm_event event, const char *why)
{
	(void)of;
	world.events[event]++;
	snprintf(world.why, sizeof(world.why), "%s", why ? why : "");
}

void lifecycle_event_durable(struct microvm *of, enum vm_event event, const char *why)
{
	lifecycle_event(of, event, why);
}

void guest_role_sleep(struct microvm *of)
{
	(void)of;
}

void machine_hook(struct machine *m, enum hook hook, const char *body, machine_hooked *done)
{
	(void)m;
	(void)body;
	assert_int_equal(hook, HOOK_SUSPEND);
	world.hooked = done;
}

void machine_ask(struct machine *m, enum machine_type type, const void *body, const int *fds,
		 unsigned n_fds, machine_done *done)
{
	(void)m;
	(void)body;
	(void)fds;
	assert_int_equal(type, MACHINE_SAVE);
	assert_int_equal(n_fds, SAVE_NUM_FDS);
	world.saved = done;
	world.saves++;
}

void machine_simple(struct machine *m, enum machine_type type, machine_done *done)
{
	(void)m;
	assert_int_equal(type, MACHINE_CONTINUE);
	world.continued = done;
	world.continues++;
}

void machine_stats(struct machine *m, machine_done *done)
{
	(void)m;
	(void)done;
}

void machine_end(struct machine *m, machine_ended *ended, void *arg)
{
	(void)m;
	(void)ended;
	(void)arg;
	world.ended++;
}

/* A job is no more than an address. */
static int a_job;

struct checkpoint_job *checkpoint_draft(struct microvm *of, int64_t above, checkpoint_drafted *done)
{
	(void)of;
	world.above = above;
	world.drafted = done;
	world.drafts++;
	return (struct checkpoint_job *)(void *)&a_job;
}

struct checkpoint_job *checkpoint_publish(struct microvm *of, int64_t above,
					  checkpoint_published *done)
{
	(void)of;
	world.above = above;
	world.published = done;
	world.publishes++;
	return (struct checkpoint_job *)(void *)&a_job;
}

void checkpoint_forget(struct checkpoint_job *job)
{
	if (job) {
		world.drafted = NULL;
		world.published = NULL;
	}
}

void checkpoint_drop_draft(struct microvm *of, int64_t n)
{
	(void)of;
	(void)n;
	world.dropped++;
}

void checkpoint_remove_below(struct microvm *of, int64_t n)
{
	(void)of;
	(void)n;
	world.removed_below++;
}

void routes_hold(struct microvm *of)
{
	(void)of;
	world.holds++;
}

void routes_release(struct microvm *of)
{
	(void)of;
	world.releases++;
}

void routes_push(struct microvm *of)
{
	(void)of;
}

void admission_wake(struct control *c)
{
	(void)c;
}

const struct err refused = { ERR_CAPACITY, "the disk is full" };
static const struct err conflict = { ERR_CONFLICT, "it is busy" },
			none = { ERR_NOT_FOUND, "none is complete" },
			broken = { ERR_INTERNAL, "it is broken" };
static const struct machine_saved saved_body;
static struct ipc_msg *saved_msg;

static void answer(machine_done *done, const struct err *e)
{
	assert_non_null(done);
	done(&machine, e ? -1 : 0, e ? NULL : saved_msg, e);
}

static void publish_answers(const struct err *e)
{
	checkpoint_published *done = world.published;

	assert_non_null(done);
	world.published = NULL;
	done(&vm, e ? -1 : 0, 5, e);
}

static void draft_answers(const struct err *e)
{
	static const int fds[SAVE_NUM_FDS] = { -1, -1, -1 };
	checkpoint_drafted *done = world.drafted;

	assert_non_null(done);
	world.drafted = NULL;
	done(&vm, e ? -1 : 0, 5, fds, e);
}

void happen(enum happening what)
{
	switch (what) {
	case HOOK_ANSWERS:
		world.hooked(&machine, OUTCOME_STATUS, 200);
		break;
	case HOOK_FAILS:
		world.hooked(&machine, OUTCOME_STATUS, 500);
		break;
	case DRAFT_IS_MADE:
	case DRAFT_FAILS:
		draft_answers(what == DRAFT_FAILS ? &refused : NULL);
		break;
	case SAVE_SUCCEEDS:
		answer(world.saved, NULL);
		break;
	case SAVE_CONFLICTS:
		answer(world.saved, &conflict);
		break;
	case SAVE_FAILS:
		answer(world.saved, &refused);
		break;
	case SAVED_OF_BEFORE:
		suspend_on_saved(&machine, &saved_body);
		break;
	case PUBLISH_SUCCEEDS:
		publish_answers(NULL);
		break;
	case PUBLISH_FAILS:
		publish_answers(&broken);
		break;
	case PUBLISH_FINDS_NONE:
		publish_answers(&none);
		break;
	case CONTINUE_SUCCEEDS:
		answer(world.continued, NULL);
		break;
	case CONTINUE_CONFLICTS:
		answer(world.continued, &conflict);
		break;
	case CONTINUE_FAILS:
		answer(world.continued, &broken);
		break;
	case MACHINE_ENDS:
		vm.machine = NULL;
		if (!suspend_on_machine_end(&vm))
			lifecycle_event_durable(&vm, EV_EXITED, "It ended.");
		break;
	case AN_HOUR_PASSES:
		world.now_ms += 3600000;
		suspend_tick(&vm, world.now_ms);
		break;
	case NUM_HAPPENINGS:
		break;
	}
}

int begin(void **unused)
{
	(void)unused;
	memset(&world, 0, sizeof(world));
	free(saved_msg);
	saved_msg = xcalloc(1, sizeof(*saved_msg));
	world.now_ms = 1000000;
	version = (struct image_version){ 0 };
	version.hooks.each[HOOK_SUSPEND].enabled = true;
	machine = (struct machine){ .owner = &vm, .run = MACHINE_RUNNING };
	vm = (struct microvm){ .ctl = &ctl,
			       .id = "microvm-1",
			       .version = &version,
			       .state = VM_SUSPENDING,
			       .checkpoint = 3,
			       .machine = &machine,
			       .lifecycle = &lifecycle };
	lifecycle = (struct lifecycle){ .vm = &vm };
	list_init(&lifecycle.suspends);
	list_init(&lifecycle.resumes);
	list_init(&lifecycle.ends);
	return 0;
}

int end(void **unused)
{
	(void)unused;
	suspend_free(&vm);
	free(saved_msg);
	saved_msg = NULL;
	return 0;
}

enum suspend_phase phase(void)
{
	return suspend_of(&vm)->phase;
}

/* The way to each phase. */
void reach(enum suspend_phase to)
{
	static const enum happening way[SUSPEND_NUM_PHASES][3] = {
		[SUSPEND_DRAFTING] = { HOOK_ANSWERS, NUM_HAPPENINGS, NUM_HAPPENINGS },
		[SUSPEND_SAVING] = { HOOK_ANSWERS, DRAFT_IS_MADE, NUM_HAPPENINGS },
		[SUSPEND_FINDING] = { HOOK_ANSWERS, DRAFT_IS_MADE, SAVE_CONFLICTS },
		[SUSPEND_PUBLISHING] = { HOOK_ANSWERS, DRAFT_IS_MADE, SAVE_SUCCEEDS },
		[SUSPEND_CONTINUING] = { HOOK_ANSWERS, DRAFT_IS_MADE, SAVE_FAILS },
		[SUSPEND_HOOK] = { NUM_HAPPENINGS, NUM_HAPPENINGS, NUM_HAPPENINGS },
	};

	on_enter_suspending(&vm, VM_RUNNING);
	for (size_t i = 0; i < ARRAY_SIZE(way[to]); i++)
		happen(way[to][i]);
	assert_int_equal(phase(), to);
}

void told(void *arg, int rc, const struct err *e)
{
	struct told *t = arg;

	t->calls++;
	t->rc = rc;
	snprintf(t->text, sizeof(t->text), "%.*s", (int)sizeof(t->text) - 1, e ? e->text : "");
}
