/* How the application ended, in words. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>

#include "guest/ending.h"

#define EXITED(code) ((code) << 8)

struct ending_row {
	struct ending end;
	int code;
	const char *says[3], *not ;
};

// clang-format off
static const struct ending_row rows[] = {
	{ { EXITED(0), 90, 0, 0, "", "", "started" }, 0,
	  { "ended with exit code 0 after 0.0 seconds", "process 1, which has to stay", "Its last output: started" }, NULL },
	{ { EXITED(3), 12345, 0, 0, "", "", "" }, 3, { "the application ended with exit code 3 after 12.3 seconds." }, "output" },
	{ { EXITED(127), 100, 0, 0, "", "", "sh: 1: gunicorn: not found" }, 127, { "does not find a program", "gunicorn: not found" }, NULL },
	{ { EXITED(126), 100, 0, 0, "", "", "" }, 126, { "may not run" }, NULL },
	{ { SIGSEGV, 100, 0, 0, "", "", "" }, 139, { "signal 11 (SIGSEGV) killed the application after 0.1 seconds" }, "memory were" },
	{ { SIGILL, 100, 0, 0, "", "", "" }, 132, { "(SIGILL)", "instructions that this processor lacks" }, NULL },
	{ { 40, 100, 0, 0, "", "", "" }, 168, { "signal 40 killed the application" }, NULL },
	{ { SIGKILL, 100, 1, 480 * MIB, "", "", "" }, 137, { "signal 9 (SIGKILL)", "the kernel killed 1 of its processes", "480 MiB" }, NULL },
	{ { EXITED(1), 100, 2, 480 * MIB, "", "", "Killed" }, 1, { "exit code 1", "the kernel killed 2", "Its last output: Killed" }, NULL },
	{ { EXITED(127), 100, 0, 0, "", "'/x' has lines", "env: 'node\r'" }, 127, { "Perhaps this is why: '/x' has lines." }, "a shell" },
	{ { EXITED(0), 100, 0, 0, "", "'/x' has lines", "" }, 0, { "exit code 0" }, "Perhaps" },
	{ { EXITED(1), 100, 0, 0, "", "", "throw err; | Error: Cannot find module '/a.js' |     at Module._load (x) |     at new NodeError | Node.js v22" }, 1,
	  { "Its last output: Error: Cannot find module '/a.js'" }, "NodeError" },
	{ { EXITED(1), 100, 0, 0, "", "", "Exception in thread \"main\" x |   at a.b(C) | Caused by: java.net.BindException |   at c.d(E)" }, 1,
	  { "Its last output: Caused by: java.net.BindException" }, "Exception in thread" },
	{ { EXITED(1), 100, 0, 0, "", "", "Traceback: |   File \"x\" | ModuleNotFoundError: No module named 'flask'" }, 1,
	  { "Its last output: ModuleNotFoundError: No module named 'flask'" }, "Traceback" },
	{ { EXITED(1), 100, 0, 0, "", "", "nginx: [emerg] host not found | bye" }, 1, { "Its last output: nginx: [emerg] host not found" }, "bye" },
	{ { EXITED(2), 100, 0, 0, "", "", "one | two | three" }, 2, { "Its last output: one | two | three" }, NULL },
	{ { EXITED(127), 100, 0, 0, "run '/x': no", "a hint", "a line" }, 127, { "run '/x': no." }, "a line" },
};
// clang-format on

static void test_each_end_is_told_with_what_is_known_of_it(void **unused)
{
	char text[ENDING_TEXT];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ending_text(&rows[i].end, text, sizeof(text));
		assert_int_equal(ending_code(&rows[i].end), rows[i].code);
		for (size_t n = 0; n < ARRAY_SIZE(rows[i].says) && rows[i].says[n]; n++)
			if (!strstr(text, rows[i].says[n]))
				fail_msg("row %zu: '%s' does not say '%s'", i, text,
					 rows[i].says[n]);
		if (rows[i].not &&strstr(text, rows[i].not ))
			fail_msg("row %zu: '%s' says '%s'", i, text, rows[i].not );
	}
}

static void test_of_long_output_the_end_is_kept_from_a_word_on(void **unused)
{
	char text[ENDING_TEXT], output[1000];
	struct ending end = { .status = EXITED(1), .failure = "", .hint = "", .output = output };

	(void)unused;
	for (size_t i = 0; i + 6 < sizeof(output); i += 5)
		memcpy(output + i, "word ", 6);
	memcpy(output + 990, "the end", 8);
	ending_text(&end, text, sizeof(text));
	assert_non_null(strstr(text, "Its last output: ... word "));
	assert_string_equal(text + strlen(text) - 7, "the end");
	assert_true(strlen(text) < 300);
}

static void test_a_small_room_is_never_overrun(void **unused)
{
	char text[ENDING_TEXT];

	(void)unused;
	for (size_t room = 1; room < 300; room++) {
		memset(text, '~', sizeof(text));
		ending_text(&rows[0].end, text, room);
		assert_true(strlen(text) < room);
		assert_int_equal(text[room], '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_end_is_told_with_what_is_known_of_it),
		cmocka_unit_test(test_of_long_output_the_end_is_kept_from_a_word_on),
		cmocka_unit_test(test_a_small_room_is_never_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
