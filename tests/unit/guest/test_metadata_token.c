/* Tokens for metadata: good for their time and for one microVM alone. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest/metadata_token.h"

static const struct metadata_key one = { { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } };
static const struct metadata_key other = { { 1 } };

/* The vectors of SipHash's authors. */
static void the_code_is_siphash(void **state)
{
	uint8_t data[15];

	(void)state;
	for (uint8_t i = 0; i < sizeof(data); i++)
		data[i] = i;
	assert_true(metadata_code(&one, data, 0) == 0x726fdb47dd0e0e31);
	assert_true(metadata_code(&one, data, 8) == 0x93f5f5799a932462);
	assert_true(metadata_code(&one, data, 15) == 0xa129ca6149be45e5);
}

static void a_token_is_good_until_its_time(void **state)
{
	char token[METADATA_TOKEN_SIZE];

	(void)state;
	metadata_token_make(&one, 5000, 7, token);
	assert_int_equal(strlen(token), METADATA_TOKEN_SIZE - 1);
	assert_true(metadata_token_good(&one, token, 4999));
	assert_false(metadata_token_good(&one, token, 5000));
}

static void a_token_of_another_key_is_none(void **state)
{
	char token[METADATA_TOKEN_SIZE];

	(void)state;
	metadata_token_make(&one, 5000, 7, token);
	assert_false(metadata_token_good(&other, token, 0));
}

static void a_changed_token_is_none(void **state)
{
	char token[METADATA_TOKEN_SIZE];

	(void)state;
	metadata_token_make(&one, 5000, 7, token);
	for (size_t i = 0; i < METADATA_TOKEN_SIZE - 1; i++) {
		const char was = token[i];

		token[i] = was == '0' ? '1' : '0';
		assert_false(metadata_token_good(&one, token, 0));
		token[i] = 'g';
		assert_false(metadata_token_good(&one, token, 0));
		token[i] = was;
	}
	assert_true(metadata_token_good(&one, token, 0));
	assert_false(metadata_token_good(&one, "", 0));
}

static void a_renewed_key_is_another(void **state)
{
	struct metadata_key key = one;
	char token[METADATA_TOKEN_SIZE];

	(void)state;
	metadata_token_make(&key, 5000, 7, token);
	assert_true(metadata_key_renew(&key));
	assert_false(metadata_token_good(&key, token, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_code_is_siphash),
		cmocka_unit_test(a_token_is_good_until_its_time),
		cmocka_unit_test(a_token_of_another_key_is_none),
		cmocka_unit_test(a_changed_token_is_none),
		cmocka_unit_test(a_renewed_key_is_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
