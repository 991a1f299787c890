#include "wire/websocket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <wslay/wslay.h>

#include "base/rand.h"

#define WEBSOCKET_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

struct websocket {
	wslay_event_context_ptr context;
	const struct websocket_ops *ops;
	void *arg; /* borrowed */
	const uint8_t *in;
	size_t n_in;
	struct buf out;
	bool closed, told; /* the peer closed; the owner knows */
	unsigned code;
	char reason[WEBSOCKET_REASON + 1];
};

static ssize_t websocket_on_recv(wslay_event_context_ptr context, uint8_t *to, size_t size,
				 int flags, void *arg)
{
	struct websocket *w = arg;
	size_t n = size < w->n_in ? size : w->n_in;

	(void)flags;
	if (!n) {
		wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(to, w->in, n);
	w->in += n;
	w->n_in -= n;
	return (ssize_t)n;
}

static ssize_t websocket_on_send(wslay_event_context_ptr context, const uint8_t *data, size_t size,
				 int flags, void *arg)
{
	struct websocket *w = arg;

	(void)context, (void)flags;
	buf_add(&w->out, data, size);
	return (ssize_t)size;
}

static int websocket_on_mask(wslay_event_context_ptr context, uint8_t *to, size_t size, void *arg)
{
	(void)context, (void)arg;
	rand_bytes(to, size);
	return 0;
}

/* The owner is told later, since what we answer is not in the output before. */
static void websocket_note_closed(struct websocket *w, unsigned code, const char *reason)
{
	if (w->closed)
		return;
	w->closed = true;
	w->code = code;
	snprintf(w->reason, sizeof(w->reason), "%s", reason);
}

static void websocket_tell_closed(struct websocket *w)
{
	if (!w->closed || w->told)
		return;
	w->told = true;
	w->ops->closed(w->arg, w->code, w->reason);
}

static void websocket_on_message(wslay_event_context_ptr context,
				 const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct websocket *w = arg;
	char reason[WEBSOCKET_REASON + 1] = "";

	(void)context;
	if (w->closed)
		return;
	switch (m->opcode) {
	case WSLAY_TEXT_FRAME:
	case WSLAY_BINARY_FRAME:
		w->ops->message(w->arg,
				m->opcode == WSLAY_TEXT_FRAME ? WEBSOCKET_TEXT : WEBSOCKET_BINARY,
				m->msg, m->msg_length);
		break;
	case WSLAY_CONNECTION_CLOSE:
		if (m->msg_length > 2)
			snprintf(reason, sizeof(reason), "%.*s", (int)(m->msg_length - 2),
				 (const char *)m->msg + 2);
		websocket_note_closed(
			w, m->status_code ? m->status_code : WSLAY_CODE_NO_STATUS_RCVD, reason);
		break;
	case WSLAY_PONG:
		if (w->ops->pong)
			w->ops->pong(w->arg);
		break;
	default:
		break; /* wslay answers pings itself */
	}
}

static const struct wslay_event_callbacks websocket_callbacks = {
	.recv_callback = websocket_on_recv,
	.send_callback = websocket_on_send,
	.genmask_callback = websocket_on_mask,
	.on_msg_recv_callback = websocket_on_message,
};

struct websocket *websocket_new(bool client, size_t longest, const struct websocket_ops *ops,
				void *arg)
{
	struct websocket *w = xcalloc(1, sizeof(*w));
	int rc = client ? wslay_event_context_client_init(&w->context, &websocket_callbacks, w)
			: wslay_event_context_server_init(&w->context, &websocket_callbacks, w);

	if (rc)
		abort(); /* It fails without memory alone. */
	wslay_event_config_set_max_recv_msg_length(w->context, longest);
	w->ops = ops;
	w->arg = arg;
	return w;
}

void websocket_free(struct websocket *w)
{
	wslay_event_context_free(w->context);
	buf_free(&w->out);
	free(w);
}

struct buf *websocket_out(struct websocket *w)
{
	return &w->out;
}

/* The code that wslay answered a breach with, and would tell nobody else.  To a frame whose very
 * head is wrong it answers a close without a code. */
static void websocket_look_for_breach(struct websocket *w)
{
	unsigned code;

	if (wslay_event_get_read_enabled(w->context) ||
	    wslay_event_get_close_received(w->context) || !wslay_event_get_close_sent(w->context))
		return;
	code = wslay_event_get_status_code_sent(w->context);
	websocket_note_closed(w,
			      code == WSLAY_CODE_NO_STATUS_RCVD ? WSLAY_CODE_PROTOCOL_ERROR : code,
			      "the peer broke the protocol");
}

void websocket_feed(struct websocket *w, const uint8_t *data, size_t size)
{
	int rc;

	w->in = data;
	w->n_in = size;
	do
		rc = wslay_event_recv(w->context);
	while (!rc && w->n_in && wslay_event_get_read_enabled(w->context));
	w->n_in = 0;
	if (!wslay_event_send(w->context))
		websocket_look_for_breach(w);
	if (rc)
		websocket_note_closed(w, WEBSOCKET_GONE, "the WebSocket broke");
	websocket_tell_closed(w);
}

/* It fails after a close, when nothing more may be said, and without memory. */
static void websocket_queue(struct websocket *w, uint8_t opcode, const void *data, size_t size)
{
	const struct wslay_event_msg m = { .opcode = opcode, .msg = data, .msg_length = size };

	if (!wslay_event_queue_msg(w->context, &m))
		(void)!wslay_event_send(w->context);
}

void websocket_send(struct websocket *w, enum websocket_type type, const void *data, size_t size)
{
	websocket_queue(w, type == WEBSOCKET_TEXT ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, data,
			size);
}

void websocket_ping(struct websocket *w)
{
	websocket_queue(w, WSLAY_PING, NULL, 0);
}

void websocket_close(struct websocket *w, unsigned code, const char *reason)
{
	size_t n = strnlen(reason, WEBSOCKET_REASON);

	if (!wslay_event_queue_close(w->context, (uint16_t)code, (const uint8_t *)reason, n))
		(void)!wslay_event_send(w->context);
}

void websocket_accept(const char *key, char accept[WEBSOCKET_ACCEPT])
{
	autofree char *text = xasprintf("%s" WEBSOCKET_GUID, key);
	uint8_t sum[SHA_DIGEST_LENGTH];

	SHA1((const unsigned char *)text, strlen(text), sum);
	EVP_EncodeBlock((unsigned char *)accept, sum, sizeof(sum));
}

void websocket_key(char key[WEBSOCKET_KEY])
{
	uint8_t bytes[16];

	rand_bytes(bytes, sizeof(bytes));
	EVP_EncodeBlock((unsigned char *)key, bytes, sizeof(bytes));
}

bool websocket_key_valid(const char *key)
{
	uint8_t bytes[18];

	return strlen(key) == WEBSOCKET_KEY - 1 && !strcmp(key + 22, "==") &&
	       EVP_DecodeBlock(bytes, (const unsigned char *)key, WEBSOCKET_KEY - 1) ==
		       (int)sizeof(bytes);
}
