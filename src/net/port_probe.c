#include "net/port_probe.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/dial.h"

#define PORT_PROBE_BEGIN 12 /* "HTTP/1.1 400" */

struct port_probe {
	uv_timer_t timer;
	uv_poll_t poll;    /* on `fd` */
	struct dial *dial; /* until it has answered */
	int fd;            /* the guest's connection; owned */
	char *text;        /* owned */
	unsigned handles;  /* open or closing */
	bool sent, polled, over;
	char begin[PORT_PROBE_BEGIN];
	size_t n_begin;
	void (*done)(void *arg, unsigned status);
	void *arg; /* borrowed */
};

unsigned port_probe_status(const char *begin, size_t size)
{
	const char *digits = begin + PORT_PROBE_BEGIN - 3;
	unsigned status = 0;

	if (size < PORT_PROBE_BEGIN || memcmp(begin, "HTTP/1.", 7) != 0 || begin[8] != ' ')
		return 0;
	for (int i = 0; i < 3; i++) {
		if (!isdigit((unsigned char)digits[i]))
			return 0;
		status = status * 10 + (unsigned)(digits[i] - '0');
	}
	return status;
}

static void port_probe_closed(uv_handle_t *handle)
{
	struct port_probe *p = handle->data;

	if (--p->handles)
		return;
	fd_close(&p->fd);
	if (p->done)
		p->done(p->arg, p->text && !p->sent ? PORT_PROBE_UNSENT
						    : port_probe_status(p->begin, p->n_begin));
	free(p->text);
	free(p);
}

static void port_probe_over(struct port_probe *p)
{
	if (p->over)
		return;
	p->over = true;
	if (p->dial)
		dial_cancel(p->dial);
	if (p->polled)
		uv_close((uv_handle_t *)&p->poll, port_probe_closed);
	uv_close((uv_handle_t *)&p->timer, port_probe_closed);
}

void port_probe_cancel(struct port_probe *p)
{
	p->done = NULL;
	port_probe_over(p);
}

static void port_probe_late(uv_timer_t *timer)
{
	port_probe_over(timer->data);
}

static void port_probe_answered(uv_poll_t *poll, int status, int events)
{
	struct port_probe *p = poll->data;
	char piece[4096];
	ssize_t n = recv(p->fd, piece, sizeof(piece), 0);

	(void)status;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		port_probe_over(p);
	for (ssize_t i = 0; i < n && p->n_begin < sizeof(p->begin); i++)
		p->begin[p->n_begin++] = piece[i];
}

static void port_probe_dialled(void *arg, enum dial_result result, int fd)
{
	struct port_probe *p = arg;
	size_t size = p->text ? strlen(p->text) : 0;

	p->dial = NULL;
	p->fd = fd;
	p->sent = result == DIAL_OPEN && size;
	if (!p->sent || send(fd, p->text, size, MSG_NOSIGNAL) != (ssize_t)size ||
	    uv_poll_init(p->timer.loop, &p->poll, fd)) {
		port_probe_over(p);
		return;
	}
	p->poll.data = p;
	p->polled = true;
	p->handles++;
	uv_poll_start(&p->poll, UV_READABLE, port_probe_answered);
}

struct port_probe *port_probe_start(uv_loop_t *loop, const struct port_probe_what *what)
{
	struct port_probe *new = xcalloc(1, sizeof(*new));

	new->done = what->done;
	new->arg = what->arg;
	new->fd = -1;
	new->text = what->text ? xstrdup(what->text) : NULL;
	new->handles = 1;
	uv_timer_init(loop, &new->timer); /* cannot fail */
	new->timer.data = new;
	uv_timer_start(&new->timer, port_probe_late, what->most_ms, 0);
	new->dial =
		dial_start(loop, what->stream, &(struct connect_ask){ what->port, CONNECT_PLAIN },
			   port_probe_dialled, new);
	return new;
}
