/* What workers share: limits that are exact over all of them, and a worker that dies. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/share.h"

#define SECOND 1000000

static void test_a_limit_counts_over_all_workers(void **unused)
{
	struct share s = { 0 };

	(void)unused;
	assert_true(share_enter(&s, 0, 3));
	assert_true(share_enter(&s, 1, 3));
	assert_true(share_enter(&s, 63, 3));
	assert_false(share_enter(&s, 2, 3));
	assert_false(share_enter(&s, 0, 3));
	share_leave(&s, 63);
	assert_true(share_enter(&s, 2, 3));
	assert_false(share_enter(&s, 2, 3));
}

static void test_without_a_limit_everything_is_counted_all_the_same(void **unused)
{
	struct share s = { 0 };

	(void)unused;
	for (int i = 0; i < 1000; i++)
		assert_true(share_enter(&s, 5, 0));
	assert_false(share_enter(&s, 6, 1000));
	assert_true(share_enter(&s, 6, 1001));
}

static void test_a_worker_that_died_counts_no_more(void **unused)
{
	struct err e;
	int fd = shares_make(&e);
	struct shares *s = shares_map(fd, &e), *other = shares_map(fd, &e);

	(void)unused;
	assert_non_null(s);
	assert_true(share_enter(&s->rows[7], 1, 2));
	assert_true(share_enter(&s->rows[7], 2, 2));
	assert_false(share_enter(&other->rows[7], 3, 2));
	shares_clear(other, 1);
	assert_true(share_enter(&s->rows[7], 3, 2));
	assert_false(share_enter(&s->rows[7], 3, 2));
	munmap(s, sizeof(*s));
	munmap(other, sizeof(*other));
	close(fd);
}

/* A worker that is broken must not end the others, which would fault behind the end of the memory.
 */
static void test_nobody_can_change_the_size_of_the_memory(void **unused)
{
	struct err e;
	int fd = shares_make(&e);

	(void)unused;
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 2 * (off_t)sizeof(struct shares)), -1);
	close(fd);
}

static void test_a_rate_lets_a_second_s_worth_pass_at_once_and_then_as_it_goes(void **unused)
{
	struct share s = { 0 };
	int64_t now = 5 * SECOND;
	int passed = 0;

	(void)unused;
	while (share_pass(&s.due_us, 10, now))
		passed++;
	assert_int_equal(passed, 10);
	assert_false(share_pass(&s.due_us, 10, now + SECOND / 10 - 1));
	assert_true(share_pass(&s.due_us, 10, now + SECOND / 10));
	assert_false(share_pass(&s.due_us, 10, now + SECOND / 10));
	passed = 0;
	for (int ms = 1100; ms < 11100; ms++)
		passed += share_pass(&s.due_us, 10, now + (int64_t)ms * 1000);
	assert_in_range(passed, 100, 111);
}

static void test_no_rate_is_no_limit(void **unused)
{
	struct share s = { 0 };

	(void)unused;
	for (int i = 0; i < 1000; i++)
		assert_true(share_pass(&s.due_us, 0, SECOND));
}

static void test_bytes_wait_once_they_are_more_than_the_rate_and_its_burst(void **unused)
{
	const int64_t second = 1000000000;
	int64_t now = 7 * second, passed = 0;
	struct share s = { 0 };

	(void)unused;
	assert_int_equal(share_charge(&s.bytes_due_ns, 1000000, 1000000, now), 0);
	assert_int_equal(share_charge(&s.bytes_due_ns, 500000, 1000000, now), second / 2);
	assert_int_equal(share_charge(&s.bytes_due_ns, 0, 1000000, now + second / 4), second / 4);
	assert_int_equal(share_charge(&s.bytes_due_ns, 0, 1000000, now + second / 2), 0);
	for (int64_t at = now + 3 * second; at < now + 13 * second;) {
		int64_t wait = share_charge(&s.bytes_due_ns, 65536, 1000000, at);

		passed += 65536;
		at += wait ? wait : 1000;
	}
	assert_in_range(passed, 10900000, 11200000); /* ten seconds and the burst */
}

static struct share_token *enter(struct shares *s, uint64_t key, unsigned worker, unsigned most)
{
	bool full;

	return share_token_enter(s, key, worker, most, &full);
}

static void test_a_token_counts_over_all_workers_and_leaves_its_place(void **unused)
{
	struct shares *s = xcalloc(1, sizeof(*s));
	struct share_token *a, *b;
	bool full;

	(void)unused;
	a = enter(s, 5, 0, 2);
	b = enter(s, 5, 1, 2);
	assert_true(a && a == b);
	assert_null(share_token_enter(s, 5, 2, 2, &full));
	assert_false(full);
	assert_non_null(enter(s, 6, 2, 2)); /* another one */
	share_token_leave(a, 0);
	assert_non_null(enter(s, 5, 2, 2));
	shares_clear(s, 2);
	assert_non_null(enter(s, 5, 3, 2));
	assert_null(enter(s, 5, 3, 2));
	free(s);
}

static void test_tokens_that_nobody_uses_make_room_and_without_room_none_is_limited(void **unused)
{
	struct shares *s = xcalloc(1, sizeof(*s));
	bool full;

	(void)unused;
	for (uint64_t key = 1; key < 100 * SHARE_TOKENS; key++) {
		struct share_token *t = enter(s, key, 0, 1);

		assert_non_null(t);
		share_token_leave(t, 0);
	}
	for (uint64_t i = 0; i < 16; i++)
		assert_non_null(enter(s, 3 + i * SHARE_TOKENS, 0, 1));
	assert_null(share_token_enter(s, 3 + 99 * SHARE_TOKENS, 0, 1, &full));
	assert_true(full);
	assert_null(share_token_enter(s, 3, 0, 1, &full));
	assert_false(full);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_limit_counts_over_all_workers),
		cmocka_unit_test(test_without_a_limit_everything_is_counted_all_the_same),
		cmocka_unit_test(test_a_worker_that_died_counts_no_more),
		cmocka_unit_test(test_nobody_can_change_the_size_of_the_memory),
		cmocka_unit_test(
			test_a_rate_lets_a_second_s_worth_pass_at_once_and_then_as_it_goes),
		cmocka_unit_test(test_no_rate_is_no_limit),
		cmocka_unit_test(test_bytes_wait_once_they_are_more_than_the_rate_and_its_burst),
		cmocka_unit_test(test_a_token_counts_over_all_workers_and_leaves_its_place),
		cmocka_unit_test(
			test_tokens_that_nobody_uses_make_room_and_without_room_none_is_limited),
	};

	return cmocka_run_group_tests_name("ipc/share", tests, NULL, NULL);
}
