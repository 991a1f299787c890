/* The memory of OpenSSL's buffers for records. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "base/base.h"
#include "base/sanitize.h"
#include "net/tls_memory.h"

enum { N = 40 };

static const size_t sizes[] = { 1, 16384, 16385, 16704, 17663, 17664, 17665, 70000 };

static void test_blocks_of_every_size_are_apart_and_keep_their_bytes(void **unused)
{
	uint8_t *blocks[N];

	(void)unused;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < N; i++) {
			blocks[i] = OPENSSL_malloc(sizes[i % ARRAY_SIZE(sizes)]);
			memset(blocks[i], (int)i, sizes[i % ARRAY_SIZE(sizes)]);
		}
		for (size_t i = 0; i < N; i++) {
			size_t size = sizes[i % ARRAY_SIZE(sizes)];

			assert_int_equal(blocks[i][0], i);
			assert_int_equal(blocks[i][size - 1], i);
			OPENSSL_free(blocks[i]);
		}
	}
}

static void test_a_buffer_for_a_record_is_used_again(void **unused)
{
	void *block = OPENSSL_malloc(16704), *other;

	(void)unused;
	OPENSSL_free(block);
	other = OPENSSL_malloc(16500);
	if (!BUILT_WITH_ASAN)
		assert_ptr_equal(other, block);
	other = OPENSSL_realloc(other, 100000);
	memset(other, 1, 100000);
	OPENSSL_free(other);
	OPENSSL_free(NULL);
}

static int begin(void **unused)
{
	(void)unused;
	tls_memory_begin();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_of_every_size_are_apart_and_keep_their_bytes),
		cmocka_unit_test(test_a_buffer_for_a_record_is_used_again),
	};

	return cmocka_run_group_tests_name("net/tls_memory", tests, begin, NULL);
}
