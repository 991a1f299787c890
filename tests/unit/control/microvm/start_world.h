/* start_world.h - the world of a start: it writes down what it is asked, and answers when it is
 * told to. */
#ifndef TESTS_CONTROL_START_WORLD_H
#define TESTS_CONTROL_START_WORLD_H

#include "control/microvm/lifecycle_internal.h"
#include "control/microvm/start.h"

struct start_world {
	struct admission_ticket *ticket;
	struct template_wait *wait;
	machine_done *done; /* of the request that is under way */
	machine_hooked *hooked;
	struct machine *spare; /* that the pool has */
	int64_t checkpoint;
	char said[256];
	int events[VM_NUM_EVENTS], ended, left, opened, refused, rows, stats;
	char why[1200];
	bool runs_elsewhere, suspend_takes_it;
	int roles; /* that were begun */
	bool role_waits;
	void (*role_ready)(struct microvm *vm);
};

extern struct start_world world;
extern struct lifecycle lifecycle;
extern struct image_version version;
extern struct control ctl;
extern struct machine machine;
extern struct microvm vm;

int begin(enum vm_state state);
int begin_run(void **unused);
int begin_resume(void **unused);
int end(void **unused);

void begin_start(void);
void reach(enum start_stage to); /* every stage before it succeeds */
/* What the stage waits for; @e may be NULL. */
void answer(enum start_stage stage, const struct err *e);

#endif
