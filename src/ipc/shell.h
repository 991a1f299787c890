/* shell.h - a shell of a guest, between the endpoint proxy and doze-init.
 *
 * The proxy asks stream.sock with the line "SHELL\n" in place of "CONNECT <port>\n"
 * (wire/connect.h), so that no port of the guest leads here and no token for a port opens it. After
 * "OK\n" both sides send frames as those of agent.h: a header, then fields.  The first frame is
 * SHELL_OPEN.
 *
 * A session outlives its connection.  The guest numbers the bytes that a session has printed, and
 * keeps the last SHELL_RING of them.  It prints no more than SHELL_WINDOW bytes that the proxy has
 * not acknowledged, or half a ring while nobody is there: then the program waits, as with Ctrl-S.
 * What may be lost with a connection is thus in the ring (docs/shell.md has the exceptions), and a
 * client that says how much it has gets the rest without a gap.  A session that nobody has come
 * back to for SHELL_GRACE_MS of the guest's time is hung up. */
#ifndef IPC_SHELL_H
#define IPC_SHELL_H

#include "base/base.h"

#define SHELL_SESSIONS 64
#define SHELL_WINDOW   (64 * KIB) /* not acknowledged, either way */
#define SHELL_RING     (256 * KIB)
#define SHELL_PIECE    (8 * KIB) /* bytes of one frame at most */
#define SHELL_GRACE_MS (10 * 60 * 1000)
#define SHELL_FRAME    (16 * KIB) /* a frame's payload at most */

enum shell_type {
	SHELL_NONE,

	/* To the guest. */
	SHELL_OPEN,   /* SHELL_SESSION; SHELL_COLUMNS and SHELL_ROWS, if known.  SHELL_ATTACH 1: the
		       * session is there already; with SHELL_OFFSET only what follows is sent */
	SHELL_INPUT,  /* SHELL_BYTES; at most SHELL_WINDOW for which no SHELL_ROOM came */
	SHELL_RESIZE, /* SHELL_COLUMNS, SHELL_ROWS */
	SHELL_TAKEN,  /* SHELL_COUNT: so many more bytes of output are acknowledged */

	/* From the guest. */
	SHELL_OPENED,  /* SHELL_OFFSET: the number of the first byte that follows */
	SHELL_REFUSED, /* SHELL_REASON: there is no shell, and nothing follows */
	SHELL_OUTPUT,  /* SHELL_BYTES */
	SHELL_ROOM,    /* SHELL_COUNT: so many bytes of input went to the terminal */
	SHELL_MOVED,   /* another connection has the session now, and nothing follows */
	SHELL_EXITED,  /* SHELL_CODE: 128+signal if killed; nothing follows */
	SHELL_NUM_TYPES,
};

enum shell_field {
	SHELL_NO_FIELD,
	SHELL_SESSION, /* text: a UUID */
	SHELL_ATTACH,  /* u64 */
	SHELL_OFFSET,  /* u64 */
	SHELL_COLUMNS, /* u64, as are the next two */
	SHELL_ROWS,
	SHELL_COUNT,
	SHELL_BYTES,
	SHELL_REASON, /* text */
	SHELL_CODE,   /* u64 */
	SHELL_NUM_FIELDS,
};

#endif
