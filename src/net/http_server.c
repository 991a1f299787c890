/* http_server.c - the server: who is connected, whom there is room for, and what is due when.
 *
 * It knows connections only as the links, waits and calls of http_carrier.h. */

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "net/http.h"
#include "net/http_carrier.h"
#include "net/http_native.h"

#define WARN_MS 10000 /* between two lines about connections that are refused */

struct http_listener {
	struct list in;
	struct accepter *accepter;
};

static void http_server_unref(uv_handle_t *handle)
{
	struct http_server *s = handle->data;

	s->handles--;
	if (!s->handles && list_empty(&s->conns))
		free(s);
}

static void http_on_later(uv_check_t *check)
{
	struct http_server *s = check->data;
	struct list now;

	/* Only those that are in the list now: a call that asks for another waits for the next
	 * turn. */
	if (list_empty(&s->laters))
		return;
	now = s->laters;
	now.next->prev = now.prev->next = &now;
	list_init(&s->laters);
	while (!list_empty(&now)) {
		struct http_later *l = list_first(&now, struct http_later, in);

		list_del(&l->in);
		l->call(l);
	}
	if (list_empty(&s->laters) && !s->freeing)
		uv_idle_stop(&s->later_comes);
}

static void http_on_later_comes(uv_idle_t *idle)
{
	(void)idle;
}

void http_call_later(struct http_server *s, struct http_later *l)
{
	if (!list_empty(&l->in))
		return;
	list_add(&s->laters, &l->in);
	if (!s->freeing)
		uv_idle_start(&s->later_comes, http_on_later_comes);
}

static void http_on_head_timer(uv_timer_t *timer)
{
	struct http_server *s = timer->data;
	int64_t now = (int64_t)uv_now(s->loop);
	struct http_wait *w;

	while ((w = list_first(&s->heads, struct http_wait, in)) && w->at_ms <= now) {
		list_del(&w->in);
		w->late(w);
	}
	if (w)
		uv_timer_start(timer, http_on_head_timer, (uint64_t)(w->at_ms - now), 0);
}

void http_wait_start(struct http_server *s, struct http_wait *w)
{
	list_del(&w->in);
	w->at_ms = (int64_t)uv_now(s->loop) + s->limits.head_timeout_ms;
	list_add(&s->heads, &w->in);
	if (!s->freeing && !uv_is_active((uv_handle_t *)&s->head_timer))
		uv_timer_start(&s->head_timer, http_on_head_timer,
			       (uint64_t)s->limits.head_timeout_ms, 0);
}

void http_link_add(struct http_server *s, struct http_link *l)
{
	list_add(&s->conns, &l->in);
}

void http_link_del(struct http_server *s, struct http_link *l)
{
	list_del(&l->in);
	http_link_works(l);
	if (s->freeing && !s->handles && list_empty(&s->conns))
		free(s);
}

void http_link_works(struct http_link *l)
{
	list_del(&l->in_waiting);
	list_del(&l->in_source);
}

void http_link_waits(struct http_server *s, struct http_link *l, struct quota_source *source)
{
	http_link_works(l);
	list_add(&s->waiting, &l->in_waiting);
	list_add(&source->waiting, &l->in_source);
}

struct http_server *http_server_new(uv_loop_t *loop, struct tls *tls,
				    const struct http_handler *handler, void *arg)
{
	struct http_server *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->tls = tls;
	s->handler = handler;
	s->arg = arg;
	list_init(&s->accepters);
	list_init(&s->conns);
	list_init(&s->waiting);
	s->quota = quota_new();
	s->penalties = penalties_new();
	http_server_limit(s, &(struct client_limits)CLIENT_LIMITS);
	list_init(&s->heads);
	list_init(&s->laters);
	uv_timer_init(loop, &s->head_timer);
	uv_check_init(loop, &s->later);
	uv_idle_init(loop, &s->later_comes);
	s->head_timer.data = s->later.data = s->later_comes.data = s;
	s->handles = 3;
	uv_check_start(&s->later, http_on_later);
	uv_unref((uv_handle_t *)&s->later);
	return s;
}

void http_server_limit(struct http_server *s, const struct client_limits *limits)
{
	struct rlimit files;

	s->limits = *limits;
	/* A request may lead to a descriptor of its own: a guest's connection, a file. */
	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur / 2 < (rlim_t)limits->connections)
		s->limits.connections = (int64_t)files.rlim_cur / 2;
	quota_limit(s->quota, &s->limits);
	penalties_limit(s->penalties, s->limits.denied_per_minute);
}

/* If there is no room, end the connection that has waited for its client longest. */
static bool http_make_room(struct http_server *s, struct quota_source *source)
{
	struct http_link *oldest = NULL;

	switch (quota_room(source)) {
	case QUOTA_ROOM:
	case QUOTA_NUM_ROOMS:
		return true;
	case QUOTA_ADDRESS_FULL:
		oldest = list_first(&source->waiting, struct http_link, in_source);
		break;
	case QUOTA_FULL:
		oldest = list_first(&s->waiting, struct http_link, in_waiting);
		break;
	}
	if (!oldest)
		return false;
	http_link_works(oldest);
	oldest->close(oldest);
	return true;
}

int http_server_take(struct http_server *s, int fd, struct err *e)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	struct quota_source *source;
	int rc = -1;

	(void)getpeername(fd, (struct sockaddr *)&address, &size);
	source = quota_source(s->quota, &address);
	if (http_make_room(s, source)) {
		rc = http_greet(s, fd, source, e);
	} else {
		close(fd);
		err_set(e, ERR_THROTTLED, "clients have all the connections that [limits] allows");
	}
	if (rc)
		quota_drop(source);
	return rc;
}

static void http_server_accepted(void *arg, int fd)
{
	struct http_server *s = arg;
	int64_t now = (int64_t)uv_now(s->loop);
	struct err e;

	if (!http_server_take(s, fd, &e) || (s->warned_ms && now - s->warned_ms < WARN_MS))
		return;
	s->warned_ms = now;
	log_warn("refused a connection error=\"%s\"", e.text);
}

int http_server_listen(struct http_server *s, int fd, struct err *e)
{
	struct accepter *a = accepter_new(s->loop, fd, http_server_accepted, s, e);
	struct http_listener *l;

	if (!a)
		return -1;
	l = xcalloc(1, sizeof(*l));
	l->accepter = a;
	list_add(&s->accepters, &l->in);
	return 0;
}

void http_server_set_tls(struct http_server *s, struct tls *tls)
{
	s->tls = tls;
}

void http_server_set_natives(struct http_server *s, const struct http_natives *n)
{
	s->natives = n;
}

static void http_server_refuse_all(struct http_server *s)
{
	list_each(l, &s->accepters, struct http_listener, in)
	{
		accepter_free(l->accepter);
		list_del(&l->in);
		free(l);
	}
}

void http_server_drain(struct http_server *s)
{
	s->draining = true;
	http_server_refuse_all(s);
	list_each(link, &s->conns, struct http_link, in)
	{
		if (link->drain)
			link->drain(link);
	}
}

void http_server_end_idle(struct http_server *s)
{
	struct http_link *l;

	while ((l = list_first(&s->waiting, struct http_link, in_waiting))) {
		http_link_works(l);
		l->close(l);
	}
}

size_t http_server_connections(const struct http_server *s)
{
	size_t n = 0;

	list_each(link, &s->conns, struct http_link, in) n++;
	return n;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	s->freeing = true;
	http_server_refuse_all(s);
	list_each(link, &s->conns, struct http_link, in)
	{
		link->close(link);
	}
	quota_free(s->quota);
	penalties_free(s->penalties);
	uv_close((uv_handle_t *)&s->head_timer, http_server_unref);
	uv_close((uv_handle_t *)&s->later, http_server_unref);
	uv_close((uv_handle_t *)&s->later_comes, http_server_unref);
}
