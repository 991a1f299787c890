/* Encrypted directories, where the file system has none: nothing is promised, nothing fails that
 * did not ask for them. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fscrypt.h"

static void test_a_file_system_without_keys_offers_nothing(void **unused)
{
	static const uint8_t key[FSCRYPT_KEY_BYTES] = { 1 };
	autoclose int memory = memfd_create("test", MFD_CLOEXEC);
	autoclose int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const int fds[] = { memory, proc };
	struct fscrypt_id id;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		assert_true(fds[i] >= 0);
		assert_false(fscrypt_offered(fds[i]));
		assert_true(fscrypt_add(fds[i], key, &id) < 0);
		assert_true(fscrypt_set(fds[i], &id) < 0);
		assert_true(fscrypt_remove(fds[i], &id) < 0);
	}
}

static void test_what_is_like_a_plain_file_is_plain(void **unused)
{
	autoclose int memory = memfd_create("test", MFD_CLOEXEC);
	autoclose int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)unused;
	assert_int_equal(fscrypt_inherit(proc, memory), 0);
	assert_int_equal(fscrypt_inherit(proc, proc), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_system_without_keys_offers_nothing),
		cmocka_unit_test(test_what_is_like_a_plain_file_is_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
