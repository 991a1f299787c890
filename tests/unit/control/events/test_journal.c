/* Lines that are written one after the other, read meanwhile, and kept for a while. */

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
#include "control/events/journal.h"

static struct {
	char dir[32];
	int fd;
	uv_loop_t loop;
	struct disk_lane lane;
	struct journal journal;
	uint64_t lost;
} world;

static void said_lost(struct journal *j, uint64_t n)
{
	(void)j;
	world.lost += n;
}

static void begin(void)
{
	struct err e;

	world.journal = (struct journal){ .dir_fd = world.fd,
					  .lane = &world.lane,
					  .segment_size = 1000,
					  .kept = 3,
					  .lost = said_lost };
	assert_int_equal(journal_open(&world.journal, &world.loop, &e), 0);
}

static void end(void)
{
	journal_close(&world.journal);
	uv_close((uv_handle_t *)&world.journal.again, NULL);
	uv_run(&world.loop, UV_RUN_DEFAULT);
}

static int setup(void **unused)
{
	(void)unused;
	memset(&world, 0, sizeof(world));
	strcpy(world.dir, "/tmp/doze-journal-XXXXXX");
	if (!mkdtemp(world.dir) || uv_loop_init(&world.loop))
		return -1;
	world.fd = open(world.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	disk_lane_init(&world.lane, &world.loop, 1);
	begin();
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	end();
	assert_int_equal(uv_loop_close(&world.loop), 0);
	close(world.fd);
	return io_remove_tree(AT_FDCWD, world.dir);
}

static void add(const char *line)
{
	journal_add(&world.journal, line, strlen(line));
}

static void until_written(void)
{
	while (world.journal.under_way)
		uv_run(&world.loop, UV_RUN_ONCE);
}

static char *read_all(struct journal_place *place, bool *gap)
{
	autobuf struct buf all = { 0 };

	*gap = false;
	for (;;) {
		autobuf struct buf text = { 0 };
		bool one;

		assert_int_equal(journal_read(world.fd, place, JOURNAL_LINE + 1, &text, &one), 0);
		*gap |= one;
		if (!text.size)
			break;
		buf_add(&all, text.data, text.size);
	}
	return xstrdup(buf_str(&all));
}

static void test_what_was_added_is_read_in_order_and_from_where_one_was(void **unused)
{
	struct journal_place place = { 0 };
	autofree char *first = NULL, *second = NULL;
	bool gap;

	(void)unused;
	add("one");
	add("two");
	until_written();
	first = read_all(&place, &gap);
	assert_string_equal(first, "one\ntwo\n");
	add("three");
	until_written();
	second = read_all(&place, &gap);
	assert_string_equal(second, "three\n");
	assert_false(gap);
}

static void test_old_segments_go_and_a_reader_hears_of_it(void **unused)
{
	struct journal_place place = { 0 };
	autofree char *before = NULL, *rest = NULL;
	char line[101] = "";
	bool gap;

	(void)unused;
	memset(line, 'x', 100);
	add("first");
	until_written();
	before = read_all(&place, &gap);
	for (int i = 0; i < 60; i++) {
		add(line);
		until_written();
	}
	rest = read_all(&place, &gap);
	assert_true(gap);
	assert_true(strlen(rest) % 101 == 0 && strlen(rest) <= 3 * 1100);
	assert_null(strstr(rest, "first"));
}

static void test_half_a_line_is_cut_off_at_the_next_start(void **unused)
{
	struct journal_place place = { 0 };
	autofree char *text = NULL;
	int fd;
	bool gap;

	(void)unused;
	add("whole");
	until_written();
	end();
	fd = openat(world.fd, "000000000001.jsonl", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "half", 4), 4);
	close(fd);
	text = read_all(&place, &gap);
	assert_string_equal(text, "whole\n"); /* nobody reads half a line */
	begin();
	add("next");
	until_written();
	free(text);
	text = read_all(&place, &gap);
	assert_string_equal(text, "next\n");
}

static void test_what_cannot_be_written_waits_and_what_has_no_room_is_counted(void **unused)
{
	struct journal_place place = { 0 };
	autofree char *text = NULL, *line = xcalloc(1, 64 * KIB);
	int fd = world.journal.fd;
	bool gap;

	(void)unused;
	memset(line, 'y', 64 * KIB - 1);
	add("before");
	until_written();
	world.journal.fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	add("waits");
	for (int i = 0; i < 3 && !world.journal.failed; i++)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_true(world.journal.failed);
	for (size_t i = 0; i < JOURNAL_WAITING / (64 * KIB) + 2; i++)
		add(line);
	assert_int_equal(world.journal.n_lost, 2);
	close(world.journal.fd);
	world.journal.fd = fd;
	until_written();
	assert_int_equal(world.lost, 2);
	text = read_all(&place, &gap);
	assert_memory_equal(text, "before\nwaits\n", strlen("before\nwaits\n"));
}

static void test_the_latest_begins_with_a_whole_line(void **unused)
{
	struct journal_place place;
	autobuf struct buf text = { 0 };
	bool gap;

	(void)unused;
	for (int i = 0; i < 20; i++)
		add("0123456789");
	until_written();
	place = journal_latest(world.fd, 35);
	assert_int_equal(journal_read(world.fd, &place, 4096, &text, &gap), 0);
	assert_string_equal(buf_str(&text), "0123456789\n0123456789\n0123456789\n");
}

static void test_the_latest_begins_in_the_segment_before_when_the_last_one_is_young(void **unused)
{
	struct journal_place place;
	autofree char *text = NULL;
	char line[101] = "";
	bool gap;

	(void)unused;
	memset(line, 'x', 100);
	for (int i = 0; i < 11; i++) {
		add(line);
		until_written();
	}
	add("young");
	until_written();
	place = journal_latest(world.fd, 350);
	assert_int_equal(place.segment, 1);
	text = read_all(&place, &gap);
	assert_int_equal(strlen(text), 2 * 101 + 101 + strlen("young\n"));
	assert_string_equal(text + strlen(text) - strlen("young\n"), "young\n");
	assert_false(gap);
}

static void test_a_line_that_no_reader_would_take_whole_is_lost(void **unused)
{
	struct journal_place place = { 0 };
	autofree char *line = xcalloc(1, JOURNAL_LINE + 1), *text = NULL;
	bool gap;

	(void)unused;
	memset(line, 'z', JOURNAL_LINE);
	add(line);
	add("next");
	until_written();
	assert_int_equal(world.lost, 1);
	text = read_all(&place, &gap);
	assert_string_equal(text, "next\n");
}

static void test_places_are_read_as_they_are_written(void **unused)
{
	static const char *const wrong[] = { "",
					     "1",
					     "1.",
					     ".1",
					     "x.1",
					     "1.x",
					     "-1.1",
					     "1.-1",
					     "1.1x",
					     " 1.1",
					     "99999999999999999999.0",
					     "1.99999999999999999999" };
	const struct journal_place place = { 7, 123456789012 };
	char text[JOURNAL_PLACE];
	struct journal_place read;

	(void)unused;
	journal_place_print(&place, text);
	assert_true(journal_place_parse(text, &read));
	assert_memory_equal(&read, &place, sizeof(place));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_false(journal_place_parse(wrong[i], &read));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_what_was_added_is_read_in_order_and_from_where_one_was, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_old_segments_go_and_a_reader_hears_of_it,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_a_line_is_cut_off_at_the_next_start,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_cannot_be_written_waits_and_what_has_no_room_is_counted, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_the_latest_begins_with_a_whole_line, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_the_latest_begins_in_the_segment_before_when_the_last_one_is_young,
			setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_line_that_no_reader_would_take_whole_is_lost,
						setup, teardown),
		cmocka_unit_test(test_places_are_read_as_they_are_written),
	};

	return cmocka_run_group_tests_name("control/events/journal", tests, NULL, NULL);
}
