/* builds.c - /doze/v1/builds/: how far a build is, and its end before its time. */

#include "control/images/builds.h"
#include "base/clock.h"
#include "control/api/call.h"
#include "control/api/encode.h"
#include "control/api/handlers/handlers.h"
#include "control/api/resolve.h"
#include "control/images/build_progress.h"

static struct build *call_build(struct call *c)
{
	struct build *b = find_build(c->ctl, c->who->account, call_text(c, "id"));

	if (!b)
		call_not_found(c, "There is no build %s.", call_text(c, "id"));
	return b;
}

void doze_get_build(struct call *c)
{
	struct build *b = call_build(c);
	int64_t from = call_number(c, "from", 0);
	json_t *answer;

	if (!b)
		return;
	answer = encode_build(c->ctl, b, false);
	json_object_set_new(answer, "stepCount", json_integer((json_int_t)b->n_parts));
	json_object_set_new(answer, "steps",
			    build_progress_steps(b, (size_t)from, clock_mono_ms()));
	call_answer(c, answer);
}

/* The build may have gone with its version while the store was writing. */
static void build_cancelled(void *arg, int rc, const struct err *e)
{
	struct call *c = arg;
	const struct build *b = rc ? NULL : call_build(c);

	if (rc)
		call_fail(c, e);
	else if (b)
		call_answer(c, encode_build(c->ctl, b, true));
}

void doze_cancel_build(struct call *c)
{
	struct build *b = call_build(c);

	if (b)
		builds_cancel(c->ctl, b, build_cancelled, c);
}
