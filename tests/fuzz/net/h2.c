/* A stranger's HTTP/2 connection, behind its preface, in pieces; its requests meet a handler that
 * does whatever a handler may.  Each exchange that began must end, and everything must be freed. */

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http.h"
#include "net/http_carrier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned heads, dones, tunnels, closed;
static const struct http_header fields[] = { { "x-a", "b" }, { "grpc-status", "0" } };

static size_t tunnel_data(struct duplex *d, const uint8_t *data, size_t size)
{
	duplex_write(d, data, size);
	if (duplex_full(d))
		duplex_pause(d);
	return size / 2;
}

static void tunnel_end(struct duplex *d)
{
	duplex_close_after_write(d);
}

static void tunnel_drained(struct duplex *d)
{
	duplex_resume(d);
}

static void tunnel_closed(struct duplex *d)
{
	(void)d;
	closed++;
}

static const struct duplex_ops tunnel_ops = {
	.data = tunnel_data, .end = tunnel_end, .drained = tunnel_drained, .closed = tunnel_closed
};

/* What the second byte of the target says. */
static char kind(const struct http_exchange *x)
{
	const char *target = http_request(x)->target;

	return *target ? target[1] : '\0';
}

static void on_head(struct http_exchange *x)
{
	heads++;
	assert(*http_request(x)->host);
	switch (kind(x)) {
	case 'a':
		http_abort(x);
		break;
	case 'e':
		http_answer(x, 200, fields, 2, "early", 5);
		break;
	case 's':
		http_read_stop(x);
		http_send_head(x, 200, fields, 2, -1);
		http_read_more(x);
		break;
	case 'i':
		http_send_interim(x, 103, fields, 1);
		break;
	case 'u':
		if (!http_request(x)->upgrade)
			break;
		http_send_head(x, 101, fields, 1, 0);
		tunnels++;
		duplex_resume(http_take_duplex(x, &tunnel_ops, NULL));
		break;
	case 'c':
		http_send_head(x, 200, fields, 2, 100);
		http_send_body(x, "half", 4);
		http_abort(x);
		break;
	default:
		break;
	}
}

static size_t on_body(struct http_exchange *x, const uint8_t *data, size_t size)
{
	if (kind(x) == 's')
		http_send_body(x, data, size);
	if (kind(x) == 'p') {
		http_read_more(x);
		return size / 2;
	}
	return size;
}

static void on_trailers(struct http_exchange *x, const struct http_header *at, size_t n)
{
	(void)x;
	for (size_t i = 0; i < n; i++)
		assert(!strpbrk(at[i].value, "\r\n"));
}

static void on_end(struct http_exchange *x)
{
	switch (kind(x)) {
	case 's':
		http_send_trailers(x, fields, 2);
		break;
	case 't':
		http_send_head(x, 200, fields, 2, 0);
		http_send_trailers(x, fields, 2);
		break;
	case 'u':
		if (http_request(x)->upgrade)
			break;
		http_abort_code(x, 8);
		break;
	case 'w':
		break; /* no answer ever */
	case 'a':
		break;
	default:
		http_send_head(x, 204, NULL, 0, -1);
		http_send_end(x);
	}
}

static void on_done(struct http_exchange *x)
{
	(void)x;
	dones++;
}

static void on_bad(struct http_exchange *x, unsigned status, const char *why)
{
	heads++;
	http_answer(x, status, NULL, 0, why, strlen(why));
}

static const struct http_handler handler = {
	.head = on_head,
	.body = on_body,
	.trailers = on_trailers,
	.end = on_end,
	.done = on_done,
	.bad = on_bad,
};

static void run(uv_loop_t *loop, int fd)
{
	static uint8_t sink[65536];

	for (int i = 0; i < 4; i++) {
		uv_run(loop, UV_RUN_NOWAIT);
		while (read(fd, sink, sizeof(sink)) > 0) {
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	static const struct conn_ops none;
	struct sockaddr_storage address = { 0 };
	struct http_server *s;
	struct quota_source *source;
	struct conn *c;
	uv_loop_t loop;
	struct err e;
	int fds[2];

	if (!size)
		return 0;
	heads = dones = tunnels = closed = 0;
	if (uv_loop_init(&loop) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
		abort();
	s = http_server_new(&loop, NULL, &handler, NULL);
	source = quota_source(s->quota, &address);
	c = conn_new(&loop, fds[0], NULL, &none, NULL, &e);
	assert(c);
	conn_count(c, source);
	http_h2_take(s, c, source);
	(void)!write(fds[1], preface, sizeof(preface));
	for (size_t at = 1, n; at < size; at += n) {
		n = (size_t)data[0] * 16 + 1 < size - at ? (size_t)data[0] * 16 + 1 : size - at;
		(void)!write(fds[1], data + at, n);
		run(&loop, fds[1]);
	}
	close(fds[1]);
	run(&loop, -1);
	http_server_free(s);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert(heads == dones + tunnels && tunnels == closed);
	assert(!uv_loop_close(&loop));
	return 0;
}
