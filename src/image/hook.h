/* hook.h - the hooks that a build calls in its microVM, and what their answers mean.  Pure. */
#ifndef IMAGE_HOOK_H
#define IMAGE_HOOK_H

#include "base/buf.h"
#include "base/err.h"
#include "ipc/agent.h"

struct hook_kind {
	const char *name;  /* as the agent calls it */
	const char *title; /* as the sentences of service.md 10.1 begin */
	const char *code;  /* of a build that fails with it */
};

extern const struct hook_kind hook_ready, hook_validate;

/* Call it again, it is fine, or the build has failed with *e. */
enum hook_verdict { HOOK_AGAIN, HOOK_FINE, HOOK_FAILED };

enum hook_verdict hook_judge(const struct hook_kind *hook, enum agent_outcome outcome,
			     unsigned status, int64_t timeout_ms, struct err *e);
void hook_timed_out(const struct hook_kind *hook, int64_t timeout_ms, struct err *e);
/* "PT5M", "PT1M30S", "PT0.5S" */
void duration_put(struct buf *to, int64_t ms);

#endif
