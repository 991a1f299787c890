/* Search domains and hosts of guests. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "conf/guest_names.h"
#include "ipc/agent.h"

static const struct {
	const char *search, *hosts, *wrong; /* NULL: it is right */
} texts[] = {
	{ "", "", NULL },
	{ "  corp.example \t a_b.example. ", "", NULL },
	{ "", " 10.1.2.3 db.example  db ;; fd00::1 six ; ", NULL },
	{ "a b c d e f", "", NULL },
	{ "a b c d e f g", "", "at most 6 domains" },
	{ "a..b", "", "'a..b' is no domain" },
	{ "-a", "", "'-a' is no domain" },
	{ "a\nnameserver", "", "is no domain" },
	{ "a;b", "", "'a;b' is no domain" },
	{ "", "db 10.1.2.3", "'db' is no address" },
	{ "", "10.1.2.3", "give 10.1.2.3 1 to 8 names" },
	{ "", "10.1.2.3 a b c d e f g h i", "give 10.1.2.3 1 to 8 names" },
	{ "", "10.1.2.3 a,b", "'a,b' is no name" },
	{ "", "10.1.2.256 a", "'10.1.2.256' is no address" },
};

static void each_text_is_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct err e = { 0 };
		int rc = guest_names_check(texts[i].search, texts[i].hosts, &e);

		print_message("'%s' '%s' %s\n", texts[i].search, texts[i].hosts, e.text);
		assert_int_equal(rc, texts[i].wrong ? -1 : 0);
		if (texts[i].wrong)
			assert_non_null(strstr(e.text, texts[i].wrong));
	}
}

static void the_files_are_what_a_resolver_reads(void **state)
{
	autobuf struct buf resolver = { 0 }, plain = { 0 }, hosts = { 0 };

	(void)state;
	guest_names_resolver(&resolver, "  corp.example \t b ");
	assert_string_equal(buf_str(&resolver),
			    "nameserver 169.254.53.53\nsearch corp.example b\n");
	guest_names_resolver(&plain, " ");
	assert_string_equal(buf_str(&plain), "nameserver 169.254.53.53\n");
	guest_names_hosts(&hosts, " 10.1.2.3 db.example  db ;; fd00::1 six ; ");
	assert_string_equal(buf_str(&hosts), SLOT_HOSTS "10.1.2.3 db.example db\nfd00::1 six\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_text_is_judged),
		cmocka_unit_test(the_files_are_what_a_resolver_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
