/* certificates.c - the operator's certificates, from their files to a secret of the proxy. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "dozed/pki.h"
#include "dozed/secrets.h"

#define CERTIFICATE_MAX (256 * KIB)

static int certificate_file(const char *path, const char *key, struct buf *to, struct err *e)
{
	autoclose int fd = *path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	int rc;

	if (!*path)
		return err_set(e, ERR_INVALID, "the key '%s' is not given", key);
	if (fd < 0)
		return err_sys(e, "open '%s'", path);
	rc = io_read_all(fd, to, CERTIFICATE_MAX);
	errno = -rc;
	return rc ? err_sys(e, "read '%s'", path) : 0;
}

static int certificate_read(const struct conf_certificate *c, struct buf *pem, struct err *e)
{
	autobuf struct buf key = { .secret = true };
	autobuf struct buf certs = { 0 };
	bool expired;

	if (certificate_file(c->key, "key", &key, e) ||
	    certificate_file(c->cert, "cert", &certs, e) ||
	    pki_read_leaf(&key, &certs, pem, &expired, e))
		return -1;
	if (expired)
		log_warn("a certificate has expired domain=%s file=%s", c->domain, c->cert);
	return 0;
}

/* The PEM that is in use for this domain.  NULL: none. */
static const char *certificate_in_use(const char *text, const char *domain, size_t *size)
{
	size_t n = strlen(SUPER_CERTIFICATE), length = strlen(domain);

	for (const char *at = text; (at = strstr(at, SUPER_CERTIFICATE)); at += n) {
		const char *pem = at + n + length + 1, *end;

		if (strncmp(at + n, domain, length) != 0 || at[n + length] != '\n')
			continue;
		end = strstr(pem, SUPER_CERTIFICATE);
		*size = end ? (size_t)(end - pem) : strlen(pem);
		return pem;
	}
	return NULL;
}

void secrets_read_certificates(struct secrets *s, const struct conf *conf, struct buf *problems)
{
	struct buf *old = &s->each[SECRET_CERTIFICATES];
	struct buf all = { .secret = true };

	for (size_t i = 0; i < conf->n_certificates; i++) {
		const struct conf_certificate *c = &conf->certificates[i];
		autobuf struct buf pem = { .secret = true };
		const char *in_use;
		size_t size;
		struct err e;

		if (certificate_read(c, &pem, &e)) {
			in_use = certificate_in_use(buf_str(old), c->domain, &size);
			log_err("a certificate cannot be used domain=%s serves=%s error=\"%s\"",
				c->domain, in_use ? "the one before it" : "doze's own", e.text);
			buf_addf(problems,
				 "the certificate of %s cannot be used, and %s serves: %s\n",
				 c->domain, in_use ? "the one before it" : "doze's own", e.text);
			if (!in_use)
				continue;
			buf_clear(&pem);
			buf_add(&pem, in_use, size);
		}
		buf_addf(&all, SUPER_CERTIFICATE "%s\n", c->domain);
		buf_add(&all, pem.data, pem.size);
	}
	buf_free(old);
	*old = all;
}
