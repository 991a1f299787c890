/* The certificate authority and what it signs, seen by OpenSSL's own verifier. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "dozed/pki.h"

static X509 *cert_of(struct buf *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return cert;
}

static int verifies(X509 *ca, X509 *leaf, const char *host)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int ok;

	X509_STORE_add_cert(store, ca);
	X509_STORE_CTX_init(ctx, store, leaf, NULL);
	X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
	ok = X509_verify_cert(ctx) == 1 && (!host || X509_check_host(leaf, host, 0, 0, NULL) == 1);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return ok;
}

static void test_a_leaf_is_trusted_for_its_names_only(void **unused)
{
	autobuf struct buf key = { 0 }, ca_pem = { 0 }, leaf_pem = { 0 };
	const char *const names[] = { "DNS:*.lambda-microvm.us-east-1.localhost", "IP:127.0.0.1",
				      NULL };
	X509 *ca, *leaf;
	struct err e;

	(void)unused;
	assert_int_equal(pki_make_ca("doze local CA", &key, &ca_pem, &e), 0);
	assert_int_equal(pki_make_leaf(&key, &ca_pem, names, &leaf_pem, &e), 0);
	ca = cert_of(&ca_pem);
	leaf = cert_of(&leaf_pem);
	assert_true(verifies(ca, leaf, "0d5f.lambda-microvm.us-east-1.localhost"));
	assert_true(verifies(ca, leaf, "5432-0d5f.lambda-microvm.us-east-1.localhost"));
	assert_false(verifies(ca, leaf, "5432.0d5f.lambda-microvm.us-east-1.localhost"));
	assert_false(verifies(ca, leaf, "lambda-microvm.us-east-1.localhost"));
	assert_false(verifies(ca, leaf, "example.com"));
	assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
	X509_free(leaf);
	X509_free(ca);
}

static void test_a_foreign_ca_is_not_trusted(void **unused)
{
	autobuf struct buf key = { 0 }, ca_pem = { 0 }, key2 = { 0 }, ca2_pem = { 0 },
			   leaf_pem = { 0 };
	const char *const names[] = { "IP:127.0.0.1", NULL };
	X509 *ca2, *leaf;
	struct err e;

	(void)unused;
	assert_int_equal(pki_make_ca("doze local CA", &key, &ca_pem, &e), 0);
	assert_int_equal(pki_make_ca("doze local CA", &key2, &ca2_pem, &e), 0);
	assert_int_equal(pki_make_leaf(&key, &ca_pem, names, &leaf_pem, &e), 0);
	ca2 = cert_of(&ca2_pem);
	leaf = cert_of(&leaf_pem);
	assert_false(verifies(ca2, leaf, NULL));
	X509_free(leaf);
	X509_free(ca2);
}

static void test_a_broken_ca_is_an_error_not_a_crash(void **unused)
{
	autobuf struct buf junk = { 0 }, out = { 0 };
	const char *const names[] = { "IP:127.0.0.1", NULL };
	struct err e;

	(void)unused;
	buf_adds(&junk, "not PEM");
	assert_int_equal(pki_make_leaf(&junk, &junk, names, &out, &e), -1);
	assert_non_null(strstr(e.text, "ca.key"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_leaf_is_trusted_for_its_names_only),
		cmocka_unit_test(test_a_foreign_ca_is_not_trusted),
		cmocka_unit_test(test_a_broken_ca_is_an_error_not_a_crash),
	};

	return cmocka_run_group_tests_name("dozed/pki", tests, NULL, NULL);
}
