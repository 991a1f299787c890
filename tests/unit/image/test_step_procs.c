/* The processes of a build step, from a directory that looks as /proc does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "image/step_procs.h"

static char place[64];
static int top;

static int setup(void **unused)
{
	(void)unused;
	snprintf(place, sizeof(place), "/tmp/doze-test-procs-XXXXXX");
	assert_non_null(mkdtemp(place));
	top = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(top >= 0);
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	close(top);
	return io_remove_tree(AT_FDCWD, place);
}

static void put(const char *pid, const char *name, const char *data, size_t size)
{
	char path[128];
	int fd;

	mkdirat(top, pid, 0700);
	snprintf(path, sizeof(path), "%s/%s", pid, name);
	fd = openat(top, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

#define STAT(name) " (" name ") S 1 7 7 0 -1 4194560 100 0 0 0 150 50 7 3 20 0 1 0 100 1000 10 1 1"

static void put_process(const char *pid, const char *stat, const char *words, size_t size)
{
	put(pid, "stat", stat, strlen(stat));
	put(pid, "cmdline", words, size);
	put(pid, "io", "rchar: 5\nwchar: 4096\nsyscr: 1\n", 30);
}

static void test_stat_is_read_with_any_name(void **unused)
{
	static const struct {
		const char *stat, *command;
	} table[] = {
		{ "7" STAT("sleep"), "sleep" },
		{ "7" STAT("a) S 9 (b"), "a) S 9 (b" },
		{ "7" STAT("\x1b[31m\n"), "" },
		/* None of these is one. */
		{ "", NULL },
		{ "7 sleep S 1", NULL },
		{ "7 (sleep) S 1 2 3", NULL },
		{ "7 )sleep( S 1 7 7 0 -1 4194560 100 0 0 0 150 50 7 3 20 0 1 0 100", NULL },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct step_process p;

		assert_int_equal(step_process_parse(&p, table[i].stat, 5000, 100),
				 table[i].command != NULL);
		if (!table[i].command)
			continue;
		assert_string_equal(p.command, table[i].command);
		assert_int_equal(p.cpu_ms, 2000);
		assert_int_equal(p.children_ms, 100);
		assert_int_equal(p.age_ms, 4000);
	}
}

static void test_processes_are_listed_in_order_with_their_commands(void **unused)
{
	struct step_processes p;
	autobuf struct buf text = { 0 };
	char names[128];
	const char *first, *second;

	(void)unused;
	put_process("12", "12" STAT("sleep"),
		    "sleep\0"
		    "999\0",
		    10);
	put_process("7", "7" STAT("sh"), "/bin/sh\0-c\0make\x1b[2J\nall\0", 24);
	put_process("1", "1" STAT("init"), "init\0", 5);
	put_process("acpi", "9" STAT("x"), "x\0", 2);
	put_process("8", "8 broken", "x\0", 2);
	put_process("20", "20" STAT("zombie"), "", 0);
	/* They are shown, but what they do is no work. */
	put_process("5", "5" STAT("exe"), "buildah-oci-runtime\0", 20);
	put_process("6", "6" STAT("runc:[2:INIT]"), "runc\0init\0", 10);
	step_processes_read(&p, top);
	assert_int_equal(p.n, 5);
	assert_int_equal(p.written, 3 * 4096);
	assert_int_equal(p.cpu_ms, 3 * 2100);
	step_processes_print(&p, &text);
	first = strstr(buf_str(&text), "/bin/sh -c make all\n");
	second = strstr(buf_str(&text), "sleep 999\n");
	assert_non_null(first);
	assert_true(second > first);
	assert_non_null(strstr(buf_str(&text), "zombie\n"));
	assert_non_null(strstr(buf_str(&text), "buildah-oci-runtime\n"));
	assert_non_null(strstr(buf_str(&text), "  2.00  "));
	step_processes_name(&p, names, sizeof(names));
	assert_non_null(strstr(names, "zombie (pid 20, "));
	assert_true(strstr(names, "sleep 999 (pid 12, ") > strstr(names, "zombie"));
	step_processes_name(&p, names, 8); /* not one fits */
	assert_string_equal(names, "");
	step_processes_free(&p);
}

static void test_a_place_without_processes_has_none(void **unused)
{
	struct step_processes p;
	autobuf struct buf text = { 0 };

	(void)unused;
	step_processes_read(&p, top);
	assert_int_equal(p.n, 0);
	step_processes_read(&p, -1);
	assert_int_equal(p.n, 0);
	step_processes_print(&p, &text);
	assert_true(text.size > 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stat_is_read_with_any_name),
		TEST(test_processes_are_listed_in_order_with_their_commands),
		TEST(test_a_place_without_processes_has_none),
	};

	return cmocka_run_group_tests_name("image/step_procs", tests, NULL, NULL);
}
