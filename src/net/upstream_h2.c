/* upstream_h2.c - what comes on the streams of a session. */

#include <stdlib.h>
#include <string.h>

#include "net/upstream_h2.h"
#include "wire/http_trailers.h"

static const uint8_t upstream_h2_may_go[UPSTREAM_H2_NUM_STATES] = {
	[UPSTREAM_H2_FREE] =
		1U << UPSTREAM_H2_ASKED | 1U << UPSTREAM_H2_FAILED | 1U << UPSTREAM_H2_CLOSING,
	[UPSTREAM_H2_ASKED] =
		1U << UPSTREAM_H2_ANSWERED | 1U << UPSTREAM_H2_FAILED | 1U << UPSTREAM_H2_CLOSING,
	[UPSTREAM_H2_ANSWERED] =
		1U << UPSTREAM_H2_DONE | 1U << UPSTREAM_H2_FAILED | 1U << UPSTREAM_H2_CLOSING,
	[UPSTREAM_H2_DONE] = 1U << UPSTREAM_H2_CLOSING,
	[UPSTREAM_H2_FAILED] = 1U << UPSTREAM_H2_CLOSING,
};

void upstream_h2_go(struct upstream_h2 *u, enum upstream_h2_state to)
{
	assert(upstream_h2_may_go[u->state] & 1U << to);
	u->state = to;
}

void upstream_h2_free(struct upstream_h2 *u)
{
	http_head_free(&u->head);
	http_head_free(&u->trailers);
	buf_free(&u->rest.bytes);
	buf_free(&u->out);
	buf_free(&u->out_trailers);
	free(u);
}

static int64_t upstream_h2_now(const struct upstream_h2 *u)
{
	return (int64_t)uv_now(u->s->soon.loop);
}

void upstream_h2_moved(struct upstream_h2 *u)
{
	u->since_ms = upstream_h2_now(u);
}

void upstream_h2_set_turn(struct upstream_h2 *u)
{
	bool turn = (u->request_done && !u->rest.stopped) || u->out.size;

	if (turn && !u->turn)
		upstream_h2_moved(u);
	u->turn = turn;
}

/* The server may send as much again.  The connection's window stays open for the others as long as
 * not too much is kept. */
void upstream_h2_credit(struct upstream_h2 *u, size_t size)
{
	struct session *s = u->s;

	if (u->id)
		(void)nghttp2_session_consume_stream(s->h2, u->id, size);
	s->debt += size;
	if (s->kept > LIMIT_SESSION_KEPT)
		return;
	(void)nghttp2_session_consume_connection(s->h2, s->debt);
	s->debt = 0;
}

void upstream_h2_lose(struct upstream_h2 *u, enum upstream_loss loss, const char *why)
{
	if (u->complete || u->lost)
		return;
	u->lost = why;
	u->base.loss = loss;
}

/* Both sides have said all; nghttp2 closes such a stream by itself, and a reset would be one more
 * of those that servers count. */
static bool upstream_h2_is_whole(const struct upstream_h2 *u)
{
	return u->complete && nghttp2_session_get_stream_local_close(u->s->h2, u->id) == 1;
}

/* Nobody wants anything of it any more. */
void upstream_h2_let_go(struct upstream_h2 *u)
{
	struct session *s = u->s;
	size_t left = u->rest.bytes.size;

	if (u->id && s->c) {
		nghttp2_session_set_stream_user_data(s->h2, u->id, NULL);
		if (!upstream_h2_is_whole(u))
			nghttp2_submit_rst_stream(s->h2, NGHTTP2_FLAG_NONE, u->id, NGHTTP2_CANCEL);
	}
	u->id = 0;
	buf_free(&u->rest.bytes);
	u->rest.stopped = u->resume = false;
	s->kept -= left;
	upstream_h2_credit(u, left);
	session_stream_over(u);
}

static void upstream_h2_fail(struct upstream_h2 *u)
{
	upstream_h2_go(u, UPSTREAM_H2_FAILED);
	upstream_h2_let_go(u);
	u->base.ops->failed(&u->base, u->lost);
}

/* Tell what follows the body.  It waits until the body was taken. */
static void upstream_h2_settle(struct upstream_h2 *u)
{
	if (u->rest.stopped || upstream_h2_is_over(u))
		return;
	if (u->lost) {
		upstream_h2_fail(u);
		return;
	}
	if (!u->complete || u->state != UPSTREAM_H2_ANSWERED)
		return;
	upstream_h2_go(u, UPSTREAM_H2_DONE);
	if (u->has_trailers && u->base.ops->trailers)
		u->base.ops->trailers(&u->base, u->trailers.headers, u->trailers.n_headers);
	if (u->state == UPSTREAM_H2_DONE)
		u->base.ops->end(&u->base);
}

/* A stream that always finds its bytes taken may have more under way. */
static void upstream_h2_grow(struct upstream_h2 *u, size_t size)
{
	u->moved += (int64_t)size;
	if (u->moved < u->window || u->window >= (int32_t)LIMIT_SESSION_GROWN || !u->id)
		return;
	u->moved = 0;
	u->window *= 2;
	(void)nghttp2_session_set_local_window_size(u->s->h2, NGHTTP2_FLAG_NONE, u->id, u->window);
}

static void upstream_h2_give(struct upstream_h2 *u, const uint8_t *data, size_t size)
{
	size_t taken = 0;

	if (!u->rest.stopped)
		taken = u->base.ops->body(&u->base, data, size);
	if (u->state == UPSTREAM_H2_CLOSING) {
		upstream_h2_credit(u, size);
		return;
	}
	if (taken < size) {
		http_rest_keep(&u->rest, data + taken, size - taken);
		u->s->kept += size - taken;
		u->moved = 0;
		upstream_h2_set_turn(u);
	}
	upstream_h2_credit(u, taken);
	upstream_h2_grow(u, taken);
}

/* What was owed to the owner, from the loop. */
void upstream_h2_goes_on(struct upstream_h2 *u)
{
	autobuf struct buf again = { 0 };

	if (u->full && u->out.size <= LIMIT_HTTP_BUFFER / 4 && !upstream_h2_is_over(u)) {
		u->full = false;
		u->base.ops->writable(&u->base);
	}
	if (u->resume && http_rest_go_on(&u->rest, &again)) {
		u->resume = false;
		u->s->kept -= again.size;
		upstream_h2_moved(u);
		upstream_h2_set_turn(u);
		if (again.size && !upstream_h2_is_over(u))
			upstream_h2_give(u, again.data, again.size);
		session_soon(u->s);
	}
	upstream_h2_settle(u);
}

static int upstream_h2_on_begin(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct session *s = arg;

	(void)h2, (void)frame;
	buf_clear(&s->fields.text);
	s->fields.n = s->fields.status = 0;
	s->fields.too_big = false;
	return 0;
}

static int upstream_h2_on_field(nghttp2_session *h2, const nghttp2_frame *frame,
				const uint8_t *name, size_t name_size, const uint8_t *value,
				size_t value_size, uint8_t flags, void *arg)
{
	struct session_fields *f = &((struct session *)arg)->fields;

	(void)h2, (void)frame, (void)flags;
	if (name_size && name[0] == ':') {
		/* nghttp2 has seen that it is :status, and three digits. */
		for (size_t i = 0; i < value_size; i++)
			f->status = f->status * 10 + (unsigned)(value[i] - '0');
		return 0;
	}
	if (f->n == ARRAY_SIZE(f->at) || f->text.size + name_size + value_size > LIMIT_HTTP_HEAD) {
		f->too_big = true;
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	f->at[f->n].name = f->text.size;
	buf_add(&f->text, name, name_size);
	buf_add(&f->text, "", 1);
	f->at[f->n++].value = f->text.size;
	buf_add(&f->text, value, value_size);
	buf_add(&f->text, "", 1);
	return 0;
}

/* The head takes the block's memory. */
static void upstream_h2_take_fields(struct session_fields *f, struct http_head *h)
{
	http_head_free(h);
	*h = (struct http_head){ .status = f->status,
				 .target = "",
				 .host = "",
				 .reason = "",
				 .minor = 1,
				 .length = -1,
				 .n_headers = f->n,
				 .text = f->text };
	f->text = (struct buf){ 0 };
	for (size_t i = 0; i < f->n; i++) {
		h->headers[i].name = (const char *)h->text.data + f->at[i].name;
		h->headers[i].value = (const char *)h->text.data + f->at[i].value;
	}
}

static void upstream_h2_got_head(struct upstream_h2 *u, bool last)
{
	struct http_head *h = &u->head;
	const char *length;

	upstream_h2_take_fields(&u->s->fields, h);
	if (h->status < 100 || (h->status / 100 == 1 && ++u->interims > LIMIT_SESSION_INTERIM)) {
		upstream_h2_lose(u, UPSTREAM_UNSURE,
				 h->status < 100 ? "the answer has no status that exists"
						 : "the answer has too many interim heads");
		session_todo(u);
		return;
	}
	if (h->status / 100 == 1) {
		if (u->base.ops->interim)
			u->base.ops->interim(&u->base, h);
		return;
	}
	length = http_header(h, "content-length");
	if (length)
		h->length = strtoll(length, NULL, 10);
	else if (last)
		h->length = 0;
	upstream_h2_go(u, UPSTREAM_H2_ANSWERED);
	u->base.ops->head(&u->base, h);
}

static void upstream_h2_drop_forbidden(struct http_head *trailers)
{
	size_t n = 0;

	for (size_t i = 0; i < trailers->n_headers; i++)
		if (http_trailer_may_pass(trailers->headers[i].name))
			trailers->headers[n++] = trailers->headers[i];
	trailers->n_headers = n;
}

static void upstream_h2_got_fields(struct upstream_h2 *u, bool last)
{
	u->answered = true;
	if (u->state == UPSTREAM_H2_ASKED) {
		upstream_h2_got_head(u, last);
	} else if (u->state == UPSTREAM_H2_ANSWERED) {
		upstream_h2_take_fields(&u->s->fields, &u->trailers);
		upstream_h2_drop_forbidden(&u->trailers);
		u->has_trailers = true;
	}
}

static void upstream_h2_got_goaway(struct session *s, const nghttp2_frame *frame)
{
	if (frame->goaway.error_code)
		s->why = "the application ended the connection with an error";
	session_retire(s);
}

static int upstream_h2_on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
	struct session *s = arg;
	struct upstream_h2 *u = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
	bool last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (frame->hd.type == NGHTTP2_SETTINGS)
		s->settings = true;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		upstream_h2_got_goaway(s, frame);
	if (!u)
		return 0;
	upstream_h2_moved(u);
	if (frame->hd.type == NGHTTP2_RST_STREAM) {
		u->reset_by_peer = true;
		u->base.reset = frame->rst_stream.error_code;
	}
	if (frame->hd.type == NGHTTP2_HEADERS)
		upstream_h2_got_fields(u, last);
	if (last && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)) {
		u->complete = !u->lost;
		upstream_h2_settle(u);
	}
	return 0;
}

static int upstream_h2_on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data,
			       size_t size, void *arg)
{
	struct upstream_h2 *u = nghttp2_session_get_stream_user_data(h2, id);

	(void)flags, (void)arg;
	if (!u || u->state != UPSTREAM_H2_ANSWERED) {
		(void)nghttp2_session_consume(h2, id, size);
		return 0;
	}
	upstream_h2_moved(u);
	upstream_h2_give(u, data, size);
	return 0;
}

static int upstream_h2_on_close(nghttp2_session *h2, int32_t id, uint32_t code, void *arg)
{
	struct upstream_h2 *u = nghttp2_session_get_stream_user_data(h2, id);
	struct session *s = arg;

	if (!u)
		return 0;
	u->id = 0;
	buf_free(&u->out); /* nobody takes it any more */
	if (code == NGHTTP2_REFUSED_STREAM && !u->answered)
		upstream_h2_lose(u, UPSTREAM_UNSEEN, "the application refuses the request");
	else if (u->reset_by_peer)
		upstream_h2_lose(u, UPSTREAM_RESET, "the application reset the stream");
	else if (s->fields.too_big)
		upstream_h2_lose(u, UPSTREAM_UNSURE, "the head of the answer is too big");
	else
		upstream_h2_lose(u, UPSTREAM_UNSURE, "the answer is not what HTTP/2 allows");
	session_todo(u);
	return 0;
}

void upstream_h2_callbacks(nghttp2_session_callbacks *to)
{
	nghttp2_session_callbacks_set_on_begin_headers_callback(to, upstream_h2_on_begin);
	nghttp2_session_callbacks_set_on_header_callback(to, upstream_h2_on_field);
	nghttp2_session_callbacks_set_on_frame_recv_callback(to, upstream_h2_on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(to, upstream_h2_on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(to, upstream_h2_on_close);
}
