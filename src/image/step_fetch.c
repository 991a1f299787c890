/* HTTP for a step: what the requests to npm's registry and to image registries share. */

#include <curl/curl.h>
#include <string.h>

#include "image/step_http.h"

#define STEP_CONNECT_MS 5000L
#define STEP_STALL_S    30L

size_t step_take(char *data, size_t one, size_t n, void *arg)
{
	struct step_body *b = arg;

	(void)one;
	if (n > b->most - b->to->size)
		return 0;
	buf_add(b->to, data, n);
	return n;
}

CURL *step_curl(const struct step *s, const char *url)
{
	CURL *c = curl_easy_init();

	if (!c)
		return NULL;
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, 5L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, STEP_CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "doze/" DOZE_VERSION);
	if (s->ca)
		curl_easy_setopt(c, CURLOPT_CAINFO, s->ca);
	return c;
}

int step_fetch(const struct step *s, const char *url, const char *accept, size_t most,
	       struct buf *body, struct err *e)
{
	struct step_body to = { body, most };
	autofree char *header = xasprintf("Accept: %s", accept);
	struct curl_slist *headers = curl_slist_append(NULL, header);
	CURL *c = step_curl(s, url);
	CURLcode rc = CURLE_FAILED_INIT;
	long status = 0;

	if (c) {
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1000L);
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, STEP_STALL_S);
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, step_take);
		curl_easy_setopt(c, CURLOPT_WRITEDATA, &to);
		rc = curl_easy_perform(c);
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_cleanup(c);
	}
	curl_slist_free_all(headers);
	if (rc != CURLE_OK)
		return err_set(e, ERR_INTERNAL, "fetch %s: %s", url, curl_easy_strerror(rc));
	if (status != 200)
		return err_set(e, ERR_NOT_FOUND, "fetch %s: HTTP status %ld", url, status);
	return 0;
}
