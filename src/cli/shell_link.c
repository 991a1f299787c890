#include "cli/shell_link.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINK_HEAD       (16 * KIB) /* of the endpoint's answer */
#define LINK_MESSAGE    (1 * MIB)
#define LINK_CONNECT_MS 10000L

struct shell_link {
	CURL *curl;
	int fd; /* borrowed from curl */
	struct websocket *websocket;
	struct buf in; /* of the answer's head, and what came behind it */
};

int shell_link_fd(const struct shell_link *l)
{
	return l->fd;
}

struct websocket *shell_link_websocket(struct shell_link *l)
{
	return l->websocket;
}

size_t shell_link_unsent(struct shell_link *l)
{
	return websocket_out(l->websocket)->size;
}

void shell_link_close(struct shell_link *l)
{
	if (!l)
		return;
	if (l->websocket)
		websocket_free(l->websocket);
	curl_easy_cleanup(l->curl);
	buf_free(&l->in);
	free(l);
}

static int link_connect(struct shell_link *l, const struct client *c, const char *url,
			struct err *e)
{
	char why[CURL_ERROR_SIZE] = "";
	curl_socket_t fd = CURL_SOCKET_BAD;
	CURLcode rc;

	curl_easy_setopt(l->curl, CURLOPT_URL, url);
	curl_easy_setopt(l->curl, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(l->curl, CURLOPT_CAINFO, c->ca_file);
	curl_easy_setopt(l->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(l->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(l->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(l->curl, CURLOPT_CONNECTTIMEOUT_MS, LINK_CONNECT_MS);
	curl_easy_setopt(l->curl, CURLOPT_ERRORBUFFER, why);
	rc = curl_easy_perform(l->curl);
	curl_easy_setopt(l->curl, CURLOPT_ERRORBUFFER, NULL);
	if (rc || curl_easy_getinfo(l->curl, CURLINFO_ACTIVESOCKET, &fd))
		return err_set(e, ERR_CAPACITY, "cannot reach the endpoint: %s",
			       *why ? why : curl_easy_strerror(rc));
	l->fd = (int)fd;
	return 0;
}

/* 1: something came; 0: nothing now; -1: it broke. */
static int link_receive(struct shell_link *l)
{
	size_t n = 0;
	CURLcode rc;

	buf_reserve(&l->in, LINK_HEAD);
	rc = curl_easy_recv(l->curl, l->in.data + l->in.size, LINK_HEAD, &n);
	if (rc == CURLE_AGAIN)
		return 0;
	if (rc || !n)
		return -1;
	l->in.size += n;
	return 1;
}

int shell_link_read(struct shell_link *l)
{
	int rc;

	while ((rc = link_receive(l)) > 0) {
		websocket_feed(l->websocket, l->in.data, l->in.size);
		buf_clear(&l->in);
	}
	return rc;
}

int shell_link_write(struct shell_link *l)
{
	struct buf *out = websocket_out(l->websocket);

	while (out->size) {
		size_t n = 0;
		CURLcode rc = curl_easy_send(l->curl, out->data, out->size, &n);

		if (rc == CURLE_AGAIN)
			return 0;
		if (rc)
			return -1;
		buf_drop(out, n);
	}
	return 0;
}

static int link_ask(struct shell_link *l, const struct shell_ask *ask, const char *key,
		    struct err *e)
{
	autobuf struct buf text = { .secret = true };

	buf_adds(&text, "GET /shell?status=1");
	if (*ask->session)
		buf_addf(&text, "&session=%s&offset=%llu", ask->session,
			 (unsigned long long)ask->offset);
	buf_addf(&text,
		 " HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nX-aws-proxy-auth: %s\r\n"
		 "\r\n",
		 ask->endpoint, key, ask->token);
	while (text.size) {
		struct pollfd ready = { .fd = l->fd, .events = POLLOUT };
		size_t n = 0;
		CURLcode rc = curl_easy_send(l->curl, text.data, text.size, &n);

		if (rc == CURLE_AGAIN)
			poll(&ready, 1, -1);
		else if (rc)
			return err_set(e, ERR_CAPACITY, "the endpoint ended the connection");
		buf_drop(&text, n);
	}
	return 0;
}

/* The length of the head with its empty line; 0: it does not stand there whole. */
static size_t link_head_size(struct buf *in)
{
	const char *end = memmem(in->data, in->size, "\r\n\r\n", 4);

	return end ? (size_t)(end - (const char *)in->data) + 4 : 0;
}

static int link_await(struct shell_link *l, int give_up, size_t *size, unsigned *status,
		      struct err *e)
{
	while (!(*size = link_head_size(&l->in))) {
		struct pollfd ready[] = { { .fd = l->fd, .events = POLLIN },
					  { .fd = give_up, .events = POLLIN } };
		int rc = link_receive(l);

		if (rc < 0 || l->in.size > LINK_HEAD)
			return err_set(e, ERR_CAPACITY,
				       "the endpoint ended the connection without an answer");
		if (!rc && poll(ready, 2, -1) < 0 && errno != EINTR)
			return err_sys(e, "wait for the endpoint");
		if (ready[1].revents) {
			*status = SHELL_LINK_STOPPED;
			return err_set(e, ERR_CONFLICT, "the microVM has not answered yet");
		}
	}
	return 0;
}

/* Copies the value of a header, or gives "". */
static void link_header(const char *head, const char *name, char *value, size_t size)
{
	const char *at = strcasestr(head, name);

	snprintf(value, size, "%.*s", at ? (int)strcspn(at + strlen(name), "\r\n") : 0,
		 at ? at + strlen(name) : "");
}

static int link_judge(struct shell_link *l, size_t size, const char *key, unsigned *status,
		      struct err *e)
{
	autofree char *head = xasprintf("%.*s", (int)size, (const char *)l->in.data);
	char accept[WEBSOCKET_ACCEPT], got[WEBSOCKET_ACCEPT + 1], reason[200];

	if (sscanf(head, "HTTP/1.%*1u %3u", status) != 1)
		return err_set(e, ERR_INTERNAL, "the endpoint's answer is not HTTP");
	link_header(head, "\r\nx-doze-reason: ", reason, sizeof(reason));
	if (*status != 101)
		return err_set(e, ERR_CONFLICT, "the endpoint answered %u%s%s", *status,
			       *reason ? ": " : "", reason);
	*status = 0;
	websocket_accept(key, accept);
	link_header(head, "\r\nsec-websocket-accept: ", got, sizeof(got));
	if (strcmp(got, accept) != 0)
		return err_set(e, ERR_INTERNAL, "the endpoint's answer is no WebSocket");
	return 0;
}

static int link_begin(struct shell_link *l, const struct client *c, const struct shell_ask *ask,
		      int give_up, unsigned *status, struct err *e)
{
	autofree char *url = xasprintf("https://%s/", ask->endpoint);
	char key[WEBSOCKET_KEY];
	size_t size;

	websocket_key(key);
	if (link_connect(l, c, url, e) || link_ask(l, ask, key, e) ||
	    link_await(l, give_up, &size, status, e) || link_judge(l, size, key, status, e))
		return -1;
	buf_drop(&l->in, size);
	return 0;
}

struct shell_link *shell_link_open(const struct client *c, const struct shell_ask *ask,
				   const struct websocket_ops *ops, void *arg, int give_up,
				   unsigned *status, struct err *e)
{
	struct shell_link *l = xcalloc(1, sizeof(*l));

	*status = 0;
	l->curl = curl_easy_init();
	if (!l->curl)
		err_set(e, ERR_INTERNAL, "libcurl cannot be initialised");
	if (!l->curl || link_begin(l, c, ask, give_up, status, e)) {
		shell_link_close(l);
		return NULL;
	}
	l->websocket = websocket_new(true, LINK_MESSAGE, ops, arg);
	websocket_feed(l->websocket, l->in.data, l->in.size);
	buf_clear(&l->in);
	return l;
}
