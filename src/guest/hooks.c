#include "guest/hooks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "guest/loopback.h"

#define HOOKS_DRAIN_MS 1000 /* for the rest of an answer whose status is known */
#define HOOKS_DRAIN    (1 * MIB)
#define HOOKS_PATH     "/aws/lambda-microvms/runtime/v1/"

struct hook {
	struct list in;
	uint64_t id, timeout_ms;
	uint16_t port;
	bool six;
	char name[16];
	struct buf body;
	bool has_body;
};

static void hooks_next(struct hooks *h);
static void hooks_connect(struct hooks *h, bool six);

void hooks_request(struct buf *out, const char *name, uint16_t port, const void *body, size_t size)
{
	buf_addf(out,
		 "POST " HOOKS_PATH "%s HTTP/1.1\r\nHost: localhost:%u\r\n%sContent-Length: "
		 "%zu\r\nConnection: close\r\n\r\n",
		 name, port, body ? "Content-Type: application/json\r\n" : "", size);
	buf_add(out, body, size);
}

static void hooks_disconnect(struct hooks *h)
{
	loop_untimer(h->port->loop, &h->timer);
	loop_unwatch(h->port->loop, &h->watch);
	fd_close(&h->fd);
	buf_free(&h->out);
}

static void hook_free(struct hook *hook)
{
	buf_free(&hook->body);
	free(hook);
}

static void hooks_send_result(struct port *port, uint64_t id, enum agent_outcome outcome,
			      int status)
{
	size_t mark = agent_begin(&port->out, AGENT_HOOK_RESULT);

	agent_put_u64(&port->out, FIELD_ID, id);
	agent_put_u64(&port->out, FIELD_OUTCOME, outcome);
	if (outcome == OUTCOME_STATUS)
		agent_put_u64(&port->out, FIELD_STATUS, (uint64_t)status);
	agent_end(&port->out, mark);
	port_send(port);
}

static void hooks_drain_done(struct timer *t)
{
	hooks_disconnect(container_of(t, struct hooks, timer));
}

/* After the status, keep reading the rest of the answer for a while.  An application that wrote it
 * to a closed connection would log an error. */
static void hooks_finish(struct hooks *h, enum agent_outcome outcome)
{
	hooks_send_result(h->port, h->now->id, outcome, h->answer.status);
	hook_free(h->now);
	h->now = NULL;
	h->drained = 0;
	buf_clear(&h->out);
	if (outcome == OUTCOME_STATUS)
		loop_timer(h->port->loop, &h->timer, HOOKS_DRAIN_MS, hooks_drain_done);
	else
		hooks_disconnect(h);
	hooks_next(h);
}

static void hooks_timeout(struct timer *t)
{
	hooks_finish(container_of(t, struct hooks, timer), OUTCOME_TIMEOUT);
}

static void hooks_read(struct hooks *h)
{
	uint8_t piece[4 * KIB];
	ssize_t n = recv(h->fd, piece, sizeof(piece), 0);
	int rc;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (!h->now) {
		h->drained += n > 0 ? (size_t)n : 0;
		if (n <= 0 || h->drained > HOOKS_DRAIN)
			hooks_disconnect(h);
		return;
	}
	rc = n <= 0 ? -1 : answer_feed(&h->answer, piece, (size_t)n);
	if (rc)
		hooks_finish(h, rc > 0 ? OUTCOME_STATUS : OUTCOME_GARBAGE);
}

/* An application may answer and close before it has read everything, so a failed write is ignored;
 * reading shows the failure. */
static void hooks_write(struct hooks *h)
{
	ssize_t n = send(h->fd, h->out.data, h->out.size, MSG_NOSIGNAL);

	if (n >= 0)
		buf_drop(&h->out, (size_t)n);
	else if (errno != EAGAIN && errno != EINTR)
		buf_clear(&h->out);
}

static void hooks_ready(struct watch *w, uint32_t events)
{
	struct hooks *h = container_of(w, struct hooks, watch);

	if (h->out.size && (events & EPOLLOUT))
		hooks_write(h);
	loop_rewatch(h->port->loop, w, EPOLLIN | (h->out.size ? EPOLLOUT : 0));
	if (events & ~(uint32_t)EPOLLOUT)
		hooks_read(h);
}

static void hooks_failed(struct hooks *h, int error)
{
	loop_unwatch(h->port->loop, &h->watch);
	fd_close(&h->fd);
	if (error == -ECONNREFUSED && !h->now->six)
		hooks_connect(h, true);
	else
		hooks_finish(h, error == -ECONNREFUSED ? OUTCOME_REFUSED : OUTCOME_GARBAGE);
}

static void hooks_connect_ready(struct watch *w, uint32_t events)
{
	struct hooks *h = container_of(w, struct hooks, watch);
	int rc = loopback_result(w->fd);

	(void)events;
	if (rc)
		hooks_failed(h, rc);
	else
		w->ready = hooks_ready; /* It is writable, so this comes at once. */
}

static void hooks_connect(struct hooks *h, bool six)
{
	bool done = false;
	struct err e;

	h->now->six = six;
	h->fd = loopback_connect(h->now->port, six, &done);
	if (h->fd < 0) {
		int rc = h->fd;

		h->fd = -1;
		hooks_failed(h, rc);
	} else if (loop_watch(h->port->loop, &h->watch, h->fd, EPOLLIN | EPOLLOUT,
			      done ? hooks_ready : hooks_connect_ready, &e)) {
		hooks_finish(h, OUTCOME_GARBAGE);
	}
}

static void hooks_next(struct hooks *h)
{
	struct hook *hook = list_first(&h->waiting, struct hook, in);

	if (h->now || !hook)
		return;
	list_del(&hook->in);
	h->n_waiting--;
	hooks_disconnect(h);
	h->now = hook;
	h->answer = (struct answer){ 0 };
	hooks_request(&h->out, hook->name, hook->port, hook->has_body ? hook->body.data : NULL,
		      hook->body.size);
	loop_timer(h->port->loop, &h->timer, (int64_t)hook->timeout_ms, hooks_timeout);
	hooks_connect(h, false);
}

static bool hooks_parse(const struct agent_frame *f, struct hook *hook)
{
	struct agent_field_view v;
	uint64_t port;
	size_t at = 0;

	if (!agent_get_text(f, FIELD_NAME, hook->name, sizeof(hook->name)) ||
	    !agent_get_u64(f, FIELD_PORT, &port) || !port || port > UINT16_MAX ||
	    !agent_get_u64(f, FIELD_TIMEOUT_MS, &hook->timeout_ms) || hook->timeout_ms > INT32_MAX)
		return false;
	hook->port = (uint16_t)port;
	while (agent_field_next(f, &at, &v) == 1) {
		if (v.tag != FIELD_BODY)
			continue;
		hook->has_body = true;
		buf_reserve(&hook->body, 1);
		buf_add(&hook->body, v.data, v.size);
	}
	return true;
}

void hooks_add(struct hooks *h, const struct agent_frame *f)
{
	struct hook *hook = xcalloc(1, sizeof(*hook));

	if (!agent_get_u64(f, FIELD_ID, &hook->id)) {
		hook_free(hook);
		return;
	}
	if (h->n_waiting >= HOOKS_MAX || !hooks_parse(f, hook)) {
		hooks_send_result(h->port, hook->id, OUTCOME_GARBAGE, 0);
		hook_free(hook);
		return;
	}
	list_add(&h->waiting, &hook->in);
	h->n_waiting++;
	hooks_next(h);
}

void hooks_init(struct hooks *h, struct port *port)
{
	*h = (struct hooks){ .port = port, .fd = -1 };
	list_init(&h->waiting);
}
