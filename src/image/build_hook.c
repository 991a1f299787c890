/* Calls a hook of the application in the build's microVM until it succeeds, fails, or runs out of
 * time. */

#include <stdio.h>

#include "base/clock.h"
#include "image/build.h"

#define HOOK_AGAIN_MS 250
#define HOOK_FIRST_MS 30000 /* when the log says what is still waited for, and how often then */
#define HOOK_WORD_MS  60000

static void build_hook_send(struct build *b);

static void build_hook_late(struct build *b)
{
	struct err e;

	hook_timed_out(b->hook.kind, b->hook.timeout_ms, &e);
	build_fail(b, b->hook.kind->code, "%s", e.text);
}

static int64_t build_hook_left(const struct build *b)
{
	return b->hook.began_ms + b->hook.timeout_ms - clock_mono_ms();
}

static void build_hook_again(uv_timer_t *t)
{
	struct build *b = t->data;

	build_timer_end(&b->tick);
	build_hook_send(b);
}

/* The guest watches the time itself. This fires a little later, if the guest does not answer. */
static void build_hook_overdue(uv_timer_t *t)
{
	build_hook_late(t->data);
}

static void build_hook_send(struct build *b)
{
	int64_t left = build_hook_left(b);
	autobuf struct buf frame = { 0 };
	size_t mark;

	if (left <= 0) {
		build_hook_late(b);
		return;
	}
	b->hook.id = ++b->vm.next_id;
	mark = agent_begin(&frame, AGENT_HOOK);
	agent_put_u64(&frame, FIELD_ID, b->hook.id);
	agent_put_text(&frame, FIELD_NAME, b->hook.kind->name);
	agent_put_u64(&frame, FIELD_PORT, (uint64_t)b->spec.hook_port);
	agent_put_u64(&frame, FIELD_TIMEOUT_MS, (uint64_t)left);
	agent_end(&frame, mark);
	vm_send(&b->vm, &frame);
	build_tick(b, (uint64_t)left + 2000, build_hook_overdue);
}

void build_hook(struct build *b, const struct hook_kind *kind, const struct spec_hook *hook)
{
	char text[64];

	b->hook.kind = kind;
	b->hook.began_ms = clock_mono_ms();
	b->hook.timeout_ms = hook->timeout_ms;
	b->hook.word_ms = HOOK_FIRST_MS;
	build_logf(
		b,
		"doze: waiting until the /%s hook on port %lld answers 200, at most %lld seconds",
		kind->name, (long long)b->spec.hook_port, (long long)hook->timeout_ms / 1000);
	snprintf(text, sizeof(text), "waits for the hook /%s", kind->name);
	build_waits_for(b, text);
	build_hook_send(b);
}

static void build_hook_word(struct build *b, bool refused)
{
	int64_t passed = clock_mono_ms() - b->hook.began_ms;

	if (passed < b->hook.word_ms)
		return;
	b->hook.word_ms += HOOK_WORD_MS;
	if (refused)
		build_logf(b,
			   "doze: after %lld seconds nothing listens on port %lld, where the /%s "
			   "hook is",
			   (long long)passed / 1000, (long long)b->spec.hook_port,
			   b->hook.kind->name);
	else
		build_logf(b, "doze: after %lld seconds the /%s hook still answers 503",
			   (long long)passed / 1000, b->hook.kind->name);
}

static void build_hook_fine(struct build *b)
{
	build_logf(b, "doze: the /%s hook answered 200 after %.1f seconds", b->hook.kind->name,
		   (double)(clock_mono_ms() - b->hook.began_ms) / 1000);
	b->hook.kind = NULL;
	build_next(b);
}

void build_hook_result(struct build *b, const struct agent_frame *f)
{
	uint64_t id = 0, outcome = OUTCOME_NUM, status = 0;
	struct err e;

	if (!b->hook.kind || !agent_get_u64(f, FIELD_ID, &id) || id != b->hook.id)
		return;
	if (!agent_get_u64(f, FIELD_OUTCOME, &outcome) || outcome > OUTCOME_NUM)
		outcome = OUTCOME_NUM;
	if (!agent_get_u64(f, FIELD_STATUS, &status) || status > 999)
		status = 0;
	b->hook.id = 0;
	switch (hook_judge(b->hook.kind, (enum agent_outcome)outcome, (unsigned)status,
			   b->hook.timeout_ms, &e)) {
	case HOOK_FINE:
		build_hook_fine(b);
		return;
	case HOOK_AGAIN:
		build_hook_word(b, outcome == OUTCOME_REFUSED);
		if (build_hook_left(b) <= HOOK_AGAIN_MS)
			build_hook_late(b);
		else
			build_tick(b, HOOK_AGAIN_MS, build_hook_again);
		return;
	case HOOK_FAILED:
		build_fail(b, b->hook.kind->code, "%s", e.text);
		return;
	}
}
