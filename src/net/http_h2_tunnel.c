/* http_h2_tunnel.c - a stream that an extended CONNECT opened (RFC 8441).
 *
 * The handler sees an ordinary upgrade.  Its key is one of ours, so nobody but us can check the
 * answer to it. */

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "base/rand.h"
#include "net/http_h2.h"

#define H2_RECEIPT     "dozr" /* begins the PINGs of receipts; the stream follows */
#define H2_ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 1.3 */

static struct h2_stream *h2_stream_of(struct duplex *d)
{
	return container_of(d, struct h2_stream, duplex);
}

void h2_make_key(struct h2_stream *s)
{
	uint8_t nonce[16];

	rand_bytes(nonce, sizeof(nonce));
	EVP_EncodeBlock((unsigned char *)s->key, nonce, sizeof(nonce));
}

bool h2_upgrade_fits(const struct http_exchange *x, const struct http_head *answer)
{
	const struct h2_stream *s = (const struct h2_stream *)(const void *)x;
	const char *accept = http_header(answer, "sec-websocket-accept");
	const char *upgrade = http_header(answer, "upgrade");
	char text[sizeof(s->key) + sizeof(H2_ACCEPT_GUID)];
	unsigned char sum[EVP_MAX_MD_SIZE], want[EVP_MAX_MD_SIZE * 2];
	unsigned n = 0;

	if (!*s->key || !accept || !upgrade || strcasecmp(upgrade, "websocket") != 0)
		return false;
	snprintf(text, sizeof(text), "%s%s", s->key, H2_ACCEPT_GUID);
	if (EVP_Digest(text, strlen(text), sum, &n, EVP_sha1(), NULL) != 1)
		return false;
	EVP_EncodeBlock(want, sum, (int)n);
	return http_header_count(answer, "sec-websocket-accept") == 1 &&
	       !strcmp(accept, (const char *)want);
}

static void h2_tunnel_write(struct duplex *d, const void *data, size_t size)
{
	struct h2_stream *s = h2_stream_of(d);

	h2_queue(s, data, size);
	s->full = s->full || h2_queued(s) >= LIMIT_HTTP_BUFFER;
}

static bool h2_tunnel_full(struct duplex *d)
{
	return h2_queued(h2_stream_of(d)) >= LIMIT_HTTP_BUFFER;
}

static void h2_tunnel_pause(struct duplex *d)
{
	h2_stream_of(d)->rest.stopped = true;
}

static void h2_tunnel_resume(struct duplex *d)
{
	h2_read_on(h2_stream_of(d));
}

static void h2_tunnel_shutdown(struct duplex *d)
{
	h2_send_end(&h2_stream_of(d)->x);
}

static void h2_tunnel_close(struct duplex *d)
{
	h2_reset(h2_stream_of(d), NGHTTP2_CANCEL);
}

static void h2_tunnel_close_after_write(struct duplex *d)
{
	struct h2_stream *s = h2_stream_of(d);

	s->leaves = true;
	if (s->answer == H2_ENDED && !h2_queued(s))
		h2_reset(s, NGHTTP2_NO_ERROR);
	else
		h2_send_end(&s->x);
}

static void h2_tunnel_timeout(struct duplex *d, int64_t ms)
{
	(void)d, (void)ms; /* every byte crosses the other end too, whose silence is counted */
}

/* A PING is sent at once, in front of DATA that waits, but behind what has been framed. */
void h2_ask_receipt(struct h2_stream *s)
{
	const uint32_t id = (uint32_t)s->id;
	uint8_t opaque[8] = H2_RECEIPT;

	s->asks_receipt = false;
	memcpy(opaque + 4, &id, sizeof(id));
	(void)nghttp2_submit_ping(s->h->session, NGHTTP2_FLAG_NONE, opaque);
	h2_pump_later(s->h);
}

void h2_got_receipt(struct h2 *h, const uint8_t opaque[8])
{
	struct h2_stream *s;
	uint32_t id;

	memcpy(&id, opaque + 4, sizeof(id));
	if (memcmp(opaque, H2_RECEIPT, 4) != 0 || id > INT32_MAX)
		return;
	s = nghttp2_session_get_stream_user_data(h->session, (int32_t)id);
	if (s && s->tunnel && s->duplex.ops->received)
		s->duplex.ops->received(&s->duplex);
}

static void h2_tunnel_await_receipt(struct duplex *d)
{
	struct h2_stream *s = h2_stream_of(d);

	if (h2_queued(s) || s->answer == H2_HEAD_WAITS)
		s->asks_receipt = true;
	else if (!s->h->closing)
		h2_ask_receipt(s);
}

static const struct duplex_kind h2_tunnel_kind = {
	.write = h2_tunnel_write,
	.full = h2_tunnel_full,
	.pause = h2_tunnel_pause,
	.resume = h2_tunnel_resume,
	.shutdown = h2_tunnel_shutdown,
	.close = h2_tunnel_close,
	.close_after_write = h2_tunnel_close_after_write,
	.timeout = h2_tunnel_timeout,
	.await_receipt = h2_tunnel_await_receipt,
};

struct duplex *h2_take_duplex(struct http_exchange *x, const struct duplex_ops *ops, void *owner)
{
	struct h2_stream *s = h2_of(x);

	http_trust(x);
	s->duplex = (struct duplex){ .kind = &h2_tunnel_kind, .ops = ops, .owner = owner };
	s->tunnel = true;
	h2_set_awaited(s);
	h2_read_on(s);
	return &s->duplex;
}
