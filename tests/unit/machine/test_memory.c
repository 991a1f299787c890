/* The MEMORY file of a snapshot. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine/memory.h"

enum { PAGE = FORMAT_PAGE, PAGES = 8 };

static uint8_t own[PAGES * PAGE], image[PAGES * PAGE], back[PAGES * PAGE];

static int setup(void **state)
{
	(void)state;
	memset(own, 0, sizeof(own));
	memset(image, 0, sizeof(image));
	return 0;
}

static int file(void)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void pages_of_zeros_are_holes(void **state)
{
	autoclose int fd = file();
	struct memory_file f = { .fd = fd };
	struct stat st;
	struct err e;

	(void)state;
	own[2 * PAGE] = own[3 * PAGE] = own[6 * PAGE + 5] = 1;
	assert_int_equal(memory_put(&f, own, 100, PAGES, &e), 0);
	assert_int_equal(memory_end(&f, 200 * PAGE, &e), 0);
	assert_int_equal(f.written, 3 * PAGE);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 200 * PAGE);
	assert_int_equal(st.st_blocks * 512, 3 * PAGE);
	assert_int_equal(memory_read(fd, back, sizeof(back), 100 * PAGE, &e), 0);
	assert_memory_equal(back, own, sizeof(own));
}

static void what_differs_becomes_runs_and_what_of_it_is_zero_a_hole(void **state)
{
	autoclose int fd = file();
	struct memory_file f = { .fd = fd };
	autobuf struct buf runs = { 0 };
	struct format format = { 0 };
	struct err e;

	(void)state;
	own[0] = image[0] = 7; /* the same */
	image[2 * PAGE] = 1;   /* zero now */
	own[3 * PAGE] = 1;
	own[7 * PAGE] = 1;
	assert_int_equal(memory_put_changed(&f, own, image, 50, PAGES, &runs, &e), 0);
	assert_int_equal(f.written, 2 * PAGE);
	format.runs = runs.data;
	format.n_runs = runs.size / sizeof(struct format_run);
	assert_int_equal(format.n_runs, 2);
	assert_int_equal(format_run(&format, 0).first, 52);
	assert_int_equal(format_run(&format, 0).n, 2);
	assert_int_equal(format_run(&format, 1).first, 57);
	assert_int_equal(format_run(&format, 1).n, 1);
}

static void a_full_disk_is_told_apart(void **state)
{
	struct memory_file f = { .fd = open("/dev/full", O_WRONLY | O_CLOEXEC) };
	struct err e;

	(void)state;
	assert_true(f.fd >= 0);
	own[0] = 1;
	assert_int_equal(memory_put(&f, own, 0, PAGES, &e), -1);
	assert_int_equal(e.kind, ERR_CAPACITY);
	assert_int_equal(f.written, 0);
	close(f.fd);
}

static void a_file_that_is_cut_is_an_error(void **state)
{
	autoclose int fd = file();
	struct err e;

	(void)state;
	assert_int_equal(ftruncate(fd, PAGE + 1), 0);
	assert_int_equal(memory_read(fd, back, PAGE, 0, &e), 0);
	assert_int_equal(memory_read(fd, back, PAGE, PAGE, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(pages_of_zeros_are_holes, setup),
		cmocka_unit_test_setup(what_differs_becomes_runs_and_what_of_it_is_zero_a_hole,
				       setup),
		cmocka_unit_test_setup(a_full_disk_is_told_apart, setup),
		cmocka_unit_test_setup(a_file_that_is_cut_is_an_error, setup),
	};

	return cmocka_run_group_tests_name("machine/memory", tests, NULL, NULL);
}
