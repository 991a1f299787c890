#include "wire/certificate.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/rand.h"

/* The claims stand in the extension whose text is free, so that everybody can read them. A name of
 * our own would be a UUID's (2.25.N), which Go's parser refuses for its length. */
#define CERTIFICATE_CLAIMS NID_netscape_comment
/* The client's clock may be behind ours. */
#define CERTIFICATE_BEFORE_S 3600

struct certificate_authority {
	X509 *certificate;
	EVP_PKEY *key; /* NULL: it opens only */
	X509_STORE *store;
};

/* Nobody is there to be asked for a pass phrase. */
static int certificate_no_phrase(char *to, int size, int writing, void *arg)
{
	(void)to, (void)size, (void)writing, (void)arg;
	return -1;
}

struct certificate_authority *certificate_authority_new(const char *pem, size_t size, struct err *e)
{
	struct certificate_authority *a = xcalloc(1, sizeof(*a));
	BIO *bio = BIO_new_mem_buf(pem, (int)size);

	assert(bio);
	a->store = X509_STORE_new();
	assert(a->store);
	a->key = PEM_read_bio_PrivateKey(bio, NULL, certificate_no_phrase, NULL);
	(void)BIO_reset(bio);
	a->certificate = PEM_read_bio_X509(bio, NULL, certificate_no_phrase, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (a->certificate && X509_STORE_add_cert(a->store, a->certificate) == 1)
		return a;
	certificate_authority_free(a);
	err_set(e, ERR_INTERNAL, "the authority of clients' certificates is not whole");
	return NULL;
}

void certificate_authority_free(struct certificate_authority *a)
{
	if (!a)
		return;
	X509_free(a->certificate);
	EVP_PKEY_free(a->key);
	X509_STORE_free(a->store);
	free(a);
}

static bool certificate_put_serial(X509 *cert)
{
	uint8_t bytes[16];
	BIGNUM *n;
	bool ok;

	rand_bytes(bytes, sizeof(bytes));
	bytes[0] &= 0x7f; /* positive */
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return ok;
}

static bool certificate_put_usage(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool ok = ext && X509_add_ext(cert, ext, -1);

	X509_EXTENSION_free(ext);
	return ok;
}

static bool certificate_put_claims(X509 *cert, const struct token_claims *claims)
{
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	char *json = token_claims_text(claims);
	bool ok = text && ASN1_STRING_set(text, json, -1) &&
		  X509_add1_ext_i2d(cert, CERTIFICATE_CLAIMS, text, 0, X509V3_ADD_DEFAULT) == 1;

	ASN1_IA5STRING_free(text);
	free(json);
	return ok;
}

static bool certificate_fill(const struct certificate_authority *a, X509 *cert,
			     const struct token_claims *claims, int64_t now_ms)
{
	X509_NAME *name = X509_get_subject_name(cert);
	time_t now = (time_t)(now_ms / 1000);

	return X509_set_version(cert, X509_VERSION_3) && certificate_put_serial(cert) &&
	       ASN1_TIME_set(X509_getm_notBefore(cert), now - CERTIFICATE_BEFORE_S) &&
	       ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(claims->expires_ms / 1000)) &&
	       X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"doze", -1, -1,
					  0) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					  (const uint8_t *)claims->microvm, -1, -1, 0) &&
	       X509_set_issuer_name(cert, X509_get_subject_name(a->certificate)) &&
	       certificate_put_usage(cert, NID_basic_constraints, "critical,CA:FALSE") &&
	       certificate_put_usage(cert, NID_key_usage, "critical,digitalSignature") &&
	       certificate_put_usage(cert, NID_ext_key_usage, "clientAuth") &&
	       certificate_put_claims(cert, claims) && X509_sign(cert, a->key, EVP_sha256());
}

static bool certificate_write(X509 *cert, struct buf *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long n = 0;

	if (bio && PEM_write_bio_X509(bio, cert))
		n = BIO_get_mem_data(bio, &data);
	if (n > 0)
		buf_add(pem, data, (size_t)n);
	BIO_free(bio);
	return n > 0;
}

int certificate_sign(const struct certificate_authority *a, const char *key, size_t size,
		     const struct token_claims *claims, int64_t now_ms, struct buf *pem,
		     struct err *e)
{
	BIO *bio = BIO_new_mem_buf(key, (int)size);
	EVP_PKEY *public = bio ? PEM_read_bio_PUBKEY(bio, NULL, certificate_no_phrase, NULL) : NULL;
	X509 *cert = X509_new();
	int rc = 0;

	assert(a->key);
	if (!public || !cert || X509_set_pubkey(cert, public) != 1)
		rc = err_set(e, ERR_INVALID, "the public key is none in PEM");
	else if (!certificate_fill(a, cert, claims, now_ms) || !certificate_write(cert, pem))
		rc = err_set(e, ERR_INTERNAL, "a client's certificate cannot be signed");
	X509_free(cert);
	EVP_PKEY_free(public);
	BIO_free(bio);
	ERR_clear_error();
	return rc;
}

/* NULL: the authority has signed it, for a client, and its time is now. */
static const char *certificate_fault(const struct certificate_authority *a, X509 *cert,
				     int64_t now_ms)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	const char *fault = NULL;

	assert(ctx && X509_STORE_CTX_init(ctx, a->store, cert, NULL) == 1);
	X509_STORE_CTX_set_time(ctx, 0, (time_t)(now_ms / 1000));
	if (X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) != 1 ||
	    X509_verify_cert(ctx) != 1)
		fault = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
	X509_STORE_CTX_free(ctx);
	return fault;
}

static bool certificate_read_claims(const X509 *cert, struct token_claims *claims)
{
	ASN1_IA5STRING *text = X509_get_ext_d2i(cert, CERTIFICATE_CLAIMS, NULL, NULL);
	bool ok = text && token_claims_read((const char *)ASN1_STRING_get0_data(text),
					    (size_t)ASN1_STRING_length(text), claims);

	ASN1_IA5STRING_free(text);
	return ok;
}

int certificate_open(const struct certificate_authority *a, const uint8_t *der, size_t size,
		     int64_t now_ms, struct token_claims *claims, struct err *e)
{
	const uint8_t *at = der;
	X509 *cert = d2i_X509(NULL, &at, (long)size);
	const char *fault = cert ? certificate_fault(a, cert, now_ms) : "it cannot be read";
	int rc = 0;

	*claims = (struct token_claims){ 0 };
	if (fault)
		rc = err_set(e, ERR_DENIED, "the client's certificate is not good: %s", fault);
	else if (!certificate_read_claims(cert, claims))
		rc = err_set(e, ERR_DENIED, "the client's certificate carries no token");
	X509_free(cert);
	ERR_clear_error();
	return rc;
}
