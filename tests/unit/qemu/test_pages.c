/* Pages of a process: this test is the process whose memory is saved and laid. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "qemu/pages.h"

#define PAGES 1024
#define SIZE  ((size_t)PAGES * FORMAT_PAGE)

static int make_memory(void)
{
	int fd = memfd_create("ram", MFD_CLOEXEC);
	uint8_t page[FORMAT_PAGE];

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)SIZE), 0);
	for (int i = 0; i < PAGES; i += 2) {
		memset(page, i & 0xff, sizeof(page));
		assert_int_equal(pwrite(fd, page, sizeof(page), i * FORMAT_PAGE), sizeof(page));
	}
	return fd;
}

static uint8_t *map_private(int fd)
{
	uint8_t *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	assert_true(at != MAP_FAILED);
	return at;
}

static void fill(uint8_t *at, size_t page, uint8_t value)
{
	memset(at + page * FORMAT_PAGE, value, FORMAT_PAGE);
}

static void test_a_save_laid_over_the_image_is_the_same_memory(void **unused)
{
	int image = make_memory(), file = memfd_create("save", MFD_CLOEXEC);
	uint8_t *old = map_private(image), *fresh;
	autobuf struct buf runs = { 0 };
	struct pages_view v;
	struct format f = { 0 };
	struct err e = { 0 };
	uint64_t written = 0;

	(void)unused;
	fill(old, 1, 0x55);         /* was a hole */
	fill(old, 2, 0x66);         /* was other data */
	fill(old, 3, 0x77);         /* in one run with them */
	fill(old, 100, 0);          /* became zeros */
	fill(old, 200, 200);        /* its own, but the same */
	fill(old, PAGES - 1, 0x88); /* the last */
	assert_int_equal(pages_open(&v, getpid(), image, SIZE, &e), 0);
	assert_true(v.at == (uintptr_t)old);
	assert_int_equal(pages_save(&v, image, file, &runs, &written, &e), 0);
	pages_close(&v);
	f.runs = runs.data;
	f.n_runs = runs.size / 16;
	assert_int_equal(f.n_runs, 3);
	assert_int_equal(format_run(&f, 0).first, 1);
	assert_int_equal(format_run(&f, 0).n, 3);
	assert_int_equal(format_run(&f, 1).first, 100);
	assert_int_equal(written, 4 * FORMAT_PAGE);

	fresh = xmalloc(SIZE);
	memcpy(fresh, old, SIZE);
	assert_int_equal(munmap(old, SIZE), 0);
	old = map_private(image);
	assert_int_equal(pages_open(&v, getpid(), image, SIZE, &e), 0);
	assert_int_equal(pages_lay(&v, file, &f, &e), 0);
	pages_close(&v);
	assert_memory_equal(old, fresh, SIZE);

	free(fresh);
	munmap(old, SIZE);
	close(image);
	close(file);
}

static void test_a_copy_has_all_the_bytes_and_the_holes(void **unused)
{
	int image = make_memory(), file = memfd_create("copy", MFD_CLOEXEC);
	uint8_t *one = map_private(image), *other;
	struct err e = { 0 };
	uint64_t written = 0;
	struct stat st;

	(void)unused;
	assert_int_equal(pages_copy(image, SIZE, file, &written, &e), 0);
	other = map_private(file);
	assert_memory_equal(one, other, SIZE);
	/* every second page has data; of those, four are zeros: numbers 0, 256, 512, 768 */
	assert_int_equal(written, (PAGES / 2 - 4) * FORMAT_PAGE);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	munmap(one, SIZE);
	munmap(other, SIZE);
	close(image);
	close(file);
}

static void test_a_memory_that_is_not_mapped_is_an_error(void **unused)
{
	int image = make_memory();
	struct pages_view v;
	struct err e;

	(void)unused;
	assert_int_equal(pages_open(&v, getpid(), image, SIZE, &e), -1);
	close(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_save_laid_over_the_image_is_the_same_memory),
		cmocka_unit_test(test_a_copy_has_all_the_bytes_and_the_holes),
		cmocka_unit_test(test_a_memory_that_is_not_mapped_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
