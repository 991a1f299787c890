/* Whatever a hostile guest says over HTTP/2: each request is told of its answer in order, and once
 * of its end; the session ends with its connection and leaves nothing.
 *
 * The first byte says how the owners behave, the rest are the guest's bytes. */

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/upstream_session.h"

#define STREAMS 3
#define TURNS   200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum phase { ASKED, HEADED, TRAILED, OVER, CLOSED };

static struct {
	uv_loop_t loop;
	enum phase phase[STREAMS];
	struct upstream *up[STREAMS];
	uint8_t how; /* 1: takes little, 2: gives up at the head, 4: has a body to send */
} f;

static size_t number(const struct upstream *u)
{
	return (size_t)((enum phase *)upstream_owner(u) - f.phase);
}

static void go(struct upstream *u, enum phase from, enum phase most, enum phase to)
{
	enum phase *phase = upstream_owner(u);

	assert(*phase >= from && *phase <= most);
	*phase = to;
}

static void on_interim(struct upstream *u, const struct http_head *h)
{
	assert(h->status / 100 == 1);
	go(u, ASKED, ASKED, ASKED);
}

static void on_head(struct upstream *u, const struct http_head *h)
{
	assert(h->status >= 200 && h->status < 1000 && h->n_headers <= LIMIT_HTTP_HEADERS);
	go(u, ASKED, ASKED, HEADED);
	if (f.how & 2)
		upstream_close(u);
}

static size_t on_body(struct upstream *u, const uint8_t *data, size_t size)
{
	(void)data;
	go(u, HEADED, HEADED, HEADED);
	return f.how & 1 && size > 1 ? size / 2 : size;
}

static void on_trailers(struct upstream *u, const struct http_header *fields, size_t n)
{
	(void)fields;
	assert(n <= LIMIT_HTTP_HEADERS);
	go(u, HEADED, HEADED, TRAILED);
}

static void on_end(struct upstream *u)
{
	go(u, HEADED, TRAILED, OVER);
	upstream_close(u);
}

static void on_writable(struct upstream *u)
{
	go(u, ASKED, HEADED, *(enum phase *)upstream_owner(u));
	if (!upstream_send_body(u, "more", 4))
		return;
	upstream_send_end(u);
}

static void on_failed(struct upstream *u, const char *why)
{
	assert(why && *why);
	go(u, ASKED, HEADED, OVER);
}

static void on_closed(struct upstream *u)
{
	f.up[number(u)] = NULL;
	go(u, ASKED, OVER, CLOSED);
}

static const struct upstream_ops ops = {
	.interim = on_interim,
	.head = on_head,
	.body = on_body,
	.trailers = on_trailers,
	.end = on_end,
	.writable = on_writable,
	.failed = on_failed,
	.closed = on_closed,
};

static void on_change(void *owner)
{
	(void)owner;
}

static const struct session_ops session_ops = { .ready = on_change, .retired = on_change };
static const struct conn_ops no_ops;

static void ask(struct session *s)
{
	static const struct http_header host = { "host", "a" };
	static const uint8_t block[LIMIT_HTTP_BUFFER];

	for (size_t i = 0; i < STREAMS; i++) {
		f.phase[i] = ASKED;
		f.up[i] = session_stream(s, &ops, &f.phase[i]);
		if (!upstream_request(f.up[i], "POST", "/", &host, 1,
				      f.how & 4 ? UPSTREAM_CHUNKED : UPSTREAM_NO_BODY))
			abort();
		if (f.how & 4)
			(void)upstream_send_body(f.up[i], block, sizeof(block));
	}
}

static void turn(int peer)
{
	static uint8_t sink[1 << 16];

	uv_run(&f.loop, UV_RUN_NOWAIT);
	for (size_t i = 0; i < STREAMS; i++)
		if (f.up[i])
			upstream_read_more(f.up[i]);
	while (recv(peer, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e;
	int pair[2];

	if (!size || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return 0;
	f.how = data[0];
	uv_loop_init(&f.loop);
	ask(session_new(&f.loop, conn_new(&f.loop, pair[0], NULL, &no_ops, NULL, &e), false,
			&session_ops, NULL));
	for (size_t at = 1; at < size;) {
		ssize_t n = send(pair[1], data + at, size - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		turn(pair[1]);
		if (n < 0)
			break;
		at += (size_t)n;
	}
	turn(pair[1]);
	close(pair[1]);
	for (int i = 0; i < TURNS && uv_loop_alive(&f.loop); i++) {
		uv_run(&f.loop, UV_RUN_NOWAIT);
		for (size_t k = 0; k < STREAMS; k++)
			if (f.up[k])
				upstream_read_more(f.up[k]);
	}
	assert(!uv_loop_alive(&f.loop)); /* nothing is left */
	for (size_t i = 0; i < STREAMS; i++)
		assert(f.phase[i] == CLOSED);
	uv_loop_close(&f.loop);
	return 0;
}
