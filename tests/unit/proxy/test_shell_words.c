/* What a client of a shell may say in text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/shell_words.h"

#define ID "0b39c1f2-5a57-4d3e-8a4b-111111111111"

static void test_the_query_says_which_session_and_from_where(void **unused)
{
	static const struct {
		const char *target;
		bool ok;
		struct shell_request want;
	} rows[] = {
		{ "/shell", true, { "", false, false, 0 } },
		{ "/", true, { "", false, false, 0 } },
		{ "/?", true, { "", false, false, 0 } },
		{ "/?a=b&&c", true, { "", false, false, 0 } },
		{ "/shell?status=1", true, { "", false, true, 0 } },
		{ "/shell?status=0", true, { "", false, false, 0 } },
		{ "/shell?session=" ID, true, { ID, false, false, 0 } },
		{ "/x?status=1&offset=12&session=" ID, true, { ID, true, true, 12 } },
		{ "/shell?session=", false, { "", false, false, 0 } },
		{ "/shell?session=" ID "0", false, { "", false, false, 0 } },
		{ "/shell?session=zb39c1f2-5a57-4d3e-8a4b-111111111111",
		  false,
		  { "", false, false, 0 } },
		{ "/shell?offset=12", false, { "", false, false, 0 } },
		{ "/shell?session=" ID "&offset=", false, { "", false, false, 0 } },
		{ "/shell?session=" ID "&offset=-1", false, { "", false, false, 0 } },
		{ "/shell?session=" ID "&offset=99999999999999999999",
		  false,
		  { "", false, false, 0 } },
		{ "/shell?status=", false, { "", false, false, 0 } },
		{ "/shell?status=yes", false, { "", false, false, 0 } },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct shell_request r;
		bool ok = shell_request_read(rows[i].target, &r);

		if (ok != rows[i].ok || (ok && (strcmp(r.session, rows[i].want.session) != 0 ||
						r.has_offset != rows[i].want.has_offset ||
						r.offset != rows[i].want.offset ||
						r.wants_status != rows[i].want.wants_status)))
			fail_msg("%s", rows[i].target);
	}
}

static void test_a_resize_is_told_from_what_is_typed(void **unused)
{
	static const struct {
		const char *text;
		bool is;
		uint64_t columns, rows;
	} rows[] = {
		{ "{\"type\":\"resize\",\"cols\":80,\"rows\":24}", true, 80, 24 },
		{ "{\"rows\":1,\"cols\":65535,\"type\":\"resize\",\"x\":[]}", true, 65535, 1 },
		{ "{\"type\":\"resize\",\"cols\":65536,\"rows\":24}", true, 0, 0 },
		{ "{\"type\":\"resize\",\"cols\":-1,\"rows\":24}", true, 0, 0 },
		{ "{\"type\":\"resize\",\"cols\":80.5,\"rows\":24}", true, 0, 0 },
		{ "{\"type\":\"resize\"}", true, 0, 0 },
		{ "{\"type\":\"resized\",\"cols\":80,\"rows\":24}", false, 0, 0 },
		{ "{\"type\":1}", false, 0, 0 },
		{ "{\"type\":\"resize\"", false, 0, 0 },
		{ " {\"type\":\"resize\"}", false, 0, 0 },
		{ "[]", false, 0, 0 },
		{ "ls\n", false, 0, 0 },
		{ "", false, 0, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t sizes[2] = { 0 };
		bool is = shell_resize_read((const uint8_t *)rows[i].text, strlen(rows[i].text),
					    sizes);

		if (is != rows[i].is ||
		    (is && (sizes[0] != rows[i].columns || sizes[1] != rows[i].rows)))
			fail_msg("%s", rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_query_says_which_session_and_from_where),
		cmocka_unit_test(test_a_resize_is_told_from_what_is_typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
