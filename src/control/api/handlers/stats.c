/* stats.c - what the host's memory and CPU go to, machine by machine.
 *
 * Every machine is asked anew; one that is busy shows what it said last. */

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/meminfo.h"
#include "control/api/call.h"
#include "control/api/encode.h"
#include "control/api/handlers/handlers.h"
#include "control/machine/machine.h"
#include "control/pool/pool.h"
#include "control/pool/spares.h"

#define STATS_CHECK_MS 10
#define STATS_MAX_MS   500

struct stats {
	struct call *call;
	uv_timer_t timer;
	int64_t begin_ms;
};

static json_t *stats_host(void)
{
	struct meminfo m;

	if (!meminfo_read(&m))
		log_err("/proc/meminfo cannot be read");
	return json_pack("{s:I,s:I}", "memoryBytes", (json_int_t)m.total, "availableBytes",
			 (json_int_t)m.available);
}

static const struct microvm *stats_microvm(const struct control *ctl, const struct machine *m)
{
	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->machine == m)
			return vm;
	}
	return NULL;
}

/* An ending machine's version may be gone: only its name and its figures are shown. */
static json_t *stats_machine(const struct control *ctl, const struct machine *m)
{
	static const char *const runs[] = { "EMPTY", "RUNNING", "PAUSED", "ENDING" };
	const struct microvm *vm = stats_microvm(ctl, m);
	const struct image_version *v = m->ending ? NULL : m->version; /* may be gone */
	const char *run = m->ending ? "ENDING" : m->run <= MACHINE_ENDING ? runs[m->run] : "EMPTY";

	return json_pack("{s:s,s:s?,s:s?,s:o,s:s,s:I,s:I,s:I}", "machine", m->id, "microvmId",
			 vm ? vm->id : NULL, "image", v ? v->image->name : NULL, "imageVersion",
			 encode_version_number(v ? v->number : 0), "run", run, "privateBytes",
			 (json_int_t)m->private_bytes, "proportionalBytes",
			 (json_int_t)m->proportional_bytes, "cpuNs", (json_int_t)m->cpu_ns);
}

static json_t *stats_microvms(const struct control *ctl, int64_t *baseline_mib)
{
	unsigned states[VM_NUM_STATES] = { 0 };
	json_t *by_state = json_object();

	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		states[vm->state]++;
		if (vm->state != VM_TERMINATED)
			*baseline_mib += vm->version->memory_mib;
	}
	for (size_t i = 0; i < VM_NUM_STATES; i++)
		json_object_set_new(by_state, vm_state_name[i], json_integer(states[i]));
	return by_state;
}

static json_t *stats_endpoint(const struct microvm *vm)
{
	static const struct meter none;
	const struct meter *m = vm->meter ? vm->meter : &none;
	uint64_t requests = 0;

	for (size_t i = 0; i < METER_CLASSES; i++)
		requests += m->requests[i];
	return json_pack("{s:s,s:s?,s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "microvmId", vm->id, "image",
			 vm->origin.name, "state", vm_state_name[vm->state], "requests",
			 (json_int_t)requests, "errors", (json_int_t)m->requests[5], "bytesIn",
			 (json_int_t)m->in, "bytesOut", (json_int_t)m->out, "held",
			 (json_int_t)m->held, "wakes", (json_int_t)m->wakes);
}

static json_t *stats_endpoints(const struct control *ctl)
{
	json_t *endpoints = json_array();

	list_each(vm, &ctl->microvms, struct microvm, in_control)
	{
		if (vm->state != VM_TERMINATED)
			json_array_append_new(endpoints, stats_endpoint(vm));
	}
	return endpoints;
}

static json_t *stats_encode(const struct control *ctl)
{
	json_t *machines = json_array(), *microvms;
	int64_t proportional = 0, baseline_mib = 0;

	list_each(m, machines_all(ctl), struct machine, in)
	{
		proportional += (int64_t)m->proportional_bytes;
		json_array_append_new(machines, stats_machine(ctl, m));
	}
	microvms = stats_microvms(ctl, &baseline_mib);
	return json_pack("{s:o,s:I,s:o,s:o,s:I,s:{s:i,s:i},s:o}", "microvms", microvms,
			 "baselineMib", (json_int_t)baseline_mib, "endpoints", stats_endpoints(ctl),
			 "machines", machines, "proportionalBytes", (json_int_t)proportional,
			 "pool", "ready", (int)pool_ready(ctl), "spares", (int)spares_ready(ctl),
			 "host", stats_host());
}

static void stats_free(uv_handle_t *timer)
{
	free(container_of((uv_timer_t *)timer, struct stats, timer));
}

static void stats_check(uv_timer_t *timer)
{
	struct stats *s = container_of(timer, struct stats, timer);
	struct call *c = s->call;

	list_each(m, machines_all(c->ctl), struct machine, in)
	{
		if (m->chan.open && !m->ending && m->stats_ms < s->begin_ms &&
		    clock_mono_ms() - s->begin_ms < STATS_MAX_MS)
			return;
	}
	uv_close((uv_handle_t *)timer, stats_free);
	call_answer(c, stats_encode(c->ctl));
}

void doze_stats(struct call *c)
{
	struct stats *s = xcalloc(1, sizeof(*s));

	s->call = c;
	s->begin_ms = clock_mono_ms();
	list_each(m, machines_all(c->ctl), struct machine, in)
	{
		if (m->chan.open && !m->ending)
			machine_stats(m, NULL);
	}
	uv_timer_init(&c->ctl->loop, &s->timer);
	uv_timer_start(&s->timer, stats_check, STATS_CHECK_MS, STATS_CHECK_MS);
	stats_check(&s->timer);
}
