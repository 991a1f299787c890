/* Secrets: made once, the same afterwards, for root's eyes. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/io.h"
#include "dozed/pki.h"
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

static void test_clients_have_an_authority_of_their_own_whose_key_only_a_signer_gets(void **unused)
{
	char dir[] = "/tmp/doze-test-secrets-XXXXXX";
	struct secrets first, second;
	struct conf conf;
	struct stat st;
	struct err e;
	int fd;

	(void)unused;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	conf_defaults(&conf, "");
	assert_int_equal(secrets_load(&first, &conf, fd, &e), 0);
	assert_int_equal(secrets_load(&second, &conf, fd, &e), 0);
	for (size_t i = SECRET_CLIENT_SIGNER; i <= SECRET_CLIENT_CA; i++)
		assert_string_equal(buf_str(&first.each[i]), buf_str(&second.each[i]));
	assert_non_null(strstr(buf_str(&first.each[SECRET_CLIENT_SIGNER]), "PRIVATE KEY"));
	assert_non_null(strstr(buf_str(&first.each[SECRET_CLIENT_SIGNER]),
			       buf_str(&first.each[SECRET_CLIENT_CA])));
	assert_null(strstr(buf_str(&first.each[SECRET_CLIENT_CA]), "PRIVATE KEY"));
	assert_string_not_equal(buf_str(&first.each[SECRET_CLIENT_CA]),
				buf_str(&first.each[SECRET_CA_CERT]));
	assert_int_equal(fstatat(fd, "secrets/client-ca.key", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
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

static void write_file(int dir, const char *name, const struct buf *data)
{
	struct err e;

	assert_int_equal(io_replace(dir, name, data->data, data->size, 0600, &e), 0);
}

/* A key and its leaf in one file, which each of the two may be. */
static void make_pair(int dir, const char *name, struct buf *pem)
{
	static const char *const names[] = { "DNS:*.one.example", NULL };
	autobuf struct buf key = { 0 };
	autobuf struct buf cert = { 0 };
	struct err e;

	assert_int_equal(pki_make_ca("doze local CA", &key, &cert, &e), 0);
	assert_int_equal(pki_make_leaf(&key, &cert, names, pem, &e), 0);
	write_file(dir, name, pem);
}

static bool serves(struct secrets *s, const char *domain, struct buf *pem)
{
	autofree char *marker = xasprintf(SUPER_CERTIFICATE "%s\n", domain);
	const char *at = strstr(buf_str(&s->each[SECRET_CERTIFICATES]), marker);

	return at && !strncmp(at + strlen(marker), buf_str(pem), pem->size);
}

static void test_a_certificate_that_cannot_be_used_leaves_the_one_before_it(void **unused)
{
	static const char *const texts[] = { "", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n" };
	char dir[] = "/tmp/doze-test-secrets-XXXXXX";
	autobuf struct buf first = { 0 };
	autobuf struct buf second = { 0 };
	autobuf struct buf problems = { 0 };
	struct secrets s = { 0 };
	struct conf conf;
	int fd;

	(void)unused;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	conf_defaults(&conf, "");
	conf.n_certificates = 2;
	for (size_t i = 0; i < 2; i++) {
		struct conf_certificate *c = &conf.certificates[i];

		strcpy(c->domain, i ? "missing.example" : "one.example");
		snprintf(c->cert, sizeof(c->cert), "%s/%s", dir, i ? "missing" : "pair");
		snprintf(c->key, sizeof(c->key), "%s/%s", dir, i ? "missing" : "pair");
	}
	make_pair(fd, "pair", &first);
	secrets_read_certificates(&s, &conf, &problems);
	assert_true(serves(&s, "one.example", &first));
	assert_null(strstr(buf_str(&s.each[SECRET_CERTIFICATES]), "missing"));
	assert_non_null(
		strstr(buf_str(&problems), "missing.example cannot be used, and doze's own"));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct buf text = { .data = (uint8_t *)(uintptr_t)texts[i],
				    .size = strlen(texts[i]) };

		buf_clear(&problems);
		write_file(fd, "pair", &text);
		secrets_read_certificates(&s, &conf, &problems);
		assert_true(serves(&s, "one.example", &first));
		assert_non_null(strstr(buf_str(&problems),
				       "one.example cannot be used, and the one before it"));
	}
	make_pair(fd, "other", &second);
	snprintf(conf.certificates[0].key, CONF_TEXT, "%s/other", dir);
	write_file(fd, "pair", &first);
	buf_clear(&problems);
	secrets_read_certificates(&s, &conf, &problems);
	assert_non_null(strstr(buf_str(&problems), "the key is not that of the certificate"));
	snprintf(conf.certificates[0].cert, CONF_TEXT, "%s/other", dir);
	secrets_read_certificates(&s, &conf, &problems);
	assert_true(serves(&s, "one.example", &second));
	conf.n_certificates = 0;
	secrets_read_certificates(&s, &conf, &problems);
	assert_int_equal(s.each[SECRET_CERTIFICATES].size, 0);
	secrets_free(&s);
	close(fd);
	assert_int_equal(io_remove_tree(AT_FDCWD, dir), 0);
}

static void test_the_keys_of_tickets_last_for_two_generations(void **unused)
{
	struct secrets s = { 0 };
	struct super_tickets first, second;

	(void)unused;
	secrets_change_tickets(&s);
	memcpy(&first, s.each[SECRET_TICKETS].data, sizeof(first));
	secrets_change_tickets(&s);
	memcpy(&second, s.each[SECRET_TICKETS].data, sizeof(second));
	assert_memory_equal(&second.keys[1], &first.keys[0], sizeof(first.keys[0]));
	assert_memory_not_equal(&second.keys[0], &first.keys[0], sizeof(first.keys[0]));
	assert_memory_not_equal(&first.keys[0], &first.keys[1], sizeof(first.keys[0]));
	secrets_free(&s);
}

static X509 *leaf_of(const struct secrets *s, enum secret which)
{
	BIO *bio = BIO_new_mem_buf(s->each[which].data, (int)s->each[which].size);
	X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(leaf);
	return leaf;
}

static void test_leaves_name_what_clients_elsewhere_use(void **unused)
{
	char dir[] = "/tmp/doze-test-secrets-XXXXXX";
	struct secrets s = { 0 };
	struct conf conf;
	struct err e;
	X509 *api, *s3;
	int fd;

	(void)unused;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	conf_defaults(&conf, "");
	strcpy(conf.api_name, "api.example.org");
	strcpy(conf.listen, "192.0.2.7 2001:db8::7 0.0.0.0");
	assert_int_equal(secrets_load(&s, &conf, fd, &e), 0);
	api = leaf_of(&s, SECRET_TLS_API);
	s3 = leaf_of(&s, SECRET_TLS_S3);
	assert_int_equal(X509_check_host(api, "api.example.org", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(api, "apps.api.example.org", 0, 0, NULL), 0);
	assert_int_equal(X509_check_host(s3, "apps.api.example.org", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(api, "192.0.2.7", 0), 1);
	assert_int_equal(X509_check_ip_asc(api, "2001:db8::7", 0), 1);
	assert_int_equal(X509_check_ip_asc(api, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(api, "0.0.0.0", 0), 0);
	X509_free(api);
	X509_free(s3);
	secrets_free(&s);
	close(fd);
	assert_int_equal(io_remove_tree(AT_FDCWD, dir), 0);
}

static void test_leaves_are_made_anew_before_they_end(void **unused)
{
	const int64_t day_ms = 86400000;
	char dir[] = "/tmp/doze-test-secrets-XXXXXX";
	struct secrets s = { 0 };
	autofree char *before = NULL;
	struct conf conf;
	struct err e;
	int fd;

	(void)unused;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	conf_defaults(&conf, "");
	snprintf(conf.data_dir, sizeof(conf.data_dir), "%s", dir);
	assert_int_equal(secrets_load(&s, &conf, fd, &e), 0);
	before = xstrdup(buf_str(&s.each[SECRET_TLS_API]));
	assert_int_equal(secrets_renew_leaves(&s, &conf, s.leaves_ms + 299 * day_ms, &e), 0);
	assert_string_equal(buf_str(&s.each[SECRET_TLS_API]), before);
	assert_int_equal(secrets_renew_leaves(&s, &conf, s.leaves_ms + 301 * day_ms, &e), 1);
	assert_string_not_equal(buf_str(&s.each[SECRET_TLS_API]), before);
	secrets_free(&s);
	close(fd);
	assert_int_equal(io_remove_tree(AT_FDCWD, dir), 0);
}

static void test_the_api_gets_no_key_of_another_name(void **unused)
{
	static const char *const domains[] = { "example.org", "other.example", "api.example.org" };
	char dir[] = "/tmp/doze-test-secrets-XXXXXX";
	autobuf struct buf pair = { 0 };
	autobuf struct buf problems = { 0 };
	struct secrets s = { 0 };
	struct conf conf;
	const char *text;
	int fd;

	(void)unused;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	conf_defaults(&conf, "");
	strcpy(conf.api_name, "api.example.org");
	make_pair(fd, "pair", &pair);
	conf.n_certificates = ARRAY_SIZE(domains);
	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		strcpy(conf.certificates[i].domain, domains[i]);
		snprintf(conf.certificates[i].cert, CONF_TEXT, "%s/pair", dir);
		snprintf(conf.certificates[i].key, CONF_TEXT, "%s/pair", dir);
	}
	secrets_read_certificates(&s, &conf, &problems);
	text = buf_str(&s.each[SECRET_API_CERTIFICATES]);
	assert_non_null(strstr(text, SUPER_CERTIFICATE "example.org\n"));
	assert_non_null(strstr(text, SUPER_CERTIFICATE "api.example.org\n"));
	assert_null(strstr(text, "other.example"));
	*conf.api_name = '\0';
	secrets_read_certificates(&s, &conf, &problems);
	assert_int_equal(s.each[SECRET_API_CERTIFICATES].size, 0);
	secrets_free(&s);
	close(fd);
	assert_int_equal(io_remove_tree(AT_FDCWD, dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_second_start_reads_what_the_first_made),
		cmocka_unit_test(
			test_clients_have_an_authority_of_their_own_whose_key_only_a_signer_gets),
		cmocka_unit_test(test_a_start_writes_only_what_has_changed),
		cmocka_unit_test(test_no_copy_of_a_secret_stays_behind),
		cmocka_unit_test(test_a_certificate_that_cannot_be_used_leaves_the_one_before_it),
		cmocka_unit_test(test_the_keys_of_tickets_last_for_two_generations),
		cmocka_unit_test(test_leaves_name_what_clients_elsewhere_use),
		cmocka_unit_test(test_leaves_are_made_anew_before_they_end),
		cmocka_unit_test(test_the_api_gets_no_key_of_another_name),
	};

	return cmocka_run_group_tests_name("dozed/secrets", tests, NULL, NULL);
}
