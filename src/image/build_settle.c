/* Before the snapshot the guest does once what each of its clones would do first, so that no clone
 * has to read the same pages, learn the same neighbour or build the same table again. */

#include <stdlib.h>

#include "base/clock.h"
#include "image/build.h"

#define SETTLE_ACK_MS   30000
#define SETTLE_PROBES   2 /* connections to each port */
#define SETTLE_CHECK_MS 100
#define SETTLE_PERCENT  20 /* of a core, between two checks */
#define SETTLE_CHECKS   20 /* after that many the snapshot is taken anyway */

static void settle_sampled(struct vm *vm, const struct machine_stats *s)
{
	struct build *b = container_of(vm, struct build, vm);
	int64_t now = clock_mono_ms(), passed = now - b->settle.checked_ms;
	uint64_t used = s->cpu_ns - b->settle.cpu_ns;
	bool quiet = b->settle.checks && passed > 0 &&
		     used * 100 < (uint64_t)passed * 1000000 * SETTLE_PERCENT;

	if (b->clearing || !build_is_at(b, build_settle))
		return;
	if (quiet || b->settle.checks++ == SETTLE_CHECKS) {
		build_next(b);
		return;
	}
	b->settle.checked_ms = now;
	b->settle.cpu_ns = s->cpu_ns;
}

static void settle_check(uv_timer_t *t)
{
	struct build *b = t->data;

	vm_sample(&b->vm, settle_sampled);
}

static void settle_probed(struct build *b)
{
	build_waits_for(b, "waits until it is idle");
	build_tick(b, SETTLE_CHECK_MS, settle_check);
}

static void settle_acknowledged(struct build *b)
{
	build_timer_end(&b->tick);
	build_waits_for(b, "connects to its ports");
	build_port_probe(b, SETTLE_PROBES, settle_probed);
}

static void settle_late(uv_timer_t *t)
{
	build_fail(t->data, CODE_INTERNAL, "The guest's agent did not answer within %d seconds.",
		   SETTLE_ACK_MS / 1000);
}

void build_settle(struct build *b)
{
	autobuf struct buf frame = { 0 };
	size_t mark = agent_begin(&frame, AGENT_WARM);

	agent_put_u64(&frame, FIELD_ID, build_expect_ack(b, settle_acknowledged));
	agent_put_u64(&frame, FIELD_EXERCISE, b->engine->translates && b->role->conf->exercise);
	agent_end(&frame, mark);
	build_tick(b, SETTLE_ACK_MS, settle_late);
	build_waits_for(b, "waits for its agent");
	vm_send(&b->vm, &frame);
}
