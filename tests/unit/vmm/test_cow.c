#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/dev/cow.h"

#define B      DISK_DELTA_BLOCK
#define BLOCKS (8192 + 64) /* into the second line of the bitmap */
#define SIZE   ((uint64_t)BLOCKS * B)

static int file(uint64_t size)
{
	int fd = memfd_create("disk", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static int copy_of(int fd)
{
	int dup = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	assert_true(dup >= 0);
	return dup;
}

static void disk(struct cow *c, int root, const int *layers, unsigned n)
{
	struct err e;

	assert_int_equal(cow_open(c, root, layers, n, &e), 0);
}

static int put(struct cow *c, uint64_t at, const void *data, size_t size)
{
	autofree uint8_t *bytes = xmalloc(size);
	struct iovec seg[2] = { { bytes, size / 3 }, { bytes + size / 3, size - size / 3 } };
	struct span s = { seg, 2, size };

	memcpy(bytes, data, size);
	return cow_write(c, at, &s);
}

static void get(struct cow *c, uint64_t at, void *data, size_t size)
{
	struct iovec seg[2] = { { data, size / 2 },
				{ (uint8_t *)data + size / 2, size - size / 2 } };
	struct span s = { seg, 2, size };

	assert_int_equal(cow_read(c, at, &s), 0);
	assert_int_equal(s.size, 0);
}

static void fill(struct cow *c, uint64_t block, uint64_t n, int with)
{
	autofree uint8_t *bytes = xmalloc(n * B);

	memset(bytes, with, n * B);
	assert_int_equal(put(c, block * B, bytes, n * B), 0);
}

static void each_block_comes_from_the_first_layer_that_has_it(void **state)
{
	int root = file(SIZE), image = file(0), save = file(0), top = file(0);
	char got[5 * B];
	static struct cow c;

	(void)state;
	assert_int_equal(pwrite(root, "root", 4, 4 * B), 4);
	disk(&c, copy_of(root), (int[]){ copy_of(image) }, 1);
	fill(&c, 1, 3, 'i');
	cow_close(&c);
	disk(&c, copy_of(root), (int[]){ copy_of(save), copy_of(image) }, 2);
	fill(&c, 2, 1, 's');
	cow_close(&c);
	disk(&c, root, (int[]){ top, save, image }, 3);
	fill(&c, 3, 1, 't');
	get(&c, 0, got, sizeof(got));
	for (int i = 0; i < 5; i++)
		assert_int_equal(got[i * B], "\0ist"
					     "r"[i]);
	cow_close(&c);
}

static void a_part_of_a_block_brings_the_rest_of_it_up(void **state)
{
	int root = file(SIZE), top = file(0);
	char got[3 * B];
	static struct cow c;

	(void)state;
	memset(got, 'r', sizeof(got));
	assert_int_equal(pwrite(root, got, sizeof(got), 0), sizeof(got));
	disk(&c, root, (int[]){ top }, 1);
	memset(got, 'w', sizeof(got));
	assert_int_equal(put(&c, B - 512, got, B + 1024), 0); /* tail, whole, head */
	assert_int_equal(put(&c, B - 1024, "x", 1), 0);       /* in place */
	get(&c, 0, got, sizeof(got));
	assert_int_equal(got[B - 1025], 'r');
	assert_int_equal(got[B - 1024], 'x');
	assert_int_equal(got[B - 513], 'r');
	assert_int_equal(got[B - 512], 'w');
	assert_int_equal(got[2 * B + 511], 'w');
	assert_int_equal(got[2 * B + 512], 'r');
	cow_close(&c);
}

/* Against a plain array: writes, zeros and discards of any place and length, across the end of a
 * line of the bitmap, and the layers reopened. */
static void any_sequence_reads_as_on_a_plain_disk(void **state)
{
	enum { WINDOW = 48 * B, AT = 8192 * B - 24 * B };
	static uint8_t model[WINDOW], got[WINDOW], data[WINDOW];
	int root = file(SIZE), layers[3] = { file(0), file(0), file(0) };
	static struct cow c;

	(void)state;
	srandom(7);
	for (size_t i = 0; i < WINDOW; i++)
		model[i] = (uint8_t)random();
	assert_int_equal(pwrite(root, model, WINDOW, AT), WINDOW);
	for (unsigned n = 1; n <= 3; n++) {
		int fds[3];

		for (unsigned i = 0; i < n; i++)
			fds[i] = copy_of(layers[n - 1 - i]);
		disk(&c, copy_of(root), fds, n);
		for (int i = 0; i < 300; i++) {
			size_t from = (size_t)random() % (WINDOW / 512) * 512;
			size_t size = ((size_t)random() % 40 + 1) * 512;

			if (size > WINDOW - from)
				size = WINDOW - from;
			if (i % 3 == 0) {
				memset(model + from, 0, size);
				assert_int_equal(cow_zero(&c, AT + from, size), 0);
			} else {
				memset(data, i + 1, size);
				memcpy(model + from, data, size);
				assert_int_equal(put(&c, AT + from, data, size), 0);
			}
			if (i % 10)
				continue;
			get(&c, AT, got, WINDOW);
			assert_memory_equal(got, model, WINDOW);
		}
		cow_close(&c);
	}
	/* What the middle layer has goes into the top: two are as good as three. */
	disk(&c, copy_of(root),
	     (int[]){ copy_of(layers[2]), copy_of(layers[1]), copy_of(layers[0]) }, 3);
	assert_int_equal(cow_copy_present(&c.layer[1], &c.layer[0]), 0);
	assert_int_equal(cow_sync(&c), 0);
	cow_close(&c);
	disk(&c, root, (int[]){ layers[2], layers[0] }, 2);
	get(&c, AT, got, WINDOW);
	assert_memory_equal(got, model, WINDOW);
	cow_close(&c);
	close(layers[1]);
}

static void a_discard_takes_room_back_and_reads_as_zeros(void **state)
{
	int root = file(SIZE), top = file(0);
	struct stat before, after;
	char got[B];
	static struct cow c;

	(void)state;
	assert_int_equal(pwrite(root, "below", 5, 7 * B), 5);
	disk(&c, root, (int[]){ top }, 1);
	fill(&c, 0, 64, 'x');
	assert_int_equal(fstat(top, &before), 0);
	assert_int_equal(cow_discard(&c, 512, 63 * B), 0); /* from block 1 to 62 */
	assert_int_equal(fstat(top, &after), 0);
	assert_int_equal((before.st_blocks - after.st_blocks) * 512, 62 * B);
	get(&c, 7 * B, got, B);
	assert_int_equal(got[0], 0);
	get(&c, 63 * B, got, B);
	assert_int_equal(got[0], 'x'); /* a part of a block stays */
	cow_close(&c);
}

static void nothing_is_written_to_the_overlay_before_the_guest_writes(void **state)
{
	int root = file(SIZE), top = file(0), twice = file(0);
	struct stat st;
	char got[B];
	static struct cow c;

	(void)state;
	disk(&c, root, (int[]){ top, twice }, 2);
	get(&c, 0, got, B);
	assert_int_equal(cow_copy_present(&c.layer[1], &c.layer[0]), 0);
	assert_int_equal(fstat(top, &st), 0);
	assert_int_equal(st.st_size, 0);
	cow_close(&c);
}

static void a_full_or_broken_file_is_an_error_and_what_was_there_stays(void **state)
{
	int root = file(SIZE), top = file(0);
	char got[B];
	static struct cow c;

	(void)state;
	disk(&c, root, (int[]){ top }, 1);
	fill(&c, 5, 1, 'a');
	assert_int_equal(fcntl(top, F_ADD_SEALS, F_SEAL_WRITE), 0);
	memset(got, 'b', B);
	assert_true(put(&c, 5 * B, got, B) < 0);
	assert_true(put(&c, 9 * B, got, B) < 0);
	assert_true(cow_zero(&c, 5 * B, B) < 0);
	assert_true(cow_zero(&c, 9 * B, 512) < 0);
	assert_true(cow_discard(&c, 5 * B, B) < 0);
	get(&c, 5 * B, got, B);
	assert_int_equal(got[0], 'a');
	get(&c, 9 * B, got, B);
	assert_int_equal(got[0], 0);
	cow_close(&c);
}

static void a_file_that_becomes_shorter_is_an_error_of_the_disk(void **state)
{
	int root = file(SIZE), top = file(0);
	struct iovec seg;
	struct span s = { &seg, 1, B };
	static char got[B];
	static struct cow c;

	(void)state;
	disk(&c, root, (int[]){ top }, 1);
	fill(&c, 5, 1, 'a');
	assert_int_equal(ftruncate(top, DISK_DELTA_HEAD), 0);
	seg = (struct iovec){ got, B };
	assert_true(cow_read(&c, 5 * B, &s) < 0);
	memset(c.layer[0].held, 0, sizeof(c.layer[0].held));
	assert_true(cow_read(&c, 5 * B, &s) < 0); /* its bitmap too */
	cow_close(&c);
}

static void a_delta_that_is_damaged_or_another_disks_is_refused_in_words(void **state)
{
	static const struct {
		off_t at;
		const char *bytes, *says;
	} cases[] = {
		{ 0, "QFI\xfb", "no disk delta" },
		{ 8, "\2", "damaged" },
		{ 16, "\1", "damaged" },
		{ 28, "\1\2\3", "damaged" },
	};
	static struct cow c;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int root = file(SIZE), top = file(0);

		disk(&c, copy_of(root), (int[]){ copy_of(top) }, 1);
		fill(&c, 0, 1, 'a');
		cow_close(&c);
		assert_true(pwrite(top, cases[i].bytes, strlen(cases[i].bytes), cases[i].at) > 0);
		assert_int_equal(cow_open(&c, root, (int[]){ top }, 1, &e), -1);
		if (!strstr(e.text, cases[i].says))
			fail_msg("%s", e.text);
		close(root);
		close(top);
	}
	int root = file(SIZE), top = file(0), other = file(SIZE - B), odd = file(SIZE - 512);

	disk(&c, root, (int[]){ copy_of(top) }, 1);
	fill(&c, 0, 1, 'a');
	cow_close(&c);
	assert_int_equal(cow_open(&c, other, (int[]){ top }, 1, &e), -1);
	assert_non_null(strstr(e.text, "belongs to a disk of"));
	assert_int_equal(cow_open(&c, odd, (int[]){ top }, 1, &e), -1);
	root = file(SIZE);
	assert_int_equal(ftruncate(top, (off_t)SIZE), 0);
	assert_int_equal(cow_open(&c, root, (int[]){ top }, 1, &e), -1);
	assert_non_null(strstr(e.text, "cut off"));
	close(root);
	close(top);
	close(other);
	close(odd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_block_comes_from_the_first_layer_that_has_it),
		cmocka_unit_test(a_part_of_a_block_brings_the_rest_of_it_up),
		cmocka_unit_test(any_sequence_reads_as_on_a_plain_disk),
		cmocka_unit_test(a_discard_takes_room_back_and_reads_as_zeros),
		cmocka_unit_test(nothing_is_written_to_the_overlay_before_the_guest_writes),
		cmocka_unit_test(a_full_or_broken_file_is_an_error_and_what_was_there_stays),
		cmocka_unit_test(a_file_that_becomes_shorter_is_an_error_of_the_disk),
		cmocka_unit_test(a_delta_that_is_damaged_or_another_disks_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
