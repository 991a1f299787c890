/* http_exchange.c - an exchange as its handler sees it, whatever carries it. */

#include <netdb.h>
#include <time.h>

#include "net/http.h"
#include "net/http_carrier.h"

#define HTTP_H2_INTERNAL_ERROR 2 /* RFC 9113 7 */

const struct http_head *http_request(const struct http_exchange *x)
{
	return x->head;
}

unsigned http_version(const struct http_exchange *x)
{
	return x->carrier->version;
}

const char *http_sni(const struct http_exchange *x)
{
	return x->carrier->sni(x);
}

bool http_peer(const struct http_exchange *x, struct sockaddr_storage *to)
{
	return x->carrier->peer(x, to);
}

bool http_peer_text(const struct http_exchange *x, char text[HTTP_PEER_TEXT])
{
	struct sockaddr_storage peer;

	return http_peer(x, &peer) && !getnameinfo((const struct sockaddr *)&peer, sizeof(peer),
						   text, HTTP_PEER_TEXT, NULL, 0, NI_NUMERICHOST);
}

bool http_is_tls(const struct http_exchange *x)
{
	return x->server->tls != NULL;
}

void *http_server_arg(const struct http_exchange *x)
{
	return x->server->arg;
}

void *http_user(const struct http_exchange *x)
{
	return x->user;
}

void http_set_user(struct http_exchange *x, void *user)
{
	x->user = user;
}

bool http_gone(const struct http_exchange *x)
{
	return x->gone;
}

uv_loop_t *http_loop(const struct http_exchange *x)
{
	return x->server->loop;
}

bool http_keep(struct http_exchange *x, size_t size)
{
	return quota_keep(x->source, &x->kept, size);
}

void http_trust(struct http_exchange *x)
{
	quota_release(x->source, &x->kept);
}

void http_penalize(struct http_exchange *x)
{
	penalty_add(x->server->penalties, x->source, (int64_t)uv_now(x->server->loop));
}

bool http_is_penalized(const struct http_exchange *x)
{
	return penalty_is_due(x->server->penalties, x->source, (int64_t)uv_now(x->server->loop));
}

void http_read_stop(struct http_exchange *x)
{
	x->carrier->read_stop(x);
}

void http_read_more(struct http_exchange *x)
{
	x->carrier->read_more(x);
}

void http_send_continue(struct http_exchange *x)
{
	x->carrier->send_continue(x);
}

void http_set_reason(struct http_exchange *x, const char *reason)
{
	x->reason = reason;
}

void http_send_head(struct http_exchange *x, unsigned status, const struct http_header *headers,
		    size_t n, int64_t length)
{
	x->carrier->send_head(x, status, headers, n, length);
	x->reason = NULL;
}

bool http_send_body(struct http_exchange *x, const void *data, size_t size)
{
	return x->carrier->send_body(x, data, size);
}

void http_send_end(struct http_exchange *x)
{
	x->carrier->send_end(x);
}

void http_send_interim(struct http_exchange *x, unsigned status, const struct http_header *headers,
		       size_t n)
{
	if (status == 100)
		x->carrier->send_continue(x);
	else if (x->carrier->send_interim)
		x->carrier->send_interim(x, status, headers, n);
}

void http_send_trailers(struct http_exchange *x, const struct http_header *fields, size_t n)
{
	x->carrier->send_trailers(x, fields, n);
}

void http_abort(struct http_exchange *x)
{
	x->carrier->abort(x, HTTP_H2_INTERNAL_ERROR);
}

void http_abort_code(struct http_exchange *x, uint32_t h2_code)
{
	x->carrier->abort(x, h2_code);
}

void http_answer(struct http_exchange *x, unsigned status, const struct http_header *headers,
		 size_t n, const void *body, size_t size)
{
	x->carrier->cork(x, true);
	x->carrier->send_head(x, status, headers, n, (int64_t)size);
	(void)x->carrier->send_body(x, body, size);
	x->carrier->send_end(x);
	x->carrier->cork(x, false);
}

struct duplex *http_take_duplex(struct http_exchange *x, const struct duplex_ops *ops, void *owner)
{
	return x->carrier->take_duplex(x, ops, owner);
}

bool http_upgrade_fits(const struct http_exchange *x, const struct http_head *answer)
{
	return x->head->upgrade &&
	       (!x->carrier->upgrade_fits || x->carrier->upgrade_fits(x, answer));
}

const char *http_date(void)
{
	static time_t last;
	static char text[40];
	time_t now = time(NULL);
	struct tm tm;

	if (now != last) {
		last = now;
		gmtime_r(&now, &tm);
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return text;
}
