/* Whose turn it is at a port: few at once, more as connections succeed, one after a refusal. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "proxy/line.h"

static struct list lines;

static int begin(void **unused)
{
	(void)unused;
	list_init(&lines);
	return 0;
}

static void test_a_port_has_one_line_while_somebody_is_in_it(void **unused)
{
	struct line *a = line_of(NULL, &lines, 80, CONNECT_PLAIN),
		    *b = line_of(NULL, &lines, 81, CONNECT_PLAIN);

	(void)unused;
	line_wait(a);
	line_dial(b);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(line_of(NULL, &lines, 80, CONNECT_PLAIN), a);
	line_dial(a);
	line_unwait(a);
	assert_ptr_equal(line_of(NULL, &lines, 80, CONNECT_PLAIN), a);
	line_undial(a);
	line_undial(b);
	assert_true(list_empty(&lines));
}

static void test_more_dial_as_connections_succeed(void **unused)
{
	struct line *l = line_of(NULL, &lines, 80, CONNECT_PLAIN);
	unsigned n = 0;

	(void)unused;
	for (; line_has_turn(l, 1000); n++)
		line_dial(l);
	assert_int_equal(n, LIMIT_PROXY_DIALS);
	for (int i = 0; i < 200; i++)
		line_met(l, DIAL_OPEN, 1000);
	for (; line_has_turn(l, 1000); n++)
		line_dial(l);
	assert_int_equal(n, LIMIT_STREAMS);
	while (n--)
		line_undial(l);
	assert_true(list_empty(&lines));
}

static void test_after_a_refusal_that_may_pass_one_dials_and_not_at_once(void **unused)
{
	static const struct {
		enum dial_result result;
		int64_t most_ms; /* of a pause */
	} rows[] = { { DIAL_STARTING, 250 }, { DIAL_BUSY, 80 }, { DIAL_REFUSED, 20 } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct line *l = line_of(NULL, &lines, 80, CONNECT_PLAIN);
		int64_t now = 1000, pause = 0;

		line_wait(l);
		for (int n = 0; n < 10; n++) {
			int64_t from = now;

			line_dial(l);
			line_met(l, rows[i].result, now);
			line_undial(l);
			assert_false(line_has_turn(l, now));
			while (!line_has_turn(l, now))
				now++;
			assert_true(now - from >= pause);
			pause = now - from;
			line_dial(l);
			assert_false(line_has_turn(l, now)); /* one alone */
			line_undial(l);
		}
		assert_int_equal(pause, rows[i].most_ms);
		line_met(l, DIAL_OPEN, now);
		assert_int_equal(l->moved_ms, now);
		assert_true(line_has_turn(l, now));
		line_unwait(l);
	}
}

static void test_a_refusal_counts_from_the_first_of_a_row(void **unused)
{
	struct line *l = line_of(NULL, &lines, 80, CONNECT_PLAIN);

	(void)unused;
	line_wait(l);
	line_met(l, DIAL_REFUSED, 1000);
	line_met(l, DIAL_REFUSED, 2000);
	assert_int_equal(l->refused_ms, 1000);
	line_met(l, DIAL_OPEN, 3000);
	line_met(l, DIAL_REFUSED, 4000);
	assert_int_equal(l->refused_ms, 4000);
	line_reset(l);
	assert_int_equal(l->refused_ms, 0);
	assert_true(line_has_turn(l, 0));
	line_unwait(l);
}

#define LINE_TEST(f) cmocka_unit_test_setup(f, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINE_TEST(test_a_port_has_one_line_while_somebody_is_in_it),
		LINE_TEST(test_more_dial_as_connections_succeed),
		LINE_TEST(test_after_a_refusal_that_may_pass_one_dials_and_not_at_once),
		LINE_TEST(test_a_refusal_counts_from_the_first_of_a_row),
	};

	return cmocka_run_group_tests_name("proxy/line", tests, NULL, NULL);
}
