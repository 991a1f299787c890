/* The configuration: defaults, what a file may say, and what it is told when it errs. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "conf/conf.h"

static int read_text(struct conf *c, const char *text, struct err *e)
{
	autoclose int fd = memfd_create("conf", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	lseek(fd, 0, SEEK_SET);
	conf_defaults(c, "t1");
	return conf_read(c, fd, "doze.ini", e);
}

static void test_an_instance_has_places_of_its_own(void **unused)
{
	struct conf c;

	(void)unused;
	conf_defaults(&c, "");
	assert_string_equal(c.data_dir, "/var/lib/doze");
	conf_defaults(&c, "t1");
	assert_string_equal(c.data_dir, "/var/lib/doze-t1");
	assert_string_equal(c.run_dir, "/run/doze-t1");
	assert_int_equal(c.api_port, 9010);
}

static void test_the_limits_for_clients_are_those_of_the_servers_themselves(void **unused)
{
	const struct client_limits limits = CLIENT_LIMITS;
	struct conf c;

	(void)unused;
	conf_defaults(&c, "");
	assert_memory_equal(&c.clients, &limits, sizeof(limits));
}

static void test_a_file_overrides_the_defaults(void **unused)
{
	struct conf c;
	struct err e;

	(void)unused;
	assert_int_equal(read_text(&c, "[pool]\nper_image = 7\n[service]\nregion=eu-west-1\n", &e),
			 0);
	assert_int_equal(c.pool_per_image, 7);
	assert_string_equal(c.region, "eu-west-1");
}

static void test_a_word_is_one_of_those_that_are_allowed(void **unused)
{
	static const struct {
		const char *value, *means; /* NULL: refused */
	} rows[] = {
		{ "always", "always" }, { "missing", "missing" },  { "never", "never" },
		{ "0", "never" },       { "1", "missing" },        { "2", NULL },
		{ "sometimes", NULL },  { "never missing", NULL }, { "", NULL },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64];
		struct conf c;
		struct err e = { 0 };

		snprintf(text, sizeof(text), "[build]\npull = %s\n", rows[i].value);
		assert_int_equal(read_text(&c, text, &e), rows[i].means ? 0 : -1);
		assert_string_equal(c.pull, rows[i].means ? rows[i].means : "missing");
		if (!rows[i].means)
			assert_non_null(strstr(e.text, "give one of: always missing never"));
	}
}

static void test_each_registry_has_a_section_of_its_own(void **unused)
{
	static const char text[] = "[registry docker.io]\nmirror = 127.0.0.1:5000\n"
				   "[service]\nregion = eu-west-1\n"
				   "[registry 123456789012.dkr.ecr.ap-southeast-1.amazonaws.com]\n"
				   "user = AWS\npassword_file = /etc/doze/ecr\n"
				   "[registry Docker.io]\nuser = me\npassword = a b\n";
	struct conf c;
	struct err e = { 0 };

	(void)unused;
	assert_int_equal(read_text(&c, text, &e), 0);
	assert_int_equal(c.n_registries, 2);
	assert_string_equal(c.registries[0].host, "docker.io");
	assert_string_equal(c.registries[0].mirror, "127.0.0.1:5000");
	assert_string_equal(c.registries[0].user, "me");
	assert_string_equal(c.registries[0].password, "a b");
	assert_string_equal(c.registries[1].host,
			    "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com");
	assert_string_equal(c.registries[1].user, "AWS");
	assert_string_equal(c.registries[1].password_file, "/etc/doze/ecr");
	assert_string_equal(c.region, "eu-west-1");
}

static void test_each_domain_has_a_certificate_of_its_own(void **unused)
{
	static const char text[] = "[certificate Example.com]\ncert = /a.pem\nkey = /a.key\n"
				   "[certificate *.other.example]\ncert = /b.pem\n"
				   "[certificate example.com]\nkey = /c.key\n";
	static const char *const bad[] = { "[certificate ]\ncert = x\n",
					   "[certificate a/b]\ncert = x\n",
					   "[certificate a]\nmirror = x\n" };
	struct conf c;
	struct err e = { 0 };

	(void)unused;
	assert_int_equal(read_text(&c, text, &e), 0);
	assert_int_equal(c.n_certificates, 2);
	assert_string_equal(c.certificates[0].domain, "example.com");
	assert_string_equal(c.certificates[0].cert, "/a.pem");
	assert_string_equal(c.certificates[0].key, "/c.key");
	assert_string_equal(c.certificates[1].domain, "other.example");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(read_text(&c, bad[i], &e), -1);
}

static void test_a_role_has_a_section_of_its_own(void **unused)
{
	static const char text[] = "[role CI]\narn = arn:aws:iam::222222222222:role/CI\n"
				   "policy = /etc/doze/ci.json\ntrust = runner, deploy\n"
				   "[role other]\nmax_session_s = 900\n[role CI]\nmax_session_s = "
				   "43200\n";
	static const char *const bad[] = { "[role ]\ntrust = x\n", "[role a/b]\ntrust = x\n",
					   "[role a]\nmax_session_s = 899\n",
					   "[role a]\nmax_session_s = 43201\n",
					   "[role a]\ncert = x\n" };
	struct conf c;
	struct err e = { 0 };

	(void)unused;
	assert_int_equal(read_text(&c, text, &e), 0);
	assert_int_equal(c.n_roles, 2);
	assert_string_equal(c.roles[0].name, "CI");
	assert_string_equal(c.roles[0].arn, "arn:aws:iam::222222222222:role/CI");
	assert_string_equal(c.roles[0].policy, "/etc/doze/ci.json");
	assert_string_equal(c.roles[0].trust, "runner, deploy");
	assert_int_equal(c.roles[0].max_session_s, 43200);
	assert_string_equal(c.roles[1].name, "other");
	assert_int_equal(c.roles[1].max_session_s, 900);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(read_text(&c, bad[i], &e), -1);
}

static void test_what_guests_know_of_names_may_be_long_and_is_checked(void **unused)
{
	autobuf struct buf text = { 0 };
	struct conf c;
	struct err e;

	(void)unused;
	buf_adds(&text, "[network]\nsearch = corp.example b\nhosts = 10.0.0.1 one");
	for (int i = 2; i < 60; i++)
		buf_addf(&text, "%s10.0.0.%d host-%d.example", i % 3 ? "; " : "\nhosts = ", i, i);
	buf_adds(&text, "\n");
	assert_int_equal(read_text(&c, buf_str(&text), &e), 0);
	assert_string_equal(c.search, "corp.example b");
	assert_non_null(
		strstr(c.hosts, "10.0.0.1 one; 10.0.0.2 host-2.example; 10.0.0.3 host-3.example;"));
	assert_non_null(strstr(c.hosts, "10.0.0.59 host-59.example"));
	assert_int_equal(read_text(&c, "[network]\nhosts = one 10.0.0.1\n", &e), -1);
	assert_non_null(strstr(e.text, "[network] hosts: 'one' is no address"));
}

#define PROCESS "[role App]\ncredentials = process\ncredentials_process = "

static void test_a_role_needs_no_key_and_a_static_one_needs_its_file(void **unused)
{
	struct conf c;
	struct err e;

	(void)unused;
	assert_int_equal(read_text(&c, "[role build]\n[role App]\ncredentials = doze\n", &e), 0);
	assert_int_equal(c.n_roles, 2);
	assert_string_equal(c.roles[0].name, "build");
	assert_string_equal(c.roles[1].credentials, "doze");
	assert_string_equal(c.unknown_roles, "accept");
	assert_int_equal(read_text(&c, "[role App]\ncredentials = static\n", &e), -1);
	assert_non_null(strstr(e.text, "[role App] credentials = static needs credentials_file"));
	assert_int_equal(read_text(&c, "[role App]\ncredentials = sts\n", &e), -1);
	assert_non_null(strstr(e.text, "give one of: none static process doze"));
	assert_int_equal(read_text(&c, "[role a/b]\n", &e), -1);
	assert_int_equal(read_text(&c, PROCESS "/bin/x --y\ncredentials_user = nobody\n", &e), 0);
	assert_string_equal(c.roles[0].credentials_process, "/bin/x --y");
	assert_int_equal(read_text(&c, PROCESS "x\ncredentials_user = nobody\n", &e), -1);
	assert_int_equal(read_text(&c, PROCESS "/bin/x\n", &e), -1);
	assert_int_equal(read_text(&c, PROCESS "/bin/x\ncredentials_user = root\n", &e), -1);
	assert_int_equal(read_text(&c, "[compat]\nunknown_roles = maybe\n", &e), -1);
}

static void test_a_key_at_rest_has_a_section_of_its_own(void **unused)
{
	static const char text[] = "[kms_key alias/App_1/x]\nfile = /etc/doze/app.key\n"
				   "[kms_key alias/drawn]\nfile =\n[kms]\nfiles = plain\n";
	static const char *const bad[] = {
		"[kms_key app]\nfile = x\n",       "[kms_key alias/]\nfile = x\n",
		"[kms_key alias/a b]\nfile = x\n", "[kms_key alias/a:b]\nfile = x\n",
		"[kms_key alias/a]\nkey = x\n",    "[kms]\nfiles = yes\n"
	};
	struct conf c;
	struct err e = { 0 };

	(void)unused;
	assert_int_equal(read_text(&c, text, &e), 0);
	assert_int_equal(c.n_kms_keys, 2);
	assert_string_equal(c.kms_keys[0].alias, "alias/App_1/x");
	assert_string_equal(c.kms_keys[0].file, "/etc/doze/app.key");
	assert_string_equal(c.kms_keys[1].alias, "alias/drawn");
	assert_string_equal(c.kms_keys[1].file, "");
	assert_string_equal(c.kms_files, "plain");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(read_text(&c, bad[i], &e), -1);
}

static void test_a_section_of_no_registry_is_refused_by_name(void **unused)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "[registry a/b]\nuser = x\n", "[registry a/b]: a registry is host or host:port" },
		{ "[registry a b]\nuser = x\n", "[registry a b]: a registry is host or host:port" },
		{ "[registry ]\nuser = x\n", "[registry ]: a registry is host or host:port" },
		{ "[registry a]\ncolour = x\n", "no key 'colour' in [registry a]" },
		{ "[registry]\nuser = x\n", "no key 'user' in [registry]" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conf c;
		struct err e = { 0 };

		assert_int_equal(read_text(&c, rows[i].text, &e), -1);
		if (!strstr(e.text, rows[i].says))
			fail_msg("%s: %s", rows[i].text, e.text);
	}
}

static void test_there_may_be_many_registries_but_not_any_number(void **unused)
{
	static char text[8192];
	size_t n = 0;
	struct conf c;
	struct err e = { 0 };

	(void)unused;
	for (int i = 0; i < CONF_REGISTRIES; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "[registry h%d]\nuser = u\n", i);
	assert_int_equal(read_text(&c, text, &e), 0);
	assert_int_equal(c.n_registries, CONF_REGISTRIES);
	snprintf(text + n, sizeof(text) - n, "[registry one.more]\nuser = u\n");
	assert_int_equal(read_text(&c, text, &e), -1);
	assert_non_null(strstr(e.text, "more than 32 registries"));
}

static void test_an_error_names_the_key_and_what_is_allowed(void **unused)
{
	struct conf c;
	struct err e;

	(void)unused;
	assert_int_equal(read_text(&c, "[service]\napi_port = 99999\n", &e), -1);
	assert_non_null(strstr(e.text, "api_port"));
	assert_non_null(strstr(e.text, "65535"));
	assert_int_equal(read_text(&c, "[pool]\nsize = 3\n", &e), -1);
	assert_non_null(strstr(e.text, "'size'"));
	assert_int_equal(read_text(&c, "[pool\n", &e), -1);
	assert_non_null(strstr(e.text, "doze.ini:1"));
}

static void test_a_file_that_cannot_be_read_is_refused(void **unused)
{
	autoclose int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct conf c;
	struct err e;

	(void)unused;
	conf_defaults(&c, "t1");
	assert_int_equal(conf_read(&c, fd, "doze.ini", &e), -1);
	assert_string_equal(e.text, "read 'doze.ini': Is a directory");
}

static void test_a_command_reaches_the_instance_that_suggests_it(void **unused)
{
	static const struct {
		const char *instance;
		bool sudo;
		const char *text;
	} rows[] = {
		{ "", false, "doze ls" },
		{ "", true, "sudo doze ls" },
		{ "t1", false, "doze --instance t1 ls" },
		{ "t1", true, "sudo doze --instance t1 ls" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *text = NULL;
		struct conf c;

		conf_defaults(&c, rows[i].instance);
		text = conf_command(&c, rows[i].sudo, "ls");
		assert_string_equal(text, rows[i].text);
	}
}

static void test_an_instance_cannot_be_called_like_a_path(void **unused)
{
	(void)unused;
	assert_true(conf_instance_valid(""));
	assert_true(conf_instance_valid("t1"));
	assert_false(conf_instance_valid("../t1"));
	assert_false(conf_instance_valid("T1"));
	assert_false(conf_instance_valid("abcdefghijklmnopq"));
}

static void test_the_help_names_every_section(void **unused)
{
	char text[32768] = { 0 };
	FILE *to = fmemopen(text, sizeof(text) - 1, "w");

	(void)unused;
	assert_non_null(to);
	conf_help(to);
	fclose(to);
	assert_non_null(strstr(text, "[compat]"));
	assert_non_null(strstr(text, "warm_request"));
}

static void test_every_key_says_what_it_means(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < conf_n_rows(); i++) {
		const struct conf_row row = conf_row(i);

		if (!*row.help || !*row.name || !*row.section)
			fail_msg("[%s] %s", row.section, row.name);
	}
}

/* docs/configuration.md holds what the program prints, so that neither can go its own way. */
static void test_the_document_says_what_the_program_says(void **unused)
{
	static char help[65536], document[131072];
	FILE *to = fmemopen(help, sizeof(help) - 1, "w");
	FILE *from = fopen(CONF_DOCUMENT, "r");

	(void)unused;
	assert_non_null(to);
	assert_non_null(from);
	conf_help(to);
	fclose(to);
	assert_true(fread(document, 1, sizeof(document) - 1, from) > 0);
	fclose(from);
	assert_non_null(strstr(document, help));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_instance_has_places_of_its_own),
		cmocka_unit_test(test_the_limits_for_clients_are_those_of_the_servers_themselves),
		cmocka_unit_test(test_a_file_overrides_the_defaults),
		cmocka_unit_test(test_a_word_is_one_of_those_that_are_allowed),
		cmocka_unit_test(test_each_registry_has_a_section_of_its_own),
		cmocka_unit_test(test_each_domain_has_a_certificate_of_its_own),
		cmocka_unit_test(test_a_role_has_a_section_of_its_own),
		cmocka_unit_test(test_what_guests_know_of_names_may_be_long_and_is_checked),
		cmocka_unit_test(test_a_role_needs_no_key_and_a_static_one_needs_its_file),
		cmocka_unit_test(test_a_key_at_rest_has_a_section_of_its_own),
		cmocka_unit_test(test_a_section_of_no_registry_is_refused_by_name),
		cmocka_unit_test(test_there_may_be_many_registries_but_not_any_number),
		cmocka_unit_test(test_an_error_names_the_key_and_what_is_allowed),
		cmocka_unit_test(test_a_file_that_cannot_be_read_is_refused),
		cmocka_unit_test(test_a_command_reaches_the_instance_that_suggests_it),
		cmocka_unit_test(test_an_instance_cannot_be_called_like_a_path),
		cmocka_unit_test(test_the_help_names_every_section),
		cmocka_unit_test(test_every_key_says_what_it_means),
		cmocka_unit_test(test_the_document_says_what_the_program_says),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
