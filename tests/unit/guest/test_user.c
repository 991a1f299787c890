/* USER of a Dockerfile against the image's own files, which may hold anything. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guest/user.h"

static const char passwd_text[] = "root:x:0:0:root:/root:/bin/bash\n"
				  "no colons here\n"
				  "bad:x:notanumber:1:::\n"
				  "huge:x:99999999999:1:::\n"
				  "web:x:1000:1001:Web,,,:/srv/web:/bin/sh\n"
				  "short:x:7:8\n"
				  "1234:x:55:56::/odd:\n"
				  "big:x:4294967294:3000000000::/big:\n"
				  "none:x:4294967295:1::/none:\n"
				  "toor:x:0:9::/toor:\n"
				  "last:x:2000:2000::/home/last:/bin/sh"; /* no newline */

static const char group_text[] =
	"root:x:0:\nweb:x:1001:\nstaff:x:50:foo,web,bar\nnear:x:51:webby,we\n"
	"broken:x:x:web\ndocker:x:998:web\nagain:x:50:web\nmine:x:1001:web\n999:x:40:\n";

struct user_row {
	const char *who;
	bool ok;
	uid_t uid;
	gid_t gid;
	const char *home;
	size_t n_groups;
};

// clang-format off
static const struct user_row rows[] = {
	{ "",             true,  0,     0,    "/root",      0 },
	{ "root",         true,  0,     0,    "/root",      0 },
	{ "web",          true,  1000,  1001, "/srv/web",   2 },
	{ "1000",         true,  1000,  1001, "/srv/web",   2 },
	{ "web:staff",    true,  1000,  50,   "/srv/web",   0 },
	{ "web:4242",     true,  1000,  4242, "/srv/web",   0 },
	{ "web:",         true,  1000,  1001, "/srv/web",   2 },
	{ ":staff",       true,  0,     50,   "/root",      0 },
	{ "4711",         true,  4711,  0,    "/",          0 },
	{ "4711:42",      true,  4711,  42,   "/",          0 },
	{ "1234",         true,  1234,  0,    "/",          0 }, /* an id, though it is somebody's name */
	{ "55",           true,  55,    56,   "/odd",       0 },
	{ "web:999",      true,  1000,  999,  "/srv/web",   0 }, /* likewise */
	{ "big",          true,  4294967294, 3000000000, "/big", 0 },
	{ "toor",         true,  0,     9,    "/root",      0 }, /* the first home of its id */
	{ "short",        true,  7,     8,    "/",          0 },
	{ "last",         true,  2000,  2000, "/home/last", 0 },
	{ "2147483647",   true,  2147483647, 0, "/",        0 },
	{ "2147483648",   false, 0, 0, NULL, 0 },
	{ "-1",           false, 0, 0, NULL, 0 },
	{ "nobody",       false, 0, 0, NULL, 0 },
	{ "bad",          false, 0, 0, NULL, 0 },
	{ "huge",         false, 0, 0, NULL, 0 },
	{ "none",         false, 0, 0, NULL, 0 },
	{ "web:nogroup",  false, 0, 0, NULL, 0 },
	{ "web:broken",   false, 0, 0, NULL, 0 },
	{ "web:1:2",      false, 0, 0, NULL, 0 },
};
// clang-format on

static void test_every_form_of_user_is_resolved_as_docker_does(void **unused)
{
	autobuf struct buf passwd = { 0 }, group = { 0 };

	(void)unused;
	buf_adds(&passwd, passwd_text);
	buf_adds(&group, group_text);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct user u;
		struct err e;
		int rc = user_resolve(rows[i].who, &passwd, &group, &u, &e);

		if (rc != (rows[i].ok ? 0 : -1))
			fail_msg("'%s' answered %d", rows[i].who, rc);
		if (rc)
			continue;
		if (u.uid != rows[i].uid || u.gid != rows[i].gid ||
		    u.n_groups != rows[i].n_groups || strcmp(u.home, rows[i].home) != 0)
			fail_msg("'%s' is %u:%u %s with %zu groups", rows[i].who, u.uid, u.gid,
				 u.home, u.n_groups);
	}
}

static void test_without_files_numbers_are_users_and_names_are_not(void **unused)
{
	struct buf none = { 0 };
	struct user u;
	struct err e;

	(void)unused;
	assert_int_equal(user_resolve("12:34", &none, &none, &u, &e), 0);
	assert_int_equal(u.uid, 12);
	assert_int_equal(u.gid, 34);
	assert_int_equal(user_resolve("", &none, &none, &u, &e), 0);
	assert_int_equal(u.uid, 0);
	assert_string_equal(u.home, "/");
	assert_int_equal(user_resolve("root", &none, &none, &u, &e), -1);
}

static void test_more_groups_than_fit_are_left_out(void **unused)
{
	autobuf struct buf passwd = { 0 }, group = { 0 };
	struct user u;
	struct err e;

	(void)unused;
	buf_adds(&passwd, "web:x:1:1::/:\n");
	for (int i = 0; i < 3 * USER_GROUPS; i++)
		buf_addf(&group, "g%d:x:%d:web\n", i, i);
	assert_int_equal(user_resolve("web", &passwd, &group, &u, &e), 0);
	assert_int_equal(u.n_groups, USER_GROUPS);
}

static void test_a_home_that_is_too_long_is_none(void **unused)
{
	autobuf struct buf passwd = { 0 };
	struct buf none = { 0 };
	struct user u;
	struct err e;

	(void)unused;
	buf_adds(&passwd, "web:x:1:1::/");
	for (int i = 0; i < USER_HOME; i++)
		buf_adds(&passwd, "h");
	assert_int_equal(user_resolve("web", &passwd, &none, &u, &e), 0);
	assert_string_equal(u.home, "/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form_of_user_is_resolved_as_docker_does),
		cmocka_unit_test(test_without_files_numbers_are_users_and_names_are_not),
		cmocka_unit_test(test_more_groups_than_fit_are_left_out),
		cmocka_unit_test(test_a_home_that_is_too_long_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
