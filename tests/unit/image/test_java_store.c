/* The store that Java is given. */

#include "image/java_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static X509 *made(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *c = X509_new();
	X509_NAME *subject = X509_get_subject_name(c);

	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(c, subject);
	X509_gmtime_adj(X509_getm_notBefore(c), 0);
	X509_gmtime_adj(X509_getm_notAfter(c), 3600);
	X509_set_pubkey(c, key);
	assert_true(X509_sign(c, key, EVP_sha256()) > 0);
	EVP_PKEY_free(key);
	return c;
}

static void put_pem(struct buf *to, X509 *c)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long size;

	assert_true(PEM_write_bio_X509(bio, c));
	size = BIO_get_mem_data(bio, &text);
	buf_add(to, text, (size_t)size);
	BIO_free(bio);
}

static uint64_t number(const uint8_t **at, int bytes)
{
	uint64_t n = 0;

	while (bytes--)
		n = n << 8 | *(*at)++;
	return n;
}

static void each_certificate_of_the_bundle_is_a_trusted_entry(void **state)
{
	X509 *all[2] = { made("one"), made("two") };
	autobuf struct buf pem = { 0 }, store = { 0 };
	const uint8_t *at;
	struct err e;

	(void)state;
	buf_adds(&pem, "# a comment\n");
	for (size_t i = 0; i < 2; i++)
		put_pem(&pem, all[i]);
	assert_int_equal(java_store(&pem, &store, &e), 0);
	at = store.data;
	assert_int_equal(number(&at, 4), 0xfeedfeed);
	assert_int_equal(number(&at, 4), 2);
	assert_int_equal(number(&at, 4), 2);
	for (size_t i = 0; i < 2; i++) {
		unsigned char *der = NULL;
		int size = i2d_X509(all[i], &der);

		assert_int_equal(number(&at, 4), 2);
		at += number(&at, 2) + 8; /* the name, and a time */
		assert_int_equal(number(&at, 2), 5);
		assert_memory_equal(at, "X.509", 5);
		at += 5;
		assert_int_equal(number(&at, 4), size);
		assert_memory_equal(at, der, (size_t)size);
		at += size;
		OPENSSL_free(der);
		X509_free(all[i]);
	}
	assert_int_equal(store.data + store.size - at, 20);
}

/* SHA-1 of 'changeit' in UTF-16, the phrase and
 * the data. */
static void the_store_ends_with_the_digest_that_java_checks(void **state)
{
	static const char secret[] = "\0c\0h\0a\0n\0g\0e\0i\0tMighty Aphrodite";
	X509 *c = made("one");
	autobuf struct buf pem = { 0 }, store = { 0 }, all = { 0 };
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct err e;

	(void)state;
	put_pem(&pem, c);
	X509_free(c);
	buf_adds(&store, "before"); /* it is added to what is there */
	assert_int_equal(java_store(&pem, &store, &e), 0);
	buf_add(&all, secret, sizeof(secret) - 1);
	buf_add(&all, store.data + 6, store.size - 26);
	assert_true(EVP_Digest(all.data, all.size, digest, NULL, EVP_sha1(), NULL));
	assert_memory_equal(digest, store.data + store.size - 20, 20);
}

static void a_bundle_without_certificates_is_refused(void **state)
{
	autobuf struct buf pem = { 0 }, store = { 0 };
	struct err e;

	(void)state;
	buf_adds(&pem, "nothing of the kind\n");
	assert_int_equal(java_store(&pem, &store, &e), -1);
	assert_int_equal(store.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_certificate_of_the_bundle_is_a_trusted_entry),
		cmocka_unit_test(the_store_ends_with_the_digest_that_java_checks),
		cmocka_unit_test(a_bundle_without_certificates_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
