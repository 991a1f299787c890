/* sigv4_read.c - reads the claim of a request from its header or its query. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "wire/sigv4.h"

#define SIGV4_ALGORITHM   "AWS4-HMAC-SHA256"
#define SIGV4_MAX_EXPIRES 604800 /* AWS: seven days */

static const char *sigv4_header(const struct http_head *head, const char *name)
{
	for (size_t i = 0; i < head->n_headers; i++)
		if (!strcmp(head->headers[i].name, name))
			return head->headers[i].value;
	return NULL;
}

static int sigv4_malformed(struct err *e, const char *what)
{
	return err_set(e, ERR_DENIED, "IncompleteSignature: %s", what);
}

static bool sigv4_copy(char *to, size_t room, const char *from, size_t size)
{
	if (!size || size >= room)
		return false;
	for (size_t i = 0; i < size; i++)
		if (from[i] <= ' ' || from[i] > '~')
			return false;
	memcpy(to, from, size);
	to[size] = '\0';
	return true;
}

static bool sigv4_all_in(const char *text, const char *allowed, size_t size)
{
	return strlen(text) == size && strspn(text, allowed) == size;
}

/* "AKID/20260801/us-east-1/lambda/aws4_request" */
static int sigv4_credential(const char *text, size_t size, struct sigv4_claim *claim, struct err *e)
{
	struct {
		char *to;
		size_t room;
	} parts[] = { { claim->access_key, sizeof(claim->access_key) },
		      { claim->date, sizeof(claim->date) },
		      { claim->region, sizeof(claim->region) },
		      { claim->service, sizeof(claim->service) } };
	const char *end = text + size;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *slash = memchr(text, '/', (size_t)(end - text));

		if (!slash || !sigv4_copy(parts[i].to, parts[i].room, text, (size_t)(slash - text)))
			return sigv4_malformed(e, "Credential must have the form "
						  "key/date/region/service/aws4_request.");
		text = slash + 1;
	}
	if (end - text != 12 || memcmp(text, "aws4_request", 12) != 0 ||
	    !sigv4_all_in(claim->date, "0123456789", 8))
		return sigv4_malformed(
			e, "Credential must have the form key/date/region/service/aws4_request.");
	return 0;
}

static int sigv4_date(const char *text, int64_t *at_ms, struct err *e)
{
	struct tm tm = { 0 };
	const char *rest =
		text && strlen(text) == 16 ? strptime(text, "%Y%m%dT%H%M%SZ", &tm) : NULL;

	if (!rest || *rest)
		return sigv4_malformed(e, "the request must carry its date as X-Amz-Date: "
					  "YYYYMMDDTHHMMSSZ.");
	*at_ms = (int64_t)timegm(&tm) * 1000;
	return 0;
}

/* Lower-case field names joined by ';', the host among them. */
static int sigv4_signed_headers(const char *text, size_t size, struct sigv4_claim *claim,
				struct err *e)
{
	bool host = false;

	if (!sigv4_copy(claim->signed_headers, sizeof(claim->signed_headers), text, size))
		return sigv4_malformed(e, "SignedHeaders is missing or too long.");
	for (const char *name = claim->signed_headers; *name;) {
		size_t length = strcspn(name, ";");

		if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_!#$%&'*+.^`|~") != length)
			return sigv4_malformed(
				e, "SignedHeaders must be lower-case names separated by ';'.");
		host |= length == 4 && !memcmp(name, "host", 4);
		name += length + (name[length] == ';');
	}
	return host ? 0 : sigv4_malformed(e, "'Host' must be a signed header.");
}

static bool sigv4_is_signed(const struct sigv4_claim *claim, const char *header)
{
	size_t size = strlen(header);

	for (const char *name = claim->signed_headers; *name;) {
		size_t length = strcspn(name, ";");

		if (length == size && !memcmp(name, header, size))
			return true;
		name += length + (name[length] == ';');
	}
	return false;
}

/* A signature must cover the headers that steer the request.  The two exceptions are part of every
 * signature anyway. */
static int sigv4_check_unsigned(const struct http_head *head, const struct sigv4_claim *claim,
				struct err *e)
{
	for (size_t i = 0; i < head->n_headers; i++) {
		const char *name = head->headers[i].name;

		if (!strncmp(name, "x-amz-", 6) && strcmp(name, "x-amz-date") != 0 &&
		    strcmp(name, "x-amz-content-sha256") != 0 && !sigv4_is_signed(claim, name))
			return err_set(e, ERR_DENIED,
				       "AccessDenied: There were headers present in the request "
				       "which were not signed: %s",
				       name);
	}
	return 0;
}

static int sigv4_signature_text(const char *text, size_t size, struct sigv4_claim *claim,
				struct err *e)
{
	if (!sigv4_copy(claim->signature, sizeof(claim->signature), text, size) ||
	    !sigv4_all_in(claim->signature, "0123456789abcdef", 64))
		return sigv4_malformed(e, "Signature must be 64 hexadecimal digits.");
	return 0;
}

/* Find the value of `key=` in "AWS4-HMAC-SHA256 a=b, c=d". */
static const char *sigv4_field(const char *text, const char *key, size_t *size)
{
	size_t length = strlen(key);

	while (*text) {
		text += strspn(text, " \t,");
		*size = strcspn(text, ", \t");
		if (*size > length && !memcmp(text, key, length) && text[length] == '=') {
			*size -= length + 1;
			return text + length + 1;
		}
		text += *size;
	}
	*size = 0;
	return "";
}

static int sigv4_read_header(const struct http_head *head, const char *text,
			     struct sigv4_claim *claim, struct err *e)
{
	size_t algorithm = strlen(SIGV4_ALGORITHM), size;
	const char *payload = sigv4_header(head, "x-amz-content-sha256"), *field;
	const char *session = sigv4_header(head, "x-amz-security-token");

	snprintf(claim->session, sizeof(claim->session), "%s", session ? session : "");
	if (strncmp(text, SIGV4_ALGORITHM, algorithm) != 0 || !strchr(" \t", text[algorithm]))
		return sigv4_malformed(e, "only " SIGV4_ALGORITHM " is supported.");
	text += algorithm;
	field = sigv4_field(text, "Credential", &size);
	if (sigv4_credential(field, size, claim, e))
		return -1;
	field = sigv4_field(text, "SignedHeaders", &size);
	if (sigv4_signed_headers(field, size, claim, e))
		return -1;
	field = sigv4_field(text, "Signature", &size);
	if (sigv4_signature_text(field, size, claim, e))
		return -1;
	if (payload &&
	    !sigv4_copy(claim->payload, sizeof(claim->payload), payload, strlen(payload)))
		return sigv4_malformed(e, "x-amz-content-sha256 is empty or too long.");
	if (sigv4_date(sigv4_header(head, "x-amz-date"), &claim->at_ms, e))
		return -1;
	return sigv4_check_unsigned(head, claim, e);
}

/* Decode a query value.  False if it is absent, given twice, badly escaped, or too long. */
static bool sigv4_query(const char *target, const char *key, char *to, size_t room)
{
	const char *at = strchr(target, '?'), *found = NULL;
	size_t length = strlen(key), found_size = 0;

	while (at && *at) {
		size_t size = strcspn(++at, "&");

		if (size > length && !memcmp(at, key, length) && at[length] == '=') {
			if (found)
				return false;
			found = at + length + 1;
			found_size = size - length - 1;
		}
		at += size;
	}
	to[0] = '\0';
	return found && percent_decode(found, found_size, false, to, room);
}

/* Longer than any of ours, it must not be mistaken for none. */
static void sigv4_query_session(const char *target, struct sigv4_claim *claim)
{
	bool there = strstr(target, "X-Amz-Security-Token=") != NULL;

	if (!sigv4_query(target, "X-Amz-Security-Token", claim->session, sizeof(claim->session)) &&
	    there)
		snprintf(claim->session, sizeof(claim->session), "unreadable");
}

static int sigv4_read_query(const struct http_head *head, struct sigv4_claim *claim, struct err *e)
{
	char text[sizeof(claim->signed_headers)], *end;
	const char *payload = sigv4_header(head, "x-amz-content-sha256");

	claim->query_form = true;
	sigv4_query_session(head->target, claim);
	if (!sigv4_query(head->target, "X-Amz-Credential", text, sizeof(text)) ||
	    sigv4_credential(text, strlen(text), claim, e))
		return sigv4_malformed(e, "X-Amz-Credential is missing or malformed.");
	if (!sigv4_query(head->target, "X-Amz-SignedHeaders", text, sizeof(text)))
		return sigv4_malformed(e, "X-Amz-SignedHeaders is missing.");
	if (sigv4_signed_headers(text, strlen(text), claim, e))
		return -1;
	if (!sigv4_query(head->target, "X-Amz-Signature", text, sizeof(text)))
		return sigv4_malformed(e, "X-Amz-Signature is missing.");
	if (sigv4_signature_text(text, strlen(text), claim, e))
		return -1;
	if (!sigv4_query(head->target, "X-Amz-Date", text, sizeof(text)))
		text[0] = '\0';
	if (sigv4_date(text, &claim->at_ms, e))
		return -1;
	if (!sigv4_query(head->target, "X-Amz-Expires", text, sizeof(text)) || !text[0] ||
	    strlen(text) > 6 || strspn(text, "0123456789") != strlen(text))
		return sigv4_malformed(e, "X-Amz-Expires must be a number of seconds.");
	claim->expires_s = strtol(text, &end, 10);
	if (claim->expires_s < 1 || claim->expires_s > SIGV4_MAX_EXPIRES)
		return sigv4_malformed(e, "X-Amz-Expires must be between 1 and 604800 seconds.");
	if (!payload)
		payload = "UNSIGNED-PAYLOAD";
	if (!sigv4_copy(claim->payload, sizeof(claim->payload), payload, strlen(payload)))
		return sigv4_malformed(e, "x-amz-content-sha256 is empty or too long.");
	return sigv4_check_unsigned(head, claim, e);
}

int sigv4_read(const struct http_head *head, struct sigv4_claim *claim, struct err *e)
{
	const char *authorization = sigv4_header(head, "authorization");
	char algorithm[32];

	memset(claim, 0, sizeof(*claim));
	if (authorization)
		return sigv4_read_header(head, authorization, claim, e);
	if (!sigv4_query(head->target, "X-Amz-Algorithm", algorithm, sizeof(algorithm)))
		return err_set(e, ERR_DENIED,
			       "MissingAuthenticationToken: Missing Authentication Token");
	if (strcmp(algorithm, SIGV4_ALGORITHM) != 0)
		return sigv4_malformed(e, "only " SIGV4_ALGORITHM " is supported.");
	return sigv4_read_query(head, claim, e);
}
