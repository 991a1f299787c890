/* What the file asks for. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest/lease.h"

static void a_number_of_seconds_is_read_and_all_else_means_a_minute(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} texts[] = {
		{ "", 60 },         { "600", 600 },       { "600\n", 600 },
		{ " 600 \n", 600 }, { "600\r\n", 600 },   { "0\n", 0 },
		{ "1e3", 60 },      { "-5", 60 },         { "ten", 60 },
		{ "10m", 60 },      { "864001", 864000 }, { "99999999999999999999999999", 864000 },
		{ "5\nten", 5 },    { "\n\n", 60 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		print_message("'%s'\n", texts[i].text);
		assert_int_equal(lease_seconds(texts[i].text, strlen(texts[i].text)),
				 texts[i].seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_of_seconds_is_read_and_all_else_means_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
