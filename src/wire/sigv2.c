/* sigv2.c - the string to sign and its signature (Amazon S3 User Guide, "Signing and authenticating
 * REST requests", query string alternative). */

#include "wire/sigv2.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/hex.h"

/* The parameters that are part of the resource, in the order in which they are signed. */
static const char *const sigv2_resources[] = {
	"accelerate",
	"acl",
	"cors",
	"delete",
	"inventory",
	"lifecycle",
	"location",
	"logging",
	"metrics",
	"notification",
	"partNumber",
	"policy",
	"replication",
	"requestPayment",
	"response-cache-control",
	"response-content-disposition",
	"response-content-encoding",
	"response-content-language",
	"response-content-type",
	"response-expires",
	"restore",
	"tagging",
	"torrent",
	"uploadId",
	"uploads",
	"versionId",
	"versioning",
	"versions",
	"website",
};

/* Finds a parameter of the query.  Returns the text after its '=', or after its name if it has
 * none. NULL: it is absent. */
static const char *sigv2_param(const char *target, const char *name, bool *valued, size_t *size)
{
	const char *at = strchr(target, '?');
	size_t length = strlen(name);

	while (at && *at) {
		size_t all = strcspn(++at, "&");

		if (all >= length && !memcmp(at, name, length) &&
		    (all == length || at[length] == '=')) {
			*valued = all > length;
			*size = all - length - (*valued ? 1 : 0);
			return at + length + (*valued ? 1 : 0);
		}
		at += all;
	}
	return NULL;
}

static bool sigv2_value(const char *target, const char *name, char *to, size_t room)
{
	bool valued;
	size_t size;
	const char *text = sigv2_param(target, name, &valued, &size);

	return text && valued && size && percent_decode(text, size, true, to, room);
}

bool sigv2_is(const char *target)
{
	bool valued;
	size_t size;

	return sigv2_param(target, "AWSAccessKeyId", &valued, &size) &&
	       sigv2_param(target, "Signature", &valued, &size);
}

/* The signature covers names as they are written, and who acts on them decodes them. */
static bool sigv2_names_are_plain(const char *target)
{
	const char *at = strchr(target, '?');

	while (at && *at) {
		size_t name = strcspn(++at, "=&");

		if (memchr(at, '%', name) || memchr(at, '+', name))
			return false;
		at += strcspn(at, "&");
	}
	return true;
}

int sigv2_read(const struct http_head *head, struct sigv2_claim *claim, struct err *e)
{
	char expires[16];

	memset(claim, 0, sizeof(*claim));
	if (!sigv2_names_are_plain(head->target))
		return err_set(e, ERR_DENIED,
			       "AccessDenied: The names of the parameters must not be encoded.");
	if (!sigv2_value(head->target, "AWSAccessKeyId", claim->access_key,
			 sizeof(claim->access_key)) ||
	    !sigv2_value(head->target, "Expires", expires, sizeof(expires)) ||
	    strspn(expires, "0123456789") != strlen(expires))
		return err_set(e, ERR_DENIED,
			       "AccessDenied: Query-string authentication requires the Signature, "
			       "Expires and AWSAccessKeyId parameters");
	/* '+' is a digit of base64, and some clients leave it bare. */
	bool valued;
	size_t size;
	const char *text = sigv2_param(head->target, "Signature", &valued, &size);

	if (!text || !percent_decode(text, size, false, claim->signature, sizeof(claim->signature)))
		return err_set(e, ERR_DENIED, "AccessDenied: The Signature is malformed.");
	claim->expires_s = strtoll(expires, NULL, 10);
	return 0;
}

static const char *sigv2_header(const struct http_head *head, const char *name)
{
	for (size_t i = 0; i < head->n_headers; i++)
		if (!strcmp(head->headers[i].name, name))
			return head->headers[i].value;
	return NULL;
}

/* Clients put what they signed into the URL too, so that its user need not send it again. */
static void sigv2_put_line(const struct http_head *head, const char *name, struct buf *text)
{
	const char *value = sigv2_header(head, name);
	char given[512];

	if (!value && sigv2_value(head->target, name, given, sizeof(given)))
		value = given;
	buf_addf(text, "%s\n", value ? value : "");
}

/* The x-amz-* headers, and such parameters of the URL that are no headers. */
struct sigv2_amz {
	struct amz {
		char name[64], value[512];
	} all[32];
	size_t n;
};

/* False: it does not fit, and so it would be obeyed without being signed. */
static bool sigv2_add_amz(struct sigv2_amz *amz, const char *name, size_t size, const char *value)
{
	struct amz *a = &amz->all[amz->n];

	if (size < 6 || memcmp(name, "x-amz-", 6) != 0)
		return true;
	if (amz->n == ARRAY_SIZE(amz->all) || size >= sizeof(a->name) ||
	    strlen(value) >= sizeof(a->value))
		return false;
	memcpy(a->name, name, size);
	a->name[size] = '\0';
	strcpy(a->value, value);
	amz->n++;
	return true;
}

static bool sigv2_read_amz(const struct http_head *head, struct sigv2_amz *amz)
{
	size_t n;

	for (size_t i = 0; i < head->n_headers; i++)
		if (!sigv2_add_amz(amz, head->headers[i].name, strlen(head->headers[i].name),
				   head->headers[i].value))
			return false;
	n = amz->n;
	for (const char *at = strchr(head->target, '?'); at && *at;) {
		size_t all = strcspn(++at, "&");
		const char *equals = memchr(at, '=', all);
		size_t size = equals ? (size_t)(equals - at) : 0;
		char value[sizeof(amz->all[0].value)];
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known |= strlen(amz->all[i].name) == size &&
				 !memcmp(amz->all[i].name, at, size);
		if (equals && !known && size >= 6 && !memcmp(at, "x-amz-", 6) &&
		    (!percent_decode(equals + 1, all - size - 1, true, value, sizeof(value)) ||
		     !sigv2_add_amz(amz, at, size, value)))
			return false;
		at += all;
	}
	return true;
}

static int sigv2_by_name(const void *a, const void *b)
{
	const struct amz *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* A header that is given twice is one, with a comma between its values. */
static bool sigv2_put_amz(const struct http_head *head, struct buf *text)
{
	autofree struct sigv2_amz *amz = xcalloc(1, sizeof(*amz));

	if (!sigv2_read_amz(head, amz))
		return false;
	qsort(amz->all, amz->n, sizeof(amz->all[0]), sigv2_by_name);
	for (size_t i = 0; i < amz->n; i++) {
		const struct amz *a = &amz->all[i];

		if (i && !strcmp(a[-1].name, a->name))
			buf_addf(text, ",%s", a->value);
		else
			buf_addf(text, "%s%s:%s", i ? "\n" : "", a->name, a->value);
	}
	if (amz->n)
		buf_adds(text, "\n");
	return true;
}

static void sigv2_put_resource(const char *target, const char *bucket, struct buf *text)
{
	char mark = '?';

	buf_addf(text, "%s%s%.*s", *bucket ? "/" : "", bucket, (int)strcspn(target, "?"), target);
	for (size_t i = 0; i < ARRAY_SIZE(sigv2_resources); i++) {
		const char *name = sigv2_resources[i], *value;
		autobuf struct buf decoded = { 0 };
		bool valued;
		size_t size;

		value = sigv2_param(target, name, &valued, &size);
		if (!value)
			continue;
		buf_reserve(&decoded, size + 1);
		buf_addf(text, "%c%s", mark, name);
		if (valued && percent_decode(value, size, true, (char *)decoded.data, size + 1))
			buf_addf(text, "=%s", (const char *)decoded.data);
		mark = '&';
	}
}

static bool sigv2_matches(const char *secret, const struct buf *text, const char *signature)
{
	uint8_t mac[EVP_MAX_MD_SIZE], expected[4 * EVP_MAX_MD_SIZE];
	unsigned size = sizeof(mac);
	int n;

	if (!HMAC(EVP_sha1(), secret, (int)strlen(secret), text->data, text->size, mac, &size))
		abort();
	n = EVP_EncodeBlock(expected, mac, (int)size);
	return (size_t)n == strlen(signature) && !CRYPTO_memcmp(expected, signature, (size_t)n);
}

int sigv2_verify(const struct http_head *head, const struct sigv2_claim *claim, const char *secret,
		 const char *bucket, int64_t now_ms, struct err *e)
{
	autobuf struct buf text = { 0 };

	if (!secret)
		return err_set(e, ERR_DENIED,
			       "InvalidClientTokenId: The security token included in the request "
			       "is invalid.");
	if (claim->expires_s < now_ms / 1000)
		return err_set(e, ERR_DENIED, "AccessDenied: Request has expired");
	buf_addf(&text, "%s\n", head->method);
	sigv2_put_line(head, "content-md5", &text);
	sigv2_put_line(head, "content-type", &text);
	buf_addf(&text, "%lld\n", (long long)claim->expires_s);
	if (sigv2_put_amz(head, &text)) {
		sigv2_put_resource(head->target, bucket, &text);
		if (sigv2_matches(secret, &text, claim->signature))
			return 0;
	}
	return err_set(e, ERR_DENIED,
		       "SignatureDoesNotMatch: The request signature we calculated does not match "
		       "the signature you provided. Check your key and signing method.");
}
