/* accepter.c - new connections of a listening socket. */

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "net/conn.h"

#define ACCEPTER_BATCH   64  /* connections accepted in one go; then other work has its turn */
#define ACCEPTER_REST_MS 100 /* pause when the process has no descriptor left */

struct accepter {
	uv_poll_t poll;
	uv_timer_t rest;
	int fd; /* owned */
	unsigned handles;
	void (*accepted)(void *arg, int fd);
	void *arg;
};

static void accepter_ready(uv_poll_t *poll, int status, int events);

static void accepter_rested(uv_timer_t *timer)
{
	struct accepter *a = timer->data;

	uv_poll_start(&a->poll, UV_READABLE, accepter_ready);
}

static void accepter_ready(uv_poll_t *poll, int status, int events)
{
	struct accepter *a = poll->data;

	(void)status, (void)events;
	for (int i = 0; i < ACCEPTER_BATCH && a->fd >= 0; i++) {
		int fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			a->accepted(a->arg, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
			continue; /* this client has gone already */
		log_warn("out of descriptors for new connections errno=%d", errno);
		uv_poll_stop(&a->poll);
		uv_timer_start(&a->rest, accepter_rested, ACCEPTER_REST_MS, 0);
		return;
	}
}

static void accepter_closed(uv_handle_t *handle)
{
	struct accepter *a = handle->data;

	if (!--a->handles)
		free(a);
}

struct accepter *accepter_new(uv_loop_t *loop, int fd, void (*accepted)(void *arg, int fd),
			      void *arg, struct err *e)
{
	struct accepter *a = xcalloc(1, sizeof(*a));
	int rc = io_nonblock(fd);

	if (!rc)
		rc = uv_poll_init(loop, &a->poll, fd);
	if (rc) {
		err_set(e, ERR_INTERNAL, "watch a listening socket: %s", uv_strerror(rc));
		close(fd);
		free(a);
		return NULL;
	}
	uv_timer_init(loop, &a->rest);
	a->poll.data = a->rest.data = a;
	a->handles = 2;
	a->fd = fd;
	a->accepted = accepted;
	a->arg = arg;
	uv_poll_start(&a->poll, UV_READABLE, accepter_ready);
	return a;
}

void accepter_free(struct accepter *a)
{
	if (!a)
		return;
	uv_poll_stop(&a->poll);
	uv_close((uv_handle_t *)&a->poll, accepter_closed);
	uv_close((uv_handle_t *)&a->rest, accepter_closed);
	close(a->fd);
	a->fd = -1;
}
