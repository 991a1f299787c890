/* shell_parts.h - a shell of a microVM behind a WebSocket (service.md 8): the client speaks
 * WebSocket, the guest the frames of ipc/shell.h, and both wait for the slower one.
 *
 * Text {"type":"session_init","session_id":UUID} comes first, or {"type":"session_error",
 * "message":...} and a close.  Then binary messages are the terminal's bytes, both ways; a text
 * {"type":"resize","cols":C,"rows":R} sets its size, and any other is typed.
 *
 * Beyond the service: "?session=UUID" comes back to a session, and "&offset=N" to the byte N of it;
 * then session_init has the member "offset", the number of the first byte that follows.  With
 * "?status=1" a text {"type":"exit","status":N} precedes the close of a shell that has ended.
 *
 * shell.c has the client's side, and shell_guest.c the guest's. */
#ifndef PROXY_SHELL_PARTS_H
#define PROXY_SHELL_PARTS_H

#include "ipc/shell.h"
#include "net/duplex.h"
#include "proxy/recording.h"
#include "proxy/shell_words.h"
#include "wire/agent.h"
#include "wire/websocket.h"

#define SHELL_MESSAGE (1 * MIB) /* a client's message at most */

/* Of a close. */
enum shell_close {
	SHELL_CLOSE_EXITED = 1000,
	SHELL_CLOSE_AWAY = 1001,
	SHELL_CLOSE_ERROR = 1011,
	SHELL_CLOSE_MOVED = 4001,
};

struct shell {
	struct link link;
	struct proxy *proxy;   /* borrowed */
	struct route *route;   /* borrowed; NULL: it ends */
	struct duplex *client; /* owned; NULL: closed */
	struct conn *guest;    /* owned; NULL: closed */
	struct websocket *websocket;
	struct shell_request request;
	struct request_record record;
	char id[UUID_SIZE];
	struct buf from_guest;   /* a frame that is not whole */
	struct buf typed;        /* for which the guest has no room yet */
	size_t room;             /* bytes that the guest takes */
	uint64_t untaken;        /* bytes from the guest that are not acknowledged ... */
	uint64_t awaited;        /* ... and those that the client shall say it got; 0: none */
	bool opened;             /* the client got session_init */
	bool waits, guest_waits; /* nothing is read of the client, of the guest */
};

/* shell.c */
void shell_closed(struct shell *s); /* frees it once both connections are closed */
void shell_print(struct shell *s, const uint8_t *data, size_t size);
void shell_opened(struct shell *s, uint64_t offset);
void shell_exited(struct shell *s, uint64_t status);
/* Close it; before `opened` the client gets a session_error. */
void shell_fail(struct shell *s, const char *why);
void shell_end(struct shell *s, unsigned code, const char *reason);
void shell_type(struct shell *s); /* what there is room for */
bool shell_client_full(const struct shell *s);

/* shell_guest.c */
extern const struct conn_ops shell_guest_ops;
void shell_guest_open(struct shell *s);
void shell_guest_input(struct shell *s, const uint8_t *data, size_t size);
void shell_guest_resize(struct shell *s, const uint64_t sizes[2]);
/* Acknowledge what the client got, or what its connection took if it does not say. */
void shell_guest_taken(struct shell *s);
void shell_guest_received(struct shell *s); /* the client says so */

#endif
