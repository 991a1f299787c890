/* What is kept of a guest's console. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/console.h"

static void the_last_bytes_are_kept_in_their_order(void **state)
{
	static struct console c;
	autobuf struct buf text = { 0 };
	char line[100];

	(void)state;
	memset(line, 'a', sizeof(line));
	for (int i = 0; i < 100; i++)
		console_add(&c, line, sizeof(line));
	console_add(&c, "the end\n", 8);
	console_put(&c, &text);
	assert_int_equal(c.bytes, 100 * sizeof(line) + 8);
	assert_int_equal(text.size, CONSOLE_KEPT);
	assert_string_equal(buf_str(&text) + CONSOLE_KEPT - 9, "athe end\n");
}

static void only_text_is_kept_and_every_byte_is_counted(void **state)
{
	static struct console c;
	autobuf struct buf text = { 0 };

	(void)state;
	console_add(&c, "\x1b[31mred\r\n\0", 11);
	console_put(&c, &text);
	assert_int_equal(c.bytes, 11);
	assert_string_equal(buf_str(&text), "[31mred\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_bytes_are_kept_in_their_order),
		cmocka_unit_test(only_text_is_kept_and_every_byte_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
