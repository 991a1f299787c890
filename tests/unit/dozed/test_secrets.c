/* Secrets: made once, the same afterwards, for root's eyes. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "dozed/secrets.h"
#include "leftover.h"

static void test_a_second_start_reads_what_the_first_made(void **unused)
{
	char dir[] = "/tmp/doze-test-secrets-XXXXXX";
	struct secrets first, second;
	struct conf conf;
	struct stat st;
	struct err e;
	int fd, given;

	(void)unused;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	conf_defaults(&conf, "");
	assert_int_equal(secrets_load(&first, &conf, fd, &e), 0);
	assert_int_equal(secrets_load(&second, &conf, fd, &e), 0);
	assert_string_equal(buf_str(&first.each[SECRET_CREDENTIALS]),
			    buf_str(&second.each[SECRET_CREDENTIALS]));
	assert_string_equal(buf_str(&first.each[SECRET_CA_CERT]),
			    buf_str(&second.each[SECRET_CA_CERT]));
	assert_string_not_equal(buf_str(&first.each[SECRET_TLS_API]),
				buf_str(&second.each[SECRET_TLS_API]));
	assert_int_equal(fstatat(fd, "secrets/ca.key", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fstatat(fd, "client-credentials", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	given = secrets_fd(&first, SECRET_TOKEN_KEYS, &e);
	assert_true(given >= 0);
	assert_int_equal(fstat(given, &st), 0);
	assert_int_equal((size_t)st.st_size, first.each[SECRET_TOKEN_KEYS].size);
	close(given);
	secrets_free(&first);
	secrets_free(&second);
	close(fd);
	assert_int_equal(io_remove_tree(AT_FDCWD, dir), 0);
}

static void test_a_start_writes_only_what_has_changed(void **unused)
{
	static const char *const copies[] = { "ca.crt", "client-credentials" };
	char dir[] = "/tmp/doze-test-secrets-XXXXXX";
	struct rlimit before, none;
	struct secrets s;
	struct conf conf;
	struct stat st;
	struct err e;
	int fd, rc;

	(void)unused;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	conf_defaults(&conf, "");
	assert_int_equal(secrets_load(&s, &conf, fd, &e), 0);
	secrets_free(&s);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	rc = secrets_load(&s, &conf, fd, &e); /* no file can be written */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(rc, 0);
	secrets_free(&s);
	for (size_t i = 0; i < ARRAY_SIZE(copies); i++) {
		assert_int_equal(unlinkat(fd, copies[i], 0), 0);
		assert_int_equal(symlinkat("secrets/ca.key", fd, copies[i]), 0);
	}
	assert_int_equal(secrets_load(&s, &conf, fd, &e), 0); /* what is wrong is replaced */
	secrets_free(&s);
	for (size_t i = 0; i < ARRAY_SIZE(copies); i++) {
		assert_int_equal(fstatat(fd, copies[i], &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(fchmodat(fd, copies[i], 0640, 0), 0);
	}
	assert_int_equal(secrets_load(&s, &conf, fd, &e), 0);
	secrets_free(&s);
	assert_int_equal(fstatat(fd, "client-credentials", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	close(fd);
	assert_int_equal(io_remove_tree(AT_FDCWD, dir), 0);
}

static void test_no_copy_of_a_secret_stays_behind(void **unused)
{
	static const char *const marks[] = { "PRIVATE KEY",
					     "aws_secret_access_key = ", "{\"current\":" };
	char dir[] = "/tmp/doze-test-secrets-XXXXXX";
	struct conf conf;
	int fd;

	(void)unused;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	conf_defaults(&conf, "");
	for (size_t i = 0; i < 2 * ARRAY_SIZE(marks); i++) { /* made anew, then read */
		struct secrets s;
		struct err e;

		leftover_watch(marks[i / 2]);
		assert_int_equal(secrets_load(&s, &conf, fd, &e), 0);
		secrets_free(&s);
		assert_int_equal(leftover_found(), 0);
		leftover_watch(NULL);
		if (i % 2)
			assert_int_equal(io_remove_tree(fd, "secrets"), 0);
	}
	close(fd);
	assert_int_equal(io_remove_tree(AT_FDCWD, dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_second_start_reads_what_the_first_made),
		cmocka_unit_test(test_a_start_writes_only_what_has_changed),
		cmocka_unit_test(test_no_copy_of_a_secret_stays_behind),
	};

	return cmocka_run_group_tests_name("dozed/secrets", tests, NULL, NULL);
}
