/* websocket.h - one end of a WebSocket connection (RFC 6455), over bytes that somebody else moves.
 *
 * libwslay frames, masks, joins fragments, answers pings and checks what the RFC demands; a peer
 * that breaks it gets a close with the right code. */
#ifndef WIRE_WEBSOCKET_H
#define WIRE_WEBSOCKET_H

#include "base/buf.h"

#define WEBSOCKET_KEY    25 /* 24 characters and the NUL */
#define WEBSOCKET_ACCEPT 29
#define WEBSOCKET_REASON 123  /* the longest reason of a close */
#define WEBSOCKET_GONE   1006 /* there was no close */

enum websocket_type { WEBSOCKET_TEXT, WEBSOCKET_BINARY };

struct websocket;

struct websocket_ops {
	/* A whole message came. */
	void (*message)(void *arg, enum websocket_type type, const uint8_t *data, size_t size);
	/* The peer closes, or broke the protocol.  Our answer is in the output already. */
	void (*closed)(void *arg, unsigned code, const char *reason);
	void (*pong)(void *arg); /* may be NULL */
};

/* A longer message is answered with a close 1009. */
struct websocket *websocket_new(bool client, size_t longest, const struct websocket_ops *ops,
				void *arg);
void websocket_free(struct websocket *w); /* not from inside its own callbacks */

/* Bytes of the peer.  Calls back for each message in them. */
void websocket_feed(struct websocket *w, const uint8_t *data, size_t size);
/* What is to be sent to the peer: take it out with buf_drop or buf_clear. */
struct buf *websocket_out(struct websocket *w);

/* After a close nothing more is sent. */
void websocket_send(struct websocket *w, enum websocket_type type, const void *data, size_t size);
void websocket_ping(struct websocket *w);
void websocket_close(struct websocket *w, unsigned code, const char *reason);

/* Of the handshake: the answer to a key, and a new key. */
void websocket_accept(const char *key, char accept[WEBSOCKET_ACCEPT]);
void websocket_key(char key[WEBSOCKET_KEY]);
/* Is it the base64 of 16 bytes?  */
bool websocket_key_valid(const char *key);

#endif
