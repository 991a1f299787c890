/* Tokens in the form of certificates. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "wire/certificate.h"

#define NOW 1790000000000

static EVP_PKEY *key;
static char public_key[1024];

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_int_equal(X509_add_ext(cert, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

/* Its key and its certificate, valid around NOW. */
static struct certificate_authority *authority(const char *name)
{
	EVP_PKEY *own = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	struct certificate_authority *a;
	struct err e;
	char *data;
	long n;

	X509_set_version(cert, X509_VERSION_3);
	ASN1_TIME_set(X509_getm_notBefore(cert), NOW / 1000 - 86400);
	ASN1_TIME_set(X509_getm_notAfter(cert), NOW / 1000 + 86400);
	X509_set_pubkey(cert, own);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(cert, own, EVP_sha256()));
	PEM_write_bio_PrivateKey(bio, own, NULL, NULL, 0, NULL, NULL);
	PEM_write_bio_X509(bio, cert);
	n = BIO_get_mem_data(bio, &data);
	a = certificate_authority_new(data, (size_t)n, &e);
	assert_non_null(a);
	BIO_free(bio);
	X509_free(cert);
	EVP_PKEY_free(own);
	return a;
}

static const struct token_claims claims = { .microvm = "microvm-1",
					    .expires_ms = NOW + 60000,
					    .ranges = { { 5432, 5432 }, { 8000, 8010 } },
					    .n_ranges = 2 };

static size_t signed_der(const struct certificate_authority *a, uint8_t *der, size_t room)
{
	autobuf struct buf pem = { 0 };
	struct err e;
	X509 *cert;
	BIO *bio;
	int n;

	assert_int_equal(
		certificate_sign(a, public_key, strlen(public_key), &claims, NOW, &pem, &e), 0);
	bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert_non_null(cert);
	assert_int_equal(X509_check_private_key(cert, key), 1);
	n = i2d_X509(cert, NULL);
	assert_true(n > 0 && (size_t)n <= room);
	i2d_X509(cert, &der);
	X509_free(cert);
	BIO_free(bio);
	return (size_t)n;
}

static void test_what_was_signed_is_read_again(void **state)
{
	struct certificate_authority *a = authority("a");
	struct token_claims read;
	uint8_t der[4096];
	size_t n = signed_der(a, der, sizeof(der));
	struct err e;

	(void)state;
	assert_int_equal(certificate_open(a, der, n, NOW, &read, &e), 0);
	assert_string_equal(read.microvm, "microvm-1");
	assert_int_equal(read.expires_ms, claims.expires_ms);
	assert_true(token_allows(&read, 5432) && token_allows(&read, 8005));
	assert_false(token_allows(&read, 6379) || read.shell || read.all_ports);
	certificate_authority_free(a);
}

static void test_one_of_another_authority_is_denied_even_under_the_same_name(void **state)
{
	struct certificate_authority *a = authority("a"), *b = authority("b"), *c = authority("a");
	struct token_claims read;
	uint8_t der[4096];
	size_t n = signed_der(a, der, sizeof(der));
	struct err e;

	(void)state;
	assert_int_equal(certificate_open(b, der, n, NOW, &read, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_int_equal(certificate_open(c, der, n, NOW, &read, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	certificate_authority_free(a);
	certificate_authority_free(b);
	certificate_authority_free(c);
}

static void test_one_that_expired_is_denied(void **state)
{
	struct certificate_authority *a = authority("a");
	struct token_claims read;
	uint8_t der[4096];
	size_t n = signed_der(a, der, sizeof(der));
	struct err e;

	(void)state;
	assert_int_equal(certificate_open(a, der, n, NOW + 61000, &read, &e), -1);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_non_null(strstr(e.text, "expired"));
	certificate_authority_free(a);
}

static void test_no_changed_byte_is_accepted_with_other_claims(void **state)
{
	struct certificate_authority *a = authority("a");
	struct token_claims read;
	uint8_t der[4096];
	size_t n = signed_der(a, der, sizeof(der));
	struct err e;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		der[i] ^= 1;
		if (!certificate_open(a, der, n, NOW, &read, &e))
			assert_memory_equal(read.microvm, claims.microvm, sizeof("microvm-1"));
		assert_int_equal(certificate_open(a, der, i, NOW, &read, &e), -1);
		der[i] ^= 1;
	}
	certificate_authority_free(a);
}

static void test_what_is_no_public_key_is_not_signed(void **state)
{
	static const char *const bad[] = { "", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n" };
	struct certificate_authority *a = authority("a");
	autobuf struct buf pem = { 0 };
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(
			certificate_sign(a, bad[i], strlen(bad[i]), &claims, NOW, &pem, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
	assert_int_equal(pem.size, 0);
	assert_null(certificate_authority_new("x", 1, &e));
	certificate_authority_free(a);
}

static int make_key(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());

	(void)state;
	key = EVP_EC_gen("P-256");
	PEM_write_bio_PUBKEY(bio, key);
	assert_true(BIO_read(bio, public_key, sizeof(public_key) - 1) > 0);
	BIO_free(bio);
	return 0;
}

static int free_key(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_signed_is_read_again),
		cmocka_unit_test(test_one_of_another_authority_is_denied_even_under_the_same_name),
		cmocka_unit_test(test_one_that_expired_is_denied),
		cmocka_unit_test(test_no_changed_byte_is_accepted_with_other_claims),
		cmocka_unit_test(test_what_is_no_public_key_is_not_signed),
	};

	return cmocka_run_group_tests(tests, make_key, free_key);
}
