/* The two files by which an application sees that it was resumed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "guest/generation.h"

struct seen {
	char text[34];
	uint32_t counter;
};

struct fixture {
	int text_fd, counter_fd;
	struct generation generation;
};

static const uint8_t first[GENERATION_BYTES] = { 0x00, 0x1f, 0xa0, [15] = 0xff };

static struct seen look(const struct fixture *f)
{
	struct seen s = { .text = "" };

	assert_int_equal(pread(f->text_fd, s.text, sizeof(s.text), 0), 33);
	assert_int_equal(pread(f->counter_fd, &s.counter, sizeof(s.counter), 0), 4);
	return s;
}

static int make(void **state)
{
	static struct fixture f;
	struct err e;

	f = (struct fixture){ .text_fd = memfd_create("text", MFD_CLOEXEC),
			      .counter_fd = memfd_create("counter", MFD_CLOEXEC) };
	*state = &f;
	return generation_map(&f.generation, f.text_fd, f.counter_fd, &e);
}

static int drop(void **state)
{
	struct fixture *f = *state;

	munmap(f->generation.text, 33);
	munmap((void *)(uintptr_t)f->generation.counter, 4);
	close(f->text_fd);
	close(f->counter_fd);
	return 0;
}

static void a_line_of_digits_and_a_number_are_there_from_the_start(void **state)
{
	struct seen s = look(*state);

	assert_int_equal(strspn(s.text, "0123456789abcdef"), 32);
	assert_string_equal(s.text + 32, "\n");
	assert_int_equal(s.counter, 1);
}

static void the_next_one_has_the_digits_that_were_drawn(void **state)
{
	struct fixture *f = *state;
	struct seen s;

	generation_next(&f->generation, first);
	s = look(f);
	assert_string_equal(s.text, "001fa0000000000000000000000000ff\n");
	assert_int_equal(s.counter, 2);
}

static void the_number_is_never_0(void **state)
{
	struct fixture *f = *state;

	*f->generation.counter = UINT32_MAX;
	generation_next(&f->generation, first);
	assert_int_equal(look(f).counter, 1);
}

static void a_rehearsal_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct seen before = look(f), after;

	generation_rehearse(&f->generation);
	after = look(f);
	assert_string_equal(after.text, before.text);
	assert_int_equal(after.counter, before.counter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_line_of_digits_and_a_number_are_there_from_the_start, make, drop),
		cmocka_unit_test_setup_teardown(the_next_one_has_the_digits_that_were_drawn, make,
						drop),
		cmocka_unit_test_setup_teardown(the_number_is_never_0, make, drop),
		cmocka_unit_test_setup_teardown(a_rehearsal_changes_nothing, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
