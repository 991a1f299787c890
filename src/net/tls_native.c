#include "net/tls_native.h"

#include <openssl/pem.h>
#include <string.h>

#include "net/tls_parts.h"

/* What a certificate may do is for the caller to find out, who can tell the client in its own
 * protocol what is wrong with it. */
static int tls_native_accept(X509_STORE_CTX *ctx, void *arg)
{
	(void)ctx, (void)arg;
	return 1;
}

int tls_set_natives(struct tls *t, const struct tls_natives *n, const char *ca, size_t size,
		    struct err *e)
{
	static const unsigned char sessions[] = "doze";
	BIO *bio = BIO_new_mem_buf(ca, (int)size);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	int ok = cert && SSL_CTX_add_client_CA(t->ctx, cert) == 1 &&
		 SSL_CTX_set_session_id_context(t->ctx, sessions, sizeof(sessions) - 1) == 1;

	X509_free(cert);
	BIO_free(bio);
	if (!ok)
		return err_set(e, ERR_INVALID,
			       "the authority of clients' certificates is not whole");
	SSL_CTX_set_cert_verify_callback(t->ctx, tls_native_accept, NULL);
	t->natives = n;
	return 0;
}

static void tls_native_ask(SSL *ssl, struct tls_native *n)
{
	n->asked = true;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
}

void tls_native_hello(const struct tls *t, SSL *ssl, const char *sni, struct tls_native *n)
{
	if (!t->natives)
		return;
	n->certain |= *sni && t->natives->is_name(sni);
	/* A browser always sends a name, but where its user typed an address. */
	if (n->certain || !*sni)
		tls_native_ask(ssl, n);
}

bool tls_native_alpn(const struct tls *t, SSL *ssl, const struct tls_offer *offer,
		     const uint8_t **out, uint8_t *out_size, struct tls_native *n)
{
	size_t size = t->natives ? strlen(t->natives->alpn) : 0;
	bool chosen = false;

	for (size_t at = 0; size && at < offer->size; at += offer->list[at] + 1U) {
		const uint8_t *name = offer->list + at + 1;

		if (offer->list[at] != size || memcmp(name, t->natives->alpn, size) != 0)
			continue;
		n->certain = chosen = true;
		tls_native_ask(ssl, n);
		*out = name;
		*out_size = (uint8_t)size;
	}
	buf_clear(&n->offers);
	if (n->asked)
		buf_add(&n->offers, offer->list, offer->size);
	return chosen;
}

bool tls_native_certificate(const SSL *ssl, struct buf *der)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	int size = cert ? i2d_X509(cert, NULL) : 0;
	uint8_t *to;

	if (size <= 0)
		return false;
	buf_reserve(der, (size_t)size);
	to = der->data + der->size;
	size = i2d_X509(cert, &to);
	der->size += size > 0 ? (size_t)size : 0;
	return size > 0;
}
