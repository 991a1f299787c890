/* Tokens: what was minted opens, and nothing that differs from it in a single bit does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/token.h"

#define KID_A "3d5f0a52-6a1c-4a0e-9a55-000000000001"
#define KID_B "3d5f0a52-6a1c-4a0e-9a55-000000000002"
#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define KEY_B "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"

static const char both[] = "{\"current\":\"" KID_B "\",\"keys\":{\"" KID_A "\":\"" KEY_A
			   "\",\"" KID_B "\":\"" KEY_B "\"}}";
static const char old_only[] = "{\"current\":\"" KID_A "\",\"keys\":{\"" KID_A "\":\"" KEY_A "\"}}";

static const struct token_claims one_port = {
	.microvm = "microvm-0b0e8f52-6a1c-4a0e-9a55-0123456789ab",
	.expires_ms = 1790000000000,
	.ranges = { { 5000, 5000 }, { 8000, 8100 } },
	.n_ranges = 2,
};

static struct token_keys keys_of(const char *json)
{
	struct token_keys keys;
	struct err e;

	assert_int_equal(token_keys_parse(json, strlen(json), &keys, &e), 0);
	return keys;
}

static char *mint(const struct token_keys *keys, const struct token_claims *claims)
{
	static const uint8_t nonce[12] = "twelve bytes";
	struct buf b = { 0 };

	token_mint(keys, claims, nonce, &b);
	buf_str(&b);
	return (char *)b.data;
}

static void test_what_was_minted_opens(void **unused)
{
	struct token_keys keys = keys_of(both);
	autofree char *text = mint(&keys, &one_port);
	struct token_claims c;
	struct err e;

	(void)unused;
	assert_int_equal(token_open(&keys, text, &c, &e), 0);
	assert_string_equal(c.microvm, one_port.microvm);
	assert_true(c.expires_ms == one_port.expires_ms);
	assert_false(c.shell);
	assert_false(c.all_ports);
	assert_int_equal(c.n_ranges, 2);
	assert_true(token_allows(&c, 5000) && token_allows(&c, 8000) && token_allows(&c, 8100));
	assert_false(token_allows(&c, 4999) || token_allows(&c, 5001) || token_allows(&c, 8101));
}

static void test_a_token_has_the_form_and_size_of_the_services(void **unused)
{
	struct token_keys keys = keys_of(both);
	struct token_claims all = one_port;
	autofree char *ports = mint(&keys, &one_port), *text = NULL;
	size_t dots = 0;

	(void)unused;
	all.n_ranges = 0;
	all.all_ports = true;
	text = mint(&keys, &all);
	for (const char *p = ports; *p; p++)
		dots += *p == '.';
	assert_int_equal(dots, 4);
	assert_non_null(strstr(ports, ".."));
	assert_in_range(strlen(ports), 750, 870);
	assert_in_range(strlen(text), 750, 870);
}

static void test_all_ports_and_shell_tokens_say_so(void **unused)
{
	struct token_keys keys = keys_of(both);
	struct token_claims in = { .microvm = "microvm-1", .expires_ms = 1, .shell = true }, c;
	struct err e;
	autofree char *shell = mint(&keys, &in), *all = NULL;

	(void)unused;
	in.shell = false;
	in.all_ports = true;
	all = mint(&keys, &in);
	assert_int_equal(token_open(&keys, shell, &c, &e), 0);
	assert_true(c.shell && !c.all_ports && !token_allows(&c, 8080));
	assert_int_equal(token_open(&keys, all, &c, &e), 0);
	assert_true(!c.shell && token_allows(&c, 1) && token_allows(&c, 65535));
}

static void test_the_most_ranges_fit(void **unused)
{
	struct token_keys keys = keys_of(both);
	struct token_claims in = one_port, c;
	autofree char *text = NULL;
	struct err e;

	(void)unused;
	memset(in.microvm, 'm', sizeof(in.microvm) - 1);
	in.n_ranges = TOKEN_MAX_RANGES;
	for (size_t i = 0; i < in.n_ranges; i++)
		in.ranges[i].first = in.ranges[i].last = (uint16_t)(65535 - i);
	text = mint(&keys, &in);
	assert_true(strlen(text) <= TOKEN_TEXT_MAX);
	assert_int_equal(token_open(&keys, text, &c, &e), 0);
	assert_true(token_allows(&c, 65535 - 31) && !token_allows(&c, 65535 - 32));
}

static void test_every_truncation_is_refused(void **unused)
{
	struct token_keys keys = keys_of(both);
	autofree char *text = mint(&keys, &one_port);
	struct token_claims c;
	struct err e;

	(void)unused;
	for (size_t n = strlen(text); n-- > 0;) {
		text[n] = '\0';
		e.kind = ERR_INTERNAL;
		assert_int_equal(token_open(&keys, text, &c, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_false(token_allows(&c, 5000));
	}
}

static void test_every_flipped_bit_is_refused(void **unused)
{
	struct token_keys keys = keys_of(both);
	autofree char *text = mint(&keys, &one_port);
	size_t size = strlen(text);
	struct token_claims c;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < size * 8; i++) {
		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
		assert_int_equal(token_open(&keys, text, &c, &e), -1);
		assert_true(e.kind == ERR_INVALID || e.kind == ERR_DENIED);
		assert_false(token_allows(&c, 5000));
		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
	}
	assert_int_equal(token_open(&keys, text, &c, &e), 0);
}

static void test_an_old_key_still_opens_and_a_foreign_one_does_not(void **unused)
{
	struct token_keys now = keys_of(both), before = keys_of(old_only);
	autofree char *old = mint(&before, &one_port), *new = mint(&now, &one_port);
	struct token_claims c;
	struct err e;

	(void)unused;
	assert_int_equal(token_open(&now, old, &c, &e), 0);
	assert_int_equal(token_open(&before, new, &c, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	/* The same name, another key. */
	before.keys[0].key[31] ^= 1;
	assert_int_equal(token_open(&before, old, &c, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
}

static void test_what_is_no_token_is_invalid(void **unused)
{
	static const char *const cases[] = {
		"",
		".",
		"....",
		".....",
		"a..b.c.d",
		"eyJ.e30.e30.e30.e30",
		"Bearer x",
		/* the header without kid, and with another algorithm; the rest has the right sizes
		 */
		"eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AAAA."
		"AAAAAAAAAAAAAAAAAAAAAA",
		"eyJraWQiOiJ4IiwiYWxnIjoibm9uZSIsImVuYyI6IkEyNTZHQ00ifQ..AAAAAAAAAAAAAAAA.AAAA."
		"AAAAAAAAAAAAAAAAAAAAAA",
	};
	struct token_keys keys = keys_of(both);
	autofree char *longest = xcalloc(1, TOKEN_TEXT_MAX + 2);
	struct token_claims c;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(token_open(&keys, cases[i], &c, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
	memset(longest, 'A', TOKEN_TEXT_MAX + 1);
	assert_int_equal(token_open(&keys, longest, &c, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
}

static void test_keys_that_make_no_sense_are_refused(void **unused)
{
	static const char *const cases[] = {
		"",
		"[]",
		"{}",
		"{\"current\":\"a\",\"keys\":{}}",
		"{\"keys\":{\"a\":\"" KEY_A "\"}}",
		"{\"current\":\"b\",\"keys\":{\"a\":\"" KEY_A "\"}}",
		"{\"current\":\"a\",\"keys\":{\"a\":\"AAEC\"}}",
		"{\"current\":\"a\",\"keys\":{\"a\":7}}",
		"{\"current\":\"a.b\",\"keys\":{\"a.b\":\"" KEY_A "\"}}",
		"{\"current\":\"\",\"keys\":{\"\":\"" KEY_A "\"}}",
		"{\"current\":\"a\",\"keys\":{\"a\":\"" KEY_A "AA\"}}",
		"{\"current\":\"" KID_A "x\",\"keys\":{\"" KID_A "x\":\"" KEY_A "\"}}",
	};
	struct token_keys keys;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(token_keys_parse(cases[i], strlen(cases[i]), &keys, &e), -1);
		assert_int_equal(keys.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_minted_opens),
		cmocka_unit_test(test_a_token_has_the_form_and_size_of_the_services),
		cmocka_unit_test(test_all_ports_and_shell_tokens_say_so),
		cmocka_unit_test(test_the_most_ranges_fit),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_every_flipped_bit_is_refused),
		cmocka_unit_test(test_an_old_key_still_opens_and_a_foreign_one_does_not),
		cmocka_unit_test(test_what_is_no_token_is_invalid),
		cmocka_unit_test(test_keys_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests_name("wire/token", tests, NULL, NULL);
}
