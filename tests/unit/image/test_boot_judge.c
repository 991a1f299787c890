/* Whether a boot hangs, judged by recordings that are written down as they were met. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "image/boot_judge.h"

#define S  1000       /* ms */
#define MS 1000000ULL /* ns */

/* For so long the machine goes on like this. */
struct stretch {
	int64_t ms;
	uint64_t cpu_percent, waited_percent, console_per_s;
	unsigned n_blocked;
	bool silent;
};

struct boot {
	const char *what;
	uint64_t usual_cpu_ms;
	struct stretch stretches[4];
	enum boot_verdict verdict;
	int64_t by_ms; /* the verdict comes in time; not before: 0 */
	int64_t not_before_ms;
};

#define LIVES(ms, cpu, waited, console)            \
	{                                          \
		ms, cpu, waited, console, 0, false \
	}
#define BLOCKED(ms)                   \
	{                             \
		ms, 0, 0, 0, 1, false \
	}
#define MUTE(ms)                     \
	{                            \
		ms, 0, 0, 0, 0, true \
	}

/* clang-format off */
static const struct boot boots[] = {
	{ "a boot on an idle host", 0, { LIVES(3 * S, 90, 2, 20) }, BOOT_GOES_ON, 0, 0 },
	{ "load 20 and no priority: a minute and a half", 0,
	  { LIVES(90 * S, 2, 110, 0) }, BOOT_GOES_ON, 0, 0 },
	{ "load 20, and no word on the waiting (doze-vmm)", 0,
	  { LIVES(90 * S, 4, 0, 0) }, BOOT_GOES_ON, 0, 0 },
	{ "a host that gives no CPU at all for a minute", 0,
	  { LIVES(2 * S, 50, 50, 0), LIVES(60 * S, 0, 100, 0), LIVES(5 * S, 50, 50, 0) }, BOOT_GOES_ON, 0, 0 },
	{ "a disk that stalls for half a minute", 0,
	  { LIVES(2 * S, 50, 0, 0), BLOCKED(30 * S), LIVES(2 * S, 50, 0, 0) }, BOOT_GOES_ON, 0, 0 },
	{ "a boot of 8 CPU seconds where 2 are usual", 2000,
	  { LIVES(16 * S, 50, 10, 0) }, BOOT_GOES_ON, 0, 0 },
	{ "a slow host's first boot, of 30 CPU seconds", 0,
	  { LIVES(30 * S, 99, 1, 0) }, BOOT_GOES_ON, 0, 0 },
	{ "a kernel that talks for long", 2000,
	  { LIVES(60 * S, 99, 1, 50) }, BOOT_GOES_ON, 0, 0 },
	{ "priv and the process take a minute to come", 0,
	  { MUTE(60 * S), LIVES(3 * S, 90, 2, 0) }, BOOT_GOES_ON, 0, 0 },
	{ "a process that does not answer for 20 seconds", 0,
	  { LIVES(1 * S, 90, 0, 0), MUTE(20 * S), LIVES(2 * S, 90, 0, 0) }, BOOT_GOES_ON, 0, 0 },

	{ "the timer is gone: the guest sleeps for ever", 0,
	  { LIVES(2 * S, 80, 10, 10), LIVES(60 * S, 0, 0, 0) }, BOOT_IDLE, 12 * S, 8 * S },
	{ "the same under load 20, at a twentieth of the speed", 0,
	  { LIVES(40 * S, 5, 100, 0), LIVES(60 * S, 0, 1, 0) }, BOOT_IDLE, 50 * S, 47 * S },
	{ "QEMU never begins", 0, { LIVES(60 * S, 0, 0, 0) }, BOOT_IDLE, 10 * S, 8 * S },
	{ "both vCPUs spin, where 2 CPU seconds are usual", 2500,
	  { LIVES(120 * S, 200, 0, 0) }, BOOT_SPINS, 9 * S, 6 * S },
	{ "one spins, and nothing is known of this host", 0,
	  { LIVES(120 * S, 100, 0, 0) }, BOOT_SPINS, 42 * S, 40 * S },
	{ "one spins where a boot takes next to nothing", 100,
	  { LIVES(120 * S, 100, 0, 0) }, BOOT_SPINS, 12 * S, 10 * S },
	{ "the monitor hangs", 0,
	  { LIVES(2 * S, 80, 0, 0), MUTE(90 * S) }, BOOT_SILENT, 33 * S, 31 * S },
	{ "no process ever comes", 0, { MUTE(200 * S) }, BOOT_SILENT, 92 * S, 90 * S },
	{ "a kernel that never stops talking", 0,
	  { LIVES(900 * S, 50, 0, 50) }, BOOT_ENDLESS, 602 * S, 600 * S },
};
/* clang-format on */

static struct machine_progress go_on(const struct machine_progress *p, const struct stretch *s,
				     int64_t ms)
{
	struct machine_progress next = *p;

	next.cpu_ns += (uint64_t)ms * s->cpu_percent * MS / 100;
	next.waited_ns += (uint64_t)ms * s->waited_percent * MS / 100;
	next.console_bytes += (uint64_t)ms * s->console_per_s / 1000;
	next.n_blocked = s->n_blocked;
	return next;
}

static enum boot_verdict judge(const struct boot *b, int64_t *at_ms)
{
	struct machine_progress p = { 0 };
	struct boot_judge j;

	*at_ms = 0;
	boot_judge_begin(&j, 7 * S, b->usual_cpu_ms * MS);
	for (size_t i = 0; i < ARRAY_SIZE(b->stretches); i++) {
		const struct stretch *s = &b->stretches[i];

		for (int64_t ms = 0; ms < s->ms; ms += BOOT_LOOK_MS) {
			enum boot_verdict v;

			*at_ms += BOOT_LOOK_MS;
			p = go_on(&p, s, BOOT_LOOK_MS);
			v = boot_judge_look(&j, 7 * S + *at_ms, s->silent ? NULL : &p);
			if (v)
				return v;
		}
	}
	return BOOT_GOES_ON;
}

static void what_hangs_is_seen_in_time_and_what_is_slow_is_let_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(boots); i++) {
		int64_t at_ms;
		enum boot_verdict v = judge(&boots[i], &at_ms);

		if (v != boots[i].verdict || (boots[i].by_ms && at_ms > boots[i].by_ms) ||
		    (boots[i].by_ms && at_ms < boots[i].not_before_ms))
			fail_msg("%s: verdict %d after %lld ms", boots[i].what, (int)v,
				 (long long)at_ms);
	}
}

static void time_in_which_nobody_looked_does_not_count(void **state)
{
	const struct machine_progress p = { .cpu_ns = 1000 * MS };
	struct boot_judge j;

	(void)state;
	boot_judge_begin(&j, 0, 0);
	assert_int_equal(boot_judge_look(&j, 500, &p), BOOT_GOES_ON);
	assert_int_equal(boot_judge_look(&j, 3600 * S, &p), BOOT_GOES_ON);
	assert_int_equal(boot_judge_look(&j, 7200 * S, NULL), BOOT_GOES_ON);
}

static void a_thread_that_ended_took_its_time_with_it(void **state)
{
	struct machine_progress p = { .cpu_ns = 5000 * MS, .waited_ns = 900 * MS };
	struct boot_judge j;

	(void)state;
	boot_judge_begin(&j, 0, 0);
	assert_int_equal(boot_judge_look(&j, 500, &p), BOOT_GOES_ON);
	p.cpu_ns = 1000 * MS; /* less than before: no huge difference, and no spinning */
	for (int64_t ms = 1000; ms < 8500; ms += 500)
		assert_int_equal(boot_judge_look(&j, ms, &p), BOOT_GOES_ON);
	assert_int_equal(boot_judge_look(&j, 9000, &p), BOOT_IDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_hangs_is_seen_in_time_and_what_is_slow_is_let_be),
		cmocka_unit_test(time_in_which_nobody_looked_does_not_count),
		cmocka_unit_test(a_thread_that_ended_took_its_time_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
