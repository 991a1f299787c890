#include "net/conn_tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_memory.h"
#include "net/tls_parts.h"

#define CONN_TLS_CIPHERS                                                      \
	"ECDHE+AESGCM:ECDHE+CHACHA20" /* for TLS 1.2; all of those of 1.3 are \
					 good */

struct conn_tls {
	struct tls *tls;
	SSL *ssl;
	struct buf *out; /* borrowed */
	const uint8_t *in;
	size_t in_size;
	struct buf kept; /* cipher text that outlived its feed */
	bool open;
	char *sni, *alpn;
	struct tls_native native;
};

static int conn_bio_read(BIO *bio, char *to, int room)
{
	struct conn_tls *s = BIO_get_data(bio);
	size_t n = s->in_size < (size_t)room ? s->in_size : (size_t)room;

	BIO_clear_retry_flags(bio);
	if (!n) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(to, s->in, n);
	s->in += n;
	s->in_size -= n;
	return (int)n;
}

static int conn_bio_write(BIO *bio, const char *data, int size)
{
	struct conn_tls *s = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	buf_add(s->out, data, (size_t)size);
	return size;
}

static long conn_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *conn_bio_method(void)
{
	static BIO_METHOD *method;

	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "doze conn");
		assert(method);
		BIO_meth_set_read(method, conn_bio_read);
		BIO_meth_set_write(method, conn_bio_write);
		BIO_meth_set_ctrl(method, conn_bio_ctrl);
	}
	return method;
}

static int tls_fail(struct err *e, const char *what)
{
	char text[256];
	unsigned long code = ERR_get_error();

	ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return err_set(e, ERR_INVALID, "%s: %s", what, code ? text : "not there");
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is OpenSSL's */
static int tls_on_sni(SSL *ssl, int *alert, void *arg)
{
	struct conn_tls *s = BIO_get_data(SSL_get_rbio(ssl));
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert, (void)arg;
	if (!name) {
		tls_native_hello(s->tls, ssl, "", &s->native);
		return SSL_TLSEXT_ERR_NOACK;
	}
	free(s->sni);
	s->sni = xstrdup(name);
	for (char *c = s->sni; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	SSL_set_SSL_CTX(ssl, tls_names_find(s->tls, s->sni)->ctx);
	tls_native_hello(s->tls, ssl, s->sni, &s->native);
	return SSL_TLSEXT_ERR_OK;
}

static int tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
		       const unsigned char *in, unsigned in_size, void *arg)
{
	struct conn_tls *s = BIO_get_data(SSL_get_rbio(ssl));
	struct tls *t = arg;
	unsigned char *chosen;

	if (tls_native_alpn(t, ssl, &(struct tls_offer){ in, in_size }, out, out_size, &s->native))
		return SSL_TLSEXT_ERR_OK;
	if (s->native.certain || SSL_select_next_proto(&chosen, out_size, t->alpn, t->alpn_size, in,
						       in_size) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static void tls_put_alpn(struct tls *t, const char *const *alpn)
{
	struct buf b = { 0 };

	for (; alpn && *alpn; alpn++) {
		uint8_t size = (uint8_t)strlen(*alpn);

		buf_add(&b, &size, 1);
		buf_adds(&b, *alpn);
	}
	t->alpn = b.data;
	t->alpn_size = (unsigned)b.size;
}

static int tls_set_certificate(struct tls *t, BIO *pem, struct err *e)
{
	EVP_PKEY *key = NULL;
	X509 *cert;
	int rc;

	/* The blocks may come in any order, so this looks for the key first and then for the
	 * certificates. */
	key = PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL);
	if (!key)
		return tls_fail(e, "read the private key");
	rc = SSL_CTX_use_PrivateKey(t->ctx, key);
	EVP_PKEY_free(key);
	if (rc != 1)
		return tls_fail(e, "use the private key");
	(void)BIO_reset(pem);
	for (int n = 0; (cert = PEM_read_bio_X509(pem, NULL, NULL, NULL)); n++) {
		if (n)
			rc = (int)SSL_CTX_add1_chain_cert(t->ctx, cert);
		else
			rc = SSL_CTX_use_certificate(t->ctx, cert);
		X509_free(cert);
		if (rc != 1)
			return tls_fail(e, "use the certificate");
	}
	ERR_clear_error(); /* OpenSSL reports the end of the file as an error */
	if (SSL_CTX_check_private_key(t->ctx) != 1)
		return tls_fail(e, "match the certificate and its key");
	return 0;
}

static int tls_set_up(struct tls *t, struct err *e)
{
	char groups[] = "X25519:P-256:P-384"; /* the macro below takes no const */

	SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					    SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Clients keep sessions as tickets; the server keeps nothing. */
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(t->ctx, 1);
	SSL_CTX_set_tlsext_servername_callback(t->ctx, tls_on_sni);
	if (SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(t->ctx, CONN_TLS_CIPHERS) != 1 ||
	    SSL_CTX_set1_groups_list(t->ctx, groups) != 1)
		return tls_fail(e, "set TLS up");
	return 0;
}

struct tls *tls_server_new(const char *pem, size_t size, const char *const *alpn, struct err *e)
{
	struct tls *t = xcalloc(1, sizeof(*t));
	BIO *bio;
	int rc;

	tls_memory_begin();
	bio = BIO_new_mem_buf(pem, (int)size);
	t->users = 1;
	tls_names_init(t);
	t->ctx = SSL_CTX_new(TLS_server_method());
	assert(bio && t->ctx);
	rc = tls_set_up(t, e) || tls_set_certificate(t, bio, e);
	BIO_free(bio);
	if (rc) {
		tls_free(t);
		return NULL;
	}
	tls_put_alpn(t, alpn);
	if (t->alpn_size)
		SSL_CTX_set_alpn_select_cb(t->ctx, tls_on_alpn, t);
	return t;
}

struct tls *tls_client_new(const char *const *alpn)
{
	struct tls *t = xcalloc(1, sizeof(*t));

	tls_memory_begin();
	t->users = 1;
	t->client = true;
	tls_names_init(t);
	t->ctx = SSL_CTX_new(TLS_client_method());
	assert(t->ctx);
	tls_put_alpn(t, alpn);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	/* Nobody is asked to be who he says, so old keys and digests harm nobody. */
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_security_level(t->ctx, 0);
	if (SSL_CTX_set_alpn_protos(t->ctx, t->alpn, t->alpn_size))
		t->alpn_size = 0; /* memory alone may be missing; then the peer chooses nothing */
	return t;
}

void tls_free(struct tls *t)
{
	if (!t || --t->users)
		return;
	tls_names_free(t);
	SSL_CTX_free(t->ctx);
	free(t->alpn);
	free(t);
}

struct conn_tls *conn_tls_new(struct tls *t, struct buf *out)
{
	struct conn_tls *s = xcalloc(1, sizeof(*s));
	BIO *bio = BIO_new(conn_bio_method());

	s->tls = t;
	s->out = out;
	s->native.offers.secret = true;
	s->ssl = SSL_new(t->ctx);
	assert(bio && s->ssl);
	t->users++;
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(s->ssl, bio, bio);
	if (t->client)
		SSL_set_connect_state(s->ssl);
	else
		SSL_set_accept_state(s->ssl);
	return s;
}

void conn_tls_free(struct conn_tls *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	tls_free(s->tls);
	buf_free(&s->kept);
	free(s->sni);
	free(s->alpn);
	buf_free(&s->native.offers);
	free(s);
}

void conn_tls_feed(struct conn_tls *s, const uint8_t *data, size_t size)
{
	if (s->in_size) {
		conn_tls_kept(s);
		buf_add(&s->kept, data, size);
		s->in = s->kept.data;
		s->in_size = s->kept.size;
	} else {
		s->in = data;
		s->in_size = size;
	}
}

void conn_tls_kept(struct conn_tls *s)
{
	struct buf rest = { 0 };

	buf_add(&rest, s->in, s->in_size);
	buf_free(&s->kept);
	s->kept = rest;
	s->in = rest.data;
	s->in_size = rest.size;
}

static enum conn_tls_event conn_tls_error(struct conn_tls *s, int rc)
{
	int why = SSL_get_error(s->ssl, rc);

	ERR_clear_error();
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return CONN_TLS_WANT;
	return why == SSL_ERROR_ZERO_RETURN ? CONN_TLS_END : CONN_TLS_BROKEN;
}

static void conn_tls_opened(struct conn_tls *s)
{
	const unsigned char *name;
	unsigned size;

	s->open = true;
	SSL_get0_alpn_selected(s->ssl, &name, &size);
	if (size)
		s->alpn = xasprintf("%.*s", (int)size, (const char *)name);
}

enum conn_tls_event conn_tls_read(struct conn_tls *s, uint8_t *to, size_t room, size_t *size)
{
	int rc;

	if (!s->open) {
		rc = SSL_do_handshake(s->ssl);
		if (rc != 1)
			return conn_tls_error(s, rc);
		conn_tls_opened(s);
		return CONN_TLS_OPENED;
	}
	/* A call for nothing costs as much as one for a small record. */
	if (!s->in_size && !SSL_has_pending(s->ssl))
		return CONN_TLS_WANT;
	rc = SSL_read_ex(s->ssl, to, room, size);
	return rc == 1 ? CONN_TLS_DATA : conn_tls_error(s, rc);
}

bool conn_tls_write(struct conn_tls *s, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size) {
		size_t n = 0;
		int rc = SSL_write_ex(s->ssl, at, size, &n);

		/* The BIO takes everything, so only a broken session fails here. */
		if (rc != 1) {
			(void)conn_tls_error(s, rc);
			return false;
		}
		at += n;
		size -= n;
	}
	return true;
}

void conn_tls_notify(struct conn_tls *s)
{
	if (s->open)
		SSL_shutdown(s->ssl);
	ERR_clear_error();
}

bool conn_tls_is_client(const struct conn_tls *s)
{
	return s->tls->client;
}

bool conn_tls_is_open(const struct conn_tls *s)
{
	return s->open;
}

const char *conn_tls_sni(const struct conn_tls *s)
{
	return s->sni ? s->sni : "";
}

const char *conn_tls_alpn(struct conn_tls *s)
{
	return s->alpn ? s->alpn : "";
}

bool conn_tls_certificate(const struct conn_tls *s, struct buf *der)
{
	return tls_native_certificate(s->ssl, der);
}

struct tls_native *conn_tls_native(struct conn_tls *s)
{
	return &s->native;
}
