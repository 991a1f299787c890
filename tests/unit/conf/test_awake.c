/* What an operator says may keep a microVM awake. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "conf/awake.h"

static const struct {
	const char *text;
	uint32_t cpu_percent; /* with no lease 0: refused */
	bool lease;
} words[] = {
	{ "cpu=5%", 5, false },
	{ "cpu=5", 5, false },
	{ "lease", 0, true },
	{ "cpu=5%,lease", 5, true },
	{ " lease , cpu=250% ", 250, true },
	{ "cpu=6400%", 6400, false },
	{ "", 0, false },
	{ "cpu", 0, false },
	{ "cpu=", 0, false },
	{ "cpu=%", 0, false },
	{ "cpu=0%", 0, false },
	{ "cpu=-1%", 0, false },
	{ "cpu=+1%", 0, false },
	{ "cpu=6401%", 0, false },
	{ "cpu=5%%", 0, false },
	{ "cpu=5 %", 0, false },
	{ "cpu=99999999999999999999%", 0, false },
	{ "cpu=5%,", 0, false },
	{ "lease,disk", 0, false },
	{ "LEASE", 0, false },
};

static void what_is_no_sign_is_refused_with_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct awake a = { 77, true };
		struct err e = { ERR_INTERNAL, "" };
		bool fine = words[i].cpu_percent || words[i].lease;

		print_message("'%s'\n", words[i].text);
		assert_int_equal(awake_parse(words[i].text, &a, &e), fine ? 0 : -1);
		assert_int_equal(a.cpu_percent, fine ? words[i].cpu_percent : 77);
		assert_int_equal(a.lease, fine ? words[i].lease : true);
		assert_int_equal(!*e.text, fine);
	}
}

static void a_list_gives_each_image_its_own(void **state)
{
	static const char list[] = "hello=cpu=5%; sandbox = lease; sandbox2=cpu=7%,lease;";
	struct err e;

	(void)state;
	assert_int_equal(awake_of_image(list, "hello").cpu_percent, 5);
	assert_true(awake_of_image(list, "sandbox").lease);
	assert_int_equal(awake_of_image(list, "sandbox2").cpu_percent, 7);
	assert_true(awake_of_image(list, "sandbox2").lease);
	assert_int_equal(awake_of_image(list, "hell").cpu_percent, 0);
	assert_false(awake_of_image("", "hello").lease);
	assert_false(awake_of_image(list, "").lease);
	assert_int_equal(awake_check_list("", &e), 0);
	assert_int_equal(awake_check_list("hello=cpu=5%; sandbox2=cpu=7%,lease;", &e), 0);
	assert_int_equal(awake_check_list("hello", &e), -1);
	assert_int_equal(awake_check_list("=lease", &e), -1);
	assert_int_equal(awake_check_list("hello=lease; other=disk", &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_sign_is_refused_with_a_sentence),
		cmocka_unit_test(a_list_gives_each_image_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
