/* http_h2_frames.c - what nghttp2 reports of the frames that come and go. */

#include <string.h>

#include "net/http_h2.h"

static const uint8_t h2_opaque[8] = "dozewin"; /* of the PINGs that measure */

/* Which bucket a frame of this type is taken from; those that are not here cost nothing at sight.
 */
static const struct {
	bool counts;
	enum h2_flood flood;
} h2_costs[] = {
	[NGHTTP2_PRIORITY] = { true, H2_FLOOD_PRIORITY },
	[NGHTTP2_RST_STREAM] = { true, H2_FLOOD_CANCEL },
	[NGHTTP2_SETTINGS] = { true, H2_FLOOD_SETTINGS },
	[NGHTTP2_PING] = { true, H2_FLOOD_PING },
	[NGHTTP2_WINDOW_UPDATE] = { true, H2_FLOOD_WINDOW },
};

static struct h2_stream *h2_find(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static void h2_count(struct h2 *h, enum h2_flood kind)
{
	if (!h2_floods_take(&h->floods, kind, (int64_t)uv_now(h->server->loop)))
		h2_calm(h, h2_flood_name(kind));
}

/* A block of header fields has its time, whoever sends it. */
void h2_block(struct h2 *h, bool open)
{
	if (open && !h->in_block) {
		h->block = 0;
		http_wait_start(h->server, &h->wait);
	} else if (!open) {
		list_del(&h->wait.in);
	}
	h->in_block = open;
}

/* What we reset may still get frames that were on their way.  What the client ended may not, and
 * what it skipped may never begin (RFC 9113 5.1). */
static void h2_on_late_frame(struct h2 *h, const nghttp2_frame_hd *hd)
{
	int32_t id = hd->stream_id;

	if (id > nghttp2_session_get_last_proc_stream_id(h->session) || h2_find(h->session, id))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(h->ended); i++)
		if (h->ended[i] == id)
			return;
	if (hd->type == NGHTTP2_DATA)
		nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_STREAM_CLOSED);
	else if (!nghttp2_session_find_stream(h->session, id))
		nghttp2_session_terminate_session(h->session, NGHTTP2_PROTOCOL_ERROR);
}

static int h2_on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct h2 *h = arg;

	(void)session;
	h2_block(h, hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION);
	if (hd->type > NGHTTP2_CONTINUATION)
		h2_count(h, H2_FLOOD_OTHER);
	else if (hd->type < ARRAY_SIZE(h2_costs) && h2_costs[hd->type].counts &&
		 !(hd->type == NGHTTP2_PING && hd->flags & NGHTTP2_FLAG_ACK))
		h2_count(h, h2_costs[hd->type].flood);
	else if (hd->type == NGHTTP2_DATA && !hd->length && !(hd->flags & NGHTTP2_FLAG_END_STREAM))
		h2_count(h, H2_FLOOD_EMPTY_DATA);
	if (hd->type == NGHTTP2_DATA || hd->type == NGHTTP2_HEADERS)
		h2_on_late_frame(h, hd);
	return 0;
}

static int h2_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	int32_t id = frame->hd.stream_id;

	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		nghttp2_session_set_stream_user_data(session, id, h2_stream_new(arg, id));
	return 0;
}

static int h2_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
			size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
			void *arg)
{
	struct h2_stream *s = h2_find(session, frame->hd.stream_id);
	struct h2 *h = arg;

	(void)flags;
	if (!s)
		return 0;
	buf_take(&h2_texts, &s->fields.text);
	if (!http2_add_field(&s->fields, name, name_size, value, value_size))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (s->fields.size > LIMIT_HTTP2_DECODED)
		h2_calm(h, "its header fields have too many bytes");
	return 0;
}

/* Otherwise it would be left out in silence, and a message that somebody else reads differently
 * would go on. */
static int h2_on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
				const uint8_t *name, size_t name_size, const uint8_t *value,
				size_t value_size, uint8_t flags, void *arg)
{
	(void)session, (void)frame, (void)name, (void)name_size, (void)value, (void)value_size;
	(void)flags, (void)arg;
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int h2_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = h2_find(session, frame->hd.stream_id);
	bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	h2_block(h, false);
	if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK &&
	    !memcmp(frame->ping.opaque_data, h2_opaque, sizeof(h2_opaque)))
		h2_measured(h);
	else if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK)
		h2_got_receipt(h, frame->ping.opaque_data);
	if (!s || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		h2_got_head(s, ended);
	else if (frame->hd.type == NGHTTP2_HEADERS)
		h2_got_trailers(s);
	if (ended)
		h2_got_end(s);
	return 0;
}

static int h2_on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
			       void *arg)
{
	(void)session, (void)frame, (void)error;
	h2_block(arg, false);
	return 0;
}

static int h2_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		      size_t size, void *arg)
{
	struct h2_stream *s = h2_find(session, id);

	(void)flags;
	if (s)
		h2_got_data(s, data, size);
	else
		nghttp2_session_consume(((struct h2 *)arg)->session, id, size);
	return 0;
}

/* The answer is out.  A client that still sends its request is told that nobody needs the rest, but
 * not in the same record: curl 7.88 forgets an answer that it reads together with that. */
static void h2_said_all(struct h2_stream *s)
{
	if (s->request_done || (s->tunnel && !s->leaves))
		return;
	s->unwanted = true;
	http_call_later(s->x.server, &s->later);
}

static int h2_on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = h2_find(session, frame->hd.stream_id);
	uint32_t code = frame->hd.type == NGHTTP2_RST_STREAM ? frame->rst_stream.error_code : 0;

	if (code == NGHTTP2_REFUSED_STREAM)
		h2_count(h, H2_FLOOD_REFUSED);
	else if (code && !(s && s->answer == H2_ABORTED))
		h2_count(h, H2_FLOOD_BROKEN);
	if (frame->hd.type == NGHTTP2_RST_STREAM) {
		h2_block(h, false);
		h->ended[h->n_ended++ % ARRAY_SIZE(h->ended)] = frame->hd.stream_id;
	}
	if (frame->hd.type == NGHTTP2_DATA) {
		h2_floods_earn(&h->floods, H2_FLOOD_WINDOW, 4);
		h2_floods_earn(&h->floods, H2_FLOOD_PING, 2);
	}
	if (s && frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
	    (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS))
		h2_said_all(s);
	return 0;
}

static int h2_on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s = h2_find(session, id);

	if (!s)
		return 0;
	if (!code)
		h2_floods_earn(&h->floods, H2_FLOOD_CANCEL, 1);
	nghttp2_session_set_stream_user_data(session, id, NULL);
	h2_stream_closed(s);
	return 0;
}

/* Frames of unknown types are left out, but count. */
static int h2_on_unknown_bytes(nghttp2_session *session, const nghttp2_frame_hd *hd,
			       const uint8_t *data, size_t size, void *arg)
{
	(void)session, (void)hd, (void)data, (void)size, (void)arg;
	return 0;
}

static int h2_on_unknown(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd,
			 void *arg)
{
	(void)session, (void)payload, (void)hd, (void)arg;
	return NGHTTP2_ERR_CANCEL;
}

static nghttp2_session_callbacks *h2_callbacks(void)
{
	static nghttp2_session_callbacks *c;

	if (c)
		return c;
	if (nghttp2_session_callbacks_new(&c))
		abort();
	nghttp2_session_callbacks_set_on_begin_frame_callback(c, h2_on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, h2_on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, h2_on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(c, h2_on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, h2_on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, h2_on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, h2_on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, h2_on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, h2_on_stream_close);
	nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(c, h2_on_unknown_bytes);
	nghttp2_session_callbacks_set_unpack_extension_callback(c, h2_on_unknown);
	nghttp2_session_callbacks_set_send_data_callback(c, h2_put_answer);
	return c;
}

static nghttp2_option *h2_options(void)
{
	static nghttp2_option *o;

	if (o)
		return o;
	if (nghttp2_option_new(&o))
		abort();
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_max_continuations(o, LIMIT_HTTP2_CONTINUED);
	for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
		nghttp2_option_set_user_recv_extension_type(o, (uint8_t)type);
	/* The buckets judge resets, by what else the client does. */
	nghttp2_option_set_stream_reset_rate_limit(o, UINT32_MAX, UINT32_MAX);
	return o;
}

nghttp2_session *h2_session_new(struct h2 *h)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, LIMIT_HTTP2_STREAMS },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LIMIT_HTTP_HEAD },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
	};
	nghttp2_session *session;

	if (nghttp2_session_server_new2(&session, h2_callbacks(), h, h2_options()))
		abort();
	nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, ARRAY_SIZE(settings));
	return session;
}
