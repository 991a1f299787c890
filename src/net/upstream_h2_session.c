/* upstream_h2_session.c - the life of a session: its connection, its deadlines and its end. */

#include <stdlib.h>
#include <string.h>

#include "net/upstream_h2.h"

#define SESSION_FLUSH       (64 * KIB) /* written at once */
#define SESSION_SETTINGS_MS LIMIT_NET_DIAL_MS

static const struct conn_ops session_conn_ops;

static void session_on_closed(uv_handle_t *handle)
{
	struct session *s = handle->data;

	if (--s->handles)
		return;
	nghttp2_session_del(s->h2);
	http2_strings_free(&s->strings);
	buf_free(&s->fields.text);
	free(s);
}

static void session_end(struct session *s)
{
	const struct session_ops *ops = s->ops;

	s->ending = true;
	s->ops = NULL;
	if (ops)
		ops->retired(s->owner);
}

void session_retire(struct session *s)
{
	session_end(s);
	session_soon(s);
}

void session_break(struct session *s, const char *why)
{
	if (!s->why)
		s->why = why;
	session_end(s);
	if (s->c)
		conn_close(s->c);
}

/* What nghttp2 has to say goes out in one piece, as long as the connection takes it. */
static void session_flush(struct session *s)
{
	autobuf struct buf b = { 0 };
	const uint8_t *data;
	ssize_t n = 0;

	while (s->c && !conn_is_closing(s->c) && !conn_full(s->c)) {
		while (b.size < SESSION_FLUSH && (n = nghttp2_session_mem_send(s->h2, &data)) > 0)
			buf_add(&b, data, (size_t)n);
		if (n < 0) {
			session_break(s, "HTTP/2 to the application broke");
			return;
		}
		if (!b.size)
			break;
		conn_write(s->c, b.data, b.size);
		buf_clear(&b);
	}
	if (s->c && !nghttp2_session_want_read(s->h2) && !nghttp2_session_want_write(s->h2)) {
		if (!s->why)
			s->why = "the application does not speak HTTP/2 as it should";
		session_end(s);
		conn_close_after_write(s->c);
	}
}

/* It is freed when its connection and all streams are. */
static void session_settle(struct session *s)
{
	if (s->ending && !s->n && s->c) {
		(void)nghttp2_session_terminate_session(s->h2, NGHTTP2_NO_ERROR);
		session_flush(s);
		conn_close_after_write(s->c);
	}
	if (s->c || s->n || !list_empty(&s->dead) || s->handles)
		return;
	s->handles = 2;
	uv_close((uv_handle_t *)&s->soon, session_on_closed);
	uv_close((uv_handle_t *)&s->late, session_on_closed);
}

static void session_call_todo(struct session *s)
{
	struct list now = LIST_INIT(now);
	struct upstream_h2 *u;

	while ((u = list_first(&s->todo, struct upstream_h2, in_todo))) {
		list_del(&u->in_todo);
		list_add(&now, &u->in_todo);
	}
	while ((u = list_first(&now, struct upstream_h2, in_todo))) {
		list_del(&u->in_todo);
		upstream_h2_goes_on(u);
	}
}

static void session_bury(struct session *s)
{
	struct upstream_h2 *u;

	while ((u = list_first(&s->dead, struct upstream_h2, in))) {
		list_del(&u->in);
		u->base.ops->closed(&u->base);
		upstream_h2_free(u);
	}
}

/* From the loop only: it calls the owners. */
static void session_work(struct session *s)
{
	session_flush(s);
	session_call_todo(s);
	session_bury(s);
	session_settle(s);
}

static void session_on_soon(uv_timer_t *timer)
{
	session_work(timer->data);
}

void session_soon(struct session *s)
{
	if (!s->handles && !uv_is_active((uv_handle_t *)&s->soon))
		uv_timer_start(&s->soon, session_on_soon, 0, 0);
}

void session_todo(struct upstream_h2 *u)
{
	list_del(&u->in_todo);
	list_add(&u->s->todo, &u->in_todo);
	session_soon(u->s);
}

static void session_on_late(uv_timer_t *timer)
{
	struct session *s = timer->data;
	int64_t now = (int64_t)uv_now(timer->loop), next = INT64_MAX;

	if (!s->settings && now - s->born_ms >= SESSION_SETTINGS_MS)
		session_break(s, "the application does not answer HTTP/2");
	else if (!s->settings)
		next = s->born_ms + SESSION_SETTINGS_MS - now;
	list_each(u, &s->streams, struct upstream_h2, in)
	{
		int64_t left = (u->turn ? u->since_ms : now) + u->limit_ms - now;

		if (!u->limit_ms || u->lost || u->complete)
			continue;
		if (left <= 0) {
			u->timed_out = true;
			u->lost = "it is silent";
			session_todo(u);
		} else if (left < next) {
			next = left;
		}
	}
	if (next != INT64_MAX)
		session_watch(s, next);
}

void session_watch(struct session *s, int64_t ms)
{
	bool sooner = !uv_is_active((uv_handle_t *)&s->late) ||
		      (int64_t)uv_timer_get_due_in(&s->late) > ms;

	if (!s->handles && sooner)
		uv_timer_start(&s->late, session_on_late, (uint64_t)ms, 0);
}

/* An application that knows HTTP/1.1 alone answers the preface in its own words. */
static bool session_is_http1(const struct session *s, const uint8_t *data, size_t size)
{
	static const char name[] = "HTTP/";

	return !s->settings && size >= sizeof(name) - 1 && !memcmp(data, name, sizeof(name) - 1);
}

/* A negative number: what was wrong. */
static ssize_t session_read(struct session *s, const uint8_t *data, size_t size)
{
	ssize_t n = 0;

	while (size && n >= 0) {
		const uint8_t *out;
		size_t out_size,
			taken = http2_strings_take(&s->strings, data, size, &out, &out_size);

		data += taken;
		size -= taken;
		if (out_size)
			n = nghttp2_session_mem_recv(s->h2, out, out_size);
	}
	return n;
}

static size_t session_data(struct conn *c, const uint8_t *data, size_t size)
{
	struct session *s = conn_owner(c);
	bool ready = s->settings;
	ssize_t n;

	if (session_is_http1(s, data, size)) {
		session_break(s, "the application speaks HTTP/1.1, not HTTP/2");
		return size;
	}
	n = session_read(s, data, size);
	if (n < 0) {
		session_flush(s); /* the reason */
		session_break(s, "the application does not speak HTTP/2 as it should");
	}
	if (s->settings && !ready && s->ops)
		s->ops->ready(s->owner);
	session_work(s);
	return size;
}

static void session_eof(struct conn *c)
{
	struct session *s = conn_owner(c);

	session_break(s, s->settings ? "the application closed the connection"
				     : "the application closed the connection without HTTP/2");
}

static void session_drained(struct conn *c)
{
	session_work(conn_owner(c));
}

static void session_closed(struct conn *c)
{
	struct session *s = conn_owner(c);

	s->c = NULL;
	session_end(s);
	list_each(u, &s->streams, struct upstream_h2, in)
	{
		u->id = 0;
		upstream_h2_lose(u, UPSTREAM_UNSURE,
				 s->why ? s->why : "the connection to the application ended");
		session_todo(u);
	}
	session_soon(s);
}

static const struct conn_ops session_conn_ops = {
	.data = session_data,
	.end = session_eof,
	.drained = session_drained,
	.closed = session_closed,
};

static void session_open_h2(struct session *s)
{
	const nghttp2_settings_entry ours[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LIMIT_SESSION_STREAM },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LIMIT_HTTP_HEAD },
	};
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	int rc = nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option);

	assert(!rc); /* memory alone may be missing */
	upstream_h2_callbacks(callbacks);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_max_continuations(option, LIMIT_HTTP2_CONTINUED);
	rc = nghttp2_session_client_new2(&s->h2, callbacks, s, option);
	assert(!rc);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	rc = nghttp2_submit_settings(s->h2, NGHTTP2_FLAG_NONE, ours, ARRAY_SIZE(ours)) ||
	     nghttp2_session_set_local_window_size(s->h2, NGHTTP2_FLAG_NONE, 0,
						   LIMIT_SESSION_WINDOW);
	assert(!rc);
}

struct session *session_new(uv_loop_t *loop, struct conn *c, bool tls,
			    const struct session_ops *ops, void *owner)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->c = c;
	s->tls = tls;
	s->ops = ops;
	s->owner = owner;
	s->born_ms = (int64_t)uv_now(loop);
	list_init(&s->streams);
	list_init(&s->todo);
	list_init(&s->dead);
	uv_timer_init(loop, &s->soon);
	uv_timer_init(loop, &s->late);
	s->soon.data = s->late.data = s;
	session_open_h2(s);
	conn_set_owner(c, &session_conn_ops, s);
	session_watch(s, SESSION_SETTINGS_MS);
	session_soon(s);
	return s;
}

void session_idle_limit(struct session *s, int64_t ms)
{
	s->idle_ms = ms;
	if (s->c && !s->n)
		conn_timeout(s->c, ms);
}

bool session_is_ready(const struct session *s)
{
	return s->settings;
}

bool session_has_room(const struct session *s)
{
	uint32_t most;

	if (s->ending || !s->c || conn_is_closing(s->c) ||
	    !nghttp2_session_check_request_allowed(s->h2))
		return false;
	if (!s->settings)
		return !s->n;
	most = nghttp2_session_get_remote_settings(s->h2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	if (s->n >= most || s->n >= LIMIT_SESSION_STREAMS)
		return false;
	return s->n || conn_is_quiet(s->c);
}

struct upstream *session_stream(struct session *s, const struct upstream_ops *ops, void *owner)
{
	struct upstream_h2 *u = xcalloc(1, sizeof(*u));

	u->base = (struct upstream){ .carrier = &upstream_h2_carrier, .ops = ops, .owner = owner };
	u->s = s;
	u->window = LIMIT_SESSION_STREAM;
	list_init(&u->in_todo);
	list_add(&s->streams, &u->in);
	if (!s->n++)
		conn_timeout(s->c, 0);
	return &u->base;
}

void session_stream_over(struct upstream_h2 *u)
{
	struct session *s = u->s;

	list_del(&u->in_todo);
	list_del(&u->in);
	list_add(&s->dead, &u->in);
	if (!--s->n && s->c)
		conn_timeout(s->c, s->idle_ms);
	session_soon(s);
}
