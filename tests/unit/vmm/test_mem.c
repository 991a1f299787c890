#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/mem.h"

static void memory_beyond_the_hole_lies_directly_behind_in_the_window(void **state)
{
	struct mem m;
	struct err e;

	(void)state;
	assert_int_equal(mem_reserve(&m, 5 * GIB, &e), 0);
	assert_int_equal(m.n_ranges, 2);
	assert_ptr_equal(mem_slice(&m, 0, 1), m.window);
	assert_ptr_equal(mem_slice(&m, MEM_LOW_MAX - 1, 1), m.window + MEM_LOW_MAX - 1);
	assert_ptr_equal(mem_slice(&m, MEM_HIGH, 1), m.window + MEM_LOW_MAX);
	assert_ptr_equal(mem_slice(&m, MEM_HIGH + 2 * GIB - 4, 4), m.window + 5 * GIB - 4);
	mem_release(&m);
}

static void what_is_not_wholly_in_one_range_is_no_memory(void **state)
{
	static const struct {
		uint64_t gpa, len;
	} cases[] = {
		{ 0, 0 },
		{ MEM_LOW_MAX - 1, 2 },
		{ MEM_LOW_MAX, 1 },
		{ MEM_HIGH - 1, 2 },
		{ MEM_HIGH + 2 * GIB, 1 },
		{ MEM_HIGH + 2 * GIB - 1, 2 },
		{ 0, ~0ULL },
		{ ~0ULL, 2 },
		{ 1, ~0ULL },
	};
	struct mem m;
	struct err e;

	(void)state;
	assert_int_equal(mem_reserve(&m, 5 * GIB, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_null(mem_slice(&m, cases[i].gpa, cases[i].len));
	mem_release(&m);
}

static void a_guest_of_32_gib_and_one_of_exactly_the_low_part_fit(void **state)
{
	struct mem m;
	struct err e;

	(void)state;
	assert_int_equal(mem_reserve(&m, 32 * GIB, &e), 0);
	assert_non_null(mem_slice(&m, MEM_HIGH + 29 * GIB - 1, 1));
	mem_release(&m);
	assert_int_equal(mem_reserve(&m, MEM_LOW_MAX, &e), 0);
	assert_int_equal(m.n_ranges, 1);
	assert_null(mem_slice(&m, MEM_HIGH, 1));
	mem_release(&m);
	assert_int_equal(mem_reserve(&m, 4097, &e), -1);
}

static void what_is_written_over_a_file_stays_in_this_process(void **state)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct mem m;
	struct err e;
	char back = 0;

	(void)state;
	assert_int_equal(ftruncate(fd, MIB), 0);
	assert_int_equal(pwrite(fd, "x", 1, 4096), 1);
	assert_int_equal(mem_reserve(&m, MIB, &e), 0);
	assert_int_equal(mem_attach_file(&m, fd, &e), 0);
	assert_int_equal(*(char *)mem_slice(&m, 4096, 1), 'x');
	*(char *)mem_slice(&m, 4096, 1) = 'y';
	assert_int_equal(pread(fd, &back, 1, 4096), 1);
	assert_int_equal(back, 'x');
	mem_release(&m);
	close(fd);
}

static void what_is_attached_is_not_replaced(void **state)
{
	struct mem m;
	struct err e;

	(void)state;
	assert_int_equal(mem_reserve(&m, MIB, &e), 0);
	assert_int_equal(mem_attach_empty(&m, &e), 0);
	*(char *)mem_slice(&m, 0, 1) = 'x';
	assert_int_equal(mem_attach_empty(&m, &e), -1);
	assert_int_equal(*(char *)mem_slice(&m, 0, 1), 'x');
	mem_release(&m);
}

/* Its tables are then as few as they can be. */
static void a_small_window_lies_in_one_gib(void **state)
{
	struct mem m;
	struct err e;

	(void)state;
	for (uint64_t size = 2 * MIB; size <= GIB; size *= 2) {
		assert_int_equal(mem_reserve(&m, size, &e), 0);
		assert_int_equal((uintptr_t)m.window / GIB, ((uintptr_t)m.window + size - 1) / GIB);
		mem_release(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_beyond_the_hole_lies_directly_behind_in_the_window),
		cmocka_unit_test(what_is_not_wholly_in_one_range_is_no_memory),
		cmocka_unit_test(a_guest_of_32_gib_and_one_of_exactly_the_low_part_fit),
		cmocka_unit_test(what_is_written_over_a_file_stays_in_this_process),
		cmocka_unit_test(what_is_attached_is_not_replaced),
		cmocka_unit_test(a_small_window_lies_in_one_gib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
