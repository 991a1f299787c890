#include "net/knock.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/dial.h"

#define KNOCK_BEGIN 12 /* "HTTP/1.1 400" */

struct knocking {
	uv_timer_t timer;
	uv_poll_t poll;    /* on `fd` */
	struct dial *dial; /* until it has answered */
	int fd;            /* the guest's connection; owned */
	char *text;        /* owned */
	unsigned handles;  /* open or closing */
	bool said, polled, over;
	char begin[KNOCK_BEGIN];
	size_t n_begin;
	void (*done)(void *arg, unsigned status);
	void *arg; /* borrowed */
};

unsigned knock_status(const char *begin, size_t size)
{
	const char *digits = begin + KNOCK_BEGIN - 3;
	unsigned status = 0;

	if (size < KNOCK_BEGIN || memcmp(begin, "HTTP/1.", 7) != 0 || begin[8] != ' ')
		return 0;
	for (int i = 0; i < 3; i++) {
		if (!isdigit((unsigned char)digits[i]))
			return 0;
		status = status * 10 + (unsigned)(digits[i] - '0');
	}
	return status;
}

static void knock_closed(uv_handle_t *handle)
{
	struct knocking *k = handle->data;

	if (--k->handles)
		return;
	fd_close(&k->fd);
	if (k->done)
		k->done(k->arg,
			k->text && !k->said ? KNOCK_UNSAID : knock_status(k->begin, k->n_begin));
	free(k->text);
	free(k);
}

static void knock_over(struct knocking *k)
{
	if (k->over)
		return;
	k->over = true;
	if (k->dial)
		dial_cancel(k->dial);
	if (k->polled)
		uv_close((uv_handle_t *)&k->poll, knock_closed);
	uv_close((uv_handle_t *)&k->timer, knock_closed);
}

void knock_cancel(struct knocking *k)
{
	k->done = NULL;
	knock_over(k);
}

static void knock_late(uv_timer_t *timer)
{
	knock_over(timer->data);
}

static void knock_answered(uv_poll_t *poll, int status, int events)
{
	struct knocking *k = poll->data;
	char piece[4096];
	ssize_t n = recv(k->fd, piece, sizeof(piece), 0);

	(void)status;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		knock_over(k);
	for (ssize_t i = 0; i < n && k->n_begin < sizeof(k->begin); i++)
		k->begin[k->n_begin++] = piece[i];
}

static void knock_dialled(void *arg, enum dial_result result, int fd)
{
	struct knocking *k = arg;
	size_t size = k->text ? strlen(k->text) : 0;

	k->dial = NULL;
	k->fd = fd;
	k->said = result == DIAL_OPEN && size;
	if (!k->said || send(fd, k->text, size, MSG_NOSIGNAL) != (ssize_t)size ||
	    uv_poll_init(k->timer.loop, &k->poll, fd)) {
		knock_over(k);
		return;
	}
	k->poll.data = k;
	k->polled = true;
	k->handles++;
	uv_poll_start(&k->poll, UV_READABLE, knock_answered);
}

struct knocking *knock_start(uv_loop_t *loop, const struct knock *k)
{
	struct knocking *new = xcalloc(1, sizeof(*new));

	new->done = k->done;
	new->arg = k->arg;
	new->fd = -1;
	new->text = k->text ? xstrdup(k->text) : NULL;
	new->handles = 1;
	uv_timer_init(loop, &new->timer); /* cannot fail */
	new->timer.data = new;
	uv_timer_start(&new->timer, knock_late, k->most_ms, 0);
	new->dial = dial_start(loop, k->stream, k->port, knock_dialled, new);
	return new;
}
