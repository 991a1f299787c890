/* What the kernel says of its timer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "guest/timer.h"

#define HEAD                                                                                \
	"Timer List Version: v0.9\nHRTIMER_MAX_CLOCK_BASES: 8\nnow at 2803740000 nsecs\n\n" \
	"cpu: 0\n clock 0:\n  .base:       0000000000000000\nactive timers:\n"              \
	"Tick Device: mode:     1\nBroadcast device\nClock Event Device: <NULL>\n"          \
	"tick_broadcast_mask: 0\ntick_broadcast_oneshot_mask: 0\n\n"                        \
	"Tick Device: mode:     1\nPer CPU device: 0\n"

#define LAPIC(mult)                                                                              \
	HEAD "Clock Event Device: lapic\n max_delta_ns:   137438957184\n min_delta_ns:   1000\n" \
	     " mult:           " mult "\n shift:          32\n mode:           3\n"

static const struct {
	const char *what, *text, *name;
	uint64_t hz;
	bool right;
} looks[] = {
	{ "what QEMU counts", LAPIC("268435456"), "lapic", 62500000, true },
	{ "a little off, as on a busy host", LAPIC("273250000"), "lapic", 63620850, true },
	{ "too slow: timers come early", LAPIC("215000000"), "lapic", 50058577, false },
	{ "too fast: every sleep takes more than twice as long", LAPIC("600000000"), "lapic",
	  139698386, false },
	{ "one CPU, whose timer the kernel gave up", HEAD "Clock Event Device: <NULL>\n\n", "", 0,
	  false },
	{ "many CPUs, whose timer the kernel gave up", LAPIC("1"), "lapic", 0, false },
	{ "a deadline of the TSC, which is not measured",
	  HEAD "Clock Event Device: lapic-deadline\n max_delta_ns:   1916\n min_delta_ns:   1\n"
	       " mult:           8589934\n shift:          27\n",
	  "lapic-deadline", 63999999, true },
	{ "a text that ends too early", HEAD "Clock Event Device: lapic\n max_delta", "", 0,
	  false },
	{ "a shift that makes no sense",
	  HEAD "Clock Event Device: lapic\n mult:           5\n shift:          99\n", "lapic", 0,
	  false },
	{ "no text at all", "", "", 0, false },
};

static void a_timer_that_was_measured_wrong_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		struct timer_look look = timer_parse(looks[i].text);

		print_message("%s\n", looks[i].what);
		assert_string_equal(look.name, looks[i].name);
		assert_in_range(look.hz, looks[i].hz ? looks[i].hz - 1000 : 0, looks[i].hz + 1000);
		assert_int_equal(timer_is_right(&look), looks[i].right);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_that_was_measured_wrong_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
