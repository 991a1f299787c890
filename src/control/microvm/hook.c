#include "control/microvm/lifecycle_internal.h"

/* The names as they appear in reasons. */
static const char *const hook_title[NUM_HOOKS] = {
	[HOOK_READY] = "Ready",   [HOOK_VALIDATE] = "Validate", [HOOK_RUN] = "Run",
	[HOOK_RESUME] = "Resume", [HOOK_SUSPEND] = "Suspend",   [HOOK_TERMINATE] = "Terminate",
};

#define HOOK_ADVICE "Please check your hook endpoint and application logs for more details."

char *hook_failure(enum hook hook, enum agent_outcome outcome, unsigned status, int64_t timeout_ms,
		   uint16_t port)
{
	const char *name = hook_title[hook];

	switch (outcome) {
	case OUTCOME_STATUS:
		if (status == 200)
			return NULL;
		return xasprintf("%s lifecycle hook returned HTTP status %u. " HOOK_ADVICE, name,
				 status);
	case OUTCOME_TIMEOUT:
		return xasprintf("%s lifecycle hook timed out after %lld seconds. " HOOK_ADVICE,
				 name, (long long)(timeout_ms / 1000));
	case OUTCOME_REFUSED:
		return xasprintf(
			"%s lifecycle hook was refused: nothing listens on port %u. " HOOK_ADVICE,
			name, port);
	case OUTCOME_GARBAGE:
	case OUTCOME_NUM:
		break;
	}
	return xasprintf("%s lifecycle hook returned no HTTP response. " HOOK_ADVICE, name);
}

bool hook_wanted(const struct microvm *vm, enum hook hook)
{
	return vm->version && vm->version->hooks.each[hook].enabled;
}
