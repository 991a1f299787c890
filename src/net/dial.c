#include "net/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "ipc/shell.h"

#define DIAL_ANSWER 256
#define DIAL_OK     3 /* "OK\n"; what follows may already be the port's bytes */

struct dial {
	uv_poll_t poll; /* on `sock` */
	uv_idle_t soon; /* reports what dial_start already knows */
	int sock, fd;   /* owned; fd is the one that was handed over, or -1 */
	bool polled;    /* `poll` is in use */
	bool new_way;   /* one that an older machine does not know */
	enum dial_result result;
	char ask[CONNECT_LINE], answer[DIAL_ANSWER];
	size_t asked, size;
	void (*done)(void *arg, enum dial_result result, int fd);
	void *arg; /* borrowed */
	int handles;
};

static void dial_closed(uv_handle_t *handle)
{
	struct dial *d = handle->data;

	if (--d->handles)
		return;
	fd_close(&d->sock);
	fd_close(&d->fd);
	free(d);
}

void dial_cancel(struct dial *d)
{
	d->done = NULL;
	if (d->polled)
		uv_close((uv_handle_t *)&d->poll, dial_closed);
	uv_close((uv_handle_t *)&d->soon, dial_closed);
}

static void dial_finish(struct dial *d, enum dial_result result)
{
	void (*done)(void *, enum dial_result, int) = d->done;
	int fd = result == DIAL_OPEN ? fd_steal(d->fd >= 0 ? &d->fd : &d->sock) : -1;
	void *arg = d->arg;

	dial_cancel(d);
	done(arg, result, fd);
}

int dial_answer(const char *text, size_t size)
{
	const char *end = memchr(text, '\n', size);

	if (end)
		return end - text == 2 && !memcmp(text, "OK", 2) ? 1 : -1;
	return size < DIAL_ANSWER ? 0 : -1;
}

enum dial_result dial_refusal(const char *text, size_t size)
{
	static const struct {
		const char *answer;
		enum dial_result result;
	} rows[] = {
		{ "ERR starting\n", DIAL_STARTING },
		{ "ERR busy\n", DIAL_BUSY },
		{ "ERR malformed\n", DIAL_UNKNOWN },                /* an agent's */
		{ "ERR ask with: CONNECT <port>\n", DIAL_UNKNOWN }, /* doze-qemu's */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (size == strlen(rows[i].answer) && !memcmp(text, rows[i].answer, size))
			return rows[i].result;
	return DIAL_REFUSED;
}

/* Take one descriptor at most, and close all others. */
static void dial_take_fds(struct dial *d, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			autoclose int fd = -1;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (d->fd < 0)
				d->fd = fd_steal(&fd);
		}
	}
}

static ssize_t dial_receive(struct dial *d)
{
	size_t most = d->size < DIAL_OK ? DIAL_OK : sizeof(d->answer);
	struct iovec iov = { d->answer + d->size, most - d->size };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };
	ssize_t n = recvmsg(d->sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n >= 0)
		dial_take_fds(d, &msg);
	return n;
}

/* A descriptor that is not a stream socket could be anything, and could block us. */
static bool is_stream(int fd)
{
	socklen_t size = sizeof(int);
	int type = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_STREAM &&
	       !io_nonblock(fd);
}

static void dial_read(struct dial *d)
{
	ssize_t n = dial_receive(d);
	enum dial_result result;
	int rc;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		dial_finish(d, DIAL_REFUSED);
		return;
	}
	d->size += (size_t)n;
	rc = dial_answer(d->answer, d->size);
	if (rc < 0) {
		result = dial_refusal(d->answer, d->size);
		dial_finish(d, result == DIAL_UNKNOWN && !d->new_way ? DIAL_REFUSED : result);
	} else if (rc)
		dial_finish(d, d->fd < 0 || is_stream(d->fd) ? DIAL_OPEN : DIAL_REFUSED);
}

static void dial_ready(uv_poll_t *poll, int status, int events)
{
	struct dial *d = poll->data;
	size_t left = strlen(d->ask) - d->asked;

	if (status < 0) {
		dial_finish(d, DIAL_REFUSED);
		return;
	}
	if (left) {
		ssize_t n = send(d->sock, d->ask + d->asked, left, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			dial_finish(d, DIAL_REFUSED);
			return;
		}
		d->asked += n > 0 ? (size_t)n : 0;
		if ((size_t)n == left)
			uv_poll_start(poll, UV_READABLE, dial_ready);
	}
	if (events & UV_READABLE)
		dial_read(d);
}

static void dial_soon(uv_idle_t *idle)
{
	struct dial *d = idle->data;

	dial_finish(d, d->result);
}

/* A local socket connects at once or not at all. */
static bool dial_connect(struct dial *d, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	d->result = DIAL_REFUSED;
	if (strlen(path) >= sizeof(to.sun_path))
		return false;
	memcpy(to.sun_path, path, strlen(path) + 1);
	d->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->sock >= 0 && !connect(d->sock, (const struct sockaddr *)&to, sizeof(to)))
		return true;
	if (errno == EAGAIN)
		d->result = DIAL_BUSY;
	return false;
}

struct dial *dial_start(uv_loop_t *loop, const char *path, const struct connect_ask *ask,
			void (*done)(void *arg, enum dial_result result, int fd), void *arg)
{
	struct dial *d = xcalloc(1, sizeof(*d));

	d->sock = d->fd = -1;
	d->done = done;
	d->arg = arg;
	d->handles = 1;
	d->new_way = ask->way != CONNECT_PLAIN;
	connect_write(d->ask, ask);
	uv_idle_init(loop, &d->soon);
	d->soon.data = d;
	if (!dial_connect(d, path) || uv_poll_init(loop, &d->poll, d->sock)) {
		uv_idle_start(&d->soon, dial_soon);
		return d;
	}
	d->poll.data = d;
	d->polled = true;
	d->handles++;
	uv_poll_start(&d->poll, UV_READABLE | UV_WRITABLE, dial_ready);
	return d;
}
