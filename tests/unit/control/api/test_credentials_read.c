/* Credentials as a credential_process prints them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "control/api/credentials_read.h"

#define PAIR "\"AccessKeyId\":\"ASIAONE\",\"SecretAccessKey\":\"top/secret\""

static const struct {
	const char *text, *token;
	int64_t expires_ms;
} good[] = {
	{ "{" PAIR "}", "", 0 },
	{ "{\"Version\":1," PAIR ",\"SessionToken\":\"tok\"}\n", "tok", 0 },
	{ "{" PAIR ",\"SessionToken\":null,\"Expiration\":null}", "", 0 },
	{ "{" PAIR ",\"Expiration\":\"2026-12-01T00:00:00Z\"}", "", 1796083200000 },
	{ "{" PAIR ",\"Expiration\":\"2026-12-01T02:30:00.5+02:30\"}", "", 1796083200000 },
	{ "{" PAIR ",\"Expiration\":\"2026-11-30T22:00:00-02:00\"}", "", 1796083200000 },
};

static void what_is_whole_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct credentials_text c;
		struct err e;

		print_message("%s\n", good[i].text);
		assert_int_equal(credentials_read(good[i].text, strlen(good[i].text), &c, &e), 0);
		assert_string_equal(c.key, "ASIAONE");
		assert_string_equal(c.secret, "top/secret");
		assert_string_equal(c.token, good[i].token);
		assert_int_equal(c.expires_ms, good[i].expires_ms);
		credentials_text_free(&c);
	}
}

static const char *const bad[] = {
	"",
	"top/secret",
	"[]",
	"{}",
	"{\"AccessKeyId\":\"A\"}",
	"{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"top/secret\"}",
	"{\"AccessKeyId\":1,\"SecretAccessKey\":\"top/secret\"}",
	"{\"AccessKeyId\":\"A\\n\",\"SecretAccessKey\":\"top/secret\"}",
	"{\"Version\":2," PAIR "}",
	"{" PAIR ",\"SessionToken\":7}",
	"{" PAIR ",\"Expiration\":\"tomorrow\"}",
	"{" PAIR ",\"Expiration\":\"2026-12-01T00:00:00\"}",
	"{" PAIR ",\"Expiration\":\"2026-12-01T00:00:00+2:30\"}",
	"{" PAIR ",\"Expiration\":1796083200}",
	"{" PAIR "," PAIR "}",
	"{" PAIR "} top/secret",
};

static void what_is_not_is_refused_without_a_word_of_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct credentials_text c;
		struct err e;

		print_message("%s\n", bad[i]);
		assert_int_equal(credentials_read(bad[i], strlen(bad[i]), &c, &e), -1);
		assert_null(strstr(e.text, "secret"));
		assert_null(c.all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_whole_is_read),
		cmocka_unit_test(what_is_not_is_refused_without_a_word_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
