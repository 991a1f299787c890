/* shell_host.c - the host's connections to shells: their frames, both ways.
 *
 * A connection is freed by its own event alone, or at a reset, so that whoever works on a session
 * may write to it at any moment. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/shell.h"
#include "guest/shell_parts.h"

#define HOSTS_MOST (2 * SHELL_SESSIONS) /* one may replace another that is not known to be gone */
#define HOST_OUT   (64 * KIB)
#define HOST_READ  (16 * KIB)

static void shell_host_ready(struct watch *w, uint32_t events);

static void shell_host_free(struct shell_host *h, bool abort)
{
	const struct linger none = { .l_onoff = 1 };

	if (h->shell)
		shell_detach(h->shell);
	loop_unwatch(h->all->loop, &h->watch);
	if (abort)
		setsockopt(h->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	fd_close(&h->fd);
	buf_free(&h->read);
	buf_free(&h->out);
	list_del(&h->in);
	h->all->n_hosts--;
	free(h);
}

bool shell_host_full(const struct shell_host *h)
{
	return h->out.size >= HOST_OUT;
}

/* An error shows as an event, and ends the connection there. */
void shell_host_flush(struct shell_host *h)
{
	size_t done = 0;

	while (done < h->out.size) {
		ssize_t n = send(h->fd, h->out.data + done, h->out.size - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	buf_drop(&h->out, done);
	if (h->ends && !h->out.size)
		shutdown(h->fd, SHUT_WR);
	if (h->watch.active)
		loop_rewatch(h->all->loop, &h->watch, EPOLLIN | (h->out.size ? EPOLLOUT : 0));
}

void shell_host_say(struct shell_host *h, enum shell_type type, enum shell_field field,
		    uint64_t value)
{
	size_t mark = agent_begin(&h->out, (uint8_t)type);

	agent_put_u64(&h->out, (uint16_t)field, value);
	agent_end(&h->out, mark);
}

void shell_host_print(struct shell_host *h, const uint8_t *data, size_t size)
{
	size_t mark = agent_begin(&h->out, SHELL_OUTPUT);

	agent_put(&h->out, SHELL_BYTES, data, size);
	agent_end(&h->out, mark);
}

void shell_host_end(struct shell_host *h)
{
	h->ends = true;
	if (h->shell)
		shell_detach(h->shell);
	shell_host_flush(h);
}

void shell_host_refuse(struct shell_host *h, const char *reason)
{
	size_t mark = agent_begin(&h->out, SHELL_REFUSED);

	agent_put_text(&h->out, SHELL_REASON, reason);
	agent_end(&h->out, mark);
	shell_host_end(h);
}

/* Somebody else comes back to it.  The connection that had it may be dead without knowing. */
static void shell_host_take(struct shell_host *h, struct shell *s, uint64_t from)
{
	struct shell_host *before = s->host;

	if (before) {
		size_t mark = agent_begin(&before->out, SHELL_MOVED);

		agent_end(&before->out, mark);
		shell_host_end(before);
	}
	shell_attach(s, h, from);
}

static void shell_host_size(struct shell_host *h, const struct agent_frame *f)
{
	uint64_t columns, rows;

	if (agent_get_u64(f, SHELL_COLUMNS, &columns) && agent_get_u64(f, SHELL_ROWS, &rows))
		shell_resize(h->shell, columns, rows);
}

static void shell_host_open(struct shell_host *h, const struct agent_frame *f)
{
	uint64_t attach = 0, from = 0;
	char id[UUID_SIZE];
	struct shell *s;
	struct err e;

	if (h->shell || !agent_get_text(f, SHELL_SESSION, id, sizeof(id)) || !*id) {
		shell_host_refuse(h, "the request for a shell is malformed");
		return;
	}
	if (!agent_get_u64(f, SHELL_ATTACH, &attach))
		attach = 0;
	if (!agent_get_u64(f, SHELL_OFFSET, &from))
		from = 0;
	s = shell_find(h->all, id);
	if (!s && attach) {
		shell_host_refuse(h, "there is no such session any more");
		return;
	}
	if (!s && !(s = shell_new(h->all, id, &e))) {
		shell_host_refuse(h, e.text);
		return;
	}
	shell_host_take(h, s, from);
	shell_host_size(h, f);
	shell_settle(s);
}

static void shell_host_input(struct shell_host *h, const struct agent_frame *f)
{
	struct agent_field_view v;
	struct shell *s = h->shell;
	size_t at = 0;

	while (agent_field_next(f, &at, &v) == 1)
		if (v.tag == SHELL_BYTES)
			shell_type(s, v.data, v.size);
	if (s->typed.size - s->foreign > SHELL_WINDOW) /* It does not keep to the protocol. */
		shell_host_end(h);
	else
		shell_settle(s);
}

static void shell_host_taken(struct shell_host *h, const struct agent_frame *f)
{
	struct shell *s = h->shell;
	uint64_t n;

	if (agent_get_u64(f, SHELL_COUNT, &n) && n <= s->sent - s->taken)
		s->taken += n;
	shell_settle(s);
}

static void (*const shell_host_frames[SHELL_NUM_TYPES])(struct shell_host *h,
							const struct agent_frame *f) = {
	[SHELL_OPEN] = shell_host_open,
	[SHELL_INPUT] = shell_host_input,
	[SHELL_RESIZE] = shell_host_size,
	[SHELL_TAKEN] = shell_host_taken,
};

/* False: the stream is broken. */
static bool shell_host_parse(struct shell_host *h)
{
	struct agent_frame f;
	size_t done = 0, used;
	int rc = 0;

	while (!h->ends && (rc = agent_frame_next(h->read.data + done, h->read.size - done,
						  SHELL_FRAME, &f, &used)) == 1) {
		done += used;
		if (f.type < SHELL_NUM_TYPES && shell_host_frames[f.type] &&
		    (h->shell || f.type == SHELL_OPEN))
			shell_host_frames[f.type](h, &f);
	}
	buf_drop(&h->read, h->ends ? h->read.size : done);
	return rc >= 0;
}

static void shell_host_ready(struct watch *w, uint32_t events)
{
	struct shell_host *h = container_of(w, struct shell_host, watch);
	ssize_t n;

	(void)events;
	buf_reserve(&h->read, HOST_READ);
	n = recv(h->fd, h->read.data + h->read.size, HOST_READ, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		shell_host_flush(h);
		if (h->shell)
			shell_settle(h->shell);
		return;
	}
	h->read.size += n > 0 ? (size_t)n : 0;
	if (n <= 0 || !shell_host_parse(h))
		shell_host_free(h, n < 0);
}

static bool shells_may_have_host(struct shells *all)
{
	if (all->n_hosts < HOSTS_MOST)
		return true;
	list_each(h, &all->hosts, struct shell_host, in)
	{
		if (!h->shell) {
			shell_host_free(h, true);
			return true;
		}
	}
	return false;
}

void shells_take(struct shells *all, int fd, const uint8_t *early, size_t size)
{
	struct shell_host *h;
	struct err e;

	if (!shells_may_have_host(all)) {
		(void)!send(fd, "ERR busy\n", 9, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	h = xcalloc(1, sizeof(*h));
	h->all = all;
	h->fd = fd;
	list_add(&all->hosts, &h->in);
	all->n_hosts++;
	buf_adds(&h->out, "OK\n");
	buf_add(&h->read, early, size);
	if (loop_watch(all->loop, &h->watch, fd, EPOLLIN, shell_host_ready, &e)) {
		shell_host_free(h, true);
		return;
	}
	shell_host_flush(h);
	if (!shell_host_parse(h))
		shell_host_free(h, true);
}

void shells_reset(struct shells *all)
{
	list_each(h, &all->hosts, struct shell_host, in) shell_host_free(h, true);
}
