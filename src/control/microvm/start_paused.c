/* start_paused.c - the start of what is a machine already: it is let run, and its guest learns who
 * it is. */

#include "base/log.h"
#include "control/microvm/start.h"

static void machine_checked(struct machine *m, int rc, const struct ipc_msg *answer,
			    const struct err *e)
{
	const struct machine_stats *stats = rc ? NULL : (const void *)answer->body;
	struct microvm *vm = m->owner;

	(void)e;
	/* A machine that is being saved is paused, and one that does not answer may be running. */
	if (stats && stats->run == MACHINE_PAUSED && vm->state != VM_SUSPENDING)
		start_failed(vm, "The machine did not continue.");
}

/* The guest may have acknowledged its identity although this answer failed or came too late: then
 * the machine itself says whether it runs. */
static void machine_continued(struct machine *m, int rc, const struct ipc_msg *answer,
			      const struct err *e)
{
	struct microvm *vm = m->owner;

	(void)answer;
	if (!rc)
		return;
	if (vm->starting && start_of(vm)->stage == START_IDENTITY) {
		start_failed(vm, e->text);
		return;
	}
	log_warn("a machine did not say that it runs id=%s error=\"%s\"", vm->id, e->text);
	machine_stats(m, machine_checked);
}

void start_paused(struct microvm *vm)
{
	/* The guest reads its identity as soon as it runs, so neither request waits for the other.
	 */
	machine_simple(vm->machine, MACHINE_CONTINUE, machine_continued);
	start_identity(vm);
}
