#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "ipc/touched.h"
#include "vmm/snap/ram.h"

#define PAGES 5000U
#define SIZE  (PAGES * 4096ULL)

static int file(void)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void save(struct ram_save *s)
{
	struct err e;
	int rc;

	while (!(rc = ram_save_step(s, &e)))
		;
	assert_int_equal(rc, 1);
}

static uint8_t *page(const struct mem *m, uint64_t n)
{
	return m->window + n * 4096;
}

/* A guest with pages 3, 4 and 4999 written and 7 looked at. */
static int image(uint64_t *written)
{
	autoclose int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct ram_save s = { 0 };
	struct mem m;
	struct err e;

	assert_int_equal(mem_reserve(&m, SIZE, &e), 0);
	assert_int_equal(mem_attach_empty(&m, &e), 0);
	*page(&m, 3) = 'c';
	*page(&m, 4) = 'd';
	*page(&m, 4999) = 'z';
	*(volatile uint8_t *)page(&m, 7) = 0;
	ram_save_begin(&s, &m, pagemap, -1, file());
	save(&s);
	*written = s.to.written;
	buf_free(&s.runs);
	mem_release(&m);
	return s.to.fd;
}

static void an_image_holds_the_pages_that_are_not_zero(void **state)
{
	uint64_t written;
	autoclose int fd = image(&written);
	struct stat st;
	char c;

	(void)state;
	assert_int_equal(written, 3 * 4096);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_int_equal(pread(fd, &c, 1, 4999 * 4096), 1);
	assert_int_equal(c, 'z');
}

/* Write over a clone, save it, lay it over another clone. */
static void a_save_holds_what_differs_and_brings_it_back(void **state)
{
	autoclose int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	autoclose int to = file();
	uint64_t written;
	autoclose int fd = image(&written);
	struct ram_save s = { 0 };
	struct mem m;
	struct format f = { .memory_mib = 20 };
	autofree uint8_t *was = xmalloc(SIZE);
	struct err e;

	(void)state;
	assert_int_equal(mem_reserve(&m, SIZE, &e), 0);
	assert_int_equal(mem_attach_file(&m, fd, &e), 0);
	*page(&m, 3) = 'c'; /* the same as it was */
	*page(&m, 4) = 0;   /* zero now, which it was not */
	*page(&m, 5) = 'e';
	*page(&m, 4500) = 'y'; /* in the second step */
	ram_save_begin(&s, &m, pagemap, fd, to);
	save(&s);
	assert_int_equal(s.to.written, 2 * 4096);
	f.runs = s.runs.data;
	f.n_runs = s.runs.size / sizeof(struct format_run);
	assert_int_equal(f.n_runs, 2);
	assert_int_equal(format_run(&f, 0).first, 4);
	assert_int_equal(format_run(&f, 0).n, 2);
	assert_int_equal(format_run(&f, 1).first, 4500);

	memcpy(was, m.window, SIZE);
	mem_release(&m);

	assert_int_equal(mem_reserve(&m, SIZE, &e), 0);
	assert_int_equal(mem_attach_file(&m, fd, &e), 0);
	assert_int_equal(ram_lay(&m, to, &f, &e), 0);
	assert_memory_equal(m.window, was, SIZE);
	buf_free(&s.runs);
	mem_release(&m);
}

/* A page that was only looked at is there too. */
static void what_was_touched_is_told(void **state)
{
	autoclose int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	autobuf struct buf runs = { 0 };
	uint64_t first = 0, n = 0;
	struct mem m;
	struct err e;
	size_t at = 0;

	(void)state;
	assert_int_equal(mem_reserve(&m, SIZE, &e), 0);
	assert_int_equal(mem_attach_empty(&m, &e), 0);
	*page(&m, 7) = 'x';
	*page(&m, 4500) = 'y'; /* in the second step */
	assert_int_equal(ram_touched(&m, pagemap, &runs, &e), 0);
	assert_true(touched_next(runs.data, runs.size, &at, SIZE / 4096, &first, &n));
	assert_int_equal(first, 7);
	assert_int_equal(n, 1);
	assert_true(touched_next(runs.data, runs.size, &at, SIZE / 4096, &first, &n));
	assert_int_equal(first, 4500);
	assert_int_equal(at, runs.size);
	mem_release(&m);
}

static void a_memory_file_that_is_cut_is_an_error(void **state)
{
	autoclose int cut = file();
	struct format f = { .memory_mib = 20 };
	struct buf runs = { 0 };
	struct mem m;
	struct err e;

	(void)state;
	format_add_run(&runs, 1, 2);
	f.runs = runs.data;
	f.n_runs = 1;
	assert_int_equal(ftruncate(cut, 4096 * 2), 0);
	assert_int_equal(mem_reserve(&m, SIZE, &e), 0);
	assert_int_equal(mem_attach_empty(&m, &e), 0);
	assert_int_equal(ram_lay(&m, cut, &f, &e), -1);
	buf_free(&runs);
	mem_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_holds_the_pages_that_are_not_zero),
		cmocka_unit_test(a_save_holds_what_differs_and_brings_it_back),
		cmocka_unit_test(what_was_touched_is_told),
		cmocka_unit_test(a_memory_file_that_is_cut_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
