#include "dozed/pki.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define PKI_CA_DAYS   3650
#define PKI_LEAF_DAYS 390 /* clients refuse leaf certificates that are valid for more than 398 */

static int pki_fail(struct err *e, const char *what)
{
	char why[160];

	ERR_error_string_n(ERR_get_error(), why, sizeof(why));
	return err_set(e, ERR_INTERNAL, "%s: %s", what, why);
}

static int pki_set_serial(X509 *cert)
{
	uint8_t bytes[16];
	BIGNUM *n;
	int ok;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return 0;
	bytes[0] &= 0x7f; /* positive */
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return ok;
}

static int pki_add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static X509 *pki_begin(EVP_PKEY *key, const char *common_name, int days)
{
	X509 *cert = X509_new();
	X509_NAME *name;

	if (!cert)
		return NULL;
	name = X509_get_subject_name(cert);
	if (X509_set_version(cert, X509_VERSION_3) && pki_set_serial(cert) &&
	    X509_gmtime_adj(X509_getm_notBefore(cert),
			    -3600) && /* the client's clock may be behind ours */
	    X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * 86400) &&
	    X509_set_pubkey(cert, key) &&
	    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"doze", -1,
				       -1, 0) &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name,
				       -1, -1, 0))
		return cert;
	X509_free(cert);
	return NULL;
}

static int pki_put_bio(BIO *bio, struct buf *out)
{
	char *data;
	long n = BIO_get_mem_data(bio, &data);

	if (n > 0)
		buf_add(out, data, (size_t)n);
	return n > 0;
}

static int pki_put_key(EVP_PKEY *key, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int ok = bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) &&
		 pki_put_bio(bio, out);

	BIO_free(bio);
	return ok;
}

static int pki_put_cert(X509 *cert, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int ok = bio && PEM_write_bio_X509(bio, cert) && pki_put_bio(bio, out);

	BIO_free(bio);
	return ok;
}

int pki_make_ca(const char *name, struct buf *key_pem, struct buf *cert_pem, struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key ? pki_begin(key, name, PKI_CA_DAYS) : NULL;
	int ok = cert && X509_set_issuer_name(cert, X509_get_subject_name(cert)) &&
		 pki_add_ext(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
		 pki_add_ext(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
		 pki_add_ext(cert, cert, NID_subject_key_identifier, "hash") &&
		 X509_sign(cert, key, EVP_sha256()) && pki_put_key(key, key_pem) &&
		 pki_put_cert(cert, cert_pem);

	X509_free(cert);
	EVP_PKEY_free(key);
	return ok ? 0 : pki_fail(e, "make the certificate authority");
}

static void pki_join_names(const char *const *names, struct buf *out)
{
	for (size_t i = 0; names[i]; i++)
		buf_addf(out, "%s%s", i ? "," : "", names[i]);
}

static int pki_sign_leaf(X509 *leaf, X509 *ca, EVP_PKEY *ca_key, const char *const *names)
{
	autobuf struct buf alt = { 0 };

	pki_join_names(names, &alt);
	return X509_set_issuer_name(leaf, X509_get_subject_name(ca)) &&
	       pki_add_ext(leaf, ca, NID_basic_constraints, "critical,CA:FALSE") &&
	       pki_add_ext(leaf, ca, NID_key_usage, "critical,digitalSignature") &&
	       pki_add_ext(leaf, ca, NID_ext_key_usage, "serverAuth") &&
	       pki_add_ext(leaf, ca, NID_subject_key_identifier, "hash") &&
	       pki_add_ext(leaf, ca, NID_authority_key_identifier, "keyid:always") &&
	       pki_add_ext(leaf, ca, NID_subject_alt_name, buf_str(&alt)) &&
	       X509_sign(leaf, ca_key, EVP_sha256());
}

int pki_make_leaf(struct buf *ca_key, struct buf *ca_cert, const char *const *names,
		  struct buf *pem, struct err *e)
{
	BIO *key_bio = BIO_new_mem_buf(ca_key->data, (int)ca_key->size);
	BIO *cert_bio = BIO_new_mem_buf(ca_cert->data, (int)ca_cert->size);
	EVP_PKEY *signer = key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL) : NULL;
	X509 *ca = cert_bio ? PEM_read_bio_X509(cert_bio, NULL, NULL, NULL) : NULL;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *leaf = key ? pki_begin(key, "doze", PKI_LEAF_DAYS) : NULL;
	int ok = signer && ca && leaf && pki_sign_leaf(leaf, ca, signer, names) &&
		 pki_put_key(key, pem) && pki_put_cert(leaf, pem) && pki_put_cert(ca, pem);

	X509_free(leaf);
	EVP_PKEY_free(key);
	X509_free(ca);
	EVP_PKEY_free(signer);
	BIO_free(cert_bio);
	BIO_free(key_bio);
	return ok ? 0 : pki_fail(e, "sign a certificate (are secrets/ca.key and ca.crt whole?)");
}

/* Nobody is there to be asked for a pass phrase. */
static int pki_no_phrase(char *to, int size, int writing, void *arg)
{
	(void)to, (void)size, (void)writing, (void)arg;
	return -1;
}

/* Since 1970; 0 if the certificate's own words are no time. */
static int64_t pki_seconds(const ASN1_TIME *at)
{
	struct tm tm;

	return ASN1_TIME_to_tm(at, &tm) ? timegm(&tm) : 0;
}

/* Adds the certificates, the leaf first, whose key must be @key. */
static int pki_copy_chain(BIO *from, EVP_PKEY *key, struct buf *pem, int64_t *until_s,
			  struct err *e)
{
	X509 *cert;
	int n = 0, ok = 1;

	while (ok && (cert = PEM_read_bio_X509(from, NULL, NULL, NULL))) {
		if (!n++) {
			ok = X509_check_private_key(cert, key);
			*until_s = pki_seconds(X509_get0_notAfter(cert));
		}
		ok = ok && pki_put_cert(cert, pem);
		X509_free(cert);
	}
	ERR_clear_error(); /* OpenSSL reports the end of the file as an error */
	if (!n)
		return err_set(e, ERR_INVALID, "there is no certificate in the file");
	return ok ? 0 : err_set(e, ERR_INVALID, "the key is not that of the certificate");
}

int pki_read_leaf(const struct buf *key_pem, const struct buf *certs, struct buf *pem,
		  int64_t *until_s, struct err *e)
{
	BIO *key_bio = BIO_new_mem_buf(key_pem->size ? key_pem->data : (const void *)"",
				       (int)key_pem->size);
	BIO *cert_bio =
		BIO_new_mem_buf(certs->size ? certs->data : (const void *)"", (int)certs->size);
	EVP_PKEY *key =
		key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, pki_no_phrase, NULL) : NULL;
	int rc = -1;

	ERR_clear_error();
	if (!key || !cert_bio)
		err_set(e, ERR_INVALID,
			"there is no private key without a pass phrase in the file");
	else if (!pki_put_key(key, pem))
		pki_fail(e, "write a key");
	else
		rc = pki_copy_chain(cert_bio, key, pem, until_s, e);
	EVP_PKEY_free(key);
	BIO_free(cert_bio);
	BIO_free(key_bio);
	return rc;
}
