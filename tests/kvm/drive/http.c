/* http.c - a stream to a port of the guest, and one request on it. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive.h"

/* The machine's console and messages are left alone meanwhile: one answer fits its sockets. */
static int http_wait(int fd, short events, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, -1) < 0 ? err_sys(e, "poll") : 0;
}

static int http_write(int fd, const char *text, struct err *e)
{
	for (size_t size = strlen(text); size;) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno != EAGAIN)
			return err_sys(e, "write to the stream");
		if (n < 0 && http_wait(fd, POLLOUT, e))
			return -1;
		if (n > 0) {
			text += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

/* To the end of the stream. */
static int http_read(int fd, struct buf *b, struct err *e)
{
	for (;;) {
		char bytes[4096];
		ssize_t n = read(fd, bytes, sizeof(bytes));

		if (n < 0 && errno != EAGAIN)
			return err_sys(e, "read from the stream");
		if (n < 0 && http_wait(fd, POLLIN, e))
			return -1;
		if (!n)
			return 0;
		if (n > 0)
			buf_add(b, bytes, (size_t)n);
	}
}

/* One byte, and the descriptor that comes with it, if one does. */
static int http_read_byte(int fd, char *byte, int *passed, struct err *e)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };
	const struct cmsghdr *c;
	ssize_t n;

	while ((n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC)) < 0 && errno == EAGAIN)
		if (http_wait(fd, POLLIN, e))
			return -1;
	if (n <= 0)
		return err_set(e, ERR_INTERNAL, "stream.sock was closed");
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(passed, CMSG_DATA(c), sizeof(int));
	return 0;
}

/* The stream is the descriptor that came with the answer, or this connection itself. */
static int http_connect(struct drive *d, const char *port, struct err *e)
{
	autofree char *path = xasprintf("%s/stream.sock", d->dir);
	autofree char *line = xasprintf("CONNECT %s\n", port);
	autoclose int fd = ipc_connect(path, SOCK_STREAM, e), passed = -1;
	struct buf autobuf answer = { 0 };
	char byte = 0;

	if (fd < 0 || http_write(fd, line, e))
		return -1;
	while (byte != '\n') {
		if (http_read_byte(fd, &byte, &passed, e))
			return -1;
		buf_add(&answer, &byte, 1);
	}
	d->refused = strncmp(buf_str(&answer), "ERR ", 4) == 0;
	if (strcmp(buf_str(&answer), "OK\n") != 0)
		return err_set(e, ERR_INTERNAL, "CONNECT: %s", buf_str(&answer));
	return passed < 0 ? fd_steal(&fd) : fd_steal(&passed);
}

/* A GET, or a POST of so many zeros. */
static int http_ask(int fd, const char *path, unsigned body, struct err *e)
{
	autofree char *head = xasprintf("%s %s HTTP/1.1\r\nHost: guest\r\nContent-Length: %u\r\n"
					"Connection: close\r\n\r\n",
					body ? "POST" : "GET", path ? path : "/", body);
	autofree char *zeros = xmalloc(body + 1);

	memset(zeros, '0', body);
	zeros[body] = '\0';
	return http_write(fd, head, e) || http_write(fd, zeros, e) ? -1 : 0;
}

int drive_http(struct drive *d, const struct words *w, struct err *e)
{
	const char *port = words_need(w, "port", e), *text = words_get(w, "text");
	struct buf autobuf answer = { 0 };
	autoclose int fd = port ? http_connect(d, port, e) : -1;

	if (fd >= 0 && words_get(w, "hold")) {
		fd_steal(&fd); /* open until the end */
		return 0;
	}
	if (fd < 0 || http_ask(fd, words_get(w, "path"), words_number(w, "body", 0), e) ||
	    http_read(fd, &answer, e))
		return -1;
	d->awaited = usage_now(d);
	drive_say(d, "http: %zu bytes: %.*s", answer.size, (int)strcspn(buf_str(&answer), "\r\n"),
		  buf_str(&answer));
	if (words_get(w, "show"))
		drive_say(d, "%s", buf_str(&answer));
	if (strncmp(buf_str(&answer), "HTTP/1.", 7) != 0)
		return err_set(e, ERR_INTERNAL, "no HTTP came from port %s", port);
	if (answer.size < words_number(w, "bytes", 0))
		return err_set(e, ERR_INTERNAL, "only %zu bytes came", answer.size);
	if (text && !strstr(buf_str(&answer), text))
		return err_set(e, ERR_INTERNAL, "'%s' is not in the answer", text);
	return 0;
}
