/* The stage that starts the application and waits until it is ready for its snapshot: until its
 * /ready hook says so, or its HEALTHCHECK, or ready.c by what the guest tells. The log says what is
 * waited for, now and then what is missing, and at the end why it is ready. */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "image/build.h"

#define READY_TICK_MS  1000
#define READY_FIRST_MS 30000 /* when the log says what is missing, and how often then */
#define READY_WORD_MS  60000
#define READY_CLOSED   5   /* words of the log about ports that close, at most */
#define READY_PLACES   512 /* bytes of the log's text of listeners */

static int64_t build_ready_ms(const struct build *b)
{
	return clock_mono_ms() - b->ready.began_ms;
}

static bool build_judges(const struct build *b)
{
	return build_is_at(b, build_ready) && !b->spec.ready.enabled && !b->clearing;
}

/* A listener that no stream reaches is worth a word where the awaited port is missing. */
static void build_say_open(struct build *b, struct buf *to)
{
	ready_say_open(&b->ready.judge, to);
	if (b->ready.judge.open != READY_ALL && b->ready.places.size)
		buf_addf(
			to,
			"; %s listens, but requests come to 127.0.0.1 or ::1: let it listen on all "
			"addresses",
			buf_str(&b->ready.places));
}

static void build_is_ready(struct build *b)
{
	static const char *const remarks[READY_NUM_OPEN] = {
		[READY_NOTHING] = ", so it counts as one without a port",
		[READY_ANOTHER] = "; requests must name the port (X-aws-proxy-port)",
		[READY_SOME] = "",
		[READY_ALL] = "",
	};
	enum ready_open state = b->ready.judge.open;
	autobuf struct buf open = { 0 }, rest = { 0 };

	build_say_open(b, &open);
	ready_say_rest(&b->ready.judge, &rest);
	build_logf(b, "doze: %s after %.1f seconds: %s, and %s%s",
		   state >= READY_SOME ? "ready" : "warning: the snapshot is taken",
		   (double)build_ready_ms(b) / 1000, buf_str(&open), buf_str(&rest),
		   remarks[state]);
	build_next(b);
}

static void build_ready_late(struct build *b)
{
	const long long limit = b->role->conf->build_ready_timeout_s;
	autobuf struct buf open = { 0 }, pace = { 0 };

	build_say_open(b, &open);
	ready_say_pace(&b->ready.judge, &pace);
	if (ready_is_half(&b->ready.judge)) {
		build_fail(
			b, CODE_START,
			"The application was still starting after %lld seconds: %s, and %s. Give "
			"it more time ([build] ready_timeout_s), or EXPOSE the port that it "
			"listens on.",
			limit, buf_str(&open), buf_str(&pace));
		return;
	}
	build_logf(b,
		   "doze: warning: the application still works after %lld seconds ([build] "
		   "ready_timeout_s): %s, and %s; the snapshot is taken as things are",
		   limit, buf_str(&open), buf_str(&pace));
	build_next(b);
}

static void build_check(struct build *b)
{
	autobuf struct buf frame = { 0 };
	size_t mark = agent_begin(&frame, AGENT_CHECK);

	b->ready.check_id = ++b->vm.next_id;
	b->ready.check_began_ms = build_ready_ms(b);
	agent_put_u64(&frame, FIELD_ID, b->ready.check_id);
	agent_put_u64(&frame, FIELD_TIMEOUT_MS, (uint64_t)b->check.timeout_ms);
	if (!build_put_process(b, &frame, b->check.argv, b->check.n_argv)) {
		build_fail(b, CODE_BUILD, "The image's command and environment are too long.");
		return;
	}
	agent_end(&frame, mark);
	vm_send(&b->vm, &frame);
}

static bool build_checks(const struct build *b)
{
	return b->check.n_argv && !b->ready.unhealthy;
}

static bool build_check_is_due(const struct build *b, bool rests)
{
	int64_t took = b->ready.check_ended_ms - b->ready.check_began_ms;

	return build_ready_ms(b) - b->ready.check_ended_ms >=
	       health_pause_ms(&b->check, took, rests);
}

/* The first line of the output, as one line of the log. */
static void build_say_check(const struct agent_frame *f, uint64_t outcome, uint64_t code,
			    struct buf *to)
{
	struct agent_field_view v;
	size_t at = 0;

	if (outcome == OUTCOME_TIMEOUT)
		buf_adds(to, "did not end in time");
	else if (outcome == OUTCOME_STATUS)
		buf_addf(to, "exited with %llu", (unsigned long long)(code & 0xff));
	else
		buf_adds(to, "could not be run");
	while (agent_field_next(f, &at, &v) == 1)
		for (size_t i = 0; v.tag == FIELD_BYTES && i < v.size && i < 200; i++) {
			uint8_t c = v.data[i];

			if (c == '\n')
				break;
			if (!i)
				buf_adds(to, ": ");
			buf_add(to, c < ' ' || c > '~' ? (const uint8_t *)"?" : &c, 1);
		}
}

void build_checked(struct build *b, const struct agent_frame *f)
{
	uint64_t id = 0, outcome = OUTCOME_NUM, code = 0;
	autobuf struct buf said = { 0 };
	int64_t now = build_ready_ms(b);

	if (!build_judges(b) || !b->ready.check_id || !agent_get_u64(f, FIELD_ID, &id) ||
	    id != b->ready.check_id || !agent_get_u64(f, FIELD_OUTCOME, &outcome) ||
	    !agent_get_u64(f, FIELD_CODE, &code))
		return;
	b->ready.check_id = 0;
	if (outcome == OUTCOME_STATUS && !code) {
		build_logf(b, "doze: ready after %.1f seconds: the image's HEALTHCHECK succeeded",
			   (double)now / 1000);
		build_next(b);
		return;
	}
	b->ready.check_ended_ms = now;
	if (!health_failed(&b->ready.health, &b->check, now))
		return;
	b->ready.unhealthy = true;
	build_say_check(f, outcome, code, &said);
	build_logf(
		b,
		"doze: warning: the image's HEALTHCHECK failed %lld times (the last %s) and is no "
		"longer looked at",
		(long long)b->check.retries, buf_str(&said));
}

static void build_ready_word(struct build *b, int64_t now)
{
	autobuf struct buf open = { 0 }, rest = { 0 };

	if (now < b->ready.word_ms)
		return;
	b->ready.word_ms += READY_WORD_MS;
	build_say_open(b, &open);
	ready_say_rest(&b->ready.judge, &rest);
	build_logf(b, "doze: after %lld seconds %s%s; %s", (long long)now / 1000, buf_str(&open),
		   build_checks(b) ? ", but the image's HEALTHCHECK has not succeeded" : "",
		   buf_str(&rest));
}

/* A look that is under way ends before the snapshot. */
static void build_ready_tick(uv_timer_t *t)
{
	struct build *b = t->data;
	int64_t now = build_ready_ms(b);

	build_ready_word(b, now);
	if (b->ready.check_id)
		return;
	if (now >= b->role->conf->build_ready_timeout_s * 1000)
		build_ready_late(b);
	else if (build_checks(b) && build_check_is_due(b, false))
		build_check(b);
}

static void build_log_wait(struct build *b)
{
	autobuf struct buf text = { 0 };

	if (build_checks(b)) {
		buf_adds(&text, "the image's HEALTHCHECK succeeds");
	} else {
		ready_say_wanted(&b->ready.judge, &text);
		buf_adds(&text, " and the application comes to rest");
	}
	build_logf(b, "doze: waiting until %s, at most %lld seconds ([build] ready_timeout_s)",
		   buf_str(&text), (long long)b->role->conf->build_ready_timeout_s);
}

static void build_judge(struct build *b)
{
	struct ready_ports exposed = { .n_tcp = b->app.n_ports, .n_udp = b->app.n_udp_ports };

	memcpy(exposed.tcp, b->app.ports, sizeof(exposed.tcp));
	memcpy(exposed.udp, b->app.udp_ports, sizeof(exposed.udp));
	ready_begin(&b->ready.judge, &exposed);
	b->ready.began_ms = clock_mono_ms();
	b->ready.word_ms = READY_FIRST_MS;
	build_log_wait(b);
	build_tick(b, READY_TICK_MS, build_ready_tick);
}

void build_ready(struct build *b)
{
	build_start_application(b);
	if (b->clearing)
		return;
	if (b->spec.ready.enabled)
		build_hook(b, &hook_ready, &b->spec.ready);
	else
		build_judge(b);
}

static size_t build_ports(const struct agent_frame *f, uint16_t tag, uint16_t *to)
{
	struct agent_field_view v;
	size_t at = 0, n = 0;

	while (n < BUILD_MAX_PORTS && agent_field_next(f, &at, &v) == 1) {
		uint64_t port = 0;

		if (v.tag != tag || v.size != sizeof(port))
			continue;
		memcpy(&port, v.data, sizeof(port)); /* little endian, like this host */
		if (port && port <= UINT16_MAX)
			to[n++] = (uint16_t)port;
	}
	return n;
}

/* An address and a port, as the guest says: nothing else of its bytes gets into the log. */
static bool build_is_place(const struct agent_field_view *v)
{
	static const char allowed[] = "0123456789abcdefABCDEF.:[]";

	for (size_t i = 0; i < v->size; i++)
		if (!v->data[i] || !strchr(allowed, v->data[i]))
			return false;
	return v->size;
}

static void build_places(struct build *b, const struct agent_frame *f)
{
	struct agent_field_view v;
	size_t at = 0;

	buf_clear(&b->ready.places);
	while (agent_field_next(f, &at, &v) == 1) {
		if (v.tag != FIELD_PLACE || b->ready.places.size + v.size > READY_PLACES ||
		    !build_is_place(&v))
			continue;
		buf_adds(&b->ready.places, b->ready.places.size ? ", " : "");
		buf_add(&b->ready.places, v.data, v.size);
	}
}

static void build_log_closed(struct build *b, enum ready_open before)
{
	autobuf struct buf open = { 0 };

	if (!build_judges(b) || before < READY_SOME || b->ready.judge.open >= before ||
	    b->ready.n_closed++ >= READY_CLOSED)
		return;
	build_say_open(b, &open);
	build_logf(b, "doze: a port has closed again: %s", buf_str(&open));
}

void build_listening(struct build *b, const struct agent_frame *f)
{
	enum ready_open before = b->ready.judge.open;

	b->done.n_listening = (uint32_t)build_ports(f, FIELD_PORT, b->done.listening);
	build_places(b, f);
	ready_set_tcp(&b->ready.judge, b->done.listening, b->done.n_listening);
	build_log_closed(b, before);
}

static bool build_read_sample(const struct agent_frame *f, struct ready_sample *s)
{
	const struct {
		uint16_t tag;
		uint64_t *to;
	} fields[] = {
		{ FIELD_CPU_US, &s->cpu_us },
		{ FIELD_DISK_BYTES, &s->disk_bytes },
		{ FIELD_NET_BYTES, &s->net_bytes },
		{ FIELD_BIRTHS, &s->births },
		{ FIELD_TASKS, &s->tasks },
		{ FIELD_OUTPUT_BYTES, &s->output_bytes },
		{ FIELD_MEMORY_BYTES, &s->memory_bytes },
	};
	uint64_t at_ms = 0;
	bool all = agent_get_u64(f, FIELD_AT_MS, &at_ms) && at_ms <= INT32_MAX;

	for (size_t i = 0; all && i < ARRAY_SIZE(fields); i++)
		all = agent_get_u64(f, fields[i].tag, fields[i].to);
	s->at_ms = (int64_t)at_ms;
	return all;
}

/* As a line of a recording (tests/unit/image/starts). */
static void build_log_sample(const struct build *b, const struct ready_sample *s)
{
	autobuf struct buf row = { 0 };
	const struct ready_ports *l = &b->ready.judge.listening;

	buf_addf(&row, "%lld %llu %llu %llu %llu %llu %llu %llu ", (long long)s->at_ms,
		 (unsigned long long)s->cpu_us, (unsigned long long)s->disk_bytes,
		 (unsigned long long)s->net_bytes, (unsigned long long)s->births,
		 (unsigned long long)s->tasks, (unsigned long long)s->output_bytes,
		 (unsigned long long)s->memory_bytes);
	for (size_t i = 0; i < l->n_tcp; i++)
		buf_addf(&row, "%s%u", i ? "," : "", l->tcp[i]);
	buf_adds(&row, l->n_tcp ? " " : "- ");
	for (size_t i = 0; i < l->n_udp; i++)
		buf_addf(&row, "%s%u", i ? "," : "", l->udp[i]);
	buf_adds(&row, l->n_udp ? "" : "-");
	log_debug("A guest's sample build=%s row='%s'", b->what.name.build, buf_str(&row));
}

void build_sampled(struct build *b, const struct agent_frame *f)
{
	struct ready_sample s = { 0 };
	uint16_t udp[BUILD_MAX_PORTS];
	bool rests;

	if (!build_judges(b) || !build_read_sample(f, &s))
		return;
	ready_set_udp(&b->ready.judge, udp, build_ports(f, FIELD_UDP_PORT, udp));
	build_log_sample(b, &s);
	rests = ready_sample(&b->ready.judge, &s);
	if (!rests || b->ready.check_id)
		return;
	if (!build_checks(b))
		build_is_ready(b);
	else if (build_check_is_due(b, true))
		build_check(b);
}
