/* OpenSSL with the provider: every draw of every generator that it makes comes from the kernel. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

/* The kernel: it counts, and its bytes are the number of the call. */
static struct kernel {
	unsigned calls;
	size_t most;      /* bytes of one call */
	unsigned signals; /* calls to come that a signal interrupts */
	bool broken;
} kernel = { .most = SIZE_MAX };

ssize_t getrandom(void *to, size_t size, unsigned flags)
{
	(void)flags;
	if (kernel.signals) {
		kernel.signals--;
		errno = EINTR;
		return -1;
	}
	if (kernel.broken) {
		errno = ENOSYS;
		return -1;
	}
	if (size > kernel.most)
		size = kernel.most;
	memset(to, (int)++kernel.calls, size);
	return (ssize_t)size;
}

static int kernel_renew(void **state)
{
	(void)state;
	kernel = (struct kernel){ .most = SIZE_MAX };
	return 0;
}

static const char *folder;
static OSSL_PROVIDER *ours, *theirs;

static int provider_load(void **state)
{
	(void)state;
	OSSL_PROVIDER_set_default_search_path(NULL, folder);
	theirs = OSSL_PROVIDER_load(NULL, "default");
	ours = OSSL_PROVIDER_load(NULL, "rand");
	if (!ours || !theirs)
		return -1;
	return RAND_set_DRBG_type(NULL, "CTR-DRBG", "?provider=doze", NULL, NULL) == 1 ? 0 : -1;
}

static int provider_unload(void **state)
{
	(void)state;
	OSSL_PROVIDER_unload(ours);
	OSSL_PROVIDER_unload(theirs);
	return 0;
}

static void every_draw_asks_the_kernel(void **state)
{
	unsigned char bytes[16];

	(void)state;
	for (int i = 1; i <= 3; i++) {
		unsigned before = kernel.calls;

		assert_int_equal(RAND_bytes(bytes, sizeof(bytes)), 1);
		assert_int_equal(kernel.calls, before + 1);
		assert_int_equal(bytes[0], kernel.calls);
		assert_int_equal(RAND_priv_bytes(bytes, sizeof(bytes)), 1);
		assert_int_equal(kernel.calls, before + 2);
		assert_int_equal(bytes[15], kernel.calls);
	}
	assert_int_equal(RAND_status(), 1);
}

static void the_generators_are_ours(void **state)
{
	EVP_RAND_CTX *const all[] = { RAND_get0_primary(NULL), RAND_get0_public(NULL),
				      RAND_get0_private(NULL) };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		assert_string_equal(OSSL_PROVIDER_get0_name(
					    EVP_RAND_get0_provider(EVP_RAND_CTX_get0_rand(all[i]))),
				    "rand");
}

static void short_and_interrupted_answers_are_asked_for_again(void **state)
{
	unsigned char bytes[40], want[40];

	(void)state;
	kernel.most = 16;
	kernel.signals = 2;
	assert_int_equal(RAND_bytes(bytes, sizeof(bytes)), 1);
	memset(want, 1, 16);
	memset(want + 16, 2, 16);
	memset(want + 32, 3, 8);
	assert_memory_equal(bytes, want, sizeof(want));
}

static void nothing_is_made_up_without_the_kernel(void **state)
{
	unsigned char bytes[16];

	(void)state;
	kernel.broken = true;
	assert_int_not_equal(RAND_bytes(bytes, sizeof(bytes)), 1);
	kernel.broken = false;
	assert_int_equal(RAND_bytes(bytes, sizeof(bytes)), 1);
}

static void keys_are_drawn_from_it(void **state)
{
	unsigned before;
	EVP_PKEY *key;

	(void)state;
	before = kernel.calls;
	key = EVP_EC_gen("P-256");
	assert_non_null(key);
	assert_true(kernel.calls > before);
	EVP_PKEY_free(key);
}

/* An application may make OpenSSL's own generator a child of ours. */
static void a_child_is_seeded_anew_for_every_draw(void **state)
{
	EVP_RAND *rand = EVP_RAND_fetch(NULL, "HASH-DRBG", NULL);
	EVP_RAND_CTX *child = EVP_RAND_CTX_new(rand, RAND_get0_primary(NULL));
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	unsigned char bytes[16];

	(void)state;
	assert_non_null(child);
	assert_int_equal(EVP_RAND_instantiate(child, 128, 0, NULL, 0, params), 1);
	for (int i = 0; i < 3; i++) {
		unsigned before = kernel.calls;

		assert_int_equal(EVP_RAND_generate(child, bytes, sizeof(bytes), 128, 0, NULL, 0),
				 1);
		assert_true(kernel.calls >= before + 2); /* its counter, its seed */
	}
	EVP_RAND_CTX_free(child);
	EVP_RAND_free(rand);
}

static void other_searches_find_openssls_own(void **state)
{
	EVP_RAND *rand = EVP_RAND_fetch(NULL, "CTR-DRBG", "provider=default");

	(void)state;
	assert_non_null(rand);
	assert_string_equal(OSSL_PROVIDER_get0_name(EVP_RAND_get0_provider(rand)), "default");
	EVP_RAND_free(rand);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_draw_asks_the_kernel, kernel_renew),
		cmocka_unit_test_setup(the_generators_are_ours, kernel_renew),
		cmocka_unit_test_setup(short_and_interrupted_answers_are_asked_for_again,
				       kernel_renew),
		cmocka_unit_test_setup(nothing_is_made_up_without_the_kernel, kernel_renew),
		cmocka_unit_test_setup(keys_are_drawn_from_it, kernel_renew),
		cmocka_unit_test_setup(a_child_is_seeded_anew_for_every_draw, kernel_renew),
		cmocka_unit_test_setup(other_searches_find_openssls_own, kernel_renew),
	};
	char *slash = argc > 1 ? strrchr(argv[1], '/') : NULL;

	if (!slash)
		return 2;
	*slash = '\0';
	folder = argv[1];
	return cmocka_run_group_tests(tests, provider_load, provider_unload);
}
