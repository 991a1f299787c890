#include "qemu/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "ipc/agent.h"
#include "wire/connect.h"

#define STREAM_LINE 128

/* Read a line from the peer, connect to the guest, then read the guest's line. */
struct stream_conn {
	struct list in;
	struct stream *stream; /* borrowed */
	struct watch peer, guest;
	int peer_fd, guest_fd; /* owned */
	bool connected;
	struct timer timer;
	char ask[STREAM_LINE], answer[STREAM_LINE];
	size_t n_ask, n_answer;
};

static void conn_free(struct stream_conn *c)
{
	struct stream *s = c->stream;

	loop_untimer(s->loop, &c->timer);
	loop_unwatch(s->loop, &c->peer);
	loop_unwatch(s->loop, &c->guest);
	fd_close(&c->peer_fd);
	fd_close(&c->guest_fd);
	list_del(&c->in);
	s->n_conns--;
	free(c);
	loop_rewatch(s->loop, &s->listen, EPOLLIN);
}

static void conn_send(int fd, const char *text, int pass)
{
	ssize_t n = io_send_fd(fd, text, strlen(text), pass, MSG_DONTWAIT);

	if (n < 0)
		log_debug("A stream's peer is gone cause='%s'", strerror((int)-n));
}

static void conn_refuse(struct stream_conn *c, const char *why)
{
	char line[STREAM_LINE + 8];

	snprintf(line, sizeof(line), "ERR %.*s\n", STREAM_LINE - 1, why);
	conn_send(c->peer_fd, line, -1);
	conn_free(c);
}

/* Take bytes up to the first end of line and not one more.  1: the line is whole; 0: not yet;
 * -1: too long, or the other side is gone. */
static int conn_line(int fd, char line[STREAM_LINE], size_t *used)
{
	ssize_t n = recv(fd, line + *used, STREAM_LINE - *used, MSG_PEEK | MSG_DONTWAIT);
	const char *end;
	size_t take;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	end = memchr(line + *used, '\n', (size_t)n);
	take = end ? (size_t)(end - (line + *used)) + 1 : (size_t)n;
	if (recv(fd, line + *used, take, MSG_DONTWAIT) != (ssize_t)take)
		return -1;
	*used += take;
	return end ? 1 : *used == STREAM_LINE ? -1 : 0;
}

bool stream_line_valid(const char *line, size_t size)
{
	struct connect_ask ask;
	size_t used;

	return connect_read(line, size, &ask, &used) == 1 && used == size &&
	       (!ask.port || line[strcspn(line, "0123456789")] != '0');
}

static void conn_answer(struct stream_conn *c)
{
	char why[STREAM_LINE];
	int got = conn_line(c->guest_fd, c->answer, &c->n_answer);

	if (!got)
		return;
	if (got < 0) {
		conn_refuse(c, "the guest's agent ended the connection");
		return;
	}
	if (c->n_answer == 3 && !memcmp(c->answer, "OK\n", 3)) {
		conn_send(c->peer_fd, "OK\n", c->guest_fd);
		conn_free(c);
		return;
	}
	if (c->n_answer > 5 && !memcmp(c->answer, "ERR ", 4)) {
		snprintf(why, sizeof(why), "%.*s", (int)(c->n_answer - 5), c->answer + 4);
		for (char *p = why; *p; p++)
			if (*p < ' ' || *p > '~')
				*p = '?';
		conn_refuse(c, why);
		return;
	}
	conn_refuse(c, "the guest's agent answered something else");
}

static void conn_guest_ready(struct watch *w, uint32_t events)
{
	struct stream_conn *c = container_of(w, struct stream_conn, guest);
	socklen_t size = sizeof(int);
	int failed = 0;

	(void)events;
	if (c->connected) {
		conn_answer(c);
		return;
	}
	getsockopt(c->guest_fd, SOL_SOCKET, SO_ERROR, &failed, &size);
	if (failed) {
		conn_refuse(c, strerror(failed));
		return;
	}
	c->connected = true;
	if (send(c->guest_fd, c->ask, c->n_ask, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)c->n_ask) {
		conn_refuse(c, "the guest's agent ended the connection");
		return;
	}
	loop_rewatch(c->stream->loop, &c->guest, EPOLLIN);
}

static void conn_connect(struct stream_conn *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(AGENT_STREAM_PORT) };
	const int on = 1;
	struct err e;

	inet_pton(AF_INET, SLOT_GUEST_IP, &to.sin_addr);
	c->guest_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->guest_fd < 0 || setsockopt(c->guest_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    (connect(c->guest_fd, (const struct sockaddr *)&to, sizeof(to)) &&
	     errno != EINPROGRESS)) {
		conn_refuse(c, strerror(errno));
		return;
	}
	if (loop_watch(c->stream->loop, &c->guest, c->guest_fd, EPOLLOUT, conn_guest_ready, &e))
		conn_refuse(c, e.text);
}

/* After its line the peer must wait for the answer, so bytes or an end both close it. */
static void conn_peer_ready(struct watch *w, uint32_t events)
{
	struct stream_conn *c = container_of(w, struct stream_conn, peer);
	int got;

	(void)events;
	if (c->guest_fd >= 0) {
		conn_free(c);
		return;
	}
	got = conn_line(c->peer_fd, c->ask, &c->n_ask);
	if (!got)
		return;
	if (got < 0)
		conn_free(c);
	else if (!stream_line_valid(c->ask, c->n_ask))
		conn_refuse(c, "ask with: CONNECT <port>");
	else
		conn_connect(c);
}

static void conn_late(struct timer *t)
{
	struct stream_conn *c = container_of(t, struct stream_conn, timer);

	conn_refuse(c, c->guest_fd < 0 ? "no CONNECT came" : "the guest does not answer");
}

static void stream_accept(struct watch *w, uint32_t events)
{
	struct stream *s = container_of(w, struct stream, listen);
	struct stream_conn *c;
	struct err e;
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	c = xcalloc(1, sizeof(*c));
	*c = (struct stream_conn){ .stream = s, .peer_fd = fd, .guest_fd = -1 };
	list_add(&s->conns, &c->in);
	s->n_conns++;
	loop_timer(s->loop, &c->timer, LIMIT_STREAM_MS, conn_late);
	if (loop_watch(s->loop, &c->peer, fd, EPOLLIN | EPOLLRDHUP, conn_peer_ready, &e)) {
		conn_refuse(c, e.text);
		return;
	}
	if (s->n_conns >= LIMIT_STREAMS)
		loop_rewatch(s->loop, &s->listen, 0);
}

int stream_open(struct stream *s, struct loop *l, int listen_fd, struct err *e)
{
	*s = (struct stream){ .loop = l };
	list_init(&s->conns);
	return loop_watch(l, &s->listen, listen_fd, EPOLLIN, stream_accept, e);
}

void stream_close(struct stream *s)
{
	list_each(c, &s->conns, struct stream_conn, in) conn_free(c);
	loop_unwatch(s->loop, &s->listen);
}
