/* The two judgements of the HTTP/2 carrier: how many frames are a flood, and how large a window
 * must be. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net/http_h2_flood.h"
#include "net/http_h2_window.h"

static unsigned taken(struct h2_floods *f, enum h2_flood kind, int64_t now_ms)
{
	unsigned n = 0;

	while (n < 100000 && h2_floods_take(f, kind, now_ms))
		n++;
	return n;
}

static void test_each_kind_has_a_bucket_that_time_fills_again(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < H2_NUM_FLOODS; kind++) {
		struct h2_floods f;
		unsigned burst, later;

		h2_floods_init(&f, 1000);
		burst = taken(&f, (enum h2_flood)kind, 1000);
		assert_in_range(burst, 50, 2000);
		later = taken(&f, (enum h2_flood)kind, 2000);
		assert_in_range(later, 5, 200);
		assert_int_equal(taken(&f, (enum h2_flood)kind, 1000000), burst);
	}
}

static void test_work_for_a_client_earns_it_frames_but_no_more_than_the_burst(void **state)
{
	struct h2_floods f;
	unsigned burst;

	(void)state;
	h2_floods_init(&f, 0);
	burst = taken(&f, H2_FLOOD_WINDOW, 0);
	h2_floods_earn(&f, H2_FLOOD_WINDOW, 7);
	assert_int_equal(taken(&f, H2_FLOOD_WINDOW, 0), 7);
	h2_floods_earn(&f, H2_FLOOD_WINDOW, 1000000);
	assert_int_equal(taken(&f, H2_FLOOD_WINDOW, 0), burst);
}

/* The window after so long on a way of @rtt_ms that carries @rate bytes a millisecond. */
static size_t grown(int64_t rtt_ms, size_t rate, int64_t total_ms)
{
	struct h2_window w = { .size = H2_WINDOW_FIRST };
	int64_t answered = 0;

	for (int64_t now = 0; now < total_ms; now++) {
		size_t most = w.size / (size_t)rtt_ms, n = most < rate ? most : rate;

		if (h2_window_took(&w, n, (uint64_t)now * 1000))
			answered = now + rtt_ms;
		if (w.measuring && now >= answered)
			w.size += h2_window_measured(&w, (uint64_t)now * 1000);
	}
	return w.size;
}

static void test_a_long_fast_way_gets_a_window_for_100_mb_a_second(void **state)
{
	(void)state;
	assert_true(grown(100, 100000, 3000) >= 10000000);
	assert_true(grown(100, 1000000, 5000) <= LIMIT_HTTP2_WINDOW);
}

/* Each burst is a window; the answer comes after a round trip, and @bytes_per_us carry it there
 * (0: at once). */
static size_t after_bursts(struct h2_window *w, uint64_t trip_us, size_t bytes_per_us)
{
	uint64_t now = 1;

	for (unsigned trip = 0; trip < 40; trip++) {
		for (size_t left = w->size; left;) {
			size_t n = left < 16384 ? left : 16384;

			(void)h2_window_took(w, n, now);
			left -= n;
		}
		now += trip_us + (bytes_per_us ? w->size / bytes_per_us : 0);
		w->size += h2_window_measured(w, now);
	}
	return w->size;
}

/* What is credited comes back as one burst a round trip later, just behind the answer to a PING. */
static void test_bursts_of_a_whole_window_make_it_grow(void **state)
{
	struct h2_window w = { .size = H2_WINDOW_FIRST };

	(void)state;
	assert_int_equal(after_bursts(&w, 100000, 0), LIMIT_HTTP2_WINDOW);
}

/* The answer waits behind bytes that a fast but short way carries at its own rate. */
static void test_a_short_way_keeps_a_small_window(void **state)
{
	struct h2_window w = { .size = H2_WINDOW_FIRST };

	(void)state;
	assert_true(after_bursts(&w, 100, 1000) <= MIB);
}

static void test_a_slow_way_or_a_slow_reader_gets_no_more_than_it_uses(void **state)
{
	(void)state;
	assert_true(grown(100, 100, 10000) <= 65536);
	assert_true(grown(100, 1000, 10000) <= 262144);
	assert_true(grown(1, 1000, 10000) <= 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_has_a_bucket_that_time_fills_again),
		cmocka_unit_test(test_work_for_a_client_earns_it_frames_but_no_more_than_the_burst),
		cmocka_unit_test(test_a_long_fast_way_gets_a_window_for_100_mb_a_second),
		cmocka_unit_test(test_bursts_of_a_whole_window_make_it_grow),
		cmocka_unit_test(test_a_short_way_keeps_a_small_window),
		cmocka_unit_test(test_a_slow_way_or_a_slow_reader_gets_no_more_than_it_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
