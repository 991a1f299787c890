/* Servers elsewhere: what is stored of them, and their fingerprints. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "cli/client.h"
#include "cli/profile.h"
#include "cli/server_cert.h"

static char home[] = "/tmp/doze-test-profile-XXXXXX";

static int make_home(void **state)
{
	(void)state;
	return mkdtemp(home) && !setenv("HOME", home, 1) ? 0 : -1;
}

static int remove_home(void **state)
{
	(void)state;
	return io_remove_tree(AT_FDCWD, home);
}

static void a_profile_is_read_as_it_was_written(void **state)
{
	struct client c = { .host = "server.example",
			    .access_key = "AKIAEXAMPLE",
			    .secret = "not told" },
		      back = { 0 };
	autofree char *file = xasprintf("%s/.config/doze/profiles/lab.json", home);
	struct stat st;
	struct err e;

	(void)state;
	strcpy(c.conf.region, "eu-west-1");
	strcpy(c.conf.account, "123456789012");
	strcpy(c.conf.domain, "example");
	c.conf.api_port = 9010;
	c.conf.s3_port = 9011;
	assert_int_equal(profile_write(&c, "lab", "a certificate\n", &e), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(profile_read(&back, "lab", &e), 0);
	assert_string_equal(back.host, "server.example");
	assert_string_equal(back.access_key, "AKIAEXAMPLE");
	assert_string_equal(back.secret, "not told");
	assert_string_equal(back.conf.region, "eu-west-1");
	assert_int_equal(back.conf.api_port, 9010);
	assert_int_equal(back.conf.s3_port, 9011);
	assert_string_equal(back.profile, "lab");
	assert_int_equal(access(back.ca_file, R_OK), 0);
}

static void lists_show_no_secret(void **state)
{
	struct err e;
	json_t *list = profile_list(&e);
	char *text = json_dumps(list, 0);

	(void)state;
	assert_int_equal(json_array_size(list), 1);
	assert_null(strstr(text, "not told"));
	assert_non_null(strstr(text, "server.example"));
	free(text);
	json_decref(list);
}

static void what_is_not_there_is_said_with_what_to_do(void **state)
{
	struct client c = { 0 };
	struct err e;

	(void)state;
	assert_int_equal(profile_read(&c, "other", &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "doze login"));
	assert_int_equal(profile_read(&c, "../lab", &e), -1);
	assert_int_equal(profile_remove("../lab", &e), -1);
	assert_int_equal(profile_remove("lab", &e), 0);
	assert_int_equal(profile_remove("lab", &e), -1);
}

static void a_fingerprint_may_be_typed_in_any_form(void **state)
{
	static const char right[] = "SHA256:AB:01:EF";

	(void)state;
	assert_true(fingerprint_is("SHA256:AB:01:EF", right));
	assert_true(fingerprint_is("sha256:ab01ef", right));
	assert_true(fingerprint_is("ab 01 ef", right));
	assert_false(fingerprint_is("AB:01", right));
	assert_false(fingerprint_is("AB:01:EF:00", right));
	assert_false(fingerprint_is("", right));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_profile_is_read_as_it_was_written),
		cmocka_unit_test(lists_show_no_secret),
		cmocka_unit_test(what_is_not_there_is_said_with_what_to_do),
		cmocka_unit_test(a_fingerprint_may_be_typed_in_any_form),
	};

	return cmocka_run_group_tests_name("cli/profile", tests, make_home, remove_home);
}
