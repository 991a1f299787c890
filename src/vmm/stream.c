#include "vmm/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/limits.h"
#include "ipc/agent.h"
#include "vmm/virtio/queue.h"

#define STREAMS_OVER 64 /* the heap has room for them beside those that are open */

struct stream {
	struct vsock_conn conn;
	struct streams *all; /* borrowed */
	struct watch watch;  /* edge-triggered, so what is ready is remembered */
	struct timer timer;  /* for the guest to accept */
	int fd;              /* owned */
	bool hung_up;        /* the peer neither reads nor writes any more */
	bool finished;       /* nothing follows `rest` */
	bool over;           /* the guest's side is gone, and `conn` is not used any more */
	struct buf rest;     /* sent by the guest, not taken by the peer yet */
};

static struct stream *stream_of(struct vsock_conn *c)
{
	return container_of(c, struct stream, conn);
}

static void stream_free(struct stream *s)
{
	loop_untimer(s->all->loop, &s->timer);
	loop_unwatch(s->all->loop, &s->watch);
	s->all->n_over -= s->over;
	fd_close(&s->fd);
	buf_free(&s->rest);
	free(s);
}

static void stream_refuse(struct stream *s, const char *answer)
{
	(void)!write(s->fd, answer, strlen(answer));
	stream_free(s);
}

/* Pass on everything that came before the guest learns that the peer is gone. */
static ssize_t stream_read(struct vsock_conn *c, const struct iovec *to, unsigned n)
{
	struct stream *s = stream_of(c);
	ssize_t got;

	do
		got = readv(s->fd, to, (int)n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	return got || !s->hung_up ? got : -EPIPE;
}

/* Write what the peer takes now.  Returns -1 if it is broken. */
static ssize_t stream_write(const struct stream *s, const struct iovec *from, unsigned n)
{
	ssize_t done;

	do
		done = writev(s->fd, from, (int)n);
	while (done < 0 && errno == EINTR);
	return done < 0 && errno == EAGAIN ? 0 : done;
}

static bool stream_put(struct vsock_conn *c, struct span *bytes)
{
	struct stream *s = stream_of(c);
	ssize_t n = s->rest.size ? 0 : stream_write(s, bytes->at, bytes->n);
	size_t left;

	if (n < 0)
		return false;
	span_skip(bytes, (size_t)n);
	vsock_taken(c, (uint32_t)n);
	left = bytes->size;
	if (left) {
		buf_reserve(&s->rest, left);
		span_take(bytes, s->rest.data + s->rest.size, left);
		s->rest.size += left;
	}
	return true;
}

static void stream_finish(struct vsock_conn *c)
{
	struct stream *s = stream_of(c);

	s->finished = true;
	if (!s->rest.size)
		shutdown(s->fd, SHUT_WR);
}

static void stream_opened(struct vsock_conn *c)
{
	struct stream *s = stream_of(c);

	loop_untimer(s->all->loop, &s->timer);
}

/* A socket that is closed with unread bytes gives its peer an error instead of the end that was
 * meant, and the peer would take what it has got for a part. */
static void stream_end(struct stream *s)
{
	char piece[4096];
	struct iovec v = { piece, sizeof(piece) };

	shutdown(s->fd, SHUT_RDWR);
	while (readv(s->fd, &v, 1) > 0)
		;
	stream_free(s);
}

static void stream_closed(struct vsock_conn *c, bool refused)
{
	struct stream *s = stream_of(c);

	if (refused) {
		stream_refuse(s, "ERR the guest's agent does not listen\n");
	} else if (s->rest.size && s->all->n_over < STREAMS_OVER) {
		s->over = true;
		s->all->n_over++;
	} else {
		stream_end(s);
	}
}

static const struct vsock_end_ops stream_ops = {
	.read = stream_read,
	.put = stream_put,
	.finish = stream_finish,
	.opened = stream_opened,
	.closed = stream_closed,
};

/* Returns false if the stream is gone. */
static bool stream_flush(struct stream *s)
{
	struct iovec v = { s->rest.data, s->rest.size };
	ssize_t n = v.iov_len ? stream_write(s, &v, 1) : 0;

	if (n < 0) {
		if (!s->over)
			vsock_abort(&s->conn);
		stream_free(s);
		return false;
	}
	buf_drop(&s->rest, (size_t)n);
	if (!s->over)
		vsock_taken(&s->conn, (uint32_t)n);
	if (s->over && !s->rest.size) {
		stream_end(s);
		return false;
	}
	if (!s->rest.size) {
		buf_free(&s->rest);
		if (n && s->finished)
			shutdown(s->fd, SHUT_WR);
	}
	return true;
}

static void stream_ready(struct watch *w, uint32_t events)
{
	struct stream *s = container_of(w, struct stream, watch);

	s->hung_up |= (events & (EPOLLHUP | EPOLLERR)) != 0;
	if (!stream_flush(s) || s->over)
		return;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		vsock_readable(&s->conn);
	else
		vsock_kick(&s->conn);
}

static void stream_late(struct timer *t)
{
	struct stream *s = container_of(t, struct stream, timer);

	vsock_abort(&s->conn);
	stream_refuse(s, "ERR the guest does not answer\n");
}

static void streams_accept(struct watch *w, uint32_t events)
{
	struct streams *all = container_of(w, struct streams, listen);
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct stream *s;
	struct err e;

	(void)events;
	if (fd < 0)
		return;
	s = xcalloc(1, sizeof(*s));
	s->all = all;
	s->fd = fd;
	if (!vsock_connect(all->vsock, &s->conn, AGENT_STREAM_PORT, &stream_ops)) {
		stream_refuse(s, "ERR busy\n");
		return;
	}
	loop_timer(all->loop, &s->timer, LIMIT_STREAM_MS, stream_late);
	if (loop_watch(all->loop, &s->watch, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		       stream_ready, &e)) {
		vsock_abort(&s->conn);
		stream_refuse(s, "ERR busy\n");
	}
}

int streams_open(struct streams *s, struct loop *l, struct vsock *v, int listen_fd, struct err *e)
{
	*s = (struct streams){ .loop = l, .vsock = v };
	return loop_watch(l, &s->listen, listen_fd, EPOLLIN, streams_accept, e);
}
