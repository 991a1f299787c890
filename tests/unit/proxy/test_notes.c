/* How often a log is told: a burst, then now and then, and what was missed is counted. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/notes.h"

static void test_a_burst_passes_and_then_one_in_a_while(void **unused)
{
	struct notes n = { 0 };
	uint64_t missed = 1;
	int64_t now = 1000000;

	(void)unused;
	for (int i = 0; i < NOTES_BURST; i++) {
		assert_true(notes_take(&n, now, &missed));
		assert_int_equal(missed, 0);
	}
	for (int i = 0; i < 7; i++)
		assert_false(notes_take(&n, now + NOTES_EVERY_MS - 1, &missed));
	assert_true(notes_take(&n, now + NOTES_EVERY_MS, &missed));
	assert_int_equal(missed, 7);
	assert_false(notes_take(&n, now + NOTES_EVERY_MS, &missed));
	now += 1000 * NOTES_EVERY_MS; /* a long silence earns one burst and not more */
	for (int i = 0; i < NOTES_BURST; i++)
		assert_true(notes_take(&n, now, &missed));
	assert_false(notes_take(&n, now, &missed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_passes_and_then_one_in_a_while),
	};

	return cmocka_run_group_tests_name("proxy/notes", tests, NULL, NULL);
}
