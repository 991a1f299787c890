/* Logs as lines with their times: over rotations, torn records and whatever a guest writes. */

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
#include "control/logs/lines.h"
#include "control/logs/times.h"

static int dir = -1;

static int begin(void **unused)
{
	char path[] = "/tmp/doze-lines-XXXXXX";

	(void)unused;
	if (!mkdtemp(path))
		return -1;
	dir = open(path, O_RDONLY | O_DIRECTORY);
	*unused = strdup(path);
	return dir < 0;
}

static int end(void **state)
{
	static const char *const names[] = { "x.log", "x.log.1", "x.times", "x.times.1" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlinkat(dir, names[i], 0);
	close(dir);
	rmdir(*state);
	free(*state);
	return 0;
}

static void put(const char *name, const void *data, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, data, size), 0);
	close(fd);
}

/* As microvm/guest_log.c writes it. */
static void write_at(const char *text, int64_t ms)
{
	struct log_times t;
	struct stat st = { 0 };

	log_times_open(&t, dir, "x.times", 0, ms);
	fstatat(dir, "x.log", &st, 0);
	log_times_note(&t, st.st_size, ms);
	log_times_close(&t);
	put("x.log", text, strlen(text));
}

static void rotate(int64_t ms)
{
	struct log_times t;
	struct stat st;
	int64_t base;

	assert_int_equal(fstatat(dir, "x.log", &st, 0), 0);
	log_times_open(&t, dir, "x.times", 0, ms);
	base = t.base + st.st_size;
	log_times_close(&t);
	renameat(dir, "x.times", dir, "x.times.1");
	renameat(dir, "x.log", dir, "x.log.1");
	log_times_open(&t, dir, "x.times", base, ms);
	log_times_close(&t);
}

/* "ms:text ms:text ..." of all lines from a place on. */
static char *lines_from(int64_t ms, bool ended)
{
	struct log_lines l = { .ended = ended };
	struct log_line line;
	autobuf struct buf all = { 0 };

	log_file_open(&l.file, dir, "x", 5);
	log_lines_from(&l, log_file_seek(&l.file, ms));
	while (log_lines_next(&l, &line))
		buf_addf(&all, "%lld:%.*s ", (long long)line.ms, (int)line.size, line.text);
	log_lines_free(&l);
	return strdup(buf_str(&all));
}

static void expect(int64_t ms, bool ended, const char *want)
{
	char *got = lines_from(ms, ended);

	assert_string_equal(got, want);
	free(got);
}

static void test_lines_have_the_time_of_their_first_byte(void **unused)
{
	(void)unused;
	write_at("a\nb", 10);
	write_at("c\n", 20);
	write_at("d\r\n", 20);
	write_at("e", 30);
	expect(0, false, "10:a 10:bc 20:d ");
	expect(0, true, "10:a 10:bc 20:d 30:e ");
	expect(11, true, "20:d 30:e ");
	expect(21, true, "30:e ");
	expect(31, true, "");
}

static void test_a_rotation_keeps_places_and_times(void **unused)
{
	struct log_file f;
	int64_t until;

	(void)unused;
	write_at("one\n", 10);
	rotate(20);
	write_at("two\n", 20);
	write_at("three\n", 30);
	expect(0, false, "10:one 20:two 30:three ");
	expect(15, false, "20:two 30:three ");
	rotate(40);
	write_at("four\n", 40);
	expect(0, false, "20:two 30:three 40:four ");
	log_file_open(&f, dir, "x", 5);
	assert_int_equal(log_file_begin(&f), 4);
	assert_int_equal(log_file_end(&f), 19);
	assert_int_equal(log_file_time(&f, 8, &until), 30);
	assert_int_equal(until, 14);
	log_file_close(&f);
}

static void test_times_never_go_back(void **unused)
{
	(void)unused;
	write_at("a\n", 100);
	write_at("b\n", 50);
	write_at("c\n", 110);
	expect(0, false, "100:a 100:b 110:c ");
}

static void test_a_torn_record_is_cut_off(void **unused)
{
	struct stat st;

	(void)unused;
	write_at("a\n", 10);
	put("x.times", "torn", 4);
	write_at("b\n", 20);
	assert_int_equal(fstatat(dir, "x.times", &st, 0), 0);
	assert_int_equal(st.st_size % LOG_TIME_SIZE, 0);
	expect(0, false, "10:a 20:b ");
}

static void test_a_log_without_times_has_one_for_all(void **unused)
{
	(void)unused;
	put("x.log", "a\nb\n", 4);
	expect(0, false, "5:a 5:b ");
	expect(6, false, "");
	unlinkat(dir, "x.log", 0);
	expect(0, true, "");
}

static void test_a_long_line_is_several(void **unused)
{
	char *long_line = malloc(LOG_LINE_MAX + 10);
	struct log_lines l = { .ended = true };
	struct log_line line;

	(void)unused;
	memset(long_line, 'x', LOG_LINE_MAX + 10);
	long_line[LOG_LINE_MAX + 9] = '\n';
	put("x.log", long_line, LOG_LINE_MAX + 10);
	free(long_line);
	log_file_open(&l.file, dir, "x", 5);
	log_lines_from(&l, 0);
	assert_true(log_lines_next(&l, &line));
	assert_int_equal(line.size, LOG_LINE_MAX);
	assert_true(log_lines_next(&l, &line));
	assert_int_equal(line.size, 9);
	assert_int_equal(line.next, LOG_LINE_MAX + 10);
	assert_false(log_lines_next(&l, &line));
	log_lines_free(&l);
}

static void test_text_becomes_utf_8(void **unused)
{
	static const struct {
		const char *raw;
		size_t size;
		const char *clean;
	} texts[] = {
		{ "plain", 5, "plain" },
		{ "\xc3\xa9\xf0\x9f\x98\x80", 6, "\xc3\xa9\xf0\x9f\x98\x80" },
		{ "a\xff"
		  "b",
		  3,
		  "a\xef\xbf\xbd"
		  "b" },
		{ "\xc0\x80", 2, "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xe2\x82", 2, "\xef\xbf\xbd\xef\xbf\xbd" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct buf b = { 0 };

		log_clean(&b, texts[i].raw, texts[i].size);
		assert_string_equal(buf_str(&b), texts[i].clean);
		buf_free(&b);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_lines_have_the_time_of_their_first_byte),
		T(test_a_rotation_keeps_places_and_times),
		T(test_times_never_go_back),
		T(test_a_torn_record_is_cut_off),
		T(test_a_log_without_times_has_one_for_all),
		T(test_a_long_line_is_several),
		T(test_text_becomes_utf_8),
	};

	return cmocka_run_group_tests_name("log lines", tests, NULL, NULL);
}
