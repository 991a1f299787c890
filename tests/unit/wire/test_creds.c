/* The credentials file: what AWS tools write is read, what cannot be meant is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/creds.h"

static void test_the_file_of_the_aws_tools_is_read(void **unused)
{
	static const char text[] = "# ours\n"
				   "[default]\r\n"
				   "aws_access_key_id = DOZEROOT\r\n"
				   "aws_secret_access_key=se+cr/et=\r\n"
				   "region = us-east-1\n"
				   "\n"
				   "[ci]\n"
				   "aws_secret_access_key = other\n"
				   "aws_session_token = ignored\n"
				   "aws_access_key_id = CI";
	struct creds c;
	struct err e = { 0 };

	(void)unused;
	assert_int_equal(creds_parse(text, strlen(text), &c, &e), 0);
	assert_int_equal(c.n, 2);
	assert_string_equal(c.keys[0].name, "default");
	assert_string_equal(creds_secret(&c, "DOZEROOT"), "se+cr/et=");
	assert_string_equal(creds_secret(&c, "CI"), "other");
	assert_null(creds_secret(&c, "ci"));
	assert_null(creds_secret(&c, ""));
}

static void test_a_file_without_sections_has_no_keys(void **unused)
{
	struct creds c;
	struct err e = { 0 };

	(void)unused;
	assert_int_equal(creds_parse("", 0, &c, &e), 0);
	assert_int_equal(creds_parse("\n;x\n", 4, &c, &e), 0);
	assert_int_equal(c.n, 0);
}

static void test_what_cannot_be_meant_is_refused_by_line(void **unused)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "aws_access_key_id=x", "before any [section]" },
		{ "[a]\nhello", "line 2: no '='" },
		{ "[a", "']' is missing" },
		{ "[]", "1 to 63 characters" },
		{ "[a]\naws_access_key_id=x", "[a] needs" },
		{ "[a]\naws_access_key_id=x\n[b]", "[a] needs" },
		{ "[a]\naws_access_key_id=\n", "1 to 128 characters" },
		{ "[a]\naws_access_key_id=x y\n", "space" },
		{ "[a]\naws_access_key_id=k\naws_secret_access_key=1\n"
		  "[b]\naws_access_key_id=k\naws_secret_access_key=2\n",
		  "same access key" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct creds c;
		struct err e = { 0 };

		assert_int_equal(creds_parse(rows[i].text, strlen(rows[i].text), &c, &e), -1);
		if (!strstr(e.text, rows[i].says))
			fail_msg("row %zu: %s", i, e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_file_of_the_aws_tools_is_read),
		cmocka_unit_test(test_a_file_without_sections_has_no_keys),
		cmocka_unit_test(test_what_cannot_be_meant_is_refused_by_line),
	};

	return cmocka_run_group_tests_name("wire/creds", tests, NULL, NULL);
}
