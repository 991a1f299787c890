#include "control/warm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define WARM_CONNECTS   6
#define WARM_REQUESTS   2
#define WARM_STEP_MS    5000 /* one connection */
#define WARM_ACK_MS     30000
#define WARM_LOOK_MS    60
#define WARM_QUIET_PCT  20
#define WARM_QUIET_MOST 20 /* looks; a guest that is never quiet is paused as it is */

struct warm {
	struct machine *m;
	warm_done *done;
	size_t connects, requests; /* done so far */
	unsigned looks;
	int64_t look_ms;
	uint64_t look_cpu_ns;
	uint16_t port; /* of warm_request; 0: none */
	char path[CONF_TEXT];
	bool asking; /* this connection carries the request */
	int fd, guest_fd;
	uv_poll_t poll;
	uv_timer_t timer;
	bool polling;
	unsigned closing;
};

bool warm_find_request(const char *conf, const char *image, uint16_t *port, char *path, size_t room)
{
	size_t len = strlen(image);

	for (const char *at = conf; *at; at += strcspn(at, ","), at += *at == ',') {
		char *end;
		unsigned long n;

		at += strspn(at, " ");
		if (strncmp(at, image, len) != 0 || at[len] != '=')
			continue;
		n = strtoul(at + len + 1, &end, 10);
		if (!n || n > UINT16_MAX || end[0] != ':' || end[1] != '/')
			return false;
		*port = (uint16_t)n;
		snprintf(path, room, "%.*s", (int)strcspn(end + 1, ", "), end + 1);
		return true;
	}
	return false;
}

static void warm_next(struct warm *w);

static void warm_closed(uv_handle_t *handle)
{
	struct warm *w = handle->data;

	if (--w->closing)
		return;
	fd_close(&w->fd);
	fd_close(&w->guest_fd);
	free(w);
}

void warm_cancel(struct warm *w)
{
	w->m = NULL;
	w->closing = 1u + w->polling;
	/* One that is closing comes to warm_closed by the way it is on. */
	if (w->polling && !uv_is_closing((uv_handle_t *)&w->poll))
		uv_close((uv_handle_t *)&w->poll, warm_closed);
	uv_close((uv_handle_t *)&w->timer, warm_closed);
}

static void warm_end(struct warm *w, int rc, const struct err *e)
{
	struct machine *m = w->m;
	warm_done *done = w->done;

	warm_cancel(w);
	done(m, rc, e);
}

/* The machine's owner carries the warm; found again through what it is asked. */
static struct warm *warm_of(struct machine *m)
{
	return m->warm;
}

static void warm_paused(struct machine *m, int rc, const struct ipc_msg *answer,
			const struct err *e)
{
	struct warm *w = warm_of(m);

	(void)answer;
	m->warm = NULL;
	warm_end(w, rc, e);
}

static void warm_look(uv_timer_t *timer);

static void warm_looked(struct machine *m, int rc, const struct ipc_msg *answer,
			const struct err *e)
{
	struct warm *w = warm_of(m);
	int64_t now = clock_mono_ms(), passed = now - w->look_ms;
	uint64_t used_ms = (m->cpu_ns - w->look_cpu_ns) / 1000000;
	bool quiet = w->looks && passed > 0 && used_ms * 100 < (uint64_t)passed * WARM_QUIET_PCT;

	(void)answer;
	if (rc) {
		m->warm = NULL;
		warm_end(w, rc, e);
		return;
	}
	if (quiet || w->looks++ == WARM_QUIET_MOST) {
		machine_simple(m, MACHINE_PAUSE, warm_paused);
		return;
	}
	w->look_ms = now;
	w->look_cpu_ns = m->cpu_ns;
	uv_timer_start(&w->timer, warm_look, WARM_LOOK_MS, 0);
}

static void warm_look(uv_timer_t *timer)
{
	struct warm *w = timer->data;

	machine_stats(w->m, warm_looked);
}

/* A connection is through, however it went: what matters is that the guest's code ran. */
static void warm_connection_over(uv_handle_t *handle)
{
	struct warm *w = handle->data;

	if (w->closing) {
		warm_closed(handle);
		return;
	}
	w->polling = false;
	fd_close(&w->fd);
	fd_close(&w->guest_fd);
	warm_next(w);
}

static void warm_over(struct warm *w)
{
	uv_timer_stop(&w->timer);
	if (w->polling && !uv_is_closing((uv_handle_t *)&w->poll))
		uv_close((uv_handle_t *)&w->poll, warm_connection_over);
}

static void warm_late(uv_timer_t *timer)
{
	warm_over(timer->data);
}

/* The answer to the operator's request: read to its end, unlooked at. */
static void warm_answered(uv_poll_t *poll, int status, int events)
{
	struct warm *w = poll->data;
	char sink[4096];
	ssize_t n = read(w->guest_fd, sink, sizeof(sink));

	(void)status;
	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		warm_over(w);
}

static void warm_ask_closed(uv_handle_t *handle)
{
	struct warm *w = handle->data;

	if (w->closing) {
		warm_closed(handle);
		return;
	}
	w->polling = false;
	fd_close(&w->fd);
	if (uv_poll_init(&w->m->ctl->loop, &w->poll, w->guest_fd)) {
		fd_close(&w->guest_fd);
		warm_next(w);
		return;
	}
	w->polling = true;
	uv_timer_start(&w->timer, warm_late, WARM_STEP_MS, 0);
	uv_poll_start(&w->poll, UV_READABLE, warm_answered);
}

static void warm_ask(struct warm *w)
{
	char text[CONF_TEXT + 128];
	int n = snprintf(text, sizeof(text),
			 "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
			 w->path);

	uv_timer_stop(&w->timer);
	if (send(w->guest_fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		warm_over(w);
	else if (w->polling && !uv_is_closing((uv_handle_t *)&w->poll))
		uv_close((uv_handle_t *)&w->poll, warm_ask_closed);
}

static void warm_connected(uv_poll_t *poll, int status, int events)
{
	struct warm *w = poll->data;
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char text[64];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };
	const struct cmsghdr *c;
	ssize_t n = recvmsg(w->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	(void)status;
	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&w->guest_fd, CMSG_DATA(c), sizeof(int));
	if (w->asking && w->guest_fd >= 0)
		warm_ask(w);
	else
		warm_over(w);
}

static void warm_connect(struct warm *w, uint16_t port)
{
	struct machine *m = w->m;
	autofree char *path = xasprintf("%s/m/%s/stream.sock", m->ctl->conf->run_dir, m->id);
	char line[32];
	int n = snprintf(line, sizeof(line), "CONNECT %u\n", port);
	struct err e;

	w->fd = ipc_connect(path, SOCK_STREAM, &e);
	if (w->fd < 0 || send(w->fd, line, (size_t)n, MSG_NOSIGNAL) != n ||
	    uv_poll_init(&m->ctl->loop, &w->poll, w->fd)) {
		log_warn("a clone is not warmed machine=%s error=\"%s\"", m->id,
			 w->fd < 0 ? e.text : strerror(errno));
		fd_close(&w->fd);
		uv_timer_start(&w->timer, warm_look, 0, 0);
		return;
	}
	w->polling = true;
	uv_timer_start(&w->timer, warm_late, WARM_STEP_MS, 0);
	uv_poll_start(&w->poll, UV_READABLE, warm_connected);
}

static void warm_next(struct warm *w)
{
	const struct image_version *v = w->m->version;

	if (w->connects < v->n_listening * WARM_CONNECTS) {
		w->asking = false;
		warm_connect(w, v->listening[w->connects++ / WARM_CONNECTS]);
	} else if (w->port && w->requests < WARM_REQUESTS) {
		w->requests++;
		w->asking = true;
		warm_connect(w, w->port);
	} else {
		uv_timer_start(&w->timer, warm_look, 0, 0);
	}
}

static void warm_acked(struct machine *m, int rc, const struct ipc_msg *answer, const struct err *e)
{
	struct warm *w = warm_of(m);

	(void)answer;
	if (!rc) {
		warm_next(w);
		return;
	}
	m->warm = NULL;
	warm_end(w, rc, e);
}

struct warm *warm_start(struct machine *m, warm_done *done)
{
	struct warm *w = xcalloc(1, sizeof(*w));

	w->m = m;
	w->done = done;
	w->fd = w->guest_fd = -1;
	uv_timer_init(&m->ctl->loop, &w->timer); /* cannot fail */
	w->timer.data = w;
	w->poll.data = w;
	warm_find_request(m->ctl->conf->warm_request, m->version->image->name, &w->port, w->path,
			  sizeof(w->path));
	m->warm = w;
	machine_warm(m, WARM_ACK_MS, warm_acked);
	return w;
}
