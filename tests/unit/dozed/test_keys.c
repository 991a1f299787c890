/* What wraps the keys at rest: a master secret that is made once, and files that are root's alone.
 * Whoever runs this test is root to it. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "dozed/secrets.h"

struct place {
	char dir[64];
	int fd;
	struct conf conf;
	struct buf said;
};

static int setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/doze-test-keys-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	conf_defaults(&p->conf, "");
	p->said = (struct buf){ .secret = true };
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	close(p->fd);
	assert_int_equal(io_remove_tree(AT_FDCWD, p->dir), 0);
	buf_free(&p->said);
	free(p);
	return 0;
}

static void make(const struct place *p, const char *name, size_t size, mode_t mode)
{
	static const uint8_t bytes[64] = { 0xab, 0xcd };
	struct err e;

	assert_int_equal(io_replace(p->fd, name, bytes, size, 0600, &e), 0);
	assert_int_equal(fchmodat(p->fd, name, mode, 0), 0);
}

static void name_key(struct place *p, const char *alias, const char *file)
{
	struct conf_kms_key *key = &p->conf.kms_keys[p->conf.n_kms_keys++];

	strcpy(key->alias, alias);
	if (file) {
		autofree char *path = xasprintf("%s/%s", p->dir, file);

		strcpy(key->file, path);
	}
}

static const char *said(struct place *p)
{
	struct err e;

	assert_int_equal(secrets_keys(p->fd, &p->conf, &p->said, &e), 0);
	return buf_str(&p->said);
}

static void test_the_master_secret_is_made_once_and_is_roots(void **state)
{
	struct place *p = *state;
	autofree char *first = xstrdup(said(p));
	struct stat st;

	assert_int_equal(strlen(first), strlen("master \n") + 64);
	assert_string_equal(said(p), first);
	assert_int_equal(fstatat(p->fd, "kms-master", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);
}

static void test_a_master_secret_that_was_cut_is_refused_and_left_alone(void **state)
{
	struct place *p = *state;
	struct stat st;
	struct err e;

	make(p, "kms-master", 31, 0600);
	assert_int_equal(secrets_keys(p->fd, &p->conf, &p->said, &e), -1);
	assert_non_null(strstr(e.text, "has 31 bytes, not 32"));
	assert_int_equal(fstatat(p->fd, "kms-master", &st, 0), 0);
	assert_int_equal(st.st_size, 31);
}

static void test_a_file_of_32_bytes_that_is_roots_alone_is_handed_on(void **state)
{
	struct place *p = *state;

	make(p, "key", 32, 0400);
	name_key(p, "alias/a", "key");
	name_key(p, "alias/none", NULL);
	assert_non_null(strstr(said(p), "\nalias/a abcd0000"));
	assert_null(strstr(said(p), "alias/none"));
}

static void test_a_file_of_another_size_or_that_others_may_read_is_not(void **state)
{
	static const struct {
		const char *name;
		size_t size;
		mode_t mode;
	} bad[] = {
		{ "short", 31, 0600 }, { "long", 33, 0600 },     { "empty", 0, 0600 },
		{ "group", 32, 0640 }, { "everyone", 32, 0604 }, { "writable", 32, 0620 },
	};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char alias[64], line[80];

		make(p, bad[i].name, bad[i].size, bad[i].mode);
		snprintf(alias, sizeof(alias), "alias/%s", bad[i].name);
		name_key(p, alias, bad[i].name);
		snprintf(line, sizeof(line), "\n%s -\n", alias);
		assert_non_null(strstr(said(p), line));
	}
	name_key(p, "alias/missing", "missing");
	name_key(p, "alias/folder", ".");
	assert_non_null(strstr(said(p), "\nalias/missing -\nalias/folder -\n"));
	assert_null(strstr(said(p), "abcd"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_the_master_secret_is_made_once_and_is_roots),
		TEST(test_a_master_secret_that_was_cut_is_refused_and_left_alone),
		TEST(test_a_file_of_32_bytes_that_is_roots_alone_is_handed_on),
		TEST(test_a_file_of_another_size_or_that_others_may_read_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
