/* Which base stands in for which tag. */

#include "image/stand_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void each_tag_has_the_base_that_has_its_version(void **state)
{
	static const struct {
		const char *full, *recipe, *base, *version, *words;
		bool exact;
	} cases[] = {
		{ "docker.io/library/python:3.12-slim", "python", "ubuntu-24.04", "3.12", "slim",
		  true },
		{ "docker.io/library/python:3.11.9-slim-bookworm", "python", "debian-12", "3.11",
		  "slim bookworm", true },
		{ "docker.io/library/python:3.13.1", "python", "debian-13", "3.13", "", true },
		{ "docker.io/library/python:3.9", "python", "ubuntu-22.04", "3.10", "", false },
		{ "docker.io/library/python:3", "python", "debian-13", "3.13", "", true },
		{ "docker.io/library/python:slim", "python", "debian-13", "3.13", "slim", true },
		{ "docker.io/library/python:latest", "python", "debian-13", "3.13", "latest",
		  true },
		{ "docker.io/library/node:22-slim", "node", "debian-12", "22", "slim", true },
		{ "docker.io/library/node:22.11.0-trixie-slim", "node", "debian-13", "22.11.0",
		  "trixie slim", true },
		{ "docker.io/library/node:lts", "node", "debian-12", "24", "", true },
		{ "docker.io/library/node:iron-bookworm", "node", "debian-12", "20", "bookworm",
		  true },
		{ "docker.io/library/debian:bookworm-slim", NULL, "debian-12", "12", "slim", true },
		{ "docker.io/library/debian:12.5", NULL, "debian-12", "12", "", true },
		{ "docker.io/library/debian:latest", NULL, "debian-13", "13", "latest", true },
		{ "docker.io/library/ubuntu:noble", NULL, "ubuntu-24.04", "24.04", "", true },
		{ "docker.io/library/golang:1.22-bookworm", "golang", "debian-13", "1.24",
		  "bookworm", false },
		{ "docker.io/library/eclipse-temurin:17.0.9_9-jre-jammy", "java", "debian-12", "17",
		  "jre jammy", true },
		{ "docker.io/library/eclipse-temurin:8u402-b06-jdk", "java", "ubuntu-22.04", "8",
		  "b06 jdk", true },
		{ "docker.io/library/php:8.2-apache-bookworm", "php", "debian-12", "8.2",
		  "apache bookworm", true },
		{ "docker.io/library/php:8.3.6-fpm", "php", "ubuntu-24.04", "8.3", "fpm", true },
		{ "docker.io/library/php:8", "php", "debian-13", "8.4", "", true },
		{ "docker.io/library/postgres:16-bookworm", "postgres", "ubuntu-24.04", "16",
		  "bookworm", true },
		{ "docker.io/library/postgres:latest", "postgres", "debian-13", "17", "latest",
		  true },
		{ "docker.io/library/httpd:2.4.62", "httpd", "debian-12", "2.4", "", true },
		{ "docker.io/library/httpd:trixie", "httpd", "debian-13", "2.4", "trixie", true },
		{ "docker.io/library/redis:7", "redis", "debian-12", "7.0", "", true },
		{ "public.ecr.aws/lambda/microvms:al2023-minimal", NULL, "debian-12", "2023",
		  "minimal", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stand_in_choice c;
		struct err e = { 0 };

		print_message("%s\n", cases[i].full);
		assert_int_equal(stand_in_choose(cases[i].full, NULL, NULL, false, &c, &e), 1);
		assert_string_equal(c.base, cases[i].base);
		assert_string_equal(c.version, cases[i].version);
		assert_string_equal(c.words, cases[i].words);
		assert_int_equal(c.exact, cases[i].exact);
		if (cases[i].recipe)
			assert_string_equal(c.recipe, cases[i].recipe);
		else
			assert_null(c.recipe);
	}
}

static void what_nothing_can_stand_in_for_is_refused_with_a_reason(void **state)
{
	static const char *const cases[][2] = {
		{ "docker.io/library/python:3.15-slim",
		  "only the older Python 3.14 is here ([build] stand_in_older = 1 takes it)" },
		{ "docker.io/library/python:2.7", "no Python of that version is here" },
		{ "docker.io/library/redis:7.4",
		  "only the older Redis 7.0 is here ([build] stand_in_older = 1 takes it)" },
		{ "docker.io/library/debian:bullseye", "no Debian of that version is here" },
		{ "docker.io/library/debian:sid",
		  "only the older Debian 13 is here ([build] stand_in_older = 1 takes it)" },
		{ "docker.io/library/node:22-alpine3.20",
		  "nothing here is like Alpine (musl, apk)" },
		{ "docker.io/library/node:22@sha256:00", "nothing can stand in for a digest" },
		{ "public.ecr.aws/lambda/microvms:al2", "no Amazon Linux of that version is here" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stand_in_choice c;
		struct err e = { 0 };

		assert_int_equal(stand_in_choose(cases[i][0], NULL, NULL, false, &c, &e), -1);
		assert_string_equal(e.text, cases[i][1]);
	}
}

static void other_repositories_have_no_stand_in(void **state)
{
	static const char *const cases[] = { "docker.io/library/alpine:3.20",
					     "docker.io/library/pythons:3.12",
					     "docker.io/someone/python:3.12", "ghcr.io/x/y:1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stand_in_choice c;
		struct err e;

		assert_int_equal(stand_in_choose(cases[i], NULL, NULL, false, &c, &e), 0);
	}
}

static void an_older_release_is_taken_where_the_operator_allows_it(void **state)
{
	struct stand_in_choice c;
	struct err e;

	(void)state;
	assert_int_equal(stand_in_choose("docker.io/library/python:3.15", NULL, NULL, true, &c, &e),
			 1);
	assert_string_equal(c.version, "3.14");
	assert_false(c.exact);
}

static void a_base_that_cannot_be_had_is_passed_over(void **state)
{
	struct stand_in_choice c;
	struct err e;

	(void)state;
	assert_int_equal(stand_in_choose("docker.io/library/python:3.12", NULL, "ubuntu-24.04",
					 false, &c, &e),
			 1);
	assert_string_equal(c.base, "debian-13");
	assert_int_equal(stand_in_choose("docker.io/library/ubuntu:24.04", NULL, "ubuntu-24.04",
					 false, &c, &e),
			 -1);
}

static void amazon_linux_is_the_base_that_has_what_the_file_installs(void **state)
{
	static const char *const cases[][2] = {
		{ "RUN dnf install -y python3", "debian-12" },
		{ "RUN dnf install -y python3.9", "debian-12" },
		{ "RUN dnf install -y python3.11 python3.11-pip", "debian-12" },
		{ "RUN dnf install -y python3.12", "ubuntu-24.04" },
		{ "RUN dnf install -y python3.13", "debian-13" },
		{ "RUN dnf install -y python3.99", "ubuntu-26.04" },
		{ "RUN dnf install -y java-21-amazon-corretto-headless", "debian-13" },
		{ "ENV U=postgresql://x\nRUN dnf install -y postgresql16", "ubuntu-24.04" },
		{ "RUN dnf install -y php8.4-fpm", "debian-13" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stand_in_choice c;
		struct err e;
		const char *base = stand_in_scan(cases[i][0]);

		print_message("%s\n", cases[i][0]);
		assert_string_equal(base, cases[i][1]);
		assert_int_equal(stand_in_choose("public.ecr.aws/lambda/microvms:al2023-minimal",
						 base, NULL, false, &c, &e),
				 1);
		assert_string_equal(c.base, cases[i][1]);
		assert_true(c.amazon && c.ours);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_tag_has_the_base_that_has_its_version),
		cmocka_unit_test(what_nothing_can_stand_in_for_is_refused_with_a_reason),
		cmocka_unit_test(other_repositories_have_no_stand_in),
		cmocka_unit_test(an_older_release_is_taken_where_the_operator_allows_it),
		cmocka_unit_test(a_base_that_cannot_be_had_is_passed_over),
		cmocka_unit_test(amazon_linux_is_the_base_that_has_what_the_file_installs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
