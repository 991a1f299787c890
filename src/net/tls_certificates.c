#include "net/tls_certificates.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct certificates {
	enum secret own_secret;
	const char *const *alpn;           /* borrowed */
	const struct tls_natives *natives; /* borrowed; NULL: none */
	struct buf own, others;            /* as they came, with a NUL */
	struct buf client_ca;              /* empty: clients are asked for no certificate */
	struct super_tickets tickets;
	bool has_tickets;
};

struct certificates *certificates_new(enum secret own, const char *const *alpn,
				      const struct tls_natives *natives)
{
	struct certificates *c = xcalloc(1, sizeof(*c));

	c->own_secret = own;
	c->alpn = alpn;
	c->natives = natives;
	c->own.secret = c->others.secret = true;
	return c;
}

void certificates_free(struct certificates *c)
{
	buf_free(&c->own);
	buf_free(&c->others);
	buf_free(&c->client_ca);
	explicit_bzero(&c->tickets, sizeof(c->tickets));
	free(c);
}

static struct tls *certificates_one(struct certificates *c, const char *pem, size_t size,
				    struct err *e)
{
	struct tls *tls = tls_server_new(pem, size, c->alpn, e);

	if (tls && c->has_tickets)
		tls_set_tickets(tls, &c->tickets);
	if (tls && c->client_ca.size &&
	    tls_set_natives(tls, c->natives, (const char *)c->client_ca.data, c->client_ca.size,
			    e)) {
		tls_free(tls);
		return NULL;
	}
	return tls;
}

/* @text begins behind the marker; returns where the next one begins, or the end. */
static const char *certificates_add(struct certificates *c, struct tls *tls, const char *text,
				    struct err *e)
{
	const char *line = strchr(text, '\n');
	const char *next = strstr(text, SUPER_CERTIFICATE);
	const char *end = next ? next : text + strlen(text);
	autofree char *domain = line ? strndup(text, (size_t)(line - text)) : NULL;
	struct tls *other;

	if (!domain) {
		err_set(e, ERR_INVALID, "a certificate has no domain");
		return NULL;
	}
	other = certificates_one(c, line, (size_t)(end - line), e);
	if (!other) {
		err_wrap(e, "the certificate of %s", domain);
		return NULL;
	}
	tls_add_name(tls, domain, other);
	return end;
}

static struct tls *certificates_make(struct certificates *c, const struct buf *own,
				     const struct buf *others, struct err *e)
{
	struct tls *tls = certificates_one(c, (const char *)own->data, own->size, e);
	const char *at = others->size ? (const char *)others->data : "";

	while (tls && (at = strstr(at, SUPER_CERTIFICATE))) {
		at = certificates_add(c, tls, at + strlen(SUPER_CERTIFICATE), e);
		if (at)
			continue;
		tls_free(tls);
		return NULL;
	}
	return tls;
}

static int certificates_take_tickets(struct certificates *c, const char *text, size_t size,
				     struct tls **tls, struct err *e)
{
	if (size != sizeof(c->tickets))
		return err_set(e, ERR_INVALID, "the keys of session tickets are not whole");
	memcpy(&c->tickets, text, size);
	if (c->has_tickets)
		return 0; /* what is in use finds the new ones */
	c->has_tickets = true;
	if (c->own.size)
		*tls = certificates_make(c, &c->own, &c->others, e);
	return c->own.size && !*tls ? -1 : 0;
}

static int certificates_take_client_ca(struct certificates *c, const char *text, size_t size,
				       struct tls **tls, struct err *e)
{
	struct buf before = c->client_ca;

	c->client_ca = (struct buf){ 0 };
	buf_add(&c->client_ca, text, size);
	if (c->own.size)
		*tls = certificates_make(c, &c->own, &c->others, e);
	if (c->own.size && !*tls) {
		buf_free(&c->client_ca);
		c->client_ca = before;
		return -1;
	}
	buf_free(&before);
	return 0;
}

int certificates_take(struct certificates *c, enum secret which, const char *text, size_t size,
		      struct tls **tls, struct err *e)
{
	struct buf *mine = which == c->own_secret ? &c->own : &c->others;
	struct buf fresh = { .secret = true };

	*tls = NULL;
	if (which == SECRET_TICKETS)
		return certificates_take_tickets(c, text, size, tls, e);
	if (which == SECRET_CLIENT_CA)
		return certificates_take_client_ca(c, text, size, tls, e);
	buf_add(&fresh, text, size);
	buf_str(&fresh);
	if (mine == &c->own || c->own.size) {
		*tls = certificates_make(c, mine == &c->own ? &fresh : &c->own,
					 mine == &c->own ? &c->others : &fresh, e);
		if (!*tls) {
			buf_free(&fresh);
			return -1;
		}
	}
	buf_free(mine);
	*mine = fresh;
	return 0;
}
