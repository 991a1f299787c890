/* What a probe's process left, and which engine that makes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "conf/engine.h"

#define EXITED(code) ((code) << 8)

static void test_a_probe_is_believed_only_if_all_of_it_says_so(void **unused)
{
	static const struct {
		int status;
		const char *said;
		bool usable;
		const char *text;
	} rows[] = {
		{ EXITED(0), "usable: 512 MiPS\n", true, "usable: 512 MiPS" },
		{ EXITED(0), "usable: a\nusable: b\n", true, "usable: a" },
		{ EXITED(1), "not usable: it emulates\n", false, "not usable: it emulates" },
		{ EXITED(0), "not usable: it emulates\n", false, "not usable: it emulates" },
		{ EXITED(1), "usable: but\n", false, "not usable: the probe failed" },
		{ EXITED(0), "", false, "not usable: the probe failed" },
		{ EXITED(127), "", false, "not usable: the probe failed" },
		{ 11, "usable: then it died\n", false, "not usable: the probe failed" },
		{ -1, "usable: late\n", false,
		  "not usable: the probe did not end within a second" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct engine_probe p;

		engine_judge(&p, rows[i].status, rows[i].said);
		assert_int_equal(p.usable, rows[i].usable);
		assert_string_equal(p.text, rows[i].text);
	}
}

static void test_the_configuration_decides_and_kvm_must_be_usable(void **unused)
{
	static const struct {
		const char *engine;
		bool usable;
		int rc, kvm;
	} rows[] = {
		{ "auto", true, 0, 1 }, { "auto", false, 0, 0 }, { "qemu", true, 0, 0 },
		{ "kvm", true, 0, 1 },  { "kvm", false, -1, 1 }, { "xen", true, -1, 0 },
	};
	struct conf conf;
	struct err e;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct engine_probe p = { rows[i].usable, "not usable: no" };

		conf_defaults(&conf, "");
		strcpy(conf.engine, rows[i].engine);
		assert_int_equal(engine_choose(&conf, &p, &e), rows[i].rc);
		if (!rows[i].rc)
			assert_int_equal(conf.kvm, rows[i].kvm);
		else
			assert_non_null(strstr(e.text, rows[i].engine));
	}
}

static void test_without_a_program_kvm_is_not_usable(void **unused)
{
	struct engine_probe p;

	(void)unused;
	engine_probe(&p, "/nonexistent", 65534);
	assert_false(p.usable);
	assert_string_equal(p.text, "not usable: doze-vmm is not installed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_probe_is_believed_only_if_all_of_it_says_so),
		cmocka_unit_test(test_the_configuration_decides_and_kvm_must_be_usable),
		cmocka_unit_test(test_without_a_program_kvm_is_not_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
