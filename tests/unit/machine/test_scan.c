/* Pages of this process, by both ways that a kernel may have. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine/scan.h"

#define PAGE  4096
#define PAGES 10000

static uint8_t *at;
static int pagemap = -1;
static struct scan scan;

static int open_memory(void **state)
{
	int file = memfd_create("memory", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(file, (off_t)PAGES * PAGE), 0);
	at = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	close(file);
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	assert_true(pagemap >= 0);
	return 0;
}

static int close_memory(void **state)
{
	(void)state;
	munmap(at, (size_t)PAGES * PAGE);
	close(pagemap);
	return 0;
}

static void write_pages(size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		at[i * PAGE] = 'x';
}

/* Whether exactly these pages are found alone, as runs that are nowhere one behind the other. */
static void assert_alone(bool by_entry, const bool *expected)
{
	static bool found[PAGES];
	uint64_t end = 0;
	struct err e;
	int rc;

	memset(found, 0, sizeof(found));
	scan_begin(&scan, pagemap, (uintptr_t)at, PAGES, true);
	scan.by_entry = by_entry;
	while ((rc = scan_step(&scan, &e)) > 0) {
		for (size_t i = 0; i < scan.n_runs; i++) {
			assert_true(scan.run[i].n > 0 && scan.run[i].first >= end);
			assert_true(!i || scan.run[i].first > end);
			end = scan.run[i].first + scan.run[i].n;
			assert_true(end <= PAGES);
			memset(found + scan.run[i].first, 1, scan.run[i].n);
		}
	}
	assert_int_equal(rc, 0);
	assert_memory_equal(found, expected, sizeof(found));
}

static void pages_that_were_written_are_alone_and_others_not(void **state)
{
	static bool expected[PAGES];

	(void)state;
	memset(expected, 0, sizeof(expected));
	write_pages(0, 1);
	write_pages(100, 30);
	write_pages(PAGES - 1, 1);
	for (size_t i = 200; i < 300; i++)
		assert_int_equal(*(volatile uint8_t *)(at + i * PAGE), 0); /* looked at */
	expected[0] = expected[PAGES - 1] = true;
	memset(expected + 100, 1, 30);
	assert_alone(false, expected);
	assert_alone(true, expected);
}

static void more_runs_than_a_stretch_holds_are_all_found(void **state)
{
	static bool expected[PAGES];

	(void)state;
	for (size_t i = 0; i < PAGES; i++) {
		expected[i] = i % 2;
		if (i % 2)
			write_pages(i, 1);
	}
	assert_alone(false, expected);
	assert_alone(true, expected);
}

static void one_long_run_is_found(void **state)
{
	static bool expected[PAGES];

	(void)state;
	memset(expected, 1, sizeof(expected));
	write_pages(0, PAGES);
	assert_alone(false, expected);
	assert_alone(true, expected);
}

static void pages_that_were_looked_at_are_there(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(*(volatile uint8_t *)(at + 5000UL * PAGE), 0);
	for (int by_entry = 0; by_entry < 2; by_entry++) {
		bool seen = false;

		scan_begin(&scan, pagemap, (uintptr_t)at, PAGES, false);
		scan.by_entry = by_entry;
		while (scan_step(&scan, &e) > 0)
			for (size_t i = 0; i < scan.n_runs; i++)
				seen = seen || (scan.run[i].first <= 5000 &&
						scan.run[i].first + scan.run[i].n > 5000);
		assert_true(seen);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_memory, close_memory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_that_were_written_are_alone_and_others_not),
		TEST(more_runs_than_a_stretch_holds_are_all_found),
		TEST(one_long_run_is_found),
		TEST(pages_that_were_looked_at_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
