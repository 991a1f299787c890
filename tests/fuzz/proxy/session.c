/* Whatever a hostile guest says over HTTP/2: each request is told of its answer in order, and once
 * of its end; the session ends with its connection and leaves nothing.
 *
 * The first byte says how the owners behave, the rest are the guest's bytes. */

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "session_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum phase { ASKED, HEADED, TRAILED, OVER, CLOSED };

static struct {
	struct session_rig rig;
	enum phase phase[SESSION_RIG_STREAMS];
	uint8_t how; /* 1: takes little, 2: gives up at the head, 4: has a body to send */
} f;

static enum phase *phase_of(const struct upstream *u)
{
	return &f.phase[session_rig_number(&f.rig, u)];
}

static void go(struct upstream *u, enum phase from, enum phase most, enum phase to)
{
	enum phase *phase = phase_of(u);

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
	go(u, ASKED, HEADED, *phase_of(u));
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
	f.rig.up[session_rig_number(&f.rig, u)] = NULL;
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

static void ask(void)
{
	static const struct http_header host = { "host", "a" };
	static const uint8_t block[LIMIT_HTTP_BUFFER];

	for (size_t i = 0; i < SESSION_RIG_STREAMS; i++) {
		struct upstream *u = session_rig_stream(&f.rig, i, &ops);

		f.phase[i] = ASKED;
		if (!upstream_request(u, "POST", "/", &host, 1,
				      f.how & 4 ? UPSTREAM_CHUNKED : UPSTREAM_NO_BODY))
			abort();
		if (f.how & 4)
			(void)upstream_send_body(u, block, sizeof(block));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || !session_rig_begin(&f.rig))
		return 0;
	f.how = data[0];
	ask();
	for (size_t at = 1; at < size;) {
		ssize_t n = send(f.rig.peer, data + at, size - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		session_rig_turn(&f.rig, true, NULL);
		if (n < 0)
			break;
		at += (size_t)n;
	}
	session_rig_turn(&f.rig, true, NULL);
	if (!session_rig_end(&f.rig))
		abort(); /* something is left */
	for (size_t i = 0; i < SESSION_RIG_STREAMS; i++)
		assert(f.phase[i] == CLOSED);
	return 0;
}
