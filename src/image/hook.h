/* hook.h - the hooks that a build calls in its microVM, and what their answers mean.  Pure. */
#ifndef IMAGE_HOOK_H
#define IMAGE_HOOK_H

#include "base/buf.h"
#include "base/err.h"
#include "ipc/agent.h"

struct hook_kind {
	const char *name;  /* on the wire to the agent */
	const char *title; /* as the sentences of service.md 10.1 begin with it */
	const char *code;  /* the error code of a build that fails with it */
};

extern const struct hook_kind hook_ready, hook_validate;

/* The hook must be called again, has succeeded, or has failed with *e. */
enum hook_verdict { HOOK_AGAIN, HOOK_FINE, HOOK_FAILED };

enum hook_verdict hook_judge(const struct hook_kind *hook, enum agent_outcome outcome,
			     unsigned status, int64_t timeout_ms, struct err *e);
void hook_timed_out(const struct hook_kind *hook, int64_t timeout_ms, struct err *e);
/* Appends an ISO 8601 duration: "PT5M", "PT1M30S", "PT0.500S". */
void duration_put(struct buf *to, int64_t ms);

#endif
