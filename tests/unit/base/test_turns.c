/* Owners take turns. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/turns.h"

/* "a" to "c" come, and "." is for the next one to be served; then all that are left are. */
static void test_owners_take_turns(void **unused)
{
	static const struct {
		const char *come, *served;
	} rows[] = {
		{ "aaa", "aaa" },            /* first come, first served */
		{ "aaaab", "abaaa" },        /* one that has many delays another by one */
		{ "aaaabbb", "abababa" },    /* and so on */
		{ "aaabbcc", "abcabca" },    /* of each */
		{ "aaaa...b", "aaaba" },     /* a late one is not behind those that came before */
		{ "aaaa..bb.b", "aababab" }, /* nor does it catch up what it did not ask for */
		{ "a.b.a.b.", "abab" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct turn turns[16] = { 0 };
		char served[17] = "";
		struct turns q;
		size_t n = 0, done = 0;

		turns_init(&q);
		for (const char *at = rows[i].come; *at || done < n; at += !!*at) {
			struct turn *first;

			if (*at && *at != '.') {
				turns[n].owner = rows + (*at - 'a');
				turns_add(&q, &turns[n++]);
				continue;
			}
			first = container_of(q.waiting.next, struct turn, in);
			list_del(&first->in);
			turns_serve(&q, first);
			for (size_t owner = 0; owner < 3; owner++)
				if (first->owner == rows + owner)
					served[done++] = (char)('a' + owner);
		}
		assert_string_equal(served, rows[i].served);
	}
}

static void test_nobody_gets_before_one_that_is_being_served(void **unused)
{
	struct turns q;
	struct turn a[3] = { { .owner = &q }, { .owner = &q }, { .owner = &q } };
	struct turn b = { .owner = &b };

	(void)unused;
	turns_init(&q);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		turns_add(&q, &a[i]);
	turns_serve(&q, &a[0]);
	turns_serve(&q, &a[1]); /* both stay in the queue */
	turns_add(&q, &b);
	assert_ptr_equal(q.waiting.next, &a[0].in);
	assert_ptr_equal(a[1].in.next, &b.in);
	assert_ptr_equal(b.in.next, &a[2].in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owners_take_turns),
		cmocka_unit_test(test_nobody_gets_before_one_that_is_being_served),
	};

	return cmocka_run_group_tests_name("base/turns", tests, NULL, NULL);
}
