/* http.c - a stream to a port of the guest, and one GET on it. */
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

/* Up to a line's end, or to the end of the stream. */
static int http_read(int fd, struct buf *b, bool line, struct err *e)
{
	for (;;) {
		char bytes[4096];
		ssize_t n = read(fd, bytes, line ? 1 : sizeof(bytes));

		if (n < 0 && errno != EAGAIN)
			return err_sys(e, "read from the stream");
		if (n < 0 && http_wait(fd, POLLIN, e))
			return -1;
		if (!n)
			return line ? err_set(e, ERR_INTERNAL, "the stream ended early") : 0;
		if (n > 0)
			buf_add(b, bytes, (size_t)n);
		if (n > 0 && line && bytes[0] == '\n')
			return 0;
	}
}

static int http_connect(const struct drive *d, const char *port, struct err *e)
{
	autofree char *path = xasprintf("%s/stream.sock", d->dir);
	autofree char *line = xasprintf("CONNECT %s\n", port);
	autoclose int fd = ipc_connect(path, SOCK_STREAM, e);
	struct buf autobuf answer = { 0 };

	if (fd < 0 || http_write(fd, line, e) || http_read(fd, &answer, true, e))
		return -1;
	if (strcmp(buf_str(&answer), "OK\n") != 0)
		return err_set(e, ERR_INTERNAL, "CONNECT: %s", buf_str(&answer));
	return fd_steal(&fd);
}

int drive_http(struct drive *d, const struct words *w, struct err *e)
{
	const char *port = words_need(w, "port", e), *path = words_get(w, "path");
	const char *text = words_get(w, "text");
	autofree char *request = xasprintf("GET %s HTTP/1.1\r\nHost: guest\r\n"
					   "Connection: close\r\n\r\n",
					   path ? path : "/");
	struct buf autobuf answer = { 0 };
	autoclose int fd = port ? http_connect(d, port, e) : -1;

	if (fd < 0 || http_write(fd, request, e) || http_read(fd, &answer, false, e))
		return -1;
	d->awaited = usage_now(d);
	drive_say(d, "http: %zu bytes: %.*s", answer.size, (int)strcspn(buf_str(&answer), "\r\n"),
		  buf_str(&answer));
	if (strncmp(buf_str(&answer), "HTTP/1.", 7) != 0)
		return err_set(e, ERR_INTERNAL, "no HTTP came from port %s", port);
	if (text && !strstr(buf_str(&answer), text))
		return err_set(e, ERR_INTERNAL, "'%s' is not in the answer", text);
	return 0;
}
