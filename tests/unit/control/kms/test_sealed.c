/* Sealed values: one key opens each, in one place alone. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/kms/sealed.h"

static const struct sealed_key key = { .id = "0f8fad5b-d9cb-469f-a165-70867728950e",
				       .version = 3,
				       .bytes = { 1, 2, 3 } };
static const struct sealed_place here = { "000000000000", "microvm", "microvm-1", "params" };

static char *seal(const char *text)
{
	return sealed_make(&key, &here, text, strlen(text));
}

static int open_with(const char *text, const struct sealed_key *with, const struct sealed_place *at,
		     struct buf *to)
{
	struct err e;

	return sealed_open(text, with, at, to, &e);
}

static void test_a_value_opens_with_its_key_in_its_place(void **unused)
{
	autofree char *text = seal("a secret"), *empty = seal("");
	autobuf struct buf to = { .secret = true };
	struct sealed_key named;
	struct err e;

	(void)unused;
	buf_adds(&to, "before ");
	assert_int_equal(open_with(text, &key, &here, &to), 0);
	assert_string_equal(buf_str(&to), "before a secret");
	assert_null(strstr(text, "secret"));
	buf_clear(&to);
	assert_int_equal(open_with(empty, &key, &here, &to), 0);
	assert_int_equal(to.size, 0);
	assert_int_equal(sealed_read_key(text, &named, &e), 0);
	assert_string_equal(named.id, key.id);
	assert_int_equal(named.version, 3);
}

static void test_the_same_value_is_sealed_differently_each_time(void **unused)
{
	autofree char *one = seal("a secret"), *two = seal("a secret");

	(void)unused;
	assert_string_not_equal(one, two);
}

static void test_a_value_opens_in_no_other_place(void **unused)
{
	static const struct sealed_place others[] = {
		{ "000000000001", "microvm", "microvm-1", "params" },
		{ "000000000000", "version", "microvm-1", "params" },
		{ "000000000000", "microvm", "microvm-2", "params" },
		{ "000000000000", "microvm", "microvm-1", "answer" },
		{ "000000000000", "microvmmicrovm-1", "", "params" },
	};
	autofree char *text = seal("a secret");
	autobuf struct buf to = { .secret = true };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_int_equal(open_with(text, &key, &others[i], &to), -1);
		assert_int_equal(to.size, 0);
	}
}

static void test_a_value_opens_with_no_other_key(void **unused)
{
	struct sealed_key other = key;
	autofree char *text = seal("a secret");
	autobuf struct buf to = { .secret = true };

	(void)unused;
	other.bytes[31] ^= 1;
	assert_int_equal(open_with(text, &other, &here, &to), -1);
	other = key;
	other.version = 2;
	assert_int_equal(open_with(text, &other, &here, &to), -1);
	other = key;
	other.id[0] = '1';
	assert_int_equal(open_with(text, &other, &here, &to), -1);
}

static void test_a_change_of_any_character_is_noticed(void **unused)
{
	autofree char *text = seal("a secret");
	autobuf struct buf to = { .secret = true };

	(void)unused;
	for (size_t i = 0; text[i]; i++) {
		char was = text[i];

		text[i] = was == '0' ? '1' : '0';
		assert_int_equal(open_with(text, &key, &here, &to), -1);
		assert_int_equal(to.size, 0);
		text[i] = was;
	}
	assert_int_equal(open_with(text, &key, &here, &to), 0);
}

static void test_a_text_that_was_cut_is_refused(void **unused)
{
	autofree char *text = seal("a secret");
	autobuf struct buf to = { .secret = true };

	(void)unused;
	for (size_t n = strlen(text); n-- > 0;) {
		text[n] = '\0';
		assert_int_equal(open_with(text, &key, &here, &to), -1);
	}
}

static void test_a_text_of_another_form_is_refused(void **unused)
{
	static const char *const texts[] = {
		"",
		"doze1:",
		"doze2:0f8fad5b-d9cb-469f-a165-70867728950e:3:00:00",
		"doze1:0f8fad5b-d9cb-469f-a165-70867728950e:0:00:00",
		"doze1:0f8fad5b-d9cb-469f-a165-70867728950e:-3:00:00",
		"doze1:0f8fad5b-d9cb-469f-a165-70867728950e:99999999999999999999:00:00",
		"doze1:zf8fad5b-d9cb-469f-a165-70867728950e:3:00:00",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct sealed_key named;
		struct err e;

		assert_int_equal(sealed_read_key(texts[i], &named, &e), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_value_opens_with_its_key_in_its_place),
		cmocka_unit_test(test_the_same_value_is_sealed_differently_each_time),
		cmocka_unit_test(test_a_value_opens_in_no_other_place),
		cmocka_unit_test(test_a_value_opens_with_no_other_key),
		cmocka_unit_test(test_a_change_of_any_character_is_noticed),
		cmocka_unit_test(test_a_text_that_was_cut_is_refused),
		cmocka_unit_test(test_a_text_of_another_form_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
