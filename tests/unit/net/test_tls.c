/* TLS connections over a socket pair, against OpenSSL's own client. */

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/conn.h"
#include "net/tls.h"

#define DEADLINE_MS 5000

static struct {
	uv_loop_t loop;
	struct tls *tls;
	struct conn *conn; /* NULL: closed */
	SSL_CTX *client;
	SSL *ssl;
	int fd;
	bool opened, ended;
	size_t got;
} t;

static void make_pem(BIO *pem)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	assert_non_null(key);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL);
	PEM_write_bio_X509(pem, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void on_open(struct conn *c)
{
	(void)c;
	t.opened = true;
}

static size_t on_data(struct conn *c, const uint8_t *data, size_t size)
{
	t.got += size;
	conn_write(c, data, size);
	return size;
}

static void on_end(struct conn *c)
{
	t.ended = true;
	conn_close_after_write(c);
}

static void on_closed(struct conn *c)
{
	(void)c;
	t.conn = NULL;
}

static const struct conn_ops ops = {
	.open = on_open, .data = on_data, .end = on_end, .closed = on_closed
};

static int set_up(void **unused)
{
	static const char *const alpn[] = { "h2", "http/1.1", NULL };
	BIO *pem = BIO_new(BIO_s_mem());
	struct err e;
	int pair[2];
	char *text;
	long size;

	(void)unused;
	memset(&t, 0, sizeof(t));
	make_pem(pem);
	size = BIO_get_mem_data(pem, &text);
	t.tls = tls_server_new(text, (size_t)size, alpn, &e);
	assert_non_null(t.tls);
	BIO_free(pem);
	assert_int_equal(uv_loop_init(&t.loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	t.conn = conn_new(&t.loop, pair[0], t.tls, &ops, NULL, &e);
	assert_non_null(t.conn);
	t.client = SSL_CTX_new(TLS_client_method());
	t.ssl = SSL_new(t.client);
	t.fd = pair[1];
	SSL_set_fd(t.ssl, t.fd);
	return 0;
}

static int tear_down(void **unused)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	(void)unused;
	SSL_free(t.ssl);
	SSL_CTX_free(t.client);
	close(t.fd);
	if (t.conn)
		conn_close(t.conn);
	tls_free(t.tls); /* the connection holds its own share */
	while (uv_loop_alive(&t.loop) && clock_mono_ms() < until)
		uv_run(&t.loop, UV_RUN_NOWAIT);
	assert_int_equal(uv_loop_close(&t.loop), 0);
	return 0;
}

static bool connected(void)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	while (clock_mono_ms() < until) {
		int rc = SSL_connect(t.ssl);

		if (rc == 1)
			return true;
		if (SSL_get_error(t.ssl, rc) != SSL_ERROR_WANT_READ)
			return false;
		uv_run(&t.loop, UV_RUN_NOWAIT);
	}
	return false;
}

static void turn_until(const bool *done)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	while (!*done && clock_mono_ms() < until)
		uv_run(&t.loop, UV_RUN_NOWAIT);
	assert_true(*done);
}

static void test_name_and_protocol_of_the_client_are_known(void **unused)
{
	char name[] = "Apps.S3.LocalHost"; /* the macro takes no const */

	(void)unused;
	SSL_set_tlsext_host_name(t.ssl, name);
	SSL_set_alpn_protos(t.ssl, (const unsigned char *)"\x08http/1.1\x02h2", 12);
	assert_true(connected());
	turn_until(&t.opened);
	assert_string_equal(conn_sni(t.conn), "apps.s3.localhost");
	assert_string_equal(conn_alpn(t.conn), "h2"); /* our order counts */
}

static void test_a_client_without_name_and_protocol_is_served(void **unused)
{
	(void)unused;
	assert_true(connected());
	turn_until(&t.opened);
	assert_string_equal(conn_sni(t.conn), "");
	assert_string_equal(conn_alpn(t.conn), "");
}

static void test_old_versions_are_refused(void **unused)
{
	(void)unused;
	SSL_set_security_level(t.ssl, 0);
	SSL_set_min_proto_version(t.ssl, TLS1_VERSION);
	SSL_set_max_proto_version(t.ssl, TLS1_1_VERSION);
	assert_false(connected());
	assert_false(t.opened);
	ERR_clear_error();
}

static void test_a_megabyte_comes_back(void **unused)
{
	static uint8_t block[50000], back[50000];
	size_t sent = 0, got = 0;
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	(void)unused;
	assert_true(connected());
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7);
	while (got < 20 * sizeof(block) && clock_mono_ms() < until) {
		int n = sent < 20 * sizeof(block) ? SSL_write(t.ssl, block, sizeof(block)) : -1;

		sent += n > 0 ? (size_t)n : 0;
		uv_run(&t.loop, UV_RUN_NOWAIT);
		n = SSL_read(t.ssl, back, (int)(sizeof(back) - got % sizeof(back)));
		if (n > 0)
			assert_memory_equal(back, block + got % sizeof(block), (size_t)n);
		got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(got, 20 * sizeof(block));
	assert_int_equal(t.got, got);
}

static void test_close_notify_is_an_end_and_a_cut_is_not(void **unused)
{
	bool gone = false;
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	(void)unused;
	assert_true(connected());
	turn_until(&t.opened);
	if (t.loop.data) /* the second run of this test: no close_notify */
		SSL_set_quiet_shutdown(t.ssl, 1);
	SSL_shutdown(t.ssl);
	shutdown(t.fd, SHUT_WR);
	while (!gone && clock_mono_ms() < until) {
		uv_run(&t.loop, UV_RUN_NOWAIT);
		gone = !t.conn;
	}
	assert_true(gone);
	assert_int_equal(t.ended, !t.loop.data);
}

static int set_up_cut(void **state)
{
	static int yes;

	set_up(state);
	t.loop.data = &yes;
	return 0;
}

static void test_what_is_no_tls_is_cut(void **unused)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	(void)unused;
	assert_int_equal(send(t.fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	while (t.conn && clock_mono_ms() < until)
		uv_run(&t.loop, UV_RUN_NOWAIT);
	assert_null(t.conn);
	assert_false(t.opened);
}

/* Its last bytes are here, and ours, which the end of a handshake sends, reach nobody. */
static void test_a_client_that_leaves_as_its_handshake_ends_is_gone(void **unused)
{
	int64_t until = clock_mono_ms() + DEADLINE_MS;

	(void)unused;
	assert_true(connected());
	shutdown(t.fd, SHUT_RD);
	while (t.conn && clock_mono_ms() < until)
		uv_run(&t.loop, UV_RUN_NOWAIT);
	assert_null(t.conn);
	assert_false(t.opened);
}

static void test_a_pem_without_key_or_certificate_is_refused(void **unused)
{
	struct err e;

	(void)unused;
	assert_null(tls_server_new("nonsense", 8, NULL, &e));
	assert_int_equal(e.kind, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_name_and_protocol_of_the_client_are_known,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_client_without_name_and_protocol_is_served,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_old_versions_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_megabyte_comes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_close_notify_is_an_end_and_a_cut_is_not,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_close_notify_is_an_end_and_a_cut_is_not,
						set_up_cut, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_no_tls_is_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_client_that_leaves_as_its_handshake_ends_is_gone, set_up, tear_down),
		cmocka_unit_test(test_a_pem_without_key_or_certificate_is_refused),
	};

	return cmocka_run_group_tests_name("net/tls", tests, NULL, NULL);
}
