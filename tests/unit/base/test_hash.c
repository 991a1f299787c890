/* What is put into a table under a key is found under that key and no other. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

#define MANY 5000

struct item {
	char id[16];
	uint32_t number;
	bool seen;
	struct hash_node by_id;
	struct hash_node by_number;
};

static struct item items[MANY];

static void fill(struct hash *ids, struct hash *numbers)
{
	memset(items, 0, sizeof(items));
	hash_init(ids);
	hash_init(numbers);
	for (uint32_t i = 0; i < MANY; i++) {
		struct item *it = &items[i];

		snprintf(it->id, sizeof(it->id), "item-%u", i);
		it->number = i << 16; /* keys that differ in their high bytes alone */
		hash_add(ids, &it->by_id, it->id, strlen(it->id));
		hash_add(numbers, &it->by_number, &it->number, sizeof(it->number));
	}
}

static void test_an_entry_is_found_in_each_of_its_tables(void **unused)
{
	struct hash ids, numbers;

	(void)unused;
	fill(&ids, &numbers);
	assert_int_equal(ids.n, MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		char id[16];
		uint32_t number = i << 16;
		int n = snprintf(id, sizeof(id), "item-%u", i);

		assert_ptr_equal(hash_find(&ids, id, (size_t)n, struct item, by_id), &items[i]);
		assert_ptr_equal(
			hash_find(&numbers, &number, sizeof(number), struct item, by_number),
			&items[i]);
	}
	hash_free(&ids);
	hash_free(&numbers);
}

static void test_a_key_that_nobody_has_is_not_found(void **unused)
{
	struct hash ids, numbers;

	(void)unused;
	fill(&ids, &numbers);
	assert_null(hash_find(&ids, "item-5000", 9, struct item, by_id));
	assert_null(hash_find_node(&ids, "", 0));
	assert_null(hash_find_node(&ids, "item", 4));
	hash_free(&ids);
	hash_free(&numbers);
}

static void test_an_empty_key_and_bytes_with_zeros_are_keys_like_any(void **unused)
{
	struct item empty = { 0 }, zeros = { 0 };
	struct hash h;

	(void)unused;
	hash_init(&h);
	hash_add(&h, &empty.by_id, NULL, 0);
	hash_add(&h, &zeros.by_id, "\0\0", 2);
	assert_ptr_equal(hash_find(&h, "", 0, struct item, by_id), &empty);
	assert_ptr_equal(hash_find(&h, "\0\0", 2, struct item, by_id), &zeros);
	assert_null(hash_find_node(&h, "\0", 1));
	hash_free(&h);
}

static void test_what_is_taken_out_of_one_table_stays_in_the_other(void **unused)
{
	struct hash ids, numbers;

	(void)unused;
	fill(&ids, &numbers);
	for (uint32_t i = 0; i < MANY; i += 2) {
		hash_del(&ids, &items[i].by_id);
		assert_false(hash_has(&items[i].by_id));
		assert_true(hash_has(&items[i].by_number));
		hash_del(&ids, &items[i].by_id); /* a second time does nothing */
	}
	assert_int_equal(ids.n, MANY / 2);
	for (uint32_t i = 0; i < MANY; i++) {
		struct item *found =
			hash_find(&ids, items[i].id, strlen(items[i].id), struct item, by_id);

		assert_ptr_equal(found, i % 2 ? &items[i] : NULL);
	}
	hash_add(&ids, &items[0].by_id, items[0].id, strlen(items[0].id));
	assert_ptr_equal(hash_find(&ids, "item-0", 6, struct item, by_id), &items[0]);
	hash_free(&ids);
	hash_free(&numbers);
}

static void test_a_walk_meets_each_entry_once_and_may_take_it_out(void **unused)
{
	struct hash ids, numbers;
	size_t n = 0;

	(void)unused;
	fill(&ids, &numbers);
	hash_each(it, &ids, struct item, by_id)
	{
		assert_false(it->seen);
		it->seen = true;
		n++;
		if (it->number % 3)
			hash_del(&ids, &it->by_id);
	}
	assert_int_equal(n, MANY);
	hash_each(it, &ids, struct item, by_id) assert_int_equal(it->number % 3, 0);
	hash_each(it, &ids, struct item, by_id) hash_del(&ids, &it->by_id);
	assert_int_equal(ids.n, 0);
	hash_each(it, &ids, struct item, by_id) fail();
	hash_free(&ids);
	hash_free(&numbers);
}

/* With keys that are alike in every low byte a poor hash puts all of them into one bucket. */
static void test_keys_that_are_alike_do_not_share_a_bucket(void **unused)
{
	struct hash ids, numbers;
	size_t longest = 0;

	(void)unused;
	fill(&ids, &numbers);
	for (size_t i = 0; i < numbers.n_buckets; i++) {
		size_t n = 0;

		for (struct hash_node *at = numbers.buckets[i]; at; at = at->next)
			n++;
		longest = n > longest ? n : longest;
	}
	assert_in_range(longest, 1, 16);
	hash_free(&ids);
	hash_free(&numbers);
}

/* From the reference of FNV (Noll): both are written into names that outlive a process. */
static void test_fnv_gives_the_published_values(void **unused)
{
	(void)unused;
	assert_int_equal(hash_fnv1a_32("", 0), 0x811c9dc5);
	assert_int_equal(hash_fnv1a_32("foobar", 6), 0xbf9cf968);
	assert_true(hash_fnv1a_64("", 0) == 0xcbf29ce484222325);
	assert_true(hash_fnv1a_64("foobar", 6) == 0x85944171f73967e8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_entry_is_found_in_each_of_its_tables),
		cmocka_unit_test(test_a_key_that_nobody_has_is_not_found),
		cmocka_unit_test(test_an_empty_key_and_bytes_with_zeros_are_keys_like_any),
		cmocka_unit_test(test_what_is_taken_out_of_one_table_stays_in_the_other),
		cmocka_unit_test(test_a_walk_meets_each_entry_once_and_may_take_it_out),
		cmocka_unit_test(test_keys_that_are_alike_do_not_share_a_bucket),
		cmocka_unit_test(test_fnv_gives_the_published_values),
	};

	return cmocka_run_group_tests_name("base/hash", tests, NULL, NULL);
}
