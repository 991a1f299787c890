#include "image/java_store.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#define JAVA_MAGIC   0xfeedfeed
#define JAVA_VERSION 2
#define JAVA_TRUSTED 2 /* the tag of an entry that is a certificate */

/* Debian's packages; Temurin's images and the stand-in for them; Amazon Linux and Red Hat. */
static const char *const java_places[] = {
	"/etc/ssl/certs/java/cacerts",
	"/opt/java/openjdk/lib/security/cacerts",
	"/etc/pki/ca-trust/extracted/java/cacerts",
};

const char *java_store_place(size_t n)
{
	return n < ARRAY_SIZE(java_places) ? java_places[n] : NULL;
}

static void java_number(struct buf *to, uint64_t number, int bytes)
{
	while (bytes--) {
		uint8_t byte = (uint8_t)(number >> (8 * bytes));

		buf_add(to, &byte, 1);
	}
}

static void java_text(struct buf *to, const char *text)
{
	java_number(to, strlen(text), 2);
	buf_adds(to, text);
}

static int java_entry(struct buf *to, X509 *certificate, unsigned n)
{
	autofree char *alias = xasprintf("site-%u", n);
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);

	if (size < 0)
		return -1;
	java_number(to, JAVA_TRUSTED, 4);
	java_text(to, alias);
	java_number(to, 0, 8); /* when it was added; the same bundle gives the same store */
	java_text(to, "X.509");
	java_number(to, (uint64_t)size, 4);
	buf_add(to, der, (size_t)size);
	OPENSSL_free(der);
	return 0;
}

/* The digest is that of the password in UTF-16, a phrase, and the store. */
static int java_digest(struct buf *to, size_t from)
{
	static const char password[] = "changeit";
	autobuf struct buf all = { 0 };
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	for (const char *c = password; *c; c++)
		java_number(&all, (uint64_t)*c, 2);
	buf_adds(&all, "Mighty Aphrodite");
	buf_add(&all, to->data + from, to->size - from);
	if (!EVP_Digest(all.data, all.size, digest, &size, EVP_sha1(), NULL))
		return -1;
	buf_add(to, digest, size);
	return 0;
}

int java_store(const struct buf *pem, struct buf *to, struct err *e)
{
	autobuf struct buf entries = { 0 };
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	size_t from = to->size;
	X509 *certificate;
	unsigned n = 0;
	int rc = 0;

	while (!rc && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		rc = java_entry(&entries, certificate, n++);
		X509_free(certificate);
	}
	BIO_free(bio);
	if (rc || !n)
		return err_set(e, ERR_INVALID, "it holds no certificate that can be read");
	java_number(to, JAVA_MAGIC, 4);
	java_number(to, JAVA_VERSION, 4);
	java_number(to, n, 4);
	buf_add(to, entries.data, entries.size);
	return java_digest(to, from) ? err_set(e, ERR_INTERNAL, "SHA-1 cannot be had") : 0;
}
