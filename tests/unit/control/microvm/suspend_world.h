/* suspend_world.h - the world of a suspend: it writes down what it is asked, answers when it is
 * told to, and has a clock of its own. */
#ifndef TESTS_CONTROL_SUSPEND_WORLD_H
#define TESTS_CONTROL_SUSPEND_WORLD_H

#include "control/microvm/suspend.h"
#include "control/microvm/suspend_parts.h"

struct suspend_world {
	int64_t now_ms;
	machine_hooked *hooked;
	machine_done *saved, *continued;
	checkpoint_drafted *drafted;
	checkpoint_published *published;
	int64_t above;
	int drafts, saves, continues, publishes, dropped, removed_below, ended, holds, releases;
	int events[VM_NUM_EVENTS];
	char why[256];
};

extern struct suspend_world world;
extern struct lifecycle lifecycle;
extern struct machine machine;
extern struct microvm vm; /* SUSPENDING, with a machine that runs and checkpoint 3 */
extern const struct err refused;

/* What can happen. */
enum happening {
	HOOK_ANSWERS,
	HOOK_FAILS,
	DRAFT_IS_MADE,
	DRAFT_FAILS,
	SAVE_SUCCEEDS,
	SAVE_CONFLICTS,
	SAVE_FAILS,
	SAVED_OF_BEFORE, /* that no request of this control asked for */
	PUBLISH_SUCCEEDS,
	PUBLISH_FAILS,
	PUBLISH_FINDS_NONE,
	CONTINUE_SUCCEEDS,
	CONTINUE_CONFLICTS,
	CONTINUE_FAILS,
	MACHINE_ENDS,
	AN_HOUR_PASSES,
	NUM_HAPPENINGS
};

void happen(enum happening what);
enum suspend_phase phase(void);
void reach(enum suspend_phase to); /* by the usual way */

int begin(void **unused);
int end(void **unused);

/* Who waits for an answer. */
struct told {
	int calls, rc;
	char text[512];
};
void told(void *arg, int rc, const struct err *e);

#endif
