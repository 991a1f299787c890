/* Little-endian numbers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/bytes.h"

static void test_numbers_stand_with_their_least_byte_first(void **unused)
{
	uint8_t room[17] = { 0 };

	(void)unused;
	put_le16(room + 1, 0xfedc);
	put_le32(room + 3, 0xba987654);
	put_le64(room + 7, 0xfedcba9876543210);
	assert_memory_equal(room, "\0\xdc\xfe\x54\x76\x98\xba\x10\x32\x54\x76\x98\xba\xdc\xfe\0\0",
			    17);
	assert_int_equal(get_le16(room + 1), 0xfedc);
	assert_int_equal(get_le32(room + 3), 0xba987654);
	assert_true(get_le64(room + 7) == 0xfedcba9876543210);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_stand_with_their_least_byte_first),
	};

	return cmocka_run_group_tests_name("base/bytes", tests, NULL, NULL);
}
