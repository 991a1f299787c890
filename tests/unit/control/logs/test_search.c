/* Searches in several logs, page by page, and reads of one both ways: no event is lost and none
 * comes twice, wherever a page ends. */

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
#include "control/logs/search.h"
#include "control/logs/times.h"

#define LOGS  3
#define LINES 200

static int dir = -1;
static char root[] = "/tmp/doze-search-XXXXXX";
static struct log_source sources[LOGS];

static void write_log(size_t n)
{
	char times[IPC_ID_SIZE + 32], log[IPC_ID_SIZE + 32];
	struct log_times t;
	struct buf text = { 0 };
	int fd;

	snprintf(sources[n].id, sizeof(sources[n].id), "vm-%zu", n);
	sources[n].name = sources[n].id;
	sources[n].ended = true;
	snprintf(times, sizeof(times), "microvms/%s.times", sources[n].id);
	snprintf(log, sizeof(log), "microvms/%s.log", sources[n].id);
	log_times_open(&t, dir, times, 0, 1000);
	for (int i = 0; i < LINES; i++) {
		log_times_note(&t, (int64_t)text.size, 1000 + i / 4 * 10);
		buf_addf(&text, "%s line %d%s\n", sources[n].id, i, i % 7 ? "" : " seven");
	}
	log_times_close(&t);
	fd = openat(dir, log, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(io_write_full(fd, text.data, text.size), 0);
	close(fd);
	buf_free(&text);
}

static int fill(void **unused)
{
	(void)unused;
	if (!mkdtemp(root))
		return -1;
	dir = open(root, O_RDONLY | O_DIRECTORY);
	mkdirat(dir, "microvms", 0700);
	for (size_t i = 0; i < LOGS; i++)
		write_log(i);
	return 0;
}

static int clear(void **unused)
{
	(void)unused;
	close(dir);
	return io_remove_tree(AT_FDCWD, root);
}

/* All events of a search in pages of this size, "text\n" each. */
static size_t search(const char *pattern, size_t page, int64_t from, int64_t to, struct buf *all)
{
	struct log_search s = { .log_fd = dir,
				.sources = sources,
				.n = LOGS,
				.from_ms = from,
				.to_ms = to,
				.most = page };
	struct log_pattern p;
	struct err e;
	size_t n = 0;
	int64_t last = 0;

	assert_int_equal(log_pattern_read(&p, pattern, &e), 0);
	s.pattern = &p;
	do {
		log_search_run(&s);
		assert_true(s.events.n <= page);
		for (size_t i = 0; i < s.events.n; i++) {
			assert_true(s.events.all[i].ms >= last);
			last = s.events.all[i].ms;
			buf_add(all, s.events.all[i].text, s.events.all[i].size);
			buf_adds(all, "\n");
		}
		n += s.events.n;
		log_events_free(&s.events);
	} while (s.more);
	log_pattern_free(&p);
	return n;
}

static void test_pages_of_any_size_give_the_same_events(void **unused)
{
	struct buf whole = { 0 };

	(void)unused;
	assert_int_equal(search("", SEARCH_EVENTS, 0, INT64_MAX, &whole), LOGS * LINES);
	for (size_t page = 1; page < 50; page += 6) {
		struct buf parts = { 0 };

		assert_int_equal(search("", page, 0, INT64_MAX, &parts), LOGS * LINES);
		assert_string_equal(buf_str(&parts), buf_str(&whole));
		buf_free(&parts);
	}
	buf_free(&whole);
}

static void test_a_pattern_and_a_range_leave_what_matches(void **unused)
{
	struct buf got = { 0 };

	(void)unused;
	assert_int_equal(search("seven", 5, 0, INT64_MAX, &got), LOGS * 29);
	buf_clear(&got);
	assert_int_equal(search("vm-1", 100, 1010, 1030, &got), 8);
	assert_non_null(strstr(buf_str(&got), "vm-1 line 4\n"));
	assert_non_null(strstr(buf_str(&got), "vm-1 line 11\n"));
	assert_int_equal(search("", 100, 5000, INT64_MAX, &got), 0);
	buf_free(&got);
}

static size_t read_pages(bool backward, size_t page)
{
	struct log_read r = { .log_fd = dir,
			      .source = &sources[0],
			      .to_ms = INT64_MAX,
			      .most = page,
			      .backward = backward,
			      .place = -1 };
	size_t n = 0, got;
	bool seen[LINES] = { false };

	do {
		log_read_run(&r);
		got = r.events.n;
		for (size_t i = 0; i < got; i++) {
			char text[64];
			int line;

			snprintf(text, sizeof(text), "%.*s", (int)r.events.all[i].size,
				 r.events.all[i].text);
			assert_int_equal(sscanf(text, "vm-0 line %d", &line), 1);
			assert_false(seen[line]);
			seen[line] = true;
		}
		log_events_free(&r.events);
		n += got;
		r.place = backward ? r.first : r.behind;
	} while (got);
	assert_int_equal(r.place, backward ? 0 : r.behind);
	return n;
}

static void test_one_log_is_read_both_ways(void **unused)
{
	(void)unused;
	assert_int_equal(read_pages(false, 7), LINES);
	assert_int_equal(read_pages(true, 7), LINES);
	assert_int_equal(read_pages(true, SEARCH_EVENTS), LINES);
}

/* A page that begins behind what is there comes again, until there is more. */
static void test_a_read_from_the_end_goes_on_with_what_comes(void **unused)
{
	struct log_read r = { .log_fd = dir,
			      .source = &sources[1],
			      .to_ms = INT64_MAX,
			      .most = 10,
			      .backward = true,
			      .place = -1 };
	int64_t behind;
	int fd;

	(void)unused;
	log_read_run(&r);
	behind = r.behind;
	assert_int_equal(r.events.n, 10);
	log_events_free(&r.events);
	r.backward = false;
	r.place = behind;
	log_read_run(&r);
	assert_int_equal(r.events.n, 0);
	assert_int_equal(r.behind, behind);
	fd = openat(dir, "microvms/vm-1.log", O_WRONLY | O_APPEND);
	assert_int_equal(io_write_full(fd, "more\n", 5), 0);
	close(fd);
	r.place = behind;
	log_read_run(&r);
	assert_int_equal(r.events.n, 1);
	assert_memory_equal(r.events.all[0].text, "more", 4);
	log_events_free(&r.events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_of_any_size_give_the_same_events),
		cmocka_unit_test(test_a_pattern_and_a_range_leave_what_matches),
		cmocka_unit_test(test_one_log_is_read_both_ways),
		cmocka_unit_test(test_a_read_from_the_end_goes_on_with_what_comes),
	};

	return cmocka_run_group_tests_name("log search", tests, fill, clear);
}
