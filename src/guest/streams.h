/* streams.h - the host's way to the guest's ports: a listener (guest/hostlink.h) that only the host
 * may use.  The answer to a line of wire/connect.h is "OK\n" or "ERR <why>\n".  After OK, bytes
 * pass both ways between the host and 127.0.0.1:<port>, or [::1]:<port>, or datagrams do
 * (datagrams.h).  Bytes for the port may follow the line at once.
 *
 * On the plain way the application gets the connection when the host has sent the first byte for
 * it, since servers begin to count the time for a request when they accept, and the host is far
 * away on a slow processor.  A client whose server speaks first asks for it at once.
 *
 * A shell is asked for in place of a port (guest/shell.h).
 *
 * Two reasons are words of the protocol (net/dial.h).  "starting": nothing listens, and nothing has
 * listened on this port since the microVM's start, of which the snapshot of an image is the last
 * moment before.  "busy": the application has as many connections waiting as its backlog holds. */
#ifndef GUEST_STREAMS_H
#define GUEST_STREAMS_H

#include "base/loop.h"
#include "guest/diag.h"
#include "guest/hostlink.h"
#include "guest/shell.h"
#include "wire/connect.h"

#define STREAMS_MAX HOSTLINK_STREAMS

struct streams {
	struct loop *loop;           /* borrowed */
	const struct hostlink *host; /* borrowed */
	struct shells *shells;       /* borrowed; NULL: there are none */
	struct watch watch;
	struct list all; /* oldest first */
	size_t n;
	struct diag_ports opened; /* ports that have been open since the start */
	int diag_fd;              /* borrowed */
};

int streams_open(struct streams *s, struct loop *l, const struct hostlink *host, int diag_fd,
		 struct err *e) must_check;

/* The start is yet to come, and the image's snapshot before it: of the ports only those count as
 * opened that are open now. */
void streams_note_ports(struct streams *s);

/* After a restore the host's ends of all streams are gone.  End the streams, so that the
 * application notices.  Connections that have not asked for a port yet stay. */
void streams_reset(struct streams *s);

#endif
