#include "cli/server_cert.h"

#include <ctype.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"
#define LOOK_MS       15000L
#define PREFIX        "SHA256:"

int fingerprint_of(const char *pem, size_t size, char to[FINGERPRINT_SIZE], struct err *e)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)size);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	bool ok = cert && X509_digest(cert, EVP_sha256(), digest, &n);

	X509_free(cert);
	BIO_free(bio);
	if (!ok)
		return err_set(e, ERR_INVALID, "there is no certificate in what was given");
	memcpy(to, PREFIX, sizeof(PREFIX));
	for (unsigned i = 0; i < n; i++)
		snprintf(to + strlen(PREFIX) + (size_t)3 * i, 4, "%02X%s", digest[i],
			 i + 1 < n ? ":" : "");
	return 0;
}

int system_certificates_add(struct buf *to, struct err *e)
{
	autoclose int fd = open(SYSTEM_BUNDLE, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || io_read_all(fd, to, 16 * MIB))
		return err_sys(e, "read '%s'", SYSTEM_BUNDLE);
	return 0;
}

int certificate_until(const char *pem, size_t size, int64_t *until_s, struct err *e)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)size);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	struct tm tm;
	bool ok = cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm);

	X509_free(cert);
	BIO_free(bio);
	*until_s = ok ? timegm(&tm) : 0;
	return ok ? 0 : err_set(e, ERR_INVALID, "there is no certificate in what was given");
}

static const char *fingerprint_next(const char *at)
{
	while (*at == ':' || *at == ' ')
		at++;
	return at;
}

bool fingerprint_is(const char *given, const char *fingerprint)
{
	const char *a = given, *b = fingerprint + strlen(PREFIX);

	if (!strncasecmp(a, PREFIX, strlen(PREFIX)))
		a += strlen(PREFIX);
	for (;; a++, b++) {
		a = fingerprint_next(a);
		b = fingerprint_next(b);
		if (toupper((unsigned char)*a) != toupper((unsigned char)*b))
			return false;
		if (!*a)
			return true;
	}
}

static CURLcode look(CURL *curl, const char *url, bool verify)
{
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, LOOK_MS);
	curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, (long)verify);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
	return curl_easy_perform(curl);
}

static bool signs_itself(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool is = cert && X509_check_ca(cert) && X509_self_signed(cert, 1) == 1;

	X509_free(cert);
	BIO_free(bio);
	return is;
}

/* The last certificate of the chain that was sent. */
static char *last_certificate(CURL *curl)
{
	static const char member[] = "Cert:";
	struct curl_certinfo *chain = NULL;
	const struct curl_slist *at;

	if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &chain) || !chain || !chain->num_of_certs)
		return NULL;
	for (at = chain->certinfo[chain->num_of_certs - 1]; at; at = at->next)
		if (!strncmp(at->data, member, strlen(member)))
			return xstrdup(at->data + strlen(member));
	return NULL;
}

int server_cert_look(struct server_cert *s, const char *url, struct err *e)
{
	CURL *curl = curl_easy_init();
	CURLcode rc = curl ? look(curl, url, true) : CURLE_FAILED_INIT;

	*s = (struct server_cert){ .trusted = rc == CURLE_OK };
	if (rc == CURLE_PEER_FAILED_VERIFICATION)
		rc = look(curl, url, false);
	if (!rc)
		s->ca = last_certificate(curl);
	if (curl)
		curl_easy_cleanup(curl);
	if (rc)
		return err_set(e, ERR_CAPACITY, "%s cannot be reached: %s", url,
			       curl_easy_strerror(rc));
	if (s->trusted)
		return 0;
	if (s->ca && signs_itself(s->ca))
		return fingerprint_of(s->ca, strlen(s->ca), s->fingerprint, e);
	server_cert_free(s);
	return err_set(e, ERR_INVALID,
		       "the certificate of %s comes from a CA that this machine does not know and "
		       "that the server does not send; add that CA to this machine's certificates",
		       url);
}

void server_cert_free(struct server_cert *s)
{
	free(s->ca);
	s->ca = NULL;
}
