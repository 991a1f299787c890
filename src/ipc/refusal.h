/* refusal.h - why the proxy refuses a request, a client of a published port or a flow: one table,
 * whose names stand in the access log, in /metrics and in docs/operations.md. */
#ifndef IPC_REFUSAL_H
#define IPC_REFUSAL_H

#include "base/base.h"

enum refusal {
	REFUSAL_OTHER, /* of a kind that has no name */
	/* The client said something wrong. */
	REFUSAL_MALFORMED,
	REFUSAL_HEAD_TOO_LARGE,
	REFUSAL_HEAD_TOO_SLOW,
	REFUSAL_UPGRADE_WITH_BODY,
	REFUSAL_BAD_PORT,
	REFUSAL_BAD_PROTOCOL,
	REFUSAL_BAD_SHELL,
	/* It may not come. */
	REFUSAL_UNKNOWN_HOST,
	REFUSAL_NO_TOKEN,
	REFUSAL_BAD_TOKEN,
	REFUSAL_FOREIGN_TOKEN,
	REFUSAL_EXPIRED_TOKEN,
	REFUSAL_PORT_DENIED,
	REFUSAL_NO_WEBSOCKET,
	/* A limit. */
	REFUSAL_MICROVM_REQUESTS,
	REFUSAL_MICROVM_RATE,
	REFUSAL_TOKEN_REQUESTS,
	REFUSAL_HELD_REQUESTS,
	REFUSAL_HELD_BYTES,
	/* The microVM or its application. */
	REFUSAL_ASLEEP,
	REFUSAL_GONE,
	REFUSAL_NOT_READY,
	REFUSAL_MUTE,
	REFUSAL_OLD_IMAGE,
	REFUSAL_NO_LISTENER,
	REFUSAL_NEVER_LISTENED,
	REFUSAL_BACKLOG,
	REFUSAL_CLOSES_EARLY,
	REFUSAL_BROKEN,
	REFUSAL_RESET,
	REFUSAL_SILENT,
	REFUSAL_BAD_HEADER,
	REFUSAL_BAD_UPGRADE,
	REFUSAL_LATE_TLS,
	REFUSAL_INTERNAL,
	/* Clients of published ports, which get no status. */
	REFUSAL_SOURCE,
	REFUSAL_PUBLISHED_CONNECTIONS,
	REFUSAL_PUBLISHED_RATE,
	REFUSAL_ADDRESS_CONNECTIONS,
	REFUSAL_ADDRESS_RATE,
	REFUSAL_NUM
};

const char *refusal_name(enum refusal why);
unsigned refusal_status(enum refusal why); /* 0: whoever is refused speaks no HTTP */
/* Of a head that cannot be read, which is refused with this status. */
enum refusal refusal_of_head(unsigned status);

#endif
