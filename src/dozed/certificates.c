/* certificates.c - the operator's certificates, from their files to secrets of the roles that serve
 * them. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "dozed/pki.h"
#include "dozed/secrets.h"

#define CERTIFICATE_MAX       (256 * KIB)
#define CERTIFICATE_WARN_DAYS 30
#define DAY_S                 86400

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

static int certificate_read(const struct conf_certificate *c, struct buf *pem, int64_t *until_s,
			    struct err *e)
{
	autobuf struct buf key = { .secret = true };
	autobuf struct buf certs = { 0 };

	return certificate_file(c->key, "key", &key, e) ||
			       certificate_file(c->cert, "cert", &certs, e) ||
			       pki_read_leaf(&key, &certs, pem, until_s, e)
		       ? -1
		       : 0;
}

static void certificate_warn(const char *domain, int64_t until_s)
{
	int64_t left_s = until_s - clock_wall_ms() / 1000;

	if (!until_s || left_s > CERTIFICATE_WARN_DAYS * DAY_S)
		return;
	if (left_s < 0)
		log_warn("a certificate has expired domain=%s", domain);
	else
		log_warn("a certificate expires soon domain=%s days=%lld", domain,
			 (long long)(left_s / DAY_S));
}

void secrets_warn_certificates(const struct secrets *s, const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_certificates; i++)
		certificate_warn(conf->certificates[i].domain, s->certificates_until_s[i]);
}

/* The API's name is @domain, or lies below it. */
static bool certificate_is_of_api(const char *domain, const char *api_name)
{
	size_t n = strlen(domain), size = strlen(api_name);

	return n <= size && !strcmp(api_name + size - n, domain) &&
	       (n == size || api_name[size - n - 1] == '.');
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

/* What serves a domain whose certificate cannot be used. */
static void certificate_keep(const struct conf_certificate *c, const char *in_use,
			     const struct err *why, struct buf *problems)
{
	const char *serves = in_use ? "the one before it" : "doze's own";

	log_err("a certificate cannot be used domain=%s serves=%s error=\"%s\"", c->domain, serves,
		why->text);
	buf_addf(problems, "the certificate of %s cannot be used, and %s serves: %s\n", c->domain,
		 serves, why->text);
}

static void certificate_put(struct buf *to, const char *domain, const struct buf *pem)
{
	buf_addf(to, SUPER_CERTIFICATE "%s\n", domain);
	buf_add(to, pem->data, pem->size);
}

static void secrets_take(struct secrets *s, enum secret which, struct buf *fresh)
{
	buf_free(&s->each[which]);
	s->each[which] = *fresh;
}

void secrets_read_certificates(struct secrets *s, const struct conf *conf, struct buf *problems)
{
	struct buf *old = &s->each[SECRET_CERTIFICATES];
	struct buf all = { .secret = true }, api = { .secret = true };

	for (size_t i = 0; i < conf->n_certificates; i++) {
		const struct conf_certificate *c = &conf->certificates[i];
		autobuf struct buf pem = { .secret = true };
		const char *in_use;
		size_t size;
		struct err e;

		s->certificates_until_s[i] = 0;
		if (certificate_read(c, &pem, &s->certificates_until_s[i], &e)) {
			in_use = certificate_in_use(buf_str(old), c->domain, &size);
			certificate_keep(c, in_use, &e, problems);
			if (!in_use)
				continue;
			buf_clear(&pem);
			buf_add(&pem, in_use, size);
		}
		certificate_put(&all, c->domain, &pem);
		if (certificate_is_of_api(c->domain, conf->api_name))
			certificate_put(&api, c->domain, &pem);
	}
	secrets_take(s, SECRET_CERTIFICATES, &all);
	secrets_take(s, SECRET_API_CERTIFICATES, &api);
	secrets_warn_certificates(s, conf);
}
