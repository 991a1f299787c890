#include "machine/serve.h"

#define IN(run) (1U << (run))
#define LIVE    (IN(MACHINE_RUNNING) | IN(MACHINE_PAUSED))
#define ANY     (LIVE | IN(MACHINE_EMPTY))

/* clang-format off */
static const struct {
	unsigned when; /* states in which it is served; 0: not a request */
	bool any_time; /* also while an operation is under way */
} serve_rules[MACHINE_NUM_TYPES] = {
	[MACHINE_BOOT]        = { IN(MACHINE_EMPTY), false },
	[MACHINE_SNAPSHOT]    = { LIVE,              false },
	[MACHINE_SAVE]        = { LIVE,              false },
	[MACHINE_RESTORE]     = { IN(MACHINE_EMPTY), false },
	[MACHINE_PAUSE]       = { LIVE,              false },
	[MACHINE_CONTINUE]    = { LIVE,              false },
	[MACHINE_STOP]        = { ANY,               true },
	[MACHINE_GET_STATS]   = { ANY,               true },
	[MACHINE_GET_TOUCHED] = { LIVE,              false },
	[MACHINE_GET_PROGRESS] = { ANY,              true },
	[MACHINE_EXPLAIN]     = { ANY,               true },
	[MACHINE_AGENT]       = { ANY,               true },
};
/* clang-format on */

int serve_check(uint32_t type, enum machine_run run, const char *busy, struct err *e)
{
	if (!serve_rules[type].when)
		return err_set(e, ERR_INVALID, "message %u is no request to a machine", type);
	if (busy && !serve_rules[type].any_time)
		return err_set(e, ERR_CONFLICT, "the machine is busy with its %s", busy);
	if (!(serve_rules[type].when & IN(run)))
		return err_set(e, ERR_CONFLICT,
			       "a machine in this state does not take this request");
	return 0;
}
