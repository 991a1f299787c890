#include "net/chan_uv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

static void chan_uv_ready(uv_poll_t *poll, int status, int events);

static void chan_uv_rearm(struct chan_uv *c)
{
	int want = UV_READABLE | (chan_wants_write(&c->chan) ? UV_WRITABLE : 0);

	if (c->open)
		uv_poll_start(&c->poll, want, chan_uv_ready);
}

static void chan_uv_gone(uv_handle_t *handle)
{
	struct chan_uv *c = handle->data;

	chan_close(&c->chan);
	free(c->msg);
	c->msg = NULL;
	if (c->freed)
		c->freed(c);
}

void chan_uv_close(struct chan_uv *c, void (*freed)(struct chan_uv *c))
{
	if (!c->open)
		return;
	c->open = false;
	c->freed = freed;
	uv_poll_stop(&c->poll);
	uv_close((uv_handle_t *)&c->poll, chan_uv_gone);
}

static void chan_uv_lose(struct chan_uv *c)
{
	void (*lost)(struct chan_uv *) = c->lost;

	if (!c->open)
		return;
	chan_uv_close(c, c->freed);
	lost(c);
}

static void chan_uv_read(struct chan_uv *c)
{
	/* The number is bounded, so that one busy peer cannot keep the loop to itself. */
	for (int i = 0; i < 32 && c->open; i++) {
		int rc = ipc_recv(c->chan.sock, c->msg, c->chan.rows, c->chan.n_rows);

		if (rc == -EAGAIN)
			return;
		if (rc <= 0) {
			if (rc < 0)
				log_warn("a channel broke error=\"%s\"", strerror(-rc));
			chan_uv_lose(c);
			return;
		}
		c->on_message(c, c->msg);
		if (c->msg)
			ipc_msg_close(c->msg);
	}
}

static void chan_uv_ready(uv_poll_t *poll, int status, int events)
{
	struct chan_uv *c = poll->data;

	if (status < 0 || ((events & UV_WRITABLE) && chan_flush(&c->chan))) {
		chan_uv_lose(c);
		return;
	}
	if (events & UV_READABLE)
		chan_uv_read(c);
	chan_uv_rearm(c);
}

int chan_uv_open(struct chan_uv *c, uv_loop_t *loop, int sock, const struct ipc_row *rows,
		 size_t n_rows, void (*on_message)(struct chan_uv *c, struct ipc_msg *m),
		 void (*lost)(struct chan_uv *c), struct err *e)
{
	int rc;

	*c = (struct chan_uv){ .on_message = on_message, .lost = lost };
	chan_init(&c->chan, sock, rows, n_rows);
	rc = uv_poll_init(loop, &c->poll, sock);
	if (rc) {
		chan_close(&c->chan);
		return err_set(e, ERR_INTERNAL, "watch a channel: %s", uv_strerror(rc));
	}
	c->poll.data = c;
	c->msg = xcalloc(1, sizeof(*c->msg));
	c->open = true;
	chan_uv_rearm(c);
	return 0;
}

void chan_uv_send(struct chan_uv *c, uint32_t type, uint64_t tag, const void *body, size_t size,
		  const int *fds, unsigned n_fds)
{
	if (!c->open)
		return;
	/* After a failed send the poll reports a hang-up, which ends the channel. */
	if (chan_send(&c->chan, type, tag, body, size, fds, n_fds))
		shutdown(c->chan.sock, SHUT_RDWR);
	chan_uv_rearm(c);
}
