#include "guest/streams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/limits.h"
#include "guest/datagrams.h"
#include "guest/loopback.h"
#include "guest/relay.h"

#define STREAM_PATIENCE_MS 20 /* for the loopback to answer a connect, which takes it no time */

enum stream_state {
	STREAM_ASKING,     /* the host is connected, but its line is not complete */
	STREAM_PROMISED,   /* somebody listens; the host's first byte has not come yet */
	STREAM_CONNECTING, /* to the application */
	STREAM_RELAYING,
	STREAM_DATAGRAMS, /* `relay` is not used */
};

enum stream_end { STREAM_HOST, STREAM_APP };

struct stream {
	struct list in;
	struct streams *streams; /* borrowed */
	enum stream_state state;
	struct relay relay;
	struct stream_flow *flow; /* owned; NULL: bytes */
	struct watch watch;       /* until the relay begins */
	struct timer timer;       /* while it connects */
	int64_t until_ms;         /* monotonic: so long it tries to connect */
	uint8_t line[CONNECT_LINE];
	size_t n_line;
	struct connect_ask ask;
	bool six;
};

struct stream_flow {
	struct datagrams datagrams;
	struct stream *stream; /* borrowed */
};

static void stream_connect(struct stream *s, bool six);

/* @abort resets the connection instead of closing it, for a peer that is gone. */
static void stream_free(struct stream *s, bool abort)
{
	const struct linger none = { .l_onoff = 1 };

	loop_unwatch(s->streams->loop, &s->watch);
	loop_untimer(s->streams->loop, &s->timer);
	if (abort)
		setsockopt(s->relay.side[STREAM_HOST].fd, SOL_SOCKET, SO_LINGER, &none,
			   sizeof(none));
	relay_close(&s->relay);
	if (s->flow)
		datagrams_close(&s->flow->datagrams);
	free(s->flow);
	list_del(&s->in);
	s->streams->n--;
	free(s);
}

static void stream_done(struct relay *r, bool broken)
{
	stream_free(container_of(r, struct stream, relay), broken);
}

static void stream_refuse(struct stream *s, const char *answer)
{
	(void)!send(s->relay.side[STREAM_HOST].fd, answer, strlen(answer), MSG_NOSIGNAL);
	stream_free(s, false);
}

/* Writes only what changes: every clone would have to keep a page of its own. */
static void ports_add(struct diag_ports *ports, uint16_t port)
{
	uint64_t bit = 1ULL << port % 64;

	if (!(ports->bits[port / 64] & bit))
		ports->bits[port / 64] |= bit;
}

static void stream_connected(struct stream *s)
{
	s->state = STREAM_RELAYING;
	loop_unwatch(s->streams->loop, &s->watch);
	loop_untimer(s->streams->loop, &s->timer);
	relay_start(&s->relay);
}

/* The port was open a moment ago.  The host has been told so, and hears of the end alone. */
static void stream_failed(struct stream *s, int error)
{
	loop_unwatch(s->streams->loop, &s->watch);
	loop_untimer(s->streams->loop, &s->timer);
	fd_close(&s->relay.side[STREAM_APP].fd);
	if (error == -ECONNREFUSED && !s->six)
		stream_connect(s, true);
	else
		stream_free(s, true);
}

static void stream_try_again(struct timer *t)
{
	stream_connect(container_of(t, struct stream, timer), false);
}

/* The kernel drops a connection for which the backlog has no room after all, and tries it again
 * after a second, then two, four and so on. */
static void stream_is_late(struct timer *t)
{
	struct stream *s = container_of(t, struct stream, timer);

	loop_unwatch(s->streams->loop, &s->watch);
	fd_close(&s->relay.side[STREAM_APP].fd);
	if (clock_mono_ms() >= s->until_ms)
		stream_free(s, true);
	else
		loop_timer(s->streams->loop, &s->timer, STREAM_PATIENCE_MS, stream_try_again);
}

static void stream_connect_ready(struct watch *w, uint32_t events)
{
	struct stream *s = container_of(w, struct stream, watch);
	int rc = loopback_result(w->fd);

	(void)events;
	if (rc)
		stream_failed(s, rc);
	else
		stream_connected(s);
}

static void stream_connect(struct stream *s, bool six)
{
	int *fd = &s->relay.side[STREAM_APP].fd;
	bool done = false;
	struct err e;

	s->state = STREAM_CONNECTING;
	s->six = six;
	*fd = loopback_connect(s->ask.port, six, &done);
	if (*fd < 0) {
		int rc = *fd;

		*fd = -1;
		stream_failed(s, rc);
	} else if (done) {
		stream_connected(s);
	} else if (loop_watch(s->streams->loop, &s->watch, *fd, EPOLLOUT, stream_connect_ready,
			      &e)) {
		stream_free(s, true);
	} else {
		loop_timer(s->streams->loop, &s->timer, STREAM_PATIENCE_MS, stream_is_late);
	}
}

/* Those that were promised a place in the backlog, and are not in it yet. */
static uint32_t streams_promised(const struct streams *all, uint16_t port)
{
	uint32_t n = 0;

	list_each(s, &all->all, struct stream, in)
	{
		n += s->ask.port == port &&
		     (s->state == STREAM_PROMISED || s->state == STREAM_CONNECTING);
	}
	return n;
}

/* NULL: the port may be promised. */
static const char *stream_refusal(const struct stream *s)
{
	const struct streams *all = s->streams;
	struct diag_port at = { .port = s->ask.port };

	if (diag_room(all->diag_fd, &at))
		return "ERR unreachable\n";
	if (at.listens)
		return streams_promised(all, s->ask.port) < at.room ? NULL : "ERR busy\n";
	return all->opened.bits[s->ask.port / 64] & 1ULL << s->ask.port % 64 ? "ERR refused\n"
									     : "ERR starting\n";
}

static void stream_begin(struct stream *s)
{
	loop_unwatch(s->streams->loop, &s->watch);
	s->until_ms = clock_mono_ms() + LIMIT_NET_DIAL_MS;
	stream_connect(s, false);
}

/* What has come is at hand when the application is connected to, so that the two follow each other
 * at once. */
static void stream_first_byte(struct watch *w, uint32_t events)
{
	static uint8_t piece[16 * KIB];
	struct stream *s = container_of(w, struct stream, watch);
	ssize_t n = recv(w->fd, piece, sizeof(piece), 0);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stream_free(s, n < 0);
		return;
	}
	buf_add(&s->relay.side[STREAM_APP].rest, piece, (size_t)n);
	stream_begin(s);
}

/* The connection is the shells', and this stream over. */
static void stream_to_shell(struct stream *s)
{
	struct buf *early = &s->relay.side[STREAM_APP].rest;
	struct shells *shells = s->streams->shells;

	if (!shells) {
		stream_refuse(s, "ERR malformed\n");
		return;
	}
	loop_unwatch(s->streams->loop, &s->watch);
	shells_take(shells, fd_steal(&s->relay.side[STREAM_HOST].fd), early->data, early->size);
	stream_free(s, false);
}

static void stream_promise(struct stream *s)
{
	const char *refusal = stream_refusal(s);
	int host = s->relay.side[STREAM_HOST].fd;
	struct err e;

	if (refusal) {
		stream_refuse(s, refusal);
		return;
	}
	s->state = STREAM_PROMISED;
	ports_add(&s->streams->opened, s->ask.port);
	buf_adds(&s->relay.side[STREAM_HOST].rest, "OK\n");
	relay_write_now(&s->relay.side[STREAM_HOST]);
	loop_unwatch(s->streams->loop, &s->watch);
	if (s->relay.side[STREAM_APP].rest.size || s->ask.way == CONNECT_AT_ONCE)
		stream_begin(s);
	else if (loop_watch(s->streams->loop, &s->watch, host, EPOLLIN, stream_first_byte, &e))
		stream_free(s, true);
}

static void stream_flow_over(struct datagrams *d)
{
	struct stream_flow *flow = container_of(d, struct stream_flow, datagrams);

	stream_free(flow->stream, false);
}

/* The host's descriptor goes to the flow. */
static void stream_flow(struct stream *s)
{
	int *host = &s->relay.side[STREAM_HOST].fd;
	struct err e;

	loop_unwatch(s->streams->loop, &s->watch);
	s->state = STREAM_DATAGRAMS;
	s->flow = xcalloc(1, sizeof(*s->flow));
	s->flow->stream = s;
	if (send(*host, "OK\n", 3, MSG_NOSIGNAL) != 3 ||
	    datagrams_open(&s->flow->datagrams, s->streams->loop, fd_steal(host), s->ask.port,
			   &s->relay.side[STREAM_APP].rest, stream_flow_over, &e))
		stream_free(s, true);
}

static void stream_answer(struct stream *s)
{
	if (s->ask.way == CONNECT_DATAGRAMS)
		stream_flow(s);
	else if (s->ask.way == CONNECT_SHELL)
		stream_to_shell(s);
	else
		stream_promise(s);
}

/* Returns 1 once the port is known, 0 before, -1 if the stream is gone. */
static int stream_ask(struct stream *s)
{
	int fd = s->relay.side[STREAM_HOST].fd;
	ssize_t n = recv(fd, s->line + s->n_line, sizeof(s->line) - s->n_line, 0);
	size_t used;
	int rc;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		stream_free(s, n < 0);
		return -1;
	}
	s->n_line += (size_t)n;
	rc = connect_read(s->line, s->n_line, &s->ask, &used);
	if (rc < 0)
		stream_refuse(s, "ERR malformed\n");
	if (rc > 0)
		buf_add(&s->relay.side[STREAM_APP].rest, s->line + used, s->n_line - used);
	return rc;
}

static void stream_ask_ready(struct watch *w, uint32_t events)
{
	struct stream *s = container_of(w, struct stream, watch);

	(void)events;
	if (stream_ask(s) > 0)
		stream_answer(s);
}

/* Usually the line is there already. */
static void stream_new(struct streams *all, int fd)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	struct err e;
	int rc;

	s->streams = all;
	relay_init(&s->relay, all->loop, stream_done);
	s->relay.side[STREAM_HOST].fd = fd;
	list_add(&all->all, &s->in);
	all->n++;
	rc = stream_ask(s);
	if (rc > 0)
		stream_answer(s);
	else if (!rc && loop_watch(all->loop, &s->watch, fd, EPOLLIN, stream_ask_ready, &e))
		stream_free(s, true);
}

/* Make room for a new stream.  The oldest one that has not asked, or whose host has finished, goes
 * first. */
static bool streams_make_room(struct streams *all)
{
	if (all->n < STREAMS_MAX)
		return true;
	list_each(s, &all->all, struct stream, in)
	{
		if (s->state == STREAM_ASKING || s->relay.side[STREAM_HOST].ended) {
			stream_free(s, true);
			return true;
		}
	}
	return false;
}

static void streams_accept(struct watch *w, uint32_t events)
{
	struct streams *all = container_of(w, struct streams, watch);
	struct sockaddr_storage from = { 0 };
	socklen_t size = sizeof(from);
	autoclose int fd = accept4(w->fd, (struct sockaddr *)(void *)&from, &size,
				   SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0 || !all->host->is_host(&from))
		return;
	if (streams_make_room(all))
		stream_new(all, fd_steal(&fd));
	else
		(void)!send(fd, "ERR busy\n", 9, MSG_NOSIGNAL);
}

int streams_open(struct streams *s, struct loop *l, const struct hostlink *host, int diag_fd,
		 struct err *e)
{
	*s = (struct streams){ .loop = l, .host = host, .diag_fd = diag_fd };
	list_init(&s->all);
	return loop_watch(l, &s->watch, host->streams, EPOLLIN, streams_accept, e);
}

void streams_note_ports(struct streams *s)
{
	static struct diag_ports now;

	if (!diag_listening(s->diag_fd, &now) && memcmp(&now, &s->opened, sizeof(now)) != 0)
		s->opened = now;
}

void streams_reset(struct streams *s)
{
	list_each(one, &s->all, struct stream, in)
	{
		if (one->state != STREAM_ASKING)
			stream_free(one, true);
	}
}
