/* The image's HEALTHCHECK: how it is read, and when it counts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "image/health.h"

static int read_check(struct health_check *c, const char *text)
{
	json_t *config = json_loads(text, JSON_ALLOW_NUL, NULL);
	struct err e;
	int rc;

	assert_non_null(config);
	rc = health_read(c, config, &e);
	json_decref(config);
	return rc;
}

static void a_check_is_read_as_docker_writes_it(void **unused)
{
	/* clang-format off */
	static const struct {
		const char *config, *argv[5];
		int64_t interval_ms, timeout_ms, start_ms, retries, start_interval_ms;
	} rows[] = {
		{ "{}", { NULL }, 30000, 30000, 0, 3, 5000 },
		{ "{\"Healthcheck\":null}", { NULL }, 30000, 30000, 0, 3, 5000 },
		{ "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}", { NULL }, 30000, 30000, 0, 3, 5000 },
		{ "{\"Healthcheck\":{\"Test\":[]}}", { NULL }, 30000, 30000, 0, 3, 5000 },
		{ "{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"curl -f localhost || exit 1\"]}}",
		  { "/bin/sh", "-c", "curl -f localhost || exit 1" }, 30000, 30000, 0, 3, 5000 },
		{ "{\"Shell\":[\"/bin/bash\",\"-ec\"],\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"]}}",
		  { "/bin/bash", "-ec", "true" }, 30000, 30000, 0, 3, 5000 },
		{ "{\"Healthcheck\":{\"Test\":[\"CMD\",\"/up\",\"-q\"],\"Interval\":5000000000,\"Timeout\":2000000000,"
		  "\"StartPeriod\":60000000000,\"StartInterval\":2000000000,\"Retries\":5}}", { "/up", "-q" }, 5000, 2000, 60000, 5, 2000 },
		{ "{\"Healthcheck\":{\"Test\":[\"CMD\",\"/up\"],\"Interval\":-5,\"Timeout\":\"x\",\"Retries\":0}}",
		  { "/up" }, 30000, 30000, 0, 3, 5000 },
	};
	/* clang-format on */

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct health_check c;
		size_t n = 0;

		assert_int_equal(read_check(&c, rows[i].config), 0);
		for (; rows[i].argv[n]; n++)
			assert_string_equal(c.argv[n], rows[i].argv[n]);
		assert_int_equal(c.n_argv, n);
		assert_int_equal(c.interval_ms, rows[i].interval_ms);
		assert_int_equal(c.timeout_ms, rows[i].timeout_ms);
		assert_int_equal(c.start_ms, rows[i].start_ms);
		assert_int_equal(c.retries, rows[i].retries);
		assert_int_equal(c.start_interval_ms, rows[i].start_interval_ms);
		health_free(&c);
	}
}

static void a_check_that_is_malformed_is_refused(void **unused)
{
	static const char *const bad[] = {
		"{\"Healthcheck\":{\"Test\":[\"CMD\",5]}}",
		"{\"Healthcheck\":{\"Test\":[\"CMD\",\"a\\u0000b\"]}}",
		"{\"Healthcheck\":{\"Test\":[\"curl\",\"-f\"]}}",
		"{\"Shell\":[7],\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"]}}",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct health_check c;

		if (!read_check(&c, bad[i]))
			fail_msg("taken: %s", bad[i]);
	}
}

static void failures_count_once_an_interval_after_the_start_period(void **unused)
{
	const struct health_check c = { .interval_ms = 10000, .start_ms = 40000, .retries = 3 };
	struct health h = { 0 };

	(void)unused;
	for (int64_t ms = 1000; ms <= 40000; ms += 1000)
		assert_false(health_failed(&h, &c, ms));
	assert_false(health_failed(&h, &c, 41000));
	assert_false(health_failed(&h, &c, 42000));
	assert_false(health_failed(&h, &c, 51000));
	assert_false(health_failed(&h, &c, 60900));
	assert_true(health_failed(&h, &c, 61000));
}

static void looks_leave_the_guest_most_of_its_time_unless_it_rests(void **unused)
{
	const struct health_check usual = { .interval_ms = 30000, .start_interval_ms = 5000 },
				  often = { .interval_ms = 500, .start_interval_ms = 5000 },
				  seldom = { .interval_ms = 30000, .start_interval_ms = 20000 };

	(void)unused;
	assert_int_equal(health_pause_ms(&usual, 100, false), 5000);
	assert_int_equal(health_pause_ms(&usual, 4000, false), 12000);
	assert_int_equal(health_pause_ms(&usual, 4000, true), 1000);
	assert_int_equal(health_pause_ms(&often, 100, false), 500);
	assert_int_equal(health_pause_ms(&often, 100, true), 500);
	assert_int_equal(health_pause_ms(&seldom, 100, false), 20000);
	assert_int_equal(health_pause_ms(&seldom, 100, true), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_check_is_read_as_docker_writes_it),
		cmocka_unit_test(a_check_that_is_malformed_is_refused),
		cmocka_unit_test(failures_count_once_an_interval_after_the_start_period),
		cmocka_unit_test(looks_leave_the_guest_most_of_its_time_unless_it_rests),
	};

	return cmocka_run_group_tests_name("image/health", tests, NULL, NULL);
}
